//! What was raised about schools (意见与举报): raised, read and answered within the reach of who handles its kind.
//!
//! Which kinds a pair handles are the actions `concern.feedback` and `concern.misuse`. Whoever handles the opinions on a
//! school leads it, and is handed no report about it, whatever else they hold. Who raised a row that is not named is read
//! for themselves alone: the statements join the account where the row is named, and nowhere else.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, LockType, Order, Query, SelectStatement, Value};
use sea_orm::{ActiveEnum, JoinType, QueryResult};
use uuid::Uuid;
use xueji_entity::concern::{ConcernKind, ConcernState};
use xueji_entity::value::Narrative;

use super::{Tx, holding, insert_into, names};
use crate::access::action::Action;
use crate::access::caller::Caller;
use crate::access::filter::Key;
use crate::access::place::{Writing, among, nothing, school_held, student_lives};
use crate::access::table::Reach;
use crate::error::{Error, Result};
use crate::store::codec::seal;
use crate::store::{Store, failed};

const TABLE: &str = "concern";
/// Rows of one list.
const MOST: u64 = 500;

/// What somebody raises.
#[derive(Clone, Copy, Debug)]
pub struct NewConcern<'c> {
    /// An opinion, or a report.
    pub kind: ConcernKind,
    /// The school.
    pub school: Uuid,
    /// Whether who handles it may know who raised it.
    pub named: bool,
    /// What is said.
    pub text: &'c Narrative,
    /// How content they are.
    pub satisfaction: Option<i64>,
}

/// One that is to be answered.
#[derive(Clone, Copy, Debug)]
pub struct Raised {
    /// Its key.
    pub id: Uuid,
    /// Who raised it.
    pub by: Uuid,
    /// How far it is.
    pub state: ConcernState,
}

/// One as it is read, by who raised it or who handles it.
#[derive(Clone)]
pub struct Concern {
    /// Its key.
    pub id: Uuid,
    /// An opinion, or a report.
    pub kind: ConcernKind,
    /// The school.
    pub school: Uuid,
    /// Whether who raised it is named.
    pub named: bool,
    /// Who raised it, with the login; none where they are not named.
    pub raised_by: Option<(Uuid, String)>,
    /// What was said.
    pub text: String,
    /// How content they are.
    pub satisfaction: Option<i64>,
    /// How far it is.
    pub state: ConcernState,
    /// The answer.
    pub answer: Option<String>,
    /// When it was raised.
    pub raised_at: DateTime<Utc>,
    /// When it was answered.
    pub answered_at: Option<DateTime<Utc>>,
}

impl std::fmt::Debug for Concern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Concern(…)")
    }
}

fn c(name: &'static str) -> Expr {
    Expr::col(("c", name))
}

/// The action by which a kind is handled.
const fn handled_by(kind: ConcernKind) -> Action {
    match kind {
        ConcernKind::Feedback => Action::ConcernFeedback,
        ConcernKind::Misuse => Action::ConcernMisuse,
    }
}

fn writing(caller: &Caller) -> Writing {
    Writing { backend: caller.backend, today: caller.today(), account: None }
}

/// The row is about a school at which, or above which, the caller holds all of these actions by one pair.
fn held_there(caller: &Caller, actions: &[Action]) -> Expr {
    let holding: Vec<_> = actions.iter().map(|action| holding(caller, *action)).collect();
    let all =
        |bit: usize| holding.iter().all(|of| of.iter().any(|(mask, _)| mask & (1 << bit) != 0));
    let held = caller.session.held.iter().enumerate();
    held.filter(|(bit, _)| all(*bit))
        .map(|(_, held)| school_held(c("organisation_id"), held, writing(caller)))
        .reduce(|any, one| any.or(one))
        .unwrap_or_else(nothing)
}

/// The row is of this kind, and the caller handles it, by a pair that holds the other action as well.
fn handles(caller: &Caller, kind: ConcernKind, besides: Option<Action>) -> Expr {
    let actions: Vec<Action> = besides.into_iter().chain([handled_by(kind)]).collect();
    let of_kind = c("kind").eq(kind.to_value()).and(held_there(caller, &actions));
    match kind {
        ConcernKind::Feedback => of_kind,
        ConcernKind::Misuse => of_kind.and(held_there(caller, &[Action::ConcernFeedback]).not()),
    }
}

fn listed() -> SelectStatement {
    let mut query = Query::select();
    for (at, column) in [
        "id",
        "kind",
        "organisation_id",
        "named",
        "text",
        "satisfaction",
        "state",
        "answer",
        "raised_at",
        "answered_at",
    ]
    .into_iter()
    .enumerate()
    {
        query.expr_as(c(column), format!("c{at}"));
    }
    // The account of a row that is not named is not read.
    let by = Expr::col(("b", "id")).equals(("c", "raised_by_id")).and(c("named").eq(true));
    query
        .expr_as(Expr::col(("b", "id")), "d0")
        .expr_as(Expr::col(("b", "login")), "d1")
        .from_as(TABLE, "c")
        .join_as(JoinType::LeftJoin, "account", "b", by)
        .limit(MOST);
    query
}

fn get<T: sea_orm::TryGetable>(row: &QueryResult, at: usize) -> Result<T> {
    row.try_get_by_index(at).map_err(failed)
}

impl Store {
    /// What the caller raised, from the newest.
    pub async fn own_concerns(&self, caller: &Caller) -> Result<Vec<Concern>> {
        let mut query = listed();
        query
            .and_where(c("raised_by_id").eq(Expr::val(caller.account().uuid())))
            .order_by(("c", "id"), Order::Desc);
        let rows = self.all(caller, &query).await?;
        rows.iter().map(|row| self.concern(row)).collect()
    }

    fn concern(&self, row: &QueryResult) -> Result<Concern> {
        let id: Uuid = get(row, 0)?;
        let kind: String = get(row, 1)?;
        let text: Vec<u8> = get(row, 4)?;
        let state: String = get(row, 6)?;
        let answer: Option<Vec<u8>> = get(row, 7)?;
        let by: Option<Uuid> = get(row, 10)?;
        let login: Option<String> = get(row, 11)?;
        let open = |column: &str, sealed: &[u8]| self.codec.open(TABLE, column, id, sealed);
        Ok(Concern {
            id,
            kind: ConcernKind::try_from_value(&kind).map_err(failed)?,
            school: get(row, 2)?,
            named: get(row, 3)?,
            raised_by: by.zip(login),
            text: open("text", &text)?,
            satisfaction: get(row, 5)?,
            state: ConcernState::try_from_value(&state).map_err(failed)?,
            answer: answer.map(|answer| open("answer", &answer)).transpose()?,
            raised_at: get(row, 8)?,
            answered_at: get(row, 9)?,
        })
    }
}

impl Tx {
    /// The school, if there is one with this key and the caller belongs to it: works there, holds a duty or a role of it,
    /// or is enrolled there, as a ward or oneself. `NOT_FOUND` otherwise, by the same statement.
    pub async fn own_school(&self, school: Uuid) -> Result<Uuid> {
        let (o, backend) = (|| Expr::col(("o", "id")), self.caller.backend);
        let places = |reaches: &'static [Reach]| {
            let held = self.caller.session.held.iter();
            held.filter(|held| reaches.contains(&held.pair.reach)).map(|held| &held.places)
        };
        let students: Vec<Uuid> = places(&[Reach::Own, Reach::Ward])
            .flat_map(|places| places.students.iter().copied())
            .collect();
        let mut classes: Vec<Uuid> = places(&[Reach::Class, Reach::Teaching])
            .flat_map(|places| {
                let taught = places.teaching.iter().map(|(class, _)| *class);
                places.class_groups.iter().copied().chain(taught)
            })
            .collect();
        classes.sort_unstable();
        classes.dedup();
        let levels: Vec<Uuid> = places(&[Reach::YearLevel])
            .flat_map(|places| places.year_levels.iter().copied())
            .collect();
        let schools: Vec<Uuid> = places(&[Reach::School])
            .flat_map(|places| places.organisations.iter().copied())
            .collect();
        let of = |table: &'static str, ids: &[Uuid]| {
            Query::select()
                .column(("p", "school_id"))
                .from_as(table, "p")
                .and_where(among(Expr::col(("p", "id")), ids, backend))
                .to_owned()
        };
        let en = |name: &'static str| Expr::col(("en", name));
        let enrolled = Query::select()
            .column(("en", "school_id"))
            .from_as("enrollment", "en")
            .and_where(among(en("student_id"), &students, backend))
            .and_where(en("live").eq(true))
            .and_where(en("lifecycle").eq("live"))
            .and_where(student_lives(en("student_id")))
            .to_owned();
        let employed = Query::select()
            .column(("s", "organisation_id"))
            .from_as("account", "a")
            .join_as(
                JoinType::InnerJoin,
                "staff",
                "s",
                Expr::col(("s", "id"))
                    .equals(("a", "staff_id"))
                    .and(Expr::col(("s", "lifecycle")).eq("live")),
            )
            .and_where(Expr::col(("a", "id")).eq(Expr::val(self.caller.account().uuid())))
            .to_owned();
        let mut query = Query::select();
        query
            .expr_as(o(), "c0")
            .from_as("organisation", "o")
            .and_where(o().eq(Expr::val(school)))
            .and_where(Expr::col(("o", "level")).eq("school"))
            .and_where(
                o().in_subquery(enrolled)
                    .or(o().in_subquery(employed))
                    .or(o().in_subquery(of("class_group", &classes)))
                    .or(o().in_subquery(of("year_level", &levels)))
                    .or(among(o(), &schools, backend)),
            );
        match self.select(&query).await?.is_empty() {
            true => Err(Error::not_found("School")),
            false => Ok(school),
        }
    }

    /// Puts it on file. Where who raised it is not named, the line of the act does not say it either: the log keeps that
    /// something was raised, when, and its key, and the row alone keeps by whom.
    pub async fn raise_concern(&mut self, new: NewConcern<'_>) -> Result<Uuid> {
        let NewConcern { kind, school, named, text, satisfaction } = new;
        let id = Uuid::now_v7();
        let sealed = seal(self.store.codec.as_ref(), TABLE, "text", id, text)?;
        let columns = names(&[
            "id",
            "kind",
            "organisation_id",
            "raised_by_id",
            "named",
            "text",
            "satisfaction",
            "state",
            "raised_at",
        ]);
        let values: Vec<Value> = vec![
            id.into(),
            kind.to_value().into(),
            school.into(),
            self.caller.account().uuid().into(),
            named.into(),
            sealed.into(),
            satisfaction.into(),
            ConcernState::Open.to_value().into(),
            self.now.into(),
        ];
        self.execute(&insert_into(TABLE, columns, [values])?).await?;
        self.touch(TABLE)?.inserted.push(Key { student: None, id });
        self.unnamed = !named;
        Ok(id)
    }

    /// What was raised of a kind that the action of this act handles, open ones first, each time from the newest.
    pub async fn concerns(
        &mut self,
        kind: ConcernKind,
        state: Option<ConcernState>,
    ) -> Result<Vec<Concern>> {
        let mut query = listed();
        query
            .and_where(handles(&self.caller, kind, None))
            // Of the two words the later one is that of the open ones.
            .order_by(("c", "state"), Order::Desc)
            .order_by(("c", "id"), Order::Desc);
        if let Some(state) = state {
            query.and_where(c("state").eq(state.to_value()));
        }
        let rows = self.select(&query).await?;
        let concerns =
            rows.iter().map(|row| self.store.concern(row)).collect::<Result<Vec<_>>>()?;
        self.note(format!("{} read", concerns.len()));
        Ok(concerns)
    }

    /// One that the caller handles and may answer, locked until the act ends; `NOT_FOUND` for any other.
    pub async fn raised(&self, id: Uuid) -> Result<Raised> {
        let may = |kind| handles(&self.caller, kind, Some(Action::ConcernAnswer));
        let mut query = Query::select();
        query
            .expr_as(c("raised_by_id"), "c0")
            .expr_as(c("state"), "c1")
            .from_as(TABLE, "c")
            .and_where(c("id").eq(Expr::val(id)))
            .and_where(may(ConcernKind::Feedback).or(may(ConcernKind::Misuse)))
            .lock(LockType::NoKeyUpdate);
        let rows = self.select(&query).await?;
        let row = rows.first().ok_or_else(|| Error::not_found("Concern"))?;
        let state: String = get(row, 1)?;
        let state = ConcernState::try_from_value(&state).map_err(failed)?;
        Ok(Raised { id, by: get(row, 0)?, state })
    }

    /// Answers it, once.
    pub async fn answer_concern(&mut self, raised: Raised, answer: &Narrative) -> Result<()> {
        let sealed = seal(self.store.codec.as_ref(), TABLE, "answer", raised.id, answer)?;
        let mut update = Query::update();
        update
            .table(TABLE)
            .value("state", ConcernState::Answered.to_value())
            .value("answer", Expr::val(sealed))
            .value("answered_by_id", Expr::val(self.caller.account().uuid()))
            .value("answered_at", self.now)
            .and_where(Expr::col("id").eq(Expr::val(raised.id)))
            .and_where(Expr::col("state").eq(ConcernState::Open.to_value()));
        if self.execute(&update).await? != 1 {
            return Err(Error::Conflict { what: "state".into() });
        }
        let touched = self.touch(TABLE)?;
        touched.updated.push(Key { student: None, id: raised.id });
        touched.columns.extend(["state", "answer", "answered_by_id", "answered_at"]);
        Ok(())
    }
}
