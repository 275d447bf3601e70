//! Websockets by the text of `graphql-transport-ws`: every message, every code of a close, and limits that hold.

use std::time::{Duration, Instant};

use rstest::rstest;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;
use xueji::config::settings::Limits;

use super::support::app::App;
use super::support::live::{SILENCE, SOON, Site, Socket};
use super::support::logs;

const WHO: &str = "{ viewer { grants { role } } }";
const ACCESS: &str = "subscription { accessChanged { kind } }";
const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");

fn quick() -> Limits {
    Limits { init_time: Duration::from_millis(300), ..Limits::default() }
}

/// A registry, its server, and the token of a registrar.
async fn school(limits: Limits) -> (App, Site, String) {
    let (app, seed) = App::school().await;
    // A client that a busy machine keeps waiting is not asked for a sign of life, unless the test is about that.
    let usual = limits.idle_time == Limits::default().idle_time;
    let idle_time = if usual { Duration::from_secs(600) } else { limits.idle_time };
    let site = app.serve_within(Limits { idle_time, ..limits }).await;
    let token = app.registrar(seed.schools[0].id).token().await;
    (app, site, token)
}

fn error_code(message: &Value) -> &str {
    assert_eq!(message["type"], "error", "{message}");
    message["payload"][0]["extensions"]["code"].as_str().unwrap()
}

#[tokio::test]
async fn a_query_gets_one_result_and_its_end() {
    let (_app, site, token) = school(Limits::default()).await;
    let mut socket = site.granted(&token).await;
    socket.subscribe("q", WHO, json!({})).await;
    let next = socket.next().await;
    assert_eq!((&next["type"], &next["id"]), (&json!("next"), &json!("q")));
    assert_eq!(next["payload"]["data"]["viewer"]["grants"][0]["role"], "registrar");
    assert_eq!(socket.next().await, json!({ "type": "complete", "id": "q" }));
    // The id is free again.
    socket.subscribe("q", WHO, json!({})).await;
    assert_eq!(socket.next().await["type"], "next");
    assert_eq!(socket.next().await["type"], "complete");
    site.stop().await;
}

#[tokio::test]
async fn what_cannot_be_executed_is_an_error_message_and_nothing_after_it() {
    let (_app, site, token) = school(Limits::default()).await;
    let mut socket = site.granted(&token).await;
    let deep = format!("{}a{}", "{ a".repeat(70), "}".repeat(70));
    for (document, code) in [
        ("{ viewer", "SYNTAX_ERROR"),
        ("{ nothingOfThisName }", "VALIDATION_FAILED"),
        ("query A { __typename } query B { __typename }", "VALIDATION_FAILED"),
        (deep.as_str(), "LIMIT_EXCEEDED"),
        ("subscription { accessChanged { nothing } }", "VALIDATION_FAILED"),
        ("subscription { __typename }", "VALIDATION_FAILED"),
        (
            "subscription { ...F } fragment F on Subscription { accessChanged { kind } }",
            "VALIDATION_FAILED",
        ),
        (
            "subscription { a: accessChanged { kind } b: accessChanged { kind } }",
            "VALIDATION_FAILED",
        ),
        ("subscription { accessChanged @skip(if: true) { kind } }", "VALIDATION_FAILED"),
    ] {
        socket.subscribe("x", document, json!({})).await;
        let message = socket.next().await;
        assert_eq!(error_code(&message), code, "{document}: {message}");
        assert_eq!(message["id"], "x");
        assert!(message["payload"][0]["extensions"]["requestId"].is_string());
    }
    // No complete has come in between: the next message belongs to the next operation.
    socket.subscribe("y", "{ __typename }", json!({})).await;
    assert_eq!(socket.next().await["payload"]["data"]["__typename"], "Query");
}

#[tokio::test]
async fn a_ping_is_answered_before_and_after_the_connection_is_granted() {
    let (_app, site, token) = school(Limits::default()).await;
    let mut socket = site.socket().await;
    socket.send(json!({ "type": "ping" })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong" }));
    socket.send(json!({ "type": "pong" })).await;
    socket.init(&token).await;
    socket.send(json!({ "type": "ping", "payload": { "at": 7 } })).await;
    assert_eq!(socket.next().await, json!({ "type": "pong", "payload": { "at": 7 } }));
}

#[tokio::test]
async fn a_silent_client_is_asked_for_a_sign_of_life_and_then_left() {
    let limits = Limits { idle_time: Duration::from_secs(3), ..Limits::default() };
    let (_app, site, token) = school(limits).await;
    let mut socket = site.granted(&token).await;
    for _ in 0..3 {
        assert_eq!(socket.next().await, json!({ "type": "ping" }));
        socket.send(json!({ "type": "pong" })).await;
    }
    assert_eq!(socket.next().await, json!({ "type": "ping" }));
    let begun = Instant::now();
    while let Some(Ok(message)) = futures_util::StreamExt::next(&mut socket.0).await {
        assert!(message.is_close(), "{message}");
    }
    assert!(begun.elapsed() < SOON, "a dead connection was kept");
}

#[tokio::test]
async fn a_subscription_is_ended_by_its_client_alone() {
    let (app, site, token) = school(Limits::default()).await;
    let mut socket = site.granted(&token).await;
    socket.open(&app, "a", ACCESS, json!({})).await;
    socket.open(&app, "b", ACCESS, json!({})).await;
    socket.send(json!({ "type": "complete", "id": "a" })).await;
    socket.send(json!({ "type": "complete", "id": "never begun" })).await;
    app.replace_policy(xueji::access::policy::Source::shipped()).await;
    let next = socket.next().await;
    assert_eq!(
        (&next["id"], &next["payload"]["data"]["accessChanged"]["kind"]),
        (&json!("b"), &json!("POLICY"))
    );
    socket.quiet(SILENCE).await;
    // The id of the one that ended is free.
    socket.subscribe("a", "{ __typename }", json!({})).await;
    assert_eq!(socket.next().await["id"], "a");
}

#[rstest]
#[case::no_json("{")]
#[case::no_object("[]")]
#[case::no_type("{}")]
#[case::unknown_type(r#"{"type":"start","id":"1","payload":{"query":"{a}"}}"#)]
#[case::of_the_server(r#"{"type":"connection_ack"}"#)]
#[case::no_id(r#"{"type":"subscribe","payload":{"query":"{a}"}}"#)]
#[case::no_query(r#"{"type":"subscribe","id":"1","payload":{}}"#)]
#[case::payload_no_object(r#"{"type":"connection_init","payload":"Bearer x"}"#)]
#[tokio::test]
async fn invalid_messages_close_with_4400(#[case] message: &str) {
    let (_app, site, _) = school(Limits::default()).await;
    let mut socket = site.socket().await;
    socket.raw(Message::text(message)).await;
    let (code, reason) = socket.closed().await;
    assert_eq!(code, 4400, "{reason}");
    assert!(!reason.is_empty());
}

#[tokio::test]
async fn a_binary_message_closes_with_4400() {
    let (_app, site, _) = school(Limits::default()).await;
    let mut socket = site.socket().await;
    socket.raw(Message::binary(br#"{"type":"ping"}"#.to_vec())).await;
    assert_eq!(socket.closed().await.0, 4400);
}

#[tokio::test]
async fn an_operation_before_the_connection_is_granted_closes_with_4401() {
    let (_app, site, _) = school(Limits::default()).await;
    let mut socket = site.socket().await;
    socket.subscribe("1", WHO, json!({})).await;
    assert_eq!(socket.closed().await, (4401, "Unauthorized".to_owned()));
}

#[tokio::test]
async fn a_connection_that_is_not_granted_closes_with_4403() {
    let (app, site, token) = school(Limits::default()).await;
    let stranger = app.token(&uuid::Uuid::now_v7().to_string());
    for payload in [
        json!(null),
        json!({}),
        json!({ "authorization": "Basic abc" }),
        json!({ "authorization": "Bearer nonsense" }),
        json!({ "authorization": 1 }),
        json!({ "authorization": format!("Bearer {stranger}") }),
    ] {
        let mut socket = site.socket().await;
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        let (code, reason) = socket.closed().await;
        assert_eq!(code, 4403, "{payload}");
        assert!(reason.starts_with("Forbidden"), "{reason}");
    }
    // The token of the handshake is enough, twice the same is fine, and two are none.
    let bearer = format!("Bearer {token}");
    let with = [PROTOCOL, ("authorization", bearer.as_str())];
    for payload in [json!({}), json!({ "Authorization": bearer })] {
        let mut socket = site.connect(&with).await.unwrap();
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        assert_eq!(socket.next().await["type"], "connection_ack");
    }
    let mut socket = site.connect(&with).await.unwrap();
    let other = format!("Bearer {}", app.stranger().token().await);
    socket.send(json!({ "type": "connection_init", "payload": { "authorization": other } })).await;
    assert_eq!(socket.closed().await.0, 4403);
    // One that does not verify is refused with the handshake.
    assert_eq!(
        site.connect(&[PROTOCOL, ("authorization", "Bearer nonsense")]).await.err(),
        Some(401)
    );
}

#[tokio::test]
async fn a_client_of_another_protocol_is_closed_with_4406() {
    let (_app, site, _) = school(Limits::default()).await;
    let mut socket = site.connect(&[]).await.unwrap();
    assert_eq!(socket.closed().await, (4406, "Subprotocol not acceptable".to_owned()));
}

#[tokio::test]
async fn a_connection_that_is_not_asked_for_in_time_closes_with_4408() {
    let (_app, site, _) = school(quick()).await;
    let mut socket = site.socket().await;
    // Signs of life are no reason to wait longer.
    socket.send(json!({ "type": "ping" })).await;
    assert_eq!(socket.closed().await, (4408, "Connection initialisation timeout".to_owned()));
}

#[tokio::test]
async fn an_id_in_use_closes_with_4409() {
    let (app, site, token) = school(Limits::default()).await;
    let mut socket = site.granted(&token).await;
    socket.open(&app, "one", ACCESS, json!({})).await;
    socket.subscribe("one", WHO, json!({})).await;
    assert_eq!(socket.closed().await, (4409, "Subscriber for one already exists".to_owned()));
}

#[tokio::test]
async fn a_second_init_closes_with_4429() {
    let (_app, site, token) = school(Limits::default()).await;
    let mut socket = site.granted(&token).await;
    let payload = json!({ "authorization": format!("Bearer {token}") });
    socket.send(json!({ "type": "connection_init", "payload": payload })).await;
    assert_eq!(socket.closed().await, (4429, "Too many initialisation requests".to_owned()));
}

#[tokio::test]
async fn a_message_that_is_too_long_closes_with_1009() {
    let (_app, site, token) = school(Limits { body_bytes: 70_000, ..Limits::default() }).await;
    let mut socket = site.granted(&token).await;
    socket.subscribe("1", &format!("{{ __typename {} }}", " ".repeat(80_000)), json!({})).await;
    assert_eq!(socket.closed().await.0, 1009);
}

#[tokio::test]
async fn a_server_that_stops_closes_with_1001() {
    let (app, mut site, token) = school(Limits::default()).await;
    let mut socket = site.granted(&token).await;
    socket.open(&app, "a", ACCESS, json!({})).await;
    site.begin_stop();
    assert_eq!(socket.closed().await.0, 1001);
    drop(socket);
}

#[tokio::test]
async fn a_stop_waits_for_no_websocket() {
    let (_app, site, token) = school(Limits::default()).await;
    let mut socket = site.granted(&token).await;
    let begun = Instant::now();
    let (code, ()) = tokio::join!(async { socket.closed().await.0 }, site.stop());
    assert_eq!(code, 1001);
    assert!(begun.elapsed() < SOON);
}

#[tokio::test]
async fn a_token_that_runs_out_closes_with_4403() {
    let (app, seed) = App::school().await;
    let site = app.serve().await;
    let person = app.registrar(seed.schools[0].id);
    let sub = uuid::Uuid::from(person.account().await).to_string();
    let (token, end) = app.short_lived(sub);
    let mut socket = site.granted(&token).await;
    socket.subscribe("a", ACCESS, json!({})).await;
    let (code, reason) = socket.closed().await;
    assert_eq!((code, reason.as_str()), (4403, "Forbidden: the token has expired"));
    end.has_just_come().await;
}

#[tokio::test]
async fn pages_of_other_origins_are_kept_out() {
    let (_app, site, _) = school(Limits::default()).await;
    for origin in ["https://elsewhere.example", "null", "http://127.0.0.1:1"] {
        assert_eq!(
            site.connect(&[PROTOCOL, ("origin", origin)]).await.err(),
            Some(403),
            "{origin}"
        );
    }
    let own = format!("http://{}", site.address());
    assert!(site.connect(&[PROTOCOL, ("origin", &own)]).await.is_ok());
}

#[tokio::test]
async fn a_flood_is_refused_clearly() {
    let limits =
        Limits { streams: 5, streams_per_account: 8, live_per_address: 3, ..Limits::default() };
    let (app, site, token) = school(limits).await;
    let mut first = site.granted(&token).await;
    for at in 0..5 {
        first.open(&app, &at.to_string(), ACCESS, json!({})).await;
    }
    // A sixth on the connection, a ninth of the account.
    first.subscribe("more", ACCESS, json!({})).await;
    let refused = first.next().await;
    assert_eq!(error_code(&refused), "LIMIT_EXCEEDED");
    assert!(refused["payload"][0]["message"].as_str().unwrap().contains('5'), "{refused}");
    let mut second = site.granted(&token).await;
    for at in 0..3 {
        second.open(&app, &at.to_string(), ACCESS, json!({})).await;
    }
    second.subscribe("more", ACCESS, json!({})).await;
    assert_eq!(error_code(&second.next().await), "LIMIT_EXCEEDED");
    // Others are served meanwhile, as long as their address has room.
    let other = app.stranger().token().await;
    let mut third = site.granted(&other).await;
    third.open(&app, "1", ACCESS, json!({})).await;
    assert_eq!(site.connect(&[PROTOCOL]).await.err(), Some(429));
    drop(third);
    let freed = async { while site.connect(&[PROTOCOL]).await.is_err() {} };
    tokio::time::timeout(SOON, freed).await.unwrap();
    // Queries pass all the time, where the connection has room.
    first.send(json!({ "type": "complete", "id": "0" })).await;
    app.until_streams(7).await;
    first.subscribe("q", WHO, json!({})).await;
    assert_eq!(first.next().await["type"], "next");
}

#[tokio::test]
async fn an_account_begins_so_many_subscriptions_in_a_minute() {
    // With two a minute the next is free after thirty seconds, however slow the machine is.
    let limits = Limits { subscribes_per_minute: 2, ..Limits::default() };
    let (app, site, token) = school(limits).await;
    let mut socket = site.granted(&token).await;
    for id in ["a", "b"] {
        socket.open(&app, id, ACCESS, json!({})).await;
        socket.send(json!({ "type": "complete", "id": id })).await;
        app.until_streams(0).await;
    }
    socket.subscribe("c", ACCESS, json!({})).await;
    let refused = socket.next().await;
    assert_eq!(error_code(&refused), "LIMIT_EXCEEDED");
    assert!(refused["payload"][0]["message"].as_str().unwrap().contains("minute"), "{refused}");
    // Queries pass all the time, and so do others.
    socket.subscribe("q", WHO, json!({})).await;
    assert_eq!(socket.next().await["type"], "next");
    let mut other = site.granted(&app.stranger().token().await).await;
    other.open(&app, "1", ACCESS, json!({})).await;
}

/// A masked frame of a client, with a mask that changes nothing.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first, 0x80 | u8::try_from(payload.len()).unwrap(), 0, 0, 0, 0];
    bytes.extend(payload);
    bytes
}

#[rstest]
#[case::without_a_mask(vec![0x81, 0x02, b'{', b'}'])]
#[case::bits_that_are_reserved(frame(0xC1, b"{}"))]
#[case::an_unknown_kind(frame(0x83, b"{}"))]
#[case::a_rest_of_nothing(frame(0x80, b"{}"))]
#[case::a_ping_in_pieces(frame(0x09, b"{}"))]
#[case::a_ping_that_is_too_long([vec![0x89, 0xFE, 0x00, 0x7E], vec![0; 4 + 126]].concat())]
#[tokio::test]
async fn a_frame_that_is_none_closes_with_1002(#[case] bytes: Vec<u8>) {
    let (_app, site, token) = school(Limits::default()).await;
    for granted in [false, true] {
        let mut socket = if granted { site.granted(&token).await } else { site.socket().await };
        socket.bytes(&bytes).await;
        assert_eq!(socket.closed().await, (1002, "Frame not acceptable".to_owned()));
    }
}

#[tokio::test]
async fn a_text_that_is_not_utf_8_closes_with_1007() {
    let (_app, site, token) = school(Limits::default()).await;
    let mut socket = site.granted(&token).await;
    socket.bytes(&frame(0x81, b"{\"type\":\"ping\",\"id\":\"\xFF\"}")).await;
    assert_eq!(socket.closed().await, (1007, "Text must be UTF-8".to_owned()));
}

#[tokio::test]
async fn a_connection_that_nobody_can_grant_for_now_closes_with_1013() {
    let (app, site, token) = school(Limits::default()).await;
    let mut socket = site.socket().await;
    app.lose_database().await;
    socket
        .send(json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } }))
        .await;
    assert_eq!(socket.closed().await, (1013, "Try again later".to_owned()));
    // A token in the handshake is looked at before there is a socket.
    let bearer = format!("Bearer {token}");
    assert_eq!(site.connect(&[PROTOCOL, ("authorization", &bearer)]).await.err(), Some(503));
}

#[tokio::test]
async fn a_fault_of_the_server_closes_with_4500() {
    let (app, site, token) = school(Limits::default()).await;
    let mut socket = site.socket().await;
    // A schema that is not the program's: nothing that trying again would help against.
    let away = "ALTER TABLE access_grant RENAME TO access_grant_of_another_program";
    sea_orm::ConnectionTrait::execute_unprepared(app.db(), away).await.unwrap();
    socket
        .send(json!({ "type": "connection_init", "payload": { "authorization": format!("Bearer {token}") } }))
        .await;
    assert_eq!(socket.closed().await, (4500, "Internal server error".to_owned()));
}

#[tokio::test]
async fn log_lines_name_neither_documents_nor_values() {
    let (app, site, token) = school(Limits::default()).await;
    let mut socket: Socket = site.granted(&token).await;
    let document = "query Mkdocument($mkname: String!) { students(filter: { name: { eq: $mkname } }) { totalCount } }";
    socket.subscribe("Mkoperationid", document, json!({ "mkname": "Mkvariable-ws" })).await;
    assert_eq!(socket.next().await["type"], "next");
    assert_eq!(socket.next().await["type"], "complete");
    socket
        .open(&app, "Mkstreamid", "subscription Watching { accessChanged { kind } }", json!({}))
        .await;
    socket.raw(Message::text(r#"{"type":"Mktype","id":"Mkid"}"#)).await;
    assert_eq!(socket.closed().await.0, 4400);
    site.stop().await;
    let lines = logs::text();
    assert!(lines.contains("operation ended") && lines.contains("websocket closed"));
    for word in ["Mkvariable-ws", "mkname", "Mkoperationid", "Mkstreamid", "Mktype", &token] {
        assert!(!lines.contains(word), "{word} was logged");
    }
}
