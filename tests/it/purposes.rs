//! `Xueji-Purpose`: a column that a line shows for a purpose alone is masked or hidden without it, in every use; the
//! answer says that a purpose is needed; a purpose that the policy does not know is refused before anything is read.

use axum::http::StatusCode;
use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};
use xueji::access::caller::Place;
use xueji::access::policy::Source;
use xueji::access::table::{Reach, RoleId};
use xueji_entity::audit;

use super::support::app::App;
use super::support::seed::Seed;
use super::support::truth::Truth;

const PHONE: &str = "query($id: ID!) { student(id: $id) { phone guardians { nodes { phone } } } }";

fn first(app: &App, seed: &Seed) -> Value {
    json!({ "id": app.id("student", seed.first().students[0]) })
}

/// The telephone number on file of the first pupil.
async fn phone(app: &App, seed: &Seed) -> String {
    let truth = Truth::of(app).await;
    let row = &truth.rows[&app.id("student", seed.first().students[0])];
    row.text("phone").to_owned()
}

#[tokio::test]
async fn a_purpose_shows_what_its_line_says_and_the_answer_says_that_one_is_needed() {
    let (app, seed) = App::school().await;
    let officer = app.county_officer(seed.counties[0]);
    let bare = phone(&app, &seed).await;
    let plain = officer.query(PHONE, first(&app, &seed)).await;
    let masked = plain.at("/student/phone").as_str().unwrap().to_owned();
    assert!(masked.contains('*') && masked != bare, "{masked}");
    let needed = [("masked".to_owned(), "NEEDS_PURPOSE".to_owned(), 1)];
    assert_eq!(plain.redaction("Student.phone"), needed);

    let asked = officer.query_for("transfer_review", PHONE, first(&app, &seed)).await;
    assert_eq!(asked.at("/student/phone"), &json!(bare));
    assert!(asked.redaction("Student.phone").is_empty(), "{}", asked.text);

    // Another purpose of the policy gives nothing, and says so.
    for other in ["home_contact", "enrolment_check"] {
        let other = officer.query_for(other, PHONE, first(&app, &seed)).await;
        assert_eq!(other.at("/student/phone"), &json!(masked));
        assert_eq!(other.redaction("Student.phone"), needed);
    }
    // A session kept for one purpose is none for the next request.
    let again = officer.query(PHONE, first(&app, &seed)).await;
    assert_eq!(again.without_request_id(), plain.without_request_id());
}

#[tokio::test]
async fn a_purpose_widens_nobody_whom_its_lines_do_not_name() {
    let (app, seed) = App::school().await;
    let policy = app.policy();
    for (name, person) in super::canary::everybody(&app, &seed) {
        if person.held.iter().any(|held| held.role.ends_with("_officer")) {
            continue;
        }
        let plain = person.query(PHONE, first(&app, &seed)).await;
        for (_, purpose) in policy.purposes.iter() {
            let asked = person.query_for(&purpose.code, PHONE, first(&app, &seed)).await;
            let held = person.holding().filter_map(|held| policy.roles.id(&held.role));
            if held.chain([RoleId::ANYONE]).any(|role| purpose.may_state(&policy.roles, role)) {
                assert_eq!(asked.without_request_id(), plain.without_request_id(), "{name}");
            } else {
                assert_eq!(asked.code(), "FORBIDDEN", "{name} {}: {}", purpose.code, asked.text);
            }
        }
    }
}

#[tokio::test]
async fn a_purpose_is_stated_by_the_roles_that_the_policy_names_and_refused_to_others_by_name() {
    let (app, seed) = App::school().await;
    let (school, class) = (seed.schools[0].id, seed.first());
    // What is refused is refused in a query and in an act alike, before anything is read.
    let check = "mutation { identityNumberCheck(input: { number: \"11010519491231002X\" }) { registered } }";
    for person in [app.subject_teacher(class.id, seed.courses[0]), app.guardian(class.students[0])]
    {
        for document in ["{ students { totalCount } }", check] {
            let (answer, statements) =
                person.counted_for("transfer_review", document, json!({})).await;
            assert_eq!(answer.code(), "FORBIDDEN", "{}", answer.text);
            assert_eq!(answer.error()["extensions"]["field"], "Xueji-Purpose", "{}", answer.text);
            let message = answer.message();
            assert!(message.contains("transfer_review"), "{message}");
            assert!(message.contains("viewer.purposes"), "what to do: {message}");
            assert!(answer.body["data"].is_null(), "{}", answer.text);
            assert_eq!(statements, 0);
        }
    }
    let chinese = app.guardian(class.students[0]).in_chinese();
    let refused = chinese.query_for("aid_review", "{ students { totalCount } }", json!({})).await;
    assert!(refused.message().contains("用途"), "{}", refused.message());
    // Those who are named, and those who inherit from them.
    for person in [
        app.registrar(school),
        app.reviewer(school),
        app.principal(school),
        app.county_officer(seed.counties[0]),
        app.province_officer(seed.province),
        // One role of several is enough.
        app.guardian(class.students[0]).and(
            "registrar",
            Reach::School,
            Place::Organisation(school.uuid()),
        ),
    ] {
        let asked = person.query_for("transfer_review", "{ students { totalCount } }", json!({}));
        asked.await.data();
    }
    // The viewer is told those alone that it may state, and may state each of them.
    let document = "{ viewer { purposes { code } } }";
    for (person, some, not) in [
        (app.guardian(class.students[0]), "rights_request", "transfer_review"),
        (app.homeroom_teacher(class.id), "dropout_return", "aid_review"),
        (app.aid_officer(school), "aid_review", "enrolment_check"),
    ] {
        let codes = person.ask(document).await.texts("/viewer/purposes", "code");
        assert!(codes.iter().any(|code| code == some), "{codes:?}");
        assert!(codes.iter().all(|code| code != not), "{codes:?}");
        for code in codes {
            person.query_for(&code, document, json!({})).await.data();
        }
    }
}

#[tokio::test]
async fn a_filter_follows_the_sight_for_the_purpose() {
    let (app, seed) = App::school().await;
    let officer = app.county_officer(seed.counties[0]);
    let document = "query($phone: String!) { students(filter: { phone: { eq: $phone } }) { totalCount nodes { id } } }";
    let variables = json!({ "phone": phone(&app, &seed).await });
    let (refused, statements) = officer.counted(document, variables.clone()).await;
    assert_eq!(refused.code(), "FORBIDDEN", "{}", refused.text);
    assert_eq!(statements, 0, "refused before anything is read");
    let found = officer.query_for("dropout_return", document, variables).await;
    assert_eq!(found.at("/students/totalCount"), 1);
    let id = app.id("student", seed.first().students[0]);
    assert_eq!(found.texts("/students/nodes", "id"), [id]);
}

#[tokio::test]
async fn an_unknown_purpose_is_refused_before_any_statement() {
    let (app, seed) = App::school().await;
    let officer = app.county_officer(seed.counties[0]);
    officer.account().await;
    for code in ["curiosity", "transfer_reviews", "Transfer_Review", "transfer review", "", "审核"]
    {
        let before = app.store().statements();
        let answer = officer.query_for(code, PHONE, first(&app, &seed)).await;
        assert_eq!(app.store().statements(), before, "{code}");
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{code}: {}", answer.text);
        assert_eq!(answer.code(), "INVALID_INPUT", "{code}: {}", answer.text);
        assert_eq!(answer.error()["extensions"]["field"], "Xueji-Purpose", "{code}");
        assert!(answer.message().contains("Xueji-Purpose"), "{code}: {}", answer.text);
        assert!(answer.body["data"].is_null(), "{}", answer.text);
    }
}

#[tokio::test]
async fn the_purpose_stands_in_the_audit_line() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let document =
        "mutation($input: StudentRevealInput!) { studentReveal(input: $input) { value } }";
    let input = json!({ "input": {
        "id": app.id("student", class.students[0]), "coordinate": "Student.currentAddress",
    } });
    teacher.query_for("home_contact", document, input).await.data();
    let lines = audit::Entity::find().order_by_asc(audit::Column::Id).all(app.db()).await.unwrap();
    assert_eq!(lines.len(), 1);
    assert_eq!(lines[0].purpose.as_deref(), Some("home_contact"));
}

#[tokio::test]
async fn a_hidden_column_that_a_purpose_shows_is_told_apart_from_one_that_none_does() {
    let mut source = Source::shipped();
    let text = source.files.get_mut("student.csv").unwrap();
    text.push_str("\np, student.blood_group, subject_teacher, teaching, full, , emergency_care\n");
    let app = App::under(source).await;
    let seed = app.plant(super::support::seed::Shape::default()).await;
    let class = seed.first();
    let teacher = app.subject_teacher(class.id, seed.courses[0]);
    let document = "query($id: ID!) { student(id: $id) { bloodGroup { value } idNumber } }";
    let plain = teacher.query(document, first(&app, &seed)).await;
    assert!(plain.at("/student/bloodGroup").is_null());
    let reason = |word: &str| [("hidden".to_owned(), word.to_owned(), 1)];
    assert_eq!(plain.redaction("Student.bloodGroup"), reason("NEEDS_PURPOSE"));
    assert_eq!(plain.redaction("Student.idNumber"), reason("NOT_GRANTED"));
    let asked = teacher.query_for("emergency_care", document, first(&app, &seed)).await;
    assert!(asked.redaction("Student.bloodGroup").is_empty());
    assert_eq!(asked.redaction("Student.idNumber"), reason("NOT_GRANTED"));
}

#[tokio::test]
async fn the_viewer_is_told_the_purposes_and_what_each_gives() {
    let (app, seed) = App::school().await;
    let officer = app.county_officer(seed.counties[0]).in_chinese();
    let document = "{ viewer { purposes { code label } access { coordinate sight uses } } }";
    let plain = officer.ask(document).await;
    let labels = plain.texts("/viewer/purposes", "label");
    assert!(labels.contains(&"转学核办".to_owned()), "{labels:?}");
    assert_eq!(labels.len(), app.policy().purposes.iter().count());
    let sight = |answer: &super::support::answer::Answer| {
        let lines = answer.at("/viewer/access").as_array().unwrap().clone();
        let line = lines.iter().find(|line| line["coordinate"] == "Student.phone").unwrap().clone();
        line["sight"].as_str().unwrap().to_owned()
    };
    assert_eq!(sight(&plain), "masked");
    assert_eq!(sight(&officer.query_for("transfer_review", document, json!({})).await), "full");
}
