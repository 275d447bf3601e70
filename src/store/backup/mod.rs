//! Backups (备份): everything a registry holds at one instant, in one encrypted file that either database takes back.
//!
//! The format is logical, tables and rows, so that a SQLite registry is restored into PostgreSQL and the other way
//! round. [`sealed`] is the file as bytes, [`frame`] what stands in it, [`schema`] the tables of a database;
//! [`take`] writes one while servers run, [`restore`] loads one into an empty database, [`check`] proves that one can
//! be restored, [`folder`] is where they are kept, [`claim`] decides which server takes that of a night. Which of them stay is not decided here.

pub mod check;
pub mod claim;
pub mod folder;
mod frame;
pub mod restore;
mod schema;
mod sealed;
mod source;
pub mod take;

use std::io::ErrorKind;
use std::path::Path;

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde::{Deserialize, Serialize};

use super::keys;
use super::keys::logs::LogKeys;
use super::keys::master::MasterKey;
use super::progress::Progress;
use super::tx::unattended;
use super::{Store, failed};
use crate::error::{Error, Result};

/// The table of disclosed lines, which stands in a file of its own beside a SQLite registry.
const LINES: &str = "disclosure_line";
/// The logs that share the tables of seals. Beside a SQLite registry each has its own, in the file of its lines.
const LOGS: [&str; 2] = ["audit", LINES];
/// The table of the keys of the logs.
const LOG_KEYS: &str = "log_key";
/// The table of applied migrations, which the manifest tells of instead.
const MIGRATIONS: &str = "seaql_migrations";

/// Why a backup is not taken, not restored or not verified; each is a sentence for the person at the terminal.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// A file or folder that cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, ErrorKind),
    /// A file or folder that cannot be written.
    #[error("{0} cannot be written: {1}. No half of a file was left there")]
    Unwritable(String, ErrorKind),
    /// A backup of this instant is there.
    #[error("{0} is there already: wait a second and take another")]
    There(String),
    /// Not made by `backup take`.
    #[error("{0} is no backup of xueji, or its first bytes were altered or cut off")]
    Foreign(String),
    /// A folder without backups.
    #[error("{0} holds no backup: `xueji backup take --to {0}` makes one")]
    Empty(String),
    /// A format of a later program.
    #[error("{0} is of format {1}, which this program does not know: use the newer one")]
    NewerFormat(String, u16),
    /// The wrong master key.
    #[error(
        "The backup was made under master key {made_under}, and {given} was given: give the master key of its time. \
         Nothing was changed"
    )]
    OtherMaster {
        /// The fingerprint of the master key that wrapped the backup's own.
        made_under: String,
        /// The fingerprint of the one that was given.
        given: String,
    },
    /// The right master key by its fingerprint, which does not open the backup's own.
    #[error("{0} is damaged: its header was altered. Use another backup. Nothing was changed")]
    Header(String),
    /// A chunk that is not what was written in this place.
    #[error(
        "{file} is damaged: chunk {chunk} was altered, moved or cut off. Use another backup. Nothing was changed"
    )]
    Chunk {
        /// The backup.
        file: String,
        /// Which chunk, from 1.
        chunk: u64,
    },
    /// What stands in it contradicts itself.
    #[error("{file} does not hold together: {what}. Nothing was changed")]
    Odd {
        /// The backup.
        file: String,
        /// What is wrong.
        what: String,
    },
    /// A schema of a later program.
    #[error(
        "The backup has a newer schema than this program ({0} is unknown here): use the program that took it. \
         Nothing was changed"
    )]
    NewerSchema(String),
    /// A database that holds something.
    #[error(
        "{0} is not empty: a backup is restored into an empty database alone. Nothing was changed"
    )]
    Occupied(String),
    /// A running server.
    #[error("{0}. Nothing was changed")]
    Served(String),
    /// Rows that are not those of the backup.
    #[error("The table {table} was not restored as it was: {what}. Nothing was kept")]
    Differs {
        /// The table.
        table: String,
        /// What differs.
        what: String,
    },
    /// A check of the restored database that failed.
    #[error("The restored database fails a check: {0}")]
    Unsound(String),
    /// The database or the key service.
    #[error("The database refused: {0}")]
    Failed(#[from] Error),
}

impl Refusal {
    fn unreadable(path: &Path, error: &std::io::Error) -> Self {
        Self::Unreadable(path.display().to_string(), error.kind())
    }

    fn unwritable(path: &Path, error: &std::io::Error) -> Self {
        Self::Unwritable(path.display().to_string(), error.kind())
    }

    fn odd(path: &Path, what: impl Into<String>) -> Self {
        Self::Odd { file: path.display().to_string(), what: what.into() }
    }
}

/// Whether somebody waits at a terminal to hear how far it is; the log of a server is no place for that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Voice {
    /// On standard error.
    Aloud,
    /// Nowhere.
    Silent,
}

impl Voice {
    fn progress(self, expected: u64) -> Progress {
        match self {
            Self::Aloud => Progress::new(expected),
            Self::Silent => Progress::silent(),
        }
    }
}

/// What a column holds, on either database.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A UUID.
    Uuid,
    /// Text.
    Text,
    /// A whole number.
    Int,
    /// True or false.
    Bool,
    /// A calendar day.
    Date,
    /// An instant.
    Instant,
    /// Bytes.
    Bytes,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
}

/// A table as it stands in a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// The log whose rows these are, where a table has those of both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<String>,
    /// Its columns, in the order of each row.
    pub columns: Vec<Column>,
    /// The columns of its key; none where rows have none.
    pub key: Vec<String>,
    /// How many rows follow.
    pub rows: u64,
}

impl Table {
    /// Whether its rows are those of the log of disclosures, which has a file of its own beside a SQLite registry.
    fn of_lines(&self) -> bool {
        self.log.as_deref().unwrap_or(&self.name) == LINES
    }

    /// Its name for people.
    fn told(&self) -> String {
        match &self.log {
            Some(log) => format!("{} of {log}", self.name),
            None => self.name.clone(),
        }
    }
}

/// What a backup says of itself before its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// The version of the program that took it.
    pub program: String,
    /// The database it was taken of: `sqlite` or `postgres`.
    pub database: String,
    /// The instant as of which it speaks.
    pub taken_at: DateTime<Utc>,
    /// The migrations that had been applied, in order.
    pub migrations: Vec<String>,
    /// The tables, in the order in which their rows follow.
    pub tables: Vec<Table>,
}

impl Manifest {
    /// The rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }
}

/// What was read of a table, said after its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Total {
    rows: u64,
    /// SHA-256 over the rows in the order of the key.
    sha256: String,
}

/// What is done with backups is in the audit log of the database at hand, under the keys of its logs. A registry from
/// before there were such keys, which waits for its upgrade, has no place for it.
pub async fn on_record(
    db: &DatabaseConnection,
    master: &dyn MasterKey,
    (action, detail): (&str, &str),
    now: DateTime<Utc>,
) -> Result<(), keys::Refusal> {
    if !schema::names(db).await?.iter().any(|name| name == LOG_KEYS) {
        return Ok(());
    }
    let keys = LogKeys::open_or_make(db, master, now).await?;
    let line = unattended(&keys, action, "", detail, now)?;
    db.execute(&line).await.map_err(failed)?;
    Ok(())
}

impl Store {
    /// Puts on record what the server did of itself with backups.
    pub async fn backup_on_record(
        &self,
        action: &str,
        detail: &str,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let line = unattended(&*self.log_keys()?, action, "", detail, now)?;
        self.db.execute(&line).await.map_err(failed)?;
        Ok(())
    }
}
