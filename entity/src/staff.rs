//! People who work with the registry. What they may do follows from `duty` and `access_grant`,
//! never from this row.

use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{Code, LookupHash, OrganisationId, PersonName, Phone, Sealed, StaffId};

/// A member of staff of a school or an authority (教职工).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "staff")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StaffId,
    /// The employer.
    pub organisation_id: OrganisationId,
    /// Name.
    pub name: PersonName,
    /// Number given by the employer.
    pub staff_number: String,
    /// Gender, list `RDXB`.
    pub gender: Code,
    /// Telephone number, sealed.
    pub phone: Option<Sealed<Phone>>,
    /// Keyed hash of `phone`, to find by.
    pub phone_hash: Option<LookupHash>,
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
