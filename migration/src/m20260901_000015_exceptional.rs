//! Exceptional access: grants with an instant and a giver, records opened and reviewed, tries that count
//! against a limit, the purpose of an audit line.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

/// The columns that a grant gains. They refer to nothing by foreign key: SQLite adds none to a table.
fn grant_columns() -> Vec<ColumnDef> {
    let column = |name: &'static str| ColumnDef::new(name);
    vec![
        column("expires_at").timestamp_with_time_zone().null().to_owned(),
        column("granted_by_id").uuid().null().to_owned(),
        column("delegated_from_id").uuid().null().to_owned(),
        column("reason").text().null().to_owned(),
    ]
}

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One column at a time: SQLite alters no more in one statement.
        for column in grant_columns() {
            let alter = Table::alter().table("access_grant").add_column(column).to_owned();
            manager.alter_table(alter).await?;
        }
        let purpose = ColumnDef::new("purpose").text().null().to_owned();
        let alter = Table::alter().table("audit").add_column(purpose).to_owned();
        manager.alter_table(alter).await?;
        Shape::of_student("access_review")
            .link("account_id", "account")
            .text("opened_by")
            .text("opened_as")
            .text("reason")
            .text("purpose")
            .instant("opened_at")
            .instant("expires_at")
            .instant("due_at")
            .choice("state", &["waiting", "justified", "unjustified"])
            .instant_null("decided_at")
            .link_null("decided_by_id", "account")
            .text_null("note")
            .row_state()
            .check("expires_at", "expires_at > opened_at")
            .check("decided_at", "(state = 'waiting') = (decided_at IS NULL)")
            .index("account_id", &["account_id", "expires_at"])
            .create(manager)
            .await?;
        Shape::keyed("act_try")
            .link("account_id", "account")
            .text("action")
            .instant("at")
            .index("account_id", &["account_id", "action", "at"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["act_try", "access_review"]).await?;
        let alter = Table::alter().table("audit").drop_column("purpose").to_owned();
        manager.alter_table(alter).await?;
        for column in ["reason", "delegated_from_id", "granted_by_id", "expires_at"] {
            let alter = Table::alter().table("access_grant").drop_column(column).to_owned();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
