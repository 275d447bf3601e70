//! The routes as a client sees them, in front of a small backend.

mod door;
mod graphql;
mod server;
mod surroundings;
mod tls;

use std::{
    collections::BTreeSet,
    net::IpAddr,
    sync::{Arc, Mutex, Once},
    time::Duration,
};

use async_graphql::{EmptySubscription, Object, Schema, ServerError};
use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Request, StatusCode},
};
use http_body_util::BodyExt;
use serde_json::Value;
use tower::ServiceExt;

use super::{
    backend::{AuthFailure, Operation, Readiness, RequestMeta, Steps},
    *,
};
use crate::{
    auth::jwt::{Claims, signer::Signer},
    config::settings::Jwt,
};

const ISSUER: &str = "xueji-test";

/// What the tests of this module log. One subscriber for the process: what a thread without one asks first would be off for
/// all of them.
static LOGGED: Mutex<Vec<u8>> = Mutex::new(Vec::new());

struct Logged;

impl std::io::Write for Logged {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOGGED.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Begins to keep log lines, once for the process.
fn keep_log() {
    static STARTED: Once = Once::new();
    STARTED.call_once(|| {
        let subscriber =
            tracing_subscriber::fmt().json().flatten_event(true).with_writer(|| Logged).finish();
        tracing::subscriber::set_global_default(subscriber).unwrap();
        // What other modules' tests have passed by already was found to be off.
        tracing::callsite::rebuild_interest_cache();
    });
}

/// What was logged so far.
fn logged() -> String {
    String::from_utf8_lossy(&LOGGED.lock().unwrap()).into_owned()
}

/// The times for which a request has begun to sleep: each test that waits for one has a time of its own.
static SLEEPING: Mutex<BTreeSet<u64>> = Mutex::new(BTreeSet::new());

/// Waits until a request sleeps for so long.
async fn sleeping(ms: u64) {
    while !SLEEPING.lock().unwrap().contains(&ms) {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

struct Query;

#[Object]
impl Query {
    async fn hello(&self, name: Option<String>) -> String {
        name.unwrap_or_else(|| "world".to_owned())
    }
    async fn twice(&self, number: i32) -> i32 {
        number.saturating_mul(2)
    }
    async fn broken(&self) -> async_graphql::Result<i32> {
        Err("the secret 110101199003070012 leaked".into())
    }
    async fn away(&self) -> Option<async_graphql::Result<i32>> {
        let mut error = async_graphql::Error::new("the database is away");
        error.extensions.get_or_insert_default().set("code", "UNAVAILABLE");
        Some(Err(error))
    }
    async fn panics(&self) -> i32 {
        let fine = std::hint::black_box(false);
        assert!(fine, "a test panic");
        1
    }
    async fn sleeps(&self, ms: u64) -> u64 {
        SLEEPING.lock().unwrap().insert(ms);
        tokio::time::sleep(Duration::from_millis(ms)).await;
        ms
    }
}

struct Mutation;

#[Object]
impl Mutation {
    async fn change(&self) -> i32 {
        1
    }
}

/// Answers from a schema; special subjects and operation names stand for the states of an application.
struct Fake(Schema<Query, Mutation, EmptySubscription>);

impl Backend for Fake {
    type Caller = String;

    async fn authenticate(&self, claims: Arc<Claims>) -> Result<String, AuthFailure> {
        match claims.sub.as_str() {
            "nobody" => Err(AuthFailure::UnknownAccount),
            "revoked" => Err(AuthFailure::Revoked),
            "down" => Err(AuthFailure::Unavailable),
            "faulty" => Err(AuthFailure::Internal),
            sub => Ok(sub.to_owned()),
        }
    }

    fn is_program(&self, caller: &String) -> bool {
        caller.starts_with("program")
    }

    fn account(&self, caller: &String) -> String {
        format!("id-of-{caller}")
    }

    async fn execute(
        &self,
        caller: Option<String>,
        request: async_graphql::Request,
        meta: RequestMeta,
    ) -> async_graphql::Response {
        let fail = |code: &str| {
            let mut error = ServerError::new("no", None);
            error.extensions.get_or_insert_default().set("code", code);
            async_graphql::Response::from_errors(vec![error])
        };
        match (caller, meta.operation_name.as_deref()) {
            (None, Some("Private")) => fail("UNAUTHENTICATED"),
            (_, Some("Down")) => fail("UNAVAILABLE"),
            _ => self.0.execute(request).await,
        }
    }

    async fn subscribe(
        self: Arc<Self>,
        _caller: String,
        _operation: Operation,
        _meta: RequestMeta,
    ) -> Result<Steps, async_graphql::Response> {
        Err(async_graphql::Response::from_errors(vec![ServerError::new("no streams here", None)]))
    }

    async fn ready(&self) -> Readiness {
        Readiness { parts: vec![("database", false), ("policy", true)], ..Readiness::default() }
    }
}

struct Site {
    router: Router,
    signer: Signer,
    _folder: tempfile::TempDir,
}

impl Site {
    fn new() -> Self {
        Self::with(Options { introspection: true, graphiql: true, ..Options::default() })
    }

    fn with(options: Options) -> Self {
        keep_log();
        let folder = tempfile::tempdir().unwrap();
        let signer = Signer::open_or_create(&folder.path().join("key.pem")).unwrap();
        let jwt = Jwt {
            keys: vec![signer.key_spec()],
            issuer: ISSUER.into(),
            audience: "xueji".into(),
            leeway: Duration::from_secs(1),
            signing_key: None,
        };
        let keys = Arc::new(KeySet::new(&jwt, 1 << 16).unwrap());
        let schema = Schema::build(Query, Mutation, EmptySubscription).limit_depth(5).finish();
        Self { router: router(Arc::new(Fake(schema)), keys, options), signer, _folder: folder }
    }

    fn token(&self, sub: &str) -> String {
        let now = jsonwebtoken::get_current_timestamp();
        let claims = Claims {
            sub: sub.into(),
            iss: ISSUER.into(),
            exp: now + 60,
            iat: now,
            jti: None,
            sid: None,
        };
        self.signer.sign(&claims, "xueji").unwrap()
    }

    async fn send(
        &self,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        self.send_from(None, method, uri, headers, body).await
    }

    /// The same by a connection from an address.
    async fn send_from(
        &self,
        address: Option<&str>,
        method: &str,
        uri: &str,
        headers: &[(&str, &str)],
        body: impl Into<Body>,
    ) -> Reply {
        let mut request = Request::builder().method(method).uri(uri);
        if let Some(address) = address {
            request = request.extension(RemoteAddr((address.parse::<IpAddr>().unwrap(), 1).into()));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response =
            self.router.clone().oneshot(request.body(body.into()).unwrap()).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes().to_vec();
        Reply { status: parts.status, headers: parts.headers, bytes }
    }

    /// A POST with the new media type and whatever headers come on top.
    async fn post(&self, headers: &[(&str, &str)], body: impl Into<Body>) -> Reply {
        let mut all = vec![("content-type", "application/json")];
        if !headers.iter().any(|(name, _)| *name == "accept") {
            all.push(("accept", "application/graphql-response+json"));
        }
        if headers.iter().any(|(name, _)| *name == "content-type") {
            all.retain(|(name, _)| *name != "content-type");
        }
        all.extend_from_slice(headers);
        self.send("POST", "/graphql", &all, body).await
    }

    async fn query(&self, query: &str) -> Reply {
        self.post(&[], serde_json::json!({ "query": query }).to_string()).await
    }
}

struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    bytes: Vec<u8>,
}

impl Reply {
    fn json(&self) -> Value {
        serde_json::from_slice(&self.bytes).unwrap()
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a refusal, after checking that it is a well-formed answer.
    fn refusal(&self) -> (u16, String) {
        let json = self.json();
        assert!(json.get("data").is_none(), "{json}");
        let error = &json["errors"][0];
        assert!(!error["message"].as_str().unwrap().is_empty());
        assert_eq!(error["extensions"]["requestId"], self.header("x-request-id"), "{json}");
        (self.status.as_u16(), error["extensions"]["code"].as_str().unwrap().to_owned())
    }
}
