//! The rules of the registry, without SQL and without the words of GraphQL or HTTP.
//!
//! Every function takes a [`Cx`]: who asks, the store behind scopes, and what the request has seen.

pub mod attendance;
pub mod score;
pub mod statistics;

use std::sync::Arc;

use uuid::Uuid;

use crate::access::caller::Caller;
use crate::access::ledger::Ledger;
use crate::access::opaque::Opaque;
use crate::access::view::Registry;
use crate::store::Store;
use crate::store::read::Rows;

/// One request's view of the registry.
#[derive(Clone, Debug)]
pub struct Cx {
    /// Who asks.
    pub caller: Arc<Caller>,
    /// The database, behind scopes.
    pub store: Store,
    /// The ciphers of ids and cursors.
    pub opaque: Arc<Opaque>,
    /// What the request saw and was refused.
    pub ledger: Arc<Ledger>,
}

impl Cx {
    /// The nouns.
    pub fn registry(&self) -> &'static Registry {
        self.store.registry()
    }
}

/// The students of rows (or that rows hang from) where `wanted`, each once.
pub(crate) fn students_of(rows: &Rows, wanted: &[bool]) -> Vec<Uuid> {
    let mut ids: Vec<_> = (0..rows.len())
        .filter(|row| wanted[*row])
        .map(|row| {
            let key = rows.key(row);
            key.student.unwrap_or(key.id)
        })
        .collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}
