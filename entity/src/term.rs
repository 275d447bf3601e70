//! Terms, shared by all schools.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::value::{Code, SchoolYearId, TermId};

/// A term of a school year (学期).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "term")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: TermId,
    /// The school year it belongs to.
    pub school_year_id: SchoolYearId,
    /// Autumn or spring, list `XQ`.
    pub kind: Code,
    /// Name for people, such as `2025-2026 autumn`.
    pub name: String,
    /// First day.
    pub starts_on: NaiveDate,
    /// Last day.
    pub ends_on: NaiveDate,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
