//! What `/metrics` says, of a server as a process of its own: every metric that the README names is there, and moves.

use std::collections::BTreeSet;

use axum::body::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::Request;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;
use xueji::auth::jwt::Claims;
use xueji::clock::Clock;
use xueji_entity::score;

use super::policy_reload::{change, folder, hide_phone, put};
use super::support::app::{App, signer};
use super::support::live::Site;
use super::support::server::Server;

const SCORES: &str = "subscription($student: ID!) { scorePublished(studentId: $student) { at } }";

/// A token of the server's issuer.
fn token(folder: &TempDir, account: Uuid) -> String {
    let now = u64::try_from(Clock::system(chrono_tz::UTC).now().timestamp()).unwrap();
    let claims = Claims {
        sub: account.to_string(),
        iss: "issuer".to_owned(),
        iat: now,
        exp: now + 3_600,
        jti: None,
        sid: None,
    };
    signer(folder.path()).sign(&claims, "xueji").unwrap()
}

async fn ask(site: &Site, token: &str, query: &str) -> Value {
    let request = Request::builder()
        .method("POST")
        .uri("/graphql")
        .header("host", site.address().to_string())
        .header("content-type", "application/json")
        .header("authorization", format!("Bearer {token}"))
        .body(Full::new(Bytes::from(json!({ "query": query }).to_string())))
        .unwrap();
    let body = site.request(request).await.into_body().collect().await.unwrap().to_bytes();
    serde_json::from_slice(&body).unwrap()
}

/// The names of metrics in a text; the parts of a histogram or summary count as one.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_');
    let parts = ["_bucket", "_sum", "_count"];
    words
        .filter(|word| word.starts_with("xueji_"))
        .map(|word| parts.iter().find_map(|part| word.strip_suffix(part)).unwrap_or(word))
        .map(ToOwned::to_owned)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_metric_that_is_named_is_there_and_moves() {
    let (app, seed) = App::school().await;
    let (home, policies) = (TempDir::new().unwrap(), folder());
    let child = seed.first().students[0];
    let guardian = token(&home, app.guardian(child).account().await.into());
    let teacher = token(&home, app.homeroom_teacher(seed.first().id).account().await.into());
    let key = home.path().join("jwt.pub");
    let key = format!("{}:EdDSA:{}", signer(home.path()).kid(), key.display());
    let backups = TempDir::new().unwrap();
    let kept = backups.path().to_str().unwrap();
    let more = ["--limits-streams", "1", "--jwt-key", &key, "--backup-folder", kept];
    let server = Server::start(home.path(), &app.place().url, &policies, &more);
    server.until("/readyz", "\"policy\":\"ok\"").await;
    server.until_metric("xueji_policy_version", "", 1.0).await;
    for (name, labels) in [
        ("xueji_policy_refused", ""),
        ("xueji_policy_refusals_total", ""),
        ("xueji_live_sockets", ""),
        ("xueji_live_streams", "websocket"),
        ("xueji_live_streams", "sse"),
    ] {
        assert_eq!(server.metric(name, labels), Some(0.0), "{name} before anything happens");
    }
    for (name, labels) in [
        ("xueji_backup_last_taken_seconds", ""),
        ("xueji_backup_last_verified_seconds", ""),
        ("xueji_backup_failures_total", "step=\"take\""),
        ("xueji_backup_failures_total", "step=\"verify\""),
        ("xueji_backup_failures_total", "step=\"prune\""),
    ] {
        server.until_metric(name, labels, 0.0).await;
    }

    // An answer, and what it discloses to somebody who is neither the pupil nor the family.
    let site = Site::elsewhere(server.address());
    let before = server.metric("xueji_http_requests_total", "").unwrap();
    let answer = ask(&site, &teacher, "{ students { nodes { phone } } }").await;
    assert!(answer["data"]["students"]["nodes"][0]["phone"].is_string(), "{answer}");
    assert!(server.metric("xueji_http_requests_total", "").unwrap() > before);
    assert!(server.metric("xueji_http_request_duration_seconds_count", "").unwrap() > before);
    assert!(server.metric("xueji_statements_total", "").unwrap() > 0.0);
    // The one that asks is being answered.
    assert_eq!(server.metric("xueji_http_requests_in_flight", ""), Some(1.0));
    assert_eq!(server.metric("xueji_disclosure_lines_total", ""), Some(1.0));
    assert_eq!(server.metric("xueji_disclosure_commits_total", ""), Some(1.0));
    assert_eq!(server.metric("xueji_disclosure_batch_lines_count", ""), Some(1.0));

    // Streams, open and told.
    let wards = ask(&site, &guardian, "{ viewer { wards { nodes { id } } } }").await;
    let student = wards["data"]["viewer"]["wards"]["nodes"][0]["id"].clone();
    let variables = json!({ "student": student });
    let mut socket = site.granted(&guardian).await;
    server.until_metric("xueji_live_sockets", "", 1.0).await;
    socket.subscribe("s", SCORES, variables.clone()).await;
    server.until_metric("xueji_live_streams", "websocket", 1.0).await;
    let body = json!({ "query": SCORES, "variables": variables });
    let mut events = site.events(Some(&guardian), body).await;
    server.until_metric("xueji_live_streams", "sse", 1.0).await;
    let row = score::Entity::find()
        .filter(score::Column::StudentId.eq(child))
        .filter(score::Column::Published.eq(true))
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    app.published(child, &[row.id.into()]).await;
    assert_eq!(socket.next().await["type"], "next");
    assert_eq!(events.next().await.unwrap().0, "next");
    server.until_metric("xueji_live_events_total", "score_published", 2.0).await;

    // One more than the connection may have; the end of a stream by its reader, and of a socket by the server.
    socket.subscribe("more", SCORES, variables).await;
    assert_eq!(socket.next().await["payload"][0]["extensions"]["code"], "LIMIT_EXCEEDED");
    server.until_metric("xueji_live_refused_total", "limit=\"streams\"", 1.0).await;
    drop(events);
    server.until_metric("xueji_live_ended_total", "transport=\"sse\"", 1.0).await;
    server.until_metric("xueji_live_streams", "sse", 0.0).await;
    socket.raw(Message::text("{")).await;
    assert_eq!(socket.closed().await.0, 4400);
    server.until_metric("xueji_live_closed_total", "code=\"4400\"", 1.0).await;
    server.until_metric("xueji_live_ended_total", "transport=\"websocket\"", 1.0).await;
    server.until_metric("xueji_live_sockets", "", 0.0).await;

    // A policy with a mistake, and one without.
    let good = std::fs::read_to_string(policies.path().join("course.csv")).unwrap();
    change(policies.path(), "course.csv", "p, course.name", "p, course.nmae");
    server.signal("-HUP");
    server.until_metric("xueji_policy_refused", "", 1.0).await;
    assert!(server.metric("xueji_policy_refusals_total", "").unwrap() >= 1.0);
    put(&policies.path().join("course.csv"), &good);
    hide_phone(policies.path());
    server.until_metric("xueji_policy_version", "", 2.0).await;
    server.until_metric("xueji_policy_refused", "", 0.0).await;

    server.until("/metrics", "xueji_disclosure_index_lag_seconds").await;
    let readme = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md"));
    let row = readme.unwrap();
    let row = row.lines().find(|line| line.starts_with("| `GET /metrics` |")).unwrap();
    assert_eq!(named(&server.get("/metrics")), named(row), "the README and the server");
}
