//! Cells of the declared tables, as they were published with a snapshot.

use sea_orm::entity::prelude::*;

use crate::value::OrganisationId;

/// One published cell (发布的单元格): a figure, or that it is withheld.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "snapshot_cell")]
pub struct Model {
    /// The snapshot's number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub snapshot: i64,
    /// The declared table.
    #[sea_orm(primary_key, auto_increment = false)]
    pub table_name: String,
    /// The place of the cell in the table.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// The level of the place: `region`, `county` or `school`.
    pub level: String,
    /// The county or school; null for the whole registry.
    pub place_id: Option<OrganisationId>,
    /// The county of a school.
    pub within_id: Option<OrganisationId>,
    /// The values of the table's dimensions, separated by blanks; `*` for all.
    pub keys: String,
    /// The figure; null where it is withheld.
    pub value: Option<i64>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
