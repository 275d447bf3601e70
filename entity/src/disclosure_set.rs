//! Sets of students, each kept once: a class that is read a thousand times is one set.

use sea_orm::entity::prelude::*;

use crate::value::StudentId;

/// A student as a member of a set (披露对象集合).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "disclosure_set")]
pub struct Model {
    /// The student. No foreign key: it may be destroyed before what was told of it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// The set: a hash of its members.
    #[sea_orm(primary_key, auto_increment = false)]
    pub set_id: Uuid,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
