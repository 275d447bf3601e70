//! One examination; its courses and marks are in `exam_course`.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::value::{ExamId, OrganisationId, TermId, YearLevelId};

/// Kind of an examination (考试类别).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum ExamKind {
    /// Monthly (月考).
    Monthly,
    /// Midterm (期中考试).
    Midterm,
    /// Final (期末考试).
    FinalExam,
    /// Mock (模拟考试).
    Mock,
    /// Entrance (入学考试).
    Entrance,
}

/// State of an examination (考试状态).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum ExamState {
    /// Scores are being entered (录入中).
    Draft,
    /// Scores are published (已发布).
    Published,
    /// Scores are locked; a change needs a case with a reason (已锁定).
    Locked,
}

/// An examination of one year level in one term (考试).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "exam")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ExamId,
    /// The school that holds it.
    pub school_id: OrganisationId,
    /// The year level that sits it.
    pub year_level_id: YearLevelId,
    /// The term it counts for.
    pub term_id: TermId,
    /// Name for people.
    pub name: String,
    /// Kind of examination.
    pub kind: ExamKind,
    /// First day.
    pub starts_on: NaiveDate,
    /// How far entry of its scores has come.
    pub state: ExamState,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
