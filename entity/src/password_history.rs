//! Passwords that an account had, so that it does not choose them again. Holds hashes alone.

use sea_orm::entity::prelude::*;

use crate::value::{AccountId, PasswordHash};

/// A password that was replaced (历史密码).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "password_history")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose it was.
    pub account_id: AccountId,
    /// The password, hashed.
    pub hash: PasswordHash,
    /// When it was replaced.
    pub at: DateTimeUtc,
}

/// No relations: the store joins by column.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
