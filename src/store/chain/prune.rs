//! What a log keeps no longer (日志留存): whole calendar months of sealed lines go, the oldest first, once they are older
//! than the settings say.
//!
//! A part is dropped in one transaction, with a signed record of it, and on record in the audit log before. What is not
//! sealed and signed stays, and so does the newest line. A clock that jumped is not believed: time has passed for a log
//! once its heads were signed on [`DAYS`] different days of it.

use chrono::{DateTime, Datelike, Days, Months, NaiveDate, NaiveTime, TimeZone, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Func, JoinType, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use uuid::Uuid;

use super::last_head;
use super::line::Log;
use super::part::{FLOOR, Part, end};
use crate::clock::Clock;
use crate::config::settings::LEAST_LOG_MONTHS;
use crate::error::{Error, Result};
use crate::store::immediate;
use crate::store::tx::unattended;
use crate::store::{Store, failed};

/// On how many different days heads must have been signed before their time is believed.
const DAYS: usize = 7;
/// How far beyond the first of these days.
const BELIEVED: Days = Days::new(31);
/// Rows of one statement.
const ROWS: usize = 1_000;

fn midnight(day: NaiveDate) -> DateTime<Utc> {
    Utc.from_utc_datetime(&day.and_time(NaiveTime::MIN))
}

/// The first instant of the month that follows.
fn next_month(at: DateTime<Utc>) -> Option<DateTime<Utc>> {
    let first = at.date_naive().with_day(1)?;
    first.checked_add_months(Months::new(1)).map(midnight)
}

impl Store {
    /// Drops from both logs the months that are older than so many; the parts that went.
    pub async fn prune_logs(&self, months: u32, clock: Clock) -> Result<Vec<Part>> {
        if months < LEAST_LOG_MONTHS {
            return Err(Error::internal("logs are kept for six months at least"));
        }
        let mut dropped = Vec::new();
        for log in Log::ALL {
            while let Some(part) = self.due_part(log, months, clock.now()).await? {
                dropped.push(self.drop_part(part, clock.now()).await?);
            }
        }
        Ok(dropped)
    }

    /// The oldest month of a log, if all of it is sealed, signed and old enough.
    async fn due_part(&self, log: Log, months: u32, now: DateTime<Utc>) -> Result<Option<Part>> {
        let db = self.log_db(log);
        let Some(now) = believed(db, log, now).await? else { return Ok(None) };
        let cutoff = now.checked_sub_months(Months::new(months));
        // Six months of the calendar may have fewer days than the record of a part must show.
        let Some(cutoff) = cutoff.map(|cutoff| Ord::min(cutoff, now - FLOOR)) else {
            return Ok(None);
        };
        let keys = self.log_keys()?;
        let after = end(db, log, &keys).await?;
        let Some(oldest) = line_at(db, log, after + 1).await? else { return Ok(None) };
        let Some(month) = next_month(oldest).filter(|month| *month <= cutoff) else {
            return Ok(None);
        };
        // The part ends before the first line of a later month, which must be there.
        let Some(next) = first_from(db, log, after, month).await? else { return Ok(None) };
        let position = next - 1;
        let signed = last_head(db, log).await?.is_some_and(|head| head.position > position);
        if !signed || position <= after {
            return Ok(None);
        }
        let (since, until) = bounds(db, log, after, position).await?;
        let hash = hash_at(db, log, position).await?;
        let key = keys.signing()?;
        let part = Part {
            log,
            position,
            first: after + 1,
            lines: position - after,
            hash,
            since,
            until,
            dropped_at: now,
            key,
            signature: Vec::new(),
        };
        Ok(Some(part.sign(&keys)?))
    }

    /// Drops a part: first the line that says so, then all of it together with its signed record.
    async fn drop_part(&self, part: Part, now: DateTime<Utc>) -> Result<Part> {
        let keys = self.log_keys()?;
        let said = format!(
            "{}: positions {} to {}, {} lines from {} to {}",
            part.log.table(),
            part.first,
            part.position,
            part.lines,
            part.since.format("%F"),
            part.until.format("%F")
        );
        let line = unattended(&keys, "audit.prune", "", &said, now)?;
        self.db.execute(&line).await.map_err(failed)?;
        let db = self.log_db(part.log);
        let tx = immediate(db).await?;
        tx.execute(&part.inserted()?).await.map_err(failed)?;
        let s = |name: &'static str| Expr::col(("s", name));
        let lines = Query::select()
            .expr(s("line_id"))
            .from_as("seal", "s")
            .and_where(s("log").eq(part.log.table()))
            .and_where(s("position").between(part.first, part.position))
            .to_owned();
        let mut gone: Vec<Uuid> = Vec::new();
        if part.log == Log::Disclosures {
            let mut ids = lines.clone();
            ids.clear_selects().expr_as(s("line_id"), "c0");
            for row in tx.query_all(&ids).await.map_err(failed)? {
                gone.push(row.try_get_by_index(0).map_err(failed)?);
            }
        }
        let delete = Query::delete()
            .from_table(part.log.table())
            .and_where(Expr::col("id").in_subquery(lines))
            .to_owned();
        let deleted = tx.execute(&delete).await.map_err(failed)?.rows_affected();
        if i64::try_from(deleted).ok() != Some(part.lines) {
            // Somebody has removed lines by hand: that is to be found, and not to be covered.
            tx.rollback().await.map_err(failed)?;
            return Err(Error::internal("a part of a log is not whole, and is not dropped"));
        }
        for table in ["seal_head", "seal"] {
            let delete = Query::delete()
                .from_table(table)
                .and_where(Expr::col("log").eq(part.log.table()))
                .and_where(Expr::col("position").lte(part.position))
                .to_owned();
            tx.execute(&delete).await.map_err(failed)?;
        }
        tx.commit().await.map_err(failed)?;
        self.forget_index(&gone).await?;
        Ok(part)
    }

    /// Forgets what the index of disclosures says of lines that are gone.
    async fn forget_index(&self, lines: &[Uuid]) -> Result<()> {
        if lines.is_empty() {
            return Ok(());
        }
        for some in lines.chunks(ROWS) {
            let delete = Query::delete()
                .from_table("disclosure_entry")
                .and_where(Expr::col("line_id").is_in(some.iter().copied()))
                .to_owned();
            self.db.execute(&delete).await.map_err(failed)?;
        }
        let used = Query::select()
            .expr(Expr::col(("e", "set_id")))
            .from_as("disclosure_entry", "e")
            .and_where(Expr::col(("e", "set_id")).equals(("disclosure_set", "set_id")))
            .to_owned();
        let delete = Query::delete()
            .from_table("disclosure_set")
            .and_where(Expr::exists(used).not())
            .to_owned();
        self.db.execute(&delete).await.map_err(failed)?;
        Ok(())
    }
}

/// The time that is believed: not later than a month beyond the seventh newest day on which heads were signed. None
/// while there are not so many days.
async fn believed(
    db: &DatabaseConnection,
    log: Log,
    now: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>> {
    let mut before = None;
    for _ in 0..DAYS {
        let mut query = Query::select();
        query
            .expr_as(Func::max(Expr::col("signed_at")), "c0")
            .from("seal_head")
            .and_where(Expr::col("log").eq(log.table()));
        if let Some(before) = before {
            query.and_where(Expr::col("signed_at").lt(before));
        }
        let row = db.query_one(&query).await.map_err(failed)?;
        let at: Option<DateTime<Utc>> = match row {
            Some(row) => row.try_get_by_index(0).map_err(failed)?,
            None => None,
        };
        let Some(at) = at else { return Ok(None) };
        before = Some(midnight(at.date_naive()));
    }
    let until = before.and_then(|day: DateTime<Utc>| day.checked_add_days(BELIEVED));
    Ok(until.map(|until| Ord::min(now, until)))
}

fn sealed(log: Log) -> sea_orm::sea_query::SelectStatement {
    Query::select()
        .from_as("seal", "s")
        .join_as(
            JoinType::InnerJoin,
            log.table(),
            "l",
            Expr::col(("l", "id")).equals(("s", "line_id")),
        )
        .and_where(Expr::col(("s", "log")).eq(log.table()))
        .to_owned()
}

/// The time of the line at a position.
async fn line_at(
    db: &DatabaseConnection,
    log: Log,
    position: i64,
) -> Result<Option<DateTime<Utc>>> {
    let mut query = sealed(log);
    query
        .expr_as(Expr::col(("l", "at")), "c0")
        .and_where(Expr::col(("s", "position")).eq(position));
    let row = db.query_one(&query).await.map_err(failed)?;
    row.map(|row| row.try_get_by_index(0).map_err(failed)).transpose()
}

/// The first position after another one whose line is not before an instant.
async fn first_from(
    db: &DatabaseConnection,
    log: Log,
    after: i64,
    at: DateTime<Utc>,
) -> Result<Option<i64>> {
    let mut query = sealed(log);
    query
        .expr_as(Expr::col(("s", "position")), "c0")
        .and_where(Expr::col(("s", "position")).gt(after))
        .and_where(Expr::col(("l", "at")).gte(at))
        .order_by(("s", "position"), Order::Asc)
        .limit(1);
    let row = db.query_one(&query).await.map_err(failed)?;
    row.map(|row| row.try_get_by_index(0).map_err(failed)).transpose()
}

/// The times of the oldest and the newest line of some positions.
async fn bounds(
    db: &DatabaseConnection,
    log: Log,
    after: i64,
    last: i64,
) -> Result<(DateTime<Utc>, DateTime<Utc>)> {
    let mut query = sealed(log);
    query
        .expr_as(Func::min(Expr::col(("l", "at"))), "c0")
        .expr_as(Func::max(Expr::col(("l", "at"))), "c1")
        .and_where(Expr::col(("s", "position")).gt(after))
        .and_where(Expr::col(("s", "position")).lte(last));
    let row = db.query_one(&query).await.map_err(failed)?;
    let row = row.ok_or_else(|| Error::internal("a part of a log is empty"))?;
    Ok((row.try_get_by_index(0).map_err(failed)?, row.try_get_by_index(1).map_err(failed)?))
}

async fn hash_at(db: &DatabaseConnection, log: Log, position: i64) -> Result<Vec<u8>> {
    let mut query = Query::select();
    query
        .expr_as(Expr::col("hash"), "c0")
        .from("seal")
        .and_where(Expr::col("log").eq(log.table()))
        .and_where(Expr::col("position").eq(position));
    let row = db.query_one(&query).await.map_err(failed)?;
    let row = row.ok_or_else(|| Error::internal("a position has no seal"))?;
    row.try_get_by_index(0).map_err(failed)
}
