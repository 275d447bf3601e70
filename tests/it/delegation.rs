//! `grantDelegate` and `grantRevoke`: a substitute holds the same duty at the same place, within the days and no longer,
//! whatever is kept in memory; nothing wider, nothing onward, and nobody learns of places that are not theirs.

use chrono::{Days, NaiveDate, TimeDelta};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, PaginatorTrait};
use sea_orm::{QueryFilter, QueryOrder};
use serde_json::{Value, json};
use xueji::access::caller::{Grant, Place, Session};
use xueji::access::table::{Reach, RoleId};
use xueji_entity::audit::AuditOutcome;
use xueji_entity::value::{AccessGrantId, AccountId, ClassGroupId, OrganisationId};
use xueji_entity::{access_grant, account, act_try, audit, outbox, staff};

use super::support::answer::Answer;
use super::support::app::{App, Hand, today, within_a_second};
use super::support::callers::Person;
use super::support::seed::{Seed, Shape};

const DELEGATE: &str = "mutation($input: GrantDelegateInput!) { grantDelegate(input: $input) {
    grantId validFrom validUntil } }";
const REVOKE: &str =
    "mutation($input: GrantRevokeInput!) { grantRevoke(input: $input) { grantId } }";
const ROSTER: &str = "query($id: ID!) { classGroup(id: $id) { students { totalCount } } }";

async fn school() -> (App, Hand, Seed) {
    let (app, hand) = App::by_hand().await;
    let seed = app.plant(Shape::default()).await;
    (app, hand, seed)
}

/// Somebody who works at the school and holds nothing.
async fn colleague<'a>(app: &'a App, school: OrganisationId) -> Person<'a> {
    let person = app.stranger();
    let staff = staff::Entity::find()
        .filter(staff::Column::OrganisationId.eq(school))
        .one(app.db())
        .await
        .unwrap()
        .expect("the school has staff");
    account::Entity::update_many()
        .col_expr(account::Column::StaffId, Expr::val(staff.id.uuid()))
        .filter(account::Column::Id.eq(person.account().await))
        .exec(app.db())
        .await
        .unwrap();
    person
}

fn later(days: u64) -> NaiveDate {
    today() + Days::new(days)
}

async fn give(person: &Person<'_>, input: Value) -> Answer {
    person.query(DELEGATE, json!({ "input": input })).await
}

/// The own class, from a day until a day.
async fn class_to(
    person: &Person<'_>,
    app: &App,
    class: ClassGroupId,
    to: &Person<'_>,
    days: (NaiveDate, NaiveDate),
) -> Answer {
    let input = json!({
        "role": "homeroom_teacher", "placeId": app.id("class_group", class),
        "toLogin": to.login().await, "since": days.0, "until": days.1, "reason": "Mkill for a week",
    });
    give(person, input).await
}

async fn roster(person: &Person<'_>, app: &App, class: ClassGroupId) -> Answer {
    person.query(ROSTER, json!({ "id": app.id("class_group", class) })).await
}

/// Reads until the answer has this code, which it must within a second.
async fn until(person: &Person<'_>, app: &App, class: ClassGroupId, code: &str) {
    within_a_second(async || roster(person, app, class).await.code() == code).await;
}

/// Asks until the role is held, which it must be within a second.
async fn holds(person: &Person<'_>, role: &str) {
    let held = async || {
        let grants = person.ask("{ viewer { grants { role } } }").await;
        grants.texts("/viewer/grants", "role").iter().any(|held| held == role)
    };
    within_a_second(held).await;
}

#[tokio::test]
async fn a_substitute_sees_the_roster_within_the_days_and_neither_before_nor_after() {
    let (app, hand, seed) = school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let substitute = colleague(&app, seed.schools[0].id).await;
    assert_eq!(roster(&substitute, &app, class.id).await.code(), "NOT_FOUND");
    let given = class_to(&teacher, &app, class.id, &substitute, (later(1), later(3))).await;
    assert_eq!(given.at("/grantDelegate/validFrom"), &json!(later(1)));
    assert_eq!(given.at("/grantDelegate/validUntil"), &json!(later(3)));

    assert_eq!(roster(&substitute, &app, class.id).await.code(), "NOT_FOUND", "before");
    hand.on(TimeDelta::hours(24));
    // A day later, and another day's session: at once.
    let seen = roster(&substitute, &app, class.id).await;
    assert_eq!(seen.at("/classGroup/students/totalCount"), class.students.len(), "within");
    let other = seed.class(0, 0, 1).id;
    assert_eq!(roster(&substitute, &app, other).await.code(), "NOT_FOUND", "another class");
    let viewer = substitute.ask("{ viewer { grants { role delegated validUntil } } }").await;
    assert_eq!(viewer.at("/viewer/grants/0/delegated"), true);
    assert_eq!(viewer.at("/viewer/grants/0/validUntil"), &json!(later(3)));
    hand.on(TimeDelta::hours(48));
    roster(&substitute, &app, class.id).await.data();
    // Asked a moment ago, and the day is over: kept sessions end with their day.
    hand.on(TimeDelta::hours(24));
    assert_eq!(roster(&substitute, &app, class.id).await.code(), "NOT_FOUND", "after");
    roster(&teacher, &app, class.id).await.data();
}

#[tokio::test]
async fn a_grant_with_an_instant_ends_at_it_inside_a_kept_session() {
    let (app, hand, seed) = school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    access_grant::Entity::update_many()
        .col_expr(
            access_grant::Column::ExpiresAt,
            Expr::val(super::support::app::clock().now() + TimeDelta::minutes(5)),
        )
        .filter(access_grant::Column::AccountId.eq(teacher.account().await))
        .exec(app.db())
        .await
        .unwrap();
    roster(&teacher, &app, class.id).await.data();
    hand.on(TimeDelta::minutes(5) - TimeDelta::microseconds(1));
    roster(&teacher, &app, class.id).await.data();
    hand.on(TimeDelta::microseconds(1));
    assert_eq!(roster(&teacher, &app, class.id).await.code(), "NOT_FOUND");
}

#[tokio::test]
async fn what_was_given_is_taken_back_within_a_second() {
    let (app, _, seed) = school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let substitute = colleague(&app, seed.schools[0].id).await;
    let given = class_to(&teacher, &app, class.id, &substitute, (today(), later(6))).await;
    let grant = given.at("/grantDelegate/grantId").clone();
    until(&substitute, &app, class.id, "").await;
    let input = json!({ "input": { "grantId": grant } });
    // A stranger to the duty learns nothing of it.
    let other = app.homeroom_teacher(seed.class(0, 0, 1).id);
    let never = json!({ "input": { "grantId": app.id("access_grant", uuid::Uuid::now_v7()) } });
    let refused = other.query(REVOKE, input.clone()).await;
    assert_eq!(refused.code(), "NOT_FOUND", "{}", refused.text);
    assert_eq!(refused.without_request_id(), other.query(REVOKE, never).await.without_request_id());

    assert_eq!(teacher.query(REVOKE, input.clone()).await.at("/grantRevoke/grantId"), &grant);
    until(&substitute, &app, class.id, "NOT_FOUND").await;
    let again = teacher.query(REVOKE, input).await;
    assert_eq!(again.code(), "NOT_FOUND", "it has ended: {}", again.text);
    // The substitute and the audit were told.
    let account = substitute.account().await;
    let told = outbox::Entity::find().filter(outbox::Column::AccountId.eq(account));
    assert_eq!(told.count(app.db()).await.unwrap(), 2);
    let lines = audit::Entity::find().order_by_asc(audit::Column::Id).all(app.db()).await.unwrap();
    let done: Vec<_> = lines
        .iter()
        .filter(|line| line.outcome == AuditOutcome::Done)
        .map(|line| (line.action.as_str(), line.noun.as_deref()))
        .collect();
    assert_eq!(
        done,
        [("grant.delegate", Some("access_grant")), ("grant.revoke", Some("access_grant"))]
    );
}

#[tokio::test]
async fn it_ends_with_the_duty_it_was_given_from() {
    let (app, _, seed) = school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let substitute = colleague(&app, seed.schools[0].id).await;
    class_to(&teacher, &app, class.id, &substitute, (today(), later(6))).await.data();
    until(&substitute, &app, class.id, "").await;
    teacher.revoke().await;
    until(&substitute, &app, class.id, "NOT_FOUND").await;
}

#[tokio::test]
async fn who_stands_above_gives_it_for_the_holder_and_nobody_else_does() {
    let (app, _, seed) = school().await;
    let class = seed.first();
    let level = seed.schools[0].levels[0].id;
    let teacher = app.homeroom_teacher(class.id);
    teacher.account().await;
    let substitute = colleague(&app, seed.schools[0].id).await;
    let days = (today(), later(2));
    let nobody = ClassGroupId::new();
    for person in [
        app.homeroom_teacher(seed.class(0, 0, 1).id),
        app.subject_teacher(class.id, seed.courses[0]),
        app.year_head(seed.schools[0].levels[1].id),
        app.principal(seed.schools[1].id),
    ] {
        let refused = class_to(&person, &app, class.id, &substitute, days).await;
        let never = class_to(&person, &app, nobody, &substitute, days).await;
        assert_eq!(refused.code(), "NOT_FOUND", "{:?} {}", person.held, refused.text);
        assert_eq!(refused.without_request_id(), never.without_request_id());
    }
    class_to(&app.year_head(level), &app, class.id, &substitute, days).await.data();
    let second = colleague(&app, seed.schools[0].id).await;
    let principal = app.principal(seed.schools[0].id);
    let given = class_to(&principal, &app, class.id, &second, days).await;
    // And takes back what another gave.
    let input = json!({ "input": { "grantId": given.at("/grantDelegate/grantId") } });
    app.year_head(level).query(REVOKE, input).await.data();
    // A class that nobody leads has nothing to give.
    let empty = class_to(&principal, &app, seed.class(0, 0, 1).id, &second, days).await;
    let leads = access_grant::Entity::find()
        .filter(access_grant::Column::ClassGroupId.eq(seed.class(0, 0, 1).id))
        .filter(access_grant::Column::Role.eq("homeroom_teacher"))
        .count(app.db())
        .await
        .unwrap();
    if leads == 0 {
        assert_eq!(empty.error()["extensions"]["rule"], "GRANT_NOT_HELD", "{}", empty.text);
    }
}

#[tokio::test]
async fn nothing_is_given_onward_to_oneself_or_beyond_the_own_duty() {
    let (app, _, seed) = school().await;
    let (school, class) = (seed.schools[0].id, seed.first());
    let teacher = app.homeroom_teacher(class.id);
    let substitute = colleague(&app, school).await;
    let third = colleague(&app, school).await;
    let days = (today(), later(6));
    class_to(&teacher, &app, class.id, &substitute, days).await.data();
    until(&substitute, &app, class.id, "").await;
    let onward = class_to(&substitute, &app, class.id, &third, days).await;
    assert_eq!(onward.error()["extensions"]["rule"], "GRANT_DELEGATED_ONWARD", "{}", onward.text);
    let own = substitute.ask("{ viewer { grants { id } } }").await;
    let input = json!({
        "grantId": own.at("/viewer/grants/0/id"), "toLogin": third.login().await,
        "until": later(1), "reason": "onward",
    });
    let onward = give(&substitute, input).await;
    assert_eq!(onward.error()["extensions"]["rule"], "GRANT_DELEGATED_ONWARD", "{}", onward.text);
    // A substitute for the head of the year gives no class away.
    let head = app.year_head(seed.schools[0].levels[0].id);
    let input = json!({
        "role": "year_head", "placeId": app.id("year_level", seed.schools[0].levels[0].id),
        "toLogin": third.login().await, "until": later(1), "reason": "a journey",
    });
    give(&head, input).await.data();
    let fourth = colleague(&app, school).await;
    holds(&third, "year_head").await;
    let refused = class_to(&third, &app, class.id, &fourth, days).await;
    assert_eq!(refused.code(), "NOT_FOUND", "{}", refused.text);
    // Another role at the own place, and the own account.
    let input = json!({
        "role": "principal", "placeId": app.id("class_group", class.id),
        "toLogin": third.login().await, "until": later(1), "reason": "more",
    });
    assert_eq!(give(&teacher, input).await.code(), "NOT_FOUND");
    let staff = staff::Entity::find()
        .filter(staff::Column::OrganisationId.eq(school))
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    let row = account::ActiveModel {
        id: Set(teacher.account().await),
        staff_id: Set(Some(staff.id)),
        ..Default::default()
    };
    row.update(app.db()).await.unwrap();
    let own = class_to(&teacher, &app, class.id, &teacher, days).await;
    assert_eq!(own.error()["extensions"]["rule"], "GRANT_TO_HOLDER", "{}", own.text);
}

#[tokio::test]
async fn an_account_elsewhere_is_not_found_like_one_that_is_not_there() {
    let (app, _, seed) = school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let elsewhere = colleague(&app, seed.schools[1].id).await;
    let barred = colleague(&app, seed.schools[0].id).await;
    barred.disable().await;
    let days = (today(), later(2));
    let a = class_to(&teacher, &app, class.id, &elsewhere, days).await;
    let b = class_to(&teacher, &app, class.id, &barred, days).await;
    let input = json!({
        "role": "homeroom_teacher", "placeId": app.id("class_group", class.id),
        "toLogin": "login-of-nobody", "since": days.0, "until": days.1, "reason": "Mkill for a week",
    });
    let c = give(&teacher, input).await;
    assert_eq!(a.code(), "NOT_FOUND", "{}", a.text);
    assert_eq!(a.without_request_id(), b.without_request_id());
    assert_eq!(a.without_request_id(), c.without_request_id());
}

const GIVEN: &str = "{ accessGrants { totalCount nodes { id role reach since until reason
    classGroup { name } yearLevel { id } account { login displayName } } } }";

#[tokio::test]
async fn the_giver_finds_what_was_given_until_it_ends_and_nobody_else_does() {
    let (app, hand, seed) = school().await;
    let (school, class) = (seed.schools[0].id, seed.first());
    let level = seed.schools[0].levels[0].id;
    let teacher = app.homeroom_teacher(class.id);
    let substitute = colleague(&app, school).await;
    assert_eq!(teacher.ask(GIVEN).await.at("/accessGrants/totalCount"), 0);
    let given = class_to(&teacher, &app, class.id, &substitute, (today(), later(6))).await;
    let id = given.at("/grantDelegate/grantId").clone();
    let list = teacher.ask(GIVEN).await;
    assert_eq!(list.at("/accessGrants/totalCount"), 1, "{}", list.text);
    let node = &list.at("/accessGrants/nodes")[0];
    assert_eq!(node["id"], id);
    assert_eq!((&node["role"], &node["reach"]), (&json!("homeroom_teacher"), &json!("class")));
    assert_eq!((&node["since"], &node["until"]), (&json!(today()), &json!(later(6))));
    assert!(node["classGroup"]["name"].is_string() && node["yearLevel"].is_null(), "{node}");
    assert_eq!(node["account"]["login"], json!(substitute.login().await));
    assert!(node["account"]["displayName"].is_null() && node["reason"].is_null(), "{node}");
    // One by one as well, and not by what was not given by oneself.
    let one = format!("{{ accessGrant(id: {id}) {{ until account {{ login }} }} }}");
    assert_eq!(teacher.ask(&one).await.at("/accessGrant/until"), &json!(later(6)));
    let own = teacher.ask("{ viewer { grants { id } } }").await;
    let mine = format!("{{ accessGrant(id: {}) {{ until }} }}", own.at("/viewer/grants/0/id"));
    assert_eq!(teacher.ask(&mine).await.code(), "NOT_FOUND");

    // What the head gives is the head's list; everybody else's stays empty, theirs who hold it included.
    let head = app.year_head(level);
    let second = colleague(&app, school).await;
    class_to(&head, &app, class.id, &second, (today(), later(2))).await.data();
    let listed = head.ask(GIVEN).await;
    assert_eq!(listed.at("/accessGrants/totalCount"), 1, "{}", listed.text);
    let login = listed.at("/accessGrants/nodes/0/account/login");
    assert_eq!(login, &json!(second.login().await));
    holds(&substitute, "homeroom_teacher").await;
    for person in [
        &substitute,
        &app.homeroom_teacher(class.id),
        &app.homeroom_teacher(seed.class(0, 0, 1).id),
        &app.year_head(level),
        &app.principal(school),
        &app.vice_principal(school),
        &app.registrar(school),
        &app.county_officer(seed.counties[0]),
        &app.privacy_officer(seed.province),
        &app.guardian(class.students[0]),
        &app.stranger(),
    ] {
        let nothing = person.ask(GIVEN).await;
        assert_eq!(nothing.at("/accessGrants/totalCount"), 0, "{:?} {}", person.held, nothing.text);
        assert_eq!(person.ask(&one).await.code(), "NOT_FOUND", "{:?}", person.held);
        let accounts = person.ask("{ accounts { totalCount } }").await;
        assert_eq!(accounts.at("/accounts/totalCount"), 0, "{:?}", person.held);
    }
    let all = app.administrator().ask(GIVEN).await;
    assert!(all.at("/accessGrants/totalCount").as_i64().unwrap() > 2, "{}", all.text);
    // To whom is told by following the reference alone: no account is found by its login.
    let asked =
        teacher.ask("{ accounts(filter: { login: { startsWith: \"l\" } }) { totalCount } }");
    assert_eq!(asked.await.code(), "FORBIDDEN");

    // What has ended is on nobody's list: taken back, or past its last day.
    let input = json!({ "input": { "grantId": id } });
    teacher.query(REVOKE, input).await.data();
    let after = teacher.ask(GIVEN).await;
    assert_eq!(after.at("/accessGrants/totalCount"), 0, "{}", after.text);
    assert_eq!(teacher.ask("{ accounts { totalCount } }").await.at("/accounts/totalCount"), 0);
    hand.on(TimeDelta::hours(48));
    assert_eq!(head.ask(GIVEN).await.at("/accessGrants/totalCount"), 1, "the last day counts");
    hand.on(TimeDelta::hours(24));
    assert_eq!(head.ask(GIVEN).await.at("/accessGrants/totalCount"), 0);
}

#[tokio::test]
async fn a_role_that_gave_at_another_place_shows_nothing_here() {
    let (app, _, seed) = school().await;
    let class = seed.first();
    // Gave as the head of the year, and is the teacher of another class: the list is that of the place.
    let level = seed.schools[0].levels[0].id;
    let both = app.homeroom_teacher(seed.class(0, 1, 0).id).and(
        "year_head",
        Reach::YearLevel,
        Place::YearLevel(level.uuid()),
    );
    let substitute = colleague(&app, seed.schools[0].id).await;
    app.homeroom_teacher(class.id).account().await;
    class_to(&both, &app, class.id, &substitute, (today(), later(2))).await.data();
    assert_eq!(both.ask(GIVEN).await.at("/accessGrants/totalCount"), 1);
    access_grant::Entity::update_many()
        .col_expr(access_grant::Column::EndedAt, Expr::val(super::support::app::clock().now()))
        .filter(access_grant::Column::AccountId.eq(both.account().await))
        .filter(access_grant::Column::Role.eq("year_head"))
        .exec(app.db())
        .await
        .unwrap();
    // Who heads nothing has given nothing.
    within_a_second(async || both.ask(GIVEN).await.at("/accessGrants/totalCount") == 0).await;
}

#[tokio::test]
async fn a_login_that_is_guessed_counts_is_on_record_and_runs_into_the_limit_of_the_hour() {
    let (app, hand, seed) = school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let substitute = colleague(&app, seed.schools[0].id).await;
    let elsewhere = colleague(&app, seed.schools[1].id).await.login().await;
    let barred = colleague(&app, seed.schools[0].id).await;
    barred.disable().await;
    let barred = barred.login().await;
    let input = |login: &str| {
        json!({ "input": {
            "role": "homeroom_teacher", "placeId": app.id("class_group", class.id),
            "toLogin": login, "until": later(2), "reason": "Mkill for a week",
        } })
    };
    let guesses = [elsewhere.as_str(), barred.as_str(), "login-of-nobody"];
    let (first, statements) = teacher.counted(DELEGATE, input(guesses[0])).await;
    assert_eq!(first.code(), "NOT_FOUND", "{}", first.text);
    for guess in &guesses[1..] {
        let (again, others) = teacher.counted(DELEGATE, input(guess)).await;
        assert_eq!(again.without_request_id(), first.without_request_id(), "{guess}");
        assert_eq!(others, statements, "the same statements: {guess}");
    }
    // The own login is no way to learn the holder's for nothing.
    let own = teacher.login().await;
    let staff = staff::Entity::find()
        .filter(staff::Column::OrganisationId.eq(seed.schools[0].id))
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    account::Entity::update_many()
        .col_expr(account::Column::StaffId, Expr::val(staff.id.uuid()))
        .filter(account::Column::Id.eq(teacher.account().await))
        .exec(app.db())
        .await
        .unwrap();
    let holder = teacher.query(DELEGATE, input(&own)).await;
    assert_eq!(holder.error()["extensions"]["rule"], "GRANT_TO_HOLDER", "{}", holder.text);
    let tries = act_try::Entity::find().count(app.db()).await.unwrap();
    assert_eq!(tries, 4, "each guess counts");
    let lines = audit::Entity::find().order_by_asc(audit::Column::Id).all(app.db()).await.unwrap();
    let said: Vec<_> = lines
        .iter()
        .map(|line| {
            assert_eq!(
                (line.action.as_str(), line.outcome),
                ("grant.delegate", AuditOutcome::Denied)
            );
            let text = format!("{line:?}");
            assert!(guesses.iter().all(|guess| !text.contains(guess)), "{text}");
            line.detail.as_deref().unwrap_or_default()
        })
        .collect();
    let expected = ["NOT_FOUND", "NOT_FOUND", "NOT_FOUND", "RULE_REFUSED GRANT_TO_HOLDER"];
    assert_eq!(said, expected);
    // The limit is reached by misses alone, and holds for the right login as well.
    for _ in 4..30 {
        assert_eq!(teacher.query(DELEGATE, input("login-of-nobody")).await.code(), "NOT_FOUND");
    }
    let right = input(&substitute.login().await);
    let over = teacher.query(DELEGATE, right.clone()).await;
    assert_eq!(over.code(), "LIMIT_EXCEEDED", "{}", over.text);
    assert_eq!(over.error()["extensions"]["limit"], "grant.delegate");
    let miss = teacher.query(DELEGATE, input("login-of-nobody")).await;
    assert_eq!(miss.without_request_id(), over.without_request_id(), "a miss is told no more");
    assert_eq!(act_try::Entity::find().count(app.db()).await.unwrap(), 30);
    let given = access_grant::Entity::find()
        .filter(access_grant::Column::AccountId.eq(substitute.account().await));
    assert_eq!(given.count(app.db()).await.unwrap(), 0, "nothing was given");
    hand.on(TimeDelta::minutes(61));
    teacher.query(DELEGATE, right).await.data();
}

#[tokio::test]
async fn the_days_have_an_end_and_a_measure() {
    let (app, _, seed) = school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id).between(later(0) - Days::new(30), Some(later(20)));
    let substitute = colleague(&app, seed.schools[0].id).await;
    for (since, until, field) in [
        (later(0) - Days::new(1), later(2), "since"),
        (later(93), later(94), "since"),
        (later(2), later(1), "until"),
        (later(0), later(31), "until"),
        (later(10), later(21), "until"),
    ] {
        let answer = class_to(&teacher, &app, class.id, &substitute, (since, until)).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{since} {until}: {}", answer.text);
        assert_eq!(answer.error()["extensions"]["field"], field, "{since} {until}");
    }
    class_to(&teacher, &app, class.id, &substitute, (later(0), later(20))).await.data();
}

#[tokio::test]
async fn a_course_in_a_class_is_given_as_that_course_alone() {
    let (app, _, seed) = school().await;
    let class = seed.first();
    let teacher = app.subject_teacher(class.id, seed.courses[0]);
    let substitute = colleague(&app, seed.schools[0].id).await;
    let own = teacher.ask("{ viewer { grants { id } } }").await;
    let input = json!({
        "grantId": own.at("/viewer/grants/0/id"), "toLogin": substitute.login().await,
        "until": later(6), "reason": "a training",
    });
    give(&teacher, input).await.data();
    until(&substitute, &app, class.id, "").await;
    let document = "query($id: ID!) { classGroup(id: $id) { students { nodes {
        phone scores { nodes { course { id } } } } } } }";
    let seen = substitute.query(document, json!({ "id": app.id("class_group", class.id) })).await;
    let course = app.id("course", seed.courses[0]);
    let mut scores = 0;
    for node in seen.at("/classGroup/students/nodes").as_array().unwrap() {
        assert!(node["phone"].is_null(), "a teacher of a course reads no number");
        for score in node["scores"]["nodes"].as_array().unwrap() {
            assert_eq!(score["course"]["id"], json!(course));
            scores += 1;
        }
    }
    assert!(scores > 0);
}

#[tokio::test]
async fn an_account_with_too_many_kinds_of_roles_is_refused_one_more() {
    let (app, _, seed) = school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let substitute = colleague(&app, seed.schools[0].id).await;
    for at in 0..61 {
        let row = access_grant::ActiveModel {
            id: Set(AccessGrantId::new()),
            account_id: Set(substitute.account().await),
            role: Set(format!("role_{at}")),
            reach: Set("anywhere".to_owned()),
            since: Set(today()),
            ..Default::default()
        };
        row.insert(app.db()).await.unwrap();
    }
    let answer = class_to(&teacher, &app, class.id, &substitute, (today(), later(2))).await;
    assert_eq!(answer.error()["extensions"]["rule"], "GRANTS_TOO_MANY", "{}", answer.text);
}

#[tokio::test]
async fn a_request_that_arrives_twice_gives_once() {
    let (app, _, seed) = school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let substitute = colleague(&app, seed.schools[0].id).await;
    let input = json!({
        "role": "homeroom_teacher", "placeId": app.id("class_group", class.id),
        "toLogin": substitute.login().await, "until": later(2), "reason": "ill",
        "idempotencyKey": "the-same-request",
    });
    let first = give(&teacher, input.clone()).await;
    let second = give(&teacher, input).await;
    assert_eq!(first.data(), second.data());
    let held = access_grant::Entity::find()
        .filter(access_grant::Column::AccountId.eq(substitute.account().await));
    assert_eq!(held.count(app.db()).await.unwrap(), 1);
}

#[tokio::test]
async fn an_account_with_more_kinds_of_roles_than_can_be_told_apart_is_told_so() {
    let (app, _, _) = school().await;
    let grant = |role: u8| Grant {
        id: uuid::Uuid::now_v7(),
        role: RoleId(role),
        reach: Reach::Anywhere,
        place: Place::Anywhere,
        since: today(),
        until: None,
        expires_at: None,
        delegated: false,
    };
    let session = |count: u8| {
        let grants = (1..=count).map(grant).collect();
        Session::new(AccountId::new(), grants, std::sync::Arc::clone(app.policy()), today())
    };
    assert!(!session(62).overfull, "with anyone, as many as there are bits");
    assert!(session(63).overfull, "one more is said, and not left out");
}
