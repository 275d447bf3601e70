//! Accounts and the grants of access that they hold.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::keyed("account")
            .text("login")
            .choice("kind", &["staff", "student", "guardian", "client"])
            .text("display_name")
            .link_null("staff_id", "staff")
            .link_null("student_id", "student")
            .boolean("disabled")
            .instant("created_at")
            .unique("login", &["login"])
            .create(manager)
            .await?;
        Shape::keyed("access_grant")
            .link("account_id", "account")
            .text("role")
            .choice(
                "reach",
                &["own", "ward", "teaching", "class", "year_level", "school", "region", "anywhere"],
            )
            .link_null("student_id", "student")
            .link_null("class_group_id", "class_group")
            .link_null("course_id", "course")
            .link_null("year_level_id", "year_level")
            .link_null("organisation_id", "organisation")
            .period()
            .instant_null("ended_at")
            .check("student_id", "(student_id IS NOT NULL) = (reach IN ('own', 'ward'))")
            .check(
                "class_group_id",
                "(class_group_id IS NOT NULL) = (reach IN ('teaching', 'class'))",
            )
            .check("course_id", "(course_id IS NOT NULL) = (reach = 'teaching')")
            .check("year_level_id", "(year_level_id IS NOT NULL) = (reach = 'year_level')")
            .check(
                "organisation_id",
                "(organisation_id IS NOT NULL) = (reach IN ('school', 'region'))",
            )
            .index("account_id", &["account_id"])
            .index("student_id", &["student_id"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["access_grant", "account"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
