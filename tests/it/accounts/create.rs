//! `accountCreate`: by whom, for whom, with which grants, and that the code is told once.

use chrono::TimeDelta;
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use xueji_entity::audit::AuditOutcome;
use xueji_entity::guardianship::Custody;
use xueji_entity::value::{AccountId, Guarded};
use xueji_entity::{access_grant, account, activation_code, duty, guardian, guardianship};

use super::{account_of, accounts, create, family_of, guardian_id, lines, staff_id, staff_of};
use crate::support::app::{App, clock};
use crate::support::everybody::everybody;
use crate::support::logs;
use crate::support::seed::Shape;

#[tokio::test]
async fn a_registrar_makes_accounts_for_the_own_school_and_for_no_other() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let (here, there) = (&seed.schools[0], &seed.schools[2]);
    let child = seed.first().students[0];
    let foreign = there.levels[0].classes[0].students[0];
    let kin = family_of(&app, child).await;
    let foreign_kin = family_of(&app, foreign).await;
    let (own, other) = (staff_of(&app, here.id).await, staff_of(&app, there.id).await);
    registrar.account().await;
    let before = accounts(&app).await;
    // Of another school and never issued: one answer.
    let nobody = Uuid::now_v7();
    for (kind, foreign, unknown) in [
        ("staffId", json!(staff_id(&app, other[0].id)), json!(app.id("staff", nobody))),
        ("studentId", json!(app.id("student", foreign)), json!(app.id("student", nobody))),
        (
            "guardianIds",
            json!([guardian_id(&app, foreign, foreign_kin[0].id)]),
            json!([app.id_of("guardian", nobody, nobody)]),
        ),
    ] {
        let refused = create(&registrar, json!({ "login": "li.ming", kind: foreign })).await;
        let absent = create(&registrar, json!({ "login": "li.ming", kind: unknown })).await;
        let noise = if kind == "guardianIds" { json!(["noise"]) } else { json!("noise") };
        let noise = create(&registrar, json!({ "login": "li.ming", kind: noise })).await;
        assert_eq!(refused.code(), "NOT_FOUND", "{kind}: {}", refused.text);
        assert_eq!(refused.without_request_id(), absent.without_request_id(), "{kind}");
        assert_eq!(refused.without_request_id(), noise.without_request_id(), "{kind}");
    }
    assert_eq!(accounts(&app).await, before, "nothing was made");
    let denied = lines(&app, "account.create").await;
    assert_eq!(denied.len(), 9);
    assert!(denied.iter().all(|line| line.outcome == AuditOutcome::Denied));

    let teacher = json!({ "login": "teacher.one", "staffId": staff_id(&app, own[0].id) });
    let pupil = json!({ "login": "pupil.one", "studentId": app.id("student", child) });
    let parent =
        json!({ "login": "parent.one", "guardianIds": [guardian_id(&app, child, kin[0].id)] });
    for (input, kind) in [
        (teacher, account::AccountKind::Staff),
        (pupil, account::AccountKind::Student),
        (parent, account::AccountKind::Guardian),
    ] {
        let made = create(&registrar, input.clone()).await;
        let code = made.at("/accountCreate/activationCode").as_str().unwrap();
        assert_eq!(code.len(), 19, "{code}");
        let id = account_of(&app, made.at("/accountCreate/accountId"));
        let row = account::Entity::find_by_id(AccountId::from_uuid(id)).one(app.db()).await;
        let row = row.unwrap().unwrap();
        assert_eq!((row.kind, row.disabled), (kind, false));
        assert_eq!(json!(row.login), input["login"]);
        // The code is kept as a hash alone, for two weeks.
        let code = Sha256::digest(code.replace('-', "").as_bytes()).to_vec();
        let kept = activation_code::Entity::find()
            .filter(activation_code::Column::AccountId.eq(row.id))
            .one(app.db())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(kept.hash.as_bytes(), code);
        assert_eq!(kept.purpose, "activate");
        assert_eq!(kept.expires_at, clock().now() + TimeDelta::days(14));
        assert_eq!(kept.created_by_id, Some(registrar.account().await));
    }
    let done = lines(&app, "account.create").await.split_off(9);
    assert_eq!(done.len(), 3);
    assert!(done.iter().all(|line| line.outcome == AuditOutcome::Done && line.rules.is_some()));
}

#[tokio::test]
async fn who_gets_an_account_holds_the_own_record_or_that_of_the_wards_and_nothing_else() {
    let (app, seed) = App::school().await;
    let principal = app.principal(seed.schools[0].id);
    let students = &seed.first().students;
    let (child, other) = (students[0], students[1]);
    let kin = family_of(&app, child).await;
    let roster = "{ students { totalCount nodes { id } } }";
    let parent =
        json!({ "login": "parent.one", "guardianIds": [guardian_id(&app, child, kin[0].id)] });
    let made = create(&principal, parent).await;
    let parent = AccountId::from_uuid(account_of(&app, made.at("/accountCreate/accountId")));
    let grants = access_grant::Entity::find()
        .filter(access_grant::Column::AccountId.eq(parent))
        .all(app.db())
        .await
        .unwrap();
    let custody = guardianship::Entity::find()
        .filter(guardianship::Column::GuardianId.eq(kin[0].id))
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(grants.len(), 1);
    assert_eq!((grants[0].role.as_str(), grants[0].reach.as_str()), ("guardian", "ward"));
    assert_eq!((grants[0].since, grants[0].until), (custody.since, custody.until));
    assert_eq!(grants[0].origin_id, Some(custody.id.uuid()), "it ends with the custody");
    let parent = app.account_holder(parent).await;
    let seen = parent.ask(roster).await;
    assert_eq!(seen.texts("/students/nodes", "id"), [app.id("student", child)]);
    // The act named the account on the row, by which the guardian writes to it and nobody else.
    let row = guardian::Entity::find().filter(guardian::Column::Id.eq(kin[0].id));
    let row = row.one(app.db()).await.unwrap().unwrap();
    assert_eq!(row.account_id, Some(parent.account().await));

    let pupil = json!({ "login": "pupil.two", "studentId": app.id("student", other) });
    let made = create(&principal, pupil).await;
    let pupil = AccountId::from_uuid(account_of(&app, made.at("/accountCreate/accountId")));
    let pupil = app.account_holder(pupil).await;
    let seen = pupil.ask(roster).await;
    assert_eq!(seen.texts("/students/nodes", "id"), [app.id("student", other)]);

    let staff = staff_of(&app, seed.schools[0].id).await;
    let teacher = json!({ "login": "teacher", "staffId": staff_id(&app, staff[0].id) });
    let made = create(&principal, teacher).await;
    let teacher = AccountId::from_uuid(account_of(&app, made.at("/accountCreate/accountId")));
    let seen = app.account_holder(teacher).await.ask(roster).await;
    assert_eq!(seen.at("/students/totalCount"), 0, "duties and grants come otherwise");
}

#[tokio::test]
async fn an_administrator_makes_accounts_anywhere_by_ids_and_is_told_no_value_of_a_student() {
    let (app, seed) = App::school().await;
    let administrator = app.administrator();
    for (number, school) in seed.schools.iter().enumerate() {
        let child = school.levels[0].classes[0].students[0];
        let kin = family_of(&app, child).await;
        let staff = staff_of(&app, school.id).await;
        for (kind, id) in [
            ("staffId", json!(staff_id(&app, staff[0].id))),
            ("studentId", json!(app.id("student", child))),
            ("guardianIds", json!([guardian_id(&app, child, kin[0].id)])),
        ] {
            let login = format!("{kind}-{number}");
            let made = create(&administrator, json!({ "login": login, kind: id })).await;
            let marks = ["Mkpupil", "Mkkin", "Mkteacher"];
            let none = marks.iter().all(|mark| !made.text.contains(mark));
            assert!(none, "no mark of a row: {}", made.text);
            made.data();
        }
        let students = administrator.ask("{ students { totalCount } }").await;
        assert_eq!(students.at("/students/totalCount"), 0);
    }
}

#[tokio::test]
async fn nobody_else_makes_accounts() {
    let (app, seed) = App::school().await;
    let staff = staff_of(&app, seed.schools[0].id).await;
    let id = staff_id(&app, staff[0].id);
    for (who, person) in everybody(&app, &seed) {
        if ["registrar", "principal", "administrator"].contains(&who) {
            continue;
        }
        let refused = create(&person, json!({ "login": "li.ming", "staffId": id })).await;
        assert_eq!(refused.code(), "FORBIDDEN", "{who}: {}", refused.text);
    }
}

#[tokio::test]
async fn what_cannot_be_an_account_is_refused_with_what_to_do() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let students = &seed.first().students;
    let kin = family_of(&app, students[0]).await;
    let others = family_of(&app, students[1]).await;
    let staff = staff_of(&app, seed.schools[0].id).await;
    let one = staff_id(&app, staff[0].id);
    for login in ["ab", "li ming", "13800001234", "x110105201001011234", "Mk***ab", ""] {
        let refused = create(&registrar, json!({ "login": login, "staffId": one })).await;
        assert_eq!(refused.code(), "INVALID_INPUT", "{login}");
    }
    let none = create(&registrar, json!({ "login": "li.ming" })).await;
    assert_eq!(none.code(), "INVALID_INPUT");
    create(&registrar, json!({ "login": "li.ming", "staffId": one })).await.data();
    let rule = |answer: &crate::support::answer::Answer| {
        answer.error()["extensions"]["rule"].as_str().unwrap_or_default().to_owned()
    };
    let again = create(&registrar, json!({ "login": "li.ming.2", "staffId": one })).await;
    assert_eq!(rule(&again), "ACCOUNT_EXISTS");
    let two = staff_id(&app, staff[1].id);
    let taken = create(&registrar, json!({ "login": "li.ming", "staffId": two })).await;
    assert_eq!(rule(&taken), "LOGIN_TAKEN");
    // Rows of two people are no one guardian, whoever they are.
    let rows = json!([
        guardian_id(&app, students[0], kin[0].id),
        guardian_id(&app, students[1], others[0].id)
    ]);
    let differ = create(&registrar, json!({ "login": "parents", "guardianIds": rows })).await;
    assert_eq!(rule(&differ), "GUARDIAN_DIFFERS");
    // Without custody the account would see nothing, and what was shared has ended.
    for custody in [Custody::Visiting, Custody::None] {
        guardianship::Entity::update_many()
            .col_expr(
                guardianship::Column::Custody,
                Expr::val(sea_orm::ActiveEnum::to_value(&custody)),
            )
            .filter(guardianship::Column::GuardianId.eq(kin[1].id))
            .exec(app.db())
            .await
            .unwrap();
        let row = json!([guardian_id(&app, students[0], kin[1].id)]);
        let refused = create(&registrar, json!({ "login": "visitor", "guardianIds": row })).await;
        assert_eq!(rule(&refused), "GUARDIAN_WITHOUT_CUSTODY", "{}", refused.text);
    }
    // Who does not read the register is not told what is in it.
    let administrator = app.administrator();
    for rows in [
        json!([guardian_id(&app, students[0], kin[1].id)]),
        json!([
            guardian_id(&app, students[0], kin[0].id),
            guardian_id(&app, students[1], others[0].id)
        ]),
    ] {
        let refused =
            create(&administrator, json!({ "login": "family", "guardianIds": rows })).await;
        assert_eq!(rule(&refused), "GUARDIAN_BY_THE_SCHOOL", "{}", refused.text);
    }
    assert!(refused_in_chinese(&app, &seed, &one).await.contains("已有账户"));
}

async fn refused_in_chinese(app: &App, seed: &crate::support::seed::Seed, staff: &str) -> String {
    let registrar = app.registrar(seed.schools[0].id).in_chinese();
    let refused = create(&registrar, json!({ "login": "li.ming.3", "staffId": staff })).await;
    refused.message().to_owned()
}

#[tokio::test]
async fn rows_of_one_person_make_one_account_over_all_children() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let students = &seed.first().students;
    let first = family_of(&app, students[0]).await.remove(0);
    let second = family_of(&app, students[1]).await.remove(0);
    // The same person on the form of another child.
    guardian::Entity::update_many()
        .col_expr(guardian::Column::Name, Expr::val(first.name.expose()))
        .col_expr(
            guardian::Column::PhoneHash,
            Expr::val(first.phone_hash.as_ref().unwrap().as_bytes().to_vec()),
        )
        .col_expr(guardian::Column::IdNumberHash, Expr::val(None::<Vec<u8>>))
        .filter(guardian::Column::Id.eq(second.id))
        .exec(app.db())
        .await
        .unwrap();
    let rows = json!([
        guardian_id(&app, students[0], first.id),
        guardian_id(&app, students[1], second.id)
    ]);
    let made = create(&registrar, json!({ "login": "parent", "guardianIds": rows })).await;
    let parent = AccountId::from_uuid(account_of(&app, made.at("/accountCreate/accountId")));
    let seen = app.account_holder(parent).await.ask("{ students { totalCount } }").await;
    assert_eq!(seen.at("/students/totalCount"), 2);
}

#[tokio::test]
async fn the_account_of_somebody_with_a_post_is_made_by_the_head_and_not_by_the_registrar() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let staff = staff_of(&app, school).await;
    duty::Entity::update_many()
        .col_expr(duty::Column::Kind, Expr::val("post"))
        .col_expr(duty::Column::Post, Expr::val("principal"))
        .col_expr(duty::Column::ClassGroupId, Expr::val(None::<Uuid>))
        .col_expr(duty::Column::CourseId, Expr::val(None::<Uuid>))
        .filter(duty::Column::StaffId.eq(staff[0].id))
        .exec(app.db())
        .await
        .unwrap();
    let input = json!({ "login": "the.head", "staffId": staff_id(&app, staff[0].id) });
    let refused = create(&app.registrar(school), input.clone()).await;
    assert_eq!(refused.error()["extensions"]["rule"], "ACCOUNT_ABOVE");
    create(&app.principal(school), input).await.data();
    let other = app.principal(seed.schools[2].id);
    let foreign = json!({ "login": "another", "staffId": staff_id(&app, staff[0].id) });
    assert_eq!(create(&other, foreign).await.code(), "NOT_FOUND");
}

#[tokio::test]
async fn a_code_is_told_once_and_stands_nowhere() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 2 }).await;
    let registrar = app.registrar(seed.schools[0].id);
    let staff = staff_of(&app, seed.schools[0].id).await;
    let input = json!({ "login": "li.ming", "staffId": staff_id(&app, staff[0].id) });
    let made = create(&registrar, input).await;
    let code = made.at("/accountCreate/activationCode").as_str().unwrap().to_owned();
    let reset = super::reset(&registrar, json!({ "login": "li.ming" })).await;
    let second = reset.at("/accountReset/activationCode").as_str().unwrap().to_owned();
    assert_ne!(code, second);
    let bare = |code: &str| [code.to_owned(), code.replace('-', ""), code.to_lowercase()];
    let marks: Vec<String> = [bare(&code), bare(&second)].concat();
    let logged = logs::text();
    for (table, rows) in crate::secrecy::marks::dump(app.db()).await {
        assert!(marks.iter().all(|mark| !rows.contains(mark.as_str())), "no code in {table}");
    }
    if let Some(folder) = app.place().url.strip_prefix("sqlite://") {
        let file = std::path::Path::new(folder.split('?').next().unwrap());
        for (name, bytes) in crate::secrecy::marks::files(file.parent().unwrap()) {
            assert_eq!(crate::secrecy::marks::found(&bytes, &marks), [""; 0], "{name}");
        }
    }
    assert!(logged.contains("\"level\""), "something was logged");
    assert!(marks.iter().all(|mark| !logged.contains(mark.as_str())), "no code in the log");
}
