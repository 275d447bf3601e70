//! Accounts and their grants, as sign-in needs them: read without a scope, since the scope is made
//! from them. Nothing here reads a pupil.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, UnionType};
use sea_orm::{ActiveEnum, DbBackend};
use uuid::Uuid;
use xueji_entity::access_grant::GrantOrigin;
use xueji_entity::account::AccountKind;
use xueji_entity::guardianship::Custody;
use xueji_entity::value::AccountId;

use super::sign_in::{bounds, scopes_name};
use super::stops::{account_runs, role_runs};
use super::{Store, failed};
use crate::access::caller::{Bounds, Grant, Place, Session};
use crate::access::place::{among, holds_today};
use crate::access::policy::Policy;
use crate::access::table::Reach;
use crate::error::Result;

/// An account that may sign in, as it is read.
#[derive(Clone, Debug, Default)]
pub struct Holding {
    /// Whether it is that of a program of another system.
    pub program: bool,
    /// The grants that hold now; of a registered program, those of its scopes alone.
    pub grants: Vec<Grant>,
    /// What bounds a registered program.
    pub bounds: Option<Arc<Bounds>>,
}

impl Holding {
    /// What the account holds as the session that its requests are answered under.
    pub fn session(self, account: AccountId, policy: &Arc<Policy>, today: NaiveDate) -> Session {
        Session::new(account, self.grants, Arc::clone(policy), today)
            .of_program(self.program)
            .within(self.bounds)
    }
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
            .expr_as(Expr::col(("k", "scopes")), "c14")
            .expr_as(Expr::col(("k", "expires_at")), "c15")
            .expr_as(Expr::col(("k", "allowed_addresses")), "c16")
            .from_as("account", "a")
            .join_as(sea_orm::JoinType::LeftJoin, "api_client", "k", registration("a"))
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
                    .and(stands("g", today))
                    .and(role_runs(col("role"))),
            )
            .and_where(among(Expr::col(("a", "id")), &wanted, self.backend()))
            .and_where(Expr::col(("a", "disabled")).eq(false))
            .and_where(account_runs(Expr::col(("a", "id"))))
            .and_where(registered(now))
            .union(UnionType::All, opened(&wanted, self.backend(), today, now));
        let program = AccountKind::Client.to_value();
        let mut found: HashMap<AccountId, Holding> = HashMap::new();
        for row in &self.select_by_keys(&query).await? {
            let key = |at: usize| row.try_get_by_index::<Option<Uuid>>(at).map_err(failed);
            let account: Uuid = row.try_get_by_index(12).map_err(failed)?;
            let kind: String = row.try_get_by_index(13).map_err(failed)?;
            let scopes: Option<String> = row.try_get_by_index(14).map_err(failed)?;
            let holding = found.entry(AccountId::from_uuid(account)).or_default();
            holding.program = kind == program;
            if let Some(scopes) = &scopes
                && holding.bounds.is_none()
            {
                let networks: Option<String> = row.try_get_by_index(16).map_err(failed)?;
                let end = row.try_get_by_index(15).map_err(failed)?;
                holding.bounds = Some(Arc::new(bounds(scopes, networks.as_deref(), end)));
            }
            // An account without grants is one row of nulls.
            let Some(id) = key(0)? else { continue };
            let role: String = row.try_get_by_index(1).map_err(failed)?;
            let reach: String = row.try_get_by_index(2).map_err(failed)?;
            let Some(reach) = Reach::from_word(&reach) else { continue };
            // The one place at which the scopes of a program narrow what it holds.
            if scopes.as_ref().is_some_and(|scopes| !scopes_name(scopes, &role)) {
                continue;
            }
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

/// The registration, under `k`, of the account under an alias.
fn registration(account: &'static str) -> Expr {
    Expr::col(("k", "id")).equals((account, "id"))
}

/// A registration that there is has not ended.
fn registered(now: DateTime<Utc>) -> Expr {
    let end = || Expr::col(("k", "expires_at"));
    end().is_null().or(end().gt(now))
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
        .and_where(stands("s", today))
        .to_owned()
}

/// The fact that a grant follows from holds today, or it was given by hand: a duty that is another's now, or custody that
/// was withdrawn, grants nothing from that moment, whatever becomes of the row.
pub(in crate::store) fn stands(grant: &'static str, today: NaiveDate) -> Expr {
    let g = |name: &'static str| Expr::col((grant, name));
    let is = |origin: GrantOrigin| g("origin").eq(origin.to_value());
    g("origin")
        .is_null()
        .or(is(GrantOrigin::Duty).and(Expr::exists(duty(grant, today))))
        .or(is(GrantOrigin::Guardianship).and(Expr::exists(custody(grant, today))))
}

/// The duty of a grant, while it is that of the account's person, at the place of the grant.
fn duty(grant: &'static str, today: NaiveDate) -> SelectStatement {
    let d = |name: &'static str| Expr::col(("fd", name));
    let same = |name: &'static str| {
        let (here, there) = (d(name), Expr::col((grant, name)));
        here.clone().eq(there.clone()).or(here.is_null().and(there.is_null()))
    };
    Query::select()
        .expr(d("id"))
        .from_as("duty", "fd")
        .join_as(
            sea_orm::JoinType::InnerJoin,
            "staff",
            "fs",
            d("staff_id").equals(("fs", "id")).and(Expr::col(("fs", "lifecycle")).eq("live")),
        )
        .join_as(
            sea_orm::JoinType::InnerJoin,
            "account",
            "fa",
            d("staff_id").equals(("fa", "staff_id")),
        )
        .and_where(d("id").equals((grant, "origin_id")))
        .and_where(Expr::col(("fa", "id")).equals((grant, "account_id")))
        .and_where(holds_today("fd", today))
        .and_where(same("class_group_id"))
        .and_where(same("course_id"))
        .and_where(same("year_level_id"))
        .to_owned()
}

/// The custody of a grant, while it is that of the account's person over that pupil.
fn custody(grant: &'static str, today: NaiveDate) -> SelectStatement {
    let live = |alias: &'static str| Expr::col((alias, "lifecycle")).eq("live");
    Query::select()
        .expr(Expr::col(("fc", "id")))
        .from_as("guardianship", "fc")
        .join_as(
            sea_orm::JoinType::InnerJoin,
            "guardian",
            "fg",
            Expr::col(("fc", "student_id"))
                .equals(("fg", "student_id"))
                .and(Expr::col(("fc", "guardian_id")).equals(("fg", "id")))
                .and(live("fg")),
        )
        .join_as(
            sea_orm::JoinType::InnerJoin,
            "student",
            "fp",
            Expr::col(("fc", "student_id")).equals(("fp", "id")).and(live("fp")),
        )
        .and_where(Expr::col(("fc", "student_id")).equals((grant, "student_id")))
        .and_where(Expr::col(("fc", "id")).equals((grant, "origin_id")))
        .and_where(Expr::col(("fg", "account_id")).equals((grant, "account_id")))
        .and_where(live("fc"))
        .and_where(Expr::col(("fc", "custody")).is_in(CUSTODY.map(|custody| custody.to_value())))
        .and_where(holds_today("fc", today))
        .to_owned()
}

/// The kinds of custody from which a guardian's view of the pupil follows; a right to visit is none of them.
pub(in crate::store) const CUSTODY: [Custody; 2] = [Custody::Sole, Custody::Shared];

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
        .expr_as(Expr::col(("k", "scopes")), "c14")
        .expr_as(Expr::col(("k", "expires_at")), "c15")
        .expr_as(Expr::col(("k", "allowed_addresses")), "c16")
        .from_as("access_review", "r")
        .join_as(
            sea_orm::JoinType::InnerJoin,
            "account",
            "o",
            col("account_id").equals(("o", "id")).and(Expr::col(("o", "disabled")).eq(false)),
        )
        .join_as(sea_orm::JoinType::LeftJoin, "api_client", "k", registration("o"))
        .and_where(registered(now))
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
