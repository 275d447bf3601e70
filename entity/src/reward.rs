//! Rewards and prizes.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{Code, Fen, Narrative, RewardId, StudentId};

/// A reward of a student (奖励).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "reward")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: RewardId,
    /// Name of the reward.
    pub name: Narrative,
    /// Level of the awarding body, list `JB`.
    pub level: Code,
    /// Grade of the reward, list `JLDJ`.
    pub rank: Option<Code>,
    /// Field of the reward, list `XSHJLB`.
    pub kind: Code,
    /// Reason.
    pub reason: Option<Narrative>,
    /// Day of the award.
    pub awarded_on: NaiveDate,
    /// Number of the document.
    pub document_number: Option<String>,
    /// Who awarded it.
    pub awarding_body: Option<Narrative>,
    /// Money that came with it.
    pub amount: Option<Fen>,
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
