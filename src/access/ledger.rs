//! What this request saw and was refused.
//!
//! Rows add to it by list, not by cell: one line for each column and sight of a list. It ends as
//! `extensions.redactions`, and later as the disclosure record. It never holds a value.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::table::Sight;

/// Why a column is not shown in full.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// No grant that covers the row shows the column.
    NotGranted,
    /// A policy line shows the column masked.
    MaskedByPolicy,
}

impl Reason {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NotGranted => "NOT_GRANTED",
            Self::MaskedByPolicy => "MASKED_BY_POLICY",
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

/// The redactions and disclosures of one request.
#[derive(Debug, Default)]
pub struct Ledger {
    redactions: Mutex<BTreeMap<Redaction, u64>>,
    disclosed: Mutex<BTreeMap<String, u64>>,
}

impl Ledger {
    /// `count` values of a column were masked or hidden.
    pub fn redacted(&self, redaction: Redaction, count: u64) {
        if count > 0 {
            let mut redactions = self.redactions.lock().unwrap_or_else(PoisonError::into_inner);
            *redactions.entry(redaction).or_default() += count;
        }
    }

    /// `count` values of a personal column were shown in full.
    pub fn disclosed(&self, coordinate: String, count: u64) {
        if count > 0 {
            let mut disclosed = self.disclosed.lock().unwrap_or_else(PoisonError::into_inner);
            *disclosed.entry(coordinate).or_default() += count;
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

    /// The disclosures in a stable order: coordinate and number of values.
    pub fn disclosures(&self) -> Vec<(String, u64)> {
        self.disclosed
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .map(|(coordinate, count)| (coordinate.clone(), *count))
            .collect()
    }
}
