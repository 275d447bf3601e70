//! The sealing of both logs: whoever owns the database and not the keys can change, remove, insert, move or cut off
//! lines, and each of it is found and named; what nobody touched verifies; one server seals, and no line is missed.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sea_orm::{
    ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, PaginatorTrait, QueryOrder,
    Statement, TransactionTrait,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;
use xueji::clock::Clock;
use xueji::store::chain::line::Log;
use xueji::store::chain::report::{Report, What, Where};
use xueji::store::chain::sealer::Sealer;
use xueji::store::connect::connect_log;
use xueji::store::keys::logs;
use xueji_entity::{attendance, audit, disclosure_line, history, seal};

use crate::support::app::{App, PATIENCE, clock};
use crate::support::keys::{MASTER, Unguarded, master};
use crate::support::seed::Seed;

const RECORD: &str =
    "mutation($input: AttendanceRecordInput!) { attendanceRecord(input: $input) { recorded } }";
/// What belongs to a log in its database.
const TABLES: [&str; 3] = ["seal", "seal_head", "seal_waiting"];

/// An application that does nothing beside answering, with a sealer in the hand of the test.
struct Scene {
    app: App,
    seed: Seed,
    sealer: Sealer,
    folder: TempDir,
    log: DatabaseConnection,
}

fn roll(app: &App, seed: &Seed, day: u32) -> Value {
    let class = seed.first();
    let marks: Vec<_> = class
        .students
        .iter()
        .map(|student| json!({ "studentId": app.id("student", *student), "kind": "LATE" }))
        .collect();
    json!({ "input": { "classGroupId": app.id("class_group", class.id), "day": format!("2026-11-{day}"), "marks": marks } })
}

impl Scene {
    async fn new() -> Self {
        let (app, seed) = App::school_alone().await;
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("heads.jsonl");
        let sealer = Sealer::new(app.store().clone(), clock()).keeping_heads(Some(file));
        let sealer = sealer.signing_every(Duration::ZERO);
        let log = connect_log(&app.place().url).await.unwrap();
        let log = log.unwrap_or_else(|| app.db().clone());
        Self { app, seed, sealer, folder, log }
    }

    /// Acts, denied acts and disclosures: five, five and five.
    async fn write(&self) {
        let (app, class) = (&self.app, self.seed.first());
        let (teacher, other) = (app.homeroom_teacher(class.id), app.student(class.students[0]));
        for day in 13..18 {
            teacher.query(RECORD, roll(app, &self.seed, day)).await.data();
            assert_eq!(other.query(RECORD, roll(app, &self.seed, day)).await.code(), "FORBIDDEN");
            teacher.ask("{ students { nodes { name phone } } }").await.data();
        }
    }

    /// A scene of which everything is sealed, in two rounds.
    async fn sealed() -> Self {
        let scene = Self::new().await;
        for _ in 0..2 {
            scene.write().await;
            assert_eq!(scene.sealer.look().await.unwrap().sealed, 15);
        }
        scene
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("heads.jsonl")
    }

    async fn verify(&self) -> Report {
        self.app.store().verify_logs(Some(&self.file())).await.unwrap()
    }

    fn db(&self, log: Log) -> &DatabaseConnection {
        match log {
            Log::Audit => self.app.db(),
            Log::Disclosures => &self.log,
        }
    }

    async fn run(&self, log: Log, statement: &str) {
        let done = self.db(log).execute_unprepared(statement).await;
        done.unwrap_or_else(|error| panic!("{statement}: {error}"));
    }

    /// Does to a log what its owner can, verifies, and puts everything back.
    async fn tampered(&self, log: Log, statements: &[String]) -> Vec<String> {
        let mut guards = Vec::new();
        let tables = [&[log.table()][..], &TABLES].concat();
        for table in &tables {
            guards.push(Unguarded::of(self.db(log), table).await);
            self.run(log, &format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
        }
        for statement in statements {
            self.run(log, statement).await;
        }
        let report = self.verify().await;
        for table in &tables {
            self.run(log, &format!("DELETE FROM {table}")).await;
            self.run(log, &format!("INSERT INTO {table} SELECT * FROM kept_{table}")).await;
            self.run(log, &format!("DROP TABLE kept_{table}")).await;
        }
        for guard in guards {
            guard.guard(self.db(log)).await;
        }
        report.findings.iter().map(ToString::to_string).collect()
    }

    fn id(&self, id: Uuid) -> String {
        match self.app.db().get_database_backend() {
            DbBackend::Postgres => format!("'{id}'"),
            _ => format!("x'{}'", id.simple()),
        }
    }

    fn bytes(&self, byte: u8) -> String {
        let hex = format!("{byte:02x}").repeat(32);
        match self.app.db().get_database_backend() {
            DbBackend::Postgres => format!("'\\x{hex}'"),
            _ => format!("x'{hex}'"),
        }
    }

    fn later(&self) -> &'static str {
        match self.app.db().get_database_backend() {
            DbBackend::Postgres => "at + interval '1 second'",
            _ => "replace(at, '2026', '2025')",
        }
    }

    /// The lines of a log by position.
    async fn lines(&self, log: Log) -> Vec<Uuid> {
        let seals = seal::Entity::find().order_by_asc(seal::Column::Position);
        let seals = seals.all(self.db(log)).await.unwrap();
        seals.into_iter().filter(|seal| seal.log == log.table()).map(|seal| seal.line_id).collect()
    }
}

#[tokio::test]
async fn whatever_is_changed_removed_inserted_moved_or_cut_off_in_the_logs_is_found_and_named() {
    let scene = Scene::sealed().await;
    let report = scene.verify().await;
    assert_eq!(report.findings, vec![]);
    let counts: Vec<_> = report.counts.iter().map(|count| (count.lines, count.sealed)).collect();
    assert_eq!(counts, [(20, 20), (10, 10)]);
    assert!(report.counts.iter().all(|count| (count.unsealed, count.before) == (0, 0)));
    assert!(report.counts.iter().all(|count| count.heads == 2 && count.outside == 2), "{report:?}");

    let (mut altered, mut detected, mut missed) = (0, 0, Vec::new());
    for log in Log::ALL {
        let table = log.table();
        let lines = scene.lines(log).await;
        let (line, other) = (lines[6], lines[4]);
        let at = |id: Uuid| format!("WHERE id = {}", scene.id(id));
        let seal_at = |position: usize| format!("WHERE log = '{table}' AND position = {position}");
        let set = |what: &str| vec![format!("UPDATE {table} SET {what} {}", at(line))];
        let fresh = Uuid::now_v7();
        // What is done, and what the findings must name.
        let mut cases: Vec<(Vec<String>, Vec<String>)> = Vec::new();
        let named =
            |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let texts: &[&str] = match log {
            Log::Audit => &[
                "action",
                "noun",
                "columns",
                "policy_version",
                "request_id",
                "detail",
                "purpose",
                "grants",
                "rules",
                "client",
            ],
            Log::Disclosures => &["request_id", "purpose", "policy_version"],
        };
        let ids: &[&str] = match log {
            Log::Audit => &["account_id", "row_id", "student_id"],
            Log::Disclosures => &["account_id"],
        };
        let changed = named(&["changed", &line.to_string(), "position 7"]);
        for column in texts {
            cases.push((set(&format!("{column} = 'other'")), changed.clone()));
        }
        for column in ids {
            cases.push((set(&format!("{column} = {}", scene.id(fresh))), changed.clone()));
        }
        cases.push((set(&format!("at = {}", scene.later())), changed.clone()));
        cases.push((set("key_id = key_id + 1"), changed.clone()));
        cases.push((set(&format!("code = {}", scene.bytes(7))), changed.clone()));
        cases.push((set("code = NULL, key_id = NULL"), named(&["inserted", &line.to_string()])));
        let gone = named(&["removed", &line.to_string(), "position 7"]);
        cases.push((set(&format!("id = {}", scene.id(fresh))), gone.clone()));
        match log {
            Log::Audit => {
                let turned = "outcome = CASE WHEN outcome = 'done' THEN 'denied' ELSE 'done' END";
                cases.push((set(turned), changed.clone()));
            }
            Log::Disclosures => {
                cases.push((set(&format!("parts = {}", scene.bytes(7))), changed.clone()));
                let moved = named(&["reordered", &line.to_string(), "position 7"]);
                cases.push((set("seq = seq + 100"), moved));
            }
        }
        cases.push((vec![format!("DELETE FROM {table} {}", at(line))], gone.clone()));
        // A line and its seal; with the chain after it computed anew there would be no head that fits.
        cases.push((
            vec![
                format!("DELETE FROM {table} {}", at(line)),
                format!("DELETE FROM seal {}", seal_at(7)),
            ],
            named(&["removed", "7 to 7", "reordered: position 8"]),
        ));
        let columns = match log {
            Log::Audit => {
                "at, account_id, action, outcome, noun, row_id, student_id, columns, policy_version, \
                 request_id, detail, purpose, grants, rules, client, key_id, code"
            }
            Log::Disclosures => {
                "at, account_id, request_id, purpose, policy_version, parts, key_id, code"
            }
        };
        let inserted = named(&["inserted", &fresh.to_string()]);
        let copy = |columns: &str, values: &str| {
            vec![format!(
                "INSERT INTO {table} (id, {columns}) SELECT {}, {values} FROM {table} {}",
                scene.id(fresh),
                at(line)
            )]
        };
        cases.push((copy(columns, columns), inserted.clone()));
        let bare = columns.trim_end_matches(", key_id, code");
        cases.push((copy(bare, bare), inserted.clone()));
        let forged = columns.replace("code", &scene.bytes(9));
        cases.push((copy(columns, &forged), inserted));
        // Two lines change places, by their ids and by their seals.
        let swap = |table: &str, column: &str, a: &str, b: &str, a_is: &str, b_is: &str| {
            vec![
                format!("UPDATE {table} SET {column} = {} {a}", scene.id(fresh)),
                format!("UPDATE {table} SET {column} = {a_is} {b}"),
                format!(
                    "UPDATE {table} SET {column} = {b_is} WHERE {column} = {}",
                    scene.id(fresh)
                ),
            ]
        };
        let (this, that) = (scene.id(line), scene.id(other));
        let both = named(&["changed", &line.to_string(), &other.to_string()]);
        cases.push((swap(table, "id", &at(line), &at(other), &this, &that), both));
        let moved = named(&["reordered", "position 5", "position 7"]);
        cases.push((swap("seal", "line_id", &seal_at(7), &seal_at(5), &this, &that), moved));
        cases.push((
            vec![format!("UPDATE seal SET hash = {} {}", scene.bytes(3), seal_at(7))],
            named(&["reordered: position 7", "reordered: position 8"]),
        ));
        cases.push((
            vec![format!("UPDATE seal SET position = 1000 {}", seal_at(lines.len()))],
            named(&["removed: no seal at positions", "999"]),
        ));
        let half = lines.len() / 2;
        let end = lines.len();
        let half_at = format!("position {half}");
        let head = |set: &str| vec![format!("UPDATE seal_head SET {set} {}", seal_at(half))];
        for what in [
            format!("signature = {}", scene.bytes(1).replace("01'", "01010101'")),
            format!("hash = {}", scene.bytes(1)),
            "key_id = key_id - 1".to_owned(),
            "before = before + 1".to_owned(),
        ] {
            cases.push((head(&what), named(&["head: the signature", &half_at])));
        }
        cases.push((
            vec![format!("DELETE FROM seal_head {}", seal_at(half))],
            named(&["gone from the database", &half_at]),
        ));
        // The end, with its lines, with its seals, and with its heads as well.
        let ends: Vec<String> = lines[half..].iter().map(|id| scene.id(*id)).collect();
        let cut = vec![
            format!("DELETE FROM {table} WHERE id IN ({})", ends.join(", ")),
            format!("DELETE FROM seal WHERE log = '{table}' AND position > {half}"),
        ];
        let beyond = format!("at position {end}, and the log ends at {half}");
        cases.push((cut.clone(), named(&["cut off: a head in the database", &beyond])));
        let heads = format!("DELETE FROM seal_head WHERE log = '{table}' AND position > {half}");
        let cut = [cut, vec![heads]].concat();
        cases.push((cut, named(&["cut off: a head in the file outside", &beyond])));
        // All of it, as if sealing began now.
        let all = TABLES.map(|table_of| format!("DELETE FROM {table_of} WHERE log = '{table}'"));
        let all = [vec![format!("DELETE FROM {table}")], all.to_vec()].concat();
        cases.push((all, named(&["cut off: a head in the file outside", "ends at 0"])));
        for (statements, words) in cases {
            altered += 1;
            let findings = scene.tampered(log, &statements).await;
            let found = words.iter().all(|word| findings.iter().any(|said| said.contains(word)));
            if found && findings.iter().all(|said| said.starts_with(table)) {
                detected += 1;
            } else {
                missed.push((statements, words, findings));
            }
        }
    }
    assert!(missed.is_empty(), "{detected} of {altered} detected: {missed:#?}");
    assert_eq!((altered, detected), (64, 64));
    assert_eq!(scene.verify().await.findings, vec![], "put back");
}

#[tokio::test]
async fn a_chain_computed_anew_is_not_that_of_the_heads() {
    let scene = Scene::sealed().await;
    // The last line is removed, and all seals with it; a server seals again what is left.
    let lines = scene.lines(Log::Audit).await;
    let db = scene.db(Log::Audit);
    let mut guards = Vec::new();
    for table in ["audit", "seal", "seal_head"] {
        guards.push(Unguarded::of(db, table).await);
    }
    let gone = scene.id(lines[3]);
    for statement in [
        format!("DELETE FROM audit WHERE id = {gone}"),
        "DELETE FROM seal WHERE log = 'audit'".to_owned(),
        "INSERT INTO seal_waiting (log, line_id) SELECT 'audit', id FROM audit".to_owned(),
    ] {
        scene.run(Log::Audit, &statement).await;
    }
    for guard in guards {
        guard.guard(db).await;
    }
    scene.sealer.look().await.unwrap();
    let findings = scene.verify().await.findings;
    let rewritten = |stands| {
        findings.iter().any(|finding| finding.what == What::Rewritten { position: 10, stands })
    };
    assert!(rewritten(Where::Database) && rewritten(Where::Outside), "{findings:?}");
}

#[tokio::test]
async fn lines_seals_and_heads_are_only_added_to() {
    let scene = Scene::sealed().await;
    let postgres = scene.app.db().get_database_backend() == DbBackend::Postgres;
    let tables = [
        (Log::Audit, "audit", "request_id = ''"),
        (Log::Audit, "seal", "position = position + 1"),
        (Log::Audit, "seal_head", "before = 1"),
        (Log::Disclosures, "disclosure_line", "request_id = ''"),
        (Log::Disclosures, "seal", "position = position + 1"),
        (Log::Disclosures, "seal_head", "before = 1"),
    ];
    for (log, table, set) in tables {
        let mut statements =
            vec![format!("UPDATE {table} SET {set}"), format!("DELETE FROM {table}")];
        if postgres {
            statements.push(format!("TRUNCATE {table}"));
        }
        for statement in statements {
            let refused = scene.db(log).execute_unprepared(&statement).await;
            let refused = refused.is_err_and(|error| error.to_string().contains("only added to"));
            assert!(refused, "{statement}");
        }
    }
    assert_eq!(scene.verify().await.findings, vec![]);
}

#[tokio::test]
async fn an_act_whose_line_cannot_be_written_is_not_done() {
    let scene = Scene::new().await;
    let (app, class) = (&scene.app, scene.seed.first());
    let teacher = app.homeroom_teacher(class.id);
    let count = || async {
        let rows = attendance::Entity::find().count(app.db()).await.unwrap();
        (rows, history::Entity::find().count(app.db()).await.unwrap())
    };
    let before = count().await;
    scene.run(Log::Audit, "ALTER TABLE audit RENAME TO elsewhere").await;
    let answer = teacher.query(RECORD, roll(app, &scene.seed, 13)).await;
    assert_eq!(answer.code(), "INTERNAL", "{}", answer.text);
    // A denial that cannot be put on record is no plain refusal either.
    let denied = app.student(class.students[0]).query(RECORD, roll(app, &scene.seed, 13)).await;
    assert_eq!(denied.code(), "INTERNAL", "{}", denied.text);
    assert_eq!(count().await, before);
    scene.run(Log::Audit, "ALTER TABLE elsewhere RENAME TO audit").await;
    teacher.query(RECORD, roll(app, &scene.seed, 13)).await.data();
    assert_ne!(count().await, before);
}

#[tokio::test]
async fn a_line_says_under_which_grant_and_rule_the_act_ran() {
    let scene = Scene::new().await;
    scene.write().await;
    let lines = audit::Entity::find().all(scene.app.db()).await.unwrap();
    let (done, denied): (Vec<_>, Vec<_>) =
        lines.iter().partition(|line| line.outcome == audit::AuditOutcome::Done);
    assert_eq!((done.len(), denied.len()), (5, 5));
    for line in done {
        let grants = line.grants.as_deref().unwrap();
        assert!(grants.split(' ').all(|grant| grant.parse::<Uuid>().is_ok()), "{grants}");
        assert!(line.rules.as_deref().unwrap().starts_with("actions.csv:"), "{line:?}");
        assert!(line.key_id.is_some() && line.code.as_ref().unwrap().len() == 32);
    }
    for line in denied {
        assert_eq!((&line.grants, &line.rules), (&None, &None), "nothing gave the right");
        assert!(line.code.is_some());
    }
}

#[tokio::test]
async fn one_server_seals_and_another_takes_over_when_its_lease_has_ended() {
    let scene = Scene::new().await;
    let hand: &'static AtomicI64 =
        Box::leak(Box::new(AtomicI64::new(clock().now().timestamp_micros())));
    let on = |by: TimeDelta| {
        hand.fetch_add(by.num_microseconds().unwrap(), Ordering::Relaxed);
    };
    let sealer = || {
        let clock = Clock::moved(chrono_tz::UTC, hand);
        Sealer::new(scene.app.store().clone(), clock).signing_every(Duration::ZERO)
    };
    let (first, second) = (sealer(), sealer());
    scene.write().await;
    assert_eq!(first.look().await.unwrap().sealed, 15);
    scene.write().await;
    let look = second.look().await.unwrap();
    assert!(look.elsewhere && look.sealed == 0, "{look:?}");
    on(TimeDelta::seconds(4));
    assert!(second.look().await.unwrap().elsewhere);
    assert_eq!(first.look().await.unwrap().sealed, 15, "it takes its own lease again");
    scene.write().await;
    on(TimeDelta::seconds(4));
    assert!(second.look().await.unwrap().elsewhere);
    on(TimeDelta::seconds(2));
    assert_eq!(second.look().await.unwrap().sealed, 15);
    scene.write().await;
    assert!(first.look().await.unwrap().elsewhere, "the first has lost it");
    // Both at once: whatever they do, no position is given twice and no line is missed.
    on(TimeDelta::seconds(10));
    let (one, other) = tokio::join!(first.look(), second.look());
    assert!(one.is_ok() || other.is_ok(), "{one:?} {other:?}");
    on(TimeDelta::seconds(10));
    second.look().await.unwrap();
    for log in Log::ALL {
        let lines = scene.lines(log).await;
        assert_eq!(BTreeSet::from_iter(lines.clone()).len(), lines.len());
    }
    let report = scene.app.store().verify_logs(None).await.unwrap();
    assert_eq!(report.findings, vec![]);
    let counts: Vec<_> = report.counts.iter().map(|count| (count.sealed, count.unsealed)).collect();
    assert_eq!(counts, [(40, 0), (20, 0)]);
}

#[tokio::test]
async fn a_line_that_is_committed_late_is_sealed_like_any_other() {
    let scene = Scene::new().await;
    scene.sealer.look().await.unwrap();
    let early = Uuid::from_u128(1);
    let insert = format!(
        "INSERT INTO audit (id, at, action, outcome, request_id) \
         VALUES ({}, '2020-01-01 00:00:00+00:00', 'x', 'done', '')",
        scene.id(early)
    );
    if scene.app.db().get_database_backend() == DbBackend::Postgres {
        // It is written before the others and committed after they are sealed.
        let tx = scene.app.db().begin().await.unwrap();
        tx.execute_unprepared(&insert).await.unwrap();
        scene.write().await;
        assert_eq!(scene.sealer.look().await.unwrap().sealed, 15);
        tx.commit().await.unwrap();
    } else {
        scene.write().await;
        assert_eq!(scene.sealer.look().await.unwrap().sealed, 15);
        scene.app.db().execute_unprepared(&insert).await.unwrap();
    }
    assert_eq!(scene.sealer.look().await.unwrap().sealed, 1);
    assert_eq!(scene.lines(Log::Audit).await.last(), Some(&early));
    // It has no code, and logs are sealed since: the test is no server.
    let findings = scene.verify().await.findings;
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert_eq!(findings[0].what, What::Uncoded { line: early, position: 11 });
}

#[tokio::test]
async fn lines_of_before_logs_were_sealed_are_counted_and_held_from_then_on() {
    let scene = Scene::new().await;
    for number in 1..4 {
        let insert = format!(
            "INSERT INTO audit (id, at, action, outcome, request_id) \
             VALUES ({}, '2020-01-0{number} 00:00:00+00:00', 'x', 'done', '')",
            scene.id(Uuid::from_u128(number))
        );
        scene.app.db().execute_unprepared(&insert).await.unwrap();
    }
    scene.write().await;
    assert_eq!(scene.sealer.look().await.unwrap().sealed, 18);
    let report = scene.verify().await;
    assert_eq!(report.findings, vec![]);
    assert_eq!((report.counts[0].before, report.counts[0].sealed), (3, 13));
    let line = Uuid::from_u128(2);
    let changed = format!("UPDATE audit SET action = 'y' WHERE id = {}", scene.id(line));
    let findings = scene.tampered(Log::Audit, &[changed]).await;
    assert!(findings.iter().any(|said| said.contains("changed") && said.contains("position 2")));
}

#[tokio::test]
async fn a_new_key_of_the_logs_rewrites_no_line() {
    let scene = Scene::new().await;
    scene.write().await;
    let lines = |scene: &Scene| {
        let (db, log) = (scene.app.db().clone(), scene.log.clone());
        async move {
            let audit = audit::Entity::find().order_by_asc(audit::Column::Id).all(&db).await;
            let line = disclosure_line::Entity::find()
                .order_by_asc(disclosure_line::Column::Seq)
                .all(&log)
                .await;
            (audit.unwrap(), line.unwrap())
        }
    };
    let before = lines(&scene).await;
    let key = logs::rotate(scene.app.db(), &master(), clock().now()).await.unwrap();
    scene.app.store().follow_keys().await.unwrap();
    scene.write().await;
    let after = lines(&scene).await;
    assert_eq!(before.0, after.0[..before.0.len()]);
    assert_eq!(before.1, after.1[..before.1.len()]);
    assert!(before.0.iter().all(|line| line.key_id != Some(key)));
    assert!(after.0[before.0.len()..].iter().all(|line| line.key_id == Some(key)));
    assert!(after.1[before.1.len()..].iter().all(|line| line.key_id == Some(key)));
    scene.sealer.look().await.unwrap();
    assert_eq!(scene.verify().await.findings, vec![]);
}

#[tokio::test]
async fn the_file_of_heads_is_its_owners_and_tells_nothing_of_anybody() {
    let scene = Scene::sealed().await;
    let text = std::fs::read_to_string(scene.file()).unwrap();
    assert_eq!(text.lines().count(), 4);
    for line in text.lines() {
        let head: Value = serde_json::from_str(line).unwrap();
        let keys: Vec<_> = head.as_object().unwrap().keys().map(String::as_str).collect();
        let known =
            BTreeSet::from(["log", "position", "hash", "before", "signed_at", "key", "signature"]);
        assert_eq!(BTreeSet::from_iter(keys), known);
    }
    let teacher = scene.app.homeroom_teacher(scene.seed.first().id);
    let answer = teacher.ask("{ students { nodes { id name phone } } }").await;
    for student in answer.at("/students/nodes").as_array().unwrap() {
        for column in ["id", "name", "phone"] {
            assert!(!text.contains(student[column].as_str().unwrap()), "{column}");
        }
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(scene.file()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // What a crash left half written is no finding, and the next head stands on a line of its own.
    std::fs::write(scene.file(), format!("{text}{{\"log\":\"au")).unwrap();
    scene.write().await;
    scene.sealer.look().await.unwrap();
    let report = scene.verify().await;
    assert_eq!((report.findings, report.counts[0].outside), (vec![], 3));
    // A line that was put into it is.
    let text = std::fs::read_to_string(scene.file()).unwrap();
    std::fs::write(scene.file(), text.replace("\"before\":0", "\"before\":9")).unwrap();
    assert_eq!(scene.verify().await.findings.len(), 6);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_server_seals_by_itself_within_a_second() {
    let (app, seed) = App::school().await;
    app.homeroom_teacher(seed.first().id).ask("{ students { nodes { name } } }").await.data();
    app.homeroom_teacher(seed.first().id).query(RECORD, roll(&app, &seed, 13)).await.data();
    let asked = Instant::now();
    loop {
        let report = app.store().verify_logs(None).await.unwrap();
        assert_eq!(report.findings, vec![]);
        if report.counts.iter().all(|count| (count.sealed, count.unsealed) == (1, 0)) {
            return;
        }
        assert!(asked.elapsed() < PATIENCE, "not sealed: {report:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn xueji(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().args(args).stdin(Stdio::null()).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_says_what_is_there_and_fails_with_the_names_of_what_is_not_whole() {
    let scene = Scene::sealed().await;
    let (url, file) = (scene.app.place().url.clone(), scene.file());
    let audit = |what: &[&str]| {
        let mut args = vec!["audit"];
        args.extend(what);
        args.extend(["--database-url", &url, "--master-key", MASTER]);
        let output = xueji(&args);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let heads = file.to_str().unwrap();
    let (code, out, err) = audit(&["verify", "--heads", heads]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("20 lines, 20 sealed, 0 not yet sealed"), "{out}");
    assert!(out.contains("nothing was changed, removed, inserted or cut off"), "{out}");
    let (code, out, _) = audit(&["key"]);
    assert!(code == Some(0) && out.contains("BEGIN PUBLIC KEY"), "{out}");
    let (code, _, err) = audit(&["verify", "--heads", "/nowhere/heads.jsonl"]);
    assert!(code == Some(1) && err.contains("no file of heads"), "{err}");
    let rotated =
        xueji(&["keys", "rotate", "--audit", "--database-url", &url, "--master-key", MASTER]);
    assert!(rotated.status.success());
    let (code, out, err) = audit(&["verify", "--heads", heads]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("21 lines, 20 sealed, 1 not yet sealed"), "{out}");
    assert!(out.contains("audit: not yet sealed: line "), "{out}");

    let line = scene.lines(Log::Audit).await[6];
    let guard = Unguarded::of(scene.app.db(), "audit").await;
    let change = format!("UPDATE audit SET detail = 'x' WHERE id = {}", scene.id(line));
    scene.run(Log::Audit, &change).await;
    guard.guard(scene.app.db()).await;
    let (code, out, err) = audit(&["verify", "--heads", heads]);
    assert_eq!(code, Some(1), "{out}");
    assert!(out.contains(&format!("audit: changed: line {line} at position 7")), "{out}");
    assert!(err.contains("not whole: 1 findings"), "{err}");
    // Without the master key nothing is said, and with another one neither.
    let other = "0123456789abcdef".repeat(4);
    let args = ["audit", "verify", "--database-url", &url, "--master-key", &other];
    let said = String::from_utf8(xueji(&args).stderr).unwrap();
    assert!(said.contains("master key is not that of this database"), "{said}");
    let rows = Statement::from_string(scene.app.db().get_database_backend(), "SELECT 1");
    scene.app.db().query_one_raw(rows).await.unwrap();
}
