//! What this request saw and was refused.
//!
//! Rows add to it by list, not by cell: one line for each column and sight of a list, one set of
//! students for each pair that shows them in full. It ends as `extensions.redactions` and as the
//! [`disclosure`](super::disclosure) record. It never holds a value.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use uuid::Uuid;

use super::table::{Pair, RuleId, Sight};

/// Why a column is not shown in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No grant that covers the row shows the column.
    NotGranted,
    /// A policy line shows the column masked.
    MaskedByPolicy,
    /// More is shown for a purpose that the policy names and the request did not state.
    NeedsPurpose,
}

impl Reason {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotGranted => "NOT_GRANTED",
            Self::MaskedByPolicy => "MASKED_BY_POLICY",
            Self::NeedsPurpose => "NEEDS_PURPOSE",
        }
    }
}

/// One kind of redaction of an answer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Redaction {
    /// `Student.idNumber`.
    pub coordinate: String,
    /// Hidden or masked.
    pub sight: Sight,
    /// Why.
    pub reason: Reason,
    /// The policy line that decided, as `file:line`, if one spoke.
    pub rule: Option<String>,
}

/// Personal columns shown in full, through one pair of role and reach, of a set of students.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disclosed {
    /// The pair that shows them.
    pub pair: Pair,
    /// The students, in order and each once.
    pub students: Vec<Uuid>,
    /// The columns as the schema names them, each with the policy line that decided.
    pub columns: BTreeMap<String, Option<RuleId>>,
}

/// The redactions and disclosures of one request.
#[derive(Debug, Default)]
pub struct Ledger {
    redactions: Mutex<BTreeMap<Redaction, u64>>,
    disclosed: Mutex<Vec<Disclosed>>,
}

impl Ledger {
    /// `count` values of a column were masked or hidden.
    pub fn redacted(&self, redaction: Redaction, count: u64) {
        if count > 0 {
            let mut redactions = self.redactions.lock().unwrap_or_else(PoisonError::into_inner);
            *redactions.entry(redaction).or_default() += count;
        }
    }

    /// Personal columns were shown in full. The same students seen through the same pair are one
    /// entry, whatever lists they were met in.
    pub fn disclosed(&self, more: Disclosed) {
        if more.students.is_empty() || more.columns.is_empty() {
            return;
        }
        let mut disclosed = self.disclosed.lock().unwrap_or_else(PoisonError::into_inner);
        let known = disclosed
            .iter_mut()
            .find(|known| known.pair == more.pair && known.students == more.students);
        match known {
            Some(known) => known.columns.extend(more.columns),
            None => disclosed.push(more),
        }
    }

    /// The redactions in a stable order, with how many values each stands for.
    pub fn redactions(&self) -> Vec<(Redaction, u64)> {
        self.redactions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|(redaction, count)| (redaction.clone(), *count))
            .collect()
    }

    /// Takes what was disclosed so far.
    pub fn take_disclosed(&self) -> Vec<Disclosed> {
        std::mem::take(&mut *self.disclosed.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
