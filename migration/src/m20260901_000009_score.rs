//! Examinations, their courses and the scores.

use sea_orm_migration::prelude::*;

use crate::shape::{Shape, drop_all};

/// The migration of this file.
#[derive(DeriveMigrationName)]
pub(crate) struct Migration;

#[async_trait::async_trait]
impl MigrationTrait for Migration {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        Shape::keyed("exam")
            .link("school_id", "organisation")
            .link("year_level_id", "year_level")
            .link("term_id", "term")
            .text("name")
            .choice("kind", &["monthly", "midterm", "final_exam", "mock", "entrance"])
            .date("starts_on")
            .choice("state", &["draft", "published", "locked"])
            .index("year_level_id", &["year_level_id"])
            .index("school_id", &["school_id", "term_id"])
            .create(manager)
            .await?;
        Shape::keyed("exam_course")
            .link("exam_id", "exam")
            .link("course_id", "course")
            .integer("full_mark")
            .integer("pass_mark")
            .integer("excellence_mark")
            .check(
                "marks",
                "0 <= pass_mark AND pass_mark <= excellence_mark AND excellence_mark <= full_mark",
            )
            .unique("course_id", &["exam_id", "course_id"])
            .create(manager)
            .await?;
        // The largest table by far, loaded in bulk: each further index costs every row of a load. What needs the
        // scores of a class finds its students or its exams first.
        Shape::of_student("score")
            .link("exam_id", "exam")
            .link("course_id", "course")
            .link("class_group_id", "class_group")
            .integer_null("value")
            .text_null("level")
            .text("nature")
            .text_null("absence")
            .boolean("published")
            .link_null("entered_by_id", "staff")
            .instant("entered_at")
            .row_state()
            .check("value", "value BETWEEN 0 AND 9999900")
            .unique("nature", &["student_id", "exam_id", "course_id", "nature"])
            .index("exam_id", &["exam_id", "course_id"])
            .create(manager)
            .await?;
        Ok(())
    }

    async fn down(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        drop_all(manager, &["score", "exam_course", "exam"]).await
    }

    fn use_transaction(&self) -> Option<bool> {
        Some(true)
    }
}
