//! The only way to write: one act, from the right to run it to its commit.
//!
//! [`Tx::begin`] refuses whoever may not run the action and opens a transaction (IMMEDIATE on
//! SQLite). Inside, rows are read as [`Found`], within the pairs that hold the action; [`write`](self::write)
//! accepts only such rows and only the action's columns, and keeps their history; [`once`] keeps
//! repeated requests and unique values, [`trace`] writes the audit line and the events. [`Tx::end`] commits the audit line and the events together
//! with the rows, or takes everything back. A `Tx` that is dropped takes everything back as well.
//! No rule of the registry lives here, and no value leaves in an audit line or an event.

pub(in crate::store) mod account;
mod client;
mod concern;
mod destroy;
mod facts;
mod gift;
mod grant;
mod limit;
mod once;
mod open;
pub(in crate::store) mod own;
mod restrict;
mod trace;
mod write;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, InsertStatement, Query, SelectStatement, Value};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, StatementBuilder};

use super::{Store, failed};
use crate::access::action::Action;
use crate::access::caller::Caller;
use crate::access::catalogue::FieldId;
use crate::access::filter::Key;
use crate::access::scope::Scope;
use crate::access::view::Noun;
use crate::error::{Error, Result};
use crate::store::immediate;
pub use account::{Member, NewAccount, NewCode, Person, Subject, Whose};
pub use client::{ListedClient, NewClient};
pub use concern::{Concern, NewConcern, Raised};
pub use destroy::{Batch, Executed, Frozen};
pub use facts::Found;
pub use gift::{Ground, Named, Receiver, Request, RoleAt, RoleOnFile, Site};
pub(in crate::store) use gift::{place_at, registered};
pub use grant::{Duty, Holder, Lies, NewGrant};
pub use limit::Rate;
pub use once::{KEY_REUSED, Once, VERSION};
pub use open::{NewReview, ReviewOnFile, Target};
pub use own::OwnGrant;
pub use restrict::Restriction;
pub use trace::Event;
pub(in crate::store) use trace::{AtDoor, at_door, derived_events, unattended, unattended_with};
use trace::{Line, Touched, audit, outbox};
pub(in crate::store) use trace::{Made, made};
pub use write::NewRow;

/// Events that one statement writes.
const EVENTS: usize = 1_000;

/// One act of one caller, in one transaction.
#[must_use = "an act that is not ended is taken back"]
pub struct Tx {
    db: DatabaseTransaction,
    store: Store,
    caller: Arc<Caller>,
    action: Action,
    now: DateTime<Utc>,
    /// The held pairs that hold the action, as bits, each with the columns it may set.
    holding: Vec<(u64, BTreeSet<FieldId>)>,
    touched: Vec<Touched>,
    events: Vec<(Event, Vec<Key>)>,
    note: Option<String>,
    replayed: bool,
    /// What a try found nothing of: it counts and is on record as denied.
    missed: Option<Line>,
    /// The line of the act names nobody.
    unnamed: bool,
}

impl std::fmt::Debug for Tx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Tx({})", self.action.name())
    }
}

impl Tx {
    /// Begins an act; `FORBIDDEN`, and on record, when no grant of the caller holds the action.
    pub async fn begin(
        store: &Store,
        caller: &Arc<Caller>,
        now: DateTime<Utc>,
        action: Action,
    ) -> Result<Self> {
        let holding = holding(caller, action);
        if holding.is_empty() {
            let error = Error::Forbidden { act: action.name().into(), columns: Vec::new() };
            return Err(store.denied(caller, now, action, error).await);
        }
        let db = immediate(&store.db).await?;
        Ok(Self {
            db,
            store: store.clone(),
            caller: Arc::clone(caller),
            action,
            now,
            holding,
            touched: Vec::new(),
            events: Vec::new(),
            note: None,
            replayed: false,
            missed: None,
            unnamed: false,
        })
    }

    /// Who acts.
    pub fn caller(&self) -> &Arc<Caller> {
        &self.caller
    }

    /// The instant of the act.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The rows of a noun that the action may concern: those under the pairs that hold it.
    pub fn scope(&self, noun: &'static Noun) -> Scope {
        Scope::reading(&self.caller, noun).acting(self.bits())
    }

    /// Tells others of the act once it is committed.
    pub fn event(&mut self, event: Event) {
        self.events.push((event, Vec::new()));
    }

    /// The same for rows that hang from several students, named by their whole keys.
    pub fn event_of(&mut self, event: Event, rows: Vec<Key>) {
        self.events.push((event, rows));
    }

    /// What the audit line says of an act that touches no row of a noun; never a value.
    pub(in crate::store) fn note(&mut self, said: String) {
        self.note = Some(said);
    }

    /// Ends the act: commits what was done, or takes everything back. A denial is put on record in
    /// a transaction of its own.
    pub async fn end<T>(self, done: Result<T>) -> Result<T> {
        match done {
            Ok(value) => {
                self.commit().await?;
                Ok(value)
            }
            Err(error) => {
                let Self { db, store, caller, action, now, .. } = self;
                db.rollback().await.map_err(failed)?;
                let ruled = matches!(error, Error::Refused { .. } | Error::Limit { .. });
                if matches!(error, Error::Forbidden { .. } | Error::NotFound { .. })
                    || ruled && action.exceptional()
                {
                    return Err(store.denied(&caller, now, action, error).await);
                }
                Err(error)
            }
        }
    }

    async fn commit(mut self) -> Result<()> {
        if self.replayed {
            // The act is on record already; nothing was written now.
            return self.db.rollback().await.map_err(failed);
        }
        let touched = std::mem::take(&mut self.touched);
        let outcome = if self.missed.is_some() { "denied" } else { "done" };
        let line = self.missed.take().unwrap_or_else(|| Line::done(&touched));
        let line = line.noting(self.note.take()).withholding(self.unnamed);
        let keys = self.store.log_keys()?;
        self.execute(&audit(&keys, &self.caller, self.now, self.action, line)?).await?;
        let events = std::mem::take(&mut self.events);
        let told = !events.is_empty();
        for group in events.chunks(EVENTS) {
            // The last statements: on PostgreSQL they take the lock that orders events by commit.
            self.execute(&outbox(group, self.now)?).await?;
        }
        self.meter();
        self.db.commit().await.map_err(failed)?;
        counted(self.action, outcome);
        if told {
            self.store.wake.notify_one();
        }
        Ok(())
    }

    /// The held pairs that hold the action, as bits.
    pub fn acting(&self) -> u64 {
        self.bits()
    }

    fn bits(&self) -> u64 {
        self.holding.iter().fold(0, |bits, (bit, _)| bits | bit)
    }

    /// The columns that the action may set on a row that these pairs cover.
    fn columns(&self, cover: u64) -> BTreeSet<FieldId> {
        let covering = self.holding.iter().filter(|(bit, _)| cover & bit != 0);
        covering.flat_map(|(_, columns)| columns.iter().copied()).collect()
    }

    pub(in crate::store) fn noun(&self, name: &'static str) -> Result<&'static Noun> {
        self.store
            .registry
            .get(name)
            .ok_or_else(|| Error::internal(format!("{name} is not registered")))
    }

    fn meter(&self) {
        self.caller.meter.fetch_add(1, Ordering::Relaxed);
        self.store.statements.fetch_add(1, Ordering::Relaxed);
    }

    pub(in crate::store) async fn select(
        &self,
        query: &SelectStatement,
    ) -> Result<Vec<QueryResult>> {
        self.meter();
        self.db.query_all(query).await.map_err(failed)
    }

    pub(in crate::store) fn database(&self) -> &DatabaseTransaction {
        &self.db
    }

    /// Notes a row of a table that is no noun, so that the line of the act names it.
    pub(in crate::store) fn touched(&mut self, table: &'static str, row: Key) -> Result<()> {
        self.touch(table)?.updated.push(row);
        Ok(())
    }

    /// Runs a statement; the number of rows it concerned.
    pub(in crate::store) async fn execute(&self, statement: &impl StatementBuilder) -> Result<u64> {
        self.meter();
        Ok(self.db.execute(statement).await.map_err(failed)?.rows_affected())
    }

    fn touch(&mut self, noun: &'static str) -> Result<&mut Touched> {
        let at = match self.touched.iter().position(|touched| touched.noun == noun) {
            Some(at) => at,
            None => {
                self.touched.push(Touched { noun, ..Touched::default() });
                self.touched.len() - 1
            }
        };
        self.touched.get_mut(at).ok_or_else(|| Error::internal("a list lost its last entry"))
    }
}

/// Counts an act that is on record.
fn counted(action: Action, outcome: &'static str) {
    metrics::counter!("xueji_acts_total", "action" => action.name(), "outcome" => outcome)
        .increment(1);
}

/// The held pairs that hold an action, as bits, with the columns each may set.
fn holding(caller: &Caller, action: Action) -> Vec<(u64, BTreeSet<FieldId>)> {
    let session = &caller.session;
    let Some(id) = session.policy.actions.id(action.name()) else { return Vec::new() };
    session
        .held
        .iter()
        .enumerate()
        .filter_map(|(bit, held)| {
            let act = session.policy.actions.may(&[held.pair], id)?;
            Some((1 << bit, act.columns))
        })
        .collect()
}

/// An INSERT of rows that are whole.
pub(in crate::store) fn insert_into(
    table: &'static str,
    columns: Vec<String>,
    rows: impl IntoIterator<Item = Vec<Value>>,
) -> Result<InsertStatement> {
    let mut insert = Query::insert();
    insert.into_table(table).columns(columns);
    for row in rows {
        insert
            .values(row.into_iter().map(Expr::val))
            .map_err(|error| Error::Internal(error.into()))?;
    }
    Ok(insert)
}

pub(in crate::store) fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|column| (*column).to_owned()).collect()
}
