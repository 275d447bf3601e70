//! Destruction as acts write it: a list is frozen, approved and carried out, in one transaction each.
//!
//! An execution looks once more whether each row is due, takes it out with all that hangs from it, leaves a tombstone,
//! and writes the certificate, whose digest stands in the audit line. Which people may do what is decided in the domain.

use chrono::{DateTime, Months, NaiveDate, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Query, Value};
use sea_orm::{ActiveEnum, ConnectionTrait, DbBackend, QueryResult, Statement};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use xueji_entity::destruction_batch::DestructionState;
use xueji_entity::value::{Guarded, Narrative};

use super::{Tx, holding, insert_into, names};
use crate::access::action::Action;
use crate::access::caller::Caller;
use crate::access::place::{Writing, nothing, school_held};
use crate::error::{Error, Result};
use crate::store::hex;
use crate::store::retention::due::{self, Of, Row};
use crate::store::retention::erase::{erase, traces};
use crate::store::retention::schedule::Class;
use crate::store::retention::{clock, outside};
use crate::store::{Store, failed};

/// Rows of one batch; what is due beyond waits for the next.
const MOST: usize = 20_000;
/// Rows of one INSERT.
const INSERTED: usize = 1_000;
/// Years for which a certificate stays at least (RET-05).
const CERTIFICATE_YEARS: u32 = 3;

/// A batch on file.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its id.
    pub id: Uuid,
    /// The class.
    pub class: String,
    /// The school.
    pub school: Uuid,
    /// How far it is.
    pub state: DestructionState,
    /// Who proposed it.
    pub proposed_by: Uuid,
    /// Who approved so far.
    pub approved_by: Vec<Uuid>,
    cutoff: NaiveDate,
    digest: Vec<u8>,
}

/// What was frozen.
#[derive(Clone, Copy, Debug)]
pub struct Frozen {
    /// The batch.
    pub batch: Uuid,
    /// How many rows.
    pub rows: u64,
    /// Of how many students.
    pub students: u64,
}

/// What was destroyed.
#[derive(Clone, Copy, Debug)]
pub struct Executed {
    /// The certificate.
    pub certificate: Uuid,
    /// How many rows.
    pub rows: u64,
    /// How many were spared since they are not due any more.
    pub spared: u64,
}

/// An id that tells neither order nor time.
pub(super) fn random_id() -> Uuid {
    uuid::Builder::from_random_bytes(rand::random()).into_uuid()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// SHA-256 over the rows of a list, in order.
fn digest_of(list: &[(String, String, Row)]) -> Vec<u8> {
    let mut lines: Vec<String> = list
        .iter()
        .map(|(noun, columns, row)| format!("{noun}|{columns}|{}|{}\n", row.student, row.id))
        .collect();
    lines.sort_unstable();
    let mut digest = Sha256::new();
    lines.iter().for_each(|line| digest.update(line.as_bytes()));
    digest.finalize().to_vec()
}

fn students(list: &[(String, String, Row)]) -> usize {
    let ids: std::collections::HashSet<Uuid> = list.iter().map(|(_, _, row)| row.student).collect();
    ids.len()
}

/// The schools at which a caller holds an act, or above which, as a condition on `o`.
fn held_at(caller: &Caller, action: Action) -> Expr {
    let writing = Writing { backend: caller.backend, today: caller.today(), account: None };
    let holding = holding(caller, action);
    let held = caller.session.held.iter().enumerate();
    held.filter(|(bit, _)| holding.iter().any(|(mask, _)| mask & (1 << bit) != 0))
        .map(|(_, held)| school_held(Expr::col(("o", "id")), held, writing))
        .reduce(|any, one| any.or(one))
        .unwrap_or_else(nothing)
}

impl Store {
    /// The schools at which the caller holds an act, or above which; `FORBIDDEN`, on record, where no grant holds it.
    pub async fn held_schools(
        &self,
        caller: &Caller,
        action: Action,
        now: DateTime<Utc>,
    ) -> Result<Vec<Uuid>> {
        if holding(caller, action).is_empty() {
            return Err(self.refuse(caller, now, action).await);
        }
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("o", "id")), "c0")
            .from_as("organisation", "o")
            .and_where(Expr::col(("o", "level")).eq("school"))
            .and_where(held_at(caller, action));
        let rows = self.all(caller, &query).await?;
        rows.iter().map(|row| row.try_get_by_index(0).map_err(failed)).collect()
    }

    /// After the commit of an execution: the bytes leave the files, and the tombstones the database. What is left
    /// undone by a process that ended is made good at the next execution and at the next start.
    pub async fn settle_destroyed(&self, now: DateTime<Utc>) -> Result<()> {
        if self.backend() == DbBackend::Postgres {
            let mut tables: Vec<&str> = self
                .retention
                .schedule
                .classes
                .iter()
                .filter(|class| class.period().is_some())
                .flat_map(|class| class.targets.iter().map(|target| target.table))
                .collect();
            tables.extend(["history", "lookup_key", "idempotency", "outbox", "destruction_item"]);
            tables.sort_unstable();
            tables.dedup();
            let vacuum = format!("VACUUM {}", tables.join(", "));
            self.db.execute_unprepared(&vacuum).await.map_err(failed)?;
        } else {
            let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
            let statement = Statement::from_string(self.backend(), checkpoint);
            let row = self.db.query_one_raw(statement).await.map_err(failed)?;
            let busy = row.and_then(|row| row.try_get_by_index::<i32>(0).ok()).unwrap_or_default();
            if busy != 0 {
                tracing::warn!(
                    "somebody reads the registry: its write-ahead log is cut back later, and holds destroyed rows till then"
                );
            }
        }
        self.remember_destroyed(now).await
    }

    /// What a start makes good after a process that ended in the middle; whether there was anything.
    pub async fn settle_owed(&self, now: DateTime<Utc>) -> Result<bool> {
        let owed = "SELECT 1 FROM destruction_batch WHERE state = 'destroyed' AND outside_at IS NULL LIMIT 1";
        let statement = Statement::from_string(self.backend(), owed);
        let owed = self.db.query_one_raw(statement).await.map_err(failed)?.is_some();
        if owed && self.retention.destructions.is_some() {
            self.settle_destroyed(now).await?;
        }
        Ok(owed)
    }
}

impl Tx {
    /// The class of the schedule with this code.
    pub fn class(&self, code: &str) -> Option<Class> {
        self.store.retention.schedule.class(code).cloned()
    }

    /// Refuses to go on by a clock that the audit log contradicts.
    pub async fn clock_believed(&self) -> Result<()> {
        clock::believed(&self.db, self.now, self.store.retention.ahead_days).await
    }

    /// The school that a row names in this column, where the caller holds the act there. A row elsewhere and one that
    /// is not there get one answer, after the same statements.
    pub(super) async fn school_named(
        &self,
        rows: &[QueryResult],
        column: usize,
        unknown: fn() -> Error,
    ) -> Result<Uuid> {
        let named = rows.first().map(|row| row.try_get_by_index(column).map_err(failed));
        let school = named.transpose()?.unwrap_or_default();
        match self.at_school(school).await {
            Err(Error::NotFound { .. }) => Err(unknown()),
            done => done.map(|()| school),
        }
    }

    /// `NOT_FOUND` for a school at which, and above which, the caller does not hold the act.
    pub async fn at_school(&self, school: Uuid) -> Result<()> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("o", "id")), "c0")
            .from_as("organisation", "o")
            .and_where(Expr::col(("o", "id")).eq(Expr::val(school)))
            .and_where(held_at(&self.caller, self.action));
        match self.select(&query).await?.as_slice() {
            [] => Err(Error::not_found("Organisation")),
            [..] => Ok(()),
        }
    }

    pub(super) async fn raw(&self, sql: &str, bound: Vec<Value>) -> Result<Vec<QueryResult>> {
        self.meter();
        let statement = Statement::from_sql_and_values(self.db.get_database_backend(), sql, bound);
        self.db.query_all_raw(statement).await.map_err(failed)
    }

    pub(super) async fn run(&self, sql: &str, bound: Vec<Value>) -> Result<u64> {
        self.meter();
        let statement = Statement::from_sql_and_values(self.db.get_database_backend(), sql, bound);
        Ok(self.db.execute_raw(statement).await.map_err(failed)?.rows_affected())
    }

    /// Locks a row until the act ends, so that of two acts the second sees what the first did. On SQLite acts come one
    /// after the other anyway.
    pub(super) fn locked(&self, sql: &str) -> String {
        let postgres = self.db.get_database_backend() == DbBackend::Postgres;
        if postgres { format!("{sql} FOR UPDATE") } else { sql.to_owned() }
    }

    /// Freezes what is due of a class at a school today; none where nothing is.
    pub async fn freeze(
        &mut self,
        class: &Class,
        school: Uuid,
        reason: &Narrative,
    ) -> Result<Option<Frozen>> {
        let today = self.caller.today();
        let Some(cutoff) = due::cutoff(class, today)? else { return Ok(None) };
        let of = Of::Schools(vec![school]);
        let mut list = Vec::new();
        for target in &class.targets {
            let room = MOST.saturating_sub(list.len());
            let rows = due::rows(&self.db, (class, target), (cutoff, today), &of, room).await?;
            let named = |row| (target.table.to_owned(), target.told(), row);
            list.extend(rows.into_iter().map(named));
        }
        if list.is_empty() {
            return Ok(None);
        }
        let (batch, rows, students) = (random_id(), list.len(), students(&list));
        let columns = names(&[
            "id",
            "class",
            "school_id",
            "cutoff",
            "rows",
            "students",
            "digest",
            "reason",
            "state",
            "proposed_by_id",
            "proposed_at",
        ]);
        let values: Vec<Value> = vec![
            batch.into(),
            class.code.clone().into(),
            school.into(),
            cutoff.into(),
            count(rows).into(),
            count(students).into(),
            digest_of(&list).into(),
            reason.expose().into(),
            DestructionState::Proposed.to_value().into(),
            self.caller.account().uuid().into(),
            self.now.into(),
        ];
        self.execute(&insert_into("destruction_batch", columns, [values])?).await?;
        let columns = names(&["batch_id", "noun", "columns", "row_id", "student_id", "kept"]);
        for chunk in list.chunks(INSERTED) {
            let rows = chunk.iter().map(|(noun, of, row)| -> Vec<Value> {
                let (noun, of) = (noun.as_str().into(), of.as_str().into());
                vec![batch.into(), noun, of, row.id.into(), row.student.into(), false.into()]
            });
            self.execute(&insert_into("destruction_item", columns.clone(), rows)?).await?;
        }
        self.note(format!(
            "batch {batch}: {} at {school}, begun until {cutoff}, {rows} rows of {students} students",
            class.code
        ));
        Ok(Some(Frozen { batch, rows: rows as u64, students: students as u64 }))
    }

    /// A batch of a school at which the caller holds the act; `NOT_FOUND` otherwise.
    pub async fn batch(&self, id: Uuid) -> Result<Batch> {
        let sql = self.locked(
            "SELECT class, school_id, state, proposed_by_id, approved_by_id, second_approved_by_id, cutoff, digest \
             FROM destruction_batch WHERE id = $1",
        );
        let unknown = || Error::not_found("DestructionBatch");
        let rows = self.raw(&sql, vec![id.into()]).await?;
        let school = self.school_named(&rows, 1, unknown).await?;
        let row = rows.first().ok_or_else(unknown)?;
        let state: String = row.try_get_by_index(2).map_err(failed)?;
        let approved = |at: usize| row.try_get_by_index::<Option<Uuid>>(at).map_err(failed);
        Ok(Batch {
            id,
            class: row.try_get_by_index(0).map_err(failed)?,
            school,
            state: DestructionState::try_from_value(&state).map_err(failed)?,
            proposed_by: row.try_get_by_index(3).map_err(failed)?,
            approved_by: approved(4)?.into_iter().chain(approved(5)?).collect(),
            cutoff: row.try_get_by_index(6).map_err(failed)?,
            digest: row.try_get_by_index(7).map_err(failed)?,
        })
    }

    /// Whether an account is the caller's own or another of the same member of staff.
    pub async fn is_caller(&self, account: Uuid) -> Result<bool> {
        let mine = self.caller.account().uuid();
        if account == mine {
            return Ok(true);
        }
        let sql = "SELECT 1 FROM account a JOIN account b ON a.staff_id = b.staff_id \
            WHERE a.id = $1 AND b.id = $2";
        Ok(!self.raw(sql, vec![account.into(), mine.into()]).await?.is_empty())
    }

    async fn list(&self, batch: Uuid) -> Result<Vec<(String, String, Row)>> {
        let sql = "SELECT noun, columns, student_id, row_id FROM destruction_item \
            WHERE batch_id = $1 AND NOT kept";
        let rows = self.raw(sql, vec![batch.into()]).await?;
        let item = |row: &QueryResult| {
            Ok((
                row.try_get_by_index(0).map_err(failed)?,
                row.try_get_by_index(1).map_err(failed)?,
                Row {
                    student: row.try_get_by_index(2).map_err(failed)?,
                    id: row.try_get_by_index(3).map_err(failed)?,
                },
            ))
        };
        rows.iter().map(item).collect()
    }

    /// Excepts all rows of a student from a batch until a day; how many they are.
    pub async fn except(
        &mut self,
        batch: &Batch,
        student: Uuid,
        until: NaiveDate,
        why: &Narrative,
    ) -> Result<u64> {
        let sql = "UPDATE destruction_item SET kept = TRUE, kept_until = $1, kept_why = $2 \
            WHERE batch_id = $3 AND student_id = $4 AND NOT kept AND NOT EXISTS (SELECT 1 FROM student q \
            WHERE q.id = destruction_item.student_id AND q.lifecycle = 'restricted')";
        let bound = vec![until.into(), why.expose().into(), batch.id.into(), student.into()];
        let kept = self.run(sql, bound).await?;
        let list = self.list(batch.id).await?;
        let sql = "UPDATE destruction_batch SET digest = $1 WHERE id = $2";
        self.run(sql, vec![digest_of(&list).into(), batch.id.into()]).await?;
        self.note(format!("batch {}: {kept} rows of {student} kept until {until}", batch.id));
        Ok(kept)
    }

    /// Puts the caller's approval on the list as it is; the second one makes the batch ready.
    pub async fn approve(&mut self, batch: &Batch) -> Result<DestructionState> {
        let (columns, state) = match batch.approved_by.is_empty() {
            true => (("approved_by_id", "approved_at"), DestructionState::Proposed),
            false => (("second_approved_by_id", "second_approved_at"), DestructionState::Approved),
        };
        let sql = format!(
            "UPDATE destruction_batch SET {} = $1, {} = $2, state = $3 \
             WHERE id = $4 AND state = 'proposed' AND {} IS NULL",
            columns.0, columns.1, columns.0
        );
        let me = self.caller.account().uuid();
        let bound = vec![me.into(), self.now.into(), state.to_value().into(), batch.id.into()];
        if self.run(&sql, bound).await? != 1 {
            return Err(Error::Conflict { what: "destruction".into() });
        }
        self.note(format!("batch {}: list {}", batch.id, hex(&batch.digest)));
        Ok(state)
    }

    /// Gives a batch up: its rows are due again.
    pub async fn withdraw(&mut self, batch: &Batch) -> Result<()> {
        let sql = "UPDATE destruction_batch SET state = 'withdrawn' \
            WHERE id = $1 AND state IN ('proposed', 'approved')";
        if self.run(sql, vec![batch.id.into()]).await? != 1 {
            return Err(Error::Conflict { what: "destruction".into() });
        }
        self.note(format!("batch {}: withdrawn", batch.id));
        Ok(())
    }

    /// Whether the list is still the one that was approved.
    pub async fn unchanged(&self, batch: &Batch) -> Result<bool> {
        Ok(digest_of(&self.list(batch.id).await?) == batch.digest)
    }

    /// Destroys what the batch has frozen and what is still due, and writes the certificate.
    pub async fn destroy(&mut self, batch: &Batch, class: &Class) -> Result<Executed> {
        let today = self.caller.today();
        let cutoff = due::cutoff(class, today)?.map(|by_now| Ord::min(by_now, batch.cutoff));
        let frozen = self.list(batch.id).await?;
        let mut gone: Vec<(String, String, Row)> = Vec::new();
        let mut counts = serde_json::Map::new();
        for (target, cutoff) in class.targets.iter().filter_map(|target| Some((target, cutoff?))) {
            let of = Of::Batch(batch.id, batch.school);
            let rows = due::rows(&self.db, (class, target), (cutoff, today), &of, MOST).await?;
            erase(&self.db, (target.table, &target.columns), &rows, self.now).await?;
            let told = target.told();
            let name = match told.is_empty() {
                true => target.table.to_owned(),
                false => format!("{}: {told}", target.table),
            };
            counts.insert(name, json!(rows.len()));
            gone.extend(rows.into_iter().map(|row| (target.table.to_owned(), told.clone(), row)));
        }
        let rows: Vec<Row> = gone.iter().map(|(_, _, row)| *row).collect();
        traces(&self.db, &rows).await?;
        self.bury(batch.id, &gone).await?;
        let spared = frozen.len().saturating_sub(gone.len());
        let certificate = self.certify(batch, class, &gone, counts).await?;
        let me = self.caller.account().uuid();
        let sql = "UPDATE destruction_batch SET state = 'destroyed', executed_by_id = $1, executed_at = $2 \
            WHERE id = $3 AND state = 'approved'";
        if self.run(sql, vec![me.into(), self.now.into(), batch.id.into()]).await? != 1 {
            return Err(Error::Conflict { what: "destruction".into() });
        }
        Ok(Executed { certificate, rows: gone.len() as u64, spared: spared as u64 })
    }

    /// Rows that went leave the list and become tombstones; those that were not due any more stay on it as kept.
    async fn bury(&self, batch: Uuid, gone: &[(String, String, Row)]) -> Result<()> {
        let columns = names(&["noun", "columns", "row_hash", "batch_id"]);
        for chunk in gone.chunks(INSERTED) {
            let hashed = chunk.iter().map(|(noun, of, row)| -> Vec<Value> {
                let hash = outside::hashed(self.store.codec.as_ref(), noun, of, row.id).to_vec();
                vec![noun.as_str().into(), of.as_str().into(), hash.into(), batch.into()]
            });
            let mut insert = insert_into("destroyed_row", columns.clone(), hashed)?;
            let known = ["noun", "columns", "row_hash"];
            insert.on_conflict(
                sea_orm::sea_query::OnConflict::columns(known).do_nothing().to_owned(),
            );
            self.execute(&insert).await?;
            let mut delete = Query::delete();
            delete
                .from_table("destruction_item")
                .and_where(Expr::col("batch_id").eq(Expr::val(batch)))
                .and_where(Expr::col("row_id").is_in(chunk.iter().map(|(_, _, row)| row.id)));
            self.execute(&delete).await?;
        }
        let sql = "UPDATE destruction_item SET kept = TRUE, kept_why = 'not due any more' \
            WHERE batch_id = $1 AND NOT kept";
        self.run(sql, vec![batch.into()]).await.map(|_| ())
    }

    async fn certify(
        &mut self,
        batch: &Batch,
        class: &Class,
        gone: &[(String, String, Row)],
        counts: serde_json::Map<String, serde_json::Value>,
    ) -> Result<Uuid> {
        let sql = "SELECT a.id, a.display_name FROM account a WHERE a.id = $1";
        let mut people = Vec::new();
        let approved = batch.approved_by.iter().map(|by| ("approved", *by));
        let all = std::iter::once(("proposed", batch.proposed_by))
            .chain(approved)
            .chain([("executed", self.caller.account().uuid())]);
        for (what, account) in all.collect::<Vec<_>>() {
            let rows = self.raw(sql, vec![account.into()]).await?;
            let row = rows.first().ok_or_else(|| Error::internal("an account is gone"))?;
            let name: String = row.try_get_by_index(1).map_err(failed)?;
            people.push(json!({ "what": what, "account": account.to_string(), "name": name }));
        }
        let school = self
            .raw("SELECT name FROM organisation WHERE id = $1", vec![batch.school.into()])
            .await?;
        let school: String = match school.first() {
            Some(row) => row.try_get_by_index(0).map_err(failed)?,
            None => String::new(),
        };
        let method = match self.db.get_database_backend() {
            DbBackend::Postgres => {
                "rows deleted with history and look-up keys; tables vacuumed after the commit"
            }
            DbBackend::Sqlite | DbBackend::MySql | _ => {
                "rows deleted and overwritten (secure_delete) with history and look-up keys; write-ahead log truncated after the commit"
            }
        };
        let (counts, people) = (json!(counts).to_string(), json!(people).to_string());
        let id = random_id();
        let text = format!(
            "{}|{}|{}|{}|{}|{counts}|{people}|{method}|{}|{}",
            batch.id,
            class.code,
            batch.school,
            batch.cutoff,
            gone.len(),
            self.now.to_rfc3339(),
            hex(&digest_of(gone))
        );
        let digest = Sha256::digest(text.as_bytes()).to_vec();
        let keep_until =
            self.caller.today().checked_add_months(Months::new(12 * CERTIFICATE_YEARS));
        let keep_until =
            keep_until.ok_or_else(|| Error::internal("a certificate outlives the calendar"))?;
        let columns = names(&[
            "id",
            "batch_id",
            "class",
            "term",
            "school_id",
            "school",
            "cutoff",
            "rows",
            "students",
            "counts",
            "people",
            "method",
            "digest",
            "destroyed_at",
            "keep_until",
        ]);
        let values: Vec<Value> = vec![
            id.into(),
            batch.id.into(),
            class.code.clone().into(),
            class.term.clone().into(),
            batch.school.into(),
            school.into(),
            batch.cutoff.into(),
            count(gone.len()).into(),
            count(students(gone)).into(),
            counts.into(),
            people.into(),
            method.into(),
            digest.clone().into(),
            self.now.into(),
            keep_until.into(),
        ];
        self.execute(&insert_into("destruction_certificate", columns, [values])?).await?;
        self.note(format!(
            "batch {}: {} rows of {} destroyed, certificate {id}, digest {}",
            batch.id,
            gone.len(),
            class.code,
            hex(&digest)
        ));
        Ok(id)
    }
}
