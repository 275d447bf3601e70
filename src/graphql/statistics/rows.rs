//! The rows of figures: a group's keys as objects, and its figures.

use std::borrow::Cow;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry as Meta;
use async_graphql::{
    ContextSelectionSet, ID, OutputType, Positioned, ServerResult, SimpleObject, Value,
};
use xueji_entity::enrollment::EnrollmentState;
use xueji_entity::stage::Stage;
use xueji_entity::student::LeftBehind;
use xueji_entity::value::{Fen, Language, code};

use super::input::from_word;
use crate::access::filter::Key as RowKey;
use crate::domain::Cx;
use crate::domain::statistics::figures::{Quantiles, ScoreFigures};
use crate::domain::statistics::{AidFigures, Attended, Group, Key, KeyValue, Names, leads_to};
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
    /// Distinct students.
    count: i64,
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

/// Quantiles by nearest rank: values that occur, never one between two. From a snapshot they are read
/// at a rank that is off by up to the bound, at a point between two neighbouring values, rounded to
/// half a point, and null where few students stand at or beyond it on either side.
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
#[derive(Clone, Debug, SimpleObject)]
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
    count: i64,
    /// Distinct students behind them.
    students: i64,
    /// The full mark, when all scores share one.
    full_mark: Option<Decimal>,
    /// The mean, rounded half up to one place at the end.
    mean: Option<Decimal>,
    /// The standard deviation of the whole group (population, ÷ n), rounded in the same way.
    standard_deviation: Option<Decimal>,
    /// Quantiles by nearest rank.
    quantiles: ScoreQuantiles,
    /// Scores at or above the pass mark, in per cent with one place (及格率); null where too few
    /// passed or too few did not.
    pass_rate: Option<Decimal>,
    /// Scores at or above the excellence mark, in per cent with one place (优秀率); null where too
    /// few reached it, too few did not, or too few passed without it.
    excellence_rate: Option<Decimal>,
    /// How many scores lie in each tenth of the full mark (分数段分布).
    distribution: Vec<ScoreBand>,
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
    days: i64,
    /// Of these at school, late, leaving early, or away on its behalf; null unless your role may
    /// count days by kind, and where leave or truancy is that of too few.
    present: Option<i64>,
    /// Of these on sick or personal leave together; null where `present` is.
    excused: Option<i64>,
    /// Of these absent without leave; null where `present` is.
    truant: Option<i64>,
    /// (days − excused − truant) ÷ days, in per cent with one place (出勤率).
    rate: Decimal,
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
    aided: i64,
    /// All students with a live enrolment.
    students: i64,
    /// Of these, students marked as needing aid; null where your role may not count them or they,
    /// or the others, are too few.
    needy: Option<i64>,
    /// Aided ÷ all students, in per cent with one place.
    share_of_students: Option<Decimal>,
    /// Aided ÷ students marked as needing aid, in per cent with one place (资助覆盖率); above 100
    /// where aid goes to more than those marked.
    share_of_needy: Option<Decimal>,
    /// The sum granted, in yuan.
    amount: Yuan,
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
        place_of(self.cx, self.names, leads_to(key)?, *id)
    }

    fn word<'g, F>(&self, group: &'g Group<F>, key: Key) -> Option<&'g str> {
        match self.value(group, key)? {
            KeyValue::Word(word) => Some(word),
            KeyValue::None | KeyValue::Id(_) | KeyValue::Number(_) => None,
        }
    }

    fn code<F>(&self, group: &Group<F>, key: Key) -> Option<Code> {
        Some(code_of(self.word(group, key)?, self.language()))
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
            count: group.figures,
        }
    }

    pub(super) fn scores(&self, group: &Group<ScoreFigures>) -> ScoreStatisticsRow {
        let figures = &group.figures;
        ScoreStatisticsRow {
            exam: self.place(group, Key::Exam),
            course: self.place(group, Key::Course),
            school: self.place(group, Key::School),
            class_group: self.place(group, Key::ClassGroup),
            count: figures.count,
            students: figures.students,
            full_mark: figures.full_mark.map(Decimal),
            mean: figures.mean.map(Decimal),
            standard_deviation: figures.deviation.map(Decimal),
            quantiles: quantiles(&figures.quantiles),
            pass_rate: figures.pass_rate.map(Decimal),
            excellence_rate: figures.excellence_rate.map(Decimal),
            distribution: (0..)
                .zip(figures.bands)
                .map(|(tenth, count)| ScoreBand {
                    from_percent: tenth * 10,
                    to_percent: tenth * 10 + 10,
                    count,
                })
                .collect(),
        }
    }

    pub(super) fn attendance(&self, group: &Group<Attended>) -> Option<AttendanceRateRow> {
        let span = group.span.as_ref()?;
        let Attended { figures, by_kind } = &group.figures;
        let by_kind = by_kind.then_some(figures);
        Some(AttendanceRateRow {
            period: span.label.clone(),
            since: Date(span.since),
            until: Date(span.until),
            school: self.place(group, Key::School),
            class_group: self.place(group, Key::ClassGroup),
            year_level: self.place(group, Key::YearLevel),
            days: figures.days,
            present: by_kind.map(|figures| figures.present),
            excused: by_kind.map(|figures| figures.excused),
            truant: by_kind.map(|figures| figures.truant),
            rate: Decimal(figures.rate),
        })
    }

    pub(super) fn aid(&self, group: &Group<AidFigures>) -> AidCoverageRow {
        let aid = &group.figures;
        AidCoverageRow {
            programme: self.place(group, Key::Programme),
            school: self.place(group, Key::School),
            county: self.place(group, Key::County),
            term: self.place(group, Key::Term),
            aided: aid.aided,
            students: aid.students,
            needy: aid.needy,
            share_of_students: aid.of_students().map(Decimal),
            share_of_needy: aid.of_needy().map(Decimal),
            amount: Yuan(aid.amount),
        }
    }
}

/// A row that a key leads to.
pub(super) fn place_of(
    cx: &Cx,
    names: &Names,
    noun: &'static str,
    id: uuid::Uuid,
) -> Option<StatisticsPlace> {
    let noun = cx.registry().get(noun)?;
    Some(StatisticsPlace {
        id: ID(cx.opaque.id(noun, RowKey { student: None, id })),
        name: names.get(noun.shape.name, id).map(str::to_owned),
    })
}

/// A code as stored.
pub(super) fn code_of(stored: &str, language: Language) -> Code {
    let (list, value) = stored.split_once(':').unwrap_or(("", stored));
    Code {
        system: code::entry(stored)
            .map_or_else(|| list.to_owned(), |entry| entry.system.to_string()),
        list: list.to_owned(),
        value: value.to_owned(),
        label: code::label(stored, language).map(str::to_owned),
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

/// What people are told of an answer from a snapshot: the same whatever was left out.
pub(super) fn note(language: Language) -> String {
    let why = Why::new(
        "each figure has a small error of its own, and figures need not add up; groups of fewer pupils than the threshold, of none, or in which nearly all are alike are left out; nothing tells whether there were any",
        "每个数字都带有固定的微小误差，合计不一定相等；人数低于阈值、无人或几乎全部相同的组均不列出；从结果无法得知是否有这样的组",
    );
    sentence(language, &why).into_owned()
}
