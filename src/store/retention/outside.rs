//! What was destroyed, remembered outside the database: a restore of an older backup destroys it again.
//!
//! One JSON object a line, only ever added to, on the disk before an execution is told as done, readable by its owner
//! alone: tables, and keyed hashes of row ids. Without the look-up key of the deployment it names no row, and nobody
//! without it can make a line that destroys one.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::due::Row;
use super::erase::{erase, traces};
use super::schedule::Schedule;
use crate::error::{Error, Result};
use crate::store::chain::outside::append;
use crate::store::codec::{ClosedCodec, Codec};
use crate::store::hex;
use crate::store::{Store, failed};

/// Hashes on one line.
const A_LINE: usize = 500;

/// Some rows of one destruction.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// The batch.
    pub batch: Uuid,
    /// When it was carried out.
    pub at: DateTime<Utc>,
    /// The class.
    pub class: String,
    /// The digest of its certificate.
    pub certificate: String,
    /// Until when the certificate stays.
    pub keep_until: NaiveDate,
    /// The table.
    pub noun: String,
    /// The columns that were emptied; nothing where the rows went.
    pub columns: String,
    /// Keyed hashes of the ids.
    pub rows: Vec<String>,
}

/// Why the file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Unusable {
    /// It is not there or cannot be read.
    #[error("{0} cannot be read: {1}")]
    Unreadable(String, std::io::ErrorKind),
    /// A line that is none, and not one that a crash left half written.
    #[error("line {1} of {0} is no line of destroyed rows: it was altered")]
    Odd(String, usize),
}

/// The kind under which ids are hashed.
fn kind(noun: &str, columns: &str) -> String {
    format!("destroyed/{noun}/{columns}")
}

/// The keyed hash of a row.
pub(in crate::store) fn hashed(codec: &dyn Codec, noun: &str, columns: &str, id: Uuid) -> [u8; 32] {
    codec.hash(&kind(noun, columns), &id.to_string())
}

/// Reads the file. What a crash left half written at its end is none.
pub fn read(path: &Path) -> Result<Vec<Line>, Unusable> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Unusable::Unreadable(name.clone(), error.kind()))?;
    let mut lines = Vec::new();
    for (at, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
        match serde_json::from_str(line) {
            Ok(read) => lines.push(read),
            Err(_) if !line.ends_with('}') => {}
            Err(_) => return Err(Unusable::Odd(name, at + 1)),
        }
    }
    Ok(lines)
}

impl Store {
    /// Writes the tombstones of batches that are not in the file yet: the one just carried out, and any whose process
    /// ended before it came to it.
    pub async fn remember_destroyed(&self, now: DateTime<Utc>) -> Result<()> {
        let Some(path) = self.retention.destructions.clone() else { return Ok(()) };
        let backend = self.db.get_database_backend();
        const OWED: &str = "SELECT b.id, b.class, c.destroyed_at, c.digest, c.keep_until \
            FROM destruction_batch b JOIN destruction_certificate c ON c.batch_id = b.id \
            WHERE b.state = 'destroyed' AND b.outside_at IS NULL ORDER BY c.destroyed_at";
        let owed = self.db.query_all_raw(Statement::from_string(backend, OWED)).await;
        for row in owed.map_err(failed)? {
            let batch: Uuid = row.try_get_by_index(0).map_err(failed)?;
            let class: String = row.try_get_by_index(1).map_err(failed)?;
            let at: DateTime<Utc> = row.try_get_by_index(2).map_err(failed)?;
            let digest: Vec<u8> = row.try_get_by_index(3).map_err(failed)?;
            let keep_until: NaiveDate = row.try_get_by_index(4).map_err(failed)?;
            const ROWS: &str = "SELECT noun, columns, row_hash FROM destroyed_row WHERE batch_id = $1 ORDER BY 1, 2, 3";
            let rows = Statement::from_sql_and_values(backend, ROWS, [batch.into()]);
            let mut of: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
            for row in self.db.query_all_raw(rows).await.map_err(failed)? {
                let noun: String = row.try_get_by_index(0).map_err(failed)?;
                let columns: String = row.try_get_by_index(1).map_err(failed)?;
                let hash: Vec<u8> = row.try_get_by_index(2).map_err(failed)?;
                of.entry((noun, columns)).or_default().push(hex(&hash));
            }
            let mut text = String::new();
            for ((noun, columns), hashes) in of {
                for rows in hashes.chunks(A_LINE) {
                    let line = Line {
                        batch,
                        at,
                        class: class.clone(),
                        certificate: hex(&digest),
                        keep_until,
                        noun: noun.clone(),
                        columns: columns.clone(),
                        rows: rows.to_vec(),
                    };
                    let line = serde_json::to_string(&line);
                    text.push_str(&line.map_err(|error| Error::Internal(error.into()))?);
                    text.push('\n');
                }
            }
            let to = path.clone();
            let done = tokio::task::spawn_blocking(move || append(&to, &text)).await;
            let done = done.map_err(|error| Error::Internal(error.into()))?;
            done.map_err(|error| {
                Error::internal(format!("the file of destructions: {}", error.kind()))
            })?;
            let known = "UPDATE destruction_batch SET outside_at = $1 WHERE id = $2";
            let known = Statement::from_sql_and_values(backend, known, [now.into(), batch.into()]);
            self.db.execute_raw(known).await.map_err(failed)?;
        }
        Ok(())
    }
}

/// What a restore destroys again.
#[derive(Debug)]
pub struct Replay {
    lines: Vec<Line>,
    codec: ClosedCodec,
}

/// What it has destroyed again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Replayed {
    /// Destructions that the file tells of.
    pub batches: usize,
    /// Rows that were there and are not any more, columns emptied included.
    pub rows: u64,
    /// Certificates that the restored database does not hold: of destructions after the backup.
    pub certificates: Vec<String>,
}

impl Replay {
    /// The lines of a file, under the deployment's look-up key.
    pub fn new(lines: Vec<Line>, lookup: [u8; 32]) -> Self {
        Self { lines, codec: ClosedCodec::new(lookup) }
    }

    /// Destroys them again in a database that nobody uses yet.
    pub(in crate::store) async fn run(
        &self,
        db: &DatabaseTransaction,
        tables: &[String],
        now: DateTime<Utc>,
    ) -> Result<Replayed> {
        let mut told = Replayed::default();
        let known = |table: &str| tables.iter().any(|known| known == table);
        let mut batches: BTreeMap<Uuid, &Line> = BTreeMap::new();
        for line in &self.lines {
            batches.insert(line.batch, line);
        }
        told.batches = batches.len();
        // What the backup has a certificate of was gone when it was taken: what stands there since was entered anew.
        let there = known("destruction_certificate");
        let mut done = HashSet::new();
        for batch in batches.keys().filter(|_| there) {
            let sql = "SELECT 1 FROM destruction_certificate WHERE batch_id = $1";
            let values: [Value; 1] = [(*batch).into()];
            let sql = Statement::from_sql_and_values(db.get_database_backend(), sql, values);
            if db.query_one_raw(sql).await.map_err(failed)?.is_some() {
                done.insert(*batch);
            }
        }
        let mut wanted: BTreeMap<(&str, &str), HashSet<&str>> = BTreeMap::new();
        for line in self.lines.iter().filter(|line| !done.contains(&line.batch)) {
            let rows = wanted.entry((&line.noun, &line.columns)).or_default();
            rows.extend(line.rows.iter().map(String::as_str));
        }
        let mut gone: Vec<Row> = Vec::new();
        for ((noun, columns), hashes) in wanted {
            // A name that is no table of students is not put into a statement.
            let Some(table) = Schedule::tables().find(|table| *table == noun && known(table))
            else {
                continue;
            };
            let names: Vec<&str> = columns.split_whitespace().collect();
            let plain = |name: &&str| name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
            if !names.iter().all(plain) {
                continue;
            }
            let student = if table == "student" { "id" } else { "student_id" };
            let backend = db.get_database_backend();
            let filled: Vec<String> =
                names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
            let filled = match filled.is_empty() {
                true => String::new(),
                false => format!(" WHERE {}", filled.join(" OR ")),
            };
            let sql = format!("SELECT {student}, id FROM {table}{filled}");
            let mut rows = Vec::new();
            for row in
                db.query_all_raw(Statement::from_string(backend, sql)).await.map_err(failed)?
            {
                let id: Uuid = row.try_get_by_index(1).map_err(failed)?;
                if hashes.contains(hex(&hashed(&self.codec, noun, columns, id)).as_str()) {
                    rows.push(Row { student: row.try_get_by_index(0).map_err(failed)?, id });
                }
            }
            told.rows += erase(db, (table, &names), &rows, now).await?;
            gone.extend(rows);
        }
        if !gone.is_empty() && known("snapshot_student") && known("idempotency") {
            traces(db, &gone).await?;
        }
        for (batch, line) in batches {
            if !done.contains(&batch) {
                told.certificates.push(format!(
                    "{} of {} at {}: certificate {}, to be kept until {}",
                    line.batch,
                    line.class,
                    line.at.format("%Y-%m-%dT%H:%M:%SZ"),
                    line.certificate,
                    line.keep_until
                ));
            }
        }
        Ok(told)
    }
}
