//! Migrations of the schema, one file per area, for SQLite and PostgreSQL alike.
//! A released migration is never edited: a change of the schema is a new file at the end of the list.
//! Nothing here reads or writes a row of the registry.
//!
//! [`Migrator`] runs them, [`versions`] tells how a database compares with this binary.

#![expect(
    elided_lifetimes_in_paths,
    reason = "MigrationTrait leaves out the lifetime of its manager, and an implementation that writes it does not match"
)]

mod log;
mod m20260901_000001_organisation;
mod m20260901_000002_teaching;
mod m20260901_000003_staff;
mod m20260901_000004_student;
mod m20260901_000005_account;
mod m20260901_000006_family;
mod m20260901_000007_enrollment;
mod m20260901_000008_archive;
mod m20260901_000009_score;
mod m20260901_000010_conduct;
mod m20260901_000011_aid;
mod m20260901_000012_machinery;
mod m20260901_000013_disclosure;
mod m20260901_000014_snapshot;
mod m20260901_000015_exceptional;
mod m20260901_000016_policy_version;
mod m20260901_000017_outbox_order;
mod m20260901_000018_answers;
mod m20260901_000019_data_key;
mod m20260901_000020_seal;
mod m20260901_000021_sign_in;
mod m20260901_000022_account_identity;
mod m20260901_000023_retired_secret;
mod m20260901_000024_grants;
mod m20260901_000025_incident;
mod m20260901_000026_destruction;
mod m20260901_000027_concern;
mod shape;
mod version;

use sea_orm_migration::prelude::*;

pub use log::disclosure_log;
pub use sea_orm_migration::MigratorTrait;
pub use version::{Versions, versions};

/// All migrations, in order.
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20260901_000001_organisation::Migration),
            Box::new(m20260901_000002_teaching::Migration),
            Box::new(m20260901_000003_staff::Migration),
            Box::new(m20260901_000004_student::Migration),
            Box::new(m20260901_000005_account::Migration),
            Box::new(m20260901_000006_family::Migration),
            Box::new(m20260901_000007_enrollment::Migration),
            Box::new(m20260901_000008_archive::Migration),
            Box::new(m20260901_000009_score::Migration),
            Box::new(m20260901_000010_conduct::Migration),
            Box::new(m20260901_000011_aid::Migration),
            Box::new(m20260901_000012_machinery::Migration),
            Box::new(m20260901_000013_disclosure::Migration),
            Box::new(m20260901_000014_snapshot::Migration),
            Box::new(m20260901_000015_exceptional::Migration),
            Box::new(m20260901_000016_policy_version::Migration),
            Box::new(m20260901_000017_outbox_order::Migration),
            Box::new(m20260901_000018_answers::Migration),
            Box::new(m20260901_000019_data_key::Migration),
            Box::new(m20260901_000020_seal::Migration),
            Box::new(m20260901_000021_sign_in::Migration),
            Box::new(m20260901_000022_account_identity::Migration),
            Box::new(m20260901_000023_retired_secret::Migration),
            Box::new(m20260901_000024_grants::Migration),
            Box::new(m20260901_000025_incident::Migration),
            Box::new(m20260901_000026_destruction::Migration),
            Box::new(m20260901_000027_concern::Migration),
        ]
    }
}
