//! Sessions: gone on with by refresh tokens, each once; ended by their holder, by time, and by a token that comes twice.

use chrono::TimeDelta;
use sea_orm::EntityTrait;
use serde_json::json;
use xueji_entity::login_session;

use super::{GOOD, WHO, access, ask, go_on, refresh, rules, shut, told, with_password};
use crate::support::app::{App, within_a_second};

#[tokio::test]
async fn a_refresh_token_serves_once_and_its_second_use_ends_the_session() {
    let (app, seed, _hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let entered = login.sign_in(&app, GOOD).await;
    let (first, old_access) = (refresh(&entered), access(&entered));
    let next = go_on(&app, &first).await;
    let (second, new_access) = (refresh(&next), access(&next));
    assert_ne!(first, second);
    ask(&app, &new_access, WHO).await.data();
    let third = refresh(&go_on(&app, &second).await);
    shut(&go_on(&app, &first).await);
    // Whoever holds the newest one is out as well.
    shut(&go_on(&app, &third).await);
    for token in [&old_access, &new_access] {
        within_a_second(async || ask(&app, token, WHO).await.status == 401).await;
    }
    let told = told(&app, login.account).await;
    let refused: Vec<_> = told.iter().filter(|(action, _)| action == "session.refresh").collect();
    assert_eq!(refused[0].1, "reused: the session was ended");
    assert_eq!(refused[1].1, "ended");
    assert_eq!(login.sign_in(&app, GOOD).await.status, 200, "the account is not locked by it");
}

#[tokio::test]
async fn of_two_refreshes_at_the_same_time_one_wins() {
    let (app, seed, hand) = App::door(rules()).await;
    let other = app.other_door(hand).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    for round in 1..=4 {
        let token = refresh(&login.sign_in(&app, GOOD).await);
        let (one, two) = tokio::join!(go_on(&app, &token), go_on(&other, &token));
        // Whoever lost has ended the session, perhaps before the other was answered.
        assert!([one.status.as_u16(), two.status.as_u16()].contains(&401));
        let sessions = login_session::Entity::find().all(app.db()).await.unwrap();
        assert_eq!(sessions.len(), round);
        for session in sessions {
            assert_eq!(session.refresh_generation, 1, "the token was replaced once");
            assert_eq!(session.end_reason.as_deref(), Some("reused"));
        }
    }
}

#[tokio::test]
async fn what_is_no_refresh_token_ends_nothing() {
    let (app, seed, _hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let entered = login.sign_in(&app, GOOD).await;
    let (token, bearer) = (refresh(&entered), access(&entered));
    for odd in ["", "x", "学籍", &token[1..], &format!("{token}{token}"), &bearer, &"A".repeat(64)]
    {
        shut(&go_on(&app, odd).await);
    }
    refresh(&go_on(&app, &token).await);
}

#[tokio::test]
async fn a_session_ends_when_it_is_idle_and_at_its_end_however_it_is_used() {
    let (app, seed, hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let idle = login.sign_in(&app, GOOD).await;
    let entered = login.sign_in(&app, GOOD).await;
    let mut token = refresh(&entered);
    for _ in 0..6 {
        hand.on(TimeDelta::minutes(119));
        let next = go_on(&app, &token).await;
        token = refresh(&next);
    }
    shut(&go_on(&app, &refresh(&idle)).await);
    shut(&ask(&app, &access(&idle), WHO).await);
    ask(&app, &access(&entered), WHO).await.data();
    // 714 of 720 minutes are over: what is left is all that a token may have.
    let last = go_on(&app, &token).await;
    assert_eq!(
        (last.body["expiresIn"].as_u64(), last.body["refreshExpiresIn"].as_u64()),
        (Some(360), Some(360))
    );
    hand.on(TimeDelta::minutes(6));
    shut(&go_on(&app, &refresh(&last)).await);
    shut(&ask(&app, &access(&last), WHO).await);
}

#[tokio::test]
async fn a_clock_that_jumps_back_neither_panics_nor_prolongs_what_has_ended() {
    let (app, seed, hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let entered = login.sign_in(&app, GOOD).await;
    hand.back(TimeDelta::days(400));
    let next = go_on(&app, &refresh(&entered)).await;
    assert_eq!(next.body["expiresIn"], 600, "never more than an access token has");
    assert_eq!(next.body["refreshExpiresIn"], 7_200);
    assert_eq!(
        app.auth("sign-out", Some(&access(&next)), json!({})).await.body["sessionsEnded"],
        1
    );
    hand.back(TimeDelta::days(400));
    shut(&go_on(&app, &refresh(&next)).await);
    shut(&ask(&app, &access(&next), WHO).await);
}

#[tokio::test]
async fn who_signs_out_is_out_within_a_second_in_every_process() {
    let (app, seed, hand) = App::door(rules()).await;
    let other = app.other_door(hand).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let (one, two) = (login.sign_in(&app, GOOD).await, login.sign_in(&app, GOOD).await);
    for app in [&app, &other] {
        ask(app, &access(&one), WHO).await.data();
    }
    let answer = app.auth("sign-out", Some(&access(&one)), json!({})).await;
    assert_eq!(answer.body["sessionsEnded"], 1, "{}", answer.text);
    shut(&ask(&app, &access(&one), WHO).await);
    within_a_second(async || ask(&other, &access(&one), WHO).await.status == 401).await;
    shut(&go_on(&app, &refresh(&one)).await);
    ask(&other, &access(&two), WHO).await.data();

    let three = login.sign_in(&other, GOOD).await;
    let everywhere = json!({ "everywhere": true });
    let answer = app.auth("sign-out", Some(&access(&two)), everywhere).await;
    assert_eq!(answer.body["sessionsEnded"], 2, "{}", answer.text);
    for entered in [&two, &three] {
        for app in [&app, &other] {
            within_a_second(async || ask(app, &access(entered), WHO).await.status == 401).await;
        }
    }
    let outs: Vec<_> = told(&app, login.account)
        .await
        .into_iter()
        .filter(|(action, _)| action == "session.sign_out")
        .collect();
    assert_eq!(outs.len(), 2);
    assert_eq!(outs[1].1, "everywhere: 2 ended");
}

#[tokio::test]
async fn a_session_that_ends_ends_its_streams_and_leaves_those_of_another() {
    const ACCESS: &str = "subscription { accessChanged { kind } }";
    let (app, seed, hand) = App::door(rules()).await;
    let other = app.other_door(hand).await;
    let site = app.serve().await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let (one, two) = (login.sign_in(&app, GOOD).await, login.sign_in(&app, GOOD).await);
    let mut ended = site.granted(&access(&one)).await;
    ended.open(&app, "s", ACCESS, json!({})).await;
    let mut stays = site.granted(&access(&two)).await;
    stays.open(&app, "s", ACCESS, json!({})).await;
    // In another process: nothing but the database tells of it.
    assert_eq!(other.auth("sign-out", Some(&access(&one)), json!({})).await.status, 200);
    app.look_at_accounts().await;
    let message = ended.next().await;
    assert_eq!(message["type"], "error", "{message}");
    assert_eq!(message["payload"][0]["extensions"]["code"], "UNAUTHENTICATED", "{message}");
    ended.subscribe("again", ACCESS, json!({})).await;
    let message = ended.next().await;
    assert_eq!(message["payload"][0]["extensions"]["code"], "UNAUTHENTICATED", "{message}");
    assert_eq!(app.streams(), 1);
    app.auth("sign-out", Some(&access(&two)), json!({ "everywhere": true })).await;
    app.look_at_accounts().await;
    let message = stays.next().await;
    assert_eq!(message["payload"][0]["extensions"]["code"], "UNAUTHENTICATED", "{message}");
}

#[tokio::test]
async fn a_session_is_forgotten_a_month_after_its_end_and_not_before() {
    let (app, seed, hand) = App::door(rules()).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let token = refresh(&login.sign_in(&app, GOOD).await);
    hand.on(TimeDelta::minutes(720) + TimeDelta::days(30));
    assert_eq!(app.store().forget_sessions(hand.now()).await.unwrap(), 0);
    hand.on(TimeDelta::seconds(1));
    let later = refresh(&login.sign_in(&app, GOOD).await);
    assert_eq!(app.store().forget_sessions(hand.now()).await.unwrap(), 1);
    shut(&go_on(&app, &token).await);
    assert_eq!(go_on(&app, &later).await.status, 200, "what still lasts stays");
}
