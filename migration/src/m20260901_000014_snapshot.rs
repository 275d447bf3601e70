//! Snapshots: frozen facts for figures under disclosure control, and the tables published from them.
//!
//! The facts refer to nothing: what they tell of may be destroyed before them, and they carry no student's id.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::new("student_key")
            .uuid("student_id")
            .integer("key")
            .key(&["student_id"])
            .create(manager)
            .await?;
        Shape::keyed("snapshot")
            .integer("number")
            .choice("kind", &["nightly", "named"])
            .text_null("name")
            .date("day")
            .instant("taken_at")
            .integer("students")
            .boolean("facts")
            .check("name", "(name IS NOT NULL) = (kind = 'named')")
            .unique("number", &["number"])
            .unique("name", &["name"])
            .unique_where("day", &["day"], "kind = 'nightly'")
            .create(manager)
            .await?;
        Shape::new("snapshot_school")
            .integer("snapshot")
            .uuid("school_id")
            .uuid("authority_id")
            .uuid_null("county_id")
            .uuid_null("city_id")
            .uuid_null("province_id")
            .key(&["snapshot", "school_id", "authority_id"])
            .create(manager)
            .await?;
        Shape::new("snapshot_class")
            .integer("snapshot")
            .uuid("class_group_id")
            .uuid("school_id")
            .uuid("year_level_id")
            .key(&["snapshot", "class_group_id"])
            .create(manager)
            .await?;
        Shape::new("snapshot_paper")
            .integer("snapshot")
            .uuid("exam_id")
            .uuid("course_id")
            .uuid("term_id")
            .integer("full_mark")
            .integer("pass_mark")
            .integer("excellence_mark")
            .key(&["snapshot", "exam_id", "course_id"])
            .create(manager)
            .await?;
        Shape::new("snapshot_student")
            .integer("snapshot")
            .integer("key")
            .uuid("school_id")
            .uuid_null("county_id")
            .uuid("year_level_id")
            .text("stage")
            .text("state")
            .text("boarding")
            .text("gender")
            .text("ethnic_group")
            .text("left_behind")
            .boolean("needs_aid")
            .integer_null("size")
            .key(&["snapshot", "key"])
            .create(manager)
            .await?;
        Shape::new("snapshot_score")
            .integer("snapshot")
            .uuid("exam_id")
            .uuid("course_id")
            .integer("key")
            .uuid("home_id")
            .uuid("class_group_id")
            .integer("value")
            .index("exam_id", &["snapshot", "exam_id"])
            .create(manager)
            .await?;
        Shape::new("snapshot_attendance")
            .integer("snapshot")
            .uuid("class_group_id")
            .date("day")
            .uuid("home_id")
            .integer("students")
            .integer("excused")
            .integer("truant")
            .integer("all_high")
            .integer("all_low")
            .integer("excused_high")
            .integer("excused_low")
            .integer("truant_high")
            .integer("truant_low")
            .index("day", &["snapshot", "day"])
            .create(manager)
            .await?;
        Shape::new("snapshot_aid")
            .integer("snapshot")
            .integer("key")
            .uuid("programme_id")
            .uuid("term_id")
            .uuid("school_id")
            .uuid_null("county_id")
            .text("state")
            .integer("amount")
            .index("snapshot", &["snapshot"])
            .create(manager)
            .await?;
        Shape::new("snapshot_cell")
            .integer("snapshot")
            .text("table_name")
            .integer("position")
            .text("level")
            .uuid_null("place_id")
            .uuid_null("within_id")
            .text("keys")
            .integer_null("value")
            .key(&["snapshot", "table_name", "position"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(
            manager,
            &[
                "snapshot_cell",
                "snapshot_aid",
                "snapshot_attendance",
                "snapshot_score",
                "snapshot_student",
                "snapshot_paper",
                "snapshot_class",
                "snapshot_school",
                "snapshot",
                "student_key",
            ],
        )
        .await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
