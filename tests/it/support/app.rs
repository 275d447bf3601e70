//! The application in process, on a database of its own, asked through its router.

use std::path::Path;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use chrono::{DateTime, NaiveDate, Utc};
use http_body_util::BodyExt;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tower::ServiceExt;
use uuid::Uuid;
use xueji::access::action::ACTIONS;
use xueji::access::catalogue::Catalogue;
use xueji::access::filter::Key;
use xueji::access::policy::{Policy, Source};
use xueji::auth::jwt::signer::Signer;
use xueji::auth::jwt::{Claims, KeySet};
use xueji::clock::Clock;
use xueji::config::settings::{Jwt, Limits};
use xueji::demo::{Sealer, Size, load};
use xueji::graphql::REGISTRY;
use xueji::http::{Options, router};
use xueji::store::Store;
use xueji::store::codec::{Codec, PlainCodec};
use xueji::store::connect::{connect, connect_keyed};

use super::answer::Answer;
use super::place::Place;

/// Issuer of the suite's tokens.
pub(crate) const ISSUER: &str = "xueji-test";
/// Audience of the suite's tokens.
pub(crate) const AUDIENCE: &str = "xueji";

const PUBLIC_ID_KEY: [u8; 32] = [11; 32];
const LOOKUP_KEY: [u8; 32] = [12; 32];

static POLICY: OnceCell<Arc<Policy>> = OnceCell::const_new();

/// The day on which the tests live.
pub(crate) fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 20).unwrap()
}

/// A clock that stands still on that day.
pub(crate) fn clock() -> Clock {
    let noon: DateTime<Utc> = "2026-11-20T04:00:00Z".parse().unwrap();
    Clock::fixed(chrono_tz::Asia::Shanghai, noon)
}

/// Everything that a policy must speak about.
pub(crate) fn catalogue() -> Catalogue {
    REGISTRY.catalogue(ACTIONS)
}

/// The shipped policy, compiled once for the process.
pub(crate) async fn policy() -> Arc<Policy> {
    let compile = || async { Arc::new(Policy::embedded(&catalogue()).await.unwrap()) };
    Arc::clone(POLICY.get_or_init(compile).await)
}

/// The codec that seals the tests' rows.
pub(crate) fn codec() -> PlainCodec {
    PlainCodec::new(LOOKUP_KEY)
}

/// A running application.
pub(crate) struct App {
    router: Router,
    app: Arc<xueji::app::App>,
    db: DatabaseConnection,
    policy: Arc<Policy>,
    signer: Signer,
    place: Place,
    _keys: TempDir,
}

impl App {
    /// On an empty, migrated database, under the shipped policy.
    pub(crate) async fn start() -> Self {
        Self::with(policy().await, clock()).await
    }

    /// Under another policy.
    pub(crate) async fn under(source: Source) -> Self {
        let policy = Policy::compile(source, &catalogue()).await.unwrap();
        Self::with(Arc::new(policy), clock()).await
    }

    async fn with(policy: Arc<Policy>, clock: Clock) -> Self {
        super::logs::keep();
        let place = Place::migrated().await;
        let db = connect(&place.url, 4).await.unwrap();
        let keys = TempDir::new().unwrap();
        let signer = signer(keys.path());
        let mut store = Store::new(db.clone(), Arc::new(codec()), &REGISTRY);
        if place.url.starts_with("postgres") {
            store = store.with_keyed(connect_keyed(&place.url, 4).await.unwrap());
        }
        let limits = Limits::default();
        let app = Arc::new(xueji::app::App::new(
            store,
            Arc::clone(&policy),
            &PUBLIC_ID_KEY,
            clock,
            xueji::graphql::Limits::from_settings(&limits, true),
        ));
        let settings = Jwt {
            keys: vec![signer.key_spec()],
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            leeway: std::time::Duration::from_secs(5),
        };
        let verifier = Arc::new(KeySet::new(&settings, 1 << 20).unwrap());
        let options = Options { limits, introspection: true, graphiql: false, personas: None };
        let router = router(Arc::clone(&app), verifier, options);
        Self { router, app, db, policy, signer, place, _keys: keys }
    }

    /// A demo of this size in it.
    pub(crate) async fn fill(&self, size: &Size) -> load::Record {
        let bulk = load::bulk(self.db.clone());
        load::ensure(&bulk, size, today(), Arc::new(DemoSealer(codec()))).await.unwrap()
    }

    /// The way around the application, for planting and checking rows.
    pub(crate) fn db(&self) -> &DatabaseConnection {
        &self.db
    }

    /// The database and where it stands.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The store, for its count of statements.
    pub(crate) fn store(&self) -> &Store {
        self.app.store()
    }

    /// The global id of a row.
    pub(crate) fn id(&self, noun: &str, id: impl Into<Uuid>) -> String {
        self.app.opaque().id(REGISTRY.get(noun).unwrap(), Key { student: None, id: id.into() })
    }

    /// The global id of a row that hangs from a student.
    pub(crate) fn id_of(
        &self,
        noun: &str,
        student: impl Into<Uuid>,
        id: impl Into<Uuid>,
    ) -> String {
        let key = Key { student: Some(student.into()), id: id.into() };
        self.app.opaque().id(REGISTRY.get(noun).unwrap(), key)
    }

    /// A token of the suite's issuer for a subject, valid for years.
    pub(crate) fn token(&self, subject: &str) -> String {
        let now = Clock::system(chrono_tz::UTC).now().timestamp();
        let now = u64::try_from(now).unwrap();
        self.sign(&Claims {
            sub: subject.to_owned(),
            iss: ISSUER.to_owned(),
            iat: now,
            exp: now + 315_360_000,
            jti: None,
        })
    }

    /// A token with these claims.
    pub(crate) fn sign(&self, claims: &Claims) -> String {
        self.signer.sign(claims, AUDIENCE).unwrap()
    }

    /// A token with these claims for another audience.
    pub(crate) fn sign_for(&self, claims: &Claims, audience: &str) -> String {
        self.signer.sign(claims, audience).unwrap()
    }

    /// The name of the key that signs tokens.
    pub(crate) fn kid(&self) -> &str {
        self.signer.kid()
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        let body = serde_json::from_str(&text).unwrap_or(Value::Null);
        Answer { status: parts.status, headers: parts.headers, text, body }
    }

    /// Posts a body to the API.
    pub(crate) async fn post(&self, token: Option<&str>, language: &str, body: String) -> Answer {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_LANGUAGE, language);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body)).unwrap()).await
    }

    /// Asks without a token.
    pub(crate) async fn anonymous(&self, document: &str, variables: Value) -> Answer {
        self.post(None, "en", json!({ "query": document, "variables": variables }).to_string())
            .await
    }
}

/// A signing key in a folder.
pub(crate) fn signer(folder: &Path) -> Signer {
    Signer::open_or_create(&folder.join("jwt.pem")).unwrap()
}

struct DemoSealer(PlainCodec);

impl Sealer for DemoSealer {
    fn seal(&self, table: &str, column: &str, row: Uuid, bare: &str) -> Vec<u8> {
        self.0.seal(table, column, row, bare)
    }

    fn hash(&self, kind: &str, bare: &str) -> [u8; 32] {
        self.0.hash(kind, bare)
    }
}
