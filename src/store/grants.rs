//! Accounts and their grants, as sign-in needs them: read without a scope, since the scope is made
//! from them. Nothing here reads a pupil.

use std::collections::HashMap;

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, UnionType};
use sea_orm::{ActiveEnum, DbBackend};
use uuid::Uuid;
use xueji_entity::account::AccountKind;
use xueji_entity::value::AccountId;

use super::stops::{account_runs, role_runs};
use super::{Store, failed};
use crate::access::caller::{Grant, Place};
use crate::access::place::among;
use crate::access::policy::Policy;
use crate::access::table::Reach;
use crate::error::Result;

/// An account that may sign in, as it is read.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    /// Whether it is that of a program of another system.
    pub program: bool,
    /// The grants that hold now.
    pub grants: Vec<Grant>,
}

impl Store {
    /// The grants of an account that hold now, records it opened among them; none when the account
    /// is unknown, disabled or stopped. What was given to a substitute ends with what it was given from, and a stopped
    /// role grants nothing.
    pub async fn grants(
        &self,
        account: AccountId,
        policy: &Policy,
        today: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<Option<Vec<Grant>>> {
        let holding = self.holding(account, policy, today, now).await?;
        Ok(holding.map(|holding| holding.grants))
    }

    /// The same with what is known of the account.
    pub async fn holding(
        &self,
        account: AccountId,
        policy: &Policy,
        today: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<Option<Holding>> {
        Ok(self.holdings(&[account], policy, today, now).await?.remove(&account))
    }

    /// What several accounts hold today, in one statement; accounts that are unknown, disabled or stopped are
    /// left out.
    pub async fn holdings(
        &self,
        accounts: &[AccountId],
        policy: &Policy,
        today: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<HashMap<AccountId, Holding>> {
        let col = |name: &'static str| Expr::col(("g", name));
        let wanted: Vec<Uuid> = accounts.iter().map(|account| account.uuid()).collect();
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
            .expr_as(col("expires_at"), "c10")
            .expr_as(col("delegated_from_id"), "c11")
            .expr_as(Expr::col(("a", "id")), "c12")
            .expr_as(Expr::col(("a", "kind")), "c13")
            .from_as("account", "a")
            .join_as(
                sea_orm::JoinType::LeftJoin,
                "access_grant",
                "g",
                col("account_id")
                    .equals(("a", "id"))
                    .and(col("ended_at").is_null())
                    .and(col("since").lte(today))
                    .and(col("until").is_null().or(col("until").gte(today)))
                    .and(col("expires_at").is_null().or(col("expires_at").gt(now)))
                    .and(col("delegated_from_id").is_null().or(Expr::exists(source(today, now))))
                    .and(role_runs(col("role"))),
            )
            .and_where(among(Expr::col(("a", "id")), &wanted, self.backend()))
            .and_where(Expr::col(("a", "disabled")).eq(false))
            .and_where(account_runs(Expr::col(("a", "id"))))
            .union(UnionType::All, opened(&wanted, self.backend(), today, now));
        let program = AccountKind::Client.to_value();
        let mut found: HashMap<AccountId, Holding> = HashMap::new();
        for row in &self.select_by_keys(&query).await? {
            let key = |at: usize| row.try_get_by_index::<Option<Uuid>>(at).map_err(failed);
            let account: Uuid = row.try_get_by_index(12).map_err(failed)?;
            let kind: String = row.try_get_by_index(13).map_err(failed)?;
            let holding = found.entry(AccountId::from_uuid(account)).or_default();
            holding.program = kind == program;
            // An account without grants is one row of nulls.
            let Some(id) = key(0)? else { continue };
            let role: String = row.try_get_by_index(1).map_err(failed)?;
            let reach: String = row.try_get_by_index(2).map_err(failed)?;
            let Some(reach) = Reach::from_word(&reach) else { continue };
            // A role that the policy does not know grants nothing.
            let Some(role) = policy.roles.id(&role) else { continue };
            let place = match reach {
                Reach::Anywhere => Some(Place::Anywhere),
                Reach::Own | Reach::Ward | Reach::Opened => key(3)?.map(Place::Student),
                Reach::Teaching => key(4)?
                    .zip(key(5)?)
                    .map(|(class_group, course)| Place::Teaching { class_group, course }),
                Reach::Class => key(4)?.map(Place::ClassGroup),
                Reach::YearLevel => key(6)?.map(Place::YearLevel),
                Reach::School | Reach::Region => key(7)?.map(Place::Organisation),
            };
            let Some(place) = place else { continue };
            holding.grants.push(Grant {
                id,
                role,
                reach,
                place,
                since: row.try_get_by_index(8).map_err(failed)?,
                until: row.try_get_by_index(9).map_err(failed)?,
                expires_at: row.try_get_by_index(10).map_err(failed)?,
                delegated: key(11)?.is_some(),
            });
        }
        Ok(found)
    }
}

/// What a grant was given from still holds today.
fn source(today: NaiveDate, now: DateTime<Utc>) -> SelectStatement {
    let col = |name: &'static str| Expr::col(("s", name));
    Query::select()
        .expr(col("id"))
        .from_as("access_grant", "s")
        .and_where(col("id").equals(("g", "delegated_from_id")))
        .and_where(col("ended_at").is_null())
        .and_where(col("until").is_null().or(col("until").gte(today)))
        .and_where(col("expires_at").is_null().or(col("expires_at").gt(now)))
        .to_owned()
}

/// The records that the accounts have open, as grants of the role [`BREAK_GLASS`].
fn opened(
    accounts: &[Uuid],
    backend: DbBackend,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> SelectStatement {
    let col = |name: &'static str| Expr::col(("r", name));
    let none = || Expr::val(None::<Uuid>);
    Query::select()
        .expr_as(col("id"), "c0")
        .expr_as(Expr::val(BREAK_GLASS), "c1")
        .expr_as(Expr::val(Reach::Opened.word()), "c2")
        .expr_as(col("student_id"), "c3")
        .expr_as(none(), "c4")
        .expr_as(none(), "c5")
        .expr_as(none(), "c6")
        .expr_as(none(), "c7")
        .expr_as(Expr::val(today), "c8")
        .expr_as(Expr::val(None::<NaiveDate>), "c9")
        .expr_as(col("expires_at"), "c10")
        .expr_as(none(), "c11")
        .expr_as(col("account_id"), "c12")
        .expr_as(Expr::col(("o", "kind")), "c13")
        .from_as("access_review", "r")
        .join_as(
            sea_orm::JoinType::InnerJoin,
            "account",
            "o",
            col("account_id").equals(("o", "id")).and(Expr::col(("o", "disabled")).eq(false)),
        )
        .and_where(among(col("account_id"), accounts, backend))
        .and_where(col("expires_at").gt(now))
        .and_where(col("lifecycle").eq("live"))
        .and_where(account_runs(col("account_id")))
        .and_where(role_runs(Expr::val(BREAK_GLASS)))
        .to_owned()
}

/// The role under which an opened record is read.
pub const BREAK_GLASS: &str = "break_glass";

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
