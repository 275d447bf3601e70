//! Codes by which somebody sets the first password of an account, or a new one. Holds hashes alone.

use sea_orm::entity::prelude::*;

use crate::value::{AccountId, TokenHash};

/// A code for one use (激活码).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "activation_code")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The account that it opens.
    pub account_id: AccountId,
    /// The SHA-256 of the code.
    pub hash: TokenHash,
    /// `activate` or `reset`.
    pub purpose: String,
    /// When it was made.
    pub created_at: DateTimeUtc,
    /// Until when it may be used.
    pub expires_at: DateTimeUtc,
    /// When it was used, or withdrawn.
    pub used_at: Option<DateTimeUtc>,
    /// Who made it; none for a command at the server.
    pub created_by_id: Option<AccountId>,
}

/// No relations: the store joins by column.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
