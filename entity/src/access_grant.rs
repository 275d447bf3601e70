//! The source of every right in the registry. The place columns fit the reach: a check in the
//! database holds that.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::value::{
    AccessGrantId, AccountId, ClassGroupId, CourseId, Narrative, OrganisationId, StudentId,
    YearLevelId,
};

/// What a grant follows from (授权来源).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum GrantOrigin {
    /// A duty (任职).
    Duty,
    /// A guardianship with custody (监护关系).
    Guardianship,
}

/// A role that an account holds with a reach, for a time (授权).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_grant")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccessGrantId,
    /// The account.
    pub account_id: AccountId,
    /// Name of the role as in the policy files.
    pub role: String,
    /// Name of the reach: own, ward, teaching, class, year_level, school, region or anywhere.
    pub reach: String,
    /// The student; reaches own and ward.
    pub student_id: Option<StudentId>,
    /// The class; reaches teaching and class.
    pub class_group_id: Option<ClassGroupId>,
    /// The course; reach teaching.
    pub course_id: Option<CourseId>,
    /// The year level; reach year_level.
    pub year_level_id: Option<YearLevelId>,
    /// The school or authority; reaches school and region.
    pub organisation_id: Option<OrganisationId>,
    /// First day.
    pub since: NaiveDate,
    /// Last day; null while open.
    pub until: Option<NaiveDate>,
    /// The instant of revocation; null unless revoked.
    pub ended_at: Option<DateTimeUtc>,
    /// The instant at which it ends within its days; null where days are enough.
    pub expires_at: Option<DateTimeUtc>,
    /// The account that gave it; null where it came with the duty.
    pub granted_by_id: Option<AccountId>,
    /// The grant that it was given from, to a substitute, and with which it ends.
    pub delegated_from_id: Option<AccessGrantId>,
    /// Why it was given.
    pub reason: Option<Narrative>,
    /// The fact that it follows from, and without which it grants nothing; null where it was given by hand.
    pub origin: Option<GrantOrigin>,
    /// That fact: a duty or a guardianship.
    pub origin_id: Option<Uuid>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
