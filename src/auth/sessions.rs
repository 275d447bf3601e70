//! What accounts hold, kept in memory for less than a second.
//!
//! A revoked or expired grant therefore ends within a second in every process, with no message
//! between them, and so does a session that was ended: an entry is that of an account in one session.
//! An entry also ends with its day, with its policy, and at the instant at which one of its grants does.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use uuid::Uuid;
use xueji_entity::value::AccountId;

use crate::access::caller::{Login, Session};
use crate::access::policy::Policy;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::sign_in::Standing;

/// How long what was read may be used again.
const FRESH: Duration = Duration::from_millis(900);

/// An account in a session, where its token names one.
pub type Key = (AccountId, Option<Uuid>);

/// Accounts kept at once.
const KEPT: usize = 20_000;

/// The sessions of accounts that asked lately.
#[derive(Debug)]
pub struct Sessions {
    kept: Cache<Key, (Instant, Arc<Session>)>,
    read: AtomicU64,
}

impl Default for Sessions {
    fn default() -> Self {
        Self { kept: Cache::new(KEPT), read: AtomicU64::new(0) }
    }
}

impl Sessions {
    /// What the account holds now; `UNAUTHENTICATED` when it is unknown or disabled, or its session has ended.
    pub async fn of(
        &self,
        key: Key,
        store: &Store,
        policy: &Arc<Policy>,
        clock: Clock,
    ) -> Result<Arc<Session>> {
        let (now, today) = (clock.now(), clock.today());
        if let Some((read, session)) = self.kept.get(&key)
            && read.elapsed() < FRESH
            && session.today == today
            && session.holds_at(now)
            && Arc::ptr_eq(&session.policy, policy)
        {
            return Ok(session);
        }
        // Counted from before the read: what changes meanwhile is seen at the next one.
        let read = Instant::now();
        let (account, session) = key;
        let login = match session {
            Some(id) => {
                self.read.fetch_add(1, Ordering::Relaxed);
                let found = login_of(id, account, &store.standings(&[id], now).await?);
                Some(found.ok_or(Error::Unauthenticated)?)
            }
            None => None,
        };
        let holding =
            store.holding(account, policy, today, now).await?.ok_or(Error::Unauthenticated)?;
        // The one statement that depends on when a request comes and not on what it asks.
        self.read.fetch_add(1, Ordering::Relaxed);
        tracing::trace!("grants read anew");
        let session = Arc::new(holding.session(account, policy, today).in_login(login));
        self.kept.insert(key, (read, Arc::clone(&session)));
        Ok(session)
    }

    /// How often a request came when what its account holds was to be read anew, which is a statement each time.
    pub fn times_read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Keeps what was read elsewhere, at the instant from before the reading.
    pub(super) fn keep(&self, key: Key, read: Instant, session: Arc<Session>) {
        self.kept.insert(key, (read, session));
    }

    /// Forgets an account that may no longer sign in, or a session that has ended.
    pub fn forget(&self, key: Key) {
        self.kept.remove(&key);
    }
}

/// The session of an account among those that stand; none when it is not that account's.
pub(super) fn login_of(
    id: Uuid,
    account: AccountId,
    standing: &HashMap<Uuid, Standing>,
) -> Option<Login> {
    let standing = standing.get(&id).filter(|standing| standing.account == account.uuid())?;
    Some(Login {
        session: id,
        must_change: standing.must_change,
        changed_at: standing.changed_at,
        factor: standing.factor,
        until: standing.until,
    })
}
