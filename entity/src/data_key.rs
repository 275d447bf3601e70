//! The keys that seal columns, wrapped: useless without the master key, which is never in the database.

use sea_orm::entity::prelude::*;

/// A data key (数据密钥) as the database keeps it.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "data_key")]
pub struct Model {
    /// Counted from one; each sealed value names the key that opens it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: i64,
    /// What it is for: `column`.
    pub kind: String,
    /// `aes-256-gcm` or `sm4-gcm`.
    pub algorithm: String,
    /// The public fingerprint of the master key that wrapped it.
    pub master: String,
    /// The key, wrapped.
    pub wrapped: Vec<u8>,
    /// `arriving` until every server knows it, `active` while it seals, then `retired`: it opens only.
    pub state: String,
    /// When it was made.
    pub created_at: DateTimeUtc,
}

/// No relations: a sealed value names its key inside.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
