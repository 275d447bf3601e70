//! The secret that a program had before its present one. Holds a hash alone.

use sea_orm::entity::prelude::*;

use crate::value::{AccountId, TokenHash};

/// A secret that was replaced and is good for a while longer, so that the program has time to change over.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "retired_secret")]
pub struct Model {
    /// The account of the program.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    /// The SHA-256 of the secret, which is random.
    pub hash: TokenHash,
    /// Until when it is still accepted.
    pub good_until: DateTimeUtc,
}

/// No relations: the store joins by column.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
