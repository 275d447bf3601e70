//! Who is told what as it happens: each event is decided anew, by the grants, sights and facts of its moment.

use std::time::{Duration, Instant};

use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use uuid::Uuid;
use xueji::access::policy::Source;
use xueji::config::settings::Limits;
use xueji_entity::value::{ScoreId, StudentId};
use xueji_entity::{access_grant, attendance, outbox, score};

use super::support::app::App;
use super::support::callers::Person;
use super::support::live::{SILENCE, SOON, Socket};
use super::support::seed::{Class, Shape};

const SCORES: &str = "subscription($student: ID!) { scorePublished(studentId: $student) {
    at student { id name } scores { totalCount nodes { value student { id } course { name } } } } }";
const ROLL: &str = "subscription($class: ID!) { attendanceRecorded(classGroupId: $class) {
    at classGroup { id } attendance(first: 50) { totalCount nodes { kind student { id name } } } } }";
const ACCESS: &str = "subscription { accessChanged { kind at viewer { grants { role } } } }";
const RECORD: &str =
    "mutation($input: AttendanceRecordInput!) { attendanceRecord(input: $input) { recorded } }";

/// The scores of a pupil, published and not.
async fn scores_of(app: &App, student: StudentId, published: bool) -> Vec<Uuid> {
    let rows = score::Entity::find()
        .filter(score::Column::StudentId.eq(student))
        .filter(score::Column::Published.eq(published))
        .all(app.db())
        .await
        .unwrap();
    rows.into_iter().map(|row| Uuid::from(row.id)).collect()
}

/// Publishes the scores of a pupil that are not.
async fn publish(app: &App, student: StudentId) -> Vec<Uuid> {
    let rows = scores_of(app, student, false).await;
    let ids: Vec<_> = rows.iter().copied().map(ScoreId::from_uuid).collect();
    score::Entity::update_many()
        .col_expr(score::Column::Published, Expr::val(true))
        .filter(score::Column::StudentId.eq(student))
        .filter(score::Column::Id.is_in(ids))
        .exec(app.db())
        .await
        .unwrap();
    app.published(student, &rows).await;
    rows
}

async fn listen(
    app: &App,
    site: &super::support::live::Site,
    person: &Person<'_>,
    student: StudentId,
) -> Socket {
    let mut socket = site.granted(&person.token().await).await;
    socket.open(app, "s", SCORES, json!({ "student": app.id("student", student) })).await;
    socket
}

fn data(message: &Value) -> &Value {
    assert_eq!(message["type"], "next", "{message}");
    assert!(message["payload"].get("errors").is_none(), "{message}");
    &message["payload"]["data"]
}

fn error_code(message: &Value) -> &str {
    assert_eq!(message["type"], "error", "{message}");
    message["payload"][0]["extensions"]["code"].as_str().unwrap()
}

fn roll(app: &App, class: &Class, kind: &str) -> Value {
    let marks: Vec<_> = class
        .students
        .iter()
        .map(|id| json!({ "studentId": app.id("student", *id), "kind": kind }))
        .collect();
    json!({ "input": { "classGroupId": app.id("class_group", class.id), "day": "2026-11-20", "marks": marks } })
}

#[tokio::test]
async fn a_guardian_is_told_of_the_own_child_and_of_nobody_else() {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let [child, other] = [seed.first().students[0], seed.first().students[1]];
    let mut socket = listen(&app, &site, &app.guardian(child), child).await;
    publish(&app, other).await;
    socket.quiet(SILENCE).await;
    let rows = publish(&app, child).await;
    assert_eq!(rows.len(), 1);
    let next = socket.next().await;
    let told = &data(&next)["scorePublished"];
    assert_eq!(told["student"]["id"], app.id("student", child));
    assert_eq!(told["scores"]["totalCount"], 1, "the event's rows and no others: {told}");
    assert_eq!(told["scores"]["nodes"][0]["student"]["id"], app.id("student", child));
    assert!(told["scores"]["nodes"][0]["value"].is_string());
    socket.quiet(SILENCE).await;
}

#[tokio::test]
async fn a_pupil_out_of_scope_looks_like_one_that_never_was() {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let [child, other] = [seed.first().students[0], seed.first().students[1]];
    let mut socket = site.granted(&app.guardian(child).token().await).await;
    let mut answers = Vec::new();
    let class = app.id("class_group", seed.class(0, 0, 1).id);
    for student in
        [app.id("student", other), app.id("student", Uuid::now_v7()), "nonsense".to_owned(), class]
    {
        socket.subscribe("s", SCORES, json!({ "student": student })).await;
        let mut answer = socket.next().await;
        assert_eq!(error_code(&answer), "NOT_FOUND");
        answer["payload"][0]["extensions"]["requestId"] = Value::Null;
        answers.push(answer);
    }
    assert!(answers.windows(2).all(|pair| pair[0] == pair[1]), "{answers:?}");
    for class in
        [app.id("class_group", seed.class(1, 0, 0).id), app.id("class_group", Uuid::now_v7())]
    {
        socket.subscribe("c", ROLL, json!({ "class": class })).await;
        assert_eq!(error_code(&socket.next().await), "NOT_FOUND");
    }
}

#[tokio::test]
async fn rows_that_are_not_the_callers_give_no_event_at_all() {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let [child, other] = [seed.first().students[0], seed.first().students[1]];
    let guardian = app.guardian(child);
    let mut socket = listen(&app, &site, &guardian, child).await;
    // Scores that are still a draft; rows of somebody else under the name of the child; none; unknown ones.
    let draft = scores_of(&app, child, false).await;
    assert_eq!(draft.len(), 1);
    app.published(child, &draft).await;
    app.published(child, &scores_of(&app, other, true).await).await;
    app.published(child, &[]).await;
    app.published(child, &[Uuid::now_v7()]).await;
    socket.quiet(SILENCE).await;
    // Seen and unseen rows in one event: what may be seen is told, and nothing of the rest.
    let mixed = [draft, scores_of(&app, child, true).await].concat();
    app.published(child, &mixed).await;
    let next = socket.next().await;
    assert_eq!(data(&next)["scorePublished"]["scores"]["totalCount"], mixed.len() - 1);
}

#[tokio::test]
async fn a_guardianship_that_ends_ends_its_streams() {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let child = seed.first().students[0];
    let guardian = app.guardian(child);
    let mut socket = listen(&app, &site, &guardian, child).await;
    let mut events = site
        .events(
            Some(&guardian.token().await),
            json!({ "query": SCORES, "variables": { "student": app.id("student", child) } }),
        )
        .await;
    events.quiet(Duration::from_millis(300)).await;
    guardian.revoke().await;
    assert_eq!(error_code(&socket.next().await), "NOT_FOUND");
    let (event, told) = events.next().await.unwrap();
    assert_eq!(
        (event.as_str(), &told["errors"][0]["extensions"]["code"]),
        ("next", &json!("NOT_FOUND"))
    );
    assert_eq!(events.next().await.unwrap().0, "complete");
    assert!(events.next().await.is_none());
    publish(&app, child).await;
    socket.quiet(SILENCE).await;
    // The connection is still there, for what the account may still ask.
    socket.subscribe("w", "{ viewer { grants { role } } }", json!({})).await;
    assert_eq!(data(&socket.next().await)["viewer"]["grants"], json!([]));
}

#[tokio::test]
async fn what_ended_ends_its_streams_with_the_next_look_of_which_there_are_two_a_second() {
    assert!(xueji::auth::watch::EVERY <= Duration::from_millis(500));
    // Nothing looks but this test.
    let (app, seed) = App::school_alone().await;
    let site = app.serve().await;
    let child = seed.first().students[0];
    let (guardian, other) = (app.guardian(child), app.guardian(child));
    let mut socket = listen(&app, &site, &guardian, child).await;
    let mut revoked = listen(&app, &site, &other, child).await;
    guardian.disable().await;
    other.revoke().await;
    app.look_at_accounts().await;
    assert_eq!(error_code(&socket.next().await), "UNAUTHENTICATED");
    assert_eq!(error_code(&revoked.next().await), "NOT_FOUND");
    socket.subscribe("again", SCORES, json!({ "student": app.id("student", child) })).await;
    assert_eq!(error_code(&socket.next().await), "UNAUTHENTICATED");
}

#[tokio::test]
async fn one_grant_that_ends_leaves_what_another_carries() {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let class = seed.first();
    let child = class.students[0];
    let both = app.guardian(child).and(
        "homeroom_teacher",
        xueji::access::table::Reach::Class,
        xueji::access::caller::Place::ClassGroup(class.id.uuid()),
    );
    let mut socket = listen(&app, &site, &both, child).await;
    access_grant::Entity::update_many()
        .col_expr(access_grant::Column::EndedAt, super::support::app::clock().now().into())
        .filter(access_grant::Column::AccountId.eq(both.account().await))
        .filter(access_grant::Column::Role.eq("guardian"))
        .exec(app.db())
        .await
        .unwrap();
    socket.quiet(SILENCE).await;
    publish(&app, child).await;
    assert_eq!(data(&socket.next().await)["scorePublished"]["scores"]["totalCount"], 1);
}

/// The shipped policy with one line changed.
fn changed(file: &str, from: &str, to: &str) -> Source {
    let mut source = Source::shipped();
    let text = source.files.get_mut(file).unwrap();
    assert!(text.contains(from), "{file} has no line {from}");
    *text = text.replace(from, to);
    source
}

#[tokio::test]
async fn a_sight_that_changes_changes_the_next_event() {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let child = seed.first().students[0];
    let mut socket = listen(&app, &site, &app.guardian(child), child).await;
    let rows = scores_of(&app, child, true).await;
    app.published(child, &rows).await;
    let next = socket.next().await;
    assert!(data(&next)["scorePublished"]["scores"]["nodes"][0]["value"].is_string());
    assert_eq!(next["payload"].get("extensions"), None, "nothing was redacted");
    let full = "p, score.value, guardian, ward, full, ";
    let text = Source::shipped().files["score.csv"].clone();
    let line = text.lines().find(|line| line.starts_with(full)).unwrap();
    app.replace_policy(changed("score.csv", &format!("{line}\n"), "")).await;
    // Whoever asks anew is under the new policy at once.
    app.published(child, &rows).await;
    let next = socket.next().await;
    assert!(data(&next)["scorePublished"]["scores"]["nodes"][0]["value"].is_null(), "{next}");
    let redactions = next["payload"]["extensions"]["redactions"].as_array().unwrap();
    let entry = redactions.iter().find(|entry| entry["coordinate"] == "Score.value").unwrap();
    assert_eq!((&entry["sight"], &entry["count"]), (&json!("hidden"), &json!(rows.len())));
}

#[tokio::test]
async fn the_roll_of_a_class_is_told_to_those_who_see_it() {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let mut socket = site.granted(&teacher.token().await).await;
    let variables = json!({ "class": app.id("class_group", class.id) });
    socket.open(&app, "c", ROLL, variables.clone()).await;
    // A guardian sees the class and the own child's attendance in it.
    let mut guardian = site.granted(&app.guardian(class.students[0]).token().await).await;
    guardian.open(&app, "c", ROLL, variables.clone()).await;
    // A teacher of a course sees no attendance, so there would never be an event.
    let mut subject =
        site.granted(&app.subject_teacher(class.id, seed.courses[0]).token().await).await;
    subject.subscribe("c", ROLL, variables).await;
    assert_eq!(error_code(&subject.next().await), "FORBIDDEN");
    let answer = teacher.query(RECORD, roll(&app, class, "PRESENT")).await;
    assert_eq!(answer.at("/attendanceRecord/recorded"), 3);
    let next = socket.next().await;
    let told = &data(&next)["attendanceRecorded"];
    assert_eq!(told["classGroup"]["id"], app.id("class_group", class.id));
    assert_eq!(told["attendance"]["totalCount"], 3);
    let next = guardian.next().await;
    let told = &data(&next)["attendanceRecorded"];
    assert_eq!(told["attendance"]["totalCount"], 1);
    assert_eq!(
        told["attendance"]["nodes"][0]["student"]["id"],
        app.id("student", class.students[0])
    );
    // A roll of another class is no news here.
    let other = seed.class(0, 0, 1);
    let colleague = app.homeroom_teacher(other.id);
    colleague.query(RECORD, roll(&app, other, "LATE")).await.data();
    socket.quiet(SILENCE).await;
    assert!(attendance::Entity::find().all(app.db()).await.unwrap().len() >= 6);
}

#[tokio::test]
async fn changes_of_the_own_access_are_told() {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let person = app.guardian(seed.first().students[0]);
    let mut socket = site.granted(&person.token().await).await;
    socket.open(&app, "a", ACCESS, json!({})).await;
    app.replace_policy(Source::shipped()).await;
    assert_eq!(data(&socket.next().await)["accessChanged"]["kind"], "POLICY");
    person.revoke().await;
    let next = socket.next().await;
    assert_eq!(data(&next)["accessChanged"]["kind"], "GRANTS");
    assert_eq!(data(&next)["accessChanged"]["viewer"]["grants"], json!([]));
    let row = |account| outbox::ActiveModel {
        id: sea_orm::ActiveValue::Set(Uuid::now_v7()),
        at: sea_orm::ActiveValue::Set(super::support::app::clock().now()),
        kind: sea_orm::ActiveValue::Set("access.opened".to_owned()),
        account_id: sea_orm::ActiveValue::Set(Some(account)),
        payload: sea_orm::ActiveValue::Set("{}".to_owned()),
        ..Default::default()
    };
    outbox::Entity::insert(row(app.stranger().account().await)).exec(app.db()).await.unwrap();
    socket.quiet(SILENCE).await;
    outbox::Entity::insert(row(person.account().await)).exec(app.db()).await.unwrap();
    assert_eq!(data(&socket.next().await)["accessChanged"]["kind"], "OPENED");
}

#[tokio::test]
async fn every_process_tells_its_own_streams() {
    let (app, seed) = App::school().await;
    let sibling = app.sibling().await;
    let (here, there) = (app.serve().await, sibling.serve().await);
    let child = seed.first().students[0];
    let guardian = app.guardian(child);
    let mut first = listen(&app, &here, &guardian, child).await;
    let mut second = listen(&sibling, &there, &guardian, child).await;
    let rows = scores_of(&app, child, true).await;
    // Each event reaches each process once, in order.
    for count in [1, 2, 1, 2, 2, 1] {
        app.published(child, &rows[..count]).await;
        for socket in [&mut first, &mut second] {
            let next = socket.next().await;
            assert_eq!(data(&next)["scorePublished"]["scores"]["totalCount"], count);
        }
    }
    // An act of one process is told in the other, and so is the end of a grant.
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let mut roll_there = there.granted(&teacher.token().await).await;
    roll_there.open(&sibling, "c", ROLL, json!({ "class": app.id("class_group", class.id) })).await;
    teacher.query(RECORD, roll(&app, class, "PRESENT")).await.data();
    assert_eq!(data(&roll_there.next().await)["attendanceRecorded"]["attendance"]["totalCount"], 3);
    guardian.revoke().await;
    for socket in [&mut first, &mut second] {
        assert_eq!(error_code(&socket.next().await), "NOT_FOUND");
    }
}

#[tokio::test]
async fn an_event_that_commits_late_is_told_all_the_same() {
    use sea_orm::{ActiveModelTrait, ActiveValue::Set, TransactionTrait};
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let child = seed.first().students[0];
    let mut socket = listen(&app, &site, &app.guardian(child), child).await;
    let rows = scores_of(&app, child, true).await;
    let event = |count: usize, id| outbox::ActiveModel {
        id: Set(id),
        at: Set(super::support::app::clock().now()),
        kind: Set("score.published".to_owned()),
        student_id: Set(Some(child)),
        payload: Set(json!({ "rows": &rows[..count] }).to_string()),
        ..Default::default()
    };
    let early = Uuid::now_v7();
    // A transaction that is older than the next event, and commits after it.
    let slow = app.db().begin().await.unwrap();
    app.published(child, &rows[..2]).await;
    assert_eq!(data(&socket.next().await)["scorePublished"]["scores"]["totalCount"], 2);
    event(1, early).insert(&slow).await.unwrap();
    socket.quiet(Duration::from_millis(500)).await;
    slow.commit().await.unwrap();
    assert_eq!(data(&socket.next().await)["scorePublished"]["scores"]["totalCount"], 1);
    // One that is taken back is never told.
    let undone = app.db().begin().await.unwrap();
    event(2, Uuid::now_v7()).insert(&undone).await.unwrap();
    undone.rollback().await.unwrap();
    socket.quiet(SILENCE).await;
}

#[tokio::test]
async fn a_client_that_does_not_read_loses_its_stream_and_costs_nobody_else() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 3 }).await;
    // It may leave what is sent unread for as long as it likes: the queue is what is full.
    let times = Limits { idle_time: 5 * SOON, body_time: 5 * SOON, ..Limits::default() };
    let site = app.serve_within(times).await;
    let child = seed.first().students[0];
    let guardian = app.guardian(child);
    let token = guardian.token().await;
    let mut slow = site.connect_narrow(&[("sec-websocket-protocol", "graphql-transport-ws")]).await;
    slow.init(&token).await;
    // An answer of some size for each event, so that what the systems keep for the client is soon full.
    let aliases: String = (0..90)
        .map(|at| format!("s{at}: scores {{ edges {{ cursor node {{ id value }} }} }} "))
        .collect();
    let document = format!(
        "subscription($student: ID!) {{ scorePublished(studentId: $student) {{ {aliases} }} }}"
    );
    slow.open(&app, "s", &document, json!({ "student": app.id("student", child) })).await;
    let mut quick = listen(&app, &site, &guardian, child).await;
    let rows = scores_of(&app, child, true).await;
    for _ in 0..10 {
        for _ in 0..30 {
            app.published(child, &rows).await;
        }
        for _ in 0..30 {
            data(&quick.next().await);
        }
    }
    // Now it reads: what was queued for it, and then that it fell behind.
    let (mut events, begun) = (0, Instant::now());
    let last = loop {
        let message = slow.next().await;
        if message["type"] != "next" {
            break message;
        }
        events += 1;
        assert!(begun.elapsed() < 3 * SOON);
    };
    assert_eq!(error_code(&last), "LIMIT_EXCEEDED", "after {events} events");
    assert_eq!(last["payload"][0]["extensions"]["limit"], "stream_queue");
    assert!(events < 300, "the queue was never full");
}

#[tokio::test]
async fn events_that_were_kept_long_enough_are_removed() {
    let (app, seed) = App::school().await;
    let child = seed.first().students[0];
    for _ in 0..3 {
        app.published(child, &[]).await;
    }
    let now = super::support::app::clock().now();
    let kept = async || outbox::Entity::find().all(app.db()).await.unwrap().len();
    assert_eq!(app.store().forget_notices(now).await.unwrap(), 0, "they are not older than this");
    assert_eq!(kept().await, 3);
    app.store().forget_notices(now + chrono::Duration::seconds(1)).await.unwrap();
    assert_eq!(kept().await, 1, "the newest stays: the next number follows from it");
    let last = app.store().last_notice().await.unwrap();
    app.published(child, &[]).await;
    assert_eq!(app.store().last_notice().await.unwrap(), last + 1);
}

#[tokio::test]
async fn idle_streams_of_many_cost_a_handful_of_statements() {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let mut sockets = Vec::new();
    for class in [seed.class(0, 0, 0), seed.class(0, 0, 1)] {
        for child in &class.students {
            for _ in 0..3 {
                sockets.push(listen(&app, &site, &app.guardian(*child), *child).await);
            }
        }
    }
    let (before, begun) = (app.store().statements(), Instant::now());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let (taken, time) = (app.store().statements() - before, begun.elapsed());
    // Two looks a second at all accounts together, and on SQLite four at the outbox.
    let most = 8.0 * time.as_secs_f64();
    assert!(
        taken as f64 <= most,
        "{taken} statements for {} idle streams in {time:?}",
        sockets.len()
    );
}
