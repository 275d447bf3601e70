//! AccessReview in the schema: what it shows, where it leads, and how a record is opened and reviewed.

use async_graphql::{Context, ID, InputObject, Object, Result as GraphResult, SimpleObject};
use sea_orm::prelude::DateTimeUtc;
use xueji_entity::access_review::ReviewState;
use xueji_entity::value::{AccountId, Narrative, PersonName};

use super::engine::output::One;
use super::query::{context, fail, graph};
use super::scalar::Instant;
use crate::access::filter::Key;
use crate::access::view::Join;
use crate::domain::exceptional::open::{self, Named, Open, Opened};
use crate::domain::exceptional::review::{Decide, decide};
use crate::error::Error;
use crate::view;

view! {
    /// A record that somebody opened beyond their reach, for a short time (紧急查阅).
    pub struct AccessReview from access_review, hangs OfStudent;
    fields {
        /// Who opened it.
        opened_by: PersonName = Trace,
        /// The role that let it open records, as in the policy files.
        opened_as: String = Trace,
        /// Why, in the words of whoever opened it.
        reason: Narrative = Narrative,
        /// Code of the purpose.
        purpose: String = Trace,
        /// From when.
        opened_at: DateTimeUtc = Trace,
        /// Until when.
        expires_at: DateTimeUtc = Trace,
        /// When the review is due; while it is overdue, whoever opened the record can open no other.
        due_at: DateTimeUtc = Trace,
        /// What came of the review.
        state: ReviewState = Trace,
        /// When it was decided.
        decided_at: Option<DateTimeUtc> = Trace,
        /// A note of whoever decided.
        note: Option<Narrative> = Narrative,
    }
    keys {
        account_id: AccountId = Trace,
        decided_by_id: Option<AccountId> = Trace,
    }
    unseen { student_id, id, lifecycle, row_version, updated_at }
    computed {
    }
    relations {
        /// The pupil, as far as you may see.
        student: one student by Join::ToStudent;
        /// The account that opened it.
        account: one account by Join::To("account_id"), key account_id;
        /// The account that decided.
        decided_by: one account by Join::To("decided_by_id"), key decided_by_id;
    }
}

/// A record to be opened beyond your reach. Name the pupil by `studentId`, or by the status number
/// together with the name.
#[derive(InputObject)]
pub struct RecordOpenInput {
    /// The pupil, by an id that you were once given.
    student_id: Option<ID>,
    /// The national student number (学籍号) in full.
    national_student_number: Option<String>,
    /// The pupil's name, exactly as registered.
    name: Option<String>,
    /// Why the record must be opened, for the reviewers: 5 to 500 characters, without the pupil's data.
    reason: String,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// A record that is open.
#[derive(Debug, SimpleObject)]
pub struct RecordOpenPayload {
    /// The pupil: ask for the record by this id until it closes.
    student_id: ID,
    /// When it closes again.
    expires_at: Instant,
    /// When the review of this use is due.
    review_due_at: Instant,
}

/// A decision over a use of break-glass.
#[derive(InputObject)]
pub struct AccessReviewDecideInput {
    /// The use; one that is not yours to review is `NOT_FOUND`.
    id: ID,
    /// Whether the reason holds.
    justified: bool,
    /// A note of at most 500 characters.
    note: Option<String>,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// What came of a review.
#[derive(Debug)]
pub struct AccessReviewDecidePayload {
    cx: crate::domain::Cx,
    key: Option<Key>,
}

/// What came of a review.
#[Object(serial)]
impl AccessReviewDecidePayload {
    /// The use that was reviewed, as you may see it.
    async fn access_review(&self, ctx: &Context<'_>) -> GraphResult<One<AccessReview>> {
        One::by_key(&self.cx, self.key).map_err(|error| graph(fail(ctx, error)))
    }
}

/// What opens records and reviews that.
#[derive(Debug, Default)]
pub struct AccessReviewMutation;

#[Object]
impl AccessReviewMutation {
    /// Opens the record of a pupil beyond your reach for a short time (紧急查阅), for the purpose that
    /// the header `Xueji-Purpose` states. Every use is on record, reaches the reviewers at once and is
    /// reviewed; an unknown pupil and a wrong name are `NOT_FOUND` alike and count against your limit.
    async fn record_open(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pupil and the reason.")] input: RecordOpenInput,
    ) -> GraphResult<RecordOpenPayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let RecordOpenInput { student_id, national_student_number, name, reason, idempotency_key } =
            input;
        let noun = |name| {
            let found = cx.registry().get(name);
            found.ok_or_else(|| refuse(Error::internal("a noun is not registered")))
        };
        let student = noun("student")?;
        let named = match (student_id, national_student_number, name) {
            (Some(id), None, None) => {
                Named::Id(cx.opaque.open_id_of(student, &id).map(|key| key.id))
            }
            (None, Some(number), Some(name)) => Named::Number { number, name },
            _ => {
                return Err(refuse(Error::invalid(
                    "studentId",
                    "name the pupil by studentId alone, or by nationalStudentNumber and name",
                    "请仅用 studentId，或同时用 nationalStudentNumber 与 name 指明学生",
                )));
            }
        };
        let open = Open { named, reason };
        let done = open::open(cx, &open, idempotency_key.as_deref()).await.map_err(refuse)?;
        let Opened { student: id, expires_at, due_at, .. } = done;
        Ok(RecordOpenPayload {
            student_id: ID(cx.opaque.id(student, Key { student: None, id })),
            expires_at: Instant(expires_at),
            review_due_at: Instant(due_at),
        })
    }

    /// Decides whether a record was opened with reason (紧急查阅复核). Nobody decides over an own use.
    async fn access_review_decide(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The use and the decision.")] input: AccessReviewDecideInput,
    ) -> GraphResult<AccessReviewDecidePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let AccessReviewDecideInput { id, justified, note, idempotency_key } = input;
        let noun = cx
            .registry()
            .of::<AccessReview>()
            .ok_or_else(|| refuse(Error::internal("a view is not registered")))?;
        let key = cx.opaque.open_id_of(noun, &id);
        let act = Decide { key, justified, note };
        decide(cx, &act, idempotency_key.as_deref()).await.map_err(refuse)?;
        Ok(AccessReviewDecidePayload { cx: cx.clone(), key })
    }
}
