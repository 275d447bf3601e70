//! The policy in force (现行授权策略): taken from this server's files, published with a number, and followed
//! when another server or a command publishes a newer one.
//!
//! A [`Keeper`] builds a policy aside, publishes it, and then swaps it in whole; a request keeps the one it
//! began with. What is refused leaves everything as it was, and is said in the log, in a metric and by
//! [`Keeper::health`]. Files are published when they change or when somebody says so, never because
//! another server's differ: two servers with different files do not take turns. It judges no line.

use std::path::PathBuf;
use std::sync::{Arc, Mutex as Held, PoisonError};

use arc_swap::ArcSwap;
use serde::Serialize;
use tokio::sync::Mutex;

use super::Cx;
use super::act::Act;
use crate::access::action::Action;
use crate::access::catalogue::Catalogue;
use crate::access::policy::{Policy, Problem, Problems, Source};
use crate::access::table::Pair;
use crate::clock::Clock;
use crate::error::{Error, Result, Why};
use crate::store::Store;
pub use crate::store::policy_version::Published;
use crate::store::tx::Tx;

/// Where a server's own policy files come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A policy that was put together elsewhere; it is neither published nor followed.
    Fixed,
    /// The files inside the program.
    Shipped,
    /// A folder, which is watched.
    Folder(PathBuf),
}

impl Origin {
    /// The folder, if it is one.
    pub fn folder(&self) -> Option<&std::path::Path> {
        match self {
            Origin::Folder(folder) => Some(folder),
            Origin::Fixed | Origin::Shipped => None,
        }
    }

    /// The files as they are now.
    async fn read(&self) -> Result<Source, Problems> {
        match self {
            Origin::Fixed => Err(Problems::of(Problem::file(
                "",
                "this server was started without policy files".to_owned(),
            ))),
            Origin::Shipped => Ok(Source::shipped()),
            Origin::Folder(folder) => Source::read_aside(folder.clone()).await,
        }
    }
}

/// Why files were applied; the audit line and the history name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Occasion {
    /// The server started.
    Start,
    /// A file of the folder changed.
    Files,
    /// The process got the signal to reload.
    Signal,
    /// `xueji policy apply`.
    Command,
}

impl Occasion {
    /// The word in history and audit.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Files => "files",
            Self::Signal => "signal",
            Self::Command => "command",
        }
    }
}

/// Whether the policy in force is the one that was last wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Why this server's files are refused; an earlier policy answers.
    pub refused: Option<Problem>,
    /// A published version that this server cannot use: it answers under another policy than the others.
    pub behind: Option<i64>,
}

/// Why files could not be applied.
#[derive(Debug)]
pub enum Refusal {
    /// They are wrong.
    Problems(Problems),
    /// The newest published version is wrong for this program.
    Unusable(i64, Problems),
    /// The version could not be published.
    Unpublished(Error),
}

/// What is known between two looks at the files and the database.
#[derive(Debug, Default)]
struct Work {
    /// The state of the files at the last look, and at the last application.
    glimpsed: Option<String>,
    considered: Option<String>,
    /// The published version that is in force.
    number: i64,
    /// A published version that could not be used.
    unusable: Option<i64>,
    /// The database did not answer at the last look.
    lost: bool,
}

/// Keeps the policy in force.
#[derive(Debug)]
pub struct Keeper {
    current: ArcSwap<Policy>,
    origin: Origin,
    catalogue: Catalogue,
    store: Store,
    clock: Clock,
    /// One application at a time.
    work: Mutex<Work>,
    health: Held<Health>,
}

impl Keeper {
    /// Keeps a policy as it is.
    pub fn fixed(policy: Arc<Policy>, store: &Store, clock: Clock) -> Self {
        Self::new(policy, Origin::Fixed, Catalogue::default(), store, clock, Work::default())
    }

    fn new(
        policy: Arc<Policy>,
        origin: Origin,
        catalogue: Catalogue,
        store: &Store,
        clock: Clock,
        work: Work,
    ) -> Self {
        Self {
            current: ArcSwap::new(policy),
            origin,
            catalogue,
            store: store.clone(),
            clock,
            work: Mutex::new(work),
            health: Held::default(),
        }
    }

    /// Starts with this server's files, or with the newest published version where these files were
    /// published before and others since: a server that comes back late does not take the policy back.
    pub async fn open(
        origin: Origin,
        catalogue: Catalogue,
        store: &Store,
        clock: Clock,
    ) -> Result<Self, Refusal> {
        let source = origin.read().await.map_err(Refusal::Problems)?;
        let own = source.version();
        let newest = store.newest_policy().await.map_err(Refusal::Unpublished)?;
        let overtaken = match &newest {
            Some((_, hash)) if *hash == own => false,
            Some(_) => store.policy_was_published(&own).await.map_err(Refusal::Unpublished)?,
            None => false,
        };
        let (policy, number) = match newest.filter(|_| overtaken) {
            Some((number, _)) => {
                tracing::warn!(
                    number,
                    "the policy files at hand are an earlier version; the newest published one is in force"
                );
                (published(store, number, &catalogue, None).await?, number)
            }
            None => {
                let policy = Policy::compile(source.clone(), &catalogue).await;
                let policy = policy.map_err(Refusal::Problems)?;
                let published = store
                    .publish_policy(&source, Occasion::Start.word(), clock.now())
                    .await
                    .map_err(Refusal::Unpublished)?;
                (policy.numbered(published.number), published.number)
            }
        };
        let work = Work { considered: Some(own), number, ..Work::default() };
        let keeper = Self::new(Arc::new(policy), origin, catalogue, store, clock, work);
        keeper.tell(number);
        Ok(keeper)
    }

    /// The policy in force.
    pub fn current(&self) -> Arc<Policy> {
        self.current.load_full()
    }

    /// Puts a policy in force that was compiled elsewhere and is not published.
    pub fn replace(&self, policy: Arc<Policy>) {
        self.current.store(policy);
    }

    /// Where this server's own files come from.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// Whether the policy in force is the one that was last wanted.
    pub fn health(&self) -> Health {
        self.health.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads, checks and publishes this server's files now, and puts them in force.
    pub async fn apply(&self, occasion: Occasion) -> Result<Published, Refusal> {
        let mut work = self.work.lock().await;
        self.apply_in(&mut work, occasion).await
    }

    async fn apply_in(&self, work: &mut Work, occasion: Occasion) -> Result<Published, Refusal> {
        let (source, policy) = self.prepare().await.map_err(Refusal::Problems)?;
        work.considered = Some(source.version());
        let published = self
            .store
            .publish_policy(&source, occasion.word(), self.clock.now())
            .await
            .map_err(Refusal::Unpublished)?;
        self.take(work, policy, &published);
        Ok(published)
    }

    /// Reads and checks this server's files; what is refused is said everywhere.
    async fn prepare(&self) -> Result<(Source, Policy), Problems> {
        let done = match self.origin.read().await {
            Ok(source) => Policy::compile_after(source.clone(), &self.catalogue, self.current())
                .await
                .map(|policy| (source, policy)),
            Err(problems) => Err(problems),
        };
        let refused = done.as_ref().err();
        for problem in refused.iter().flat_map(|problems| &problems.0) {
            tracing::error!(
                file = problem.file,
                line = problem.line,
                why = problem.why,
                "the policy files are refused; the earlier policy stays in force"
            );
        }
        if refused.is_some() {
            metrics::counter!("xueji_policy_refusals_total").increment(1);
        }
        let first = refused.and_then(|problems| problems.0.first().cloned());
        self.note(|health| health.refused = first);
        done
    }

    /// Puts a policy in force that was published.
    fn take(&self, work: &mut Work, policy: Policy, published: &Published) {
        // A newer one may have been followed meanwhile.
        if published.number < work.number {
            return;
        }
        let current = self.current();
        let same = current.hash == policy.hash && published.number == work.number;
        if !same {
            self.current.store(Arc::new(policy.numbered(published.number)));
        }
        work.number = published.number;
        work.unusable = None;
        self.note(|health| health.behind = None);
        self.tell(published.number);
    }

    /// One look at the files and at the database. Files are applied once two looks find them alike, so
    /// that a folder that is being written is not taken half.
    pub async fn look(&self) {
        let mut work = self.work.lock().await;
        if let Origin::Folder(_) = &self.origin {
            let mark = match self.origin.read().await {
                Ok(source) => source.version(),
                Err(problems) => problems.to_string(),
            };
            let settled = work.glimpsed.as_ref() == Some(&mark);
            let changed = work.considered.as_ref() != Some(&mark);
            work.glimpsed = Some(mark.clone());
            if settled && changed {
                work.considered = Some(mark);
                if let Err(Refusal::Unpublished(error)) =
                    self.apply_in(&mut work, Occasion::Files).await
                {
                    tracing::error!(error = format!("{error:#}"), "the policy is not published");
                    // The next look tries again.
                    work.considered = None;
                }
            }
        }
        self.follow(&mut work).await;
        self.measure(work.number);
    }

    async fn follow(&self, work: &mut Work) {
        let newest = match self.store.newest_policy().await {
            Ok(newest) => newest,
            Err(error) => {
                if !std::mem::replace(&mut work.lost, true) {
                    tracing::warn!(error = format!("{error:#}"), "policy versions cannot be read");
                }
                return;
            }
        };
        work.lost = false;
        let Some((number, _)) = newest else { return };
        if number == work.number || work.unusable == Some(number) {
            return;
        }
        match published(&self.store, number, &self.catalogue, Some(self.current())).await {
            Ok(policy) => {
                self.current.store(Arc::new(policy));
                work.number = number;
                work.unusable = None;
                self.note(|health| health.behind = None);
                self.tell(number);
            }
            Err(Refusal::Unpublished(error)) => {
                tracing::warn!(error = format!("{error:#}"), number, "a policy cannot be read");
            }
            Err(Refusal::Problems(problems) | Refusal::Unusable(_, problems)) => {
                for problem in &problems.0 {
                    tracing::error!(
                        number,
                        file = problem.file,
                        line = problem.line,
                        why = problem.why,
                        "a published policy cannot be used by this program"
                    );
                }
                metrics::counter!("xueji_policy_refusals_total").increment(1);
                work.unusable = Some(number);
                self.note(|health| health.behind = Some(number));
            }
        }
    }

    fn note(&self, change: impl FnOnce(&mut Health)) {
        let mut health = self.health.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut health);
    }

    fn tell(&self, number: i64) {
        tracing::info!(number, version = self.current().version, "policy in force");
    }

    /// Said after each look, since whoever collects the figures may begin to listen after the start.
    fn measure(&self, number: i64) {
        let health = self.health();
        let refused = health.refused.is_some() || health.behind.is_some();
        // Nought is a figure as well: who watches it need not wait for the first refusal.
        metrics::counter!("xueji_policy_refusals_total").increment(0);
        metrics::gauge!("xueji_policy_refused").set(if refused { 1.0 } else { 0.0 });
        metrics::gauge!("xueji_policy_version").set(u32::try_from(number).unwrap_or(u32::MAX));
    }
}

/// The policy for a command that works on a database beside its servers: the newest published version,
/// which these run, and the files at hand where none was published yet. Publishes nothing.
pub async fn in_force(
    origin: &Origin,
    catalogue: &Catalogue,
    store: &Store,
) -> Result<Policy, Refusal> {
    match store.newest_policy().await.map_err(Refusal::Unpublished)? {
        Some((number, _)) => published(store, number, catalogue, None).await,
        None => {
            let source = origin.read().await.map_err(Refusal::Problems)?;
            Policy::compile(source, catalogue).await.map_err(Refusal::Problems)
        }
    }
}

/// A published version, checked by this program.
async fn published(
    store: &Store,
    number: i64,
    catalogue: &Catalogue,
    earlier: Option<Arc<Policy>>,
) -> Result<Policy, Refusal> {
    let source = store.policy_files(number).await.map_err(Refusal::Unpublished)?;
    let source = source.ok_or_else(|| {
        Refusal::Unpublished(Error::internal(format!("policy version {number} is gone")))
    })?;
    let policy = match earlier {
        Some(earlier) => Policy::compile_after(source, catalogue, earlier).await,
        None => Policy::compile(source, catalogue).await,
    };
    let policy = policy.map_err(|problems| Refusal::Unusable(number, problems))?;
    Ok(policy.numbered(number))
}

/// Publishes files that were checked. Serialised it is empty: the same request is the same wish.
#[derive(Serialize)]
struct Reload {
    #[serde(skip)]
    source: Source,
    #[serde(skip)]
    clock: Clock,
}

impl Act for Reload {
    const ACTION: Action = Action::PolicyReload;
    type Facts = ();
    type Done = Published;

    async fn load(&self, _tx: &Tx) -> Result<()> {
        Ok(())
    }

    async fn write(&self, tx: &mut Tx, (): ()) -> Result<Published> {
        tx.publish_policy(&self.source, self.clock.now()).await
    }
}

/// Applies the files of the server that answers, for an account that may.
pub async fn reload(cx: &Cx, keeper: &Keeper, key: Option<&str>) -> Result<Published> {
    let session = &cx.caller.session;
    let held: Vec<Pair> = session.held.iter().map(|held| held.pair).collect();
    let actions = &session.policy.actions;
    let may = actions.id(Action::PolicyReload.name()).and_then(|id| actions.may(&held, id));
    if may.is_none() {
        // Refused before any file is read, and on record.
        return cx.begin(Action::PolicyReload).await?.end(Err(forbidden())).await;
    }
    let mut work = keeper.work.lock().await;
    let (source, policy) = keeper.prepare().await.map_err(refused)?;
    work.considered = Some(source.version());
    let hash = policy.hash.clone();
    let published = cx.act(&Reload { source, clock: cx.clock }, key).await?;
    // A repeated request is answered again with what it did then.
    if published.hash == hash {
        keeper.take(&mut work, policy, &published);
    }
    Ok(published)
}

fn forbidden() -> Error {
    Error::Forbidden { act: Action::PolicyReload.name().into(), columns: Vec::new() }
}

fn refused(problems: Problems) -> Error {
    let first = problems.0.first().map(Problem::to_string).unwrap_or_default();
    let number = problems.0.len();
    Error::Refused {
        rule: "policy-refused",
        why: Why::new(
            format!(
                "the policy files are refused and the earlier policy stays in force; {number} problems, \
                 the first: {first}"
            ),
            format!("策略文件未通过检查，原策略继续有效；共 {number} 个问题，第一个：{first}"),
        ),
    }
}
