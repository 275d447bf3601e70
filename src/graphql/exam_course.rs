//! ExamCourse in the schema: what it shows and where it leads.

use xueji_entity::value::{CourseId, ExamId, Thousandths};

use crate::access::view::Join;
use crate::view;

view! {
    /// One course of an examination with its marks (考试科目).
    pub struct ExamCourse from exam_course, hangs Open;
    fields {
        /// Highest possible score.
        full_mark: Thousandths = Organisation,
        /// Lowest score that passes.
        pass_mark: Thousandths = Organisation,
        /// Lowest score that counts as excellent.
        excellence_mark: Thousandths = Organisation,
    }
    keys {
        exam_id: ExamId = Organisation,
        course_id: CourseId = Organisation,
    }
    unseen { id }
    computed {
    }
    relations {
        /// The examination.
        exam: one exam by Join::To("exam_id"), key exam_id;
        /// The course.
        course: one course by Join::To("course_id"), key course_id;
    }
}
