//! Sanction in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::sanction::SanctionState;
use xueji_entity::value::{Code, Narrative};

use crate::access::view::Join;
use crate::view;

view! {
    /// A sanction against a student (处分).
    pub struct Sanction from sanction, hangs Sanction;
    fields {
        /// The sanction, list `CFMC`.
        kind: Code = Conduct,
        /// Kind of offence, list `WJLB`.
        offence: Code = Conduct,
        /// Short account of what happened.
        account: Narrative = Narrative,
        /// Day it was imposed.
        imposed_on: NaiveDate = Conduct,
        /// Number of the decision.
        document_number: Option<String> = Conduct,
        /// State.
        state: SanctionState = Conduct,
        /// Day of lifting; set if and only if it is lifted.
        lifted_on: Option<NaiveDate> = Conduct,
        /// Number of the decision that lifted it.
        lifting_document: Option<String> = Conduct,
    }
    keys {
    }
    unseen { student_id, id, lifecycle, row_version, updated_at }
    computed {
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
    }
}
