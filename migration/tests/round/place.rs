//! A database of its own for one test.

use std::env;

use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, DbErr, Statement,
};
use tempfile::TempDir;
use uuid::Uuid;

/// A database that nobody else uses.
pub(crate) struct Place {
    /// The way in.
    pub(crate) connection: DatabaseConnection,
    home: Home,
}

enum Home {
    Directory(TempDir),
    Server { url: String, name: String },
}

impl Place {
    /// A file in a temporary directory.
    pub(crate) async fn sqlite() -> Result<Self, DbErr> {
        let directory = TempDir::new().map_err(|error| DbErr::Custom(error.to_string()))?;
        let url = format!("sqlite://{}?mode=rwc", directory.path().join("round.db").display());
        Ok(Self { connection: connect(url).await?, home: Home::Directory(directory) })
    }

    /// A new database on the server of `TEST_DATABASE_URL`, if that is set.
    pub(crate) async fn postgres() -> Result<Option<Self>, DbErr> {
        #[expect(
            clippy::disallowed_methods,
            reason = "a test is told its server by the environment"
        )]
        let Ok(url) = env::var("TEST_DATABASE_URL") else {
            return Ok(None);
        };
        let name = format!("xueji_migration_{}", Uuid::now_v7().simple());
        run_on_server(&url, format!("CREATE DATABASE {name}")).await?;
        let connection = connect(with_database(&url, &name)?).await?;
        Ok(Some(Self { connection, home: Home::Server { url, name } }))
    }

    /// Closes and removes the database.
    pub(crate) async fn remove(self) -> Result<(), DbErr> {
        self.connection.close().await?;
        match self.home {
            Home::Directory(directory) => {
                directory.close().map_err(|error| DbErr::Custom(error.to_string()))
            }
            Home::Server { url, name } => {
                run_on_server(&url, format!("DROP DATABASE {name} WITH (FORCE)")).await
            }
        }
    }
}

async fn connect(url: String) -> Result<DatabaseConnection, DbErr> {
    let mut options = ConnectOptions::new(url);
    options.max_connections(2).sqlx_logging(false);
    Database::connect(options).await
}

async fn run_on_server(url: &str, statement: String) -> Result<(), DbErr> {
    let server = connect(url.to_owned()).await?;
    server.execute_raw(Statement::from_string(DbBackend::Postgres, statement)).await?;
    server.close().await
}

/// The URL with another database: what stands between the last slash and the parameters.
fn with_database(url: &str, name: &str) -> Result<String, DbErr> {
    let (base, parameters) = match url.split_once('?') {
        Some((base, parameters)) => (base, format!("?{parameters}")),
        None => (url, String::new()),
    };
    match base.rsplit_once('/') {
        Some((server, _)) if server.contains("://") && !server.ends_with('/') => {
            Ok(format!("{server}/{name}{parameters}"))
        }
        _ => Err(DbErr::Custom(
            "TEST_DATABASE_URL names no database, as in postgres://user@host:5432/postgres"
                .to_owned(),
        )),
    }
}
