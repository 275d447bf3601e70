//! What is stopped in an emergency: an account, a role, or all exports. A stop is lifted by an instant on it and
//! stays as a trace.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

use crate::value::AccountId;

/// What is stopped (停用对象).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum StopKind {
    /// An account: it can do nothing at all (账号).
    Account,
    /// A role: it grants nothing to anybody (角色).
    Role,
    /// Every export, whoever asks for it (全部导出).
    Exports,
}

/// An emergency stop (紧急停用).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "emergency_stop")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// What is stopped.
    pub kind: StopKind,
    /// The account, where one is stopped.
    pub account_id: Option<AccountId>,
    /// The role as the policy names it, where one is stopped.
    pub role: Option<String>,
    /// From when.
    pub since: DateTimeUtc,
    /// Who stopped it; null for whoever sat at the machine. No foreign key.
    pub by_id: Option<AccountId>,
    /// Why.
    pub reason: String,
    /// When it ended; null while it holds.
    pub lifted_at: Option<DateTimeUtc>,
    /// Who lifted it; null while it holds, and for whoever sat at the machine. No foreign key.
    pub lifted_by_id: Option<AccountId>,
}

/// No relations: rows are named by their keys alone.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
