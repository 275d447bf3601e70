//! Published scores at the instant of a snapshot, without the students' ids. The largest table of a snapshot.

use sea_orm::entity::prelude::*;

use crate::value::{ClassGroupId, CourseId, ExamId, OrganisationId, Thousandths};

/// A score in a snapshot (时点成绩).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "snapshot_score")]
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
    /// The student's random number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: i64,
    /// The student's school.
    pub home_id: OrganisationId,
    /// The class at the time.
    pub class_group_id: ClassGroupId,
    /// The score.
    pub value: Thousandths,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
