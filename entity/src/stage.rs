//! The stage of schooling, which year levels, courses, enrolments and aid programmes share.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

/// Stage of schooling (学段).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Stage {
    /// Pre-school (学前教育).
    Preschool,
    /// Primary school (小学).
    Primary,
    /// Junior secondary school (初中).
    Junior,
    /// Senior secondary school (高中).
    Senior,
    /// Special education (特殊教育).
    Special,
    /// Specialised school (专门学校).
    Specialised,
}
