//! How a database compares with this binary. Reads only: it neither creates the table of versions nor
//! applies anything, so a user without the right to change the schema may ask.

use std::collections::BTreeSet;

use sea_orm_migration::{prelude::*, sea_orm::EntityTrait, seaql_migrations};

use crate::Migrator;

/// The versions of a database against those of this binary, each list in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Versions {
    /// Known here and applied there.
    pub applied: Vec<String>,
    /// Known here and not yet applied there.
    pub pending: Vec<String>,
    /// Applied there and not known here: a newer binary has been at work, and this one must keep off.
    pub unknown: Vec<String>,
}

/// Compares a database with this binary.
pub async fn versions<'c, C: IntoSchemaManagerConnection<'c>>(
    connection: C,
) -> Result<Versions, DbErr> {
    let manager = SchemaManager::new(connection);
    let mut recorded = recorded(&manager).await?;
    let mut versions = Versions::default();
    for migration in Migrator::migrations() {
        let name = migration.name();
        if recorded.remove(name) {
            versions.applied.push(name.to_owned());
        } else {
            versions.pending.push(name.to_owned());
        }
    }
    versions.unknown = recorded.into_iter().collect();
    Ok(versions)
}

/// The versions that the database records, none if it has never been migrated.
async fn recorded(manager: &SchemaManager<'_>) -> Result<BTreeSet<String>, DbErr> {
    if !manager.has_table("seaql_migrations").await? {
        return Ok(BTreeSet::new());
    }
    let models = seaql_migrations::Entity::find().all(manager.get_connection()).await?;
    Ok(models.into_iter().map(|model| model.version).collect())
}
