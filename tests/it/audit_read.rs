//! The audit log as auditors read it: within their reach, by pages, without a pupil, and on record themselves.

use std::collections::BTreeSet;

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use xueji_entity::audit::{self, AuditOutcome};

use crate::support::app::App;
use crate::support::seed::{Class, Seed};

const LINES: &str = "query($filter: AuditLineFilter, $first: Int, $after: String) { \
    auditLines(filter: $filter, first: $first, after: $after) { totalCount \
    pageInfo { hasNextPage endCursor } nodes { at accountId action outcome noun columns \
    policyVersion requestId purpose rules } } }";
const RECORD: &str =
    "mutation($input: AttendanceRecordInput!) { attendanceRecord(input: $input) { recorded } }";
const CONTACT: &str = "mutation($input: StudentContactUpdateInput!) { \
    studentContactUpdate(input: $input) { student { id } } }";

fn roll(app: &App, class: &Class, day: u32) -> Value {
    let marks: Vec<_> = class
        .students
        .iter()
        .map(|student| json!({ "studentId": app.id("student", *student), "kind": "LATE" }))
        .collect();
    json!({ "input": { "classGroupId": app.id("class_group", class.id), "day": format!("2026-11-{day}"), "marks": marks } })
}

/// Three rolls and a denied one at the first school, one roll at the second.
async fn written(app: &App, seed: &Seed) -> (Value, Value) {
    let (here, there) = (seed.first(), seed.class(1, 0, 0));
    let (teacher, other) = (app.homeroom_teacher(here.id), app.homeroom_teacher(there.id));
    for day in 16..19 {
        teacher.query(RECORD, roll(app, here, day)).await.data();
    }
    let pupil = app.student(here.students[0]);
    assert_eq!(pupil.query(RECORD, roll(app, here, 16)).await.code(), "FORBIDDEN");
    other.query(RECORD, roll(app, there, 16)).await.data();
    let id = |account: xueji_entity::value::AccountId| json!(app.id("account", account));
    (id(teacher.account().await), id(other.account().await))
}

fn nodes(answer: &crate::support::answer::Answer) -> Vec<Value> {
    answer.at("/auditLines/nodes").as_array().unwrap().clone()
}

#[tokio::test]
async fn an_auditor_reads_the_lines_within_reach_and_those_beyond_do_not_exist() {
    let (app, seed) = App::school_alone().await;
    let (teacher, other) = written(&app, &seed).await;
    let (one, two) = (seed.schools[0].id, seed.schools[1].id);
    let auditor = app.school_auditor(one);
    let answer = auditor.query(LINES, json!({})).await;
    assert_eq!(answer.at("/auditLines/totalCount"), 4);
    let lines = nodes(&answer);
    assert_eq!(lines.len(), 4);
    let outcomes: Vec<&str> = lines.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["denied", "done", "done", "done"], "the newest first");
    assert!(lines[1..].iter().all(|line| line["accountId"] == teacher), "{lines:?}");
    assert!(lines[1]["rules"].as_str().unwrap().starts_with("actions.csv:"));
    // The other school's lines are not there for any filter, and no count tells of them.
    let by_other = json!({ "filter": { "accountId": other } });
    let beyond = auditor.query(LINES, by_other.clone()).await;
    let never = auditor
        .query(LINES, json!({ "filter": { "accountId": app.id("account", uuid::Uuid::now_v7()) } }))
        .await;
    assert_eq!(beyond.at("/auditLines"), never.at("/auditLines"));
    assert_eq!(beyond.at("/auditLines/totalCount"), 0);
    let there = app.school_auditor(two).query(LINES, json!({})).await;
    assert_eq!(there.at("/auditLines/totalCount"), 1);
    let region = app.auditor(seed.province);
    assert_eq!(region.query(LINES, by_other).await.at("/auditLines/totalCount"), 1);
    // No pupil is in it, by key or otherwise.
    let rows = audit::Entity::find().all(app.db()).await.unwrap();
    for student in &seed.first().students {
        assert!(!answer.text.contains(&app.id("student", *student)));
        assert!(!answer.text.contains(&student.uuid().to_string()));
    }
    assert!(rows.iter().all(|row| !answer.text.contains(&row.id.to_string())));
    for nobody in [app.principal(one), app.registrar(one), app.administrator(), app.stranger()] {
        assert_eq!(nobody.query(LINES, json!({})).await.code(), "FORBIDDEN");
    }
}

#[tokio::test]
async fn a_line_about_a_pupil_lies_where_the_pupil_is_and_not_where_the_account_is() {
    let (app, seed) = App::school_alone().await;
    let (here, there) = (seed.first(), seed.class(1, 0, 0));
    // One account with a class at each of two schools changes a number of a pupil of the second one.
    let teacher = app.homeroom_teacher(here.id).and(
        "homeroom_teacher",
        xueji::access::table::Reach::Class,
        xueji::access::caller::Place::ClassGroup(there.id.uuid()),
    );
    let pupil = app.id("student", there.students[0]);
    let asked = json!({ "id": pupil });
    let document = "query($id: ID!) { student(id: $id) { contactVersion } }";
    let version = teacher.query(document, asked).await.at("/student/contactVersion").clone();
    let input =
        json!({ "input": { "studentId": pupil, "version": version, "phone": "13912345678" } });
    teacher.query(CONTACT, input).await.data();
    let filter = json!({ "filter": { "action": "student.contact_update" } });
    let first = app.school_auditor(seed.schools[0].id).query(LINES, filter.clone()).await;
    assert_eq!(first.at("/auditLines/totalCount"), 0);
    let second = app.school_auditor(seed.schools[1].id).query(LINES, filter).await;
    assert_eq!(second.at("/auditLines/totalCount"), 1);
    assert_eq!(second.at("/auditLines/nodes/0/columns"), "phone");
    assert!(!second.text.contains("13912345678"));
}

#[tokio::test]
async fn filters_narrow_and_pages_hold_each_line_once() {
    let (app, seed) = App::school_alone().await;
    let (teacher, _) = written(&app, &seed).await;
    let officer = app.school_privacy_officer(seed.schools[0].id);
    let count = async |filter: Value| {
        let answer = officer.query(LINES, json!({ "filter": filter })).await;
        answer.at("/auditLines/totalCount").as_u64().unwrap()
    };
    assert_eq!(count(json!({ "outcome": "DENIED", "action": "attendance.record" })).await, 1);
    assert_eq!(count(json!({ "accountId": teacher })).await, 3);
    assert_eq!(count(json!({ "noun": "attendance" })).await, 3);
    assert_eq!(count(json!({ "action": "exam.publish" })).await, 0);
    assert_eq!(count(json!({ "to": "2026-11-20T04:00:00Z" })).await, 0);
    let rows = audit::Entity::find().order_by_asc(audit::Column::Id).all(app.db()).await.unwrap();
    assert_eq!(count(json!({ "requestId": rows[0].request_id })).await, 1);

    // The reading itself adds lines, of the officer's account; those of the rolls are paged.
    let filter = json!({ "action": "attendance.record" });
    let (mut seen, mut after) = (Vec::new(), Value::Null);
    loop {
        let asked = json!({ "filter": filter, "first": 1, "after": after });
        let page = officer.query(LINES, asked).await;
        assert_eq!(page.at("/auditLines/totalCount"), 4);
        seen.extend(nodes(&page).iter().map(|line| line["requestId"].to_string()));
        after = page.at("/auditLines/pageInfo/endCursor").clone();
        if page.at("/auditLines/pageInfo/hasNextPage") == false {
            break;
        }
    }
    assert_eq!(seen.len(), 4);
    assert_eq!(BTreeSet::from_iter(&seen).len(), 4);
    // A cursor is good for nobody else and for no other filter.
    let other = app.school_privacy_officer(seed.schools[0].id);
    for (who, filter) in [(&other, filter), (&officer, json!({ "action": "other" }))] {
        let answer = who.query(LINES, json!({ "filter": filter, "after": after })).await;
        assert_eq!(answer.code(), "INVALID_INPUT");
    }
    for first in [0, -1, 201] {
        assert_eq!(officer.query(LINES, json!({ "first": first })).await.code(), "INVALID_INPUT");
    }
}

#[tokio::test]
async fn who_reads_is_on_record_by_the_names_of_filters_or_reads_nothing() {
    let (app, seed) = App::school_alone().await;
    written(&app, &seed).await;
    let auditor = app.school_auditor(seed.schools[0].id);
    let filter = json!({ "filter": { "noun": "attendance", "from": "2026-01-01T00:00:00Z" } });
    auditor.query(LINES, filter.clone()).await.data();
    let read = audit::Entity::find()
        .filter(audit::Column::Action.eq("audit.read"))
        .all(app.db())
        .await
        .unwrap();
    assert_eq!(read.len(), 1);
    assert_eq!(read[0].outcome, AuditOutcome::Done);
    assert_eq!(read[0].account_id, Some(auditor.account().await));
    assert_eq!(read[0].detail.as_deref(), Some("filter: from noun"));
    let rename = |from: &str, to: &str| format!("ALTER TABLE {from} RENAME TO {to}");
    // A log that can be read and not be written.
    let view = "CREATE VIEW audit AS SELECT * FROM elsewhere";
    app.db().execute_unprepared(&rename("audit", "elsewhere")).await.unwrap();
    app.db().execute_unprepared(view).await.unwrap();
    let block = match app.db().get_database_backend() {
        sea_orm::DbBackend::Postgres => {
            "CREATE RULE no_line AS ON INSERT TO audit DO INSTEAD SELECT 1/0"
        }
        _ => "SELECT 1",
    };
    app.db().execute_unprepared(block).await.unwrap();
    let answer = auditor.query(LINES, filter).await;
    assert_eq!(answer.code(), "INTERNAL", "{}", answer.text);
    assert!(answer.body["data"].is_null() || answer.body["data"]["auditLines"].is_null());
}
