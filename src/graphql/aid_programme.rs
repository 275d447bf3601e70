//! AidProgramme in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::aid_programme::AidKind;
use xueji_entity::stage::Stage;
use xueji_entity::value::{Code, Fen, OrganisationId};

use crate::access::view::Join;
use crate::view;

view! {
    /// A programme of financial aid (资助项目).
    pub struct AidProgramme from aid_programme, hangs Open;
    fields {
        /// Name.
        name: String = Organisation,
        /// Kind of aid.
        kind: AidKind = Organisation,
        /// The stage it is meant for; null for all.
        stage: Option<Stage> = Organisation,
        /// Amount per student and term.
        amount: Fen = Organisation,
        /// Source of the funds, list `JLZZZJLY`.
        source: Code = Organisation,
        /// First day of validity.
        valid_from: NaiveDate = Organisation,
        /// Last day of validity; null while open.
        valid_until: Option<NaiveDate> = Organisation,
    }
    keys {
        organisation_id: OrganisationId = Organisation,
    }
    unseen { id }
    computed {
    }
    relations {
        /// Who runs it.
        organisation: one organisation by Join::To("organisation_id"), key organisation_id;
    }
}
