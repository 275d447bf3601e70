//! The backups of a server (备份): when one is taken, when one is restored on trial, and which of them stay.
//!
//! [`kept`] is the rule, a plain function of days. What a backup is, and how one is taken, is the store's.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{Datelike, NaiveDate, TimeDelta};

use crate::clock::Clock;
use crate::config::secret::SecretText;
use crate::config::settings::{self, Keep};
use crate::error::Result;
use crate::store::Store;
use crate::store::backup::check::{Means, verify};
use crate::store::backup::claim::Claim;
use crate::store::backup::folder::{Kept, list, remove};
use crate::store::backup::take::{Taken, take};
use crate::store::backup::{Refusal, Voice};
use crate::store::keys::master::MasterKey;

/// The step that takes a backup.
pub const TAKE: &str = "take";
/// The step that restores one on trial.
pub const VERIFY: &str = "verify";
/// The step that removes those that need not stay.
pub const PRUNE: &str = "prune";
/// What a night does, in order.
pub const STEPS: [&str; 3] = [TAKE, VERIFY, PRUNE];

/// What a server needs to take backups.
pub struct Backups {
    /// Where, when, and how many stay.
    pub settings: settings::Backups,
    /// The address of the registry.
    pub url: SecretText,
    /// What wraps the key of each backup.
    pub master: Arc<dyn MasterKey>,
    /// The key of the look-up hashes.
    pub lookup: [u8; 32],
}

impl std::fmt::Debug for Backups {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Backups({})", self.settings.folder.display())
    }
}

/// What a look at the folder found, in seconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// The instant of the newest backup.
    pub taken: Option<i64>,
    /// The instant of the newest backup that was restored on trial.
    pub verified: Option<i64>,
}

/// Looks at the folder.
pub async fn look(backups: &Backups) -> Result<Look, Refusal> {
    let all = list(&backups.settings.folder, backups.master.as_ref()).await?;
    let seconds = |kept: &Kept| kept.taken_at.timestamp();
    let verified = all.iter().find(|kept| kept.verified.is_some());
    Ok(Look { taken: all.first().map(seconds), verified: verified.map(seconds) })
}

/// What was done in a night.
#[derive(Debug, Default)]
pub struct Done {
    /// The backup that was taken.
    pub taken: Option<Taken>,
    /// The name of the one that was restored on trial.
    pub verified: Option<String>,
    /// The names of those that were removed.
    pub removed: Vec<String>,
    /// Which steps failed, and why.
    pub failures: Vec<(&'static str, Refusal)>,
}

/// What a look at the clock found.
#[derive(Debug)]
pub enum Night {
    /// Its hour has not come.
    Early,
    /// Its backup is there, or another server is at it.
    There,
    /// It was done now.
    Done(Done),
}

/// Takes the backup of the night when its hour has come and no server did, restores one on trial when that is due,
/// and lets go what need not stay.
pub async fn nightly(store: &Store, backups: &Backups, clock: Clock) -> Result<Night> {
    if clock.hour() < backups.settings.hour {
        return Ok(Night::Early);
    }
    let claimed = match store.claim_backup(clock.today(), clock.now()).await? {
        Claim::Ours(claimed) => claimed,
        Claim::Theirs | Claim::Taken => return Ok(Night::There),
    };
    let mut done = Done::default();
    match taken(store, backups, clock).await {
        Ok(taken) => done.taken = Some(taken),
        Err(refusal) => done.failures.push((TAKE, refusal)),
    }
    store.settle_backup(&claimed, done.taken.is_some(), clock.now()).await?;
    // Without a new backup the old ones are left as they are.
    if done.taken.is_some() {
        match verified(store, backups, clock).await {
            Ok(name) => done.verified = name,
            Err(refusal) => done.failures.push((VERIFY, refusal)),
        }
        match pruned(store, backups, clock).await {
            Ok(names) => done.removed = names,
            Err(refusal) => done.failures.push((PRUNE, refusal)),
        }
    }
    Ok(Night::Done(done))
}

async fn taken(store: &Store, backups: &Backups, clock: Clock) -> Result<Taken, Refusal> {
    let (url, folder) = (backups.url.reveal(), &backups.settings.folder);
    let taken = take(url, folder, backups.master.as_ref(), clock, Voice::Silent).await?;
    store.backup_on_record("backup.take", &taken.detail(), clock.now()).await?;
    Ok(taken)
}

/// Restores the newest backup on trial when none was for so many days.
async fn verified(
    store: &Store,
    backups: &Backups,
    clock: Clock,
) -> Result<Option<String>, Refusal> {
    let all = list(&backups.settings.folder, backups.master.as_ref()).await?;
    let days = TimeDelta::days(backups.settings.verify_every_days.into());
    let last = all.iter().filter_map(|kept| kept.verified.as_ref()).map(|of| of.verified_at).max();
    // Nights are not exactly a day apart.
    let due = last.is_none_or(|last| clock.today() - clock.day_of(last) >= days);
    let Some(newest) = all.first().filter(|_| due) else { return Ok(None) };
    let means = Means {
        registry: store.registry(),
        master: Arc::clone(&backups.master),
        lookup: Some(backups.lookup),
        scratch: None,
        now: clock.now(),
        voice: Voice::Silent,
    };
    let found = verify(&newest.path, &means).await?;
    let detail = found.detail(&newest.path);
    store.backup_on_record("backup.verify", &detail, clock.now()).await?;
    Ok(Some(newest.name.clone()))
}

async fn pruned(store: &Store, backups: &Backups, clock: Clock) -> Result<Vec<String>, Refusal> {
    let all = list(&backups.settings.folder, backups.master.as_ref()).await?;
    let removed = remove(&leaving(&all, backups.settings.keep, clock))?;
    if !removed.is_empty() {
        store.backup_on_record("backup.prune", &removed.join(" "), clock.now()).await?;
    }
    Ok(removed)
}

/// Those of a folder's backups, from the newest, that need not stay.
pub fn leaving(all: &[Kept], keep: Keep, clock: Clock) -> Vec<&Kept> {
    let days: Vec<(NaiveDate, bool)> =
        all.iter().map(|kept| (clock.day_of(kept.taken_at), kept.verified.is_some())).collect();
    let stays = kept(&days, keep);
    all.iter().zip(stays).filter(|(_, stays)| !stays).map(|(backup, _)| backup).collect()
}

/// Which backups stay, of days from the newest and whether each was verified: the newest of each of the last so many
/// days, weeks and months that have one; and always the newest of all and the newest verified one.
pub fn kept(of: &[(NaiveDate, bool)], keep: Keep) -> Vec<bool> {
    let newest_verified = of.iter().position(|(_, verified)| *verified);
    let mut seen = [BTreeSet::new(), BTreeSet::new(), BTreeSet::new()];
    let most = [keep.daily, keep.weekly, keep.monthly];
    of.iter()
        .enumerate()
        .map(|(at, (day, _))| {
            let week = day.iso_week();
            let periods = [
                (day.year(), day.ordinal()),
                (week.year(), week.week()),
                (day.year(), day.month()),
            ];
            let mut stays = at == 0 || newest_verified == Some(at);
            for ((seen, most), period) in seen.iter_mut().zip(most).zip(periods) {
                let room = seen.len() < usize::try_from(most).unwrap_or(usize::MAX);
                stays |= room && seen.insert(period);
            }
            stays
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Days from the newest, each with a star when verified; which of them stay.
    fn stays(days: &[&str], daily: u32, weekly: u32, monthly: u32) -> Vec<String> {
        let of: Vec<(NaiveDate, bool)> = days
            .iter()
            .map(|day| (day.trim_end_matches('*').parse().unwrap(), day.ends_with('*')))
            .collect();
        let kept = kept(&of, Keep { daily, weekly, monthly });
        days.iter().zip(kept).filter(|(_, kept)| *kept).map(|(day, _)| (*day).to_owned()).collect()
    }

    #[test]
    fn the_newest_of_days_weeks_and_months_stay() {
        // 2026-11-20 is a Friday.
        let days = [
            "2026-11-20",
            "2026-11-20",
            "2026-11-19",
            "2026-11-18",
            "2026-11-16",
            "2026-11-15",
            "2026-11-09",
            "2026-11-08",
            "2026-10-31",
            "2026-10-01",
            "2026-09-30",
            "2025-12-31",
        ];
        for (daily, weekly, monthly, wanted) in [
            (0, 0, 0, &["2026-11-20"][..]),
            (1, 0, 0, &["2026-11-20"]),
            (3, 0, 0, &["2026-11-20", "2026-11-19", "2026-11-18"]),
            (0, 2, 0, &["2026-11-20", "2026-11-15"]),
            (0, 4, 0, &["2026-11-20", "2026-11-15", "2026-11-08", "2026-10-31"]),
            (0, 0, 3, &["2026-11-20", "2026-10-31", "2026-09-30"]),
            (0, 0, 9, &["2026-11-20", "2026-10-31", "2026-09-30", "2025-12-31"]),
            (2, 2, 2, &["2026-11-20", "2026-11-19", "2026-11-15", "2026-10-31"]),
        ] {
            assert_eq!(stays(&days, daily, weekly, monthly), wanted, "{daily} {weekly} {monthly}");
        }
        assert_eq!(stays(&days, 99, 99, 99).len(), 11, "of one day the newest");
        assert!(stays(&[], 7, 5, 12).is_empty());
    }

    #[test]
    fn the_newest_verified_one_always_stays() {
        let days = ["2026-11-20", "2026-11-19", "2026-11-18*", "2026-11-17*"];
        assert_eq!(stays(&days, 1, 0, 0), ["2026-11-20", "2026-11-18*"]);
        assert_eq!(stays(&days, 0, 0, 0), ["2026-11-20", "2026-11-18*"]);
        let days = ["2026-11-20*", "2026-11-19", "2026-11-18*"];
        assert_eq!(stays(&days, 0, 0, 0), ["2026-11-20*"]);
    }

    #[test]
    fn a_week_across_the_years_is_one() {
        let days = ["2027-01-02", "2026-12-31", "2026-12-28", "2026-12-27"];
        assert_eq!(stays(&days, 0, 2, 0), ["2027-01-02", "2026-12-27"]);
    }
}
