//! Enrolments and class memberships.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

const STATES: &[&str] = &[
    "draft",
    "enrolled",
    "suspended",
    "abroad",
    "dropped_out",
    "missing",
    "transferring",
    "transferred_out",
    "graduated",
    "completed",
    "left_early",
    "withdrawn",
    "expelled",
    "deceased",
    "cancelled",
];

const LIVE: &str = "live = (state IN ('enrolled', 'suspended', 'abroad', 'dropped_out', 'missing', 'transferring'))";

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::of_student("enrollment")
            .link("school_id", "organisation")
            .link("year_level_id", "year_level")
            .choice(
                "stage",
                &["preschool", "primary", "junior", "senior", "special", "specialised"],
            )
            .choice("state", STATES)
            .boolean("live")
            .date("entered_on")
            .date_null("ended_on")
            .text("entry_method")
            .text("boarding")
            .text_null("source")
            .row_state()
            .check("live", LIVE)
            .unique_where("live", &["student_id"], "live = TRUE AND lifecycle = 'live'")
            .index_where("school_id", &["school_id"], "live = TRUE")
            .index_where("year_level_id", &["year_level_id"], "live = TRUE")
            .create(manager)
            .await?;
        Shape::of_student("class_membership")
            .link_within("enrollment_id", "enrollment")
            .link("class_group_id", "class_group")
            .choice("kind", &["ordinary", "guest"])
            .integer_null("number_in_class")
            .period()
            .row_state()
            .index("class_group_id", &["class_group_id", "since"])
            .index("student_id", &["student_id"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["class_membership", "enrollment"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
