//! Attendance in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::attendance::AttendanceKind;
use xueji_entity::value::{ClassGroupId, Narrative, StaffId};

use crate::access::catalogue::Class;
use crate::access::view::Join;
use crate::view;

view! {
    /// The attendance of a student on one day (考勤).
    pub struct Attendance from attendance, hangs OfStudent;
    fields {
        /// The day.
        day: NaiveDate = Attendance,
        /// Presence or kind of absence.
        kind: AttendanceKind = Attendance,
        /// Note.
        note: Option<Narrative> = Narrative,
    }
    keys {
        class_group_id: ClassGroupId = Attendance,
        recorded_by_id: Option<StaffId> = Attendance,
    }
    unseen { student_id, id, lifecycle, row_version, updated_at }
    computed {
        /// Rates of attendance, in aggregates only.
        rate = Attendance Class::Outlet,
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
        /// The class on that day.
        class_group: one class_group by Join::To("class_group_id"), key class_group_id;
        /// Who recorded it.
        recorded_by: one staff by Join::To("recorded_by_id"), key recorded_by_id;
    }
}
