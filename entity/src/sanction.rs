//! Sanctions with appeal and lifting. A quashed one is nobody's business but an auditor's.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{Code, Narrative, SanctionId, StudentId};

/// State of a sanction (处分状态).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum SanctionState {
    /// In force (生效).
    InForce,
    /// Under appeal (申诉中).
    UnderAppeal,
    /// Lifted (已解除).
    Lifted,
    /// Quashed (已撤销).
    Quashed,
}

/// A sanction against a student (处分).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "sanction")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SanctionId,
    /// The sanction, list `CFMC`.
    pub kind: Code,
    /// Kind of offence, list `WJLB`.
    pub offence: Code,
    /// Short account of what happened.
    pub account: Narrative,
    /// Day it was imposed.
    pub imposed_on: NaiveDate,
    /// Number of the decision.
    pub document_number: Option<String>,
    /// State.
    pub state: SanctionState,
    /// Day of lifting; set if and only if it is lifted.
    pub lifted_on: Option<NaiveDate>,
    /// Number of the decision that lifted it.
    pub lifting_document: Option<String>,
    /// Whether the row still counts; never shown.
    pub lifecycle: Lifecycle,
    /// Counts the writes of the row, from 1; never shown.
    pub row_version: i64,
    /// When the row was last written; never shown.
    pub updated_at: DateTimeUtc,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
