//! How far the rows of a table are rewritten under a new data key. Never personal.

use sea_orm::entity::prelude::*;

/// One table on its way to a new data key (密钥轮换进度).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "key_rewrite")]
pub struct Model {
    /// The new key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key_id: i64,
    /// The table.
    #[sea_orm(primary_key, auto_increment = false)]
    pub table_name: String,
    /// The student of the last row that was looked at, in a table that hangs from students.
    pub student_id: Option<Uuid>,
    /// The last row that was looked at.
    pub row_id: Option<Uuid>,
    /// Whether no row of the table is left under another key.
    pub done: bool,
}

/// No relations: rows are named by their keys alone.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
