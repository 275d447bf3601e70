//! By far the largest table: it carries only the indexes that every school's daily work needs.

use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{
    ClassGroupId, Code, CourseId, ExamId, ScoreId, StaffId, StudentId, Thousandths,
};

/// One result of a student in one course of an examination (成绩).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "score")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ScoreId,
    /// The examination.
    pub exam_id: ExamId,
    /// The course.
    pub course_id: CourseId,
    /// The class of the student at the time of the examination.
    pub class_group_id: ClassGroupId,
    /// The score; null where only a level or an absence is recorded.
    pub value: Option<Thousandths>,
    /// The level, such as `A`, where levels are given.
    pub level: Option<String>,
    /// Ordinary, make-up, deferred …, list `KSXZ`.
    pub nature: Code,
    /// Absence or cheating, list `QKWB`.
    pub absence: Option<Code>,
    /// Whether the student may know it; set for a whole examination.
    pub published: bool,
    /// The member of staff who entered it.
    pub entered_by_id: Option<StaffId>,
    /// When it was entered.
    pub entered_at: DateTimeUtc,
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
