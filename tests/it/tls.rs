//! TLS of the program itself: the signal to read a certificate again, what is told of it, and what is never told.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore, crypto::ring};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::support::app::App;
use crate::support::process::Program;

/// Longest wait for what must come, however busy the machine is.
const SOON: Duration = Duration::from_secs(60);

struct Issued {
    certificate: CertificateDer<'static>,
    pem: String,
    key: String,
}

fn issued(until: i32) -> Issued {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(until, 1, 1);
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    Issued { certificate: made.der().clone(), pem: made.pem(), key: key.serialize_pem() }
}

async fn connect(address: SocketAddr, trusted: &[&Issued]) -> Option<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for issued in trusted {
        roots.add(issued.certificate.clone()).unwrap();
    }
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await.ok()?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.ok()
}

/// The answer to a plain request; nothing while the server does not answer yet.
async fn get(address: SocketAddr, trusted: &[&Issued], path: &str) -> String {
    let Some(mut stream) = connect(address, trusted).await else { return String::new() };
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _closed = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

async fn until(address: SocketAddr, trusted: &[&Issued], path: &str, part: &str) -> String {
    let begun = Instant::now();
    loop {
        let answer = get(address, trusted, path).await;
        if answer.contains(part) {
            return answer;
        }
        assert!(begun.elapsed() < SOON, "{part} in {answer}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_is_read_again_and_its_metrics_and_log_say_so() {
    let (app, seed) = App::school().await;
    let account = app.registrar(seed.schools[0].id).account().await;
    let (old, new) = (issued(2001), issued(2999));
    let both = [&old, &new];
    let folder = tempfile::TempDir::new().unwrap();
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (at("tls.crt"), at("tls.key"));
    std::fs::write(&certificate, &new.pem).unwrap();
    std::fs::write(&key, &new.key).unwrap();
    let filter = ["--tls-certificate", &certificate, "--tls-key", &key, "--log-filter", "trace"];
    let program = Program::on(&app.place().url, &filter);
    let server = program.start();
    let address = server.address;
    let ready = until(address, &both, "/readyz", "HTTP/1.1 200").await;
    assert!(ready.contains("strict-transport-security: max-age=31536000"), "{ready}");
    // The year 2999 begins so many seconds after 1970.
    until(address, &both, "/metrics", "\nxueji_tls_certificate_expires_seconds 32472144000\n")
        .await;
    let hang_up = || server.signal("-HUP");
    let metric = async |name: &str, value: &str| {
        until(address, &both, "/metrics", &format!("\nxueji_tls_{name} {value}\n")).await
    };
    metric("reloads_total", "0").await;
    hang_up();
    metric("reloads_total", "1").await;
    // A key that does not fit, and a certificate that has run out, are refused; the earlier pair stays.
    std::fs::write(&key, &old.key).unwrap();
    hang_up();
    let begun = Instant::now();
    while !server.log().contains("not the key of the certificate") {
        assert!(begun.elapsed() < SOON, "the refusal is in the log");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::fs::write(&certificate, &old.pem).unwrap();
    let begun = Instant::now();
    while !server.log().contains("has expired already") {
        assert!(begun.elapsed() < SOON, "the refusal is in the log");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let metrics = get(address, &both, "/metrics").await;
    assert!(!metrics.contains("\nxueji_tls_reload_refusals_total 0\n"), "{metrics}");
    assert!(metrics.contains("\nxueji_tls_certificate_expires_seconds 32472144000\n"), "{metrics}");
    // The README names every metric of TLS.
    let readme =
        std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap();
    let told = metrics.lines().filter_map(|line| line.strip_prefix("# TYPE xueji_tls_"));
    let mut named = 0;
    for name in told.map(|rest| rest.split(' ').next().unwrap()) {
        assert!(readme.contains(&format!("`xueji_tls_{name}`")), "{name}");
        named += 1;
    }
    assert_eq!(named, readme.matches("`xueji_tls_").count(), "and no other");

    // A websocket over TLS is one like any other.
    let stream = connect(address, &both).await.unwrap();
    let mut request = format!("wss://{address}/graphql").into_client_request().unwrap();
    let protocol = "graphql-transport-ws".parse().unwrap();
    request.headers_mut().insert("sec-websocket-protocol", protocol);
    let bearer = format!("Bearer {}", program.token(account));
    request.headers_mut().insert("authorization", bearer.parse().unwrap());
    request.headers_mut().insert("origin", format!("https://{address}").parse().unwrap());
    let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.unwrap();
    let send = json!({ "type": "connection_init" }).to_string();
    futures_util::SinkExt::send(&mut socket, Message::text(send)).await.unwrap();
    let ack = futures_util::StreamExt::next(&mut socket).await.unwrap().unwrap();
    assert!(ack.to_text().unwrap().contains("connection_ack"), "{ack}");

    // At every level of the log, nothing of a key and nothing of a token.
    let text = server.log();
    for (what, secret) in [("key", &new.key), ("old key", &old.key)] {
        for line in secret.lines().filter(|line| !line.starts_with("-----")) {
            assert!(!text.contains(line), "the log holds a line of the {what}");
        }
    }
    assert!(!text.contains(&bearer[7..]), "the log holds a token");
}

#[test]
fn a_pair_that_cannot_be_served_stops_the_start_with_one_sentence() {
    let folder = tempfile::TempDir::new().unwrap();
    let (one, other) = (issued(2999), issued(2999));
    let at = |name: &str| folder.path().join(name).display().to_string();
    let (certificate, key) = (at("tls.crt"), at("tls.key"));
    std::fs::write(&certificate, &one.pem).unwrap();
    std::fs::write(&key, &other.key).unwrap();
    let stopped = |more: &[&str]| {
        let output = Program::on("sqlite://registry.db?mode=rwc", more).command().output().unwrap();
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        said
    };
    let said = stopped(&["--tls-certificate", &certificate, "--tls-key", &key]);
    assert!(said.contains("tls.key") && said.contains("not the key of the certificate"), "{said}");
    let said = stopped(&["--tls-certificate", &certificate, "--tls-key", &at("nothing")]);
    assert!(said.contains("tls.key") && said.contains("cannot be read"), "{said}");
    let said = stopped(&["--tls-certificate", &certificate]);
    assert!(said.contains("both, or neither"), "{said}");
    // One that has run out is a warning, and the start goes on to whatever else is missing.
    let old = issued(2001);
    std::fs::write(&certificate, &old.pem).unwrap();
    std::fs::write(&key, &old.key).unwrap();
    let files = ["--tls-certificate", &certificate, "--tls-key", &key];
    let program = Program::on("sqlite://registry.db?mode=rwc", &files);
    let said = String::from_utf8(program.command().output().unwrap().stderr).unwrap();
    assert!(said.contains("\"level\":\"WARN\"") && said.contains("has expired"), "{said}");
    assert!(said.contains("xueji migrate up"), "{said}");
}
