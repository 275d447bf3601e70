//! The outbox in the order of commit: a number for each event, and a word to whoever listens.
//!
//! On PostgreSQL the trigger takes a lock that ends with the transaction before it draws the number, so
//! whoever sees a number sees all smaller ones; the statement then notifies the channel `xueji_outbox`. On
//! SQLite one transaction writes at a time, so the next number is the greatest plus one. Events from before
//! this migration have no number and are delivered to nobody.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const POSTGRES_UP: &str = "
CREATE SEQUENCE outbox_seq;
CREATE FUNCTION outbox_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(7812440917);
    NEW.seq := nextval('outbox_seq');
    RETURN NEW;
END $$;
CREATE FUNCTION outbox_tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('xueji_outbox', '');
    RETURN NULL;
END $$;
CREATE TRIGGER tr_outbox_number BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION outbox_number();
CREATE TRIGGER tr_outbox_tell AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION outbox_tell();
";

const POSTGRES_DOWN: &str = "
DROP TRIGGER tr_outbox_tell ON outbox;
DROP TRIGGER tr_outbox_number ON outbox;
DROP FUNCTION outbox_tell();
DROP FUNCTION outbox_number();
DROP SEQUENCE outbox_seq;
";

const SQLITE_UP: &str = "
CREATE TRIGGER tr_outbox_number AFTER INSERT ON outbox BEGIN
    UPDATE outbox SET seq = (SELECT coalesce(max(seq), 0) + 1 FROM outbox) WHERE id = NEW.id;
END;
";

const SQLITE_DOWN: &str = "DROP TRIGGER tr_outbox_number;";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let column = ColumnDef::new("seq").big_integer().null().to_owned();
        manager.alter_table(Table::alter().table("outbox").add_column(column).to_owned()).await?;
        let index =
            Index::create().name("uq_outbox_seq").table("outbox").col("seq").unique().to_owned();
        manager.create_index(index).await?;
        let db = manager.get_connection();
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let triggers = if postgres { POSTGRES_UP } else { SQLITE_UP };
        db.execute_unprepared(triggers).await.map(|_| ())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        let triggers = if postgres { POSTGRES_DOWN } else { SQLITE_DOWN };
        db.execute_unprepared(triggers).await?;
        manager.drop_index(Index::drop().name("uq_outbox_seq").table("outbox").to_owned()).await?;
        manager.alter_table(Table::alter().table("outbox").drop_column("seq").to_owned()).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
