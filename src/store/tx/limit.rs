//! How often an account may try an act: counted in the database, in the transaction of the act.
//!
//! The account's row is locked first, so that several processes count one after the other. A try that
//! found nothing counts as well: [`Tx::miss`] lets it commit, on record as denied.

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, LockType, Query, Value};
use uuid::Uuid;

use super::trace::Line;
use super::{Tx, insert_into, names};
use crate::error::{Error, Result, Why};
use crate::store::failed;

/// So many tries of an act in any hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// The name of the limit.
    pub what: &'static str,
    /// The most tries in an hour.
    pub an_hour: u32,
}

impl Tx {
    /// Locks the account until the act ends, so that what follows is done one after the other.
    pub async fn lock_account(&self) -> Result<()> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .from("account")
            .and_where(Expr::col("id").eq(Expr::val(self.caller.account().uuid())))
            .lock(LockType::NoKeyUpdate);
        self.select(&query).await.map(|_rows| ())
    }

    /// Counts a try of the act; `LIMIT_EXCEEDED`, with when to try again, when there were too many.
    pub async fn count_try(&self, rate: Rate) -> Result<()> {
        self.lock_account().await?;
        let hour = TimeDelta::hours(1);
        let account = self.caller.account().uuid();
        let mine = |expr: Expr| {
            expr.and(Expr::col("account_id").eq(Expr::val(account)))
                .and(Expr::col("action").eq(self.action.name()))
        };
        let mut old = Query::delete();
        old.from_table("act_try").and_where(mine(Expr::col("at").lte(self.now - hour)));
        self.execute(&old).await?;
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id").count(), "c0")
            .expr_as(Expr::col("at").min(), "c1")
            .from("act_try")
            .and_where(mine(Expr::col("at").gt(self.now - hour)));
        let rows = self.select(&query).await?;
        let row = rows.first().ok_or_else(|| Error::internal("a count is one row"))?;
        let tries: i64 = row.try_get_by_index(0).map_err(failed)?;
        let first: Option<DateTime<Utc>> = row.try_get_by_index(1).map_err(failed)?;
        if tries >= i64::from(rate.an_hour) {
            metrics::counter!("xueji_limit_refusals_total", "limit" => rate.what).increment(1);
            return Err(too_many(rate, first.unwrap_or(self.now) + hour));
        }
        let columns = names(&["id", "account_id", "action", "at"]);
        let values: Vec<Value> =
            vec![Uuid::now_v7().into(), account.into(), self.action.name().into(), self.now.into()];
        self.execute(&insert_into("act_try", columns, [values])?).await?;
        Ok(())
    }

    /// The try came to nothing: the act commits its count, and the line on record says denied.
    pub fn miss(&mut self, error: &Error) {
        self.missed = Some(Line::denied(error));
    }
}

fn too_many(rate: Rate, again: DateTime<Utc>) -> Error {
    let (most, again) = (rate.an_hour, again.to_rfc3339_opts(SecondsFormat::Secs, true));
    Error::Limit {
        what: rate.what,
        why: Why::new(
            format!("this may be done {most} times an hour; try again at {again}"),
            format!("每小时最多 {most} 次；请在 {again} 之后重试"),
        ),
    }
}
