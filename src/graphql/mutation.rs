//! The root of what changes the registry: one field for each act, each in the file of its noun.

use async_graphql::MergedObject;

use super::access_review::AccessReviewMutation;
use super::account_management::AccountMutation;
use super::attendance::AttendanceMutation;
use super::audit::EmergencyMutation;
use super::concern::ConcernMutation;
use super::contact::ContactMutation;
use super::exam::ExamMutation;
use super::exceptional::ExceptionalMutation;
use super::grants::GrantsMutation;
use super::identity::IdentityMutation;
use super::login_session::LoginSessionMutation;
use super::policy::PolicyMutation;
use super::retention::RetentionMutation;

/// What changes the registry. Each field takes one `input`; with the same `idempotencyKey` a
/// request that arrives twice is done once.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(
    AttendanceMutation,
    ContactMutation,
    ExamMutation,
    PolicyMutation,
    ExceptionalMutation,
    AccessReviewMutation,
    LoginSessionMutation,
    IdentityMutation,
    GrantsMutation,
    AccountMutation,
    EmergencyMutation,
    RetentionMutation,
    ConcernMutation,
);
