//! Where classes belonged at the instant of a snapshot.

use sea_orm::entity::prelude::*;

use crate::value::{ClassGroupId, OrganisationId, YearLevelId};

/// A class in a snapshot (时点班级).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "snapshot_class")]
pub struct Model {
    /// The snapshot's number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub snapshot: i64,
    /// The class.
    #[sea_orm(primary_key, auto_increment = false)]
    pub class_group_id: ClassGroupId,
    /// Its school.
    pub school_id: OrganisationId,
    /// Its year level.
    pub year_level_id: YearLevelId,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
