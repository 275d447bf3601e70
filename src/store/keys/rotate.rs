//! A new data key, while servers run: it is made known, then it seals, then the rows move to it.
//!
//! A row moves by compare-and-set on its sealed bytes, in small transactions by primary key, so that no edit
//! is lost and nobody waits long; neither its version nor its history tells of it. Interrupted at any point,
//! the same command goes on. The first key of a registry that an earlier version kept in the clear is made here
//! too: that rotation alone reads clear text, in rows and in the history. Values are never printed.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, SelectStatement, SimpleExpr, Value};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, QueryResult, Statement,
};
use uuid::Uuid;

use super::super::failed;
use super::super::progress::Progress;
use super::super::tx::{insert_into, names};
use super::cipher::{DataKey, clear, head, key_of};
use super::history::{self, HISTORY};
use super::logs::LogKeys;
use super::master::MasterKey;
use super::{
    Refusal, Sealed, State, Stored, beginning, immediate, insert, on_record, stored, tables,
    unfinished,
};
use crate::access::view::Registry;
use crate::config::settings::DataCipher;
use crate::error::{Error, Result};

/// How long a new key is known before it seals. Servers look at the keys twice a second, so that one which
/// misses this has had no database for as long.
pub const ARRIVAL: Duration = Duration::from_secs(5);
/// Rows of one transaction: on SQLite others wait for it.
pub const BATCH: u64 = 200;

/// A change of the data key.
pub struct Rotation {
    /// The database.
    pub db: DatabaseConnection,
    /// What has sealed columns.
    pub registry: &'static Registry,
    /// What wraps the keys.
    pub master: Arc<dyn MasterKey>,
    /// The cipher of the new key.
    pub cipher: DataCipher,
    /// How long a new key is known before it seals.
    pub arrival: Duration,
    /// Rows of one transaction.
    pub batch: u64,
}

impl std::fmt::Debug for Rotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rotation({:?})", self.cipher)
    }
}

/// What came of a rotation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotated {
    /// The key that seals now.
    pub key: u32,
    /// Its cipher, which is that of an interrupted rotation when this went on with one.
    pub cipher: DataCipher,
    /// Rows that were rewritten this time.
    pub rows: u64,
    /// Whether an earlier rotation was gone on with.
    pub resumed: bool,
    /// Whether the registry was in the clear before.
    pub from_clear: bool,
}

/// The key of a row: the student, where the table hangs from students, and the row.
type RowKey = (Option<Uuid>, Uuid);

/// The keys of a rotation, opened.
pub(super) struct Keys {
    old: Vec<DataKey>,
    pub(super) new: DataKey,
    /// Whether clear text may be read.
    from_clear: bool,
}

impl Keys {
    /// The text of a stored value, whatever it is under; none when it does not open.
    pub(super) fn text(
        &self,
        (table, column): (&str, &str),
        row: Uuid,
        value: &[u8],
    ) -> Option<String> {
        match key_of(value) {
            Some(id) => {
                let mut keys = self.old.iter().chain([&self.new]);
                keys.find(|key| key.id == id)?.open(table, column, row, value).ok()
            }
            None if self.from_clear => clear(value).map(str::to_owned),
            None => None,
        }
    }
}

impl Rotation {
    /// Runs it to its end, or goes on with one that was interrupted.
    pub async fn run(&self, now: DateTime<Utc>) -> Result<Rotated, Refusal> {
        let (target, resumed) = match self.begin(now).await {
            // The same command runs twice, and the other was quicker: its key is gone on with.
            Err(Refusal::Failed(Error::Conflict { .. })) => self.begin(now).await?,
            begun => begun?,
        };
        let (keys, state) = self.keys(target).await?;
        if state == State::Arriving {
            // On a registry in the clear no server of this version runs.
            if !keys.from_clear {
                tokio::time::sleep(self.arrival).await;
            }
            self.activate(target, now).await?;
        }
        let sealed = tables(self.registry);
        let mut progress = Progress::new(self.expected(&sealed, target, keys.from_clear).await?);
        let mut rows = 0;
        for table in &sealed {
            rows += self.table(table, &keys, true, &mut progress).await?;
        }
        if keys.from_clear {
            rows += self.history(&keys, &mut progress).await?;
        }
        // What was sealed under the old key meanwhile, by acts that had begun before the new one was active.
        loop {
            if !keys.from_clear {
                tokio::time::sleep(self.arrival).await;
            }
            let mut late = 0;
            for table in &sealed {
                late += self.table(table, &keys, false, &mut progress).await?;
            }
            rows += late;
            if late == 0 {
                break;
            }
        }
        if keys.from_clear {
            progress.say("removing what is left of the clear text in the database");
            self.sweep(&sealed).await?;
        }
        let mut update = Query::update();
        update
            .table("key_rewrite")
            .value("done", true)
            .and_where(Expr::col("key_id").eq(i64::from(target)));
        self.db.execute(&update).await.map_err(failed)?;
        progress.finish();
        let cipher = stored(&self.db).await?.into_iter().find(|key| key.id == target);
        let cipher = cipher.map_or(self.cipher, |key| key.algorithm);
        Ok(Rotated { key: target, cipher, rows, resumed, from_clear: keys.from_clear })
    }

    /// The key to move to: that of an interrupted rotation, else a new one; and whether it is the former.
    async fn begin(&self, now: DateTime<Utc>) -> Result<(u32, bool), Refusal> {
        let tx = immediate(&self.db).await?;
        let known = stored(&tx).await?;
        // Nothing is written with another master key.
        for key in &known {
            key.opened(self.master.as_ref()).await?;
        }
        if let Some(id) = unfinished(&tx).await? {
            tx.rollback().await.map_err(failed)?;
            return Ok((id, true));
        }
        let id = known.last().map_or(0, |key| key.id) + 1;
        let tables = tables(self.registry);
        let names_of = tables.iter().map(|sealed| sealed.table);
        let clear = known.is_empty().then_some(HISTORY);
        let rows = names_of
            .chain(clear)
            .map(|table| -> Vec<Value> { vec![i64::from(id).into(), table.into(), false.into()] });
        let columns = names(&["key_id", "table_name", "done"]);
        insert(&tx, self.master.as_ref(), id, self.cipher, State::Arriving, now).await?;
        tx.execute(&insert_into("key_rewrite", columns, rows)?).await.map_err(failed)?;
        let logs = LogKeys::make(&tx, self.master.as_ref(), now).await?;
        on_record(&tx, &logs, "keys.rotate", id, now).await?;
        tx.commit().await.map_err(failed)?;
        Ok((id, false))
    }

    async fn keys(&self, target: u32) -> Result<(Keys, State), Refusal> {
        let known = stored(&self.db).await?;
        let from_clear = known.first().is_some_and(|key| key.id == target);
        let mut old = Vec::new();
        let mut new = None;
        for key in &known {
            let opened = key.opened(self.master.as_ref()).await?;
            if key.id == target {
                new = Some((opened, key.state));
            } else {
                old.push(opened);
            }
        }
        let (new, state) = new.ok_or(Refusal::None)?;
        Ok((Keys { old, new, from_clear }, state))
    }

    /// From here on the new key seals, and the one before it opens only.
    async fn activate(&self, target: u32, now: DateTime<Utc>) -> Result<(), Refusal> {
        let tx = immediate(&self.db).await?;
        let arriving = |key: &Stored| key.id == target && key.state == State::Arriving;
        if !stored(&tx).await?.iter().any(arriving) {
            // The same command runs twice, and the other was quicker.
            return Ok(tx.rollback().await.map_err(failed)?);
        }
        let this = || Expr::col("id").eq(i64::from(target));
        for (which, from, to) in [
            (this().not(), State::Active, State::Retired),
            (this(), State::Arriving, State::Active),
        ] {
            let mut update = Query::update();
            update
                .table("data_key")
                .value("state", to.word())
                .and_where(Expr::col("kind").eq(super::KIND))
                .and_where(Expr::col("state").eq(from.word()))
                .and_where(which);
            tx.execute(&update).await.map_err(failed)?;
        }
        let logs = LogKeys::make(&tx, self.master.as_ref(), now).await?;
        on_record(&tx, &logs, "keys.activate", target, now).await?;
        tx.commit().await.map_err(failed)?;
        Ok(())
    }

    async fn expected(&self, sealed: &[Sealed], target: u32, history: bool) -> Result<u64> {
        let count = |table: &'static str| {
            let mut query = Query::select();
            query.expr_as(Expr::col("id").count(), "c0").from(table);
            query
        };
        let mut queries: Vec<SelectStatement> = sealed
            .iter()
            .map(|table| count(table.table).and_where(stale(table, target)).to_owned())
            .collect();
        queries.extend(history.then(|| count(HISTORY)));
        let mut rows = 0;
        for query in queries {
            let row = self.db.query_one(&query).await.map_err(failed)?;
            let count: i64 = match row {
                Some(row) => row.try_get_by_index(0).map_err(failed)?,
                None => 0,
            };
            rows += u64::try_from(count).unwrap_or_default();
        }
        Ok(rows)
    }

    /// Moves the rows of a table, from where an earlier run stopped or from the beginning; how many.
    async fn table(
        &self,
        sealed: &Sealed,
        keys: &Keys,
        go_on: bool,
        progress: &mut Progress,
    ) -> Result<u64, Refusal> {
        let mut after = if go_on { self.reached(keys.new.id, sealed.table).await? } else { None };
        let mut moved = 0;
        loop {
            let mut query = Query::select();
            if sealed.of_student {
                query.expr_as(Expr::col("student_id"), "c0");
            } else {
                query.expr_as(Expr::val(None::<Uuid>), "c0");
            }
            query.expr_as(Expr::col("id"), "c1");
            for (at, column) in sealed.columns.iter().enumerate() {
                query.expr_as(Expr::col(*column), format!("c{}", at + 2));
            }
            query.from(sealed.table).and_where(stale(sealed, keys.new.id));
            page(&mut query, sealed.of_student, after, self.batch);
            // Read before the transaction: a look through a large table holds up nobody who writes.
            let rows = self.db.query_all(&query).await.map_err(failed)?;
            if rows.is_empty() {
                return Ok(moved);
            }
            let tx = immediate(&self.db).await?;
            let mut changed = 0;
            for row in &rows {
                let key = row_key(row)?;
                changed += self.row(&tx, sealed, keys, key, row).await?;
                after = Some(key);
            }
            if go_on {
                remember(&tx, keys.new.id, sealed.table, after).await?;
            }
            tx.commit().await.map_err(failed)?;
            moved += changed;
            progress.add(changed);
            if (rows.len() as u64) < self.batch {
                return Ok(moved);
            }
        }
    }

    /// Moves one row, unless somebody changed it since it was read: then a later look finds it again.
    async fn row(
        &self,
        tx: &DatabaseTransaction,
        sealed: &Sealed,
        keys: &Keys,
        (student, id): RowKey,
        row: &QueryResult,
    ) -> Result<u64, Refusal> {
        let mut update = Query::update();
        update.table(sealed.table).and_where(Expr::col("id").eq(Expr::val(id)));
        if let Some(student) = student {
            update.and_where(Expr::col("student_id").eq(Expr::val(student)));
        }
        for (at, column) in sealed.columns.iter().copied().enumerate() {
            let value: Option<Vec<u8>> = row.try_get_by_index(at + 2).map_err(failed)?;
            let Some(value) = value.filter(|value| key_of(value) != Some(keys.new.id)) else {
                continue;
            };
            let text = keys.text((sealed.table, column), id, &value);
            let text = text.ok_or_else(|| Refusal::Foreign {
                table: sealed.table,
                column: column.to_owned(),
                row: id,
            })?;
            let anew = keys.new.seal(sealed.table, column, id, &text)?;
            update.value(column, Expr::val(anew)).and_where(Expr::col(column).eq(value));
        }
        Ok(tx.execute(&update).await.map_err(failed)?.rows_affected())
    }

    async fn reached(&self, key: u32, table: &str) -> Result<Option<RowKey>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("student_id"), "c0")
            .expr_as(Expr::col("row_id"), "c1")
            .from("key_rewrite")
            .and_where(Expr::col("key_id").eq(i64::from(key)))
            .and_where(Expr::col("table_name").eq(table))
            .and_where(Expr::col("row_id").is_not_null());
        let row = self.db.query_one(&query).await.map_err(failed)?;
        row.as_ref().map(row_key).transpose()
    }

    /// Brings the history of a registry in the clear over; rows of the history that are looked at count.
    async fn history(&self, keys: &Keys, progress: &mut Progress) -> Result<u64, Refusal> {
        let mut after = self.reached(keys.new.id, HISTORY).await?;
        let mut moved = 0;
        loop {
            let mut query = history::select();
            page(&mut query, true, after, self.batch);
            let rows = self.db.query_all(&query).await.map_err(failed)?;
            if rows.is_empty() {
                return Ok(moved);
            }
            let tx = immediate(&self.db).await?;
            for row in &rows {
                let key = row_key(row)?;
                moved += history::rewrite(&tx, self.registry, keys, key, row).await?;
                after = Some(key);
            }
            remember(&tx, keys.new.id, HISTORY, after).await?;
            tx.commit().await.map_err(failed)?;
            let seen = rows.len() as u64;
            progress.add(seen);
            if seen < self.batch {
                return Ok(moved);
            }
        }
    }

    /// Writes the database anew, so that no freed page holds what stood there before.
    async fn sweep(&self, sealed: &[Sealed]) -> Result<()> {
        let backend = self.db.get_database_backend();
        if backend == DbBackend::Postgres {
            for table in sealed.iter().map(|table| table.table).chain([HISTORY]) {
                let vacuum = format!("VACUUM (FULL) \"{table}\"");
                self.db.execute_unprepared(&vacuum).await.map_err(failed)?;
            }
            return Ok(());
        }
        self.db.execute_unprepared("VACUUM").await.map_err(failed)?;
        let checkpoint = Statement::from_string(backend, "PRAGMA wal_checkpoint(TRUNCATE)");
        let row = self.db.query_one_raw(checkpoint).await.map_err(failed)?;
        let busy: i64 = match row {
            Some(row) => row.try_get_by_index(0).map_err(failed)?,
            None => 0,
        };
        // Somebody reads the file; the same command finishes the work once nobody does.
        if busy == 0 { Ok(()) } else { Err(Error::Unavailable) }
    }
}

/// Rows of which some column is not under the key.
fn stale(sealed: &Sealed, key: u32) -> SimpleExpr {
    sealed.any(|column| {
        let other = beginning(column).ne(Expr::val(head(key).to_vec()));
        Expr::col(column).is_not_null().and(other)
    })
}

/// The next rows by primary key.
fn page(query: &mut SelectStatement, of_student: bool, after: Option<RowKey>, most: u64) {
    match (of_student, after) {
        (true, Some((Some(student), id))) => {
            let later = Expr::col("student_id").gt(Expr::val(student));
            query
                .and_where(Expr::col("student_id").gte(Expr::val(student)))
                .and_where(later.or(Expr::col("id").gt(Expr::val(id))));
        }
        (_, Some((_, id))) => {
            query.and_where(Expr::col("id").gt(Expr::val(id)));
        }
        (_, None) => {}
    }
    if of_student {
        query.order_by("student_id", Order::Asc);
    }
    query.order_by("id", Order::Asc).limit(most);
}

fn row_key(row: &QueryResult) -> Result<RowKey> {
    Ok((row.try_get_by_index(0).map_err(failed)?, row.try_get_by_index(1).map_err(failed)?))
}

/// Puts down how far a table is, in the transaction that got there.
async fn remember(
    tx: &DatabaseTransaction,
    key: u32,
    table: &str,
    reached: Option<RowKey>,
) -> Result<()> {
    let Some((student, id)) = reached else { return Ok(()) };
    let mut update = Query::update();
    update
        .table("key_rewrite")
        .value("student_id", Expr::val(student))
        .value("row_id", Expr::val(id))
        .and_where(Expr::col("key_id").eq(i64::from(key)))
        .and_where(Expr::col("table_name").eq(table));
    tx.execute(&update).await.map_err(failed).map(|_| ())
}

/// The keys of a database, and how many tables are still on their way to the newest.
pub async fn listed(db: &DatabaseConnection) -> Result<(Vec<Stored>, Option<u32>)> {
    Ok((stored(db).await?, unfinished(db).await?))
}
