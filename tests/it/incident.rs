//! Incident reports: every student and column that an account or a grant was shown, nobody else, and on record first.

use std::collections::BTreeSet;
use std::process::{Command, Output, Stdio};

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tempfile::TempDir;
use uuid::Uuid;
use xueji::access::caller::Place;
use xueji::access::table::Reach;
use xueji_entity::audit::{self, AuditOutcome};
use xueji_entity::{access_grant, student};

use crate::support::app::App;
use crate::support::keys::MASTER;
use crate::support::seed::Seed;

const REPORT: &str = "query($login: String!, $grant: ID, $from: DateTime!, $to: DateTime!) { \
    incidentReport(login: $login, grantId: $grant, from: $from, to: $to) { studentCount \
    students { studentId columns purposes answers firstAt lastAt } } }";

fn asked(login: &str) -> Value {
    json!({ "login": login, "from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z" })
}

fn xueji(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().args(args).stdin(Stdio::null()).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn report(app: &App, what: &[&str]) -> (bool, String, String) {
    let mut args = vec!["incident", "report"];
    args.extend(what);
    args.extend(["--database-url", &app.place().url, "--master-key", MASTER]);
    let output = xueji(&args);
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

const DAY: [&str; 4] = ["--from", "2026-11-20", "--to", "2026-11-21"];

fn students_of(app: &App, seed: &Seed) -> BTreeSet<String> {
    seed.first().students.iter().map(|student| app.id("student", *student)).collect()
}

#[tokio::test]
async fn a_privacy_officer_learns_by_keys_what_was_shown_within_reach_and_of_nobody_beyond() {
    let (app, seed) = App::school().await;
    let (one, other) = (seed.schools[0].id, seed.schools[1].id);
    let far = seed.class(1, 0, 0);
    // One account that works at two schools.
    let teacher = app.homeroom_teacher(seed.first().id).and(
        "homeroom_teacher",
        Reach::Class,
        Place::ClassGroup(far.id.uuid()),
    );
    let bystander = app.homeroom_teacher(seed.first().id);
    for _ in 0..2 {
        teacher.ask("{ students(first: 100) { nodes { name phone } } }").await.data();
    }
    bystander.ask("{ students { nodes { birthDate } } }").await.data();
    let login = teacher.login().await;
    let officer = app.school_privacy_officer(one);
    let answer = officer.query(REPORT, asked(&login)).await;
    let students = answer.at("/incidentReport/students").as_array().unwrap();
    let ids: BTreeSet<String> =
        students.iter().map(|of| of["studentId"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids, students_of(&app, &seed), "those of the school and no others");
    assert_eq!(answer.at("/incidentReport/studentCount"), ids.len());
    for of in students {
        assert_eq!(of["answers"], 2);
        let columns = of["columns"].to_string();
        assert!(columns.contains("Student.name") && columns.contains("Student.phone"), "{columns}");
        assert!(!columns.contains("birthDate"), "another account's: {columns}");
    }
    // No value of a student is in it.
    for row in student::Entity::find().all(app.db()).await.unwrap() {
        use xueji_entity::value::Guarded as _;
        assert!(!answer.text.contains(row.name.expose()));
    }
    let region = app.privacy_officer(seed.province);
    let all = region.query(REPORT, asked(&login)).await;
    let count = seed.first().students.len() + far.students.len();
    assert_eq!(all.at("/incidentReport/studentCount"), count);
    // Before and after there was nothing, and a grant is asked about alone.
    let mut earlier = asked(&login);
    earlier["to"] = json!("2026-11-20T03:59:59Z");
    assert_eq!(region.query(REPORT, earlier).await.at("/incidentReport/studentCount"), 0);
    let grants = access_grant::Entity::find()
        .filter(access_grant::Column::AccountId.eq(teacher.account().await))
        .all(app.db())
        .await
        .unwrap();
    assert_eq!(grants.len(), 2);
    let mut foreign = asked(&login);
    foreign["grant"] = json!(app.id("access_grant", Uuid::now_v7()));
    assert_eq!(region.query(REPORT, foreign).await.at("/incidentReport/studentCount"), 0);

    // Beyond reach there is no such account, and nobody else asks.
    let only_here = app.homeroom_teacher(seed.first().id);
    let beyond = app.school_privacy_officer(other);
    let (hidden, unknown) = (
        beyond.query(REPORT, asked(&only_here.login().await)).await,
        beyond.query(REPORT, asked("nobody")).await,
    );
    assert_eq!(hidden.code(), "NOT_FOUND");
    assert_eq!(hidden.without_request_id(), unknown.without_request_id());
    for nobody in [app.principal(one), app.school_auditor(one), app.administrator()] {
        assert_eq!(nobody.query(REPORT, asked(&login)).await.code(), "FORBIDDEN");
    }
    let mut long = asked(&login);
    long["from"] = json!("2025-11-20T00:00:00Z");
    assert_eq!(officer.query(REPORT, long).await.code(), "INVALID_INPUT");
}

#[tokio::test]
async fn a_report_that_cannot_be_put_on_record_is_none() {
    let (app, seed) = App::school_alone().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    teacher.ask("{ students { nodes { name } } }").await.data();
    let officer = app.school_privacy_officer(seed.schools[0].id);
    let login = teacher.login().await;
    officer.query(REPORT, asked(&login)).await.data();
    let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
    app.db().execute_unprepared(&rename("audit", "elsewhere")).await.unwrap();
    let answer = officer.query(REPORT, asked(&login)).await;
    assert_eq!(answer.code(), "INTERNAL");
    assert!(!answer.text.contains(&app.id("student", seed.first().students[0])));
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("list.csv");
    let path = file.to_str().unwrap();
    let args = [&["--client", &login, "--out", path][..], &DAY].concat();
    let (done, out, err) = report(&app, &args);
    assert!(!done && out.is_empty(), "{out}{err}");
    assert!(err.contains("on record"), "{err}");
    assert!(!file.exists(), "no file without a line");
    app.db().execute_unprepared(&rename("elsewhere", "audit")).await.unwrap();
    let (done, out, err) = report(&app, &args);
    assert!(done && out.is_empty(), "{err}");
    assert!(file.exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_lists_whom_to_notify_in_a_file_of_its_owner() {
    let (app, seed) = App::school_alone().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let other = app.homeroom_teacher(seed.class(0, 0, 1).id);
    teacher.ask("{ students { nodes { name phone } } }").await.data();
    teacher.ask("{ students { nodes { name } } }").await.data();
    other.ask("{ students { nodes { name } } }").await.data();
    let login = teacher.login().await;
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("list.csv");
    let path = file.to_str().unwrap();
    let args = [&["--client", &login, "--out", path][..], &DAY].concat();
    let (done, out, err) = report(&app, &args);
    assert!(done && out.is_empty(), "{out}{err}");
    assert!(err.contains(&format!("{} students", class.students.len())), "{err}");
    let list = std::fs::read_to_string(&file).unwrap();
    let rows: Vec<&str> = list.lines().collect();
    assert_eq!(rows.len(), class.students.len() + 1, "{list}");
    let students: BTreeSet<Uuid> =
        rows[1..].iter().map(|row| row.split('"').nth(1).unwrap().parse().unwrap()).collect();
    assert_eq!(students, class.students.iter().map(|student| student.uuid()).collect());
    for row in student::Entity::find().all(app.db()).await.unwrap() {
        use xueji_entity::value::Guarded as _;
        let listed = students.contains(&row.id.uuid());
        assert_eq!(list.contains(row.name.expose()), listed, "named where it must be notified");
    }
    assert!(rows[1..].iter().all(|row| row.contains("Student.phone") && row.contains(",2,")));
    assert!(rows[1..].iter().all(|row| row.ends_with("\"\"")), "no contacts unasked: {list}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    let (done, _, err) = report(&app, &args);
    assert!(!done && err.contains("not written over"), "{err}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), list);

    // As JSON with contacts, by the grant; one that held no place in it showed nothing.
    let grant = access_grant::Entity::find()
        .filter(access_grant::Column::AccountId.eq(teacher.account().await))
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    let id = grant.id.uuid().to_string();
    let (done, out, err) =
        report(&app, &[&["--grant", &id, "--format", "json", "--contacts"][..], &DAY].concat());
    assert!(done, "{err}");
    let told: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(told.len(), class.students.len());
    let guardians: Vec<&Value> =
        told.iter().flat_map(|of| of["to_be_told"].as_array().unwrap()).collect();
    assert!(!guardians.is_empty() && guardians.iter().all(|of| of["name"].is_string()));
    assert!(guardians.iter().any(|of| of["phone"].is_string()), "{guardians:?}");
    let (done, _, err) =
        report(&app, &[&["--grant", &Uuid::now_v7().to_string()][..], &DAY].concat());
    assert!(!done && err.contains("no grant"), "{err}");
    let (done, _, err) = report(&app, &["--client", &login, "--from", "x", "--to", "2026-11-21"]);
    assert!(!done && err.contains("no instant"), "{err}");
    let lines = audit::Entity::find()
        .filter(audit::Column::Action.eq("incident.report"))
        .all(app.db())
        .await
        .unwrap();
    assert_eq!(lines.len(), 2, "one for each report that was written");
    assert!(lines.iter().all(|line| line.outcome == AuditOutcome::Done));
    let said: Vec<&str> = lines.iter().filter_map(|line| line.detail.as_deref()).collect();
    let account = teacher.account().await.uuid().to_string();
    assert!(said.iter().all(|said| said.contains(&account)), "{said:?}");
    assert!(said.iter().any(|said| said.contains("with contacts")), "{said:?}");
}
