//! Exam in the schema: what it shows, where it leads, and how its scores are published.

use async_graphql::{Context, ID, InputObject, Object, Result as GraphResult};
use chrono::NaiveDate;
use xueji_entity::exam::ExamKind;
use xueji_entity::exam::ExamState;
use xueji_entity::value::{OrganisationId, TermId, YearLevelId};

use super::engine::output::One;
use super::query::{context, fail, graph};
use crate::access::filter::Key;
use crate::access::view::Join;
use crate::domain::Cx;
use crate::domain::exam::publish::{Publish, Published, publish};
use crate::error::Error;
use crate::view;

view! {
    /// An examination of one year level in one term (考试).
    pub struct Exam from exam, hangs Exam;
    fields {
        /// Name for people.
        name: String = Organisation,
        /// Kind of examination.
        kind: ExamKind = Organisation,
        /// First day.
        starts_on: NaiveDate = Organisation,
        /// How far entry of its scores has come.
        state: ExamState = Organisation,
    }
    keys {
        school_id: OrganisationId = Organisation,
        year_level_id: YearLevelId = Organisation,
        term_id: TermId = Organisation,
    }
    unseen { id }
    computed {
    }
    relations {
        /// The school.
        school: one organisation by Join::To("school_id"), key school_id;
        /// The year level.
        year_level: one year_level by Join::To("year_level_id"), key year_level_id;
        /// The term.
        term: one term by Join::To("term_id"), key term_id;
        /// Its courses with their marks.
        courses: many exam_course by Join::From("exam_id"), bounded true, order [("full_mark", true)];
    }
}

/// The examination whose scores are to be published.
#[derive(InputObject)]
pub struct ExamPublishInput {
    /// The examination; one that is not yours to publish is `NOT_FOUND`.
    exam_id: ID,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// What publishing an examination has done.
#[derive(Debug)]
pub struct ExamPublishPayload {
    cx: Cx,
    exam: Option<Key>,
    done: Published,
}

/// What publishing an examination has done.
#[Object(serial)]
impl ExamPublishPayload {
    /// The examination, as you may see it.
    async fn exam(&self, ctx: &Context<'_>) -> GraphResult<One<Exam>> {
        One::by_key(&self.cx, self.exam).map_err(|error| graph(fail(ctx, error)))
    }

    /// How many pupils have a score that they did not know before.
    async fn students(&self) -> u64 {
        self.done.students
    }

    /// How many scores were not published before.
    async fn scores(&self) -> u64 {
        self.done.scores
    }

    /// How many pupils who were in the year level on the day lack a score in one of the courses or more:
    /// a warning, which stops nothing.
    async fn without_score(&self) -> u64 {
        self.done.without_score
    }
}

/// What changes examinations.
#[derive(Debug, Default)]
pub struct ExamMutation;

#[Object]
impl ExamMutation {
    /// Publishes the scores of an examination (发布成绩): from then on pupils and families see them.
    /// All of its scores or none, once: an examination that is published or locked, or that has no
    /// score, is refused.
    async fn exam_publish(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The examination.")] input: ExamPublishInput,
    ) -> GraphResult<ExamPublishPayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let ExamPublishInput { exam_id, idempotency_key } = input;
        let noun = cx
            .registry()
            .of::<Exam>()
            .ok_or_else(|| refuse(Error::internal("a view is not registered")))?;
        let exam = cx.opaque.open_id_of(noun, &exam_id);
        let done = publish(cx, &Publish { exam }, idempotency_key.as_deref()).await;
        Ok(ExamPublishPayload { cx: cx.clone(), exam, done: done.map_err(refuse)? })
    }
}
