//! StudentNumber in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::student_number::StudentNumberKind;
use xueji_entity::value::{NationalStudentNumber, Sealed};

use crate::access::view::Join;
use crate::view;

view! {
    /// A national student number with its time (全国学籍号).
    pub struct StudentNumber from student_number, hangs OfStudent;
    fields {
        /// Kind of the number, which is also its letter.
        kind: StudentNumberKind = Academic,
        /// The number, sealed.
        number: Sealed<NationalStudentNumber> = Identity,
        /// First day.
        since: NaiveDate = Academic,
        /// Last day; null while open.
        until: Option<NaiveDate> = Academic,
    }
    keys {
    }
    unseen { student_id, id, number_hash, lifecycle, row_version, updated_at }
    computed {
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
    }
}
