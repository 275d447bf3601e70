//! Grants as the acts over them read and write them. What may be given is decided in the domain.
//!
//! A grant is given by inserting a row and ended by an instant on it; no row of a grant is changed
//! otherwise, and none of a student is read here.

use chrono::NaiveDate;
use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SelectStatement, Value};
use uuid::Uuid;
use xueji_entity::value::Narrative;

use super::{Tx, insert_into, names};
use crate::access::caller::Place;
use crate::access::filter::Key;
use crate::access::table::Reach;
use crate::error::{Error, Result};
use crate::store::failed;
use crate::store::grants::stands;

/// A role at a place, as a duty has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    /// The role, as the policy names it.
    pub role: String,
    /// The kind of place.
    pub reach: Reach,
    /// The place: a course in a class, a class or a year level.
    pub place: Place,
}

/// A grant of a duty that holds.
#[derive(Clone, Debug)]
pub struct Holder {
    /// The grant.
    pub grant: Uuid,
    /// Whose it is.
    pub account: Uuid,
    /// What is held.
    pub duty: Duty,
    /// First day.
    pub since: NaiveDate,
    /// Last day; none while open.
    pub until: Option<NaiveDate>,
    /// Who gave it, if somebody did.
    pub granted_by: Option<Uuid>,
    /// What it was given from, if it was.
    pub delegated_from: Option<Uuid>,
}

/// Where the place of a duty lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lies {
    /// The school.
    pub school: Uuid,
    /// The year level.
    pub year_level: Uuid,
}

/// A grant to be given.
#[derive(Debug)]
pub struct NewGrant<'g> {
    /// To whom.
    pub account: Uuid,
    /// What it is given from.
    pub from: &'g Holder,
    /// First day.
    pub since: NaiveDate,
    /// Last day.
    pub until: NaiveDate,
    /// Why.
    pub reason: &'g Narrative,
}

/// What a grant is read as, and written with.
const HOLDER: [&str; 11] = [
    "id",
    "account_id",
    "role",
    "reach",
    "class_group_id",
    "course_id",
    "year_level_id",
    "since",
    "until",
    "granted_by_id",
    "delegated_from_id",
];

fn g(name: &'static str) -> Expr {
    Expr::col(("g", name))
}

fn place_is(place: Place) -> Option<Expr> {
    match place {
        Place::Teaching { class_group, course } => Some(
            g("class_group_id")
                .eq(Expr::val(class_group))
                .and(g("course_id").eq(Expr::val(course))),
        ),
        Place::ClassGroup(id) => {
            Some(g("class_group_id").eq(Expr::val(id)).and(g("course_id").is_null()))
        }
        Place::YearLevel(id) => Some(g("year_level_id").eq(Expr::val(id))),
        Place::Anywhere | Place::Student(_) | Place::Organisation(_) => None,
    }
}

impl Tx {
    fn holders_query(&self) -> SelectStatement {
        let today = self.caller.today();
        let mut query = Query::select();
        for (at, column) in HOLDER.into_iter().enumerate() {
            query.expr_as(g(column), format!("c{at}"));
        }
        query
            .from_as("access_grant", "g")
            .and_where(g("ended_at").is_null())
            .and_where(g("until").is_null().or(g("until").gte(today)))
            .and_where(g("expires_at").is_null().or(g("expires_at").gt(self.now)))
            .and_where(stands("g", today));
        query
    }

    /// The grant of this id, unless it has ended.
    pub async fn grant(&self, id: Uuid) -> Result<Option<Holder>> {
        let mut query = self.holders_query();
        query.and_where(g("id").eq(Expr::val(id)));
        self.select(&query).await?.first().map(holder).transpose().map(Option::flatten)
    }

    /// Who holds the duty today, not as a substitute; the caller first.
    pub async fn holders(&self, duty: &Duty) -> Result<Vec<Holder>> {
        let Some(place) = place_is(duty.place) else { return Ok(Vec::new()) };
        let mut query = self.holders_query();
        query
            .and_where(g("role").eq(duty.role.as_str()))
            .and_where(g("reach").eq(duty.reach.word()))
            .and_where(place)
            .and_where(g("delegated_from_id").is_null())
            .and_where(g("since").lte(self.caller.today()))
            .order_by_expr(g("id"), sea_orm::Order::Asc);
        let rows = self.select(&query).await?;
        let holders: Result<Vec<Option<Holder>>> = rows.iter().map(holder).collect();
        let mut holders: Vec<Holder> = holders?.into_iter().flatten().collect();
        let caller = self.caller.account().uuid();
        holders.sort_by_key(|holder| holder.account != caller);
        Ok(holders)
    }

    /// Where the place of a duty lies; none when there is no such place.
    pub async fn lies(&self, place: Place) -> Result<Option<Lies>> {
        let (table, level, id) = match place {
            Place::Teaching { class_group, .. } | Place::ClassGroup(class_group) => {
                ("class_group", "year_level_id", class_group)
            }
            Place::YearLevel(id) => ("year_level", "id", id),
            Place::Anywhere | Place::Student(_) | Place::Organisation(_) => return Ok(None),
        };
        let mut query = Query::select();
        query
            .expr_as(Expr::col("school_id"), "c0")
            .expr_as(Expr::col(level), "c1")
            .from(table)
            .and_where(Expr::col("id").eq(Expr::val(id)));
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let school = row.try_get_by_index(0).map_err(failed)?;
        Ok(Some(Lies { school, year_level: row.try_get_by_index(1).map_err(failed)? }))
    }

    /// The account with this login, open, of a member of staff of the school.
    pub async fn colleague(&self, login: &str, school: Uuid) -> Result<Option<Uuid>> {
        let a = |name: &'static str| Expr::col(("a", name));
        let mut query = Query::select();
        query
            .expr_as(a("id"), "c0")
            .from_as("account", "a")
            .join_as(
                sea_orm::JoinType::InnerJoin,
                "staff",
                "s",
                Expr::col(("s", "id")).equals(("a", "staff_id")),
            )
            .and_where(a("login").eq(login))
            .and_where(a("disabled").eq(false))
            .and_where(Expr::col(("s", "organisation_id")).eq(Expr::val(school)))
            .and_where(Expr::col(("s", "lifecycle")).eq("live"));
        let rows = self.select(&query).await?;
        rows.first().map(|row| row.try_get_by_index(0).map_err(failed)).transpose()
    }

    /// What an account holds or will hold, as role and reach, each once.
    pub async fn pairs_of(&self, account: Uuid) -> Result<Vec<(String, String)>> {
        let mut query = Query::select();
        query
            .distinct()
            .expr_as(g("role"), "c0")
            .expr_as(g("reach"), "c1")
            .from_as("access_grant", "g")
            .and_where(g("account_id").eq(Expr::val(account)))
            .and_where(g("ended_at").is_null())
            .and_where(g("until").is_null().or(g("until").gte(self.caller.today())));
        let rows = self.select(&query).await?;
        rows.iter()
            .map(|row| {
                Ok((
                    row.try_get_by_index(0).map_err(failed)?,
                    row.try_get_by_index(1).map_err(failed)?,
                ))
            })
            .collect()
    }

    /// Gives a grant.
    pub async fn give(&mut self, new: NewGrant<'_>) -> Result<Uuid> {
        let id = Uuid::now_v7();
        let duty = &new.from.duty;
        let (class_group, course, year_level) = match duty.place {
            Place::Teaching { class_group, course } => (Some(class_group), Some(course), None),
            Place::ClassGroup(id) => (Some(id), None, None),
            Place::YearLevel(id) => (None, None, Some(id)),
            Place::Anywhere | Place::Student(_) | Place::Organisation(_) => {
                return Err(Error::internal("no such place is given"));
            }
        };
        let columns = names(&[HOLDER.as_slice(), &["reason"]].concat());
        let values: Vec<Value> = vec![
            id.into(),
            new.account.into(),
            duty.role.as_str().into(),
            duty.reach.word().into(),
            class_group.into(),
            course.into(),
            year_level.into(),
            new.since.into(),
            new.until.into(),
            self.caller.account().uuid().into(),
            new.from.grant.into(),
            new.reason.clone().into(),
        ];
        self.execute(&insert_into("access_grant", columns, [values])?).await?;
        self.touch("access_grant")?.inserted.push(Key { student: None, id });
        Ok(id)
    }

    /// Ends a grant now.
    pub async fn end_grant(&mut self, id: Uuid) -> Result<()> {
        let mut update = Query::update();
        update
            .table("access_grant")
            .value("ended_at", Expr::val(self.now))
            .and_where(Expr::col("id").eq(Expr::val(id)))
            .and_where(Expr::col("ended_at").is_null());
        if self.execute(&update).await? != 1 {
            return Err(Error::Conflict { what: "access_grant".into() });
        }
        let touched = self.touch("access_grant")?;
        touched.updated.push(Key { student: None, id });
        touched.columns.insert("ended_at");
        Ok(())
    }
}

/// A row as a holder; none for a place that is never given.
fn holder(row: &QueryResult) -> Result<Option<Holder>> {
    let key = |at: usize| row.try_get_by_index::<Option<Uuid>>(at).map_err(failed);
    let reach: String = row.try_get_by_index(3).map_err(failed)?;
    let place = match (key(4)?, key(5)?, key(6)?) {
        (Some(class_group), Some(course), _) => Place::Teaching { class_group, course },
        (Some(class_group), None, _) => Place::ClassGroup(class_group),
        (None, _, Some(id)) => Place::YearLevel(id),
        (None, _, None) => return Ok(None),
    };
    let Some(reach) = Reach::from_word(&reach) else { return Ok(None) };
    Ok(Some(Holder {
        grant: row.try_get_by_index(0).map_err(failed)?,
        account: row.try_get_by_index(1).map_err(failed)?,
        duty: Duty { role: row.try_get_by_index(2).map_err(failed)?, reach, place },
        since: row.try_get_by_index(7).map_err(failed)?,
        until: row.try_get_by_index(8).map_err(failed)?,
        granted_by: key(9)?,
        delegated_from: key(10)?,
    }))
}
