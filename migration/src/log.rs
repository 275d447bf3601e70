//! The file beside an embedded registry that holds the lines of disclosures, their seals and nothing else.

use sea_orm_migration::prelude::*;

use crate::m20260901_000013_disclosure::lines;
use crate::m20260901_000020_seal::in_file;

/// Makes the table of lines in a file that has none yet, and the tables that seal them.
pub async fn disclosure_log<'c, C: IntoSchemaManagerConnection<'c>>(
    connection: C,
) -> Result<(), DbErr> {
    let manager = SchemaManager::new(connection);
    if !manager.has_table("disclosure_line").await? {
        lines(&manager).await?;
    }
    // The last thing that is made says that all is there.
    if sealed(&manager).await? {
        return Ok(());
    }
    in_file(&manager).await
}

async fn sealed(manager: &SchemaManager<'_>) -> Result<bool, DbErr> {
    let mut last = Query::select();
    last.expr(Expr::val(1_i32))
        .from("sqlite_master")
        .and_where(Expr::col("type").eq("trigger"))
        .and_where(Expr::col("name").eq("seal_head_stays"));
    Ok(manager.get_connection().query_one(&last).await?.is_some())
}
