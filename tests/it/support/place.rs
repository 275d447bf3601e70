//! A migrated database of its own for one test: a file, or a database on the server of `TEST_DATABASE_URL`. It is
//! removed when the test ends, however it ends.

use std::sync::{Arc, Weak};

use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;
use tokio::sync::{Mutex, OnceCell};
use uuid::Uuid;
use xueji::store::connect::connect;
use xueji_migration::{Migrator, MigratorTrait};

/// The server on which the suite runs, instead of files.
pub(crate) fn server() -> Option<String> {
    #[expect(clippy::disallowed_methods, reason = "a test has no settings of its own")]
    std::env::var("TEST_DATABASE_URL").ok().filter(|url| !url.is_empty())
}

/// A migrated SQLite file, made once: copying it is faster than migrating again.
static MIGRATED: OnceCell<Vec<u8>> = OnceCell::const_new();

/// A migrated database on the server, from which others are copied; it lives as long as one of them does.
static TEMPLATE: Mutex<Weak<Template>> = Mutex::const_new(Weak::new());

/// A database that nobody else uses.
#[derive(Debug)]
pub(crate) struct Place {
    /// Its address.
    pub(crate) url: String,
    home: Home,
}

#[derive(Debug)]
enum Home {
    Folder(#[expect(dead_code, reason = "removed when dropped")] TempDir),
    Server {
        database: Database,
        #[expect(dead_code, reason = "dropped with the last of its copies")]
        template: Option<Arc<Template>>,
    },
}

/// A migrated database that is only copied.
#[derive(Debug)]
struct Template(Database);

/// A database on the server, dropped with this.
#[derive(Debug)]
struct Database {
    server: String,
    name: String,
}

impl Place {
    /// A migrated database with a data key.
    pub(crate) async fn migrated() -> Self {
        match server() {
            None => {
                let place = Self::folder();
                let bytes = MIGRATED.get_or_init(migrated_file).await;
                std::fs::write(place.file(), bytes).unwrap();
                place
            }
            Some(server) => {
                // One at a time: the server copies no database that somebody is busy with.
                let mut known = TEMPLATE.lock().await;
                let template = match known.upgrade() {
                    Some(template) => template,
                    None => {
                        let database = Database::create(&server, "").await;
                        let db = connect(&database.url(), 1).await.unwrap();
                        Migrator::up(&db, None).await.unwrap();
                        super::keys::plant(&db).await;
                        db.close().await.unwrap();
                        Arc::new(Template(database))
                    }
                };
                *known = Arc::downgrade(&template);
                let copy = format!(" TEMPLATE {}", template.0.name);
                let database = Database::create(&server, &copy).await;
                Self {
                    url: database.url(),
                    home: Home::Server { database, template: Some(template) },
                }
            }
        }
    }

    /// A copy of a database, which nobody is busy with.
    pub(crate) async fn copy(&self) -> Self {
        match &self.home {
            Home::Folder(_) => {
                let copy = Self::folder();
                let db = connect(&self.url, 1).await.unwrap();
                db.execute_unprepared(&format!("VACUUM INTO '{}'", copy.file())).await.unwrap();
                db.close().await.unwrap();
                copy
            }
            Home::Server { database, .. } => {
                let _one_at_a_time = TEMPLATE.lock().await;
                let end = format!(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'",
                    database.name
                );
                on_server(&database.server, &end).await;
                let how = format!(" TEMPLATE {}", database.name);
                let database = Database::create(&database.server, &how).await;
                Self { url: database.url(), home: Home::Server { database, template: None } }
            }
        }
    }

    /// A database without tables.
    pub(crate) async fn empty() -> Self {
        match server() {
            None => Self::folder(),
            Some(server) => {
                let database = Database::create(&server, "").await;
                Self { url: database.url(), home: Home::Server { database, template: None } }
            }
        }
    }

    /// Takes the database on the server away: nobody is let in, and who was is thrown out.
    pub(crate) async fn close(&self) {
        let Some((server, name)) = self.on_server() else { return };
        on_server(server, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS false")).await;
        let end = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        );
        on_server(server, &end).await;
    }

    /// Gives it back.
    pub(crate) async fn reopen(&self) {
        let Some((server, name)) = self.on_server() else { return };
        on_server(server, &format!("ALTER DATABASE {name} ALLOW_CONNECTIONS true")).await;
    }

    /// A file that is not there yet.
    pub(crate) fn folder() -> Self {
        let folder = TempDir::new().unwrap();
        let url = format!("sqlite://{}?mode=rwc", folder.path().join("registry.db").display());
        Self { url, home: Home::Folder(folder) }
    }

    /// The file of a database that is one.
    pub(crate) fn file(&self) -> &str {
        self.url.trim_start_matches("sqlite://").trim_end_matches("?mode=rwc")
    }

    /// The name of the database on the server; none for a file.
    pub(crate) fn on_server(&self) -> Option<(&str, &str)> {
        match &self.home {
            Home::Folder(_) => None,
            Home::Server { database, .. } => Some((&database.server, &database.name)),
        }
    }
}

impl Database {
    async fn create(server: &str, how: &str) -> Self {
        let name = format!("xueji_it_{}", Uuid::now_v7().simple());
        on_server(server, &format!("CREATE DATABASE {name}{how}")).await;
        Self { server: server.to_owned(), name }
    }

    fn url(&self) -> String {
        with_database(&self.server, &self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let server = self.server.clone();
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        // A thread of its own: the runtime of the test is busy unwinding or ending.
        let dropped = std::thread::spawn(move || {
            let runtime =
                tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(on_server(&server, &statement));
        })
        .join();
        assert!(dropped.is_ok() || std::thread::panicking(), "the database was not dropped");
    }
}

async fn migrated_file() -> Vec<u8> {
    let place = Place::folder();
    let db = connect(&place.url, 1).await.unwrap();
    Migrator::up(&db, None).await.unwrap();
    super::keys::plant(&db).await;
    db.execute_unprepared("PRAGMA wal_checkpoint(TRUNCATE)").await.unwrap();
    db.close().await.unwrap();
    std::fs::read(place.file()).unwrap()
}

/// Runs one statement on the server, outside any database of a test.
pub(crate) async fn on_server(url: &str, statement: &str) {
    let mut options = sea_orm::ConnectOptions::new(url);
    options.max_connections(1).sqlx_logging(false);
    let server = sea_orm::Database::connect(options).await.unwrap();
    server
        .execute_raw(Statement::from_string(DbBackend::Postgres, statement.to_owned()))
        .await
        .unwrap();
    server.close().await.unwrap();
}

/// The address with another database in it.
fn with_database(url: &str, name: &str) -> String {
    let (base, parameters) = match url.split_once('?') {
        Some((base, parameters)) => (base, format!("?{parameters}")),
        None => (url, String::new()),
    };
    let (server, _) = base.rsplit_once('/').expect("TEST_DATABASE_URL names a database");
    format!("{server}/{name}{parameters}")
}
