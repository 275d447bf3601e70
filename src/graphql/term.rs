//! Term in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::value::{Code, SchoolYearId};

use crate::access::view::Join;
use crate::view;

view! {
    /// A term of a school year (学期).
    pub struct Term from term, hangs Open;
    fields {
        /// Autumn or spring, list `XQ`.
        kind: Code = Organisation,
        /// Name for people, such as `2025-2026 autumn`.
        name: String = Organisation,
        /// First day.
        starts_on: NaiveDate = Organisation,
        /// Last day.
        ends_on: NaiveDate = Organisation,
    }
    keys {
        school_year_id: SchoolYearId = Organisation,
    }
    unseen { id }
    computed {
    }
    relations {
        /// The school year.
        school_year: one school_year by Join::To("school_year_id"), key school_year_id;
    }
}
