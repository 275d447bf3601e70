//! Grants that two people must give: asked for by one, and nothing until another agrees. The place columns fit the
//! reach as those of `access_grant` do.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::value::{
    AccessGrantId, AccountId, ClassGroupId, CourseId, Narrative, OrganisationId, YearLevelId,
};

/// What became of a request (申请状态).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum RequestState {
    /// Nobody has decided yet (待审批).
    Waiting,
    /// Given (已批准).
    Approved,
    /// Not given (已拒绝).
    Refused,
    /// Taken back by whoever asked (已撤回).
    Withdrawn,
    /// Nobody decided in time (已过期).
    Expired,
}

/// A grant that waits for a second person (授权申请).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "grant_request")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// To whom.
    pub account_id: AccountId,
    /// Name of the role as in the policy files.
    pub role: String,
    /// Name of the reach.
    pub reach: String,
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
    /// Last day.
    pub until: NaiveDate,
    /// Why.
    pub reason: Narrative,
    /// Who asks.
    pub requested_by_id: AccountId,
    /// When it was asked for.
    pub requested_at: DateTimeUtc,
    /// When it is too late to agree; the instant itself is too late.
    pub expires_at: DateTimeUtc,
    /// What became of it.
    pub state: RequestState,
    /// Who decided; null where time did.
    pub decided_by_id: Option<AccountId>,
    /// When that was.
    pub decided_at: Option<DateTimeUtc>,
    /// The grant that came of it.
    pub grant_id: Option<AccessGrantId>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
