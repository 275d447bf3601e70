//! Grants that follow from duties and custody: they come into being by themselves, grant nothing once the fact is gone,
//! and leave alone what somebody gave by hand.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ActiveValue::Set, ColumnTrait, EntityTrait, IntoActiveModel};
use sea_orm::{QueryFilter, QueryOrder};
use serde_json::json;
use xueji_entity::access_grant::GrantOrigin;
use xueji_entity::account::AccountKind;
use xueji_entity::duty::DutyKind;
use xueji_entity::guardianship::Custody;
use xueji_entity::value::{AccountId, DutyId, StaffId, StudentId};
use xueji_entity::{
    access_grant, account, audit, class_membership, duty, guardian, guardianship, outbox, student,
};

use super::grants::employ;
use super::support::app::{App, clock, today, within_a_second};
use super::support::callers::Person;
use super::support::seed::{Seed, Shape, day};

const ROSTER: &str = "query($id: ID!) { classGroup(id: $id) { students { totalCount } } }";

/// One turn, as a server takes it every few seconds, on a day: grants made and ended.
async fn turn_on(app: &App, day: NaiveDate, now: DateTime<Utc>) -> (usize, usize) {
    let done = app.store().derive_grants(&app.policy_in_force(), day, now, true).await.unwrap();
    (done.made, done.ended)
}

async fn turn(app: &App) -> (usize, usize) {
    turn_on(app, today(), clock().now()).await
}

async fn grants_of(app: &App, account: AccountId) -> Vec<access_grant::Model> {
    access_grant::Entity::find()
        .filter(access_grant::Column::AccountId.eq(account))
        .order_by_asc(access_grant::Column::Id)
        .all(app.db())
        .await
        .unwrap()
}

async fn planted() -> (App, Seed) {
    // Nothing beside answering: each turn is the test's own.
    App::school_alone().await
}

async fn assign(app: &App, seed: &Seed, staff: StaffId, kind: DutyKind) -> DutyId {
    let class = (kind != DutyKind::YearHead).then_some(seed.class(0, 0, 1).id);
    let row = duty::Model {
        id: DutyId::new(),
        staff_id: staff,
        kind,
        organisation_id: seed.schools[0].id,
        class_group_id: class,
        course_id: (kind == DutyKind::CourseTeacher).then_some(seed.courses[1]),
        year_level_id: (kind == DutyKind::YearHead).then_some(seed.schools[0].levels[0].id),
        post: None,
        since: day("2026-09-01"),
        until: None,
    };
    row.into_active_model().insert(app.db()).await.unwrap().id
}

async fn set_duty(app: &App, id: DutyId, column: duty::Column, value: Expr) {
    duty::Entity::update_many()
        .col_expr(column, value)
        .filter(duty::Column::Id.eq(id))
        .exec(app.db())
        .await
        .unwrap();
}

async fn sees(person: &Person<'_>, app: &App, seed: &Seed) -> bool {
    let id = app.id("class_group", seed.class(0, 0, 1).id);
    person.query(ROSTER, json!({ "id": id })).await.code().is_empty()
}

#[tokio::test]
async fn a_duty_makes_its_grant_and_ends_it() {
    let (app, seed) = planted().await;
    let (teacher, staff) = employ(&app, app.stranger(), seed.schools[0].id, None).await;
    assert_eq!(turn(&app).await, (0, 0), "nobody has a duty and an account");
    for kind in [DutyKind::HomeroomTeacher, DutyKind::CourseTeacher, DutyKind::YearHead] {
        assign(&app, &seed, staff, kind).await;
    }
    assert_eq!(turn(&app).await, (3, 0));
    assert_eq!(turn(&app).await, (0, 0), "once is enough");
    let account = teacher.account().await;
    let held = grants_of(&app, account).await;
    let roles: Vec<_> = held.iter().map(|row| (row.role.as_str(), row.reach.as_str())).collect();
    assert_eq!(
        roles,
        [
            ("homeroom_teacher", "class"),
            ("subject_teacher", "teaching"),
            ("year_head", "year_level")
        ]
    );
    assert!(held.iter().all(|row| row.origin == Some(GrantOrigin::Duty)));
    // A class is one of a school year; a year level is not.
    let until: Vec<_> = held.iter().map(|row| row.until).collect();
    let year = Some(day("2027-08-31"));
    assert_eq!(until, [year, year, None]);
    assert!(sees(&teacher, &app, &seed).await);
    // On record, and told.
    let line = audit::Entity::find().one(app.db()).await.unwrap().unwrap();
    assert_eq!(line.action, "grant.derive");
    assert!(line.detail.unwrap().contains(&held[0].id.to_string()));
    let told = outbox::Entity::find().all(app.db()).await.unwrap();
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|row| row.account_id == Some(account) && row.kind == "grant.changed"));
    // After the school year the duty makes nothing anew.
    let next = day("2027-09-01");
    assert_eq!(turn_on(&app, next, clock().now() + TimeDelta::days(285)).await, (0, 0));
}

#[tokio::test]
async fn a_duty_that_is_over_or_anothers_grants_nothing_at_once() {
    let (app, seed) = planted().await;
    let (teacher, staff) = employ(&app, app.stranger(), seed.schools[0].id, None).await;
    let (other, successor) = employ(&app, app.stranger(), seed.schools[0].id, None).await;
    let id = assign(&app, &seed, staff, DutyKind::HomeroomTeacher).await;
    assert_eq!(turn(&app).await, (1, 0));
    assert!(sees(&teacher, &app, &seed).await);
    // It passes to somebody else; no turn was taken, and the statement of sign-in holds it.
    set_duty(&app, id, duty::Column::StaffId, Expr::val(successor.uuid())).await;
    within_a_second(async || !sees(&teacher, &app, &seed).await).await;
    assert_eq!(turn(&app).await, (1, 1));
    within_a_second(async || sees(&other, &app, &seed).await).await;
    assert!(grants_of(&app, teacher.account().await).await[0].ended_at.is_some());
    // It is over.
    set_duty(&app, id, duty::Column::Until, Expr::val(day("2026-11-19"))).await;
    within_a_second(async || !sees(&other, &app, &seed).await).await;
    assert_eq!(turn(&app).await, (0, 1));
}

#[tokio::test]
async fn a_stream_ends_with_the_duty_it_rests_on() {
    let (app, seed) = App::school().await;
    let (teacher, staff) = employ(&app, app.stranger(), seed.schools[0].id, None).await;
    let id = assign(&app, &seed, staff, DutyKind::HomeroomTeacher).await;
    // The server takes its turns itself here; whoever was first made it.
    turn(&app).await;
    within_a_second(async || sees(&teacher, &app, &seed).await).await;
    let site = app.serve().await;
    let mut socket = site.granted(&teacher.token().await).await;
    let roll = "subscription($class: ID!) { attendanceRecorded(classGroupId: $class) { at } }";
    let class = app.id("class_group", seed.class(0, 0, 1).id);
    socket.open(&app, "s", roll, json!({ "class": class })).await;
    set_duty(&app, id, duty::Column::Until, Expr::val(day("2026-11-19"))).await;
    let message = socket.next().await;
    assert_eq!(message["type"], "error", "{message}");
    site.stop().await;
}

#[tokio::test]
async fn what_was_given_by_hand_is_neither_doubled_nor_ended() {
    let (app, seed) = planted().await;
    let class = seed.class(0, 0, 1).id;
    let (teacher, staff) =
        employ(&app, app.homeroom_teacher(class), seed.schools[0].id, None).await;
    let id = assign(&app, &seed, staff, DutyKind::HomeroomTeacher).await;
    assert_eq!(turn(&app).await, (0, 0), "it is held already");
    set_duty(&app, id, duty::Column::Until, Expr::val(day("2026-11-19"))).await;
    assert_eq!(turn(&app).await, (0, 0));
    assert!(sees(&teacher, &app, &seed).await, "what was given by hand stays");
    set_duty(&app, id, duty::Column::Until, Expr::val(None::<NaiveDate>)).await;
    teacher.revoke().await;
    assert_eq!(turn(&app).await, (1, 0), "the duty gives it now");
    // And what a duty gives is not ended by hand.
    let grant = grants_of(&app, teacher.account().await).await.pop().unwrap();
    let end = "mutation($input: GrantEndInput!) { grantEnd(input: $input) { grantId } }";
    let input = json!({ "input": { "grantId": app.id("access_grant", grant.id) } });
    let refused = app.principal(seed.schools[0].id).query(end, input).await;
    assert_eq!(refused.error()["extensions"]["rule"], "GRANT_OF_A_DUTY", "{}", refused.text);
}

#[tokio::test]
async fn a_substitute_ends_with_the_duty_behind_the_grant() {
    let (app, seed) = planted().await;
    let school = seed.schools[0].id;
    let (teacher, staff) = employ(&app, app.stranger(), school, None).await;
    let (substitute, _) = employ(&app, app.stranger(), school, None).await;
    let id = assign(&app, &seed, staff, DutyKind::HomeroomTeacher).await;
    turn(&app).await;
    let give = "mutation($input: GrantDelegateInput!) { grantDelegate(input: $input) { grantId } }";
    let input = json!({
        "role": "homeroom_teacher", "placeId": app.id("class_group", seed.class(0, 0, 1).id),
        "toLogin": substitute.login().await, "until": "2026-11-30", "reason": "a journey",
    });
    teacher.query(give, json!({ "input": input })).await.data();
    within_a_second(async || sees(&substitute, &app, &seed).await).await;
    set_duty(&app, id, duty::Column::Until, Expr::val(day("2026-11-19"))).await;
    within_a_second(async || !sees(&substitute, &app, &seed).await).await;
}

/// A parent of a pupil with an account of their own.
async fn parent<'a>(app: &'a App, of: StudentId) -> (Person<'a>, guardianship::Model) {
    let person = app.stranger();
    let account = person.account().await;
    account::Entity::update_many()
        .col_expr(account::Column::Kind, Expr::val("guardian"))
        .filter(account::Column::Id.eq(account))
        .exec(app.db())
        .await
        .unwrap();
    assert_eq!(
        account::Entity::find_by_id(account).one(app.db()).await.unwrap().unwrap().kind,
        AccountKind::Guardian
    );
    let row = guardian::Entity::find()
        .filter(guardian::Column::StudentId.eq(of))
        .order_by_asc(guardian::Column::Position)
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    let custody = guardianship::Entity::find()
        .filter(guardianship::Column::StudentId.eq(of))
        .filter(guardianship::Column::GuardianId.eq(row.id))
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    let link = guardian::ActiveModel {
        student_id: Set(of),
        id: Set(row.id),
        account_id: Set(Some(account)),
        ..Default::default()
    };
    link.update(app.db()).await.unwrap();
    (person, custody)
}

async fn sees_child(person: &Person<'_>, app: &App, child: StudentId) -> bool {
    let ask = "query($id: ID!) { student(id: $id) { id } }";
    person.query(ask, json!({ "id": app.id("student", child) })).await.code().is_empty()
}

async fn set_custody(app: &App, of: &guardianship::Model, custody: Custody) {
    let row = guardianship::ActiveModel {
        student_id: Set(of.student_id),
        id: Set(of.id),
        custody: Set(custody),
        ..Default::default()
    };
    row.update(app.db()).await.unwrap();
}

#[tokio::test]
async fn custody_gives_the_ward_and_takes_it_away() {
    let (app, seed) = planted().await;
    let child = seed.first().students[0];
    let (person, custody) = parent(&app, child).await;
    assert!(!sees_child(&person, &app, child).await);
    assert_eq!(turn(&app).await, (1, 0));
    within_a_second(async || sees_child(&person, &app, child).await).await;
    let held = grants_of(&app, person.account().await).await.remove(0);
    assert_eq!((held.role.as_str(), held.reach.as_str()), ("guardian", "ward"));
    assert_eq!(held.origin, Some(GrantOrigin::Guardianship));
    for gone in [Custody::Visiting, Custody::None] {
        set_custody(&app, &custody, gone).await;
        within_a_second(async || !sees_child(&person, &app, child).await).await;
        assert_eq!(turn(&app).await, (0, 1), "{gone:?}");
        set_custody(&app, &custody, Custody::Sole).await;
        assert_eq!(turn(&app).await, (1, 0));
        within_a_second(async || sees_child(&person, &app, child).await).await;
    }
    // The record is restricted, or deleted.
    for state in ["restricted", "deleted"] {
        let set = async |to: &str| {
            student::Entity::update_many()
                .col_expr(student::Column::Lifecycle, Expr::val(to))
                .filter(student::Column::Id.eq(child))
                .exec(app.db())
                .await
                .unwrap();
        };
        set(state).await;
        within_a_second(async || {
            let held = person.ask("{ viewer { grants { role } } }").await;
            held.at("/viewer/grants") == &json!([])
        })
        .await;
        assert_eq!(turn(&app).await, (0, 1), "{state}");
        set("live").await;
        assert_eq!(turn(&app).await, (1, 0));
    }
    // The link to the account is taken away.
    guardian::Entity::update_many()
        .col_expr(guardian::Column::AccountId, Expr::val(None::<uuid::Uuid>))
        .filter(guardian::Column::StudentId.eq(child))
        .exec(app.db())
        .await
        .unwrap();
    within_a_second(async || !sees_child(&person, &app, child).await).await;
    assert_eq!(turn(&app).await, (0, 1));
}

#[tokio::test]
async fn a_pupil_who_changes_class_takes_the_view_along_without_any_grant() {
    let (app, seed) = planted().await;
    let (teacher, staff) = employ(&app, app.stranger(), seed.schools[0].id, None).await;
    assign(&app, &seed, staff, DutyKind::HomeroomTeacher).await;
    turn(&app).await;
    let count = async || {
        let id = app.id("class_group", seed.class(0, 0, 1).id);
        let seen = teacher.query(ROSTER, json!({ "id": id })).await;
        seen.at("/classGroup/students/totalCount").as_u64().unwrap()
    };
    assert_eq!(count().await, 3);
    let pupil = seed.class(0, 0, 1).students[0];
    assert!(sees_child(&teacher, &app, pupil).await);
    class_membership::Entity::update_many()
        .col_expr(class_membership::Column::ClassGroupId, Expr::val(seed.first().id.uuid()))
        .filter(class_membership::Column::StudentId.eq(pupil))
        .exec(app.db())
        .await
        .unwrap();
    assert_eq!(count().await, 2);
    assert!(!sees_child(&teacher, &app, pupil).await);
    assert_eq!(turn(&app).await, (0, 0), "no grant was touched");
}

#[tokio::test]
async fn two_servers_make_a_grant_once() {
    let app = App::start().await;
    let seed = app.plant(Shape::default()).await;
    let (teacher, staff) = employ(&app, app.stranger(), seed.schools[0].id, None).await;
    assign(&app, &seed, staff, DutyKind::HomeroomTeacher).await;
    let turns = futures_util::future::join_all((0..4).map(|_| turn(&app))).await;
    let made: usize = turns.iter().map(|(made, _)| made).sum();
    assert!(made <= 1, "{turns:?}");
    assert_eq!(grants_of(&app, teacher.account().await).await.len(), 1);
}
