//! `POST /auth/activate`: a code sets a password, once and in time; whatever is wrong with it is one answer.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use chrono::TimeDelta;
use serde_json::{Value, json};
use tower::ServiceExt;
use xueji::config::settings::Limits;
use xueji::config::sign_in::SignIn;
use xueji::http::RemoteAddr;
use xueji_entity::audit::AuditOutcome;

use super::{create, disable, enable, lines, reset, staff_id, staff_of};
use crate::support::answer::Answer;
use crate::support::app::{App, Hand, within_a_second};
use crate::support::logs;
use crate::support::seed::Seed;

/// Passwords that the rules take.
const GOOD: &str = "Tr4in-to-Lhasa";
const OTHER: &str = "Kunming:42+Dali";

const ME: &str = r#"{"query":"{ viewer { grants { role } } }"}"#;

/// Rules as they are by default, with hashes that cost little.
fn rules() -> SignIn {
    SignIn { hash_memory_kib: 8_192, hash_passes: 1, ..SignIn::default() }
}

/// An account that a registrar has made, and its code.
async fn made(app: &App, seed: &Seed, login: &str, turn: usize) -> String {
    let staff = staff_of(app, seed.schools[0].id).await;
    let input = json!({ "login": login, "staffId": staff_id(app, staff[turn].id) });
    let made = create(&app.registrar(seed.schools[0].id), input).await;
    made.at("/accountCreate/activationCode").as_str().unwrap().to_owned()
}

async fn activate(app: &App, code: &str, password: &str) -> Answer {
    app.auth("activate", None, json!({ "code": code, "password": password })).await
}

async fn sign_in(app: &App, login: &str, password: &str) -> Answer {
    app.auth("sign-in", None, json!({ "login": login, "password": password })).await
}

async fn me(app: &App, token: &str) -> Answer {
    app.post(Some(token), "en", ME.to_owned()).await
}

fn word(answer: &Answer, key: &str) -> String {
    answer.body[key].as_str().unwrap_or_else(|| panic!("{key} in {}", answer.text)).to_owned()
}

async fn scene() -> (App, Seed, Hand) {
    App::door(rules()).await
}

#[tokio::test]
async fn a_code_sets_the_password_once_however_it_is_typed() {
    let (app, seed, _) = scene().await;
    let code = made(&app, &seed, "li.ming", 0).await;
    assert_eq!(sign_in(&app, "li.ming", GOOD).await.status, StatusCode::UNAUTHORIZED);
    let typed = code.to_lowercase().replace('-', " ");
    let body = json!({ "login": "li.ming", "code": typed, "password": GOOD });
    let done = app.auth("activate", None, body).await;
    assert_eq!((done.status, done.text.as_str()), (StatusCode::OK, "{}"));
    let let_in = sign_in(&app, "li.ming", GOOD).await;
    assert_eq!(let_in.body["mustChangePassword"], false, "{}", let_in.text);
    me(&app, &word(&let_in, "accessToken")).await.data();
    // A second use, by whoever looked over a shoulder.
    let again = activate(&app, &code, OTHER).await;
    assert_eq!((again.status, again.code()), (StatusCode::UNAUTHORIZED, "UNAUTHENTICATED"));
    sign_in(&app, "li.ming", GOOD).await;
    assert_eq!(sign_in(&app, "li.ming", OTHER).await.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn used_expired_withdrawn_unknown_and_odd_codes_are_one_answer() {
    let (app, seed, hand) = scene().await;
    let registrar = app.registrar(seed.schools[0].id);
    let used = made(&app, &seed, "used", 0).await;
    activate(&app, &used, GOOD).await;
    let withdrawn = made(&app, &seed, "withdrawn", 1).await;
    reset(&registrar, json!({ "login": "withdrawn" })).await.data();
    let barred = made(&app, &seed, "barred", 2).await;
    disable(&registrar, json!({ "login": "barred" })).await.data();
    enable(&registrar, json!({ "login": "barred" })).await.data();
    let other = app.administrator();
    let staff = staff_of(&app, seed.schools[1].id).await;
    let made_elsewhere =
        create(&other, json!({ "login": "late", "staffId": staff_id(&app, staff[0].id) })).await;
    let late = made_elsewhere.at("/accountCreate/activationCode").as_str().unwrap().to_owned();
    let other_login = json!({ "login": "used", "code": late, "password": GOOD });
    let other_login = app.auth("activate", None, other_login).await;
    hand.on(TimeDelta::days(14) - TimeDelta::microseconds(1));
    let weak = activate(&app, &late, "short").await;
    assert_eq!(weak.code(), "RULE_REFUSED", "in time until the last instant: {}", weak.text);
    hand.on(TimeDelta::microseconds(1));
    let mut answers = vec![other_login];
    for code in [&used, &withdrawn, &barred, &late, "ABCD-EFGH-JKMN-PQRS", "", "学籍", "ÿ"] {
        answers.push(activate(&app, code, GOOD).await);
    }
    answers.push(activate(&app, &"A".repeat(5_000), GOOD).await);
    let first = answers[0].without_request_id();
    for answer in &answers {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
        assert_eq!(answer.without_request_id(), first);
    }
    // The record tells them apart, as far as there is an account.
    let denied = lines(&app, "account.activate").await;
    let denied = denied.iter().filter(|line| line.outcome == AuditOutcome::Denied);
    let told: Vec<_> = denied.map(|line| line.detail.clone().unwrap()).collect();
    assert_eq!(
        told,
        [
            "other_login",
            "used",
            "used",
            "used",
            "expired",
            "unknown",
            "unknown",
            "unknown",
            "unknown",
            "unknown"
        ]
    );
}

#[tokio::test]
async fn a_password_that_the_rules_refuse_leaves_the_code_good() {
    let (app, seed, _) = scene().await;
    let code = made(&app, &seed, "li.ming", 0).await;
    for (password, rule) in [
        ("short", "PASSWORD_TOO_SHORT"),
        ("li.ming-2026-A", "PASSWORD_PERSONAL"),
        ("Password123!", "PASSWORD_COMMON"),
    ] {
        let refused = activate(&app, &code, password).await;
        assert_eq!(refused.error()["extensions"]["rule"], rule, "{}", refused.text);
        assert_eq!(refused.error()["extensions"]["field"], "password");
        assert!(!refused.text.contains(password), "{}", refused.text);
    }
    assert_eq!(activate(&app, &code, GOOD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_reset_ends_what_there_was_and_its_code_sets_another_password() {
    let (app, seed, _) = scene().await;
    let registrar = app.registrar(seed.schools[0].id);
    let code = made(&app, &seed, "li.ming", 0).await;
    activate(&app, &code, GOOD).await;
    let tokens = sign_in(&app, "li.ming", GOOD).await;
    let (access, refresh) = (word(&tokens, "accessToken"), word(&tokens, "refreshToken"));
    me(&app, &access).await.data();
    let reset = reset(&registrar, json!({ "login": "li.ming" })).await;
    let code = reset.at("/accountReset/activationCode").as_str().unwrap().to_owned();
    within_a_second(async || me(&app, &access).await.code() == "UNAUTHENTICATED").await;
    let gone = app.auth("refresh", None, json!({ "refreshToken": refresh })).await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
    assert_eq!(sign_in(&app, "li.ming", GOOD).await.status, StatusCode::UNAUTHORIZED);
    // What was withdrawn is not chosen again.
    let again = activate(&app, &code, GOOD).await;
    assert_eq!(again.error()["extensions"]["rule"], "PASSWORD_REUSED", "{}", again.text);
    assert_eq!(activate(&app, &code, OTHER).await.status, StatusCode::OK);
    assert_eq!(sign_in(&app, "li.ming", OTHER).await.status, StatusCode::OK);
    let line = lines(&app, "account.reset").await.pop().unwrap();
    assert_eq!(line.account_id.map(|id| id.uuid()), Some(registrar.account().await.uuid()));
    assert_eq!(line.columns.as_deref(), Some("password"));
}

#[tokio::test]
async fn a_disabled_account_has_no_token_no_refresh_and_no_sign_in() {
    let (app, seed, _) = scene().await;
    let registrar = app.registrar(seed.schools[0].id);
    let code = made(&app, &seed, "li.ming", 0).await;
    activate(&app, &code, GOOD).await;
    let tokens = sign_in(&app, "li.ming", GOOD).await;
    let (access, refresh) = (word(&tokens, "accessToken"), word(&tokens, "refreshToken"));
    me(&app, &access).await.data();
    disable(&registrar, json!({ "login": "li.ming" })).await.data();
    within_a_second(async || me(&app, &access).await.code() == "UNAUTHENTICATED").await;
    let gone = app.auth("refresh", None, json!({ "refreshToken": refresh })).await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
    let barred = sign_in(&app, "li.ming", GOOD).await;
    let unknown = sign_in(&app, "nobody", GOOD).await;
    assert_eq!(barred.without_request_id(), unknown.without_request_id());
    enable(&registrar, json!({ "login": "li.ming" })).await.data();
    assert_eq!(me(&app, &access).await.code(), "UNAUTHENTICATED", "what ended stays ended");
    assert_eq!(sign_in(&app, "li.ming", GOOD).await.status, StatusCode::OK);
}

#[tokio::test]
async fn codes_are_tried_as_slowly_as_passwords_and_never_logged() {
    let (app, seed, _) = scene().await;
    let code = made(&app, &seed, "li.ming", 0).await;
    let limits = Limits {
        sign_in_rate: xueji::config::door::Rate { per_minute: 1, burst: 3 },
        ..Limits::default()
    };
    let router = app.router_within(limits);
    let ask = async |code: &str, address: &str| {
        let body: Value = json!({ "code": code, "password": GOOD });
        let mut request = Request::post("/auth/activate")
            .header("content-type", "application/json")
            .body(Body::from(body.to_string()))
            .unwrap();
        let remote = SocketAddr::new(address.parse().unwrap(), 4_000);
        request.extensions_mut().insert(RemoteAddr(remote));
        router.clone().oneshot(request).await.unwrap().status()
    };
    let mut told = Vec::new();
    for _ in 0..6 {
        told.push(ask("ABCD-EFGH-JKMN-PQRS", "203.0.113.7").await);
    }
    assert_eq!(told[0], StatusCode::UNAUTHORIZED);
    assert_eq!(told[5], StatusCode::TOO_MANY_REQUESTS, "{told:?}");
    // Even the right one is not looked at then; from elsewhere it is.
    assert_eq!(ask(&code, "203.0.113.7").await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(ask(&code, "203.0.113.8").await, StatusCode::OK);
    let logged = logs::text();
    for mark in [&code, &code.replace('-', ""), "ABCD-EFGH", GOOD] {
        assert!(!logged.contains(mark), "{mark} is in the log");
    }
}
