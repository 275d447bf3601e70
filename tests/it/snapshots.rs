//! Snapshots as those who keep a server meet them: the commands, the task of the night, and which are kept.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use chrono::TimeDelta;
use sea_orm::{ConnectionTrait, Statement};
use tempfile::TempDir;

use crate::policy_reload::{change, folder};
use crate::support::app::App;
use crate::support::keys::MASTER;
use crate::support::logs;
use crate::support::place::Place;
use crate::support::seed::Shape;

fn run(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().stdin(Stdio::null()).args(args).output().unwrap()
}

/// The exit code, and what was said on either stream.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// `xueji snapshot …` on a database.
struct Snapshots<'a> {
    url: &'a str,
}

impl Snapshots<'_> {
    fn run(&self, args: &[&str]) -> (Option<i32>, String, String) {
        let key = "fedcba9876543210".repeat(4);
        let mut all = vec!["snapshot"];
        all.extend(args);
        all.extend(["--database-url", self.url, "--lookup-key", &key]);
        said(&run(&all))
    }

    #[track_caller]
    fn done(&self, args: &[&str]) -> String {
        let (code, out, err) = self.run(args);
        assert_eq!(code, Some(0), "{args:?}: {out}{err}");
        out
    }

    /// Refused with exit code 1 and one sentence.
    #[track_caller]
    fn refused(&self, args: &[&str], part: &str) {
        let (code, out, err) = self.run(args);
        assert_eq!(code, Some(1), "{args:?}: {out}{err}");
        assert!(err.starts_with("xueji: ") && err.contains(part), "{args:?}: {part} in {err}");
        assert!(out.is_empty() && !err.contains("panicked"), "{out}{err}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_take_list_and_drop_and_say_why_not() {
    let (app, _seed) = App::school_of(Shape { classes: 2, students: 30 }).await;
    let place = app.into_place();
    let snapshots = Snapshots { url: &place.url };
    assert_eq!(snapshots.done(&["list"]), "");
    snapshots.refused(&["take", "--name", " "], "1 to 100 characters");
    snapshots.refused(&["take", "--name", &"x".repeat(101)], "1 to 100 characters");
    let taken = snapshots.done(&["take", "--name", "census"]);
    assert!(taken.starts_with("1     census "), "{taken}");
    assert!(taken.trim_end().ends_with(" 150 students, with tables"), "{taken}");
    snapshots.refused(&["take", "--name", "census"], "No snapshot was taken");
    // On the same day there is one of the night, and its tables would be subtracted from those of the census.
    let night = snapshots.done(&["take"]);
    assert!(night.starts_with("2     nightly ") && !night.contains("tables"), "{night}");
    snapshots.refused(&["take"], "No snapshot was taken");
    let list = snapshots.done(&["list"]);
    let numbers: Vec<&str> = list.lines().map(|line| &line[..1]).collect();
    assert_eq!(numbers, ["2", "1"], "{list}");
    // What declared tables are answered from goes only with them.
    snapshots.refused(&["drop", "census"], "--with-tables");
    snapshots.refused(&["drop", "1"], "--with-tables");
    snapshots.refused(&["drop", "nobody"], "There is no snapshot \"nobody\"");
    assert_eq!(snapshots.done(&["list"]), list, "nothing changed");
    assert!(snapshots.done(&["drop", "2"]).starts_with("dropped 2 "));
    assert!(snapshots.done(&["drop", "census", "--with-tables"]).starts_with("dropped 1 "));
    snapshots.refused(&["drop", "census", "--with-tables"], "There is no snapshot");
    assert_eq!(snapshots.done(&["list"]), "");
    // Nothing of it is left in the database.
    let db = xueji::store::connect::connect(&place.url, 1).await.unwrap();
    for table in ["snapshot_student", "snapshot_score", "snapshot_school", "snapshot_cell"] {
        let count = format!("SELECT COUNT(*) AS n FROM {table}");
        let row = db.query_one_raw(Statement::from_string(db.get_database_backend(), count)).await;
        assert_eq!(row.unwrap().unwrap().try_get::<i64>("", "n").unwrap(), 0, "{table}");
    }
    db.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_commands_refuse_what_is_missing() {
    let empty = Place::empty().await;
    let snapshots = Snapshots { url: &empty.url };
    for args in [&["take"][..], &["list"], &["drop", "1"]] {
        snapshots.refused(args, "xueji migrate up");
    }
    let migrated = Place::migrated().await;
    let (code, _, err) = said(&run(&["snapshot", "list", "--database-url", &migrated.url]));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("lookup_key"), "{err}");
    let (code, _, err) = said(&run(&["snapshot", "list"]));
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("database_url"), "{err}");
    let (code, ..) = said(&run(&["snapshot", "drop"]));
    assert_eq!(code, Some(2), "a name is missing");
    let (code, ..) = said(&run(&["snapshot", "freeze"]));
    assert_eq!(code, Some(2), "no such command");
}

/// The names of the tables that were published.
async fn published(url: &str) -> Vec<String> {
    let db = xueji::store::connect::connect(url, 1).await.unwrap();
    let names = "SELECT DISTINCT table_name FROM snapshot_cell ORDER BY table_name";
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), names)).await;
    let names = rows.unwrap().iter().map(|row| row.try_get_by_index(0).unwrap()).collect();
    db.close().await.unwrap();
    names
}

/// A policy folder with one declared table of this name.
fn declaring(name: &str) -> TempDir {
    let mine = folder();
    let text = format!("t, {name}, 表, students, gender\n");
    std::fs::write(mine.path().join("tables.csv"), text).unwrap();
    mine
}

#[tokio::test(flavor = "multi_thread")]
async fn the_published_policy_decides_and_files_only_where_none_is() {
    let (app, _seed) = App::school_of(Shape { classes: 2, students: 30 }).await;
    let place = app.into_place();
    let snapshots = Snapshots { url: &place.url };
    let path = |of: &Path| of.to_str().unwrap().to_owned();
    let (mine, theirs) = (declaring("at_hand"), declaring("in_force"));
    let (mine_at, theirs_at) = (path(mine.path()), path(theirs.path()));
    // Nothing is published yet: the files at hand; and taking a snapshot publishes no policy.
    snapshots.done(&["take", "--name", "one", "--policies", &mine_at]);
    assert_eq!(published(&place.url).await, ["at_hand"]);
    let history = said(&run(&["policy", "history", "--database-url", &place.url]));
    assert!(history.1.starts_with("0 versions"), "{history:?}");
    snapshots.done(&["drop", "one", "--with-tables"]);
    let apply = [
        "policy",
        "apply",
        "--master-key",
        MASTER,
        "--database-url",
        &place.url,
        "--policies",
        &theirs_at,
    ];
    assert_eq!(said(&run(&apply)).0, Some(0));
    snapshots.done(&["take", "--name", "two", "--policies", &mine_at]);
    assert_eq!(published(&place.url).await, ["in_force"]);
    snapshots.done(&["drop", "two", "--with-tables"]);
    // Files with a mistake do not matter where they do not decide.
    change(mine.path(), "tables.csv", "students", "pupils");
    snapshots.done(&["take", "--name", "three", "--policies", &mine_at]);
    assert_eq!(published(&place.url).await, ["in_force"]);
}

/// The day, the kind and what is left of each, from the newest.
async fn left(app: &App) -> Vec<(String, bool, bool, bool)> {
    let all = app.store().snapshots().await.unwrap();
    all.iter().map(|of| (of.day.to_string(), of.nightly, of.facts, of.tables)).collect()
}

fn night(day: u32, facts: bool, tables: bool) -> (String, bool, bool, bool) {
    (format!("2026-11-{day}"), true, facts, tables)
}

#[tokio::test]
async fn a_night_has_one_snapshot_from_its_hour_on_and_old_facts_go() {
    let (app, hand) = App::by_hand().await;
    let seed = app.plant(Shape { classes: 2, students: 30 }).await;
    // Noon of 20 November: the server comes late, and takes the snapshot of this day at once.
    app.night().await;
    app.night().await;
    assert_eq!(left(&app).await, [night(20, true, true)]);
    // Until 01:59 of the next day nothing is due, and at 02:00 it is.
    hand.on(TimeDelta::minutes(13 * 60 + 59));
    app.night().await;
    assert_eq!(left(&app).await.len(), 1);
    hand.on(TimeDelta::minutes(1));
    app.night().await;
    assert_eq!(left(&app).await, [night(21, true, false), night(20, true, true)]);
    // Two nights are kept, named ones stay, and what was published stays.
    app.snapshot("census").await;
    hand.on(TimeDelta::days(1));
    app.night().await;
    let census = ("2026-11-21".to_owned(), false, true, false);
    assert_eq!(
        left(&app).await,
        [night(22, true, false), census.clone(), night(21, true, false), night(20, false, true)]
    );
    hand.on(TimeDelta::days(1));
    app.night().await;
    assert_eq!(
        left(&app).await[..4],
        [night(23, true, false), night(22, true, false), census, night(21, false, false)]
    );
    let table = "{ declaredTable(name: \"students_by_gender\") { snapshot { takenAt } } }";
    let answer = app.analyst(seed.city).ask(table).await;
    let taken = answer.at("/declaredTable/snapshot/takenAt").as_str().unwrap();
    assert!(taken.starts_with("2026-11-20T04:00:00"), "{taken}");
}

#[tokio::test]
async fn tables_are_published_when_the_last_are_old_enough() {
    let (app, hand) = App::by_hand().await;
    // An empty registry has no tables that tell anything, and holds up nobody.
    app.night().await;
    assert_eq!(left(&app).await, [night(20, true, false)]);
    app.plant(Shape { classes: 2, students: 30 }).await;
    let named = |name: &'static str| {
        let app = &app;
        async move {
            app.snapshot(name).await;
            left(app).await[0].3
        }
    };
    assert!(named("first").await, "none was published before");
    hand.on(TimeDelta::days(27));
    assert!(!named("too soon").await);
    hand.on(TimeDelta::days(1));
    assert!(named("four weeks later").await);
    hand.on(TimeDelta::days(90));
    app.night().await;
    assert!(!left(&app).await[0].3, "a night waits a term");
    hand.on(TimeDelta::days(1));
    app.night().await;
    assert!(left(&app).await[0].3);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_on_one_database_take_one() {
    let app = App::start().await;
    app.plant(Shape { classes: 1, students: 12 }).await;
    let sibling = app.sibling().await;
    let nights = (0..3).flat_map(|_| [app.night(), sibling.night()]);
    futures_util::future::join_all(nights).await;
    assert_eq!(left(&app).await.len(), 1);
    assert_eq!(left(&app).await, left(&sibling).await);
}

#[tokio::test]
async fn a_night_that_fails_is_said_and_tried_again() {
    let app = App::start().await;
    app.plant(Shape { classes: 1, students: 12 }).await;
    let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
    let away = rename("snapshot_aid", "snapshot_aid_away");
    app.db().execute_unprepared(&away).await.unwrap();
    app.night().await;
    assert!(left(&app).await.is_empty(), "nothing of it is kept");
    let lines = logs::text();
    let line = lines.lines().find(|line| line.contains("the nightly snapshot failed")).unwrap();
    assert!(line.contains("\"ERROR\""), "{line}");
    let metrics = app.anonymous_get("/metrics").await;
    assert!(metrics.contains("xueji_snapshot_failures_total "), "{metrics}");
    assert!(metrics.contains("xueji_snapshot_failing "), "{metrics}");
    let back = rename("snapshot_aid_away", "snapshot_aid");
    app.db().execute_unprepared(&back).await.unwrap();
    app.night().await;
    assert_eq!(left(&app).await.len(), 1, "the next look takes it");
    assert!(app.anonymous_get("/metrics").await.contains("xueji_snapshots_total "));
}
