//! Who is let in, and that nobody learns from a refusal whether an account is there.

use axum::body::Body;
use axum::http::{Method, Request, header};
use chrono::TimeDelta;
use sea_orm::{EntityTrait, PaginatorTrait};
use serde_json::json;
use xueji::config::sign_in::SignIn;
use xueji_entity::credential;
use xueji_entity::login_session;
use xueji_entity::value::AccountId;

use super::{
    GOOD, OTHER, WHO, access, ask, claims, go_on, lines, refresh, rules, shut, told, with_password,
};
use crate::support::answer::Answer;
use crate::support::app::App;

#[tokio::test]
async fn name_and_password_lead_to_tokens_that_hold_for_minutes() {
    let (app, seed, hand) = App::door(rules()).await;
    let registrar = app.registrar(seed.schools[0].id);
    let login = with_password(&app, &registrar, GOOD).await;
    let answer = login.sign_in(&app, GOOD).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    assert_eq!(answer.body["expiresIn"], 600);
    assert_eq!(answer.body["refreshExpiresIn"], 7_200);
    assert_eq!(answer.body["mustChangePassword"], false);
    assert!(answer.body.get("lastSignIn").is_none());
    assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
    let token = access(&answer);
    let claimed = claims(&token);
    assert_eq!(claimed["exp"].as_u64().unwrap() - claimed["iat"].as_u64().unwrap(), 600);
    assert_eq!(claimed["sub"], login.account.to_string());
    let (by_password, by_issuer) = (
        ask(&app, &token, "{ students { totalCount } }").await,
        registrar.ask("{ students { totalCount } }").await,
    );
    assert_eq!(by_password.data(), by_issuer.data());
    hand.on(TimeDelta::minutes(5));
    let again = login.sign_in(&app, GOOD).await;
    assert!(again.body["lastSignIn"]["at"].as_str().unwrap().starts_with("2026-11-20T04:00"));
}

#[tokio::test]
async fn unknown_wrong_locked_and_barred_are_one_answer_for_the_same_work() {
    let (app, seed, _hand) = App::door(SignIn { lock_after: 1, ..rules() }).await;
    let school = seed.schools[0].id;
    let [wrong, locked, barred, bare] =
        [app.registrar(school), app.reviewer(school), app.principal(school), app.auditor(school)];
    let locked = with_password(&app, &locked, GOOD).await;
    shut(&locked.sign_in(&app, OTHER).await);
    let disabled = with_password(&app, &barred, GOOD).await;
    barred.disable().await;
    let program = app.school_analyst(school);
    program.account().await;
    let without = with_password(&app, &bare, GOOD).await;
    credential::Entity::delete_by_id(AccountId::from_uuid(without.account))
        .exec(app.db())
        .await
        .unwrap();
    let wrong = with_password(&app, &wrong, GOOD).await;
    let program = program.login().await;
    let long = "x".repeat(200);
    let mut seen: Vec<(String, u64, u64)> = Vec::new();
    for (login, password) in [
        ("nobody", GOOD),
        (long.as_str(), GOOD),
        ("nul\u{0}", GOOD),
        ("", ""),
        (wrong.login.as_str(), OTHER),
        (locked.login.as_str(), GOOD),
        (disabled.login.as_str(), GOOD),
        (without.login.as_str(), GOOD),
        (program.as_str(), GOOD),
        (wrong.login.to_uppercase().as_str(), GOOD),
    ] {
        let (statements, hashes) = (app.store().statements(), app.at_door().hasher().computed());
        let body = json!({ "login": login, "password": password });
        let answer = app.auth("sign-in", None, body).await;
        shut(&answer);
        let statements = app.store().statements() - statements;
        let hashes = app.at_door().hasher().computed() - hashes;
        seen.push((answer.without_request_id(), statements, hashes));
    }
    assert!(seen.iter().all(|one| *one == seen[0]), "{seen:#?}");
    assert_eq!(seen[0].2, 1, "one hash is computed, whoever it is");
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_and_quoted_nowhere() {
    let (app, _seed, _hand) = App::door(rules()).await;
    const MARK: &str = "Mk-secret-of-a-body";
    let send = async |body: String, kind: &str, method: Method, headers: &[&str]| -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri("/auth/sign-in")
            .header(header::CONTENT_TYPE, kind);
        for value in headers {
            request = request.header(header::AUTHORIZATION, *value);
        }
        app.send(request.body(Body::from(body)).unwrap()).await
    };
    let good = json!({ "login": "a", "password": MARK }).to_string();
    for (body, kind, method, headers, status) in [
        (String::new(), "application/json", Method::POST, vec![], 400),
        (format!("{{\"login\": \"{MARK}"), "application/json", Method::POST, vec![], 400),
        (json!({ "login": MARK }).to_string(), "application/json", Method::POST, vec![], 400),
        (json!([MARK]).to_string(), "application/json", Method::POST, vec![], 400),
        (
            json!({ "login": 1, "password": MARK }).to_string(),
            "application/json",
            Method::POST,
            vec![],
            400,
        ),
        (
            json!({ "login": "a", "password": MARK, "role": "administrator" }).to_string(),
            "application/json",
            Method::POST,
            vec![],
            400,
        ),
        ("[".repeat(8_000), "application/json", Method::POST, vec![], 400),
        (good.clone(), "text/plain", Method::POST, vec![], 415),
        (good.clone(), "application/json", Method::GET, vec![], 405),
        (good.clone(), "application/json", Method::POST, vec!["Bearer a.b.c", "Bearer a.b.c"], 400),
        (
            json!({ "login": "a", "password": MARK.repeat(5_000) }).to_string(),
            "application/json",
            Method::POST,
            vec![],
            413,
        ),
    ] {
        let answer = send(body, kind, method, &headers).await;
        assert_eq!(answer.status, status, "{}", answer.text);
        assert!(!answer.text.contains(MARK), "{}", answer.text);
    }
    assert_eq!(app.auth("elsewhere", None, json!({})).await.status, 404);
    assert!(!crate::support::logs::text().contains(MARK));
}

#[tokio::test]
async fn a_stopped_account_is_answered_like_one_with_a_wrong_password() {
    let (app, seed, _hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let token = refresh(&login.sign_in(&app, GOOD).await);
    let wrong = login.sign_in(&app, OTHER).await;
    let stop = "mutation($input: EmergencyStopInput!) { emergencyStop(input: $input) { stopId } }";
    let whose = json!({ "kind": "ACCOUNT", "login": login.login, "reason": "a lost telephone" });
    let stop = app.administrator().query(stop, json!({ "input": whose })).await;
    let sessions = async || login_session::Entity::find().count(app.db()).await.unwrap();
    let before = sessions().await;
    let right = login.sign_in(&app, GOOD).await;
    assert_eq!(right.without_request_id(), wrong.without_request_id());
    assert_eq!(sessions().await, before, "nothing was opened");
    // A session is not gone on with, and its token is not used up either.
    shut(&go_on(&app, &token).await);
    let lift = "mutation($input: EmergencyLiftInput!) { emergencyLift(input: $input) { stopId } }";
    let stop = stop.at("/emergencyStop/stopId").clone();
    app.administrator().query(lift, json!({ "input": { "stopId": stop } })).await.data();
    refresh(&go_on(&app, &token).await);
    access(&login.sign_in(&app, GOOD).await);
}

#[tokio::test]
async fn a_server_without_a_key_to_sign_with_says_so() {
    let (app, _seed) = App::school().await;
    let answer = app.auth("sign-in", None, json!({ "login": "a", "password": "b" })).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (404, "NOT_FOUND"));
    assert!(answer.message().contains("identity provider"), "{}", answer.message());
}

#[tokio::test]
async fn failures_lock_for_longer_and_longer_and_a_clock_that_jumps_back_unlocks_nothing() {
    let (app, seed, hand) = App::door(SignIn { lock_after: 3, ..rules() }).await;
    let other = app.other_door(hand).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    for _ in 0..3 {
        shut(&login.sign_in(&app, OTHER).await);
    }
    // In every process, whatever the password is.
    shut(&login.sign_in(&app, GOOD).await);
    shut(&login.sign_in(&other, GOOD).await);
    for back in [1, 60, 86_400, 1_000_000_000] {
        hand.back(TimeDelta::seconds(back));
        shut(&login.sign_in(&app, GOOD).await);
        hand.on(TimeDelta::seconds(back));
    }
    hand.on(TimeDelta::seconds(59));
    shut(&login.sign_in(&app, GOOD).await);
    hand.on(TimeDelta::seconds(1));
    shut(&login.sign_in(&app, OTHER).await);
    hand.on(TimeDelta::seconds(119));
    shut(&login.sign_in(&app, GOOD).await);
    hand.on(TimeDelta::seconds(1));
    assert_eq!(login.sign_in(&app, GOOD).await.status, 200);
    // Forgotten with the sign-in.
    shut(&login.sign_in(&app, OTHER).await);
    assert_eq!(login.sign_in(&app, GOOD).await.status, 200);
    let told = told(&app, login.account).await;
    let locks: Vec<_> = told
        .iter()
        .filter(|(_, detail)| detail.contains("locked for"))
        .map(|(_, detail)| detail.as_str())
        .collect();
    assert_eq!(locks, ["wrong_password; locked for 60 s", "wrong_password; locked for 120 s"]);
}

#[tokio::test]
async fn tries_at_the_same_time_count_one_after_the_other() {
    let (app, seed, _hand) = App::door(SignIn { lock_after: 3, ..rules() }).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let tries: Vec<_> = (0..8).map(|_| login.sign_in(&app, OTHER)).collect();
    for answer in futures_util::future::join_all(tries).await {
        shut(&answer);
    }
    let details: Vec<_> = told(&app, login.account)
        .await
        .into_iter()
        .filter(|(action, _)| action == "sign_in")
        .collect();
    let of = |what: &str| details.iter().filter(|(_, detail)| detail == what).count();
    assert_eq!(
        (of("wrong_password"), of("wrong_password; locked for 60 s"), of("locked")),
        (2, 1, 5),
        "{details:?}"
    );
}

#[tokio::test]
async fn another_session_of_another_issuer_is_none_of_ours() {
    let (app, seed, _hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let token = access(&login.sign_in(&app, GOOD).await);
    ask(&app, &token, WHO).await.data();
    // A token without a session has none to end, and no password to change.
    let foreign = app.token(&login.account.to_string());
    ask(&app, &foreign, WHO).await.data();
    for (act, body) in [
        ("sign-out", json!({})),
        ("password", json!({ "oldPassword": GOOD, "newPassword": OTHER })),
        ("second-factor", json!({ "password": GOOD })),
    ] {
        assert_eq!(app.auth(act, Some(&foreign), body.clone()).await.code(), "FORBIDDEN", "{act}");
        assert_eq!(app.auth(act, None, body).await.code(), "UNAUTHENTICATED", "{act}");
    }
    // A session of somebody else under one's own name leads nowhere.
    let mut stolen = claims(&token);
    stolen["sub"] = json!(app.reviewer(seed.schools[0].id).account().await.to_string());
    let stolen = app.sign(&serde_json::from_value(stolen).unwrap());
    shut(&ask(&app, &stolen, WHO).await);
    assert!(lines(&app, None).await.is_empty());
}
