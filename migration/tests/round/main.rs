//! The migrations against both databases: up, down and up again; every entity against its table; the
//! constraints that the registry relies on. SQLite runs in a temporary file; PostgreSQL runs when
//! `TEST_DATABASE_URL` names a server on which databases may be made.

mod constraint;
mod entity;
mod place;
mod seed;

use sea_orm::{ConnectionTrait, DatabaseConnection, DbErr, Statement};
use xueji_migration::{Migrator, MigratorTrait, Versions, versions};

use crate::place::Place;

type Outcome = Result<(), DbErr>;

#[tokio::test]
async fn sqlite() -> Outcome {
    run(Place::sqlite().await?).await
}

#[tokio::test]
async fn postgres() -> Outcome {
    match Place::postgres().await? {
        Some(place) => run(place).await,
        None => Ok(()),
    }
}

/// Runs everything and removes the database, also after a panic.
async fn run(place: Place) -> Outcome {
    let connection = place.connection.clone();
    let outcome = tokio::spawn(async move { all(&connection).await }).await;
    place.remove().await?;
    match outcome {
        Ok(outcome) => outcome,
        Err(panicked) => std::panic::resume_unwind(panicked.into_panic()),
    }
}

async fn all(connection: &DatabaseConnection) -> Outcome {
    up_and_down(connection).await?;
    entity::all_fit(connection).await?;
    let seed = seed::plant(connection).await?;
    constraint::all_bite(connection, &seed).await?;
    newer_versions_are_unknown(connection).await?;
    // Again with rows in the tables: what refers goes before what is referred to.
    Migrator::down(connection, None).await
}

async fn up_and_down(connection: &DatabaseConnection) -> Outcome {
    let names: Vec<String> =
        Migrator::migrations().iter().map(|migration| migration.name().to_owned()).collect();
    let before = Versions { pending: names.clone(), ..Versions::default() };
    let after = Versions { applied: names, ..Versions::default() };

    assert_eq!(versions(connection).await?, before, "a new database");
    Migrator::up(connection, None).await?;
    assert_eq!(versions(connection).await?, after);
    Migrator::down(connection, None).await?;
    assert_eq!(versions(connection).await?, before);
    assert_eq!(
        entity::tables(connection).await?,
        Vec::<String>::new(),
        "down leaves nothing behind"
    );
    Migrator::up(connection, Some(1)).await?;
    assert_eq!(versions(connection).await?.applied, after.applied[..1]);
    Migrator::up(connection, None).await?;
    assert_eq!(versions(connection).await?, after);
    Ok(())
}

async fn newer_versions_are_unknown(connection: &DatabaseConnection) -> Outcome {
    const NEWER: &str = "m29990101_000001_newer";
    let backend = connection.get_database_backend();
    let insert =
        format!("INSERT INTO seaql_migrations (version, applied_at) VALUES ('{NEWER}', 0)");
    connection.execute_raw(Statement::from_string(backend, insert)).await?;
    let versions = versions(connection).await?;
    assert_eq!(versions.unknown, [NEWER]);
    assert!(versions.pending.is_empty());
    let delete = format!("DELETE FROM seaql_migrations WHERE version = '{NEWER}'");
    connection.execute_raw(Statement::from_string(backend, delete)).await?;
    Ok(())
}
