//! Sessions in the schema: one's own are listed and ended by everybody, those of others by administrators, on record.

use serde_json::{Value, json};
use xueji::access::caller::Place;
use xueji::access::table::Reach;

use super::{GOOD, OTHER, WHO, access, ask, go_on, refresh, rules, shut, told, with_password};
use crate::support::answer::Answer;
use crate::support::app::{App, within_a_second};

const OWN: &str = "{ viewer { sessions { id current program agent } lastSignIn { at address } previousSignIn { at } } }";
const OF: &str = "query($login: String!) { accountSessions(login: $login) { id current agent } }";
const END_OWN: &str =
    "mutation($input: ViewerSessionEndInput!) { viewerSessionEnd(input: $input) { ended } }";
const END: &str = "mutation($input: SessionEndInput!) { sessionEnd(input: $input) { ended } }";

async fn send(app: &App, token: &str, document: &str, variables: Value) -> Answer {
    let body = json!({ "query": document, "variables": variables }).to_string();
    app.post(Some(token), "en", body).await
}

#[tokio::test]
async fn own_sessions_are_listed_and_ended_and_no_others() {
    let (app, seed, _hand) = App::door(rules()).await;
    let school = seed.schools[0].id;
    let login = with_password(&app, &app.registrar(school), GOOD).await;
    let other = with_password(&app, &app.reviewer(school), GOOD).await;
    let (one, two) = (login.sign_in(&app, GOOD).await, login.sign_in(&app, GOOD).await);
    let theirs = access(&other.sign_in(&app, GOOD).await);
    let listed = ask(&app, &access(&two), OWN).await;
    let sessions = listed.at("/viewer/sessions").as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let current: Vec<_> = sessions.iter().map(|session| session["current"] == true).collect();
    assert_eq!(current, [true, false], "the newest first");
    assert_eq!(sessions[0]["agent"], "test");
    assert_eq!(listed.at("/viewer/lastSignIn/at"), "2026-11-20T04:00:00Z");
    assert!(!listed.at("/viewer/previousSignIn").is_null());
    let id = sessions[1]["id"].as_str().unwrap();
    assert!(
        !listed.text.contains(&super::claims(&access(&one))["sid"].as_str().unwrap().to_owned())
    );
    // Of somebody else the same id leads nowhere.
    let foreign = send(&app, &theirs, END_OWN, json!({ "input": { "id": id } })).await;
    assert_eq!(foreign.code(), "NOT_FOUND");
    for odd in ["LoginSession_x", "x", "Account_AAAAAAAAAAAAAAAAAAAAAA"] {
        let answer = send(&app, &theirs, END_OWN, json!({ "input": { "id": odd } })).await;
        assert_eq!(answer.code(), "NOT_FOUND", "{odd}");
    }
    let ended = send(&app, &access(&two), END_OWN, json!({ "input": { "id": id } })).await;
    assert_eq!(ended.at("/viewerSessionEnd/ended"), 1);
    shut(&go_on(&app, &refresh(&one)).await);
    let all = send(&app, &access(&two), END_OWN, json!({ "input": {} })).await;
    assert_eq!(all.at("/viewerSessionEnd/ended"), 1);
    within_a_second(async || ask(&app, &access(&two), WHO).await.status == 401).await;
    ask(&app, &theirs, WHO).await.data();
}

#[tokio::test]
async fn an_administrator_lists_and_ends_those_of_others_and_nobody_else_does() {
    let (app, seed, hand) = App::door(rules()).await;
    let second = app.other_door(hand).await;
    let school = seed.schools[0].id;
    let login = with_password(&app, &app.registrar(school), GOOD).await;
    let entered = login.sign_in(&app, GOOD).await;
    ask(&second, &access(&entered), WHO).await.data();
    let of = json!({ "login": login.login });
    let input = json!({ "input": { "login": login.login } });
    for person in [app.principal(school), app.reviewer(school), app.stranger()] {
        assert_eq!(person.query(OF, of.clone()).await.code(), "FORBIDDEN");
        assert_eq!(person.query(END, input.clone()).await.code(), "FORBIDDEN");
    }
    let administrator = app.stranger().and("administrator", Reach::Anywhere, Place::Anywhere);
    let listed = administrator.query(OF, of).await;
    assert_eq!(listed.at("/accountSessions").as_array().unwrap().len(), 1);
    assert_eq!(listed.at("/accountSessions/0/current"), false);
    let unknown = administrator.query(OF, json!({ "login": "nobody" })).await;
    assert_eq!(unknown.code(), "NOT_FOUND");
    let ended = administrator.query(END, input).await;
    assert_eq!(ended.at("/sessionEnd/ended"), 1);
    shut(&go_on(&app, &refresh(&entered)).await);
    for app in [&app, &second] {
        within_a_second(async || ask(app, &access(&entered), WHO).await.status == 401).await;
    }
    let told = told(&app, administrator.account().await.uuid()).await;
    let acts: Vec<_> = told.iter().map(|(action, _)| action.as_str()).collect();
    assert_eq!(acts, ["session.list", "session.list", "session.end"]);
    assert!(told[2].1.contains("all, 1 ended") && told[2].1.contains(&login.account.to_string()));
    shut(&login.sign_in(&app, OTHER).await);
}
