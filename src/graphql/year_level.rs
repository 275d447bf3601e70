//! YearLevel in the schema: what it shows and where it leads.

use xueji_entity::stage::Stage;
use xueji_entity::value::OrganisationId;

use crate::access::view::Join;
use crate::view;

view! {
    /// One cohort of one stage in one school (年级).
    pub struct YearLevel from year_level, hangs Open;
    fields {
        /// The stage the cohort attends.
        stage: Stage = Organisation,
        /// Calendar year in which the cohort entered the stage.
        entry_year: i64 = Organisation,
        /// Current year within the stage, from 1; promotion adds one.
        year_in_stage: i64 = Organisation,
        /// Name for people, such as `Primary 3`.
        name: String = Organisation,
    }
    keys {
        school_id: OrganisationId = Organisation,
    }
    unseen { id }
    computed {
    }
    relations {
        /// The school.
        school: one organisation by Join::To("school_id"), key school_id;
        /// Its class groups that you may see.
        class_groups: many class_group by Join::From("year_level_id"), order [("number", false)];
        /// Its examinations, the newest first.
        exams: many exam by Join::From("year_level_id"), order [("starts_on", true)];
    }
}
