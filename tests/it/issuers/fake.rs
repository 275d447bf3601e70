//! An issuer of another house inside the test, on a port that was free, and the tokens that it signs.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey};
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use xueji::clock::Clock;
use xueji::config::oidc::{Address, Issuer, Oidc};

/// What access tokens for the server are for.
pub(super) const API: &str = "xueji-api";

/// Where the discovery document is.
pub(super) const DISCOVERY: &str = "/.well-known/openid-configuration";

/// Where the keys are.
pub(super) const KEYS: &str = "/keys";

/// How a path is answered.
#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// With this text.
    Text(String),
    /// With a status and nothing else.
    Status(u16),
    /// With a redirect.
    Redirect(String),
    /// With blanks that never end.
    Endless,
    /// Never.
    Never,
}

/// What it answers, and what it was asked.
#[derive(Default)]
struct Inner {
    keys: Vec<Value>,
    discovery: Option<Reply>,
    published: Option<Reply>,
    asked: Vec<String>,
}

/// An issuer.
pub(super) struct Fake {
    /// Its address, which is its name.
    pub(super) url: String,
    inner: Arc<Mutex<Inner>>,
    task: JoinHandle<()>,
}

impl Drop for Fake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn answer(State((inner, url)): State<(Arc<Mutex<Inner>>, String)>, uri: Uri) -> Response {
    let path = uri.path();
    let reply = {
        let mut inner = inner.lock().unwrap();
        inner.asked.push(path.to_owned());
        let usual = match path {
            DISCOVERY => json!({ "issuer": url, "jwks_uri": format!("{url}{KEYS}") }),
            KEYS => json!({ "keys": inner.keys }),
            _ => json!({}),
        };
        let other = match path {
            DISCOVERY => inner.discovery.clone(),
            KEYS => inner.published.clone(),
            _ => None,
        };
        other.unwrap_or_else(|| Reply::Text(usual.to_string()))
    };
    match reply {
        Reply::Text(text) => text.into_response(),
        Reply::Status(status) => axum::http::StatusCode::from_u16(status).unwrap().into_response(),
        Reply::Redirect(to) => {
            (axum::http::StatusCode::FOUND, [(header::LOCATION, to)]).into_response()
        }
        Reply::Endless => {
            let blanks = || Ok::<_, Infallible>(Bytes::from_static(&[b' '; 4096]));
            Body::from_stream(stream::repeat_with(blanks)).into_response()
        }
        Reply::Never => std::future::pending().await,
    }
}

impl Fake {
    /// Begins to listen, with these keys.
    pub(super) async fn start(keys: &[Value]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let inner = Arc::new(Mutex::new(Inner { keys: keys.to_vec(), ..Inner::default() }));
        let routes = Router::new().fallback(answer).with_state((Arc::clone(&inner), url.clone()));
        let task = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Self { url, inner, task }
    }

    /// Publishes these keys from now on.
    pub(super) fn publish(&self, keys: &[Value]) {
        self.inner.lock().unwrap().keys = keys.to_vec();
    }

    /// Answers for the discovery document and for the keys otherwise; nothing for the usual.
    pub(super) fn reply(&self, discovery: Option<Reply>, published: Option<Reply>) {
        let mut inner = self.inner.lock().unwrap();
        (inner.discovery, inner.published) = (discovery, published);
    }

    /// How often a path was asked for.
    pub(super) fn asked(&self, path: &str) -> usize {
        self.inner.lock().unwrap().asked.iter().filter(|asked| *asked == path).count()
    }

    /// How often anything was asked for.
    pub(super) fn asked_at_all(&self) -> usize {
        self.inner.lock().unwrap().asked.len()
    }

    /// As the settings have it.
    pub(super) fn issuer(&self) -> Issuer {
        Issuer {
            name: self.url.clone(),
            discovery: Address::parse(&format!("{}{DISCOVERY}", self.url)).unwrap(),
            jwks: None,
            audiences: vec![API.to_owned()],
            algorithms: ["RS256", "ES256", "EdDSA"]
                .map(|name| xueji::config::oidc::algorithm(name).unwrap())
                .to_vec(),
            leeway: Duration::from_secs(5),
            grants: Vec::new(),
        }
    }

    /// Settings with this issuer alone: keys are fetched when they are needed, however often that is.
    pub(super) fn alone(&self) -> Oidc {
        trusting(&[self])
    }

    /// Good claims of an access token for somebody.
    pub(super) fn claims(&self, subject: &str) -> Value {
        let now = now();
        json!({ "iss": self.url, "aud": API, "sub": subject, "iat": now, "exp": now + 3_600 })
    }
}

/// Settings with these issuers.
pub(super) fn trusting(issuers: &[&Fake]) -> Oidc {
    Oidc {
        issuers: issuers.iter().map(|fake| fake.issuer()).collect(),
        pause: Duration::ZERO,
        patience: super::PATIENCE,
        ..Oidc::default()
    }
}

/// The second of now.
pub(super) fn now() -> u64 {
    u64::try_from(Clock::system(chrono_tz::UTC).now().timestamp()).unwrap()
}

/// One object laid over another; null takes a name away.
pub(super) fn over(mut base: Value, more: Value) -> Value {
    for (name, value) in more.as_object().unwrap() {
        match value {
            Value::Null => base.as_object_mut().unwrap().remove(name),
            value => base.as_object_mut().unwrap().insert(name.clone(), value.clone()),
        };
    }
    base
}

/// A part of a token.
pub(super) fn part(text: &str) -> String {
    URL_SAFE_NO_PAD.encode(text)
}

/// A key of Ed25519 with a name.
pub(super) struct Ed {
    kid: String,
    key: SigningKey,
}

impl Ed {
    pub(super) fn new(kid: &str, seed: u8) -> Self {
        Self { kid: kid.to_owned(), key: SigningKey::from_bytes(&[seed; 32]) }
    }

    /// As an issuer publishes it.
    pub(super) fn public(&self) -> Value {
        let x = URL_SAFE_NO_PAD.encode(self.bytes());
        json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": self.kid, "use": "sig" })
    }

    /// The public key.
    pub(super) fn bytes(&self) -> [u8; 32] {
        self.key.verifying_key().to_bytes()
    }

    /// A good header.
    pub(super) fn header(&self) -> Value {
        json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": self.kid })
    }

    /// Signs two texts as they are.
    pub(super) fn sign_texts(&self, header: &str, payload: &str) -> String {
        let message = format!("{}.{}", part(header), part(payload));
        let signature = self.key.sign(message.as_bytes()).to_bytes();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// A token with a good header, over which something is laid.
    pub(super) fn sign(&self, header: Value, claims: &Value) -> String {
        self.sign_texts(&over(self.header(), header).to_string(), &claims.to_string())
    }
}
