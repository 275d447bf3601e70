//! The tables of a database as a backup sees them, and the reading of their rows in an order that both databases share.

use sea_orm::{ConnectionTrait, DbBackend, QueryResult, Statement, StreamTrait};
use sha2::{Digest, Sha256};

use super::frame::Cell;
use super::{Column, Kind, LOGS, MIGRATIONS, Table, Total};
use crate::error::{Error, Result};
use crate::store::failed;
use crate::store::hex;

/// The first column of the key of tables that have rows of both logs.
const LOG: &str = "log";

const SQLITE_TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table' \
    AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY rowid";
const SQLITE_COLUMNS: &str = "SELECT name, lower(type), pk FROM pragma_table_info(?) ORDER BY cid";
const POSTGRES_TABLES: &str = "SELECT relname::text FROM pg_class WHERE relkind = 'r' \
    AND relnamespace = current_schema()::text::regnamespace ORDER BY oid";
const POSTGRES_COLUMNS: &str = "SELECT a.attname::text, format_type(a.atttypid, NULL), \
    coalesce(array_position(i.indkey::int2[], a.attnum) + 1, 0)::bigint FROM pg_attribute a \
    JOIN pg_class c ON c.oid = a.attrelid LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
    WHERE c.relname::text = $1 AND c.relnamespace = current_schema()::text::regnamespace \
    AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// The names of the tables, in the order in which they were made: what is referred to stands first.
pub(super) async fn names<C: ConnectionTrait>(db: &C) -> Result<Vec<String>> {
    let sql = match postgres(db.get_database_backend()) {
        true => POSTGRES_TABLES,
        false => SQLITE_TABLES,
    };
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.map_err(failed)?;
    rows.iter().map(|row| row.try_get_by_index(0).map_err(failed)).collect()
}

/// The tables with their columns and keys, without those of the migrations. Counts are still to come.
pub(super) async fn tables<C: ConnectionTrait>(db: &C) -> Result<Vec<Table>> {
    let mut tables = Vec::new();
    for name in names(db).await?.into_iter().filter(|name| name != MIGRATIONS) {
        let table = table(db, name).await?;
        if table.key.first().is_some_and(|first| first == LOG) {
            let of = |log: &str| Table { log: Some(log.to_owned()), ..table.clone() };
            tables.extend(LOGS.map(of));
        } else {
            tables.push(table);
        }
    }
    Ok(tables)
}

/// One table.
pub(super) async fn table<C: ConnectionTrait>(db: &C, name: String) -> Result<Table> {
    let backend = db.get_database_backend();
    let sql = if postgres(backend) { POSTGRES_COLUMNS } else { SQLITE_COLUMNS };
    let statement = Statement::from_sql_and_values(backend, sql, [name.clone().into()]);
    let mut columns = Vec::new();
    let mut key: Vec<(i64, String)> = Vec::new();
    for row in db.query_all_raw(statement).await.map_err(failed)? {
        let column: String = row.try_get_by_index(0).map_err(failed)?;
        let declared: String = row.try_get_by_index(1).map_err(failed)?;
        let place = match postgres(backend) {
            true => row.try_get_by_index::<i64>(2).map_err(failed)?,
            false => row.try_get_by_index::<i32>(2).map_err(failed)?.into(),
        };
        let kind = kind_of(&declared).ok_or_else(|| {
            Error::internal(format!("{name}.{column} has a type that no backup knows"))
        })?;
        if place > 0 {
            key.push((place, column.clone()));
        }
        columns.push(Column { name: column, kind });
    }
    key.sort_unstable();
    let key = key.into_iter().map(|(_, column)| column).collect();
    Ok(Table { name, log: None, columns, key, rows: 0 })
}

fn kind_of(declared: &str) -> Option<Kind> {
    Some(match declared {
        "uuid" | "uuid_text" => Kind::Uuid,
        "text" | "character varying" | "varchar" => Kind::Text,
        "bigint" | "integer" => Kind::Int,
        "boolean" => Kind::Bool,
        "date" | "date_text" => Kind::Date,
        "timestamp with time zone" | "timestamp_with_timezone_text" => Kind::Instant,
        "bytea" | "blob" => Kind::Bytes,
        _ => return None,
    })
}

pub(super) fn postgres(backend: DbBackend) -> bool {
    backend == DbBackend::Postgres
}

/// A name as SQL has it.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The names of some columns as SQL has them.
pub(super) fn listed(columns: &[Column]) -> String {
    columns.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ")
}

/// Every row of a table in the order of its key; where it has none, in that of all its columns. Both databases
/// compare bytes: UUIDs do so by nature, text is told to.
pub(super) fn select(backend: DbBackend, table: &Table) -> Statement {
    let ordered = |column: &Column| {
        let collate = match (postgres(backend), column.kind) {
            (true, Kind::Text) => " COLLATE \"C\"",
            (
                _,
                Kind::Uuid
                | Kind::Text
                | Kind::Int
                | Kind::Bool
                | Kind::Date
                | Kind::Instant
                | Kind::Bytes,
            ) => "",
        };
        format!("{}{collate} NULLS FIRST", quoted(&column.name))
    };
    let of_key = table.key.iter().filter_map(|name| {
        table.columns.iter().find(|column| column.name == *name).map(|column| {
            // A key has no nulls, and its index is of no use to an ordering that speaks of them.
            ordered(column).replace(" NULLS FIRST", "")
        })
    });
    let order: Vec<String> = match table.key.is_empty() {
        true => table.columns.iter().map(ordered).collect(),
        false => of_key.collect(),
    };
    let sql = format!(
        "SELECT {} FROM {} ORDER BY {}",
        listed(&table.columns),
        rows_of(table),
        order.join(", ")
    );
    Statement::from_string(backend, sql)
}

/// The rows of a table as SQL has them: all, or those of one log.
fn rows_of(table: &Table) -> String {
    let name = quoted(&table.name);
    match &table.log {
        Some(log) => format!("{name} WHERE {} = '{}'", quoted(LOG), log.replace('\'', "''")),
        None => name,
    }
}

/// How many rows a table has.
pub(super) async fn count<C: ConnectionTrait>(db: &C, table: &Table) -> Result<u64> {
    counted(db, &rows_of(table)).await
}

/// How many rows a table of this name has.
pub(super) async fn count_named<C: ConnectionTrait>(db: &C, name: &str) -> Result<u64> {
    counted(db, &quoted(name)).await
}

async fn counted<C: ConnectionTrait>(db: &C, rows: &str) -> Result<u64> {
    let sql = format!("SELECT COUNT(*) FROM {rows}");
    let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), sql)).await;
    let row = row.map_err(failed)?.ok_or_else(|| Error::internal("a count has no row"))?;
    let count: i64 = row.try_get_by_index(0).map_err(failed)?;
    u64::try_from(count).map_err(|_negative| Error::internal("a count is below nought"))
}

/// One value of a row.
pub(super) fn cell(backend: DbBackend, row: &QueryResult, at: usize, kind: Kind) -> Result<Cell> {
    use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
    use uuid::Uuid;
    let cell = match (kind, postgres(backend)) {
        (Kind::Int, _) => row.try_get_by_index::<Option<i64>>(at).map(|v| v.map(Cell::Int)),
        (Kind::Bool, _) => row.try_get_by_index::<Option<bool>>(at).map(|v| v.map(Cell::Bool)),
        (Kind::Text, _) | (Kind::Date | Kind::Instant, false) => {
            row.try_get_by_index::<Option<String>>(at).map(|v| v.map(Cell::Text))
        }
        (Kind::Bytes, _) | (Kind::Uuid, false) => {
            row.try_get_by_index::<Option<Vec<u8>>>(at).map(|v| v.map(Cell::Bytes))
        }
        (Kind::Uuid, true) => row
            .try_get_by_index::<Option<Uuid>>(at)
            .map(|v| v.map(|id| Cell::Bytes(id.as_bytes().to_vec()))),
        (Kind::Date, true) => row
            .try_get_by_index::<Option<NaiveDate>>(at)
            .map(|v| v.map(|day| Cell::Text(day.format("%F").to_string()))),
        // As the driver of SQLite writes instants.
        (Kind::Instant, true) => row.try_get_by_index::<Option<DateTime<Utc>>>(at).map(|v| {
            v.map(|instant| Cell::Text(instant.to_rfc3339_opts(SecondsFormat::AutoSi, false)))
        }),
    };
    cell.map(|cell| cell.unwrap_or(Cell::Null)).map_err(failed)
}

/// Reads every row of a table and says what they come to.
pub(super) async fn total<C: ConnectionTrait + StreamTrait>(
    db: &C,
    table: &Table,
) -> Result<Total> {
    use futures_util::TryStreamExt;
    let backend = ConnectionTrait::get_database_backend(db);
    let mut stream = Box::pin(db.stream_raw(select(backend, table)).await.map_err(failed)?);
    let (mut rows, mut digest, mut bytes) = (0, Sha256::new(), Vec::new());
    while let Some(row) = stream.try_next().await.map_err(failed)? {
        bytes.clear();
        for (at, column) in table.columns.iter().enumerate() {
            cell(backend, &row, at, column.kind)?.put(&mut bytes);
        }
        digest.update(&bytes);
        rows += 1;
    }
    Ok(Total { rows, sha256: hex(&digest.finalize()) })
}
