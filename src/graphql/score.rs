//! Score in the schema: what it shows and where it leads.

use sea_orm::prelude::DateTimeUtc;
use xueji_entity::value::{ClassGroupId, Code, CourseId, ExamId, StaffId, Thousandths};

use crate::access::catalogue::Class;
use crate::access::view::Join;
use crate::view;

view! {
    /// One result of a student in one course of an examination (成绩).
    pub struct Score from score, hangs Score;
    fields {
        /// The score; null where only a level or an absence is recorded.
        value: Option<Thousandths> = Academic,
        /// The level, such as `A`, where levels are given.
        level: Option<String> = Academic,
        /// Ordinary, make-up, deferred …, list `KSXZ`.
        nature: Code = Academic,
        /// Absence or cheating, list `QKWB`.
        absence: Option<Code> = Academic,
        /// Whether the student may know it; set for a whole examination.
        published: bool = Academic,
        /// When it was entered.
        entered_at: DateTimeUtc = Academic,
    }
    keys {
        exam_id: ExamId = Academic,
        course_id: CourseId = Academic,
        class_group_id: ClassGroupId = Academic,
        entered_by_id: Option<StaffId> = Academic,
    }
    unseen { student_id, id, lifecycle, row_version, updated_at }
    computed {
        /// The mean of the class in this course and examination; not under ten scores.
        course_mean = Academic Class::Outlet,
        /// Statistics of scores, in aggregates only.
        statistics = Academic Class::Outlet,
    }
    relations {
        /// The pupil.
        student: one student by Join::ToStudent;
        /// The examination.
        exam: one exam by Join::To("exam_id"), key exam_id;
        /// The course.
        course: one course by Join::To("course_id"), key course_id;
        /// The class at the time of the examination.
        class_group: one class_group by Join::To("class_group_id"), key class_group_id;
        /// Who entered it.
        entered_by: one staff by Join::To("entered_by_id"), key entered_by_id;
    }
}
