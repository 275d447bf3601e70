//! Events are written with the change that causes them and delivered afterwards. Refers to
//! nothing by foreign key.

use sea_orm::entity::prelude::*;

use crate::value::{AccountId, ClassGroupId, StudentId};

/// An event that waits for delivery (待发事件).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "outbox")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// When.
    pub at: DateTimeUtc,
    /// Kind of the event.
    pub kind: String,
    /// The student concerned. No foreign key.
    pub student_id: Option<StudentId>,
    /// The class concerned. No foreign key.
    pub class_group_id: Option<ClassGroupId>,
    /// The account concerned. No foreign key.
    pub account_id: Option<AccountId>,
    /// The event as JSON, without personal values.
    pub payload: String,
    /// When it was delivered; null while it waits.
    pub delivered_at: Option<DateTimeUtc>,
    /// The place in the order of commit, drawn by the database; null for events older than it.
    pub seq: Option<i64>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
