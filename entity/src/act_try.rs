//! Tries of acts that are limited by the hour, so that several processes count alike. Says nothing of whom
//! a try was about; rows older than the limit's hour are removed by the next try.

use sea_orm::entity::prelude::*;

use crate::value::AccountId;

/// One try of a limited act (计数).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "act_try")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Who tried.
    pub account_id: AccountId,
    /// Name of the action.
    pub action: String,
    /// When.
    pub at: DateTimeUtc,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
