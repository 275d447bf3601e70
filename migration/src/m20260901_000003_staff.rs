//! Staff and their duties.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::keyed("staff")
            .link("organisation_id", "organisation")
            .text("name")
            .text("staff_number")
            .text("gender")
            .sealed_null("phone", "phone_hash")
            .row_state()
            .unique("staff_number", &["organisation_id", "staff_number"])
            .create(manager)
            .await?;
        Shape::keyed("duty")
            .link("staff_id", "staff")
            .choice("kind", &["homeroom_teacher", "course_teacher", "year_head", "post"])
            .link("organisation_id", "organisation")
            .link_null("class_group_id", "class_group")
            .link_null("course_id", "course")
            .link_null("year_level_id", "year_level")
            .text_null("post")
            .period()
            .check(
                "class_group_id",
                "(class_group_id IS NOT NULL) = (kind IN ('homeroom_teacher', 'course_teacher'))",
            )
            .check("course_id", "(course_id IS NOT NULL) = (kind = 'course_teacher')")
            .check("year_level_id", "(year_level_id IS NOT NULL) = (kind = 'year_head')")
            .check("post", "(post IS NOT NULL) = (kind = 'post')")
            .index("staff_id", &["staff_id"])
            .index("class_group_id", &["class_group_id"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["duty", "staff"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
