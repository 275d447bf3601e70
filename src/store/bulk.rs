//! Writes large sets of ready rows into an empty registry: COPY on PostgreSQL, prepared multi-row INSERT on SQLite.
//!
//! This is for loads that own the whole database (the demo set): it asks for no scope and writes neither history nor
//! audit, so it refuses a registry that already holds rows. A load leaves the `deployment` row `<name>.started` before
//! its first row and `<name>.complete` after its last; the first without the second is a load that was interrupted.
//! Values are bound or escaped here and never printed.

use crate::store::immediate;
use std::collections::HashMap;
use std::fmt::Write as _;

use anyhow::{Context, Result, bail};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement,
    TransactionTrait, Value,
};
use sqlx::AssertSqlSafe;
use sqlx::postgres::{PgConnection, Postgres};

use super::progress::Progress;

/// Rows of one table.
#[derive(Debug, Clone)]
pub struct Batch {
    /// The table.
    pub table: &'static str,
    /// Its columns, in the order of each row.
    pub columns: &'static [&'static str],
    /// The rows.
    pub rows: Vec<Vec<Value>>,
}

/// What a database holds of a named load.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The registry has no rows: a load may start.
    Empty,
    /// The load is complete; the text is what [`Load::finish`] left.
    Complete(String),
    /// A load started and did not end: [`Bulk::clean`] before the next.
    Interrupted,
    /// The registry holds rows that are not of this load.
    Occupied,
}

/// Rows that SQLite takes before it commits and starts the next transaction, so that its log stays small.
const SQLITE_GROUP: u64 = 200_000;
/// Values bound by one INSERT of SQLite; its own limit is 32,766.
const SQLITE_BINDS: usize = 8_000;
/// Bytes gathered before they are sent to PostgreSQL.
const COPY_CHUNK: usize = 1 << 20;

/// Opens bulk loads on one database.
#[derive(Debug, Clone)]
pub struct Bulk {
    db: DatabaseConnection,
    name: &'static str,
    tables: Vec<&'static str>,
}

impl Bulk {
    /// A bulk writer for the load called `name` (`demo`), which fills these tables, parents before children.
    pub fn new(db: DatabaseConnection, name: &'static str, tables: Vec<&'static str>) -> Self {
        Self { db, name, tables }
    }

    /// What the database holds of this load.
    pub async fn state(&self) -> Result<State> {
        let complete = self.deployment(&format!("{}.complete", self.name)).await?;
        if let Some(value) = complete {
            return Ok(State::Complete(value));
        }
        if self.deployment(&format!("{}.started", self.name)).await?.is_some() {
            return Ok(State::Interrupted);
        }
        let organisations = self
            .db
            .query_one_raw(self.statement("SELECT id FROM organisation LIMIT 1", []))
            .await?;
        Ok(if organisations.is_some() { State::Occupied } else { State::Empty })
    }

    /// Empties the tables after an interrupted load; refuses in every other state.
    pub async fn clean(&self) -> Result<()> {
        if self.state().await? != State::Interrupted {
            bail!("only an interrupted load may be cleaned away");
        }
        match self.db.get_database_backend() {
            DbBackend::Postgres => {
                let tx = self.db.begin().await?;
                for table in self.tables.iter().rev() {
                    tx.execute_unprepared(&format!("DELETE FROM {}", quoted(table))).await?;
                }
                tx.commit().await?;
            }
            DbBackend::Sqlite => {
                // RESTRICT looks at every single row, and rows of one table point at each other: the keys of this one
                // connection rest while all tables are emptied together.
                let mut connection = self.db.get_sqlite_connection_pool().acquire().await?;
                sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *connection).await?;
                let mut emptied = Ok(());
                for table in self.tables.iter().rev() {
                    let sql = AssertSqlSafe(format!("DELETE FROM {}", quoted(table)));
                    if let Err(error) = sqlx::query(sql).execute(&mut *connection).await {
                        emptied = Err(error);
                        break;
                    }
                }
                sqlx::query("PRAGMA foreign_keys = ON").execute(&mut *connection).await?;
                emptied?;
            }
            other @ (DbBackend::MySql | _) => bail!("no bulk load on {other:?}"),
        }
        let key = format!("{}.started", self.name);
        self.db
            .execute_raw(self.statement("DELETE FROM deployment WHERE \"key\" = $1", [key.into()]))
            .await?;
        Ok(())
    }

    /// Starts a load of about `expected` rows; refuses a database that is not empty.
    pub async fn begin(&self, expected: u64) -> Result<Load> {
        match self.state().await? {
            State::Empty => {}
            State::Complete(_) => bail!("the {} set is already there", self.name),
            State::Interrupted => {
                bail!("an earlier load of the {} set was interrupted: clean it first", self.name)
            }
            State::Occupied => {
                bail!("the registry holds other rows: the {} set needs an empty one", self.name)
            }
        }
        let started = format!("{}.started", self.name);
        self.db
            .execute_raw(self.statement(
                "INSERT INTO deployment (\"key\", value) VALUES ($1, $2)",
                [started.into(), expected.to_string().into()],
            ))
            .await?;
        let writer = match self.db.get_database_backend() {
            DbBackend::Postgres => {
                let mut tx = self.alone().await?;
                let restore = set_aside(&mut tx, &self.tables).await?;
                Writer::Postgres { tx: Box::new(tx), restore }
            }
            DbBackend::Sqlite => {
                Writer::Sqlite { tx: Some(immediate(&self.db).await?), pending: 0 }
            }
            other @ (DbBackend::MySql | _) => bail!("no bulk load on {other:?}"),
        };
        Ok(Load {
            bulk: self.clone(),
            writer,
            statements: HashMap::new(),
            progress: Progress::new(expected),
        })
    }

    /// A transaction that has the tables for itself, before anything is changed. Whoever reads several tables meanwhile
    /// may hold what it waits for: then it lets go and begins anew.
    async fn alone(&self) -> Result<sqlx::Transaction<'static, sqlx::Postgres>> {
        const TRIES: u32 = 20;
        let tables: Vec<String> = self.tables.iter().map(|table| quoted(table)).collect();
        let lock = format!("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE", tables.join(", "));
        let mut tries = 1;
        loop {
            let pool = self.db.get_postgres_connection_pool();
            let mut tx = pool.begin().await.map_err(without_values)?;
            let Err(error) = sqlx::query(AssertSqlSafe(lock.clone())).execute(&mut *tx).await
            else {
                return Ok(tx);
            };
            tx.rollback().await.map_err(without_values)?;
            let code = error.as_database_error().and_then(|error| error.code());
            if code.as_deref() != Some(DEADLOCK) || tries == TRIES {
                return Err(without_values(error));
            }
            tries += 1;
        }
    }

    async fn deployment(&self, key: &str) -> Result<Option<String>> {
        let statement =
            self.statement("SELECT value FROM deployment WHERE \"key\" = $1", [key.into()]);
        match self.db.query_one_raw(statement).await? {
            Some(row) => Ok(Some(row.try_get_by_index(0)?)),
            None => Ok(None),
        }
    }

    fn statement<const N: usize>(&self, sql: &str, values: [Value; N]) -> Statement {
        Statement::from_sql_and_values(self.db.get_database_backend(), sql, values)
    }
}

enum Writer {
    /// One transaction from the first row to the last; `restore` brings back keys and indexes.
    Postgres { tx: Box<sqlx::Transaction<'static, Postgres>>, restore: Vec<String> },
    /// A transaction for each group of rows.
    Sqlite { tx: Option<DatabaseTransaction>, pending: u64 },
}

/// A load that runs. Dropped before [`Load::finish`], it leaves the mark of an interrupted load.
pub struct Load {
    bulk: Bulk,
    writer: Writer,
    statements: HashMap<(&'static str, usize), String>,
    progress: Progress,
}

impl std::fmt::Debug for Load {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Load").field("name", &self.bulk.name).finish_non_exhaustive()
    }
}

impl Load {
    /// Writes the rows of a batch.
    pub async fn write(&mut self, batch: Batch) -> Result<()> {
        if let Some(row) = batch.rows.iter().find(|row| row.len() != batch.columns.len()) {
            bail!(
                "a row of {} has {} values for {} columns",
                batch.table,
                row.len(),
                batch.columns.len()
            );
        }
        let rows = u64::try_from(batch.rows.len())?;
        let table = batch.table;
        match &mut self.writer {
            Writer::Postgres { tx, .. } => {
                copy(tx, &batch).await.with_context(|| format!("rows of {table}"))?
            }
            Writer::Sqlite { tx, pending } => {
                if *pending >= SQLITE_GROUP {
                    if let Some(full) = tx.take() {
                        full.commit().await?;
                    }
                    *pending = 0;
                }
                let open = match tx.take() {
                    Some(open) => open,
                    None => immediate(&self.bulk.db).await?,
                };
                let open = tx.insert(open);
                insert(open, &mut self.statements, batch)
                    .await
                    .with_context(|| format!("rows of {table}"))?;
                *pending += rows;
            }
        }
        self.progress.add(rows);
        Ok(())
    }

    /// Marks the load complete, leaving `value` for [`State::Complete`], commits, and refreshes the planner's statistics.
    pub async fn finish(self, value: String) -> Result<()> {
        let key = format!("{}.complete", self.bulk.name);
        let sql = "INSERT INTO deployment (\"key\", value) VALUES ($1, $2)";
        match self.writer {
            Writer::Postgres { mut tx, restore } => {
                self.progress.say("building indexes and checking references");
                for statement in restore {
                    sqlx::query(AssertSqlSafe(statement))
                        .execute(&mut **tx)
                        .await
                        .map_err(without_values)?;
                }
                sqlx::query(sql)
                    .bind(key)
                    .bind(value)
                    .execute(&mut **tx)
                    .await
                    .map_err(without_values)?;
                tx.commit().await.map_err(without_values)?;
            }
            Writer::Sqlite { tx, .. } => {
                if let Some(tx) = tx {
                    tx.commit().await?;
                }
                self.bulk
                    .db
                    .execute_raw(self.bulk.statement(sql, [key.into(), value.into()]))
                    .await?;
            }
        }
        self.bulk.db.execute_unprepared("ANALYZE").await?;
        self.progress.finish();
        Ok(())
    }
}

/// Drops the foreign keys and the plain indexes of the tables, within the transaction; answers the statements that bring
/// them back. A key is then checked once for the whole table and not once a row, which is several times faster, and a
/// load that breaks off rolls back to the schema as it was.
async fn set_aside(connection: &mut PgConnection, tables: &[&'static str]) -> Result<Vec<String>> {
    const INDEXES: &str = "SELECT i.indexname::text, i.indexdef FROM pg_indexes i \
        WHERE i.schemaname = current_schema() AND i.tablename::text = ANY($1) AND NOT EXISTS (SELECT 1 FROM pg_constraint c \
        WHERE c.conname = i.indexname AND c.connamespace = i.schemaname::regnamespace) ORDER BY 1";
    const KEYS: &str = "SELECT t.relname::text, c.conname::text, pg_get_constraintdef(c.oid) FROM pg_constraint c \
        JOIN pg_class t ON t.oid = c.conrelid WHERE c.contype = 'f' AND c.connamespace = current_schema()::text::regnamespace \
        AND t.relname::text = ANY($1) ORDER BY 1, 2";
    let keys: Vec<(String, String, String)> = sqlx::query_as(KEYS)
        .bind(tables)
        .fetch_all(&mut *connection)
        .await
        .map_err(without_values)?;
    let indexes: Vec<(String, String)> = sqlx::query_as(INDEXES)
        .bind(tables)
        .fetch_all(&mut *connection)
        .await
        .map_err(without_values)?;
    let mut drops = vec!["SET LOCAL maintenance_work_mem = '256MB'".to_owned()];
    let mut restore: Vec<String> = Vec::new();
    for (name, definition) in indexes {
        drops.push(format!("DROP INDEX {}", quoted(&name)));
        restore.push(definition);
    }
    for (table, name, definition) in keys {
        let table = quoted(&table);
        // Keys go before the indexes that they may rest on, and come back after them.
        drops.insert(1, format!("ALTER TABLE {table} DROP CONSTRAINT {}", quoted(&name)));
        restore.push(format!("ALTER TABLE {table} ADD CONSTRAINT {} {definition}", quoted(&name)));
    }
    for statement in drops {
        sqlx::query(AssertSqlSafe(statement))
            .execute(&mut *connection)
            .await
            .map_err(without_values)?;
    }
    Ok(restore)
}

async fn copy(connection: &mut PgConnection, batch: &Batch) -> Result<()> {
    let columns = batch.columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    let sql = format!("COPY {} ({columns}) FROM STDIN", quoted(batch.table));
    let mut stream = connection.copy_in_raw(&sql).await.map_err(without_values)?;
    let mut text = String::with_capacity(COPY_CHUNK + 4096);
    for row in &batch.rows {
        if let Err(error) = copy_line(&mut text, row) {
            stream.abort("a value has no text form").await.map_err(without_values)?;
            return Err(error);
        }
        if text.len() >= COPY_CHUNK {
            stream.send(text.as_bytes()).await.map_err(without_values)?;
            text.clear();
        }
    }
    stream.send(text.as_bytes()).await.map_err(without_values)?;
    stream.finish().await.map_err(without_values)?;
    Ok(())
}

/// One line of COPY's text format: tab between values, `\N` for null, backslash before what has a meaning.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a row that holds a kind of value not listed is refused, whatever it is"
)]
fn copy_line(text: &mut String, row: &[Value]) -> Result<()> {
    const HEX: [char; 16] =
        ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    for (place, value) in row.iter().enumerate() {
        if place > 0 {
            text.push('\t');
        }
        match value {
            Value::String(Some(string)) => {
                for character in string.chars() {
                    match character {
                        '\\' => text.push_str("\\\\"),
                        '\n' => text.push_str("\\n"),
                        '\r' => text.push_str("\\r"),
                        '\t' => text.push_str("\\t"),
                        other => text.push(other),
                    }
                }
            }
            Value::Bytes(Some(bytes)) => {
                text.push_str("\\\\x");
                for byte in bytes {
                    text.push(HEX[usize::from(byte >> 4)]);
                    text.push(HEX[usize::from(byte & 15)]);
                }
            }
            Value::Uuid(Some(id)) => {
                text.push_str(id.hyphenated().encode_lower(&mut uuid::Uuid::encode_buffer()))
            }
            Value::BigInt(Some(number)) => write!(text, "{number}")?,
            Value::Bool(Some(flag)) => text.push(if *flag { 't' } else { 'f' }),
            Value::ChronoDate(Some(day)) => write!(text, "{day}")?,
            Value::ChronoDateTimeUtc(Some(at)) => {
                write!(text, "{}", at.format("%Y-%m-%dT%H:%M:%S%.6fZ"))?
            }
            null if is_null(null) => text.push_str("\\N"),
            _ => bail!("a bulk row holds a kind of value that no table has"),
        }
    }
    text.push('\n');
    Ok(())
}

fn is_null(value: &Value) -> bool {
    *value == value.as_null()
}

async fn insert(
    tx: &DatabaseTransaction,
    statements: &mut HashMap<(&'static str, usize), String>,
    batch: Batch,
) -> Result<()> {
    let group = (SQLITE_BINDS / batch.columns.len().max(1)).max(1);
    let mut rows = batch.rows.into_iter().peekable();
    while rows.peek().is_some() {
        let values: Vec<Value> = rows.by_ref().take(group).flatten().collect();
        let count = values.len() / batch.columns.len().max(1);
        let sql = statements
            .entry((batch.table, count))
            .or_insert_with(|| insert_sql(batch.table, batch.columns, count))
            .clone();
        tx.execute_raw(Statement::from_sql_and_values(DbBackend::Sqlite, sql, values)).await?;
    }
    Ok(())
}

fn insert_sql(table: &str, columns: &[&str], rows: usize) -> String {
    let names = columns.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    let one = format!("({})", vec!["?"; columns.len()].join(", "));
    format!("INSERT INTO {} ({names}) VALUES {}", quoted(table), vec![one; rows].join(", "))
}

/// PostgreSQL's code for a circle of waiting transactions, of which it ends one.
const DEADLOCK: &str = "40P01";

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The database's own words quote values of the row at fault: only the code and the constraint are kept.
fn without_values(error: sqlx::Error) -> anyhow::Error {
    match error.as_database_error() {
        Some(inner) => anyhow::anyhow!(
            "the database refused the rows (code {}, constraint {})",
            inner.code().unwrap_or_default(),
            inner.constraint().unwrap_or("none")
        ),
        None => error.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_text_escapes_what_has_a_meaning() {
        let mut text = String::new();
        let row = [
            Value::from("a\tb\\c\nd"),
            Value::from(None::<String>),
            Value::from(vec![0_u8, 255]),
            Value::from(true),
            Value::from(-5_i64),
        ];
        copy_line(&mut text, &row).unwrap();
        assert_eq!(text, "a\\tb\\\\c\\nd\t\\N\t\\\\x00ff\tt\t-5\n");
    }

    #[test]
    fn insert_has_one_place_for_each_value() {
        assert_eq!(
            insert_sql("t", &["a", "b"], 2),
            "INSERT INTO \"t\" (\"a\", \"b\") VALUES (?, ?), (?, ?)"
        );
    }
}
