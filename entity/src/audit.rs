//! Who did or saw what. Refers to nothing by foreign key: it outlives what it tells of.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

use crate::value::{AccountId, StudentId};

/// What came of an act (结果).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum AuditOutcome {
    /// Done (已完成).
    Done,
    /// Denied (已拒绝).
    Denied,
    /// Failed (失败).
    Failed,
}

/// One act or look that is accounted for (审计记录).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "audit")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// When.
    pub at: DateTimeUtc,
    /// Who; null without a login. No foreign key.
    pub account_id: Option<AccountId>,
    /// Name of the action.
    pub action: String,
    /// What came of it.
    pub outcome: AuditOutcome,
    /// Name of the table.
    pub noun: Option<String>,
    /// The row.
    pub row_id: Option<Uuid>,
    /// The student concerned. No foreign key.
    pub student_id: Option<StudentId>,
    /// Names of the columns concerned.
    pub columns: Option<String>,
    /// Version of the policy that decided.
    pub policy_version: Option<String>,
    /// The request it was part of.
    pub request_id: String,
    /// More, without personal values.
    pub detail: Option<String>,
    /// Code of the purpose that the request stated.
    pub purpose: Option<String>,
    /// The grants under which the action could be run, by id.
    pub grants: Option<String>,
    /// The policy lines that gave the right to run it.
    pub rules: Option<String>,
    /// Address of the other end of the connection, which may be a proxy; null without a connection.
    pub client: Option<String>,
    /// The key of the code; null in a line of before logs were sealed.
    pub key_id: Option<i64>,
    /// A keyed code over all that stands before it.
    pub code: Option<Vec<u8>>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
