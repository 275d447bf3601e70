//! The file beside an embedded registry that holds the lines of disclosures and nothing else.

use sea_orm_migration::prelude::*;

use crate::m20260901_000013_disclosure::lines;

/// Makes the table of lines in a file that has none yet.
pub async fn disclosure_log<'c, C: IntoSchemaManagerConnection<'c>>(
    connection: C,
) -> Result<(), DbErr> {
    let manager = SchemaManager::new(connection);
    if manager.has_table("disclosure_line").await? {
        return Ok(());
    }
    lines(&manager).await
}
