//! An issuer behind TLS: believed by its certificate alone, and a server as a process of its own that asks it.

use axum::Router;
use axum::http::Uri;
use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use xueji::config::door;
use xueji::config::oidc::{Address, Oidc};
use xueji::config::settings::Limits;
use xueji::http::serve::serve;
use xueji::http::tls::Tls;

use super::fake::{API, DISCOVERY, Ed, Fake, over};
use super::{is_let_in, link, linked, with};
use crate::support::app::App;
use crate::support::process::Program;

/// An issuer that speaks TLS under a certificate for these names.
struct Secure {
    url: String,
    folder: TempDir,
    task: JoinHandle<()>,
}

impl Drop for Secure {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Secure {
    async fn start(name: &str, key: &Ed) -> Self {
        let folder = TempDir::new().unwrap();
        let made = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.self_signed(&made).unwrap();
        let files = door::Tls {
            certificate: folder.path().join("crt.pem"),
            key: folder.path().join("key.pem"),
        };
        std::fs::write(&files.certificate, certificate.pem()).unwrap();
        std::fs::write(&files.key, made.serialize_pem()).unwrap();
        let tls = Tls::open(&files).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (issuer, public) = (url.clone(), key.public());
        let routes = Router::new().fallback(move |uri: Uri| async move {
            match uri.path() {
                DISCOVERY => json!({ "issuer": issuer, "jwks_uri": format!("{issuer}/keys") }),
                _ => json!({ "keys": [public] }),
            }
            .to_string()
        });
        let task = tokio::spawn(async move {
            serve(listener, routes, &Limits::default(), Some(tls), std::future::pending()).await;
        });
        Self { url, folder, task }
    }

    /// Settings with this issuer, told apart by what is believed.
    fn settings(&self, like: &Fake, believed: Option<&Self>) -> Oidc {
        let mut issuer = like.issuer();
        issuer.name.clone_from(&self.url);
        issuer.discovery = Address::parse(&format!("{}{DISCOVERY}", self.url)).unwrap();
        let ca_file = believed.map(|other| other.folder.path().join("crt.pem"));
        Oidc { issuers: vec![issuer], ca_file, ..like.alone() }
    }

    fn claims(&self, like: &Fake) -> Value {
        over(like.claims("s"), json!({ "iss": self.url }))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_issuer_is_believed_by_a_certificate_that_is_trusted_and_of_its_name() {
    let ed = Ed::new("ed", 1);
    // Only the shape of its settings and claims is used.
    let like = Fake::start(&[]).await;
    let right = Secure::start("localhost", &ed).await;
    let wrong = Secure::start("elsewhere.example", &ed).await;
    for (what, issuer, believed, let_in) in [
        ("believed", &right, Some(&right), true),
        ("a certificate that nobody vouches for", &right, None, false),
        ("a certificate of another", &right, Some(&wrong), false),
        ("a certificate for another name", &wrong, Some(&wrong), false),
    ] {
        let (app, seed) = App::school_trusting(issuer.settings(&like, believed)).await;
        linked(&app, &seed, &issuer.url, "s").await;
        let answer = with(&app, &ed.sign(json!({}), &issuer.claims(&like))).await;
        match let_in {
            true => is_let_in(&answer),
            false => {
                assert_eq!((answer.status.as_u16(), answer.code()), (503, "UNAVAILABLE"), "{what}")
            }
        }
    }
    assert_eq!(like.asked_at_all(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_asks_the_issuers_of_its_settings_and_does_not_start_with_a_file_it_cannot_use() {
    let ed = Ed::new("ed", 1);
    let fake = Fake::start(&[ed.public()]).await;
    let (app, seed) = App::school_alone().await;
    let registrar = app.registrar(seed.schools[0].id);
    link(&app, &registrar, &fake.url, "s").await;
    let url = app.place().url.clone();
    let _place = app.into_place();
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("xueji.toml");
    let text = format!("[[oidc.issuers]]\nissuer = '{}'\naudiences = ['{API}']\n", fake.url);
    std::fs::write(&file, text).unwrap();
    let config = ["--config", file.to_str().unwrap()];
    let running = Program::on(&url, &config).start();
    let request = |token: &str| {
        hyper::Request::post(format!("http://{}/graphql", running.address))
            .header("host", running.address.to_string())
            .header("content-type", "application/json")
            .header("authorization", format!("Bearer {token}"))
            .body(http_body_util::Full::new(axum::body::Bytes::from_static(
                b"{\"query\":\"{ viewer { grants { role } } }\"}",
            )))
            .unwrap()
    };
    let site = crate::support::live::Site::elsewhere(running.address);
    let answer = site.request(request(&ed.sign(json!({}), &fake.claims("s")))).await;
    assert_eq!(answer.status(), 200);
    let answer = site.request(request(&ed.sign(json!({}), &fake.claims("t")))).await;
    assert_eq!(answer.status(), 401);
    drop(running);
    let missing = folder.path().join("nothing.pem");
    let more = [&config[..], &["--oidc-ca-file", missing.to_str().unwrap()]].concat();
    let output = Program::on(&url, &more).command().output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("nothing.pem (oidc.ca_file) cannot be used"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}
