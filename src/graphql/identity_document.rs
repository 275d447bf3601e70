//! IdentityDocument in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::value::{Code, IdNumber, Sealed};

use crate::access::view::Join;
use crate::view;

view! {
    /// An identity document of a student (身份证件).
    pub struct IdentityDocument from identity_document, hangs OfStudent;
    fields {
        /// Type of the document, list `SFZJLX`.
        kind: Code = Demographic,
        /// Number, sealed; null where there is none.
        number: Option<Sealed<IdNumber>> = Identity,
        /// First day.
        since: NaiveDate = Demographic,
        /// Last day; null while open.
        until: Option<NaiveDate> = Demographic,
        /// Whether the certificate of attendance without an identity number (无身份证号学生在校就读证明表) is on file.
        school_certificate: bool = Demographic,
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
