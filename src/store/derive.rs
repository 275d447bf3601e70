//! Grants that follow from facts: made where a duty or custody gives one, and ended where it is gone.
//!
//! That such a grant grants nothing without its fact is held by [`stands`](super::grants::stands) in the statement of
//! sign-in itself; what is written here keeps the table in step with that. Nothing is written about a grant that somebody
//! gave by hand. Which role follows from what is policy.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, LockType, Query, SelectStatement, Value};
use sea_orm::{ActiveEnum, ConnectionTrait, DatabaseTransaction, JoinType, QueryResult};
use serde_json::json;
use uuid::Uuid;
use xueji_entity::access_grant::GrantOrigin;
use xueji_entity::account::AccountKind;
use xueji_entity::grant_request::RequestState;

use super::grants::{CUSTODY, stands};
use super::tx::{Event, derived_events, insert_into, names, unattended};
use super::{Store, failed};
use crate::access::place::holds_today;
use crate::access::policy::{Fact, Policy};
use crate::error::Result;
use crate::store::immediate;

/// The most grants that one turn makes, and the most that it ends.
const TURN: u64 = 500;

/// The row of `deployment` that is locked, so that of several servers one is at it.
const KEY: &str = "grants.derive";

/// What a turn did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Derived {
    /// Grants that were made.
    pub made: usize,
    /// Grants that were ended.
    pub ended: usize,
}

/// A grant that a fact gives and nobody holds.
struct Missing {
    origin: GrantOrigin,
    origin_id: Uuid,
    account: Uuid,
    role: String,
    reach: &'static str,
    student: Option<Uuid>,
    class_group: Option<Uuid>,
    course: Option<Uuid>,
    year_level: Option<Uuid>,
    since: NaiveDate,
    until: Option<NaiveDate>,
}

/// What is not in step.
#[derive(Default)]
struct Gap {
    missing: Vec<Missing>,
    /// Grants whose fact is gone, with their accounts.
    stale: Vec<(Uuid, Uuid)>,
}

impl Gap {
    fn closed(&self) -> bool {
        self.missing.is_empty() && self.stale.is_empty()
    }
}

impl Store {
    /// Brings the grants that follow from facts in step with the facts of a day. Usually nothing is to be done, and then
    /// nothing is written and nothing locked. Families are many: who has custody is looked at where it is asked for. It runs beside requests and is not counted among their statements.
    pub async fn derive_grants(
        &self,
        policy: &Policy,
        today: NaiveDate,
        now: DateTime<Utc>,
        custody: bool,
    ) -> Result<Derived> {
        if gap(&self.db, policy, today, custody).await?.closed() {
            return Ok(Derived::default());
        }
        let mut row = insert_into(
            "deployment",
            names(&["key", "value"]),
            [vec![KEY.into(), String::new().into()]],
        )?;
        let known = sea_orm::sea_query::OnConflict::column("key").do_nothing().to_owned();
        row.on_conflict(known);
        self.db.execute(&row).await.map_err(failed)?;
        let db = immediate(&self.db).await?;
        let mut lock = Query::select();
        lock.expr_as(Expr::col("value"), "c0")
            .from("deployment")
            .and_where(Expr::col("key").eq(KEY))
            .lock(LockType::Update);
        db.query_all(&lock).await.map_err(failed)?;
        // Looked at again behind the lock: another server may have been quicker.
        let gap = gap(&db, policy, today, custody).await?;
        if gap.closed() {
            db.rollback().await.map_err(failed)?;
            return Ok(Derived::default());
        }
        let done = self.close(&db, &gap, policy, now).await?;
        db.commit().await.map_err(failed)?;
        self.wake.notify_one();
        Ok(done)
    }

    async fn close(
        &self,
        db: &DatabaseTransaction,
        gap: &Gap,
        policy: &Policy,
        now: DateTime<Utc>,
    ) -> Result<Derived> {
        let ended: Vec<Uuid> = gap.stale.iter().map(|(id, _)| *id).collect();
        if !ended.is_empty() {
            let mut update = Query::update();
            update
                .table("access_grant")
                .value("ended_at", Expr::val(now))
                .and_where(Expr::col("id").is_in(ended.iter().copied()))
                .and_where(Expr::col("ended_at").is_null());
            db.execute(&update).await.map_err(failed)?;
        }
        let mut made = Vec::new();
        let mut events: Vec<Event> = gap.stale.iter().map(|(id, of)| changed(*of, *id)).collect();
        if !gap.missing.is_empty() {
            let mut rows = Vec::new();
            for missing in &gap.missing {
                let id = Uuid::now_v7();
                made.push(id);
                events.push(changed(missing.account, id));
                rows.push(missing.row(id));
            }
            db.execute(&insert_into("access_grant", names(&COLUMNS), rows)?)
                .await
                .map_err(failed)?;
        }
        let detail = json!({ "access_grant": { "inserted": made, "updated": ended } }).to_string();
        let keys = self.log_keys()?;
        let line = unattended(&keys, "grant.derive", &policy.version, &detail, now)?;
        db.execute(&line).await.map_err(failed)?;
        // The last statement: on PostgreSQL it takes the lock that orders events by commit.
        db.execute(&derived_events(events, now)?).await.map_err(failed)?;
        Ok(Derived { made: made.len(), ended: ended.len() })
    }
}

impl Store {
    /// Marks the requests as expired that nobody decided over in time; how many. It runs beside requests.
    pub async fn expire_requests(&self, policy: &Policy, now: DateTime<Utc>) -> Result<usize> {
        let waiting = || Expr::col("state").eq(RequestState::Waiting.to_value());
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .from("grant_request")
            .and_where(waiting())
            .and_where(Expr::col("expires_at").lte(now))
            .limit(TURN);
        let rows = self.db.query_all(&query).await.map_err(failed)?;
        let late: Result<Vec<Uuid>> =
            rows.iter().map(|row| row.try_get_by_index(0).map_err(failed)).collect();
        let late = late?;
        if late.is_empty() {
            return Ok(0);
        }
        let db = immediate(&self.db).await?;
        let mut update = Query::update();
        update
            .table("grant_request")
            .value("state", Expr::val(RequestState::Expired.to_value()))
            .value("decided_at", Expr::val(now))
            .and_where(Expr::col("id").is_in(late.iter().copied()))
            .and_where(waiting());
        let done = db.execute(&update).await.map_err(failed)?.rows_affected();
        if usize::try_from(done).is_ok_and(|done| done == late.len()) {
            let detail = json!({ "grant_request": { "updated": late } }).to_string();
            let keys = self.log_keys()?;
            let line = unattended(&keys, "grant.expire", &policy.version, &detail, now)?;
            db.execute(&line).await.map_err(failed)?;
            db.commit().await.map_err(failed)?;
            return Ok(late.len());
        }
        // Another server, or a decision, was quicker: the next look sees what is left.
        db.rollback().await.map_err(failed)?;
        Ok(0)
    }
}

const COLUMNS: [&str; 12] = [
    "id",
    "account_id",
    "role",
    "reach",
    "student_id",
    "class_group_id",
    "course_id",
    "year_level_id",
    "since",
    "until",
    "origin",
    "origin_id",
];

impl Missing {
    fn row(&self, id: Uuid) -> Vec<Value> {
        vec![
            id.into(),
            self.account.into(),
            self.role.as_str().into(),
            self.reach.into(),
            self.student.into(),
            self.class_group.into(),
            self.course.into(),
            self.year_level.into(),
            self.since.into(),
            self.until.into(),
            self.origin.to_value().into(),
            self.origin_id.into(),
        ]
    }
}

fn changed(account: Uuid, grant: Uuid) -> Event {
    Event {
        kind: "grant.changed",
        student: None,
        class_group: None,
        account: Some(account),
        rows: vec![grant],
    }
}

/// The role and reach that follow from a fact, by name.
fn role_of(policy: &Policy, fact: Fact) -> Option<(String, &'static str)> {
    let pair = policy.gifts.follows(fact)?;
    Some((policy.roles.get(pair.role)?.name.clone(), pair.reach.word()))
}

async fn gap<C: ConnectionTrait>(
    db: &C,
    policy: &Policy,
    today: NaiveDate,
    custody: bool,
) -> Result<Gap> {
    let mut gap = Gap::default();
    let duties = [Fact::HomeroomTeacher, Fact::CourseTeacher, Fact::YearHead];
    for fact in duties {
        let Some((role, reach)) = role_of(policy, fact) else { continue };
        let query = duties_without(fact, &role, reach, today);
        for row in &db.query_all(&query).await.map_err(failed)? {
            gap.missing.push(of_duty(row, &role, reach)?);
        }
    }
    if let Some((role, reach)) = role_of(policy, Fact::Guardianship).filter(|_| custody) {
        let query = custody_without(&role, reach, today);
        for row in &db.query_all(&query).await.map_err(failed)? {
            gap.missing.push(of_custody(row, &role, reach)?);
        }
    }
    for row in &db.query_all(&stale(policy, today, custody)).await.map_err(failed)? {
        let id = row.try_get_by_index(0).map_err(failed)?;
        gap.stale.push((id, row.try_get_by_index(1).map_err(failed)?));
    }
    Ok(gap)
}

/// The account of the person holds the same today, by hand or by a fact, and not as a substitute.
fn held(
    role: &str,
    reach: &'static str,
    places: &[(&'static str, Expr)],
    today: NaiveDate,
) -> SelectStatement {
    let g = |name: &'static str| Expr::col(("g", name));
    let mut query = Query::select();
    query
        .expr(g("id"))
        .from_as("access_grant", "g")
        .and_where(g("account_id").equals(("a", "id")))
        .and_where(g("role").eq(role))
        .and_where(g("reach").eq(reach))
        .and_where(g("ended_at").is_null())
        .and_where(g("expires_at").is_null())
        .and_where(g("delegated_from_id").is_null())
        .and_where(g("since").lte(today))
        .and_where(g("until").is_null().or(g("until").gte(today)))
        .and_where(stands("g", today));
    for (column, there) in places {
        query.and_where(g(column).eq(there.clone()));
    }
    query
}

/// Duties of a kind that hold today, of members of staff with an account that holds no such grant. A class has the duties
/// of its school year alone.
fn duties_without(
    fact: Fact,
    role: &str,
    reach: &'static str,
    today: NaiveDate,
) -> SelectStatement {
    let d = |name: &'static str| Expr::col(("d", name));
    let places: &[&'static str] = match fact {
        Fact::HomeroomTeacher => &["class_group_id"],
        Fact::CourseTeacher => &["class_group_id", "course_id"],
        Fact::YearHead | Fact::Guardianship => &["year_level_id"],
    };
    let places: Vec<(&'static str, Expr)> = places.iter().map(|name| (*name, d(name))).collect();
    let mut query = Query::select();
    query
        .expr_as(d("id"), "c0")
        .expr_as(Expr::col(("a", "id")), "c1")
        .expr_as(d("class_group_id"), "c2")
        .expr_as(d("course_id"), "c3")
        .expr_as(d("year_level_id"), "c4")
        .expr_as(d("since"), "c5")
        .expr_as(d("until"), "c6")
        .expr_as(Expr::col(("sy", "ends_on")), "c7")
        .from_as("duty", "d")
        .join_as(
            JoinType::InnerJoin,
            "staff",
            "s",
            Expr::col(("s", "id"))
                .equals(("d", "staff_id"))
                .and(Expr::col(("s", "lifecycle")).eq("live")),
        )
        .join_as(
            JoinType::InnerJoin,
            "account",
            "a",
            Expr::col(("a", "staff_id"))
                .equals(("d", "staff_id"))
                .and(Expr::col(("a", "disabled")).eq(false))
                .and(Expr::col(("a", "kind")).eq(AccountKind::Staff.to_value())),
        )
        .join_as(
            JoinType::LeftJoin,
            "class_group",
            "cg",
            Expr::col(("cg", "id")).equals(("d", "class_group_id")),
        )
        .join_as(
            JoinType::LeftJoin,
            "school_year",
            "sy",
            Expr::col(("sy", "id")).equals(("cg", "school_year_id")),
        )
        .and_where(d("kind").eq(fact.word()))
        .and_where(holds_today("d", today))
        .and_where(
            Expr::col(("sy", "ends_on")).is_null().or(Expr::col(("sy", "ends_on")).gte(today)),
        )
        .and_where(Expr::exists(held(role, reach, &places, today)).not())
        .order_by(("d", "id"), sea_orm::Order::Asc)
        .limit(TURN);
    query
}

fn of_duty(row: &QueryResult, role: &str, reach: &'static str) -> Result<Missing> {
    let key = |at: usize| row.try_get_by_index::<Option<Uuid>>(at).map_err(failed);
    let until: Option<NaiveDate> = row.try_get_by_index(6).map_err(failed)?;
    let year: Option<NaiveDate> = row.try_get_by_index(7).map_err(failed)?;
    Ok(Missing {
        origin: GrantOrigin::Duty,
        origin_id: row.try_get_by_index(0).map_err(failed)?,
        account: row.try_get_by_index(1).map_err(failed)?,
        role: role.to_owned(),
        reach,
        student: None,
        class_group: key(2)?,
        course: key(3)?,
        year_level: key(4)?,
        since: row.try_get_by_index(5).map_err(failed)?,
        until: match (until, year) {
            (Some(until), Some(year)) => Some(std::cmp::Ord::min(until, year)),
            (until, year) => until.or(year),
        },
    })
}

/// Custody that holds today over a pupil who is there, of family members with an account that holds no such grant.
fn custody_without(role: &str, reach: &'static str, today: NaiveDate) -> SelectStatement {
    let live = |alias: &'static str| Expr::col((alias, "lifecycle")).eq("live");
    let c = |name: &'static str| Expr::col(("c", name));
    let mut query = Query::select();
    query
        .expr_as(c("id"), "c0")
        .expr_as(Expr::col(("a", "id")), "c1")
        .expr_as(c("student_id"), "c2")
        .expr_as(c("since"), "c3")
        .expr_as(c("until"), "c4")
        .from_as("guardian", "gu")
        .join_as(
            JoinType::InnerJoin,
            "guardianship",
            "c",
            c("student_id")
                .equals(("gu", "student_id"))
                .and(c("guardian_id").equals(("gu", "id")))
                .and(live("c")),
        )
        .join_as(
            JoinType::InnerJoin,
            "student",
            "p",
            Expr::col(("p", "id")).equals(("gu", "student_id")).and(live("p")),
        )
        .join_as(
            JoinType::InnerJoin,
            "account",
            "a",
            Expr::col(("a", "id"))
                .equals(("gu", "account_id"))
                .and(Expr::col(("a", "disabled")).eq(false))
                .and(Expr::col(("a", "kind")).eq(AccountKind::Guardian.to_value())),
        )
        .and_where(Expr::col(("gu", "account_id")).is_not_null())
        .and_where(live("gu"))
        .and_where(c("custody").is_in(CUSTODY.map(|custody| custody.to_value())))
        .and_where(holds_today("c", today))
        .and_where(Expr::exists(held(role, reach, &[("student_id", c("student_id"))], today)).not())
        .order_by(("c", "id"), sea_orm::Order::Asc)
        .limit(TURN);
    query
}

fn of_custody(row: &QueryResult, role: &str, reach: &'static str) -> Result<Missing> {
    Ok(Missing {
        origin: GrantOrigin::Guardianship,
        origin_id: row.try_get_by_index(0).map_err(failed)?,
        account: row.try_get_by_index(1).map_err(failed)?,
        role: role.to_owned(),
        reach,
        student: Some(row.try_get_by_index(2).map_err(failed)?),
        class_group: None,
        course: None,
        year_level: None,
        since: row.try_get_by_index(3).map_err(failed)?,
        until: row.try_get_by_index(4).map_err(failed)?,
    })
}

/// Grants that follow from a fact which is gone, or as which the policy no longer reads it.
fn stale(policy: &Policy, today: NaiveDate, custody: bool) -> SelectStatement {
    let g = |name: &'static str| Expr::col(("g", name));
    let named = Fact::ALL.into_iter().filter_map(|fact| role_of(policy, fact));
    let known =
        named.map(|(role, reach)| g("role").eq(role).and(g("reach").eq(reach))).reduce(Expr::or);
    let mut gone = stands("g", today).not();
    if let Some(known) = known {
        gone = gone.or(known.not());
    }
    let mut query = Query::select();
    if !custody {
        query.and_where(g("origin").eq(GrantOrigin::Duty.to_value()));
    }
    query
        .expr_as(g("id"), "c0")
        .expr_as(g("account_id"), "c1")
        .from_as("access_grant", "g")
        .and_where(g("origin_id").is_not_null())
        .and_where(g("ended_at").is_null())
        .and_where(g("until").is_null().or(g("until").gte(today)))
        .and_where(gone)
        .order_by(("g", "id"), sea_orm::Order::Asc)
        .limit(TURN)
        .to_owned()
}
