//! Roles as they are given, asked for and ended by hand: the places and accounts they concern, and the requests that wait
//! for a second person. Who may do what is decided in the domain.
//!
//! A role over one pupil is neither read nor written here.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Func, LockType, Query, SelectStatement, Value};
use sea_orm::{ActiveEnum, JoinType, QueryResult};
use serde_json::json;
use uuid::Uuid;
use xueji_entity::account::AccountKind;
use xueji_entity::grant_request::RequestState;
use xueji_entity::value::Narrative;

use super::{Tx, insert_into, names};
use crate::access::caller::Place;
use crate::access::filter::Key;
use crate::access::place::{Writing, holds_today};
use crate::access::table::Reach;
use crate::error::{Error, Result};
use crate::store::failed;
use crate::store::grants::stands;
use crate::store::held::Area;
use crate::store::stops::{barred, role_runs};

/// Where a place or an employer lies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    /// The school that it is, or lies in.
    pub school: Option<Uuid>,
    /// The authority that it is or that looks after it today, and those above.
    pub above: Vec<Uuid>,
}

/// A place that there is.
#[derive(Clone, Debug)]
pub struct Site {
    /// The kind of place.
    pub reach: Reach,
    /// The place.
    pub place: Place,
    /// Where it lies.
    pub ground: Ground,
}

/// Whose account is meant.
#[derive(Clone, Copy, Debug)]
pub enum Named<'w> {
    /// The one with this login.
    Login(&'w str),
    /// The one with this key.
    Key(Uuid),
}

/// An account that may hold a role of an office.
#[derive(Clone, Debug)]
pub struct Receiver {
    /// The account.
    pub account: Uuid,
    /// The member of staff; none for a program of another system.
    pub staff: Option<Uuid>,
    /// Where the employer lies; nowhere for a program.
    pub employer: Ground,
}

/// A role at a place, for a time.
#[derive(Clone, Debug)]
pub struct RoleAt {
    /// To whom.
    pub account: Uuid,
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
}

/// A request as it is on file.
#[derive(Clone, Debug)]
pub struct Request {
    /// Its key.
    pub id: Uuid,
    /// What is asked for.
    pub wanted: RoleAt,
    /// Why.
    pub reason: Narrative,
    /// Who asks.
    pub requested_by: Uuid,
    /// When it is too late.
    pub expires_at: DateTime<Utc>,
    /// What became of it.
    pub state: RequestState,
}

/// A grant as it is on file, at a place that is no pupil.
#[derive(Clone, Debug)]
pub struct RoleOnFile {
    /// Its key.
    pub id: Uuid,
    /// Whose it is.
    pub account: Uuid,
    /// The role.
    pub role: String,
    /// The kind of place.
    pub reach: Reach,
    /// The place.
    pub place: Place,
    /// It follows from a fact and ends with it.
    pub derived: bool,
    /// Whether it has ended by a revocation.
    pub ended: bool,
}

/// The place columns, in the order in which they are read and written.
/// How long a code that one person made for another keeps them from being two pairs of eyes.
const RESET: TimeDelta = TimeDelta::days(30);

const PLACES: [&str; 4] = ["class_group_id", "course_id", "year_level_id", "organisation_id"];

fn place_values(place: Place) -> Result<[Option<Uuid>; 4]> {
    Ok(match place {
        Place::Anywhere => [None; 4],
        Place::Teaching { class_group, course } => [Some(class_group), Some(course), None, None],
        Place::ClassGroup(id) => [Some(id), None, None, None],
        Place::YearLevel(id) => [None, None, Some(id), None],
        Place::Organisation(id) => [None, None, None, Some(id)],
        Place::Student(_) => {
            return Err(Error::internal("a role over a pupil is not given by hand"));
        }
    })
}

/// The place of a row, from its place columns.
pub(in crate::store) fn place_at(row: &QueryResult, first: usize) -> Result<Place> {
    let key = |at: usize| row.try_get_by_index::<Option<Uuid>>(first + at).map_err(failed);
    Ok(match (key(0)?, key(1)?, key(2)?, key(3)?) {
        (Some(class_group), Some(course), ..) => Place::Teaching { class_group, course },
        (Some(id), None, ..) => Place::ClassGroup(id),
        (None, _, Some(id), _) => Place::YearLevel(id),
        (None, _, None, Some(id)) => Place::Organisation(id),
        (None, _, None, None) => Place::Anywhere,
    })
}

/// The rows of `alias` are at this place.
fn is_at(alias: &'static str, place: Place) -> Result<Expr> {
    let mut all: Option<Expr> = None;
    for (column, value) in PLACES.into_iter().zip(place_values(place)?) {
        let column = Expr::col((alias, column));
        let this = match value {
            Some(id) => column.eq(Expr::val(id)),
            None => column.is_null(),
        };
        all = Some(match all {
            Some(before) => before.and(this),
            None => this,
        });
    }
    all.ok_or_else(|| Error::internal("a place has columns"))
}

/// The account of this alias is that of a registered program.
pub(in crate::store) fn registered(account: &'static str) -> Expr {
    let client = Query::select()
        .expr(Expr::col(("kr", "id")))
        .from_as("api_client", "kr")
        .and_where(Expr::col(("kr", "id")).equals((account, "id")))
        .to_owned();
    Expr::exists(client)
}

fn reach_of(word: &str) -> Result<Reach> {
    Reach::from_word(word).ok_or_else(|| Error::internal("a grant has a reach that nobody knows"))
}

impl Tx {
    /// The place, if there is one: a school is one of schools, an authority one of regions.
    pub async fn site(&self, place: Place) -> Result<Option<Site>> {
        let (table, id, course) = match place {
            Place::Anywhere => {
                return Ok(Some(Site { reach: Reach::Anywhere, place, ground: Ground::default() }));
            }
            Place::Student(_) => return Ok(None),
            Place::Organisation(id) => {
                let Some((school, ground)) = self.ground(id).await? else { return Ok(None) };
                let reach = if school { Reach::School } else { Reach::Region };
                return Ok(Some(Site { reach, place, ground }));
            }
            Place::Teaching { class_group, course } => ("class_group", class_group, Some(course)),
            Place::ClassGroup(id) => ("class_group", id, None),
            Place::YearLevel(id) => ("year_level", id, None),
        };
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("p", "school_id")), "c0")
            .from_as(table, "p")
            .and_where(Expr::col(("p", "id")).eq(Expr::val(id)));
        if let Some(course) = course {
            let known = Query::select()
                .expr(Expr::col(("co", "id")))
                .from_as("course", "co")
                .and_where(Expr::col(("co", "id")).eq(Expr::val(course)))
                .to_owned();
            query.and_where(Expr::exists(known));
        }
        let rows = self.select(&query).await?;
        // Asked of no school too: a class elsewhere takes as many statements as one that is not there.
        let school: Option<Uuid> =
            rows.first().map(|row| row.try_get_by_index(0).map_err(failed)).transpose()?;
        let Some((_, ground)) = self.ground(school.unwrap_or_default()).await? else {
            return Ok(None);
        };
        let reach = match place {
            Place::Teaching { .. } => Reach::Teaching,
            Place::YearLevel(_) => Reach::YearLevel,
            Place::ClassGroup(_) | Place::Anywhere | Place::Student(_) | Place::Organisation(_) => {
                Reach::Class
            }
        };
        Ok(Some(Site { reach, place, ground }))
    }

    /// Whether an organisation is a school, and where it lies; none when there is none.
    async fn ground(&self, id: Uuid) -> Result<Option<(bool, Ground)>> {
        let columns = ["id", "county_id", "city_id", "province_id"];
        let mut query = Query::select();
        query.expr_as(Expr::col(("o", "level")), "c0");
        for (at, column) in columns.into_iter().enumerate() {
            query.expr_as(Expr::col(("o", column)), format!("o{at}"));
        }
        for (at, column) in columns.into_iter().enumerate() {
            query.expr_as(Expr::col(("au", column)), format!("a{at}"));
        }
        query
            .from_as("organisation", "o")
            .join_as(
                JoinType::LeftJoin,
                "school_authority",
                "sa",
                Expr::col(("sa", "school_id"))
                    .equals(("o", "id"))
                    .and(holds_today("sa", self.caller.today())),
            )
            .join_as(
                JoinType::LeftJoin,
                "organisation",
                "au",
                Expr::col(("au", "id")).equals(("sa", "authority_id")),
            )
            .and_where(Expr::col(("o", "id")).eq(Expr::val(id)));
        let rows = self.select(&query).await?;
        let Some(first) = rows.first() else { return Ok(None) };
        let level: String = first.try_get_by_index(0).map_err(failed)?;
        let school = level == "school";
        let from = if school { 5..9 } else { 1..5 };
        let mut above = Vec::new();
        for row in &rows {
            for at in from.clone() {
                above.extend(row.try_get_by_index::<Option<Uuid>>(at).map_err(failed)?);
            }
        }
        Ok(Some((school, Ground { school: school.then_some(id), above })))
    }

    /// The account, if it may hold a role of an office: open, of a member of staff who is there, or of a program.
    pub async fn receiver(&self, whose: Named<'_>) -> Result<Option<Receiver>> {
        let a = |name: &'static str| Expr::col(("a", name));
        let this = match whose {
            Named::Login(login) => a("login").eq(login),
            Named::Key(id) => a("id").eq(Expr::val(id)),
        };
        let kinds = [AccountKind::Staff.to_value(), AccountKind::Client.to_value()];
        let mut query = Query::select();
        query
            .expr_as(a("id"), "c0")
            .expr_as(Expr::col(("s", "id")), "c1")
            .expr_as(Expr::col(("s", "organisation_id")), "c2")
            .from_as("account", "a")
            .join_as(
                JoinType::LeftJoin,
                "staff",
                "s",
                Expr::col(("s", "id"))
                    .equals(("a", "staff_id"))
                    .and(Expr::col(("s", "lifecycle")).eq("live")),
            )
            .and_where(this)
            .and_where(a("kind").is_in(kinds))
            .and_where(a("disabled").eq(false))
            .and_where(a("student_id").is_null())
            .and_where(
                Expr::col(("s", "id"))
                    .is_not_null()
                    .or(a("staff_id").is_null().and(a("kind").eq(AccountKind::Client.to_value()))),
            );
        let rows = self.select(&query).await?;
        let employer: Option<Uuid> = match rows.first() {
            Some(row) => row.try_get_by_index(2).map_err(failed)?,
            None => None,
        };
        // Asked of nobody's employer too: an account elsewhere takes as many statements as one that is not there.
        let employer = self.ground(employer.unwrap_or_default()).await?;
        let employer = employer.map(|(_, ground)| ground).unwrap_or_default();
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(Receiver {
            account: row.try_get_by_index(0).map_err(failed)?,
            staff: row.try_get_by_index(1).map_err(failed)?,
            employer,
        }))
    }

    /// Whose an account is, open or not: the account of a person, that of a program's owner, with the member of staff.
    pub async fn person_of(&self, account: Uuid) -> Result<(Uuid, Option<Uuid>)> {
        let owner = Func::coalesce([Expr::col(("k", "owner_account_id")), Expr::col(("a", "id"))]);
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("o", "id")), "c0")
            .expr_as(Expr::col(("o", "staff_id")), "c1")
            .from_as("account", "a")
            .join_as(
                JoinType::LeftJoin,
                "api_client",
                "k",
                Expr::col(("k", "id")).equals(("a", "id")),
            )
            .join_as(JoinType::InnerJoin, "account", "o", Expr::col(("o", "id")).eq(owner))
            .and_where(Expr::col(("a", "id")).eq(Expr::val(account)));
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok((account, None)) };
        Ok((row.try_get_by_index(0).map_err(failed)?, row.try_get_by_index(1).map_err(failed)?))
    }

    /// Whether one of two accounts was given a code for a new password by the other lately: whoever makes a code could
    /// sign in with it, and so be both.
    pub async fn reset_between(&self, one: Uuid, other: Uuid) -> Result<bool> {
        let c = |name: &'static str| Expr::col(name);
        let by = |of: Uuid, by: Uuid| {
            c("account_id").eq(Expr::val(of)).and(c("created_by_id").eq(Expr::val(by)))
        };
        let lately = self.now.checked_sub_signed(RESET).unwrap_or(self.now);
        let mut query = Query::select();
        query
            .expr_as(c("id"), "c0")
            .from("activation_code")
            .and_where(c("created_at").gt(lately))
            .and_where(by(one, other).or(by(other, one)))
            .limit(1);
        Ok(!self.select(&query).await?.is_empty())
    }

    /// Locks the account of whoever receives, so that grants to it are given one after the other.
    pub async fn lock_receiver(&self, account: Uuid) -> Result<()> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .from("account")
            .and_where(Expr::col("id").eq(Expr::val(account)))
            .lock(LockType::NoKeyUpdate);
        self.select(&query).await.map(|_rows| ())
    }

    fn grants_query(&self, columns: &[&'static str]) -> SelectStatement {
        let today = self.caller.today();
        let g = |name: &'static str| Expr::col(("g", name));
        let mut query = Query::select();
        for (at, column) in columns.iter().enumerate() {
            query.expr_as(g(column), format!("c{at}"));
        }
        query
            .from_as("access_grant", "g")
            .and_where(g("ended_at").is_null())
            .and_where(g("until").is_null().or(g("until").gte(today)))
            .and_where(g("expires_at").is_null().or(g("expires_at").gt(self.now)))
            .and_where(g("delegated_from_id").is_null())
            .and_where(stands("g", today));
        query
    }

    /// Whether the account holds the same on one of these days, or a request for it waits.
    pub async fn held_or_asked_for(&self, wanted: &RoleAt, besides: Option<Uuid>) -> Result<bool> {
        let g = |name: &'static str| Expr::col(("g", name));
        let mut held = self.grants_query(&["id"]);
        held.and_where(g("account_id").eq(Expr::val(wanted.account)))
            .and_where(g("role").eq(wanted.role.as_str()))
            .and_where(g("reach").eq(wanted.reach.word()))
            .and_where(is_at("g", wanted.place)?)
            .and_where(g("since").lte(wanted.until))
            .and_where(g("until").is_null().or(g("until").gte(wanted.since)))
            .limit(1);
        if !self.select(&held).await?.is_empty() {
            return Ok(true);
        }
        let r = |name: &'static str| Expr::col(("r", name));
        let mut asked = Query::select();
        asked
            .expr_as(r("id"), "c0")
            .from_as("grant_request", "r")
            .and_where(r("account_id").eq(Expr::val(wanted.account)))
            .and_where(r("state").eq(RequestState::Waiting.to_value()))
            .and_where(r("expires_at").gt(self.now))
            .and_where(r("role").eq(wanted.role.as_str()))
            .and_where(r("reach").eq(wanted.reach.word()))
            .and_where(is_at("r", wanted.place)?)
            .limit(1);
        if let Some(id) = besides {
            asked.and_where(r("id").ne(Expr::val(id)));
        }
        Ok(!self.select(&asked).await?.is_empty())
    }

    /// The last day of the school year that a day is in.
    pub async fn year_ends(&self, day: NaiveDate) -> Result<Option<NaiveDate>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("ends_on"), "c0")
            .from("school_year")
            .and_where(Expr::col("starts_on").lte(day))
            .and_where(Expr::col("ends_on").gte(day))
            .order_by("ends_on", sea_orm::Order::Asc)
            .limit(1);
        let rows = self.select(&query).await?;
        rows.first().map(|row| row.try_get_by_index(0).map_err(failed)).transpose()
    }

    /// What an account holds today and not as a substitute, as role, reach and place; roles over pupils are left out.
    pub async fn roles_of(&self, account: Uuid) -> Result<Vec<(String, Reach, Place)>> {
        let columns = [&["role", "reach"], PLACES.as_slice()].concat();
        let mut query = self.grants_query(&columns);
        query
            .join_as(
                JoinType::InnerJoin,
                "account",
                "a",
                Expr::col(("a", "id"))
                    .equals(("g", "account_id"))
                    .and(barred("a").not())
                    .and(registered("a").not()),
            )
            .and_where(role_runs(Expr::col(("g", "role"))))
            .and_where(Expr::col(("g", "account_id")).eq(Expr::val(account)))
            .and_where(Expr::col(("g", "since")).lte(self.caller.today()))
            .and_where(Expr::col(("g", "student_id")).is_null());
        let mut found = Vec::new();
        for row in &self.select(&query).await? {
            let reach: String = row.try_get_by_index(1).map_err(failed)?;
            let role = row.try_get_by_index(0).map_err(failed)?;
            found.push((role, reach_of(&reach)?, place_at(row, 2)?));
        }
        Ok(found)
    }

    fn put(
        &mut self,
        table: &'static str,
        id: Uuid,
        role: &RoleAt,
        more: &[(&'static str, Value)],
    ) -> Result<sea_orm::sea_query::InsertStatement> {
        let own = ["id", "account_id", "role", "reach", "since", "until"];
        let columns: Vec<&'static str> =
            own.into_iter().chain(PLACES).chain(more.iter().map(|(column, _)| *column)).collect();
        let mut values: Vec<Value> = vec![
            id.into(),
            role.account.into(),
            role.role.as_str().into(),
            role.reach.word().into(),
            role.since.into(),
            role.until.into(),
        ];
        values.extend(place_values(role.place)?.map(Value::from));
        values.extend(more.iter().map(|(_, value)| value.clone()));
        // The row is in no pupil's history: what it says stands in the line on record, by keys alone.
        let place = place_values(role.place)?.into_iter().flatten().next();
        let said = json!({
            "id": id, "account_id": role.account, "role": role.role, "reach": role.reach.word(),
            "place": place, "since": role.since, "until": role.until,
        });
        let touched = self.touch(table)?;
        touched.inserted.push(Key { student: None, id });
        touched.columns.extend(columns.iter().copied().filter(|column| *column != "id"));
        touched.turned.push(said);
        insert_into(table, names(&columns), [values])
    }

    /// Gives a role.
    pub async fn give_role(&mut self, role: &RoleAt, by: Uuid, reason: &Narrative) -> Result<Uuid> {
        let id = Uuid::now_v7();
        let more = [("granted_by_id", by.into()), ("reason", reason.clone().into())];
        let insert = self.put("access_grant", id, role, &more)?;
        self.execute(&insert).await?;
        Ok(id)
    }

    /// Files a request for a role.
    pub async fn ask_for_role(
        &mut self,
        role: &RoleAt,
        reason: &Narrative,
        expires_at: DateTime<Utc>,
    ) -> Result<Uuid> {
        let id = Uuid::now_v7();
        let more = [
            ("reason", reason.clone().into()),
            ("requested_by_id", self.caller.account().uuid().into()),
            ("requested_at", self.now.into()),
            ("expires_at", expires_at.into()),
            ("state", RequestState::Waiting.to_value().into()),
        ];
        let insert = self.put("grant_request", id, role, &more)?;
        self.execute(&insert).await?;
        Ok(id)
    }

    /// A request in an area, or one that the caller made; none for one elsewhere, by the same statement.
    pub async fn role_request(&self, id: Uuid, area: &Area) -> Result<Option<Request>> {
        let columns = [
            &[
                "id",
                "account_id",
                "role",
                "reach",
                "since",
                "until",
                "reason",
                "requested_by_id",
                "expires_at",
                "state",
            ],
            PLACES.as_slice(),
        ]
        .concat();
        let mut query = Query::select();
        for (at, column) in columns.into_iter().enumerate() {
            query.expr_as(Expr::col(("r", column)), format!("c{at}"));
        }
        query.from_as("grant_request", "r").and_where(Expr::col(("r", "id")).eq(Expr::val(id)));
        let writing = self.writing_places();
        if let Some(within) = area.within("r", writing) {
            let own = Expr::val(self.caller.account().uuid());
            let whole = within.and(area.employs(Expr::col(("r", "account_id")), writing));
            query.and_where(whole.or(Expr::col(("r", "requested_by_id")).eq(own)));
        }
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let reach: String = row.try_get_by_index(3).map_err(failed)?;
        let state: String = row.try_get_by_index(9).map_err(failed)?;
        Ok(Some(Request {
            id,
            wanted: RoleAt {
                account: row.try_get_by_index(1).map_err(failed)?,
                role: row.try_get_by_index(2).map_err(failed)?,
                reach: reach_of(&reach)?,
                place: place_at(row, 10)?,
                since: row.try_get_by_index(4).map_err(failed)?,
                until: row.try_get_by_index(5).map_err(failed)?,
            },
            reason: row.try_get_by_index(6).map_err(failed)?,
            requested_by: row.try_get_by_index(7).map_err(failed)?,
            expires_at: row.try_get_by_index(8).map_err(failed)?,
            state: RequestState::try_from_value(&state).map_err(failed)?,
        }))
    }

    /// Writes what became of a request that waits; a conflict when somebody was quicker.
    pub async fn settle_request(
        &mut self,
        id: Uuid,
        state: RequestState,
        grant: Option<Uuid>,
    ) -> Result<()> {
        let mut update = Query::update();
        update
            .table("grant_request")
            .value("state", Expr::val(state.to_value()))
            .value("decided_by_id", Expr::val(self.caller.account().uuid()))
            .value("decided_at", Expr::val(self.now))
            .value("grant_id", Expr::val(grant))
            .and_where(Expr::col("id").eq(Expr::val(id)))
            .and_where(Expr::col("state").eq(RequestState::Waiting.to_value()));
        if self.execute(&update).await? != 1 {
            return Err(Error::Conflict { what: "grant_request".into() });
        }
        let touched = self.touch("grant_request")?;
        touched.updated.push(Key { student: None, id });
        touched.columns.extend(["state", "decided_by_id", "decided_at", "grant_id"]);
        touched.turned.push(json!({ "id": id, "state": state.to_value(), "grant_id": grant }));
        Ok(())
    }

    fn writing_places(&self) -> Writing {
        Writing { backend: self.store.backend(), today: self.caller.today(), account: None }
    }

    /// A grant of an office in an area, ended or not; none for one elsewhere, by the same statement.
    pub async fn role_on_file(&self, id: Uuid, area: &Area) -> Result<Option<RoleOnFile>> {
        let columns = [
            &["id", "account_id", "role", "reach", "origin", "ended_at", "until"],
            PLACES.as_slice(),
        ]
        .concat();
        let mut query = Query::select();
        for (at, column) in columns.into_iter().enumerate() {
            query.expr_as(Expr::col(("g", column)), format!("c{at}"));
        }
        query
            .from_as("access_grant", "g")
            .and_where(Expr::col(("g", "id")).eq(Expr::val(id)))
            .and_where(Expr::col(("g", "student_id")).is_null());
        if let Some(within) = area.within("g", self.writing_places()) {
            query.and_where(within);
        }
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let reach: String = row.try_get_by_index(3).map_err(failed)?;
        let origin: Option<String> = row.try_get_by_index(4).map_err(failed)?;
        let ended_at: Option<DateTime<Utc>> = row.try_get_by_index(5).map_err(failed)?;
        let until: Option<NaiveDate> = row.try_get_by_index(6).map_err(failed)?;
        Ok(Some(RoleOnFile {
            id,
            account: row.try_get_by_index(1).map_err(failed)?,
            role: row.try_get_by_index(2).map_err(failed)?,
            reach: reach_of(&reach)?,
            place: place_at(row, 7)?,
            derived: origin.is_some(),
            ended: ended_at.is_some() || until.is_some_and(|day| day < self.caller.today()),
        }))
    }

    /// Whether another open account holds the same today, for longer than today. Those grants are locked, so that of two
    /// who end each other's one is second.
    pub async fn others_hold(&self, of: &RoleOnFile) -> Result<bool> {
        let mut query = self.grants_query(&["id", "account_id"]);
        let g = |name: &'static str| Expr::col(("g", name));
        let open = Query::select()
            .expr(Expr::col(("a", "id")))
            .from_as("account", "a")
            .and_where(Expr::col(("a", "id")).equals(("g", "account_id")))
            .and_where(barred("a").not())
            .and_where(registered("a").not())
            .to_owned();
        query
            .and_where(g("until").is_null().or(g("until").gt(self.caller.today())))
            .and_where(g("role").eq(of.role.as_str()))
            .and_where(g("reach").eq(of.reach.word()))
            .and_where(g("since").lte(self.caller.today()))
            .and_where(Expr::exists(open))
            .order_by_expr(g("id"), sea_orm::Order::Asc)
            .lock(LockType::NoKeyUpdate);
        // Those of the account itself are locked with them, in one order for everybody.
        for row in &self.select(&query).await? {
            if row.try_get_by_index::<Uuid>(1).map_err(failed)? != of.account {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The term of a day, or the last one before it.
    pub async fn term_of(&self, day: NaiveDate) -> Result<Option<Uuid>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .from("term")
            .and_where(Expr::col("starts_on").lte(day))
            .order_by("starts_on", sea_orm::Order::Desc)
            .limit(1);
        let rows = self.select(&query).await?;
        rows.first().map(|row| row.try_get_by_index(0).map_err(failed)).transpose()
    }

    /// Notes that a grant was looked at in a term; once is enough.
    pub async fn confirm_role(&mut self, grant: Uuid, term: Uuid) -> Result<()> {
        let id = Uuid::now_v7();
        let columns = ["id", "grant_id", "term_id", "confirmed_by_id", "confirmed_at"];
        let values: Vec<Value> = vec![
            id.into(),
            grant.into(),
            term.into(),
            self.caller.account().uuid().into(),
            self.now.into(),
        ];
        let mut insert = insert_into("grant_review", names(&columns), [values])?;
        let seen = sea_orm::sea_query::OnConflict::columns(["grant_id", "term_id"]);
        insert.on_conflict(seen.to_owned().do_nothing().to_owned());
        let fresh = self.execute(&insert).await? == 1;
        let touched = self.touch("grant_review")?;
        if fresh {
            touched.inserted.push(Key { student: None, id });
        }
        touched.turned.push(json!({ "grant_id": grant, "term_id": term }));
        Ok(())
    }
}
