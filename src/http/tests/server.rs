//! The loop over real sockets: slow clients, full house, an orderly stop.

use std::{net::SocketAddr, time::Instant};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
};

use super::*;
use crate::http::serve::{bind, serve};

/// Longest wait for something that must come, on a machine that is busy with much else.
const SOON: Duration = Duration::from_secs(60);

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn start(limits: Limits) -> Running {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Site::with(Options { limits: limits.clone(), ..Options::default() }).router;
    let (stop, stopped) = oneshot::channel::<()>();
    let task = tokio::spawn(async move {
        serve(listener, router, &limits, None, async {
            let _either = stopped.await;
        })
        .await;
    });
    Running { address, stop, task }
}

fn quick() -> Limits {
    Limits {
        header_time: Duration::from_millis(300),
        body_time: Duration::from_millis(300),
        shutdown_time: Duration::from_secs(5),
        ..Limits::default()
    }
}

fn post(body: &str, length: usize) -> String {
    format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// Sends the text and reads until the server closes the connection.
async fn exchange(address: SocketAddr, text: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    let _closed_or_reset = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).into_owned()
}

#[tokio::test]
async fn silent_and_slow_clients_are_cut_off() {
    let running = start(quick()).await;
    for text in ["", "P", "PRI * HTTP/2.0\r\n", "POST /graphql HTTP/1.1\r\nHost: x\r\nX-Slow: "] {
        let begun = Instant::now();
        exchange(running.address, text).await;
        assert!(begun.elapsed() < SOON, "{text:?} held its connection");
    }
    let reply = exchange(running.address, &post("{\"query\":", 100)).await;
    assert!(reply.starts_with("HTTP/1.1 408"), "{reply}");
    // An answered client that keeps its connection without asking again is let go as well.
    let body = r#"{"query":"{hello}"}"#;
    let reply = exchange(running.address, &post(body, body.len())).await;
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
}

#[tokio::test]
async fn clients_that_do_not_read_are_cut_off() {
    let running = start(Limits { query_bytes: 1 << 20, ..quick() }).await;
    let mut stream = TcpStream::connect(running.address).await.unwrap();
    // Each answer repeats 200 kB; the socket buffers of both ends hold a few MB of them.
    let body = format!(r#"{{"query":"{{hello(name:\"{}\")}}"}}"#, "x".repeat(200_000));
    let request = post(&body, body.len());
    let begun = Instant::now();
    for _ in 0..200 {
        if stream.write_all(request.as_bytes()).await.is_err() {
            break;
        }
    }
    assert!(begun.elapsed() < SOON);
    assert!(stream.write_all(b"x").await.is_err() || stream.read(&mut [0; 1]).await.is_ok());
    running.stop.send(()).unwrap();
    tokio::time::timeout(SOON, running.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_stop_finishes_what_runs() {
    let running = start(quick()).await;
    let body = r#"{"query":"{sleeps(ms: 600)}"}"#;
    let address = running.address;
    let slow = tokio::spawn(async move { exchange(address, &post(body, body.len())).await });
    sleeping(600).await;
    running.stop.send(()).unwrap();
    assert!(slow.await.unwrap().contains("{\"sleeps\":600}"));
    tokio::time::timeout(SOON, running.task).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_stop_does_not_wait_for_ever() {
    let running = start(Limits { shutdown_time: Duration::from_millis(200), ..quick() }).await;
    let body = r#"{"query":"{sleeps(ms: 200000)}"}"#;
    let address = running.address;
    let slow = tokio::spawn(async move { exchange(address, &post(body, body.len())).await });
    sleeping(200_000).await;
    running.stop.send(()).unwrap();
    tokio::time::timeout(SOON, running.task).await.unwrap().unwrap();
    slow.abort();
}

#[tokio::test]
async fn connections_beyond_the_limit_wait_their_turn() {
    let running =
        start(Limits { connections: 1, header_time: Duration::from_millis(500), ..quick() }).await;
    // It is accepted after this instant, and before the other one, which comes later.
    let begun = Instant::now();
    let idle = TcpStream::connect(running.address).await.unwrap();
    let reply =
        exchange(running.address, "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            .await;
    assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
    assert!(begun.elapsed() >= Duration::from_millis(500), "it waits until the first is let go");
    drop(idle);
}

#[tokio::test]
async fn a_port_in_use_is_one_clear_sentence() {
    let taken = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = taken.local_addr().unwrap();
    let error = bind(address).await.unwrap_err().to_string();
    assert!(
        error.contains(&address.to_string())
            && error.contains("in use")
            && error.contains("--listen")
    );
}

#[tokio::test]
async fn a_long_query_fits_into_a_get() {
    let running = start(quick()).await;
    let query = format!("%7Bhello%7D{}", "%20".repeat(15_000));
    let text =
        format!("GET /graphql?query={query} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert!(exchange(running.address, &text).await.starts_with("HTTP/1.1 200"));
}
