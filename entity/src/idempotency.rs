//! A repeated request with the same key receives the first answer again.

use sea_orm::entity::prelude::*;

use crate::value::{AccountId, LookupHash};

/// The answer to a request that may arrive twice (幂等记录).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "idempotency")]
pub struct Model {
    /// The account.
    #[sea_orm(primary_key, auto_increment = false)]
    pub account_id: AccountId,
    /// Key chosen by the client.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: String,
    /// Name of the action.
    pub action: String,
    /// Keyed hash of the request, to tell a repetition from another use of the key.
    pub request_hash: LookupHash,
    /// The answer as JSON.
    pub response: String,
    /// When.
    pub at: DateTimeUtc,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
