//! Signed ends of the chains, which are kept outside the database as well. Only ever added to.

use sea_orm::entity::prelude::*;

/// The end of a chain at some moment, signed (链头).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "seal_head")]
pub struct Model {
    /// The log.
    #[sea_orm(primary_key, auto_increment = false)]
    pub log: String,
    /// The position of the last seal at that moment; nought for a log that had no line.
    #[sea_orm(primary_key, auto_increment = false)]
    pub position: i64,
    /// The hash of that seal.
    pub hash: Vec<u8>,
    /// How many seals at the beginning are of lines from before logs were sealed.
    pub before: i64,
    /// When it was signed.
    pub signed_at: DateTimeUtc,
    /// The key that signed.
    pub key_id: i64,
    /// An Ed25519 signature over all that stands before it.
    pub signature: Vec<u8>,
}

/// No relations: rows are named by their keys alone.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
