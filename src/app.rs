//! The application behind the routes: from a verified token to an answer.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_graphql::parser::types::OperationType;
use async_graphql::{Name, Request, Response, Value};
use indexmap::IndexMap;

use crate::access::caller::{Caller, Session, WRITE};
use crate::access::disclosure::Record;
use crate::access::ledger::Ledger;
use crate::access::opaque::Opaque;
use crate::access::policy::Policy;
use crate::auth::issuer::{Identities, Issuers, Mapped};
use crate::auth::jwt::Claims;
use crate::auth::sessions::{Key, Sessions};
use crate::auth::watch::Watch;
use crate::clock::Clock;
use crate::config::settings::{Accounts, Exceptional, Nights, USUAL_LOG_MONTHS};
use crate::domain::backup::Backups;
use crate::domain::exceptional::{PURPOSE, unknown_purpose};
use crate::domain::live::Hub;
use crate::domain::policy::Keeper;
use crate::domain::statistics::snapshot;
use crate::domain::{Budget, Cx};
use crate::doorway::{Doorway, First, key_of};
use crate::error::{Error, Result, Why};
use crate::graphql::error::without_caller;
use crate::graphql::{Limits, REGISTRY, XuejiSchema, build_schema};
use crate::http::accept;
use crate::http::auth::{Ask, NotLetIn, Told, Visit};
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
    issuers: Option<Issuers>,
    identities: Identities,
    mapped: Mapped,
    opaque: Arc<Opaque>,
    pub(crate) clock: Clock,
    pub(crate) hub: Arc<Hub>,
    pub(crate) watch: Arc<Watch>,
    pub(crate) events_kept: Duration,
    pub(crate) unchecked: Duration,
    exceptional: Exceptional,
    accounts: Accounts,
    nights: Nights,
    heads: Option<PathBuf>,
    log_months: u32,
    backups: Option<Arc<Backups>>,
    pub(crate) doorway: Option<Doorway>,
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
            issuers: None,
            identities: Identities::default(),
            mapped: Mapped::default(),
            opaque: Arc::new(Opaque::new(public_id_key, &REGISTRY)),
            clock,
            hub: Arc::default(),
            watch: Arc::default(),
            events_kept: Duration::from_secs(24 * 60 * 60),
            unchecked: Duration::from_secs(10),
            exceptional: Exceptional::default(),
            accounts: Accounts::default(),
            heads: None,
            log_months: USUAL_LOG_MONTHS,
            nights: Nights::default(),
            backups: None,
            doorway: None,
        }
    }

    /// Where people sign in here: under these rules, with tokens of this key.
    #[must_use]
    pub fn with_doorway(mut self, doorway: Option<Doorway>) -> Self {
        self.doorway = doorway;
        self
    }

    /// Where people sign in, if they do so here.
    pub fn doorway(&self) -> Option<&Doorway> {
        self.doorway.as_ref()
    }

    /// The same under a policy that is published, watched and followed.
    #[must_use]
    pub fn under(mut self, keeper: Keeper) -> Self {
        self.keeper = Arc::new(keeper);
        self
    }

    /// Trusting other issuers, whose tokens lead to accounts by the identities that are linked.
    #[must_use]
    pub fn trusting(mut self, issuers: Issuers) -> Self {
        self.issuers = Some(issuers).filter(Issuers::has_others);
        self
    }

    /// Whether there are issuers beside the keys of the settings.
    pub fn trusts_others(&self) -> bool {
        self.issuers.is_some()
    }

    /// Fetches the keys of other issuers that are due, as the server does twice a second.
    pub async fn look_at_issuers(&self) {
        if let Some(issuers) = &self.issuers {
            issuers.look().await;
        }
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

    /// The same with other times of codes and secrets.
    #[must_use]
    pub fn with_accounts(self, accounts: Accounts) -> Self {
        Self { accounts, ..self }
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

    /// Brings the grants that follow from duties in step with them; with `whole` those that follow from custody as well,
    /// and then says how many grants of offices nobody has confirmed this term.
    pub async fn look_at_grants(&self, whole: bool) -> Result<Option<i64>> {
        let (today, now) = (self.clock.today(), self.clock.now());
        let policy = self.policy();
        self.store.derive_grants(&policy, today, now, whole).await?;
        if !whole {
            return Ok(None);
        }
        self.store.expire_requests(&policy, now).await?;
        self.store.unconfirmed(today, now).await.map(Some)
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
        bounded(&session, meta)?;
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
            budget: Arc::new(Budget::new(self.exceptional, self.accounts)),
            clock: self.clock,
        };
        Ok((cx, meter))
    }

    /// What an account holds now, in the session that its token names.
    pub(crate) async fn session(&self, key: Key) -> Result<Arc<Session>> {
        let session = self.sessions.of(key, &self.store, &self.policy(), self.clock).await?;
        self.admit(&session)?;
        Ok(session)
    }

    /// The same for who was let in before.
    pub(crate) async fn session_again(&self, session: &Session) -> Result<Arc<Session>> {
        self.session((session.account, session.login.map(|login| login.session))).await
    }

    /// Refuses whoever must change the password, or set up a second factor, before anything else.
    pub(crate) fn admit(&self, session: &Session) -> Result<()> {
        match self.doorway.as_ref().and_then(|doorway| doorway.asks_first(session, self.clock)) {
            Some(first) => Err(first.refused()),
            None => Ok(()),
        }
    }

    /// The account of a verified token, and its session where it names one: by its id where a key of this house
    /// verified it, and else by the identity that is linked, as long as the key is one of its issuer's.
    async fn key_of(&self, claims: &Claims) -> Result<Key> {
        if claims.external.is_none() {
            return key_of(claims).ok_or(Error::Unauthenticated);
        }
        if !self.issuers.as_ref().is_some_and(|issuers| issuers.vouches(claims)) {
            return Err(Error::Unauthenticated);
        }
        let account = self.identities.account(claims, &self.store).await?;
        Ok((account.ok_or(Error::Unauthenticated)?, None))
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
        let key = self.key_of(&claims).await.map_err(|error| no_account(error, false))?;
        let refused = |error| no_account(error, key.1.is_some());
        let session = self.session(key).await.map_err(refused)?;
        match &self.issuers {
            Some(issuers) => {
                let mapped = issuers.session(session, &claims, &self.mapped, &self.store);
                mapped.await.map_err(refused)
            }
            None => Ok(session),
        }
    }

    async fn stands(&self, claims: Arc<Claims>) -> bool {
        match self.key_of(&claims).await {
            // What an account holds is looked at beside.
            Ok(_) => true,
            Err(error) => !matches!(error, Error::Unauthenticated),
        }
    }

    async fn at_door(&self, ask: Ask, visit: Visit) -> Result<Told, NotLetIn> {
        match &self.doorway {
            Some(doorway) => doorway.answer(self, ask, visit).await,
            None => Err(NotLetIn::Nowhere),
        }
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
        // What claims grant is for requests: streams go on with what the account holds.
        let held = match self.trusts_others() {
            true => self.session_again(&caller).await,
            false => Ok(caller),
        };
        let session = held.map_err(|error| {
            let refused = without_caller(error, language(meta.language), &meta.request_id);
            Response::from_errors(vec![refused])
        })?;
        live::open(self, session, operation, meta).await
    }

    fn knows_purpose(&self, code: &str) -> bool {
        self.keeper.current().purposes.id(code).is_some()
    }

    async fn ready(&self) -> Readiness {
        let health = self.keeper.health();
        // A server whose own files are refused answers rightly under the earlier policy; one that cannot
        // use the published version answers otherwise than the others.
        let mut notes = match (health.behind, health.refused) {
            (Some(number), _) => {
                vec![("policy", format!("published version {number} cannot be used"))]
            }
            (None, Some(problem)) => vec![("policy", format!("refused: {}", problem.place()))],
            (None, None) => Vec::new(),
        };
        let mut parts = vec![
            ("database", self.store.ping().await.is_ok()),
            ("policy", health.behind.is_none()),
        ];
        if let Some(issuers) = &self.issuers {
            // The others go on, and so do tokens under keys that are known.
            parts.push(("issuers", true));
            let (all, away) = issuers.away();
            if away > 0 {
                notes.push(("issuers", format!("{away} of {all} cannot be reached")));
            }
        }
        Readiness { parts, notes }
    }
}

/// Why a token leads to no session.
fn no_account(error: Error, in_session: bool) -> AuthFailure {
    match error {
        Error::Unauthenticated if in_session => AuthFailure::Revoked,
        Error::Unauthenticated => AuthFailure::UnknownAccount,
        Error::Unavailable => AuthFailure::Unavailable,
        Error::Refused { rule, .. } if rule == First::Password.code() => AuthFailure::PasswordFirst,
        Error::Refused { rule, .. } if rule == First::Factor.code() => AuthFailure::FactorFirst,
        error @ (Error::NotFound { .. }
        | Error::Forbidden { .. }
        | Error::Invalid { .. }
        | Error::Refused { .. }
        | Error::Conflict { .. }
        | Error::Limit { .. }
        | Error::Internal(_)) => {
            tracing::error!(error = format!("{error:#}"), "reading an account failed");
            AuthFailure::Internal
        }
    }
}

/// Refuses a registered program that comes from elsewhere than it may, or changes what it may only read: for each
/// request and each event of a stream, whatever its token says.
fn bounded(session: &Session, meta: &RequestMeta) -> Result<(), Error> {
    let Some(bounds) = &session.bounds else { return Ok(()) };
    if !bounds.admits(meta.client.map(Client::address)) {
        return Err(Error::Forbidden { act: "address".into(), columns: Vec::new() });
    }
    if meta.operation_type == OperationType::Mutation && !bounds.write {
        return Err(Error::Forbidden { act: WRITE.into(), columns: Vec::new() });
    }
    Ok(())
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
