//! Family members and custody.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::of_student("guardian")
            .integer("position")
            .text("name")
            .text("relation")
            .text_null("relation_note")
            .text_null("ethnic_group")
            .text_null("workplace")
            .text_null("job_title")
            .sealed_null("phone", "phone_hash")
            .bytes_null("current_address")
            .text_null("household_place")
            .text_null("id_type")
            .sealed_null("id_number", "id_number_hash")
            .link_null("account_id", "account")
            .row_state()
            .create(manager)
            .await?;
        Shape::of_student("guardianship")
            .link_within("guardian_id", "guardian")
            .choice("custody", &["sole", "shared", "visiting", "none"])
            .period()
            .row_state()
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["guardianship", "guardian"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
