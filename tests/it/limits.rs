//! What one request may ask for at most, and texts and days that a database would choke on.

use serde_json::{Value, json};

use crate::support::app::App;

const COUNT: &str = "query($f: StudentFilter) { students(filter: $f) { totalCount } }";

#[tokio::test]
async fn a_filter_is_as_wide_as_its_limit_and_no_wider() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    for wide in [
        json!({ "or": vec![json!({}); 20_000] }),
        json!({ "and": vec![json!({ "not": {} }); 5_000] }),
        json!({ "or": vec![json!({ "name": { "eq": "A" } }); 1_100] }),
        json!({ "or": vec![json!({ "name": { "in": vec!["A"; 200] } }); 30] }),
        json!({ "not": { "or": vec![json!({ "id": { "in": vec!["Student_x"; 200] } }); 60] } }),
    ] {
        let answer = teacher.query(COUNT, json!({ "f": wide })).await;
        assert_eq!(answer.code(), "LIMIT_EXCEEDED", "{}", answer.text);
    }
    let fits = json!({ "or": vec![json!({ "name": { "eq": "A" } }); 60] });
    let answer = teacher.query(COUNT, json!({ "f": fits })).await;
    assert_eq!(answer.at("/students/totalCount"), &json!(0));
}

#[tokio::test]
async fn lists_add_up_over_all_aliases() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let many: String =
        (0..101).map(|at| format!("a{at}: students(first: 1) {{ totalCount }} ")).collect();
    let answer = registrar.ask(&format!("{{ {many} }}")).await;
    assert_eq!(answer.code(), "LIMIT_EXCEEDED", "{}", answer.text);
}

#[tokio::test]
async fn control_characters_and_years_out_of_range_are_refused_by_name() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    for (test, field) in [
        (json!({ "name": { "eq": "a\u{0}b" } }), "filter.name.eq"),
        (json!({ "name": { "startsWith": "\u{0}" } }), "filter.name.startsWith"),
        (json!({ "name": { "in": ["x\n"] } }), "filter.name.in"),
    ] {
        let answer = teacher.query(COUNT, json!({ "f": test })).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{}", answer.text);
        assert_eq!(answer.error()["extensions"]["field"], field);
    }
    for day in ["+12000-01-01", "-0044-03-15", "0000-01-01", "2026-2-3"] {
        let test = json!({ "birthDate": { "lt": day } });
        let answer = teacher.query(COUNT, json!({ "f": test })).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{day}: {}", answer.text);
        let summary = "query($d: Date) { students(first: 1) { nodes { attendanceSummary(from: $d) { days } } } }";
        let answer = teacher.query(summary, json!({ "d": day })).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{day}: {}", answer.text);
    }
    let all: Value = json!({ "birthDate": { "lt": "9999-12-31" } });
    let answer = teacher.query(COUNT, json!({ "f": all })).await;
    assert_eq!(answer.at("/students/totalCount"), &json!(seed.first().students.len()));
}
