//! Guardian in the schema: what it shows and where it leads.

use xueji_entity::value::{Address, Code, IdNumber, Narrative, PersonName, Phone, Sealed};

use crate::access::catalogue::Class;
use crate::access::view::Join;
use crate::view;

view! {
    /// A family member of a student (监护人、家庭成员).
    pub struct Guardian from guardian, hangs OfStudent;
    fields {
        /// Order on the form, from 1.
        position: i64 = Family,
        /// Name; form items 49 and 61.
        name: PersonName = Family,
        /// Relation to the student, list `JTGX`; form items 50 and 62.
        relation: Code = Family,
        /// Note on the relation; form items 51 and 63.
        relation_note: Option<Narrative> = Narrative,
        /// Ethnic group, list `ZGGMZMCDLMZMPXF`; form items 52 and 64.
        ethnic_group: Option<Code> = Demographic,
        /// Workplace; form items 53 and 65.
        workplace: Option<Narrative> = Narrative,
        /// Job title; form items 60 and 72.
        job_title: Option<Narrative> = Narrative,
        /// Telephone number, sealed; form items 56 and 68.
        phone: Option<Sealed<Phone>> = Contact,
        /// Where the member lives now, sealed; form items 54 and 66.
        current_address: Option<Sealed<Address>> = Address,
        /// Division of the household register, list `GBT2260`; form items 55 and 67.
        household_place: Option<Code> = Demographic,
        /// Type of the identity document, list `SFZJLX`; form items 58 and 70.
        id_type: Option<Code> = Demographic,
        /// Number of the identity document, sealed; form items 59 and 71.
        id_number: Option<Sealed<IdNumber>> = Identity,
    }
    keys {
    }
    unseen { student_id, id, phone_hash, id_number_hash, account_id, lifecycle, row_version, updated_at }
    computed {
        /// The version of what you see in full of telephone and address, for
        /// `guardianContactUpdate`; it is yours alone and changes with nothing else.
        contact_version = Organisation Class::Seen,
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
        /// The guardianships of this family member.
        guardianships: many guardianship by Join::FromOfStudent("guardian_id"), bounded true, order [("since", true)];
    }
}
