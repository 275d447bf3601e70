//! The durable record of disclosures. Refers to nothing by foreign key and is only ever added to: the database
//! refuses to change or remove a line. An embedded registry keeps it in a file of its own.

use sea_orm::entity::prelude::*;

use crate::value::AccountId;

/// What one answer disclosed (披露流水).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "disclosure_line")]
pub struct Model {
    /// The order in which lines were written.
    #[sea_orm(primary_key)]
    pub seq: i64,
    /// Key.
    pub id: Uuid,
    /// When.
    pub at: DateTimeUtc,
    /// Who.
    pub account_id: AccountId,
    /// The request it answered.
    pub request_id: String,
    /// What it was asked for, a code of the policy.
    pub purpose: Option<String>,
    /// Version of the policy that decided.
    pub policy_version: String,
    /// Roles, grants, policy lines, columns and students, encoded; never a value.
    pub parts: Vec<u8>,
    /// The key of the code; null in a line of before logs were sealed.
    pub key_id: Option<i64>,
    /// A keyed code over all but the number, which the chain covers.
    pub code: Option<Vec<u8>>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
