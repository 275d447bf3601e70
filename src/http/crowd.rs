//! How many are let in: open connections of an address, open streams of an account, and how fast an account opens them.
//!
//! Counts alone are kept, and only while somebody is inside. Who somebody is was decided before.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use governor::clock::DefaultClock;

use super::{client::Client, pace::Pace};
use crate::config::door::Rate;

/// What is said where nobody may begin a stream, however long they wait.
const NEVER: Duration = Duration::from_secs(60 * 60);

/// Whose places are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum Guest {
    /// An address, for its connections.
    Address(Client),
    /// An account, for its streams.
    Account(String),
}

/// Everybody who is inside.
pub(super) struct Crowd {
    inside: Mutex<HashMap<Guest, usize>>,
    pace: Option<Pace<String>>,
}

impl Crowd {
    pub(super) fn new(subscribes_per_minute: u32) -> Self {
        let rate = Rate { per_minute: subscribes_per_minute, burst: subscribes_per_minute };
        let pace = Pace::new(rate, DefaultClock::default());
        Self { inside: Mutex::default(), pace }
    }

    /// A place for a guest, unless `most` are taken.
    pub(super) fn enter(self: &Arc<Self>, guest: Guest, most: usize) -> Option<Pass> {
        let mut inside = self.inside.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = inside.entry(guest.clone()).or_default();
        if *taken >= most {
            if *taken == 0 {
                inside.remove(&guest);
            }
            return None;
        }
        *taken += 1;
        Some(Pass { crowd: Arc::clone(self), guest })
    }

    /// Begins one more stream of an account, or says how long until it may. A limit of 0 lets nobody begin any.
    pub(super) fn may_begin(&self, account: &str) -> Result<(), Duration> {
        let Some(pace) = &self.pace else { return Err(NEVER) };
        pace.take(&account.to_owned())
    }
}

/// A place that is taken; given back when dropped.
pub(super) struct Pass {
    crowd: Arc<Crowd>,
    guest: Guest,
}

impl Drop for Pass {
    fn drop(&mut self) {
        let mut inside = self.crowd.inside.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(taken) = inside.get_mut(&self.guest) {
            *taken -= 1;
            if *taken == 0 {
                inside.remove(&self.guest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_counted_by_guest_and_given_back() {
        let crowd = Arc::new(Crowd::new(10));
        let guest = |name: &str| Guest::Account(name.to_owned());
        let first = crowd.enter(guest("a"), 2);
        let _second = crowd.enter(guest("a"), 2).unwrap();
        assert!(crowd.enter(guest("a"), 2).is_none());
        assert!(crowd.enter(guest("b"), 2).is_some());
        assert!(crowd.enter(guest("c"), 0).is_none());
        drop(first);
        assert!(crowd.enter(guest("a"), 2).is_some());
        assert_eq!(crowd.inside.lock().unwrap().len(), 1, "nobody is remembered after leaving");
    }

    #[test]
    fn an_account_that_begins_too_often_is_held_up_alone() {
        let crowd = Crowd::new(5);
        let begun = (0..20).filter(|_| crowd.may_begin("hasty").is_ok()).count();
        assert_eq!(begun, 5);
        assert!(crowd.may_begin("calm").is_ok());
        assert!(Crowd::new(0).may_begin("anybody").is_err());
    }
}
