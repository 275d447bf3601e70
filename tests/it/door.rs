//! At the door of the whole application: how fast accounts and addresses may ask, by request and by operation of a
//! websocket, and which pages get one.

use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower::ServiceExt;
use xueji::config::door::Rate;
use xueji::config::settings::Limits;
use xueji::http::Options;
use xueji_entity::account;

use axum::body::Body;
use axum::http::{Request, header};
use http_body_util::BodyExt;

use crate::support::app::App;

const WHO: &str = "{ viewer { grants { role } } }";
const ACCESS: &str = "subscription { accessChanged { kind } }";
const PROTOCOL: (&str, &str) = ("sec-websocket-protocol", "graphql-transport-ws");
/// So few turns that none comes back while a test runs.
const THREE: Rate = Rate { per_minute: 1, burst: 3 };

/// Other limits, and none on the pace but those of the test.
fn options(limits: impl FnOnce(Limits) -> Limits) -> Options {
    let off = Limits {
        account_rate: Rate::OFF,
        client_rate: Rate::OFF,
        address_rate: Rate::OFF,
        sign_in_rate: Rate::OFF,
        idle_time: std::time::Duration::from_secs(600),
        ..Limits::default()
    };
    Options { limits: limits(off), ..Options::default() }
}

#[tokio::test]
async fn an_account_that_asks_too_much_holds_up_nobody_else() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let two = Rate { burst: 2, ..THREE };
    let router =
        app.router_by(options(|off| Limits { account_rate: THREE, client_rate: two, ..off }));
    let ask = async |token: &str| {
        let request = Request::builder()
            .method("POST")
            .uri("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::from(json!({ "query": WHO }).to_string()))
            .unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice::<Value>(&bytes).unwrap())
    };
    let (person, program, other) =
        (app.registrar(school), app.registrar(school), app.registrar(school));
    let row = account::ActiveModel {
        id: Set(person.account().await),
        kind: Set(account::AccountKind::Staff),
        ..Default::default()
    };
    row.update(app.db()).await.unwrap();
    for (asker, turns, limit) in [(&person, 3, "account"), (&program, 2, "client")] {
        let token = asker.token().await;
        for _ in 0..turns {
            assert_eq!(ask(&token).await.1["data"]["viewer"]["grants"][0]["role"], "registrar");
        }
        let (status, refused) = ask(&token).await;
        let error = &refused["errors"][0];
        assert_eq!((status, &error["extensions"]["code"]), (429, &json!("LIMIT_EXCEEDED")));
        assert_eq!(error["extensions"]["limit"], limit);
        assert!(error["extensions"]["retryAfterSeconds"].as_u64().unwrap() > 0);
        assert!(refused.get("data").is_none());
    }
    assert_eq!(ask(&other.token().await).await.0, 200);
}

#[track_caller]
fn refused(message: &Value, limit: &str) {
    assert_eq!(message["type"], "error", "{message}");
    let extensions = &message["payload"][0]["extensions"];
    assert_eq!(
        (&extensions["code"], &extensions["limit"]),
        (&json!("LIMIT_EXCEEDED"), &json!(limit)),
        "{message}"
    );
    assert!(extensions["retryAfterSeconds"].as_u64().unwrap() > 0, "{message}");
}

#[tokio::test]
async fn each_operation_of_a_websocket_is_a_request_of_its_account() {
    let (app, seed) = App::school().await;
    let site = app.serve_by(options(|off| Limits { client_rate: THREE, ..off })).await;
    let token = app.registrar(seed.schools[0].id).token().await;
    // The first turn is that of the sign-in.
    let mut socket = site.granted(&token).await;
    socket.subscribe("q", WHO, json!({})).await;
    assert_eq!(socket.next().await["type"], "next");
    assert_eq!(socket.next().await["type"], "complete");
    socket.open(&app, "s", ACCESS, json!({})).await;
    for (id, document) in [("q", WHO), ("t", ACCESS)] {
        socket.subscribe(id, document, json!({})).await;
        let message = socket.next().await;
        assert_eq!(message["id"], id);
        refused(&message, "client");
    }
    // What is open stays open; the handshake, a stream of events and a plain request are refused with a status.
    app.until_streams(1).await;
    let bearer = format!("Bearer {token}");
    let handshake = site.connect(&[PROTOCOL, ("authorization", &bearer)]).await;
    assert_eq!(handshake.err(), Some(429));
    let events = site.events(Some(&token), json!({ "query": ACCESS })).await;
    assert_eq!(events.head.status, 429);
    assert!(events.head.headers.contains_key("retry-after"));
    let mut other = site.granted(&app.stranger().token().await).await;
    other.open(&app, "s", ACCESS, json!({})).await;
}

#[tokio::test]
async fn each_operation_of_a_websocket_is_a_request_of_its_address() {
    let (app, seed) = App::school().await;
    let site = app.serve_by(options(|off| Limits { address_rate: THREE, ..off })).await;
    let token = app.registrar(seed.schools[0].id).token().await;
    // The first turn is that of the handshake.
    let mut socket = site.granted(&token).await;
    for _ in 0..2 {
        socket.subscribe("q", "{ __typename }", json!({})).await;
        assert_eq!(socket.next().await["type"], "next");
        assert_eq!(socket.next().await["type"], "complete");
    }
    socket.subscribe("q", WHO, json!({})).await;
    refused(&socket.next().await, "address");
    assert_eq!(site.connect(&[PROTOCOL]).await.err(), Some(429));
}

#[tokio::test]
async fn sign_ins_that_fail_on_websockets_count_too() {
    let (app, seed) = App::school().await;
    let site = app.serve_by(options(|off| Limits { sign_in_rate: THREE, ..off })).await;
    let token = app.registrar(seed.schools[0].id).token().await;
    let init = async |token: &str| {
        let mut socket = site.socket().await;
        let payload = json!({ "authorization": format!("Bearer {token}") });
        socket.send(json!({ "type": "connection_init", "payload": payload })).await;
        socket.closed().await.0
    };
    for _ in 0..3 {
        assert_eq!(init("x.y.z").await, 4403);
    }
    // Neither is looked at any more.
    assert_eq!(init("x.y.z").await, 1013);
    assert_eq!(init(&token).await, 1013);
    let bearer = format!("Bearer {token}");
    assert_eq!(site.connect(&[PROTOCOL, ("authorization", &bearer)]).await.err(), Some(429));
}

#[tokio::test]
async fn pages_of_named_origins_get_a_websocket_and_others_none() {
    let (app, _seed) = App::school().await;
    let named = "https://portal.example.edu.cn";
    let site =
        app.serve_by(Options { origins: vec![named.to_owned()], ..options(|off| off) }).await;
    let own = format!("http://{}", site.address());
    for (origin, status) in [
        (named, None),
        (own.as_str(), None),
        ("https://portal.example.edu.cn.evil.example", Some(403)),
        ("http://portal.example.edu.cn", Some(403)),
        ("null", Some(403)),
    ] {
        let connected = site.connect(&[PROTOCOL, ("origin", origin)]).await;
        assert_eq!(connected.err(), status, "{origin}");
    }
}

#[tokio::test]
async fn the_answer_to_a_handshake_carries_the_headers_of_every_answer() {
    let (app, _seed) = App::school().await;
    let hsts = Some(std::time::Duration::from_secs(77));
    let site = app.serve_by(Options { hsts, ..options(|off| off) }).await;
    for (version, status) in [("13", "101"), ("12", "400")] {
        let mut stream = TcpStream::connect(site.address()).await.unwrap();
        let request = format!(
            "GET /graphql HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\n\
             sec-websocket-version: {version}\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
             sec-websocket-protocol: graphql-transport-ws\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.contains("\r\n\r\n") {
            let mut piece = [0; 1024];
            let read = stream.read(&mut piece).await.unwrap();
            assert!(read > 0, "{head}");
            head.push_str(&String::from_utf8_lossy(&piece[..read]));
        }
        assert!(head.starts_with(&format!("HTTP/1.1 {status}")), "{head}");
        for line in [
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "strict-transport-security: max-age=77",
            "cache-control: no-store",
        ] {
            assert!(head.contains(line), "{line} in {head}");
        }
        assert!(!head.contains("\r\nserver:") && !head.contains("set-cookie"), "{head}");
    }
}
