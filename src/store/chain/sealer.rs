//! Gives committed lines their positions, chains them and signs the end of the chain; one server does at a time.
//!
//! Lines are taken from the list of those that wait, on which the database puts each in the transaction that writes
//! it: one that is committed late is found like any other. A lease says who seals. It spares work and nothing rests
//! on it: two that seal at once collide on the position, and the later one takes its work back.

use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, JoinType, Order, Query, SelectStatement, Value};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use uuid::Uuid;

use super::line::{Kept, Log};
use super::outside::Outside;
use super::{Head, chained, last_head, tip};
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::store::immediate;
use crate::store::tx::{insert_into, names};
use crate::store::{Store, failed};

/// Most lines of one transaction.
const LINES: u64 = 500;
/// For how long the right to seal is taken.
const LEASE: TimeDelta = TimeDelta::seconds(5);
/// It is taken again when less than this is left.
const RENEW: TimeDelta = TimeDelta::seconds(3);
/// Most heads that are kept for a file that cannot be written; the newest ones cover those before.
const OWED: usize = 1_000;
/// Between two heads, while lines come.
const PACE: Duration = Duration::from_secs(1);

/// What one look did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Lines that are sealed now and were not before.
    pub sealed: u64,
    /// Heads that were signed.
    pub heads: u64,
    /// Another server seals.
    pub elsewhere: bool,
}

/// The part of a server that seals.
#[derive(Debug)]
pub struct Sealer {
    store: Store,
    clock: Clock,
    holder: Uuid,
    outside: Option<Outside>,
    pace: Duration,
    signed: Mutex<[Option<Instant>; 2]>,
    /// Heads that are not in the file yet because it could not be written.
    owed: Mutex<Vec<Head>>,
}

impl Sealer {
    /// The sealer of a server, without a file outside.
    pub fn new(store: Store, clock: Clock) -> Self {
        Self {
            store,
            clock,
            holder: Uuid::now_v7(),
            outside: None,
            pace: PACE,
            signed: Mutex::default(),
            owed: Mutex::default(),
        }
    }

    /// The same with a file outside the database to which heads are added.
    #[must_use]
    pub fn keeping_heads(mut self, file: Option<PathBuf>) -> Self {
        self.outside = file.map(Outside::new);
        self
    }

    /// The same with another time between two heads.
    #[must_use]
    pub fn signing_every(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// Seals what waits, unless another server does.
    pub async fn look(&self) -> Result<Look> {
        let done = self.looked().await;
        let failures = metrics::counter!("xueji_seal_failures_total");
        failures.increment(u64::from(done.is_err()));
        done
    }

    async fn looked(&self) -> Result<Look> {
        let mut oldest = None;
        let mut due = Vec::new();
        for log in Log::ALL {
            metrics::counter!("xueji_seal_lines_total", "log" => log.table()).increment(0);
            let waiting = waiting_since(self.db(log), log).await?;
            oldest = [oldest, waiting].into_iter().flatten().min();
            if waiting.is_some() || self.unsigned(log).await? {
                due.push(log);
            }
        }
        let age = oldest.map_or(0, |at: DateTime<Utc>| (self.clock.now() - at).num_milliseconds());
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a delay")]
        metrics::gauge!("xueji_seal_oldest_seconds").set(Ord::max(age, 0) as f64 / 1000.0);
        let mut look = Look::default();
        if due.is_empty() && self.owed().is_empty() {
            return Ok(look);
        }
        if !self.hold().await? {
            look.elsewhere = true;
            return Ok(look);
        }
        for log in due {
            loop {
                let sealed = self.seal(log).await?;
                metrics::counter!("xueji_seal_lines_total", "log" => log.table()).increment(sealed);
                look.sealed += sealed;
                if sealed < LINES {
                    break;
                }
                // A long queue takes longer than a lease.
                if !self.hold().await? {
                    look.elsewhere = true;
                    return Ok(look);
                }
            }
            look.heads += self.sign(log).await?;
        }
        self.write_outside().await?;
        Ok(look)
    }

    fn db(&self, log: Log) -> &DatabaseConnection {
        self.store.log_db(log)
    }

    fn owed(&self) -> Vec<Head> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the end of a chain has no head.
    async fn unsigned(&self, log: Log) -> Result<bool> {
        let head = last_head(self.db(log), log).await?;
        let (end, _) = tip(self.db(log), log).await?;
        Ok(head.is_none_or(|head| head.position < end))
    }

    /// Takes the lease, or takes it again; whether this server holds it.
    async fn hold(&self) -> Result<bool> {
        let db = &self.store.db;
        let now = self.clock.now();
        let mut query = Query::select();
        query
            .expr_as(Expr::col("holder"), "c0")
            .expr_as(Expr::col("until"), "c1")
            .from("seal_lease")
            .and_where(Expr::col("id").eq(1_i64));
        let row = db.query_one(&query).await.map_err(failed)?;
        let row = row.ok_or_else(|| Error::internal("the lease of the sealer is gone"))?;
        let holder: Option<Uuid> = row.try_get_by_index(0).map_err(failed)?;
        let until: Option<DateTime<Utc>> = row.try_get_by_index(1).map_err(failed)?;
        let left = until.map_or(TimeDelta::zero(), |until| until - now);
        if holder == Some(self.holder) && left > RENEW {
            return Ok(true);
        }
        // A lease that ends later than any is given was taken by a clock that went wrong.
        if holder.is_some_and(|holder| holder != self.holder)
            && left > TimeDelta::zero()
            && left <= LEASE * 2
        {
            return Ok(false);
        }
        let known = |column: &'static str, value: Value, absent: bool| {
            if absent {
                Expr::col(column).is_null()
            } else {
                Expr::col(column).eq(Expr::val(value))
            }
        };
        let mut take = Query::update();
        take.table("seal_lease")
            .value("holder", Expr::val(self.holder))
            .value("until", Expr::val(now + LEASE))
            .and_where(Expr::col("id").eq(1_i64))
            .and_where(known("holder", holder.into(), holder.is_none()))
            .and_where(known("until", until.into(), until.is_none()));
        let taken = db.execute(&take).await.map_err(failed)?.rows_affected() == 1;
        if taken && holder != Some(self.holder) {
            tracing::info!("this server seals the logs");
        }
        Ok(taken)
    }

    /// Seals the next lines of a log, in one transaction; how many.
    async fn seal(&self, log: Log) -> Result<u64> {
        let tx = immediate(self.db(log)).await?;
        let (end, mut hash) = tip(&tx, log).await?;
        let rows = tx.query_all(&next_lines(log)).await.map_err(failed)?;
        let mut seals: Vec<Vec<Value>> = Vec::with_capacity(rows.len());
        let mut lines = Vec::with_capacity(rows.len());
        for (position, row) in (end + 1..).zip(&rows) {
            let Some(kept) = Kept::read(log, row, 0)? else { continue };
            hash = chained(&hash, log, position, &kept.link()).to_vec();
            lines.push(kept.id);
            seals.push(vec![
                log.table().into(),
                position.into(),
                kept.id.into(),
                hash.clone().into(),
            ]);
        }
        if seals.is_empty() {
            tx.rollback().await.map_err(failed)?;
            return Ok(0);
        }
        let count = seals.len() as u64;
        let columns = names(&["log", "position", "line_id", "hash"]);
        tx.execute(&insert_into("seal", columns, seals)?).await.map_err(failed)?;
        let mut done = Query::delete();
        done.from_table("seal_waiting")
            .and_where(Expr::col("log").eq(log.table()))
            .and_where(Expr::col("line_id").is_in(lines));
        tx.execute(&done).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(count)
    }

    /// Signs the end of a chain that has grown, unless a head was signed a moment ago; how many.
    async fn sign(&self, log: Log) -> Result<u64> {
        let db = self.db(log);
        let slot = usize::from(log == Log::Disclosures);
        let last = self.signed.lock().unwrap_or_else(PoisonError::into_inner)[slot];
        let known = last_head(db, log).await?;
        if known.is_some() && last.is_some_and(|at| at.elapsed() < self.pace) {
            return Ok(0);
        }
        let (position, hash) = tip(db, log).await?;
        if known.as_ref().is_some_and(|known| known.position >= position) {
            return Ok(0);
        }
        let keys = self.store.log_keys()?;
        let before = match &known {
            Some(known) => known.before,
            None => uncoded(db, log).await?,
        };
        let signed_at = self.clock.now();
        let key = keys.signing()?;
        let head = Head { log, position, hash, before, signed_at, key, signature: Vec::new() };
        let head = head.sign(&keys)?;
        let columns = ["log", "position", "hash", "before", "signed_at", "key_id", "signature"];
        let row: Vec<Value> = vec![
            log.table().into(),
            head.position.into(),
            head.hash.clone().into(),
            head.before.into(),
            head.signed_at.into(),
            head.key.into(),
            head.signature.clone().into(),
        ];
        let insert = insert_into("seal_head", names(&columns), [row])?;
        db.execute(&insert).await.map_err(failed)?;
        self.signed.lock().unwrap_or_else(PoisonError::into_inner)[slot] = Some(Instant::now());
        if self.outside.is_some() {
            let mut owed = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
            owed.push(head);
            if owed.len() > OWED {
                owed.remove(0);
            }
        }
        Ok(1)
    }

    /// Adds to the file outside what it does not hold yet.
    async fn write_outside(&self) -> Result<()> {
        let Some(outside) = &self.outside else { return Ok(()) };
        let owed = self.owed();
        if owed.is_empty() {
            return Ok(());
        }
        outside.add(&owed).await?;
        let mut left = self.owed.lock().unwrap_or_else(PoisonError::into_inner);
        let written = std::cmp::min(owed.len(), left.len());
        left.drain(..written);
        Ok(())
    }
}

/// Lines that wait, those without a code first: they are from before logs were sealed, and the first head says how
/// many there were.
fn next_lines(log: Log) -> SelectStatement {
    let mut query = Query::select();
    for (at, column) in Kept::columns(log).into_iter().enumerate() {
        query.expr_as(Expr::col(("l", column)), format!("c{at}"));
    }
    query
        .from_as("seal_waiting", "w")
        .join_as(
            JoinType::InnerJoin,
            log.table(),
            "l",
            Expr::col(("l", "id")).equals(("w", "line_id")),
        )
        .and_where(Expr::col(("w", "log")).eq(log.table()))
        .order_by_expr(Expr::col(("l", "code")).is_not_null(), Order::Asc)
        .order_by(("l", "at"), Order::Asc)
        .order_by(("l", "id"), Order::Asc)
        .limit(LINES);
    query
}

/// When the oldest line was written that waits.
async fn waiting_since(db: &DatabaseConnection, log: Log) -> Result<Option<DateTime<Utc>>> {
    let mut query = Query::select();
    query
        .expr_as(Expr::col(("l", "at")), Alias::new("c0"))
        .from_as("seal_waiting", "w")
        .join_as(
            JoinType::InnerJoin,
            log.table(),
            "l",
            Expr::col(("l", "id")).equals(("w", "line_id")),
        )
        .and_where(Expr::col(("w", "log")).eq(log.table()))
        .order_by(("l", "at"), Order::Asc)
        .limit(1);
    let row = db.query_one(&query).await.map_err(failed)?;
    row.map(|row| row.try_get_by_index(0).map_err(failed)).transpose()
}

/// How many sealed lines have no code.
async fn uncoded(db: &DatabaseConnection, log: Log) -> Result<i64> {
    let mut query = Query::select();
    query
        .expr_as(Expr::col(("s", "position")).count(), "c0")
        .from_as("seal", "s")
        .join_as(
            JoinType::InnerJoin,
            log.table(),
            "l",
            Expr::col(("l", "id")).equals(("s", "line_id")),
        )
        .and_where(Expr::col(("s", "log")).eq(log.table()))
        .and_where(Expr::col(("l", "code")).is_null());
    match db.query_one(&query).await.map_err(failed)? {
        Some(row) => row.try_get_by_index(0).map_err(failed),
        None => Ok(0),
    }
}
