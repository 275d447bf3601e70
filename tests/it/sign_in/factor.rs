//! The second factor: set up by a code, asked for from then on, each code once; recovery codes instead.

use chrono::TimeDelta;
use sea_orm::EntityTrait;
use serde_json::json;
use totp_rs::{Builder, Secret};
use xueji::config::settings::DataCipher;
use xueji::config::sign_in::SignIn;
use xueji_entity::{credential, recovery_code};

use super::{
    GOOD, Login, OTHER, WHO, access, ask, go_on, refresh, rules, shut, told, with_password,
};
use crate::secrecy::rotation::rotation;
use crate::support::answer::Answer;
use crate::support::app::{App, Hand};

/// The code of a key so many steps from the present of the test.
fn code(key: &str, hand: Hand, steps: i64) -> String {
    let secret = Secret::try_from_base32(key).unwrap();
    let totp = Builder::new().with_secret(secret).build().unwrap();
    let time = hand.now().timestamp() + 30 * steps;
    totp.generate(u64::try_from(time).unwrap()).to_string()
}

/// Sets a second factor up; its key, and the recovery codes.
async fn set_up(app: &App, hand: Hand, token: &str) -> (String, Vec<String>) {
    let begun = app.auth("second-factor", Some(token), json!({ "password": GOOD })).await;
    assert_eq!(begun.status, 200, "{}", begun.text);
    let key = begun.body["secret"].as_str().unwrap().to_owned();
    assert!(begun.body["uri"].as_str().unwrap().contains(&key));
    let body = json!({ "code": code(&key, hand, 0) });
    let confirmed = app.auth("second-factor/confirm", Some(token), body).await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.text);
    let codes = confirmed.body["recoveryCodes"].as_array().unwrap();
    (key, codes.iter().map(|code| code.as_str().unwrap().to_owned()).collect())
}

async fn entered(login: &Login, app: &App) -> Answer {
    login.sign_in(app, GOOD).await
}

#[tokio::test]
async fn a_code_is_asked_for_and_serves_once() {
    let (app, seed, hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let token = access(&entered(&login, &app).await);
    shut(&app.auth("second-factor", Some(&token), json!({ "password": OTHER })).await);
    let (key, _) = set_up(&app, hand, &token).await;

    let needed = entered(&login, &app).await;
    assert_eq!((needed.status.as_u16(), needed.code()), (401, "SECOND_FACTOR_REQUIRED"));
    // Nobody learns so without the password.
    shut(&login.sign_in(&app, OTHER).await);
    shut(&login.sign_in_with(&app, OTHER, &code(&key, hand, 1)).await);
    for wrong in ["000000", "", "abc", "１２３４５６", &"1".repeat(5_000)] {
        let answer = login.sign_in_with(&app, GOOD, wrong).await;
        assert_eq!(answer.status, 401, "{wrong}");
        // One failure each would lock the account; a sign-in forgets them.
        hand.on(TimeDelta::minutes(3));
        assert_eq!(login.sign_in_with(&app, GOOD, &code(&key, hand, 0)).await.status, 200);
    }
    let used = code(&key, hand, 0);
    shut(&login.sign_in_with(&app, GOOD, &used).await);
    hand.on(TimeDelta::seconds(30));
    shut(&login.sign_in_with(&app, GOOD, &used).await);
    assert_eq!(login.sign_in_with(&app, GOOD, &code(&key, hand, 0)).await.status, 200);
    // A clock that jumps back brings no used code back, and what is new is accepted.
    hand.back(TimeDelta::seconds(60));
    for steps in [-1, 0, 1] {
        shut(&login.sign_in_with(&app, GOOD, &code(&key, hand, steps)).await);
    }
    hand.on(TimeDelta::seconds(90));
    assert_eq!(login.sign_in_with(&app, GOOD, &code(&key, hand, 0)).await.status, 200);
    let told = told(&app, login.account).await;
    assert!(told.iter().any(|(_, detail)| detail.starts_with("replayed_code")));
}

#[tokio::test]
async fn of_two_sign_ins_with_one_code_at_the_same_time_one_is_let_in() {
    let (app, seed, hand) = App::door(rules()).await;
    let other = app.other_door(hand).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let token = access(&entered(&login, &app).await);
    let (key, codes) = set_up(&app, hand, &token).await;
    hand.on(TimeDelta::seconds(30));
    for code in [code(&key, hand, 0), codes[0].clone()] {
        let (one, two) = tokio::join!(
            login.sign_in_with(&app, GOOD, &code),
            login.sign_in_with(&other, GOOD, &code)
        );
        let mut statuses = [one.status.as_u16(), two.status.as_u16()];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 401]);
    }
}

#[tokio::test]
async fn recovery_codes_stand_in_each_once() {
    let (app, seed, hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let token = access(&entered(&login, &app).await);
    let (_, codes) = set_up(&app, hand, &token).await;
    assert_eq!(codes.len(), 10);
    let typed = codes[3].to_uppercase().replace('-', " ");
    assert_eq!(login.sign_in_with(&app, GOOD, &typed).await.status, 200);
    shut(&login.sign_in_with(&app, GOOD, &codes[3]).await);
    assert_eq!(login.sign_in_with(&app, GOOD, &codes[4]).await.status, 200);
    // None is kept as it is typed.
    let kept = recovery_code::Entity::find().all(app.db()).await.unwrap();
    assert_eq!(kept.len(), 10);
    for row in &kept {
        let bytes = row.hash.as_bytes();
        assert_eq!(bytes.len(), 32);
        assert!(codes.iter().all(|code| !bytes.starts_with(code.as_bytes())));
    }
    assert_eq!(kept.iter().filter(|row| row.used_at.is_some()).count(), 2);
}

#[tokio::test]
async fn a_factor_is_removed_by_password_and_code_and_set_up_once() {
    let (app, seed, hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let token = access(&entered(&login, &app).await);
    let none = app.auth("second-factor/confirm", Some(&token), json!({ "code": "123456" })).await;
    assert_eq!(none.error()["extensions"]["rule"], "SECOND_FACTOR_NOT_BEGUN");
    let (key, codes) = set_up(&app, hand, &token).await;
    let twice = app.auth("second-factor", Some(&token), json!({ "password": GOOD })).await;
    assert_eq!(twice.error()["extensions"]["rule"], "SECOND_FACTOR_ACTIVE");
    hand.on(TimeDelta::seconds(30));
    let other = login.sign_in_with(&app, GOOD, &code(&key, hand, 0)).await;
    let remove = "second-factor/remove";
    let needed = app.auth(remove, Some(&token), json!({ "password": GOOD })).await;
    assert_eq!(needed.code(), "SECOND_FACTOR_REQUIRED");
    shut(&app.auth(remove, Some(&token), json!({ "password": OTHER, "code": codes[0] })).await);
    let done = app.auth(remove, Some(&token), json!({ "password": GOOD, "code": codes[0] })).await;
    assert_eq!(done.status, 200, "{}", done.text);
    shut(&go_on(&app, &refresh(&other)).await);
    assert_eq!(entered(&login, &app).await.status, 200);
    // The codes went with it.
    let (_, fresh) = set_up(&app, hand, &access(&entered(&login, &app).await)).await;
    shut(&login.sign_in_with(&app, GOOD, &codes[1]).await);
    assert_eq!(login.sign_in_with(&app, GOOD, &fresh[1]).await.status, 200);
}

#[tokio::test]
async fn roles_that_need_a_factor_may_do_nothing_before_they_have_one() {
    let factor_roles = vec!["registrar".to_owned()];
    let (app, seed, hand) = App::door(SignIn { factor_roles, ..rules() }).await;
    let school = seed.schools[0].id;
    let reviewer = with_password(&app, &app.reviewer(school), GOOD).await;
    let login = with_password(&app, &app.registrar(school), GOOD).await;
    let free = entered(&reviewer, &app).await;
    assert_eq!(free.body["mustSetUpSecondFactor"], false);
    ask(&app, &access(&free), WHO).await.data();
    let first = entered(&login, &app).await;
    assert_eq!(first.body["mustSetUpSecondFactor"], true);
    let token = access(&first);
    let asked = ask(&app, &token, WHO).await;
    assert_eq!((asked.status.as_u16(), asked.code()), (403, "SECOND_FACTOR_REQUIRED"));
    set_up(&app, hand, &token).await;
    ask(&app, &token, WHO).await.data();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_key_of_a_factor_outlives_a_change_of_the_data_key() {
    let (app, seed, hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let token = access(&entered(&login, &app).await);
    let (key, _) = set_up(&app, hand, &token).await;
    let sealed = async || {
        let row = credential::Entity::find_by_id(login.account).one(app.db()).await.unwrap();
        row.unwrap().totp_secret.unwrap()
    };
    let before = sealed().await;
    let done = rotation(&app, DataCipher::Sm4Gcm, 7).run(hand.now()).await.unwrap();
    assert_eq!(done.key, 2);
    assert_ne!(sealed().await, before, "it was sealed anew");
    hand.on(TimeDelta::seconds(30));
    shut(&login.sign_in_with(&app, GOOD, "000000").await);
    let answer = login.sign_in_with(&app, GOOD, &code(&key, hand, 0)).await;
    assert_eq!(answer.status, 200, "{}", answer.text);
}
