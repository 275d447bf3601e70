//! Which server seals: one row, taken for a few seconds at a time.

use sea_orm::entity::prelude::*;

/// The right to seal (封印租约).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "seal_lease")]
pub struct Model {
    /// Always one.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// The server that holds it.
    pub holder: Option<Uuid>,
    /// When it ends by itself.
    pub until: Option<DateTimeUtc>,
}

/// No relations: rows are named by their keys alone.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
