//! There and back: taken while requests run, restored, compared row by row, and across the two databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, DbBackend, Statement};
use tempfile::TempDir;
use xueji::clock::Clock;
use xueji::config::settings::Exceptional;
use xueji::graphql::REGISTRY;
use xueji::store::backup::check::{Means, verify};
use xueji::store::backup::{Voice, on_record as put, restore::restore};
use xueji::store::chain::sealer::Sealer;
use xueji::store::connect::connect;

use super::{ASKED, demo, done, everything, names, on_record, only, rows, text};
use crate::support::app::{App, clock};
use crate::support::keys::{LOOKUP_KEY, master};
use crate::support::place::{Place, server};

/// The look-up key of the suite.

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_comes_back_row_by_row_and_answers_alike() {
    let (app, people) = demo().await;
    let app = Arc::new(app);
    let folder = TempDir::new().unwrap();
    let url = app.place().url.clone();

    // Taken while people read, which leaves lines, and acts are put on record.
    let stop = Arc::new(AtomicBool::new(false));
    let busy = {
        let (app, people, stop) = (Arc::clone(&app), people.clone(), Arc::clone(&stop));
        tokio::spawn(async move {
            let mut turns = 0_u32;
            while !stop.load(Ordering::Relaxed) {
                let account = people[usize::try_from(turns).unwrap() % people.len()];
                app.account_holder(account).await.ask(ASKED).await;
                put(app.db(), &master(), ("test.busy", ""), clock().now()).await.unwrap();
                turns += 1;
            }
            turns
        })
    };
    let to = text(folder.path()).to_owned();
    let out = {
        let (to, url) = (to.clone(), url.clone());
        tokio::task::spawn_blocking(move || done(&["take", "--to", &to], Some(&url))).await.unwrap()
    };
    stop.store(true, Ordering::Relaxed);
    let turns = busy.await.unwrap();
    assert!(turns > 0);
    let first = only(folder.path());
    assert!(out.contains(text(&first)) && out.contains("sha256"), "{out}");
    assert_eq!(names(folder.path()).len(), 1, "no part is left");
    let table = done(&["verify", text(&first)], Some(&url));
    assert!(table.contains(" verified: ") && table.contains("sealed values opened"), "{table}");
    // Codes, chain and heads of both logs as well.
    for log in ["\naudit ", "\ndisclosure_line "] {
        let line = table.split(log).nth(1).unwrap().lines().next().unwrap();
        assert!(!line.trim_start().starts_with("0 lines"), "{log} {line}");
    }
    assert_eq!(on_record(app.db(), "backup.take").await, 1);
    assert_eq!(on_record(app.db(), "backup.verify").await, 1);
    let list = done(&["list", &to], None);
    assert!(list.contains("  verified 20") && list.contains(" rows"), "{list}");
    std::fs::remove_file(&first).unwrap();

    // And in quiet, to be compared with what is there.
    done(&["take", "--to", &to], Some(&url));
    let path = only(folder.path());
    let before = everything(&url).await;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    let copy = Place::empty().await;
    let said = done(&["restore", text(&path)], Some(&copy.url));
    assert!(said.starts_with("restored: ") && !said.contains("pending"), "{said}");
    let after = everything(&copy.url).await;
    assert_eq!(before.len(), after.len());
    for (was, is) in before.iter().zip(&after) {
        assert!(was == is, "{} differs: {} and {} rows", was.0, was.1.len(), is.1.len());
    }
    let compared: usize = after.iter().map(|(_, rows)| rows.len()).sum();
    let lines = after.iter().find(|(name, _)| name == "disclosure_line").unwrap().1.len();
    assert!(lines > 0 && compared > 2_000, "{lines} lines, {compared} rows");

    // Nothing in it is readable: neither sealed values nor names, nor which tables there are.
    let bytes = std::fs::read(&path).unwrap();
    let holds = |word: &str| bytes.windows(word.len()).any(|part| part == word.as_bytes());
    let mut looked = 0;
    for sql in ["SELECT DISTINCT name FROM student", "SELECT DISTINCT name FROM guardian"] {
        for name in rows(app.db(), sql.to_owned()).await {
            assert!(name.len() < 6 || !holds(&name), "{name} stands in it");
            looked += 1;
        }
    }
    for word in ["student", "guardian", "disclosure", "aes-256", "sqlite", "postgres"] {
        assert!(!holds(word), "{word} stands in it");
    }
    println!(
        "one round: {compared} rows of {} tables compared, {lines} lines of disclosures, {} bytes, \
         {looked} names looked for, {turns} requests meanwhile",
        after.len(),
        bytes.len()
    );

    // The restored registry answers alike, and goes on where the other stood.
    let twin = App::alone_at(copy, 4, Exceptional::default()).await;
    for account in &people {
        let there = app.account_holder(*account).await.ask(ASKED).await;
        let here = twin.account_holder(*account).await.ask(ASKED).await;
        assert_eq!(there.data(), here.data());
        assert_eq!(there.redactions(), here.redactions());
    }
    let (there, here) = (app.disclosed().await, twin.disclosed().await);
    assert!(here.len() == there.len() && here.len() > lines, "{} and {lines}", here.len());
    assert!(here.windows(2).all(|two| two[0].seq < two[1].seq));
    let db = twin.db();
    let next = "INSERT INTO outbox (id, at, kind, payload) \
        VALUES ($1, '2026-11-20T04:00:00+00:00', 'after', '{}')";
    let values = [uuid::Uuid::now_v7().into()];
    let insert = Statement::from_sql_and_values(db.get_database_backend(), next, values);
    db.execute_raw(insert).await.unwrap();
    let seq = "SELECT CAST(seq AS text) FROM outbox WHERE seq IS NOT NULL ORDER BY seq".to_owned();
    let numbers = rows(db, seq).await;
    assert_eq!(numbers, ["1", "2", "3", "4"]);
    assert_eq!(on_record(db, "backup.restore").await, 1);
    // Its logs are whole, and are gone on with.
    // Whoever sealed there has let go a minute later.
    let later = clock().now() + TimeDelta::minutes(1);
    let sealer = Sealer::new(twin.store().clone(), Clock::fixed(chrono_tz::UTC, later));
    sealer.look().await.unwrap();
    let report = twin.store().verify_logs(None).await.unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
    assert!(
        report.counts.iter().all(|log| log.sealed > 0 && log.unsealed == 0),
        "{:?}",
        report.counts
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn either_database_takes_what_was_taken_of_the_other() {
    // Both directions need a server.
    let Some(scratch) = server() else { return };
    let (app, people) = demo().await;
    let folder = TempDir::new().unwrap();
    done(&["take", "--to", text(folder.path())], Some(&app.place().url));
    let of_server = only(folder.path());
    let file = Place::folder();
    done(&["restore", text(&of_server)], Some(&file.url));
    // From there into a server again: nothing was lost on the way, and nothing was changed.
    let second = TempDir::new().unwrap();
    done(&["take", "--to", text(second.path())], Some(&file.url));
    let of_file = only(second.path());
    assert!(text(&of_file).ends_with("-sqlite.xbk") && text(&of_server).ends_with("-postgres.xbk"));
    let back = Place::empty().await;
    done(&["restore", text(&of_file)], Some(&back.url));
    assert!(everything(&app.place().url).await == everything(&back.url).await);
    // A verification may make its scratch database on a server, whatever it was taken of.
    for path in [&of_server, &of_file] {
        let said = done(&["verify", text(path), "--scratch-url", &scratch], None);
        assert!(said.contains(" verified: "), "{said}");
    }
    let twin = App::alone_at(back, 4, Exceptional::default()).await;
    for account in &people {
        let there = app.account_holder(*account).await.ask(ASKED).await;
        let here = twin.account_holder(*account).await.ask(ASKED).await;
        assert_eq!(there.data(), here.data());
    }
    assert_eq!(twin.db().get_database_backend(), DbBackend::Postgres);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verification_opens_sealed_columns_and_holds_hashes_against_them() {
    let (app, _) = demo().await;
    let folder = TempDir::new().unwrap();
    let taken = |url: String| {
        let to = text(folder.path()).to_owned();
        done(&["take", "--to", &to], Some(&url));
        only(folder.path())
    };
    let path = taken(app.place().url.clone());
    let means = |lookup| Means {
        registry: &REGISTRY,
        master: Arc::new(master()),
        lookup,
        scratch: None,
        now: clock().now(),
        voice: Voice::Silent,
    };
    let found = verify(&path, &means(Some(LOOKUP_KEY))).await.unwrap();
    assert!(found.opened > 500 && found.agreed.unwrap() > 300, "{found:?}");
    assert!(found.tables.len() > 40 && found.tables.iter().all(|one| one.told == one.restored));
    assert_eq!(verify(&path, &means(None)).await.unwrap().agreed, None);
    let refusal = verify(&path, &means(Some([13; 32]))).await.unwrap_err().to_string();
    assert!(refusal.contains("the look-up hash of "), "{refusal}");
    std::fs::remove_file(&path).unwrap();
    // A value that was moved in the database before the backup was taken is found as well.
    let moved = "UPDATE student SET phone = (SELECT phone FROM student WHERE phone IS NOT NULL ORDER BY id LIMIT 1) \
        WHERE id = (SELECT id FROM student WHERE phone IS NOT NULL ORDER BY id DESC LIMIT 1)";
    app.db().execute_unprepared(moved).await.unwrap();
    let path = taken(app.place().url.clone());
    let refusal = verify(&path, &means(Some(LOOKUP_KEY))).await.unwrap_err().to_string();
    assert!(refusal.contains("does not open under its data key"), "{refusal}");
    // It can be restored all the same: it is what the registry held.
    let copy = Place::empty().await;
    restore(&path, &copy.url, &master(), None, Voice::Silent).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_schema_comes_back_as_it_was() {
    let place = Place::migrated().await;
    let db = connect(&place.url, 1).await.unwrap();
    db.execute_unprepared("DELETE FROM data_key").await.unwrap();
    db.execute_unprepared("DELETE FROM log_key").await.unwrap();
    db.close().await.unwrap();
    let migrate = |args: &[&str], url: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xueji"));
        command.env_clear().arg("migrate").args(args).args(["--database-url", url]);
        String::from_utf8(command.output().unwrap().stdout).unwrap()
    };
    migrate(&["down"], &place.url);
    let folder = TempDir::new().unwrap();
    done(&["take", "--to", text(folder.path())], Some(&place.url));
    let copy = Place::empty().await;
    let said = done(&["restore", text(&only(folder.path()))], Some(&copy.url));
    assert!(said.contains("1 migrations of this program are pending"), "{said}");
    assert!(migrate(&["status"], &copy.url).contains(" 1 pending"));
    migrate(&["up"], &copy.url);
    assert!(migrate(&["status"], &copy.url).contains(" 0 pending"));
}
