//! Codes that stand in for the second factor, each once. Holds hashes alone.

use sea_orm::entity::prelude::*;

use crate::value::{AccountId, TokenHash};

/// A recovery code (恢复码).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "recovery_code")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose it is.
    pub account_id: AccountId,
    /// The SHA-256 of the code.
    pub hash: TokenHash,
    /// When it was used.
    pub used_at: Option<DateTimeUtc>,
}

/// No relations: the store joins by column.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
