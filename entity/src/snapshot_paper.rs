//! Courses of examinations with their marks at the instant of a snapshot.

use sea_orm::entity::prelude::*;

use crate::value::{CourseId, ExamId, TermId, Thousandths};

/// A course of an examination in a snapshot (时点考试课程).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "snapshot_paper")]
pub struct Model {
    /// The snapshot's number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub snapshot: i64,
    /// The examination.
    #[sea_orm(primary_key, auto_increment = false)]
    pub exam_id: ExamId,
    /// The course.
    #[sea_orm(primary_key, auto_increment = false)]
    pub course_id: CourseId,
    /// The term of the examination.
    pub term_id: TermId,
    /// The full mark.
    pub full_mark: Thousandths,
    /// The pass mark.
    pub pass_mark: Thousandths,
    /// The excellence mark.
    pub excellence_mark: Thousandths,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
