//! The number of SQL statements depends on the shape of a question, never on the number of rows.

use std::path::Path;

use serde_json::{Value, json};

use crate::canary::everybody;
use crate::support::app::App;
use crate::support::callers::Person;
use crate::support::document::{self, everything, noun};
use crate::support::seed::{Seed, Shape};

/// How many statements a question takes, and how long its answer is.
async fn counted(person: &Person<'_>, document: &str, variables: Value) -> (u64, usize) {
    let (answer, statements) = person.counted(document, variables).await;
    answer.data();
    (statements, answer.text.len())
}

fn variables(app: &App, seed: &Seed) -> Value {
    let level = &seed.schools[0].levels[0];
    json!({
        "exam": app.id("exam", level.exam),
        "class": app.id("class_group", seed.first().id),
        "school": app.id("organisation", seed.schools[0].id),
        "county": app.id("organisation", seed.counties[0]),
    })
}

/// Documents for each of everybody, in the order of `everybody`: the example of the role, and nested questions.
fn documents(name: &str) -> Vec<String> {
    let role = name.split(' ').next().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{role}.graphql"));
    let mut out = vec![
        document::list("students", &everything(noun("student"), 1)),
        document::list("classGroups", &everything(noun("class_group"), 1)),
        "{ classGroups(first: 10) { nodes { students(first: 60) { totalCount nodes { guardians { nodes { name \
         phone } } scores { nodes { value courseMean exam { name courses { nodes { fullMark } } } \
         course { name } } } attendanceSummary { days rate } } } duties { nodes { staff { name } } } } } }"
            .to_owned(),
        "{ viewer { wards { nodes { name scores { nodes { value } } } } classes { nodes { name } } } }".to_owned(),
    ];
    out.extend(std::fs::read_to_string(path).ok());
    out
}

#[tokio::test]
async fn as_many_statements_for_thirty_as_for_three() {
    let (few, few_seed) = App::school_of(Shape { classes: 2, students: 3 }).await;
    few.snapshot("census").await;
    let (many, many_seed) = App::school_of(Shape { classes: 6, students: 30 }).await;
    many.snapshot("census").await;
    let pairs = everybody(&few, &few_seed).into_iter().zip(everybody(&many, &many_seed));
    let (mut compared, mut larger) = (0, 0);
    for ((name, one), (_, other)) in pairs {
        for document in documents(name) {
            let (small, short) = counted(&one, &document, variables(&few, &few_seed)).await;
            let (large, long) = counted(&other, &document, variables(&many, &many_seed)).await;
            assert_eq!(small, large, "{name}: {document}");
            assert!(small <= 40, "{name}: {small} statements: {document}");
            compared += 1;
            larger += usize::from(long > short * 2);
        }
    }
    assert!(compared > 90 && larger > 20, "{compared} compared, {larger} of them much larger");
}

#[tokio::test]
async fn a_total_is_counted_only_when_asked_for() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let count = async |document: &str| counted(&registrar, document, json!({})).await.0;
    assert_eq!(count("{ students { nodes { name } } }").await, 1);
    assert_eq!(count("{ students { totalCount nodes { name } } }").await, 2);
    assert_eq!(count("{ students { totalCount } }").await, 1);
    assert_eq!(
        count("{ students { nodes { name enrollment { state } guardians { nodes { name } } } } }")
            .await,
        3
    );
}
