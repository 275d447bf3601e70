//! Organisations and the authorities of schools.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::keyed("organisation")
            .choice("level", &["nation", "province", "city", "county", "school"])
            .link_null("parent_id", "organisation")
            .text("name")
            .text_null("division_code")
            .text_null("school_code")
            .text_null("school_kind")
            .link_null("province_id", "organisation")
            .link_null("city_id", "organisation")
            .link_null("county_id", "organisation")
            .check("school_code", "school_code IS NULL OR length(school_code) = 10")
            .unique_where("school_code", &["school_code"], "school_code IS NOT NULL")
            .index("parent_id", &["parent_id"])
            .index("province_id", &["province_id"])
            .index("city_id", &["city_id"])
            .index("county_id", &["county_id"])
            .create(manager)
            .await?;
        Shape::keyed("school_authority")
            .link("school_id", "organisation")
            .link("authority_id", "organisation")
            .period()
            .unique_where("current", &["school_id"], "until IS NULL")
            .index("school_id", &["school_id"])
            .index("authority_id", &["authority_id"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["school_authority", "organisation"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
