//! TLS over real sockets: versions, certificates that change, clients that speak something else, an orderly stop.

use std::{io, net::SocketAddr, path::Path};

use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use rustls::{
    ClientConfig, RootCertStore, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
    version::{TLS12, TLS13},
};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::oneshot,
    task::JoinHandle,
    time::Instant,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::{
    config::door,
    http::{
        serve::{bind, serve},
        tls::Tls,
    },
};

/// Longest wait for what must come, however busy the machine is.
const SOON: Duration = Duration::from_secs(60);
const HEALTH: &str = "GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";

/// A certificate of its own making.
struct Issued {
    certificate: CertificateDer<'static>,
    pem: String,
    key: String,
}

fn issued_until(year: i32) -> Issued {
    let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    params.not_after = date_time_ymd(year, 1, 1);
    let key = KeyPair::generate().unwrap();
    let certificate = params.self_signed(&key).unwrap();
    Issued {
        pem: certificate.pem(),
        certificate: certificate.der().clone(),
        key: key.serialize_pem(),
    }
}

fn issued() -> Issued {
    issued_until(2999)
}

impl Issued {
    fn write(&self, folder: &Path) -> door::Tls {
        let files = door::Tls { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
        std::fs::write(&files.certificate, &self.pem).unwrap();
        std::fs::write(&files.key, &self.key).unwrap();
        files
    }
}

struct Running {
    address: SocketAddr,
    tls: Arc<Tls>,
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

async fn start(files: &door::Tls, limits: Limits) -> Running {
    let listener = bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Site::with(Options { limits: limits.clone(), ..Options::default() }).router;
    let (stop, stopped) = oneshot::channel::<()>();
    let tls = Tls::open(files).unwrap();
    let serving = Arc::clone(&tls);
    let task = tokio::spawn(async move {
        serve(listener, router, &limits, Some(serving), async {
            let _either = stopped.await;
        })
        .await;
    });
    Running { address, tls, stop, task }
}

/// A client that trusts these certificates alone.
async fn connect(
    address: SocketAddr,
    trusted: &[&Issued],
    versions: &[&'static SupportedProtocolVersion],
    protocols: &[&str],
) -> io::Result<TlsStream<TcpStream>> {
    let mut roots = RootCertStore::empty();
    for issued in trusted {
        roots.add(issued.certificate.clone()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    let stream = TcpStream::connect(address).await?;
    TlsConnector::from(Arc::new(config)).connect(name, stream).await
}

async fn client(address: SocketAddr, trusted: &[&Issued]) -> TlsStream<TcpStream> {
    connect(address, trusted, &[&TLS13, &TLS12], &[]).await.unwrap()
}

/// Sends the text and reads until the server closes the connection.
async fn exchange(stream: &mut TlsStream<TcpStream>, text: &str) -> String {
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut reply = Vec::new();
    let _closed_or_reset = stream.read_to_end(&mut reply).await;
    String::from_utf8_lossy(&reply).into_owned()
}

/// The certificate that a new connection is shown.
async fn shown(address: SocketAddr, trusted: &[&Issued]) -> CertificateDer<'static> {
    let stream = client(address, trusted).await;
    stream.get_ref().1.peer_certificates().unwrap()[0].clone()
}

#[tokio::test]
async fn two_versions_and_one_protocol_are_spoken() {
    let (folder, issued) = (TempDir::new().unwrap(), issued());
    let running = start(&issued.write(folder.path()), Limits::default()).await;
    for version in [&TLS12, &TLS13] {
        let offers = ["h2", "http/1.1"];
        let mut stream = connect(running.address, &[&issued], &[version], &offers).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
        assert_eq!(stream.get_ref().1.protocol_version(), Some(version.version));
        let reply = exchange(&mut stream, HEALTH).await;
        assert!(reply.starts_with("HTTP/1.1 200"), "{reply}");
        assert!(!reply.to_ascii_lowercase().contains("server:"), "{reply}");
    }
    assert!(connect(running.address, &[&issued], &[&TLS13], &["h2"]).await.is_err());
}

#[tokio::test]
async fn a_client_without_tls_is_closed_and_holds_no_place() {
    let (folder, issued) = (TempDir::new().unwrap(), issued());
    let limits = Limits { connections: 1, header_time: SOON, ..Limits::default() };
    let running = start(&issued.write(folder.path()), limits).await;
    for text in [HEALTH, "\0\0\0\0\0\0\0\0", "SSH-2.0-x\r\n"] {
        let mut stream = TcpStream::connect(running.address).await.unwrap();
        stream.write_all(text.as_bytes()).await.unwrap();
        let mut reply = Vec::new();
        let _closed_or_reset =
            tokio::time::timeout(SOON, stream.read_to_end(&mut reply)).await.expect("it is closed");
        assert!(!String::from_utf8_lossy(&reply).contains("HTTP/1.1"), "{reply:?}");
    }
    let mut stream = client(running.address, &[&issued]).await;
    assert!(exchange(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
    let metrics = crate::http::metrics_handle().render();
    let failures = "xueji_tls_handshake_failures_total{reason=\"protocol\"}";
    assert!(metrics.lines().any(|line| line.starts_with(failures) && !line.ends_with(" 0")));
}

#[tokio::test]
async fn a_handshake_has_a_time_limit() {
    let (folder, issued) = (TempDir::new().unwrap(), issued());
    let limits =
        Limits { connections: 1, header_time: Duration::from_secs(5), ..Limits::default() };
    let running = start(&issued.write(folder.path()), limits).await;
    // The beginning of a handshake, and no more of it.
    let mut silent = TcpStream::connect(running.address).await.unwrap();
    silent.write_all(b"\x16\x03\x01\x02\x00").await.unwrap();
    let mut reply = Vec::new();
    let _closed_or_reset =
        tokio::time::timeout(SOON, silent.read_to_end(&mut reply)).await.expect("it is closed");
    // The only place is free again.
    let mut stream = client(running.address, &[&issued]).await;
    assert!(exchange(&mut stream, HEALTH).await.starts_with("HTTP/1.1 200"));
}

#[tokio::test]
async fn a_stop_finishes_what_runs_under_tls() {
    let (folder, issued) = (TempDir::new().unwrap(), issued());
    let limits = Limits { shutdown_time: SOON, header_time: SOON, ..Limits::default() };
    let running = start(&issued.write(folder.path()), limits).await;
    // One who has not ended the handshake does not hold up the stop.
    let _silent = TcpStream::connect(running.address).await.unwrap();
    let mut stream = client(running.address, &[&issued]).await;
    let body = r#"{"query":"{sleeps(ms: 301)}"}"#;
    let text = format!(
        "POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let asked = tokio::spawn(async move { exchange(&mut stream, &text).await });
    sleeping(301).await;
    running.stop.send(()).unwrap();
    assert!(asked.await.unwrap().contains("{\"sleeps\":301}"));
    tokio::time::timeout(SOON, running.task).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_new_certificate_is_served_and_open_connections_stay() {
    let folder = TempDir::new().unwrap();
    let (old, new) = (issued(), issued());
    let files = old.write(folder.path());
    let running = start(&files, Limits::default()).await;
    let mut before = client(running.address, &[&old]).await;
    new.write(folder.path());
    running.tls.renew();
    assert_eq!(shown(running.address, &[&old, &new]).await, new.certificate);
    assert!(exchange(&mut before, HEALTH).await.starts_with("HTTP/1.1 200"));
    // What cannot be used is refused, and the earlier one stays.
    let third = issued();
    let broken: [(&Path, String); 6] = [
        (&files.certificate, "no certificate".to_owned()),
        (&files.certificate, String::new()),
        (&files.certificate, third.pem.replace('M', "N")),
        (&files.certificate, third.pem.clone()),
        (&files.key, "no key".to_owned()),
        (&files.key, third.key.clone()),
    ];
    for (file, text) in broken {
        new.write(folder.path());
        std::fs::write(file, text).unwrap();
        running.tls.renew();
        assert_eq!(shown(running.address, &[&new]).await, new.certificate);
    }
    std::fs::remove_file(&files.key).unwrap();
    running.tls.renew();
    assert_eq!(shown(running.address, &[&new]).await, new.certificate);
    issued_until(2001).write(folder.path());
    running.tls.renew();
    assert_eq!(shown(running.address, &[&new]).await, new.certificate, "one that has run out");
}

#[cfg(unix)]
#[tokio::test]
async fn files_that_change_are_followed_through_links() {
    use std::os::unix::fs::symlink;
    let folder = TempDir::new().unwrap();
    let (old, new) = (issued(), issued());
    // As a cluster mounts them: the files are links into a folder that is itself a link, which is swapped.
    for (name, pair) in [("1", &old), ("2", &new)] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        pair.write(&folder.path().join(name));
    }
    let at = |name: &str| folder.path().join(name);
    symlink("1", at("data")).unwrap();
    let files = door::Tls { certificate: at("tls.crt"), key: at("tls.key") };
    symlink("data/tls.crt", &files.certificate).unwrap();
    symlink("data/tls.key", &files.key).unwrap();
    let running = start(&files, Limits::default()).await;
    let keeping = tokio::spawn(Arc::clone(&running.tls).keep());
    assert_eq!(shown(running.address, &[&old]).await, old.certificate);
    symlink("2", at("next")).unwrap();
    std::fs::rename(at("next"), at("data")).unwrap();
    let until = Instant::now() + SOON;
    while shown(running.address, &[&old, &new]).await != new.certificate {
        assert!(Instant::now() < until, "the new certificate is not served");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    keeping.abort();
}

#[test]
fn what_cannot_be_served_is_one_sentence_that_names_the_file() {
    let folder = TempDir::new().unwrap();
    let (one, other) = (issued(), issued());
    let with = |certificate: &str, key: &str| {
        let files = one.write(folder.path());
        std::fs::write(&files.certificate, certificate).unwrap();
        std::fs::write(&files.key, key).unwrap();
        Tls::open(&files).unwrap_err().to_string()
    };
    let swapped = with(&one.key, &one.pem);
    for (said, parts) in [
        (with("mark-of-a-secret", &one.key), ["tls.crt", "no certificate in PEM"]),
        (with(&one.pem, "mark-of-a-secret"), ["tls.key", "no private key in PEM"]),
        (with(&one.pem, &other.key), ["tls.key", "not the key of the certificate"]),
        (swapped.clone(), ["tls.crt", "no certificate in PEM"]),
    ] {
        for part in parts {
            assert!(said.contains(part), "{part} in {said}");
        }
        assert_eq!(said.lines().count(), 1, "{said}");
        assert!(!said.contains("mark-of-a-secret") && !said.contains(&one.key[40..60]), "{said}");
    }
    let files = one.write(folder.path());
    std::fs::remove_file(&files.certificate).unwrap();
    let said = Tls::open(&files).unwrap_err().to_string();
    assert!(said.contains("cannot be read") && said.contains("tls.certificate"), "{said}");
    // One that has run out can be served: its owner is warned, and nobody is locked out of fixing it.
    assert!(Tls::open(&issued_until(2001).write(folder.path())).is_ok());
}
