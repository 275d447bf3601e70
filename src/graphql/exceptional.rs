//! Exceptional access in the schema: one value revealed, a number checked, a duty given to a substitute.
//!
//! Shape only: what each of them asks for is decided in the domain.

use async_graphql::{Context, ID, InputObject, Object, Result as GraphResult, SimpleObject};

use super::query::{context, fail, graph};
use super::scalar::Date;
use crate::access::filter::Key;
use crate::access::shown::{Leaf, Shown};
use crate::access::view::{Member, Noun};
use crate::domain::Cx;
use crate::domain::exceptional::check::registered;
use crate::domain::exceptional::delegate::{Delegate, Delegated, Given, Revoke, delegate, revoke};
use crate::domain::exceptional::reveal::{Wanted, reveal};
use crate::error::{Error, Result};

/// One masked field of one pupil, to be shown in full.
#[derive(InputObject)]
pub struct StudentRevealInput {
    /// The pupil, or a row that hangs from one.
    id: ID,
    /// The field, as the schema names it: `Student.idNumber`.
    coordinate: String,
}

/// One value in full.
#[derive(Debug, SimpleObject)]
pub struct StudentRevealPayload {
    /// The field.
    coordinate: String,
    /// The value; null when nothing is on file.
    value: Option<String>,
}

/// An identity number to be checked.
#[derive(InputObject)]
pub struct IdentityNumberCheckInput {
    /// The number.
    number: String,
}

/// What the check found.
#[derive(Debug, SimpleObject)]
pub struct IdentityNumberCheckPayload {
    /// Whether a pupil with this number is registered, wherever; ask the authority about the rest.
    registered: bool,
}

/// A duty to be given to a substitute. Name it by `grantId`, or by the role and the place.
#[derive(InputObject)]
pub struct GrantDelegateInput {
    /// The grant, as `viewer.grants` names it.
    grant_id: Option<ID>,
    /// The role, as the policy names it, such as `homeroom_teacher`.
    role: Option<String>,
    /// The class group or the year level.
    place_id: Option<ID>,
    /// The course in the class group, for a teacher of it.
    course_id: Option<ID>,
    /// The login of the substitute, a colleague at the same school.
    to_login: String,
    /// The first day; today when none is named.
    since: Option<Date>,
    /// The last day.
    until: Date,
    /// Why: 2 to 500 characters.
    reason: String,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// A duty that was given.
#[derive(Debug, SimpleObject)]
pub struct GrantDelegatePayload {
    /// The new grant, by which it can be ended.
    grant_id: ID,
    /// The first day.
    valid_from: Date,
    /// The last day.
    valid_until: Date,
}

/// A grant to be ended.
#[derive(InputObject)]
pub struct GrantRevokeInput {
    /// The grant that was given to a substitute; one that is not yours to end is `NOT_FOUND`.
    grant_id: ID,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// A grant that has ended.
#[derive(Debug, SimpleObject)]
pub struct GrantRevokePayload {
    /// The grant.
    grant_id: ID,
}

fn noun(cx: &Cx, name: &str) -> Result<&'static Noun> {
    cx.registry().get(name).ok_or_else(|| Error::internal("a noun is not registered"))
}

impl StudentRevealInput {
    /// The field that the coordinate names, of a noun of a student, and the row.
    fn wanted(&self, cx: &Cx) -> Result<Wanted> {
        let unknown = || {
            Error::invalid(
                "coordinate",
                "name a field of a pupil as the schema does, such as Student.idNumber",
                "请按模式中的写法指明学生的字段，例如 Student.idNumber",
            )
        };
        let (type_name, name) = self.coordinate.split_once('.').ok_or_else(unknown)?;
        let noun = cx.registry().nouns().iter().find(|noun| noun.shape.type_name == type_name);
        let noun = noun.filter(|noun| noun.is_of_student()).ok_or_else(unknown)?;
        let Some(Member::Field(field)) = noun.member(name) else { return Err(unknown()) };
        Ok(Wanted { noun, field, key: cx.opaque.open_id_of(noun, &self.id) })
    }
}

impl GrantDelegateInput {
    fn delegate(self, cx: &Cx) -> Result<(Delegate, Option<String>)> {
        let Self { grant_id, role, place_id, course_id, to_login, since, until, reason, .. } = self;
        let id_of = |name: &'static str, id: &ID| -> Result<Option<uuid::Uuid>> {
            Ok(cx.opaque.open_id_of(noun(cx, name)?, id).map(|key| key.id))
        };
        let given = match (grant_id, role, place_id, course_id) {
            (Some(grant), None, None, None) => Given::Grant(id_of("access_grant", &grant)?),
            (None, Some(role), Some(place), course) => {
                let course = match &course {
                    // An id that cannot be a course is one that no class has.
                    Some(id) => Some(id_of("course", id)?.unwrap_or_default()),
                    None => None,
                };
                Given::Duty {
                    role,
                    class_group: id_of("class_group", &place)?,
                    course,
                    year_level: id_of("year_level", &place)?,
                }
            }
            _ => {
                return Err(Error::invalid(
                    "grantId",
                    "name the duty by grantId alone, or by role and placeId (and courseId)",
                    "请仅用 grantId，或用 role 与 placeId（及 courseId）指明职务",
                ));
            }
        };
        let since = since.map(|Date(day)| day);
        let Date(until) = until;
        Ok((Delegate { given, to: to_login, since, until, reason }, self.idempotency_key))
    }
}

/// What goes beyond the everyday.
#[derive(Debug, Default)]
pub struct ExceptionalMutation;

#[Object]
impl ExceptionalMutation {
    /// Shows one masked field of one pupil in full (单项明示), for the purpose that the header
    /// `Xueji-Purpose` states, where the policy allows it. It is on record, and limited by the hour.
    async fn student_reveal(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The row and the field.")] input: StudentRevealInput,
    ) -> GraphResult<StudentRevealPayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let wanted = input.wanted(cx).map_err(refuse)?;
        let value = match reveal(cx, wanted).await.map_err(refuse)? {
            Shown::Full(Leaf::Text(text)) => Some(text),
            // Only text is masked, and only what is masked is revealed.
            Shown::Full(_) | Shown::Masked(_) | Shown::Hidden => None,
        };
        Ok(StudentRevealPayload { coordinate: input.coordinate, value })
    }

    /// Whether an identity number is registered already (查重), for the purpose that the header
    /// `Xueji-Purpose` states: yes or no, and neither whose nor where. Each try is on record and
    /// counts against a limit by the hour.
    async fn identity_number_check(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The number.")] input: IdentityNumberCheckInput,
    ) -> GraphResult<IdentityNumberCheckPayload> {
        let cx = context(ctx).map_err(graph)?;
        let registered =
            registered(cx, &input.number).await.map_err(|error| graph(fail(ctx, error)))?;
        Ok(IdentityNumberCheckPayload { registered })
    }

    /// Gives a duty, held by you or below you, to a colleague for a time (代理). It ends by itself,
    /// with the duty, or by `grantRevoke`.
    async fn grant_delegate(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The duty, the substitute and the days.")] input: GrantDelegateInput,
    ) -> GraphResult<GrantDelegatePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let (act, key) = input.delegate(cx).map_err(refuse)?;
        let done = delegate(cx, &act, key.as_deref()).await.map_err(refuse)?;
        let Delegated { grant, since, until } = done;
        Ok(GrantDelegatePayload {
            grant_id: grant_id(cx, grant).map_err(refuse)?,
            valid_from: Date(since),
            valid_until: Date(until),
        })
    }

    /// Ends what was given to a substitute, at once.
    async fn grant_revoke(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The grant.")] input: GrantRevokeInput,
    ) -> GraphResult<GrantRevokePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let access_grant = noun(cx, "access_grant").map_err(refuse)?;
        let grant = cx.opaque.open_id_of(access_grant, &input.grant_id).map(|key| key.id);
        let done = revoke(cx, &Revoke { grant }, input.idempotency_key.as_deref()).await;
        let grant_id = grant_id(cx, done.map_err(refuse)?).map_err(refuse)?;
        Ok(GrantRevokePayload { grant_id })
    }
}

fn grant_id(cx: &Cx, id: uuid::Uuid) -> Result<ID> {
    Ok(ID(cx.opaque.id(noun(cx, "access_grant")?, Key { student: None, id })))
}
