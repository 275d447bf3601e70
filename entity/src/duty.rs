//! Duties as the organisation assigned them. The place columns fit the kind: a check in the
//! database holds that.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::value::{ClassGroupId, CourseId, DutyId, OrganisationId, StaffId, YearLevelId};

/// Kind of a duty (任职类别).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum DutyKind {
    /// Homeroom teacher (班主任).
    HomeroomTeacher,
    /// Course teacher (任课教师).
    CourseTeacher,
    /// Head of a year level (年级组长).
    YearHead,
    /// Post in the organisation (岗位).
    Post,
}

/// What a member of staff does, where and for how long (任职).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "duty")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DutyId,
    /// The member of staff.
    pub staff_id: StaffId,
    /// Kind of duty.
    pub kind: DutyKind,
    /// The organisation it is done for.
    pub organisation_id: OrganisationId,
    /// The class; homeroom and course teachers.
    pub class_group_id: Option<ClassGroupId>,
    /// The course; course teachers.
    pub course_id: Option<CourseId>,
    /// The year level; year heads.
    pub year_level_id: Option<YearLevelId>,
    /// Name of the post, such as `registrar`; posts only.
    pub post: Option<String>,
    /// First day.
    pub since: NaiveDate,
    /// Last day; null while open.
    pub until: Option<NaiveDate>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
