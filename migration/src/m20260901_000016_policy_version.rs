//! The published versions of the policy.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The number is given by the publisher; as the key it lets one of two publishers through.
        Shape::new("policy_version")
            .integer("number")
            .text("hash")
            .instant("published_at")
            .text("published_by")
            .text("program")
            .text("files")
            .key(&["number"])
            .index("hash", &["hash"])
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["policy_version"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
