//! When keys are fetched, what becomes of old ones, and how soon what was taken away is gone.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use xueji::config::oidc::Oidc;

use super::fake::{DISCOVERY, Ed, Fake, KEYS, Reply};
use super::{is_let_in, is_refused, linked, with};
use crate::support::app::{App, clock, within_a_second};

const ACCESS: &str = "subscription { accessChanged { kind viewer { grants { role } } } }";

/// A pause that outlasts every test.
const LONG: Duration = Duration::from_secs(86_400);

#[tokio::test]
async fn names_that_are_not_known_cause_one_fetch_however_many_tokens_come() {
    let ed = Ed::new("ed", 1);
    let fake = Fake::start(&[ed.public()]).await;
    let (app, seed) = App::school_trusting(Oidc { pause: LONG, ..fake.alone() }).await;
    linked(&app, &seed, &fake.url, "s").await;
    let claims = fake.claims("s");
    let unknown = |number: usize| ed.sign(json!({ "kid": format!("unknown-{number}") }), &claims);
    let tokens: Vec<_> = (0..200).map(unknown).collect();
    for answer in join_all(tokens.iter().map(|token| with(&app, token))).await {
        is_refused("an unknown name", &answer);
    }
    assert_eq!((fake.asked(DISCOVERY), fake.asked(KEYS)), (1, 1), "200 at once");
    for token in &tokens {
        is_refused("an unknown name", &with(&app, token).await);
    }
    app.look_at_issuers().await;
    assert_eq!((fake.asked(DISCOVERY), fake.asked(KEYS)), (1, 1), "200 one after the other");
    is_let_in(&with(&app, &ed.sign(json!({}), &claims)).await);
    println!("400 tokens with unknown names of keys: 1 fetch");
}

#[tokio::test]
async fn an_issuer_that_fails_is_left_alone_for_a_while() {
    let ed = Ed::new("ed", 1);
    let fake = Fake::start(&[ed.public()]).await;
    fake.reply(Some(Reply::Status(500)), None);
    let (app, seed) = App::school_trusting(Oidc { pause: LONG, ..fake.alone() }).await;
    linked(&app, &seed, &fake.url, "s").await;
    let token = ed.sign(json!({}), &fake.claims("s"));
    for _ in 0..20 {
        assert_eq!(with(&app, &token).await.code(), "UNAVAILABLE");
        app.look_at_issuers().await;
    }
    assert_eq!((fake.asked(DISCOVERY), fake.asked(KEYS)), (1, 0));
}

#[tokio::test]
async fn a_new_key_is_fetched_when_a_token_names_it_and_a_retired_one_verifies_nothing_more() {
    let (old, new) = (Ed::new("old", 1), Ed::new("new", 2));
    let fake = Fake::start(&[old.public()]).await;
    let settings = Oidc { refresh: Duration::ZERO, ..fake.alone() };
    let (app, seed) = App::school_trusting(settings).await;
    let sibling = app.sibling().await;
    linked(&app, &seed, &fake.url, "s").await;
    let claims = fake.claims("s");
    let [before, after] = [&old, &new].map(|key| key.sign(json!({}), &claims));
    for app in [&app, &sibling] {
        is_let_in(&with(app, &before).await);
        is_refused("a key that is not published", &with(app, &after).await);
    }
    fake.publish(&[old.public(), new.public()]);
    for app in [&app, &sibling] {
        is_let_in(&with(app, &after).await);
        // It has verified, and is remembered.
        is_let_in(&with(app, &before).await);
    }
    fake.publish(&[new.public()]);
    app.look_at_issuers().await;
    is_refused("a retired key", &with(&app, &before).await);
    is_let_in(&with(&app, &after).await);
    // The other process learns by itself, since it looks twice a second.
    within_a_second(async || with(&sibling, &before).await.code() == "UNAUTHENTICATED").await;
    is_let_in(&with(&sibling, &after).await);
    // Another key under the old name is another key.
    let again = Ed::new("new", 3);
    fake.publish(&[again.public()]);
    app.look_at_issuers().await;
    is_refused("a key whose name another has now", &with(&app, &after).await);
    is_let_in(&with(&app, &again.sign(json!({}), &claims)).await);
}

#[tokio::test]
async fn keys_serve_while_their_issuer_is_away_and_not_for_ever() {
    let ed = Ed::new("ed", 1);
    let fake = Fake::start(&[ed.public()]).await;
    let settings = Oidc { refresh: Duration::ZERO, ..fake.alone() };
    let (app, seed) = App::school_trusting(settings.clone()).await;
    linked(&app, &seed, &fake.url, "s").await;
    let sign = |number: u64| ed.sign(json!({ "n": number }), &fake.claims("s"));
    is_let_in(&with(&app, &sign(1)).await);
    let ready =
        async || -> Value { serde_json::from_str(&app.anonymous_get("/readyz").await).unwrap() };
    assert_eq!(ready().await["parts"]["issuers"], "ok");
    fake.reply(Some(Reply::Status(503)), None);
    app.look_at_issuers().await;
    for number in 1..4 {
        is_let_in(&with(&app, &sign(number)).await);
    }
    is_refused(
        "a name that is not known",
        &with(&app, &ed.sign(json!({ "kid": "x" }), &fake.claims("s"))).await,
    );
    let away = ready().await;
    assert_eq!((&away["ready"], &away["parts"]["issuers"]), (&json!(true), &json!("degraded")));
    assert_eq!(away["notes"]["issuers"], "1 of 1 cannot be reached");
    let metric = |value: u8| format!("xueji_oidc_issuer_away{{issuer=\"{}\"}} {value}", fake.url);
    let metrics = app.anonymous_get("/metrics").await;
    assert!(metrics.contains(&metric(1)), "{metrics}");
    let outcome = |outcome: &str| {
        format!("xueji_oidc_fetches_total{{issuer=\"{}\",outcome=\"{outcome}\"}}", fake.url)
    };
    assert!(
        metrics.contains(&outcome("done")) && metrics.contains(&outcome("failed")),
        "{metrics}"
    );
    fake.reply(None, None);
    app.look_at_issuers().await;
    assert_eq!(ready().await["parts"]["issuers"], "ok");
    assert!(app.anonymous_get("/metrics").await.contains(&metric(0)));
    // Where they may not be kept at all, they serve nobody.
    let (app, seed) = App::school_trusting(Oidc { keep: Duration::ZERO, ..settings }).await;
    linked(&app, &seed, &fake.url, "s").await;
    assert_eq!(with(&app, &sign(1)).await.code(), "UNAVAILABLE");
}

#[tokio::test]
async fn what_is_taken_away_is_gone_within_a_second_in_every_process() {
    let ed = Ed::new("ed", 1);
    let fake = Fake::start(&[ed.public()]).await;
    let (app, seed) = App::busy_school_trusting(fake.alone()).await;
    let sibling = app.sibling().await;
    let registrar = linked(&app, &seed, &fake.url, "one").await;
    let second = linked(&app, &seed, &fake.url, "two").await;
    let [one, two] = ["one", "two"].map(|subject| ed.sign(json!({}), &fake.claims(subject)));
    for app in [&app, &sibling] {
        is_let_in(&with(app, &one).await);
        is_let_in(&with(app, &two).await);
    }
    let login = registrar.login().await;
    assert!(app.store().unlink_identity(&login, &fake.url, "one", clock().now()).await.unwrap());
    for app in [&app, &sibling] {
        within_a_second(async || with(app, &one).await.code() == "UNAUTHENTICATED").await;
    }
    is_let_in(&with(&app, &two).await);
    second.disable().await;
    for app in [&app, &sibling] {
        within_a_second(async || with(app, &two).await.code() == "UNAUTHENTICATED").await;
    }
}

#[tokio::test]
async fn streams_end_with_the_identity_and_with_the_key() {
    let (ed, other) = (Ed::new("ed", 1), Ed::new("other", 2));
    let fake = Fake::start(&[ed.public(), other.public()]).await;
    let settings = Oidc { refresh: Duration::from_millis(1), ..fake.alone() };
    let (app, seed) = App::busy_school_trusting(settings).await;
    let site = app.serve().await;
    let registrar = linked(&app, &seed, &fake.url, "s").await;
    linked(&app, &seed, &fake.url, "t").await;
    let first = ed.sign(json!({}), &fake.claims("s"));
    let second = other.sign(json!({}), &fake.claims("t"));
    let mut socket = site.granted(&first).await;
    socket.open(&app, "a", ACCESS, json!({})).await;
    let mut events = site.events(Some(&first), json!({ "query": ACCESS })).await;
    let mut stays = site.granted(&second).await;
    stays.open(&app, "b", ACCESS, json!({})).await;
    app.until_streams(3).await;
    let login = registrar.login().await;
    assert!(app.store().unlink_identity(&login, &fake.url, "s", clock().now()).await.unwrap());
    assert_eq!(socket.closed().await.0, 4403);
    let (_, told) = events.next().await.unwrap();
    assert_eq!(told["errors"][0]["extensions"]["code"], "UNAUTHENTICATED", "{told}");
    app.until_streams(1).await;
    // The other stream goes on until its key is retired.
    fake.publish(&[ed.public()]);
    assert_eq!(stays.closed().await.0, 4403);
    app.until_streams(0).await;
}
