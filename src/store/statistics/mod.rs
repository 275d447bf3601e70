//! Figures over many rows, grouped, inside a counting scope: one statement for each question.
//!
//! The databases only count and add whole numbers; everything that is divided, folded or withheld
//! is the domain's. A key of a group is read as stored. Who may use which key is settled before.

mod frozen;
mod rows;

use chrono::NaiveDate;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, Query, SelectStatement, UnionType};
use sea_orm::{JoinType, QueryResult};
use uuid::Uuid;

pub use self::frozen::{
    Frozen, FrozenAid, FrozenDay, FrozenReach, FrozenScore, FrozenSpread, FrozenStudents, Sum,
};
use self::rows::{EACH, MARKS, ROOT, all_rows, keyed, number, read_keys, rows_of, selected};
pub(super) use self::rows::{class_sizes, high, low, number as number_at, read_keys_from};
pub(super) use self::rows::{one_if, sum_of, whole};
use super::{Store, failed};
use crate::access::place::Writing;
use crate::access::scope::Scope;
use crate::error::{Error, Result, Why};

/// The most rows of one statement; past it the question is refused.
pub const MOST_ROWS: usize = 200_000;

/// What figures are formed over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// Students with a live enrolment.
    Students,
    /// Published scores with a value.
    Scores,
    /// Days of attendance.
    Attendance,
    /// Grants of aid of students with a live enrolment.
    Aid,
}

/// What figures are grouped or narrowed by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Key {
    /// The school: of the enrolment, or of the class at the time.
    School,
    /// The county in which the school lies.
    County,
    /// The stage of the enrolment.
    Stage,
    /// The year level: of the enrolment, or of the class at the time.
    YearLevel,
    /// The number of pupils in the class of today; a band is made of it later.
    ClassSizeBand,
    /// The gender.
    Gender,
    /// The ethnic group.
    EthnicGroup,
    /// The state of the enrolment.
    Status,
    /// Day pupil or boarder.
    Boarding,
    /// Left behind by parents who work elsewhere.
    LeftBehind,
    /// The examination.
    Exam,
    /// The course.
    Course,
    /// The class at the time.
    ClassGroup,
    /// The term of the examination or of the aid.
    Term,
    /// The programme of aid.
    Programme,
    /// The state of the grant of aid.
    AidState,
}

/// The value of a key.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum KeyValue {
    /// Nothing on file.
    None,
    /// The key of a row.
    Id(Uuid),
    /// A code or an enum's value as stored.
    Word(String),
    /// A number.
    Number(i64),
}

/// The values that a key may have.
#[derive(Clone, Debug)]
pub enum Among {
    /// Keys of rows.
    Ids(Vec<Uuid>),
    /// Codes or enum values as stored.
    Words(Vec<String>),
}

/// A condition on a key.
#[derive(Clone, Debug)]
pub struct Narrowing {
    /// The key.
    pub key: Key,
    /// What it may be; nothing meets an empty list.
    pub among: Among,
}

/// A question for figures.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The rows that count.
    pub scope: &'a Scope,
    /// What they are grouped by.
    pub keys: &'a [Key],
    /// What they are narrowed to.
    pub only: &'a [Narrowing],
}

/// Scores of one value in one group.
#[derive(Clone, Debug)]
pub struct ScoreCount {
    /// The group.
    pub keys: Vec<KeyValue>,
    /// The value in thousandths.
    pub value: i64,
    /// Full mark, pass mark and excellence mark in thousandths, where the course has them.
    pub marks: Option<(i64, i64, i64)>,
    /// How many scores.
    pub count: i64,
}

/// The students behind the scores of one group.
#[derive(Clone, Debug)]
pub struct ScoreSpread {
    /// The group.
    pub keys: Vec<KeyValue>,
    /// How many students.
    pub students: i64,
}

/// Attendance of one day in one group.
#[derive(Clone, Debug)]
pub struct DayRow {
    /// The group.
    pub keys: Vec<KeyValue>,
    /// The day.
    pub day: NaiveDate,
    /// Students on record: a student has one record a day.
    pub students: i64,
    /// Of these on leave.
    pub excused: i64,
    /// Of these absent without leave.
    pub truant: i64,
}

/// Students aided and money granted in one group.
#[derive(Clone, Debug)]
pub struct AidRow {
    /// The group.
    pub keys: Vec<KeyValue>,
    /// How many students.
    pub students: i64,
    /// The sum in fen.
    pub amount: i64,
}

/// Students whom aid could reach in one group.
#[derive(Clone, Debug)]
pub struct ReachRow {
    /// The group.
    pub keys: Vec<KeyValue>,
    /// How many students.
    pub students: i64,
    /// Of these, who need aid.
    pub needy: i64,
}

impl Store {
    fn writing(&self, scope: &Scope) -> Writing {
        let account = Some(scope.caller().account().uuid());
        Writing { backend: self.backend(), today: scope.caller().today(), account }
    }

    async fn figures(&self, scope: &Scope, mut query: SelectStatement) -> Result<Vec<QueryResult>> {
        query.limit(MOST_ROWS as u64 + 1);
        let rows = self.all(scope.caller(), &query).await?;
        if rows.len() > MOST_ROWS {
            return Err(Error::Limit {
                what: "figures",
                why: Why::new(
                    format!(
                        "more than {MOST_ROWS} figures would be read; group by fewer keys or narrow the filter"
                    ),
                    format!("需要读取的数据超过 {MOST_ROWS} 项；请减少分组条件或缩小筛选范围"),
                ),
            });
        }
        Ok(rows)
    }

    /// Students with a live enrolment in each group.
    pub async fn student_counts(
        &self,
        question: &Question<'_>,
    ) -> Result<Vec<(Vec<KeyValue>, i64)>> {
        let mut query = rows_of(Subject::Students, question, self.writing(question.scope))?;
        let next = keyed(&mut query, Subject::Students, question.keys)?;
        selected(&mut query, next, all_rows());
        self.figures(question.scope, query)
            .await?
            .iter()
            .map(|row| Ok((read_keys(row, question.keys)?, number(row, next)?)))
            .collect()
    }

    /// Published scores by value in each group, and how many students stand behind them, as one
    /// statement so that both speak of the same moment.
    pub async fn score_counts(
        &self,
        question: &Question<'_>,
    ) -> Result<(Vec<ScoreCount>, Vec<ScoreSpread>)> {
        let rows = rows_of(Subject::Scores, question, self.writing(question.scope))?;

        let mut each = rows.clone();
        let next = keyed(&mut each, Subject::Scores, question.keys)?;
        each.expr_as(Expr::col((ROOT, "student_id")), "student_id")
            .add_group_by([Expr::col((ROOT, "student_id"))]);
        let mut spread = Query::select();
        for at in 0..next {
            let column = Expr::col((EACH, Alias::new(format!("c{at}"))));
            selected(&mut spread, at, column.clone());
            spread.add_group_by([column]);
        }
        for at in next..next + 4 {
            selected(&mut spread, at, Expr::cust("NULL"));
        }
        selected(&mut spread, next + 4, all_rows());
        spread.from_subquery(each, EACH);

        let mut values = rows;
        keyed(&mut values, Subject::Scores, question.keys)?;
        values.join_as(
            JoinType::LeftJoin,
            "exam_course",
            MARKS,
            Expr::col((MARKS, "exam_id"))
                .equals((ROOT, "exam_id"))
                .and(Expr::col((MARKS, "course_id")).equals((ROOT, "course_id"))),
        );
        let columns = [
            (ROOT, "value"),
            (MARKS, "full_mark"),
            (MARKS, "pass_mark"),
            (MARKS, "excellence_mark"),
        ];
        for (at, column) in columns.into_iter().enumerate() {
            selected(&mut values, next + at, Expr::col(column));
            values.add_group_by([Expr::col(column)]);
        }
        selected(&mut values, next + 4, all_rows());
        values.union(UnionType::All, spread);

        let (mut counts, mut spreads) = (Vec::new(), Vec::new());
        for row in &self.figures(question.scope, values).await? {
            let keys = read_keys(row, question.keys)?;
            let mark = |at: usize| row.try_get_by_index::<Option<i64>>(next + at).map_err(failed);
            let count = number(row, next + 4)?;
            match mark(0)? {
                Some(value) => counts.push(ScoreCount {
                    keys,
                    value,
                    marks: match (mark(1)?, mark(2)?, mark(3)?) {
                        (Some(full), Some(pass), Some(excellence)) => {
                            Some((full, pass, excellence))
                        }
                        _ => None,
                    },
                    count,
                }),
                None => spreads.push(ScoreSpread { keys, students: count }),
            }
        }
        Ok((counts, spreads))
    }

    /// Attendance day by day in each group, both days included.
    pub async fn attendance_counts(
        &self,
        question: &Question<'_>,
        from: NaiveDate,
        until: NaiveDate,
    ) -> Result<Vec<DayRow>> {
        let mut query = rows_of(Subject::Attendance, question, self.writing(question.scope))?;
        let next = keyed(&mut query, Subject::Attendance, question.keys)?;
        let kind = || Expr::col((ROOT, "kind"));
        let day = || Expr::col((ROOT, "day"));
        selected(&mut query, next, day());
        selected(&mut query, next + 1, all_rows());
        let excused = kind().is_in(["sick_leave", "personal_leave"]);
        selected(&mut query, next + 2, sum_of(one_if(excused)));
        selected(&mut query, next + 3, sum_of(one_if(kind().eq("truant"))));
        query.add_group_by([day()]).and_where(day().gte(from)).and_where(day().lte(until));
        self.figures(question.scope, query)
            .await?
            .iter()
            .map(|row| {
                Ok(DayRow {
                    keys: read_keys(row, question.keys)?,
                    day: row.try_get_by_index(next).map_err(failed)?,
                    students: number(row, next + 1)?,
                    excused: number(row, next + 2)?,
                    truant: number(row, next + 3)?,
                })
            })
            .collect()
    }

    /// Students aided and money granted in each group.
    pub async fn aid_counts(&self, question: &Question<'_>) -> Result<Vec<AidRow>> {
        let mut query = rows_of(Subject::Aid, question, self.writing(question.scope))?;
        let next = keyed(&mut query, Subject::Aid, question.keys)?;
        let students = Func::count_distinct(Expr::col((ROOT, "student_id")));
        selected(&mut query, next, students.into());
        selected(&mut query, next + 1, sum_of(Expr::col((ROOT, "amount"))));
        self.figures(question.scope, query)
            .await?
            .iter()
            .map(|row| {
                Ok(AidRow {
                    keys: read_keys(row, question.keys)?,
                    students: number(row, next)?,
                    amount: number(row, next + 1)?,
                })
            })
            .collect()
    }

    /// All students with a live enrolment in each group, whom aid could reach. Who needs aid is
    /// read only when it may be counted.
    pub async fn aid_reach(
        &self,
        question: &Question<'_>,
        count_needy: bool,
    ) -> Result<Vec<ReachRow>> {
        let mut query = rows_of(Subject::Students, question, self.writing(question.scope))?;
        let next = keyed(&mut query, Subject::Students, question.keys)?;
        selected(&mut query, next, all_rows());
        selected(
            &mut query,
            next + 1,
            if count_needy {
                sum_of(one_if(Expr::col((ROOT, "needs_aid")).eq(true)))
            } else {
                whole(Expr::cust("0"))
            },
        );
        self.figures(question.scope, query)
            .await?
            .iter()
            .map(|row| {
                Ok(ReachRow {
                    keys: read_keys(row, question.keys)?,
                    students: number(row, next)?,
                    needy: number(row, next + 1)?,
                })
            })
            .collect()
    }
}
