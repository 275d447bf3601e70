//! Who sits in which class when; a class of the past keeps its members.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{ClassGroupId, ClassMembershipId, EnrollmentId, StudentId};

/// Kind of a class membership (班级成员类别).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum MembershipKind {
    /// Ordinary member (正式).
    Ordinary,
    /// Guest from another school (借读).
    Guest,
}

/// The place of a student in a class for a time (班级成员).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "class_membership")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: ClassMembershipId,
    /// The enrolment, of the same student.
    pub enrollment_id: EnrollmentId,
    /// The class.
    pub class_group_id: ClassGroupId,
    /// Kind of membership.
    pub kind: MembershipKind,
    /// Number in class (班内学号); form item 21.
    pub number_in_class: Option<i64>,
    /// First day.
    pub since: NaiveDate,
    /// Last day; null while open.
    pub until: Option<NaiveDate>,
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
