//! Opinions and reports in the schema: raised by whoever belongs to a school, answered by who handles them.
//!
//! Shape only: who may do what, and where, is decided in the domain.

use async_graphql::{Context, ID, InputObject, Object, Result as GraphResult, SimpleObject};
use xueji_entity::concern::{ConcernKind, ConcernState};

use super::query::{context, fail, graph};
use super::scalar::{Date, Instant};
use crate::access::filter::Key;
use crate::domain::Cx;
use crate::domain::concern::{self, Answer, Raise};
use crate::error::{Error, Result};

/// Who raised something and let themselves be named.
#[derive(Clone, Debug, SimpleObject)]
pub struct ConcernAccount {
    /// The account.
    id: ID,
    /// Its login.
    login: String,
}

/// An opinion about a school, or a report of an unlawful act there (意见与举报).
#[derive(Clone, SimpleObject)]
pub struct Concern {
    /// By which it is answered.
    id: ID,
    /// An opinion, or a report.
    kind: ConcernKind,
    /// The school.
    school_id: ID,
    /// Whether who raised it let themselves be named.
    named: bool,
    /// Who raised it; null where they are not named, for everybody.
    raised_by: Option<ConcernAccount>,
    /// What was said.
    text: String,
    /// How content they are with how the school handles data, 1 to 5 (满意度); null where nothing was chosen.
    satisfaction: Option<i64>,
    /// How far it is.
    state: ConcernState,
    /// The answer; null while it is open.
    answer: Option<String>,
    /// The day on which it was raised.
    raised_on: Date,
    /// When it was answered.
    answered_at: Option<Instant>,
}

impl std::fmt::Debug for Concern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Concern(…)")
    }
}

/// What is raised.
#[derive(InputObject)]
pub struct ConcernRaiseInput {
    /// Your school, or that of a child whose guardian you are; any other is `NOT_FOUND`.
    school_id: ID,
    /// An opinion, or a report of an unlawful act.
    kind: ConcernKind,
    /// What you have to say: 2 to 2000 characters. It is kept encrypted.
    text: String,
    /// How content you are with how the school handles data, 1 to 5; with an opinion alone.
    satisfaction: Option<i64>,
    /// Whether who handles it learns who you are. Unless you say so, an opinion is named and a report is not.
    named: Option<bool>,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// What was raised.
#[derive(Debug, SimpleObject)]
pub struct ConcernRaisePayload {
    /// Its id; it is listed with its answer in `viewer.concerns`.
    concern_id: ID,
}

/// An answer.
#[derive(InputObject)]
pub struct ConcernAnswerInput {
    /// What is answered; one that is not yours to handle is `NOT_FOUND`.
    concern_id: ID,
    /// The answer: 2 to 2000 characters. It is kept encrypted.
    answer: String,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// What was answered.
#[derive(Debug, SimpleObject)]
pub struct ConcernAnswerPayload {
    /// Its id.
    concern_id: ID,
}

impl Concern {
    pub(super) fn of(cx: &Cx, of: concern::Concern) -> Result<Self> {
        let id = |name: &'static str, id| {
            let noun = cx.registry().get(name);
            let noun = noun.ok_or_else(|| Error::internal("a noun is not registered"))?;
            Ok::<_, Error>(ID(cx.opaque.id(noun, Key { student: None, id })))
        };
        let raised_by = match of.raised_by {
            Some((account, login)) => Some(ConcernAccount { id: id("account", account)?, login }),
            None => None,
        };
        Ok(Self {
            id: ID(cx.opaque.concern_id(of.id)),
            kind: of.kind,
            school_id: id("organisation", of.school)?,
            named: of.named,
            raised_by,
            text: of.text,
            satisfaction: of.satisfaction,
            state: of.state,
            answer: of.answer,
            raised_on: Date(cx.clock.day_of(of.raised_at)),
            answered_at: of.answered_at.map(Instant),
        })
    }
}

/// What the viewer raised.
pub(super) async fn own(cx: &Cx) -> Result<Vec<Concern>> {
    let own = concern::own(cx).await?;
    own.into_iter().map(|of| Concern::of(cx, of)).collect()
}

/// What asks about what was raised.
#[derive(Debug, Default)]
pub struct ConcernQuery;

#[Object]
impl ConcernQuery {
    /// Opinions or reports about the schools where you handle them, open ones first, from the newest; at most 500. That
    /// you read them is on record. Your own are under the viewer.
    async fn concerns(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Opinions, or reports.")] kind: ConcernKind,
        #[graphql(desc = "Only those that are so far.")] state: Option<ConcernState>,
    ) -> GraphResult<Vec<Concern>> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let handled = concern::handled(cx, kind, state).await.map_err(refuse)?;
        let told: Result<Vec<_>> = handled.into_iter().map(|of| Concern::of(cx, of)).collect();
        told.map_err(refuse)
    }
}

/// What raises something and answers it.
#[derive(Debug, Default)]
pub struct ConcernMutation;

#[Object]
impl ConcernMutation {
    /// Says an opinion about your school, with how content you are (意见反馈), or reports an unlawful act there (举报).
    /// The answer stands in `viewer.concerns`.
    async fn concern_raise(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The school and what you have to say.")] input: ConcernRaiseInput,
    ) -> GraphResult<ConcernRaisePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let ConcernRaiseInput { school_id, kind, text, satisfaction, named, idempotency_key } =
            input;
        let noun = cx.registry().get("organisation");
        let school = noun.and_then(|noun| cx.opaque.open_id_of(noun, &school_id));
        let school = school.map(|key| key.id);
        let raise = Raise { school, kind, text, satisfaction, named };
        let done = concern::raise(cx, &raise, idempotency_key.as_deref()).await;
        let id = done.map_err(refuse)?;
        Ok(ConcernRaisePayload { concern_id: ID(cx.opaque.concern_id(id)) })
    }

    /// Answers what somebody raised, once (答复); nobody answers their own.
    async fn concern_answer(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What is answered, and the answer.")] input: ConcernAnswerInput,
    ) -> GraphResult<ConcernAnswerPayload> {
        let cx = context(ctx).map_err(graph)?;
        let ConcernAnswerInput { concern_id, answer, idempotency_key } = input;
        let act = Answer { concern: cx.opaque.open_concern_id(&concern_id), answer };
        let done = cx.act(&act, idempotency_key.as_deref()).await;
        let id = done.map_err(|error| graph(fail(ctx, error)))?;
        Ok(ConcernAnswerPayload { concern_id: ID(cx.opaque.concern_id(id)) })
    }
}
