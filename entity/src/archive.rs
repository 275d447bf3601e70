//! One file per student; it moves with the student and stays for ever with the last school.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{ArchiveId, OrganisationId, StudentId};

/// State of an archive (档案状态).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum ArchiveState {
    /// Open (在用).
    Open,
    /// Closed (已归档).
    Closed,
    /// Handed over (已移交).
    Transferred,
}

/// The file of a student (学籍档案).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "archive")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ArchiveId,
    /// The organisation that keeps it.
    pub custodian_id: OrganisationId,
    /// Number given by the custodian.
    pub number: Option<String>,
    /// Day of opening.
    pub opened_on: NaiveDate,
    /// Day of closing; null while open.
    pub closed_on: Option<NaiveDate>,
    /// State.
    pub state: ArchiveState,
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
