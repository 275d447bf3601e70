//! What happens at the door, in one transaction with its line on record: [`Entry`].
//!
//! Nobody has grants here yet, so nothing of the registry is read or written but credentials, codes and
//! sessions. Whether something is right is decided in the domain; [`credential`](self::credential) reads and writes what is
//! signed in with, [`session`] what follows, [`personal`] what a password must not be made of.

mod client;
mod code;
mod credential;
mod personal;
mod session;

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::SelectStatement;
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, StatementBuilder};
use uuid::Uuid;
use xueji_entity::audit::AuditOutcome;

use super::tx::{AtDoor, at_door};
use super::{Store, failed};
use crate::error::Result;
use crate::store::immediate;
pub use client::Program;
pub(in crate::store) use client::{bounds, names as scopes_name};
pub use code::FoundCode;
pub use credential::{Credential, Known};
pub use personal::Personal;
pub use session::{End, ListedSession, NewSession, Standing, StoredSession};

/// Where a request at the door comes from, as the record has it.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The request's id.
    pub request_id: Arc<str>,
    /// The address; none without a connection.
    pub client: Option<IpAddr>,
    /// The program, as it calls itself.
    pub agent: Option<String>,
}

/// One line of the record.
#[derive(Clone, Copy, Debug)]
pub struct Said<'a> {
    /// The name of the action.
    pub action: &'a str,
    /// Whether it was done.
    pub done: bool,
    /// Whose account; none for a name that nobody has.
    pub account: Option<Uuid>,
    /// The table and the row that it was about.
    pub row: Option<(&'static str, Uuid)>,
    /// The columns that were set.
    pub columns: Option<&'static str>,
    /// More, without personal values and without anything secret.
    pub detail: Option<&'a str>,
}

impl<'a> Said<'a> {
    /// Something that was done.
    pub const fn done(action: &'a str, account: Uuid) -> Self {
        Self { action, done: true, account: Some(account), row: None, columns: None, detail: None }
    }

    /// Something that was refused, and why.
    pub const fn denied(action: &'a str, account: Option<Uuid>, detail: &'a str) -> Self {
        Self { action, done: false, account, row: None, columns: None, detail: Some(detail) }
    }
}

/// One act at the door: what is not committed is taken back.
#[must_use = "what is not committed is taken back"]
pub struct Entry {
    db: DatabaseTransaction,
    store: Store,
    visit: Visit,
    now: DateTime<Utc>,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Entry")
    }
}

impl Store {
    /// Begins an act at the door.
    pub async fn enter(&self, visit: &Visit, now: DateTime<Utc>) -> Result<Entry> {
        let db = immediate(&self.db).await?;
        Ok(Entry { db, store: self.clone(), visit: visit.clone(), now })
    }
}

impl Entry {
    /// The instant of the act.
    pub const fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// Where the request comes from.
    pub const fn visit(&self) -> &Visit {
        &self.visit
    }

    /// Puts a line on record; without it nothing is committed.
    pub async fn say(&self, said: Said<'_>) -> Result<()> {
        let keys = self.store.log_keys()?;
        let line = AtDoor {
            action: said.action,
            outcome: if said.done { AuditOutcome::Done } else { AuditOutcome::Denied },
            account: said.account,
            row: said.row,
            columns: said.columns,
            detail: said.detail,
            request_id: &self.visit.request_id,
            client: self.visit.client,
        };
        self.execute(&at_door(&keys, &line, self.now)?).await.map(|_| ())
    }

    /// Commits what was done and its line.
    pub async fn commit(self) -> Result<()> {
        self.db.commit().await.map_err(failed)
    }

    /// Takes everything back.
    pub async fn give_up(self) -> Result<()> {
        self.db.rollback().await.map_err(failed)
    }

    async fn select(&self, query: &SelectStatement) -> Result<Vec<QueryResult>> {
        self.store.statements.fetch_add(1, Ordering::Relaxed);
        self.db.query_all(query).await.map_err(failed)
    }

    async fn execute(&self, statement: &impl StatementBuilder) -> Result<u64> {
        self.store.statements.fetch_add(1, Ordering::Relaxed);
        Ok(self.db.execute(statement).await.map_err(failed)?.rows_affected())
    }
}
