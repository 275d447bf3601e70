//! Of several servers one takes the backup of a night: a row of `deployment`, changed by compare-and-set.
//!
//! Whoever claims a night and stops without a word leaves it to others after some hours; one that failed is tried again
//! after some minutes.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::store::tx::{insert_into, names};
use crate::store::{Store, failed};

const KEY: &str = "backup.night";
/// After so long nobody is at work on a claim any more.
const ABANDONED: TimeDelta = TimeDelta::hours(6);
/// A backup that failed is tried again after so long.
const AGAIN: TimeDelta = TimeDelta::minutes(10);

/// Whose the backup of a night is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Claim {
    /// This server's to take; [`Store::settle_backup`] says what became of it.
    Ours(Claimed),
    /// Another server's, or it failed a moment ago.
    Theirs,
    /// It was taken.
    Taken,
}

/// A night that this server has claimed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claimed {
    day: NaiveDate,
    value: String,
}

/// Whether a night may be claimed where the row says this.
fn free(value: &str, day: NaiveDate, now: DateTime<Utc>) -> Option<Claim> {
    let mut words = value.split(' ');
    let of = words.next().and_then(|word| word.parse::<NaiveDate>().ok());
    let (what, since) = (words.next(), words.next().and_then(|word| word.parse::<i64>().ok()));
    let since = since.and_then(DateTime::from_timestamp_micros).unwrap_or_default();
    match what {
        Some("taken") if of == Some(day) => Some(Claim::Taken),
        // A night that is still being worked at holds up the next as well.
        Some("taking") if now - since < ABANDONED => Some(Claim::Theirs),
        Some("failed") if of == Some(day) && now - since < AGAIN => Some(Claim::Theirs),
        _ => None,
    }
}

impl Store {
    /// Claims the backup of a night.
    pub async fn claim_backup(&self, day: NaiveDate, now: DateTime<Utc>) -> Result<Claim> {
        let mut query = Query::select();
        query.expr_as(Expr::col("value"), "c0").from("deployment");
        query.and_where(Expr::col("key").eq(KEY));
        let row = self.db.query_one(&query).await.map_err(failed)?;
        let value = format!("{day} taking {} {}", now.timestamp_micros(), Uuid::now_v7());
        let ours = Claim::Ours(Claimed { day, value: value.clone() });
        let Some(row) = row else {
            let row = vec![KEY.into(), value.into()];
            let insert = insert_into("deployment", names(&["key", "value"]), [row])?;
            return match self.db.execute(&insert).await.map_err(failed) {
                Ok(_) => Ok(ours),
                // Another server was quicker.
                Err(Error::Conflict { .. }) => Ok(Claim::Theirs),
                Err(error) => Err(error),
            };
        };
        let known: String = row.try_get_by_index(0).map_err(failed)?;
        if let Some(claim) = free(&known, day, now) {
            return Ok(claim);
        }
        Ok(if self.exchange(&known, &value).await? { ours } else { Claim::Theirs })
    }

    /// Says what became of a claimed night.
    pub async fn settle_backup(
        &self,
        claimed: &Claimed,
        taken: bool,
        now: DateTime<Utc>,
    ) -> Result<()> {
        let word = if taken { "taken" } else { "failed" };
        let value = format!("{} {word} {}", claimed.day, now.timestamp_micros());
        // A claim that others have taken over is theirs to settle.
        self.exchange(&claimed.value, &value).await.map(drop)
    }

    async fn exchange(&self, known: &str, value: &str) -> Result<bool> {
        let mut update = Query::update();
        update.table("deployment").value("value", Expr::val(value));
        update.and_where(Expr::col("key").eq(KEY)).and_where(Expr::col("value").eq(known));
        Ok(self.db.execute(&update).await.map_err(failed)?.rows_affected() == 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_night_is_free_when_nobody_is_at_work_on_it() {
        let now: DateTime<Utc> = "2026-11-20T04:00:00Z".parse().unwrap();
        let day: NaiveDate = "2026-11-20".parse().unwrap();
        let ago = |by: TimeDelta| (now - by).timestamp_micros();
        for (value, wanted) in [
            ("2026-11-20 taken 0".to_owned(), Some(Claim::Taken)),
            ("2026-11-19 taken 0".to_owned(), None),
            (format!("2026-11-20 taking {} x", ago(TimeDelta::hours(5))), Some(Claim::Theirs)),
            (format!("2026-11-19 taking {} x", ago(TimeDelta::hours(5))), Some(Claim::Theirs)),
            (format!("2026-11-20 taking {} x", ago(TimeDelta::hours(6))), None),
            (format!("2026-11-20 failed {}", ago(TimeDelta::minutes(9))), Some(Claim::Theirs)),
            (format!("2026-11-20 failed {}", ago(TimeDelta::minutes(10))), None),
            (format!("2026-11-19 failed {}", ago(TimeDelta::minutes(1))), None),
            ("something else".to_owned(), None),
        ] {
            assert_eq!(free(&value, day, now), wanted, "{value}");
        }
    }
}
