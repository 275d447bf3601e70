//! By whose word an account signs in: identities of other issuers.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::keyed("account_identity")
            .link("account_id", "account")
            .text("issuer")
            .text("subject")
            .instant("created_at")
            .link_null("created_by", "account")
            .unique("subject", &["issuer", "subject"])
            .index("account_id", &["account_id"])
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["account_identity"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
