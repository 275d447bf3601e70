//! Acts: what they return, what they collide with, what they take back.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use xueji_entity::attendance;
use xueji_entity::lifecycle::Lifecycle;

use crate::support::app::App;
use crate::support::oracle::Oracle;
use crate::support::seed::{Class, day};
use crate::support::truth::Truth;

const RECORD: &str = "mutation($input: AttendanceRecordInput!) { attendanceRecord(input: $input) { recorded changed \
    attendance { totalCount nodes { __typename id kind note student { __typename id name idNumber phone bloodGroup { list value } \
    currentAddress guardians { nodes { __typename id name idNumber currentAddress } } } } } } }";

fn roll(app: &App, class: &Class, on: &str, note: Option<&str>) -> Value {
    let marks: Vec<_> = class
        .students
        .iter()
        .map(|id| json!({ "studentId": app.id("student", *id), "kind": "LATE", "note": note }))
        .collect();
    json!({ "input": { "classGroupId": app.id("class_group", class.id), "day": on, "marks": marks } })
}

/// objectstack #2692: a mutation returned the record without its masks.
#[tokio::test]
async fn objectstack_2692_a_mutation_returns_the_record_unmasked() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let answer = teacher.query(RECORD, roll(&app, class, "2026-11-19", None)).await;
    let nodes = answer.at("/attendanceRecord/attendance/nodes").as_array().unwrap();
    assert_eq!(nodes.len(), 3);
    let oracle = Oracle::of(&app, &truth, &teacher);
    for node in nodes {
        oracle.check(&node["student"]);
        assert!(node["student"]["idNumber"].as_str().unwrap().contains('*'), "{node}");
        assert!(node["student"]["bloodGroup"].is_null(), "{node}");
    }
    for text in oracle.forbidden_texts() {
        assert!(!answer.text.contains(text), "the act told {text}");
    }
    assert_eq!(answer.redaction("Student.idNumber")[0].0, "masked");
    assert_eq!(answer.redaction("Student.bloodGroup")[0].0, "hidden");
    // And it is what a read of the same rows says.
    let read = teacher
        .ask("{ students { nodes { attendance(filter: { day: { eq: \"2026-11-19\" } }) { nodes { id student { id idNumber currentAddress } } } } } }")
        .await;
    let told = |student: &Value| (student["id"].clone(), student["idNumber"].clone());
    for pupil in read.at("/students/nodes").as_array().unwrap() {
        let row = &pupil["attendance"]["nodes"][0];
        let same = nodes.iter().find(|node| node["id"] == row["id"]).unwrap();
        assert_eq!(told(&same["student"]), told(&row["student"]));
    }
    // A condition inside the answer of an act is held to the same rule as one of a read.
    let filtered = RECORD.replace(
        "attendance {",
        "attendance(filter: { student: { idNumber: { isNull: false } } }) {",
    );
    let refused = teacher.query(&filtered, roll(&app, class, "2026-11-18", None)).await;
    assert_eq!(refused.code(), "FORBIDDEN", "{}", refused.text);
}

/// PostgreSQL row-level security accepts it: a write collides with a row that the writer cannot see, and the error
/// tells that the row is there.
#[tokio::test]
async fn postgresql_rls_a_write_collides_with_an_invisible_row() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let first = teacher.query(RECORD, roll(&app, class, "2026-11-18", None)).await;
    assert_eq!(first.at("/attendanceRecord/recorded"), 3);
    // The rows of that day become invisible; their unique key is still in the table.
    let rows = attendance::Entity::find()
        .filter(attendance::Column::Day.eq(day("2026-11-18")))
        .all(app.db())
        .await
        .unwrap();
    for row in rows {
        let mut row: attendance::ActiveModel = row.into();
        row.lifecycle = Set(Lifecycle::Deleted);
        row.update(app.db()).await.unwrap();
    }
    // The same act on that day and on one without any row are told apart by nothing.
    let over = teacher.query(RECORD, roll(&app, class, "2026-11-18", None)).await;
    let fresh = teacher.query(RECORD, roll(&app, class, "2026-11-17", None)).await;
    for pointer in [
        "/attendanceRecord/recorded",
        "/attendanceRecord/changed",
        "/attendanceRecord/attendance/totalCount",
    ] {
        assert_eq!(over.at(pointer), fresh.at(pointer), "{pointer}");
    }
    // A pupil whom the teacher cannot see: the refusal is that of a pupil who never was, on a day with and on one
    // without a row of that pupil.
    let other = seed.class(0, 0, 1);
    let neighbour = app.homeroom_teacher(other.id);
    assert_eq!(
        neighbour
            .query(RECORD, roll(&app, other, "2026-11-18", None))
            .await
            .at("/attendanceRecord/recorded"),
        3
    );
    let mut answers = Vec::new();
    for (student, on) in [
        (other.students[0].uuid(), "2026-11-18"),
        (other.students[0].uuid(), "2026-11-17"),
        (uuid::Uuid::now_v7(), "2026-11-18"),
    ] {
        let mut input = roll(&app, class, on, None);
        input["input"]["marks"][0]["studentId"] = json!(app.id("student", student));
        let answer = teacher.query(RECORD, input).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{}", answer.text);
        answers.push(answer.without_request_id());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1);
}

/// frappe #39296, #39441: a form sent the masked text back, and it was written over the real value.
#[tokio::test]
async fn frappe_39296_39441_a_masked_text_is_written_back() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let note = "Mkfever reported by the family";
    teacher.query(RECORD, roll(&app, class, "2026-11-19", Some(note))).await.data();
    // A registrar reads the note masked; the form of somebody who may write sends the mask back.
    let registrar = app.registrar(seed.schools[0].id);
    let id = app.id("student", class.students[0]);
    let read = registrar
        .query(
            "query($id: ID!) { student(id: $id) { attendance(filter: { day: { eq: \"2026-11-19\" } }) { nodes { note } } } }",
            json!({ "id": id }),
        )
        .await;
    let mask = read.at("/student/attendance/nodes/0/note").as_str().unwrap().to_owned();
    assert!(mask.contains('*') && !mask.contains("fever"), "{mask}");
    for text in
        [mask.clone(), format!(" {mask} "), format!("{note}{mask}"), mask.replace('*', "＊")]
    {
        let refused = teacher.query(RECORD, roll(&app, class, "2026-11-19", Some(&text))).await;
        assert_eq!(refused.code(), "INVALID_INPUT", "{text}: {}", refused.text);
    }
    let rows = attendance::Entity::find()
        .filter(attendance::Column::Day.eq(day("2026-11-19")))
        .all(app.db())
        .await
        .unwrap();
    assert_eq!(rows.len(), 3);
    let kept = teacher.ask("{ students { nodes { attendance(filter: { day: { eq: \"2026-11-19\" } }) { nodes { note } } } } }").await;
    for pupil in kept.at("/students/nodes").as_array().unwrap() {
        assert_eq!(pupil["attendance"]["nodes"][0]["note"], note);
    }
}
