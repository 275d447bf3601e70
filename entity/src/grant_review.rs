//! That somebody looked at a grant in a term and found it right. A grant without a row of the term is still to be
//! looked at.

use sea_orm::entity::prelude::*;

use crate::value::{AccessGrantId, AccountId, TermId};

/// A grant that was confirmed in a term (授权复核).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "grant_review")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The grant.
    pub grant_id: AccessGrantId,
    /// The term.
    pub term_id: TermId,
    /// Who confirmed it.
    pub confirmed_by_id: AccountId,
    /// When.
    pub confirmed_at: DateTimeUtc,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
