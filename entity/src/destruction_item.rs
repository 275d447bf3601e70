//! The frozen list of a batch: ids alone. Rows that were destroyed leave it and become tombstones.

use sea_orm::entity::prelude::*;

use crate::value::StudentId;

/// One row of a batch (销毁清单).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "destruction_item")]
pub struct Model {
    /// The batch.
    #[sea_orm(primary_key, auto_increment = false)]
    pub batch_id: Uuid,
    /// Name of the table.
    #[sea_orm(primary_key, auto_increment = false)]
    pub noun: String,
    /// The columns that are emptied; nothing where the row goes.
    #[sea_orm(primary_key, auto_increment = false)]
    pub columns: String,
    /// The row.
    #[sea_orm(primary_key, auto_increment = false)]
    pub row_id: Uuid,
    /// The student it is of. No foreign key.
    pub student_id: StudentId,
    /// Whether it was excepted.
    pub kept: bool,
    /// Until when at least; null when it was not due any more.
    pub kept_until: Option<Date>,
    /// Why.
    pub kept_why: Option<String>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
