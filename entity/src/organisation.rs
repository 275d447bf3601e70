//! Authorities of the five levels and schools: one tree, of which the schools are the leaves.
//! Who runs a school is not here but in `school_authority`.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

use crate::value::{Code, OrganisationId};

/// Level of an organisation (机构层级).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum OrganisationLevel {
    /// Nation (国家).
    Nation,
    /// Province (省).
    Province,
    /// City (市).
    City,
    /// County (县).
    County,
    /// School (学校).
    School,
}

/// An authority or a school (机构).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "organisation")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: OrganisationId,
    /// Level in the hierarchy.
    pub level: OrganisationLevel,
    /// The next authority above; for a school the county it lies in.
    pub parent_id: Option<OrganisationId>,
    /// Full official name.
    pub name: String,
    /// Division code of GB/T 2260, six digits.
    pub division_code: Option<String>,
    /// National school code (学校标识码), ten digits; schools only.
    pub school_code: Option<String>,
    /// Kind of school, list `BXLX`.
    pub school_kind: Option<Code>,
    /// The province it belongs to, itself included; null for the nation.
    pub province_id: Option<OrganisationId>,
    /// The city it belongs to, itself included; null above the city.
    pub city_id: Option<OrganisationId>,
    /// The county it belongs to, itself included; null above the county.
    pub county_id: Option<OrganisationId>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
