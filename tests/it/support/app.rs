//! The application in process, on a database of its own, asked through its router.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body;
use axum::http::{Method, Request, header};
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use http_body_util::BodyExt;
use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use tokio::task::JoinSet;
use tower::ServiceExt;
use uuid::Uuid;
use xueji::access::action::ACTIONS;
use xueji::access::catalogue::Catalogue;
use xueji::access::filter::Key;
use xueji::access::policy::{Policy, Source};
use xueji::access::view::Noun;
use xueji::auth::jwt::signer::Signer;
use xueji::auth::jwt::{Claims, KeySet};
use xueji::clock::Clock;
use xueji::config::door::Rate;
use xueji::config::settings::{Exceptional, Jwt, Limits};
use xueji::config::sign_in::SignIn;
use xueji::demo::{Sealer, Size, load};
use xueji::domain::policy::{Keeper, Origin};
use xueji::domain::sign_in::Door;
use xueji::doorway::Doorway;
use xueji::graphql::REGISTRY;
use xueji::http::{Options, router};
use xueji::store::Store;
use xueji::store::codec::Codec;
use xueji::store::connect::{Pool, connect, connect_keyed};
use xueji::store::disclosures::{Disclosures, Line};
use xueji::store::keys::envelope::EnvelopeCodec;

use super::answer::Answer;
use super::keys;
use super::place::Place;

/// Issuer of the suite's tokens.
pub(crate) const ISSUER: &str = "xueji-test";
/// Audience of the suite's tokens.
pub(crate) const AUDIENCE: &str = "xueji";

/// As `process::settings` writes it, so that a process of its own has the same ids.
const PUBLIC_ID_KEY: [u8; 32] = [
    0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
    0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef, 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
];

/// Longest wait for something that must come, on a machine that is busy with much else. Nothing is proved by it.
pub(crate) const PATIENCE: Duration = Duration::from_secs(120);

/// Asks until the answer is the one that it must be a second from now. What counts is when a question was sent, not when
/// its answer came: a busy machine is not a late server.
pub(crate) async fn within_a_second(it_is_so: impl AsyncFn() -> bool) {
    let begun = Instant::now();
    loop {
        let sent = begun.elapsed();
        if it_is_so().await {
            return;
        }
        assert!(sent < Duration::from_secs(1), "not so for a question sent after {sent:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

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

/// What an application stands on.
struct Ground {
    place: Arc<Place>,
    keys: Arc<TempDir>,
    policy: Arc<Policy>,
    clock: Clock,
    /// A policy folder that is published, watched and followed.
    folder: Option<PathBuf>,
    /// How often disclosures are indexed.
    pace: Duration,
    exceptional: Exceptional,
    /// How long streams stay open unchecked.
    unchecked: Duration,
    /// The most connections.
    connections: u32,
    /// What a server does beside answering.
    upkeep: bool,
    /// The rules under which people sign in; none where they do not.
    door: Option<SignIn>,
}

impl Ground {
    async fn new() -> Self {
        Self::at(Arc::new(Place::migrated().await)).await
    }

    /// The shipped policy, the clock that stands still, and an index that waits for a test that asks for it.
    async fn at(place: Arc<Place>) -> Self {
        Self {
            place,
            keys: Arc::new(TempDir::new().unwrap()),
            policy: policy().await,
            clock: clock(),
            folder: None,
            pace: Duration::from_secs(86_400),
            exceptional: Exceptional::default(),
            unchecked: Limits::default().unchecked_time,
            connections: 4,
            upkeep: true,
            door: None,
        }
    }
}

/// The hand of a clock that a test moves.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Hand(&'static AtomicI64);

impl Hand {
    fn at(now: DateTime<Utc>) -> Self {
        // A clock is copied freely, so its hand lives as long as the tests do.
        Self(Box::leak(Box::new(AtomicI64::new(now.timestamp_micros()))))
    }

    fn clock(self) -> Clock {
        Clock::moved(chrono_tz::Asia::Shanghai, self.0)
    }

    /// What the clock shows.
    pub(crate) fn now(self) -> DateTime<Utc> {
        self.clock().now()
    }

    /// Moves it back.
    pub(crate) fn back(self, by: TimeDelta) {
        self.on(-by);
    }

    /// Moves it on.
    pub(crate) fn on(self, by: TimeDelta) {
        self.0.fetch_add(by.num_microseconds().unwrap(), Ordering::Relaxed);
    }
}

/// The same limits without those on the pace of requests, unless a test is about them: tests send what they like.
fn unhurried(limits: Limits) -> Limits {
    let usual = Limits::default();
    let unless = |rate: Rate, usual: Rate| if rate == usual { Rate::OFF } else { rate };
    Limits {
        account_rate: unless(limits.account_rate, usual.account_rate),
        client_rate: unless(limits.client_rate, usual.client_rate),
        address_rate: unless(limits.address_rate, usual.address_rate),
        sign_in_rate: unless(limits.sign_in_rate, usual.sign_in_rate),
        ..limits
    }
}

/// A running application.
pub(crate) struct App {
    router: Router,
    app: Arc<xueji::app::App>,
    codec: Arc<EnvelopeCodec>,
    db: DatabaseConnection,
    policy: Arc<Policy>,
    signer: Arc<Signer>,
    verifier: Arc<KeySet>,
    place: Arc<Place>,
    keys: Arc<TempDir>,
    _upkeep: JoinSet<()>,
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

    /// Under other bounds of exceptional access.
    pub(crate) async fn start_with(exceptional: Exceptional) -> Self {
        Self::on(Ground { exceptional, ..Ground::new().await }).await
    }

    /// With a small registry, and other bounds on streams that cannot be checked.
    pub(crate) async fn school_unchecked_for(unchecked: Duration) -> (Self, super::seed::Seed) {
        let app = Self::on(Ground { unchecked, ..Ground::new().await }).await;
        let seed = app.plant(super::seed::Shape::default()).await;
        (app, seed)
    }

    /// On an empty, migrated database, by a clock that the test moves.
    pub(crate) async fn by_hand() -> (Self, Hand) {
        let hand = Hand::at(clock().now());
        (Self::with(policy().await, hand.clock()).await, hand)
    }

    async fn with(policy: Arc<Policy>, clock: Clock) -> Self {
        Self::on(Ground { policy, clock, ..Ground::new().await }).await
    }

    /// On a database that is there already, with so many connections at most and these bounds, and with nothing beside
    /// answering, so that every statement is that of a request.
    pub(crate) async fn alone_at(place: Place, connections: u32, exceptional: Exceptional) -> Self {
        let ground = Ground::at(Arc::new(place)).await;
        Self::on(Ground { connections, exceptional, upkeep: false, ..ground }).await
    }

    /// With a small registry, and with nothing beside answering: its database can be copied.
    pub(crate) async fn school_alone() -> (Self, super::seed::Seed) {
        let app = Self::on(Ground { upkeep: false, ..Ground::new().await }).await;
        let seed = app.plant(super::seed::Shape::default()).await;
        (app, seed)
    }

    /// With a small registry, a door under these rules, and a clock that the test moves.
    pub(crate) async fn door(rules: SignIn) -> (Self, super::seed::Seed, Hand) {
        let hand = Hand::at(clock().now());
        let ground = Ground { door: Some(rules), clock: hand.clock(), ..Ground::new().await };
        let app = Self::on(ground).await;
        let seed = app.plant(super::seed::Shape::default()).await;
        (app, seed, hand)
    }

    /// Another process of the deployment of [`App::door`], by the same clock.
    pub(crate) async fn other_door(&self, hand: Hand) -> Self {
        let door = self.app.doorway().map(|doorway| doorway.door().rules().clone());
        Self::on(Ground { door, clock: hand.clock(), ..self.ground().await }).await
    }

    /// Where people sign in.
    pub(crate) fn at_door(&self) -> &Door {
        self.app.doorway().unwrap().door()
    }

    /// Posts a body to the door.
    pub(crate) async fn auth(&self, act: &str, token: Option<&str>, body: Value) -> Answer {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("/auth/{act}"))
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::USER_AGENT, "test");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        self.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    /// Another process of the same deployment: the same database and keys, and nothing else in common.
    pub(crate) async fn sibling(&self) -> Self {
        Self::on(Ground { policy: Arc::clone(&self.policy), ..self.ground().await }).await
    }

    /// With a small registry, on a policy folder that is published, watched and followed.
    pub(crate) async fn school_kept(place: Place, folder: &Path) -> (Self, super::seed::Seed) {
        let (place, folder) = (Arc::new(place), Some(folder.to_owned()));
        let app = Self::on(Ground { folder, ..Ground::at(place).await }).await;
        let seed = app.plant(super::seed::Shape::default()).await;
        (app, seed)
    }

    /// Another server on the database of this one, with a policy folder of its own.
    pub(crate) async fn beside(other: &Self, folder: &Path) -> Self {
        Self::on(Ground { folder: Some(folder.to_owned()), ..other.ground().await }).await
    }

    /// With a small registry in it, and an index of disclosures that follows at once.
    pub(crate) async fn quick_school() -> (Self, super::seed::Seed) {
        let pace = Duration::from_millis(50);
        let app = Self::on(Ground { pace, ..Ground::new().await }).await;
        let seed = app.plant(super::seed::Shape::default()).await;
        (app, seed)
    }

    /// The same ground for another server.
    async fn ground(&self) -> Ground {
        Ground { keys: Arc::clone(&self.keys), ..Ground::at(Arc::clone(&self.place)).await }
    }

    async fn on(ground: Ground) -> Self {
        let Ground {
            place,
            keys,
            policy,
            clock,
            folder,
            pace,
            exceptional,
            unchecked,
            connections,
            upkeep,
            door,
        } = ground;
        super::logs::keep();
        // A server tells who waits for five seconds to come again; a test on a busy machine waits.
        let pool = Pool { connections, patience: PATIENCE };
        let db = connect(&place.url, pool).await.unwrap();
        let signer = Arc::new(signer(keys.path()));
        let log = Disclosures::beside(&place.url, &db).await.unwrap();
        let log = log.timed_by(clock).indexed_every(pace);
        let codec = Arc::new(keys::codec(&db).await);
        let sealing: Arc<dyn Codec> = Arc::clone(&codec) as Arc<dyn Codec>;
        let mut store = Store::new(db.clone(), sealing, &REGISTRY).with_disclosures(log);
        if place.url.starts_with("postgres") {
            store = store.with_keyed(connect_keyed(&place.url, pool).await.unwrap());
        }
        let limits = Limits { request_time: PATIENCE, ..Limits::default() };
        let keeper = match folder {
            Some(folder) => {
                let origin = Origin::Folder(folder);
                Some(Keeper::open(origin, catalogue(), &store, clock).await.unwrap())
            }
            None => None,
        };
        let app = xueji::app::App::new(
            store,
            Arc::clone(&policy),
            &PUBLIC_ID_KEY,
            clock,
            xueji::graphql::Limits::from_settings(&limits, true),
        );
        let app = app.with_exceptional(exceptional).unchecked_for(unchecked);
        let names_sessions = door.is_some();
        let doorway = door.map(|rules| {
            let (issuer, audience) = (ISSUER.to_owned(), AUDIENCE.to_owned());
            Doorway::new(Door::new(rules).unwrap(), Arc::clone(&signer), issuer, audience)
        });
        let app = app.with_doorway(doorway);
        let app = Arc::new(match keeper {
            Some(keeper) => app.under(keeper),
            None => app,
        });
        let settings = Jwt {
            keys: vec![signer.key_spec()],
            issuer: ISSUER.to_owned(),
            audience: AUDIENCE.to_owned(),
            leeway: Duration::from_secs(5),
            signing_key: None,
        };
        let verifier = KeySet::new(&settings, 1 << 20).unwrap();
        let verifier = Arc::new(match names_sessions {
            true => verifier.naming_sessions(signer.kid()),
            false => verifier,
        });
        let options =
            Options { limits: unhurried(limits), introspection: true, ..Options::default() };
        let router = router(Arc::clone(&app), Arc::clone(&verifier), options);
        let upkeep = match upkeep {
            true => xueji::upkeep::start_without_nights(&app),
            false => JoinSet::new(),
        };
        Self { router, app, codec, db, policy, signer, verifier, place, keys, _upkeep: upkeep }
    }

    /// The routes of the application under other limits.
    pub(crate) fn router_within(&self, limits: Limits) -> Router {
        let options =
            Options { limits: unhurried(limits), introspection: true, ..Options::default() };
        self.router_by(options)
    }

    /// The routes of the application that behave otherwise.
    pub(crate) fn router_by(&self, options: Options) -> Router {
        router(Arc::clone(&self.app), Arc::clone(&self.verifier), options)
    }

    /// How many subscriptions are open in the process.
    pub(crate) fn streams(&self) -> usize {
        self.app.streams()
    }

    /// Puts another policy in force.
    pub(crate) async fn replace_policy(&self, source: Source) {
        let policy = Policy::compile(source, &catalogue()).await.unwrap();
        self.app.keeper().replace(Arc::new(policy));
    }

    /// Looks at the policy files and at the published versions, as the server does five times a second.
    pub(crate) async fn look_at_policy(&self) {
        self.app.keeper().look().await;
    }

    /// A demo of this size in it.
    pub(crate) async fn fill(&self, size: &Size) -> load::Record {
        let bulk = load::bulk(self.db.clone());
        load::ensure(&bulk, size, today(), Arc::new(DemoSealer(self.codec()))).await.unwrap()
    }

    /// Takes the next snapshot, from which reporting tools are answered.
    pub(crate) async fn snapshot(&self, name: &str) {
        self.app.take_snapshot(Some(name.to_owned())).await.unwrap();
    }

    /// Takes a snapshot, or says why not; without a name that of the night.
    pub(crate) async fn take(&self, name: Option<&str>) -> xueji::error::Result<()> {
        self.app.take_snapshot(name.map(str::to_owned)).await.map(|_| ())
    }

    /// What the server does every minute; it must not fail.
    pub(crate) async fn nightly(&self) {
        self.app.nightly_snapshot().await.unwrap();
    }

    /// What the server does every minute, whether it fails or not.
    pub(crate) async fn night(&self) {
        xueji::upkeep::snapshot_of_the_night(&self.app).await;
    }

    /// The text of a route that asks for no token.
    pub(crate) async fn anonymous_get(&self, path: &str) -> String {
        self.send(Request::builder().uri(path).body(Body::empty()).unwrap()).await.text
    }

    /// The way around the application, for planting and checking rows.
    pub(crate) fn db(&self) -> &DatabaseConnection {
        &self.db
    }

    /// Takes the database away from the application: the server throws it out, a file is closed.
    pub(crate) async fn lose_database(&self) {
        match self.place.on_server() {
            Some(_) => self.place.close().await,
            None => self.db.get_sqlite_connection_pool().close().await,
        }
    }

    /// The codec that seals its rows.
    pub(crate) fn codec(&self) -> Arc<EnvelopeCodec> {
        Arc::clone(&self.codec)
    }

    /// The database and where it stands.
    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// The row behind a global id.
    pub(crate) fn unsealed(&self, id: &str) -> Option<(&'static Noun, Key)> {
        self.app.opaque().open_id(id)
    }

    /// The policy in force.
    pub(crate) fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The policy that the application runs now, which may have changed since.
    pub(crate) fn policy_in_force(&self) -> Arc<Policy> {
        self.app.keeper().current()
    }

    /// The store, for its count of statements.
    pub(crate) fn store(&self) -> &Store {
        self.app.store()
    }

    /// The statements of questions so far. What an account holds is read anew about once a second, by whatever question
    /// comes then, and does not count among its own.
    pub(crate) fn asked(&self) -> u64 {
        self.store().statements() - self.app.sessions_read()
    }

    /// Looks once at the accounts of open streams, as the server does twice a second.
    pub(crate) async fn look_at_accounts(&self) {
        self.app.look_at_accounts().await.unwrap();
    }

    /// The lines of disclosures so far.
    pub(crate) async fn disclosed(&self) -> Vec<Line> {
        self.store().disclosures().after(0, 100_000).await.unwrap()
    }

    /// Leads students to the lines so far.
    pub(crate) async fn index_disclosures(&self) {
        while self.store().index_disclosures().await.unwrap().more {}
    }

    /// Ends the application and keeps its database.
    pub(crate) fn into_place(self) -> Arc<Place> {
        self.place
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
            sid: None,
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
        self.post_for(token, language, None, body).await
    }

    /// Posts a body to the API for a purpose.
    pub(crate) async fn post_for(
        &self,
        token: Option<&str>,
        language: &str,
        purpose: Option<&str>,
        body: String,
    ) -> Answer {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_LANGUAGE, language);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if let Some(purpose) = purpose {
            request = request.header("Xueji-Purpose", purpose);
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

struct DemoSealer(Arc<EnvelopeCodec>);

impl Sealer for DemoSealer {
    fn seal(&self, table: &str, column: &str, row: Uuid, bare: &str) -> anyhow::Result<Vec<u8>> {
        Ok(self.0.seal(table, column, row, bare)?)
    }

    fn hash(&self, kind: &str, bare: &str) -> [u8; 32] {
        self.0.hash(kind, bare)
    }
}
