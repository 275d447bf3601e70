//! A server process that is killed leaves no answered disclosure without a record.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use xueji::store::connect::connect;
use xueji::store::disclosures::Disclosures;

use crate::support::app::{App, PATIENCE};
use crate::support::process::Program;
use crate::support::seed::Shape;

/// One request on a connection of its own: the body of an answer that arrived whole.
async fn ask(address: SocketAddr, token: &str, request_id: &str) -> Option<Value> {
    let body = json!({ "query": "{ students { nodes { name phone } } }" }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: registry\r\nconnection: close\r\ncontent-type: application/json\r\n\
         accept: application/json\r\nauthorization: Bearer {token}\r\nx-request-id: {request_id}\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(address).await.ok()?;
    stream.write_all(request.as_bytes()).await.ok()?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.ok()?;
    let text = String::from_utf8(answer).ok()?;
    let (head, body) = text.split_once("\r\n\r\n")?;
    assert!(head.starts_with("HTTP/1.1 200"), "{text}");
    serde_json::from_str(body).ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_leaves_no_answered_disclosure_without_a_record() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 3 }).await;
    // The process has the real day, on which the grants and memberships of the tests hold as well.
    let teacher = app.homeroom_teacher(seed.first().id);
    let account = teacher.account().await;
    drop(teacher);
    let place = app.into_place();
    let program = Program::on(&place.url, &[]);
    let token: Arc<str> = program.token(account).into();

    let mut answered: BTreeSet<String> = BTreeSet::new();
    for round in 0..3 {
        let mut server = program.start();
        let listen = server.address;
        let started = Instant::now();
        while ask(listen, &token, &format!("round-{round}-first")).await.is_none() {
            assert!(started.elapsed() < PATIENCE, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        answered.insert(format!("round-{round}-first"));
        let told = Arc::new(AtomicUsize::new(0));
        let clients: Vec<_> = (0..16)
            .map(|client| {
                let (token, told) = (Arc::clone(&token), Arc::clone(&told));
                tokio::spawn(async move {
                    let mut answered = Vec::new();
                    for turn in 0..10_000 {
                        let id = format!("round-{round}-{client}-{turn}");
                        // The server is gone.
                        let Some(body) = ask(listen, &token, &id).await else { break };
                        assert_eq!(body["data"]["students"]["nodes"].as_array().unwrap().len(), 3);
                        answered.push(id);
                        told.fetch_add(1, Ordering::Relaxed);
                    }
                    answered
                })
            })
            .collect();
        let begun = Instant::now();
        while told.load(Ordering::Relaxed) < 100 {
            assert!(begun.elapsed() < PATIENCE, "too few answers");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        // SIGKILL, in the midst of it.
        server.child.kill().unwrap();
        for client in clients {
            answered.extend(client.await.unwrap());
        }
    }
    let db = connect(&place.url, 1).await.unwrap();
    let log = Disclosures::beside(&place.url, &db).await.unwrap();
    let lines = log.after(0, 1_000_000).await.unwrap();
    let recorded: BTreeSet<String> =
        lines.iter().map(|line| line.record.request_id.clone()).collect();
    let missing: Vec<_> = answered.difference(&recorded).collect();
    assert!(answered.len() >= 300, "{} answers", answered.len());
    assert_eq!(missing, Vec::<&String>::new(), "answered without a record");
}
