//! Keyed codes of the lines of both logs, their chain, its signed heads, and the keys for them.
//!
//! A line that is written is put on the list of lines that wait, by a trigger and so in the transaction that
//! writes it; whoever seals takes it from there, however late it was committed. Lines, seals and heads are only
//! ever added to: triggers refuse the rest. Lines from before this migration have no code and wait like all others.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The logs whose lines are sealed.
const LOGS: [&str; 2] = ["audit", "disclosure_line"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for name in ["grants", "rules", "client"] {
            add(manager, "audit", ColumnDef::new(name).text().null().to_owned()).await?;
        }
        for log in LOGS {
            coded(manager, log).await?;
        }
        chain(manager).await?;
        for log in LOGS {
            waits(manager, log).await?;
        }
        for table in ["audit", "seal", "seal_head"] {
            stays(manager, table).await?;
        }
        Shape::new("seal_lease")
            .integer("id")
            .uuid_null("holder")
            .instant_null("until")
            .key(&["id"])
            .create(manager)
            .await?;
        let free = Query::insert()
            .into_table("seal_lease")
            .columns(["id"])
            .values_panic([Expr::val(1_i64)])
            .to_owned();
        manager.execute(free).await?;
        Shape::new("log_key")
            .integer("id")
            .choice("kind", &["code", "heads"])
            .text("master")
            .bytes("wrapped")
            .choice("state", &["active", "retired"])
            .instant("created_at")
            .key(&["id"])
            .unique_where("active", &["kind"], "state = 'active'")
            .create(manager)
            .await
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        for log in LOGS {
            let on = if postgres { format!(" ON {log}") } else { String::new() };
            db.execute_unprepared(&format!("DROP TRIGGER tr_{log}_waits{on}")).await?;
        }
        if postgres {
            db.execute_unprepared("DROP TRIGGER audit_stays ON audit").await?;
            db.execute_unprepared("DROP TRIGGER audit_all_stay ON audit").await?;
        } else {
            db.execute_unprepared("DROP TRIGGER audit_stays").await?;
            db.execute_unprepared("DROP TRIGGER audit_unchanged").await?;
        }
        drop_all(manager, &["log_key", "seal_lease", "seal_waiting", "seal_head", "seal"]).await?;
        if postgres {
            for table in ["audit", "seal", "seal_head"] {
                db.execute_unprepared(&format!("DROP FUNCTION {table}_stays()")).await?;
            }
            for log in LOGS {
                db.execute_unprepared(&format!("DROP FUNCTION {log}_waits()")).await?;
            }
        }
        db.execute_unprepared("DROP INDEX uq_disclosure_line_id").await?;
        for log in LOGS {
            for column in ["code", "key_id"] {
                let table = Table::alter().table(log).drop_column(column).to_owned();
                manager.alter_table(table).await?;
            }
        }
        for column in ["client", "rules", "grants"] {
            let table = Table::alter().table("audit").drop_column(column).to_owned();
            manager.alter_table(table).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

async fn add(
    manager: &SchemaManager<'_>,
    table: &'static str,
    mut column: ColumnDef,
) -> Result<(), DbErr> {
    if manager.has_column(table, column.get_column_name()).await? {
        return Ok(());
    }
    let alter = Table::alter().table(table).add_column(&mut column).to_owned();
    manager.alter_table(alter).await
}

async fn coded(manager: &SchemaManager<'_>, log: &'static str) -> Result<(), DbErr> {
    add(manager, log, ColumnDef::new("key_id").big_integer().null().to_owned()).await?;
    add(manager, log, ColumnDef::new("code").blob().null().to_owned()).await?;
    if log == "disclosure_line" {
        // A seal leads to its line by the key.
        let index =
            "CREATE UNIQUE INDEX IF NOT EXISTS uq_disclosure_line_id ON disclosure_line (id)";
        manager.get_connection().execute_unprepared(index).await?;
    }
    Ok(())
}

/// The tables of the chain; each stands beside the lines that it seals.
async fn chain(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if !manager.has_table("seal").await? {
        Shape::new("seal")
            .text("log")
            .integer("position")
            .uuid("line_id")
            .bytes("hash")
            .key(&["log", "position"])
            .unique("line", &["log", "line_id"])
            .create(manager)
            .await?;
    }
    if !manager.has_table("seal_head").await? {
        Shape::new("seal_head")
            .text("log")
            .integer("position")
            .bytes("hash")
            .integer("before")
            .instant("signed_at")
            .integer("key_id")
            .bytes("signature")
            .key(&["log", "position"])
            .create(manager)
            .await?;
    }
    if !manager.has_table("seal_waiting").await? {
        Shape::new("seal_waiting")
            .text("log")
            .uuid("line_id")
            .key(&["log", "line_id"])
            .create(manager)
            .await?;
    }
    Ok(())
}

/// Puts the lines that are there on the list of those that wait, and from now on each new one.
async fn waits(manager: &SchemaManager<'_>, log: &str) -> Result<(), DbErr> {
    let there = format!(
        "INSERT INTO seal_waiting (log, line_id) SELECT '{log}', id FROM {log} WHERE NOT EXISTS \
         (SELECT 1 FROM seal_waiting w WHERE w.log = '{log}' AND w.line_id = {log}.id)"
    );
    let add = format!("INSERT INTO seal_waiting (log, line_id) VALUES ('{log}', NEW.id)");
    let mut statements = vec![there];
    if manager.get_database_backend() == DbBackend::Postgres {
        statements.push(format!(
            "CREATE FUNCTION {log}_waits() RETURNS trigger LANGUAGE plpgsql AS $$ \
             BEGIN {add}; RETURN NULL; END $$"
        ));
        statements.push(format!(
            "CREATE TRIGGER tr_{log}_waits AFTER INSERT ON {log} \
             FOR EACH ROW EXECUTE FUNCTION {log}_waits()"
        ));
    } else {
        statements.push(format!(
            "CREATE TRIGGER IF NOT EXISTS tr_{log}_waits AFTER INSERT ON {log} BEGIN {add}; END"
        ));
    }
    all(manager, &statements).await
}

/// Lets rows of a table be added and read, and nothing else.
async fn stays(manager: &SchemaManager<'_>, table: &str) -> Result<(), DbErr> {
    let why = format!("{table} is only added to");
    let statements = if manager.get_database_backend() == DbBackend::Postgres {
        vec![
            format!(
                "CREATE FUNCTION {table}_stays() RETURNS trigger LANGUAGE plpgsql AS $$ \
                 BEGIN RAISE EXCEPTION '{why}'; END $$"
            ),
            format!(
                "CREATE TRIGGER {table}_stays BEFORE UPDATE OR DELETE ON {table} \
                 FOR EACH ROW EXECUTE FUNCTION {table}_stays()"
            ),
            format!(
                "CREATE TRIGGER {table}_all_stay BEFORE TRUNCATE ON {table} \
                 FOR EACH STATEMENT EXECUTE FUNCTION {table}_stays()"
            ),
        ]
    } else {
        vec![
            format!(
                "CREATE TRIGGER IF NOT EXISTS {table}_unchanged BEFORE UPDATE ON {table} \
                 BEGIN SELECT RAISE(ABORT, '{why}'); END"
            ),
            format!(
                "CREATE TRIGGER IF NOT EXISTS {table}_stays BEFORE DELETE ON {table} \
                 BEGIN SELECT RAISE(ABORT, '{why}'); END"
            ),
        ]
    };
    all(manager, &statements).await
}

async fn all(manager: &SchemaManager<'_>, statements: &[String]) -> Result<(), DbErr> {
    for statement in statements {
        manager.get_connection().execute_unprepared(statement).await?;
    }
    Ok(())
}

/// The same in the file of the log of disclosures; what is there already is left alone, so that a start that was
/// interrupted is gone on with.
pub(crate) async fn in_file(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    coded(manager, "disclosure_line").await?;
    chain(manager).await?;
    waits(manager, "disclosure_line").await?;
    stays(manager, "seal").await?;
    stays(manager, "seal_head").await
}
