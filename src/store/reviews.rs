//! How many uses of break-glass wait for their review, for whoever watches the server. No row and no
//! person is read here.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Func, Query};
use sea_orm::{ActiveEnum, ConnectionTrait};
use xueji_entity::access_review::ReviewState;

use super::{Store, failed};
use crate::error::{Error, Result};

/// The queue of the reviewers in two numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Queue {
    /// Uses that wait for a decision.
    pub waiting: i64,
    /// Those of them whose review is overdue.
    pub overdue: i64,
}

impl Store {
    /// The queue of the reviewers at this instant.
    pub async fn review_queue(&self, now: DateTime<Utc>) -> Result<Queue> {
        let col = |name: &'static str| Expr::col(("r", name));
        let overdue = CaseStatement::new().case(col("due_at").lte(now), Expr::val(1_i64));
        let mut query = Query::select();
        query
            .expr_as(Func::count(col("id")), "c0")
            .expr_as(Func::count(Expr::Case(Box::new(overdue))), "c1")
            .from_as("access_review", "r")
            .and_where(col("state").eq(ReviewState::Waiting.to_value()))
            .and_where(col("lifecycle").eq("live"));
        // Beside the requests, and so not counted among their statements.
        let rows = self.db.query_all(&query).await.map_err(failed)?;
        let row = rows.first().ok_or_else(|| Error::internal("a count is one row"))?;
        Ok(Queue {
            waiting: row.try_get_by_index(0).map_err(failed)?,
            overdue: row.try_get_by_index(1).map_err(failed)?,
        })
    }
}
