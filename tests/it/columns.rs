//! Promises 4 to 8: hidden is null, masked is a mask, both are said once for each combination, and what is hidden from
//! the caller everywhere is not even read.

use std::collections::BTreeMap;

use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ConnectionTrait, EntityTrait, QueryFilter};
use serde_json::json;
use xueji::access::table::Sight;
use xueji_entity::student;

use crate::canary::everybody;
use crate::support::app::App;
use crate::support::document::{self, fields, in_schema, noun};
use crate::support::oracle::Oracle;
use crate::support::truth::Truth;

#[tokio::test]
async fn redactions_are_exactly_what_the_policy_withholds() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let exam = app.id("exam", seed.schools[0].levels[0].exam);
    let student = noun("student");
    let document = document::list("students", &fields(student));
    for (name, person) in everybody(&app, &seed) {
        let oracle = Oracle::of(&app, &truth, &person);
        let mut expected: BTreeMap<(String, &str, &str), u64> = BTreeMap::new();
        for (_, row) in truth.of_noun("student").filter(|(_, row)| oracle.visible(row)) {
            for at in (0..student.shape.fields.len()).filter(|at| in_schema(student, *at)) {
                let said = match oracle.sight(row, at) {
                    Sight::Full => continue,
                    Sight::Masked if oracle.needs_purpose(row, at) => ("masked", "NEEDS_PURPOSE"),
                    Sight::Hidden if oracle.needs_purpose(row, at) => ("hidden", "NEEDS_PURPOSE"),
                    Sight::Masked => ("masked", "MASKED_BY_POLICY"),
                    Sight::Hidden => ("hidden", "NOT_GRANTED"),
                };
                *expected.entry((student.coordinate(at), said.0, said.1)).or_default() += 1;
            }
        }
        let answer = person.query(&document, json!({ "exam": exam })).await;
        answer.data();
        let said: BTreeMap<(String, &str, &str), u64> = answer
            .redactions()
            .iter()
            .map(|entry| {
                let word = |key: &str| entry[key].as_str().unwrap();
                let key = (word("coordinate").to_owned(), word("sight"), word("reason"));
                (key, entry["count"].as_u64().unwrap())
            })
            .collect();
        assert_eq!(said, expected, "{name}");
        assert_eq!(said.len(), answer.redactions().len(), "{name}: one entry for each combination");
    }
}

#[tokio::test]
async fn a_masked_column_names_the_line_that_masked_it() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let answer = teacher.ask("{ students { nodes { idNumber } } }").await;
    let rule = answer.redactions()[0]["rule"].as_str().unwrap();
    let (file, line) = rule.split_once(':').unwrap();
    assert_eq!(file, "student.csv");
    let text = std::fs::read_to_string(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/student.csv"),
    )
    .unwrap();
    let line = text.lines().nth(line.parse::<usize>().unwrap() - 1).unwrap();
    assert!(line.starts_with("p, student.id_number, homeroom_teacher, class, masked"), "{line}");
}

#[tokio::test]
async fn nothing_on_file_and_not_shown_to_you_are_different_answers() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let mut update = Query::update();
    update
        .table("student")
        .value("phone", Expr::cust("NULL"))
        .value("phone_hash", Expr::cust("NULL"))
        .and_where(sea_orm::sea_query::ExprTrait::eq(Expr::col("id"), class.students[0].uuid()));
    app.db().execute(&update).await.unwrap();
    let document = "{ students { nodes { id phone } } }";
    let full = app.homeroom_teacher(class.id).ask(document).await;
    let own = app.id("student", class.students[0]);
    let nodes = full.at("/students/nodes").as_array().unwrap();
    let node = nodes.iter().find(|node| node["id"] == own.as_str()).unwrap();
    assert!(node["phone"].is_null());
    assert_eq!(full.redaction("Student.phone"), [], "nothing on file is no redaction");
    let hidden = app.subject_teacher(class.id, seed.courses[0]).ask(document).await;
    let entry = ("hidden".to_owned(), "NOT_GRANTED".to_owned(), 3);
    assert_eq!(hidden.redaction("Student.phone"), [entry], "hidden is said for every row");
}

#[tokio::test]
async fn a_column_that_is_seen_nowhere_is_not_read_from_the_database() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    // A sealed value in no known format cannot be read without an error.
    student::Entity::update_many()
        .col_expr(student::Column::IdNumber, Expr::val(vec![9_u8, 9, 9]))
        .filter(sea_orm::Condition::all())
        .exec(app.db())
        .await
        .unwrap();
    let document = "{ students { nodes { name idNumber } } }";
    let hidden = app.subject_teacher(class.id, seed.courses[0]).ask(document).await;
    assert_eq!(hidden.at("/students/nodes/0/idNumber"), &json!(null));
    for reader in [app.homeroom_teacher(class.id), app.registrar(seed.schools[0].id)] {
        let answer = reader.ask(document).await;
        assert_eq!(answer.code(), "INTERNAL", "whoever sees it reads it: {}", answer.text);
        assert!(answer.error()["extensions"]["requestId"].is_string());
    }
}

#[tokio::test]
async fn masks_are_those_of_the_catalogue() {
    let (app, seed) = App::school().await;
    let document = "{ students(first: 1) { nodes { idNumber nationalStudentNumber currentAddress \
                    phone email guardians(first: 1) { nodes { phone } } } } }";
    let head = app.year_head(seed.schools[0].levels[0].id).ask(document).await;
    let node = head.at("/students/nodes/0");
    let text = |pointer: &str| node.pointer(pointer).unwrap().as_str().unwrap();
    assert_eq!(text("/nationalStudentNumber"), "G******************");
    assert_eq!(text("/currentAddress"), "北京市朝阳区***");
    assert!(text("/phone").starts_with("138****"), "{node}");
    assert!(text("/guardians/nodes/0/phone").starts_with("137****"), "{node}");
    assert!(text("/idNumber").contains('*') && text("/email").contains('*'), "{node}");
}

#[tokio::test]
async fn the_viewer_is_told_what_the_table_says() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let answer = teacher.ask("{ viewer { access { coordinate role reach sight uses } } }").await;
    let access = answer.at("/viewer/access").as_array().unwrap();
    let of = |coordinate: &str| access.iter().find(|entry| entry["coordinate"] == coordinate);
    assert_eq!(of("Student.idNumber").unwrap()["sight"], "masked");
    assert_eq!(of("Student.phone").unwrap()["uses"], json!(["filter"]));
    assert!(of("Student.bloodGroup").is_none(), "what is hidden and not used is not listed");
}
