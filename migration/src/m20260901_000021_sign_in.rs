//! What people and programs sign in with, and the sessions that follow. No secret stands here in the clear:
//! passwords are hashed, tokens and codes too, the key of a second factor is sealed.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // Keyed by the account: the column is named `id` as in every table with sealed columns.
        Shape::new("credential")
            .link("id", "account")
            .text_null("password_hash")
            .instant_null("changed_at")
            .boolean("must_change")
            .integer("failures")
            .instant_null("last_failure_at")
            .instant_null("locked_until")
            .bytes_null("totp_secret")
            .instant_null("totp_since")
            .integer_null("totp_last_step")
            .instant_null("last_sign_in_at")
            .text_null("last_sign_in_from")
            .instant_null("previous_sign_in_at")
            .text_null("previous_sign_in_from")
            .key(&["id"])
            .check("failures", "failures >= 0")
            .check("totp_since", "totp_since IS NULL OR totp_secret IS NOT NULL")
            .create(manager)
            .await?;
        Shape::keyed("password_history")
            .link("account_id", "account")
            .text("hash")
            .instant("at")
            .index("account_id", &["account_id", "at"])
            .create(manager)
            .await?;
        Shape::keyed("recovery_code")
            .link("account_id", "account")
            .bytes("hash")
            .instant_null("used_at")
            .unique("hash", &["account_id", "hash"])
            .create(manager)
            .await?;
        Shape::keyed("activation_code")
            .link("account_id", "account")
            .bytes("hash")
            .choice("purpose", &["activate", "reset"])
            .instant("created_at")
            .instant("expires_at")
            .instant_null("used_at")
            .link_null("created_by_id", "account")
            .unique("hash", &["hash"])
            .index("account_id", &["account_id"])
            .create(manager)
            .await?;
        Shape::keyed("login_session")
            .link("account_id", "account")
            .choice("kind", &["person", "client"])
            .instant("started_at")
            .instant("last_used_at")
            .instant_null("idle_until")
            .instant("expires_at")
            .instant_null("ended_at")
            .choice_null(
                "end_reason",
                &[
                    "signed_out",
                    "signed_out_everywhere",
                    "administrator",
                    "reused",
                    "password",
                    "factor",
                    "disabled",
                ],
            )
            .text_null("address")
            .text_null("agent")
            .uuid_null("refresh_handle")
            .bytes_null("refresh_hash")
            .integer("refresh_generation")
            .check("ended_at", "(ended_at IS NULL) = (end_reason IS NULL)")
            .unique("refresh_handle", &["refresh_handle"])
            .index("account_id", &["account_id", "started_at"])
            .create(manager)
            .await?;
        Shape::new("api_client")
            .link("id", "account")
            .bytes("secret_hash")
            .text("scopes")
            .link("owner_account_id", "account")
            .instant("created_at")
            .instant_null("expires_at")
            .text_null("allowed_addresses")
            .key(&["id"])
            .index("owner_account_id", &["owner_account_id"])
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(
            manager,
            &[
                "api_client",
                "login_session",
                "activation_code",
                "recovery_code",
                "password_history",
                "credential",
            ],
        )
        .await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
