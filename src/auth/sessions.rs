//! What accounts hold, kept in memory for less than a second.
//!
//! A revoked or expired grant therefore ends within a second in every process, with no message
//! between them. An entry also ends with its day, with its policy, and at the instant at which one
//! of its grants does.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use xueji_entity::value::AccountId;

use crate::access::caller::Session;
use crate::access::policy::Policy;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::store::Store;

/// How long what was read may be used again.
const FRESH: Duration = Duration::from_millis(900);

/// Accounts kept at once.
const KEPT: usize = 20_000;

/// The sessions of accounts that asked lately.
#[derive(Debug)]
pub struct Sessions {
    kept: Cache<AccountId, (Instant, Arc<Session>)>,
    read: AtomicU64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { kept: Cache::new(KEPT), read: AtomicU64::new(0) }
    }
}

impl Sessions {
    /// What the account holds now; `UNAUTHENTICATED` when it is unknown or disabled.
    pub async fn of(
        &self,
        account: AccountId,
        store: &Store,
        policy: &Arc<Policy>,
        clock: Clock,
    ) -> Result<Arc<Session>> {
        let (now, today) = (clock.now(), clock.today());
        if let Some((read, session)) = self.kept.get(&account)
            && read.elapsed() < FRESH
            && session.today == today
            && session.holds_at(now)
            && Arc::ptr_eq(&session.policy, policy)
        {
            return Ok(session);
        }
        // Counted from before the read: what changes meanwhile is seen at the next one.
        let read = Instant::now();
        let holding =
            store.holding(account, policy, today, now).await?.ok_or(Error::Unauthenticated)?;
        // The one statement that depends on when a request comes and not on what it asks.
        self.read.fetch_add(1, Ordering::Relaxed);
        tracing::trace!("grants read anew");
        let session = Arc::new(holding.session(account, policy, today));
        self.kept.insert(account, (read, Arc::clone(&session)));
        Ok(session)
    }

    /// How often a request came when what its account holds was to be read anew, which is a statement each time.
    pub fn times_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Keeps what was read elsewhere, at the instant from before the reading.
    pub(super) fn keep(&self, account: AccountId, read: Instant, session: Arc<Session>) {
        self.kept.insert(account, (read, session));
    }

    /// Forgets an account that may no longer sign in.
    pub(super) fn forget(&self, account: AccountId) {
        self.kept.remove(&account);
    }
}
