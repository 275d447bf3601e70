//! The rows that figures are formed over: where a key stands, what must be joined for it, and how
//! it is read back. Each subject keeps one row for each thing it counts, whatever is joined.

use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Func, Query, SelectStatement};
use sea_orm::{JoinType, QueryResult};
use uuid::Uuid;

use super::{Among, Key, KeyValue, Question, Subject};
use crate::access::place::{Writing, among, holds};
use crate::access::view::Holds;
use crate::error::{Error, Result};
use crate::leak::{self, Leak};
use crate::store::failed;

pub(super) const ROOT: &str = "t0";
const ENROLLMENT: &str = "t1";
const STUDENT: &str = "t2";
const CLASS_GROUP: &str = "t3";
const EXAM: &str = "t4";
const SCHOOL: &str = "t5";
pub(super) const MARKS: &str = "t6";
const SIZES: &str = "t7";
pub(super) const EACH: &str = "t8";

#[derive(Clone, Copy)]
enum Stored {
    Id,
    Word,
    Number,
}

fn stored(key: Key) -> Stored {
    match key {
        Key::School
        | Key::County
        | Key::YearLevel
        | Key::Exam
        | Key::Course
        | Key::ClassGroup
        | Key::Term
        | Key::Programme => Stored::Id,
        Key::Stage
        | Key::Gender
        | Key::EthnicGroup
        | Key::Status
        | Key::Boarding
        | Key::LeftBehind
        | Key::AidState => Stored::Word,
        Key::ClassSizeBand => Stored::Number,
    }
}

/// The alias and column of a key; an error where the subject has no such key.
fn place(subject: Subject, key: Key) -> Result<(&'static str, &'static str)> {
    Ok(match (subject, key) {
        (Subject::Students | Subject::Aid, Key::School) => (ENROLLMENT, "school_id"),
        (Subject::Students | Subject::Aid, Key::County) => (SCHOOL, "county_id"),
        (Subject::Students, Key::Stage) => (ENROLLMENT, "stage"),
        (Subject::Students, Key::YearLevel) => (ENROLLMENT, "year_level_id"),
        (Subject::Students, Key::Status) => (ENROLLMENT, "state"),
        (Subject::Students, Key::Boarding) => (ENROLLMENT, "boarding"),
        (Subject::Students, Key::ClassSizeBand) => (SIZES, "size"),
        (Subject::Students, Key::Gender) => (ROOT, "gender"),
        (Subject::Students, Key::EthnicGroup) => (ROOT, "ethnic_group"),
        (Subject::Students, Key::LeftBehind) => (ROOT, "left_behind"),
        (Subject::Scores, Key::Exam) => (ROOT, "exam_id"),
        (Subject::Scores, Key::Course) => (ROOT, "course_id"),
        (Subject::Scores, Key::Term) => (EXAM, "term_id"),
        (Subject::Scores | Subject::Attendance, Key::ClassGroup) => (ROOT, "class_group_id"),
        (Subject::Scores | Subject::Attendance, Key::School) => (CLASS_GROUP, "school_id"),
        (Subject::Attendance, Key::YearLevel) => (CLASS_GROUP, "year_level_id"),
        (Subject::Aid, Key::Programme) => (ROOT, "programme_id"),
        (Subject::Aid, Key::Term) => (ROOT, "term_id"),
        (Subject::Aid, Key::AidState) => (ROOT, "state"),
        (subject, key) => {
            return Err(Error::internal(format!("{subject:?} have no key {key:?}")));
        }
    })
}

/// A whole number of both databases: a sum of whole numbers is wider on PostgreSQL.
pub(in crate::store) fn whole(expr: impl Into<Expr>) -> Expr {
    Func::cast_as(expr.into(), "BIGINT").into()
}

pub(in crate::store) fn one_if(condition: Expr) -> Expr {
    Expr::Case(Box::new(
        CaseStatement::new().case(condition, Expr::cust("1")).finally(Expr::cust("0")),
    ))
}

pub(in crate::store) fn sum_of(expr: impl Into<Expr>) -> Expr {
    whole(Func::coalesce([Func::sum(expr.into()).into(), Expr::cust("0")]))
}

/// The upper half of a random number: sums of halves stay within 64 bits.
pub(in crate::store) fn high(key: Expr) -> Expr {
    key.right_shift(31)
}

/// The lower half of a random number.
pub(in crate::store) fn low(key: Expr) -> Expr {
    key.bit_and(0x7fff_ffff)
}

pub(super) fn all_rows() -> Expr {
    Func::count(Expr::cust("*")).into()
}

pub(super) fn selected(query: &mut SelectStatement, at: usize, expr: Expr) {
    query.expr_as(expr, format!("c{at}"));
}

/// The rows that count with everything that keys and conditions need joined; nothing selected yet.
pub(super) fn rows_of(
    subject: Subject,
    question: &Question<'_>,
    writing: Writing,
) -> Result<SelectStatement> {
    let only: Vec<_> = question
        .only
        .iter()
        .map(|narrowing| Ok((place(subject, narrowing.key)?, &narrowing.among)))
        .collect::<Result<_>>()?;
    let mut used: Vec<&str> = only.iter().map(|((alias, _), _)| *alias).collect();
    for key in question.keys {
        used.push(place(subject, *key)?.0);
    }
    let table = match subject {
        Subject::Students => "student",
        Subject::Scores => "score",
        Subject::Attendance => "attendance",
        Subject::Aid => "aid_grant",
    };
    let student = match subject {
        Subject::Students => (ROOT, "id"),
        Subject::Scores | Subject::Attendance | Subject::Aid => (ROOT, "student_id"),
    };
    let mut query = Query::select();
    query.from_as(table, ROOT);
    if !leak::on(Leak::FiguresWithoutScope) {
        query.and_where(question.scope.condition(ROOT));
    }
    let mut join = |how: JoinType, table: &'static str, alias: &'static str, on: Expr| {
        query.join_as(how, table, alias, on);
    };
    if subject != Subject::Students {
        join(
            JoinType::InnerJoin,
            "student",
            STUDENT,
            Expr::col((STUDENT, "id"))
                .equals(student)
                .and(Expr::col((STUDENT, "lifecycle")).eq("live")),
        );
    }
    if matches!(subject, Subject::Students | Subject::Aid) {
        // At most one enrolment of a student is live, so the join keeps one row a student.
        join(
            JoinType::InnerJoin,
            "enrollment",
            ENROLLMENT,
            Expr::col((ENROLLMENT, "student_id")).equals(student).and(holds(
                ENROLLMENT,
                Holds::Live,
                writing.today,
            )),
        );
    }
    if used.contains(&SCHOOL) {
        join(
            JoinType::InnerJoin,
            "organisation",
            SCHOOL,
            Expr::col((SCHOOL, "id")).equals((ENROLLMENT, "school_id")),
        );
    }
    if used.contains(&CLASS_GROUP) {
        join(
            JoinType::InnerJoin,
            "class_group",
            CLASS_GROUP,
            Expr::col((CLASS_GROUP, "id")).equals((ROOT, "class_group_id")),
        );
    }
    if used.contains(&EXAM) {
        join(JoinType::InnerJoin, "exam", EXAM, Expr::col((EXAM, "id")).equals((ROOT, "exam_id")));
    }
    if used.contains(&SIZES) {
        query.join_subquery(
            JoinType::LeftJoin,
            class_sizes(writing),
            SIZES,
            Expr::col((SIZES, "student_id")).equals(student),
        );
    }
    if subject == Subject::Scores {
        query
            .and_where(Expr::col((ROOT, "published")).eq(true))
            .and_where(Expr::col((ROOT, "value")).is_not_null());
    }
    for (column, among_these) in only {
        query.and_where(match among_these {
            Among::Ids(ids) => among(Expr::col(column), ids, writing.backend),
            Among::Words(words) if words.is_empty() => crate::access::place::nothing(),
            Among::Words(words) => Expr::col(column).is_in(words.iter().map(String::as_str)),
        });
    }
    Ok(query)
}

/// For each student the size of the class of today: one row a student, whatever is on file.
pub(in crate::store) fn class_sizes(writing: Writing) -> SelectStatement {
    let member = |alias: &'static str| holds(alias, Holds::OrdinaryToday, writing.today);
    let sizes = Query::select()
        .column(("m1", "class_group_id"))
        .expr_as(Func::count_distinct(Expr::col(("m1", "student_id"))), "size")
        .from_as("class_membership", "m1")
        .join_as(
            JoinType::InnerJoin,
            "student",
            "m2",
            Expr::col(("m2", "id"))
                .equals(("m1", "student_id"))
                .and(Expr::col(("m2", "lifecycle")).eq("live")),
        )
        .and_where(member("m1"))
        .add_group_by([Expr::col(("m1", "class_group_id"))])
        .to_owned();
    Query::select()
        .column(("m3", "student_id"))
        .expr_as(Func::max(Expr::col(("m4", "size"))), "size")
        .from_as("class_membership", "m3")
        .join_subquery(
            JoinType::InnerJoin,
            sizes,
            "m4",
            Expr::col(("m4", "class_group_id")).equals(("m3", "class_group_id")),
        )
        .and_where(member("m3"))
        .add_group_by([Expr::col(("m3", "student_id"))])
        .to_owned()
}

/// Selects the keys and groups by them; gives the place of the next column.
pub(super) fn keyed(query: &mut SelectStatement, subject: Subject, keys: &[Key]) -> Result<usize> {
    for (at, key) in keys.iter().enumerate() {
        let column = place(subject, *key)?;
        selected(query, at, Expr::col(column));
        query.add_group_by([Expr::col(column)]);
    }
    Ok(keys.len())
}

pub(super) fn read_keys(row: &QueryResult, keys: &[Key]) -> Result<Vec<KeyValue>> {
    read_keys_from(row, 0, keys)
}

/// Reads the keys of a row from this column on.
pub(in crate::store) fn read_keys_from(
    row: &QueryResult,
    first: usize,
    keys: &[Key],
) -> Result<Vec<KeyValue>> {
    (first..)
        .zip(keys)
        .map(|(at, key)| {
            let value = match stored(*key) {
                Stored::Id => {
                    row.try_get_by_index::<Option<Uuid>>(at).map_err(failed)?.map(KeyValue::Id)
                }
                Stored::Word => {
                    row.try_get_by_index::<Option<String>>(at).map_err(failed)?.map(KeyValue::Word)
                }
                Stored::Number => {
                    row.try_get_by_index::<Option<i64>>(at).map_err(failed)?.map(KeyValue::Number)
                }
            };
            Ok(value.unwrap_or(KeyValue::None))
        })
        .collect()
}

pub(in crate::store) fn number(row: &QueryResult, at: usize) -> Result<i64> {
    Ok(row.try_get_by_index::<Option<i64>>(at).map_err(failed)?.unwrap_or_default())
}
