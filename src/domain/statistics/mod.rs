//! Figures over many pupils (统计): who may ask for which, and what is withheld.
//!
//! A question names its keys, conditions and measures; each is a column, and all must be granted in
//! the lines of one role at one reach (promise 12). Who may read the rows gets exact figures. For
//! everybody else groups of few are left out, keys and all, so that they look like groups of nobody,
//! and there is no total: nothing tells whether there were any. The arithmetic is in [`figures`];
//! the SQL is the store's.

mod aid;
pub mod figures;
mod names;

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;

use super::Cx;
use crate::access::scope::{Need, Scope};
use crate::access::table::Uses;
use crate::access::view::Noun;
use crate::error::{Error, Result, Why};
use crate::store::statistics::Question;
pub use crate::store::statistics::{Among, Key, KeyValue, Narrowing};
pub use aid::{AidFigures, aid_coverage};
pub use figures::THRESHOLD;
use figures::{
    AttendanceFigures, AttendanceTally, Care, Period, ScoreFigures, ScoreTally, Span,
    class_size_band,
};
pub use names::{Names, leads_to};

/// The most keys of one question.
pub const MOST_KEYS: usize = 4;
/// The most groups of one answer.
pub const MOST_GROUPS: usize = 5_000;
/// The most days of one question for attendance: a school year and the holidays around it.
pub const MOST_DAYS: i64 = 400;

/// One group of an answer.
#[derive(Clone, Debug)]
pub struct Group<F> {
    /// The period, for attendance.
    pub span: Option<Span>,
    /// The values of the keys, in the order asked for.
    pub keys: Vec<KeyValue>,
    /// The figures.
    pub figures: F,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Figures<F, T> {
    /// The keys asked for, each once.
    pub keys: Vec<Key>,
    /// The groups that may be said; without those of nobody.
    pub groups: Vec<Group<F>>,
    /// Exact for a reader of the rows, or under a threshold.
    pub care: Care,
    /// Over all groups, for a reader of the rows alone.
    pub total: Option<T>,
}

impl<F, T> Figures<F, T> {
    /// The limit counts only what is said: groups left out must not be told by a refusal.
    fn new(keys: Vec<Key>, groups: Vec<Group<F>>, care: Care, total: T) -> Result<Self> {
        if groups.len() > MOST_GROUPS {
            return Err(Error::Limit {
                what: "groups",
                why: Why::new(
                    format!(
                        "the answer has more than {MOST_GROUPS} groups; group by fewer keys or narrow the filter"
                    ),
                    format!("结果超过 {MOST_GROUPS} 组；请减少分组条件或缩小筛选范围"),
                ),
            });
        }
        let total = (care == Care::Reader).then_some(total);
        Ok(Self { keys, groups, care, total })
    }

    /// The threshold that figures were held to; none for a reader of the rows.
    pub fn threshold(&self) -> Option<i64> {
        match self.care {
            Care::Reader => None,
            Care::Threshold(threshold) => Some(threshold),
        }
    }
}

/// The columns that stand behind a key, as the policy names them.
fn columns(counted: &str, key: Key) -> &'static [(&'static str, &'static str)] {
    match (counted, key) {
        ("score", Key::School) => &[("score", "class_group_id"), ("class_group", "school_id")],
        ("score", Key::ClassGroup) => &[("score", "class_group_id")],
        ("attendance", Key::School) => {
            &[("attendance", "class_group_id"), ("class_group", "school_id")]
        }
        ("attendance", Key::YearLevel) => {
            &[("attendance", "class_group_id"), ("class_group", "year_level_id")]
        }
        ("attendance", Key::ClassGroup) => &[("attendance", "class_group_id")],
        ("aid_grant", Key::Term) => &[("aid_grant", "term_id")],
        // Which county a school lies in, and which term an examination, everybody may read.
        (_, Key::School | Key::County) => &[("enrollment", "school_id")],
        (_, Key::Exam | Key::Term) => &[("score", "exam_id")],
        (_, Key::Course) => &[("score", "course_id")],
        (_, Key::ClassGroup) => &[("class_membership", "class_group_id")],
        (_, Key::Stage) => &[("enrollment", "stage")],
        (_, Key::YearLevel) => &[("enrollment", "year_level_id")],
        (_, Key::Status) => &[("enrollment", "state")],
        (_, Key::Boarding) => &[("enrollment", "boarding")],
        (_, Key::ClassSizeBand) => &[("class_group", "size_band")],
        (_, Key::Gender) => &[("student", "gender")],
        (_, Key::EthnicGroup) => &[("student", "ethnic_group")],
        (_, Key::LeftBehind) => &[("student", "left_behind")],
        (_, Key::Programme) => &[("aid_grant", "programme_id")],
        (_, Key::AidState) => &[("aid_grant", "state")],
    }
}

type Column = (&'static str, &'static str);

/// What is asked, before it is known who may.
struct Asked<'a> {
    cx: &'a Cx,
    counted: &'static str,
    keys: Vec<Key>,
    only: &'a [Narrowing],
    /// The outlet and the measures.
    measures: &'static [Column],
    /// Other columns with their uses.
    others: &'static [(&'static str, &'static str, Uses)],
    /// What a reader of the rows must see in full besides keys and conditions.
    behind: &'static [Column],
}

fn noun(cx: &Cx, name: &str) -> Result<&'static Noun> {
    cx.registry().get(name).ok_or_else(|| Error::internal(format!("{name} is not registered")))
}

fn column(cx: &Cx, (of, field): Column) -> Result<(&'static Noun, usize)> {
    let noun = noun(cx, of)?;
    let field =
        noun.field(field).ok_or_else(|| Error::internal(format!("{of} has no field {field}")))?;
    Ok((noun, field))
}

impl Asked<'_> {
    /// The rows that count, and how the figures may be said; `FORBIDDEN` before any SQL.
    fn scope(&self) -> Result<(Scope, Care)> {
        let mut needs = Vec::new();
        let mut seen = Vec::new();
        let mut need = |at: Column, uses: Uses, shown: bool| -> Result<()> {
            let (noun, field) = column(self.cx, at)?;
            needs.push(Need::of(noun, field, uses));
            if shown {
                seen.push(noun.id(field));
            }
            Ok(())
        };
        for measure in self.measures {
            need(*measure, Uses::AGGREGATE, false)?;
        }
        for (of, field, uses) in self.others {
            need((of, field), *uses, true)?;
        }
        for key in &self.keys {
            for at in columns(self.counted, *key) {
                need(*at, Uses::GROUP, true)?;
            }
        }
        for narrowing in self.only {
            for at in columns(self.counted, narrowing.key) {
                need(*at, Uses::FILTER, true)?;
            }
        }
        for at in self.behind {
            let (noun, field) = column(self.cx, *at)?;
            seen.push(noun.id(field));
        }
        let noun = noun(self.cx, self.counted)?;
        let scope = Scope::counting(&self.cx.caller, noun).counting_with(&needs)?;
        let care = if scope.reads_what_it_counts(&seen) {
            Care::Reader
        } else {
            Care::Threshold(THRESHOLD)
        };
        Ok((scope, care))
    }
}

fn distinct(keys: &[Key]) -> Result<Vec<Key>> {
    let mut out: Vec<Key> = Vec::new();
    for key in keys {
        if !out.contains(key) {
            out.push(*key);
        }
    }
    if out.len() > MOST_KEYS {
        return Err(Error::Limit {
            what: "groupBy",
            why: Why::new(
                format!("`groupBy` takes at most {MOST_KEYS} keys; ask in several requests"),
                format!("`groupBy` 最多 {MOST_KEYS} 个分组条件；请分多次查询"),
            ),
        });
    }
    Ok(out)
}

/// Students with a live enrolment by any of the keys.
pub async fn student_counts(
    cx: &Cx,
    keys: &[Key],
    only: &[Narrowing],
) -> Result<Figures<i64, i64>> {
    let asked = Asked {
        cx,
        counted: "student",
        keys: distinct(keys)?,
        only,
        measures: &[("student", "count")],
        others: &[],
        behind: &[],
    };
    let (scope, care) = asked.scope()?;
    let question = Question { scope: &scope, keys: &asked.keys, only };
    let mut counts: BTreeMap<Vec<KeyValue>, i64> = BTreeMap::new();
    for (mut keys, count) in cx.store.student_counts(&question).await? {
        for (key, value) in asked.keys.iter().zip(&mut keys) {
            if let (Key::ClassSizeBand, KeyValue::Number(size)) = (key, &*value) {
                *value = KeyValue::Word(class_size_band(*size).to_owned());
            }
        }
        *counts.entry(keys).or_default() += count;
    }
    counts.retain(|_, count| *count > 0);
    let total = counts.values().sum();
    let groups = counts
        .into_iter()
        .filter(|(_, count)| care.allows(*count))
        .map(|(keys, count)| Group { span: None, keys, figures: count })
        .collect();
    Figures::new(asked.keys, groups, care, total)
}

/// Published scores by any of the keys; the total is the number of scores.
pub async fn score_statistics(
    cx: &Cx,
    keys: &[Key],
    only: &[Narrowing],
) -> Result<Figures<ScoreFigures, i64>> {
    let asked = Asked {
        cx,
        counted: "score",
        keys: distinct(keys)?,
        only,
        measures: &[("score", "statistics"), ("score", "value")],
        others: &[],
        behind: &[("score", "value")],
    };
    let (scope, care) = asked.scope()?;
    let question = Question { scope: &scope, keys: &asked.keys, only };
    let (counts, spreads) = cx.store.score_counts(&question).await?;
    let mut tallies: BTreeMap<Vec<KeyValue>, ScoreTally> = BTreeMap::new();
    let mut total = 0;
    for count in counts {
        total += count.count;
        tallies.entry(count.keys).or_default().add(count.value, count.marks, count.count);
    }
    let behind: HashMap<_, _> =
        spreads.into_iter().map(|spread| (spread.keys, (spread.students, spread.most))).collect();
    let groups = tallies
        .into_iter()
        .filter_map(|(keys, tally)| {
            let (students, most) = behind.get(&keys).copied().unwrap_or_default();
            let figures = tally.figures(students, most, care)?;
            Some(Group { span: None, keys, figures })
        })
        .collect();
    Figures::new(asked.keys, groups, care, total)
}

/// Attendance of one group in one period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attended {
    /// The figures.
    pub figures: AttendanceFigures,
    /// Whether leave and truancy may be told apart, not only the rate said.
    pub by_kind: bool,
}

const BY_DAY: &[(&str, &str, Uses)] = &[("attendance", "day", Uses::FILTER.union(Uses::GROUP))];

/// Attendance by period and any of the keys, both days included; the total is of student days.
/// Leave and truancy are told apart where the role may and neither is of few.
pub async fn attendance_rates(
    cx: &Cx,
    period: Period,
    keys: &[Key],
    (from, until): (NaiveDate, NaiveDate),
    only: &[Narrowing],
) -> Result<Figures<Attended, i64>> {
    if until < from || (until - from).num_days() >= MOST_DAYS {
        return Err(Error::invalid(
            "until",
            format!("choose a last day from the first day on, within {MOST_DAYS} days"),
            format!("请选择不早于起始日、且在 {MOST_DAYS} 天以内的结束日"),
        ));
    }
    let asked = Asked {
        cx,
        counted: "attendance",
        keys: distinct(keys)?,
        only,
        measures: &[("attendance", "rate")],
        others: BY_DAY,
        behind: &[("attendance", "kind")],
    };
    let (scope, care) = asked.scope()?;
    let (kinds, kind) = column(cx, ("attendance", "kind"))?;
    let by_kind = scope.every_pair(kinds.id(kind), Uses::GROUP);
    let question = Question { scope: &scope, keys: &asked.keys, only };
    let mut tallies: BTreeMap<(Span, Vec<KeyValue>), AttendanceTally> = BTreeMap::new();
    for row in cx.store.attendance_counts(&question, from, until).await? {
        tallies.entry((period.of(row.day), row.keys)).or_default().add(
            row.students,
            row.excused,
            row.truant,
        );
    }
    let mut days = 0;
    let groups = tallies
        .into_iter()
        .filter_map(|((span, keys), tally)| {
            let figures = tally.figures(care)?;
            days += figures.days;
            let by_kind = by_kind && tally.tells_kinds(care);
            Some(Group { span: Some(span), keys, figures: Attended { figures, by_kind } })
        })
        .collect();
    Figures::new(asked.keys, groups, care, days)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_total_is_given_to_readers_of_the_rows_alone() {
        let group = |count| Group { span: None, keys: Vec::new(), figures: count };
        for (care, expected) in [
            (Care::Reader, (Some(50), None)),
            (Care::Threshold(THRESHOLD), (None, Some(THRESHOLD))),
        ] {
            let figures = Figures::new(Vec::new(), vec![group(10_i64), group(40)], care, 50);
            let said = figures.ok().map(|figures| (figures.total, figures.threshold()));
            assert_eq!(said, Some(expected));
        }
    }

    #[test]
    fn keys_and_groups_have_a_limit() {
        let five = [Key::School, Key::Stage, Key::Gender, Key::Status, Key::Boarding];
        assert!(matches!(distinct(&five), Err(Error::Limit { what: "groupBy", .. })));
        assert_eq!(distinct(&[Key::School, Key::School]).ok(), Some(vec![Key::School]));
        let groups = (0..=MOST_GROUPS)
            .map(|_| Group { span: None, keys: Vec::new(), figures: 10_i64 })
            .collect();
        let many = Figures::new(Vec::new(), groups, Care::Reader, ());
        assert!(matches!(many, Err(Error::Limit { what: "groups", .. })));
    }
}
