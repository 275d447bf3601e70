//! Figures over the facts of a snapshot, each with the sum of its students' random numbers: one
//! statement for each question. What may be said of them is the domain's.

use chrono::NaiveDate;
use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Func, Query, SelectStatement, UnionType};
use sea_orm::{JoinType, QueryResult};

use super::rows::{all_rows, high, low, number, one_if, read_keys, selected, sum_of, whole};
use super::{Among, Key, KeyValue, Narrowing, Store, Subject};
use crate::access::place::{among, nothing};
use crate::access::scope::Scope;
use crate::error::{Error, Result};
use crate::store::failed;

const ROOT: &str = "f0";
const CLASS: &str = "f1";
const PAPER: &str = "f2";
const EACH: &str = "f3";

/// A question to a snapshot.
#[derive(Clone, Copy, Debug)]
pub struct Frozen<'a> {
    /// Whose figures count.
    pub scope: &'a Scope,
    /// The snapshot's number.
    pub snapshot: i64,
    /// What they are grouped by.
    pub keys: &'a [Key],
    /// What they are narrowed to.
    pub only: &'a [Narrowing],
    /// Conditions that part the groups instead of narrowing them: those who meet one, and the rest.
    pub parted: &'a [Narrowing],
}

/// A number of students or records, with the sum of the students' random numbers in two halves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sum {
    /// How many.
    pub count: i64,
    /// The sum of the upper halves.
    pub high: i64,
    /// The sum of the lower halves.
    pub low: i64,
}

impl Sum {
    /// Both together, when nobody is in both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            count: self.count + other.count,
            high: self.high + other.high,
            low: self.low + other.low,
        }
    }

    /// What is left without a part of it.
    #[must_use]
    pub fn without(self, part: Self) -> Self {
        Self {
            count: self.count - part.count,
            high: self.high - part.high,
            low: self.low - part.low,
        }
    }
}

/// Students of one group.
#[derive(Clone, Debug)]
pub struct FrozenStudents {
    /// The group.
    pub keys: Vec<KeyValue>,
    /// Which of the parting conditions they meet.
    pub meets: Vec<bool>,
    /// The students.
    pub students: Sum,
}

/// Scores of one value in one group.
#[derive(Clone, Debug)]
pub struct FrozenScore {
    /// The group.
    pub keys: Vec<KeyValue>,
    /// The value in thousandths.
    pub value: i64,
    /// Full mark, pass mark and excellence mark in thousandths, where the course has them.
    pub marks: Option<(i64, i64, i64)>,
    /// The scores.
    pub scores: Sum,
}

/// The students behind the scores of one group.
#[derive(Clone, Debug)]
pub struct FrozenSpread {
    /// The group.
    pub keys: Vec<KeyValue>,
    /// The students.
    pub students: Sum,
    /// The most scores of one of them.
    pub most: i64,
}

/// Attendance of one day in one group.
#[derive(Clone, Debug)]
pub struct FrozenDay {
    /// The group.
    pub keys: Vec<KeyValue>,
    /// The day.
    pub day: NaiveDate,
    /// Students on record.
    pub students: Sum,
    /// Of these on leave.
    pub excused: Sum,
    /// Of these absent without leave.
    pub truant: Sum,
}

/// Aid of one group.
#[derive(Clone, Debug)]
pub struct FrozenAid {
    /// The group.
    pub keys: Vec<KeyValue>,
    /// The students aided.
    pub students: Sum,
    /// The money granted, in fen.
    pub amount: i64,
    /// The most that one of them was granted.
    pub largest: i64,
}

/// Students whom aid could reach in one group.
#[derive(Clone, Debug)]
pub struct FrozenReach {
    /// The group.
    pub keys: Vec<KeyValue>,
    /// The students.
    pub students: Sum,
    /// Of these, who need aid.
    pub needy: Sum,
}

/// The alias and column of a key; an error where the subject has no such key.
fn place(subject: Subject, key: Key) -> Result<(&'static str, &'static str)> {
    Ok(match (subject, key) {
        (Subject::Students | Subject::Aid, Key::School) => (ROOT, "school_id"),
        (Subject::Students | Subject::Aid, Key::County) => (ROOT, "county_id"),
        (Subject::Students, Key::Stage) => (ROOT, "stage"),
        (Subject::Students, Key::YearLevel) => (ROOT, "year_level_id"),
        (Subject::Students, Key::Status) => (ROOT, "state"),
        (Subject::Students, Key::Boarding) => (ROOT, "boarding"),
        (Subject::Students, Key::ClassSizeBand) => (ROOT, "size"),
        (Subject::Students, Key::Gender) => (ROOT, "gender"),
        (Subject::Students, Key::EthnicGroup) => (ROOT, "ethnic_group"),
        (Subject::Students, Key::LeftBehind) => (ROOT, "left_behind"),
        (Subject::Scores, Key::Exam) => (ROOT, "exam_id"),
        (Subject::Scores, Key::Course) => (ROOT, "course_id"),
        (Subject::Scores, Key::Term) => (PAPER, "term_id"),
        (Subject::Scores | Subject::Attendance, Key::ClassGroup) => (ROOT, "class_group_id"),
        (Subject::Scores | Subject::Attendance, Key::School) => (CLASS, "school_id"),
        (Subject::Attendance, Key::YearLevel) => (CLASS, "year_level_id"),
        (Subject::Aid, Key::Programme) => (ROOT, "programme_id"),
        (Subject::Aid, Key::Term) => (ROOT, "term_id"),
        (Subject::Aid, Key::AidState) => (ROOT, "state"),
        (subject, key) => {
            return Err(Error::internal(format!("{subject:?} have no frozen key {key:?}")));
        }
    })
}

/// The halves of the random number in a column.
fn halves(alias: &'static str) -> (Expr, Expr) {
    let key = || Expr::col((alias, "key"));
    (high(key()), low(key()))
}

fn sum_at(row: &QueryResult, at: usize) -> Result<Sum> {
    Ok(Sum { count: number(row, at)?, high: number(row, at + 1)?, low: number(row, at + 2)? })
}

fn select_sum(query: &mut SelectStatement, at: usize, count: Expr, high: Expr, low: Expr) {
    selected(query, at, count);
    selected(query, at + 1, sum_of(high));
    selected(query, at + 2, sum_of(low));
}

impl Frozen<'_> {
    fn met(&self, subject: Subject, narrowing: &Narrowing) -> Result<Expr> {
        let column = Expr::col(place(subject, narrowing.key)?);
        Ok(match &narrowing.among {
            Among::Ids(ids) => among(column, ids, self.scope.caller().backend),
            Among::Words(words) if words.is_empty() => nothing(),
            Among::Words(words) => column.is_in(words.iter().map(String::as_str)),
        })
    }

    /// The facts that count, grouped by the keys; gives the place of the next column.
    fn rows(&self, subject: Subject) -> Result<(SelectStatement, usize)> {
        let (table, school) = match subject {
            Subject::Students => ("snapshot_student", "school_id"),
            Subject::Scores => ("snapshot_score", "home_id"),
            Subject::Attendance => ("snapshot_attendance", "home_id"),
            Subject::Aid => ("snapshot_aid", "school_id"),
        };
        let mut query = Query::select();
        query
            .from_as(table, ROOT)
            .and_where(Expr::col((ROOT, "snapshot")).eq(self.snapshot))
            .and_where(self.scope.frozen((ROOT, school), self.snapshot));
        let mut used = Vec::new();
        for key in self.keys.iter().chain(self.only.iter().map(|narrowing| &narrowing.key)) {
            used.push(place(subject, *key)?.0);
        }
        if used.contains(&CLASS) {
            query.join_as(
                JoinType::InnerJoin,
                "snapshot_class",
                CLASS,
                Expr::col((CLASS, "class_group_id"))
                    .equals((ROOT, "class_group_id"))
                    .and(Expr::col((CLASS, "snapshot")).eq(self.snapshot)),
            );
        }
        if subject == Subject::Scores {
            query.join_as(
                JoinType::LeftJoin,
                "snapshot_paper",
                PAPER,
                Expr::col((PAPER, "exam_id"))
                    .equals((ROOT, "exam_id"))
                    .and(Expr::col((PAPER, "course_id")).equals((ROOT, "course_id")))
                    .and(Expr::col((PAPER, "snapshot")).eq(self.snapshot)),
            );
        }
        for narrowing in self.only {
            query.and_where(self.met(subject, narrowing)?);
        }
        for (at, key) in self.keys.iter().enumerate() {
            let column = place(subject, *key)?;
            selected(&mut query, at, Expr::col(column));
            query.add_group_by([Expr::col(column)]);
        }
        Ok((query, self.keys.len()))
    }
}

impl Frozen<'_> {
    /// The students behind the scores of each group, in the columns of [`spread_at`].
    fn spread(&self) -> Result<(SelectStatement, usize)> {
        let (mut each, next) = self.rows(Subject::Scores)?;
        each.expr_as(all_rows(), "scores")
            .expr_as(Expr::col((ROOT, "key")), "key")
            .add_group_by([Expr::col((ROOT, "key"))]);
        let mut spread = Query::select();
        for at in 0..next {
            let column = Expr::col((EACH, format!("c{at}")));
            selected(&mut spread, at, column.clone());
            spread.add_group_by([column]);
        }
        for at in next..next + 4 {
            selected(&mut spread, at, Expr::cust("NULL"));
        }
        let (high, low) = halves(EACH);
        select_sum(&mut spread, next + 4, all_rows(), high, low);
        selected(&mut spread, next + 7, whole(Func::max(Expr::col((EACH, "scores")))));
        spread.from_subquery(each, EACH);
        Ok((spread, next))
    }
}

fn spread_at(row: &QueryResult, keys: &[Key], next: usize) -> Result<FrozenSpread> {
    Ok(FrozenSpread {
        keys: read_keys(row, keys)?,
        students: sum_at(row, next + 4)?,
        most: number(row, next + 7)?,
    })
}

impl Store {
    /// Students in each group.
    pub async fn frozen_students(&self, question: &Frozen<'_>) -> Result<Vec<FrozenStudents>> {
        let (mut query, next) = question.rows(Subject::Students)?;
        for (at, narrowing) in (next..).zip(question.parted) {
            let met = question.met(Subject::Students, narrowing)?;
            let case = CaseStatement::new().case(met, Expr::cust("1")).finally(Expr::cust("0"));
            selected(&mut query, at, Expr::Case(Box::new(case)));
            // By its name: the values bound in it would be others in a second copy.
            query.add_group_by([Expr::col(format!("c{at}"))]);
        }
        let counted = next + question.parted.len();
        let (high, low) = halves(ROOT);
        select_sum(&mut query, counted, all_rows(), high, low);
        self.figures(question.scope, query)
            .await?
            .iter()
            .map(|row| {
                Ok(FrozenStudents {
                    keys: read_keys(row, question.keys)?,
                    meets: (next..counted)
                        .map(|at| Ok(row.try_get_by_index::<i32>(at).map_err(failed)? == 1))
                        .collect::<Result<_>>()?,
                    students: sum_at(row, counted)?,
                })
            })
            .collect()
    }

    /// The students behind the scores of each group.
    pub async fn frozen_spread(&self, question: &Frozen<'_>) -> Result<Vec<FrozenSpread>> {
        let (spread, next) = question.spread()?;
        self.figures(question.scope, spread)
            .await?
            .iter()
            .map(|row| spread_at(row, question.keys, next))
            .collect()
    }

    /// Scores by value in each group, and the students behind them.
    pub async fn frozen_scores(
        &self,
        question: &Frozen<'_>,
    ) -> Result<(Vec<FrozenScore>, Vec<FrozenSpread>)> {
        let (spread, next) = question.spread()?;
        let (mut values, _) = question.rows(Subject::Scores)?;
        let columns = [
            (ROOT, "value"),
            (PAPER, "full_mark"),
            (PAPER, "pass_mark"),
            (PAPER, "excellence_mark"),
        ];
        for (at, column) in (next..).zip(columns) {
            selected(&mut values, at, Expr::col(column));
            values.add_group_by([Expr::col(column)]);
        }
        let (high, low) = halves(ROOT);
        select_sum(&mut values, next + 4, all_rows(), high, low);
        selected(&mut values, next + 7, whole(Expr::cust("0")));
        values.union(UnionType::All, spread);

        let (mut scores, mut spreads) = (Vec::new(), Vec::new());
        for row in &self.figures(question.scope, values).await? {
            let mark = |at: usize| row.try_get_by_index::<Option<i64>>(next + at).map_err(failed);
            match mark(0)? {
                Some(value) => scores.push(FrozenScore {
                    keys: read_keys(row, question.keys)?,
                    value,
                    marks: match (mark(1)?, mark(2)?, mark(3)?) {
                        (Some(full), Some(pass), Some(excellence)) => {
                            Some((full, pass, excellence))
                        }
                        _ => None,
                    },
                    scores: sum_at(row, next + 4)?,
                }),
                None => spreads.push(spread_at(row, question.keys, next)?),
            }
        }
        Ok((scores, spreads))
    }

    /// Attendance day by day in each group, both days included.
    pub async fn frozen_days(
        &self,
        question: &Frozen<'_>,
        from: NaiveDate,
        until: NaiveDate,
    ) -> Result<Vec<FrozenDay>> {
        let (mut query, next) = question.rows(Subject::Attendance)?;
        let col = |name: &'static str| Expr::col((ROOT, name));
        selected(&mut query, next, col("day"));
        for (at, [count, high, low]) in [
            ["students", "all_high", "all_low"],
            ["excused", "excused_high", "excused_low"],
            ["truant", "truant_high", "truant_low"],
        ]
        .into_iter()
        .enumerate()
        {
            let at = next + 1 + 3 * at;
            select_sum(&mut query, at, sum_of(col(count)), col(high), col(low));
        }
        query
            .add_group_by([col("day")])
            .and_where(col("day").gte(from))
            .and_where(col("day").lte(until));
        self.figures(question.scope, query)
            .await?
            .iter()
            .map(|row| {
                Ok(FrozenDay {
                    keys: read_keys(row, question.keys)?,
                    day: row.try_get_by_index(next).map_err(failed)?,
                    students: sum_at(row, next + 1)?,
                    excused: sum_at(row, next + 4)?,
                    truant: sum_at(row, next + 7)?,
                })
            })
            .collect()
    }

    /// Students aided and money granted in each group.
    pub async fn frozen_aid(&self, question: &Frozen<'_>) -> Result<Vec<FrozenAid>> {
        let (mut each, next) = question.rows(Subject::Aid)?;
        each.expr_as(sum_of(Expr::col((ROOT, "amount"))), "amount")
            .expr_as(Expr::col((ROOT, "key")), "key")
            .add_group_by([Expr::col((ROOT, "key"))]);
        let mut query = Query::select();
        for at in 0..next {
            let column = Expr::col((EACH, format!("c{at}")));
            selected(&mut query, at, column.clone());
            query.add_group_by([column]);
        }
        let (high, low) = halves(EACH);
        select_sum(&mut query, next, all_rows(), high, low);
        selected(&mut query, next + 3, sum_of(Expr::col((EACH, "amount"))));
        selected(&mut query, next + 4, whole(Func::max(Expr::col((EACH, "amount")))));
        query.from_subquery(each, EACH);
        self.figures(question.scope, query)
            .await?
            .iter()
            .map(|row| {
                Ok(FrozenAid {
                    keys: read_keys(row, question.keys)?,
                    students: sum_at(row, next)?,
                    amount: number(row, next + 3)?,
                    largest: number(row, next + 4)?,
                })
            })
            .collect()
    }

    /// All students in each group, whom aid could reach. Who needs aid is read only when it may be
    /// counted.
    pub async fn frozen_reach(
        &self,
        question: &Frozen<'_>,
        count_needy: bool,
    ) -> Result<Vec<FrozenReach>> {
        let (mut query, next) = question.rows(Subject::Students)?;
        let (high, low) = halves(ROOT);
        select_sum(&mut query, next, all_rows(), high, low);
        let needs = || {
            if count_needy {
                one_if(Expr::col((ROOT, "needs_aid")).eq(true))
            } else {
                Expr::cust("0")
            }
        };
        let (high, low) = halves(ROOT);
        select_sum(&mut query, next + 3, sum_of(needs()), high.mul(needs()), low.mul(needs()));
        self.figures(question.scope, query)
            .await?
            .iter()
            .map(|row| {
                Ok(FrozenReach {
                    keys: read_keys(row, question.keys)?,
                    students: sum_at(row, next)?,
                    needy: sum_at(row, next + 3)?,
                })
            })
            .collect()
    }
}
