//! Loads a backup into an empty database: all of it, compared row by row with what the backup says, or nothing.
//!
//! On PostgreSQL everything from the first table to the last check is one transaction. A SQLite registry is built in a
//! folder of its own beside the place where it shall stand, and gets its name when it is whole and on the disk. The
//! schema is that of the backup, not of this program.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DatabaseTransaction, DbBackend, Statement,
    TransactionTrait, Value,
};
use serde_json::{Map, Value as Json};
use uuid::Uuid;
use xueji_migration::{Migrator, MigratorTrait};

use super::frame::{Block, Cell};
use super::schema::{self, listed, postgres, quoted};
use super::source::{Digested, Source, Step};
use super::take::sync_folder;
use super::{Kind, LINES, LOG_KEYS, MIGRATIONS, Manifest, Refusal, Table, Total, Voice};
use crate::error::Error;
use crate::store::connect::{connect, connect_file, files_of};
use crate::store::failed;
use crate::store::keys;
use crate::store::keys::logs::LogKeys;
use crate::store::keys::master::MasterKey;
use crate::store::retention::outside::{Replay, Replayed};
use crate::store::sole;
use crate::store::tx::unattended;

/// Values bound by one INSERT of SQLite; its own limit is 32,766.
const SQLITE_BINDS: usize = 8_000;

/// Numbers that PostgreSQL counts up outside a column: sequence, table, column.
const SEQUENCES: &[(&str, &str, &str)] = &[("outbox_seq", "outbox", "seq")];

/// A backup that was restored.
#[derive(Clone, Debug)]
pub struct Restored {
    /// What the backup says of itself.
    pub manifest: Manifest,
    /// SHA-256 of the file.
    pub sha256: String,
    /// How long the file is.
    pub bytes: u64,
    /// How many migrations this program has beyond those of the backup.
    pub pending: usize,
    /// What was destroyed again, since the backup is of before its destruction.
    pub replayed: Option<Replayed>,
    /// The backup's own key, for the record of a verification.
    pub(super) key: [u8; 32],
}

/// Restores a backup into the empty database at this address, and leaves an audit line there unless it is only tried.
pub async fn restore(
    path: &Path,
    url: &str,
    master: &dyn MasterKey,
    on_record: Option<DateTime<Utc>>,
    voice: Voice,
) -> Result<Restored, Refusal> {
    restore_replaying(path, url, master, on_record, voice, None).await
}

/// The same, and destroys again, before the database is anybody's to use, what was destroyed since the backup was taken.
pub async fn restore_replaying(
    path: &Path,
    url: &str,
    master: &dyn MasterKey,
    on_record: Option<DateTime<Utc>>,
    voice: Voice,
    replay: Option<&Replay>,
) -> Result<Restored, Refusal> {
    let mut source = Source::open(path, master).await?;
    let applied = known(&source)?;
    let on_record = on_record.map(|now| (now, master));
    let told = Told { on_record, voice, replay };
    let replayed = match files_of(url) {
        Some((registry, lines)) => {
            let _sole = sole::take(url).map_err(|taken| Refusal::Served(taken.to_string()))?;
            into_files(&mut source, (&registry, &lines), applied, told).await?
        }
        None => into_server(&mut source, url, applied, told).await?,
    };
    let (manifest, key) = (source.manifest.clone(), source.key);
    let Digested { sha256, bytes } = source.digested().await?;
    let pending = Migrator::migrations().len().saturating_sub(manifest.migrations.len());
    Ok(Restored { manifest, sha256, bytes, pending, replayed, key })
}

/// How many migrations the backup rests on; refuses what this program does not know.
fn known(source: &Source) -> Result<u32, Refusal> {
    let mine: Vec<String> =
        Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let theirs = &source.manifest.migrations;
    if let Some(newer) = theirs.iter().find(|name| !mine.contains(name)) {
        return Err(Refusal::NewerSchema(newer.clone()));
    }
    if !mine.starts_with(theirs) {
        return Err(Refusal::odd(source.path(), "a migration is missing among those applied"));
    }
    Ok(u32::try_from(theirs.len()).map_err(|_many| Error::internal("too many migrations"))?)
}

/// When a restore is put on record, and the master key of the keys for it; none for one that is only tried.
type OnRecord<'a> = Option<(DateTime<Utc>, &'a dyn MasterKey)>;

/// What a restore is told besides the backup.
#[derive(Clone, Copy)]
struct Told<'a> {
    on_record: OnRecord<'a>,
    voice: Voice,
    replay: Option<&'a Replay>,
}

fn of_keys(refusal: keys::Refusal) -> Refusal {
    Refusal::Unsound(format!("its keys of the logs: {refusal}"))
}

/// A database that is being filled.
struct Loading {
    registry: DatabaseTransaction,
    /// The lines of disclosures, where they have a file of their own.
    lines: Option<DatabaseTransaction>,
}

impl Loading {
    fn of(&self, table: &Table) -> &DatabaseTransaction {
        if table.of_lines() { self.lines() } else { &self.registry }
    }

    /// Where the lines of disclosures stand.
    fn lines(&self) -> &DatabaseTransaction {
        self.lines.as_ref().unwrap_or(&self.registry)
    }

    fn all(&self) -> impl Iterator<Item = &DatabaseTransaction> {
        std::iter::once(&self.registry).chain(&self.lines)
    }

    async fn commit(self) -> Result<(), Refusal> {
        if let Some(lines) = self.lines {
            lines.commit().await.map_err(failed)?;
        }
        Ok(self.registry.commit().await.map_err(failed)?)
    }
}

async fn run(db: &DatabaseTransaction, sql: &str) -> Result<(), Refusal> {
    db.execute_unprepared(sql).await.map_err(failed)?;
    Ok(())
}

async fn texts<C: ConnectionTrait>(db: &C, sql: &str) -> Result<Vec<Vec<String>>, Refusal> {
    let statement = Statement::from_string(db.get_database_backend(), sql);
    let rows = db.query_all_raw(statement).await.map_err(failed)?;
    let row = |row: &sea_orm::QueryResult| {
        let columns = 0..row.column_names().len();
        columns.map(|at| row.try_get_by_index(at).map_err(failed)).collect::<Result<_, _>>()
    };
    Ok(rows.iter().map(row).collect::<Result<_, _>>()?)
}

async fn into_server(
    source: &mut Source,
    url: &str,
    applied: u32,
    told: Told<'_>,
) -> Result<Option<Replayed>, Refusal> {
    let db = connect(url, 1).await?;
    let tx = db.begin().await.map_err(failed)?;
    let ours = |name: &String| {
        *name == MIGRATIONS || source.manifest.tables.iter().any(|table| table.name == *name)
    };
    if schema::names(&tx).await?.iter().any(ours) {
        return Err(Refusal::Occupied("The database".to_owned()));
    }
    Migrator::up(&tx, Some(applied)).await.map_err(failed)?;
    let loading = Loading { registry: tx, lines: None };
    let replayed = load(source, &loading, told).await?;
    loading.commit().await?;
    let settle = if replayed.is_some() { "VACUUM ANALYZE" } else { "ANALYZE" };
    db.execute_unprepared(settle).await.map_err(failed)?;
    db.close().await.map_err(failed)?;
    Ok(replayed)
}

/// Whether a file holds nothing: it is not there, has no bytes, or no tables with rows that somebody could miss.
async fn empty(path: &Path, lines: bool) -> Result<(), Refusal> {
    let occupied = || Refusal::Occupied(path.display().to_string());
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |known| known.len());
    let mut log = path.as_os_str().to_owned();
    log.push("-wal");
    if bytes(Path::new(&log)) > 0 {
        return Err(occupied());
    }
    if bytes(path) == 0 {
        return Ok(());
    }
    // Whatever cannot be read as a database is somebody's as well.
    let db = connect_file(path).await.map_err(|_foreign| occupied())?;
    let tables = schema::names(&db).await.map_err(|_foreign| occupied())?;
    let free = match lines {
        true => no_lines(&db, &tables).await,
        false => tables.is_empty(),
    };
    db.close().await.map_err(failed)?;
    if free { Ok(()) } else { Err(occupied()) }
}

async fn no_lines(db: &DatabaseConnection, tables: &[String]) -> bool {
    // What else such a file has speaks of its lines.
    tables.is_empty() || matches!(schema::count_named(db, LINES).await, Ok(0))
}

async fn into_files(
    source: &mut Source,
    (registry, lines): (&Path, &Path),
    applied: u32,
    told: Told<'_>,
) -> Result<Option<Replayed>, Refusal> {
    empty(registry, false).await?;
    empty(lines, true).await?;
    let parent = registry.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let unwritable = |error: std::io::Error| Refusal::unwritable(parent, &error);
    let built = tempfile::Builder::new().prefix(".xueji-restore-").tempdir_in(parent);
    let built = built.map_err(unwritable)?;
    let within = |path: &Path| -> PathBuf {
        built.path().join(path.file_name().unwrap_or(path.as_os_str()))
    };
    let (new_registry, new_lines) = (within(registry), within(lines));
    let db = connect_file(&new_registry).await?;
    let log = connect_file(&new_lines).await?;
    Migrator::up(&db, Some(applied)).await.map_err(failed)?;
    xueji_migration::disclosure_log(&log).await.map_err(failed)?;
    // Rows of one table point at each other: references are looked at when all are there.
    db.execute_unprepared("PRAGMA foreign_keys = OFF").await.map_err(failed)?;
    let loading = Loading {
        registry: db.begin().await.map_err(failed)?,
        lines: Some(log.begin().await.map_err(failed)?),
    };
    let replayed = load(source, &loading, told).await?;
    loading.commit().await?;
    for db in [&db, &log] {
        if let Some(row) =
            texts(db, "SELECT \"table\" FROM pragma_foreign_key_check LIMIT 1").await?.first()
        {
            return Err(Refusal::Unsound(format!("{} points at nothing", row.concat())));
        }
        db.execute_unprepared("ANALYZE").await.map_err(failed)?;
        db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.map_err(failed)?;
    }
    db.close().await.map_err(failed)?;
    log.close().await.map_err(failed)?;
    let settle = |new: &Path| -> std::io::Result<()> {
        let file = std::fs::File::open(new)?;
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        file.sync_all()
    };
    settle(&new_registry).and_then(|()| settle(&new_lines)).map_err(unwritable)?;
    // The registry comes last: without it the lines are no registry.
    std::fs::rename(&new_lines, lines).map_err(unwritable)?;
    if let Err(error) = std::fs::rename(&new_registry, registry) {
        // Nothing is left behind; a file that stays all the same holds lines alone.
        let _left = std::fs::remove_file(lines);
        return Err(unwritable(error));
    }
    sync_folder(parent).map_err(unwritable)?;
    Ok(replayed)
}

/// Fills the tables and compares them with what the backup says. Nothing is committed here.
async fn load(
    source: &mut Source,
    into: &Loading,
    Told { on_record, voice, replay }: Told<'_>,
) -> Result<Option<Replayed>, Refusal> {
    let tables = source.manifest.tables.clone();
    let back = set_aside(source, into, &tables).await?;
    let mut progress = voice.progress(source.manifest.rows());
    let totals = loop {
        match source.next().await? {
            Step::Rows(block) => {
                let table = usize::try_from(block.table).ok().and_then(|at| tables.get(at));
                let Some(table) = table else {
                    return Err(Refusal::odd(source.path(), "rows of no table stand in it"));
                };
                insert(into.of(table), table, &block).await?;
                progress.add(block.count.into());
            }
            Step::End(totals) => break totals,
        }
    };
    progress.say("building indexes and comparing every row");
    for (db, statement) in back {
        run(if db { into.lines() } else { &into.registry }, &statement).await?;
    }
    for (table, total) in tables.iter().zip(&totals) {
        compare(into.of(table), table, total).await?;
    }
    if postgres(into.registry.get_database_backend()) {
        count_on(&into.registry, &tables).await?;
    }
    let replayed = match replay {
        Some(replay) => {
            progress.say("destroying again what was destroyed since");
            let names: Vec<String> = tables.iter().map(|table| table.name.clone()).collect();
            let now = on_record.map_or(source.manifest.taken_at, |(now, _)| now);
            Some(replay.run(&into.registry, &names, now).await?)
        }
        None => None,
    };
    let keys = match on_record {
        Some((_, master)) if tables.iter().any(|table| table.name == LOG_KEYS) => {
            LogKeys::open(&into.registry, master).await.map_err(of_keys)?
        }
        Some(_) | None => None,
    };
    // A registry that had no keys of its logs yet has no place for the line.
    if let (Some((now, _)), Some(keys)) = (on_record, keys) {
        let rows = source.manifest.rows();
        let taken_at = source.manifest.taken_at.format("%Y-%m-%dT%H:%M:%SZ");
        let again = match &replayed {
            Some(done) => {
                format!("{} rows of {} destructions destroyed again", done.rows, done.batches)
            }
            None => "destructions not replayed".to_owned(),
        };
        let detail =
            format!("backup of {taken_at}, {rows} rows in {} tables, {again}", tables.len());
        let line = unattended(&keys, "backup.restore", "", &detail, now)?;
        into.registry.execute(&line).await.map_err(failed)?;
    }
    progress.finish();
    Ok(replayed)
}

async fn compare(db: &DatabaseTransaction, table: &Table, total: &Total) -> Result<(), Refusal> {
    let differs = |what: String| Refusal::Differs { table: table.told(), what };
    let found = schema::total(db, table).await?;
    if found.rows != total.rows || total.rows != table.rows {
        return Err(differs(format!("{} rows instead of {}", found.rows, table.rows)));
    }
    if found.sha256 != total.sha256 {
        return Err(differs("its checksum is another".to_owned()));
    }
    Ok(())
}

/// Takes out of the way what would look at each row, and empties what migrations have filled. Answers the statements
/// that bring it back, each with whether it belongs to the file of lines.
async fn set_aside(
    source: &Source,
    into: &Loading,
    tables: &[Table],
) -> Result<Vec<(bool, String)>, Refusal> {
    for table in tables {
        let made = schema::table(into.of(table), table.name.clone()).await?;
        if table.columns.is_empty() || !table.columns.iter().all(|one| made.columns.contains(one)) {
            let what = format!("its table {} is not that of its migrations", table.name);
            return Err(Refusal::odd(source.path(), what));
        }
    }
    let mut back = Vec::new();
    if postgres(into.registry.get_database_backend()) {
        let db = &into.registry;
        const KEYS: &str = "SELECT t.relname::text, c.conname::text, pg_get_constraintdef(c.oid) FROM pg_constraint c \
            JOIN pg_class t ON t.oid = c.conrelid WHERE c.contype = 'f' \
            AND c.connamespace = current_schema()::text::regnamespace ORDER BY 1, 2";
        const INDEXES: &str = "SELECT i.indexname::text, i.indexdef FROM pg_indexes i \
            WHERE i.schemaname = current_schema() AND i.tablename <> 'seaql_migrations' \
            AND NOT EXISTS (SELECT 1 FROM pg_constraint c \
            WHERE c.conname = i.indexname AND c.connamespace = i.schemaname::regnamespace) ORDER BY 1";
        let (keys, indexes) = (texts(db, KEYS).await?, texts(db, INDEXES).await?);
        for key in &keys {
            if let [table, name, _] = key.as_slice() {
                let (table, name) = (quoted(table), quoted(name));
                run(db, &format!("ALTER TABLE {table} DROP CONSTRAINT {name}")).await?;
            }
        }
        for index in indexes {
            if let [name, definition] = index.as_slice() {
                run(db, &format!("DROP INDEX {}", quoted(name))).await?;
                back.push((false, definition.clone()));
            }
        }
        // Keys come back after the indexes that they may rest on.
        for key in keys {
            if let [table, name, definition] = key.as_slice() {
                let (table, name) = (quoted(table), quoted(name));
                back.push((
                    false,
                    format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"),
                ));
            }
        }
        for table in tables {
            let table = quoted(&table.name);
            run(db, &format!("ALTER TABLE {table} DISABLE TRIGGER USER")).await?;
            back.push((false, format!("ALTER TABLE {table} ENABLE TRIGGER USER")));
        }
    } else {
        for (lines, db) in into.all().enumerate() {
            let triggers = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'";
            for trigger in texts(db, triggers).await? {
                if let [name, definition] = trigger.as_slice() {
                    run(db, &format!("DROP TRIGGER {}", quoted(name))).await?;
                    back.push((lines > 0, definition.clone()));
                }
            }
        }
    }
    for table in tables.iter().rev() {
        let sql = format!("DELETE FROM {}", quoted(&table.name));
        run(into.of(table), &sql).await?;
    }
    Ok(back)
}

async fn insert(db: &DatabaseTransaction, table: &Table, block: &Block) -> Result<(), Refusal> {
    let rows = block.cells(table.columns.len())?;
    let backend = db.get_database_backend();
    let (name, columns) = (quoted(&table.name), listed(&table.columns));
    if postgres(backend) {
        // One value bound, whatever the rows hold; the types are those of the table.
        let json: Vec<Json> = rows.into_iter().map(|row| object(table, row)).collect();
        let text = serde_json::to_string(&json)
            .map_err(|_never| Error::internal("rows of the backup have no text"))?;
        let sql = format!(
            "INSERT INTO {name} ({columns}) SELECT {columns} FROM json_populate_recordset(NULL::{name}, $1::json)"
        );
        let statement = Statement::from_sql_and_values(backend, sql, [text.into()]);
        db.execute_raw(statement).await.map_err(failed)?;
        return Ok(());
    }
    let one = format!("({})", vec!["?"; table.columns.len()].join(", "));
    for group in rows.chunks((SQLITE_BINDS / table.columns.len().max(1)).max(1)) {
        let places = vec![one.as_str(); group.len()].join(", ");
        let sql = format!("INSERT INTO {name} ({columns}) VALUES {places}");
        let values = group.iter().flatten().cloned().map(bound);
        let statement = Statement::from_sql_and_values(DbBackend::Sqlite, sql, values);
        db.execute_raw(statement).await.map_err(failed)?;
    }
    Ok(())
}

fn bound(cell: Cell) -> Value {
    match cell {
        Cell::Null => Value::String(None),
        Cell::Int(number) => number.into(),
        Cell::Bool(flag) => flag.into(),
        Cell::Text(text) => text.into(),
        Cell::Bytes(bytes) => bytes.into(),
    }
}

fn object(table: &Table, row: Vec<Cell>) -> Json {
    let cells = table.columns.iter().zip(row).map(|(column, cell)| {
        let value = match (cell, column.kind) {
            (Cell::Null, _) => Json::Null,
            (Cell::Int(number), _) => number.into(),
            (Cell::Bool(flag), _) => flag.into(),
            (Cell::Text(text), _) => text.into(),
            (Cell::Bytes(bytes), Kind::Uuid) => match Uuid::from_slice(&bytes) {
                Ok(id) => id.to_string().into(),
                // The database refuses it.
                Err(_length) => crate::store::hex(&bytes).into(),
            },
            (
                Cell::Bytes(bytes),
                Kind::Text | Kind::Int | Kind::Bool | Kind::Date | Kind::Instant | Kind::Bytes,
            ) => format!("\\x{}", crate::store::hex(&bytes)).into(),
        };
        (column.name.clone(), value)
    });
    Json::Object(cells.collect::<Map<_, _>>())
}

/// Lets PostgreSQL count on where the rows end.
async fn count_on(db: &DatabaseTransaction, tables: &[Table]) -> Result<(), Refusal> {
    let set = |sequence: &str, table: &str, column: &str| {
        let (table, column) = (quoted(table), quoted(column));
        format!(
            "SELECT setval('{}', GREATEST(max({column}), 1), max({column}) IS NOT NULL) FROM {table}",
            sequence.replace('\'', "''")
        )
    };
    for table in tables {
        for column in table.columns.iter().filter(|column| column.kind == Kind::Int) {
            let sql = "SELECT pg_get_serial_sequence($1, $2)";
            let values = [quoted(&table.name).into(), column.name.clone().into()];
            let statement = Statement::from_sql_and_values(DbBackend::Postgres, sql, values);
            let row = db.query_one_raw(statement).await.map_err(failed)?;
            let sequence: Option<String> = match row {
                Some(row) => row.try_get_by_index(0).map_err(failed)?,
                None => None,
            };
            if let Some(sequence) = sequence {
                run(db, &set(&sequence, &table.name, &column.name)).await?;
            }
        }
    }
    for (sequence, table, column) in SEQUENCES {
        if tables
            .iter()
            .any(|one| one.name == *table && one.columns.iter().any(|known| known.name == *column))
        {
            run(db, &set(sequence, table, column)).await?;
        }
    }
    Ok(())
}
