//! The parts of a log that were dropped because they were kept long enough, signed. Only ever added to: lines, seals and
//! heads go where a record says so and nowhere else.

use sea_orm::entity::prelude::*;

/// A month of a log that is gone, and what the chain goes on from (已销毁的日志分区).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "seal_partition")]
pub struct Model {
    /// The log.
    #[sea_orm(primary_key, auto_increment = false)]
    pub log: String,
    /// The position of the last seal of the part.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// The position of its first seal.
    pub first: i64,
    /// How many lines it had.
    pub lines: i64,
    /// The hash of the last seal.
    pub hash: Vec<u8>,
    /// The time of its oldest line.
    pub since: DateTimeUtc,
    /// The time of its newest line.
    pub until: DateTimeUtc,
    /// When it was dropped.
    pub dropped_at: DateTimeUtc,
    /// The key that signed.
    pub key_id: i64,
    /// An Ed25519 signature over all that stands before it.
    pub signature: Vec<u8>,
}

/// No relations: rows are named by their keys alone.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
