//! `identityNumberCheck`: yes or no, and nothing else; the same work for both, each try on record, so many an hour.

use sea_orm::{ActiveModelTrait, ActiveValue::Set, EntityTrait, PaginatorTrait, QueryOrder};
use serde_json::{Value, json};
use xueji::config::settings::Exceptional;
use xueji_entity::audit::AuditOutcome;
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::{act_try, audit, student};

use super::support::answer::Answer;
use super::support::app::App;
use super::support::callers::Person;
use super::support::logs;
use super::support::seed::Shape;
use super::support::truth::Truth;

const CHECK: &str = "mutation($input: IdentityNumberCheckInput!) {
    identityNumberCheck(input: $input) { registered } }";

/// A number that nobody has.
const NOBODYS: &str = "11010519491231002X";

fn input(number: &str) -> Value {
    json!({ "input": { "number": number } })
}

async fn check(person: &Person<'_>, number: &str) -> Answer {
    person.query_for("enrolment_check", CHECK, input(number)).await
}

async fn lines(app: &App) -> Vec<audit::Model> {
    audit::Entity::find().order_by_asc(audit::Column::Id).all(app.db()).await.unwrap()
}

#[tokio::test]
async fn it_says_yes_or_no_after_the_same_statements_and_never_whose() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let registrar = app.registrar(seed.schools[0].id);
    // A pupil of the other county: the registrar sees nothing of them.
    let far = seed.class(2, 0, 0).students[0];
    let number = truth.rows[&app.id("student", far)].text("id_number").to_owned();
    let (yes, hit) = registrar.counted_for("enrolment_check", CHECK, input(&number)).await;
    let (no, miss) = registrar.counted_for("enrolment_check", CHECK, input(NOBODYS)).await;
    assert_eq!(yes.data(), &json!({ "identityNumberCheck": { "registered": true } }));
    assert_eq!(no.data(), &json!({ "identityNumberCheck": { "registered": false } }));
    assert_eq!(hit, miss, "a hit takes the statements of a miss");
    assert_eq!(yes.text.len() + 1, no.text.len(), "and says no more: {}", yes.text);
    // Written otherwise, it is the same number.
    let spaced: String = number.chars().flat_map(|c| [c, ' ']).collect();
    let spaced = check(&registrar, spaced.trim()).await;
    assert!(spaced.code().is_empty() || spaced.code() == "INVALID_INPUT", "{}", spaced.text);

    let lines = lines(&app).await;
    assert!(lines.len() >= 2);
    for line in &lines {
        assert_eq!(
            (line.action.as_str(), line.outcome),
            ("identity_number.check", AuditOutcome::Done)
        );
        assert_eq!((line.row_id, line.student_id, &line.columns), (None, None, &None));
        assert_eq!(line.purpose.as_deref(), Some("enrolment_check"));
        let text = format!("{line:?}");
        assert!(!text.contains(&number) && !text.contains(NOBODYS), "{text}");
    }
    assert!(!logs::text().contains(&number), "no number in the log");
}

#[tokio::test]
async fn a_record_that_is_gone_is_not_registered() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let registrar = app.registrar(seed.schools[0].id);
    let far = seed.class(2, 0, 0).students[0];
    let number = truth.rows[&app.id("student", far)].text("id_number").to_owned();
    let row = student::ActiveModel {
        id: Set(far),
        lifecycle: Set(Lifecycle::Deleted),
        ..Default::default()
    };
    row.update(app.db()).await.unwrap();
    // The document of a pupil who is gone does not stand for one who is there.
    let answer = check(&registrar, &number).await;
    assert_eq!(answer.at("/identityNumberCheck/registered"), false, "{}", answer.text);
}

#[tokio::test]
async fn a_purpose_is_demanded_by_the_policy_line_and_by_the_act() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let none = registrar.query(CHECK, input(NOBODYS)).await;
    assert_eq!(none.code(), "INVALID_INPUT", "{}", none.text);
    let other = registrar.query_for("home_contact", CHECK, input(NOBODYS)).await;
    assert_eq!(other.code(), "FORBIDDEN", "{}", other.text);
    assert_eq!(other.error()["extensions"]["coordinates"], json!(["Student.idNumber"]));
    assert_eq!(act_try::Entity::find().count(app.db()).await.unwrap(), 0);
    let last = lines(&app).await.pop().unwrap();
    assert_eq!(last.outcome, AuditOutcome::Denied);
    assert_eq!(last.purpose.as_deref(), Some("home_contact"));
}

#[tokio::test]
async fn nobody_else_asks() {
    let (app, seed) = App::school().await;
    for (name, person) in super::canary::everybody(&app, &seed) {
        if person.held.iter().any(|held| held.role == "registrar") {
            continue;
        }
        let answer = check(&person, NOBODYS).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{name}: {}", answer.text);
    }
}

#[tokio::test]
async fn what_is_no_number_is_refused_without_repeating_it() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    for wrong in ["", " ", "'; --", "\u{0}", "43****************", &"1".repeat(400)] {
        let answer = check(&registrar, wrong).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{wrong:?}: {}", answer.text);
        assert_eq!(answer.error()["extensions"]["field"], "number");
        assert!(wrong.len() < 3 || !answer.text.contains(wrong), "{}", answer.text);
    }
}

#[tokio::test]
async fn the_hour_has_its_limit_for_hits_and_misses_alike() {
    let exceptional = Exceptional { checks_per_hour: 3, ..Exceptional::default() };
    let app = App::start_with(exceptional).await;
    let seed = app.plant(Shape::default()).await;
    let registrar = app.registrar(seed.schools[0].id);
    for _ in 0..3 {
        check(&registrar, NOBODYS).await.data();
    }
    let over = check(&registrar, NOBODYS).await;
    assert_eq!(over.code(), "LIMIT_EXCEEDED", "{}", over.text);
    let last = lines(&app).await.pop().unwrap();
    assert_eq!(last.outcome, AuditOutcome::Denied);
    assert_eq!(last.detail.as_deref(), Some("LIMIT_EXCEEDED identity_number.check"));
}
