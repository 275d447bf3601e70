//! SchoolYear in the schema: what it shows and where it leads.

use chrono::NaiveDate;

use crate::access::view::Join;
use crate::view;

view! {
    /// A school year (学年).
    pub struct SchoolYear from school_year, hangs Open;
    fields {
        /// Both calendar years, such as `2025-2026`.
        name: String = Organisation,
        /// First day.
        starts_on: NaiveDate = Organisation,
        /// Last day.
        ends_on: NaiveDate = Organisation,
    }
    keys {
    }
    unseen { id }
    computed {
    }
    relations {
        /// Its terms.
        terms: many term by Join::From("school_year_id"), bounded true, order [("starts_on", false)];
    }
}
