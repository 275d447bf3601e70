//! Attendance by class and day at the instant of a snapshot.

use sea_orm::entity::prelude::*;

use crate::value::{ClassGroupId, OrganisationId};

/// Attendance of the pupils of one school in one class on one day (时点考勤), with sums of their random numbers in two halves.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "snapshot_attendance")]
pub struct Model {
    /// The snapshot's number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub snapshot: i64,
    /// The class at the time.
    #[sea_orm(primary_key, auto_increment = false)]
    pub class_group_id: ClassGroupId,
    /// The day.
    #[sea_orm(primary_key, auto_increment = false)]
    pub day: Date,
    /// The students' school.
    #[sea_orm(primary_key, auto_increment = false)]
    pub home_id: OrganisationId,
    /// Students on record.
    pub students: i64,
    /// Of these on leave.
    pub excused: i64,
    /// Of these absent without leave.
    pub truant: i64,
    /// Upper halves of all.
    pub all_high: i64,
    /// Lower halves of all.
    pub all_low: i64,
    /// Upper halves of those on leave.
    pub excused_high: i64,
    /// Lower halves of those on leave.
    pub excused_low: i64,
    /// Upper halves of the truant.
    pub truant_high: i64,
    /// Lower halves of the truant.
    pub truant_low: i64,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
