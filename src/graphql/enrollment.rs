//! Enrollment in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::enrollment::EnrollmentState;
use xueji_entity::stage::Stage;
use xueji_entity::value::{Code, OrganisationId, YearLevelId};

use crate::access::view::Join;
use crate::view;

view! {
    /// The status of a student in one stage of one school (学籍).
    pub struct Enrollment from enrollment, hangs OfStudent;
    fields {
        /// The stage; the same as that of the year level.
        stage: Stage = Academic,
        /// State.
        state: EnrollmentState = Academic,
        /// Whether the state is a live one; a check in the database ties it to the state.
        live: bool = Academic,
        /// Day of entry; form item 24 shows its month.
        entered_on: NaiveDate = Academic,
        /// Last day; null while it lasts.
        ended_on: Option<NaiveDate> = Academic,
        /// How the student entered, list `NATIONAL25` or `RXFS`; form item 25.
        entry_method: Code = Academic,
        /// Day pupil or boarder, list `JDFS`; form item 26.
        boarding: Code = Academic,
        /// Where the student came from, list `XSLY`; form item 27.
        source: Option<Code> = Academic,
    }
    keys {
        school_id: OrganisationId = Academic,
        year_level_id: YearLevelId = Academic,
    }
    unseen { student_id, id, lifecycle, row_version, updated_at }
    computed {
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
        /// The school.
        school: one organisation by Join::To("school_id"), key school_id;
        /// The year level.
        year_level: one year_level by Join::To("year_level_id"), key year_level_id;
    }
}
