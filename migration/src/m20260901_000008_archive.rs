//! Archives and their items.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::of_student("archive")
            .link("custodian_id", "organisation")
            .text_null("number")
            .date("opened_on")
            .date_null("closed_on")
            .choice("state", &["open", "closed", "transferred"])
            .row_state()
            .unique("student_id", &["student_id"])
            .create(manager)
            .await?;
        Shape::of_student("archive_item")
            .link_within("archive_id", "archive")
            .choice(
                "category",
                &["basic", "evidence", "development", "fitness", "award", "aid", "provincial"],
            )
            .text("title")
            .date("dated_on")
            .text_null("source")
            .text_null("content_hash")
            .link_within_null("supersedes_id", "archive_item")
            .row_state()
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["archive_item", "archive"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
