//! The backup of the night: when it is taken, by whom, what is verified and what goes.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use chrono::TimeDelta;
use tempfile::TempDir;
use xueji::clock::Clock;
use xueji::config::settings::{self, Keep};
use xueji::domain::backup::{Backups, Done, Night, look, nightly};

use super::{backup, demo, done, names, on_record, text};
use crate::support::app::{App, clock};
use crate::support::keys::{LOOKUP_KEY, MASTER, master};

/// A clock and its hand.
fn by_hand() -> (Clock, &'static AtomicI64) {
    let hand: &AtomicI64 = Box::leak(Box::new(AtomicI64::new(clock().now().timestamp_micros())));
    (Clock::moved(chrono_tz::Asia::Shanghai, hand), hand)
}

fn on(hand: &AtomicI64, by: TimeDelta) {
    hand.fetch_add(by.num_microseconds().unwrap(), Ordering::Relaxed);
}

fn backups(app: &App, folder: &TempDir) -> Backups {
    Backups {
        settings: settings::Backups {
            folder: folder.path().to_owned(),
            hour: 3,
            keep: Keep { daily: 2, weekly: 0, monthly: 0 },
            verify_every_days: 7,
        },
        url: app.place().url.clone().into(),
        master: Arc::new(master()),
        lookup: LOOKUP_KEY,
    }
}

#[track_caller]
fn was_done(night: Night) -> Done {
    match night {
        Night::Done(done) => done,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_night_has_one_backup_and_old_ones_go_but_for_the_verified() {
    let (app, _) = demo().await;
    let folder = TempDir::new().unwrap();
    let (clock, hand) = by_hand();
    let kept = backups(&app, &folder);
    assert_eq!(look(&kept).await.unwrap(), Default::default());
    // Noon: the server comes late and takes it at once; the first is verified.
    let first = was_done(nightly(app.store(), &kept, clock).await.unwrap());
    assert!(first.failures.is_empty(), "{:?}", first.failures);
    let taken = first.taken.unwrap();
    assert_eq!(first.verified.as_deref(), taken.path.file_name().unwrap().to_str());
    assert!(matches!(nightly(app.store(), &kept, clock).await.unwrap(), Night::There));
    let at = Some(taken.taken_at.timestamp());
    let seen = look(&kept).await.unwrap();
    assert_eq!((seen.taken, seen.verified), (at, at));
    // Until 02:59 nothing is due.
    on(hand, TimeDelta::minutes(14 * 60 + 59));
    assert!(matches!(nightly(app.store(), &kept, clock).await.unwrap(), Night::Early));
    on(hand, TimeDelta::minutes(1));
    for night in 1..=6 {
        let done = was_done(nightly(app.store(), &kept, clock).await.unwrap());
        assert!(done.failures.is_empty() && done.verified.is_none(), "{night}: {done:?}");
        on(hand, TimeDelta::days(1));
    }
    // Two days stay, and the verified one.
    let of = |names: Vec<String>| -> Vec<String> {
        names
            .into_iter()
            .filter(|name| name.ends_with(".xbk"))
            .map(|n| n[6..14].to_owned())
            .collect()
    };
    assert_eq!(of(names(folder.path())), ["20261120", "20261124", "20261125"]);
    // A week after the first the newest is verified, and the first goes with its record.
    let week = was_done(nightly(app.store(), &kept, clock).await.unwrap());
    assert!(week.verified.is_some() && week.removed.len() == 2, "{week:?}");
    assert_eq!(of(names(folder.path())), ["20261125", "20261126"]);
    assert_eq!(names(folder.path()).len(), 3);
    let db = app.db();
    let lines = [
        on_record(db, "backup.take").await,
        on_record(db, "backup.verify").await,
        on_record(db, "backup.prune").await,
    ];
    assert_eq!(lines, [8, 2, 5]);
    // By hand it says first what would go.
    let keep = ["--keep-daily", "1", "--keep-weekly", "0", "--keep-monthly", "0"];
    let prune = [&["prune", text(folder.path())][..], &keep].concat();
    let said = done(&prune, None);
    assert!(said.contains("would remove xueji-20261125") && said.contains("1 would go"), "{said}");
    assert_eq!(names(folder.path()).len(), 3, "nothing went");
    let said = done(&[&prune[..], &["--yes"]].concat(), Some(&app.place().url));
    assert!(said.contains("removed xueji-20261125"), "{said}");
    assert_eq!(of(names(folder.path())), ["20261126"]);
    assert_eq!(on_record(db, "backup.prune").await, 6);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_one_takes_it_and_a_failure_is_tried_again() {
    let (app, _) = demo().await;
    let sibling = app.sibling().await;
    let folder = TempDir::new().unwrap();
    let (clock, hand) = by_hand();
    let kept = backups(&app, &folder);
    let nights = (0..3)
        .flat_map(|_| [nightly(app.store(), &kept, clock), nightly(sibling.store(), &kept, clock)]);
    let nights = futures_util::future::join_all(nights).await;
    let done = nights.iter().filter(|night| matches!(night, Ok(Night::Done(_)))).count();
    assert_eq!(done, 1, "{nights:?}");
    on(hand, TimeDelta::days(1));
    let away = folder.path().join("away");
    let gone = Backups {
        settings: settings::Backups { folder: away.clone(), ..kept.settings.clone() },
        ..backups(&app, &folder)
    };
    let failed = was_done(nightly(app.store(), &gone, clock).await.unwrap());
    assert!(failed.taken.is_none() && failed.failures[0].0 == "take", "{failed:?}");
    assert!(failed.failures[0].1.to_string().contains("cannot be written"));
    assert!(matches!(nightly(app.store(), &gone, clock).await.unwrap(), Night::There));
    on(hand, TimeDelta::minutes(10));
    std::fs::create_dir(&away).unwrap();
    let again = was_done(nightly(sibling.store(), &gone, clock).await.unwrap());
    assert!(again.taken.is_some() && again.failures.is_empty(), "{again:?}");
    // A server does not start with a folder that is not there.
    let program = std::process::Command::new(env!("CARGO_BIN_EXE_xueji"))
        .env_clear()
        .arg("serve")
        .args(crate::support::process::settings(folder.path(), &app.place().url))
        .args(["--backup-folder", "/nowhere/at/all"])
        .output()
        .unwrap();
    let said = String::from_utf8(program.stderr).unwrap();
    assert!(said.starts_with("xueji: ") && !said.contains(MASTER), "{said}");
    let _unused = backup(&["list", text(&away)], None);
}
