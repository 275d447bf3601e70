//! `recordOpen`: a record out of reach, opened for a short time and closed by the clock; each use stands in the
//! reviewers' queue and reaches them at once, and while a review is overdue there is no second one.

use chrono::TimeDelta;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use xueji_entity::access_review::ReviewState;
use xueji_entity::audit::AuditOutcome;
use xueji_entity::value::StudentId;
use xueji_entity::{access_review, act_try, audit, outbox};

use super::support::answer::Answer;
use super::support::app::{App, Hand};
use super::support::callers::Person;
use super::support::document;
use super::support::logs;
use super::support::seed::{Seed, Shape};
use super::support::truth::Truth;

const OPEN: &str = "mutation($input: RecordOpenInput!) { recordOpen(input: $input) {
    studentId expiresAt reviewDueAt } }";
const DECIDE: &str =
    "mutation($input: AccessReviewDecideInput!) { accessReviewDecide(input: $input) {
    accessReview { id state note } } }";
const READ: &str = "query($id: ID!) { student(id: $id) {
    name phone idNumber healthStatus { value } householdPlace { value }
    guardians { nodes { name phone } } classGroup { name } scores { totalCount } } }";
const QUEUE: &str = "{ accessReviews { totalCount nodes {
    id openedBy openedAs reason purpose openedAt expiresAt dueAt state student { name } } } }";
const REASON: &str = "Mkthe pupil was hurt on the way to school";

async fn school() -> (App, Hand, Seed) {
    let (app, hand) = App::by_hand().await;
    let seed = app.plant(Shape::default()).await;
    (app, hand, seed)
}

/// A pupil of the second school, whom nobody of the first one reaches.
fn far(seed: &Seed) -> StudentId {
    seed.class(1, 0, 0).students[0]
}

async fn open(person: &Person<'_>, input: Value) -> Answer {
    person.query_for("emergency_care", OPEN, json!({ "input": input })).await
}

async fn by_id(person: &Person<'_>, app: &App, student: StudentId) -> Answer {
    open(person, json!({ "studentId": app.id("student", student), "reason": REASON })).await
}

async fn read(person: &Person<'_>, app: &App, student: StudentId) -> Answer {
    person.query(READ, json!({ "id": app.id("student", student) })).await
}

async fn decide(person: &Person<'_>, id: &str, justified: bool) -> Answer {
    let input = json!({ "input": { "id": id, "justified": justified, "note": "Mkseen" } });
    person.query(DECIDE, input).await
}

async fn lines(app: &App) -> Vec<audit::Model> {
    audit::Entity::find().order_by_asc(audit::Column::Id).all(app.db()).await.unwrap()
}

async fn reviews(app: &App) -> Vec<access_review::Model> {
    access_review::Entity::find().all(app.db()).await.unwrap()
}

#[tokio::test]
async fn an_opened_record_is_read_under_its_own_lines_until_the_instant_at_which_it_closes() {
    let (app, hand, seed) = school().await;
    let principal = app.principal(seed.schools[0].id);
    let student = far(&seed);
    assert_eq!(read(&principal, &app, student).await.code(), "NOT_FOUND");
    let opened = by_id(&principal, &app, student).await;
    assert_eq!(opened.at("/recordOpen/studentId"), &json!(app.id("student", student)));
    assert_eq!(opened.at("/recordOpen/expiresAt"), "2026-11-20T05:00:00Z");
    assert_eq!(opened.at("/recordOpen/reviewDueAt"), "2026-11-23T04:00:00Z");
    // At the latest a second later, the account's session being kept that long; the clock of the test stands still.
    let seen = until(&principal, &app, student, "").await;
    assert!(seen.at("/student/name").is_string() && seen.at("/student/phone").is_string());
    assert!(!seen.at("/student/phone").as_str().unwrap().contains('*'));
    assert!(seen.at("/student/idNumber").as_str().unwrap().contains('*'), "masked");
    assert!(seen.at("/student/householdPlace").is_null(), "hidden");
    assert_eq!(seen.at("/student/scores/totalCount"), 0, "no score exists for it");
    assert!(seen.at("/student/classGroup/name").is_string());
    // The other pupils of that class stay unknown.
    let other = seed.class(1, 0, 0).students[1];
    assert_eq!(read(&principal, &app, other).await.code(), "NOT_FOUND");
    let viewer = principal.ask("{ viewer { grants { id role reach expiresAt delegated } } }").await;
    let grants = viewer.at("/viewer/grants").as_array().unwrap();
    let open = grants.iter().find(|grant| grant["reach"] == "opened").unwrap();
    assert_eq!(open["role"], "break_glass");
    assert_eq!(open["expiresAt"], "2026-11-20T05:00:00Z");
    assert!(open["id"].is_null());

    hand.on(TimeDelta::minutes(59));
    read(&principal, &app, student).await.data();
    hand.on(TimeDelta::minutes(1));
    // At once: the kept session ends with its first grant.
    assert_eq!(read(&principal, &app, student).await.code(), "NOT_FOUND");
}

/// Reads until the answer has this code, for two seconds at most.
async fn until(person: &Person<'_>, app: &App, student: StudentId, code: &str) -> Answer {
    let mut last = None;
    for _ in 0..40 {
        let answer = read(person, app, student).await;
        if answer.code() == code {
            return answer;
        }
        last = Some(answer);
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("{:?}", last.map(|answer| answer.text));
}

#[tokio::test]
async fn a_pupil_is_named_by_number_and_name_and_a_wrong_one_is_nobody() {
    let (app, _, seed) = school().await;
    let truth = Truth::of(&app).await;
    let officer = app.county_officer(seed.counties[1]);
    let row = &truth.rows[&app.id("student", far(&seed))];
    let (number, name) = (row.text("national_student_number"), row.text("name"));
    let other = &truth.rows[&app.id("student", seed.class(1, 0, 0).students[1])];
    let named = |number: &str, name: &str| json!({ "input": { "nationalStudentNumber": number, "name": name, "reason": REASON } });
    let mut denied = Vec::new();
    for (number, name) in
        [(number, other.text("name")), (other.text("national_student_number"), name)]
    {
        denied.push(officer.counted_for("emergency_care", OPEN, named(number, name)).await);
    }
    let never = json!({ "input": {
        "studentId": app.id("student", uuid::Uuid::now_v7()), "reason": REASON,
    } });
    denied.push(officer.counted_for("emergency_care", OPEN, never).await);
    let (first, statements) = &denied[0];
    assert_eq!(first.code(), "NOT_FOUND", "{}", first.text);
    for (answer, others) in &denied[1..] {
        assert_eq!(answer.without_request_id(), first.without_request_id());
        assert_eq!(others, statements, "the same statements");
    }
    // Each guess counts and is on record; nothing else is kept of it.
    assert_eq!(act_try::Entity::find().count(app.db()).await.unwrap(), 3);
    let on_record = lines(&app).await;
    assert_eq!(on_record.len(), 3);
    for line in &on_record {
        assert_eq!(line.outcome, AuditOutcome::Denied);
        assert_eq!(line.detail.as_deref(), Some("NOT_FOUND"));
        assert_eq!((line.row_id, line.student_id), (None, None));
        assert!(!format!("{line:?}").contains(number));
    }
    assert!(reviews(&app).await.is_empty());
    assert_eq!(outbox::Entity::find().count(app.db()).await.unwrap(), 0);

    let opened = officer.query_for("emergency_care", OPEN, named(number, name)).await;
    assert_eq!(opened.at("/recordOpen/studentId"), &json!(app.id("student", far(&seed))));
    assert!(!logs::text().contains(number), "no number in the log");
}

#[tokio::test]
async fn the_guesses_of_an_hour_are_few() {
    let (app, hand, seed) = school().await;
    let principal = app.principal(seed.schools[0].id);
    let never =
        || json!({ "studentId": app.id("student", uuid::Uuid::now_v7()), "reason": REASON });
    for _ in 0..5 {
        assert_eq!(open(&principal, never()).await.code(), "NOT_FOUND");
    }
    let over = by_id(&principal, &app, far(&seed)).await;
    assert_eq!(over.code(), "LIMIT_EXCEEDED", "{}", over.text);
    assert!(reviews(&app).await.is_empty());
    assert_eq!(
        lines(&app).await.pop().unwrap().detail.as_deref(),
        Some("LIMIT_EXCEEDED record.open")
    );
    hand.on(TimeDelta::minutes(61));
    by_id(&principal, &app, far(&seed)).await.data();
}

#[tokio::test]
async fn a_record_in_reach_is_not_opened_and_the_try_counts() {
    let (app, _, seed) = school().await;
    let principal = app.principal(seed.schools[0].id);
    let answer = by_id(&principal, &app, seed.first().students[0]).await;
    assert_eq!(answer.code(), "RULE_REFUSED", "{}", answer.text);
    assert_eq!(answer.error()["extensions"]["rule"], "BREAK_GLASS_NOT_NEEDED");
    assert_eq!(act_try::Entity::find().count(app.db()).await.unwrap(), 1);
    assert!(reviews(&app).await.is_empty());
    let line = lines(&app).await.pop().unwrap();
    assert_eq!(line.detail.as_deref(), Some("RULE_REFUSED BREAK_GLASS_NOT_NEEDED"));
}

#[tokio::test]
async fn purpose_and_reason_are_demanded_and_the_pupil_is_named_in_one_way() {
    let (app, _, seed) = school().await;
    let principal = app.principal(seed.schools[0].id);
    let id = app.id("student", far(&seed));
    let without = json!({ "input": { "studentId": id, "reason": REASON } });
    let answer = principal.query(OPEN, without).await;
    assert_eq!(answer.error()["extensions"]["field"], "Xueji-Purpose", "{}", answer.text);
    for (input, field) in [
        (json!({ "studentId": id, "reason": "  " }), "reason"),
        (json!({ "studentId": id, "reason": "hm" }), "reason"),
        (json!({ "studentId": id, "reason": "长".repeat(501) }), "reason"),
        (json!({ "studentId": id, "reason": "see ***1234" }), "reason"),
        (json!({ "reason": REASON }), "studentId"),
        (json!({ "name": "x", "reason": REASON }), "studentId"),
        (json!({ "studentId": id, "name": "x", "reason": REASON }), "studentId"),
        (
            json!({ "nationalStudentNumber": "nonsense", "name": "王小明", "reason": REASON }),
            "nationalStudentNumber",
        ),
    ] {
        let answer = open(&principal, input.clone()).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{input}: {}", answer.text);
        assert_eq!(answer.error()["extensions"]["field"], field, "{input}");
    }
    assert!(reviews(&app).await.is_empty());
}

#[tokio::test]
async fn each_use_reaches_the_reviewers_at_once_and_nobody_else() {
    let (app, _, seed) = school().await;
    let officer = app.county_officer(seed.counties[1]);
    let (here, there) = (seed.schools[0].id, seed.schools[1].id);
    let reviewers = [
        app.principal(there),
        app.school_privacy_officer(there),
        app.privacy_officer(seed.counties[0]),
        app.privacy_officer(seed.province),
    ];
    let others = [
        app.principal(here),
        app.school_privacy_officer(here),
        app.privacy_officer(seed.counties[1]),
        app.reviewer(there),
        app.registrar(there),
        app.school_auditor(there),
        app.homeroom_teacher(seed.class(1, 0, 0).id),
    ];
    for person in reviewers.iter().chain(&others) {
        person.account().await;
    }
    by_id(&officer, &app, far(&seed)).await.data();
    let events = outbox::Entity::find()
        .filter(outbox::Column::Kind.eq("access.opened"))
        .all(app.db())
        .await
        .unwrap();
    let mut told: Vec<_> = events.iter().map(|event| event.account_id.unwrap()).collect();
    told.sort_unstable();
    let mut expected = Vec::new();
    for person in &reviewers {
        expected.push(person.account().await);
    }
    expected.sort_unstable();
    assert_eq!(told, expected);
    let name = Truth::of(&app).await.rows[&app.id("student", far(&seed))].text("name").to_owned();
    for event in &events {
        assert_eq!((event.student_id, event.class_group_id), (None, None));
        assert!(!event.payload.contains(REASON) && !event.payload.contains(&name));
    }
    for person in &reviewers {
        let queue = person.ask(QUEUE).await;
        assert_eq!(queue.at("/accessReviews/totalCount"), 1, "{}", queue.text);
        let row = &queue.at("/accessReviews/nodes")[0];
        assert_eq!((&row["reason"], &row["state"]), (&json!(REASON), &json!("WAITING")));
        assert_eq!(row["openedAs"], "county_officer");
        assert_eq!(row["openedBy"], "Mkcaller");
        // The principal sees whose record it was; whoever answers for the data reads no pupil.
        let principal = person.held[0].role == "principal";
        assert_eq!(row["student"]["name"] == json!(name), principal, "{row}");
        assert!(principal || row["student"].is_null());
    }
    for person in others.iter().chain([&officer]) {
        let queue = person.ask(QUEUE).await;
        assert_eq!(queue.at("/accessReviews/totalCount"), 0, "{:?} {}", person.held, queue.text);
    }
    assert!(document::LISTS.iter().any(|(root, _)| *root == "accessReviews"));
}

#[tokio::test]
async fn while_a_review_is_overdue_there_is_no_second_use() {
    let (app, hand, seed) = school().await;
    let officer = app.county_officer(seed.counties[1]);
    by_id(&officer, &app, far(&seed)).await.data();
    hand.on(TimeDelta::hours(71));
    // Waiting, and not overdue: another record may be opened.
    let second = seed.class(1, 0, 0).students[1];
    by_id(&officer, &app, second).await.data();
    hand.on(TimeDelta::hours(1));
    let refused = by_id(&officer, &app, far(&seed)).await;
    assert_eq!(refused.code(), "RULE_REFUSED", "{}", refused.text);
    assert_eq!(refused.error()["extensions"]["rule"], "BREAK_GLASS_OVERDUE");
    let line = lines(&app).await.pop().unwrap();
    assert_eq!(line.outcome, AuditOutcome::Denied);
    assert_eq!(line.detail.as_deref(), Some("RULE_REFUSED BREAK_GLASS_OVERDUE"));
    assert_eq!(reviews(&app).await.len(), 2, "nothing changed");
    // An unknown pupil is refused alike: the rule says nothing of the pupil.
    let never = json!({ "studentId": app.id("student", uuid::Uuid::now_v7()), "reason": REASON });
    assert_eq!(open(&officer, never).await.without_request_id(), refused.without_request_id());
    // Somebody else is not held up, and a decision frees the first.
    let principal = app.principal(seed.schools[1].id);
    let queue = principal.ask(QUEUE).await;
    let overdue = queue.texts("/accessReviews/nodes", "id")[0].clone();
    let decided = decide(&principal, &overdue, true).await;
    assert_eq!(decided.at("/accessReviewDecide/accessReview/state"), "JUSTIFIED");
    by_id(&officer, &app, seed.class(1, 0, 0).students[2]).await.data();
}

#[tokio::test]
async fn a_review_is_decided_once_by_somebody_else_and_by_whom_it_reaches() {
    let (app, _, seed) = school().await;
    // Privacy officer of the region and principal elsewhere: would review the own use.
    let both = app.principal(seed.schools[0].id).and(
        "privacy_officer",
        xueji::access::table::Reach::Region,
        xueji::access::caller::Place::Organisation(seed.counties[0].uuid()),
    );
    by_id(&both, &app, far(&seed)).await.data();
    let id = both.ask(QUEUE).await.texts("/accessReviews/nodes", "id").remove(0);
    let own = decide(&both, &id, true).await;
    assert_eq!(own.error()["extensions"]["rule"], "ACCESS_REVIEW_OWN", "{}", own.text);
    let elsewhere = decide(&app.principal(seed.schools[0].id), &id, true).await;
    let never = app.id_of("access_review", far(&seed), uuid::Uuid::now_v7());
    let principal = app.principal(seed.schools[1].id);
    let unknown = decide(&principal, &never, true).await;
    assert_eq!(elsewhere.code(), "NOT_FOUND", "{}", elsewhere.text);
    assert_eq!(elsewhere.without_request_id(), unknown.without_request_id());
    assert!(reviews(&app).await.iter().all(|row| row.state == ReviewState::Waiting));

    let decided = decide(&principal, &id, false).await;
    assert_eq!(decided.at("/accessReviewDecide/accessReview/state"), "UNJUSTIFIED");
    assert_eq!(decided.at("/accessReviewDecide/accessReview/note"), "Mkseen");
    let row = reviews(&app).await.remove(0);
    assert_eq!(row.decided_by_id, Some(principal.account().await));
    let again = decide(&app.school_privacy_officer(seed.schools[1].id), &id, true).await;
    assert_eq!(again.error()["extensions"]["rule"], "ACCESS_REVIEW_DECIDED", "{}", again.text);
}

#[tokio::test]
async fn a_request_that_arrives_twice_opens_one_record() {
    let (app, _, seed) = school().await;
    let principal = app.principal(seed.schools[0].id);
    let input = json!({
        "studentId": app.id("student", far(&seed)), "reason": REASON, "idempotencyKey": "same-request",
    });
    let first = open(&principal, input.clone()).await;
    let second = open(&principal, input).await;
    assert_eq!(first.data(), second.data());
    assert_eq!(reviews(&app).await.len(), 1);
}

#[tokio::test]
async fn a_disabled_account_and_a_deleted_pupil_leave_nothing_open() {
    let (app, _, seed) = school().await;
    let student = far(&seed);
    let person = app.opened(student);
    read(&person, &app, student).await.data();
    person.disable().await;
    let ended = until(&person, &app, student, "UNAUTHENTICATED").await;
    assert!(ended.body["data"].is_null());
}
