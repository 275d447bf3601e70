//! Destruction (销毁): batches and their frozen rows, certificates that nobody takes away before their day, tombstones
//! for a restore, legal holds, and records that are restricted.

use sea_orm_migration::prelude::*;
use sea_orm_migration::sea_orm::{ConnectionTrait, DbBackend};

use crate::shape::{Shape, drop_all};

#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::keyed("destruction_batch")
            .text("class")
            .link("school_id", "organisation")
            .date("cutoff")
            .integer("rows")
            .integer("students")
            .bytes("digest")
            .text("reason")
            .choice("state", &["proposed", "approved", "destroyed", "withdrawn"])
            .link("proposed_by_id", "account")
            .instant("proposed_at")
            .link_null("approved_by_id", "account")
            .instant_null("approved_at")
            .link_null("second_approved_by_id", "account")
            .instant_null("second_approved_at")
            .link_null("executed_by_id", "account")
            .instant_null("executed_at")
            .instant_null("outside_at")
            .index("state", &["school_id", "state"])
            .create(manager)
            .await?;
        Shape::new("destruction_item")
            .link("batch_id", "destruction_batch")
            .text("noun")
            .text("columns")
            .uuid("row_id")
            .uuid("student_id")
            .boolean("kept")
            .date_null("kept_until")
            .text_null("kept_why")
            .key(&["batch_id", "noun", "columns", "row_id"])
            .index("row", &["row_id"])
            .create(manager)
            .await?;
        Shape::keyed("destruction_certificate")
            .link("batch_id", "destruction_batch")
            .text("class")
            .text("term")
            .uuid("school_id")
            .text("school")
            .date("cutoff")
            .integer("rows")
            .integer("students")
            .text("counts")
            .text("people")
            .text("method")
            .bytes("digest")
            .instant("destroyed_at")
            .date("keep_until")
            .unique("batch", &["batch_id"])
            .create(manager)
            .await?;
        Shape::new("destroyed_row")
            .text("noun")
            .text("columns")
            .bytes("row_hash")
            .uuid("batch_id")
            .key(&["noun", "columns", "row_hash"])
            .index("batch", &["batch_id"])
            .create(manager)
            .await?;
        Shape::keyed("legal_hold")
            .uuid("student_id")
            .text("reason")
            .link("set_by_id", "account")
            .instant("set_at")
            .link_null("released_by_id", "account")
            .instant_null("released_at")
            .index("student", &["student_id"])
            .create(manager)
            .await?;
        Shape::keyed("restriction")
            .uuid("student_id")
            .uuid("school_id")
            .text("reason")
            .choice("state", &["proposed", "in_force", "refused", "lifted"])
            .link("proposed_by_id", "account")
            .instant("proposed_at")
            .link_null("decided_by_id", "account")
            .instant_null("decided_at")
            .text_null("lifted_why")
            .link_null("lifted_by_id", "account")
            .instant_null("lifted_at")
            .index("student", &["student_id"])
            .index("state", &["school_id", "state"])
            .unique_where("open", &["student_id"], "state IN ('proposed', 'in_force')")
            .create(manager)
            .await?;
        let statements: &[&str] = match manager.get_database_backend() {
            DbBackend::Postgres => &[
                "CREATE FUNCTION destruction_certificate_stays() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 IF TG_OP = 'DELETE' AND OLD.keep_until <= current_date THEN RETURN OLD; END IF; \
                 RAISE EXCEPTION 'a certificate stays as it is until its day'; END $$",
                "CREATE TRIGGER destruction_certificate_stays BEFORE UPDATE OR DELETE ON destruction_certificate \
                 FOR EACH ROW EXECUTE FUNCTION destruction_certificate_stays()",
                "CREATE FUNCTION destruction_certificate_all_stay() RETURNS trigger LANGUAGE plpgsql AS $$ \
                 BEGIN RAISE EXCEPTION 'certificates stay until their day'; END $$",
                "CREATE TRIGGER destruction_certificate_all_stay BEFORE TRUNCATE ON destruction_certificate \
                 FOR EACH STATEMENT EXECUTE FUNCTION destruction_certificate_all_stay()",
            ],
            DbBackend::Sqlite | DbBackend::MySql | _ => &[
                "CREATE TRIGGER destruction_certificate_unchanged BEFORE UPDATE ON destruction_certificate \
                 BEGIN SELECT RAISE(ABORT, 'a certificate stays as it is'); END",
                "CREATE TRIGGER destruction_certificate_stays BEFORE DELETE ON destruction_certificate \
                 WHEN OLD.keep_until > date('now') \
                 BEGIN SELECT RAISE(ABORT, 'a certificate stays until its day'); END",
            ],
        };
        for statement in statements {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        let db = manager.get_connection();
        let postgres = manager.get_database_backend() == DbBackend::Postgres;
        if postgres {
            for trigger in ["destruction_certificate_stays", "destruction_certificate_all_stay"] {
                db.execute_unprepared(&format!(
                    "DROP TRIGGER {trigger} ON destruction_certificate"
                ))
                .await?;
                db.execute_unprepared(&format!("DROP FUNCTION {trigger}()")).await?;
            }
        } else {
            for trigger in ["destruction_certificate_unchanged", "destruction_certificate_stays"] {
                db.execute_unprepared(&format!("DROP TRIGGER {trigger}")).await?;
            }
        }
        let tables = [
            "restriction",
            "legal_hold",
            "destroyed_row",
            "destruction_certificate",
            "destruction_item",
            "destruction_batch",
        ];
        drop_all(manager, &tables).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
