//! Staff in the schema: what it shows and where it leads.

use xueji_entity::value::{Code, OrganisationId, PersonName, Phone, Sealed};

use crate::access::view::Join;
use crate::view;

view! {
    /// A member of staff of a school or an authority (教职工).
    pub struct Staff from staff, hangs Staff;
    fields {
        /// Name.
        name: PersonName = Directory,
        /// Number given by the employer.
        staff_number: String = Directory,
        /// Gender, list `RDXB`.
        gender: Code = Demographic,
        /// Telephone number, sealed.
        phone: Option<Sealed<Phone>> = Contact,
    }
    keys {
        organisation_id: OrganisationId = Academic,
    }
    unseen { id, phone_hash, lifecycle, row_version, updated_at }
    computed {
    }
    relations {
        /// Where the member of staff works.
        organisation: one organisation by Join::To("organisation_id"), key organisation_id;
        /// The duties that you may see.
        duties: many duty by Join::From("staff_id"), bounded true, order [("since", true)];
    }
}
