//! Uniqueness across students of values that are stored sealed. Never shown.

use sea_orm::entity::prelude::*;

use crate::value::{LookupHash, StudentId};

/// A value that at most one student may have (唯一键).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "lookup_key")]
pub struct Model {
    /// Kind of the value, such as `national_student_number`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub kind: String,
    /// Keyed hash of the value.
    #[sea_orm(primary_key, auto_increment = false)]
    pub hash: LookupHash,
    /// The student who has it.
    pub student_id: StudentId,
    /// The row that holds it.
    pub row_id: Uuid,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
