//! Opens the database: SQLite in a file, or PostgreSQL.
//!
//! Statements are never logged with their values. The pool is small: with two cores, more
//! connections only wait for each other.

use std::time::Duration;

use sea_orm::{ConnectOptions, Database, DatabaseConnection};

use super::failed;
use crate::error::Result;

/// Opens a pool. A SQLite file is created when it does not exist.
pub async fn connect(url: &str, connections: u32) -> Result<DatabaseConnection> {
    open(url, connections, &[]).await
}

/// Opens a pool for statements that ask for rows by their keys. PostgreSQL plans such a statement
/// once and not again for each list of keys, which costs it more than the reading itself.
pub async fn connect_keyed(url: &str, connections: u32) -> Result<DatabaseConnection> {
    open(url, connections, &[("plan_cache_mode", "force_generic_plan")]).await
}

async fn open(
    url: &str,
    connections: u32,
    server: &'static [(&'static str, &'static str)],
) -> Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(url);
    options
        .max_connections(connections)
        .min_connections(1)
        .acquire_timeout(Duration::from_secs(5))
        .test_before_acquire(false)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|options| {
            use sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
            options
                .create_if_missing(true)
                .foreign_keys(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Normal)
                .busy_timeout(Duration::from_secs(5))
                .statement_cache_capacity(500)
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
