//! One row per student and day.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{AttendanceId, ClassGroupId, Narrative, StaffId, StudentId};

/// Presence or kind of absence (考勤类别).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum AttendanceKind {
    /// Present (出勤).
    Present,
    /// Late (迟到).
    Late,
    /// Left early (早退).
    EarlyLeave,
    /// Sick leave (病假).
    SickLeave,
    /// Personal leave (事假).
    PersonalLeave,
    /// Absent without leave (旷课).
    Truant,
    /// On official business (公假).
    Official,
}

/// The attendance of a student on one day (考勤).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "attendance")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AttendanceId,
    /// The class on that day.
    pub class_group_id: ClassGroupId,
    /// The day.
    pub day: NaiveDate,
    /// Presence or kind of absence.
    pub kind: AttendanceKind,
    /// Note.
    pub note: Option<Narrative>,
    /// The member of staff who recorded it.
    pub recorded_by_id: Option<StaffId>,
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
