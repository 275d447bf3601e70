//! Opens the database: SQLite in a file, or PostgreSQL.
//!
//! Statements are never logged with their values. The pool is small: with two cores, more
//! connections only wait for each other.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection, TransactionTrait};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};

use super::failed;
use crate::error::{Error, Result};

/// How many connections a pool may hold, and how long is waited for one, and for a lock on SQLite.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// The most connections.
    pub connections: u32,
    /// The longest wait.
    pub patience: Duration,
}

impl From<u32> for Pool {
    /// So many connections, and the patience of a server: who waits longer is told to come again.
    fn from(connections: u32) -> Self {
        Self { connections, patience: Duration::from_secs(5) }
    }
}

/// Opens a pool. A SQLite file is created when it does not exist.
pub async fn connect(url: &str, pool: impl Into<Pool>) -> Result<DatabaseConnection> {
    open(url, pool.into(), &[], None).await
}

/// Opens a pool for statements that ask for rows by their keys. PostgreSQL plans such a statement
/// once and not again for each list of keys, which costs it more than the reading itself.
pub async fn connect_keyed(url: &str, pool: impl Into<Pool>) -> Result<DatabaseConnection> {
    open(url, pool.into(), &[("plan_cache_mode", "force_generic_plan")], None).await
}

/// Opens the log of disclosures of a registry: on PostgreSQL connections of its own to the same
/// database, which wait for the disk whatever the server's default is; beside a SQLite file one of its
/// own, `registry.disclosures.db`, which waits for the disk as well. None for a registry in memory.
pub async fn connect_log(url: &str) -> Result<Option<DatabaseConnection>> {
    if !url.starts_with("sqlite") {
        let durable = &[("synchronous_commit", "on"), ("statement_timeout", "10s")];
        return open(url, 2.into(), durable, None).await.map(Some);
    }
    let registry = SqliteConnectOptions::from_str(url)
        .map_err(|_detail| Error::internal("the address of the registry cannot be read"))?;
    let Some(path) = log_of(url, registry.get_filename()) else { return Ok(None) };
    make_private(&path, registry.get_filename())
        .map_err(|error| Error::internal(format!("the log of disclosures: {}", error.kind())))?;
    let log = open(url, 2.into(), &[], Some(path)).await?;
    // On one connection: another one may not know yet which triggers there are.
    let tx = log.begin().await.map_err(failed)?;
    xueji_migration::disclosure_log(&tx).await.map_err(failed)?;
    tx.commit().await.map_err(failed)?;
    Ok(Some(log))
}

/// Opens one file of the embedded database, whatever characters its name has, through one connection.
pub(super) async fn connect_file(path: &Path) -> Result<DatabaseConnection> {
    open("sqlite://named-below?mode=rwc", 1.into(), &[], Some(path.to_owned())).await
}

/// The file of a SQLite registry and that of its log; nothing for other addresses and for a registry in memory.
pub(super) fn files_of(url: &str) -> Option<(PathBuf, PathBuf)> {
    if !url.starts_with("sqlite") {
        return None;
    }
    let options = SqliteConnectOptions::from_str(url).ok()?;
    let log = log_of(url, options.get_filename())?;
    Some((options.get_filename().to_owned(), log))
}

/// The file of the log beside the file of a registry; none when that is in memory.
fn log_of(url: &str, registry: &Path) -> Option<PathBuf> {
    let memory = url.contains(":memory:") || url.contains("mode=memory");
    let name = registry.file_stem().filter(|_| !memory)?.to_str()?;
    Some(registry.with_file_name(format!("{name}.disclosures.db")))
}

/// Makes the file where there is none, readable by those who may read the registry.
fn make_private(path: &Path, registry: &Path) -> std::io::Result<()> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    match options.open(path) {
        Ok(file) => match std::fs::metadata(registry) {
            Ok(known) => file.set_permissions(known.permissions()),
            Err(_absent) => Ok(()),
        },
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Ok(()),
        Err(error) => Err(error),
    }
}

async fn open(
    url: &str,
    pool: Pool,
    server: &'static [(&'static str, &'static str)],
    log: Option<PathBuf>,
) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(pool.connections)
        .min_connections(1)
        .acquire_timeout(pool.patience)
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(move |options| {
            let (options, synchronous) = match &log {
                Some(path) => (options.filename(path), SqliteSynchronous::Full),
                None => (options, SqliteSynchronous::Normal),
            };
            options
                .create_if_missing(true)
                .foreign_keys(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(synchronous)
                .busy_timeout(pool.patience)
                .statement_cache_capacity(500)
                // What is destroyed leaves no bytes in free pages.
                .pragma("secure_delete", "on")
                .pragma("mmap_size", "268435456")
        })
        .map_sqlx_postgres_opts(|options| {
            options
                .application_name("xueji")
                .statement_cache_capacity(500)
                .options(server.iter().copied())
        });
    Database::connect(options).await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_stands_beside_the_file_and_nowhere_for_memory() {
        for (url, file, log) in [
            ("sqlite://a/registry.db?mode=rwc", "a/registry.db", Some("a/registry.disclosures.db")),
            ("sqlite:registry", "registry", Some("registry.disclosures.db")),
            ("sqlite::memory:", "file:sqlx-in-memory-0?mode=memory&cache=shared", None),
        ] {
            assert_eq!(log_of(url, Path::new(file)), log.map(PathBuf::from), "{url}");
        }
    }
}
