//! Emergency stops: an account, a role or all exports, on every server within a second, by whoever may and on record.

use std::process::{Command, Output, Stdio};

use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};
use xueji_entity::audit::{self, AuditOutcome};
use xueji_entity::emergency_stop;

use crate::support::app::{App, within_a_second};
use crate::support::callers::Person;
use crate::support::keys::MASTER;

const STOP: &str =
    "mutation($input: EmergencyStopInput!) { emergencyStop(input: $input) { stopId } }";
const LIFT: &str =
    "mutation($input: EmergencyLiftInput!) { emergencyLift(input: $input) { stopId } }";
const STUDENTS: &str = "{ students { nodes { id name } } }";
const REPORT: &str = "query($login: String!) { incidentReport(login: $login, \
    from: \"2026-11-01T00:00:00Z\", to: \"2026-12-01T00:00:00Z\") { studentCount } }";

fn account(login: &str) -> Value {
    json!({ "input": { "kind": "ACCOUNT", "login": login, "reason": "a lost telephone" } })
}

fn role(role: &str) -> Value {
    json!({ "input": { "kind": "ROLE", "role": role, "reason": "a wrong policy" } })
}

fn exports() -> Value {
    json!({ "input": { "kind": "EXPORTS", "reason": "copies on sale" } })
}

fn lift(stop: &Value) -> Value {
    json!({ "input": { "stopId": stop } })
}

/// Somebody's account as another server knows it.
async fn code_at(server: &App, person: &Person<'_>) -> String {
    let body = json!({ "query": STUDENTS }).to_string();
    let answer = server.post(Some(&person.token().await), "en", body).await;
    match answer.body["errors"][0]["extensions"]["code"].as_str() {
        Some(code) => code.to_owned(),
        None => answer.at("/students/nodes").as_array().unwrap().len().to_string(),
    }
}

async fn lines(app: &App, action: &str) -> Vec<audit::Model> {
    let all = audit::Entity::find().order_by_asc(audit::Column::Id).all(app.db()).await.unwrap();
    all.into_iter().filter(|line| line.action == action).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_account_is_gone_from_every_server_within_a_second_with_its_streams() {
    let (app, seed) = App::school().await;
    let sibling = app.sibling().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let colleague = app.homeroom_teacher(class.id);
    let officer = app.school_privacy_officer(seed.schools[0].id);
    let here = class.students.len().to_string();
    for server in [&app, &sibling] {
        assert_eq!(code_at(server, &teacher).await, here);
    }
    let site = app.serve().await;
    let mut stream = site.granted(&teacher.token().await).await;
    let watched = "subscription($class: ID!) { attendanceRecorded(classGroupId: $class) { at } }";
    let variables = json!({ "class": app.id("class_group", class.id) });
    stream.open(&app, "s", watched, variables).await;
    let done = officer.query(STOP, account(&teacher.login().await)).await;
    let stop = done.at("/emergencyStop/stopId").clone();
    for server in [&app, &sibling] {
        within_a_second(async || code_at(server, &teacher).await == "UNAUTHENTICATED").await;
    }
    let ended = stream.next().await;
    assert_eq!(ended["payload"][0]["extensions"]["code"], "UNAUTHENTICATED", "{ended}");
    assert_eq!(code_at(&sibling, &colleague).await, here, "nobody else is stopped");
    // It takes no statement more to know.
    let again = officer.query(STOP, account(&teacher.login().await)).await;
    assert_eq!(again.code(), "CONFLICT", "it is stopped already");

    officer.query(LIFT, lift(&stop)).await.data();
    for server in [&app, &sibling] {
        within_a_second(async || code_at(server, &teacher).await == here).await;
    }
    assert_eq!(officer.query(LIFT, lift(&stop)).await.code(), "NOT_FOUND", "it is lifted");
    let row = emergency_stop::Entity::find().one(app.db()).await.unwrap().unwrap();
    assert_eq!(row.by_id, Some(officer.account().await));
    assert_eq!(row.lifted_by_id, row.by_id);
    let line = &lines(&app, "emergency.stop").await[0];
    assert_eq!(line.outcome, AuditOutcome::Done);
    let said = line.detail.as_deref().unwrap();
    assert!(said.contains(&teacher.account().await.uuid().to_string()), "{said}");
    assert!(!said.contains("telephone"), "the reason is free text and stays out: {said}");
    assert_eq!(lines(&app, "emergency.lift").await.len(), 2, "done and denied");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_role_grants_nothing_to_anybody_until_it_is_lifted() {
    let (app, seed) = App::school().await;
    let sibling = app.sibling().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let registrar = app.registrar(seed.schools[0].id);
    let both = app.administrator().and(
        "homeroom_teacher",
        xueji::access::table::Reach::Class,
        xueji::access::caller::Place::ClassGroup(class.id.uuid()),
    );
    assert_eq!(code_at(&sibling, &teacher).await, class.students.len().to_string());
    let administrator = app.administrator();
    let done = administrator.query(STOP, role("homeroom_teacher")).await;
    let stop = done.at("/emergencyStop/stopId").clone();
    within_a_second(async || code_at(&sibling, &teacher).await == "0").await;
    assert_ne!(code_at(&sibling, &registrar).await, "0", "other roles hold");
    // An opened record is read under a role as well.
    let opened = app.opened(class.students[0]);
    assert_eq!(code_at(&app, &opened).await, "1");
    administrator.query(STOP, role("break_glass")).await.data();
    within_a_second(async || code_at(&app, &opened).await == "0").await;
    // Who holds the role, stopped or not, does not lift its stop.
    let own = both.query(LIFT, lift(&stop)).await;
    assert_eq!(own.code(), "RULE_REFUSED", "{}", own.text);
    administrator.query(LIFT, lift(&stop)).await.data();
    let here = class.students.len().to_string();
    within_a_second(async || code_at(&sibling, &teacher).await == here).await;
}

#[tokio::test]
async fn who_may_stop_what_is_policy_and_what_lies_beyond_reach_does_not_exist() {
    let (app, seed) = App::school().await;
    let (one, other) = (seed.schools[0].id, seed.schools[1].id);
    let teacher = app.homeroom_teacher(seed.first().id);
    let login = teacher.login().await;
    for nobody in [app.principal(one), app.registrar(one), app.school_auditor(one), app.stranger()]
    {
        assert_eq!(nobody.query(STOP, account(&login)).await.code(), "FORBIDDEN");
        assert_eq!(nobody.ask("{ emergencyStops { id } }").await.code(), "FORBIDDEN");
    }
    let elsewhere = app.school_privacy_officer(other);
    let here = app.school_privacy_officer(one);
    let beyond = elsewhere.query(STOP, account(&login)).await;
    let unknown = elsewhere.query(STOP, account("nobody")).await;
    assert_eq!(beyond.code(), "NOT_FOUND");
    assert_eq!(beyond.without_request_id(), unknown.without_request_id());
    for wide in [role("homeroom_teacher"), exports()] {
        assert_eq!(here.query(STOP, wide).await.code(), "FORBIDDEN");
    }
    let own = here.query(STOP, account(&here.login().await)).await;
    assert_eq!(own.code(), "RULE_REFUSED");
    for odd in [
        json!({ "input": { "kind": "ACCOUNT", "role": "registrar", "reason": "why" } }),
        json!({ "input": { "kind": "EXPORTS", "login": login, "reason": "why" } }),
        json!({ "input": { "kind": "ROLE", "role": "anyone", "reason": "why" } }),
        json!({ "input": { "kind": "ROLE", "role": "no_such", "reason": "why" } }),
        json!({ "input": { "kind": "EXPORTS", "reason": "x" } }),
    ] {
        let answer = app.administrator().query(STOP, odd).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{}", answer.text);
    }
    let stop = here.query(STOP, account(&login)).await.at("/emergencyStop/stopId").clone();
    assert_eq!(elsewhere.query(LIFT, lift(&stop)).await.code(), "NOT_FOUND");
    assert_eq!(elsewhere.ask("{ emergencyStops { id } }").await.at("/emergencyStops"), &json!([]));
    let listed = here.ask("{ emergencyStops { id kind login role reason } }").await;
    assert_eq!(
        listed.at("/emergencyStops"),
        &json!([{ "id": stop, "kind": "ACCOUNT", "login": login, "role": null, "reason": "a lost telephone" }])
    );
    let denied = lines(&app, "emergency.stop").await;
    let denied = denied.iter().filter(|line| line.outcome == AuditOutcome::Denied).count();
    assert_eq!(denied, 4 + 2 + 2 + 1, "every refusal is on record, of bad input none");
}

#[tokio::test]
async fn while_exports_are_stopped_none_passes_the_gate() {
    let (app, seed) = App::school().await;
    let officer = app.school_privacy_officer(seed.schools[0].id);
    let teacher = app.homeroom_teacher(seed.first().id);
    let login = json!({ "login": teacher.login().await });
    officer.query(REPORT, login.clone()).await.data();
    let administrator = app.administrator();
    let done = administrator.query(STOP, exports()).await;
    let stop = done.at("/emergencyStop/stopId").clone();
    let refused = officer.query(REPORT, login.clone()).await;
    assert_eq!(refused.code(), "RULE_REFUSED");
    assert_eq!(refused.error()["extensions"]["rule"], "EXPORTS_STOPPED", "{}", refused.text);
    let outcomes: Vec<_> =
        lines(&app, "incident.report").await.into_iter().map(|line| line.outcome).collect();
    assert_eq!(outcomes, [AuditOutcome::Done, AuditOutcome::Denied]);
    administrator.query(LIFT, lift(&stop)).await.data();
    officer.query(REPORT, login).await.data();
}

fn xueji(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().args(args).stdin(Stdio::null()).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_stops_lists_and_lifts_on_a_running_registry() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let login = teacher.login().await;
    let here = seed.first().students.len().to_string();
    assert_eq!(code_at(&app, &teacher).await, here);
    let url = app.place().url.clone();
    let stop = |what: &[&str]| {
        let mut args = vec!["stop"];
        args.extend(what);
        args.extend(["--database-url", &url, "--master-key", MASTER]);
        let output = xueji(&args);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.success(), format!("{}{}", text(&output.stdout), text(&output.stderr)))
    };
    let (done, said) = stop(&["client", &login, "--reason", "its key is on sale"]);
    assert!(done, "{said}");
    within_a_second(async || code_at(&app, &teacher).await == "UNAUTHENTICATED").await;
    let (done, said) = stop(&["account", &login, "--reason", "again"]);
    assert!(!done && said.contains("stopped already"), "{said}");
    let (done, said) = stop(&["account", "nobody", "--reason", "again"]);
    assert!(!done && said.contains("no account"), "{said}");
    let (done, said) = stop(&["role", "no_such_role", "--reason", "again"]);
    assert!(!done && said.contains("no role"), "{said}");
    let (done, said) = stop(&["exports", "--reason", "x"]);
    assert!(!done && said.contains("2 to 500"), "{said}");
    let (done, said) = stop(&["exports", "--reason", "copies on sale"]);
    assert!(done, "{said}");
    let (done, listed) = stop(&["list"]);
    assert!(done && listed.lines().count() == 2, "{listed}");
    let of = listed.lines().find(|line| line.contains(&login)).unwrap();
    let id = of.split(' ').next().unwrap();
    let (done, said) = stop(&["lift", id]);
    assert!(done, "{said}");
    within_a_second(async || code_at(&app, &teacher).await == here).await;
    let (done, said) = stop(&["lift", id]);
    assert!(!done && said.contains("No stop"), "{said}");
    assert_eq!(stop(&["list", "--all"]).1.lines().count(), 2);
    assert_eq!(lines(&app, "emergency.stop").await.len(), 2);
    assert_eq!(lines(&app, "emergency.lift").await.len(), 1);
}
