//! ClassMembership in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::class_membership::MembershipKind;
use xueji_entity::value::{ClassGroupId, EnrollmentId};

use crate::access::view::Join;
use crate::view;

view! {
    /// The place of a student in a class for a time (班级成员).
    pub struct ClassMembership from class_membership, hangs OfStudent;
    fields {
        /// Kind of membership.
        kind: MembershipKind = Academic,
        /// Number in class (班内学号); form item 21.
        number_in_class: Option<i64> = Directory,
        /// First day.
        since: NaiveDate = Academic,
        /// Last day; null while open.
        until: Option<NaiveDate> = Academic,
    }
    keys {
        enrollment_id: EnrollmentId = Academic,
        class_group_id: ClassGroupId = Academic,
    }
    unseen { student_id, id, lifecycle, row_version, updated_at }
    computed {
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
        /// The class.
        class_group: one class_group by Join::To("class_group_id"), key class_group_id;
        /// The enrolment it belongs to.
        enrollment: one enrollment by Join::ToOfStudent("enrollment_id"), key enrollment_id;
    }
}
