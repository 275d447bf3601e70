//! The rules of the registry, without SQL and without the words of GraphQL or HTTP.
//!
//! Every function takes a [`Cx`]: who asks, the store behind scopes, and what the request has seen.

pub mod account;
pub mod act;
pub mod attendance;
pub mod audit;
pub mod backup;
pub mod concern;
pub mod contact;
pub mod destruction;
pub mod emergency;
pub mod exam;
pub mod exceptional;
pub mod explain;
pub mod grants;
pub mod identity;
pub mod incident;
pub mod live;
pub mod policy;
pub mod restriction;
pub mod score;
pub mod sign_in;
pub mod statistics;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;
use xueji_entity::value::looks_masked;

use crate::access::action::Action;
use crate::access::caller::Caller;
use crate::access::ledger::Ledger;
use crate::access::opaque::Opaque;
use crate::access::view::Registry;
use crate::clock::Clock;
use crate::config::settings::{Accounts, Exceptional};
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::read::Rows;
use crate::store::tx::Tx;
pub use crate::store::tx::{KEY_REUSED, VERSION};

/// What one request has asked for so far, whatever its root fields and aliases are.
#[derive(Debug, Default)]
pub struct Budget {
    rows: AtomicU64,
    lists: AtomicU64,
    /// The limits of exceptional acts.
    pub exceptional: Exceptional,
    /// The times of codes and secrets.
    pub accounts: Accounts,
    turn: Mutex<()>,
    #[cfg(feature = "leaks")]
    acted: std::sync::atomic::AtomicBool,
}

impl Budget {
    /// A request that has asked for nothing yet.
    pub fn new(exceptional: Exceptional, accounts: Accounts) -> Self {
        Self { exceptional, accounts, ..Self::default() }
    }

    /// Waits until the root fields before this one are answered; the next one waits for the guard.
    pub async fn turn(&self) -> MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// Notes that the request has changed something.
    #[cfg(feature = "leaks")]
    pub fn act(&self) {
        self.acted.store(true, Ordering::Relaxed);
    }

    /// Whether the request has changed something.
    #[cfg(feature = "leaks")]
    pub fn has_acted(&self) -> bool {
        self.acted.load(Ordering::Relaxed)
    }

    /// Adds rows that were read; the sum so far.
    pub fn rows(&self, more: u64) -> u64 {
        self.rows.fetch_add(more, Ordering::Relaxed).saturating_add(more)
    }

    /// Adds lists; the sum so far.
    pub fn lists(&self, more: u64) -> u64 {
        self.lists.fetch_add(more, Ordering::Relaxed).saturating_add(more)
    }
}

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
    /// What it may still ask for.
    pub budget: Arc<Budget>,
    /// The time.
    pub clock: Clock,
}

impl Cx {
    /// The nouns.
    pub fn registry(&self) -> &'static Registry {
        self.store.registry()
    }

    /// Begins an act; `FORBIDDEN` when no grant of the caller holds the action.
    pub async fn begin(&self, action: Action) -> Result<Tx> {
        Tx::begin(&self.store, &self.caller, self.clock.now(), action).await
    }
}

/// Refuses what a mask left of a text: a masked value is never taken for a new one (promise 6).
pub(crate) fn refuse_masked(field: &str, text: &str) -> Result<()> {
    if looks_masked(text) {
        return Err(Error::invalid(
            field.to_owned(),
            "this is a masked text; enter the value itself, or leave it as it is",
            "这是脱敏后的文字；请填写原值，或不作修改",
        ));
    }
    Ok(())
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
