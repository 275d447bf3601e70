//! What must stay whatever its period: a dispute, an open case, an order.

use sea_orm::entity::prelude::*;

use crate::value::{AccountId, StudentId};

/// A hold on a student's records (暂停销毁).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "legal_hold")]
pub struct Model {
    /// Key; random.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The student. No foreign key.
    pub student_id: StudentId,
    /// Why.
    pub reason: String,
    /// Who set it.
    pub set_by_id: AccountId,
    /// When.
    pub set_at: DateTimeUtc,
    /// Who released it.
    pub released_by_id: Option<AccountId>,
    /// When; null while it holds.
    pub released_at: Option<DateTimeUtc>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
