//! How many accounts and students a role at a reach touches today: what a change of policy concerns.
//!
//! Counts alone leave; the places are those of [`place`](crate::access::place), so that a count here and a
//! list there speak of the same students. Two statements for each pair, whatever the number of accounts.

use chrono::NaiveDate;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement};
use uuid::Uuid;

use super::{Store, failed};
use crate::access::caller::Places;
use crate::access::place::{Writing, student_covered};
use crate::access::table::Reach;
use crate::error::Result;

/// How many accounts hold a pair, and how many students their places cover.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reached {
    /// Accounts that are not disabled, each once.
    pub accounts: i64,
    /// Students with a live record, each once.
    pub students: i64,
}

/// Columns of the grants of a pair that hold today, of accounts that are not disabled.
fn grants(role: &str, reach: Reach, today: NaiveDate) -> SelectStatement {
    let col = |name: &'static str| Expr::col(("g", name));
    Query::select()
        .from_as("access_grant", "g")
        .join_as(
            sea_orm::JoinType::InnerJoin,
            "account",
            "a",
            Expr::col(("a", "id")).equals(("g", "account_id")),
        )
        .and_where(col("role").eq(role))
        .and_where(col("reach").eq(reach.word()))
        .and_where(col("ended_at").is_null())
        .and_where(col("since").lte(today))
        .and_where(col("until").is_null().or(col("until").gte(today)))
        .and_where(Expr::col(("a", "disabled")).eq(false))
        .to_owned()
}

impl Store {
    /// What a role at a reach touches today; without a role, what every account touches anywhere.
    pub async fn reached(
        &self,
        role: Option<&str>,
        reach: Reach,
        today: NaiveDate,
    ) -> Result<Reached> {
        let writing = Writing { backend: self.backend(), today, account: None };
        let Some(role) = role else {
            let mut accounts = Query::select();
            accounts
                .expr_as(Func::count(Expr::col(("a", "id"))), "c0")
                .from_as("account", "a")
                .and_where(Expr::col(("a", "disabled")).eq(false));
            let nowhere = Places::default();
            let all = student_covered(Expr::col(("s", "id")), Reach::Anywhere, &nowhere, writing);
            return Ok(Reached {
                accounts: self.count(&accounts).await?,
                students: self.students(all).await?,
            });
        };
        let held = grants(role, reach, today);
        let col = |name: &'static str| Expr::col(("g", name));
        // The students of families are named by the grants themselves and may be all there are.
        if matches!(reach, Reach::Own | Reach::Ward) {
            let mut accounts = held.clone();
            accounts.expr_as(Func::count_distinct(col("account_id")), "c0");
            let mut named = held;
            named.expr(col("student_id"));
            return Ok(Reached {
                accounts: self.count(&accounts).await?,
                students: self.students(Expr::col(("s", "id")).in_subquery(named)).await?,
            });
        }
        let mut query = held;
        query
            .distinct()
            .expr_as(col("account_id"), "c0")
            .expr_as(col("class_group_id"), "c1")
            .expr_as(col("course_id"), "c2")
            .expr_as(col("year_level_id"), "c3")
            .expr_as(col("organisation_id"), "c4");
        let mut places = Places::default();
        let mut accounts = Vec::new();
        for row in self.select(&query).await? {
            let key = |at: usize| row.try_get_by_index::<Option<Uuid>>(at).map_err(failed);
            accounts.extend(key(0)?);
            match reach {
                Reach::Teaching => places.teaching.extend(key(1)?.zip(key(2)?)),
                Reach::Class => places.class_groups.extend(key(1)?),
                Reach::YearLevel => places.year_levels.extend(key(3)?),
                Reach::School | Reach::Region => places.organisations.extend(key(4)?),
                Reach::Anywhere | Reach::Own | Reach::Ward | Reach::Opened => {}
            }
        }
        for ids in [
            &mut accounts,
            &mut places.class_groups,
            &mut places.year_levels,
            &mut places.organisations,
        ] {
            ids.sort_unstable();
            ids.dedup();
        }
        let covered = student_covered(Expr::col(("s", "id")), reach, &places, writing);
        let students = if accounts.is_empty() { 0 } else { self.students(covered).await? };
        Ok(Reached { accounts: i64::try_from(accounts.len()).unwrap_or(i64::MAX), students })
    }

    /// The pairs of role and reach that accounts hold today, as the grants name them.
    pub async fn held_pairs(&self, today: NaiveDate) -> Result<Vec<(String, String)>> {
        let col = |name: &'static str| Expr::col(("g", name));
        let mut query = Query::select();
        query
            .distinct()
            .expr_as(col("role"), "c0")
            .expr_as(col("reach"), "c1")
            .from_as("access_grant", "g")
            .and_where(col("ended_at").is_null())
            .and_where(col("since").lte(today))
            .and_where(col("until").is_null().or(col("until").gte(today)));
        let mut pairs = Vec::new();
        for row in self.select(&query).await? {
            let role: String = row.try_get_by_index(0).map_err(failed)?;
            let reach: String = row.try_get_by_index(1).map_err(failed)?;
            pairs.push((role, reach));
        }
        pairs.sort_unstable();
        Ok(pairs)
    }

    async fn students(&self, covered: Expr) -> Result<i64> {
        let mut query = Query::select();
        query
            .expr_as(Func::count(Expr::col(("s", "id"))), "c0")
            .from_as("student", "s")
            .and_where(Expr::col(("s", "lifecycle")).eq("live"))
            .and_where(covered);
        self.count(&query).await
    }

    async fn count(&self, query: &SelectStatement) -> Result<i64> {
        match self.select(query).await?.first() {
            Some(row) => row.try_get_by_index(0).map_err(failed),
            None => Ok(0),
        }
    }
}
