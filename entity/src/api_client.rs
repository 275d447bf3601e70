//! Programs that sign in with a secret of their own.

use sea_orm::entity::prelude::*;

use crate::value::{AccountId, TokenHash};

/// A program of another system (应用接入).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "api_client")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    /// The SHA-256 of its secret, which is random.
    pub secret_hash: TokenHash,
    /// What it may ask for, as words with blanks between.
    pub scopes: String,
    /// Who answers for it.
    pub owner_account_id: AccountId,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// Until when it may sign in.
    pub expires_at: Option<DateTimeUtc>,
    /// The networks that it may come from, with blanks between; none for any.
    pub allowed_addresses: Option<String>,
}

/// No relations: the store joins by column.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
