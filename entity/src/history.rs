//! Before and after of every write, as JSON of the changed columns; sealed columns stay sealed,
//! as hexadecimal. Never shown as it is.

use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{AccountId, StudentId};

/// One change of one row that belongs to a student (变更历史).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "history")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Name of the table.
    pub noun: String,
    /// The row.
    pub row_id: Uuid,
    /// Name of the action.
    pub action: String,
    /// Changed columns before; null for a new row.
    pub before: Option<String>,
    /// Changed columns after; null for a removed row.
    pub after: Option<String>,
    /// Who did it; null for the system.
    pub account_id: Option<AccountId>,
    /// The request it was part of.
    pub request_id: String,
    /// When.
    pub at: DateTimeUtc,
    /// Whether the row still counts; never shown.
    pub lifecycle: Lifecycle,
    /// Counts the writes of the row, from 1; never shown.
    pub row_version: i64,
    /// When the row was last written; never shown.
    pub updated_at: DateTimeUtc,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
