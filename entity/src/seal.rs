//! The chain over the lines of a log. Only ever added to: the database refuses to change or remove a seal.

use sea_orm::entity::prelude::*;

/// One line in the chain of its log (封印).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "seal")]
pub struct Model {
    /// The log: `audit` or `disclosure_line`.
    #[sea_orm(primary_key, auto_increment = false)]
    pub log: String,
    /// Counted from one, without gaps.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// The line. No foreign key: a line that is gone is to be found missing.
    pub line_id: Uuid,
    /// SHA-256 over the hash before it, the log, the position and the line.
    pub hash: Vec<u8>,
}

/// No relations: rows are named by their keys alone.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
