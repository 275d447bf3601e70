//! Documents are added, never changed: a correction is a new item that supersedes the old one.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{ArchiveId, ArchiveItemId, Narrative, StudentId};

/// Part of an archive (档案类别).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum ArchiveCategory {
    /// Basic data and their changes (基础信息).
    Basic,
    /// Evidence (证明材料).
    Evidence,
    /// Development (综合素质发展).
    Development,
    /// Fitness and health (体质健康).
    Fitness,
    /// Awards (奖励).
    Award,
    /// Aid received (资助).
    Aid,
    /// What the province adds (省级规定).
    Provincial,
}

/// One document in the file of a student (档案材料).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "archive_item")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ArchiveItemId,
    /// The file, of the same student.
    pub archive_id: ArchiveId,
    /// Part of the file it belongs to.
    pub category: ArchiveCategory,
    /// Title.
    pub title: Narrative,
    /// Date on the document.
    pub dated_on: NaiveDate,
    /// Who supplied it.
    pub source: Option<Narrative>,
    /// SHA-256 of the content in hexadecimal.
    pub content_hash: Option<String>,
    /// The item it corrects, of the same student.
    pub supersedes_id: Option<ArchiveItemId>,
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
