//! What is asked of a password, and that one which must be changed is changed before anything else.

use chrono::TimeDelta;
use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::Set;
use sea_orm::EntityTrait;
use serde_json::json;
use xueji::config::secret::SecretText;
use xueji::config::sign_in::SignIn;
use xueji_entity::account;
use xueji_entity::credential;
use xueji_entity::value::AccountId;

use super::{
    GOOD, Login, OTHER, WHO, access, ask, go_on, refresh, rules, shut, told, visit, with_password,
};
use crate::support::answer::Answer;
use crate::support::app::{App, clock, within_a_second};

async fn change(app: &App, token: &str, old: &str, new: &str) -> Answer {
    app.auth("password", Some(token), json!({ "oldPassword": old, "newPassword": new })).await
}

#[tokio::test]
async fn a_first_password_opens_nothing_but_its_change() {
    let (app, seed, _hand) = App::door(rules()).await;
    let registrar = app.registrar(seed.schools[0].id);
    let login = with_password(&app, &registrar, OTHER).await;
    let initial = SecretText::from(GOOD.to_owned());
    let door = app.at_door();
    door.set_initial(app.store(), &visit(), clock().now(), login.account, &initial).await.unwrap();
    shut(&login.sign_in(&app, OTHER).await);
    let entered = login.sign_in(&app, GOOD).await;
    assert_eq!(entered.body["mustChangePassword"], true);
    let token = access(&entered);
    let asked = ask(&app, &token, WHO).await;
    assert_eq!((asked.status.as_u16(), asked.code()), (403, "PASSWORD_CHANGE_REQUIRED"));
    let renewed = access(&go_on(&app, &refresh(&entered)).await);
    assert_eq!(ask(&app, &renewed, WHO).await.code(), "PASSWORD_CHANGE_REQUIRED");
    assert_eq!(ask(&app, &renewed, "{ __typename }").await.code(), "PASSWORD_CHANGE_REQUIRED");

    let reused = change(&app, &renewed, GOOD, GOOD).await;
    assert_eq!(reused.error()["extensions"]["rule"], "PASSWORD_REUSED", "{}", reused.text);
    assert_eq!(change(&app, &renewed, GOOD, "Urumqi/7 to Kashgar").await.status, 200);
    ask(&app, &renewed, WHO).await.data();
    assert_eq!(login.sign_in(&app, "Urumqi/7 to Kashgar").await.body["mustChangePassword"], false);
    shut(&login.sign_in(&app, GOOD).await);
}

#[tokio::test]
async fn weak_and_personal_passwords_are_refused_with_field_and_rule() {
    let (app, seed, _hand) = App::door(rules()).await;
    let student = seed.first().students[0];
    let person = app.student(student);
    let login = with_password(&app, &person, GOOD).await;
    let row = account::ActiveModel {
        id: Set(AccountId::from_uuid(login.account)),
        student_id: Set(Some(student)),
        ..Default::default()
    };
    row.update(app.db()).await.unwrap();
    let on_file =
        xueji_entity::student::Entity::find_by_id(student).one(app.db()).await.unwrap().unwrap();
    let token = access(&login.sign_in(&app, GOOD).await);
    let personal = app.store().personal(login.account).await.unwrap();
    let phone = personal.phones.first().expect("the pupil has a telephone").clone();
    for (new, rule) in [
        ("Sh0rt!".to_owned(), "PASSWORD_TOO_SHORT"),
        ("only small letters".to_owned(), "PASSWORD_TOO_UNIFORM"),
        ("Woaini1314!".to_owned(), "PASSWORD_COMMON"),
        ("A123456!!!!".to_owned(), "PASSWORD_COMMON"),
        (format!("Lhasa-{}", on_file.birth_date.format("%Y%m%d")), "PASSWORD_PERSONAL"),
        (format!("Lhasa-{}", on_file.birth_date.format("%y.%m.%d")), "PASSWORD_PERSONAL"),
        (format!("Lhasa-{phone}"), "PASSWORD_PERSONAL"),
        (format!("Xx-{}", login.login), "PASSWORD_PERSONAL"),
        ("aB3#".repeat(100), "PASSWORD_TOO_LONG"),
    ] {
        let answer = change(&app, &token, GOOD, &new).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (400, "RULE_REFUSED"),
            "{}",
            answer.text
        );
        let extensions = &answer.error()["extensions"];
        assert_eq!(extensions["rule"], rule, "{new}");
        assert_eq!(extensions["field"], "newPassword");
        for told in [&answer.text, &crate::support::logs::text()] {
            assert!(!told.contains(&new), "the password is told");
        }
    }
    assert_eq!(login.sign_in(&app, GOOD).await.status, 200, "nothing was changed");
}

#[tokio::test]
async fn so_many_passwords_are_not_chosen_again() {
    let (app, seed, _hand) = App::door(SignIn { history: 2, ..rules() }).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let token = access(&login.sign_in(&app, GOOD).await);
    let chosen = [GOOD, "Tibet:77+Nagqu", "Gansu:88+Jiayu", "Hebei:99+Baodi"];
    for pair in chosen.windows(2) {
        assert_eq!(change(&app, &token, pair[0], pair[1]).await.status, 200);
    }
    for used in &chosen[1..] {
        let answer = change(&app, &token, chosen[3], used).await;
        assert_eq!(answer.error()["extensions"]["rule"], "PASSWORD_REUSED", "{used}");
    }
    assert_eq!(
        change(&app, &token, chosen[3], GOOD).await.status,
        200,
        "two are kept, and no more"
    );
}

#[tokio::test]
async fn a_change_ends_the_other_sessions_and_a_wrong_old_password_counts() {
    let (app, seed, _hand) = App::door(SignIn { lock_after: 2, ..rules() }).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let (one, two) = (login.sign_in(&app, GOOD).await, login.sign_in(&app, GOOD).await);
    ask(&app, &access(&two), WHO).await.data();
    shut(&change(&app, &access(&one), "Wrong:1+one", OTHER).await);
    assert_eq!(change(&app, &access(&one), GOOD, OTHER).await.status, 200);
    ask(&app, &access(&one), WHO).await.data();
    shut(&go_on(&app, &refresh(&two)).await);
    within_a_second(async || ask(&app, &access(&two), WHO).await.status == 401).await;
    for _ in 0..2 {
        shut(&change(&app, &access(&one), GOOD, "Gansu:88+Jiayu").await);
    }
    // Locked: at the door and here alike.
    shut(&change(&app, &access(&one), OTHER, "Gansu:88+Jiayu").await);
    shut(&login.sign_in(&app, OTHER).await);
    let told = told(&app, login.account).await;
    assert!(
        told.contains(&(
            "password.change".to_owned(),
            "wrong_password; locked for 60 s".to_owned()
        ))
    );
}

#[tokio::test]
async fn rotation_asks_for_a_new_password_when_it_is_time() {
    let (app, seed, hand) = App::door(SignIn { max_age_days: 90, ..rules() }).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    hand.on(TimeDelta::days(89));
    let entered = login.sign_in(&app, GOOD).await;
    assert_eq!(entered.body["mustChangePassword"], false);
    hand.on(TimeDelta::days(1));
    let entered = login.sign_in(&app, GOOD).await;
    assert_eq!(entered.body["mustChangePassword"], true);
    let token = access(&entered);
    assert_eq!(ask(&app, &token, WHO).await.code(), "PASSWORD_CHANGE_REQUIRED");
    assert_eq!(change(&app, &token, GOOD, OTHER).await.status, 200);
    ask(&app, &token, WHO).await.data();
}

async fn hash_of(app: &App, login: &Login) -> String {
    let id = AccountId::from_uuid(login.account);
    let row = credential::Entity::find_by_id(id).one(app.db()).await.unwrap().unwrap();
    row.password_hash.unwrap().as_phc().to_owned()
}

#[tokio::test]
async fn a_hash_of_other_parameters_is_made_anew_at_the_next_sign_in() {
    let (app, seed, _hand) = App::door(SignIn { hash_passes: 2, ..rules() }).await;
    let login = with_password(&app, &app.registrar(seed.schools[0].id), GOOD).await;
    let before = hash_of(&app, &login).await;
    assert!(before.starts_with("$argon2id$v=19$m=8192,t=2,p=1$"), "parameters are stated");
    assert_eq!(login.sign_in(&app, GOOD).await.status, 200);
    assert_eq!(hash_of(&app, &login).await, before);
    let old = xueji::domain::sign_in::Hasher::new(&rules()).unwrap();
    let old = old.hash(&SecretText::from(GOOD.to_owned())).await.unwrap();
    let row = credential::ActiveModel {
        id: Set(AccountId::from_uuid(login.account)),
        password_hash: Set(Some(old)),
        ..Default::default()
    };
    row.update(app.db()).await.unwrap();
    shut(&login.sign_in(&app, OTHER).await);
    assert!(hash_of(&app, &login).await.contains("t=1"), "not by a wrong password");
    assert_eq!(login.sign_in(&app, GOOD).await.status, 200);
    assert!(hash_of(&app, &login).await.contains("t=2"));
    assert_eq!(login.sign_in(&app, GOOD).await.status, 200);
}
