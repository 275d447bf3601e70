//! Accounts that are watched because a stream of theirs is open: what they hold is read again twice a second.
//!
//! All watched accounts are read together, in one statement for five hundred of them, so a thousand idle
//! streams cost four statements a second and not a thousand. What was read serves requests as well.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, watch};
use xueji_entity::value::AccountId;

use super::sessions::{Key, Sessions, login_of};
use crate::access::caller::{Grant, Login, Session};
use crate::access::policy::Policy;
use crate::clock::Clock;
use crate::error::Result;
use crate::store::Store;

/// How long between two looks; with the look itself this stays well within a second.
pub const EVERY: Duration = Duration::from_millis(500);

/// Accounts of one statement.
const TOGETHER: usize = 500;

/// What is known of a watched account.
#[derive(Clone, Debug)]
pub enum Standing {
    /// It holds this.
    Holds(Arc<Session>),
    /// It is unknown or disabled, or its session has ended.
    Gone,
    /// Nobody knows: it could not be read for too long.
    Unread,
}

/// The accounts that are watched.
#[derive(Debug, Default)]
pub struct Watch {
    accounts: Mutex<HashMap<Key, Entry>>,
    somebody: Notify,
}

#[derive(Debug)]
struct Entry {
    followers: usize,
    standing: watch::Sender<Standing>,
}

/// One stream's look at its account. The account is watched until the last of these is dropped.
#[derive(Debug)]
pub struct Follower {
    home: Arc<Watch>,
    key: Key,
    standing: watch::Receiver<Standing>,
}

impl Follower {
    /// Waits for a change of what the account holds, and says what it is now.
    pub async fn changed(&mut self) -> Standing {
        match self.standing.changed().await {
            Ok(()) => self.standing.borrow_and_update().clone(),
            Err(_unwatched) => Standing::Gone,
        }
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        let mut accounts = self.home.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = accounts.get_mut(&self.key) {
            entry.followers -= 1;
            if entry.followers == 0 {
                accounts.remove(&self.key);
            }
        }
    }
}

impl Watch {
    /// Begins to watch the account of a session, from what the session says.
    pub fn follow(self: &Arc<Self>, session: &Arc<Session>) -> Follower {
        let key = (session.account, session.login.map(|login| login.session));
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = accounts.entry(key).or_insert_with(|| Entry {
            followers: 0,
            standing: watch::Sender::new(Standing::Holds(Arc::clone(session))),
        });
        entry.followers += 1;
        let mut standing = entry.standing.subscribe();
        // The stream may have been opened on an older reading than the one that is known here.
        if let Standing::Holds(known) = &*entry.standing.borrow()
            && same(known, session)
        {
            standing.mark_unchanged();
        } else {
            standing.mark_changed();
        }
        self.somebody.notify_one();
        Follower { home: Arc::clone(self), key, standing }
    }

    /// Waits until somebody is watched.
    pub async fn somebody(&self) {
        while !self.anybody() {
            self.somebody.notified().await;
        }
    }

    /// Whether somebody is watched.
    pub fn anybody(&self) -> bool {
        !self.accounts.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Tells every stream that what its account holds could not be read for too long.
    pub fn unread(&self) {
        let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in accounts.values() {
            entry.standing.send_replace(Standing::Unread);
        }
    }

    /// Reads what all watched accounts hold and tells those whose account has changed.
    pub async fn look(
        &self,
        sessions: &Sessions,
        store: &Store,
        policy: &Arc<Policy>,
        clock: Clock,
    ) -> Result<()> {
        let (now, today) = (clock.now(), clock.today());
        let watched: Vec<Key> = {
            let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
            accounts.keys().copied().collect()
        };
        for together in watched.chunks(TOGETHER) {
            let read = Instant::now();
            // One account may be watched in several sessions.
            let mut of: Vec<AccountId> = together.iter().map(|(account, _)| *account).collect();
            of.sort_unstable();
            of.dedup();
            let ids: Vec<_> = together.iter().filter_map(|(_, session)| *session).collect();
            let standings = store.standings(&ids, now).await?;
            let holdings = store.holdings(&of, policy, today, now).await?;
            for key in together {
                let (account, session) = *key;
                let accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
                let Some(entry) = accounts.get(key) else { continue };
                let login = session.map(|id| login_of(id, account, &standings));
                let holding = holdings.get(&account).cloned();
                let Some(holding) = holding.filter(|_| login.is_none_or(|login| login.is_some()))
                else {
                    sessions.forget(*key);
                    entry.standing.send_if_modified(|standing| {
                        !matches!(std::mem::replace(standing, Standing::Gone), Standing::Gone)
                    });
                    continue;
                };
                let session = holding.session(account, policy, today).in_login(login.flatten());
                let session = Arc::new(session);
                entry.standing.send_if_modified(|standing| {
                    if let Standing::Holds(known) = standing
                        && same(known, &session)
                    {
                        // The one that is known has its plans ready.
                        sessions.keep(*key, read, Arc::clone(known));
                        return false;
                    }
                    sessions.keep(*key, read, Arc::clone(&session));
                    *standing = Standing::Holds(Arc::clone(&session));
                    true
                });
            }
        }
        Ok(())
    }
}

/// True when two readings say the same: policy, day, grants, the bounds of a program and what the session asks first.
fn same(one: &Session, other: &Session) -> bool {
    Arc::ptr_eq(&one.policy, &other.policy)
        && one.today == other.today
        && one.bounds == other.bounds
        && asked(one.login) == asked(other.login)
        && same_grants(&one.grants, &other.grants)
}

/// What a session asks of its holder before anything else depends on these.
fn asked(login: Option<Login>) -> Option<(bool, bool, Option<DateTime<Utc>>)> {
    login.map(|login| (login.must_change, login.factor, login.changed_at))
}

/// True when two readings found the same grants, in whatever order.
pub fn same_grants(one: &[Grant], other: &[Grant]) -> bool {
    one.len() == other.len() && one.iter().all(|grant| other.contains(grant))
}
