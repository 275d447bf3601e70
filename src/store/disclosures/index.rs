//! From students to lines: the index of disclosures in the registry's database, a little behind the log.
//!
//! A set of students is kept once, by the hash of its members, and each part of a line refers to it: a
//! class that is read a thousand times adds a thousand small rows. How far it has come is written in the
//! same transaction, and the row that says so is locked: of several processes one indexes, and what is
//! indexed twice by accident has the same keys. Lines are taken in the order of writing without gaps, since
//! a missing number may be a commit that is still under way.

use std::collections::{BTreeMap, HashSet};
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use sea_orm::sea_query::{
    Expr, ExprTrait, LockBehavior, LockType, OnConflict, Query, SelectStatement, Value,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{Disclosures, Line};
use crate::error::{Error, Result};
use crate::store::immediate;
use crate::store::{Store, failed};

/// Most lines of one transaction.
const LINES: u64 = 500;
/// Most students of one transaction, so that it stays short.
const STUDENTS: usize = 50_000;
/// Rows of one statement: SQLite takes 32,766 values.
const ROWS: usize = 2_000;
/// A number that is missing for longer belongs to a commit that failed: none takes half of it.
const SETTLED: Duration = Duration::from_secs(30);

/// What one look at the log did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Indexed {
    /// Lines that are indexed now and were not before.
    pub lines: u64,
    /// More may be waiting.
    pub more: bool,
}

/// The name of a set of students: a hash of their keys, in order.
fn set_of(students: &[Uuid]) -> Uuid {
    let mut hash = Sha256::new();
    for student in students {
        hash.update(student.as_bytes());
    }
    let mut name = [0; 16];
    for (to, from) in name.iter_mut().zip(hash.finalize()) {
        *to = from;
    }
    Uuid::from_bytes(name)
}

/// The key of a part of a line: the line's, counted up, so that indexing again gives the same.
fn entry_id(line: Uuid, part: usize) -> Uuid {
    Uuid::from_u128(line.as_u128().wrapping_add(part as u128))
}

impl Disclosures {
    /// How many seconds a line has been waiting.
    fn waited(&self, line: &Line) -> u64 {
        u64::try_from((self.clock.now() - line.at).num_seconds()).unwrap_or_default()
    }

    /// The lines up to the first gap that may still be filled.
    fn settled(&self, done: i64, mut lines: Vec<Line>) -> Vec<Line> {
        let mut gap = self.gap.lock().unwrap_or_else(PoisonError::into_inner);
        let mut last = done;
        let mut keep = lines.len();
        for (at, line) in lines.iter().enumerate() {
            if line.seq != last + 1 {
                match *gap {
                    Some((known, since)) if known > last => {
                        if since.elapsed() < SETTLED {
                            keep = at;
                            break;
                        }
                    }
                    _ => {
                        *gap = Some((line.seq - 1, Instant::now()));
                        keep = at;
                        break;
                    }
                }
            }
            last = line.seq;
        }
        lines.truncate(keep);
        lines
    }
}

impl Store {
    /// Leads students to lines that are not indexed yet. Does nothing while another process is at it.
    pub async fn index_disclosures(&self) -> Result<Indexed> {
        let log = &self.disclosures;
        let mut done = self.indexed().await?;
        let mut lines = log.after(done, LINES).await?;
        if lines.is_empty() && log.last().await? < done {
            // The file of the log was lost or replaced: what it holds now is looked at from its start.
            tracing::error!("the log of disclosures is shorter than its index; indexing it anew");
            self.rewind(done).await?;
            done = 0;
            lines = log.after(done, LINES).await?;
        }
        let lag = lines.first().map_or(0, |line| log.waited(line));
        #[expect(clippy::cast_precision_loss, reason = "seconds of a lag")]
        metrics::gauge!("xueji_disclosure_index_lag_seconds").set(lag as f64);
        let full = lines.len() as u64 == LINES;
        let mut lines = log.settled(done, lines);
        let mut students = 0;
        let short = lines.iter().position(|line| {
            let before = students;
            students += line.record.parts.iter().map(|part| part.students.len()).sum::<usize>();
            before > STUDENTS
        });
        lines.truncate(short.unwrap_or(lines.len()));
        let Some(last) = lines.last() else { return Ok(Indexed::default()) };
        if !self.index(done, last.seq, &lines).await? {
            return Ok(Indexed::default());
        }
        Ok(Indexed { lines: lines.len() as u64, more: full || short.is_some() })
    }

    async fn indexed(&self) -> Result<i64> {
        let row = self.db.query_one(&progress()).await.map_err(failed)?;
        row.ok_or_else(|| Error::internal("the index of disclosures has no start"))?
            .try_get_by_index(0)
            .map_err(failed)
    }

    async fn rewind(&self, from: i64) -> Result<()> {
        let update = Query::update()
            .table("disclosure_progress")
            .value("seq", 0_i64)
            .and_where(Expr::col("seq").eq(from))
            .to_owned();
        self.db.execute(&update).await.map(|_| ()).map_err(failed)
    }

    /// Writes the index of lines; false when another process has come first.
    async fn index(&self, done: i64, last: i64, lines: &[Line]) -> Result<bool> {
        let mut sets: BTreeMap<Uuid, &[Uuid]> = BTreeMap::new();
        let mut entries = Vec::new();
        for line in lines {
            for (at, part) in line.record.parts.iter().enumerate() {
                let set = set_of(&part.students);
                sets.insert(set, &part.students);
                let entry: Vec<Value> = vec![
                    entry_id(line.id, at).into(),
                    line.id.into(),
                    set.into(),
                    line.at.into(),
                    line.record.account.uuid().into(),
                    part.grants.first().copied().into(),
                    part.role.as_str().into(),
                    part.reach.as_str().into(),
                    line.record.purpose.clone().into(),
                    part.columns.as_str().into(),
                ];
                entries.push(entry);
            }
        }
        let tx = immediate(&self.db).await?;
        let mut locked = progress();
        locked.lock_with_behavior(LockType::Update, LockBehavior::SkipLocked);
        let row = tx.query_one(&locked).await.map_err(failed)?;
        let at: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose().map_err(failed)?;
        if at != Some(done) {
            tx.rollback().await.map_err(failed)?;
            return Ok(false);
        }
        let known = known(&tx, sets.keys().copied().collect()).await?;
        let members: Vec<Vec<Value>> = sets
            .iter()
            .filter(|(set, _)| !known.contains(set))
            .flat_map(|(set, students)| {
                students.iter().map(|student| vec![(*student).into(), (*set).into()])
            })
            .collect();
        let columns = ["student_id", "set_id"];
        insert(&tx, "disclosure_set", &columns, &columns, members).await?;
        let columns = [
            "id",
            "line_id",
            "set_id",
            "at",
            "account_id",
            "grant_id",
            "role",
            "reach",
            "purpose",
            "columns",
        ];
        insert(&tx, "disclosure_entry", &columns, &["id"], entries).await?;
        let update = Query::update().table("disclosure_progress").value("seq", last).to_owned();
        tx.execute(&update).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(true)
    }
}

fn progress() -> SelectStatement {
    Query::select()
        .expr_as(Expr::col("seq"), "seq")
        .from("disclosure_progress")
        .and_where(Expr::col("id").eq(1_i64))
        .to_owned()
}

/// Those of the sets that are kept already.
async fn known(tx: &DatabaseTransaction, sets: Vec<Uuid>) -> Result<HashSet<Uuid>> {
    let mut known = HashSet::new();
    for some in sets.chunks(ROWS) {
        let query = Query::select()
            .distinct()
            .expr_as(Expr::col("set_id"), "set_id")
            .from("disclosure_set")
            .and_where(Expr::col("set_id").is_in(some.iter().copied()))
            .to_owned();
        for row in tx.query_all(&query).await.map_err(failed)? {
            known.insert(row.try_get_by_index(0).map_err(failed)?);
        }
    }
    Ok(known)
}

async fn insert(
    tx: &DatabaseTransaction,
    table: &'static str,
    columns: &[&'static str],
    key: &[&'static str],
    rows: Vec<Vec<Value>>,
) -> Result<()> {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let mut insert = Query::insert();
        insert.into_table(table).columns(columns.iter().copied());
        for row in rows.by_ref().take(ROWS) {
            insert
                .values(row.into_iter().map(Expr::val))
                .map_err(|error| Error::Internal(error.into()))?;
        }
        insert.on_conflict(OnConflict::columns(key.iter().copied()).do_nothing().to_owned());
        tx.execute(&insert).await.map_err(failed)?;
    }
    Ok(())
}
