//! The data keys that seal columns, each wrapped by a master key from outside, and how far a change of keys is.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // The number is given by whoever makes the key; as the key it lets one of two makers through.
        Shape::new("data_key")
            .integer("id")
            .text("kind")
            .choice("algorithm", &["aes-256-gcm", "sm4-gcm"])
            .text("master")
            .bytes("wrapped")
            .choice("state", &["arriving", "active", "retired"])
            .instant("created_at")
            .key(&["id"])
            .unique_where("active", &["kind"], "state = 'active'")
            .create(manager)
            .await?;
        Shape::new("key_rewrite")
            .integer("key_id")
            .text("table_name")
            .uuid_null("student_id")
            .uuid_null("row_id")
            .boolean("done")
            .key(&["key_id", "table_name"])
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["key_rewrite", "data_key"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
