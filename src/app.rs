//! The application behind the routes: from a verified token to an answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_graphql::{Name, Request, Response, Value};
use indexmap::IndexMap;
use uuid::Uuid;
use xueji_entity::value::AccountId;

use crate::access::caller::{Caller, Session};
use crate::access::disclosure::Record;
use crate::access::ledger::Ledger;
use crate::access::opaque::Opaque;
use crate::access::policy::Policy;
use crate::auth::jwt::Claims;
use crate::auth::sessions::Sessions;
use crate::auth::watch::Watch;
use crate::clock::Clock;
use crate::config::settings::{Exceptional, Nights, USUAL_LOG_MONTHS};
use crate::domain::backup::Backups;
use crate::domain::exceptional::{PURPOSE, unknown_purpose};
use crate::domain::live::Hub;
use crate::domain::policy::Keeper;
use crate::domain::statistics::snapshot;
use crate::domain::{Budget, Cx};
use crate::error::{Error, Result, Why};
use crate::graphql::error::without_caller;
use crate::graphql::{Limits, REGISTRY, XuejiSchema, build_schema};
use crate::http::accept;
use crate::http::backend::{AuthFailure, Backend, Operation, Readiness, RequestMeta, Steps};
use crate::http::client::Client;
use crate::live;
use crate::store::Store;
use crate::store::chain::part::Part;
use crate::store::chain::sealer::Sealer;
use crate::store::snapshot::Listed;

/// The parts of a running registry.
pub struct App {
    pub(crate) schema: XuejiSchema,
    store: Store,
    keeper: Arc<Keeper>,
    pub(crate) sessions: Sessions,
    opaque: Arc<Opaque>,
    pub(crate) clock: Clock,
    pub(crate) hub: Arc<Hub>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) events_kept: Duration,
    pub(crate) unchecked: Duration,
    exceptional: Exceptional,
    nights: Nights,
    heads: Option<PathBuf>,
    log_months: u32,
    backups: Option<Arc<Backups>>,
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
            keeper: Arc::new(Keeper::fixed(policy, &store, clock)),
            store,
            sessions: Sessions::default(),
            opaque: Arc::new(Opaque::new(public_id_key, &REGISTRY)),
            clock,
            hub: Arc::default(),
            watch: Arc::default(),
            events_kept: Duration::from_secs(24 * 60 * 60),
            unchecked: Duration::from_secs(10),
            exceptional: Exceptional::default(),
            heads: None,
            log_months: USUAL_LOG_MONTHS,
            nights: Nights::default(),
            backups: None,
        }
    }

    /// The same under a policy that is published, watched and followed.
    #[must_use]
    pub fn under(mut self, keeper: Keeper) -> Self {
        self.keeper = Arc::new(keeper);
        self
    }

    /// The policy in force and what becomes of it.
    pub fn keeper(&self) -> &Arc<Keeper> {
        &self.keeper
    }

    /// The same with other limits of exceptional acts.
    #[must_use]
    pub fn with_exceptional(self, exceptional: Exceptional) -> Self {
        Self { exceptional, ..self }
    }

    /// With other nightly snapshots.
    #[must_use]
    pub fn with_nights(mut self, nights: Nights) -> Self {
        self.nights = nights;
        self
    }

    /// Keeping lines of the logs for so many months.
    #[must_use]
    pub fn keeping_logs(self, log_months: u32) -> Self {
        Self { log_months, ..self }
    }

    /// Drops the months of both logs that were kept long enough; the parts that went.
    pub async fn prune_logs(&self) -> Result<Vec<Part>> {
        self.store.prune_logs(self.log_months, self.clock).await
    }

    /// Taking backups each night.
    #[must_use]
    pub fn with_backups(mut self, backups: Option<Backups>) -> Self {
        self.backups = backups.map(Arc::new);
        self
    }

    /// The backups that this server takes, if it takes any.
    pub fn backups(&self) -> Option<&Backups> {
        self.backups.as_deref()
    }

    /// Takes a snapshot now, under the policy in force; without a name it is that of the night.
    pub async fn take_snapshot(&self, name: Option<String>) -> Result<Listed> {
        snapshot::take(&self.store, &self.policy().disclosure_control, self.clock, name).await
    }

    /// Takes the snapshot of the night when it is time.
    pub async fn nightly_snapshot(&self) -> Result<snapshot::Night> {
        snapshot::nightly(&self.store, &self.policy().disclosure_control, self.clock, self.nights)
            .await
    }

    /// How often what an account holds was read anew for a request.
    pub fn sessions_read(&self) -> u64 {
        self.sessions.times_read()
    }

    /// Looks once at what the accounts of open streams hold, as the server does twice a second.
    pub async fn look_at_accounts(&self) -> Result<()> {
        self.watch.look(&self.sessions, &self.store, &self.policy(), self.clock).await
    }

    /// Keeps events in the outbox for so long.
    #[must_use]
    pub fn keeping_events(mut self, kept: Duration) -> Self {
        self.events_kept = kept;
        self
    }

    /// Leaves streams open for so long while the accounts behind them cannot be looked at.
    #[must_use]
    pub fn unchecked_for(mut self, unchecked: Duration) -> Self {
        self.unchecked = unchecked;
        self
    }

    /// How many subscriptions are open in this process.
    pub fn streams(&self) -> usize {
        self.hub.streams()
    }

    /// The policy in force.
    pub fn policy(&self) -> Arc<Policy> {
        self.keeper.current()
    }

    /// The ciphers of ids and cursors.
    pub fn opaque(&self) -> &Opaque {
        &self.opaque
    }

    /// The database, behind scopes.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// With a file outside the database to which the signed heads of the logs are added.
    #[must_use]
    pub fn keeping_heads(mut self, file: Option<PathBuf>) -> Self {
        self.heads = file;
        self
    }

    /// The part of this server that seals the logs.
    pub fn sealer(&self) -> Sealer {
        Sealer::new(self.store.clone(), self.clock).keeping_heads(self.heads.clone())
    }

    /// The time.
    pub fn clock(&self) -> Clock {
        self.clock
    }

    pub(crate) fn request_cx(
        &self,
        session: Arc<Session>,
        meta: &RequestMeta,
    ) -> Result<(Cx, Arc<AtomicU32>)> {
        let session = purposed(session, meta.purpose.as_deref())?;
        let meter = Arc::new(AtomicU32::new(0));
        let caller = Caller {
            session,
            language: language(meta.language),
            request_id: Arc::clone(&meta.request_id),
            purpose: meta.purpose.clone(),
            client: meta.client.map(Client::address),
            backend: self.store.backend(),
            meter: Arc::clone(&meter),
        };
        let cx = Cx {
            caller: Arc::new(caller),
            store: self.store.clone(),
            opaque: Arc::clone(&self.opaque),
            ledger: Arc::new(Ledger::default()),
            budget: Arc::new(Budget::new(self.exceptional)),
            clock: self.clock,
        };
        Ok((cx, meter))
    }

    /// What an account holds now.
    pub(crate) async fn session(&self, account: AccountId) -> Result<Arc<Session>> {
        self.sessions.of(account, &self.store, &self.policy(), self.clock).await
    }

    /// Completes an answer: puts on record what it discloses, and says what was redacted. Every answer
    /// leaves through here, those to the events of a stream too; one whose record cannot be written
    /// does not leave.
    pub(crate) async fn complete(
        &self,
        cx: &Cx,
        meter: &AtomicU32,
        mut response: Response,
    ) -> Response {
        metrics::counter!("xueji_statements_total")
            .increment(u64::from(meter.load(Ordering::Relaxed)));
        let caller = &cx.caller;
        if let Err(error) = self.put_on_record(caller, &cx.ledger, &response).await {
            let told = without_caller(error, caller.language, &caller.request_id);
            return Response::from_errors(vec![told]);
        }
        let redactions = redactions(&cx.ledger);
        if !redactions.is_empty() {
            response.extensions.insert("redactions".to_owned(), Value::List(redactions));
        }
        response
    }
}

impl App {
    /// Puts what an answer discloses on record; an answer whose record cannot be written is not sent.
    /// Whatever sends values to a caller goes through this first.
    async fn put_on_record(
        &self,
        caller: &Caller,
        ledger: &Ledger,
        response: &Response,
    ) -> Result<(), Error> {
        let disclosed = ledger.take_disclosed();
        // An answer without data tells nothing.
        if response.data == Value::Null {
            return Ok(());
        }
        let Some(record) = Record::of(caller, &disclosed) else { return Ok(()) };
        self.store.disclosures().record(&record).await.map_err(|error| {
            tracing::error!(
                request_id = caller.request_id.as_ref(),
                error = format!("{error:#}"),
                "a disclosure cannot be put on record; the answer is not sent"
            );
            Error::Unavailable
        })
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
        self.session(AccountId::from_uuid(account)).await.map_err(|error| {
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

    fn is_program(&self, caller: &Arc<Session>) -> bool {
        caller.program
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
        let (cx, meter) = match self.request_cx(session, &meta) {
            Ok(begun) => begun,
            Err(error) => {
                let refused = without_caller(error, language(meta.language), &meta.request_id);
                return Response::from_errors(vec![refused]);
            }
        };
        let request = request.data(cx.clone()).data(Arc::clone(&self.keeper));
        let response = self.schema.execute(request).await;
        self.complete(&cx, &meter, response).await
    }

    async fn subscribe(
        self: Arc<Self>,
        caller: Arc<Session>,
        operation: Operation,
        meta: RequestMeta,
    ) -> Result<Steps, Response> {
        live::open(self, caller, operation, meta).await
    }

    fn knows_purpose(&self, code: &str) -> bool {
        self.keeper.current().purposes.id(code).is_some()
    }

    async fn ready(&self) -> Readiness {
        let health = self.keeper.health();
        // A server whose own files are refused answers rightly under the earlier policy; one that cannot
        // use the published version answers otherwise than the others.
        let notes = match (health.behind, health.refused) {
            (Some(number), _) => {
                vec![("policy", format!("published version {number} cannot be used"))]
            }
            (None, Some(problem)) => vec![("policy", format!("refused: {}", problem.place()))],
            (None, None) => Vec::new(),
        };
        Readiness {
            parts: vec![
                ("database", self.store.ping().await.is_ok()),
                ("policy", health.behind.is_none()),
            ],
            notes,
        }
    }
}

/// What the account holds, for the purpose that the request states.
fn purposed(session: Arc<Session>, purpose: Option<&str>) -> Result<Arc<Session>> {
    if session.overfull {
        return Err(Error::Refused {
            rule: "GRANTS_TOO_MANY",
            why: Why::new(
                "the account holds more kinds of roles than can be told apart; ask the administrator to end some",
                "该账户持有的角色种类过多；请联系系统管理员终止部分授权",
            ),
        });
    }
    let Some(code) = purpose else { return Ok(session) };
    let id = session.policy.purposes.id(code).ok_or_else(unknown_purpose)?;
    if !session.may_state(id) {
        metrics::counter!("xueji_purpose_refusals_total").increment(1);
        return Err(Error::Forbidden { act: PURPOSE.into(), columns: vec![code.to_owned()] });
    }
    // A purpose that no line asks for reads like none.
    Ok(if session.policy.asks_for(id) { session.purposed(id) } else { session })
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
