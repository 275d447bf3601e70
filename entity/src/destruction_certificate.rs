//! Proof of a destruction: what kind and how much, never what stood in it. A trigger keeps it until its day.

use sea_orm::entity::prelude::*;

use crate::value::OrganisationId;

/// A certificate of destruction (销毁证明).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "destruction_certificate")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The batch.
    pub batch_id: Uuid,
    /// Class of the retention schedule.
    pub class: String,
    /// Its Chinese term at the time.
    pub term: String,
    /// The school. No foreign key.
    pub school_id: OrganisationId,
    /// Its name at the time.
    pub school: String,
    /// Records whose period began on this day or before.
    pub cutoff: Date,
    /// How many rows were destroyed.
    pub rows: i64,
    /// Of how many students.
    pub students: i64,
    /// Rows of each table, as JSON.
    pub counts: String,
    /// Who proposed, approved and carried out, with names of the time, as JSON.
    pub people: String,
    /// How it was done.
    pub method: String,
    /// SHA-256 of everything above and of the list of rows; the audit line has it too.
    pub digest: Vec<u8>,
    /// When.
    pub destroyed_at: DateTimeUtc,
    /// It stays until then at least.
    pub keep_until: Date,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
