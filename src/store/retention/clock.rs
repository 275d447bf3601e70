//! Whether the time can be believed: a clock that jumps must not make rows due.
//!
//! The audit log is the witness. The clock is not before its newest line, and the newest line that is at least a day old
//! is not older than a setting says: after a jump everything that is a day old is from before it, whatever was written
//! since.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::{ConnectionTrait, Statement};

use crate::error::{Error, Result, Why};
use crate::store::failed;

/// What lines of several servers may differ in.
const SLACK: TimeDelta = TimeDelta::minutes(5);

/// Refuses to go on by a clock that the log contradicts.
pub(in crate::store) async fn believed<C: ConnectionTrait>(
    db: &C,
    now: DateTime<Utc>,
    ahead_days: u32,
) -> Result<()> {
    let newest = |sql: &'static str, bound: Vec<sea_orm::Value>| async move {
        let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, bound);
        match db.query_one_raw(statement).await.map_err(failed)? {
            Some(row) => row.try_get_by_index::<Option<DateTime<Utc>>>(0).map_err(failed),
            None => Ok(None),
        }
    };
    const LAST: &str = "SELECT at FROM audit ORDER BY at DESC LIMIT 1";
    const SETTLED: &str = "SELECT at FROM audit WHERE at <= $1 ORDER BY at DESC LIMIT 1";
    let last = newest(LAST, Vec::new()).await?;
    if last.is_some_and(|last| last > now + SLACK) {
        return Err(refused(
            "the clock is behind the audit log: nothing is destroyed until it is right again",
            "系统时钟早于审计日志的最后一行：校正之前不得销毁",
        ));
    }
    let settled = newest(SETTLED, vec![(now - TimeDelta::days(1)).into()]).await?;
    if settled.is_some_and(|settled| settled < now - TimeDelta::days(ahead_days.into())) {
        return Err(refused(
            "the clock is far ahead of the audit log: nothing is destroyed until it has been right for a day",
            "系统时钟远远超前于审计日志：时钟正确运行满一天之前不得销毁",
        ));
    }
    Ok(())
}

fn refused(en: &str, zh: &str) -> Error {
    Error::Refused { rule: "DESTRUCTION_CLOCK", why: Why::new(en.to_owned(), zh.to_owned()) }
}
