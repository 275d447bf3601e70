//! What figures are asked by: group keys and filters, and how they become conditions.
//!
//! An id that was never issued and one of another noun are the same: nothing has it.

use async_graphql::resolver_utils::EnumType;
use async_graphql::{Enum, ID, InputObject};
use xueji_entity::aid_grant::AidState;
use xueji_entity::enrollment::EnrollmentState;
use xueji_entity::stage::Stage;
use xueji_entity::student::LeftBehind;
use xueji_entity::value::Code;

use crate::domain::Cx;
use crate::domain::statistics::figures;
use crate::domain::statistics::{Among, Key, Narrowing, leads_to};
use crate::error::{Error, Result, Why};

/// The most values of one filter.
const MOST_VALUES: usize = 200;

macro_rules! keys {
    ($(#[doc = $doc:literal])* $name:ident { $($(#[doc = $vdoc:literal])* $variant:ident,)* }) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
        pub enum $name { $($(#[doc = $vdoc])* $variant,)* }

        impl From<$name> for Key {
            fn from(key: $name) -> Self {
                match key { $($name::$variant => Self::$variant,)* }
            }
        }
    };
}

keys! {
    /// What students are counted by (统计分组).
    StudentGroupKey {
        /// The school (学校).
        School,
        /// The county in which the school lies (区县).
        County,
        /// The stage (学段).
        Stage,
        /// The year level (年级).
        YearLevel,
        /// The band of the class's size today, list `BE` (班额).
        ClassSizeBand,
        /// The gender (性别).
        Gender,
        /// The ethnic group (民族).
        EthnicGroup,
        /// The state of the enrolment (学籍状态).
        Status,
        /// Day pupil or boarder, list `JDFS` (就读方式).
        Boarding,
        /// Left behind by parents who work elsewhere (留守儿童).
        LeftBehind,
    }
}

keys! {
    /// What scores are grouped by (成绩统计分组).
    ScoreGroupKey {
        /// The examination (考试).
        Exam,
        /// The course (课程).
        Course,
        /// The school of the class at the time (学校).
        School,
        /// The class at the time (班级).
        ClassGroup,
    }
}

keys! {
    /// What attendance is grouped by besides the period (考勤统计分组).
    AttendanceGroupKey {
        /// The school of the class at the time (学校).
        School,
        /// The class at the time (班级).
        ClassGroup,
        /// The year level of the class at the time (年级).
        YearLevel,
    }
}

keys! {
    /// What aid is grouped by (资助统计分组).
    AidGroupKey {
        /// The programme (资助项目).
        Programme,
        /// The school of today (学校).
        School,
        /// The county in which the school lies (区县).
        County,
        /// The term (学期).
        Term,
    }
}

/// The length of a period of attendance (统计周期).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "figures::Period")]
pub enum AttendancePeriod {
    /// One day (日).
    Day,
    /// A week of ISO 8601, Monday to Sunday (周).
    Week,
    /// A month of the calendar (月).
    Month,
}

/// Which students are counted; all of these must hold, and each takes at most 200 values.
#[derive(Debug, Default, InputObject)]
pub struct StudentCountFilter {
    /// Enrolled at one of these schools, by global id.
    school_ids: Option<Vec<ID>>,
    /// Enrolled at a school in one of these counties, by global id.
    county_ids: Option<Vec<ID>>,
    /// In one of these stages.
    stages: Option<Vec<Stage>>,
    /// In one of these year levels, by global id.
    year_level_ids: Option<Vec<ID>>,
    /// In one of these states; only live enrolments are counted at all.
    states: Option<Vec<EnrollmentState>>,
    /// Of one of these genders, codes of list `RDXB`.
    genders: Option<Vec<String>>,
    /// Of one of these ethnic groups, codes of list `ZGGMZMCDLMZMPXF`.
    ethnic_groups: Option<Vec<String>>,
    /// Boarding in one of these ways, codes of list `JDFS`.
    boarding: Option<Vec<String>>,
    /// Left behind in one of these ways, or not.
    left_behind: Option<Vec<LeftBehind>>,
}

/// Which scores count; all of these must hold, and each takes at most 200 values.
#[derive(Debug, Default, InputObject)]
pub struct ScoreStatisticsFilter {
    /// Of one of these examinations, by global id.
    exam_ids: Option<Vec<ID>>,
    /// Of an examination in one of these terms, by global id.
    term_ids: Option<Vec<ID>>,
    /// Of one of these courses, by global id.
    course_ids: Option<Vec<ID>>,
    /// In a class of one of these schools, by global id.
    school_ids: Option<Vec<ID>>,
    /// In one of these classes, by global id.
    class_group_ids: Option<Vec<ID>>,
}

/// Which attendance counts; all of these must hold, and each takes at most 200 values.
#[derive(Debug, Default, InputObject)]
pub struct AttendanceRateFilter {
    /// In a class of one of these schools, by global id.
    school_ids: Option<Vec<ID>>,
    /// In a class of one of these year levels, by global id.
    year_level_ids: Option<Vec<ID>>,
    /// In one of these classes, by global id.
    class_group_ids: Option<Vec<ID>>,
}

/// Which aid counts; all of these must hold, and each takes at most 200 values.
#[derive(Debug, Default, InputObject)]
pub struct AidCoverageFilter {
    /// Of one of these programmes, by global id.
    programme_ids: Option<Vec<ID>>,
    /// In one of these terms, by global id.
    term_ids: Option<Vec<ID>>,
    /// To students enrolled at one of these schools today, by global id.
    school_ids: Option<Vec<ID>>,
    /// To students enrolled at a school in one of these counties today, by global id.
    county_ids: Option<Vec<ID>>,
    /// In one of these states; all states when nothing is said.
    states: Option<Vec<AidState>>,
}

/// The stored form of an enum value: its name in the schema in small letters.
fn word<E: EnumType>(value: E) -> Option<String> {
    E::items().iter().find(|item| item.value == value).map(|item| item.name.to_lowercase())
}

/// The enum value of a stored form.
pub(super) fn from_word<E: EnumType>(word: &str) -> Option<E> {
    E::items().iter().find(|item| item.name.eq_ignore_ascii_case(word)).map(|item| item.value)
}

/// Collects the conditions of a filter.
struct Conditions<'c> {
    cx: &'c Cx,
    only: Vec<Narrowing>,
}

impl Conditions<'_> {
    fn bounded(field: &'static str, count: usize) -> Result<()> {
        if count > MOST_VALUES {
            return Err(Error::Limit {
                what: "in",
                why: Why::new(
                    format!(
                        "`{field}` takes at most {MOST_VALUES} values; ask in several requests"
                    ),
                    format!("`{field}` 最多 {MOST_VALUES} 个值；请分多次查询"),
                ),
            });
        }
        Ok(())
    }

    fn ids(&mut self, key: Key, field: &'static str, ids: Option<Vec<ID>>) -> Result<()> {
        let Some(ids) = ids else { return Ok(()) };
        Self::bounded(field, ids.len())?;
        let noun = leads_to(key)
            .and_then(|name| self.cx.registry().get(name))
            .ok_or_else(|| Error::internal(format!("{field} leads to no noun")))?;
        let ids = ids
            .iter()
            .filter_map(|id| self.cx.opaque.open_id_of(noun, id))
            .map(|found| found.id)
            .collect();
        self.only.push(Narrowing { key, among: Among::Ids(ids) });
        Ok(())
    }

    fn enums<E: EnumType>(
        &mut self,
        key: Key,
        field: &'static str,
        values: Option<Vec<E>>,
    ) -> Result<()> {
        let Some(values) = values else { return Ok(()) };
        Self::bounded(field, values.len())?;
        let words = values.into_iter().filter_map(word).collect();
        self.only.push(Narrowing { key, among: Among::Words(words) });
        Ok(())
    }

    fn codes(
        &mut self,
        key: Key,
        field: &'static str,
        list: &str,
        codes: Option<Vec<String>>,
    ) -> Result<()> {
        let Some(codes) = codes else { return Ok(()) };
        Self::bounded(field, codes.len())?;
        let words = codes
            .iter()
            .map(|code| {
                Code::parse_in(list, code)
                    .map(|code| code.as_str().to_owned())
                    .map_err(|why| Error::invalid(field, why.why_en, why.why_zh))
            })
            .collect::<Result<_>>()?;
        self.only.push(Narrowing { key, among: Among::Words(words) });
        Ok(())
    }
}

impl StudentCountFilter {
    pub(super) fn conditions(self, cx: &Cx) -> Result<Vec<Narrowing>> {
        let mut all = Conditions { cx, only: Vec::new() };
        all.ids(Key::School, "filter.schoolIds", self.school_ids)?;
        all.ids(Key::County, "filter.countyIds", self.county_ids)?;
        all.enums(Key::Stage, "filter.stages", self.stages)?;
        all.ids(Key::YearLevel, "filter.yearLevelIds", self.year_level_ids)?;
        all.enums(Key::Status, "filter.states", self.states)?;
        all.codes(Key::Gender, "filter.genders", "RDXB", self.genders)?;
        let ethnic_groups = self.ethnic_groups;
        all.codes(Key::EthnicGroup, "filter.ethnicGroups", "ZGGMZMCDLMZMPXF", ethnic_groups)?;
        all.codes(Key::Boarding, "filter.boarding", "JDFS", self.boarding)?;
        all.enums(Key::LeftBehind, "filter.leftBehind", self.left_behind)?;
        Ok(all.only)
    }
}

impl ScoreStatisticsFilter {
    pub(super) fn conditions(self, cx: &Cx) -> Result<Vec<Narrowing>> {
        let mut all = Conditions { cx, only: Vec::new() };
        all.ids(Key::Exam, "filter.examIds", self.exam_ids)?;
        all.ids(Key::Term, "filter.termIds", self.term_ids)?;
        all.ids(Key::Course, "filter.courseIds", self.course_ids)?;
        all.ids(Key::School, "filter.schoolIds", self.school_ids)?;
        all.ids(Key::ClassGroup, "filter.classGroupIds", self.class_group_ids)?;
        Ok(all.only)
    }
}

impl AttendanceRateFilter {
    pub(super) fn conditions(self, cx: &Cx) -> Result<Vec<Narrowing>> {
        let mut all = Conditions { cx, only: Vec::new() };
        all.ids(Key::School, "filter.schoolIds", self.school_ids)?;
        all.ids(Key::YearLevel, "filter.yearLevelIds", self.year_level_ids)?;
        all.ids(Key::ClassGroup, "filter.classGroupIds", self.class_group_ids)?;
        Ok(all.only)
    }
}

impl AidCoverageFilter {
    pub(super) fn conditions(self, cx: &Cx) -> Result<Vec<Narrowing>> {
        let mut all = Conditions { cx, only: Vec::new() };
        all.ids(Key::Programme, "filter.programmeIds", self.programme_ids)?;
        all.ids(Key::Term, "filter.termIds", self.term_ids)?;
        all.ids(Key::School, "filter.schoolIds", self.school_ids)?;
        all.ids(Key::County, "filter.countyIds", self.county_ids)?;
        all.enums(Key::AidState, "filter.states", self.states)?;
        Ok(all.only)
    }
}
