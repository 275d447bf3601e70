//! Tombstones: which rows were destroyed, by a keyed hash of their id, so that a restore destroys them again.

use sea_orm::entity::prelude::*;

use crate::value::LookupHash;

/// A row that was destroyed (已销毁记录).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "destroyed_row")]
pub struct Model {
    /// Name of the table.
    #[sea_orm(primary_key, auto_increment = false)]
    pub noun: String,
    /// The columns that were emptied; nothing where the row went.
    #[sea_orm(primary_key, auto_increment = false)]
    pub columns: String,
    /// Keyed hash of the row's id.
    #[sea_orm(primary_key, auto_increment = false)]
    pub row_hash: LookupHash,
    /// The batch. No foreign key.
    pub batch_id: Uuid,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
