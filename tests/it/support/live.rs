//! A server that listens, and clients that keep their connection: websockets, and streams of events.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use futures_util::{SinkExt, StreamExt};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};
use uuid::Uuid;
use xueji::auth::jwt::Claims;
use xueji::clock::Clock;
use xueji::config::settings::Limits;
use xueji::http::Options;
use xueji::http::serve::{bind, serve};
use xueji_entity::outbox;
use xueji_entity::value::StudentId;

use super::app::{App, ISSUER, PATIENCE, clock};

/// Longest wait for something that must come.
pub(crate) const SOON: Duration = PATIENCE;
/// A wait in which something that must not come would have come.
pub(crate) const SILENCE: Duration = Duration::from_millis(1_200);

/// The end of a token, with a timer that strikes at it in the same runtime as everything else: what takes time on a busy
/// machine delays both.
pub(crate) struct End {
    at: u64,
    timer: JoinHandle<Instant>,
}

impl End {
    /// The end has come, and within the last second.
    pub(crate) async fn has_just_come(self) {
        let now = Clock::system(chrono_tz::UTC).now().timestamp();
        assert!(u64::try_from(now).unwrap() >= self.at, "before its end");
        let late = self.timer.await.unwrap().elapsed();
        assert!(late < Duration::from_secs(1), "{late:?} after its end");
    }
}

impl App {
    /// A token that runs out in a few seconds.
    pub(crate) fn short_lived(&self, sub: String) -> (String, End) {
        let now = Clock::system(chrono_tz::UTC).now();
        let iat = u64::try_from(now.timestamp()).unwrap();
        let claims =
            Claims { sub, iss: ISSUER.to_owned(), iat, exp: iat + 6, jti: None, sid: None };
        let left =
            Duration::from_secs(6) - Duration::from_millis(now.timestamp_subsec_millis().into());
        let timer = tokio::spawn(async move {
            tokio::time::sleep(left).await;
            Instant::now()
        });
        (self.sign(&claims), End { at: iat + 6, timer })
    }
}

/// A server that listens.
pub(crate) struct Site {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl App {
    /// Listens, with the limits that servers have; but asks nobody for a sign of life while a test lasts.
    pub(crate) async fn serve(&self) -> Site {
        let idle_time = Duration::from_secs(600);
        self.serve_within(Limits { idle_time, ..Limits::default() }).await
    }

    /// Listens, with other limits.
    pub(crate) async fn serve_within(&self, limits: Limits) -> Site {
        let router = self.router_within(limits.clone());
        serve_routes(router, limits).await
    }

    /// Listens, and behaves otherwise.
    pub(crate) async fn serve_by(&self, options: Options) -> Site {
        let limits = options.limits.clone();
        serve_routes(self.router_by(options), limits).await
    }

    /// Waits until so many subscriptions are open in the process.
    pub(crate) async fn until_streams(&self, count: usize) {
        let until = Instant::now() + SOON;
        while self.streams() != count {
            assert!(Instant::now() < until, "{count} streams, but {} are open", self.streams());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Says that scores of a pupil were published, as the act does that publishes them.
    pub(crate) async fn published(&self, student: StudentId, rows: &[Uuid]) {
        let row = outbox::ActiveModel {
            id: Set(Uuid::now_v7()),
            at: Set(clock().now()),
            kind: Set("score.published".to_owned()),
            student_id: Set(Some(student)),
            payload: Set(json!({ "rows": rows }).to_string()),
            ..Default::default()
        };
        row.insert(self.db()).await.unwrap();
    }
}

async fn serve_routes(router: Router, limits: Limits) -> Site {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        serve(listener, router, &limits, None, async {
            let _either = stopped.await;
        })
        .await;
    });
    Site { address, stop: Some(stop), task }
}

impl Site {
    /// A server that listens somewhere else, in a process of its own.
    pub(crate) fn elsewhere(address: SocketAddr) -> Self {
        Self { address, stop: None, task: tokio::spawn(async {}) }
    }

    /// Asks for a websocket with these headers; the status where there is none.
    pub(crate) async fn connect(&self, headers: &[(&'static str, &str)]) -> Result<Socket, u16> {
        self.connect_with(TcpStream::connect(self.address).await.unwrap(), headers).await
    }

    /// The same for a client whose system keeps next to nothing for it.
    pub(crate) async fn connect_narrow(&self, headers: &[(&'static str, &str)]) -> Socket {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        let stream = socket.connect(self.address).await.unwrap();
        self.connect_with(stream, headers).await.unwrap()
    }

    async fn connect_with(
        &self,
        stream: TcpStream,
        headers: &[(&'static str, &str)],
    ) -> Result<Socket, u16> {
        let mut request = format!("ws://{}/graphql", self.address).into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        match timeout(SOON, tokio_tungstenite::client_async(request, stream)).await.unwrap() {
            Ok((stream, _)) => Ok(Socket(stream)),
            Err(Error::Http(response)) => Err(response.status().as_u16()),
            Err(error) => panic!("no websocket: {error}"),
        }
    }

    /// A websocket that speaks the protocol.
    pub(crate) async fn socket(&self) -> Socket {
        self.connect(&[("sec-websocket-protocol", "graphql-transport-ws")]).await.unwrap()
    }

    /// A websocket whose connection is granted to the holder of a token.
    pub(crate) async fn granted(&self, token: &str) -> Socket {
        let mut socket = self.socket().await;
        socket.init(token).await;
        socket
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends a request and gives the answer with its body unread.
    pub(crate) async fn request(&self, request: Request<Full<Bytes>>) -> Response<Incoming> {
        let stream = TcpStream::connect(self.address).await.unwrap();
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
        tokio::spawn(async move {
            let _closed = connection.await;
        });
        timeout(SOON, sender.send_request(request)).await.unwrap().unwrap()
    }

    /// Opens a stream of events by `POST`.
    pub(crate) async fn events(&self, token: Option<&str>, body: Value) -> Events {
        let mut request = Request::builder()
            .method("POST")
            .uri("/graphql")
            .header("host", self.address.to_string())
            .header("content-type", "application/json")
            .header("accept", "text/event-stream");
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let body = Full::new(Bytes::from(body.to_string()));
        Events::of(self.request(request.body(body).unwrap()).await)
    }

    /// Stops the server and waits until it has stopped.
    pub(crate) async fn stop(mut self) {
        self.begin_stop();
        self.ended().await;
    }

    /// Waits until a server that was asked to stop has stopped.
    pub(crate) async fn ended(mut self) {
        timeout(SOON, &mut self.task).await.unwrap().unwrap();
    }

    /// Asks the server to stop.
    pub(crate) fn begin_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A client of the protocol `graphql-transport-ws`.
pub(crate) struct Socket(pub(crate) WebSocketStream<TcpStream>);

impl Socket {
    /// Sends a message.
    pub(crate) async fn send(&mut self, message: Value) {
        self.raw(Message::text(message.to_string())).await;
    }

    /// Sends bytes that no client library would, below the websocket.
    pub(crate) async fn bytes(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).await.unwrap();
    }

    /// Sends whatever it is.
    pub(crate) async fn raw(&mut self, message: Message) {
        self.0.send(message).await.unwrap();
    }

    /// Asks for the connection and waits for it.
    pub(crate) async fn init(&mut self, token: &str) {
        let payload = json!({ "authorization": format!("Bearer {token}") });
        self.send(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(self.next().await, json!({ "type": "connection_ack" }));
    }

    /// Begins an operation.
    pub(crate) async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({ "query": query, "variables": variables });
        self.send(json!({ "type": "subscribe", "id": id, "payload": payload })).await;
    }

    /// Begins a subscription and waits until it is open in the process that the socket leads to.
    pub(crate) async fn open(&mut self, app: &App, id: &str, query: &str, variables: Value) {
        let before = app.streams();
        self.subscribe(id, query, variables).await;
        app.until_streams(before + 1).await;
    }

    /// The next message.
    #[track_caller]
    pub(crate) fn next(&mut self) -> impl Future<Output = Value> + '_ {
        let caller = std::panic::Location::caller();
        async move {
            match self.within(SOON).await {
                Some(Message::Text(text)) => serde_json::from_str(&text).unwrap(),
                other => panic!("a message was expected at {caller}: {other:?}"),
            }
        }
    }

    /// Fails when a message comes within this time.
    #[track_caller]
    pub(crate) fn quiet(&mut self, time: Duration) -> impl Future<Output = ()> + '_ {
        let caller = std::panic::Location::caller();
        async move {
            if let Some(message) = self.within(time).await {
                panic!("silence was expected at {caller}: {message:?}");
            }
        }
    }

    /// The code and reason with which the server closes, passing over what it says before.
    pub(crate) async fn closed(&mut self) -> (u16, String) {
        loop {
            match self.within(SOON).await {
                Some(Message::Close(Some(frame))) => {
                    return (frame.code.into(), frame.reason.to_string());
                }
                Some(Message::Close(None)) | None => panic!("closed without a code"),
                Some(_) => {}
            }
        }
    }

    async fn within(&mut self, time: Duration) -> Option<Message> {
        let until = Instant::now() + time;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match timeout(left, self.0.next()).await {
                Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => {}
                Ok(Some(Ok(message))) => return Some(message),
                Ok(Some(Err(error))) => panic!("the websocket broke: {error}"),
                Ok(None) => panic!("the websocket ended"),
                Err(_elapsed) => return None,
            }
        }
    }
}

/// A client that reads `text/event-stream`.
pub(crate) struct Events {
    /// The answer's head.
    pub(crate) head: hyper::http::response::Parts,
    body: Incoming,
    text: String,
}

impl Events {
    /// Reads the answer to a request.
    pub(crate) fn of(response: Response<Incoming>) -> Self {
        let (head, body) = response.into_parts();
        Self { head, body, text: String::new() }
    }

    /// The next event with its data, comments and times to wait passed over; none at the end of the body.
    pub(crate) async fn next(&mut self) -> Option<(String, Value)> {
        timeout(SOON, self.read()).await.expect("an event was expected")
    }

    /// Fails when an event comes within this time.
    pub(crate) async fn quiet(&mut self, time: Duration) {
        if let Ok(event) = timeout(time, self.read()).await {
            panic!("silence was expected: {event:?}");
        }
    }

    /// Waits for a comment, which is a sign of life.
    pub(crate) async fn alive(&mut self) {
        let read = async {
            loop {
                if let Some((block, rest)) = self.text.split_once("\n\n") {
                    let comment = block.starts_with(':');
                    assert!(
                        comment || block.starts_with("retry:"),
                        "a sign of life, and no {block}"
                    );
                    self.text = rest.to_owned();
                    if comment {
                        return;
                    }
                } else {
                    let bytes = self.body.frame().await.unwrap().unwrap();
                    let bytes = bytes.into_data().unwrap_or_default();
                    self.text.push_str(std::str::from_utf8(&bytes).unwrap());
                }
            }
        };
        timeout(SOON, read).await.expect("a sign of life was expected");
    }

    /// The whole body, of an answer that ends.
    pub(crate) async fn rest(mut self) -> String {
        while let Some(frame) = timeout(SOON, self.body.frame()).await.unwrap() {
            let bytes = frame.unwrap().into_data().unwrap_or_default();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
        self.text
    }

    async fn read(&mut self) -> Option<(String, Value)> {
        loop {
            while let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    block.lines().find_map(|line| line.strip_prefix(name)).map(str::trim)
                };
                if let Some(event) = field("event:") {
                    let data = field("data:").unwrap_or_default();
                    let data = serde_json::from_str(data).unwrap_or(Value::Null);
                    return Some((event.to_owned(), data));
                }
            }
            let bytes = self.body.frame().await?.unwrap().into_data().unwrap_or_default();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }
}
