//! The random number of a student, from which the small errors of protected figures are fixed.

use sea_orm::entity::prelude::*;

use crate::value::StudentId;

/// The number of one student (学生随机数), under the deployment's key. It says nothing by itself, and never leaves.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "student_key")]
pub struct Model {
    /// The student; no reference, so that a file can be destroyed without it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// 62 random bits.
    pub key: i64,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
