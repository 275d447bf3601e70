//! Destruction as those who keep an archive meet it: what is due, four eyes, rows that go from tables and files, the
//! certificate, and a restore that does not bring them back.

use std::process::{Command, Output, Stdio};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;
use xueji::store::backup::Voice;
use xueji::store::backup::restore::restore_replaying;
use xueji::store::backup::take::take;
use xueji::store::connect::connect;
use xueji::store::retention::outside::{self, Replay};
use xueji_entity::value::{OrganisationId, StudentId};

use super::support::answer::Answer;
use super::support::app::{App, clock};
use super::support::callers::Person;
use super::support::keys::{LOOKUP_KEY, MASTER, master};
use super::support::place::Place;
use super::support::seed::Seed;
use chrono::TimeDelta;

const PROPOSE: &str =
    "mutation($input: DestructionProposeInput!) { destructionPropose(input: $input) {
    batchId records students } }";
const KEEP: &str =
    "mutation($input: DestructionKeepInput!) { destructionKeep(input: $input) { records } }";
const APPROVE: &str =
    "mutation($input: DestructionBatchInput!) { destructionApprove(input: $input) { approved } }";
const EXECUTE: &str =
    "mutation($input: DestructionBatchInput!) { destructionExecute(input: $input) {
    certificateId records spared } }";
const DUE: &str = "{ retentionDue { class term schoolId year records students } }";
const CERTIFICATES: &str =
    "{ destructionCertificates { id class records students cutoff digest method keepUntil
    counts { of records } people { what name } } }";

async fn sql(db: &DatabaseConnection, sql: impl Into<String>) {
    db.execute_unprepared(&sql.into()).await.unwrap();
}

async fn number(db: &DatabaseConnection, sql: impl Into<String>) -> i64 {
    let statement = Statement::from_string(db.get_database_backend(), sql.into());
    db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

async fn text(db: &DatabaseConnection, sql: impl Into<String>) -> String {
    let statement = Statement::from_string(db.get_database_backend(), sql.into());
    db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap()
}

/// An id as SQL has it.
fn lit(app: &App, id: Uuid) -> String {
    match app.db().get_database_backend() {
        DbBackend::Postgres => format!("'{id}'"),
        _ => format!("x'{}'", id.simple()),
    }
}

/// Lets a pupil leave on a day.
async fn leaves(app: &App, student: StudentId, day: &str) {
    let id = lit(app, student.uuid());
    sql(
        app.db(),
        format!(
            "UPDATE enrollment SET live = FALSE, state = 'graduated', ended_on = '{day}' WHERE student_id = {id}"
        ),
    )
    .await;
}

async fn of(app: &App, table: &str, student: StudentId) -> i64 {
    let id = lit(app, student.uuid());
    number(app.db(), format!("SELECT COUNT(*) FROM {table} WHERE student_id = {id}")).await
}

async fn propose(app: &App, person: &Person<'_>, school: OrganisationId, class: &str) -> Answer {
    let input = json!({ "input": {
        "class": class, "schoolId": app.id("organisation", school), "reason": "the period has ended",
    } });
    person.query(PROPOSE, input).await
}

async fn proposed(app: &App, person: &Person<'_>, school: OrganisationId, class: &str) -> Value {
    let answer = propose(app, person, school, class).await;
    answer.at("/destructionPropose/batchId").clone()
}

async fn act(person: &Person<'_>, what: &str, batch: &Value) -> Answer {
    person.query(what, json!({ "input": { "batchId": batch } })).await
}

#[track_caller]
fn rule(answer: &Answer, rule: &str) {
    assert!(answer.text.contains(rule), "{rule} in {}", answer.text);
    assert!(answer.body.get("errors").is_some(), "{}", answer.text);
}

/// Proposes, approves twice and carries out.
async fn destroyed(app: &App, seed: &Seed, class: &str) -> Answer {
    let school = seed.schools[0].id;
    let batch = proposed(app, &app.registrar(school), school, class).await;
    for approver in [app.principal(school), app.vice_principal(school)] {
        act(&approver, APPROVE, &batch).await;
    }
    act(&app.registrar(school), EXECUTE, &batch).await
}

#[tokio::test]
async fn nothing_is_due_before_its_day_nor_while_something_keeps_it() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let registrar = app.registrar(school);
    let due = async || registrar.ask(DUE).await.at("/retentionDue").as_array().unwrap().clone();
    // Everybody is enrolled.
    assert_eq!(due().await, Vec::<Value>::new());
    let [first, second, third] = seed.first().students[..] else { panic!() };
    // A year to the day, and a day short of it.
    leaves(&app, first, "2025-11-20").await;
    leaves(&app, second, "2025-11-21").await;
    leaves(&app, third, "2025-07-01").await;
    let of_class = async |class: &str| -> Vec<u64> {
        let found = due().await;
        let mine = found.iter().filter(|due| due["class"] == class);
        mine.map(|due| due["students"].as_u64().unwrap()).collect()
    };
    assert_eq!(of_class("attendance").await, [2]);
    assert_eq!(of_class("sanctions").await, Vec::<u64>::new());
    // A name of a pupil is nowhere in it.
    assert!(!registrar.ask(DUE).await.text.contains("Mk"), "no name");

    // A hold, an opened record, and a new enrolment keep what is due.
    let principal = app.principal(school);
    let hold = "mutation($input: RecordHoldInput!) { recordHold(input: $input) { hold } }";
    let input = |hold: bool| {
        let id = app.id("student", third);
        json!({ "input": { "studentId": id, "hold": hold, "reason": "an open case" } })
    };
    assert_eq!(*principal.query(hold, input(true)).await.at("/recordHold/hold"), true);
    assert_eq!(of_class("attendance").await, [1]);
    assert_eq!(*principal.query(hold, input(false)).await.at("/recordHold/hold"), false);
    rule(&principal.query(hold, input(false)).await, "HOLD_NONE");
    assert_eq!(of_class("attendance").await, [2]);
    // Nor is a record that is kept and not seen told by what is due.
    let id = lit(&app, third.uuid());
    sql(app.db(), format!("UPDATE student SET lifecycle = 'restricted' WHERE id = {id}")).await;
    assert_eq!(of_class("attendance").await, [1]);
    sql(app.db(), format!("UPDATE student SET lifecycle = 'live' WHERE id = {id}")).await;
    assert_eq!(of_class("attendance").await, [2]);
    sql(app.db(), format!("UPDATE enrollment SET live = TRUE, state = 'enrolled', ended_on = NULL WHERE student_id = {id}")).await;
    assert_eq!(of_class("attendance").await, [1]);

    // Another school's are another school's, and who holds nothing is refused.
    let other = app.registrar(seed.schools[1].id);
    assert_eq!(*other.ask(DUE).await.at("/retentionDue"), json!([]));
    assert_eq!(propose(&app, &other, school, "attendance").await.code(), "NOT_FOUND");
    assert_eq!(app.homeroom_teacher(seed.first().id).ask(DUE).await.code(), "FORBIDDEN");
    assert_eq!(propose(&app, &registrar, school, "nothing").await.code(), "INVALID_INPUT");
    rule(&propose(&app, &registrar, school, "core").await, "DESTRUCTION_PERMANENT");
    rule(&propose(&app, &registrar, school, "sanctions").await, "DESTRUCTION_NOTHING");
}

#[tokio::test]
async fn three_people_destroy_once_and_what_is_excepted_stays() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let [first, second, third] = seed.first().students[..] else { panic!() };
    for student in [first, second, third] {
        leaves(&app, student, "2025-07-01").await;
    }
    let (registrar, principal) = (app.registrar(school), app.principal(school));
    let batch = proposed(&app, &registrar, school, "attendance").await;
    // What stands on a list is on no second one.
    rule(&propose(&app, &registrar, school, "attendance").await, "DESTRUCTION_NOTHING");
    let keep = json!({ "input": {
        "batchId": batch, "studentId": app.id("student", second), "until": "2030-01-01", "reason": "a dispute",
    } });
    let kept = of(&app, "attendance", second).await;
    assert!(kept > 0);
    assert_eq!(*registrar.query(KEEP, keep.clone()).await.at("/destructionKeep/records"), kept);

    // Nobody carries out what was not approved, nor approves the own proposal, nor twice, nor by a second account.
    rule(&act(&registrar, EXECUTE, &batch).await, "DESTRUCTION_STATE");
    let both = app.principal(school).and(
        "registrar",
        xueji::access::table::Reach::School,
        xueji::access::caller::Place::Organisation(school.uuid()),
    );
    let own = proposed(&app, &both, school, "family").await;
    rule(&act(&both, APPROVE, &own).await, "DESTRUCTION_FOUR_EYES");
    assert_eq!(*act(&principal, APPROVE, &batch).await.at("/destructionApprove/approved"), false);
    rule(&act(&principal, APPROVE, &batch).await, "DESTRUCTION_FOUR_EYES");
    let twin = app.vice_principal(school);
    let staff = "(SELECT id FROM staff ORDER BY id LIMIT 1)";
    for account in [principal.account().await, twin.account().await] {
        let id = lit(&app, account.uuid());
        sql(app.db(), format!("UPDATE account SET staff_id = {staff} WHERE id = {id}")).await;
    }
    rule(&act(&twin, APPROVE, &batch).await, "DESTRUCTION_FOUR_EYES");
    // After the first approval nothing is excepted.
    rule(&registrar.query(KEEP, keep).await, "DESTRUCTION_STATE");
    let officer = app.school_privacy_officer(school);
    assert_eq!(*act(&officer, APPROVE, &batch).await.at("/destructionApprove/approved"), true);
    // Whoever approved does not carry out; another school's registrar does not find it.
    rule(&act(&principal, EXECUTE, &batch).await, "DESTRUCTION_FOUR_EYES");
    let foreign = app.registrar(seed.schools[1].id);
    assert_eq!(act(&foreign, EXECUTE, &batch).await.code(), "NOT_FOUND");

    // One comes back before it is carried out, and is spared.
    let spared = of(&app, "attendance", third).await;
    let id = lit(&app, third.uuid());
    sql(app.db(), format!("UPDATE enrollment SET live = TRUE, state = 'enrolled', ended_on = NULL WHERE student_id = {id}")).await;
    let gone = of(&app, "attendance", first).await;
    assert!(gone > 0 && spared > 0);
    let done = act(&registrar, EXECUTE, &batch).await;
    assert_eq!(*done.at("/destructionExecute/records"), gone);
    assert_eq!(*done.at("/destructionExecute/spared"), spared);
    assert_eq!(of(&app, "attendance", first).await, 0);
    assert_eq!(of(&app, "attendance", second).await, kept);
    assert_eq!(of(&app, "attendance", third).await, spared);
    rule(&act(&registrar, EXECUTE, &batch).await, "DESTRUCTION_STATE");
    // What is kept until a day is not due before.
    rule(&propose(&app, &registrar, school, "attendance").await, "DESTRUCTION_NOTHING");

    // The certificate says who, what and how much, and its digest stands in the audit line.
    let auditor = app.school_auditor(school).ask(CERTIFICATES).await;
    let one = auditor.at("/destructionCertificates/0");
    assert_eq!((&one["records"], &one["class"]), (&json!(gone), &json!("attendance")));
    assert_eq!(one["counts"], json!([{ "of": "attendance", "records": gone }]));
    let parts: Vec<_> = one["people"].as_array().unwrap().iter().map(|p| &p["what"]).collect();
    assert_eq!(parts, ["proposed", "approved", "approved", "executed"]);
    assert_eq!(one["keepUntil"], "2029-11-20");
    let line = text(
        app.db(),
        "SELECT detail FROM audit WHERE action = 'destruction.execute' AND outcome = 'done'",
    )
    .await;
    assert!(line.contains(one["digest"].as_str().unwrap()), "{line}");
    for refused in
        ["DELETE FROM destruction_certificate", "UPDATE destruction_certificate SET rows = 0"]
    {
        let refused = refused.replace("rows", "\"rows\"");
        assert!(app.db().execute_unprepared(&refused).await.is_err(), "{refused}");
    }
    let acts = number(
        app.db(),
        "SELECT COUNT(*) FROM audit WHERE action LIKE 'destruction.%' AND outcome = 'denied'",
    )
    .await;
    assert!(acts >= 8, "{acts} refusals on record");
}

#[tokio::test]
async fn a_clock_that_jumps_destroys_nothing() {
    let (app, hand) = App::by_hand().await;
    let seed = app.plant(super::support::seed::Shape::default()).await;
    let school = seed.schools[0].id;
    let registrar = app.registrar(school);
    leaves(&app, seed.first().students[0], "2026-07-01").await;
    // Leaves a line of today.
    rule(&propose(&app, &registrar, school, "attendance").await, "DESTRUCTION_NOTHING");
    hand.on(TimeDelta::days(400));
    rule(&propose(&app, &registrar, school, "attendance").await, "DESTRUCTION_CLOCK");
    // Lines that were written since do not make it right.
    rule(&propose(&app, &registrar, school, "attendance").await, "DESTRUCTION_CLOCK");
    hand.on(TimeDelta::days(-400));
    rule(&propose(&app, &registrar, school, "attendance").await, "DESTRUCTION_CLOCK");
}

/// Whether bytes stand in the files of a SQLite registry, its write-ahead log among them.
fn in_files(app: &App, mark: &[u8]) -> Option<bool> {
    if app.place().on_server().is_some() {
        return None;
    }
    let folder = std::path::Path::new(app.place().file()).parent().unwrap().to_owned();
    let mut found = false;
    for entry in std::fs::read_dir(folder).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        found |= bytes.windows(mark.len()).any(|part| part == mark);
    }
    Some(found)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_destroyed_leaves_tables_and_files_and_does_not_come_back() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("destructions.jsonl");
    let (app, seed) = App::school_remembering(&file).await;
    let student = seed.first().students[0];
    let id = lit(&app, student.uuid());
    leaves(&app, student, "2025-07-01").await;
    let kin = text(
        app.db(),
        format!("SELECT name FROM guardian WHERE student_id = {id} ORDER BY id LIMIT 1"),
    )
    .await;
    assert!(kin.starts_with("Mk"));
    // A change of before, whose history holds the value.
    sql(app.db(), format!(
        "INSERT INTO history (student_id, id, noun, row_id, action, before, after, request_id, at, lifecycle, row_version, updated_at) \
         SELECT student_id, id, 'guardian', id, 'test', NULL, '{{\"name\":\"Mkinhistory\"}}', 'r', updated_at, 'live', 1, updated_at \
         FROM guardian WHERE student_id = {id}"
    )).await;
    if let Some(found) = in_files(&app, b"Mkinhistory") {
        assert!(found, "the search finds what is there");
    }
    let backups = TempDir::new().unwrap();
    let url = app.place().url.clone();
    // Without a line in the log: the program's clock is not that of the test.
    take(&url, backups.path(), &master(), clock(), Voice::Silent).await.unwrap();

    let done = destroyed(&app, &seed, "family").await;
    let rows = done.at("/destructionExecute/records").as_i64().unwrap();
    assert_eq!(rows, 4, "two guardians and two guardianships");
    let contact = destroyed(&app, &seed, "contact").await;
    assert_eq!(*contact.at("/destructionExecute/records"), 1);
    for table in ["guardian", "guardianship"] {
        assert_eq!(of(&app, table, student).await, 0);
    }
    let left = format!(
        "SELECT COUNT(*) FROM student WHERE id = {id} AND (phone IS NOT NULL OR phone_hash IS NOT NULL OR email IS NOT NULL \
         OR email_hash IS NOT NULL OR current_address IS NOT NULL OR distance_m IS NOT NULL)"
    );
    assert_eq!(number(app.db(), left.clone()).await, 0);
    assert_eq!(
        number(app.db(), format!("SELECT COUNT(*) FROM history WHERE student_id = {id}")).await,
        0
    );
    let mut looked = 0;
    for mark in [kin.as_bytes(), b"Mkinhistory"] {
        if let Some(found) = in_files(&app, mark) {
            assert!(!found, "{} is in a file", String::from_utf8_lossy(mark));
            looked += 1;
        }
    }

    // The restored backup of before has them no more, and tells of the certificates that it does not hold.
    let backup = std::fs::read_dir(backups.path()).unwrap().next().unwrap().unwrap().path();
    let backup = backup.to_str().unwrap();
    let copy = Place::empty().await;
    let restore = |more: &[&str], url: &str| {
        let args = [&["backup", "restore", backup], more].concat();
        output(&args, Some(url))
    };
    let refused = restore(&["--destructions", "/nowhere/destructions.jsonl"], &copy.url);
    let err = String::from_utf8(refused.stderr).unwrap();
    assert!(!refused.status.success() && err.contains("would come back"), "{err}");
    // The look-up key of the tests is one that no server takes: the command is asked as the library.
    let replay = Replay::new(outside::read(&file).unwrap(), LOOKUP_KEY);
    let path = std::path::Path::new(backup);
    let (master, now) = (master(), Some(clock().now()));
    let done = restore_replaying(path, &copy.url, &master, now, Voice::Silent, Some(&replay));
    let again = done.await.unwrap().replayed.unwrap();
    assert_eq!((again.rows, again.batches, again.certificates.len()), (5, 2, 2));
    let db = connect(&copy.url, 1).await.unwrap();
    for table in ["guardian", "guardianship", "history"] {
        let sql = format!("SELECT COUNT(*) FROM {table} WHERE student_id = {id}");
        assert_eq!(number(&db, sql).await, 0, "{table}");
    }
    assert_eq!(number(&db, left).await, 0);
    let line = text(&db, "SELECT detail FROM audit WHERE action = 'backup.restore'").await;
    assert!(line.contains("5 rows of 2 destructions destroyed again"), "{line}");
    // Others are there.
    let others = "SELECT COUNT(*) FROM guardian";
    assert_eq!(number(&db, others).await, number(app.db(), others).await);
    db.close().await.unwrap();

    // What was entered anew since is not destroyed again.
    sql(app.db(), format!("UPDATE student SET distance_m = 700 WHERE id = {id}")).await;
    let later = TempDir::new().unwrap();
    let taken = take(&url, later.path(), &master, clock(), Voice::Silent).await.unwrap();
    let copy = Place::empty().await;
    let done =
        restore_replaying(&taken.path, &copy.url, &master, now, Voice::Silent, Some(&replay));
    let again = done.await.unwrap().replayed.unwrap();
    assert_eq!((again.rows, again.certificates.len()), (0, 0));
    let db = connect(&copy.url, 1).await.unwrap();
    let kept = format!("SELECT distance_m FROM student WHERE id = {id}");
    assert_eq!(number(&db, kept).await, 700);
    db.close().await.unwrap();

    // Without the file, with a reason, it is on record.
    let copy = Place::empty().await;
    let done = restore(&["--without-destructions", "the disk of the file burned"], &copy.url);
    assert!(done.status.success(), "{}", String::from_utf8(done.stderr).unwrap());
    let db = connect(&copy.url, 1).await.unwrap();
    let reasons = "SELECT COUNT(*) FROM audit WHERE action = 'backup.restore_without_destructions'";
    assert_eq!(number(&db, reasons).await, 1);
    assert_eq!(
        number(&db, format!("SELECT COUNT(*) FROM guardian WHERE student_id = {id}")).await,
        2
    );
    println!(
        "{rows} rows and 1 row's columns destroyed, {looked} marks looked for in files, 5 destroyed again"
    );
}

#[tokio::test]
async fn the_command_counts_what_is_due_and_names_nobody() {
    let (app, seed) = App::school().await;
    let nothing = output(&["retention", "due"], Some(&app.place().url));
    assert_eq!(String::from_utf8(nothing.stdout).unwrap(), "0 records are due\n");
    for student in &seed.first().students {
        leaves(&app, *student, "2024-07-01").await;
    }
    let told = output(&["retention", "due"], Some(&app.place().url));
    assert!(told.status.success(), "{}", String::from_utf8(told.stderr).unwrap());
    let told = String::from_utf8(told.stdout).unwrap();
    let pupils = format!("records of {} pupils", seed.first().students.len());
    let attendance = told.lines().find(|line| line.starts_with("attendance")).unwrap();
    assert!(attendance.ends_with(&pupils), "{told}");
    assert!(!told.contains("Mk"), "no name in {told}");
}

#[test]
fn the_command_checks_a_schedule_and_names_what_is_wrong_with_it() {
    let shipped = output_alone(&["retention", "check"]);
    let told = String::from_utf8(shipped.stdout).unwrap();
    assert!(shipped.status.success());
    assert!(told.contains("core") && told.contains("permanent"), "{told}");

    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("schedule.csv");
    let text = include_str!("../../policies/retention/schedule.csv");
    std::fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    assert_eq!(output_alone(&["retention", "check", file]).stdout, told.as_bytes());
    std::fs::write(file, format!("{text}\nclass, sanctions, again, 处分, minus one,\n")).unwrap();
    let wrong = output_alone(&["retention", "check", file]);
    assert_eq!(wrong.status.code(), Some(1));
    let said = String::from_utf8(wrong.stderr).unwrap();
    let line = text.lines().count() + 2;
    assert!(said.contains("cannot be used") && said.contains(&line.to_string()), "{said}");
}

fn output_alone(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().stdin(Stdio::null()).args(args).output().unwrap()
}

fn output(args: &[&str], url: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().stdin(Stdio::null()).args(args).args(["--master-key", MASTER]);
    if let Some(url) = url {
        command.args(["--database-url", url]);
    }
    command.output().unwrap()
}
