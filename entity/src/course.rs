//! Courses, shared by all schools.

use sea_orm::entity::prelude::*;

use crate::stage::Stage;
use crate::value::{Code, CourseId};

/// A subject taught in a stage (课程).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "course")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: CourseId,
    /// The subject, list `ZXXKC`.
    pub subject: Code,
    /// Name for people.
    pub name: String,
    /// The stage it is taught in.
    pub stage: Stage,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
