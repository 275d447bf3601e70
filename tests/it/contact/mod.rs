//! `studentContactUpdate` and `guardianContactUpdate`: who may replace what, that no mask is taken for a value, and that
//! the version tag knows what its caller sees and nothing else.

mod kin;
mod masks;
mod versions;

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use uuid::Uuid;
use xueji::store::codec::Codec;
use xueji_entity::audit::AuditOutcome;
use xueji_entity::value::{AccountId, StudentId};
use xueji_entity::{audit, guardian, history, idempotency, outbox, student};

use crate::support::answer::Answer;
use crate::support::app::{App, clock};
use crate::support::callers::Person;
use crate::support::logs;

const STUDENT: &str = "mutation($input: StudentContactUpdateInput!) {
    studentContactUpdate(input: $input) { student { ...Contact } } }
    fragment Contact on Student { id contactVersion phone email postalCode
        currentAddress mailingAddress homeAddress }";

const READ: &str = "query($id: ID!) { student(id: $id) { ...Contact } }
    fragment Contact on Student { id contactVersion phone email postalCode
        currentAddress mailingAddress homeAddress }";

const GUARDIAN: &str = "mutation($input: GuardianContactUpdateInput!) {
    guardianContactUpdate(input: $input) { guardian { id contactVersion phone currentAddress } } }";

const ADDRESS: &str = "北京市朝阳区Mknewaddress";
const PHONE: &str = "13911112222";

async fn read(person: &Person<'_>, app: &App, student: StudentId) -> Answer {
    person.query(READ, json!({ "id": app.id("student", student) })).await
}

async fn version_of(person: &Person<'_>, app: &App, student: StudentId) -> String {
    let answer = read(person, app, student).await;
    answer.at("/student/contactVersion").as_str().unwrap().to_owned()
}

/// Input that changes these fields, with the version that the person reads now.
async fn input(person: &Person<'_>, app: &App, student: StudentId, changes: Value) -> Value {
    let mut input = changes;
    input["studentId"] = json!(app.id("student", student));
    input["version"] = json!(version_of(person, app, student).await);
    input
}

async fn send(person: &Person<'_>, input: Value) -> Answer {
    person.query(STUDENT, json!({ "input": input })).await
}

async fn update(person: &Person<'_>, app: &App, student: StudentId, changes: Value) -> Answer {
    send(person, input(person, app, student, changes).await).await
}

async fn row(app: &App, student: StudentId) -> student::Model {
    student::Entity::find_by_id(student).one(app.db()).await.unwrap().unwrap()
}

async fn family(app: &App, student: StudentId) -> Vec<guardian::Model> {
    guardian::Entity::find()
        .filter(guardian::Column::StudentId.eq(student))
        .order_by_asc(guardian::Column::Position)
        .all(app.db())
        .await
        .unwrap()
}

fn field(answer: &Answer) -> &Value {
    &answer.error()["extensions"]["field"]
}

async fn audited(app: &App) -> Vec<audit::Model> {
    audit::Entity::find().order_by_asc(audit::Column::Id).all(app.db()).await.unwrap()
}

async fn events(app: &App) -> Vec<outbox::Model> {
    outbox::Entity::find().all(app.db()).await.unwrap()
}

/// Nothing is left of an attempt but, perhaps, a denial on record.
async fn nothing_done(app: &App) {
    assert!(events(app).await.is_empty());
    assert!(history::Entity::find().all(app.db()).await.unwrap().is_empty());
    assert!(idempotency::Entity::find().all(app.db()).await.unwrap().is_empty());
    assert!(audited(app).await.iter().all(|line| line.outcome == AuditOutcome::Denied));
}

/// Changes a sealed column behind the application's back.
async fn replace(app: &App, noun: &str, column: &str, row: Uuid, bare: &str) {
    use sea_orm::ConnectionTrait;
    use sea_orm::sea_query::{Expr, ExprTrait, Query};
    let sealed = app.codec().seal(noun, column, row, bare).unwrap();
    let mut update = Query::update();
    update
        .table(noun.to_owned())
        .value(column.to_owned(), Expr::val(sealed))
        .and_where(Expr::col("id").eq(Expr::val(row)));
    app.db().execute(&update).await.unwrap();
}

async fn belongs_to(app: &App, row: &guardian::Model, account: AccountId) {
    let mut row: guardian::ActiveModel = row.clone().into();
    row.account_id = Set(Some(account));
    row.update(app.db()).await.unwrap();
}

async fn update_kin(
    person: &Person<'_>,
    app: &App,
    kin: &guardian::Model,
    changes: Value,
) -> Answer {
    let id = app.id_of("guardian", kin.student_id, kin.id);
    let document = "query($id: ID!) { node(id: $id) { ... on Guardian { contactVersion } } }";
    let seen = person.query(document, json!({ "id": id })).await;
    let mut input = changes;
    input["guardianId"] = json!(id);
    input["version"] = match seen.at("/node") {
        Value::Null => json!("x"),
        node => node["contactVersion"].as_str().map_or(json!("x"), |tag| json!(tag)),
    };
    person.query(GUARDIAN, json!({ "input": input })).await
}

#[tokio::test]
async fn what_is_given_replaces_null_clears_and_the_rest_stays() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let parent = app.guardian(pupil);
    let before = read(&parent, &app, pupil).await;
    let changes = json!({ "phone": " +86 139-1111-2222", "email": null, "homeAddress": ADDRESS });
    let answer = update(&parent, &app, pupil, changes).await;
    let shown = answer.at("/studentContactUpdate/student");
    assert_eq!(shown["phone"], PHONE, "in normal form");
    assert_eq!((&shown["email"], &shown["homeAddress"]), (&Value::Null, &json!(ADDRESS)));
    for kept in ["postalCode", "currentAddress", "mailingAddress"] {
        assert_eq!(&shown[kept], before.at(&format!("/student/{kept}")));
    }
    assert_ne!(shown["contactVersion"], *before.at("/student/contactVersion"));
    assert_eq!(shown, read(&parent, &app, pupil).await.at("/student"), "as a read shows it");

    // Found by the new number and no longer by the old one.
    let registrar = app.registrar(seed.schools[0].id);
    let by = async |phone: &Value| {
        let document = "query($phone: String) { students(filter: { phone: { eq: $phone } }) \
                        { nodes { id } } }";
        let found = registrar.query(document, json!({ "phone": phone })).await;
        found.at("/students/nodes").as_array().unwrap().len()
    };
    assert_eq!((by(&json!(PHONE)).await, by(before.at("/student/phone")).await), (1, 0));
    let row = row(&app, pupil).await;
    assert_eq!((row.row_version, row.email, row.email_hash), (2, None, None));

    let changes = history::Entity::find().all(app.db()).await.unwrap();
    assert_eq!(changes.len(), 1);
    let after: Value = serde_json::from_str(changes[0].after.as_ref().unwrap()).unwrap();
    let columns: BTreeSet<&str> = after.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(columns, BTreeSet::from(["phone", "email", "home_address"]));
    let lines = audited(&app).await;
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].action, "student.contact_update");
    assert_eq!(lines[0].row_id, Some(pupil.uuid()));
    assert_eq!(lines[0].columns.as_deref(), Some("email home_address phone"));
    let events = events(&app).await;
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].kind, "student.contact_updated");
    assert_eq!(events[0].student_id, Some(pupil));
    assert_eq!(events[0].payload, json!({ "rows": [pupil.uuid()] }).to_string());
    let said = format!("{lines:?}{events:?}{changes:?}");
    for value in [PHONE, "Mknewaddress", before.at("/student/phone").as_str().unwrap()] {
        assert!(!said.contains(value), "{value} in {said}");
        assert!(!logs::text().contains(value), "{value} in the log");
    }
}

#[tokio::test]
async fn each_role_sets_what_its_line_names_and_one_field_more_refuses_the_whole() {
    let (app, seed) = App::school().await;
    let (class, school) = (seed.first(), seed.schools[0].id);
    let all = ["phone", "email", "postalCode", "currentAddress", "mailingAddress", "homeAddress"];
    let value = |field: &str| match field {
        "phone" => PHONE,
        "email" => "new@example.org",
        "postalCode" => "100020",
        _ => ADDRESS,
    };
    for (pupil, person, may) in [
        (0, app.guardian(class.students[0]), all.as_slice()),
        (1, app.homeroom_teacher(class.id), &["phone", "email"]),
        (2, app.registrar(school), &all),
    ] {
        let pupil = class.students[pupil];
        let mut denied = audited(&app).await.len();
        for field in all {
            let before = row(&app, pupil).await;
            let answer = update(&person, &app, pupil, json!({ field: value(field) })).await;
            if may.contains(&field) {
                let shown = answer.at(&format!("/studentContactUpdate/student/{field}"));
                assert_eq!(shown, value(field));
                denied += 1;
                continue;
            }
            // Together with one that is theirs: neither.
            let both = json!({ field: value(field), "phone": "13911113333" });
            let both = update(&person, &app, pupil, both).await;
            for answer in [answer, both] {
                assert_eq!(answer.code(), "FORBIDDEN", "{}", answer.text);
                let coordinate = format!("Student.{field}");
                assert_eq!(answer.error()["extensions"]["coordinates"], json!([coordinate]));
                let line = audited(&app).await.remove(denied);
                assert_eq!(line.outcome, AuditOutcome::Denied);
                assert_eq!(line.columns, Some(coordinate));
                denied += 1;
            }
            assert_eq!(row(&app, pupil).await, before);
        }
    }
    // A pupil reads the own record and does not write it; who only reads does not write either.
    let version = json!({ "studentId": app.id("student", class.students[0]), "version": "x" });
    for person in [
        app.student(class.students[0]),
        app.subject_teacher(class.id, seed.courses[0]),
        app.year_head(seed.schools[0].levels[0].id),
        app.reviewer(school),
        app.aid_officer(school),
        app.county_officer(seed.counties[0]),
    ] {
        let mut input = version.clone();
        input["phone"] = json!(PHONE);
        assert_eq!(send(&person, input).await.code(), "FORBIDDEN");
    }
}

#[tokio::test]
async fn what_comes_back_obeys_the_sights_of_a_read() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let teacher = app.homeroom_teacher(seed.first().id);
    let answer = update(&teacher, &app, pupil, json!({ "phone": PHONE })).await;
    let shown = answer.at("/studentContactUpdate/student");
    assert_eq!(shown["phone"], PHONE);
    assert_eq!(shown["homeAddress"], "北京市朝阳区***");
    assert_eq!(shown["postalCode"], Value::Null);
    assert_eq!(answer.redaction("Student.homeAddress")[0].0, "masked");
    assert_eq!(answer.redaction("Student.postalCode")[0].0, "hidden");
    assert!(!answer.text.contains("Mkhomeaddress"), "{}", answer.text);
}

#[tokio::test]
async fn a_pupil_of_others_is_answered_like_one_that_never_was() {
    let (app, seed) = App::school().await;
    let (class, other) = (seed.first(), seed.class(0, 0, 1).students[0]);
    let theirs = app.id("student", class.students[0]);
    // Reads the other class as a subject teacher, which gives no right to write there.
    let teacher =
        app.homeroom_teacher(class.id).and_subject_teacher(seed.class(0, 0, 1).id, seed.courses[0]);
    let mut answers = Vec::new();
    for (person, id) in [
        (app.guardian(class.students[0]), app.id("student", class.students[1])),
        (app.registrar(seed.schools[0].id), app.id("student", seed.class(1, 0, 0).students[0])),
        (app.homeroom_teacher(class.id), app.id("student", other)),
        (teacher, app.id("student", other)),
        (app.guardian(class.students[0]), app.id("student", Uuid::now_v7())),
        (app.guardian(class.students[0]), app.id("class_group", class.id)),
        (app.guardian(class.students[0]), theirs.to_uppercase()),
        (app.guardian(class.students[0]), format!("{theirs}\u{0}")),
        (app.guardian(class.students[0]), String::new()),
        (app.guardian(class.students[0]), "学".repeat(4_000)),
    ] {
        let input = json!({ "studentId": id, "version": "x", "phone": PHONE });
        let answer = send(&person, input).await;
        assert_eq!(answer.code(), "NOT_FOUND", "{}", answer.text);
        answers.push(answer.without_request_id());
    }
    let lines = audited(&app).await;
    assert_eq!(lines.len(), answers.len());
    assert!(lines.iter().all(|line| line.detail.as_deref() == Some("NOT_FOUND")));
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    nothing_done(&app).await;
}

#[tokio::test]
async fn what_is_wrong_is_refused_by_field_and_never_quoted() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let parent = app.guardian(pupil);
    let before = row(&app, pupil).await;
    let long = "路".repeat(181);
    let mail = format!("{}@example.org", "a".repeat(250));
    for (name, value) in [
        ("phone", "Mkwrongnumber"),
        ("phone", "1380013800"),
        ("phone", "138\u{0}00138000"),
        ("phone", ""),
        ("email", "Mkwrongmail"),
        ("email", "a@Mkwrong"),
        ("email", "a\u{0}@example.org"),
        ("email", mail.as_str()),
        ("postalCode", "Mkcode"),
        ("postalCode", "000000"),
        ("currentAddress", long.as_str()),
        ("mailingAddress", "Mkaddress\u{0}"),
        ("homeAddress", " "),
        ("homeAddress", "路"),
    ] {
        // One good field beside it: all or nothing.
        let mut changes = json!({ "phone": PHONE });
        changes[name] = json!(value);
        let answer = update(&parent, &app, pupil, changes).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{name} {value:?}: {}", answer.text);
        assert_eq!(field(&answer), name);
        assert!(!answer.text.contains("Mk") && !answer.text.contains("路路"), "{}", answer.text);
    }
    let empty = update(&parent, &app, pupil, json!({})).await;
    assert_eq!((empty.code(), field(&empty)), ("INVALID_INPUT", &json!("input")));
    let chinese = app.guardian(pupil).in_chinese();
    let answer = update(&chinese, &app, pupil, json!({ "phone": "x" })).await;
    assert!(answer.message().contains("手机号码"), "{}", answer.message());
    // Not even a text: the library's own refusal.
    for changes in [json!({ "phone": 13_911_112_222_i64 }), json!({ "phone": [PHONE] })] {
        let answer = update(&parent, &app, pupil, changes).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{}", answer.text);
        assert!(!answer.text.contains(PHONE), "{}", answer.text);
    }
    // Who may not set a column is not told what would be wrong with it.
    let teacher = app.homeroom_teacher(seed.first().id);
    let answer = update(&teacher, &app, pupil, json!({ "homeAddress": "***" })).await;
    assert_eq!(answer.code(), "FORBIDDEN");
    assert_eq!(row(&app, pupil).await, before);
    nothing_done(&app).await;
}

#[tokio::test]
async fn the_same_request_is_done_once_and_another_under_its_key_is_a_conflict() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let parent = app.guardian(pupil);
    let mut first = input(&parent, &app, pupil, json!({ "phone": PHONE })).await;
    first["idempotencyKey"] = json!("contact-0001");
    let done = send(&parent, first.clone()).await;
    // The version is stale by now; the repetition is answered all the same, with what is there.
    let again = send(&parent, first.clone()).await;
    assert_eq!(again.without_request_id(), done.without_request_id());
    assert_eq!((row(&app, pupil).await.row_version, events(&app).await.len()), (2, 1));
    let kept = idempotency::Entity::find().one(app.db()).await.unwrap().unwrap();
    assert_eq!(kept.response, "null");
    for (name, value) in [("phone", "13911113333"), ("email", "x@example.org"), ("version", "x")] {
        let mut other = first.clone();
        other[name] = json!(value);
        let refused = send(&parent, other).await;
        assert_eq!(refused.code(), "CONFLICT", "{}", refused.text);
        assert!(refused.message().contains("idempotency key"), "{}", refused.message());
        assert_eq!(field(&refused), &Value::Null);
    }
    // Left out and cleared are two requests.
    let mut cleared = first.clone();
    cleared["email"] = Value::Null;
    assert_eq!(send(&parent, cleared).await.code(), "CONFLICT");
    assert_eq!(row(&app, pupil).await.row_version, 2);
}

#[tokio::test]
async fn answers_are_kept_for_seven_days() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let parent = app.guardian(pupil);
    let mut keyed = input(&parent, &app, pupil, json!({ "phone": PHONE })).await;
    keyed["idempotencyKey"] = json!("contact-0001");
    send(&parent, keyed.clone()).await.data();
    let now = clock().now();
    let forget = async |days, seconds| {
        let at = now + TimeDelta::days(days) + TimeDelta::seconds(seconds);
        app.store().forget_answers(at).await.unwrap()
    };
    assert_eq!(forget(7, 0).await, 0);
    assert_eq!(forget(7, 1).await, 1);
    // From then on it is a new request, whose version is stale.
    assert_eq!(send(&parent, keyed).await.code(), "CONFLICT");
}

#[tokio::test]
async fn siblings_share_a_telephone_and_neither_answer_tells_of_the_other() {
    let (app, seed) = App::school().await;
    let [pupil, sibling] = [seed.first().students[0], seed.first().students[1]];
    for (child, other) in [(pupil, sibling), (sibling, pupil)] {
        let answer = update(&app.guardian(child), &app, child, json!({ "phone": PHONE })).await;
        assert_eq!(answer.at("/studentContactUpdate/student/phone"), PHONE);
        assert!(!answer.text.contains(&app.id("student", other)), "{}", answer.text);
    }
}

/// Clients declare a variable for each field and send those that people have touched.
#[tokio::test]
async fn a_variable_that_is_not_sent_leaves_its_field_as_it_is() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let parent = app.guardian(pupil);
    let before = read(&parent, &app, pupil).await;
    let document =
        "mutation($id: ID!, $version: String!, $phone: String, $email: String, $home: String) {
        studentContactUpdate(input: { studentId: $id, version: $version, phone: $phone,
            email: $email, homeAddress: $home, currentAddress: null }) {
            student { phone email homeAddress currentAddress mailingAddress } } }";
    let variables = json!({
        "id": app.id("student", pupil),
        "version": before.at("/student/contactVersion"),
        "phone": PHONE,
        "home": null,
    });
    let answer = parent.query(document, variables).await;
    assert_eq!(
        *answer.at("/studentContactUpdate/student"),
        json!({
            "phone": PHONE,
            "email": before.at("/student/email"),
            "homeAddress": null,
            "currentAddress": null,
            "mailingAddress": before.at("/student/mailingAddress"),
        })
    );
    assert_eq!(
        audited(&app).await[0].columns.as_deref(),
        Some("current_address home_address phone")
    );
}

#[tokio::test]
async fn what_an_act_answers_is_read_field_by_field_whatever_fails_beside_it() {
    let (app, seed) = App::school().await;
    let (registrar, pupil) = (app.registrar(seed.schools[0].id), seed.first().students[0]);
    let answered = async |phone: &str, beside: &str| {
        let document = format!(
            "mutation($input: StudentContactUpdateInput!) {{ studentContactUpdate(input: $input) {{
                student {{ guardians {{ totalCount }} enrollments {{ totalCount }} attendance {{ totalCount }}
                    classGroup {{ attendance {{ totalCount }} }} }} {beside} }} }}"
        );
        let input = input(&registrar, &app, pupil, json!({ "phone": phone })).await;
        registrar.counted(&document, json!({ "input": input })).await
    };
    let (fine, whole) = answered(PHONE, "").await;
    fine.data();
    let (failed, beside) =
        answered("13911113333", "other: student { guardians(first: 0) { totalCount } }").await;
    assert_eq!((failed.code(), field(&failed)), ("INVALID_INPUT", &json!("first")));
    assert!(beside >= whole, "{beside} statements and {whole} without what fails");
}
