//! The published versions of the policy: every server runs the newest. Never personal.

use sea_orm::entity::prelude::*;

/// One published version of the policy (策略版本).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "policy_version")]
pub struct Model {
    /// Counted from one; the greatest is in force.
    #[sea_orm(primary_key, auto_increment = false)]
    pub number: i64,
    /// Hash of the files.
    pub hash: String,
    /// When.
    pub published_at: DateTimeUtc,
    /// By what or whom: `start`, `files`, `signal`, `command`, or `account` with its id.
    pub published_by: String,
    /// Version of the program that checked the files.
    pub program: String,
    /// The files by name, as JSON.
    pub files: String,
}

/// No relations: nothing of the registry hangs from a version.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
