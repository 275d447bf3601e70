//! Accounts and their grants, as sign-in needs them: read without a scope, since the scope is made
//! from them. Nothing here reads a pupil.

use chrono::NaiveDate;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;
use xueji_entity::value::AccountId;

use super::{Store, failed};
use crate::access::caller::{Grant, Place};
use crate::access::policy::Policy;
use crate::access::table::Reach;
use crate::error::Result;

impl Store {
    /// The grants of an account that hold today; none when the account is unknown or disabled.
    pub async fn grants(
        &self,
        account: AccountId,
        policy: &Policy,
        today: NaiveDate,
    ) -> Result<Option<Vec<Grant>>> {
        let col = |name: &'static str| Expr::col(("g", name));
        let mut query = Query::select();
        query
            .expr_as(col("id"), "c0")
            .expr_as(col("role"), "c1")
            .expr_as(col("reach"), "c2")
            .expr_as(col("student_id"), "c3")
            .expr_as(col("class_group_id"), "c4")
            .expr_as(col("course_id"), "c5")
            .expr_as(col("year_level_id"), "c6")
            .expr_as(col("organisation_id"), "c7")
            .expr_as(col("since"), "c8")
            .expr_as(col("until"), "c9")
            .from_as("account", "a")
            .join_as(
                sea_orm::JoinType::LeftJoin,
                "access_grant",
                "g",
                col("account_id")
                    .equals(("a", "id"))
                    .and(col("ended_at").is_null())
                    .and(col("since").lte(today))
                    .and(col("until").is_null().or(col("until").gte(today))),
            )
            .and_where(Expr::col(("a", "id")).eq(account.uuid()))
            .and_where(Expr::col(("a", "disabled")).eq(false));
        let rows = self.select_by_keys(&query).await?;
        if rows.is_empty() {
            return Ok(None);
        }
        let mut grants = Vec::with_capacity(rows.len());
        for row in &rows {
            let key = |at: usize| row.try_get_by_index::<Option<Uuid>>(at).map_err(failed);
            // An account without grants is one row of nulls.
            let Some(id) = key(0)? else { continue };
            let role: String = row.try_get_by_index(1).map_err(failed)?;
            let reach: String = row.try_get_by_index(2).map_err(failed)?;
            let Some(reach) = Reach::from_word(&reach) else { continue };
            // A role that the policy does not know grants nothing.
            let Some(role) = policy.roles.id(&role) else { continue };
            let place = match reach {
                Reach::Anywhere => Some(Place::Anywhere),
                Reach::Own | Reach::Ward => key(3)?.map(Place::Student),
                Reach::Teaching => key(4)?
                    .zip(key(5)?)
                    .map(|(class_group, course)| Place::Teaching { class_group, course }),
                Reach::Class => key(4)?.map(Place::ClassGroup),
                Reach::YearLevel => key(6)?.map(Place::YearLevel),
                Reach::School | Reach::Region => key(7)?.map(Place::Organisation),
            };
            let Some(place) = place else { continue };
            grants.push(Grant {
                id,
                role,
                reach,
                place,
                since: row.try_get_by_index(8).map_err(failed)?,
                until: row.try_get_by_index(9).map_err(failed)?,
            });
        }
        Ok(Some(grants))
    }
}

impl Store {
    /// The account with this login, compared with case.
    pub async fn account_of(&self, login: &str) -> Result<Option<AccountId>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("a", "id")), "c0")
            .from_as("account", "a")
            .and_where(Expr::col(("a", "login")).eq(login));
        match self.select(&query).await?.first() {
            Some(row) => {
                let id: Uuid = row.try_get_by_index(0).map_err(failed)?;
                Ok(Some(AccountId::from_uuid(id)))
            }
            None => Ok(None),
        }
    }
}
