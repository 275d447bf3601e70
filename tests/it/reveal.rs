//! `studentReveal`: one masked value in full, for a purpose, where the policy says `reveal`; limited by the hour, on
//! record, and never a way around a row or a column that is not the caller's.

use std::sync::Arc;

use chrono::TimeDelta;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait};
use sea_orm::{QueryFilter, QueryOrder};
use serde_json::{Value, json};
use xueji_entity::audit::AuditOutcome;
use xueji_entity::value::StudentId;
use xueji_entity::{act_try, audit, student};

use super::support::answer::Answer;
use super::support::app::App;
use super::support::callers::Person;
use super::support::logs;
use super::support::truth::Truth;

const REVEAL: &str =
    "mutation($input: StudentRevealInput!) { studentReveal(input: $input) { coordinate value } }";

fn input(id: &str, coordinate: &str) -> Value {
    json!({ "input": { "id": id, "coordinate": coordinate } })
}

async fn reveal(person: &Person<'_>, id: &str, coordinate: &str) -> Answer {
    person.query_for("home_contact", REVEAL, input(id, coordinate)).await
}

async fn lines(app: &App) -> Vec<audit::Model> {
    audit::Entity::find().order_by_asc(audit::Column::Id).all(app.db()).await.unwrap()
}

async fn tries(app: &App) -> u64 {
    act_try::Entity::find().count(app.db()).await.unwrap()
}

async fn bare(app: &App, id: &str, column: &str) -> String {
    Truth::of(app).await.rows[id].text(column).to_owned()
}

#[tokio::test]
async fn one_masked_value_is_shown_and_the_act_is_on_record() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let id = app.id("student", class.students[0]);
    let address = bare(&app, &id, "current_address").await;
    let answer = reveal(&teacher, &id, "Student.currentAddress").await;
    assert_eq!(answer.at("/studentReveal/value"), &json!(address));
    assert_eq!(answer.at("/studentReveal/coordinate"), "Student.currentAddress");

    let line = lines(&app).await.remove(0);
    assert_eq!((line.action.as_str(), line.outcome), ("student.reveal", AuditOutcome::Done));
    assert_eq!(line.noun.as_deref(), Some("student"));
    assert_eq!(line.row_id, Some(class.students[0].uuid()));
    assert_eq!(line.columns.as_deref(), Some("current_address"));
    assert_eq!(line.purpose.as_deref(), Some("home_contact"));
    assert!(!format!("{line:?}").contains(&address), "no value on record");
    assert!(!logs::text().contains(&address), "no value in the log");
    // It widens nothing: the next read is masked as before.
    let document = "query($id: ID!) { student(id: $id) { currentAddress } }";
    let read = teacher.query(document, json!({ "id": id })).await;
    assert!(read.at("/student/currentAddress").as_str().unwrap().contains('*'));
}

#[tokio::test]
async fn a_row_that_hangs_from_the_pupil_is_revealed_under_its_own_lines() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let first = seed.first().students[0].uuid();
    let (id, row) = truth
        .of_noun("guardian")
        .find(|(_, row)| row.student == Some(first) && !row.value("phone").is_null())
        .unwrap();
    let head = app.year_head(seed.schools[0].levels[0].id);
    let answer = reveal(&head, id, "Guardian.phone").await;
    assert_eq!(answer.at("/studentReveal/value"), &json!(row.text("phone")));
    let line = lines(&app).await.remove(0);
    assert_eq!(line.student_id, Some(StudentId::from_uuid(first)));
    // Masked for the class teacher too, and not to be revealed.
    let teacher = app.homeroom_teacher(seed.first().id);
    let refused = reveal(&teacher, id, "Guardian.workplace").await;
    assert_eq!(refused.code(), "FORBIDDEN", "{}", refused.text);
}

#[tokio::test]
async fn an_identity_number_is_revealed_to_those_who_approve_and_to_nobody_who_teaches() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let id = app.id("student", class.students[0]);
    let number = bare(&app, &id, "id_number").await;
    let school = seed.schools[0].id;
    for person in [app.reviewer(school), app.principal(school), app.vice_principal(school)] {
        let answer = reveal(&person, &id, "Student.idNumber").await;
        assert_eq!(answer.at("/studentReveal/value"), &json!(number), "{:?}", person.held);
    }
    for person in [
        app.homeroom_teacher(class.id),
        app.year_head(seed.schools[0].levels[0].id),
        app.opened(class.students[0]),
        app.subject_teacher(class.id, seed.courses[0]),
    ] {
        let refused = reveal(&person, &id, "Student.idNumber").await;
        assert_eq!(refused.code(), "FORBIDDEN", "{:?} {}", person.held, refused.text);
        assert!(!refused.text.contains(&number));
    }
}

#[tokio::test]
async fn without_a_purpose_nothing_is_shown() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let id = app.id("student", seed.first().students[0]);
    let answer = teacher.query(REVEAL, input(&id, "Student.currentAddress")).await;
    assert_eq!(answer.code(), "INVALID_INPUT", "{}", answer.text);
    assert_eq!(answer.error()["extensions"]["field"], "Xueji-Purpose");
    assert_eq!(tries(&app).await, 0);
}

#[tokio::test]
async fn another_row_is_not_found_like_one_that_was_never_issued() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let foreign = app.id("student", seed.class(0, 0, 1).students[0]);
    let never = app.id("student", uuid::Uuid::now_v7());
    let (a, first) = teacher
        .counted_for("home_contact", REVEAL, input(&foreign, "Student.currentAddress"))
        .await;
    let (b, second) =
        teacher.counted_for("home_contact", REVEAL, input(&never, "Student.currentAddress")).await;
    let c = reveal(&teacher, "Student_nonsense", "Student.currentAddress").await;
    assert_eq!(a.code(), "NOT_FOUND", "{}", a.text);
    assert_eq!(a.without_request_id(), b.without_request_id());
    assert_eq!(a.without_request_id(), c.without_request_id());
    assert_eq!(first, second, "the same statements");
    let denied = lines(&app).await;
    assert_eq!(denied.len(), 3);
    for line in denied {
        assert_eq!(line.outcome, AuditOutcome::Denied);
        assert_eq!((line.row_id, line.student_id), (None, None));
        assert_eq!(line.purpose.as_deref(), Some("home_contact"));
    }
}

#[tokio::test]
async fn a_column_that_is_not_to_be_revealed_is_refused_alike_whether_or_not_a_value_is_there() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let [with, without] = [class.students[0], class.students[1]];
    let gone = student::ActiveModel {
        id: Set(without),
        email: Set(None),
        email_hash: Set(None),
        home_address: Set(None),
        current_address: Set(None),
        ..Default::default()
    };
    gone.update(app.db()).await.unwrap();
    let teacher = app.homeroom_teacher(class.id);
    // Hidden, masked without the use, and of a role that may reveal nothing.
    let subject = app.subject_teacher(class.id, seed.courses[0]);
    for (person, coordinate) in [
        (&teacher, "Student.idNumber"),
        (&teacher, "Student.householdPlace"),
        (&teacher, "Student.homeAddress"),
        (&teacher, "Student.nationalStudentNumber"),
        (&subject, "Student.idNumber"),
    ] {
        let a = reveal(person, &app.id("student", with), coordinate).await;
        let b = reveal(person, &app.id("student", without), coordinate).await;
        assert_eq!(a.code(), "FORBIDDEN", "{coordinate}: {}", a.text);
        assert_eq!(a.without_request_id(), b.without_request_id(), "{coordinate}");
    }
    assert_eq!(tries(&app).await, 0, "what is refused outright counts nothing");
    // A masked column with nothing on file is null, which its null told already.
    let nothing = reveal(&teacher, &app.id("student", without), "Student.currentAddress").await;
    assert!(nothing.at("/studentReveal/value").is_null());
    // What is in full already needs no revealing.
    let shown =
        reveal(&app.registrar(seed.schools[0].id), &app.id("student", with), "Student.idNumber")
            .await;
    assert_eq!(shown.code(), "FORBIDDEN", "a registrar has no such act: {}", shown.text);
}

#[tokio::test]
async fn two_roles_on_two_classes_are_not_put_together() {
    let (app, seed) = App::school().await;
    let (own, taught) = (seed.class(0, 0, 0), seed.class(0, 0, 1));
    let both = app.homeroom_teacher(own.id).and_subject_teacher(taught.id, seed.courses[0]);
    let mine = reveal(&both, &app.id("student", own.students[0]), "Student.currentAddress").await;
    assert!(mine.at("/studentReveal/value").is_string());
    let other =
        reveal(&both, &app.id("student", taught.students[0]), "Student.currentAddress").await;
    assert_eq!(other.code(), "NOT_FOUND", "the act reaches the own class: {}", other.text);
}

#[tokio::test]
async fn a_coordinate_that_is_none_is_named() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let id = app.id("student", seed.first().students[0]);
    for wrong in [
        "",
        "idNumber",
        "Student.",
        "Student.id_number",
        "student.idNumber",
        "Student.guardians",
        "Staff.phone",
        "Nobody.phone",
    ] {
        let answer = reveal(&teacher, &id, wrong).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{wrong}: {}", answer.text);
        assert_eq!(answer.error()["extensions"]["field"], "coordinate", "{wrong}");
    }
}

#[tokio::test]
async fn the_hour_has_its_limit_whoever_counts() {
    let (app, hand) = App::by_hand().await;
    let seed = app.plant(super::support::seed::Shape::default()).await;
    let class = seed.first();
    let teacher = Arc::new(app.homeroom_teacher(class.id));
    let id = app.id("student", class.students[0]);
    // Requests at once count one after the other.
    let at_once = (0..34).map(|_| reveal(&teacher, &id, "Student.currentAddress"));
    let answers = futures_util::future::join_all(at_once).await;
    let shown = answers.iter().filter(|answer| answer.code().is_empty()).count();
    assert_eq!(shown, 30, "as many as the hour allows");
    let over: Vec<_> = answers.iter().filter(|answer| !answer.code().is_empty()).collect();
    for answer in &over {
        assert_eq!(answer.code(), "LIMIT_EXCEEDED", "{}", answer.text);
        assert_eq!(answer.error()["extensions"]["limit"], "student.reveal");
        assert!(answer.message().contains("2026-11-20T05:00:00Z"), "{}", answer.text);
    }
    let denied = audit::Entity::find()
        .filter(audit::Column::Outcome.eq(AuditOutcome::Denied))
        .count(app.db())
        .await
        .unwrap();
    assert_eq!(denied, over.len() as u64, "each refusal is on record");
    // Somebody else has an hour of their own.
    let other = app.homeroom_teacher(class.id);
    reveal(&other, &id, "Student.currentAddress").await.data();
    hand.on(TimeDelta::minutes(59));
    assert_eq!(reveal(&teacher, &id, "Student.currentAddress").await.code(), "LIMIT_EXCEEDED");
    hand.on(TimeDelta::minutes(2));
    reveal(&teacher, &id, "Student.currentAddress").await.data();
}
