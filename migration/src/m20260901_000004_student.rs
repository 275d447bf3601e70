//! Students, their documents and their numbers.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::keyed("student")
            .text("name")
            .text_null("name_pinyin")
            .text_null("former_name")
            .text("gender")
            .date("birth_date")
            .text_null("birthplace")
            .text_null("native_place")
            .text("ethnic_group")
            .text("nationality")
            .text_null("overseas_status")
            .text_null("political_status")
            .text("health_status")
            .text_null("blood_group")
            .text("id_type")
            .sealed_null("id_number", "id_number_hash")
            .date_null("id_valid_until")
            .sealed_null("national_student_number", "national_student_number_hash")
            .text_null("auxiliary_number")
            .text_null("household_place")
            .text_null("household_kind")
            .text_null("talents")
            .bytes_null("current_address")
            .bytes_null("mailing_address")
            .bytes_null("home_address")
            .sealed_null("phone", "phone_hash")
            .bytes_null("postal_code")
            .sealed_null("email", "email_hash")
            .boolean_null("only_child")
            .boolean_null("attended_preschool")
            .choice("left_behind", &["none", "one_parent", "both_parents"])
            .boolean("migrant_child")
            .boolean("orphan")
            .boolean("martyr_family")
            .text_null("disability")
            .boolean("in_regular_class")
            .boolean("bought_place")
            .boolean("needs_aid")
            .boolean("living_subsidy")
            .integer_null("distance_m")
            .choice_null(
                "transport",
                &["walk", "bicycle", "public_transport", "parent", "school_bus", "other"],
            )
            .boolean("needs_school_bus")
            .instant("created_at")
            .row_state()
            .check("id_number", "id_number IS NOT NULL OR id_type = 'SFZJLX:Z'")
            .index("name", &["name"])
            .create(manager)
            .await?;
        Shape::of_student("identity_document")
            .text("kind")
            .sealed_null("number", "number_hash")
            .period()
            .boolean("school_certificate")
            .row_state()
            .create(manager)
            .await?;
        Shape::of_student("student_number")
            .choice("kind", &["formal", "temporary", "provisional"])
            .sealed("number", "number_hash")
            .period()
            .row_state()
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["student_number", "identity_document", "student"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
