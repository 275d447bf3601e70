//! Who is let in: a token of ours for an account that is there, and nothing else.

use axum::body::Body;
use axum::http::{Method, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;
use xueji::auth::jwt::Claims;
use xueji::clock::Clock;

use crate::support::answer::Answer;
use crate::support::app::{AUDIENCE, App, ISSUER, signer};

const DOCUMENT: &str = "{ students { totalCount } }";

async fn with(app: &App, token: &str, language: &str) -> Answer {
    app.post(Some(token), language, json!({ "query": DOCUMENT }).to_string()).await
}

fn now() -> u64 {
    u64::try_from(Clock::system(chrono_tz::UTC).now().timestamp()).unwrap()
}

fn claims(subject: &str) -> Claims {
    Claims {
        sub: subject.to_owned(),
        iss: ISSUER.to_owned(),
        iat: now() - 100,
        exp: now() + 3_600,
        jti: None,
        sid: None,
    }
}

#[tokio::test]
async fn a_token_that_does_not_verify_is_refused_with_what_to_do() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let subject = Uuid::from(registrar.account().await).to_string();
    let good = claims(&subject);
    let folder = TempDir::new().unwrap();
    let foreign = signer(folder.path());
    let signed = app.sign(&good);
    let (head, rest) = signed.split_once('.').unwrap();
    let (payload, signature) = rest.split_once('.').unwrap();
    let none = URL_SAFE_NO_PAD.encode(format!("{{\"alg\":\"none\",\"kid\":\"{}\"}}", app.kid()));
    let hmac = URL_SAFE_NO_PAD.encode(format!("{{\"alg\":\"HS256\",\"kid\":\"{}\"}}", app.kid()));
    let other = {
        let other = claims(&Uuid::now_v7().to_string());
        app.sign(&other).split('.').nth(1).unwrap().to_owned()
    };
    for (what, token, en, zh) in [
        ("expired", app.sign(&Claims { exp: now() - 60, ..good.clone() }), "expired", "已过期"),
        (
            "of another issuer",
            app.sign(&Claims { iss: "elsewhere".to_owned(), ..good.clone() }),
            "another issuer",
            "签发者",
        ),
        (
            "not valid yet",
            app.sign(&Claims { iat: now() + 600, ..good.clone() }),
            "not valid yet",
            "尚未生效",
        ),
        ("signed by another key", foreign.sign(&good, AUDIENCE).unwrap(), "signature", "签名"),
        ("unsigned", format!("{none}.{payload}."), "", ""),
        ("unsigned under the own header", format!("{head}.{payload}."), "", ""),
        ("of another algorithm", format!("{hmac}.{payload}.{signature}"), "signature", "签名"),
        ("with another payload", format!("{head}.{other}.{signature}"), "signature", "签名"),
        (
            "for an unknown account",
            app.sign(&claims(&Uuid::now_v7().to_string())),
            "not known",
            "不存在",
        ),
        ("for no account", app.sign(&claims("root")), "not known", "不存在"),
        ("nonsense", "x".to_owned(), "malformed", "格式错误"),
        ("too long", "x".repeat(10_000), "too long", "过长"),
    ] {
        let answer = with(&app, &token, "en").await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (401, "UNAUTHENTICATED"),
            "{what}: {}",
            answer.text
        );
        assert!(answer.message().contains(en), "{what}: {}", answer.message());
        assert!(answer.body.get("data").is_none(), "{what}");
        assert!(answer.headers.contains_key(header::WWW_AUTHENTICATE), "{what}");
        let answer = with(&app, &token, "zh").await;
        assert!(answer.message().contains(zh), "{what}: {}", answer.message());
    }
    assert_eq!(with(&app, &app.sign(&good), "en").await.at("/students/totalCount"), 9);
}

#[tokio::test]
async fn the_audience_is_checked() {
    let (app, seed) = App::school().await;
    let subject = Uuid::from(app.registrar(seed.schools[0].id).account().await).to_string();
    assert_eq!(with(&app, &app.sign(&claims(&subject)), "en").await.code(), "");
    // Signed by the same key for somebody else's service.
    let wrong = app.sign_for(&claims(&subject), "another-service");
    let answer = with(&app, &wrong, "en").await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, "UNAUTHENTICATED"));
    assert!(answer.message().contains("audience"), "{}", answer.message());
}

#[tokio::test]
async fn a_disabled_account_is_not_let_in() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    registrar.disable().await;
    let answer = registrar.ask(DOCUMENT).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (401, "UNAUTHENTICATED"));
    // It looks like an account that was never there.
    let unknown = with(&app, &app.token(&Uuid::now_v7().to_string()), "en").await;
    assert_eq!(answer.without_request_id(), unknown.without_request_id());
}

#[tokio::test]
async fn a_header_that_is_no_bearer_token_is_refused_and_never_taken_for_a_visit() {
    let (app, _seed) = App::school().await;
    for (values, status) in [
        (vec!["Basic dXNlcjpwYXNz"], 401),
        (vec!["Bearer"], 400),
        (vec!["Bearer "], 400),
        (vec!["Bearer a.b.c", "Bearer a.b.c"], 400),
    ] {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/graphql")
            .header(header::CONTENT_TYPE, "application/json");
        for value in &values {
            request = request.header(header::AUTHORIZATION, *value);
        }
        let body = json!({ "query": "{ __typename }" }).to_string();
        let answer = app.send(request.body(Body::from(body)).unwrap()).await;
        assert_eq!(answer.status, status, "{values:?}: {}", answer.text);
    }
}
