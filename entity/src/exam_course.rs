//! Which courses an examination covers and how they are marked.

use sea_orm::entity::prelude::*;

use crate::value::{CourseId, ExamCourseId, ExamId, Thousandths};

/// One course of an examination with its marks (考试科目).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "exam_course")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ExamCourseId,
    /// The examination.
    pub exam_id: ExamId,
    /// The course.
    pub course_id: CourseId,
    /// Highest possible score.
    pub full_mark: Thousandths,
    /// Lowest score that passes.
    pub pass_mark: Thousandths,
    /// Lowest score that counts as excellent.
    pub excellence_mark: Thousandths,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
