//! A websocket from its upgrade to its close, by the text of the protocol `graphql-transport-ws`.
//!
//! One task reads, one writes, each operation has one of its own. Between them stands a queue that is bounded:
//! a client that does not read holds up its own operations, whose streams then fall behind and end. Nothing of
//! a message is logged.

use std::{
    future::Future,
    pin::{Pin, pin},
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{
    extract::{
        FromRequestParts, Request,
        ws::{Message, WebSocket, WebSocketUpgrade},
    },
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    response::Response,
};
use futures_util::{
    FutureExt, SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde_json::{Map, Value};
use tokio::{
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

use super::{
    expired,
    link::Link,
    place_of,
    protocol::{self, Close, Incoming},
    stopped,
};
use crate::http::{
    App,
    accept::{self, Language, Media},
    answer,
    backend::Backend,
    caller,
    client::Client,
    crowd::Pass,
    health::PREFIX,
    observe::RequestId,
    refusal::{Code, Refusal},
    serve::Line,
};

/// Messages that wait for a client to read.
const QUEUE: usize = 32;
/// Buffers of a socket for reading and for writing; most sockets are idle.
const BUFFER_BYTES: usize = 8 * 1024;
/// How long to wait for the client's part of the close.
const FAREWELL: Duration = Duration::from_secs(2);
/// What a browser cannot send as headers and sends with `connection_init` instead.
const FROM_PAYLOAD: [HeaderName; 3] =
    [header::AUTHORIZATION, header::ACCEPT_LANGUAGE, HeaderName::from_static("xueji-purpose")];

/// Whether a request asks for a websocket.
pub(in crate::http) fn is_upgrade(request: &Request) -> bool {
    let websocket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    request.method() == Method::GET && request.headers().get(header::UPGRADE).is_some_and(websocket)
}

/// Answers the request for a websocket.
pub(in crate::http) async fn upgrade<B: Backend>(app: Arc<App<B>>, request: Request) -> Response {
    let language = accept::language(request.headers());
    let request_id = RequestId::of(&request);
    match accept(app, request, language, &request_id).await {
        Ok(response) => response,
        Err(refusal) => answer::refused(&refusal, Media::Json, language, &request_id),
    }
}

async fn accept<B: Backend>(
    app: Arc<App<B>>,
    request: Request,
    language: Language,
    request_id: &RequestId,
) -> Result<Response, Refusal> {
    let (mut parts, _body) = request.into_parts();
    if !same_origin(&parts.headers) && app.origins.named(&parts.headers).is_none() {
        return Err(Refusal::transport(
            StatusCode::FORBIDDEN,
            Code::Forbidden,
            "pages of another origin may not open a websocket here",
            "不接受来自其他站点页面的 WebSocket 连接",
        ));
    }
    // A token in the handshake that leads nowhere is refused like that of any other request.
    let client = parts.extensions.get::<Client>().copied();
    caller::caller(&app, &parts.headers, client).await?;
    caller::purpose(&*app.backend, &parts.headers)?;
    let line = parts.extensions.get::<Line>().cloned();
    let place = place_of(&app, client)?;
    let upgrade =
        WebSocketUpgrade::from_request_parts(&mut parts, &()).await.map_err(|_detail| {
            Refusal::transport(
                StatusCode::BAD_REQUEST,
                Code::InvalidInput,
                "this is no handshake for a websocket of version 13",
                "此请求不是有效的 WebSocket（版本 13）握手",
            )
        })?;
    // A message that is somewhat too long is read and answered with a code; one far beyond it is not read.
    let most = app.options.limits.body_bytes.saturating_mul(4);
    let upgrade = upgrade
        .protocols([protocol::NAME])
        .max_message_size(most)
        .max_frame_size(most)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES);
    let known = upgrade.selected_protocol().is_some();
    let connection = Connection {
        app,
        request_id: request_id.clone(),
        language,
        headers: parts.headers,
        client,
        line,
        known,
        _place: place,
    };
    Ok(upgrade.on_upgrade(|socket| connection.run(socket)))
}

/// A browser says which page asks; only pages of this server may, and those that the settings name. Other clients say nothing.
fn same_origin(headers: &HeaderMap) -> bool {
    let mut origins = headers.get_all(header::ORIGIN).into_iter();
    let Some(origin) = origins.next() else { return true };
    let authority = |text: &str| text.split_once("://").map(|(_, rest)| rest.to_ascii_lowercase());
    let origin = origin.to_str().ok().and_then(authority);
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let host = host.map(str::to_ascii_lowercase);
    origins.next().is_none() && origin.is_some() && origin == host
}

/// A socket that was opened, before its connection is granted.
struct Connection<B> {
    app: Arc<App<B>>,
    request_id: RequestId,
    language: Language,
    headers: HeaderMap,
    client: Option<Client>,
    line: Option<Line>,
    /// Whether the client speaks the protocol.
    known: bool,
    _place: Option<Pass>,
}

/// How a conversation ended.
enum Ended {
    /// The server closes the socket.
    By(Close),
    /// The client has closed it, or is gone.
    Gone(&'static str),
}

impl<B: Backend> Connection<B> {
    async fn run(mut self, socket: WebSocket) {
        metrics::gauge!(format!("{PREFIX}_live_sockets")).increment(1.0);
        let (sink, mut incoming) = socket.split();
        let (out, queue) = mpsc::channel(QUEUE);
        let (close, closing) = oneshot::channel();
        let mut writer = tokio::spawn(write(sink, queue, closing));
        let ended = self.converse(&mut incoming, out).await;
        let label = match &ended {
            Ended::By(close) => close.code().to_string(),
            Ended::Gone(how) => (*how).to_owned(),
        };
        if let Ended::By(why) = ended {
            let _writer_may_be_gone = close.send(why);
            // Read on until the client has closed its side: a socket that is dropped with unread messages
            // in it takes the code away with it.
            let farewell = async { while let Some(Ok(_late)) = incoming.next().await {} };
            // After a frame that is none there is nothing to read, and the code is yet to be written.
            let both = async { tokio::join!(&mut writer, farewell) };
            let _gone_or_late = timeout(FAREWELL, both).await;
        } else {
            drop(close);
        }
        writer.abort();
        metrics::gauge!(format!("{PREFIX}_live_sockets")).decrement(1.0);
        metrics::counter!(format!("{PREFIX}_live_closed_total"), "code" => label.clone())
            .increment(1);
        tracing::info!(request_id = %self.request_id.text(), code = label, "websocket closed");
    }

    async fn converse(
        &mut self,
        incoming: &mut SplitStream<WebSocket>,
        out: mpsc::Sender<String>,
    ) -> Ended {
        if !self.known {
            return Ended::By(Close::Subprotocol);
        }
        let limits = self.app.options.limits.clone();
        let mut deadline: Pin<Box<dyn Future<Output = Close> + Send>> =
            Box::pin(sleep(limits.init_time).map(|()| Close::InitTimeout));
        let mut link: Option<Arc<Link<B>>> = None;
        let mut tasks = JoinSet::new();
        let mut silent = false;
        let mut idle = interval(limits.idle_time);
        idle.set_missed_tick_behavior(MissedTickBehavior::Delay);
        idle.reset();
        loop {
            let message = tokio::select! {
                biased;
                () = stopped(&mut self.line) => return Ended::By(Close::GoingAway),
                close = &mut deadline => return Ended::By(close),
                Some(_finished) = tasks.join_next() => continue,
                message = incoming.next() => message,
                _ = idle.tick() => {
                    if silent {
                        return Ended::Gone("silent");
                    }
                    silent = true;
                    // Before the connection is granted, its deadline is all that is waited for.
                    if link.is_some() && out.send(protocol::PING.to_owned()).await.is_err() {
                        return Ended::Gone("stalled");
                    }
                    continue;
                }
            };
            silent = false;
            idle.reset();
            let text = match message {
                Some(Ok(Message::Text(text))) => text,
                Some(Ok(Message::Binary(_))) => {
                    return Ended::By(Close::Invalid("A message must be text"));
                }
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => continue,
                Some(Ok(Message::Close(_))) => {
                    // The library answers while it is read on.
                    let farewell = async { while let Some(Ok(_late)) = incoming.next().await {} };
                    let _gone_or_late = timeout(FAREWELL, farewell).await;
                    return Ended::Gone("client");
                }
                Some(Err(error)) => return broken(error),
                None => return Ended::Gone("lost"),
            };
            if text.len() > limits.body_bytes {
                return Ended::By(Close::TooLong);
            }
            let reply = match protocol::read(&text) {
                Err(why) => return Ended::By(Close::Invalid(why)),
                Ok(Incoming::Pong) => continue,
                Ok(Incoming::Ping(payload)) => protocol::pong(payload),
                Ok(Incoming::Init(payload)) => {
                    if link.is_some() {
                        return Ended::By(Close::TooManyInits);
                    }
                    let granted = match self.grant(&payload, &out).await {
                        Ok(granted) => Arc::new(granted),
                        Err(close) => return Ended::By(close),
                    };
                    let over = expired(Arc::clone(&self.app), Arc::clone(&granted.claims));
                    deadline = Box::pin(
                        over.map(|_why| Close::Forbidden("Forbidden: the token has expired")),
                    );
                    link = Some(granted);
                    protocol::ACK.to_owned()
                }
                Ok(Incoming::Subscribe { id, params }) => {
                    let Some(link) = &link else { return Ended::By(Close::Unauthorized) };
                    match link.begin(&mut tasks, id, params, limits.streams) {
                        Ok(Some(refused)) => refused,
                        Ok(None) => continue,
                        Err(close) => return Ended::By(close),
                    }
                }
                Ok(Incoming::Complete { id }) => {
                    if let Some(link) = &link {
                        link.end(&id);
                    }
                    continue;
                }
            };
            if out.send(reply).await.is_err() {
                return Ended::Gone("stalled");
            }
        }
    }

    /// Grants the connection to whoever the token of the payload or of the handshake stands for.
    async fn grant(
        &self,
        payload: &Map<String, Value>,
        out: &mpsc::Sender<String>,
    ) -> Result<Link<B>, Close> {
        let mut headers = self.headers.clone();
        for name in FROM_PAYLOAD {
            let given = payload.iter().find(|(key, _)| key.eq_ignore_ascii_case(name.as_str()));
            let value = match given {
                None | Some((_, Value::Null)) => continue,
                Some((_, Value::String(text))) => HeaderValue::from_str(text).ok(),
                Some(_) => None,
            };
            let Some(value) = value else {
                return Err(Close::Forbidden("Forbidden: the payload cannot be read"));
            };
            let before = headers.insert(&name, value);
            if name == header::AUTHORIZATION
                && before.is_some()
                && token(&headers) != token(&self.headers)
            {
                return Err(Close::Forbidden("Forbidden: handshake and payload hold two tokens"));
            }
        }
        let known = caller::caller(&self.app, &headers, self.client).await;
        let claims = match known {
            Ok(Some((claims, _))) => claims,
            Ok(None) => return Err(Close::Forbidden("Forbidden: a token is needed")),
            Err(refusal) if matches!(refusal.code(), Code::Unavailable | Code::LimitExceeded) => {
                return Err(Close::TryAgain);
            }
            Err(refusal) if refusal.code() == Code::Internal => return Err(Close::Internal),
            Err(_refusal) => return Err(Close::Forbidden("Forbidden: the token is not accepted")),
        };
        let purpose = caller::purpose(&*self.app.backend, &headers)
            .map_err(|_detail| Close::Forbidden("Forbidden: the purpose cannot be read"))?;
        let language = match headers.contains_key(header::ACCEPT_LANGUAGE) {
            true => accept::language(&headers),
            false => self.language,
        };
        Ok(Link {
            app: Arc::clone(&self.app),
            request_id: self.request_id.clone(),
            language,
            purpose,
            client: self.client,
            claims,
            out: out.clone(),
            operations: Mutex::default(),
        })
    }
}

/// The bearer token of a set of headers, for comparing.
fn token(headers: &HeaderMap) -> Option<&str> {
    caller::bearer(headers).ok().flatten()
}

/// The close that fits what the library could not read, by the kind with which its errors begin.
fn broken(error: axum::Error) -> Ended {
    let text = error.to_string();
    if text.starts_with("Space limit exceeded") {
        Ended::By(Close::TooLong)
    } else if text.starts_with("UTF-8 encoding error") {
        Ended::By(Close::NoText)
    } else if text.starts_with("WebSocket protocol error")
        && !text.contains("without closing handshake")
    {
        Ended::By(Close::BrokenFrame)
    } else {
        Ended::Gone("lost")
    }
}

/// Writes what is queued until the socket is to be closed.
async fn write(
    mut sink: SplitSink<WebSocket, Message>,
    mut queue: mpsc::Receiver<String>,
    closing: oneshot::Receiver<Close>,
) {
    let mut closing = pin!(closing.fuse());
    loop {
        let text = tokio::select! {
            biased;
            close = &mut closing => {
                if let Ok(close) = close {
                    let _client_may_be_gone = sink.send(Message::Close(Some(close.frame()))).await;
                }
                return;
            }
            text = queue.recv() => text,
        };
        let Some(text) = text else {
            // All who could queue are gone; what is left is the close.
            if let Ok(close) = closing.await {
                let _client_may_be_gone = sink.send(Message::Close(Some(close.frame()))).await;
            }
            return;
        };
        if sink.send(Message::Text(text.into())).await.is_err() {
            return;
        }
    }
}
