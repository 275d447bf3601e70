//! What is on record of the door, and that no secret is anywhere: not in the database, not in the logs.

use sea_orm::{ConnectionTrait, EntityTrait};
use serde_json::json;
use xueji_entity::audit::AuditOutcome;
use xueji_entity::{credential, login_session, password_history};

use super::{GOOD, OTHER, access, go_on, lines, refresh, rules, shut, told, with_password};
use crate::support::app::App;

#[tokio::test]
async fn every_act_at_the_door_is_on_record_and_an_unknown_name_is_not_written_down() {
    let (app, seed, _hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let unknown = "Mk-a-password-in-the-wrong-field";
    let answer = app.auth("sign-in", None, json!({ "login": unknown, "password": GOOD })).await;
    shut(&answer);
    shut(&login.sign_in(&app, OTHER).await);
    let entered = login.sign_in(&app, GOOD).await;
    let next = go_on(&app, &refresh(&entered)).await;
    let token = access(&next);
    let body = json!({ "oldPassword": GOOD, "newPassword": OTHER });
    assert_eq!(app.auth("password", Some(&token), body).await.status, 200);
    shut(&go_on(&app, &refresh(&entered)).await);
    let told = told(&app, login.account).await;
    let acts: Vec<_> =
        told.iter().map(|(action, detail)| (action.as_str(), detail.as_str())).collect();
    assert_eq!(
        acts,
        [
            ("password.set", ""),
            ("sign_in", "wrong_password"),
            ("sign_in", ""),
            ("password.change", ""),
            ("session.refresh", "reused: the session was ended"),
        ]
    );
    let of_nobody = lines(&app, None).await;
    assert_eq!(of_nobody.len(), 1);
    assert_eq!(
        (of_nobody[0].action.as_str(), of_nobody[0].outcome),
        ("sign_in", AuditOutcome::Denied)
    );
    assert_eq!(of_nobody[0].detail.as_deref(), Some("unknown"));
    assert!(!of_nobody[0].request_id.is_empty());
    assert!(!format!("{of_nobody:?}").contains(unknown));
    assert!(!crate::support::logs::text().contains(unknown));
}

#[tokio::test]
async fn without_a_record_nobody_is_let_in() {
    let (app, seed, _hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    app.db().execute_unprepared("ALTER TABLE audit RENAME TO audit_away").await.unwrap();
    let answer = login.sign_in(&app, GOOD).await;
    assert_eq!(answer.code(), "INTERNAL", "{}", answer.text);
    assert!(!answer.text.contains("accessToken"));
    assert!(login_session::Entity::find().all(app.db()).await.unwrap().is_empty());
}

#[tokio::test]
async fn no_secret_is_kept_as_it_is_sent() {
    let (app, seed, _hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let entered = login.sign_in(&app, GOOD).await;
    let (token, bearer) = (refresh(&entered), access(&entered));
    let begun = app.auth("second-factor", Some(&bearer), json!({ "password": GOOD })).await;
    let key = begun.body["secret"].as_str().unwrap().to_owned();
    let credentials = credential::Entity::find().all(app.db()).await.unwrap();
    let sealed = credentials[0].totp_secret.as_ref().unwrap().as_bytes().to_vec();
    assert!(!sealed.windows(key.len()).any(|window| window == key.as_bytes()));
    // In another row the key does not open.
    let opened = xueji::store::codec::Codec::open(
        &*app.codec(),
        "credential",
        "totp_secret",
        seed.schools[0].id.uuid(),
        &sealed,
    );
    assert!(opened.is_err());
    let sessions = login_session::Entity::find().all(app.db()).await.unwrap();
    let history = password_history::Entity::find().all(app.db()).await.unwrap();
    let shown =
        format!("{credentials:?}{sessions:?}{history:?}{:?}", told(&app, login.account).await);
    for secret in [GOOD, &token, &bearer, &key, "$argon2id$"] {
        assert!(!shown.contains(secret), "a secret is shown");
        assert!(!crate::support::logs::text().contains(secret), "a secret is logged");
    }
}
