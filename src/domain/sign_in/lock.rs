//! How long an account is locked after failures: longer each time, and never for ever.
//!
//! Times are compared, never subtracted into an unsigned number: a clock that jumps back locks for longer, and never
//! for shorter.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use crate::config::sign_in::SignIn;
use crate::store::sign_in::Credential;

/// Failures that are older than this are forgotten.
const REMEMBERED: TimeDelta = TimeDelta::hours(24);

/// Whether nothing is accepted at this instant.
pub(super) fn locked(credential: &Credential, now: DateTime<Utc>) -> bool {
    credential.locked_until.is_some_and(|until| now < until)
}

/// What one more failure leads to: how many there are now, and until when the account is locked.
pub(super) fn after_failure(
    rules: &SignIn,
    credential: &Credential,
    now: DateTime<Utc>,
) -> (i64, Option<DateTime<Utc>>) {
    let old = credential
        .last_failure_at
        .and_then(|at| at.checked_add_signed(REMEMBERED))
        .is_some_and(|end| end < now);
    let failures = if old { 1 } else { credential.failures.max(0).saturating_add(1) };
    let beyond = failures.saturating_sub(i64::from(rules.lock_after));
    if beyond < 0 {
        return (failures, None);
    }
    let doublings = u32::try_from(beyond).unwrap_or(u32::MAX);
    let factor = 1_u32.checked_shl(doublings.min(31)).unwrap_or(u32::MAX);
    let delay = rules.lock_first.checked_mul(factor).unwrap_or(Duration::MAX).min(rules.lock_most);
    let delay = TimeDelta::from_std(delay).unwrap_or(TimeDelta::MAX);
    let until = now.checked_add_signed(delay).unwrap_or(DateTime::<Utc>::MAX_UTC);
    // What is locked already is not unlocked earlier.
    let until = credential.locked_until.map_or(until, |known| known.max(until));
    (failures, Some(until))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + seconds, 0).unwrap()
    }

    /// Fails once more at this instant.
    fn fail(credential: &mut Credential, now: DateTime<Utc>) -> Option<i64> {
        let (failures, until) = after_failure(&SignIn::default(), credential, now);
        credential.failures = failures;
        credential.last_failure_at = Some(now);
        credential.locked_until = until;
        until.map(|until| (until - now).num_seconds())
    }

    #[test]
    fn locks_grow_and_have_an_end() {
        let mut credential = Credential::default();
        let mut now = at(0);
        let mut delays = Vec::new();
        for _ in 0..14 {
            delays.push(fail(&mut credential, now));
            now = credential.locked_until.unwrap_or(now);
            assert!(!locked(&credential, now));
        }
        assert_eq!(delays[..4], [None; 4]);
        let locks: Vec<_> = delays[4..].iter().flatten().copied().collect();
        assert_eq!(locks, [60, 120, 240, 480, 960, 1920, 3600, 3600, 3600, 3600]);
    }

    #[test]
    fn old_failures_are_forgotten() {
        let mut credential = Credential::default();
        for _ in 0..6 {
            fail(&mut credential, at(0));
        }
        let day_later = at(24 * 60 * 60 + 1);
        credential.locked_until = None;
        assert_eq!(fail(&mut credential, day_later), None);
        assert_eq!(credential.failures, 1);
    }

    #[test]
    fn a_clock_that_jumps_back_unlocks_nothing() {
        let mut credential = Credential::default();
        for _ in 0..6 {
            fail(&mut credential, at(0));
        }
        let until = credential.locked_until.unwrap();
        for back in [1, 3_600, 40_000_000, 1_799_999_999] {
            assert!(locked(&credential, at(-back)), "{back}");
            let (failures, again) = after_failure(&SignIn::default(), &credential, at(-back));
            assert_eq!(failures, 7, "failures of the future are not old");
            assert!(again.unwrap() >= until);
        }
        credential.failures = i64::MAX;
        let (failures, again) = after_failure(&SignIn::default(), &credential, at(0));
        assert_eq!(failures, i64::MAX);
        assert!(again.unwrap() >= until);
    }
}
