//! Opinions about a school and reports of unlawful acts (意见与举报), with their answers.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::keyed("concern")
            .choice("kind", &["feedback", "misuse"])
            .link("organisation_id", "organisation")
            .link("raised_by_id", "account")
            .boolean("named")
            .bytes("text")
            .integer_null("satisfaction")
            .choice("state", &["open", "answered"])
            .bytes_null("answer")
            .link_null("answered_by_id", "account")
            .instant("raised_at")
            .instant_null("answered_at")
            .check(
                "satisfaction",
                "satisfaction IS NULL OR (kind = 'feedback' AND satisfaction BETWEEN 1 AND 5)",
            )
            .check("answer", "(state = 'answered') = (answer IS NOT NULL)")
            .check("answered_by_id", "(state = 'answered') = (answered_by_id IS NOT NULL)")
            .check("answered_at", "(state = 'answered') = (answered_at IS NOT NULL)")
            .index("organisation_id", &["organisation_id", "kind", "state"])
            .index("raised_by_id", &["raised_by_id"])
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["concern"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
