//! The keys of the logs, wrapped: useless without the master key, which is never in the database.

use sea_orm::entity::prelude::*;

/// A key that codes lines or signs heads (日志密钥).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "log_key")]
pub struct Model {
    /// Counted from one; lines and heads name the key they were made with.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// `code` for keyed codes of lines, `heads` for signatures.
    pub kind: String,
    /// The public fingerprint of the master key that wrapped it.
    pub master: String,
    /// The key, wrapped.
    pub wrapped: Vec<u8>,
    /// `active` while it is used, then `retired`: it verifies only.
    pub state: String,
    /// When it was made.
    pub created_at: DateTimeUtc,
}

/// No relations: rows are named by their keys alone.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
