//! Who saw what of a student: the durable lines, their index from students, and the view that joins them.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::DbBackend;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// One row of it for each student and each part of a line. Who it was is named by the member of staff; the
/// organisation is that of the grant, else the employer.
const VIEW: &str = "CREATE VIEW disclosure AS \
    SELECT s.student_id AS student_id, e.id AS id, e.at AS at, e.role AS role, e.reach AS reach, \
    e.purpose AS purpose, e.columns AS columns, a.staff_id AS staff_id, \
    COALESCE(g.organisation_id, c.school_id, y.school_id, t.organisation_id) AS organisation_id \
    FROM disclosure_set s \
    INNER JOIN disclosure_entry e ON e.set_id = s.set_id \
    LEFT JOIN account a ON a.id = e.account_id \
    LEFT JOIN staff t ON t.id = a.staff_id \
    LEFT JOIN access_grant g ON g.id = e.grant_id \
    LEFT JOIN class_group c ON c.id = g.class_group_id \
    LEFT JOIN year_level y ON y.id = g.year_level_id";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        lines(manager).await?;
        Shape::keyed("disclosure_entry")
            .uuid("line_id")
            .uuid("set_id")
            .instant("at")
            .uuid("account_id")
            .uuid_null("grant_id")
            .text("role")
            .text("reach")
            .text_null("purpose")
            .text("columns")
            .index("set_id", &["set_id", "at"])
            .create(manager)
            .await?;
        // Refers to no student: what it tells of may be destroyed before it.
        Shape::new("disclosure_set")
            .uuid("student_id")
            .uuid("set_id")
            .key(&["student_id", "set_id"])
            .index("set_id", &["set_id"])
            .create(manager)
            .await?;
        Shape::new("disclosure_progress")
            .integer("id")
            .integer("seq")
            .key(&["id"])
            .create(manager)
            .await?;
        let start = Query::insert()
            .into_table("disclosure_progress")
            .columns(["id", "seq"])
            .values_panic([Expr::val(1_i64), Expr::val(0_i64)])
            .to_owned();
        manager.execute(start).await?;
        manager.get_connection().execute_unprepared(VIEW).await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        manager.get_connection().execute_unprepared("DROP VIEW disclosure").await?;
        let tables =
            ["disclosure_progress", "disclosure_set", "disclosure_entry", "disclosure_line"];
        drop_all(manager, &tables).await?;
        if manager.get_database_backend() == DbBackend::Postgres {
            let function = "DROP FUNCTION disclosure_line_stays()";
            manager.get_connection().execute_unprepared(function).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}

/// The durable lines: added to and read, never changed. An embedded registry keeps them in a file of their own.
pub(crate) async fn lines(manager: &SchemaManager<'_>) -> Result<(), DbErr> {
    Shape::new("disclosure_line")
        .serial("seq")
        .uuid("id")
        .instant("at")
        .uuid("account_id")
        .text("request_id")
        .text_null("purpose")
        .text("policy_version")
        .bytes("parts")
        .create(manager)
        .await?;
    let guards: &[&str] = if manager.get_database_backend() == DbBackend::Postgres {
        &[
            "CREATE FUNCTION disclosure_line_stays() RETURNS trigger LANGUAGE plpgsql AS $$ \
             BEGIN RAISE EXCEPTION 'disclosure_line is only added to'; END $$",
            "CREATE TRIGGER disclosure_line_stays BEFORE UPDATE OR DELETE ON disclosure_line \
             FOR EACH ROW EXECUTE FUNCTION disclosure_line_stays()",
            "CREATE TRIGGER disclosure_line_all_stay BEFORE TRUNCATE ON disclosure_line \
             FOR EACH STATEMENT EXECUTE FUNCTION disclosure_line_stays()",
        ]
    } else {
        &[
            "CREATE TRIGGER disclosure_line_unchanged BEFORE UPDATE ON disclosure_line \
             BEGIN SELECT RAISE(ABORT, 'disclosure_line is only added to'); END",
            "CREATE TRIGGER disclosure_line_stays BEFORE DELETE ON disclosure_line \
             BEGIN SELECT RAISE(ABORT, 'disclosure_line is only added to'); END",
        ]
    };
    for guard in guards {
        manager.get_connection().execute_unprepared(guard).await?;
    }
    Ok(())
}
