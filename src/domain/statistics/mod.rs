//! Figures over many pupils (统计): who may ask for which, and what is withheld.
//!
//! A question names its keys, conditions and measures; each is a column, and all must be granted in
//! the lines of one role at one reach (promise 12). Who may read the rows gets exact figures, of this
//! moment: the arithmetic is in [`figures`]. Everybody else is answered as the policy says, from a
//! snapshot: free questions with small errors ([`protect`]), or declared tables ([`tables`]).
//! The SQL is the store's.

mod aid;
pub mod figures;
mod names;
pub mod protect;
pub mod snapshot;
pub mod suppress;
pub mod tables;

use std::collections::{BTreeMap, HashMap};

use chrono::NaiveDate;

use super::Cx;
use crate::access::policy::Way;
use crate::access::scope::{Need, Scope};
use crate::access::table::Uses;
use crate::access::view::Noun;
use crate::error::{Error, Result, Why};
use crate::store::statistics::Question;
pub use crate::store::statistics::{Among, Key, KeyValue, Narrowing};
pub use aid::{AidFigures, aid_coverage};
use figures::{
    AttendanceFigures, AttendanceTally, Period, ScoreFigures, ScoreTally, Span, class_size_band,
};
pub use names::{Names, Wanted, leads_to};
use protect::Protection;

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
    /// Whether they are exact or protected.
    pub basis: Basis,
    /// Over all groups; none where too few stand behind it.
    pub total: Option<T>,
}

/// What figures rest on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Basis {
    /// Exact, over rows that the caller may read.
    Exact,
    /// From a snapshot, each with a small error.
    Perturbed(Protection),
}

impl Basis {
    /// What protects the figures; none for a reader of the rows.
    pub fn protection(&self) -> Option<&Protection> {
        match self {
            Self::Exact => None,
            Self::Perturbed(protection) => Some(protection),
        }
    }
}

/// The newest snapshot and the threshold of the policy.
async fn protection(cx: &Cx) -> Result<Protection> {
    let threshold = cx.caller.session.policy.disclosure_control.threshold;
    Ok(Protection { snapshot: protect::newest(cx).await?, threshold })
}

impl<F, T> Figures<F, T> {
    /// The limit counts only what is said: groups left out must not be told by a refusal.
    fn new(keys: Vec<Key>, groups: Vec<Group<F>>, basis: Basis, total: Option<T>) -> Result<Self> {
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
        Ok(Self { keys, groups, basis, total })
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
    /// The rows that count, and whether the caller reads them; `FORBIDDEN` before any SQL.
    fn scope(&self) -> Result<(Scope, bool)> {
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
        let exact = scope.reads_what_it_counts(&seen);
        Ok((scope, exact))
    }

    /// Under the grants that are answered with protected figures; refused where there is none.
    fn protected(&self, scope: Scope) -> Result<Scope> {
        let free = scope.clone().protected(Way::Perturb);
        if !free.is_empty() {
            return Ok(free);
        }
        if scope.protected(Way::Suppress).is_empty() {
            let (noun, field) = column(self.cx, self.measures[0])?;
            return Err(Error::forbidden_use("aggregate", noun.coordinate(field)));
        }
        Err(Error::Refused {
            rule: "DECLARED_TABLES_ONLY",
            why: Why::new(
                "your role is given declared tables, not free questions; choose one of `declaredTables`",
                "您的角色只能查阅已发布的统计表，不能自由查询；请从 `declaredTables` 中选择",
            ),
        })
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
    let (scope, exact) = asked.scope()?;
    if !exact {
        let scope = asked.protected(scope)?;
        return protect::student_counts(cx, &scope, asked.keys, only, protection(cx).await?).await;
    }
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
        .map(|(keys, count)| Group { span: None, keys, figures: count })
        .collect();
    Figures::new(asked.keys, groups, Basis::Exact, Some(total))
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
    let (scope, exact) = asked.scope()?;
    if !exact {
        let scope = asked.protected(scope)?;
        return protect::score_statistics(cx, &scope, asked.keys, only, protection(cx).await?)
            .await;
    }
    let question = Question { scope: &scope, keys: &asked.keys, only };
    let (counts, spreads) = cx.store.score_counts(&question).await?;
    let mut tallies: BTreeMap<Vec<KeyValue>, ScoreTally> = BTreeMap::new();
    let mut total = 0;
    for count in counts {
        total += count.count;
        tallies.entry(count.keys).or_default().add(count.value, count.marks, count.count);
    }
    let behind: HashMap<_, _> =
        spreads.into_iter().map(|spread| (spread.keys, spread.students)).collect();
    let groups = tallies
        .into_iter()
        .filter_map(|(keys, tally)| {
            let figures = tally.figures(behind.get(&keys).copied().unwrap_or_default())?;
            Some(Group { span: None, keys, figures })
        })
        .collect();
    Figures::new(asked.keys, groups, Basis::Exact, Some(total))
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
    let (scope, exact) = asked.scope()?;
    let (kinds, kind) = column(cx, ("attendance", "kind"))?;
    let by_kind = scope.every_pair(kinds.id(kind), Uses::GROUP);
    if !exact {
        let scope = asked.protected(scope)?;
        let shape = (period, asked.keys, by_kind);
        let protection = protection(cx).await?;
        return protect::attendance_rates(cx, &scope, shape, (from, until), only, protection).await;
    }
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
            let figures = tally.figures()?;
            days += figures.days;
            Some(Group { span: Some(span), keys, figures: Attended { figures, by_kind } })
        })
        .collect();
    Figures::new(asked.keys, groups, Basis::Exact, Some(days))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_groups_have_a_limit() {
        let five = [Key::School, Key::Stage, Key::Gender, Key::Status, Key::Boarding];
        assert!(matches!(distinct(&five), Err(Error::Limit { what: "groupBy", .. })));
        assert_eq!(distinct(&[Key::School, Key::School]).ok(), Some(vec![Key::School]));
        let groups = (0..=MOST_GROUPS)
            .map(|_| Group { span: None, keys: Vec::new(), figures: 10_i64 })
            .collect();
        let many = Figures::new(Vec::new(), groups, Basis::Exact, Some(()));
        assert!(matches!(many, Err(Error::Limit { what: "groups", .. })));
    }
}
