//! How pupils and family members are reached, as mutations: shape only. The rules stand in the domain.

use async_graphql::{Context, ID, InputObject, MaybeUndefined, Object, Result as GraphResult};

use super::engine::output::One;
use super::guardian::Guardian;
use super::query::{context, fail, graph};
use super::student::Student;
use crate::access::filter::Key;
use crate::access::view::View;
use crate::domain::Cx;
use crate::domain::contact::update::{self, Changes, OfGuardian, OfStudent, Update};
use crate::error::{Error, Result};

/// New contact data of a pupil. A field that is left out stays as it is, `null` clears it, a text
/// replaces it. A masked text is refused.
#[derive(InputObject)]
pub struct StudentContactUpdateInput {
    /// The pupil; one whose contact data are not yours to change is `NOT_FOUND`.
    student_id: ID,
    /// `contactVersion` as it came with what you saw; when that has changed since, it is a
    /// `CONFLICT`.
    version: String,
    /// Telephone number.
    phone: MaybeUndefined<String>,
    /// E-mail address.
    email: MaybeUndefined<String>,
    /// Postal code.
    postal_code: MaybeUndefined<String>,
    /// Where the pupil lives now.
    current_address: MaybeUndefined<String>,
    /// Where letters go.
    mailing_address: MaybeUndefined<String>,
    /// Where the family lives.
    home_address: MaybeUndefined<String>,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// New contact data of a family member. A field that is left out stays as it is, `null` clears it,
/// a text replaces it. A masked text is refused.
#[derive(InputObject)]
pub struct GuardianContactUpdateInput {
    /// The family member; one whose contact data are not yours to change is `NOT_FOUND`. A guardian
    /// changes the own.
    guardian_id: ID,
    /// `contactVersion` as it came with what you saw; when that has changed since, it is a
    /// `CONFLICT`.
    version: String,
    /// Telephone number.
    phone: MaybeUndefined<String>,
    /// Where the family member lives now.
    current_address: MaybeUndefined<String>,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// None when a field was left out, some none when it is to be cleared.
fn given(value: MaybeUndefined<String>) -> Option<Option<String>> {
    match value {
        MaybeUndefined::Undefined => None,
        MaybeUndefined::Null => Some(None),
        MaybeUndefined::Value(text) => Some(Some(text)),
    }
}

fn update<V: View>(cx: &Cx, id: &ID, version: String, changes: Changes) -> Result<Update> {
    let noun =
        cx.registry().of::<V>().ok_or_else(|| Error::internal("a view is not registered"))?;
    let row = cx.opaque.open_id_of(noun, id);
    Ok(Update { row, version, changes, opaque: cx.opaque.clone() })
}

/// What changing the contact data of a pupil has done.
#[derive(Debug)]
pub struct StudentContactUpdatePayload {
    cx: Cx,
    student: Option<Key>,
}

/// What changing the contact data of a pupil has done.
#[Object(serial)]
impl StudentContactUpdatePayload {
    /// The pupil, as you may see the record now.
    async fn student(&self, ctx: &Context<'_>) -> GraphResult<One<Student>> {
        One::by_key(&self.cx, self.student).map_err(|error| graph(fail(ctx, error)))
    }
}

/// What changing the contact data of a family member has done.
#[derive(Debug)]
pub struct GuardianContactUpdatePayload {
    cx: Cx,
    guardian: Option<Key>,
}

/// What changing the contact data of a family member has done.
#[Object(serial)]
impl GuardianContactUpdatePayload {
    /// The family member, as you may see the record now.
    async fn guardian(&self, ctx: &Context<'_>) -> GraphResult<One<Guardian>> {
        One::by_key(&self.cx, self.guardian).map_err(|error| graph(fail(ctx, error)))
    }
}

/// What changes how somebody is reached.
#[derive(Debug, Default)]
pub struct ContactMutation;

#[Object]
impl ContactMutation {
    /// Changes how a pupil is reached (修改联系方式): all the fields that are given, or none. One
    /// field that is not yours to set refuses the whole.
    async fn student_contact_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pupil, the version you saw, and the new data.")]
        input: StudentContactUpdateInput,
    ) -> GraphResult<StudentContactUpdatePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let StudentContactUpdateInput {
            student_id,
            version,
            phone,
            email,
            postal_code,
            current_address,
            mailing_address,
            home_address,
            idempotency_key,
        } = input;
        let changes = Changes::default()
            .and("phone", given(phone))
            .and("email", given(email))
            .and("postal_code", given(postal_code))
            .and("current_address", given(current_address))
            .and("mailing_address", given(mailing_address))
            .and("home_address", given(home_address));
        let act = OfStudent(update::<Student>(cx, &student_id, version, changes).map_err(refuse)?);
        update::student(cx, &act, idempotency_key.as_deref()).await.map_err(refuse)?;
        Ok(StudentContactUpdatePayload { cx: cx.clone(), student: act.0.row })
    }

    /// Changes how a family member is reached (修改家庭成员联系方式): all the fields that are given, or
    /// none. One field that is not yours to set refuses the whole.
    async fn guardian_contact_update(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The family member, the version you saw, and the new data.")]
        input: GuardianContactUpdateInput,
    ) -> GraphResult<GuardianContactUpdatePayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let GuardianContactUpdateInput {
            guardian_id,
            version,
            phone,
            current_address,
            idempotency_key,
        } = input;
        let changes = Changes::default()
            .and("phone", given(phone))
            .and("current_address", given(current_address));
        let act =
            OfGuardian(update::<Guardian>(cx, &guardian_id, version, changes).map_err(refuse)?);
        update::guardian(cx, &act, idempotency_key.as_deref()).await.map_err(refuse)?;
        Ok(GuardianContactUpdatePayload { cx: cx.clone(), guardian: act.0.row })
    }
}
