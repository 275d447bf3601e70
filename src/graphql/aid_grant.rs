//! AidGrant in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::aid_grant::AidState;
use xueji_entity::value::{AidProgrammeId, BankAccount, Code, Fen, Sealed, TermId};

use crate::access::catalogue::Class;
use crate::access::view::Join;
use crate::view;

view! {
    /// Aid granted to a student for a term (资助发放).
    pub struct AidGrant from aid_grant, hangs OfStudent;
    fields {
        /// Degree of hardship, list `KNCD`.
        degree: Option<Code> = Aid,
        /// Cause of hardship, list `KNYY`.
        cause: Option<Code> = Aid,
        /// Amount granted.
        amount: Fen = Aid,
        /// State.
        state: AidState = Aid,
        /// Day of the decision.
        granted_on: NaiveDate = Aid,
        /// Bank account for payment, sealed.
        bank_account: Option<Sealed<BankAccount>> = AccountNumber,
    }
    keys {
        programme_id: AidProgrammeId = Aid,
        term_id: TermId = Aid,
    }
    unseen { student_id, id, bank_account_hash, lifecycle, row_version, updated_at }
    computed {
        /// The reach and the sum of aid, in aggregates only.
        coverage = Aid Class::Outlet,
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
        /// The programme.
        programme: one aid_programme by Join::To("programme_id"), key programme_id;
        /// The term it is for.
        term: one term by Join::To("term_id"), key term_id;
    }
}
