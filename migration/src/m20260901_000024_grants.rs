//! Grants that are given by hand and by two people: what a grant came from, requests that wait for a second
//! person, and which grants were looked through in a term.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

const GUARDIANS: &str = "ix_guardian_account_id";
const INDEX: &str = "ix_access_grant_origin_id";

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        // One column at a time: SQLite alters no more in one statement.
        for column in [
            ColumnDef::new("origin").text().null().to_owned(),
            ColumnDef::new("origin_id").uuid().null().to_owned(),
        ] {
            let alter = Table::alter().table("access_grant").add_column(column).to_owned();
            manager.alter_table(alter).await?;
        }
        let index = Index::create()
            .name(INDEX)
            .table("access_grant")
            .col("origin_id")
            .and_where(Expr::cust("origin_id IS NOT NULL AND ended_at IS NULL"))
            .to_owned();
        manager.create_index(index).await?;
        // Of all family members few have an account.
        let index = Index::create()
            .name(GUARDIANS)
            .table("guardian")
            .col("account_id")
            .and_where(Expr::cust("account_id IS NOT NULL"))
            .to_owned();
        manager.create_index(index).await?;
        Shape::keyed("grant_request")
            .link("account_id", "account")
            .text("role")
            .choice("reach", &["teaching", "class", "year_level", "school", "region", "anywhere"])
            .link_null("class_group_id", "class_group")
            .link_null("course_id", "course")
            .link_null("year_level_id", "year_level")
            .link_null("organisation_id", "organisation")
            .date("since")
            .date("until")
            .check("until", "until >= since")
            .text("reason")
            .link("requested_by_id", "account")
            .instant("requested_at")
            .instant("expires_at")
            .choice("state", &["waiting", "approved", "refused", "withdrawn", "expired"])
            .link_null("decided_by_id", "account")
            .instant_null("decided_at")
            .link_null("grant_id", "access_grant")
            .check("decided_at", "(state = 'waiting') = (decided_at IS NULL)")
            .check("grant_id", "(state = 'approved') = (grant_id IS NOT NULL)")
            .index("account_id", &["account_id"])
            .index_where("waiting", &["expires_at"], "state = 'waiting'")
            .create(manager)
            .await?;
        Shape::keyed("grant_review")
            .link("grant_id", "access_grant")
            .link("term_id", "term")
            .link("confirmed_by_id", "account")
            .instant("confirmed_at")
            .unique("grant_id", &["grant_id", "term_id"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["grant_review", "grant_request"]).await?;
        manager.drop_index(Index::drop().name(GUARDIANS).table("guardian").to_owned()).await?;
        manager.drop_index(Index::drop().name(INDEX).table("access_grant").to_owned()).await?;
        for column in ["origin_id", "origin"] {
            let alter = Table::alter().table("access_grant").drop_column(column).to_owned();
            manager.alter_table(alter).await?;
        }
        Ok(())
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
