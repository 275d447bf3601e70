//! Archive in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::archive::ArchiveState;
use xueji_entity::value::OrganisationId;

use crate::access::view::Join;
use crate::view;

view! {
    /// The file of a student (学籍档案).
    pub struct Archive from archive, hangs OfStudent;
    fields {
        /// Number given by the custodian.
        number: Option<String> = Academic,
        /// Day of opening.
        opened_on: NaiveDate = Academic,
        /// Day of closing; null while open.
        closed_on: Option<NaiveDate> = Academic,
        /// State.
        state: ArchiveState = Academic,
    }
    keys {
        custodian_id: OrganisationId = Academic,
    }
    unseen { student_id, id, lifecycle, row_version, updated_at }
    computed {
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
        /// Who keeps it.
        custodian: one organisation by Join::To("custodian_id"), key custodian_id;
        /// What is in it, the newest first.
        items: many archive_item by Join::FromOfStudent("archive_id"), order [("dated_on", true)];
    }
}
