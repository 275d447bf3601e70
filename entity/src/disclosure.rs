//! A view over `disclosure_set` and `disclosure_entry`: nothing is written to it.

use sea_orm::entity::prelude::*;

use crate::value::{DisclosureId, OrganisationId, StaffId, StudentId};

/// What somebody but the student and the family was shown of a student (披露记录).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "disclosure")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DisclosureId,
    /// When.
    pub at: DateTimeUtc,
    /// The role in which it was seen, as in the policy files.
    pub role: String,
    /// The kind of place at which the role was held.
    pub reach: String,
    /// What it was asked for, a code of the policy; null where none was given.
    pub purpose: Option<String>,
    /// The columns shown in full, as the schema names them, separated by blanks.
    pub columns: String,
    /// The member of staff who saw it; null for a program.
    pub staff_id: Option<StaffId>,
    /// The organisation for which it was seen.
    pub organisation_id: Option<OrganisationId>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
