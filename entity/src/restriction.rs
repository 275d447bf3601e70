//! Records that are kept and not seen: proposed by one person, put in force by another, lifted with a reason.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

use crate::value::{AccountId, OrganisationId, StudentId};

/// How far a restriction is (限制状态).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum RestrictionState {
    /// Proposed (已提出).
    Proposed,
    /// In force (生效).
    InForce,
    /// Not agreed to (未同意).
    Refused,
    /// Lifted (已解除).
    Lifted,
}

/// A restriction of a student's record (限制处理).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "restriction")]
pub struct Model {
    /// Key; random.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The student. No foreign key.
    pub student_id: StudentId,
    /// The school of the student's last enrolment when it was proposed. No foreign key.
    pub school_id: OrganisationId,
    /// Why.
    pub reason: String,
    /// How far it is.
    pub state: RestrictionState,
    /// Who proposed it.
    pub proposed_by_id: AccountId,
    /// When.
    pub proposed_at: DateTimeUtc,
    /// Who decided.
    pub decided_by_id: Option<AccountId>,
    /// When.
    pub decided_at: Option<DateTimeUtc>,
    /// Why it was lifted.
    pub lifted_why: Option<String>,
    /// Who lifted it.
    pub lifted_by_id: Option<AccountId>,
    /// When.
    pub lifted_at: Option<DateTimeUtc>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
