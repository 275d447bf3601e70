//! Aid programmes and grants.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::keyed("aid_programme")
            .link("organisation_id", "organisation")
            .text("name")
            .choice(
                "kind",
                &[
                    "tuition_waiver",
                    "living_subsidy",
                    "state_grant",
                    "free_books",
                    "scholarship",
                    "school_aid",
                ],
            )
            .choice_null(
                "stage",
                &["preschool", "primary", "junior", "senior", "special", "specialised"],
            )
            .integer("amount")
            .text("source")
            .date("valid_from")
            .date_null("valid_until")
            .check("valid_until", "valid_until IS NULL OR valid_until >= valid_from")
            .create(manager)
            .await?;
        Shape::of_student("aid_grant")
            .link("programme_id", "aid_programme")
            .link("term_id", "term")
            .text_null("degree")
            .text_null("cause")
            .integer("amount")
            .choice("state", &["approved", "paid", "pay_failed", "ended"])
            .date("granted_on")
            .sealed_null("bank_account", "bank_account_hash")
            .row_state()
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["aid_grant", "aid_programme"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
