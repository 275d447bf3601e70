//! Snapshots: what the registry held at one instant, for figures about people whose rows one may not read.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

use crate::value::SnapshotId;

/// How a snapshot came about (时点类型).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum SnapshotKind {
    /// Taken every night (每夜).
    Nightly,
    /// Taken by name (具名).
    Named,
}

/// One snapshot (时点数据).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "snapshot")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SnapshotId,
    /// Counts the snapshots from 1.
    pub number: i64,
    /// Taken every night, or by name.
    pub kind: SnapshotKind,
    /// The name, where it was given one.
    pub name: Option<String>,
    /// The day, in the deployment's time zone.
    pub day: Date,
    /// The instant as of which it speaks.
    pub taken_at: DateTimeUtc,
    /// How many students it holds.
    pub students: i64,
    /// Whether its facts are still there; the tables that were made of them stay.
    pub facts: bool,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
