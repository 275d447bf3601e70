//! Attendance, rewards and sanctions.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::of_student("attendance")
            .link("class_group_id", "class_group")
            .date("day")
            .choice(
                "kind",
                &[
                    "present",
                    "late",
                    "early_leave",
                    "sick_leave",
                    "personal_leave",
                    "truant",
                    "official",
                ],
            )
            .text_null("note")
            .link_null("recorded_by_id", "staff")
            .row_state()
            .unique_where("day", &["student_id", "day"], "lifecycle = 'live'")
            .index("class_group_id", &["class_group_id", "day"])
            .create(manager)
            .await?;
        Shape::of_student("reward")
            .text("name")
            .text("level")
            .text_null("rank")
            .text("kind")
            .text_null("reason")
            .date("awarded_on")
            .text_null("document_number")
            .text_null("awarding_body")
            .integer_null("amount")
            .row_state()
            .create(manager)
            .await?;
        Shape::of_student("sanction")
            .text("kind")
            .text("offence")
            .text("account")
            .date("imposed_on")
            .text_null("document_number")
            .choice("state", &["in_force", "under_appeal", "lifted", "quashed"])
            .date_null("lifted_on")
            .text_null("lifting_document")
            .row_state()
            .check("lifted_on", "(lifted_on IS NOT NULL) = (state = 'lifted')")
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["sanction", "reward", "attendance"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
