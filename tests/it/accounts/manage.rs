//! `accountDisable`, `accountEnable` and `accountReset`: whose, by whom, and what ends.

use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use uuid::Uuid;
use xueji::access::caller::Place;
use xueji::access::table::Reach;
use xueji_entity::audit::AuditOutcome;
use xueji_entity::value::{AccountId, OrganisationId};
use xueji_entity::{access_grant, account, activation_code, guardian, login_session, staff};

use super::{
    account_of, create, disable, enable, family_of, guardian_id, lines, reset, staff_id, staff_of,
};
use crate::support::answer::Answer;
use crate::support::app::{App, clock, within_a_second};
use crate::support::callers::Person;
use crate::support::everybody::everybody;
use crate::support::seed::Seed;

const ME: &str = "{ viewer { grants { role } } }";

fn rule(answer: &Answer) -> &str {
    answer.error()["extensions"]["rule"].as_str().unwrap_or_default()
}

/// Somebody whose account is that of a member of staff.
async fn employed<'a>(app: &'a App, person: Person<'a>, staff: &staff::Model) -> Person<'a> {
    account::Entity::update_many()
        .col_expr(account::Column::StaffId, Expr::val(staff.id.uuid()))
        .col_expr(account::Column::Kind, Expr::val("staff"))
        .filter(account::Column::Id.eq(person.account().await))
        .exec(app.db())
        .await
        .unwrap();
    person
}

/// The account, as inputs name it.
async fn named(app: &App, person: &Person<'_>) -> Value {
    json!({ "accountId": app.id("account", person.account().await) })
}

async fn grant(app: &App, account: AccountId, role: &str, school: OrganisationId) {
    let row = access_grant::ActiveModel {
        id: Set(Uuid::now_v7().into_id()),
        account_id: Set(account),
        role: Set(role.to_owned()),
        reach: Set("school".to_owned()),
        organisation_id: Set(Some(school)),
        since: Set(crate::support::app::today()),
        ..Default::default()
    };
    row.insert(app.db()).await.unwrap();
}

trait IntoId {
    fn into_id(self) -> xueji_entity::value::AccessGrantId;
}

impl IntoId for Uuid {
    fn into_id(self) -> xueji_entity::value::AccessGrantId {
        xueji_entity::value::AccessGrantId::from_uuid(self)
    }
}

/// A session of an account, as a sign-in opens one.
async fn session(app: &App, account: AccountId) -> Uuid {
    let id = Uuid::now_v7();
    let row = login_session::ActiveModel {
        id: Set(id),
        account_id: Set(account),
        kind: Set("person".to_owned()),
        started_at: Set(clock().now()),
        last_used_at: Set(clock().now()),
        expires_at: Set(clock().now() + chrono::TimeDelta::hours(1)),
        refresh_generation: Set(0),
        ..Default::default()
    };
    row.insert(app.db()).await.unwrap();
    id
}

async fn ended(app: &App, session: Uuid) -> Option<String> {
    let row = login_session::Entity::find_by_id(session).one(app.db()).await.unwrap().unwrap();
    assert_eq!(row.ended_at.is_some(), row.end_reason.is_some());
    row.end_reason
}

async fn teachers(app: &App, seed: &Seed) -> Vec<staff::Model> {
    staff_of(app, seed.schools[0].id).await
}

#[tokio::test]
async fn a_disabled_account_is_out_within_a_second_and_comes_back_when_it_is_enabled() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let registrar = app.registrar(school);
    let staff = teachers(&app, &seed).await;
    let teacher = employed(&app, app.homeroom_teacher(seed.first().id), &staff[0]).await;
    let account = teacher.account().await;
    let open = session(&app, account).await;
    teacher.ask(ME).await.data();
    let code = reset(&registrar, named(&app, &teacher).await).await;
    code.data();
    assert_eq!(ended(&app, open).await.as_deref(), Some("administrator"));
    let open = session(&app, account).await;

    let done = disable(&registrar, json!({ "staffId": staff_id(&app, staff[0].id) })).await;
    assert_eq!(done.at("/accountDisable/disabled"), true);
    assert_eq!(account_of(&app, done.at("/accountDisable/accountId")), account.uuid());
    within_a_second(async || teacher.ask(ME).await.code() == "UNAUTHENTICATED").await;
    assert_eq!(ended(&app, open).await.as_deref(), Some("disabled"));
    // What waited to be used is good no more.
    let codes = activation_code::Entity::find()
        .filter(activation_code::Column::AccountId.eq(account))
        .filter(activation_code::Column::UsedAt.is_null())
        .all(app.db())
        .await
        .unwrap();
    assert!(codes.is_empty());
    // An emergency stop that is pressed twice is one.
    disable(&registrar, named(&app, &teacher).await).await.data();
    assert_eq!(rule(&reset(&registrar, named(&app, &teacher).await).await), "ACCOUNT_DISABLED");

    let back = enable(&registrar, named(&app, &teacher).await).await;
    assert_eq!(back.at("/accountEnable/disabled"), false);
    within_a_second(async || teacher.ask(ME).await.code().is_empty()).await;
    assert_eq!(ended(&app, open).await.as_deref(), Some("disabled"), "what ended stays ended");
    for (action, count) in [("account.disable", 2), ("account.enable", 1), ("account.reset", 1)] {
        let done = lines(&app, action).await;
        let done = done.iter().filter(|line| line.outcome == AuditOutcome::Done);
        let rows: Vec<_> = done.map(|line| line.row_id).collect();
        assert_eq!(rows, vec![Some(account.uuid()); count], "{action}");
    }
}

#[tokio::test]
async fn the_streams_of_a_disabled_account_end_with_the_next_look() {
    // Nothing looks but this test.
    let (app, seed) = App::school_alone().await;
    let site = app.serve().await;
    let child = seed.first().students[0];
    let kin = family_of(&app, child).await;
    let registrar = app.registrar(seed.schools[0].id);
    let row = json!([guardian_id(&app, child, kin[0].id)]);
    let made = create(&registrar, json!({ "login": "parent", "guardianIds": row })).await;
    let parent = AccountId::from_uuid(account_of(&app, made.at("/accountCreate/accountId")));
    let parent = app.account_holder(parent).await;
    let mut socket = site.granted(&parent.token().await).await;
    let listen = "subscription { accessChanged { kind } }";
    socket.open(&app, "s", listen, json!({})).await;
    disable(&registrar, json!({ "guardianId": guardian_id(&app, child, kin[0].id) })).await.data();
    app.look_at_accounts().await;
    let last = loop {
        let message = socket.next().await;
        if message["type"] == "error" {
            break message;
        }
    };
    assert_eq!(last["payload"][0]["extensions"]["code"], "UNAUTHENTICATED");
}

#[tokio::test]
async fn nobody_manages_the_own_account_nor_one_that_holds_more() {
    let (app, seed) = App::school().await;
    let (here, there) = (seed.schools[0].id, seed.schools[2].id);
    let staff = teachers(&app, &seed).await;
    let registrar = employed(&app, app.registrar(here), &staff[0]).await;
    let principal = employed(&app, app.principal(here), &staff[1]).await;
    let administrator = app.administrator();
    for (person, act) in [(&registrar, "registrar"), (&principal, "principal")] {
        let own = named(&app, person).await;
        assert_eq!(rule(&reset(person, own.clone()).await), "ACCOUNT_OWN", "{act}");
        assert_eq!(rule(&disable(person, own.clone()).await), "ACCOUNT_OWN", "{act}");
        assert_eq!(rule(&enable(person, own).await), "ACCOUNT_OWN", "{act}");
    }
    let own = named(&app, &administrator).await;
    assert_eq!(rule(&reset(&administrator, own).await), "ACCOUNT_OWN");

    // Whoever sets a password could act as its owner: a registrar never as the head, the head as the registrar.
    for act in [
        reset(&registrar, named(&app, &principal).await).await,
        disable(&registrar, named(&app, &principal).await).await,
    ] {
        assert_eq!(rule(&act), "ACCOUNT_ABOVE", "{}", act.text);
    }
    reset(&principal, named(&app, &registrar).await).await.data();
    // What is held elsewhere too is beyond either of them, and the administrator's.
    grant(&app, registrar.account().await, "registrar", there).await;
    assert_eq!(
        rule(&reset(&principal, named(&app, &registrar).await).await),
        "ACCOUNT_BEYOND_REACH"
    );
    reset(&administrator, named(&app, &registrar).await).await.data();
    // One who holds something without a place is the administrator's alone.
    let mighty = app.homeroom_teacher(seed.first().id).and(
        "administrator",
        Reach::Anywhere,
        Place::Anywhere,
    );
    let mighty = employed(&app, mighty, &staff[0]).await;
    account::Entity::update_many()
        .col_expr(account::Column::StaffId, Expr::val(None::<Uuid>))
        .filter(account::Column::Id.eq(registrar.account().await))
        .exec(app.db())
        .await
        .unwrap();
    let refused = reset(&principal, named(&app, &mighty).await).await;
    assert_eq!(rule(&refused), "ACCOUNT_BEYOND_REACH", "{}", refused.text);
    reset(&administrator, named(&app, &mighty).await).await.data();
}

#[tokio::test]
async fn a_guardian_with_a_child_elsewhere_is_beyond_the_school() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let child = seed.first().students[0];
    let kin = family_of(&app, child).await;
    let elsewhere = seed.schools[2].levels[0].classes[0].students[0];
    let row = guardian_id(&app, child, kin[0].id);
    let made = create(&registrar, json!({ "login": "parent", "guardianIds": [row] })).await;
    let account = account_of(&app, made.at("/accountCreate/accountId"));
    reset(&registrar, json!({ "guardianId": row })).await.data();
    let there = family_of(&app, elsewhere).await;
    guardian::Entity::update_many()
        .col_expr(guardian::Column::AccountId, Expr::val(account))
        .filter(guardian::Column::Id.eq(there[0].id))
        .exec(app.db())
        .await
        .unwrap();
    let refused = reset(&registrar, json!({ "guardianId": row })).await;
    assert_eq!(rule(&refused), "ACCOUNT_BEYOND_REACH", "{}", refused.text);
    assert!(!refused.text.contains("Mkkin"));
}

#[tokio::test]
async fn an_account_of_another_school_is_one_that_was_never_made() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let foreign = staff_of(&app, seed.schools[2].id).await;
    let teacher = app.homeroom_teacher(seed.schools[2].levels[0].classes[0].id);
    let teacher = employed(&app, teacher, &foreign[0]).await;
    let program = app.school_analyst(seed.schools[0].id);
    let nobody = Uuid::now_v7();
    let absent = reset(&registrar, json!({ "accountId": app.id("account", nobody) })).await;
    assert_eq!(absent.code(), "NOT_FOUND");
    for named in [
        json!({ "accountId": app.id("account", teacher.account().await) }),
        json!({ "login": teacher.login().await }),
        json!({ "staffId": staff_id(&app, foreign[0].id) }),
        // Programs are the administrator's.
        json!({ "login": program.login().await }),
        json!({ "login": "nobody" }),
        json!({ "staffId": app.id("staff", nobody) }),
        json!({ "studentId": app.id("student", nobody) }),
        json!({ "accountId": "noise" }),
    ] {
        for answer in [
            reset(&registrar, named.clone()).await,
            disable(&registrar, named.clone()).await,
            enable(&registrar, named.clone()).await,
        ] {
            assert_eq!(answer.code(), "NOT_FOUND", "{named}: {}", answer.text);
            assert_eq!(answer.message(), absent.message(), "{named}");
        }
    }
    teacher.ask(ME).await.data();
    let two = json!({ "login": "a.login", "accountId": app.id("account", nobody) });
    assert_eq!(disable(&registrar, two).await.code(), "INVALID_INPUT");
}

#[tokio::test]
async fn nobody_else_stops_or_resets_an_account() {
    let (app, seed) = App::school().await;
    let staff = teachers(&app, &seed).await;
    let teacher = employed(&app, app.homeroom_teacher(seed.first().id), &staff[0]).await;
    let name = named(&app, &teacher).await;
    for (who, person) in everybody(&app, &seed) {
        if ["registrar", "principal", "administrator"].contains(&who) {
            continue;
        }
        for refused in [
            reset(&person, name.clone()).await,
            disable(&person, name.clone()).await,
            enable(&person, name.clone()).await,
        ] {
            assert_eq!(refused.code(), "FORBIDDEN", "{who}: {}", refused.text);
        }
    }
    teacher.ask(ME).await.data();
}
