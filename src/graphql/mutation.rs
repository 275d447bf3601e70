//! The root of what changes the registry: one field for each act, each in the file of its noun.

use async_graphql::MergedObject;

use super::attendance::AttendanceMutation;

/// What changes the registry. Each field takes one `input`; with the same `idempotencyKey` a
/// request that arrives twice is done once.
#[derive(Debug, Default, MergedObject)]
pub struct Mutation(AttendanceMutation);
