//! A class exists for one school year; the next year has rows of its own.

use sea_orm::entity::prelude::*;

use crate::value::{ClassGroupId, Code, OrganisationId, SchoolYearId, YearLevelId};

/// One class in one school year (班级).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "class_group")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ClassGroupId,
    /// The school; the same as that of the year level.
    pub school_id: OrganisationId,
    /// The cohort.
    pub year_level_id: YearLevelId,
    /// The school year.
    pub school_year_id: SchoolYearId,
    /// Number within the year level, from 1.
    pub number: i64,
    /// Name for people.
    pub name: String,
    /// Kind of class, list `ZXXBJLX`.
    pub kind: Code,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
