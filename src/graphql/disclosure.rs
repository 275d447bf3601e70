//! Disclosure in the schema: what it shows and where it leads. Its rows are a view of the index of
//! disclosures, which follows within a minute.

use sea_orm::prelude::DateTimeUtc;
use xueji_entity::value::{OrganisationId, StaffId};

use crate::access::view::Join;
use crate::view;

view! {
    /// What somebody but the pupil and the family was shown in full of a pupil (披露记录). A request is
    /// on record before it is answered, and stands here within a minute.
    pub struct Disclosure from disclosure, hangs OfStudent;
    fields {
        /// When.
        at: DateTimeUtc = Trace,
        /// The role in which it was seen, as the policy names it.
        role: String = Trace,
        /// The kind of place at which the role was held: teaching, class, year_level, school, region.
        reach: String = Trace,
        /// What it was asked for, a code of the policy; null where none was given.
        purpose: Option<String> = Trace,
        /// The columns, as the schema names them, separated by blanks: `Student.idNumber Student.phone`.
        columns: String = Trace,
    }
    keys {
        staff_id: Option<StaffId> = Trace,
        organisation_id: Option<OrganisationId> = Trace,
    }
    unseen { student_id, id }
    computed {
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
        /// Who saw it, where that is a member of staff whom you may see.
        staff: one staff by Join::To("staff_id"), key staff_id;
        /// The school or authority for which it was seen.
        organisation: one organisation by Join::To("organisation_id"), key organisation_id;
    }
}
