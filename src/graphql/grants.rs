//! Roles given by hand in the schema: given, asked for, decided over, ended and looked through.
//!
//! Shape only: who may do what, and where, is decided in the domain.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result as GraphResult, SimpleObject};
use uuid::Uuid;

use super::query::{context, fail, graph};
use super::scalar::{Date, Instant};
use super::viewer::place_id;
use crate::access::caller::Place;
use crate::access::filter::Key;
use crate::domain::Cx;
use crate::domain::grants::Where;
use crate::domain::grants::approve::{self, Decide, decide};
use crate::domain::grants::confirm::{Confirm, confirm};
use crate::domain::grants::end::{End, end};
use crate::domain::grants::give::{Give, Given, To, give};
use crate::domain::grants::held::{self, Flag, Login, Looked, Waiting};
use crate::error::{Error, Result};

/// A role to be given.
#[derive(InputObject)]
pub struct GrantGiveInput {
    /// The role, as the policy names it: `viewer.givable` lists those that you may give.
    role: String,
    /// The school, authority, class group or year level; none for a role that is held anywhere.
    place_id: Option<ID>,
    /// The course in the class group, for a teacher of it.
    course_id: Option<ID>,
    /// The login of whoever receives it.
    to_login: Option<String>,
    /// Their account, instead of the login.
    to_account_id: Option<ID>,
    /// The first day; today when none is named.
    since: Option<Date>,
    /// The last day; that of the school year when none is named.
    until: Option<Date>,
    /// Why: 2 to 500 characters.
    reason: String,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// A role that was given, or that waits for another person to agree.
#[derive(Debug, SimpleObject)]
pub struct GrantGivePayload {
    /// The grant; null while another person has to agree.
    grant_id: Option<ID>,
    /// The request that waits; null where nobody else has to agree.
    request_id: Option<ID>,
    /// When it is too late to agree.
    expires_at: Option<Instant>,
    /// The first day.
    valid_from: Date,
    /// The last day.
    valid_until: Date,
}

/// What becomes of a grant that waits for another person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum GrantDecision {
    /// It is given (批准).
    Approve,
    /// It is not (拒绝).
    Refuse,
    /// Whoever asked takes it back (撤回).
    Withdraw,
}

/// A decision over a grant that waits.
#[derive(InputObject)]
pub struct GrantApproveInput {
    /// The request; one that is not yours to decide over is `NOT_FOUND`.
    request_id: ID,
    /// What becomes of it.
    decision: GrantDecision,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// What was decided over.
#[derive(Debug, SimpleObject)]
pub struct GrantApprovePayload {
    /// The request.
    request_id: ID,
    /// The grant; null unless it was given.
    grant_id: Option<ID>,
}

/// A grant to be ended.
#[derive(InputObject)]
pub struct GrantEndInput {
    /// The grant; one outside your reach is `NOT_FOUND`.
    grant_id: ID,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// A grant that has ended.
#[derive(Debug, SimpleObject)]
pub struct GrantEndPayload {
    /// The grant.
    grant_id: ID,
}

/// A grant to be confirmed for the term.
#[derive(InputObject)]
pub struct GrantConfirmInput {
    /// The grant; one outside your reach is `NOT_FOUND`.
    grant_id: ID,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// A grant that was confirmed.
#[derive(Debug, SimpleObject)]
pub struct GrantConfirmPayload {
    /// The grant.
    grant_id: ID,
}

/// A role that the viewer may give.
#[derive(Clone, Debug, SimpleObject)]
pub struct GivableRole {
    /// The role, as the policy names it.
    role: String,
    /// The kind of place.
    reach: String,
    /// Whether another person who may give it has to agree.
    four_eyes: bool,
}

/// An account by its login.
#[derive(Clone, Debug, SimpleObject)]
pub struct GrantAccount {
    /// The account.
    id: ID,
    /// Its login.
    login: String,
}

/// A grant that waits for another person (待审批授权).
#[derive(Clone, Debug, SimpleObject)]
pub struct GrantRequest {
    /// The request, by which it is decided over.
    id: ID,
    /// The role, as the policy names it.
    role: String,
    /// The kind of place.
    reach: String,
    /// The place; null for a role that is held anywhere.
    place_id: Option<ID>,
    /// The course, for a teacher of it.
    course_id: Option<ID>,
    /// To whom.
    account: GrantAccount,
    /// The first day.
    valid_from: Date,
    /// The last day.
    valid_until: Date,
    /// Why, in the words of whoever asks.
    reason: String,
    /// Who asks.
    requested_by: GrantAccount,
    /// When it is too late to agree.
    expires_at: Instant,
    /// You asked for it, and may withdraw it.
    own: bool,
    /// You may agree to it or refuse it.
    may_decide: bool,
}

/// What is odd about a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum GrantFlag {
    /// It has no last day.
    NoEnd,
    /// It has been held for more than a year.
    OverAYear,
    /// The account is barred, or its member of staff is gone.
    Left,
    /// The account holds several roles that two people give.
    SeveralPowerful,
    /// The policy knows no such role at such a place: it grants nothing.
    UnknownRole,
}

impl From<Flag> for GrantFlag {
    fn from(flag: Flag) -> Self {
        match flag {
            Flag::NoEnd => Self::NoEnd,
            Flag::OverAYear => Self::OverAYear,
            Flag::Left => Self::Left,
            Flag::SeveralPowerful => Self::SeveralPowerful,
            Flag::Unknown => Self::UnknownRole,
        }
    }
}

/// A grant of an office, as it is looked at once a term (授权复核).
#[derive(Clone, Debug, SimpleObject)]
pub struct ReviewedGrant {
    /// The grant, by which it is confirmed or ended.
    id: ID,
    /// Who holds it.
    account: GrantAccount,
    /// The role, as the policy names it.
    role: String,
    /// The kind of place.
    reach: String,
    /// The place; null for a role that is held anywhere.
    place_id: Option<ID>,
    /// The course, for a teacher of it.
    course_id: Option<ID>,
    /// The first day.
    valid_from: Date,
    /// The last day; null while open.
    valid_until: Option<Date>,
    /// Who gave it; null where it came with a duty or with the registry.
    given_by: Option<GrantAccount>,
    /// It follows from a duty and ends with it.
    of_duty: bool,
    /// It was given to a substitute.
    delegated: bool,
    /// Somebody confirmed it this term.
    confirmed: bool,
    /// What is odd about it.
    flags: Vec<GrantFlag>,
}

fn id_of(cx: &Cx, noun: &'static str, id: &ID) -> Result<Option<Uuid>> {
    let noun = cx.registry().get(noun).ok_or_else(unregistered)?;
    Ok(cx.opaque.open_id_of(noun, id).map(|key| key.id))
}

fn to_id(cx: &Cx, noun: &'static str, id: Uuid) -> Result<ID> {
    let noun = cx.registry().get(noun).ok_or_else(unregistered)?;
    Ok(ID(cx.opaque.id(noun, Key { student: None, id })))
}

fn unregistered() -> Error {
    Error::internal("a noun is not registered")
}

fn course_id(cx: &Cx, place: Place) -> Result<Option<ID>> {
    match place {
        Place::Teaching { course, .. } => to_id(cx, "course", course).map(Some),
        Place::Anywhere
        | Place::Student(_)
        | Place::ClassGroup(_)
        | Place::YearLevel(_)
        | Place::Organisation(_) => Ok(None),
    }
}

fn account(cx: &Cx, login: Login) -> Result<GrantAccount> {
    Ok(GrantAccount { id: to_id(cx, "account", login.id)?, login: login.login })
}

impl GrantGiveInput {
    fn give(self, cx: &Cx) -> Result<(Give, Option<String>)> {
        let Self {
            role, place_id, course_id, to_login, to_account_id, since, until, reason, ..
        } = self;
        let course = match &course_id {
            // An id that cannot be a course is one that no class has.
            Some(id) => Some(id_of(cx, "course", id)?.unwrap_or_default()),
            None => None,
        };
        let place = match &place_id {
            None => Where { anywhere: true, course, ..Where::default() },
            Some(id) => Where {
                anywhere: false,
                organisation: id_of(cx, "organisation", id)?,
                class_group: id_of(cx, "class_group", id)?,
                course,
                year_level: id_of(cx, "year_level", id)?,
            },
        };
        let to = match (to_login, &to_account_id) {
            (Some(login), None) => To::Login(login),
            (None, Some(id)) => To::Account(id_of(cx, "account", id)?),
            _ => {
                return Err(Error::invalid(
                    "toLogin",
                    "name the account by toLogin or by toAccountId",
                    "请用 toLogin 或 toAccountId 之一指明账户",
                ));
            }
        };
        let day = |day: Option<Date>| day.map(|Date(day)| day);
        let (since, until) = (day(since), day(until));
        Ok((Give { role, place, to, since, until, reason }, self.idempotency_key))
    }
}

impl GrantRequest {
    fn of(cx: &Cx, waiting: Waiting) -> Result<Self> {
        let Waiting { request, own, may_decide } = waiting;
        Ok(Self {
            id: ID(cx.opaque.request_id(request.id)),
            role: request.role,
            reach: request.reach.word().to_owned(),
            place_id: place_id(cx, request.place),
            course_id: course_id(cx, request.place)?,
            account: account(cx, request.receiver)?,
            valid_from: Date(request.since),
            valid_until: Date(request.until),
            reason: request.reason,
            requested_by: account(cx, request.requested_by)?,
            expires_at: Instant(request.expires_at),
            own,
            may_decide,
        })
    }
}

impl ReviewedGrant {
    fn of(cx: &Cx, looked: Looked) -> Result<Self> {
        let Looked { held, flags } = looked;
        Ok(Self {
            id: to_id(cx, "access_grant", held.id)?,
            account: account(cx, held.holder)?,
            role: held.role,
            reach: held.reach.word().to_owned(),
            place_id: place_id(cx, held.place),
            course_id: course_id(cx, held.place)?,
            valid_from: Date(held.since),
            valid_until: held.until.map(Date),
            given_by: held.given_by.map(|login| account(cx, login)).transpose()?,
            of_duty: held.derived,
            delegated: held.delegated,
            confirmed: held.confirmed,
            flags: flags.into_iter().map(GrantFlag::from).collect(),
        })
    }
}

/// What the viewer may give.
pub(super) fn givable(cx: &Cx) -> Vec<GivableRole> {
    let all = held::givable(cx).into_iter();
    all.map(|givable| GivableRole {
        role: givable.role,
        reach: givable.reach.word().to_owned(),
        four_eyes: givable.four_eyes,
    })
    .collect()
}

/// What asks about grants.
#[derive(Debug, Default)]
pub struct GrantsQuery;

#[Object]
impl GrantsQuery {
    /// The grants that wait for another person within your reach, and those that you asked for.
    async fn grant_requests(&self, ctx: &Context<'_>) -> GraphResult<Vec<GrantRequest>> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let waiting = held::requests(cx, cx.clock.now()).await.map_err(refuse)?;
        let told: Result<Vec<_>> =
            waiting.into_iter().map(|waiting| GrantRequest::of(cx, waiting)).collect();
        told.map_err(refuse)
    }

    /// Who holds which role of an office within your reach, and what is odd about it: to be looked through once a term,
    /// and confirmed by `grantConfirm` or ended by `grantEnd`. At most 2,000; roles over one pupil are not among them.
    async fn grant_review(&self, ctx: &Context<'_>) -> GraphResult<Vec<ReviewedGrant>> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let looked = held::review(cx, cx.clock.now()).await.map_err(refuse)?;
        let told: Result<Vec<_>> =
            looked.into_iter().map(|looked| ReviewedGrant::of(cx, looked)).collect();
        told.map_err(refuse)
    }
}

/// What gives roles and ends them.
#[derive(Debug, Default)]
pub struct GrantsMutation;

#[Object]
impl GrantsMutation {
    /// Gives a role at a place within your reach (授权), to an account within it and never to yourself. Where the policy
    /// asks for two people it waits until another one agrees by `grantApprove`.
    async fn grant_give(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The role, the place, the account and the days.")] input: GrantGiveInput,
    ) -> GraphResult<GrantGivePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let (act, key) = input.give(cx).map_err(refuse)?;
        let done = give(cx, &act, key.as_deref()).await.map_err(refuse)?;
        let Given { grant, request, expires_at, since, until } = done;
        let grant_id = grant.map(|id| to_id(cx, "access_grant", id)).transpose();
        Ok(GrantGivePayload {
            grant_id: grant_id.map_err(refuse)?,
            request_id: request.map(|id| ID(cx.opaque.request_id(id))),
            expires_at: expires_at.map(Instant),
            valid_from: Date(since),
            valid_until: Date(until),
        })
    }

    /// Agrees to a grant that another person asked for, refuses it, or takes back what you asked for (双人审批).
    async fn grant_approve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The request and the decision.")] input: GrantApproveInput,
    ) -> GraphResult<GrantApprovePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let act = Decide {
            request: cx.opaque.open_request_id(&input.request_id),
            decision: match input.decision {
                GrantDecision::Approve => approve::Decision::Approve,
                GrantDecision::Refuse => approve::Decision::Refuse,
                GrantDecision::Withdraw => approve::Decision::Withdraw,
            },
        };
        let done = decide(cx, &act, input.idempotency_key.as_deref()).await.map_err(refuse)?;
        let grant_id = done.grant.map(|id| to_id(cx, "access_grant", id)).transpose();
        Ok(GrantApprovePayload {
            request_id: ID(cx.opaque.request_id(done.request)),
            grant_id: grant_id.map_err(refuse)?,
        })
    }

    /// Ends a role that you may give, at once, whoever gave it (终止授权). What follows from a duty ends with the duty.
    async fn grant_end(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The grant.")] input: GrantEndInput,
    ) -> GraphResult<GrantEndPayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let grant = id_of(cx, "access_grant", &input.grant_id).map_err(refuse)?;
        let done = end(cx, &End { grant }, input.idempotency_key.as_deref()).await;
        let grant_id = to_id(cx, "access_grant", done.map_err(refuse)?).map_err(refuse)?;
        Ok(GrantEndPayload { grant_id })
    }

    /// Confirms for the term that a role is held with reason (授权复核); nobody confirms their own.
    async fn grant_confirm(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The grant.")] input: GrantConfirmInput,
    ) -> GraphResult<GrantConfirmPayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let grant = id_of(cx, "access_grant", &input.grant_id).map_err(refuse)?;
        let done = confirm(cx, &Confirm { grant }, input.idempotency_key.as_deref()).await;
        let grant_id = to_id(cx, "access_grant", done.map_err(refuse)?).map_err(refuse)?;
        Ok(GrantConfirmPayload { grant_id })
    }
}
