//! Answers to requests are found by their age, to be forgotten.

use sea_orm_migration::prelude::*;

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const NAME: &str = "ix_idempotency_at";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let index = Index::create().name(NAME).table("idempotency").col("at").take();
        manager.create_index(index).await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.drop_index(Index::drop().name(NAME).table("idempotency").to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
