//! The application behind the routes: from a verified token to an answer.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arc_swap::ArcSwap;
use async_graphql::{Name, Request, Response, Value};
use indexmap::IndexMap;
use uuid::Uuid;
use xueji_entity::value::AccountId;

use crate::access::caller::{Caller, Session};
use crate::access::ledger::Ledger;
use crate::access::opaque::Opaque;
use crate::access::policy::Policy;
use crate::auth::jwt::Claims;
use crate::auth::sessions::Sessions;
use crate::clock::Clock;
use crate::domain::Cx;
use crate::error::Error;
use crate::graphql::{Limits, REGISTRY, XuejiSchema, build_schema};
use crate::http::accept;
use crate::http::backend::{AuthFailure, Backend, Readiness, RequestMeta};
use crate::store::Store;

/// The parts of a running registry.
pub struct App {
    schema: XuejiSchema,
    store: Store,
    policy: ArcSwap<Policy>,
    sessions: Sessions,
    opaque: Arc<Opaque>,
    clock: Clock,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({:?})", self.store)
    }
}

impl App {
    /// Puts the parts together.
    pub fn new(
        store: Store,
        policy: Arc<Policy>,
        public_id_key: &[u8; 32],
        clock: Clock,
        limits: Limits,
    ) -> Self {
        Self {
            schema: build_schema(limits),
            store,
            policy: ArcSwap::new(policy),
            sessions: Sessions::default(),
            opaque: Arc::new(Opaque::new(public_id_key, &REGISTRY)),
            clock,
        }
    }

    /// The ciphers of ids and cursors.
    pub fn opaque(&self) -> &Opaque {
        &self.opaque
    }

    /// The database, behind scopes.
    pub fn store(&self) -> &Store {
        &self.store
    }

    fn request_cx(&self, session: Arc<Session>, meta: &RequestMeta) -> (Cx, Arc<AtomicU32>) {
        let meter = Arc::new(AtomicU32::new(0));
        let caller = Caller {
            session,
            language: language(meta.language),
            request_id: Arc::clone(&meta.request_id),
            backend: self.store.backend(),
            meter: Arc::clone(&meter),
        };
        let cx = Cx {
            caller: Arc::new(caller),
            store: self.store.clone(),
            opaque: Arc::clone(&self.opaque),
            ledger: Arc::new(Ledger::default()),
            budget: Arc::default(),
            clock: self.clock,
        };
        (cx, meter)
    }
}

/// The language of the entity crate for the language of a request.
pub fn language(language: accept::Language) -> xueji_entity::value::Language {
    match language {
        accept::Language::Zh => xueji_entity::value::Language::Chinese,
        accept::Language::En => xueji_entity::value::Language::English,
    }
}

impl Backend for App {
    type Caller = Arc<Session>;

    async fn authenticate(&self, claims: Arc<Claims>) -> Result<Arc<Session>, AuthFailure> {
        let account = claims.sub.parse::<Uuid>().map_err(|_detail| AuthFailure::UnknownAccount)?;
        let policy = self.policy.load_full();
        self.sessions
            .of(AccountId::from_uuid(account), &self.store, &policy, self.clock.today())
            .await
            .map_err(|error| {
                if matches!(error, Error::Unauthenticated) {
                    AuthFailure::UnknownAccount
                } else if matches!(error, Error::Unavailable) {
                    AuthFailure::Unavailable
                } else {
                    tracing::error!(error = format!("{error:#}"), "reading an account failed");
                    AuthFailure::Internal
                }
            })
    }

    fn account(&self, caller: &Arc<Session>) -> String {
        caller.account.to_string()
    }

    async fn execute(
        &self,
        caller: Option<Arc<Session>>,
        request: Request,
        meta: RequestMeta,
    ) -> Response {
        let Some(session) = caller else {
            return self.schema.execute(request.data(language(meta.language))).await;
        };
        let (cx, meter) = self.request_cx(session, &meta);
        let ledger = Arc::clone(&cx.ledger);
        let mut response = self.schema.execute(request.data(cx)).await;
        metrics::counter!("xueji_statements_total")
            .increment(u64::from(meter.load(Ordering::Relaxed)));
        let redactions = redactions(&ledger);
        if !redactions.is_empty() {
            response.extensions.insert("redactions".to_owned(), Value::List(redactions));
        }
        response
    }

    async fn ready(&self) -> Readiness {
        Readiness { parts: vec![("database", self.store.ping().await.is_ok()), ("policy", true)] }
    }
}

/// `extensions.redactions`: one entry for each distinct combination.
fn redactions(ledger: &Ledger) -> Vec<Value> {
    ledger
        .redactions()
        .into_iter()
        .map(|(redaction, count)| {
            let text = |text: &str| Value::String(text.to_owned());
            Value::Object(IndexMap::from([
                (Name::new("coordinate"), Value::String(redaction.coordinate)),
                (Name::new("sight"), text(redaction.sight.word())),
                (Name::new("reason"), text(redaction.reason.code())),
                (Name::new("rule"), redaction.rule.map_or(Value::Null, Value::String)),
                (Name::new("count"), Value::Number(count.into())),
            ]))
        })
        .collect()
}
