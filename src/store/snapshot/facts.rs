//! The statements that freeze the facts of a snapshot: each copies inside the database.

use sea_orm::JoinType;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement};

use crate::access::place::{Writing, holds, holds_today};
use crate::access::view::Holds;
use crate::store::statistics::{class_sizes, high, low, one_if, sum_of};

/// The students with a live enrolment, under `s`, `e` and `k`: everything but the number of the
/// snapshot still to be selected.
fn enrolled(number: i64, writing: Writing) -> SelectStatement {
    Query::select()
        .expr(Expr::val(number))
        .from_as("student", "s")
        .join_as(
            JoinType::InnerJoin,
            "enrollment",
            "e",
            Expr::col(("e", "student_id")).equals(("s", "id")).and(holds(
                "e",
                Holds::Live,
                writing.today,
            )),
        )
        .join_as(
            JoinType::InnerJoin,
            "student_key",
            "k",
            Expr::col(("k", "student_id")).equals(("s", "id")),
        )
        .and_where(Expr::col(("s", "lifecycle")).eq("live"))
        .to_owned()
}

pub(super) type Fact = (&'static str, &'static [&'static str], SelectStatement);

/// The statements that freeze the facts.
pub(super) fn facts(number: i64, writing: Writing) -> Vec<Fact> {
    let live = |alias: &'static str| Expr::col((alias, "lifecycle")).eq("live");
    let of_student =
        |alias: &'static str| Expr::col((alias, "student_id")).equals(("s", "id")).and(live(alias));
    let schools = Query::select()
        .distinct()
        .expr(Expr::val(number))
        .columns([("a", "school_id"), ("a", "authority_id")])
        .columns([("o", "county_id"), ("o", "city_id"), ("o", "province_id")])
        .from_as("school_authority", "a")
        .join_as(
            JoinType::InnerJoin,
            "organisation",
            "o",
            Expr::col(("o", "id")).equals(("a", "authority_id")),
        )
        .and_where(holds_today("a", writing.today))
        .to_owned();
    let classes = Query::select()
        .expr(Expr::val(number))
        .columns([("c", "id"), ("c", "school_id"), ("c", "year_level_id")])
        .from_as("class_group", "c")
        .to_owned();
    let papers = Query::select()
        .expr(Expr::val(number))
        .columns([("p", "exam_id"), ("p", "course_id")])
        .column(("x", "term_id"))
        .columns([("p", "full_mark"), ("p", "pass_mark"), ("p", "excellence_mark")])
        .from_as("exam_course", "p")
        .join_as(JoinType::InnerJoin, "exam", "x", Expr::col(("x", "id")).equals(("p", "exam_id")))
        .to_owned();
    let students = enrolled(number, writing)
        .columns([("k", "key"), ("e", "school_id"), ("o", "county_id"), ("e", "year_level_id")])
        .columns([("e", "stage"), ("e", "state"), ("e", "boarding"), ("s", "gender")])
        .columns([("s", "ethnic_group"), ("s", "left_behind"), ("s", "needs_aid")])
        .column(("z", "size"))
        .join_as(
            JoinType::InnerJoin,
            "organisation",
            "o",
            Expr::col(("o", "id")).equals(("e", "school_id")),
        )
        .join_subquery(
            JoinType::LeftJoin,
            class_sizes(writing),
            "z",
            Expr::col(("z", "student_id")).equals(("s", "id")),
        )
        .to_owned();
    let scores = enrolled(number, writing)
        .columns([("g", "exam_id"), ("g", "course_id"), ("k", "key"), ("e", "school_id")])
        .columns([("g", "class_group_id"), ("g", "value")])
        .join_as(JoinType::InnerJoin, "score", "g", of_student("g"))
        .and_where(Expr::col(("g", "published")).eq(true))
        .and_where(Expr::col(("g", "value")).is_not_null())
        .to_owned();
    let kind = || Expr::col(("t", "kind"));
    let excused = || one_if(kind().is_in(["sick_leave", "personal_leave"]));
    let truant = || one_if(kind().eq("truant"));
    let key = || Expr::col(("k", "key"));
    let mut attendance = enrolled(number, writing);
    attendance
        .columns([("t", "class_group_id"), ("t", "day"), ("e", "school_id")])
        .expr(Func::count(Expr::col(("t", "student_id"))))
        .expr(sum_of(excused()))
        .expr(sum_of(truant()))
        .expr(sum_of(high(key())))
        .expr(sum_of(low(key())))
        .expr(sum_of(high(key()).mul(excused())))
        .expr(sum_of(low(key()).mul(excused())))
        .expr(sum_of(high(key()).mul(truant())))
        .expr(sum_of(low(key()).mul(truant())))
        .join_as(JoinType::InnerJoin, "attendance", "t", of_student("t"))
        .add_group_by([
            Expr::col(("t", "class_group_id")),
            Expr::col(("t", "day")),
            Expr::col(("e", "school_id")),
        ]);
    let aid = enrolled(number, writing)
        .columns([("k", "key"), ("g", "programme_id"), ("g", "term_id"), ("e", "school_id")])
        .columns([("o", "county_id"), ("g", "state"), ("g", "amount")])
        .join_as(JoinType::InnerJoin, "aid_grant", "g", of_student("g"))
        .join_as(
            JoinType::InnerJoin,
            "organisation",
            "o",
            Expr::col(("o", "id")).equals(("e", "school_id")),
        )
        .to_owned();
    vec![
        (
            "snapshot_school",
            &["snapshot", "school_id", "authority_id", "county_id", "city_id", "province_id"],
            schools,
        ),
        ("snapshot_class", &["snapshot", "class_group_id", "school_id", "year_level_id"], classes),
        (
            "snapshot_paper",
            &[
                "snapshot",
                "exam_id",
                "course_id",
                "term_id",
                "full_mark",
                "pass_mark",
                "excellence_mark",
            ],
            papers,
        ),
        (
            "snapshot_student",
            &[
                "snapshot",
                "key",
                "school_id",
                "county_id",
                "year_level_id",
                "stage",
                "state",
                "boarding",
                "gender",
                "ethnic_group",
                "left_behind",
                "needs_aid",
                "size",
            ],
            students,
        ),
        (
            "snapshot_score",
            &["snapshot", "exam_id", "course_id", "key", "home_id", "class_group_id", "value"],
            scores,
        ),
        (
            "snapshot_attendance",
            &[
                "snapshot",
                "class_group_id",
                "day",
                "home_id",
                "students",
                "excused",
                "truant",
                "all_high",
                "all_low",
                "excused_high",
                "excused_low",
                "truant_high",
                "truant_low",
            ],
            attendance,
        ),
        (
            "snapshot_aid",
            &[
                "snapshot",
                "key",
                "programme_id",
                "term_id",
                "school_id",
                "county_id",
                "state",
                "amount",
            ],
            aid,
        ),
    ]
}
