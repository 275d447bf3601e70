//! An examination as an act reads and publishes it: its state, its scores, and who lacks some.
//! Whether it may be published is decided in the domain.

use chrono::NaiveDate;
use sea_orm::ActiveEnum;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Func, Query, SelectStatement};
use uuid::Uuid;
use xueji_entity::exam::ExamState;

use super::failed;
use super::tx::{Found, Tx};
use crate::access::filter::Key;
use crate::access::place::holds_today;
use crate::access::shown::Cell;
use crate::error::{Error, Result};

/// An examination that an act has read.
#[derive(Clone, Debug)]
pub struct Exam {
    row: Found,
    year_level: Uuid,
    day: NaiveDate,
    /// How far entry of its scores has come.
    pub state: ExamState,
}

/// A live score of an examination.
#[derive(Clone, Debug)]
pub struct Score {
    row: Found,
    /// Whether it is published already.
    pub published: bool,
    /// Whether the row lies in the scope of the act: a pupil who has left since does not.
    pub in_scope: bool,
}

/// What an examination has to show for itself.
#[derive(Clone, Copy, Debug, Default)]
pub struct Scored {
    /// Somebody who sat it and is within the scope of the act has a score.
    pub any: bool,
    /// Pupils who sat it, within the scope of the act, and lack a score in one course or more.
    pub without_score: u64,
}

impl Score {
    /// The student.
    pub fn student(&self) -> Option<Uuid> {
        self.row.student()
    }

    /// The row.
    pub fn id(&self) -> Uuid {
        self.row.key().id
    }
}

impl Tx {
    /// The examination, within the scope of the act; `NOT_FOUND` otherwise.
    pub async fn exam(&self, exam: Option<Key>) -> Result<Exam> {
        let odd = || Error::internal("an examination holds another type");
        let key = exam.ok_or_else(|| Error::not_found("Exam"))?;
        let row = self.get("exam", key, &["state", "year_level_id", "starts_on"]).await?;
        let Cell::Text(state) = row.fact("state")? else { return Err(odd()) };
        let state = ExamState::try_from_value(state).map_err(failed)?;
        let year_level = row.fact("year_level_id")?.key().ok_or_else(odd)?;
        let Cell::Date(day) = *row.fact("starts_on")? else { return Err(odd()) };
        Ok(Exam { row, year_level, day, state })
    }

    /// All live scores of the examination, wherever their pupils are today.
    pub async fn scores_of(&self, exam: &Exam) -> Result<Vec<Score>> {
        let scope = self.scope(self.noun("score")?);
        let rows = self.parts_of(&exam.row, &scope, "exam_id", &["published"]).await?;
        rows.into_iter()
            .map(|(row, in_scope)| {
                let Cell::Bool(published) = *row.fact("published")? else {
                    return Err(Error::internal("a score holds another type"));
                };
                Ok(Score { row, published, in_scope })
            })
            .collect()
    }

    /// What an examination has to show for itself, in one statement.
    pub async fn scored(&self, exam: &Exam) -> Result<Scored> {
        let scope = self.scope(self.noun("score")?);
        let any = Expr::exists(scores_of_who_sat(exam, scope.condition("t2")));
        let any = CaseStatement::new().case(any, Expr::val(1_i64)).finally(Expr::val(0_i64));
        let mut query = Query::select();
        query.expr_as(Expr::Case(Box::new(any)), "c0");
        if let Some(lacking) = self.lacking_a_score(exam)? {
            query.expr_as(scalar(lacking), "c1");
        } else {
            query.expr_as(Expr::val(0_i64), "c1");
        }
        let rows = self.select(&query).await?;
        let row = rows.first().ok_or_else(|| Error::internal("a count has no row"))?;
        let number = |at: usize| row.try_get_by_index::<i64>(at).map_err(failed);
        let without_score =
            u64::try_from(number(1)?).map_err(|error| Error::Internal(error.into()))?;
        Ok(Scored { any: number(0)? == 1, without_score })
    }

    /// Counts the pupils who were in the year level on the day, are within the scope of the act, and have
    /// no score in one of the examination's courses or in more; none when the act reaches nobody.
    fn lacking_a_score(&self, exam: &Exam) -> Result<Option<SelectStatement>> {
        let enrolled = self.scope(self.noun("enrollment")?);
        let scores = self.scope(self.noun("score")?);
        if enrolled.is_empty() || scores.is_empty() {
            return Ok(None);
        }
        let key = exam.row.key().id;
        let courses = Query::select()
            .expr(Func::count(Expr::col(("ec", "id"))))
            .from_as("exam_course", "ec")
            .and_where(Expr::col(("ec", "exam_id")).eq(Expr::val(key)))
            .take();
        let have = Query::select()
            .expr(Func::count_distinct(Expr::col(("t1", "course_id"))))
            .from_as("score", "t1")
            .and_where(Expr::col(("t1", "student_id")).equals(("t0", "student_id")))
            .and_where(Expr::col(("t1", "exam_id")).eq(Expr::val(key)))
            .and_where(scores.condition("t1"))
            .take();
        let classes = Query::select()
            .column(("cg", "id"))
            .from_as("class_group", "cg")
            .and_where(Expr::col(("cg", "year_level_id")).eq(Expr::val(exam.year_level)))
            .take();
        let sat = in_class_on(exam.day, Expr::col(("t0", "student_id")))
            .and_where(Expr::col(("cm", "class_group_id")).in_subquery(classes))
            .take();
        let mut query = Query::select();
        query
            .expr(Func::count(Expr::col(("t0", "id"))))
            .from_as("enrollment", "t0")
            .and_where(enrolled.condition("t0"))
            .and_where(Expr::col(("t0", "live")).eq(true))
            .and_where(Expr::col(("t0", "year_level_id")).eq(Expr::val(exam.year_level)))
            .and_where(Expr::exists(sat))
            .and_where(scalar(have).lt(scalar(courses)));
        Ok(Some(query))
    }

    /// Publishes the examination and these scores of it; `CONFLICT` when another act was quicker.
    pub async fn exam_publish(&mut self, exam: &Exam, scores: &[&Score]) -> Result<()> {
        // The examination first: whoever comes second waits here and not half way.
        self.turn(&exam.row, "state", Cell::Text(ExamState::Published.to_value())).await?;
        let rows = scores.iter().map(|score| (&score.row, vec![Cell::Bool(true)])).collect();
        self.update("score", &["published"], rows).await?;
        Ok(())
    }
}

/// The live scores of pupils who sat the examination: who were in the class of the score on its day.
fn scores_of_who_sat(exam: &Exam, scope: Expr) -> SelectStatement {
    let t = |name: &'static str| Expr::col(("t2", name));
    let sat = in_class_on(exam.day, t("student_id"))
        .and_where(Expr::col(("cm", "class_group_id")).equals(("t2", "class_group_id")))
        .take();
    Query::select()
        .expr(t("id"))
        .from_as("score", "t2")
        .and_where(t("exam_id").eq(Expr::val(exam.row.key().id)))
        .and_where(scope)
        .and_where(Expr::exists(sat))
        .take()
}

/// The live class memberships of a student that held on a day.
fn in_class_on(day: NaiveDate, student: Expr) -> SelectStatement {
    Query::select()
        .expr(Expr::val(1))
        .from_as("class_membership", "cm")
        .and_where(Expr::col(("cm", "student_id")).eq(student))
        .and_where(Expr::col(("cm", "lifecycle")).eq("live"))
        .and_where(holds_today("cm", day))
        .take()
}

fn scalar(query: SelectStatement) -> Expr {
    Expr::SubQuery(None, Box::new(query.into()))
}
