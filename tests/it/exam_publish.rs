//! `examPublish`: before it no family knows a score of the examination, after it every family knows its own; once, whole,
//! by those alone who hold the school or the year level.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Days, NaiveDate};
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use uuid::Uuid;
use xueji::access::action::Action;
use xueji::access::filter::Key;
use xueji::access::policy::Source;
use xueji::access::shown::Cell;
use xueji::error::Error;
use xueji_entity::audit::AuditOutcome;
use xueji_entity::exam::ExamState;
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::value::{ExamId, StudentId};
use xueji_entity::{
    audit, class_membership, enrollment, exam, history, idempotency, outbox, score, student,
};

use super::support::answer::Answer;
use super::support::app::App;
use super::support::callers::Person;
use super::support::seed::{Level, Seed, Shape};

const PUBLISH: &str = "mutation($input: ExamPublishInput!) { examPublish(input: $input) {
    students scores withoutScore exam { id name state yearLevel { id } } } }";

const SCORES: &str = "query($id: ID!, $exam: ID!) { student(id: $id) {
    scores(filter: { exam: { id: { eq: $exam } } }) { totalCount nodes { value published } }
    examTotal(examId: $exam) { value } } }";

fn level(seed: &Seed) -> &Level {
    &seed.schools[0].levels[0]
}

fn input(app: &App, exam: ExamId) -> Value {
    json!({ "examId": app.id("exam", exam) })
}

async fn publish(person: &Person<'_>, input: Value) -> Answer {
    person.query(PUBLISH, json!({ "input": input })).await
}

async fn scores_of(app: &App, exam: ExamId) -> Vec<score::Model> {
    score::Entity::find()
        .filter(score::Column::ExamId.eq(exam))
        .order_by_asc(score::Column::StudentId)
        .all(app.db())
        .await
        .unwrap()
}

async fn state_of(app: &App, exam: ExamId) -> ExamState {
    exam::Entity::find_by_id(exam).one(app.db()).await.unwrap().unwrap().state
}

async fn audited(app: &App) -> Vec<audit::Model> {
    audit::Entity::find().order_by_asc(audit::Column::Id).all(app.db()).await.unwrap()
}

async fn events(app: &App) -> Vec<outbox::Model> {
    outbox::Entity::find().order_by_asc(outbox::Column::Id).all(app.db()).await.unwrap()
}

/// Nothing of the examination in draft has changed, and nothing is kept of an attempt.
async fn untouched(app: &App, exam: ExamId) {
    assert_eq!(state_of(app, exam).await, ExamState::Draft);
    assert!(scores_of(app, exam).await.iter().all(|row| !row.published && row.row_version == 1));
    assert!(events(app).await.is_empty());
    assert!(history::Entity::find().all(app.db()).await.unwrap().is_empty());
    assert!(idempotency::Entity::find().all(app.db()).await.unwrap().is_empty());
}

#[tokio::test]
async fn families_know_a_score_from_the_moment_it_is_published() {
    let (app, seed) = App::school().await;
    let (class, exam) = (seed.first(), level(&seed).draft);
    let pupil = class.students[0];
    let variables = json!({ "id": app.id("student", pupil), "exam": app.id("exam", exam) });
    let (guardian, own) = (app.guardian(pupil), app.student(pupil));
    let teacher = app.subject_teacher(class.id, seed.courses[0]);
    let other = app.subject_teacher(class.id, seed.courses[1]);
    for person in [&guardian, &own] {
        let before = person.query(SCORES, variables.clone()).await;
        assert_eq!(before.at("/student/scores/totalCount"), 0);
        assert_eq!(before.at("/student/examTotal"), &Value::Null);
    }
    // The teacher of the course has entered it; the teacher of another one knows it neither now nor later.
    let entered = teacher.query(SCORES, variables.clone()).await;
    assert_eq!(entered.at("/student/scores/nodes/0/published"), false);
    let value = entered.at("/student/scores/nodes/0/value").clone();
    assert_eq!(other.query(SCORES, variables.clone()).await.at("/student/scores/totalCount"), 0);

    let reviewer = app.reviewer(seed.schools[0].id);
    let answer = publish(&reviewer, input(&app, exam)).await;
    assert_eq!(
        *answer.at("/examPublish"),
        json!({
            "students": 6,
            "scores": 6,
            // The seed has scores in the first of two courses.
            "withoutScore": 6,
            "exam": {
                "id": app.id("exam", exam),
                "name": "November",
                "state": "PUBLISHED",
                "yearLevel": { "id": app.id("year_level", level(&seed).id) },
            },
        })
    );
    for person in [&guardian, &own, &teacher] {
        let after = person.query(SCORES, variables.clone()).await;
        assert_eq!(
            *after.at("/student/scores/nodes"),
            json!([{ "value": value, "published": true }])
        );
        assert_eq!(after.at("/student/examTotal/value"), &value);
    }
    assert_eq!(other.query(SCORES, variables.clone()).await.at("/student/scores/totalCount"), 0);
    // Nobody else's family learns it.
    let neighbour = app.guardian(class.students[1]).query(SCORES, variables).await;
    assert_eq!(neighbour.code(), "NOT_FOUND", "{}", neighbour.text);
}

#[tokio::test]
async fn it_leaves_history_one_audit_line_and_an_event_for_each_pupil_without_values() {
    let (app, seed) = App::school().await;
    let exam = level(&seed).draft;
    let reviewer = app.reviewer(seed.schools[0].id);
    publish(&reviewer, input(&app, exam)).await.data();

    let rows = scores_of(&app, exam).await;
    assert_eq!(rows.len(), 6);
    assert!(rows.iter().all(|row| row.published && row.row_version == 2));
    let changes = history::Entity::find().all(app.db()).await.unwrap();
    assert_eq!(changes.len(), 6);
    for change in &changes {
        assert_eq!((change.noun.as_str(), change.action.as_str()), ("score", "exam.publish"));
        assert_eq!(change.before.as_deref(), Some("{\"published\":false}"));
        assert_eq!(change.after.as_deref(), Some("{\"published\":true}"));
    }
    let lines = audited(&app).await;
    assert_eq!(lines.len(), 1);
    assert_eq!((lines[0].action.as_str(), lines[0].outcome), ("exam.publish", AuditOutcome::Done));
    assert_eq!(lines[0].account_id, Some(reviewer.account().await));
    assert_eq!(lines[0].columns.as_deref(), Some("exam.state score.published"));
    let detail: Value = serde_json::from_str(lines[0].detail.as_ref().unwrap()).unwrap();
    assert_eq!(detail["exam"]["updated"], json!([exam.uuid().to_string()]));
    assert_eq!(detail["score"]["updated"].as_array().unwrap().len(), 6);
    // The history is kept by student; the examination is of none, so the line says what it was and is.
    assert_eq!(
        detail["exam"]["turned"],
        json!([{
            "row": exam.uuid().to_string(),
            "before": { "state": "draft" },
            "after": { "state": "published" },
        }])
    );
    assert!(detail["score"].get("turned").is_none(), "a score has its line in the history");

    let events = events(&app).await;
    let mut told: BTreeMap<StudentId, BTreeSet<String>> = BTreeMap::new();
    for event in &events {
        assert_eq!(event.kind, "score.published");
        assert_eq!((event.class_group_id, event.account_id), (None, None));
        let payload: Value = serde_json::from_str(&event.payload).unwrap();
        let rows = payload["rows"].as_array().unwrap().iter();
        told.insert(
            event.student_id.unwrap(),
            rows.map(|row| row.as_str().unwrap().to_owned()).collect(),
        );
    }
    let expected: BTreeMap<StudentId, BTreeSet<String>> = rows
        .iter()
        .map(|row| (row.student_id, BTreeSet::from([row.id.uuid().to_string()])))
        .collect();
    assert_eq!((events.len(), told), (6, expected), "each pupil is told of the own score alone");
    // The scores of the seed are 50.000 and so on.
    let said = format!("{lines:?}{events:?}");
    for row in &rows {
        let value = row.value.unwrap().to_string();
        assert!(!said.contains(&format!("\"{value}")), "{value} in {said}");
    }
}

#[tokio::test]
async fn year_heads_and_heads_of_the_school_may_and_nobody_else() {
    for at in 0..4 {
        let (app, seed) = App::school().await;
        let school = seed.schools[0].id;
        let may = [
            app.reviewer(school),
            app.principal(school),
            app.vice_principal(school),
            app.year_head(level(&seed).id),
        ];
        let answer = publish(&may[at], input(&app, level(&seed).draft)).await;
        assert_eq!(answer.at("/examPublish/scores"), 6, "{}", answer.text);
    }
    let (app, seed) = App::school().await;
    let (class, exam) = (seed.first(), level(&seed).draft);
    let anonymous = app.anonymous(PUBLISH, json!({ "input": input(&app, exam) })).await;
    assert_eq!(anonymous.code(), "UNAUTHENTICATED");
    assert!(audited(&app).await.is_empty());
    let not = [
        app.registrar(seed.schools[0].id),
        app.homeroom_teacher(class.id),
        app.subject_teacher(class.id, seed.courses[0]),
        app.guardian(class.students[0]),
        app.county_officer(seed.counties[0]),
        app.administrator(),
    ];
    for (at, person) in not.iter().enumerate() {
        let answer = publish(person, input(&app, exam)).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{}", answer.text);
        let lines = audited(&app).await;
        assert_eq!(lines.len(), at + 1);
        assert_eq!(lines[at].outcome, AuditOutcome::Denied);
        assert_eq!(lines[at].action, "exam.publish");
        assert_eq!(lines[at].detail.as_deref(), Some("FORBIDDEN"));
    }
    untouched(&app, exam).await;
}

#[tokio::test]
async fn an_examination_of_others_is_answered_like_one_that_never_was() {
    let (app, seed) = App::school().await;
    let reviewer = app.reviewer(seed.schools[0].id);
    // Everybody reads which examinations there are; that does not make them theirs to publish.
    let theirs = seed.schools[1].levels[0].draft;
    let read = reviewer
        .query(
            "query($id: ID!) { exam(id: $id) { state } }",
            json!({ "id": app.id("exam", theirs) }),
        )
        .await;
    assert_eq!(read.at("/exam/state"), "DRAFT");
    let refused = publish(&reviewer, input(&app, theirs)).await;
    assert_eq!(refused.code(), "NOT_FOUND", "{}", refused.text);
    let published = publish(&reviewer, input(&app, seed.schools[1].levels[0].exam)).await;
    assert_eq!(published.without_request_id(), refused.without_request_id());
    let proper = app.id("exam", level(&seed).draft);
    for id in [
        app.id("exam", Uuid::now_v7()),
        app.id("student", seed.first().students[0]),
        app.id("year_level", level(&seed).id),
        proper.to_uppercase(),
        format!("{proper}\u{0}"),
        "nonsense".to_owned(),
        String::new(),
        "长".repeat(5_000),
    ] {
        let nobodys = publish(&reviewer, json!({ "examId": id })).await;
        assert_eq!(nobodys.without_request_id(), refused.without_request_id());
    }
    let lines = audited(&app).await;
    assert_eq!(lines.len(), 10);
    assert!(lines.iter().all(|line| line.detail.as_deref() == Some("NOT_FOUND")));
    assert!(lines.iter().all(|line| (line.row_id, line.student_id) == (None, None)));

    // A year head of another level of the same school, and one who reviews another school and teaches here.
    let other = app.year_head(seed.schools[0].levels[1].id);
    let teaches =
        app.reviewer(seed.schools[1].id).and_subject_teacher(seed.first().id, seed.courses[0]);
    for person in [other, teaches] {
        let answer = publish(&person, input(&app, level(&seed).draft)).await;
        assert_eq!(answer.without_request_id(), refused.without_request_id());
    }
    untouched(&app, level(&seed).draft).await;
    untouched(&app, theirs).await;
}

#[tokio::test]
async fn what_is_out_locked_or_empty_is_refused_by_rule() {
    let (app, seed) = App::school().await;
    let reviewer = app.reviewer(seed.schools[0].id);
    let exam = level(&seed).draft;
    let rule = |answer: &Answer| answer.error()["extensions"]["rule"].clone();
    let out = publish(&reviewer, input(&app, level(&seed).exam)).await;
    assert_eq!((out.code(), rule(&out)), ("RULE_REFUSED", json!("exam.state")), "{}", out.text);
    let set = async |state| {
        let row = exam::ActiveModel { id: Set(exam), state: Set(state), ..Default::default() };
        row.update(app.db()).await.unwrap();
    };
    set(ExamState::Locked).await;
    let locked = publish(&reviewer, input(&app, exam)).await;
    assert_eq!(rule(&locked), "exam.state");
    assert_ne!(locked.message(), out.message(), "what to do differs");
    set(ExamState::Draft).await;
    // Deleted scores are none.
    score::Entity::update_many()
        .col_expr(score::Column::Lifecycle, "deleted".into())
        .filter(score::Column::ExamId.eq(exam))
        .exec(app.db())
        .await
        .unwrap();
    let empty = publish(&reviewer, input(&app, exam)).await;
    assert_eq!(rule(&empty), "exam.scores");
    let chinese = publish(&app.reviewer(seed.schools[0].id).in_chinese(), input(&app, exam)).await;
    assert!(chinese.message().contains("成绩"), "{}", chinese.message());
    assert!(audited(&app).await.is_empty(), "a refusal by rule is no denial");
    untouched(&app, exam).await;
}

#[tokio::test]
async fn who_has_left_gets_the_score_and_is_not_counted() {
    let (app, seed) = App::school().await;
    let exam = level(&seed).draft;
    let [left, deleted] = [seed.first().students[0], seed.first().students[1]];
    // One pupil is at another school today, one was entered by mistake.
    enrollment::Entity::update_many()
        .col_expr(enrollment::Column::SchoolId, seed.schools[1].id.uuid().into())
        .col_expr(enrollment::Column::YearLevelId, seed.schools[1].levels[0].id.uuid().into())
        .filter(enrollment::Column::StudentId.eq(left))
        .exec(app.db())
        .await
        .unwrap();
    let row = student::ActiveModel {
        id: Set(deleted),
        lifecycle: Set(Lifecycle::Deleted),
        ..Default::default()
    };
    row.update(app.db()).await.unwrap();
    let answer = publish(&app.reviewer(seed.schools[0].id), input(&app, exam)).await;
    assert_eq!(answer.at("/examPublish/students"), 4, "those whom the reviewer sees");
    assert_eq!(answer.at("/examPublish/scores"), 4);
    assert_eq!(answer.at("/examPublish/withoutScore"), 4);
    for row in scores_of(&app, exam).await {
        assert_eq!(row.published, row.student_id != deleted);
    }
    let told: Vec<_> = events(&app).await.iter().map(|event| event.student_id.unwrap()).collect();
    assert!(told.contains(&left) && !told.contains(&deleted) && told.len() == 5);
    let variables = json!({ "id": app.id("student", left), "exam": app.id("exam", exam) });
    let seen = app.guardian(left).query(SCORES, variables).await;
    assert_eq!(seen.at("/student/scores/totalCount"), 1);
}

/// Takes the scores of the examination away but those of one pupil.
async fn only_of(app: &App, exam: ExamId, pupil: StudentId) {
    score::Entity::update_many()
        .col_expr(score::Column::Lifecycle, "deleted".into())
        .filter(score::Column::ExamId.eq(exam))
        .filter(score::Column::StudentId.ne(pupil))
        .exec(app.db())
        .await
        .unwrap();
}

/// Gives the class memberships of a pupil other days.
async fn member(app: &App, pupil: StudentId, since: NaiveDate, until: Option<NaiveDate>) {
    class_membership::Entity::update_many()
        .col_expr(class_membership::Column::Since, since.into())
        .col_expr(class_membership::Column::Until, until.into())
        .filter(class_membership::Column::StudentId.eq(pupil))
        .exec(app.db())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_score_counts_of_whoever_was_in_the_class_on_the_day_and_of_nobody_else() {
    let (app, seed) = App::school().await;
    let (exam, pupil) = (level(&seed).draft, seed.first().students[0]);
    let reviewer = app.reviewer(seed.schools[0].id);
    let day = exam::Entity::find_by_id(exam).one(app.db()).await.unwrap().unwrap().starts_on;
    only_of(&app, exam, pupil).await;
    // Came after the day: the only score is of somebody who did not sit it.
    member(&app, pupil, day + Days::new(1), None).await;
    let empty = publish(&reviewer, input(&app, exam)).await;
    assert_eq!(empty.error()["extensions"]["rule"], "exam.scores", "{}", empty.text);
    untouched(&app, exam).await;
    // Left before the day.
    member(&app, pupil, day - Days::new(9), Some(day - Days::new(1))).await;
    let empty = publish(&reviewer, input(&app, exam)).await;
    assert_eq!(empty.error()["extensions"]["rule"], "exam.scores", "{}", empty.text);
    // Left the class on the day itself: has sat it.
    member(&app, pupil, day - Days::new(9), Some(day)).await;
    let answer = publish(&reviewer, input(&app, exam)).await;
    assert_eq!(answer.at("/examPublish/scores"), 1, "{}", answer.text);
    // Everybody of the year level lacks a course, this pupil too.
    assert_eq!(answer.at("/examPublish/withoutScore"), 6, "{}", answer.text);
    let told: Vec<_> = events(&app).await.iter().map(|event| event.student_id).collect();
    assert_eq!(told, [Some(pupil)]);
}

#[tokio::test]
async fn who_came_after_the_day_lacks_no_score() {
    let (app, seed) = App::school().await;
    let exam = level(&seed).draft;
    let day = exam::Entity::find_by_id(exam).one(app.db()).await.unwrap().unwrap().starts_on;
    member(&app, seed.first().students[1], day + Days::new(1), None).await;
    let answer = publish(&app.reviewer(seed.schools[0].id), input(&app, exam)).await;
    assert_eq!(answer.at("/examPublish/withoutScore"), 5, "{}", answer.text);
}

#[tokio::test]
async fn scores_of_pupils_elsewhere_alone_are_answered_like_none() {
    let (app, seed) = App::school().await;
    let exam = level(&seed).draft;
    let reviewer = app.reviewer(seed.schools[0].id);
    // Every pupil of the examination is at another school today.
    enrollment::Entity::update_many()
        .col_expr(enrollment::Column::SchoolId, seed.schools[1].id.uuid().into())
        .col_expr(enrollment::Column::YearLevelId, seed.schools[1].levels[0].id.uuid().into())
        .filter(enrollment::Column::YearLevelId.eq(level(&seed).id))
        .exec(app.db())
        .await
        .unwrap();
    let before = app.asked();
    let elsewhere = publish(&reviewer, input(&app, exam)).await;
    let statements = app.asked() - before;
    assert_eq!(elsewhere.error()["extensions"]["rule"], "exam.scores", "{}", elsewhere.text);
    untouched(&app, exam).await;
    score::Entity::update_many()
        .col_expr(score::Column::Lifecycle, "deleted".into())
        .filter(score::Column::ExamId.eq(exam))
        .exec(app.db())
        .await
        .unwrap();
    let before = app.asked();
    let none = publish(&reviewer, input(&app, exam)).await;
    assert_eq!(none.without_request_id(), elsewhere.without_request_id());
    assert_eq!(app.asked() - before, statements, "nothing more is looked at, and nothing less");
}

#[tokio::test]
async fn one_column_more_refuses_the_whole_act() {
    let mut source = Source::shipped();
    let actions = source.files.get_mut("actions.csv").unwrap();
    *actions = actions.replace(
        "exam.publish, reviewer, school, state score.published",
        "exam.publish, reviewer, school, state",
    );
    let app = App::under(source).await;
    let seed = app.plant(Shape::default()).await;
    let answer = publish(&app.reviewer(seed.schools[0].id), input(&app, level(&seed).draft)).await;
    assert_eq!(answer.code(), "FORBIDDEN", "{}", answer.text);
    assert_eq!(answer.error()["extensions"]["coordinates"], json!(["Score.published"]));
    let lines = audited(&app).await;
    assert_eq!(lines[0].columns.as_deref(), Some("Score.published"));
    untouched(&app, level(&seed).draft).await;
}

#[tokio::test]
async fn the_same_request_is_done_once_and_another_under_its_key_is_a_conflict() {
    let (app, seed) = App::school().await;
    let reviewer = app.reviewer(seed.schools[0].id);
    let keyed = |exam| {
        let mut input = input(&app, exam);
        input["idempotencyKey"] = json!("publish-0001");
        input
    };
    let first = publish(&reviewer, keyed(level(&seed).draft)).await;
    let again = publish(&reviewer, keyed(level(&seed).draft)).await;
    assert_eq!(again.at("/examPublish"), first.at("/examPublish"));
    assert_eq!((audited(&app).await.len(), events(&app).await.len()), (1, 6));
    let other = publish(&reviewer, keyed(seed.schools[0].levels[1].draft)).await;
    assert_eq!(other.code(), "CONFLICT", "{}", other.text);
    assert_eq!(state_of(&app, seed.schools[0].levels[1].draft).await, ExamState::Draft);
    for key in ["short", "tab\tinside", "学籍学籍学籍"] {
        let mut input = input(&app, level(&seed).draft);
        input["idempotencyKey"] = json!(key);
        let refused = publish(&reviewer, input).await;
        assert_eq!(refused.error()["extensions"]["field"], "idempotencyKey", "{}", refused.text);
    }
}

#[tokio::test]
async fn publishers_at_the_same_moment_publish_once() {
    let (app, seed) = App::school().await;
    let exam = level(&seed).draft;
    let people = [
        app.reviewer(seed.schools[0].id),
        app.principal(seed.schools[0].id),
        app.year_head(level(&seed).id),
    ];
    for person in &people {
        person.account().await;
    }
    let answers = futures_util::future::join_all(
        people.iter().map(|person| publish(person, input(&app, exam))),
    )
    .await;
    let done = answers.iter().filter(|answer| answer.code().is_empty()).count();
    assert_eq!(done, 1, "{:?}", answers.iter().map(Answer::code).collect::<Vec<_>>());
    for answer in &answers {
        assert!(["", "CONFLICT", "RULE_REFUSED"].contains(&answer.code()), "{}", answer.text);
    }
    assert!(scores_of(&app, exam).await.iter().all(|row| row.row_version == 2));
    assert_eq!((events(&app).await.len(), audited(&app).await.len()), (6, 1));
}

#[tokio::test]
async fn a_state_that_changed_since_it_was_read_is_a_conflict() {
    let (app, seed) = App::school().await;
    let exam = level(&seed).draft;
    let reviewer = app.reviewer(seed.schools[0].id);
    let cx = app.cx(&reviewer).await;
    let key = Key { student: None, id: exam.uuid() };
    let mut tx = cx.begin(Action::ExamPublish).await.unwrap();
    let row = tx.get("exam", key, &["state"]).await.unwrap();
    tx.turn(&row, "state", Cell::Text("published".to_owned())).await.unwrap();
    let stale = tx.turn(&row, "state", Cell::Text("locked".to_owned())).await.unwrap_err();
    assert!(matches!(&stale, Error::Conflict { what } if what == "state"), "{stale:?}");
    // A column that the action does not set, and a row that has a version of its own.
    let name = tx.get("exam", key, &["name"]).await.unwrap();
    let more = tx.turn(&name, "name", Cell::Text("x".to_owned())).await.unwrap_err();
    assert!(matches!(more, Error::Forbidden { .. }), "{more:?}");
    let score = scores_of(&app, exam).await.remove(0);
    let key = Key { student: Some(score.student_id.uuid()), id: score.id.uuid() };
    let score = tx.get("score", key, &["published"]).await.unwrap();
    assert!(matches!(
        tx.turn(&score, "published", Cell::Bool(true)).await,
        Err(Error::Internal(_))
    ));
    tx.end::<()>(Err(stale)).await.unwrap_err();
    untouched(&app, exam).await;
}

#[tokio::test]
async fn the_number_of_statements_does_not_depend_on_the_pupils() {
    let mut costs = Vec::new();
    for students in [3, 30] {
        let (app, seed) = App::school_of(Shape { classes: 1, students }).await;
        let reviewer = app.reviewer(seed.schools[0].id);
        let variables = json!({ "input": input(&app, level(&seed).draft) });
        let (answer, statements) = reviewer.counted(PUBLISH, variables).await;
        assert_eq!(answer.at("/examPublish/students"), students);
        costs.push(statements);
    }
    assert_eq!(costs[0], costs[1]);
    assert!(costs[0] <= 10, "{costs:?}");
}

#[tokio::test]
async fn a_large_examination_goes_in_groups() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 150 }).await;
    let exam = level(&seed).draft;
    let answer = publish(&app.year_head(level(&seed).id), input(&app, exam)).await;
    assert_eq!(answer.at("/examPublish/scores"), 300);
    assert!(scores_of(&app, exam).await.iter().all(|row| row.published));
    assert_eq!(events(&app).await.len(), 300);
}
