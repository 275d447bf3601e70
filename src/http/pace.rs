//! How fast requests may come: of an account, of an address, and of tokens that lead nowhere.
//!
//! The bookkeeping is the generic cell rate algorithm of `governor`; the cells stand in a cache of fixed size, so that
//! nobody fills the memory by coming from everywhere. Who somebody is was decided before, and a refusal says the same
//! whether or not there is an account behind it.

use std::{hash::Hash, num::NonZeroU32, sync::Arc, time::Duration};

use governor::{
    Quota, RateLimiter,
    clock::{Clock, DefaultClock},
    middleware::NoOpMiddleware,
    nanos::Nanos,
    state::{InMemoryState, NotKeyed, StateStore},
};
use quick_cache::sync::Cache;

use super::{client::Client, health::PREFIX, refusal::Refusal};
use crate::config::{door::Rate, settings::Limits};

/// Accounts or addresses whose pace is remembered; those that are at rest longest are forgotten first.
const REMEMBERED: usize = 65_536;

/// The limits, as metrics and answers name them.
const NAMES: [&str; 4] = ["account", "client", "address", "sign_ins"];

/// Explains the metric of this module, and begins each of its series at nought.
pub(super) fn describe() {
    let name = format!("{PREFIX}_rate_refusals_total");
    metrics::describe_counter!(
        name.clone(),
        "Requests refused because they came too fast, by limit"
    );
    for limit in NAMES {
        metrics::counter!(name.clone(), "limit" => limit).increment(0);
    }
}

/// The cells of whoever came lately.
#[derive(Clone)]
struct Cells<K>(Arc<Cache<K, Arc<InMemoryState>>>);

impl<K: Clone + Eq + Hash> StateStore for Cells<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let cell = match self.0.get(key) {
            Some(cell) => cell,
            None => {
                let fresh = || Ok::<_, std::convert::Infallible>(Arc::default());
                self.0.get_or_insert_with(key, fresh).unwrap_or_default()
            }
        };
        cell.measure_and_replace(&NotKeyed::NonKey, decide)
    }
}

/// The same cells, looked at and left as they are.
struct Glance<K>(Cells<K>);

impl<K: Clone + Eq + Hash> StateStore for Glance<K> {
    type Key = K;

    fn measure_and_replace<T, F, E>(&self, key: &K, decide: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let Some(cell) = self.0.0.get(key) else {
            return decide(None).map(|(outcome, _)| outcome);
        };
        // A cell keeps its state when it is told of a failure.
        let looked: Result<(), Result<T, E>> = cell
            .measure_and_replace(&NotKeyed::NonKey, |state| {
                Err(decide(state).map(|(outcome, _)| outcome))
            });
        match looked {
            Err(outcome) => outcome,
            Ok(()) => decide(None).map(|(outcome, _)| outcome),
        }
    }
}

type Limiter<K, S, C> = RateLimiter<K, S, C, NoOpMiddleware<<C as Clock>::Instant>>;

/// A limit on the pace of everybody who has a key.
pub(super) struct Pace<K: Clone + Eq + Hash, C: Clock = DefaultClock> {
    taking: Limiter<K, Cells<K>, C>,
    looking: Limiter<K, Glance<K>, C>,
    clock: C,
}

impl<K: Clone + Eq + Hash, C: Clock + Clone> Pace<K, C> {
    /// The limit for a rate by a clock; none where the rate is none.
    pub(super) fn new(rate: Rate, clock: C) -> Option<Self> {
        let per_minute = NonZeroU32::new(rate.per_minute)?;
        let quota = Quota::per_minute(per_minute).allow_burst(NonZeroU32::new(rate.burst)?);
        let cells = Cells(Arc::new(Cache::new(REMEMBERED)));
        Some(Self {
            taking: RateLimiter::new(quota, cells.clone(), clock.clone()),
            looking: RateLimiter::new(quota, Glance(cells), clock.clone()),
            clock,
        })
    }

    /// Takes a turn, or says how long until there is one.
    pub(super) fn take(&self, key: &K) -> Result<(), Duration> {
        self.taking.check_key(key).map_err(|not| not.wait_time_from(self.clock.now()))
    }

    /// Says how long until there is a turn, and takes none.
    fn look(&self, key: &K) -> Result<(), Duration> {
        self.looking.check_key(key).map_err(|not| not.wait_time_from(self.clock.now()))
    }
}

/// The limits of a server on the pace of requests.
pub(super) struct Paces<C: Clock = DefaultClock> {
    account: Option<Pace<String, C>>,
    program: Option<Pace<String, C>>,
    address: Option<Pace<Client, C>>,
    sign_ins: Option<Pace<Client, C>>,
}

impl<C: Clock + Clone> Paces<C> {
    pub(super) fn new(limits: &Limits, clock: &C) -> Self {
        Self {
            account: Pace::new(limits.account_rate, clock.clone()),
            program: Pace::new(limits.client_rate, clock.clone()),
            address: Pace::new(limits.address_rate, clock.clone()),
            sign_ins: Pace::new(limits.sign_in_rate, clock.clone()),
        }
    }

    /// One more request from an address. What comes by no connection has no address and no such limit.
    pub(super) fn address(&self, client: Option<Client>) -> Result<(), Refusal> {
        let (Some(pace), Some(client)) = (&self.address, client) else { return Ok(()) };
        pace.take(&client).map_err(|wait| {
            refusal(
                "address",
                wait,
                "too many requests come from this address",
                "此地址的请求过于频繁",
            )
        })
    }

    /// One more request of an account, or of a subject that is none.
    pub(super) fn account(&self, account: &str, program: bool) -> Result<(), Refusal> {
        let (pace, name) = match program {
            false => (&self.account, "account"),
            true => (&self.program, "client"),
        };
        let Some(pace) = pace else { return Ok(()) };
        pace.take(&account.to_owned()).map_err(|wait| {
            refusal(name, wait, "this account sends too many requests", "此账户的请求过于频繁")
        })
    }

    /// Whether sign-ins from an address may fail once more; otherwise how long until they may.
    pub(super) fn may_fail(&self, client: Option<Client>) -> Result<(), Duration> {
        let (Some(pace), Some(client)) = (&self.sign_ins, client) else { return Ok(()) };
        pace.look(&client)
    }

    /// A sign-in from an address has failed; refused where it has failed too often.
    pub(super) fn failed(&self, client: Option<Client>) -> Result<(), Refusal> {
        let (Some(pace), Some(client)) = (&self.sign_ins, client) else { return Ok(()) };
        pace.take(&client).map_err(failed_too_often)
    }
}

/// The refusal of one more sign-in.
pub(super) fn failed_too_often(wait: Duration) -> Refusal {
    refusal(
        "sign_ins",
        wait,
        "too many sign-ins from this address have failed",
        "此地址的登录失败次数过多",
    )
}

/// The refusal of what comes too fast, which is counted.
fn refusal(limit: &'static str, wait: Duration, en: &str, zh: &str) -> Refusal {
    metrics::counter!(format!("{PREFIX}_rate_refusals_total"), "limit" => limit).increment(1);
    let seconds = Refusal::whole_seconds(wait);
    Refusal::limited(
        limit,
        wait,
        format!("{en}; try again in {seconds} s"),
        format!("{zh}，请在 {seconds} 秒后重试"),
    )
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn rate(per_minute: u32, burst: u32) -> Rate {
        Rate { per_minute, burst }
    }

    #[test]
    fn a_turn_comes_back_after_the_time_that_was_said() {
        let clock = FakeRelativeClock::default();
        let pace = Pace::new(rate(6, 2), clock.clone()).unwrap();
        assert_eq!((pace.take(&"a"), pace.take(&"a")), (Ok(()), Ok(())));
        assert_eq!(pace.take(&"a"), Err(Duration::from_secs(10)));
        assert_eq!(pace.take(&"b"), Ok(()), "another key has turns of its own");
        clock.advance(Duration::from_secs(9));
        assert_eq!(pace.take(&"a"), Err(Duration::from_secs(1)));
        clock.advance(Duration::from_secs(1));
        assert_eq!(pace.take(&"a"), Ok(()));
        assert!(pace.take(&"a").is_err());
    }

    #[test]
    fn who_looks_takes_no_turn() {
        let pace = Pace::new(rate(1, 1), FakeRelativeClock::default()).unwrap();
        for _ in 0..5 {
            assert_eq!(pace.look(&"a"), Ok(()));
        }
        assert_eq!(pace.take(&"a"), Ok(()));
        assert_eq!(pace.look(&"a"), Err(Duration::from_secs(60)));
        assert_eq!(pace.look(&"b"), Ok(()));
    }

    #[test]
    fn memory_does_not_grow_with_those_who_come() {
        let pace = Pace::new(rate(1, 1), FakeRelativeClock::default()).unwrap();
        for key in 0..4 * REMEMBERED {
            assert_eq!(pace.take(&key), Ok(()));
        }
        assert!(pace.taking.into_state_store().0.len() <= REMEMBERED);
    }

    #[test]
    fn a_rate_of_nought_is_no_limit() {
        assert!(Pace::<&str, _>::new(Rate::OFF, FakeRelativeClock::default()).is_none());
    }

    #[test]
    fn each_limit_refuses_alone_and_says_which_it_is() {
        let one = rate(1, 1);
        let limits = Limits {
            account_rate: one,
            client_rate: one,
            address_rate: one,
            sign_in_rate: one,
            ..Limits::default()
        };
        let clock = FakeRelativeClock::default();
        let paces = Paces::new(&limits, &clock);
        let here = Some(Client::of("192.0.2.1".parse().unwrap()));
        let again = |named: &str, act: &dyn Fn() -> Result<(), Refusal>| {
            act().unwrap();
            let refusal = act().unwrap_err();
            assert_eq!(refusal.limit(), Some((named, 60)));
        };
        again("address", &|| paces.address(here));
        again("account", &|| paces.account("a", false));
        again("client", &|| paces.account("a", true));
        again("sign_ins", &|| paces.failed(here));
        assert!(paces.may_fail(here).is_err());
        assert!(paces.may_fail(Some(Client::of("192.0.2.2".parse().unwrap()))).is_ok());
        assert!(paces.address(None).is_ok() && paces.address(None).is_ok());
    }
}
