//! Students with a live enrolment at the instant of a snapshot, without their ids.

use sea_orm::entity::prelude::*;

use crate::enrollment::EnrollmentState;
use crate::stage::Stage;
use crate::student::LeftBehind;
use crate::value::{Code, OrganisationId, YearLevelId};

/// A student in a snapshot (时点学生).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "snapshot_student")]
pub struct Model {
    /// The snapshot's number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub snapshot: i64,
    /// The student's random number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: i64,
    /// The school.
    pub school_id: OrganisationId,
    /// The county in which it lies.
    pub county_id: Option<OrganisationId>,
    /// The year level.
    pub year_level_id: YearLevelId,
    /// The stage.
    pub stage: Stage,
    /// The state of the enrolment.
    pub state: EnrollmentState,
    /// Day pupil or boarder.
    pub boarding: Code,
    /// The gender.
    pub gender: Code,
    /// The ethnic group.
    pub ethnic_group: Code,
    /// Left behind by parents who work elsewhere.
    pub left_behind: LeftBehind,
    /// Marked as needing aid.
    pub needs_aid: bool,
    /// The number of pupils in the class.
    pub size: Option<i64>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
