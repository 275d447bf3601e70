//! Which rows a reach covers: the place of a row as a condition inside the statement.
//!
//! One definition for every noun and reach. An unknown combination covers nothing. Nothing here
//! runs a query.

use chrono::NaiveDate;
use sea_orm::DbBackend;
use sea_orm::sea_query::extension::postgres::PgFunc;
use sea_orm::sea_query::{ArrayType, Expr, ExprTrait, Query, SelectStatement, Value};
use uuid::Uuid;

use super::caller::{Held, Places};
use super::table::Reach;
use super::view::{Hangs, Holds};

/// What conditions are written with.
#[derive(Clone, Copy, Debug)]
pub struct Writing {
    /// The dialect.
    pub backend: DbBackend,
    /// Today in the deployment's time zone.
    pub today: NaiveDate,
    /// Who asks, where a row is somebody's for what they did; nobody when it is not asked for a person.
    pub account: Option<Uuid>,
}

/// A condition that no row meets.
pub fn nothing() -> Expr {
    Expr::cust("1 = 0")
}

/// A condition that every row meets.
pub fn everything() -> Expr {
    Expr::cust("1 = 1")
}

/// `expr` is one of `ids`. The statement's text depends on the number of ids only on SQLite.
pub fn among(expr: Expr, ids: &[Uuid], backend: DbBackend) -> Expr {
    match (ids, backend) {
        ([], _) => nothing(),
        ([id], _) => expr.eq(Expr::val(*id)),
        (ids, DbBackend::Postgres) => {
            let values = ids.iter().map(|id| Value::from(*id)).collect();
            expr.eq(PgFunc::any(Expr::val(Value::Array(ArrayType::Uuid, Some(Box::new(values))))))
        }
        (ids, _) => expr.is_in(ids.iter().copied()),
    }
}

/// The row of a dated table holds today.
pub fn holds_today(alias: &'static str, today: NaiveDate) -> Expr {
    Expr::col((alias, "since"))
        .lte(today)
        .and(Expr::col((alias, "until")).is_null().or(Expr::col((alias, "until")).gte(today)))
}

/// The row of a table in between holds.
pub fn holds(alias: &'static str, how: Holds, today: NaiveDate) -> Expr {
    let live = Expr::col((alias, "lifecycle")).eq("live");
    match how {
        Holds::Today => live.and(holds_today(alias, today)),
        Holds::OrdinaryToday => {
            live.and(holds_today(alias, today)).and(Expr::col((alias, "kind")).eq("ordinary"))
        }
        Holds::Live => live.and(Expr::col((alias, "live")).eq(true)),
    }
}

/// The schools that the authorities `ids`, or authorities below them, look after today.
fn schools_under(ids: &[Uuid], writing: Writing) -> SelectStatement {
    let under = |column: &'static str| among(Expr::col(("o", column)), ids, writing.backend);
    Query::select()
        .column(("sa", "school_id"))
        .from_as("school_authority", "sa")
        .inner_join_as_organisation()
        .and_where(holds_today("sa", writing.today))
        .and_where(under("id").or(under("county_id")).or(under("city_id")).or(under("province_id")))
        .to_owned()
}

/// `school` (an expression for its id) is a school at which the pair is held, or above which it is held.
pub fn school_held(school: Expr, held: &Held, writing: Writing) -> Expr {
    let ids = &held.places.organisations;
    match held.pair.reach {
        Reach::School => among(school, ids, writing.backend),
        Reach::Region => school.in_subquery(schools_under(ids, writing)),
        Reach::Anywhere
        | Reach::Own
        | Reach::Ward
        | Reach::Opened
        | Reach::Teaching
        | Reach::Class
        | Reach::YearLevel => nothing(),
    }
}

/// A row of a snapshot, under the school in `school`, is one that the reach covers: places are those
/// of the snapshot, and a snapshot knows schools and authorities alone.
pub fn frozen(school: Expr, snapshot: i64, held: &Held, writing: Writing) -> Expr {
    let ids = &held.places.organisations;
    match held.pair.reach {
        Reach::School => among(school, ids, writing.backend),
        Reach::Region => {
            let under =
                |column: &'static str| among(Expr::col(("sp", column)), ids, writing.backend);
            school.in_subquery(
                Query::select()
                    .column(("sp", "school_id"))
                    .from_as("snapshot_school", "sp")
                    .and_where(Expr::col(("sp", "snapshot")).eq(snapshot))
                    .and_where(
                        under("authority_id")
                            .or(under("county_id"))
                            .or(under("city_id"))
                            .or(under("province_id")),
                    )
                    .to_owned(),
            )
        }
        Reach::Anywhere
        | Reach::Own
        | Reach::Ward
        | Reach::Opened
        | Reach::Teaching
        | Reach::Class
        | Reach::YearLevel => nothing(),
    }
}

/// `alias` (a table with the places of a grant) is at a place within these schools, or within what these authorities
/// look after: an authority below, a school, or a class, course or year level of one.
pub fn at_place_within(
    alias: &'static str,
    schools: &[Uuid],
    authorities: &[Uuid],
    writing: Writing,
) -> Expr {
    let col = |column: &'static str| Expr::col((alias, column));
    let of_school = |table: &'static str| {
        Query::select()
            .column(("wi", "id"))
            .from_as(table, "wi")
            .and_where(school_within(
                &Expr::col(("wi", "school_id")),
                schools,
                authorities,
                writing,
            ))
            .to_owned()
    };
    organisation_within(&col("organisation_id"), schools, authorities, writing)
        .or(col("class_group_id").in_subquery(of_school("class_group")))
        .or(col("year_level_id").in_subquery(of_school("year_level")))
}

fn school_within(school: &Expr, schools: &[Uuid], authorities: &[Uuid], writing: Writing) -> Expr {
    among(school.clone(), schools, writing.backend)
        .or(school.clone().in_subquery(schools_under(authorities, writing)))
}

/// An organisation is one of these schools, a school under one of these authorities, or such an authority or one below.
pub fn organisation_within(
    organisation: &Expr,
    schools: &[Uuid],
    authorities: &[Uuid],
    writing: Writing,
) -> Expr {
    let under =
        |column: &'static str| among(Expr::col(("wo", column)), authorities, writing.backend);
    let below = Query::select()
        .column(("wo", "id"))
        .from_as("organisation", "wo")
        .and_where(Expr::col(("wo", "level")).ne("school"))
        .and_where(under("id").or(under("county_id")).or(under("city_id")).or(under("province_id")))
        .to_owned();
    school_within(organisation, schools, authorities, writing)
        .or(organisation.clone().in_subquery(below))
}

trait JoinOrganisation {
    fn inner_join_as_organisation(&mut self) -> &mut Self;
}

impl JoinOrganisation for SelectStatement {
    fn inner_join_as_organisation(&mut self) -> &mut Self {
        self.join_as(
            sea_orm::JoinType::InnerJoin,
            "organisation",
            "o",
            Expr::col(("o", "id")).equals(("sa", "authority_id")),
        )
    }
}

fn members(class_groups: &[Uuid], writing: Writing) -> SelectStatement {
    Query::select()
        .column(("cm", "student_id"))
        .from_as("class_membership", "cm")
        .and_where(among(Expr::col(("cm", "class_group_id")), class_groups, writing.backend))
        .and_where(holds("cm", Holds::Today, writing.today))
        .to_owned()
}

fn enrolled(condition: Expr) -> SelectStatement {
    Query::select()
        .column(("en", "student_id"))
        .from_as("enrollment", "en")
        .and_where(condition)
        .and_where(Expr::col(("en", "live")).eq(true))
        .and_where(Expr::col(("en", "lifecycle")).eq("live"))
        .to_owned()
}

/// `student` (an expression for a student's id) is one whose record is live.
pub fn student_lives(student: Expr) -> Expr {
    Expr::exists(
        Query::select()
            .expr(Expr::cust("1"))
            .from_as("student", "sl")
            .and_where(Expr::col(("sl", "id")).eq(student))
            .and_where(Expr::col(("sl", "lifecycle")).eq("live"))
            .to_owned(),
    )
}

fn class_groups_taught(places: &Places) -> Vec<Uuid> {
    let mut ids: Vec<_> = places.teaching.iter().map(|(class_group, _)| *class_group).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// `student` (an expression for a student's id) is a student that the reach covers today.
pub fn student_covered(student: Expr, reach: Reach, places: &Places, writing: Writing) -> Expr {
    let en = |column: &'static str| Expr::col(("en", column));
    match reach {
        Reach::Anywhere => everything(),
        Reach::Own | Reach::Ward | Reach::Opened => {
            among(student, &places.students, writing.backend)
        }
        Reach::Teaching => student.in_subquery(members(&class_groups_taught(places), writing)),
        Reach::Class => student.in_subquery(members(&places.class_groups, writing)),
        Reach::YearLevel => student.in_subquery(enrolled(among(
            en("year_level_id"),
            &places.year_levels,
            writing.backend,
        ))),
        Reach::School => student.in_subquery(enrolled(among(
            en("school_id"),
            &places.organisations,
            writing.backend,
        ))),
        Reach::Region => student.in_subquery(enrolled(
            en("school_id").in_subquery(schools_under(&places.organisations, writing)),
        )),
    }
}

/// `class_group` (an expression for its id) is a class group that the reach covers.
fn class_group_covered(id: Expr, reach: Reach, places: &Places, writing: Writing) -> Expr {
    let of = |condition: Expr| {
        Query::select()
            .column(("cg", "id"))
            .from_as("class_group", "cg")
            .and_where(condition)
            .to_owned()
    };
    let cg = |column: &'static str| Expr::col(("cg", column));
    match reach {
        Reach::Anywhere => nothing(),
        // A pupil's earlier classes stay known to the pupil and the family.
        Reach::Own | Reach::Ward => id.in_subquery(
            Query::select()
                .column(("cm", "class_group_id"))
                .from_as("class_membership", "cm")
                .and_where(among(
                    Expr::col(("cm", "student_id")),
                    &places.students,
                    writing.backend,
                ))
                .and_where(Expr::col(("cm", "lifecycle")).eq("live"))
                .to_owned(),
        ),
        Reach::Opened => id.in_subquery(
            Query::select()
                .column(("cm", "class_group_id"))
                .from_as("class_membership", "cm")
                .and_where(among(
                    Expr::col(("cm", "student_id")),
                    &places.students,
                    writing.backend,
                ))
                .and_where(holds("cm", Holds::Today, writing.today))
                .to_owned(),
        ),
        Reach::Teaching => among(id, &class_groups_taught(places), writing.backend),
        Reach::Class => among(id, &places.class_groups, writing.backend),
        Reach::YearLevel => {
            id.in_subquery(of(among(cg("year_level_id"), &places.year_levels, writing.backend)))
        }
        Reach::School => {
            id.in_subquery(of(among(cg("school_id"), &places.organisations, writing.backend)))
        }
        Reach::Region => id.in_subquery(of(
            cg("school_id").in_subquery(schools_under(&places.organisations, writing))
        )),
    }
}

fn organisation_covered(id: Expr, places: &Places, reach: Reach, writing: Writing) -> Expr {
    if reach == Reach::Region {
        among(id.clone(), &places.organisations, writing.backend)
            .or(id.in_subquery(schools_under(&places.organisations, writing)))
    } else {
        among(id, &places.organisations, writing.backend)
    }
}

/// `grant` (an alias of `access_grant`) is one that whoever asks has given to a substitute at a place that
/// the reach covers, and that has not ended by a revocation or its last day.
fn given(grant: &'static str, reach: Reach, places: &Places, writing: Writing) -> Expr {
    let Some(account) = writing.account else { return nothing() };
    let col = |column: &'static str| Expr::col((grant, column));
    let within = class_group_covered(col("class_group_id"), reach, places, writing);
    let level = match reach {
        Reach::YearLevel => among(col("year_level_id"), &places.year_levels, writing.backend),
        Reach::School => col("year_level_id").in_subquery(
            Query::select()
                .column(("yl", "id"))
                .from_as("year_level", "yl")
                .and_where(among(
                    Expr::col(("yl", "school_id")),
                    &places.organisations,
                    writing.backend,
                ))
                .to_owned(),
        ),
        Reach::Anywhere
        | Reach::Own
        | Reach::Ward
        | Reach::Opened
        | Reach::Teaching
        | Reach::Class
        | Reach::Region => nothing(),
    };
    col("granted_by_id")
        .eq(Expr::val(account))
        .and(col("ended_at").is_null())
        .and(col("until").is_null().or(col("until").gte(writing.today)))
        .and(within.or(level))
}

/// The reaches at which a duty is given to a substitute.
const fn gives(reach: Reach) -> bool {
    matches!(reach, Reach::Teaching | Reach::Class | Reach::YearLevel | Reach::School)
}

/// `account` (an expression for an account's id) is one that a school or region answers for: that of a member of its
/// staff or of a pupil of it, or one that holds a grant at a place of it today.
pub fn account_within(account: Expr, reach: Reach, places: &Places, writing: Writing) -> Expr {
    match reach {
        Reach::Anywhere => return everything(),
        Reach::School | Reach::Region => {}
        Reach::Own
        | Reach::Ward
        | Reach::Opened
        | Reach::Teaching
        | Reach::Class
        | Reach::YearLevel => return nothing(),
    }
    let within = |organisation: Expr| organisation_covered(organisation, places, reach, writing);
    let ids = |table: &'static str, alias: &'static str, organisation: &'static str| {
        Query::select()
            .column((alias, "id"))
            .from_as(table, alias)
            .and_where(within(Expr::col((alias, organisation))))
            .to_owned()
    };
    let a = |column: &'static str| Expr::col(("wa", column));
    let g = |column: &'static str| Expr::col(("wg", column));
    let covered = |student: Expr| {
        student_covered(student.clone(), reach, places, writing).and(student_lives(student))
    };
    let granted = Query::select()
        .column(("wg", "account_id"))
        .from_as("access_grant", "wg")
        .and_where(g("ended_at").is_null())
        .and_where(g("since").lte(writing.today))
        .and_where(g("until").is_null().or(g("until").gte(writing.today)))
        .and_where(
            within(g("organisation_id"))
                .or(g("class_group_id").in_subquery(ids("class_group", "wc", "school_id")))
                .or(g("year_level_id").in_subquery(ids("year_level", "wy", "school_id")))
                .or(covered(g("student_id"))),
        )
        .to_owned();
    account.in_subquery(
        Query::select()
            .column(("wa", "id"))
            .from_as("account", "wa")
            .and_where(
                a("staff_id")
                    .in_subquery(ids("staff", "ws", "organisation_id"))
                    .or(covered(a("student_id")))
                    .or(a("id").in_subquery(granted)),
            )
            .to_owned(),
    )
}

/// A line of the audit log, under this alias, is one that the reach covers: of a line about a student the student's
/// place decides, of any other the account that acted. What the server did of itself lies in no school or region.
pub fn line_within(alias: &'static str, held: &Held, writing: Writing) -> Expr {
    let (reach, places) = (held.pair.reach, &held.places);
    let col = |column: &'static str| Expr::col((alias, column));
    if !matches!(reach, Reach::School | Reach::Region) {
        return nothing();
    }
    let of_student = |id: &'static str| student_covered(col(id), reach, places, writing);
    // A row of the student's own is named by its key alone.
    let own = col("noun").eq("student").and(of_student("row_id"));
    let of_none = col("student_id")
        .is_null()
        .and(col("noun").is_null().or(col("noun").ne("student")).or(col("row_id").is_null()));
    let account = account_within(col("account_id"), reach, places, writing);
    of_student("student_id").or(own).or(of_none.and(account))
}

fn staff_on_duty(staff: Expr, class_group: impl Fn(Expr) -> Expr, writing: Writing) -> Expr {
    staff.in_subquery(
        Query::select()
            .column(("du", "staff_id"))
            .from_as("duty", "du")
            .and_where(class_group(Expr::col(("du", "class_group_id"))))
            .and_where(holds_today("du", writing.today))
            .to_owned(),
    )
}

/// Whether the reach can cover a row at all; where not, [`covered`] is a condition that no row meets.
pub const fn covers(hangs: Hangs, reach: Reach) -> bool {
    let anywhere = matches!(reach, Reach::Anywhere);
    match hangs {
        Hangs::Student | Hangs::OfStudent | Hangs::Score | Hangs::Sanction => true,
        Hangs::ClassGroup | Hangs::Staff | Hangs::Duty => !anywhere,
        Hangs::Exam => {
            matches!(reach, Reach::Anywhere | Reach::YearLevel | Reach::School | Reach::Region)
        }
        Hangs::Open => anywhere,
        Hangs::Grant | Hangs::Account => anywhere || gives(reach),
    }
}

/// The condition that a row of the noun, under this alias, is covered by what is held.
pub fn covered(hangs: Hangs, alias: &'static str, held: &Held, writing: Writing) -> Expr {
    let (reach, places) = (held.pair.reach, &held.places);
    let col = |column: &'static str| Expr::col((alias, column));
    match hangs {
        Hangs::Student => student_covered(col("id"), reach, places, writing),
        Hangs::OfStudent | Hangs::Score | Hangs::Sanction => {
            let student = student_covered(col("student_id"), reach, places, writing);
            match row_rule(hangs, alias, held, writing) {
                Some(rule) => student.and(rule),
                None => student,
            }
        }
        Hangs::ClassGroup => class_group_covered(col("id"), reach, places, writing),
        Hangs::Staff => match reach {
            Reach::School | Reach::Region => {
                organisation_covered(col("organisation_id"), places, reach, writing)
            }
            Reach::Anywhere => nothing(),
            Reach::Own
            | Reach::Ward
            | Reach::Opened
            | Reach::Teaching
            | Reach::Class
            | Reach::YearLevel => staff_on_duty(
                col("id"),
                |class_group| class_group_covered(class_group, reach, places, writing),
                writing,
            ),
        },
        Hangs::Duty => match reach {
            Reach::School | Reach::Region => {
                organisation_covered(col("organisation_id"), places, reach, writing)
            }
            Reach::Anywhere => nothing(),
            Reach::Own
            | Reach::Ward
            | Reach::Opened
            | Reach::Teaching
            | Reach::Class
            | Reach::YearLevel => {
                class_group_covered(col("class_group_id"), reach, places, writing)
            }
        },
        Hangs::Open => {
            if reach == Reach::Anywhere {
                everything()
            } else {
                nothing()
            }
        }
        Hangs::Grant | Hangs::Account if reach == Reach::Anywhere => everything(),
        Hangs::Grant | Hangs::Account if !gives(reach) => nothing(),
        Hangs::Grant => given(alias, reach, places, writing),
        Hangs::Account => col("id").in_subquery(
            Query::select()
                .column(("gv", "account_id"))
                .from_as("access_grant", "gv")
                .and_where(given("gv", reach, places, writing))
                .to_owned(),
        ),
        Hangs::Exam => match reach {
            Reach::Anywhere => everything(),
            Reach::Own | Reach::Ward | Reach::Opened | Reach::Teaching | Reach::Class => nothing(),
            Reach::YearLevel => among(col("year_level_id"), &places.year_levels, writing.backend),
            Reach::School => among(col("school_id"), &places.organisations, writing.backend),
            Reach::Region => {
                col("school_id").in_subquery(schools_under(&places.organisations, writing))
            }
        },
    }
}

/// What narrows a row beyond the student it hangs from; none where the student decides alone.
pub fn row_rule(hangs: Hangs, alias: &'static str, held: &Held, writing: Writing) -> Option<Expr> {
    let col = |column: &'static str| Expr::col((alias, column));
    match (hangs, held.pair.reach) {
        // Outside the school a score exists once it is published.
        (Hangs::Score, Reach::Own | Reach::Ward | Reach::Opened | Reach::Region) => {
            Some(col("published").eq(true))
        }
        // A teacher of a course sees that course in the classes where it is taught.
        (Hangs::Score, Reach::Teaching) => {
            let mut courses: Vec<_> = held.places.teaching.clone();
            courses.sort_unstable();
            courses.dedup();
            let mut by_course: Vec<(Uuid, Vec<Uuid>)> = Vec::new();
            for (class_group, course) in courses {
                match by_course.iter_mut().find(|(known, _)| *known == course) {
                    Some((_, class_groups)) => class_groups.push(class_group),
                    None => by_course.push((course, vec![class_group])),
                }
            }
            Some(by_course.into_iter().fold(nothing(), |any, (course, class_groups)| {
                any.or(col("course_id")
                    .eq(Expr::val(course))
                    .and(col("student_id").in_subquery(members(&class_groups, writing))))
            }))
        }
        // A quashed sanction is shown to nobody (domain rule: 被撤销的处分不再出现).
        (Hangs::Sanction, _) => Some(col("state").ne("quashed")),
        (
            Hangs::Student
            | Hangs::OfStudent
            | Hangs::Score
            | Hangs::ClassGroup
            | Hangs::Staff
            | Hangs::Duty
            | Hangs::Open
            | Hangs::Grant
            | Hangs::Account
            | Hangs::Exam,
            _,
        ) => None,
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::sea_query::SqliteQueryBuilder;

    use super::*;
    use crate::access::table::{Pair, RoleId};

    #[test]
    fn a_reach_that_covers_nothing_is_a_condition_that_nothing_meets() {
        let id = Uuid::nil();
        let places = Places {
            students: vec![id],
            class_groups: vec![id],
            teaching: vec![(id, id)],
            year_levels: vec![id],
            organisations: vec![id],
        };
        let today = NaiveDate::default();
        let account = Some(id);
        let writing = Writing { backend: DbBackend::Sqlite, today, account };
        for hangs in [
            Hangs::Student,
            Hangs::OfStudent,
            Hangs::Score,
            Hangs::Sanction,
            Hangs::ClassGroup,
            Hangs::Staff,
            Hangs::Duty,
            Hangs::Open,
            Hangs::Grant,
            Hangs::Account,
        ] {
            for reach in Reach::ALL {
                let pair = Pair { role: RoleId(1), reach };
                let held = Held { pair, places: places.clone() };
                let sql = Query::select()
                    .column(("x", "id"))
                    .from_as("t", "x")
                    .and_where(covered(hangs, "x", &held, writing))
                    .to_string(SqliteQueryBuilder);
                let none = sql.ends_with("WHERE 1 = 0") || sql.ends_with("WHERE (1 = 0)");
                assert_eq!(covers(hangs, reach), !none, "{hangs:?} {reach:?}: {sql}");
            }
        }
    }
}
