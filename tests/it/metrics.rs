//! `/metrics` of a server in a process of its own: what the record of disclosures, the acts, their limits and the queue
//! of the reviewers say moves with what happens, and with nothing else.

use std::time::{Duration, Instant};

use chrono::TimeDelta;
use sea_orm::sea_query::Expr;
use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use xueji::clock::Clock;
use xueji::store::connect::connect_log;
use xueji_entity::access_review;
use xueji_entity::access_review::ReviewState;

use crate::support::app::{App, PATIENCE};
use crate::support::process::{Program, Running};
use crate::support::seed::Shape;

/// A server.
struct Server(Running);

impl Server {
    async fn send(&self, request: String) -> Option<String> {
        let mut stream = TcpStream::connect(self.0.address).await.ok()?;
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok()?;
        String::from_utf8(answer).ok().filter(|answer| !answer.is_empty())
    }

    /// The metrics; nothing while the server does not answer yet.
    async fn metrics(&self) -> String {
        let request =
            "GET /metrics HTTP/1.1\r\nhost: registry\r\nconnection: close\r\n\r\n".to_owned();
        self.send(request).await.unwrap_or_default()
    }

    /// The value of a series; 0 for one that nothing has moved yet.
    async fn value(&self, series: &str) -> f64 {
        let text = self.metrics().await;
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0.0, |value| value.trim().parse().unwrap())
    }

    async fn until(&self, series: &str, value: f64) {
        let begun = Instant::now();
        while !self.metrics().await.contains(&format!("\n{series} {value}\n")) {
            let text = self.metrics().await;
            assert!(begun.elapsed() < PATIENCE, "{series} {value} in {text}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn ask(
        &self,
        token: &str,
        purpose: Option<&str>,
        document: &str,
        variables: Value,
    ) -> String {
        let body = json!({ "query": document, "variables": variables }).to_string();
        let purpose = purpose.map(|code| format!("xueji-purpose: {code}\r\n")).unwrap_or_default();
        let request = format!(
            "POST /graphql HTTP/1.1\r\nhost: registry\r\nconnection: close\r\ncontent-type: application/json\r\n\
             accept: application/json\r\nauthorization: Bearer {token}\r\n{purpose}content-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(request).await.unwrap()
    }
}

const OPEN: &str =
    "mutation($input: RecordOpenInput!) { recordOpen(input: $input) { studentId expiresAt } }";
const ROSTER: &str = "{ students { nodes { name } } }";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_record_the_acts_their_limits_and_the_queue_of_reviews_are_counted() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 3 }).await;
    // The process has the real day, on which the grants and memberships of the tests hold as well.
    let now = Clock::system(chrono_tz::UTC).now();
    let (teacher, principal) =
        (app.homeroom_teacher(seed.first().id), app.principal(seed.schools[0].id));
    let accounts = [teacher.account().await, principal.account().await];
    // Somebody's review has been overdue for an hour.
    app.opened(seed.class(1, 0, 0).students[1]).account().await;
    access_review::Entity::update_many()
        .col_expr(access_review::Column::DueAt, Expr::val(now - TimeDelta::hours(1)))
        .col_expr(access_review::Column::OpenedAt, Expr::val(now - TimeDelta::hours(73)))
        .col_expr(access_review::Column::ExpiresAt, Expr::val(now - TimeDelta::hours(72)))
        .exec(app.db())
        .await
        .unwrap();
    let far = [0, 2].map(|at| app.id("student", seed.class(1, 0, 0).students[at]));
    let program = Program::on(&app.place().url, &["--opens-per-hour", "1"]);
    let [teacher, principal] = accounts.map(|account| program.token(account));
    let server = Server(program.start());
    server.until("xueji_access_reviews_overdue", 1.0).await;
    assert_eq!(server.value("xueji_access_reviews_waiting").await, 1.0);

    // A disclosure: one line, one commit, its time, and nothing that waits any more.
    let lines = "xueji_disclosure_lines_total";
    assert_eq!(server.value(lines).await, 0.0);
    for round in 1..=2 {
        let answer = server.ask(&teacher, None, ROSTER, json!({})).await;
        assert!(answer.starts_with("HTTP/1.1 200") && answer.contains("\"nodes\""), "{answer}");
        for series in [
            lines,
            "xueji_disclosure_commits_total",
            "xueji_disclosure_commit_duration_seconds_count",
            "xueji_disclosure_batch_lines_count",
        ] {
            assert_eq!(server.value(series).await, f64::from(round), "{series}");
        }
    }
    assert!(server.value("xueji_disclosure_commit_duration_seconds_sum").await > 0.0);
    server.until("xueji_disclosure_waiting_lines", 0.0).await;
    let counted = server.ask(&teacher, None, "{ students { totalCount } }", json!({})).await;
    assert!(counted.contains("totalCount"), "{counted}");
    assert_eq!(server.value(lines).await, 2.0, "no disclosure, no line");

    // A line that cannot be written.
    let log = connect_log(&app.place().url).await.unwrap();
    let log = log.unwrap_or_else(|| app.db().clone());
    log.execute_unprepared("ALTER TABLE disclosure_line RENAME TO elsewhere").await.unwrap();
    let refused = server.ask(&teacher, None, ROSTER, json!({})).await;
    assert!(refused.contains("UNAVAILABLE"), "{refused}");
    assert_eq!(server.value("xueji_disclosure_failures_total").await, 1.0);
    server.until("xueji_disclosure_waiting_lines", 0.0).await;
    log.execute_unprepared("ALTER TABLE elsewhere RENAME TO disclosure_line").await.unwrap();
    assert_eq!(server.value(lines).await, 2.0);

    // A purpose that is not the teacher's to state.
    let refused = server.ask(&teacher, Some("transfer_review"), ROSTER, json!({})).await;
    assert!(refused.contains("FORBIDDEN"), "{refused}");
    assert_eq!(server.value("xueji_purpose_refusals_total").await, 1.0);

    // A record that is opened, and a second one that the hour does not allow.
    let done = "xueji_acts_total{action=\"record.open\",outcome=\"done\"}";
    let denied = "xueji_acts_total{action=\"record.open\",outcome=\"denied\"}";
    let limit = "xueji_limit_refusals_total{limit=\"record.open\"}";
    let input = |id: &str| json!({ "input": { "studentId": id, "reason": "hurt on the way" } });
    let opened = server.ask(&principal, Some("emergency_care"), OPEN, input(&far[0])).await;
    assert!(opened.contains("\"expiresAt\""), "{opened}");
    let counts = [server.value(done).await, server.value(denied).await, server.value(limit).await];
    assert_eq!(counts, [1.0, 0.0, 0.0]);
    let refused = server.ask(&principal, Some("emergency_care"), OPEN, input(&far[1])).await;
    assert!(refused.contains("LIMIT_EXCEEDED"), "{refused}");
    let counts = [server.value(done).await, server.value(denied).await, server.value(limit).await];
    assert_eq!(counts, [1.0, 1.0, 1.0]);
    server.until("xueji_access_reviews_waiting", 2.0).await;
    server.until("xueji_access_reviews_overdue", 1.0).await;
    // Decided: neither waits any more.
    access_review::Entity::update_many()
        .col_expr(access_review::Column::State, Expr::val(ReviewState::Justified))
        .col_expr(access_review::Column::DecidedAt, Expr::val(now))
        .col_expr(access_review::Column::DecidedById, Expr::val(accounts[0].uuid()))
        .exec(app.db())
        .await
        .unwrap();
    server.until("xueji_access_reviews_waiting", 0.0).await;
    server.until("xueji_access_reviews_overdue", 0.0).await;

    // The page explains each of them, and names nobody.
    let text = server.metrics().await;
    for name in [
        lines,
        "xueji_disclosure_commit_duration_seconds",
        "xueji_disclosure_waiting_lines",
        "xueji_acts_total",
        "xueji_limit_refusals_total",
        "xueji_access_reviews_overdue",
    ] {
        assert!(text.contains(&format!("# HELP {name} ")), "{name}: {text}");
    }
    for account in accounts {
        assert!(!text.contains(&uuid::Uuid::from(account).to_string()));
    }
}
