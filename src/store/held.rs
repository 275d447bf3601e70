//! Who holds which role at places within an area, and which requests wait there: offices alone, never a role over a pupil.
//!
//! The area comes from the grants of whoever asks; which of the rows they may do something about the domain says.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement};
use sea_orm::{ActiveEnum, JoinType, QueryResult};
use uuid::Uuid;
use xueji_entity::grant_request::RequestState;

use super::grants::stands;
use super::tx::place_at;
use super::{Store, failed};
use crate::access::caller::{Caller, Place};
use crate::access::place::{Writing, at_place_within, everything, organisation_within};
use crate::access::table::Reach;
use crate::error::{Error, Result};

/// The most rows of one answer.
pub const MOST: u64 = 2_000;

/// Where somebody looks.
#[derive(Clone, Debug, Default)]
pub struct Area {
    /// Everywhere.
    pub anywhere: bool,
    /// At these schools.
    pub schools: Vec<Uuid>,
    /// At these authorities, those below them, and the schools that they look after.
    pub authorities: Vec<Uuid>,
}

/// An account in a list.
#[derive(Clone, Debug)]
pub struct Login {
    /// The account.
    pub id: Uuid,
    /// Its login.
    pub login: String,
}

/// A grant that holds or will hold.
#[derive(Clone, Debug)]
pub struct HeldRole {
    /// The grant.
    pub id: Uuid,
    /// Whose it is.
    pub holder: Login,
    /// The role, as the policy names it.
    pub role: String,
    /// The kind of place.
    pub reach: Reach,
    /// The place.
    pub place: Place,
    /// The name of the class, the year level, the school or the authority.
    pub place_name: Option<String>,
    /// First day.
    pub since: NaiveDate,
    /// Last day.
    pub until: Option<NaiveDate>,
    /// Who gave it, if somebody did.
    pub given_by: Option<Login>,
    /// It follows from a duty.
    pub derived: bool,
    /// It was given to a substitute.
    pub delegated: bool,
    /// The account is barred, or its member of staff is not there any more.
    pub left: bool,
    /// Somebody confirmed it in the term.
    pub confirmed: bool,
}

/// A request that waits.
#[derive(Clone, Debug)]
pub struct WaitingRole {
    /// The request.
    pub id: Uuid,
    /// To whom.
    pub receiver: Login,
    /// The member of staff that it is to.
    pub receiver_staff: Option<Uuid>,
    /// The role, as the policy names it.
    pub role: String,
    /// The kind of place.
    pub reach: Reach,
    /// The place.
    pub place: Place,
    /// First day.
    pub since: NaiveDate,
    /// Last day.
    pub until: NaiveDate,
    /// Why.
    pub reason: String,
    /// Who asks.
    pub requested_by: Login,
    /// The member of staff who asks.
    pub requested_by_staff: Option<Uuid>,
    /// When it is too late.
    pub expires_at: DateTime<Utc>,
}

const PLACES: [&str; 4] = ["class_group_id", "course_id", "year_level_id", "organisation_id"];

impl Area {
    /// The rows of `alias` that are in it; none where all are.
    pub(in crate::store) fn within(&self, alias: &'static str, writing: Writing) -> Option<Expr> {
        let narrow = !self.anywhere;
        narrow.then(|| at_place_within(alias, &self.schools, &self.authorities, writing))
    }

    /// The account is that of a member of staff whose school or authority is in it; any account where all are.
    pub(in crate::store) fn employs(&self, account: Expr, writing: Writing) -> Expr {
        if self.anywhere {
            return everything();
        }
        let employer = Expr::col(("we", "organisation_id"));
        let employed = Query::select()
            .expr(Expr::col(("wa", "id")))
            .from_as("account", "wa")
            .join_as(
                JoinType::InnerJoin,
                "staff",
                "we",
                Expr::col(("we", "id")).equals(("wa", "staff_id")),
            )
            .and_where(organisation_within(&employer, &self.schools, &self.authorities, writing))
            .to_owned();
        account.in_subquery(employed)
    }
}

fn reach(row: &QueryResult, at: usize) -> Result<Reach> {
    let word: String = row.try_get_by_index(at).map_err(failed)?;
    Reach::from_word(&word).ok_or_else(|| Error::internal("a grant has a reach that nobody knows"))
}

impl Store {
    /// Who holds which role of an office in an area today or later, by role and login.
    pub async fn roles_in(
        &self,
        caller: &Caller,
        area: &Area,
        now: DateTime<Utc>,
    ) -> Result<Vec<HeldRole>> {
        let writing = Writing { backend: self.backend(), today: caller.today(), account: None };
        let mut query = held(writing, now);
        if let Some(within) = area.within("g", writing) {
            query.and_where(within);
        }
        self.all(caller, &query).await?.iter().map(held_role).collect()
    }

    /// The same at one school, for whoever runs the server.
    pub async fn roles_of_school(
        &self,
        school: Uuid,
        today: NaiveDate,
        now: DateTime<Utc>,
    ) -> Result<Vec<HeldRole>> {
        let writing = Writing { backend: self.backend(), today, account: None };
        let mut query = held(writing, now);
        query.and_where(at_place_within("g", &[school], &[], writing));
        self.select(&query).await?.iter().map(held_role).collect()
    }

    /// The school with this national code.
    pub async fn school_of_code(&self, code: &str) -> Result<Option<Uuid>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .from("organisation")
            .and_where(Expr::col("school_code").eq(code));
        let rows = self.select(&query).await?;
        rows.first().map(|row| row.try_get_by_index(0).map_err(failed)).transpose()
    }

    /// How many grants of offices nobody has confirmed in the term of a day.
    pub async fn unconfirmed(&self, today: NaiveDate, now: DateTime<Utc>) -> Result<i64> {
        let g = |name: &'static str| Expr::col(("g", name));
        let mut query = Query::select();
        query
            .expr_as(g("id").count(), "c0")
            .from_as("access_grant", "g")
            .and_where(g("student_id").is_null())
            .and_where(g("ended_at").is_null())
            .and_where(g("until").is_null().or(g("until").gte(today)))
            .and_where(g("expires_at").is_null().or(g("expires_at").gt(now)))
            .and_where(stands("g", today))
            .and_where(Expr::exists(review(today)).not());
        let rows = sea_orm::ConnectionTrait::query_all(&self.db, &query).await.map_err(failed)?;
        let row = rows.first().ok_or_else(|| Error::internal("a count is one row"))?;
        row.try_get_by_index(0).map_err(failed)
    }

    /// The requests that wait in an area, to accounts of it; without one those that the caller made.
    pub async fn waiting_roles(
        &self,
        caller: &Caller,
        area: Option<&Area>,
        now: DateTime<Utc>,
    ) -> Result<Vec<WaitingRole>> {
        let writing = Writing { backend: self.backend(), today: caller.today(), account: None };
        let r = |name: &'static str| Expr::col(("r", name));
        let columns =
            [&["id", "role", "reach", "since", "until", "reason", "expires_at"], PLACES.as_slice()]
                .concat();
        let mut query = Query::select();
        for (at, column) in columns.iter().enumerate() {
            query.expr_as(r(column), format!("c{at}"));
        }
        for (at, (alias, column)) in [
            ("a", "id"),
            ("a", "login"),
            ("a", "staff_id"),
            ("b", "id"),
            ("b", "login"),
            ("b", "staff_id"),
        ]
        .into_iter()
        .enumerate()
        {
            query.expr_as(Expr::col((alias, column)), format!("d{at}"));
        }
        query.from_as("grant_request", "r");
        for (alias, key) in [("a", "account_id"), ("b", "requested_by_id")] {
            let on = Expr::col((alias, "id")).equals(("r", key));
            query.join_as(JoinType::InnerJoin, "account", alias, on);
        }
        query
            .and_where(r("state").eq(RequestState::Waiting.to_value()))
            .and_where(r("expires_at").gt(now))
            .order_by_expr(r("id"), sea_orm::Order::Asc)
            .limit(MOST);
        match area {
            Some(area) => {
                query.and_where(area.employs(r("account_id"), writing));
                if let Some(within) = area.within("r", writing) {
                    query.and_where(within);
                }
            }
            None => {
                query.and_where(r("requested_by_id").eq(Expr::val(caller.account().uuid())));
            }
        }
        self.all(caller, &query).await?.iter().map(waiting_role).collect()
    }

    /// The member of staff whom the caller's account belongs to.
    pub async fn staff_of_account(&self, caller: &Caller) -> Result<Option<Uuid>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("staff_id"), "c0")
            .from("account")
            .and_where(Expr::col("id").eq(Expr::val(caller.account().uuid())));
        match self.all(caller, &query).await?.first() {
            Some(row) => row.try_get_by_index(0).map_err(failed),
            None => Ok(None),
        }
    }
}

/// The confirmation of `g` in the term of a day, which is the last one that has begun.
fn review(today: NaiveDate) -> SelectStatement {
    let newest = Query::select()
        .expr(Expr::col(("t", "id")))
        .from_as("term", "t")
        .and_where(Expr::col(("t", "starts_on")).lte(today))
        .order_by(("t", "starts_on"), sea_orm::Order::Desc)
        .limit(1)
        .to_owned();
    Query::select()
        .expr(Expr::col(("gr", "id")))
        .from_as("grant_review", "gr")
        .and_where(Expr::col(("gr", "grant_id")).equals(("g", "id")))
        .and_where(Expr::col(("gr", "term_id")).in_subquery(newest))
        .to_owned()
}

fn held(writing: Writing, now: DateTime<Utc>) -> SelectStatement {
    let today = writing.today;
    let g = |name: &'static str| Expr::col(("g", name));
    let columns = [
        &["id", "role", "reach", "since", "until", "origin", "delegated_from_id"],
        PLACES.as_slice(),
    ]
    .concat();
    let mut query = Query::select();
    for (at, column) in columns.iter().enumerate() {
        query.expr_as(g(column), format!("c{at}"));
    }
    for (at, (alias, column)) in [
        ("a", "id"),
        ("a", "login"),
        ("a", "disabled"),
        ("a", "staff_id"),
        ("s", "id"),
        ("b", "id"),
        ("b", "login"),
        ("gv", "id"),
        ("pc", "name"),
        ("pl", "name"),
        ("po", "name"),
    ]
    .into_iter()
    .enumerate()
    {
        query.expr_as(Expr::col((alias, column)), format!("d{at}"));
    }
    query
        .from_as("access_grant", "g")
        .join_as(
            JoinType::InnerJoin,
            "account",
            "a",
            Expr::col(("a", "id")).equals(("g", "account_id")),
        )
        .join_as(
            JoinType::LeftJoin,
            "staff",
            "s",
            Expr::col(("s", "id"))
                .equals(("a", "staff_id"))
                .and(Expr::col(("s", "lifecycle")).eq("live")),
        )
        .join_as(
            JoinType::LeftJoin,
            "account",
            "b",
            Expr::col(("b", "id")).equals(("g", "granted_by_id")),
        )
        .join_as(
            JoinType::LeftJoin,
            "grant_review",
            "gv",
            Expr::col(("gv", "grant_id"))
                .equals(("g", "id"))
                .and(Expr::col(("gv", "id")).in_subquery(review(today))),
        );
    for (alias, table, key) in [
        ("pc", "class_group", "class_group_id"),
        ("pl", "year_level", "year_level_id"),
        ("po", "organisation", "organisation_id"),
    ] {
        let on = Expr::col((alias, "id")).equals(("g", key));
        query.join_as(JoinType::LeftJoin, table, alias, on);
    }
    query
        .and_where(g("student_id").is_null())
        .and_where(g("ended_at").is_null())
        .and_where(g("until").is_null().or(g("until").gte(today)))
        .and_where(g("expires_at").is_null().or(g("expires_at").gt(now)))
        .and_where(stands("g", today))
        .order_by(("g", "role"), sea_orm::Order::Asc)
        .order_by(("a", "login"), sea_orm::Order::Asc)
        .order_by(("g", "id"), sea_orm::Order::Asc)
        .limit(MOST);
    query
}

fn held_role(row: &QueryResult) -> Result<HeldRole> {
    let name = |at: usize| row.try_get_by_index::<Option<String>>(at).map_err(failed);
    let key = |at: usize| row.try_get_by_index::<Option<Uuid>>(at).map_err(failed);
    let origin: Option<String> = row.try_get_by_index(5).map_err(failed)?;
    let disabled: bool = row.try_get_by_index(13).map_err(failed)?;
    let given_by = match key(16)? {
        Some(id) => Some(Login { id, login: row.try_get_by_index(17).map_err(failed)? }),
        None => None,
    };
    Ok(HeldRole {
        id: row.try_get_by_index(0).map_err(failed)?,
        holder: Login {
            id: row.try_get_by_index(11).map_err(failed)?,
            login: row.try_get_by_index(12).map_err(failed)?,
        },
        role: row.try_get_by_index(1).map_err(failed)?,
        reach: reach(row, 2)?,
        place: place_at(row, 7)?,
        place_name: name(19)?.or(name(20)?).or(name(21)?),
        since: row.try_get_by_index(3).map_err(failed)?,
        until: row.try_get_by_index(4).map_err(failed)?,
        given_by,
        derived: origin.is_some(),
        delegated: key(6)?.is_some(),
        left: disabled || key(14)?.is_some() && key(15)?.is_none(),
        confirmed: key(18)?.is_some(),
    })
}

fn waiting_role(row: &QueryResult) -> Result<WaitingRole> {
    let login = |at: usize| -> Result<Login> {
        Ok(Login {
            id: row.try_get_by_index(at).map_err(failed)?,
            login: row.try_get_by_index(at + 1).map_err(failed)?,
        })
    };
    Ok(WaitingRole {
        id: row.try_get_by_index(0).map_err(failed)?,
        receiver: login(11)?,
        receiver_staff: row.try_get_by_index(13).map_err(failed)?,
        role: row.try_get_by_index(1).map_err(failed)?,
        reach: reach(row, 2)?,
        place: place_at(row, 7)?,
        since: row.try_get_by_index(3).map_err(failed)?,
        until: row.try_get_by_index(4).map_err(failed)?,
        reason: row.try_get_by_index(5).map_err(failed)?,
        requested_by: login(14)?,
        requested_by_staff: row.try_get_by_index(16).map_err(failed)?,
        expires_at: row.try_get_by_index(6).map_err(failed)?,
    })
}
