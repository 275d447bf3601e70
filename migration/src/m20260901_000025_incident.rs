//! What stops in an emergency, and the parts of a log that were dropped because they were kept long enough.
//!
//! A line, seal or head goes only where the record of its part says so, which is written first and never changed. The
//! record is signed: whoever has the database alone can write one that no verification takes for true.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The tables that lose rows with a dropped part.
const KEPT: [&str; 4] = ["audit", "disclosure_line", "seal", "seal_head"];

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::keyed("emergency_stop")
            .choice("kind", &["account", "role", "exports"])
            .link_null("account_id", "account")
            .text_null("role")
            .instant("since")
            .uuid_null("by_id")
            .text("reason")
            .instant_null("lifted_at")
            .uuid_null("lifted_by_id")
            .check("account_id", "(kind = 'account') = (account_id IS NOT NULL)")
            .check("role", "(kind = 'role') = (role IS NOT NULL)")
            .check("lifted_at", "lifted_at IS NOT NULL OR lifted_by_id IS NULL")
            .unique_where("account_id", &["account_id"], "lifted_at IS NULL")
            .unique_where("role", &["role"], "lifted_at IS NULL")
            .create(manager)
            .await?;
        parts(manager).await?;
        for table in KEPT {
            guard(manager, table, Some(&dropped(table))).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        for table in KEPT {
            guard(manager, table, None).await?;
        }
        drop_all(manager, &["seal_partition", "emergency_stop"]).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let function = "DROP FUNCTION seal_partition_stays()";
            manager.get_connection().execute_unprepared(function).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// The records of dropped parts, which are only ever added to.
async fn parts(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    if !manager.has_table("seal_partition").await? {
        Shape::new("seal_partition")
            .text("log")
            .integer("position")
            .integer("first")
            .integer("lines")
            .bytes("hash")
            .instant("since")
            .instant("until")
            .instant("dropped_at")
            .integer("key_id")
            .bytes("signature")
            .key(&["log", "position"])
            .create(manager)
            .await?;
    }
    let db = manager.get_connection();
    let why = "seal_partition is only added to";
    let statements = if manager.get_database_backend() == DbBackend::Postgres {
        vec![
            format!(
                "CREATE FUNCTION seal_partition_stays() RETURNS trigger LANGUAGE plpgsql AS $$ \
                 BEGIN RAISE EXCEPTION '{why}'; END $$"
            ),
            "CREATE TRIGGER seal_partition_stays BEFORE UPDATE OR DELETE ON seal_partition \
             FOR EACH ROW EXECUTE FUNCTION seal_partition_stays()"
                .to_owned(),
            "CREATE TRIGGER seal_partition_all_stay BEFORE TRUNCATE ON seal_partition \
             FOR EACH STATEMENT EXECUTE FUNCTION seal_partition_stays()"
                .to_owned(),
        ]
    } else {
        vec![
            format!(
                "CREATE TRIGGER IF NOT EXISTS seal_partition_unchanged BEFORE UPDATE ON seal_partition \
                 BEGIN SELECT RAISE(ABORT, '{why}'); END"
            ),
            format!(
                "CREATE TRIGGER IF NOT EXISTS seal_partition_stays BEFORE DELETE ON seal_partition \
                 BEGIN SELECT RAISE(ABORT, '{why}'); END"
            ),
        ]
    };
    for statement in statements {
        db.execute_unprepared(&statement).await?;
    }
    Ok(())
}

/// The condition under which a row is of a part that was dropped.
fn dropped(table: &str) -> String {
    match table {
        "seal" | "seal_head" => "EXISTS (SELECT 1 FROM seal_partition p WHERE p.log = OLD.log \
             AND OLD.position <= p.position)"
            .to_owned(),
        log => format!(
            "EXISTS (SELECT 1 FROM seal s JOIN seal_partition p ON p.log = s.log \
             AND s.position BETWEEN p.first AND p.position \
             WHERE s.log = '{log}' AND s.line_id = OLD.id)"
        ),
    }
}

/// Refuses to remove rows of a table, but for those that meet a condition.
async fn guard(
    manager: &SchemaManager<'_>,
    table: &str,
    unless: Option<&str>,
) -> Result<(), DbErr> {
    let db = manager.get_connection();
    let why = format!("{table} is only added to");
    if manager.get_database_backend() == DbBackend::Postgres {
        let may = match unless {
            Some(may) => {
                format!("IF TG_OP = 'DELETE' THEN IF {may} THEN RETURN OLD; END IF; END IF; ")
            }
            None => String::new(),
        };
        let function = format!(
            "CREATE OR REPLACE FUNCTION {table}_stays() RETURNS trigger LANGUAGE plpgsql AS $$ \
             BEGIN {may}RAISE EXCEPTION '{why}'; END $$"
        );
        db.execute_unprepared(&function).await?;
        return Ok(());
    }
    let refused = match unless {
        Some(may) => format!("SELECT RAISE(ABORT, '{why}') WHERE NOT {may}"),
        None => format!("SELECT RAISE(ABORT, '{why}')"),
    };
    db.execute_unprepared(&format!("DROP TRIGGER IF EXISTS {table}_stays")).await?;
    let trigger =
        format!("CREATE TRIGGER {table}_stays BEFORE DELETE ON {table} BEGIN {refused}; END");
    db.execute_unprepared(&trigger).await.map(|_| ())
}

/// The same in the file of the log of disclosures; what is there already is left alone.
pub(crate) async fn in_file(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    parts(manager).await?;
    for table in ["disclosure_line", "seal"] {
        guard(manager, table, Some(&dropped(table))).await?;
    }
    // The last thing that is made says that all is there.
    guard(manager, "seal_head", Some(&dropped("seal_head"))).await
}
