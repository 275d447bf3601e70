//! What an import does with the rows of a file: whom they name, what is wrong with them, and what is written.

use chrono::{Days, TimeDelta};
use sea_orm::sea_query::Expr;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter};
use uuid::Uuid;
use xueji::domain::account::import::{Plan, Problem, Row, Sheet, guardians, staff};
use xueji::store::codec::Codec as _;
use xueji::store::importing::Importing;
use xueji_entity::guardianship::Custody;
use xueji_entity::value::{ClassGroupId, Guarded, OrganisationId};
use xueji_entity::{
    access_grant, account, activation_code, audit, guardian, guardianship, student,
};

use super::{accounts, family_of, lines, staff_of};
use crate::support::app::{App, clock, today};
use crate::support::seed::Seed;

/// A table as it is read from a file: the head stands in row 1.
fn sheet(head: &str, rows: &[&str]) -> Sheet {
    let cells = |line: &str| line.split(',').map(str::to_owned).collect::<Vec<_>>();
    let rows = rows.iter().zip(2..).map(|(line, number)| Row { number, cells: cells(line) });
    Sheet { head: cells(head), rows: rows.collect() }
}

async fn begin(app: &App) -> Importing {
    app.store().import(clock().now(), today()).await.unwrap()
}

async fn of_staff(app: &App, school: OrganisationId, sheet: &Sheet) -> (Importing, Plan) {
    let importing = begin(app).await;
    let plan = staff(&importing, school.uuid(), sheet).await.unwrap();
    (importing, plan)
}

async fn of_class(app: &App, class: ClassGroupId, sheet: &Sheet) -> (Importing, Plan) {
    let importing = begin(app).await;
    let plan = guardians(&importing, class.uuid(), sheet).await.unwrap();
    (importing, plan)
}

fn told(problems: &[Problem]) -> Vec<(u64, &'static str, &'static str)> {
    let told = |problem: &Problem| (problem.row, problem.column.unwrap_or(""), problem.code);
    problems.iter().map(told).collect()
}

async fn write(importing: Importing, plan: &Plan) {
    let until = importing.now() + Days::new(14);
    plan.write(&importing, until, |_| ()).await.unwrap();
    importing.commit().await.unwrap();
}

/// The number in full of a student, and the telephone of the first guardian.
async fn numbers(app: &App, seed: &Seed, child: usize) -> (String, guardian::Model, String) {
    let id = seed.first().students[child];
    let row = student::Entity::find_by_id(id).one(app.db()).await.unwrap().unwrap();
    let open = |table: &str, column: &str, row: Uuid, sealed: &[u8]| {
        app.codec().open(table, column, row, sealed).unwrap()
    };
    let sealed = row.national_student_number.unwrap();
    let number = open("student", "national_student_number", id.uuid(), sealed.as_bytes());
    let kin = family_of(app, id).await.remove(0);
    let phone = open("guardian", "phone", kin.id.uuid(), kin.phone.as_ref().unwrap().as_bytes());
    (number, kin, phone)
}

#[tokio::test]
async fn the_staff_of_a_school_get_accounts_with_codes_each_on_record() {
    let (app, seed) = App::school().await;
    let (here, there) = (seed.schools[0].id, seed.schools[2].id);
    let own = staff_of(&app, here).await;
    let foreign = staff_of(&app, there).await;
    let row = |staff: &xueji_entity::staff::Model, login: &str| {
        format!("{},{},{login}", staff.staff_number, staff.name.expose())
    };
    let file = sheet(
        "工号,姓名,登录名",
        &[&row(&own[0], "teacher.one"), &row(&own[1], ""), &row(&foreign[0], "foreign")],
    );
    let before = accounts(&app).await;
    let (importing, plan) = of_staff(&app, here, &file).await;
    assert_eq!(told(&plan.problems), [(4, "", "NO_MATCH")]);
    assert_eq!(plan.made.len(), 2);
    write(importing, &plan).await;
    assert_eq!(accounts(&app).await, before + 2);
    for (planned, staff) in plan.made.iter().zip(&own) {
        let row = account::Entity::find()
            .filter(account::Column::Login.eq(planned.login.as_str()))
            .one(app.db())
            .await
            .unwrap()
            .unwrap();
        assert_eq!((row.staff_id, row.kind), (Some(staff.id), account::AccountKind::Staff));
        let code = activation_code::Entity::find()
            .filter(activation_code::Column::AccountId.eq(row.id))
            .one(app.db())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(code.expires_at, clock().now() + TimeDelta::days(14));
        assert_ne!(code.hash.as_bytes(), planned.code.reveal().as_bytes());
        assert_eq!(code.created_by_id, None);
    }
    assert_eq!(plan.made[0].login, "teacher.one");
    assert!(plan.made[1].login.starts_with("s-") && plan.made[1].login.len() == 12);
    let on_record = lines(&app, "account.create").await;
    assert_eq!(on_record.len(), 2);
    for line in &on_record {
        let told = format!("{line:?}");
        assert!(plan.made.iter().all(|made| !told.contains(made.code.reveal())), "{told}");
        assert!(!told.contains("Mkteacher"), "{told}");
    }
    // The same file once more: they have accounts, and their logins are in use.
    let (_, again) = of_staff(&app, here, &file).await;
    assert_eq!(
        told(&again.problems),
        [
            (2, "", "ACCOUNT_EXISTS"),
            (2, "login", "LOGIN_TAKEN"),
            (3, "", "ACCOUNT_EXISTS"),
            (4, "", "NO_MATCH")
        ]
    );
    assert!(again.made.is_empty());
}

#[tokio::test]
async fn each_error_names_its_row_and_column_and_what_to_do_in_both_languages() {
    let (app, seed) = App::school().await;
    let here = seed.schools[0].id;
    let own = staff_of(&app, here).await;
    let (number, name) = (&own[0].staff_number, own[0].name.expose());
    let (second, other) = (&own[1].staff_number, own[1].name.expose());
    let file = sheet(
        "staff_number,name,login,note",
        &[
            &format!("{number},{name},a b,"),
            &format!(",{name},,"),
            &format!("{number},,,"),
            &format!("{number},{other},,"),
            &format!("{number},4321,,"),
            &format!("{second},{other},one.login,"),
            &format!("{second},{other},,"),
            "NOBODY,Mknobody,,",
            &format!("{number},{name},one.login,"),
        ],
    );
    let (importing, plan) = of_staff(&app, here, &file).await;
    assert_eq!(
        told(&plan.problems),
        [
            (2, "login", "LOGIN_INVALID"),
            (3, "staff_number", "CELL_EMPTY"),
            (4, "name", "CELL_EMPTY"),
            (5, "", "NO_MATCH"),
            (6, "name", "VALUE_INVALID"),
            (8, "", "ROW_TWICE"),
            (9, "", "NO_MATCH"),
            (10, "", "ROW_TWICE"),
        ]
    );
    assert_eq!(plan.ignored, ["note"]);
    for problem in &plan.problems {
        let (en, zh) = (&problem.why.en, &problem.why.zh);
        assert!(en.is_ascii() && !zh.is_ascii(), "{en} {zh}");
        assert!(
            ![name, other, number, second, "Mk"]
                .iter()
                .any(|value| en.contains(value) || zh.contains(value))
        );
    }
    // A wrong name and a number that nobody has: one answer.
    assert_eq!(plan.problems[3].why, plan.problems[6].why);
    // What was right may be written, and what is dropped writes nothing.
    assert_eq!(plan.made.len(), 1);
    let before = accounts(&app).await;
    plan.write(&importing, clock().now(), |_| ()).await.unwrap();
    drop(importing);
    assert_eq!(accounts(&app).await, before);

    let headless = sheet("number,姓名", &["1,2"]);
    let (_, plan) = of_staff(&app, here, &headless).await;
    assert_eq!(told(&plan.problems), [(1, "staff_number", "COLUMN_MISSING")]);
    let twice = sheet("工号,staff_number,姓名", &["1,1,2"]);
    let (_, plan) = of_staff(&app, here, &twice).await;
    assert_eq!(told(&plan.problems), [(1, "staff_number", "COLUMN_TWICE")]);
}

#[tokio::test]
async fn the_guardians_of_a_class_are_matched_to_guardianships_and_hold_their_wards() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let (number, mother, phone) = numbers(&app, &seed, 0).await;
    let father = family_of(&app, class.students[0]).await.remove(1);
    let second = family_of(&app, class.students[1]).await.remove(0);
    let seat = 2;
    let file = sheet(
        "学籍号,班内学号,监护人姓名,手机号,登录名",
        &[
            &format!("{number},,{},{phone},mother.one", mother.name.expose()),
            &format!("{number},,{},,", father.name.expose()),
            &format!(",{seat},{},,", second.name.expose()),
        ],
    );
    let (importing, plan) = of_class(&app, class.id, &file).await;
    assert_eq!(told(&plan.problems), []);
    write(importing, &plan).await;
    for (login, kin, child) in [
        ("mother.one", &mother, class.students[0]),
        (&plan.made[1].login, &father, class.students[0]),
        (&plan.made[2].login, &second, class.students[1]),
    ] {
        let row = account::Entity::find()
            .filter(account::Column::Login.eq(login))
            .one(app.db())
            .await
            .unwrap()
            .unwrap();
        assert_eq!(row.kind, account::AccountKind::Guardian);
        let named = guardian::Entity::find().filter(guardian::Column::Id.eq(kin.id));
        assert_eq!(named.one(app.db()).await.unwrap().unwrap().account_id, Some(row.id));
        let seen = app.account_holder(row.id).await.ask("{ students { nodes { id } } }").await;
        assert_eq!(seen.texts("/students/nodes", "id"), [app.id("student", child)], "{login}");
    }
    let grants = access_grant::Entity::find().filter(access_grant::Column::Role.eq("guardian"));
    assert_eq!(grants.count(app.db()).await.unwrap(), 3);
    let on_record = audit::Entity::find().all(app.db()).await.unwrap();
    let told = format!("{on_record:?}");
    assert!(!told.contains(&number) && !told.contains(&phone) && !told.contains("Mk"), "{told}");
}

#[tokio::test]
async fn a_row_that_matches_no_guardianship_learns_nothing_of_who_is_there() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let (number, mother, phone) = numbers(&app, &seed, 0).await;
    let (other_number, other, other_phone) = numbers(&app, &seed, 1).await;
    let father = family_of(&app, class.students[0]).await.remove(1);
    let elsewhere = seed.class(0, 0, 1).students[0];
    let stranger = family_of(&app, elsewhere).await.remove(0);
    guardianship::Entity::update_many()
        .col_expr(
            guardianship::Column::Custody,
            Expr::val(sea_orm::ActiveEnum::to_value(&Custody::Visiting)),
        )
        .filter(guardianship::Column::GuardianId.eq(father.id))
        .exec(app.db())
        .await
        .unwrap();
    let (mother, other) = (mother.name.expose(), other.name.expose());
    let file = sheet(
        "student_number,guardian_name,phone",
        &[
            // The guardian of another child, a wrong telephone, no custody, another class, a number of nobody.
            &format!("{number},{other},"),
            &format!("{number},{mother},{other_phone}"),
            &format!("{number},{},", father.name.expose()),
            &format!("{number},{},", stranger.name.expose()),
            &format!("G110105201001011233,{mother},"),
            &format!("{other_number},{other},{other_phone}"),
            &format!("{number},{mother},{phone}"),
            &format!("{number},{mother},{phone}"),
            &format!("{number},{mother},12"),
            "12,Mkkin,",
        ],
    );
    let (_, plan) = of_class(&app, class.id, &file).await;
    let problems = told(&plan.problems);
    assert_eq!(problems[..4], [2, 3, 4, 5].map(|row| (row, "", "NO_MATCH")));
    let why = &plan.problems[0].why;
    assert!(plan.problems[..4].iter().all(|problem| problem.why == *why));
    assert!(problems.contains(&(9, "", "ROW_TWICE")), "{problems:?}");
    assert!(problems.contains(&(10, "phone", "VALUE_INVALID")), "{problems:?}");
    assert!(problems.contains(&(11, "student_number", "VALUE_INVALID")), "{problems:?}");
    assert_eq!(plan.made.len(), 2);
    for problem in &plan.problems {
        let why = format!("{:?}", problem.why);
        for value in [&number, &phone, &other_number, &other_phone] {
            assert!(!why.contains(value.as_str()), "{why}");
        }
        assert!(!why.contains("Mk"), "{why}");
    }
}

#[tokio::test]
async fn one_guardian_of_two_children_gets_one_account() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let (number, mother, phone) = numbers(&app, &seed, 0).await;
    let (other_number, other, _) = numbers(&app, &seed, 1).await;
    guardian::Entity::update_many()
        .col_expr(guardian::Column::Name, Expr::val(mother.name.expose()))
        .col_expr(
            guardian::Column::PhoneHash,
            Expr::val(mother.phone_hash.as_ref().unwrap().as_bytes().to_vec()),
        )
        .filter(guardian::Column::Id.eq(other.id))
        .exec(app.db())
        .await
        .unwrap();
    let name = mother.name.expose();
    let file = sheet(
        "student_number,guardian_name,phone,login",
        &[&format!("{number},{name},{phone},mother"), &format!("{other_number},{name},{phone},")],
    );
    // Documents that differ are of two people, who may share a name and a telephone.
    let (_, plan) = of_class(&app, class.id, &file).await;
    assert_eq!(plan.made.len(), 2);
    guardian::Entity::update_many()
        .col_expr(guardian::Column::IdNumberHash, Expr::val(None::<Vec<u8>>))
        .filter(guardian::Column::Id.eq(other.id))
        .exec(app.db())
        .await
        .unwrap();
    let (importing, plan) = of_class(&app, class.id, &file).await;
    assert_eq!(told(&plan.problems), []);
    assert_eq!(plan.made.len(), 1);
    assert_eq!(plan.made[0].rows, [2, 3]);
    write(importing, &plan).await;
    let row = account::Entity::find().filter(account::Column::Login.eq("mother"));
    let row = row.one(app.db()).await.unwrap().unwrap();
    let seen = app.account_holder(row.id).await.ask("{ students { totalCount } }").await;
    assert_eq!(seen.at("/students/totalCount"), 2);
}

#[tokio::test]
async fn look_ups_take_as_many_statements_for_one_row_as_for_many() {
    let (app, seed) = App::school().await;
    let here = seed.schools[0].id;
    let own = staff_of(&app, here).await;
    let line = |staff: &xueji_entity::staff::Model| {
        format!("{},{}", staff.staff_number, staff.name.expose())
    };
    let lines: Vec<String> = own.iter().map(line).collect();
    let many: Vec<&str> = lines.iter().map(String::as_str).collect();
    assert!(many.len() > 2);
    let (_, plan) = of_staff(&app, here, &sheet("工号,姓名", &many)).await;
    assert_eq!(plan.made.len(), many.len());
    // All of it is in three statements, whatever the number of rows: the lock, the staff, the logins.
    let rows = xueji::domain::account::import::ROWS;
    let filled: Vec<String> = (0..rows).map(|at| format!("N{at},Mknobody")).collect();
    let filled: Vec<&str> = filled.iter().map(String::as_str).collect();
    let (_, plan) = of_staff(&app, here, &sheet("工号,姓名", &filled)).await;
    assert_eq!(plan.problems.len(), rows);
}
