//! School years, terms, year levels, classes and courses.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

const STAGES: &[&str] = &["preschool", "primary", "junior", "senior", "special", "specialised"];

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::keyed("school_year")
            .text("name")
            .date("starts_on")
            .date("ends_on")
            .check("ends_on", "ends_on >= starts_on")
            .unique("name", &["name"])
            .create(manager)
            .await?;
        Shape::keyed("term")
            .link("school_year_id", "school_year")
            .text("kind")
            .text("name")
            .date("starts_on")
            .date("ends_on")
            .check("ends_on", "ends_on >= starts_on")
            .unique("kind", &["school_year_id", "kind"])
            .create(manager)
            .await?;
        Shape::keyed("year_level")
            .link("school_id", "organisation")
            .choice("stage", STAGES)
            .integer("entry_year")
            .integer("year_in_stage")
            .text("name")
            .unique("cohort", &["school_id", "stage", "entry_year"])
            .index("school_id", &["school_id"])
            .create(manager)
            .await?;
        Shape::keyed("class_group")
            .link("school_id", "organisation")
            .link("year_level_id", "year_level")
            .link("school_year_id", "school_year")
            .integer("number")
            .text("name")
            .text("kind")
            .unique("number", &["year_level_id", "school_year_id", "number"])
            .index("school_id", &["school_id"])
            .create(manager)
            .await?;
        Shape::keyed("course")
            .text("subject")
            .text("name")
            .choice("stage", STAGES)
            .unique("subject", &["subject", "stage"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["course", "class_group", "year_level", "term", "school_year"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
