//! The promise that sums up the others: two databases that differ only in what a caller may not see give the same
//! answers, byte for byte, after the same number of statements.
//!
//! The database is asked, changed where the caller must not see, and asked again.

use std::collections::BTreeSet;

use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SimpleExpr, UpdateStatement};
use serde_json::json;
use xueji::access::table::{Sight, Uses};
use xueji::access::view::{Kind, Noun};
use xueji::graphql::REGISTRY;

use crate::canary::everybody;
use crate::support::app::App;
use crate::support::callers::Person;
use crate::support::document::{self, LISTS, everything, noun};
use crate::support::oracle::Oracle;
use crate::support::seed::Seed;
use crate::support::truth::Truth;

/// Columns that place a row or that a rule reads: changing one changes who may see the row.
const PLACING: &[&str] = &[
    "since",
    "until",
    "ended_on",
    "entered_on",
    "live",
    "state",
    "published",
    "lifted_on",
    "kind",
    "ended_at",
    "disabled",
];

/// Questions of many shapes: lists with all fields, orders, filters that are allowed and filters that are not.
fn questions() -> Vec<String> {
    let mut out = Vec::new();
    for (root, of) in LISTS.iter().filter(|(_, of)| *of != "account") {
        let noun = noun(of);
        out.push(document::list(root, &everything(noun, 1)));
        for (at, shape) in noun.shape.fields.iter().enumerate() {
            let column = &noun.camel[at];
            let test = match shape.kind {
                Kind::Key | Kind::Computed | Kind::Sealed { hashed: false, .. } => continue,
                Kind::Text(_) => "startsWith: \"Mk\"",
                Kind::Date => "gt: \"2015-01-02\"",
                Kind::Int => "gte: 700003",
                Kind::Bool => "eq: true",
                Kind::Sealed { .. }
                | Kind::Instant
                | Kind::Thousandths
                | Kind::Fen
                | Kind::Code
                | Kind::Enum(_) => "isNull: false",
            };
            for filter in [
                format!("{{ {column}: {{ {test} }} }}"),
                format!("{{ not: {{ {column}: {{ {test} }} }} }}"),
            ] {
                let list = format!("{root}(filter: {filter}, first: 3)");
                out.push(format!(
                    "{{ {list} {{ totalCount nodes {{ id }} pageInfo {{ endCursor }} }} }}"
                ));
            }
        }
    }
    for relation in ["guardians", "scores", "rewards", "sanctions", "aidGrants"] {
        for quantifier in ["some", "none"] {
            out.push(format!(
                "{{ students(filter: {{ {relation}: {{ {quantifier}: {{}} }} }}) {{ totalCount }} }}"
            ));
        }
    }
    for value in ["NAME", "BIRTH_DATE", "HEALTH_STATUS", "DISTANCE_M"] {
        out.push(format!(
            "{{ students(orderBy: [{{ field: {value} }}]) {{ edges {{ cursor node {{ id }} }} }} }}"
        ));
    }
    out
}

async fn answers(person: &Person<'_>, exam: &str) -> Vec<(String, u64)> {
    let mut out = Vec::new();
    for question in questions() {
        let (answer, statements) = person.counted(&question, json!({ "exam": exam })).await;
        out.push((answer.without_request_id(), statements));
    }
    out
}

/// Another value for a column; none for one that stays.
fn other(kind: Kind, column: &str) -> Option<SimpleExpr> {
    if PLACING.contains(&column) {
        return None;
    }
    Some(match kind {
        Kind::Text(_) => Expr::val("Zzother"),
        Kind::Sealed { .. } => Expr::val([&[1_u8], b"19900000000".as_slice()].concat()),
        Kind::Int | Kind::Thousandths | Kind::Fen => Expr::val(4_321_i64),
        Kind::Bool => Expr::col(column.to_owned()).not(),
        Kind::Date => Expr::val(chrono::NaiveDate::from_ymd_opt(2001, 2, 3).unwrap()),
        Kind::Code | Kind::Instant | Kind::Enum(_) | Kind::Key | Kind::Computed => return None,
    })
}

fn update(noun: &Noun, column: &str, value: SimpleExpr) -> UpdateStatement {
    let mut update = Query::update();
    update.table(noun.shape.name).value(column.to_owned(), value);
    update
}

/// Changes every value that the person may not see, in the rows of students; says how many columns and rows.
async fn change_what_is_hidden(app: &App, truth: &Truth, oracle: &Oracle<'_>) -> (usize, usize) {
    let (mut columns, mut rows) = (0, 0);
    for noun in REGISTRY.nouns() {
        if !noun.shape.lifecycle || noun.shape.name == "staff" {
            continue;
        }
        let visible: Vec<_> =
            truth.of_noun(noun.shape.name).filter(|(_, row)| oracle.visible(row)).collect();
        let unique = ["position", "number_in_class", "day"];
        for (at, shape) in noun.shape.fields.iter().enumerate() {
            let Some(value) = other(shape.kind, shape.name) else { continue };
            if unique.contains(&shape.name) {
                continue;
            }
            let hidden = visible.iter().all(|(_, row)| oracle.sight(row, at) == Sight::Hidden);
            if hidden {
                columns += 1;
                app.db().execute(&update(noun, shape.name, value)).await.unwrap();
                continue;
            }
            let theirs: BTreeSet<_> = visible.iter().map(|(_, row)| row.id).collect();
            let mut statement = update(noun, shape.name, value);
            statement.and_where(Expr::col("id").is_not_in(theirs));
            rows += usize::try_from(app.db().execute(&statement).await.unwrap().rows_affected())
                .unwrap();
        }
    }
    (columns, rows)
}

async fn holds_for(app: &App, seed: &Seed, truth: &Truth, name: &str, person: &Person<'_>) {
    let exam = app.id("exam", seed.schools[0].levels[0].exam);
    let oracle = Oracle::of(app, truth, person);
    let before = answers(person, &exam).await;
    let (columns, rows) = change_what_is_hidden(app, truth, &oracle).await;
    assert!(columns + rows > 0, "{name}: something was changed");
    let after = answers(person, &exam).await;
    for ((question, before), after) in questions().iter().zip(before).zip(after) {
        assert_eq!(before, after, "{name}: {question}");
    }
}

/// Those who see some of a row: for each a database of its own, since it is changed under them.
#[tokio::test]
async fn what_a_caller_may_not_see_changes_nothing_of_what_it_is_told() {
    let names: Vec<&str> = {
        let (app, seed) = App::school().await;
        everybody(&app, &seed).into_iter().map(|(name, _)| name).collect()
    };
    for (at, name) in names.into_iter().enumerate() {
        // Heads read what a reviewer reads, city and province what a county reads; the analysts, auditors and
        // privacy officers read no row at a school or a region.
        let same = ["vice_principal", "principal", "city_officer", "province_officer"];
        if same.contains(&name) || name.ends_with("of the school") {
            continue;
        }
        let (app, seed) = App::school().await;
        let truth = Truth::of(&app).await;
        let (_, person) = everybody(&app, &seed).swap_remove(at);
        holds_for(&app, &seed, &truth, name, &person).await;
    }
}

#[tokio::test]
async fn the_test_would_notice_a_value_that_is_seen() {
    let (app, seed) = App::school().await;
    let exam = app.id("exam", seed.schools[0].levels[0].exam);
    let registrar = app.registrar(seed.schools[0].id);
    let before = answers(&registrar, &exam).await;
    let distance = noun("student").field("distance_m").unwrap();
    let policy = app.policy();
    let role = policy.roles.id("registrar").unwrap();
    let pair = xueji::access::table::Pair { role, reach: xueji::access::table::Reach::School };
    let uses = policy.table.cell(pair, noun("student").id(distance)).uses;
    assert!(uses.contains(Uses::FULL.union(Uses::FILTER)));
    app.db().execute(&update(noun("student"), "distance_m", Expr::val(1_i64))).await.unwrap();
    assert_ne!(before, answers(&registrar, &exam).await);
}
