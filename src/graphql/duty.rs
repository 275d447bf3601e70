//! Duty in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::duty::DutyKind;
use xueji_entity::value::{ClassGroupId, CourseId, OrganisationId, StaffId, YearLevelId};

use crate::access::view::Join;
use crate::view;

view! {
    /// What a member of staff does, where and for how long (任职).
    pub struct Duty from duty, hangs Duty;
    fields {
        /// Kind of duty.
        kind: DutyKind = Academic,
        /// Name of the post, such as `registrar`; posts only.
        post: Option<String> = Academic,
        /// First day.
        since: NaiveDate = Academic,
        /// Last day; null while open.
        until: Option<NaiveDate> = Academic,
    }
    keys {
        staff_id: StaffId = Academic,
        organisation_id: OrganisationId = Academic,
        class_group_id: Option<ClassGroupId> = Academic,
        course_id: Option<CourseId> = Academic,
        year_level_id: Option<YearLevelId> = Academic,
    }
    unseen { id }
    computed {
    }
    relations {
        /// Who holds it.
        staff: one staff by Join::To("staff_id"), key staff_id;
        /// Where.
        organisation: one organisation by Join::To("organisation_id"), key organisation_id;
        /// For which class.
        class_group: one class_group by Join::To("class_group_id"), key class_group_id;
        /// For which course.
        course: one course by Join::To("course_id"), key course_id;
        /// For which year level.
        year_level: one year_level by Join::To("year_level_id"), key year_level_id;
    }
}
