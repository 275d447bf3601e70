//! Exam in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::exam::ExamKind;
use xueji_entity::exam::ExamState;
use xueji_entity::value::{OrganisationId, TermId, YearLevelId};

use crate::access::view::Join;
use crate::view;

view! {
    /// An examination of one year level in one term (考试).
    pub struct Exam from exam, hangs Open;
    fields {
        /// Name for people.
        name: String = Organisation,
        /// Kind of examination.
        kind: ExamKind = Organisation,
        /// First day.
        starts_on: NaiveDate = Organisation,
        /// How far entry of its scores has come.
        state: ExamState = Organisation,
    }
    keys {
        school_id: OrganisationId = Organisation,
        year_level_id: YearLevelId = Organisation,
        term_id: TermId = Organisation,
    }
    unseen { id }
    computed {
    }
    relations {
        /// The school.
        school: one organisation by Join::To("school_id"), key school_id;
        /// The year level.
        year_level: one year_level by Join::To("year_level_id"), key year_level_id;
        /// The term.
        term: one term by Join::To("term_id"), key term_id;
        /// Its courses with their marks.
        courses: many exam_course by Join::From("exam_id"), bounded true, order [("full_mark", true)];
    }
}
