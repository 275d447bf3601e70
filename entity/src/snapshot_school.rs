//! The authorities of schools at the instant of a snapshot.

use sea_orm::entity::prelude::*;

use crate::value::OrganisationId;

/// A school under an authority in a snapshot (时点学校).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "snapshot_school")]
pub struct Model {
    /// The snapshot's number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub snapshot: i64,
    /// The school.
    #[sea_orm(primary_key, auto_increment = false)]
    pub school_id: OrganisationId,
    /// The authority that looked after it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub authority_id: OrganisationId,
    /// The authority's county.
    pub county_id: Option<OrganisationId>,
    /// The authority's city.
    pub city_id: Option<OrganisationId>,
    /// The authority's province.
    pub province_id: Option<OrganisationId>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
