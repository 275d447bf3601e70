//! Server-sent events as graphql-sse has them: one operation, one answer that goes on, under the same guards.

use std::time::Duration;

use axum::body::Bytes;
use http_body_util::Full;
use hyper::Request;
use serde_json::json;
use xueji::access::policy::Source;
use xueji::config::settings::Limits;

use super::support::app::App;
use super::support::live::{Events, SILENCE, Site};

const ACCESS: &str = "subscription { accessChanged { kind viewer { grants { role } } } }";

async fn school() -> (App, Site, String) {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let token = app.registrar(seed.schools[0].id).token().await;
    (app, site, token)
}

#[tokio::test]
async fn a_subscription_goes_on_until_its_client_leaves() {
    let (app, site, token) = school().await;
    let mut events = site.events(Some(&token), json!({ "query": ACCESS })).await;
    assert_eq!(events.head.status, 200);
    let header = |name: &str| events.head.headers[name].to_str().unwrap().to_owned();
    assert_eq!(header("content-type"), "text/event-stream; charset=utf-8");
    assert!(header("cache-control").contains("no-store"));
    assert_eq!(header("x-accel-buffering"), "no");
    assert!(!header("x-request-id").is_empty());
    events.quiet(Duration::from_millis(300)).await;
    for _ in 0..2 {
        app.replace_policy(Source::shipped()).await;
        let (event, data) = events.next().await.unwrap();
        assert_eq!(event, "next");
        assert_eq!(data["data"]["accessChanged"]["kind"], "POLICY");
        assert_eq!(data["data"]["accessChanged"]["viewer"]["grants"][0]["role"], "registrar");
    }
    events.quiet(SILENCE).await;
    drop(events);
    site.stop().await;
}

#[tokio::test]
async fn a_query_is_one_event_and_the_end() {
    let (_app, site, token) = school().await;
    let body = json!({ "query": "{ students { totalCount } }" });
    let mut events = site.events(Some(&token), body).await;
    let (event, data) = events.next().await.unwrap();
    assert_eq!((event.as_str(), &data["data"]["students"]["totalCount"]), ("next", &json!(9)));
    assert_eq!(events.next().await.unwrap().0, "complete");
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn what_is_wrong_with_a_document_is_told_in_the_stream() {
    let (_app, site, token) = school().await;
    for (document, code) in [
        ("{ viewer", "SYNTAX_ERROR"),
        ("{ nothingOfThisName }", "VALIDATION_FAILED"),
        ("subscription { nothingOfThisName }", "VALIDATION_FAILED"),
        ("subscription { scorePublished(studentId: \"never-issued\") { at } }", "NOT_FOUND"),
    ] {
        let mut events = site.events(Some(&token), json!({ "query": document })).await;
        assert_eq!(events.head.status, 200, "{document}");
        let (event, data) = events.next().await.unwrap();
        assert_eq!(event, "next");
        assert_eq!(data["errors"][0]["extensions"]["code"], code, "{document}: {data}");
        assert!(data.get("data").is_none(), "{data}");
        assert_eq!(events.next().await.unwrap().0, "complete");
        assert!(events.next().await.is_none());
    }
}

#[tokio::test]
async fn what_is_wrong_with_the_request_is_a_status() {
    let (_app, site, token) = school().await;
    let status =
        async |token: Option<&str>, body| site.events(token, body).await.head.status.as_u16();
    assert_eq!(status(None, json!({ "query": ACCESS })).await, 401);
    assert_eq!(status(Some("nonsense"), json!({ "query": ACCESS })).await, 401);
    assert_eq!(status(Some(&token), json!({ "document": ACCESS })).await, 400);
    assert_eq!(status(Some(&token), json!([])).await, 400);
}

#[tokio::test]
async fn a_get_serves_subscriptions_and_no_mutations() {
    let (_app, site, token) = school().await;
    let get = async |query: &str| {
        let request = Request::builder()
            .uri(format!("/graphql?query={query}"))
            .header("host", site.address().to_string())
            .header("accept", "text/event-stream")
            .header("authorization", format!("Bearer {token}"))
            .body(Full::new(Bytes::new()))
            .unwrap();
        Events::of(site.request(request).await)
    };
    let mut events = get("subscription%7BaccessChanged%7Bkind%7D%7D").await;
    assert_eq!(events.head.status, 200);
    events.quiet(Duration::from_millis(300)).await;
    let mutation = "mutation%7BattendanceRecord(input:%7BclassGroupId:%22x%22,day:%222026-11-20%22,marks:%5B%5D%7D)%7Brecorded%7D%7D";
    assert_eq!(get(mutation).await.head.status, 405);
}

#[tokio::test]
async fn a_client_that_wants_one_answer_is_told_how_to_subscribe() {
    let (app, _site, token) = school().await;
    let answer = app.post(Some(&token), "en", json!({ "query": ACCESS }).to_string()).await;
    assert_eq!(answer.code(), "VALIDATION_FAILED");
    assert!(answer.message().contains("text/event-stream"), "{}", answer.message());
}

#[tokio::test]
async fn an_idle_stream_gives_signs_of_life() {
    let (app, seed) = App::school().await;
    let limits = Limits {
        idle_time: Duration::from_millis(200),
        body_time: Duration::from_millis(300),
        ..Limits::default()
    };
    let site = app.serve_within(limits).await;
    let token = app.registrar(seed.schools[0].id).token().await;
    let mut events = site.events(Some(&token), json!({ "query": ACCESS })).await;
    // Longer than a client may take to read: silence alone kills no stream.
    for _ in 0..5 {
        events.alive().await;
    }
    app.replace_policy(Source::shipped()).await;
    assert_eq!(events.next().await.unwrap().1["data"]["accessChanged"]["kind"], "POLICY");
    let mut stopping = site;
    stopping.begin_stop();
    let text = events.rest().await;
    assert_eq!(text.replace(":\n\n", ""), "", "a stop ends the body and says nothing");
    stopping.ended().await;
}

#[tokio::test]
async fn a_token_that_runs_out_ends_the_stream() {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let person = app.registrar(seed.schools[0].id);
    let sub = uuid::Uuid::from(person.account().await).to_string();
    let (token, end) = app.short_lived(sub);
    let mut events = site.events(Some(&token), json!({ "query": ACCESS })).await;
    let (event, data) = events.next().await.unwrap();
    assert_eq!(
        (event.as_str(), &data["errors"][0]["extensions"]["code"]),
        ("next", &json!("UNAUTHENTICATED"))
    );
    assert_eq!(events.next().await.unwrap().0, "complete");
    assert!(events.next().await.is_none());
    end.has_just_come().await;
}

#[tokio::test]
async fn too_many_streams_are_refused_with_a_status() {
    let (app, seed) = App::school().await;
    let limits = Limits { streams_per_account: 2, ..Limits::default() };
    let site = app.serve_within(limits).await;
    let token = app.registrar(seed.schools[0].id).token().await;
    let _first = site.events(Some(&token), json!({ "query": ACCESS })).await;
    let _second = site.events(Some(&token), json!({ "query": ACCESS })).await;
    let third = site.events(Some(&token), json!({ "query": ACCESS })).await;
    assert_eq!(third.head.status, 429);
    assert!(third.head.headers.contains_key("retry-after"));
    assert!(third.rest().await.contains("LIMIT_EXCEEDED"));
}
