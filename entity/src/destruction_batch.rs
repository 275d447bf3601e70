//! What is proposed for destruction: the rows of one class at one school that were due on one day. Holds no value of
//! any of them.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

use crate::value::{AccountId, OrganisationId};

/// How far a batch is (销毁状态).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum DestructionState {
    /// Proposed (已提出).
    Proposed,
    /// Approved by two (已批准).
    Approved,
    /// Carried out (已销毁).
    Destroyed,
    /// Given up (已撤回).
    Withdrawn,
}

/// A batch of records to be destroyed (销毁批次).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "destruction_batch")]
pub struct Model {
    /// Key; random, so that it tells neither order nor time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Class of the retention schedule.
    pub class: String,
    /// The school at which the students were last enrolled.
    pub school_id: OrganisationId,
    /// Records whose period began on this day or before.
    pub cutoff: Date,
    /// How many rows were frozen.
    pub rows: i64,
    /// Of how many students.
    pub students: i64,
    /// SHA-256 of the list of rows that are not kept; approvals are of this list.
    pub digest: Vec<u8>,
    /// The appraisal in words.
    pub reason: String,
    /// How far it is.
    pub state: DestructionState,
    /// Who proposed it.
    pub proposed_by_id: AccountId,
    /// When.
    pub proposed_at: DateTimeUtc,
    /// Who approved first.
    pub approved_by_id: Option<AccountId>,
    /// When.
    pub approved_at: Option<DateTimeUtc>,
    /// Who approved second.
    pub second_approved_by_id: Option<AccountId>,
    /// When.
    pub second_approved_at: Option<DateTimeUtc>,
    /// Who carried it out.
    pub executed_by_id: Option<AccountId>,
    /// When.
    pub executed_at: Option<DateTimeUtc>,
    /// When its tombstones were written outside the database.
    pub outside_at: Option<DateTimeUtc>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
