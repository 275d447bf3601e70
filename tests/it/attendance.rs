//! `attendanceRecord`, and with it the one way to write: what is recorded is seen under the caller's sights, what is
//! refused changes nothing, and every act leaves its history, one audit line and its event, none of which tells a value.

use std::collections::HashSet;

use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder,
};
use serde_json::{Value, json};
use uuid::Uuid;
use xueji::access::action::Action;
use xueji::access::filter::Key;
use xueji::access::policy::Source;
use xueji::access::shown::Cell;
use xueji::error::Error;
use xueji::store::codec::Codec;
use xueji::store::tx::{Event, NewRow};
use xueji_entity::audit::AuditOutcome;
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::value::{LookupHash, StudentId};
use xueji_entity::{account, attendance, audit, history, idempotency, outbox, staff};

use super::support::answer::Answer;
use super::support::app::App;
use super::support::callers::Person;
use super::support::seed::{Class, Shape, day};

const RECORD: &str = "mutation($input: AttendanceRecordInput!) { attendanceRecord(input: $input) {
    recorded changed
    attendance(first: 100) {
        totalCount
        nodes { day kind note student { id } classGroup { id } recordedBy { id } }
        pageInfo { endCursor }
    } } }";

const NOTE: &str = "Mkfever reported by the family";

fn mark(app: &App, student: StudentId, kind: &str, note: Option<&str>) -> Value {
    json!({ "studentId": app.id("student", student), "kind": kind, "note": note })
}

/// A roll of the class that marks every pupil alike.
fn roll(app: &App, class: &Class, on: &str, kind: &str, note: Option<&str>) -> Value {
    let marks: Vec<_> = class.students.iter().map(|id| mark(app, *id, kind, note)).collect();
    json!({ "classGroupId": app.id("class_group", class.id), "day": on, "marks": marks })
}

fn with(mut input: Value, key: &str, value: Value) -> Value {
    input[key] = value;
    input
}

async fn record(person: &Person<'_>, input: Value) -> Answer {
    person.query(RECORD, json!({ "input": input })).await
}

/// How many rows there are of attendance on later days than the planted, of history, events and kept answers.
async fn written(app: &App) -> [u64; 4] {
    let db = app.db();
    let days = attendance::Entity::find().filter(attendance::Column::Day.gt(day("2026-11-12")));
    [
        days.count(db).await.unwrap(),
        history::Entity::find().count(db).await.unwrap(),
        outbox::Entity::find().count(db).await.unwrap(),
        idempotency::Entity::find().count(db).await.unwrap(),
    ]
}

async fn audited(app: &App) -> Vec<audit::Model> {
    audit::Entity::find().order_by_asc(audit::Column::Id).all(app.db()).await.unwrap()
}

/// The one audit line, of an act that was denied.
async fn denied(app: &App, detail: &str) -> audit::Model {
    let mut lines = audited(app).await;
    assert_eq!(lines.len(), 1, "{lines:?}");
    let line = lines.remove(0);
    assert_eq!(line.outcome, AuditOutcome::Denied);
    assert_eq!(line.action, "attendance.record");
    assert_eq!(line.detail.as_deref(), Some(detail));
    assert_eq!((line.row_id, line.student_id), (None, None));
    line
}

#[tokio::test]
async fn what_is_recorded_is_seen_as_a_read_shows_it() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let staff = staff::Entity::find().one(app.db()).await.unwrap().unwrap();
    account::Entity::update_many()
        .col_expr(account::Column::StaffId, staff.id.uuid().into())
        .filter(account::Column::Id.eq(teacher.account().await))
        .exec(app.db())
        .await
        .unwrap();

    let input = roll(&app, class, "2026-11-19", "SICK_LEAVE", Some(NOTE));
    let answer = record(&teacher, input).await;

    assert_eq!(answer.at("/attendanceRecord/recorded"), 3);
    assert_eq!(answer.at("/attendanceRecord/changed"), 0);
    assert_eq!(answer.at("/attendanceRecord/attendance/totalCount"), 3);
    let nodes = answer.at("/attendanceRecord/attendance/nodes").as_array().unwrap().clone();
    let students: HashSet<_> =
        nodes.iter().map(|node| node["student"]["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(students, class.students.iter().map(|id| app.id("student", *id)).collect());
    for node in &nodes {
        assert_eq!(node["day"], "2026-11-19");
        assert_eq!(node["kind"], "SICK_LEAVE");
        assert_eq!(node["note"], NOTE);
        assert_eq!(node["classGroup"]["id"], app.id("class_group", class.id));
        assert_eq!(node["recordedBy"]["id"], app.id("staff", staff.id));
    }
    // A registrar reads the same row, the note masked.
    let student = app.id("student", class.students[0]);
    let document = "query($id: ID!) { student(id: $id) {
        attendances: attendance(filter: { day: { eq: \"2026-11-19\" } }) { nodes { kind note } } } }";
    let registrar = app.registrar(seed.schools[0].id);
    let seen = registrar.query(document, json!({ "id": student })).await;
    assert_eq!(
        *seen.at("/student/attendances/nodes"),
        json!([{ "kind": "SICK_LEAVE", "note": "***" }])
    );
}

#[tokio::test]
async fn an_act_leaves_history_one_audit_line_and_one_event_without_values() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    record(&teacher, roll(&app, class, "2026-11-20", "PRESENT", Some(NOTE))).await.data();
    let first = class.students[0];
    let marks = json!([
        mark(&app, first, "LATE", None),
        mark(&app, class.students[1], "PRESENT", Some(NOTE)),
    ]);
    let input = roll(&app, class, "2026-11-20", "PRESENT", None);
    let answer = record(&teacher, with(input, "marks", marks)).await;
    assert_eq!(answer.at("/attendanceRecord/recorded"), 0);
    assert_eq!(answer.at("/attendanceRecord/changed"), 1);
    assert_eq!(answer.at("/attendanceRecord/attendance/totalCount"), 3);

    let row = attendance::Entity::find()
        .filter(attendance::Column::StudentId.eq(first))
        .filter(attendance::Column::Day.eq(day("2026-11-20")))
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    assert_eq!((row.row_version, row.note), (2, None));
    let changes = history::Entity::find()
        .filter(history::Column::StudentId.eq(first))
        .order_by_asc(history::Column::Id)
        .all(app.db())
        .await
        .unwrap();
    assert_eq!(changes.len(), 2);
    assert!(changes.iter().all(|change| change.row_id == row.id.uuid()));
    assert_eq!(changes[0].before, None);
    assert!(changes[0].after.as_ref().unwrap().contains(NOTE));
    let json =
        |text: &Option<String>| serde_json::from_str::<Value>(text.as_ref().unwrap()).unwrap();
    assert_eq!(json(&changes[1].before), json!({ "kind": "present", "note": NOTE }));
    assert_eq!(json(&changes[1].after), json!({ "kind": "late", "note": null }));

    let lines = audited(&app).await;
    assert_eq!(lines.len(), 2, "one line for an act");
    let account = teacher.account().await;
    for line in &lines {
        assert_eq!(line.outcome, AuditOutcome::Done);
        assert_eq!(line.action, "attendance.record");
        assert_eq!(line.account_id, Some(account));
        assert_eq!(line.noun.as_deref(), Some("attendance"));
        assert_eq!(line.policy_version.as_deref(), Some(app.policy().version.as_str()));
        assert!(!line.request_id.is_empty());
    }
    assert_eq!(lines[0].row_id, None, "three rows stand in the detail");
    assert_eq!(lines[1].row_id, Some(row.id.uuid()));
    assert_eq!(lines[1].student_id, Some(first));
    assert_eq!(lines[1].columns.as_deref(), Some("kind note"));
    let events =
        outbox::Entity::find().order_by_asc(outbox::Column::Id).all(app.db()).await.unwrap();
    assert_eq!(events.len(), 2);
    for event in &events {
        assert_eq!(event.kind, "attendance.recorded");
        assert_eq!(event.class_group_id, Some(class.id));
        assert_eq!(event.delivered_at, None);
    }
    let said = format!("{lines:?}{events:?}");
    for value in ["Mk", "fever", "late", "present", "2026-11-20\""] {
        assert!(!said.contains(value), "{value} in {said}");
    }
}

#[tokio::test]
async fn whoever_may_not_act_is_refused_and_it_is_on_record() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let input = roll(&app, class, "2026-11-20", "PRESENT", None);
    let anonymous = app.anonymous(RECORD, json!({ "input": input })).await;
    assert_eq!(anonymous.code(), "UNAUTHENTICATED");
    assert!(audited(&app).await.is_empty());

    let answer = record(&app.subject_teacher(class.id, seed.courses[0]), input).await;
    assert_eq!(answer.code(), "FORBIDDEN", "{}", answer.text);
    denied(&app, "FORBIDDEN").await;
    assert_eq!(written(&app).await, [0; 4]);
}

#[tokio::test]
async fn a_class_of_others_is_answered_like_one_that_never_was() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let theirs =
        record(&teacher, roll(&app, seed.class(0, 0, 1), "2026-11-20", "LATE", None)).await;
    assert_eq!(theirs.code(), "NOT_FOUND", "{}", theirs.text);
    denied(&app, "NOT_FOUND").await;
    for id in [app.id("class_group", Uuid::now_v7()), "nonsense".to_owned()] {
        let input = roll(&app, seed.class(0, 0, 1), "2026-11-20", "LATE", None);
        let nobodys = record(&teacher, with(input, "classGroupId", json!(id))).await;
        assert_eq!(nobodys.without_request_id(), theirs.without_request_id());
    }
    assert_eq!(written(&app).await, [0; 4]);
}

#[tokio::test]
async fn a_grant_that_only_reads_does_not_widen_the_act() {
    let (app, seed) = App::school().await;
    // Sees class 2 as a subject teacher, but leads class 1 alone.
    let teacher = app
        .homeroom_teacher(seed.first().id)
        .and_subject_teacher(seed.class(0, 0, 1).id, seed.courses[0]);
    let other = roll(&app, seed.class(0, 0, 1), "2026-11-20", "LATE", None);
    assert_eq!(record(&teacher, other).await.code(), "NOT_FOUND");
    let own = record(&teacher, roll(&app, seed.first(), "2026-11-20", "LATE", None)).await;
    assert_eq!(own.at("/attendanceRecord/recorded"), 3);
}

#[tokio::test]
async fn one_column_more_refuses_the_whole_act() {
    let mut source = Source::shipped();
    let actions = source.files.get_mut("actions.csv").unwrap();
    *actions = actions.replace("kind note recorded_by_id", "kind recorded_by_id");
    let app = App::under(source).await;
    let seed = app.plant(Shape::default()).await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let answer = record(&teacher, roll(&app, seed.first(), "2026-11-20", "LATE", None)).await;
    assert_eq!(answer.code(), "FORBIDDEN", "{}", answer.text);
    assert_eq!(answer.error()["extensions"]["coordinates"], json!(["Attendance.note"]));
    assert_eq!(denied(&app, "FORBIDDEN").await.columns.as_deref(), Some("Attendance.note"));
    assert_eq!(written(&app).await, [0; 4]);
}

#[tokio::test]
async fn the_same_request_is_done_once_and_another_under_its_key_is_a_conflict() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let input = roll(&app, class, "2026-11-18", "PRESENT", Some(NOTE));
    let keyed = |input| with(input, "idempotencyKey", json!("0c9e0f3e-roll"));
    let first = record(&teacher, keyed(input.clone())).await;
    first.data();
    let after = written(&app).await;
    assert_eq!(after, [3, 3, 1, 1]);

    // Meanwhile corrected: the repetition counts as before, and shows what is there now.
    let correction = roll(&app, class, "2026-11-18", "LATE", None);
    record(&teacher, correction).await.data();
    let again = record(&teacher, keyed(input)).await;
    assert_eq!(again.at("/attendanceRecord/recorded"), 3);
    assert_eq!(again.at("/attendanceRecord/changed"), 0);
    assert_eq!(again.at("/attendanceRecord/attendance/nodes/0/kind"), "LATE");
    assert_eq!(written(&app).await, [3, 6, 2, 1], "nothing but the correction was written");
    assert_eq!(audited(&app).await.len(), 2);

    let other = keyed(roll(&app, class, "2026-11-18", "PRESENT", None));
    let refused = record(&teacher, other).await;
    assert_eq!(refused.code(), "CONFLICT");
    assert!(refused.message().contains("idempotency key"), "{}", refused.message());
    assert_eq!(written(&app).await, [3, 6, 2, 1]);

    // Keys are each account's own, and what is kept holds no value.
    let neighbour = app.homeroom_teacher(seed.class(0, 0, 1).id);
    let theirs = keyed(roll(&app, seed.class(0, 0, 1), "2026-11-18", "PRESENT", None));
    assert_eq!(record(&neighbour, theirs).await.at("/attendanceRecord/recorded"), 3);
    let kept = idempotency::Entity::find().all(app.db()).await.unwrap();
    assert_eq!(kept.len(), 2);
    assert!(!format!("{kept:?}").contains("Mk"));

    for key in ["short", "with\ttab in it"] {
        let input = roll(&app, class, "2026-11-18", "PRESENT", None);
        let refused = record(&teacher, with(input, "idempotencyKey", json!(key))).await;
        assert_eq!(refused.code(), "INVALID_INPUT");
        assert_eq!(refused.error()["extensions"]["field"], "idempotencyKey");
    }
}

#[tokio::test]
async fn the_day_must_lie_in_the_window() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    for on in ["2026-11-21", "2026-11-12", "0001-01-01", "9999-12-31"] {
        let refused = record(&teacher, roll(&app, seed.first(), on, "PRESENT", None)).await;
        assert_eq!(refused.code(), "RULE_REFUSED", "{}", refused.text);
        assert_eq!(refused.error()["extensions"]["rule"], "attendance.window");
    }
    assert_eq!(written(&app).await, [0; 4]);
    assert!(audited(&app).await.is_empty(), "a refusal by rule is no denial");
    let chinese = app.homeroom_teacher(seed.first().id).in_chinese();
    let refused = record(&chinese, roll(&app, seed.first(), "2026-11-21", "PRESENT", None)).await;
    assert!(refused.message().contains("考勤"), "{}", refused.message());
    let oldest = record(&teacher, roll(&app, seed.first(), "2026-11-13", "PRESENT", None)).await;
    assert_eq!(oldest.at("/attendanceRecord/recorded"), 3);
}

#[tokio::test]
async fn a_pupil_of_others_is_answered_like_one_that_never_was() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let mut answers = Vec::new();
    for id in [
        app.id("student", seed.class(0, 0, 1).students[0]),
        app.id("student", Uuid::now_v7()),
        "nonsense".to_owned(),
    ] {
        let mut input = roll(&app, class, "2026-11-20", "PRESENT", None);
        input["marks"][1]["studentId"] = json!(id);
        let answer = record(&teacher, input).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{}", answer.text);
        assert_eq!(answer.error()["extensions"]["field"], "marks.1.studentId");
        answers.push(answer.without_request_id());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
    assert_eq!(written(&app).await, [0; 4], "not even the marks that were right");
}

#[tokio::test]
async fn a_masked_note_is_never_taken_back() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    for note in ["***", "see ***5678", "*"] {
        let input = roll(&app, seed.first(), "2026-11-20", "PRESENT", Some(note));
        let refused = record(&teacher, input).await;
        assert_eq!(refused.code(), "INVALID_INPUT", "{}", refused.text);
        assert_eq!(refused.error()["extensions"]["field"], "marks.0.note");
        assert!(!refused.text.contains(note) || note == "*", "{}", refused.text);
    }
    assert_eq!(written(&app).await, [0; 4]);
}

#[tokio::test]
async fn the_number_of_statements_does_not_depend_on_the_marks() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 40 }).await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let document = "mutation($input: AttendanceRecordInput!) { attendanceRecord(input: $input) {
        recorded changed } }";
    let cost = async |input: Value| {
        let (answer, statements) = teacher.counted(document, json!({ "input": input })).await;
        answer.data();
        statements
    };
    let one = |kind| {
        let input = roll(&app, class, "2026-11-17", "PRESENT", None);
        with(input, "marks", json!([mark(&app, class.students[0], kind, None)]))
    };
    let insert_one = cost(one("PRESENT")).await;
    let insert_all = cost(roll(&app, class, "2026-11-18", "PRESENT", None)).await;
    assert_eq!(insert_one, insert_all);
    let update_one = cost(one("LATE")).await;
    let update_all = cost(roll(&app, class, "2026-11-18", "LATE", None)).await;
    assert_eq!(update_one, update_all);
    assert_eq!(update_one, insert_one);
}

#[tokio::test]
async fn rolls_at_the_same_moment_neither_double_nor_break() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    teacher.account().await;
    let rolls = ["PRESENT", "LATE", "TRUANT", "OFFICIAL", "PRESENT", "LATE"]
        .map(|kind| record(&teacher, roll(&app, class, "2026-11-20", kind, None)));
    let answers = futures_util::future::join_all(rolls).await;
    let done = answers.iter().filter(|answer| answer.code().is_empty()).count();
    assert!(done > 0);
    for answer in &answers {
        assert!(["", "CONFLICT"].contains(&answer.code()), "{}", answer.text);
    }
    assert_eq!(written(&app).await[0], 3);
    let rows = attendance::Entity::find()
        .filter(attendance::Column::Day.eq(day("2026-11-20")))
        .all(app.db())
        .await
        .unwrap();
    let kinds: HashSet<_> = rows.iter().map(|row| row.kind).collect();
    assert_eq!(kinds.len(), 1, "one roll won whole: {kinds:?}");
}

#[tokio::test]
async fn one_request_that_arrives_many_times_at_once_is_done_once() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    teacher.account().await;
    let input = roll(&app, seed.first(), "2026-11-20", "PRESENT", Some(NOTE));
    let input = with(input, "idempotencyKey", json!("impatient client"));
    let answers =
        futures_util::future::join_all((0..4).map(|_| record(&teacher, input.clone()))).await;
    for answer in &answers {
        assert_eq!(answer.at("/attendanceRecord/recorded"), 3);
        assert_eq!(answer.at("/attendanceRecord/attendance/totalCount"), 3);
    }
    assert_eq!(written(&app).await, [3, 3, 1, 1]);
    assert_eq!(audited(&app).await.len(), 1);
}

#[tokio::test]
async fn a_cursor_of_one_day_is_not_one_of_another() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let document = "mutation($input: AttendanceRecordInput!, $after: String) {
        attendanceRecord(input: $input) {
            attendance(first: 2, after: $after) { nodes { id } pageInfo { endCursor } } } }";
    let page = async |on: &str, after: Value| {
        let input = roll(&app, seed.first(), on, "PRESENT", None);
        teacher.query(document, json!({ "input": input, "after": after })).await
    };
    let first = page("2026-11-20", Value::Null).await;
    let cursor = first.at("/attendanceRecord/attendance/pageInfo/endCursor").clone();
    let second = page("2026-11-20", cursor.clone()).await;
    assert_eq!(second.at("/attendanceRecord/attendance/nodes").as_array().unwrap().len(), 1);
    assert_eq!(page("2026-11-19", cursor).await.code(), "INVALID_INPUT");
}

#[tokio::test]
async fn what_is_not_ended_leaves_nothing() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let cx = app.cx(&teacher).await;
    let key = Key { student: None, id: class.students[0].uuid() };
    for ended in [false, true] {
        let mut tx = cx.begin(Action::AttendanceRecord).await.unwrap();
        let student = tx.get("student", key, &[]).await.unwrap();
        let columns = ["class_group_id", "day", "kind"];
        let values = vec![
            Cell::Key(class.id.uuid()),
            Cell::Date(day("2026-11-20")),
            Cell::Text("late".to_owned()),
        ];
        tx.insert("attendance", &columns, vec![NewRow { under: &student, values }]).await.unwrap();
        tx.event(Event { kind: "attendance.recorded", ..Event::default() });
        let once = tx.once("some-key-1", "request");
        tx.remember(&once, "{}".to_owned()).await.unwrap();
        if ended {
            let over: Result<(), Error> = Err(Error::internal("over"));
            assert!(matches!(tx.end(over).await, Err(Error::Internal(_))));
        } else {
            drop(tx);
        }
        assert_eq!(written(&app).await, [0; 4]);
        assert!(audited(&app).await.is_empty());
    }
}

#[tokio::test]
async fn a_row_that_changed_since_it_was_read_is_a_conflict() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let cx = app.cx(&teacher).await;
    let row = attendance::Entity::find()
        .filter(attendance::Column::StudentId.eq(class.students[0]))
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    let key = Key { student: Some(row.student_id.uuid()), id: row.id.uuid() };
    let mut tx = cx.begin(Action::AttendanceRecord).await.unwrap();
    let read = tx.get("attendance", key, &["kind"]).await.unwrap();
    let truant = || vec![(&read, vec![Cell::Text("truant".to_owned())])];
    assert_eq!(tx.update("attendance", &["kind"], truant()).await.unwrap(), [key]);
    let stale = tx.update("attendance", &["kind"], truant()).await.unwrap_err();
    assert!(matches!(&stale, Error::Conflict { what } if what == "row_version"), "{stale:?}");
    tx.end::<()>(Err(stale)).await.unwrap_err();
    assert_eq!(written(&app).await, [0; 4]);
}

#[tokio::test]
async fn sealed_columns_stay_sealed_in_the_history() {
    let mut source = Source::shipped();
    let actions = source.files.get_mut("actions.csv").unwrap();
    *actions = actions.replace("recorded_by_id", "recorded_by_id student.phone");
    let app = App::under(source).await;
    let seed = app.plant(Shape::default()).await;
    let student = seed.first().students[0];
    let teacher = app.homeroom_teacher(seed.first().id);
    let cx = app.cx(&teacher).await;
    let mut tx = cx.begin(Action::AttendanceRecord).await.unwrap();
    let key = Key { student: None, id: student.uuid() };
    let row = tx.get("student", key, &["phone"]).await.unwrap();
    let rows = vec![(&row, vec![Cell::Text("13900007777".to_owned())])];
    tx.update("student", &["phone"], rows).await.unwrap();
    tx.end(Ok(())).await.unwrap();
    let change = history::Entity::find().one(app.db()).await.unwrap().unwrap();
    let said = format!("{:?}{:?}", change.before, change.after);
    let hex: String = "13900007777".bytes().map(|byte| format!("{byte:02x}")).collect();
    assert!(!said.contains(&hex) && !said.contains("13900007777"), "{said}");
    let after: Value = serde_json::from_str(change.after.as_ref().unwrap()).unwrap();
    let digits = after["phone"].as_str().unwrap().as_bytes().chunks(2);
    let sealed: Vec<u8> = digits
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let opened = app.codec().open("student", "phone", student.uuid(), &sealed).unwrap();
    assert_eq!(opened, "13900007777");
    // Found again by the new number, as the hash beside the column is new as well.
    let registrar = app.registrar(seed.schools[0].id);
    let document =
        "{ students(filter: { phone: { eq: \"13900007777\" } }) { nodes { id phone } } }";
    let found = registrar.ask(document).await;
    assert_eq!(
        *found.at("/students/nodes"),
        json!([{ "id": app.id("student", student), "phone": "13900007777" }])
    );
}

#[tokio::test]
async fn a_value_belongs_to_one_student_and_the_conflict_does_not_say_whose() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let cx = app.cx(&teacher).await;
    let tx = cx.begin(Action::AttendanceRecord).await.unwrap();
    let mut students = Vec::new();
    for id in &seed.first().students {
        let key = Key { student: None, id: id.uuid() };
        students.push(tx.get("student", key, &[]).await.unwrap());
    }
    let hash = LookupHash::from_bytes([5; 32]);
    let row = Uuid::now_v7();
    tx.claim("national_student_number", &hash, &students[0], row).await.unwrap();
    tx.claim("national_student_number", &hash, &students[0], row).await.unwrap();
    tx.claim("id_number", &hash, &students[1], row).await.unwrap();
    let taken = tx.claim("national_student_number", &hash, &students[1], row).await.unwrap_err();
    assert_eq!(taken.to_string(), "conflict on national_student_number");
    tx.end::<()>(Err(taken)).await.unwrap_err();
    // A pupil of another class cannot even be named.
    let tx = cx.begin(Action::AttendanceRecord).await.unwrap();
    let key = Key { student: None, id: seed.class(0, 0, 1).students[0].uuid() };
    let missing = tx.get("student", key, &[]).await.unwrap_err();
    assert!(matches!(missing, Error::NotFound { .. }));
    drop(tx);
}

#[tokio::test]
async fn a_deleted_mark_neither_stands_in_the_way_nor_betrays_itself() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let input = roll(&app, class, "2026-11-18", "PRESENT", None);
    let first = record(&teacher, input.clone()).await;
    let pupils = first.at("/attendanceRecord/recorded").clone();
    let kept = attendance::Entity::find()
        .filter(attendance::Column::Day.eq(day("2026-11-18")))
        .all(app.db())
        .await
        .unwrap();
    for row in kept {
        let mut row: attendance::ActiveModel = row.into();
        row.lifecycle = Set(Lifecycle::Deleted);
        row.update(app.db()).await.unwrap();
    }
    let again = record(&teacher, input).await;
    assert_eq!(again.at("/attendanceRecord/recorded"), &pupils, "{}", again.text);
    assert_eq!(again.at("/attendanceRecord/changed"), 0);
}
