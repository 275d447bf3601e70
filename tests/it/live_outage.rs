//! Streams while something is away: the connection that listens, and the database itself.

use std::time::{Duration, Instant};

use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use serde_json::{Value, json};
use uuid::Uuid;
use xueji::store::connect::connect;
use xueji_entity::value::StudentId;
use xueji_entity::{outbox, score};

use super::support::app::{App, clock};
use super::support::live::{SILENCE, SOON, Site, Socket};

const SCORES: &str = "subscription($student: ID!) { scorePublished(studentId: $student) { at } }";
const ACCESS: &str = "subscription { accessChanged { kind } }";

/// A stream about the scores of a pupil, and a row of them that its guardian sees.
async fn listen(app: &App, site: &Site, child: StudentId) -> (Socket, Uuid) {
    use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
    let row = score::Entity::find()
        .filter(score::Column::StudentId.eq(child))
        .filter(score::Column::Published.eq(true))
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    let mut socket = site.granted(&app.guardian(child).token().await).await;
    socket.open(app, "s", SCORES, json!({ "student": app.id("student", child) })).await;
    (socket, row.id.into())
}

/// Writes the event of so many seconds after noon, as another process would: nobody here is told of it.
async fn happen(db: &DatabaseConnection, child: StudentId, row: Uuid, seconds: i64) {
    let event = outbox::ActiveModel {
        id: Set(Uuid::now_v7()),
        at: Set(clock().now() + chrono::Duration::seconds(seconds)),
        kind: Set("score.published".to_owned()),
        student_id: Set(Some(child)),
        payload: Set(json!({ "rows": [row] }).to_string()),
        ..Default::default()
    };
    event.insert(db).await.unwrap();
}

/// The second of the event that a message tells.
fn second(message: &Value) -> i64 {
    let at = message["payload"]["data"]["scorePublished"]["at"].as_str();
    let at: chrono::DateTime<chrono::Utc> =
        at.unwrap_or_else(|| panic!("an event was expected: {message}")).parse().unwrap();
    (at - clock().now()).num_seconds()
}

fn error_code(message: &Value) -> &str {
    assert_eq!(message["type"], "error", "{message}");
    message["payload"][0]["extensions"]["code"].as_str().unwrap()
}

/// The connections of a database that listen.
async fn listeners(db: &DatabaseConnection, name: &str) -> Vec<i32> {
    let find = format!(
        "SELECT pid FROM pg_stat_activity WHERE datname = '{name}' AND query LIKE 'LISTEN %' AND state = 'idle'"
    );
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, find)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Waits until somebody listens who is not among these.
async fn until_another_listens(db: &DatabaseConnection, name: &str, before: &[i32]) -> Vec<i32> {
    let begun = Instant::now();
    loop {
        let now = listeners(db, name).await;
        if now.iter().any(|pid| !before.contains(pid)) {
            return now;
        }
        assert!(begun.elapsed() < SOON, "nobody listens again: {before:?}, {now:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// On PostgreSQL the connection that listens is killed again and again while events are written; in a file there is
/// none, and the events that nobody tells of are found by looking.
#[tokio::test]
async fn a_listener_that_is_killed_loses_no_event_and_repeats_none() {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let child = seed.first().students[0];
    let (mut socket, row) = listen(&app, &site, child).await;
    let own = connect(&app.place().url, 1).await.unwrap();
    let name = app.place().on_server().map(|(_, name)| name.to_owned());
    let mut known = Vec::new();
    let mut written = 0;
    for _ in 0..4 {
        if let Some(name) = &name {
            known = until_another_listens(&own, name, &known).await;
        }
        // Before, in the moment of, and after the loss.
        for at in 0..6 {
            if at == 2 {
                for pid in &known {
                    own.execute_unprepared(&format!("SELECT pg_terminate_backend({pid})"))
                        .await
                        .unwrap();
                }
            }
            written += 1;
            happen(&own, child, row, written).await;
        }
    }
    for expected in 1..=written {
        assert_eq!(second(&socket.next().await), expected, "each once, in order");
    }
    socket.quiet(SILENCE).await;
    own.close().await.unwrap();
}

#[tokio::test]
async fn streams_outlive_a_short_time_in_which_accounts_cannot_be_read() {
    let (app, seed) = App::school_unchecked_for(Duration::from_secs(60)).await;
    let site = app.serve().await;
    let child = seed.first().students[0];
    let (mut socket, row) = listen(&app, &site, child).await;
    let away = "ALTER TABLE access_grant RENAME TO access_grant_away";
    app.db().execute_unprepared(away).await.unwrap();
    // Several looks at the accounts fail.
    socket.quiet(Duration::from_secs(2)).await;
    let back = "ALTER TABLE access_grant_away RENAME TO access_grant";
    app.db().execute_unprepared(back).await.unwrap();
    happen(app.db(), child, row, 1).await;
    assert_eq!(second(&socket.next().await), 1);
}

/// A grant that is revoked meanwhile could not be seen: the stream fails closed.
#[tokio::test]
async fn streams_end_when_their_accounts_cannot_be_read_for_too_long() {
    let (app, seed) = App::school_unchecked_for(Duration::from_secs(8)).await;
    let site = app.serve().await;
    let child = seed.first().students[0];
    let (mut socket, row) = listen(&app, &site, child).await;
    let token = app.guardian(child).token().await;
    let mut events = site.events(Some(&token), json!({ "query": ACCESS })).await;
    app.until_streams(2).await;
    app.lose_database().await;
    let message = socket.next().await;
    assert_eq!(error_code(&message), "UNAVAILABLE");
    let text = message["payload"][0]["message"].as_str().unwrap();
    assert!(text.contains("again"), "{text}");
    let (event, told) = events.next().await.unwrap();
    assert_eq!(
        (event.as_str(), &told["errors"][0]["extensions"]["code"]),
        ("next", &json!("UNAVAILABLE"))
    );
    assert_eq!(events.next().await.unwrap().0, "complete");
    assert!(events.next().await.is_none());
    // The connection is still there, and none opens while nobody can be asked.
    socket.subscribe("again", ACCESS, json!({})).await;
    assert_eq!(error_code(&socket.next().await), "UNAVAILABLE");
    if app.place().on_server().is_none() {
        return;
    }
    app.until_streams(0).await;
    app.place().reopen().await;
    let begun = Instant::now();
    let student = app.id("student", child);
    loop {
        socket.subscribe("back", SCORES, json!({ "student": student })).await;
        let opened = async { app.until_streams(1).await };
        tokio::select! {
            () = opened => break,
            message = socket.next() => assert_eq!(error_code(&message), "UNAVAILABLE"),
        }
        assert!(begun.elapsed() < SOON, "the database is back and no stream opens");
    }
    let own = connect(&app.place().url, 1).await.unwrap();
    happen(&own, child, row, 7).await;
    assert_eq!(second(&socket.next().await), 7);
    own.close().await.unwrap();
}
