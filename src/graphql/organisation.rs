//! Organisation in the schema: what it shows and where it leads.

use xueji_entity::organisation::OrganisationLevel;
use xueji_entity::value::{Code, OrganisationId};

use crate::access::view::Join;
use crate::view;

view! {
    /// An authority or a school (机构).
    pub struct Organisation from organisation, hangs Open;
    fields {
        /// Level in the hierarchy.
        level: OrganisationLevel = Organisation,
        /// Full official name.
        name: String = Organisation,
        /// Division code of GB/T 2260, six digits.
        division_code: Option<String> = Organisation,
        /// National school code (学校标识码), ten digits; schools only.
        school_code: Option<String> = Organisation,
        /// Kind of school, list `BXLX`.
        school_kind: Option<Code> = Organisation,
    }
    keys {
        parent_id: Option<OrganisationId> = Organisation,
        province_id: Option<OrganisationId> = Organisation,
        city_id: Option<OrganisationId> = Organisation,
        county_id: Option<OrganisationId> = Organisation,
    }
    unseen { id }
    computed {
    }
    relations {
        /// The organisation it lies in: a school in its county, a county in its city (上级).
        parent: one organisation by Join::To("parent_id"), key parent_id;
        /// The year levels of a school, the newest first.
        year_levels: many year_level by Join::From("school_id"), order [("entry_year", true)];
        /// The class groups of a school that you may see.
        class_groups: many class_group by Join::From("school_id"), order [("name", false)];
        /// The examinations of a school, the newest first.
        exams: many exam by Join::From("school_id"), order [("starts_on", true)];
        /// The members of staff that you may see.
        staff: many staff by Join::From("organisation_id"), order [("staff_number", false)];
    }
}
