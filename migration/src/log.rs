//! The file beside an embedded registry that holds the lines of disclosures, their seals and nothing else.

use sea_orm_migration::prelude::*;

use crate::m20260901_000013_disclosure::lines;
use crate::m20260901_000020_seal::in_file;
use crate::m20260901_000025_incident;

/// Makes the table of lines in a file that has none yet, and the tables that seal them.
pub async fn disclosure_log<'c, C: IntoSchemaManagerConnection<'c>>(
    connection: C,
) -> Result<(), DbErr> {
    let manager = SchemaManager::new(connection);
    if !manager.has_table("disclosure_line").await? {
        lines(&manager).await?;
    }
    // The last thing that is made says that all is there.
    if !trigger(&manager, "seal_head_stays", None).await? {
        in_file(&manager).await?;
    }
    if !trigger(&manager, "seal_head_stays", Some("seal_partition")).await? {
        m20260901_000025_incident::in_file(&manager).await?;
    }
    Ok(())
}

/// Whether there is a trigger, and whether it speaks of another table.
async fn trigger(manager: &SchemaManager<'_>, name: &str, of: Option<&str>) -> Result<bool, DbErr> {
    let mut query = Query::select();
    query
        .expr(Expr::val(1_i32))
        .from("sqlite_master")
        .and_where(Expr::col("type").eq("trigger"))
        .and_where(Expr::col("name").eq(name));
    if let Some(of) = of {
        query.and_where(Expr::col("sql").like(format!("%{of}%")));
    }
    Ok(manager.get_connection().query_one(&query).await?.is_some())
}
