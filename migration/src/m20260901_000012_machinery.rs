//! What the server keeps for itself: look-up keys, history, audit, outbox, idempotency, deployment.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::new("lookup_key")
            .text("kind")
            .bytes("hash")
            .link("student_id", "student")
            .uuid("row_id")
            .key(&["kind", "hash"])
            .index("student_id", &["student_id"])
            .create(manager)
            .await?;
        Shape::of_student("history")
            .text("noun")
            .uuid("row_id")
            .text("action")
            .text_null("before")
            .text_null("after")
            .link_null("account_id", "account")
            .text("request_id")
            .instant("at")
            .row_state()
            .create(manager)
            .await?;
        // The audit and the outbox refer to nothing: what they tell of may be destroyed before them.
        Shape::keyed("audit")
            .instant("at")
            .uuid_null("account_id")
            .text("action")
            .choice("outcome", &["done", "denied", "failed"])
            .text_null("noun")
            .uuid_null("row_id")
            .uuid_null("student_id")
            .text_null("columns")
            .text_null("policy_version")
            .text("request_id")
            .text_null("detail")
            .index("at", &["at"])
            .index("account_id", &["account_id"])
            .create(manager)
            .await?;
        Shape::keyed("outbox")
            .instant("at")
            .text("kind")
            .uuid_null("student_id")
            .uuid_null("class_group_id")
            .uuid_null("account_id")
            .text("payload")
            .instant_null("delivered_at")
            .index_where("waiting", &["at"], "delivered_at IS NULL")
            .create(manager)
            .await?;
        Shape::new("idempotency")
            .link("account_id", "account")
            .text("key")
            .text("action")
            .bytes("request_hash")
            .text("response")
            .instant("at")
            .key(&["account_id", "key"])
            .create(manager)
            .await?;
        Shape::new("deployment").text("key").text("value").key(&["key"]).create(manager).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(
            manager,
            &["deployment", "idempotency", "outbox", "audit", "history", "lookup_key"],
        )
        .await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
