//! What figures rest on, as every answer with figures says it.

use async_graphql::{Enum, ID, SimpleObject};

use crate::domain::statistics::protect::{
    BOUND, STANDARD_ERROR, SUM_BOUND, SUM_STANDARD_ERROR, Taken,
};
use crate::graphql::scalar::Instant;

/// How figures come about (统计披露方式).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum DisclosureMethod {
    /// Exact, over rows that you may read one by one, as they are now.
    Exact,
    /// From a snapshot; each figure has a small error, fixed by the set of students behind it.
    Perturbed,
}

/// The snapshot that figures speak of (时点数据).
#[derive(Clone, Debug, SimpleObject)]
pub struct StatisticsSnapshot {
    /// Its id, for `declaredTable`.
    id: ID,
    /// Its name; null for one of the nightly ones.
    name: Option<String>,
    /// The instant as of which it speaks.
    taken_at: Instant,
}

impl StatisticsSnapshot {
    pub(super) fn of(taken: &Taken) -> Self {
        Self {
            id: ID(taken.id.to_string()),
            name: taken.name.clone(),
            taken_at: Instant(taken.taken_at),
        }
    }
}

/// The errors of figures from a snapshot (扰动参数). The same set of students has the same error in
/// every question; sets that differ have errors that do.
#[derive(Clone, Debug, SimpleObject)]
pub struct DisclosureParameters {
    /// The fewest students that a figure may stand for. Of groups with a few more mostly nothing is
    /// said either, so that the threshold itself cannot be found.
    threshold: i64,
    /// A count of students is off by at most so many.
    bound: i64,
    /// The standard error of a count of students.
    standard_error: i64,
    /// A sum is off by at most so many times the most that one student can contribute: for scores
    /// the full mark, for money the largest grant. A mean has the error of its sum ÷ the count; a
    /// count of which one student can contribute several has four times this for each.
    sum_bound: f64,
    /// The standard error of a sum, in the same unit.
    sum_standard_error: f64,
}

impl DisclosureParameters {
    pub(super) fn of(threshold: i64) -> Self {
        Self {
            threshold,
            bound: BOUND,
            standard_error: STANDARD_ERROR,
            sum_bound: SUM_BOUND,
            sum_standard_error: SUM_STANDARD_ERROR,
        }
    }
}
