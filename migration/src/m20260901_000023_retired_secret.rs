//! The secret that a program had before its present one, good for a while longer: a hash alone.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::new("retired_secret")
            .link("id", "account")
            .bytes("hash")
            .instant("good_until")
            .key(&["id"])
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["retired_secret"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
