//! The only module that builds and runs SQL; the same code on SQLite and PostgreSQL.
//!
//! Nobody outside holds a connection. A read takes a `Scope`, a write a [`Tx`](tx::Tx). Rules of
//! the registry do not live here. Start reading at [`read`].

pub mod attendance;
pub mod audit_lines;
pub mod backup;
pub mod bulk;
pub mod chain;
pub mod codec;
pub mod connect;
mod constraint;
pub mod contact;
mod decode;
pub mod derive;
pub mod disclosures;
pub mod draw;
pub mod exam;
mod explain;
pub mod exports;
pub mod founding;
pub mod grants;
pub mod held;
pub mod identity;
pub mod importing;
pub mod incident;
pub mod keys;
#[cfg(feature = "leaks")]
mod peek;
pub mod policy_version;
mod progress;
pub mod reached;
pub mod read;
pub mod relay;
pub mod retention;
pub mod reviews;
pub mod sign_in;
pub mod snapshot;
pub mod sole;
mod sql;
pub mod statistics;
pub mod stops;
pub mod tally;
pub mod tx;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sea_orm::sea_query::SelectStatement;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, DbErr, QueryResult,
    SqliteTransactionMode, TransactionOptions, TransactionTrait,
};

use crate::access::caller::Caller;
use crate::access::view::Registry;
use crate::error::{Error, Result};
use chain::line::Log;
use codec::Codec;
use disclosures::Disclosures;
use keys::logs::LogKeys;

/// The database, behind scopes.
#[derive(Clone)]
pub struct Store {
    db: DatabaseConnection,
    /// For statements that ask by keys; the same pool where planning is cheap.
    keyed: DatabaseConnection,
    disclosures: Arc<Disclosures>,
    codec: Arc<dyn Codec>,
    registry: &'static Registry,
    statements: Arc<AtomicU64>,
    /// Wakes the relay of this process when an act with events is committed.
    wake: Arc<tokio::sync::Notify>,
    retention: Arc<retention::Retention>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({:?})", self.backend())
    }
}

impl Store {
    /// A store over an open connection pool.
    pub fn new(db: DatabaseConnection, codec: Arc<dyn Codec>, registry: &'static Registry) -> Self {
        Self {
            keyed: db.clone(),
            disclosures: Arc::new(Disclosures::within(db.clone()).coded_by(Arc::clone(&codec))),
            db,
            codec,
            registry,
            statements: Arc::new(AtomicU64::new(0)),
            wake: Arc::default(),
            retention: Arc::default(),
        }
    }

    /// The same store with a log of disclosures of its own; without, they are written into its database.
    #[must_use]
    pub fn with_disclosures(mut self, disclosures: Disclosures) -> Self {
        self.disclosures = Arc::new(disclosures.coded_by(Arc::clone(&self.codec)));
        self
    }

    /// The same store with another schedule of retention, and a file outside that remembers what was destroyed.
    #[must_use]
    pub fn with_retention(self, retention: retention::Retention) -> Self {
        Self { retention: Arc::new(retention), ..self }
    }

    /// How long what is kept.
    pub fn retention(&self) -> &retention::Retention {
        &self.retention
    }

    /// The log of disclosures.
    pub fn disclosures(&self) -> &Disclosures {
        &self.disclosures
    }

    /// The same store with a pool of its own for statements that ask by keys.
    #[must_use]
    pub fn with_keyed(mut self, keyed: DatabaseConnection) -> Self {
        self.keyed = keyed;
        self
    }

    /// The dialect.
    pub fn backend(&self) -> DbBackend {
        self.db.get_database_backend()
    }

    /// The nouns that are read through it.
    pub fn registry(&self) -> &'static Registry {
        self.registry
    }

    /// How many statements it has run since the start.
    pub fn statements(&self) -> u64 {
        self.statements.load(Ordering::Relaxed)
    }

    /// The keys of the logs; without them nothing is put on record, and so nothing done.
    pub(in crate::store) fn log_keys(&self) -> Result<Arc<LogKeys>> {
        self.codec.log_keys().ok_or_else(|| Error::internal("there is no key for the logs here"))
    }

    /// Where the lines of a log are.
    pub(in crate::store) fn log_db(&self, log: Log) -> &DatabaseConnection {
        match log {
            Log::Audit => &self.db,
            Log::Disclosures => self.disclosures.db(),
        }
    }

    /// Learns of data keys that came or changed their state since; servers ask twice a second, so it counts to no request.
    pub async fn follow_keys(&self) -> Result<()> {
        self.codec.follow().await
    }

    /// Fails when the database does not answer.
    pub async fn ping(&self) -> Result<()> {
        self.db.execute_unprepared("SELECT 1").await.map(|_| ()).map_err(failed)
    }

    async fn all(&self, caller: &Caller, query: &SelectStatement) -> Result<Vec<QueryResult>> {
        caller.meter.fetch_add(1, Ordering::Relaxed);
        self.select(query).await
    }

    /// A statement whose rows are few and named by their keys.
    async fn by_keys(&self, caller: &Caller, query: &SelectStatement) -> Result<Vec<QueryResult>> {
        caller.meter.fetch_add(1, Ordering::Relaxed);
        self.select_by_keys(query).await
    }

    async fn select_by_keys(&self, query: &SelectStatement) -> Result<Vec<QueryResult>> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.keyed.query_all(query).await.map_err(failed)
    }

    async fn select(&self, query: &SelectStatement) -> Result<Vec<QueryResult>> {
        self.statements.fetch_add(1, Ordering::Relaxed);
        self.db.query_all(query).await.map_err(failed)
    }
}

/// Begins a transaction that writes: on SQLite it waits for its turn at once, since one that has read may no longer begin
/// to write when another has written.
async fn immediate(db: &DatabaseConnection) -> Result<DatabaseTransaction> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    db.begin_with_options(options).await.map_err(failed)
}

/// Bytes as people and files write them, in small hexadecimal digits.
fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing into a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A database error by its code and constraint alone: its text may quote values.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the drivers' errors are open enums, and whatever is new in them is internal"
)]
pub(crate) fn failed(error: DbErr) -> Error {
    match &error {
        DbErr::ConnectionAcquire(_) | DbErr::Conn(_) => Error::Unavailable,
        DbErr::Exec(sea_orm::RuntimeErr::SqlxError(inner))
        | DbErr::Query(sea_orm::RuntimeErr::SqlxError(inner)) => match inner.as_ref() {
            sqlx::Error::Database(database) => {
                let code = database.code().map(|code| code.into_owned()).unwrap_or_default();
                // Class 57 is an operator's intervention, 08 a connection failure, 53 exhaustion.
                if ["57", "08", "53"].iter().any(|class| code.starts_with(class) && code.len() == 5)
                {
                    return Error::Unavailable;
                }
                if database.is_unique_violation() {
                    return Error::Conflict { what: constraint::unique(database.as_ref()) };
                }
                // Another transaction came first: PostgreSQL's serialisation failure and deadlock.
                if ["40001", "40P01"].contains(&code.as_str()) {
                    return Error::Conflict { what: "transaction".into() };
                }
                // SQLite is still busy after the time that a statement waits (SQLITE_BUSY and kin).
                if ["5", "261", "517"].contains(&code.as_str()) {
                    return Error::Unavailable;
                }
                Error::internal(format!(
                    "database error {code}, constraint {}",
                    database.constraint().unwrap_or("none")
                ))
            }
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => Error::Unavailable,
            sqlx::Error::ColumnDecode { index, .. } => {
                Error::internal(format!("column {index} has an unexpected type"))
            }
            _ => Error::internal("database driver error"),
        },
        _ => Error::internal("database layer error"),
    }
}
