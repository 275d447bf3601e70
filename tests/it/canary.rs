//! Whoever asks, and however: no value reaches anybody whom the policy does not let have it. Every personal value of the
//! seed is a mark of its own; every field and relation of every noun is asked for, through every root field, by every
//! role; answers, errors and logs are compared with an oracle that works out the rights row by row.

use serde_json::json;

use crate::support::app::{App, policy};
pub(crate) use crate::support::everybody::everybody;
use std::panic::{AssertUnwindSafe, catch_unwind};

use xueji::access::caller::Place;
use xueji::access::policy::Source;
use xueji::access::table::Reach;
use xueji::access::view::Kind;

use crate::support::document::{self, LISTS, everything, noun, nouns, relation, relations};
use crate::support::logs;
use crate::support::oracle::Oracle;
use crate::support::seed::Shape;
use crate::support::truth::Truth;

/// Fails when the text holds one of the marks as a word of its own.
fn search(text: &str, marks: &[&str], whose: &str) {
    for mark in marks {
        for (at, _) in text.match_indices(mark) {
            let word = |c: char| c.is_ascii_alphanumeric();
            let before = text[..at].chars().next_back().is_some_and(word);
            let after = text[at + mark.len()..].chars().next().is_some_and(word);
            assert!(before || after, "{whose} was told {mark}");
        }
    }
}

#[tokio::test]
async fn every_root_list_tells_each_role_exactly_what_the_policy_says() {
    let (app, seed) = App::school().await;
    app.plant_opened(&seed).await;
    let truth = Truth::of(&app).await;
    let exam = app.id("exam", seed.schools[0].levels[0].exam);
    for (name, person) in everybody(&app, &seed) {
        let oracle = Oracle::of(&app, &truth, &person);
        let forbidden: Vec<&str> = oracle.forbidden_texts().into_iter().collect();
        let mut found = 0;
        for (root, of) in LISTS {
            if ["account", "access_grant"].contains(of) {
                // The accounts of the callers and what they hold come after the truth was read.
                continue;
            }
            let document = document::list(root, &everything(noun(of), 1));
            let answer = person.query(&document, json!({ "exam": exam })).await;
            found += oracle.check(answer.data());
            search(&answer.text, &forbidden, name);
            let ids = answer.texts(&format!("/{root}/nodes"), "id");
            let expected = oracle.visible_ids(of);
            assert_eq!(
                ids.iter().map(String::as_str).collect::<std::collections::BTreeSet<_>>(),
                expected,
                "{name} has exactly these {root}"
            );
            assert_eq!(answer.at(&format!("/{root}/totalCount")), ids.len(), "{name}: {root}");
        }
        assert!(found > 20, "{name} was told {found} values");
    }
    search(&logs::text(), &all_marks(&truth), "the log");
}

#[tokio::test]
async fn every_path_through_relations_tells_no_more() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 2 }).await;
    app.plant_opened(&seed).await;
    let truth = Truth::of(&app).await;
    let variables = json!({ "exam": app.id("exam", seed.schools[0].levels[0].exam) });
    for (name, person) in everybody(&app, &seed) {
        let oracle = Oracle::of(&app, &truth, &person);
        let forbidden: Vec<&str> = oracle.forbidden_texts().into_iter().collect();
        for (root, of) in [("students", "student"), ("classGroups", "class_group")] {
            for at in relations(of) {
                let selection = format!("id __typename {}", relation(noun(of), at, 1));
                let answer =
                    person.query(&document::list(root, &selection), variables.clone()).await;
                oracle.check(answer.data());
                search(&answer.text, &forbidden, name);
            }
        }
        let all = everything(noun("student"), 1);
        let class = everything(noun("class_group"), 1);
        let viewer = format!(
            "viewer {{ id grants {{ role placeId }} access {{ coordinate }} student {{ {all} }} \
             wards(first: 20) {{ nodes {{ {all} }} }} classes(first: 20) {{ nodes {{ {class} }} }} }}"
        );
        let answer = person.query(&document::operation(&viewer), variables.clone()).await;
        oracle.check(answer.data());
        search(&answer.text, &forbidden, name);
    }
}

#[tokio::test]
async fn a_node_of_any_noun_tells_no_more_than_a_list() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 1 }).await;
    app.plant_opened(&seed).await;
    let truth = Truth::of(&app).await;
    let exam = app.id("exam", seed.schools[0].levels[0].exam);
    for (name, person) in everybody(&app, &seed) {
        let oracle = Oracle::of(&app, &truth, &person);
        let forbidden: Vec<&str> = oracle.forbidden_texts().into_iter().collect();
        for of in nouns() {
            let (type_name, fields) = (noun(of).shape.type_name, everything(noun(of), 0));
            // Several rows in one request: one that is theirs, if any, and one of each side.
            let mut rows: Vec<_> = truth.of_noun(of).collect();
            rows.sort_by_key(|(_, row)| (row.student, row.id));
            let theirs = rows.iter().find(|(_, row)| oracle.visible(row));
            let asked = [rows.first(), rows.last(), theirs];
            let mut selection = String::new();
            let mut expected = Vec::new();
            for (at, (id, row)) in asked.into_iter().flatten().enumerate() {
                selection.push_str(&format!(
                    " n{at}: node(id: \"{id}\") {{ __typename id ... on {type_name} {{ {fields} }} }}"
                ));
                expected.push(oracle.visible(row).then_some(id.as_str()));
            }
            if expected.is_empty() {
                continue;
            }
            let document = document::operation(&selection);
            let answer = person.query(&document, json!({ "exam": exam })).await;
            oracle.check(answer.data());
            search(&answer.text, &forbidden, name);
            for (at, id) in expected.into_iter().enumerate() {
                let got = answer.at(&format!("/n{at}"))["id"].as_str();
                assert_eq!(got, id, "{name}: {of}");
            }
        }
    }
}

#[tokio::test]
async fn errors_tell_nothing_that_the_answer_would_not() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 1 }).await;
    app.plant_opened(&seed).await;
    let truth = Truth::of(&app).await;
    for (name, person) in everybody(&app, &seed) {
        let oracle = Oracle::of(&app, &truth, &person);
        let forbidden: Vec<&str> = oracle.forbidden_texts().into_iter().collect();
        for (root, of) in LISTS {
            let noun = noun(of);
            for (at, shape) in noun.shape.fields.iter().enumerate() {
                let column = &noun.camel[at];
                let wrong = match shape.kind {
                    Kind::Key | Kind::Computed => continue,
                    Kind::Sealed { hashed: false, .. } => continue,
                    Kind::Bool | Kind::Int => format!("{{ {column}: {{ isNull: false }} }}"),
                    Kind::Text(_) => format!("{{ {column}: {{ startsWith: \"M\" }} }}"),
                    _ => format!("{{ {column}: {{ eq: \"?\" }} }}"),
                };
                let document =
                    format!("{{ {root}(filter: {wrong}) {{ totalCount nodes {{ id }} }} }}");
                let answer = person.ask(&document).await;
                search(&answer.text, &forbidden, name);
                assert_ne!(answer.code(), "INTERNAL", "{name}: {document}");
                let order = column.replace(|c: char| c.is_uppercase(), "_");
                let document = format!(
                    "{{ {root}(orderBy: [{{ field: {} }}]) {{ nodes {{ id }} }} }}",
                    order.to_uppercase()
                );
                let answer = person.ask(&document).await;
                search(&answer.text, &forbidden, name);
                assert_ne!(answer.code(), "INTERNAL", "{name}: {document}");
            }
        }
    }
    search(&logs::text(), &all_marks(&truth), "the log");
}

#[tokio::test]
async fn the_search_itself_finds_what_it_looks_for() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 1 }).await;
    let truth = Truth::of(&app).await;
    let marks = all_marks(&truth);
    let registrar = app.registrar(seed.schools[0].id);
    let answer =
        registrar.ask("{ students { nodes { name idNumber phone currentAddress } } }").await;
    let told = marks.iter().filter(|mark| answer.text.contains(**mark)).count();
    assert_eq!(told, 2 * 4, "name, number, telephone and address of two pupils: {}", answer.text);
    tracing::error!(target: "xueji", "the log is kept");
    assert!(logs::text().contains("the log is kept"));
}

#[tokio::test]
async fn the_oracle_itself_notices_what_it_looks_for() {
    // The application runs under policies that are more open than the shipped one, by which the oracle goes.
    let shipped = policy().await;
    for (before, after) in [
        // A masked column in full.
        (
            "student.phone, year_head, year_level, masked, reveal",
            "student.phone, year_head, year_level, full,",
        ),
        // A hidden column masked.
        (
            "student.email, registrar, school, full, filter export",
            "student.email, registrar, school, full, filter export\np, student.former_name, homeroom_teacher, class, masked,",
        ),
        // Another role's rows: aid was never shown to a class.
        (
            "student.email, registrar, school, full, filter export",
            "student.email, registrar, school, full, filter export\np, student.needs_aid, homeroom_teacher, class, full,",
        ),
    ] {
        let mut source = Source::shipped();
        let text = source.files.get_mut("student.csv").unwrap();
        assert!(text.contains(before), "{before}");
        *text = text.replace(before, after);
        let app = App::under(source).await;
        let seed = app.plant(Shape { classes: 2, students: 1 }).await;
        let truth = Truth::of(&app).await;
        let level = Place::YearLevel(seed.schools[0].levels[0].id.uuid());
        let teacher =
            app.homeroom_teacher(seed.first().id).and("year_head", Reach::YearLevel, level);
        let document = "{ students { nodes { id __typename phone formerName needsAid } } }";
        let answer = teacher.ask(document).await;
        let oracle = Oracle::under(&shipped, &truth, &teacher);
        let check = AssertUnwindSafe(|| oracle.check(answer.data()));
        assert!(catch_unwind(check).is_err(), "{after} went unnoticed: {}", answer.text);
        assert!(Oracle::of(&app, &truth, &teacher).check(answer.data()) > 0);
    }
}

fn all_marks(truth: &Truth) -> Vec<&str> {
    let mut marks: Vec<&str> = truth
        .rows
        .values()
        .flat_map(|row| row.shown.iter().map(move |(field, value)| (row, *field, value)))
        .filter(|(row, field, _)| {
            let shape = &row.noun.shape.fields[*field];
            shape.group.personal() && row.noun.shape.name != "account"
        })
        .filter_map(|(_, _, value)| value.as_str())
        .filter(|text| text.contains("Mk") || text.len() == 18 || text.len() == 11)
        .collect();
    marks.sort_unstable();
    marks.dedup();
    marks
}
