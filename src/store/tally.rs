//! Counts and sums inside a scope, grouped, with one statement.
//!
//! What is counted obeys the same scopes and guards as what is read. Whether a figure may be said
//! is decided by whoever asks, before it asks.

use chrono::NaiveDate;
use sea_orm::JoinType;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query};
use uuid::Uuid;

use super::{Store, failed};
use crate::access::place::among;
use crate::access::scope::{Guard, Scope};
use crate::access::table::Uses;
use crate::error::Result;

/// The nature of a first, ordinary sitting (正常考试); a make-up or a retake is a row of its own.
const ORDINARY: &str = "KSXZ:01";

/// Days of one kind of one student.
#[derive(Clone, Debug)]
pub struct DayCount {
    /// The student.
    pub student: Uuid,
    /// The kind, as stored.
    pub kind: String,
    /// How many days.
    pub days: i64,
}

/// One student's scores of one examination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScoreSum {
    /// The student.
    pub student: Uuid,
    /// The sum in thousandths.
    pub sum: i64,
    /// Rows with a value.
    pub counted: i64,
    /// Rows marked absent.
    pub absent: i64,
    /// Rows with neither.
    pub open: i64,
}

/// The scores of a class in a course of an examination.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct CourseClass {
    /// The examination.
    pub exam: Uuid,
    /// The course.
    pub course: Uuid,
    /// The class group at the time.
    pub class_group: Uuid,
}

/// The ordinary scores of a class in a course of an examination, together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClassSum {
    /// Which scores.
    pub class: CourseClass,
    /// Their sum in thousandths.
    pub sum: i64,
    /// How many there are.
    pub scores: i64,
    /// How many students they belong to.
    pub students: i64,
    /// True when they are not all alike.
    pub differ: bool,
}

fn seen_in_full(scope: &Scope, field: &str, alias: &'static str) -> Expr {
    let guard = match scope.noun().field(field) {
        Some(field) => scope.guard(field, Uses::FULL, alias),
        None => Guard::Nowhere,
    };
    match guard {
        Guard::Everywhere => crate::access::place::everything(),
        Guard::Where(rows) => rows,
        Guard::Nowhere => crate::access::place::nothing(),
    }
}

impl Store {
    /// Days of attendance by student and kind, over rows whose kind the caller sees in full.
    pub async fn attendance_days(
        &self,
        scope: &Scope,
        students: &[Uuid],
        from: Option<NaiveDate>,
        until: Option<NaiveDate>,
    ) -> Result<Vec<DayCount>> {
        let col = |name: &'static str| Expr::col(("t0", name));
        let mut query = Query::select();
        query
            .expr_as(col("student_id"), "c0")
            .expr_as(col("kind"), "c1")
            .expr_as(Func::count(Expr::cust("*")), "c2")
            .from_as("attendance", "t0")
            .and_where(scope.condition("t0"))
            .and_where(seen_in_full(scope, "kind", "t0"))
            .and_where(among(col("student_id"), students, self.backend()))
            .and_where_option(from.map(|from| col("day").gte(from)))
            .and_where_option(until.map(|until| col("day").lte(until)))
            .add_group_by([col("student_id"), col("kind")]);
        self.by_keys(scope.caller(), &query)
            .await?
            .iter()
            .map(|row| {
                Ok(DayCount {
                    student: row.try_get_by_index(0).map_err(failed)?,
                    kind: row.try_get_by_index(1).map_err(failed)?,
                    days: row.try_get_by_index(2).map_err(failed)?,
                })
            })
            .collect()
    }

    /// Sums of an examination's scores by student, over rows whose value the caller sees in full.
    pub async fn score_sums(
        &self,
        scope: &Scope,
        students: &[Uuid],
        exam: Uuid,
    ) -> Result<Vec<ScoreSum>> {
        let col = |name: &'static str| Expr::col(("t0", name));
        let absent = || col("absence").is_not_null();
        let one_if = |condition: Expr| {
            Expr::Case(Box::new(
                sea_orm::sea_query::CaseStatement::new()
                    .case(condition, Expr::cust("1"))
                    .finally(Expr::cust("0")),
            ))
        };
        let whole = |expr: Expr| Func::cast_as(expr, "BIGINT");
        let mut query = Query::select();
        query
            .expr_as(col("student_id"), "c0")
            .expr_as(
                whole(Func::coalesce([Func::sum(col("value")).into(), Expr::cust("0")]).into()),
                "c1",
            )
            .expr_as(whole(Func::sum(one_if(col("value").is_not_null())).into()), "c2")
            .expr_as(whole(Func::sum(one_if(col("value").is_null().and(absent()))).into()), "c3")
            .expr_as(
                whole(Func::sum(one_if(col("value").is_null().and(absent().not()))).into()),
                "c4",
            )
            .from_as("score", "t0")
            .and_where(scope.condition("t0"))
            .and_where(seen_in_full(scope, "value", "t0"))
            .and_where(among(col("student_id"), students, self.backend()))
            .and_where(col("exam_id").eq(exam))
            .and_where(col("nature").eq(ORDINARY))
            .add_group_by([col("student_id")]);
        self.by_keys(scope.caller(), &query)
            .await?
            .iter()
            .map(|row| {
                Ok(ScoreSum {
                    student: row.try_get_by_index(0).map_err(failed)?,
                    sum: row.try_get_by_index(1).map_err(failed)?,
                    counted: row.try_get_by_index(2).map_err(failed)?,
                    absent: row.try_get_by_index(3).map_err(failed)?,
                    open: row.try_get_by_index(4).map_err(failed)?,
                })
            })
            .collect()
    }

    /// Sums and numbers of scores of whole classes. An outlet: it counts every live score of the
    /// class, whoever may see it, so whoever asks must hold the figure itself and keep the
    /// threshold.
    pub async fn class_sums(&self, scope: &Scope, wanted: &[CourseClass]) -> Result<Vec<ClassSum>> {
        let ids = |pick: fn(&CourseClass) -> Uuid| {
            let mut ids: Vec<_> = wanted.iter().map(pick).collect();
            ids.sort_unstable();
            ids.dedup();
            ids
        };
        let col = |name: &'static str| Expr::col(("t0", name));
        let backend = self.backend();
        let mut query = Query::select();
        query
            .expr_as(col("exam_id"), "c0")
            .expr_as(col("course_id"), "c1")
            .expr_as(col("class_group_id"), "c2")
            .expr_as(Func::cast_as(Expr::from(Func::sum(col("value"))), "BIGINT"), "c3")
            .expr_as(Func::count(col("value")), "c4")
            .expr_as(Func::count_distinct(col("student_id")), "c5")
            .expr_as(Expr::from(Func::max(col("value"))).gt(Func::min(col("value"))), "c6")
            .from_as("score", "t0")
            .join_as(
                JoinType::InnerJoin,
                "student",
                "t1",
                Expr::col(("t1", "id")).equals(("t0", "student_id")),
            )
            .and_where(Expr::col(("t1", "lifecycle")).eq("live"))
            .and_where(col("lifecycle").eq("live"))
            .and_where(col("published").eq(true))
            .and_where(col("nature").eq(ORDINARY))
            .and_where(col("value").is_not_null())
            .and_where(among(col("exam_id"), &ids(|of| of.exam), backend))
            .and_where(among(col("course_id"), &ids(|of| of.course), backend))
            .and_where(among(col("class_group_id"), &ids(|of| of.class_group), backend))
            .add_group_by([col("exam_id"), col("course_id"), col("class_group_id")]);
        self.by_keys(scope.caller(), &query)
            .await?
            .iter()
            .map(|row| {
                let differ: Option<bool> = row.try_get_by_index(6).map_err(failed)?;
                Ok(ClassSum {
                    class: CourseClass {
                        exam: row.try_get_by_index(0).map_err(failed)?,
                        course: row.try_get_by_index(1).map_err(failed)?,
                        class_group: row.try_get_by_index(2).map_err(failed)?,
                    },
                    sum: row.try_get_by_index(3).map_err(failed)?,
                    scores: row.try_get_by_index(4).map_err(failed)?,
                    students: row.try_get_by_index(5).map_err(failed)?,
                    differ: differ.unwrap_or_default(),
                })
            })
            .collect()
    }
}
