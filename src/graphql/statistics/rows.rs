//! The rows of figures: a group's keys as objects, its figures, or why they are withheld.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry as Meta;
use async_graphql::{
    ContextSelectionSet, Enum, ID, OutputType, Positioned, ServerResult, SimpleObject, Value,
};
use xueji_entity::enrollment::EnrollmentState;
use xueji_entity::stage::Stage;
use xueji_entity::student::LeftBehind;
use xueji_entity::value::{Fen, Language, Thousandths, code};

use super::input::from_word;
use crate::access::filter::Key as RowKey;
use crate::domain::Cx;
use crate::domain::statistics::figures::{Care, Quantiles, Reason, ScoreFigures};
use crate::domain::statistics::{
    AidFigures, Attended, Figures, Group, Key, KeyValue, Names, leads_to,
};
use crate::error::Why;
use crate::graphql::scalar::{Code, Date, Decimal, sentence};

/// What a group of figures belongs to: the global id, and the name where you may read it.
#[derive(Clone, Debug, SimpleObject)]
pub struct StatisticsPlace {
    /// The global id, for `node`.
    id: ID,
    /// The name for people; null where it is not yours to read.
    name: Option<String>,
}

/// Why the figures of a group are withheld (不予公布的原因).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Reason")]
pub enum WithheldReason {
    /// It stands for fewer students than the threshold (人数低于阈值).
    UnderThreshold,
    /// All of it are alike, or all but too few: it would tell of each (组内相同或几乎相同).
    AllAlike,
}

/// Money in yuan with two places, as the scalar `Decimal`.
#[derive(Clone, Copy, Debug)]
pub struct Yuan(pub(super) Fen);

impl OutputType for Yuan {
    fn type_name() -> Cow<'static, str> {
        <Decimal as OutputType>::type_name()
    }

    fn create_type_info(meta: &mut Meta) -> String {
        <Decimal as OutputType>::create_type_info(meta)
    }

    async fn resolve(
        &self,
        _: &ContextSelectionSet<'_>,
        _: &Positioned<Field>,
    ) -> ServerResult<Value> {
        Ok(Value::String(self.0.to_string()))
    }
}

/// Students of one group.
#[derive(Clone, Debug, SimpleObject)]
pub struct StudentCountRow {
    /// The school, when grouped by it.
    school: Option<StatisticsPlace>,
    /// The county, when grouped by it.
    county: Option<StatisticsPlace>,
    /// The stage, when grouped by it.
    stage: Option<Stage>,
    /// The year level, when grouped by it.
    year_level: Option<StatisticsPlace>,
    /// The class size band, when grouped by it; null for pupils without a class.
    class_size_band: Option<Code>,
    /// The gender, when grouped by it.
    gender: Option<Code>,
    /// The ethnic group, when grouped by it.
    ethnic_group: Option<Code>,
    /// The state of the enrolment, when grouped by it.
    status: Option<EnrollmentState>,
    /// Day pupil or boarder, when grouped by it.
    boarding: Option<Code>,
    /// Whether left behind, when grouped by it.
    left_behind: Option<LeftBehind>,
    /// Distinct students; null when withheld.
    count: Option<i64>,
    /// True when the figures are withheld.
    withheld: bool,
    /// Why they are withheld.
    reason: Option<WithheldReason>,
}

/// Scores of one tenth of the full mark.
#[derive(Clone, Debug, SimpleObject)]
pub struct ScoreBand {
    /// From so many per cent of the full mark.
    from_percent: i32,
    /// To below so many per cent; the last band includes the full mark.
    to_percent: i32,
    /// How many scores; null where it would tell of fewer students than the threshold.
    count: Option<i64>,
}

/// Quantiles by nearest rank: values that occur, never one between two. Null where fewer students
/// than the threshold stand at or beyond it on either side.
#[derive(Clone, Debug, SimpleObject)]
pub struct ScoreQuantiles {
    /// A tenth of the scores do not exceed it.
    p10: Option<Decimal>,
    /// A quarter of the scores do not exceed it.
    p25: Option<Decimal>,
    /// Half of the scores do not exceed it (中位数).
    median: Option<Decimal>,
    /// Three quarters of the scores do not exceed it.
    p75: Option<Decimal>,
    /// Nine tenths of the scores do not exceed it.
    p90: Option<Decimal>,
}

/// Published scores of one group. Points of courses with different full marks are mixed when they
/// are not grouped apart: `fullMark` is null then.
#[derive(Clone, Debug, Default, SimpleObject)]
pub struct ScoreStatisticsRow {
    /// The examination, when grouped by it.
    exam: Option<StatisticsPlace>,
    /// The course, when grouped by it.
    course: Option<StatisticsPlace>,
    /// The school of the class at the time, when grouped by it.
    school: Option<StatisticsPlace>,
    /// The class at the time, when grouped by it.
    class_group: Option<StatisticsPlace>,
    /// Scores counted: published ones with a value.
    count: Option<i64>,
    /// Distinct students behind them.
    students: Option<i64>,
    /// The full mark, when all scores share one.
    full_mark: Option<Decimal>,
    /// The mean, exact and rounded half up to one place at the end.
    mean: Option<Decimal>,
    /// The standard deviation of the whole group (population, ÷ n), rounded in the same way.
    standard_deviation: Option<Decimal>,
    /// Quantiles by nearest rank.
    quantiles: Option<ScoreQuantiles>,
    /// Scores at or above the pass mark, in per cent with one place (及格率); null where too few
    /// passed or too few did not.
    pass_rate: Option<Decimal>,
    /// Scores at or above the excellence mark, in per cent with one place (优秀率); null where too
    /// few reached it or too few did not.
    excellence_rate: Option<Decimal>,
    /// How many scores lie in each tenth of the full mark (分数段分布).
    distribution: Option<Vec<ScoreBand>>,
    /// True when the figures are withheld.
    withheld: bool,
    /// Why they are withheld.
    reason: Option<WithheldReason>,
}

/// Attendance of one group in one period.
#[derive(Clone, Debug, SimpleObject)]
pub struct AttendanceRateRow {
    /// The period: `2026-09-07`, `2026-W37` or `2026-09`.
    period: String,
    /// The first day of the period; figures cover only its days within `from` and `until`.
    since: Date,
    /// The last day of the period.
    until: Date,
    /// The school of the class at the time, when grouped by it.
    school: Option<StatisticsPlace>,
    /// The class at the time, when grouped by it.
    class_group: Option<StatisticsPlace>,
    /// The year level of the class at the time, when grouped by it.
    year_level: Option<StatisticsPlace>,
    /// Student days on record.
    days: Option<i64>,
    /// Of these at school, late, leaving early, or away on its behalf; null unless your role may
    /// count days by kind.
    present: Option<i64>,
    /// Of these on sick or personal leave together; null unless your role may count days by kind.
    excused: Option<i64>,
    /// Of these absent without leave; null unless your role may count days by kind.
    truant: Option<i64>,
    /// (days − excused − truant) ÷ days, in per cent with one place (出勤率).
    rate: Option<Decimal>,
    /// True when the figures are withheld.
    withheld: bool,
    /// Why they are withheld.
    reason: Option<WithheldReason>,
}

/// Aid of one group. `students` and `needy` are those of the group's school or county, or of your
/// whole reach: programmes and terms part the aid, not the pupils.
#[derive(Clone, Debug, SimpleObject)]
pub struct AidCoverageRow {
    /// The programme, when grouped by it.
    programme: Option<StatisticsPlace>,
    /// The school of today, when grouped by it.
    school: Option<StatisticsPlace>,
    /// The county in which the school lies, when grouped by it.
    county: Option<StatisticsPlace>,
    /// The term, when grouped by it.
    term: Option<StatisticsPlace>,
    /// Distinct students aided.
    aided: Option<i64>,
    /// All students with a live enrolment.
    students: Option<i64>,
    /// Of these, students marked as needing aid; null where your role may not count them or they,
    /// or the others, are too few.
    needy: Option<i64>,
    /// Aided ÷ all students, in per cent with one place.
    share_of_students: Option<Decimal>,
    /// Aided ÷ students marked as needing aid, in per cent with one place (资助覆盖率); above 100
    /// where aid goes to more than those marked.
    share_of_needy: Option<Decimal>,
    /// The sum granted, in yuan, exact.
    amount: Option<Yuan>,
    /// True when the figures are withheld.
    withheld: bool,
    /// Why they are withheld.
    reason: Option<WithheldReason>,
}

/// Reads the keys of groups as the schema shows them.
pub(super) struct Reader<'r> {
    cx: &'r Cx,
    keys: &'r [Key],
    names: &'r Names,
}

impl<'r> Reader<'r> {
    pub(super) fn new(cx: &'r Cx, keys: &'r [Key], names: &'r Names) -> Self {
        Self { cx, keys, names }
    }

    fn value<'g, F>(&self, group: &'g Group<F>, key: Key) -> Option<&'g KeyValue> {
        let at = self.keys.iter().position(|asked| *asked == key)?;
        group.keys.get(at)
    }

    fn place<F>(&self, group: &Group<F>, key: Key) -> Option<StatisticsPlace> {
        let KeyValue::Id(id) = self.value(group, key)? else { return None };
        let noun = self.cx.registry().get(leads_to(key)?)?;
        Some(StatisticsPlace {
            id: ID(self.cx.opaque.id(noun, RowKey { student: None, id: *id })),
            name: self.names.get(noun.shape.name, *id).map(str::to_owned),
        })
    }

    fn word<'g, F>(&self, group: &'g Group<F>, key: Key) -> Option<&'g str> {
        match self.value(group, key)? {
            KeyValue::Word(word) => Some(word),
            KeyValue::None | KeyValue::Id(_) | KeyValue::Number(_) => None,
        }
    }

    fn code<F>(&self, group: &Group<F>, key: Key) -> Option<Code> {
        let stored = self.word(group, key)?;
        let (list, value) = stored.split_once(':').unwrap_or(("", stored));
        Some(Code {
            system: code::entry(stored)
                .map_or_else(|| list.to_owned(), |entry| entry.system.to_string()),
            list: list.to_owned(),
            value: value.to_owned(),
            label: code::label(stored, self.language()).map(str::to_owned),
        })
    }

    fn language(&self) -> Language {
        self.cx.caller.language
    }

    /// An order that says nothing by itself: by period, then by name or code, then by opaque id.
    /// Keys as stored would tell which row was made first.
    pub(super) fn order<F>(&self, group: &Group<F>) -> (Option<String>, Vec<(String, String)>) {
        let keys = self.keys.iter().map(|key| match self.place(group, *key) {
            Some(place) => (place.name.unwrap_or_default(), place.id.0),
            None => (self.word(group, *key).unwrap_or_default().to_owned(), String::new()),
        });
        (group.span.as_ref().map(|span| span.since.to_string()), keys.collect())
    }

    pub(super) fn students(&self, group: &Group<i64>) -> StudentCountRow {
        let (withheld, reason) = withheld(group);
        StudentCountRow {
            school: self.place(group, Key::School),
            county: self.place(group, Key::County),
            stage: self.word(group, Key::Stage).and_then(from_word),
            year_level: self.place(group, Key::YearLevel),
            class_size_band: self.code(group, Key::ClassSizeBand),
            gender: self.code(group, Key::Gender),
            ethnic_group: self.code(group, Key::EthnicGroup),
            status: self.word(group, Key::Status).and_then(from_word),
            boarding: self.code(group, Key::Boarding),
            left_behind: self.word(group, Key::LeftBehind).and_then(from_word),
            count: group.figures.ok(),
            withheld,
            reason,
        }
    }

    pub(super) fn scores(&self, group: &Group<ScoreFigures>) -> ScoreStatisticsRow {
        let (withheld, reason) = withheld(group);
        let row = ScoreStatisticsRow {
            exam: self.place(group, Key::Exam),
            course: self.place(group, Key::Course),
            school: self.place(group, Key::School),
            class_group: self.place(group, Key::ClassGroup),
            withheld,
            reason,
            ..ScoreStatisticsRow::default()
        };
        let Ok(figures) = &group.figures else { return row };
        ScoreStatisticsRow {
            count: Some(figures.count),
            students: Some(figures.students),
            full_mark: figures.full_mark.map(Decimal),
            mean: figures.mean.map(Decimal),
            standard_deviation: figures.deviation.map(Decimal),
            quantiles: Some(quantiles(&figures.quantiles)),
            pass_rate: figures.pass_rate.map(Decimal),
            excellence_rate: figures.excellence_rate.map(Decimal),
            distribution: Some(
                (0..)
                    .zip(figures.bands)
                    .map(|(tenth, count)| ScoreBand {
                        from_percent: tenth * 10,
                        to_percent: tenth * 10 + 10,
                        count,
                    })
                    .collect(),
            ),
            ..row
        }
    }

    pub(super) fn attendance(&self, group: &Group<Attended>) -> Option<AttendanceRateRow> {
        let span = group.span.as_ref()?;
        let (withheld, reason) = withheld(group);
        let told = group.figures.as_ref().ok();
        let by_kind = told.filter(|told| told.by_kind).map(|told| &told.figures);
        Some(AttendanceRateRow {
            period: span.label.clone(),
            since: Date(span.since),
            until: Date(span.until),
            school: self.place(group, Key::School),
            class_group: self.place(group, Key::ClassGroup),
            year_level: self.place(group, Key::YearLevel),
            days: told.map(|told| told.figures.days),
            present: by_kind.map(|figures| figures.present),
            excused: by_kind.map(|figures| figures.excused),
            truant: by_kind.map(|figures| figures.truant),
            rate: told.map(|told| Decimal(told.figures.rate)),
            withheld,
            reason,
        })
    }

    pub(super) fn aid(&self, group: &Group<AidFigures>) -> AidCoverageRow {
        let (withheld, reason) = withheld(group);
        let told = group.figures.as_ref().ok();
        let share = |of: fn(&AidFigures) -> Option<Thousandths>| told.and_then(of).map(Decimal);
        AidCoverageRow {
            programme: self.place(group, Key::Programme),
            school: self.place(group, Key::School),
            county: self.place(group, Key::County),
            term: self.place(group, Key::Term),
            aided: told.map(|aid| aid.aided),
            students: told.map(|aid| aid.students),
            needy: told.and_then(|aid| aid.needy),
            share_of_students: share(AidFigures::of_students),
            share_of_needy: share(AidFigures::of_needy),
            amount: told.map(|aid| Yuan(aid.amount)),
            withheld,
            reason,
        }
    }
}

fn quantiles(of: &Quantiles) -> ScoreQuantiles {
    ScoreQuantiles {
        p10: of.p10.map(Decimal),
        p25: of.p25.map(Decimal),
        median: of.median.map(Decimal),
        p75: of.p75.map(Decimal),
        p90: of.p90.map(Decimal),
    }
}

fn withheld<F>(group: &Group<F>) -> (bool, Option<WithheldReason>) {
    let reason = group.figures.as_ref().err().copied();
    (reason.is_some(), reason.map(WithheldReason::from))
}

/// The threshold that figures were held to; none for a reader of the rows.
pub(super) fn threshold<F, T>(figures: &Figures<F, T>) -> Option<i64> {
    match figures.care {
        Care::Reader => None,
        Care::Threshold(threshold) => Some(threshold),
    }
}

/// What people are told about withheld groups.
pub(super) fn note<F, T>(figures: &Figures<F, T>, language: Language) -> Option<String> {
    let (withheld, threshold) = (figures.withheld(), threshold(figures)?);
    let why = Why::new(
        format!(
            "{withheld} groups are withheld, and no total is given: they stand for fewer than {threshold} students, or all in them are alike"
        ),
        format!("有 {withheld} 组不予公布，且不提供合计：该组不足 {threshold} 人，或组内结果相同"),
    );
    (withheld > 0).then(|| sentence(language, &why).into_owned())
}
