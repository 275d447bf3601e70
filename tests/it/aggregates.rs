//! Figures for those who may not read the rows: from a snapshot, with small errors, and never of few.

use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde_json::{Value, json};
use xueji_entity::value::StudentId;

use crate::support::app::App;
use crate::support::seed::Shape;

const BOUND: i64 = 12;

pub(crate) async fn set(app: &App, students: &[StudentId], column: &str, value: &str) {
    let statement = Query::update()
        .table("student")
        .value(column.to_owned(), value)
        .and_where(Expr::col("id").is_in(students.iter().map(|id| id.uuid())))
        .to_owned();
    app.db().execute(&statement).await.unwrap();
}

fn counts(answer: &Value, key: &str) -> Vec<(String, i64)> {
    let groups = answer["studentCounts"]["groups"].as_array().unwrap();
    groups.iter().map(|group| (group[key].to_string(), group["count"].as_i64().unwrap())).collect()
}

const BY_SCHOOL: &str = "{ studentCounts(groupBy: [SCHOOL]) { groups { school { name } count } total additive method \
     snapshot { id name takenAt } parameters { threshold bound standardError sumBound } } }";

#[tokio::test]
async fn without_a_snapshot_the_answer_says_what_to_do() {
    let (app, seed) = App::school().await;
    let answer = app.analyst(seed.counties[0]).ask(BY_SCHOOL).await;
    assert_eq!(answer.code(), "RULE_REFUSED");
    assert_eq!(answer.error()["extensions"]["rule"], "NO_SNAPSHOT");
    assert!(answer.message().contains("xueji snapshot take"), "{}", answer.text);
    // Who reads the rows needs none.
    let exact = app.registrar(seed.schools[0].id).ask(BY_SCHOOL).await;
    assert_eq!(exact.at("/studentCounts/method"), "EXACT");
    assert_eq!(exact.at("/studentCounts/additive"), true);
    assert_eq!(exact.at("/studentCounts/snapshot"), &Value::Null);
}

#[tokio::test]
async fn a_figure_is_near_the_truth_and_names_its_snapshot() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 40 }).await;
    app.snapshot("census").await;
    let answer = app.analyst(seed.city).ask(BY_SCHOOL).await;
    let of = answer.at("/studentCounts");
    assert_eq!(of["method"], "PERTURBED");
    assert_eq!(of["additive"], false);
    assert_eq!(of["snapshot"]["name"], "census");
    let parameters =
        json!({ "threshold": 10, "bound": BOUND, "standardError": 2, "sumBound": 3.25 });
    assert_eq!(of["parameters"], parameters);
    let counts = counts(answer.data(), "school");
    assert_eq!(counts.len(), 3);
    for ((_, said), truth) in counts.iter().zip([120, 40, 40]) {
        assert!((said - truth).abs() <= BOUND, "{said} of {truth}");
    }
    assert!((of["total"].as_i64().unwrap() - 200).abs() <= BOUND);
}

#[tokio::test]
async fn a_snapshot_is_frozen_whatever_happens_to_the_registry() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 30 }).await;
    app.snapshot("first").await;
    let analyst = app.analyst(seed.city);
    let documents = [
        "{ studentCounts(groupBy: [SCHOOL, GENDER]) { groups { school { name } gender { value } count } total } }",
        "{ scoreStatistics(groupBy: [COURSE]) { groups { course { name } count students mean standardDeviation passRate } total } }",
        "{ attendanceRates(period: MONTH, groupBy: [SCHOOL], from: \"2026-09-01\", until: \"2026-11-20\") { groups { days rate } total } }",
        "{ aidCoverage(groupBy: [COUNTY]) { groups { aided students amount } total } }",
    ];
    let mut before = Vec::new();
    for document in documents {
        before.push(analyst.ask(document).await.data().clone());
    }
    assert!(!before[0]["studentCounts"]["groups"].as_array().unwrap().is_empty());
    assert!(!before[1]["scoreStatistics"]["groups"].as_array().unwrap().is_empty());
    for (table, column, value) in [
        ("student", "lifecycle", "deleted"),
        ("score", "lifecycle", "deleted"),
        ("attendance", "lifecycle", "deleted"),
        ("aid_grant", "lifecycle", "deleted"),
    ] {
        let update = Query::update().table(table).value(column, value).to_owned();
        app.db().execute(&update).await.unwrap();
    }
    for (document, before) in documents.iter().zip(&before) {
        assert_eq!(analyst.ask(document).await.data(), before, "{document}");
    }
    app.snapshot("second").await;
    let after = analyst.ask(documents[0]).await;
    assert_eq!(after.at("/studentCounts/groups"), &json!([]));
}

#[tokio::test]
async fn the_same_set_has_the_same_error_in_every_question_and_role() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 40 }).await;
    app.snapshot("census").await;
    let school = app.id("organisation", seed.schools[0].id);
    let one = |answer: &Value| answer["studentCounts"]["groups"][0]["count"].clone();
    let filtered = "query($s: [ID!]) { studentCounts(groupBy: [], filter: { schoolIds: $s }) { groups { count } total } }";
    let of_school = "{ studentCounts(groupBy: []) { groups { count } } }";
    let by_stage = "query($s: [ID!]) { studentCounts(groupBy: [STAGE, SCHOOL], filter: { schoolIds: $s }) { groups { count } } }";
    let variables = json!({ "s": [school] });
    let county = app.analyst(seed.counties[0]).query(filtered, variables.clone()).await;
    let city = app.analyst(seed.city).query(by_stage, variables).await;
    let own = app.school_analyst(seed.schools[0].id).ask(of_school).await;
    assert_eq!(one(county.data()), one(city.data()));
    assert_eq!(one(county.data()), one(own.data()));
    assert_eq!(county.at("/studentCounts/total"), &one(county.data()));
    // Both roles in one hand say no more.
    let both = app.analyst(seed.counties[0]).and(
        "analyst",
        xueji::access::table::Reach::School,
        xueji::access::caller::Place::Organisation(seed.schools[0].id.uuid()),
    );
    let wide = app.analyst(seed.counties[0]).ask(of_school).await;
    assert_eq!(one(both.ask(of_school).await.data()), one(wide.data()));
}

#[tokio::test]
async fn an_analyst_reaches_the_own_place_alone() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 30 }).await;
    app.snapshot("census").await;
    for (person, schools) in [
        (app.analyst(seed.counties[0]), vec!["第1小学", "第2小学"]),
        (app.analyst(seed.counties[1]), vec!["第3小学"]),
        (app.school_analyst(seed.schools[1].id), vec!["第2小学"]),
    ] {
        let answer = person.ask(BY_SCHOOL).await;
        let groups = answer.at("/studentCounts/groups").as_array().unwrap();
        let names: Vec<_> =
            groups.iter().map(|group| group["school"]["name"].as_str().unwrap()).collect();
        assert_eq!(names, schools);
    }
}

#[tokio::test]
async fn few_and_alike_are_left_out() {
    let (app, seed) = App::school_of(Shape { classes: 3, students: 40 }).await;
    let class = seed.first();
    set(&app, &class.students[..7], "left_behind", "none").await;
    set(&app, &class.students[7..27], "left_behind", "both_parents").await;
    app.snapshot("census").await;
    let analyst = app.school_analyst(seed.schools[0].id);
    let by = |key: &str| {
        format!(
            "{{ studentCounts(groupBy: [{key}]) {{ groups {{ leftBehind ethnicGroup {{ value }} boarding {{ value }} count }} }} }}"
        )
    };
    let answer = analyst.ask(&by("LEFT_BEHIND")).await;
    let said = counts(answer.data(), "leftBehind");
    assert!(said.iter().all(|(value, _)| value != "\"NONE\""), "{said:?}");
    assert!(said.iter().any(|(value, _)| value == "\"ONE_PARENT\""), "{said:?}");
    // All are day pupils of one ethnic group.
    for key in ["ETHNIC_GROUP", "BOARDING"] {
        assert_eq!(counts(analyst.ask(&by(key)).await.data(), "boarding"), []);
    }
    let filtered = "{ studentCounts(groupBy: [SCHOOL], filter: { boarding: [\"1\"] }) { groups { count } total } }";
    let answer = analyst.ask(filtered).await;
    assert_eq!(answer.at("/studentCounts/groups"), &json!([]));
    assert_eq!(answer.at("/studentCounts/total"), &Value::Null);
    // Nine pupils: nothing at all.
    let (app, seed) = App::school_of(Shape { classes: 1, students: 9 }).await;
    app.snapshot("census").await;
    let answer = app.school_analyst(seed.schools[1].id).ask(BY_SCHOOL).await;
    assert_eq!(answer.at("/studentCounts/groups"), &json!([]));
    assert_eq!(answer.at("/studentCounts/total"), &Value::Null);
}

#[tokio::test]
async fn one_snapshot_a_night_and_old_facts_go() {
    let (app, seed) = App::school().await;
    app.nightly().await;
    app.nightly().await;
    let known = app.store().snapshots().await.unwrap();
    assert_eq!(known.len(), 1, "a second look on the same day takes none");
    assert_eq!(known[0].students, 15);
    assert!(known[0].nightly);
    let error = app.take(None).await.unwrap_err();
    assert_eq!(error.code(), "CONFLICT");
    app.snapshot("census").await;
    let again = app.take(Some("census")).await.unwrap_err();
    assert_eq!(again.code(), "CONFLICT");
    assert!(app.store().drop_snapshot(known[0].number).await.unwrap());
    assert!(!app.store().drop_snapshot(known[0].number).await.unwrap());
    app.store().thin_snapshots(1).await.unwrap();
    assert_eq!(app.store().snapshots().await.unwrap().len(), 1, "named ones stay");
    let answer = app.analyst(seed.city).ask(BY_SCHOOL).await;
    assert_eq!(answer.at("/studentCounts/snapshot/name"), "census");
}

#[tokio::test]
async fn too_many_dimensions_are_refused() {
    let (app, seed) = App::school().await;
    app.snapshot("census").await;
    let document =
        "{ studentCounts(groupBy: [SCHOOL, STAGE, GENDER, STATUS, BOARDING]) { total } }";
    let answer = app.analyst(seed.city).ask(document).await;
    assert_eq!(answer.code(), "LIMIT_EXCEEDED");
    assert!(answer.message().contains("groupBy"), "{}", answer.text);
}
