//! A year level is a cohort: it keeps its id while it moves up once per school year.

use sea_orm::entity::prelude::*;

use crate::stage::Stage;
use crate::value::{OrganisationId, YearLevelId};

/// One cohort of one stage in one school (年级).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "year_level")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: YearLevelId,
    /// The school.
    pub school_id: OrganisationId,
    /// The stage the cohort attends.
    pub stage: Stage,
    /// Calendar year in which the cohort entered the stage.
    pub entry_year: i64,
    /// Current year within the stage, from 1; promotion adds one.
    pub year_in_stage: i64,
    /// Name for people, such as `Primary 3`.
    pub name: String,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
