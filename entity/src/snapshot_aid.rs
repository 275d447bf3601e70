//! Grants of aid at the instant of a snapshot, without the students' ids.

use sea_orm::entity::prelude::*;

use crate::aid_grant::AidState;
use crate::value::{AidProgrammeId, Fen, OrganisationId, TermId};

/// A grant of aid in a snapshot (时点资助).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "snapshot_aid")]
pub struct Model {
    /// The snapshot's number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub snapshot: i64,
    /// The student's random number.
    #[sea_orm(primary_key, auto_increment = false)]
    pub key: i64,
    /// The programme.
    #[sea_orm(primary_key, auto_increment = false)]
    pub programme_id: AidProgrammeId,
    /// The term.
    #[sea_orm(primary_key, auto_increment = false)]
    pub term_id: TermId,
    /// The student's school.
    pub school_id: OrganisationId,
    /// The county in which it lies.
    pub county_id: Option<OrganisationId>,
    /// The state of the grant.
    pub state: AidState,
    /// The amount.
    pub amount: Fen,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
