//! What the logs keep no longer: whole months go with a signed record from which the chain goes on, and nothing goes
//! otherwise without being found.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use ed25519_dalek::pkcs8::DecodePublicKey;
use ed25519_dalek::{Signature, VerifyingKey};
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, EntityTrait, PaginatorTrait};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;
use uuid::Uuid;
use xueji::access::disclosure::{Part, Record};
use xueji::clock::Clock;
use xueji::graphql::REGISTRY;
use xueji::store::Store;
use xueji::store::chain::line::Log;
use xueji::store::chain::report::{Report, What, Where};
use xueji::store::chain::sealer::Sealer;
use xueji::store::codec::Codec;
use xueji::store::connect::connect_log;
use xueji::store::disclosures::Disclosures;
use xueji_entity::value::AccountId;
use xueji_entity::{audit, disclosure_entry, disclosure_line, disclosure_set, seal_partition};

use crate::support::app::App;
use crate::support::keys::{MASTER, Unguarded};

/// A registry whose logs are written by a clock that the test moves.
struct Scene {
    app: App,
    store: Store,
    sealer: Sealer,
    clock: Clock,
    hand: &'static AtomicI64,
    folder: TempDir,
    log: DatabaseConnection,
}

impl Scene {
    async fn new() -> Self {
        let (app, _) = App::school_alone().await;
        let begin: DateTime<Utc> = "2023-01-15T08:00:00Z".parse().unwrap();
        let hand: &'static AtomicI64 =
            Box::leak(Box::new(AtomicI64::new(begin.timestamp_micros())));
        let clock = Clock::moved(chrono_tz::UTC, hand);
        let codec: Arc<dyn Codec> = app.codec();
        let lines = Disclosures::beside(&app.place().url, app.db()).await.unwrap().timed_by(clock);
        let store = Store::new(app.db().clone(), codec, &REGISTRY).with_disclosures(lines);
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("heads.jsonl");
        let sealer = Sealer::new(store.clone(), clock).keeping_heads(Some(file));
        let sealer = sealer.signing_every(Duration::ZERO);
        let log = connect_log(&app.place().url).await.unwrap();
        let log = log.unwrap_or_else(|| app.db().clone());
        Self { app, store, sealer, clock, hand, folder, log }
    }

    fn at(&self, at: &str) {
        let at: DateTime<Utc> = at.parse().unwrap();
        self.hand.store(at.timestamp_micros(), Ordering::Relaxed);
    }

    fn on(&self, by: TimeDelta) {
        self.hand.fetch_add(by.num_microseconds().unwrap(), Ordering::Relaxed);
    }

    /// One line in each log.
    async fn line(&self) {
        let now = self.clock.now();
        let _passed = self.store.pass_export("test", "", "", now).await.unwrap();
        let record = Record {
            account: AccountId::new(),
            request_id: "r".to_owned(),
            purpose: None,
            policy_version: "p".to_owned(),
            parts: vec![Part {
                role: "registrar".to_owned(),
                reach: "school".to_owned(),
                grants: Vec::new(),
                rules: String::new(),
                columns: "Student.name".to_owned(),
                students: vec![Uuid::now_v7()],
            }],
        };
        self.store.disclosures().record(&record).await.unwrap();
    }

    /// Lines on so many days one after the other, sealed on each.
    async fn days(&self, from: &str, days: u32) {
        self.at(from);
        for _ in 0..days {
            self.line().await;
            self.sealer.look().await.unwrap();
            self.on(TimeDelta::days(1));
        }
    }

    /// Ten days of January and three of February 2023, and eight of March 2026.
    async fn three_years() -> Self {
        let scene = Self::new().await;
        scene.days("2023-01-15T08:00:00Z", 10).await;
        scene.days("2023-02-10T08:00:00Z", 3).await;
        scene.days("2026-03-01T08:00:00Z", 8).await;
        while scene.store.index_disclosures().await.unwrap().more {}
        scene
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("heads.jsonl")
    }

    async fn verify(&self) -> Report {
        self.store.verify_logs(Some(&self.file())).await.unwrap()
    }

    async fn found(&self) -> Vec<(Option<Log>, What)> {
        let findings = self.verify().await.findings;
        findings.into_iter().map(|finding| (finding.log, finding.what)).collect()
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

    fn bytes(&self, byte: u8, count: usize) -> String {
        let hex = format!("{byte:02x}").repeat(count);
        match self.app.db().get_database_backend() {
            DbBackend::Postgres => format!("'\\x{hex}'"),
            _ => format!("x'{hex}'"),
        }
    }

    /// What whoever owns the database can write: a record that nobody signed.
    fn forged(&self, log: Log, position: i64) -> String {
        format!(
            "INSERT INTO seal_partition (log, position, first, lines, hash, since, until, dropped_at, key_id, signature) \
             VALUES ('{}', {position}, 1, {position}, {}, '2023-01-15 00:00:00+00:00', '2023-02-15 00:00:00+00:00', \
             '2026-03-08 00:00:00+00:00', 2, {})",
            log.table(),
            self.bytes(1, 32),
            self.bytes(1, 64)
        )
    }
}

#[tokio::test]
async fn months_that_were_kept_long_enough_go_and_the_rest_verifies_from_the_kept_head() {
    let scene = Scene::three_years().await;
    assert_eq!(scene.found().await, vec![]);
    assert_eq!(scene.store.prune_logs(38, scene.clock).await.unwrap(), vec![], "not a month early");
    let parts = scene.store.prune_logs(36, scene.clock).await.unwrap();
    let gone: Vec<_> =
        parts.iter().map(|part| (part.log, part.first, part.position, part.lines)).collect();
    assert_eq!(
        gone,
        [
            (Log::Audit, 1, 10, 10),
            (Log::Audit, 11, 13, 3),
            (Log::Disclosures, 1, 10, 10),
            (Log::Disclosures, 11, 13, 3)
        ]
    );
    let report = scene.verify().await;
    assert_eq!(report.findings, vec![]);
    let counts: Vec<_> =
        report.counts.iter().map(|count| (count.dropped, count.sealed, count.unsealed)).collect();
    // The dropping itself left a line in the audit log for each part.
    assert_eq!(counts, [(13, 8, 4), (13, 8, 0)]);
    assert_eq!(disclosure_line::Entity::find().count(&scene.log).await.unwrap(), 8);
    assert_eq!(disclosure_entry::Entity::find().count(scene.app.db()).await.unwrap(), 8);
    assert_eq!(disclosure_set::Entity::find().count(scene.app.db()).await.unwrap(), 8);
    let lines = audit::Entity::find().all(scene.app.db()).await.unwrap();
    assert_eq!(lines.iter().filter(|line| line.action == "audit.prune").count(), 4);
    // The logs go on, and a second look drops nothing more.
    scene.days("2026-03-09T08:00:00Z", 2).await;
    assert_eq!(scene.store.prune_logs(36, scene.clock).await.unwrap(), vec![]);
    assert_eq!(scene.found().await, vec![]);
    assert!(scene.store.prune_logs(5, scene.clock).await.is_err(), "six months at least");
}

#[tokio::test]
async fn nothing_goes_by_hand_and_what_went_by_a_record_that_nobody_signed_is_found() {
    for log in Log::ALL {
        let scene = Scene::three_years().await;
        let table = log.table();
        for table in [table, "seal", "seal_head"] {
            let refused = scene.db(log).execute_unprepared(&format!("DELETE FROM {table}")).await;
            assert!(refused.is_err(), "{table}");
        }
        let forged = scene.forged(log, 12);
        scene.run(log, &forged).await;
        assert_eq!(scene.found().await, [(Some(log), What::FalsePart { position: 12 })]);
        // Who trusts it could remove lines now; verification does not, and nothing is dropped in its name.
        let lines = format!(
            "DELETE FROM {table} WHERE id IN (SELECT line_id FROM seal WHERE log = '{table}' AND position <= 12)"
        );
        scene.run(log, &lines).await;
        for table in ["seal_head", "seal"] {
            scene
                .run(
                    log,
                    &format!(
                        "DELETE FROM {table} WHERE log = '{}' AND position <= 12",
                        log.table()
                    ),
                )
                .await;
        }
        let found = scene.found().await;
        assert!(found.contains(&(Some(log), What::FalsePart { position: 12 })), "{found:?}");
        assert!(found.contains(&(Some(log), What::Gap { from: 1, to: 12 })), "{found:?}");
        assert!(scene.store.prune_logs(36, scene.clock).await.is_err());
        let later = format!("DELETE FROM {table}");
        assert!(scene.db(log).execute_unprepared(&later).await.is_err(), "later lines stay");
    }
}

#[tokio::test]
async fn a_record_that_is_changed_removed_or_outlived_is_found() {
    let scene = Scene::three_years().await;
    scene.store.prune_logs(36, scene.clock).await.unwrap();
    scene.sealer.look().await.unwrap();
    let log = Log::Audit;
    let refused = scene.db(log).execute_unprepared("DELETE FROM seal_partition").await;
    assert!(refused.is_err());
    let guards = [
        Unguarded::of(scene.app.db(), "seal_partition").await,
        Unguarded::of(scene.app.db(), "seal").await,
    ];
    scene.run(log, "CREATE TABLE kept AS SELECT * FROM seal_partition").await;
    let back = async || {
        scene.run(log, "DELETE FROM seal_partition").await;
        scene.run(log, "INSERT INTO seal_partition SELECT * FROM kept").await;
    };
    let audit = |what: What| (Some(log), what);
    scene.run(log, "DELETE FROM seal_partition WHERE log = 'audit'").await;
    assert!(scene.found().await.contains(&audit(What::Gap { from: 1, to: 13 })));
    back().await;
    scene.run(log, "DELETE FROM seal_partition WHERE log = 'audit' AND position = 10").await;
    assert!(scene.found().await.contains(&audit(What::EarlyPart { position: 13 })));
    back().await;
    scene.run(log, "DELETE FROM seal_partition WHERE log = 'audit' AND position = 13").await;
    assert!(scene.found().await.contains(&audit(What::Gap { from: 11, to: 13 })));
    back().await;
    for set in
        ["lines = 9", "first = 2", "key_id = key_id + 1", &format!("hash = {}", scene.bytes(3, 32))]
    {
        let change =
            format!("UPDATE seal_partition SET {set} WHERE log = 'audit' AND position = 10");
        scene.run(log, &change).await;
        assert!(scene.found().await.contains(&audit(What::FalsePart { position: 10 })), "{set}");
        back().await;
    }
    // A seal that stands again in what was dropped.
    let line = scene.app.db().get_database_backend();
    let id =
        if line == DbBackend::Postgres { format!("'{}'", Uuid::nil()) } else { scene.bytes(0, 16) };
    let seal = format!(
        "INSERT INTO seal (log, position, line_id, hash) VALUES ('audit', 5, {id}, {})",
        scene.bytes(4, 32)
    );
    scene.run(log, &seal).await;
    assert!(scene.found().await.contains(&audit(What::Left { position: 13 })));
    scene.run(log, "DELETE FROM seal WHERE log = 'audit' AND position = 5").await;
    assert_eq!(scene.found().await, vec![]);
    // The end of a part is bound to the head of it in the file outside, where there is one.
    let text = std::fs::read_to_string(scene.file()).unwrap();
    assert!(text.contains("\"position\":10,"));
    assert!(
        !scene
            .found()
            .await
            .iter()
            .any(|(_, what)| matches!(what, What::Rewritten { stands: Where::Outside, .. }))
    );
    for guard in guards {
        guard.guard(scene.app.db()).await;
    }
}

#[tokio::test]
async fn what_is_not_sealed_stays_and_a_clock_that_jumps_drops_nothing() {
    let scene = Scene::new().await;
    // Lines of long ago that nobody sealed.
    for _ in 0..3 {
        scene.line().await;
    }
    scene.at("2026-03-01T08:00:00Z");
    assert_eq!(scene.store.prune_logs(36, scene.clock).await.unwrap(), vec![]);
    // Two months of everyday work, and then a clock that shows another decade.
    let scene = Scene::new().await;
    scene.days("2026-01-20T08:00:00Z", 10).await;
    scene.days("2026-02-20T08:00:00Z", 10).await;
    scene.days("2036-05-01T08:00:00Z", 1).await;
    assert_eq!(scene.store.prune_logs(6, scene.clock).await.unwrap(), vec![]);
    for _ in 0..3 {
        scene.line().await;
        scene.on(TimeDelta::seconds(10));
        scene.sealer.look().await.unwrap();
    }
    assert_eq!(scene.store.prune_logs(6, scene.clock).await.unwrap(), vec![]);
    assert_eq!(scene.found().await, vec![]);
    // Once it has been that time for a week it is believed.
    scene.days("2036-05-02T08:00:00Z", 7).await;
    let parts = scene.store.prune_logs(6, scene.clock).await.unwrap();
    // January, February and the first of March.
    assert_eq!(parts.len(), 6);
    assert_eq!(scene.found().await, vec![]);
    let rows = seal_partition::Entity::find().count(scene.app.db()).await.unwrap();
    let here = if scene.app.db().get_database_backend() == DbBackend::Postgres { 6 } else { 3 };
    assert_eq!(rows, here);
}

fn xueji(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().args(args).stdin(Stdio::null()).output().unwrap()
}

fn unhex(text: &Value) -> Vec<u8> {
    let text = text.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

/// What a regulator does with a file and nothing else: recomputes the chain and verifies heads and file.
fn regulator(text: &str) -> Result<(usize, usize), String> {
    let mut keys: Vec<(i64, VerifyingKey)> = Vec::new();
    let (mut hash, mut lines, mut heads) = (Vec::new(), 0, 0);
    let mut whole = Sha256::new();
    let mut signed = false;
    for row in text.lines() {
        let of: Value = serde_json::from_str(row).map_err(|error| error.to_string())?;
        let log = of["log"].as_str().unwrap_or_default();
        let number = |name: &str| of[name].as_i64().unwrap_or_default();
        let holds = |key: i64, said: &[u8]| {
            let signature = Signature::from_slice(&unhex(&of["signature"])).unwrap();
            let key = keys.iter().find(|(id, _)| *id == key);
            key.is_some_and(|(_, key)| key.verify_strict(said, &signature).is_ok())
        };
        match of["kind"].as_str().unwrap() {
            "public_key" => {
                let key = VerifyingKey::from_public_key_pem(of["pem"].as_str().unwrap());
                keys.push((number("key"), key.unwrap()));
            }
            "range" => hash = unhex(&of["hash_before"]),
            "line" => {
                lines += 1;
                let id: Uuid = of["line"]["id"].as_str().unwrap().parse().unwrap();
                let mut next = Sha256::new();
                next.update(b"xueji seal 1\0");
                next.update(&hash);
                next.update(log.as_bytes());
                next.update([0]);
                next.update(number("position").to_be_bytes());
                next.update(id.as_bytes());
                next.update(number("seq").to_be_bytes());
                next.update([1]);
                next.update(unhex(&of["code"]));
                hash = next.finalize().to_vec();
                if hash != unhex(&of["hash"]) || of["fits"] != true {
                    return Err(format!("position {}", number("position")));
                }
            }
            "head" => {
                heads += 1;
                let at: DateTime<Utc> = of["signed_at"].as_str().unwrap().parse().unwrap();
                let mut said = b"xueji head 1\0".to_vec();
                said.extend_from_slice(log.as_bytes());
                said.push(0);
                said.extend_from_slice(&number("position").to_be_bytes());
                said.extend_from_slice(&number("before").to_be_bytes());
                said.extend_from_slice(&at.timestamp_micros().to_be_bytes());
                said.extend_from_slice(&number("key").to_be_bytes());
                said.extend_from_slice(&unhex(&of["hash"]));
                if !holds(number("key"), &said) {
                    return Err(format!("head {}", number("position")));
                }
            }
            "signature" => {
                let digest = whole.clone().finalize();
                let said = [&b"xueji export 1\0"[..], &digest].concat();
                if !holds(number("key"), &said) {
                    return Err("signature".to_owned());
                }
                signed = true;
            }
            _ => {}
        }
        whole.update(row.as_bytes());
        whole.update(b"\n");
    }
    if signed { Ok((lines, heads)) } else { Err("no signature".to_owned()) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_regulator_checks_an_export_without_a_key_and_the_commands_go_through_the_gate() {
    let scene = Scene::three_years().await;
    let url = scene.app.place().url.clone();
    let run = |what: &[&str]| {
        let args = [what, &["--database-url", &url, "--master-key", MASTER]].concat();
        let output = xueji(&args);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.success(), text(&output.stdout), text(&output.stderr))
    };
    let file = scene.folder.path().join("export.jsonl");
    let path = file.to_str().unwrap();
    let export = ["audit", "export", "--from", "2023-02-01", "--to", "2026-03-03", "--out", path];
    let (done, _, err) = run(&export);
    assert!(done, "{err}");
    let text = std::fs::read_to_string(&file).unwrap();
    // Three lines of February 2023 and two of March 2026 in each log.
    assert_eq!(regulator(&text), Ok((10, 10)));
    for (from, to) in [
        ("\"action\":\"test\"", "\"action\":\"other\""),
        ("\"seq\":11", "\"seq\":12"),
        ("\"before\":0", "\"before\":1"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(regulator(&text.replacen(from, to, 1)).is_err(), "{from}");
    }
    let mut rows: Vec<&str> = text.lines().collect();
    let at = rows.iter().position(|row| row.contains("\"kind\":\"line\"")).unwrap();
    rows.remove(at);
    assert!(regulator(&rows.join("\n")).is_err());
    let (done, _, err) = run(&export);
    assert!(!done && err.contains("not written over"), "{err}");

    let (done, out, err) = run(&["audit", "report", "--from", "2026-03-01", "--to", "2026-04-01"]);
    assert!(done, "{err}");
    assert!(
        out.lines().any(|row| row.starts_with("2026-03  test") && row.ends_with(" 8")),
        "{out}"
    );
    assert!(out.lines().any(|row| row.contains("disclosures") && row.ends_with(" 8")), "{out}");

    let (done, _, err) = run(&["stop", "exports", "--reason", "copies on sale"]);
    assert!(done, "{err}");
    let other = scene.folder.path().join("other.jsonl");
    let args = [
        "audit",
        "export",
        "--from",
        "2023-02-01",
        "--to",
        "2026-03-03",
        "--out",
        other.to_str().unwrap(),
    ];
    let (done, _, err) = run(&args);
    assert!(!done && err.contains("stopped"), "{err}");
    assert!(!other.exists());
    let lines = audit::Entity::find().all(scene.app.db()).await.unwrap();
    let of_export: Vec<_> = lines.iter().filter(|line| line.action == "audit.export").collect();
    assert_eq!(of_export.len(), 2, "one done and one denied");
    // The command prunes by the settings, which go no lower than six months.
    let (done, _, err) = run(&["audit", "prune", "--audit-keep", "5"]);
    assert!(!done && err.contains("audit.keep"), "{err}");
    let (done, out, err) = run(&["audit", "prune"]);
    assert!(done && out.contains("lines are kept for 36 months"), "{out}{err}");
}
