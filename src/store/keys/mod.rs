//! The keys of the sealed columns (信封加密): data keys in the database, wrapped by a master key from outside.
//!
//! A value names the data key that opens it, so that keys change while servers run. [`envelope`] is the
//! codec that uses them, [`master`] what wraps them, [`rotate`] how rows move to a new one. Reading
//! the keys counts to no request. [`logs`] holds the keys of the audit log and of the disclosures. Nobody outside the store ever holds a data key.

mod cipher;
pub mod envelope;
mod history;
pub mod logs;
pub mod master;
pub mod rewrap;
pub mod rotate;

use chrono::{DateTime, Utc};
use rand::Rng;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Order, Query, SimpleExpr, Value};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, QueryResult};

use super::failed;
use super::tx::{insert_into, names};
use crate::access::view::{Kind, Registry};
use crate::config::settings::DataCipher;
use crate::error::{Error, Result};
use crate::store::immediate;
use cipher::{DataKey, key_bytes};
use logs::LogKeys;
use master::MasterKey;

/// What the keys here are for; a value of the column `kind`.
const KIND: &str = "column";

/// Why keys cannot be used or changed; each is a sentence for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The wrong master key.
    #[error(
        "The master key is not that of this database: data key {key} was wrapped by master key {wrapped_by}, \
         and {given} was given. Nothing was changed"
    )]
    OtherMaster {
        /// The data key.
        key: u32,
        /// The fingerprint of the master key that wrapped it.
        wrapped_by: String,
        /// The fingerprint of the one that was given.
        given: String,
    },
    /// The right master key by its fingerprint, which does not open what it wrapped.
    #[error(
        "Data key {0} is damaged: the master key that wrapped it does not open it. Restore the table data_key \
         from a backup. Nothing was changed"
    )]
    Damaged(u32),
    /// The same of a key of the logs.
    #[error(
        "Log key {0} is damaged: the master key that wrapped it does not open it. Restore the table log_key from a \
         backup. Nothing was changed"
    )]
    LogKey(i64),
    /// A registry of an earlier version.
    #[error(
        "This registry holds identity, contact, address or account numbers in the clear, as earlier versions \
         kept them: stop their servers and run `xueji keys rotate` once"
    )]
    Clear,
    /// A registry of an earlier version, half brought over.
    #[error(
        "Columns of this registry are being brought over from clear text: let `xueji keys rotate` end first, \
         or run it again when it was interrupted"
    )]
    Underway,
    /// No key is there where one is needed.
    #[error("There is no data key in this database yet: `xueji keys init` makes one")]
    None,
    /// A row that does not open under the key that it names.
    #[error(
        "{table}.{column} of row {row} does not open in its place: it was changed or moved in the database. \
         Restore the row, or empty the column, and run the command again"
    )]
    Foreign {
        /// The table.
        table: &'static str,
        /// The column.
        column: String,
        /// The row's key.
        row: uuid::Uuid,
    },
    /// The database or the key service.
    #[error("The keys cannot be read or written: {0}")]
    Failed(#[from] Error),
}

/// What becomes of a data key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Known to servers, and not yet used.
    Arriving,
    /// It seals.
    Active,
    /// It opens only.
    Retired,
}

impl State {
    /// The word for it, in the database and for people.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Arriving => "arriving",
            Self::Active => "active",
            Self::Retired => "retired",
        }
    }
}

/// A data key as the database keeps it.
#[derive(Clone, Debug)]
pub struct Stored {
    /// Its number.
    pub id: u32,
    /// Its cipher.
    pub algorithm: DataCipher,
    /// The fingerprint of the master key that wrapped it.
    pub master: String,
    /// What it is used for now.
    pub state: State,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    wrapped: Vec<u8>,
}

impl Stored {
    fn of(row: &QueryResult) -> Result<Self> {
        let odd = |what: &str| Error::internal(format!("a data key has an unknown {what}"));
        let id: i64 = row.try_get_by_index(0).map_err(failed)?;
        let algorithm: String = row.try_get_by_index(1).map_err(failed)?;
        let state: String = row.try_get_by_index(4).map_err(failed)?;
        let states = [State::Arriving, State::Active, State::Retired];
        Ok(Self {
            id: u32::try_from(id).map_err(|_range| odd("number"))?,
            algorithm: DataCipher::of_word(&algorithm).ok_or_else(|| odd("algorithm"))?,
            master: row.try_get_by_index(2).map_err(failed)?,
            wrapped: row.try_get_by_index(3).map_err(failed)?,
            state: *states
                .iter()
                .find(|known| known.word() == state)
                .ok_or_else(|| odd("state"))?,
            created_at: row.try_get_by_index(5).map_err(failed)?,
        })
    }

    /// The purpose to which the wrapped form is bound.
    fn purpose(&self) -> String {
        purpose(self.id, self.algorithm)
    }

    async fn opened(&self, master: &dyn MasterKey) -> Result<DataKey, Refusal> {
        let key = master.open(&self.purpose(), &self.wrapped).await;
        match key {
            Ok(key) => Ok(DataKey::new(self.id, self.algorithm, &key)?),
            // The service does not answer, which says nothing of the key.
            Err(error @ Error::Unavailable) => Err(error.into()),
            Err(_) if self.master != master.id() => Err(Refusal::OtherMaster {
                key: self.id,
                wrapped_by: self.master.clone(),
                given: master.id(),
            }),
            Err(_) => Err(Refusal::Damaged(self.id)),
        }
    }
}

fn purpose(id: u32, algorithm: DataCipher) -> String {
    format!("xueji data key 1: {KIND} {} {id}", algorithm.word())
}

/// The data keys of a database, from the oldest.
pub async fn stored<C: ConnectionTrait>(db: &C) -> Result<Vec<Stored>> {
    let mut query = Query::select();
    for (name, as_name) in [
        ("id", "c0"),
        ("algorithm", "c1"),
        ("master", "c2"),
        ("wrapped", "c3"),
        ("state", "c4"),
        ("created_at", "c5"),
    ] {
        query.expr_as(Expr::col(name), as_name);
    }
    query.from("data_key").and_where(Expr::col("kind").eq(KIND)).order_by("id", Order::Asc);
    db.query_all(&query).await.map_err(failed)?.iter().map(Stored::of).collect()
}

/// Makes the first data key of a registry that holds nothing sealed yet; false when one is there.
pub async fn init(
    db: &DatabaseConnection,
    registry: &Registry,
    master: &dyn MasterKey,
    algorithm: DataCipher,
    now: DateTime<Utc>,
) -> Result<bool, Refusal> {
    let tx = immediate(db).await?;
    if !stored(&tx).await?.is_empty() {
        tx.rollback().await.map_err(failed)?;
        return Ok(false);
    }
    if holds_sealed(&tx, registry).await? {
        tx.rollback().await.map_err(failed)?;
        return Err(Refusal::Clear);
    }
    match insert(&tx, master, 1, algorithm, State::Active, now).await {
        Ok(()) => {
            let logs = LogKeys::make(&tx, master, now).await?;
            on_record(&tx, &logs, "keys.init", 1, now).await?;
            tx.commit().await.map_err(failed)?;
            Ok(true)
        }
        // Another server was quicker.
        Err(Error::Conflict { .. }) => {
            tx.rollback().await.map_err(failed)?;
            Ok(false)
        }
        Err(error) => Err(error.into()),
    }
}

/// Writes a new data key, wrapped.
async fn insert(
    tx: &DatabaseTransaction,
    master: &dyn MasterKey,
    id: u32,
    algorithm: DataCipher,
    state: State,
    now: DateTime<Utc>,
) -> Result<()> {
    let mut key = [0_u8; 32];
    rand::rng().fill(&mut key);
    let key = &key[..key_bytes(algorithm)];
    let wrapped = master.wrap(&purpose(id, algorithm), key).await?;
    let columns = ["id", "kind", "algorithm", "master", "wrapped", "state", "created_at"];
    let values: Vec<Value> = vec![
        i64::from(id).into(),
        KIND.into(),
        algorithm.word().into(),
        master.id().into(),
        wrapped.into(),
        state.word().into(),
        now.into(),
    ];
    let insert = insert_into("data_key", names(&columns), [values])?;
    tx.execute(&insert).await.map_err(failed)?;
    Ok(())
}

/// What is done with keys is in the audit log, in the transaction that does it.
async fn on_record(
    tx: &DatabaseTransaction,
    logs: &LogKeys,
    action: &str,
    key: u32,
    now: DateTime<Utc>,
) -> Result<()> {
    logs.on_record(tx, action, &format!("data key {key}"), now).await
}

/// The sealed columns of a table.
#[derive(Clone, Debug)]
struct Sealed {
    table: &'static str,
    columns: Vec<&'static str>,
    /// Whether the key is `(student_id, id)`.
    of_student: bool,
}

impl Sealed {
    /// A row of which some column is sealed and meets a condition.
    fn any(&self, of: impl Fn(&'static str) -> SimpleExpr) -> SimpleExpr {
        let each = self.columns.iter().map(|column| of(column));
        each.reduce(|any, this| any.or(this)).unwrap_or_else(crate::access::place::nothing)
    }
}

/// Every table with sealed columns.
fn tables(registry: &Registry) -> Vec<Sealed> {
    registry
        .nouns()
        .iter()
        .map(|noun| Sealed {
            table: noun.shape.name,
            columns: (noun.shape.fields.iter())
                .filter(|field| matches!(field.kind, Kind::Sealed { .. }))
                .map(|field| field.name)
                .collect(),
            of_student: noun.shape.hangs.of_student(),
        })
        .filter(|sealed| !sealed.columns.is_empty())
        .chain([
            // No nouns: nobody is shown a credential, and what was raised has a reach of its own.
            Sealed { table: "credential", columns: vec!["totp_secret"], of_student: false },
            Sealed { table: "concern", columns: vec!["text", "answer"], of_student: false },
        ])
        .collect()
}

/// The first bytes of a column, which name the format and the key.
fn beginning(column: &'static str) -> SimpleExpr {
    let bytes = i32::try_from(cipher::HEAD).unwrap_or_default();
    let args = [Expr::col(column), Expr::val(1_i32), Expr::val(bytes)];
    Func::cust("substr").args(args).into()
}

/// Whether some row holds something in a sealed column.
async fn holds_sealed<C: ConnectionTrait>(db: &C, registry: &Registry) -> Result<bool> {
    for sealed in tables(registry) {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .from(sealed.table)
            .and_where(sealed.any(|column| Expr::col(column).is_not_null()))
            .limit(1);
        if db.query_one(&query).await.map_err(failed)?.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Tables whose rows are on their way to a key, and that key.
async fn unfinished<C: ConnectionTrait>(db: &C) -> Result<Option<u32>> {
    let mut query = Query::select();
    query
        .expr_as(Expr::col("key_id"), "c0")
        .from("key_rewrite")
        .and_where(Expr::col("done").eq(false))
        .order_by("key_id", Order::Asc)
        .limit(1);
    let Some(row) = db.query_one(&query).await.map_err(failed)? else { return Ok(None) };
    let id: i64 = row.try_get_by_index(0).map_err(failed)?;
    u32::try_from(id).map(Some).map_err(|_range| Error::internal("a data key has an odd number"))
}
