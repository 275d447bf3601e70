//! `grantGive`, `grantApprove`, `grantEnd`, `grantConfirm`: roles are given within the own reach, never to oneself, and the
//! powerful ones by two people; a place or an account beyond it is not there.

use chrono::{Days, NaiveDate, TimeDelta};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel};
use sea_orm::{PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use uuid::Uuid;
use xueji::access::caller::Place;
use xueji::access::table::Reach;
use xueji::config::settings::Exceptional;
use xueji_entity::access_grant::GrantOrigin;
use xueji_entity::account::AccountKind;
use xueji_entity::audit::AuditOutcome;
use xueji_entity::grant_request::RequestState;
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::value::{AccessGrantId, OrganisationId, StaffId, TokenHash};
use xueji_entity::{
    access_grant, account, activation_code, audit, grant_request, grant_review, outbox, staff,
};

use super::support::answer::Answer;
use super::support::app::{App, Hand, today, within_a_second};
use super::support::callers::Person;
use super::support::seed::{Seed, Shape};

const GIVE: &str = "mutation($input: GrantGiveInput!) { grantGive(input: $input) {
    grantId requestId expiresAt validFrom validUntil } }";
const APPROVE: &str = "mutation($input: GrantApproveInput!) { grantApprove(input: $input) {
    requestId grantId } }";
const END: &str = "mutation($input: GrantEndInput!) { grantEnd(input: $input) { grantId } }";
const CONFIRM: &str =
    "mutation($input: GrantConfirmInput!) { grantConfirm(input: $input) { grantId } }";
const REQUESTS: &str =
    "{ grantRequests { id role reach placeId account { login } reason own mayDecide
    requestedBy { login } validUntil } }";
const REVIEW: &str =
    "{ grantReview { id role reach placeId account { login } givenBy { login } ofDuty
    confirmed validUntil flags } }";

async fn school() -> (App, Hand, Seed) {
    let (app, hand) = App::by_hand().await;
    let seed = app.plant(Shape::default()).await;
    (app, hand, seed)
}

/// Makes a person a member of staff of their own; a second account of the same one, where `of` is named.
pub(crate) async fn employ<'a>(
    app: &'a App,
    person: Person<'a>,
    at: OrganisationId,
    of: Option<StaffId>,
) -> (Person<'a>, StaffId) {
    let id = match of {
        Some(id) => id,
        None => {
            let other = staff::Entity::find().one(app.db()).await.unwrap().unwrap();
            let id = StaffId::new();
            let row = staff::Model {
                id,
                organisation_id: at,
                staff_number: format!("S{}", id.uuid().simple()),
                phone: None,
                phone_hash: None,
                lifecycle: Lifecycle::Live,
                ..other
            };
            row.into_active_model().insert(app.db()).await.unwrap();
            id
        }
    };
    let row = account::ActiveModel {
        id: Set(person.account().await),
        staff_id: Set(Some(id)),
        kind: Set(AccountKind::Staff),
        ..Default::default()
    };
    row.update(app.db()).await.unwrap();
    (person, id)
}

/// Somebody who works there and holds nothing.
async fn colleague(app: &App, at: OrganisationId) -> Person<'_> {
    employ(app, app.stranger(), at, None).await.0
}

fn later(days: u64) -> NaiveDate {
    today() + Days::new(days)
}

async fn input(role: &str, place: Option<String>, to: &Person<'_>) -> Value {
    json!({ "role": role, "placeId": place, "toLogin": to.login().await, "reason": "Mkneeded" })
}

async fn give(person: &Person<'_>, input: Value) -> Answer {
    person.query(GIVE, json!({ "input": input })).await
}

async fn decide(person: &Person<'_>, request: &Value, decision: &str) -> Answer {
    let input = json!({ "requestId": request, "decision": decision });
    person.query(APPROVE, json!({ "input": input })).await
}

async fn end(person: &Person<'_>, grant: &Value) -> Answer {
    person.query(END, json!({ "input": { "grantId": grant } })).await
}

fn rule(answer: &Answer) -> &str {
    answer.error()["extensions"]["rule"].as_str().unwrap_or_default()
}

/// Asks until the role is held or is not, which it must be within a second.
async fn holds(person: &Person<'_>, role: &str, so: bool) {
    let held = async || {
        let grants = person.ask("{ viewer { grants { role } } }").await;
        grants.texts("/viewer/grants", "role").iter().any(|held| held == role) == so
    };
    within_a_second(held).await;
}

async fn grants_of(app: &App, person: &Person<'_>) -> Vec<access_grant::Model> {
    access_grant::Entity::find()
        .filter(access_grant::Column::AccountId.eq(person.account().await))
        .all(app.db())
        .await
        .unwrap()
}

#[tokio::test]
async fn a_principal_gives_a_class_alone_and_ends_it_and_both_are_so_within_a_second() {
    let (app, _, seed) = school().await;
    let (school, class) = (seed.schools[0].id, seed.first().id);
    let principal = app.principal(school);
    let teacher = colleague(&app, school).await;
    let place = Some(app.id("class_group", class));
    let given = give(&principal, input("homeroom_teacher", place, &teacher).await).await;
    assert!(given.at("/grantGive/requestId").is_null(), "{}", given.text);
    assert_eq!(given.at("/grantGive/validFrom"), &json!(today()));
    // It ends with the school year unless something else is said.
    assert_eq!(given.at("/grantGive/validUntil"), &json!("2027-08-31"));
    holds(&teacher, "homeroom_teacher", true).await;
    let roster = "query($id: ID!) { classGroup(id: $id) { students { totalCount } } }";
    let ask = json!({ "id": app.id("class_group", class) });
    let seen = teacher.query(roster, ask.clone()).await;
    assert_eq!(seen.at("/classGroup/students/totalCount"), 3, "{}", seen.text);

    let grant = given.at("/grantGive/grantId");
    let row = grants_of(&app, &teacher).await.remove(0);
    assert_eq!(row.granted_by_id, Some(principal.account().await));
    assert_eq!(end(&principal, grant).await.at("/grantEnd/grantId"), grant);
    within_a_second(async || teacher.query(roster, ask.clone()).await.code() == "NOT_FOUND").await;
    assert_eq!(end(&principal, grant).await.code(), "NOT_FOUND", "it has ended");
    // Told to the account, and on record with the columns.
    let told = outbox::Entity::find().filter(outbox::Column::AccountId.eq(teacher.account().await));
    assert_eq!(told.count(app.db()).await.unwrap(), 2);
    let lines = audit::Entity::find()
        .filter(audit::Column::Outcome.eq(AuditOutcome::Done))
        .order_by_asc(audit::Column::Id)
        .all(app.db())
        .await
        .unwrap();
    let acts: Vec<_> = lines.iter().map(|line| line.action.as_str()).collect();
    assert_eq!(acts, ["grant.give", "grant.end"]);
    let columns = lines[0].columns.as_deref().unwrap();
    assert!(columns.contains("role") && columns.contains("until"), "{columns}");
    let detail = lines[0].detail.as_deref().unwrap();
    assert!(detail.contains("homeroom_teacher") && !detail.contains("Mkneeded"), "{detail}");
    assert!(lines[0].rules.as_deref().is_some_and(|rules| rules.starts_with("actions.csv:")));
}

#[tokio::test]
async fn a_powerful_role_is_nothing_until_another_person_agrees() {
    let (app, _, seed) = school().await;
    let school = seed.schools[0].id;
    let (principal, _) = employ(&app, app.principal(school), school, None).await;
    let (deputy, _) = employ(&app, app.vice_principal(school), school, None).await;
    let registrar = colleague(&app, school).await;
    let place = Some(app.id("organisation", school));
    let asked = give(&principal, input("registrar", place.clone(), &registrar).await).await;
    assert!(asked.at("/grantGive/grantId").is_null(), "{}", asked.text);
    let request = asked.at("/grantGive/requestId");
    assert!(request.as_str().unwrap().starts_with("GrantRequest_"));
    assert!(grants_of(&app, &registrar).await.is_empty(), "nothing is given yet");
    // Asked for once is enough.
    let again = give(&deputy, input("registrar", place, &registrar).await).await;
    assert_eq!(rule(&again), "GRANT_HELD", "{}", again.text);

    let mine = principal.ask(REQUESTS).await;
    assert_eq!(mine.at("/grantRequests/0/own"), true, "{}", mine.text);
    assert_eq!(mine.at("/grantRequests/0/mayDecide"), false);
    let theirs = deputy.ask(REQUESTS).await;
    assert_eq!(theirs.at("/grantRequests/0/id"), request);
    assert_eq!(theirs.at("/grantRequests/0/mayDecide"), true);
    assert_eq!(theirs.at("/grantRequests/0/reason"), "Mkneeded");

    // Whoever asked does not agree, nor by a second account.
    assert_eq!(rule(&decide(&principal, request, "APPROVE").await), "GRANT_OWN_REQUEST");
    let staff = account::Entity::find_by_id(principal.account().await).one(app.db()).await.unwrap();
    let second = app.vice_principal(school);
    let (second, _) = employ(&app, second, school, staff.unwrap().staff_id).await;
    assert_eq!(rule(&decide(&second, request, "APPROVE").await), "GRANT_OWN_REQUEST");
    assert_eq!(second.ask(REQUESTS).await.at("/grantRequests/0/mayDecide"), false);
    // Another school's principal learns of nothing.
    let foreign = app.principal(seed.schools[1].id);
    let never = json!("GrantRequest_AAAAAAAAAAAAAAAAAAAAAA");
    let refused = decide(&foreign, request, "APPROVE").await;
    assert_eq!(refused.code(), "NOT_FOUND", "{}", refused.text);
    let unknown = decide(&foreign, &never, "APPROVE").await;
    assert_eq!(refused.without_request_id(), unknown.without_request_id());
    assert_eq!(foreign.ask(REQUESTS).await.at("/grantRequests"), &json!([]));

    let done = decide(&deputy, request, "APPROVE").await;
    assert!(done.at("/grantApprove/grantId").is_string(), "{}", done.text);
    holds(&registrar, "registrar", true).await;
    let row = grants_of(&app, &registrar).await.remove(0);
    assert_eq!(row.granted_by_id, Some(principal.account().await));
    assert_eq!(row.until, Some("2027-08-31".parse().unwrap()));
    let filed = grant_request::Entity::find().one(app.db()).await.unwrap().unwrap();
    assert_eq!(filed.state, RequestState::Approved);
    assert_eq!(filed.decided_by_id, Some(deputy.account().await));
    assert_eq!(filed.grant_id, Some(row.id));
    assert_eq!(rule(&decide(&deputy, request, "REFUSE").await), "GRANT_REQUEST_DECIDED");
    assert_eq!(deputy.ask(REQUESTS).await.at("/grantRequests"), &json!([]));
}

#[tokio::test]
async fn whoever_made_the_others_code_is_no_second_pair_of_eyes() {
    let (app, hand, seed) = school().await;
    let school = seed.schools[0].id;
    let (principal, _) = employ(&app, app.principal(school), school, None).await;
    let (deputy, _) = employ(&app, app.vice_principal(school), school, None).await;
    let to = colleague(&app, school).await;
    let place = Some(app.id("organisation", school));
    let asked = give(&principal, input("registrar", place, &to).await).await;
    let request = asked.at("/grantGive/requestId");
    let now = super::support::app::clock().now();
    activation_code::Model {
        id: uuid::Uuid::now_v7(),
        account_id: deputy.account().await,
        hash: TokenHash::from_bytes(vec![7; 32]),
        purpose: "reset".to_owned(),
        created_at: now,
        expires_at: now + TimeDelta::days(1),
        used_at: None,
        created_by_id: Some(principal.account().await),
    }
    .into_active_model()
    .insert(app.db())
    .await
    .unwrap();
    let refused = decide(&deputy, request, "APPROVE").await;
    assert_eq!(rule(&refused), "GRANT_AFTER_RESET", "{}", refused.text);
    assert!(grants_of(&app, &to).await.is_empty());
    hand.on(TimeDelta::days(31));
    let later = decide(&deputy, request, "APPROVE").await;
    assert_eq!(
        rule(&later),
        "GRANT_REQUEST_EXPIRED",
        "the code is no bar any more: {}",
        later.text
    );
}

#[tokio::test]
async fn requests_are_listed_by_what_one_may_give_at_their_place() {
    let (app, _, seed) = school().await;
    let [here, there] = [seed.schools[0].id, seed.schools[1].id];
    let (asking, _) = employ(&app, app.principal(there), there, None).await;
    let to = colleague(&app, there).await;
    let place = Some(app.id("organisation", there));
    let asked = give(&asking, input("vice_principal", place, &to).await).await;
    assert!(asked.at("/grantGive/requestId").is_string(), "{}", asked.text);
    // Who may give the role here, and less there, is told nothing of it there.
    let both =
        app.principal(here).and("vice_principal", Reach::School, Place::Organisation(there.uuid()));
    let (both, _) = employ(&app, both, here, None).await;
    assert_eq!(both.ask(REQUESTS).await.at("/grantRequests"), &json!([]));
    let refused = decide(&both, asked.at("/grantGive/requestId"), "APPROVE").await;
    assert_eq!(refused.code(), "NOT_FOUND", "{}", refused.text);
    let (second, _) = employ(&app, app.principal(there), there, None).await;
    assert_eq!(second.ask(REQUESTS).await.at("/grantRequests/0/mayDecide"), true);
}

#[tokio::test]
async fn a_request_is_refused_taken_back_and_too_late() {
    let (app, hand, seed) = school().await;
    let school = seed.schools[0].id;
    let (principal, _) = employ(&app, app.principal(school), school, None).await;
    let (deputy, _) = employ(&app, app.vice_principal(school), school, None).await;
    let place = Some(app.id("organisation", school));
    let ask = async |role: &str| {
        let to = colleague(&app, school).await;
        let asked = give(&principal, input(role, place.clone(), &to).await).await;
        (asked.at("/grantGive/requestId").clone(), to)
    };
    let (first, _) = ask("registrar").await;
    assert_eq!(rule(&decide(&deputy, &first, "WITHDRAW").await), "GRANT_REQUEST_OF_ANOTHER");
    assert!(decide(&deputy, &first, "REFUSE").await.at("/grantApprove/grantId").is_null());
    let (second, _) = ask("reviewer").await;
    decide(&principal, &second, "WITHDRAW").await.data();
    assert_eq!(rule(&decide(&deputy, &second, "APPROVE").await), "GRANT_REQUEST_DECIDED");
    let (third, to) = ask("aid_officer").await;
    hand.on(TimeDelta::days(7));
    let late = decide(&deputy, &third, "APPROVE").await;
    assert_eq!(rule(&late), "GRANT_REQUEST_EXPIRED", "{}", late.text);
    assert!(grants_of(&app, &to).await.is_empty());
    assert_eq!(deputy.ask(REQUESTS).await.at("/grantRequests"), &json!([]));
    // As the server does every minute.
    let now = super::support::app::clock().now() + TimeDelta::days(7);
    app.store().expire_requests(app.policy(), now).await.unwrap();
    let states: Vec<_> = grant_request::Entity::find()
        .order_by_asc(grant_request::Column::Id)
        .all(app.db())
        .await
        .unwrap()
        .into_iter()
        .map(|row| row.state)
        .collect();
    assert_eq!(states, [RequestState::Refused, RequestState::Withdrawn, RequestState::Expired]);
}

#[tokio::test]
async fn a_request_does_not_outlive_the_right_to_make_it() {
    let (app, _, seed) = school().await;
    let school = seed.schools[0].id;
    let (principal, _) = employ(&app, app.principal(school), school, None).await;
    let (deputy, _) = employ(&app, app.vice_principal(school), school, None).await;
    let place = Some(app.id("organisation", school));
    let to = colleague(&app, school).await;
    let asked = give(&principal, input("registrar", place.clone(), &to).await).await;
    principal.revoke().await;
    let stale = decide(&deputy, asked.at("/grantGive/requestId"), "APPROVE").await;
    assert_eq!(rule(&stale), "GRANT_REQUEST_STALE", "{}", stale.text);
    assert!(grants_of(&app, &to).await.is_empty());
    // Nor the account that it is to.
    let (other, _) = employ(&app, app.principal(school), school, None).await;
    let gone = colleague(&app, school).await;
    let asked = give(&other, input("reviewer", place, &gone).await).await;
    gone.disable().await;
    let stale = decide(&deputy, asked.at("/grantGive/requestId"), "APPROVE").await;
    assert_eq!(rule(&stale), "GRANT_REQUEST_STALE", "{}", stale.text);
}

#[tokio::test]
async fn nobody_gives_a_role_to_themselves() {
    let (app, _, seed) = school().await;
    let school = seed.schools[0].id;
    let (principal, staff) = employ(&app, app.principal(school), school, None).await;
    let class = Some(app.id("class_group", seed.first().id));
    let own = give(&principal, input("homeroom_teacher", class.clone(), &principal).await).await;
    assert_eq!(rule(&own), "GRANT_TO_SELF", "{}", own.text);
    // A second account of the same member of staff is oneself.
    let (second, _) = employ(&app, app.stranger(), school, Some(staff)).await;
    let own = give(&principal, input("homeroom_teacher", class, &second).await).await;
    assert_eq!(rule(&own), "GRANT_TO_SELF", "{}", own.text);
    assert!(grants_of(&app, &second).await.is_empty());
    // Nor agrees to their own, though somebody else asked.
    let (deputy, _) = employ(&app, app.vice_principal(school), school, None).await;
    let place = Some(app.id("organisation", school));
    let asked = give(&deputy, input("registrar", place, &second).await).await;
    let request = asked.at("/grantGive/requestId");
    assert_eq!(rule(&decide(&principal, request, "APPROVE").await), "GRANT_TO_SELF");
    // Administrators neither: not alone, and not by each other's request for themselves.
    let (one, other) = (app.administrator(), app.administrator());
    let own = give(&one, input("administrator", None, &one).await).await;
    assert_eq!(rule(&own), "GRANT_TO_SELF", "{}", own.text);
    let fresh = app.stranger();
    let asked = give(&one, input("administrator", None, &fresh).await).await;
    let request = asked.at("/grantGive/requestId");
    assert_eq!(rule(&decide(&one, request, "APPROVE").await), "GRANT_OWN_REQUEST");
    decide(&other, request, "APPROVE").await.data();
    holds(&fresh, "administrator", true).await;
}

#[tokio::test]
async fn a_place_or_an_account_out_of_reach_is_not_there() {
    let (app, _, seed) = school().await;
    let school = seed.schools[0].id;
    let principal = app.principal(school);
    let teacher = colleague(&app, school).await;
    let level = seed.schools[1].levels[0].id;
    let never = app.id("class_group", Uuid::now_v7());
    let unknown = give(&principal, input("homeroom_teacher", Some(never), &teacher).await).await;
    assert_eq!(unknown.code(), "NOT_FOUND", "{}", unknown.text);
    for (role, place) in [
        ("homeroom_teacher", app.id("class_group", seed.class(1, 0, 0).id)),
        ("year_head", app.id("year_level", level)),
        ("registrar", app.id("organisation", seed.schools[1].id)),
        ("county_officer", app.id("organisation", seed.counties[0])),
        // Of a place that is not there no policy is told either.
        ("astrologer", app.id("organisation", seed.schools[1].id)),
        ("guardian", app.id("student", seed.first().students[0])),
    ] {
        let refused = give(&principal, input(role, Some(place), &teacher).await).await;
        assert_eq!(refused.without_request_id(), unknown.without_request_id(), "{role}");
    }
    let anywhere = give(&principal, input("administrator", None, &teacher).await).await;
    assert_eq!(anywhere.without_request_id(), unknown.without_request_id());

    // Accounts: of another school, barred, of a family, of somebody who left, of nobody.
    let class = app.id("class_group", seed.first().id);
    let elsewhere = colleague(&app, seed.schools[1].id).await;
    let barred = colleague(&app, school).await;
    barred.disable().await;
    let (left, staff) = employ(&app, app.stranger(), school, None).await;
    staff::Entity::update_many()
        .col_expr(staff::Column::Lifecycle, Expr::val("deleted"))
        .filter(staff::Column::Id.eq(staff))
        .exec(app.db())
        .await
        .unwrap();
    let family = app.guardian(seed.first().students[0]);
    account::Entity::update_many()
        .col_expr(account::Column::Kind, Expr::val("guardian"))
        .filter(account::Column::Id.eq(family.account().await))
        .exec(app.db())
        .await
        .unwrap();
    let nobody = json!({ "role": "homeroom_teacher", "placeId": class, "toLogin": "login-of-nobody",
        "reason": "Mkneeded" });
    let nobody = give(&principal, nobody).await;
    assert_eq!(nobody.code(), "NOT_FOUND", "{}", nobody.text);
    for person in [&elsewhere, &barred, &left, &family, &app.stranger()] {
        let to = input("homeroom_teacher", Some(class.clone()), person).await;
        let refused = give(&principal, to).await;
        assert_eq!(refused.without_request_id(), nobody.without_request_id());
    }
    assert_eq!(access_grant::Entity::find().count(app.db()).await.unwrap(), 2, "none was given");
}

#[tokio::test]
async fn what_the_policy_does_not_let_one_give_is_refused() {
    let (app, _, seed) = school().await;
    let school = seed.schools[0].id;
    let principal = app.principal(school);
    let teacher = colleague(&app, school).await;
    let place = app.id("organisation", school);
    for role in
        ["principal", "privacy_officer", "auditor", "astrologer", "homeroom_teacher", "anyone"]
    {
        let refused = give(&principal, input(role, Some(place.clone()), &teacher).await).await;
        assert_eq!(rule(&refused), "GRANT_NOT_GIVABLE", "{role}: {}", refused.text);
    }
    let givable = principal.ask("{ viewer { givable { role reach fourEyes } } }").await;
    let givable = givable.at("/viewer/givable");
    assert_eq!(givable.as_array().unwrap().len(), 7, "{givable}");
    let class = json!({ "role": "homeroom_teacher", "reach": "class", "fourEyes": false });
    let keeper = json!({ "role": "registrar", "reach": "school", "fourEyes": true });
    let all = givable.as_array().unwrap();
    assert!(all.contains(&class) && all.contains(&keeper), "{givable}");
    // The county gives what the school may not, with four eyes, and where it looks after the school alone.
    let county = app.county_officer(seed.counties[0]);
    let asked = give(&county, input("privacy_officer", Some(place), &teacher).await).await;
    assert!(asked.at("/grantGive/requestId").is_string(), "{}", asked.text);
    let west = colleague(&app, seed.schools[2].id).await;
    let there = Some(app.id("organisation", seed.schools[2].id));
    let refused = give(&county, input("principal", there.clone(), &west).await).await;
    assert_eq!(refused.code(), "NOT_FOUND", "{}", refused.text);
    // The city stands above both, and has the county's lines.
    let city = app.city_officer(seed.city);
    assert!(
        give(&city, input("principal", there, &west).await)
            .await
            .at("/grantGive/requestId")
            .is_string()
    );
    // A registrar gives nothing.
    let registrar = app.registrar(school);
    let class = Some(app.id("class_group", seed.first().id));
    let refused = give(&registrar, input("homeroom_teacher", class, &teacher).await).await;
    assert_eq!(refused.code(), "FORBIDDEN", "{}", refused.text);
}

#[tokio::test]
async fn days_a_reason_and_what_is_held_already_are_checked() {
    let app = App::start_with(Exceptional { grant_days: 30, ..Exceptional::default() }).await;
    let seed = app.plant(Shape::default()).await;
    let school = seed.schools[0].id;
    let principal = app.principal(school);
    let teacher = colleague(&app, school).await;
    let class = app.id("class_group", seed.first().id);
    let base = input("homeroom_teacher", Some(class), &teacher).await;
    let with = |field: &str, value: Value| {
        let mut input = base.clone();
        input[field] = value;
        input
    };
    let yesterday = today().pred_opt().unwrap();
    for (field, value) in [
        ("since", json!(yesterday)),
        ("since", json!(later(93))),
        ("until", json!(later(30))),
        ("until", json!(yesterday)),
        ("reason", json!("x")),
        ("reason", json!("*** **")),
    ] {
        let refused = give(&principal, with(field, value.clone())).await;
        assert_eq!(refused.code(), "INVALID_INPUT", "{field} {value}: {}", refused.text);
    }
    // The longest that the settings allow, where the school year is longer.
    let given = give(&principal, base.clone()).await;
    assert_eq!(given.at("/grantGive/validUntil"), &json!(later(29)));
    assert_eq!(rule(&give(&principal, base.clone()).await), "GRANT_HELD");
    // After it, the same may be given anew.
    let mut after = with("since", json!(later(30)));
    after["until"] = json!(later(40));
    assert!(give(&principal, after).await.at("/grantGive/grantId").is_string());
    // Either the login or the account, and the account works as well.
    let both = with("toAccountId", json!(app.id("account", teacher.account().await)));
    assert_eq!(give(&principal, both).await.code(), "INVALID_INPUT");
    let mut by_id = with("toLogin", Value::Null);
    by_id["toAccountId"] = json!(app.id("account", colleague(&app, school).await.account().await));
    assert!(give(&principal, by_id).await.at("/grantGive/grantId").is_string());
}

#[tokio::test]
async fn a_repetition_is_answered_and_not_done_again() {
    let (app, _, seed) = school().await;
    let school = seed.schools[0].id;
    let (principal, _) = employ(&app, app.principal(school), school, None).await;
    let (deputy, _) = employ(&app, app.vice_principal(school), school, None).await;
    let to = colleague(&app, school).await;
    let place = Some(app.id("organisation", school));
    let mut ask = input("registrar", place, &to).await;
    ask["idempotencyKey"] = json!("give-0001");
    let first = give(&principal, ask.clone()).await;
    assert_eq!(give(&principal, ask.clone()).await.data(), first.data());
    assert_eq!(grant_request::Entity::find().count(app.db()).await.unwrap(), 1);
    ask["reason"] = json!("something else");
    assert_eq!(give(&principal, ask).await.code(), "CONFLICT");
    let approve = json!({ "input": { "requestId": first.at("/grantGive/requestId"),
        "decision": "APPROVE", "idempotencyKey": "agree-0001" } });
    let done = deputy.query(APPROVE, approve.clone()).await;
    assert_eq!(deputy.query(APPROVE, approve.clone()).await.data(), done.data());
    assert_eq!(grants_of(&app, &to).await.len(), 1);
    let ended = json!({ "input": { "grantId": done.at("/grantApprove/grantId"),
        "idempotencyKey": "end-00001" } });
    let answer = deputy.query(END, ended.clone()).await;
    assert_eq!(deputy.query(END, ended).await.data(), answer.data());
    // Whoever has lost the right is not answered again.
    deputy.revoke().await;
    within_a_second(async || deputy.query(APPROVE, approve.clone()).await.code() == "FORBIDDEN")
        .await;
}

#[tokio::test]
async fn what_ends_is_within_reach_and_never_the_last_administrator() {
    let (app, _, seed) = school().await;
    let school = seed.schools[0].id;
    let class = seed.first().id;
    let grant = async |person: &Person<'_>| {
        person.account().await;
        json!(app.id("access_grant", grants_of(&app, person).await[0].id))
    };
    let theirs = grant(&app.homeroom_teacher(seed.class(1, 0, 0).id)).await;
    let parents = grant(&app.guardian(seed.first().students[0])).await;
    let principal = app.principal(school);
    let never = end(&principal, &json!(app.id("access_grant", Uuid::now_v7()))).await;
    assert_eq!(never.code(), "NOT_FOUND");
    for out in [&theirs, &parents] {
        let refused = end(&principal, out).await;
        assert_eq!(refused.without_request_id(), never.without_request_id());
    }
    // In the own school, but not theirs to give.
    let watch = grant(&app.school_privacy_officer(school)).await;
    assert_eq!(rule(&end(&principal, &watch).await), "GRANT_NOT_YOURS_TO_END");
    let given_by_another = app.homeroom_teacher(class);
    let held = grant(&given_by_another).await;
    end(&principal, &held).await.data();
    holds(&given_by_another, "homeroom_teacher", false).await;

    let (one, other) = (app.administrator(), app.administrator());
    let (first, second) = (grant(&one).await, grant(&other).await);
    end(&one, &second).await.data();
    let last = end(&one, &first).await;
    assert_eq!(rule(&last), "GRANT_OF_THE_LAST", "{}", last.text);
    // One who cannot sign in is nobody.
    let barred = app.administrator();
    grant(&barred).await;
    barred.disable().await;
    assert_eq!(rule(&end(&one, &first).await), "GRANT_OF_THE_LAST");
    holds(&one, "administrator", true).await;
}

#[tokio::test]
async fn the_review_of_a_term_names_who_holds_what_and_what_is_odd() {
    let (app, _, seed) = school().await;
    let school = seed.schools[0].id;
    let (principal, _) = employ(&app, app.principal(school), school, None).await;
    let teacher = app.homeroom_teacher(seed.first().id);
    teacher.account().await;
    let barred = app.registrar(school);
    barred.disable().await;
    let foreign = app.principal(seed.schools[1].id);
    foreign.account().await;
    app.guardian(seed.first().students[0]).account().await;
    let review = principal.ask(REVIEW).await;
    let rows = review.at("/grantReview").as_array().unwrap().clone();
    let mut roles: Vec<_> = rows.iter().map(|row| row["role"].as_str().unwrap()).collect();
    roles.sort_unstable();
    assert_eq!(roles, ["homeroom_teacher", "principal", "registrar"], "{}", review.text);
    let of = |role: &str| rows.iter().find(|row| row["role"] == role).unwrap().clone();
    assert_eq!(of("registrar")["flags"], json!(["NO_END", "LEFT"]));
    assert_eq!(of("homeroom_teacher")["confirmed"], false);
    assert_eq!(of("homeroom_teacher")["account"]["login"], json!(teacher.login().await));
    for mark in ["Mkname", "Mkstudent", "Mkneeded", "Mkcaller"] {
        assert!(!review.text.contains(mark), "{mark} in {}", review.text);
    }

    let confirm = async |person: &Person<'_>, grant: &Value| {
        person.query(CONFIRM, json!({ "input": { "grantId": grant } })).await
    };
    assert_eq!(rule(&confirm(&principal, &of("principal")["id"]).await), "GRANT_TO_SELF");
    let grant = of("homeroom_teacher")["id"].clone();
    assert_eq!(confirm(&foreign, &grant).await.code(), "NOT_FOUND");
    let (now, day) = (super::support::app::clock().now(), today());
    let before = app.store().unconfirmed(day, now).await.unwrap();
    confirm(&principal, &grant).await.data();
    confirm(&app.school_privacy_officer(school), &grant).await.data();
    assert_eq!(grant_review::Entity::find().count(app.db()).await.unwrap(), 1, "once is enough");
    // The privacy officer is one more to be looked at.
    assert_eq!(app.store().unconfirmed(day, now).await.unwrap(), before);
    let review = principal.ask(REVIEW).await;
    let rows = review.at("/grantReview").as_array().unwrap();
    let teacher = rows.iter().find(|row| row["role"] == "homeroom_teacher").unwrap();
    assert_eq!(teacher["confirmed"], true);
    for person in [app.registrar(school), app.homeroom_teacher(seed.first().id), app.stranger()] {
        assert_eq!(person.ask(REVIEW).await.code(), "FORBIDDEN");
        assert_eq!(person.ask(REQUESTS).await.code(), "FORBIDDEN");
    }
}

#[tokio::test]
async fn an_account_holds_no_more_kinds_of_roles_than_it_can() {
    let (app, _, seed) = school().await;
    let school = seed.schools[0].id;
    let principal = app.principal(school);
    let teacher = colleague(&app, school).await;
    let account = teacher.account().await;
    // As many kinds as an account can hold, of roles that nobody knows.
    for number in 0..61 {
        let row = access_grant::ActiveModel {
            id: Set(AccessGrantId::new()),
            account_id: Set(account),
            role: Set(format!("role_{number}")),
            reach: Set("anywhere".to_owned()),
            since: Set(today()),
            origin: Set(None::<GrantOrigin>),
            ..Default::default()
        };
        row.insert(app.db()).await.unwrap();
    }
    let class = Some(app.id("class_group", seed.first().id));
    let full = give(&principal, input("homeroom_teacher", class, &teacher).await).await;
    assert_eq!(rule(&full), "GRANTS_TOO_MANY", "{}", full.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_reports_who_holds_what_at_a_school() {
    let (app, seed) = App::school_alone().await;
    let school = seed.schools[0].id;
    let teacher = app.homeroom_teacher(seed.first().id);
    let barred = app.registrar(school);
    barred.disable().await;
    app.principal(seed.schools[1].id).account().await;
    app.guardian(seed.first().students[0]).account().await;
    let (teacher, barred) = (teacher.login().await, barred.login().await);
    let folder = tempfile::TempDir::new().unwrap();
    let url = app.place().url.clone();
    let report = async |more: &[&str]| {
        let key = "fedcba9876543210".repeat(4);
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_xueji"));
        command.env_clear().current_dir(folder.path());
        command.args(["grants", "report", "--database-url", &url, "--lookup-key", &key]).args(more);
        let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, err) = report(&["--school", "3100000000", "--format", "csv"]).await;
    assert_eq!(code, Some(0), "{err}");
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 3, "the header, a class and the register: {out}");
    let class =
        format!("\"{teacher}\",\"homeroom_teacher\",\"class\",\"Class 1\",\"2026-09-01\",\"\"");
    assert!(lines[1].starts_with(&class), "{out}");
    assert!(lines[2].starts_with(&format!("\"{barred}\"")), "{out}");
    assert!(lines[2].ends_with("\"no\",\"no_end left\""), "{out}");
    assert!(!out.contains("Mk"), "no name of anybody: {out}");
    let (code, out, _) = report(&["--school", "3100000000"]).await;
    assert_eq!(code, Some(0));
    assert!(out.contains("2 grants, 2 with something odd, 2 not confirmed this term"), "{out}");
    let (code, _, err) = report(&["--school", "0000000000"]).await;
    assert_eq!(code, Some(1));
    assert!(err.contains("no school with the code"), "{err}");
}

#[tokio::test]
async fn two_who_agree_at_once_give_it_once_and_two_who_end_each_other_leave_one() {
    let (app, _, seed) = school().await;
    let school = seed.schools[0].id;
    let (principal, _) = employ(&app, app.principal(school), school, None).await;
    let (one, _) = employ(&app, app.vice_principal(school), school, None).await;
    let (two, _) = employ(&app, app.vice_principal(school), school, None).await;
    let to = colleague(&app, school).await;
    let place = Some(app.id("organisation", school));
    let asked = give(&principal, input("registrar", place, &to).await).await;
    let request = asked.at("/grantGive/requestId");
    let (a, b) = tokio::join!(decide(&one, request, "APPROVE"), decide(&two, request, "APPROVE"));
    let done = [&a, &b].iter().filter(|answer| answer.code().is_empty()).count();
    assert_eq!(done, 1, "{} {}", a.text, b.text);
    assert_eq!(grants_of(&app, &to).await.len(), 1);

    let (one, two) = (app.administrator(), app.administrator());
    one.account().await;
    two.account().await;
    let first = json!(app.id("access_grant", grants_of(&app, &one).await[0].id));
    let second = json!(app.id("access_grant", grants_of(&app, &two).await[0].id));
    let (a, b) = tokio::join!(end(&one, &second), end(&two, &first));
    let held = access_grant::Entity::find()
        .filter(access_grant::Column::Role.eq("administrator"))
        .filter(access_grant::Column::EndedAt.is_null())
        .count(app.db())
        .await
        .unwrap();
    assert_eq!(held, 1, "{} {}", a.text, b.text);
}
