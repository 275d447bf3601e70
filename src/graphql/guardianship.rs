//! Guardianship in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::guardianship::Custody;
use xueji_entity::value::GuardianId;

use crate::access::view::Join;
use crate::view;

view! {
    /// The custody of a family member over a student for a time (监护关系).
    pub struct Guardianship from guardianship, hangs OfStudent;
    fields {
        /// Kind of custody.
        custody: Custody = Family,
        /// First day.
        since: NaiveDate = Family,
        /// Last day; null while open.
        until: Option<NaiveDate> = Family,
    }
    keys {
        guardian_id: GuardianId = Family,
    }
    unseen { student_id, id, lifecycle, row_version, updated_at }
    computed {
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
        /// The family member.
        guardian: one guardian by Join::ToOfStudent("guardian_id"), key guardian_id;
    }
}
