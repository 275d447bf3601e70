//! The authority of a school follows from who runs it, not from where it lies, and it changes;
//! hence a table of its own.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::value::{OrganisationId, SchoolAuthorityId};

/// The authority that runs or supervises a school for a time (学籍主管部门).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "school_authority")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: SchoolAuthorityId,
    /// The school.
    pub school_id: OrganisationId,
    /// The county, city or province in charge of it.
    pub authority_id: OrganisationId,
    /// First day.
    pub since: NaiveDate,
    /// Last day; null while open.
    pub until: Option<NaiveDate>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
