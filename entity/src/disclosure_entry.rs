//! The index of disclosures: one row for each part of a line, small and the same for many students.

use sea_orm::entity::prelude::*;

use crate::value::{AccessGrantId, AccountId, DisclosureId};

/// One part of a line: a set of students and what was shown of them (披露索引).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "disclosure_entry")]
pub struct Model {
    /// Key; it follows from the line and the place of the part in it.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: DisclosureId,
    /// The line. No foreign key: it may stand in another file.
    pub line_id: Uuid,
    /// The students, as a set.
    pub set_id: Uuid,
    /// When.
    pub at: DateTimeUtc,
    /// Who. No foreign key.
    pub account_id: AccountId,
    /// The first of the grants that showed it. No foreign key.
    pub grant_id: Option<AccessGrantId>,
    /// The role.
    pub role: String,
    /// The kind of place.
    pub reach: String,
    /// What it was asked for.
    pub purpose: Option<String>,
    /// The columns, separated by blanks.
    pub columns: String,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
