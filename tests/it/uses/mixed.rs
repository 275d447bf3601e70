//! Promise 9 where some rows show a column and others do not: every operator and its negation hold on the rows that
//! show it, and there they mean what they say. The oracle works it out row by row.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};
use xueji::access::caller::Place;
use xueji::access::table::{Reach, Uses};
use xueji::access::view::{Join, Noun};

use super::leaves;
use crate::support::app::App;
use crate::support::callers::Person;
use crate::support::document::{in_schema, noun};
use crate::support::oracle::Oracle;
use crate::support::seed::Seed;
use crate::support::truth::{Row, Truth};

/// People whose grants show different columns on different rows.
fn people<'a>(app: &'a App, seed: &Seed) -> Vec<(&'static str, Person<'a>)> {
    let (own, taught) = (seed.class(0, 0, 0), seed.class(0, 0, 1));
    let school = |at: usize| Place::Organisation(seed.schools[at].id.uuid());
    vec![
        (
            "homeroom and subject teacher",
            app.homeroom_teacher(own.id).and_subject_teacher(taught.id, seed.courses[0]),
        ),
        (
            "registrar here, reviewer there",
            app.registrar(seed.schools[0].id).and("reviewer", Reach::School, school(1)),
        ),
        (
            "year head with a child in another level",
            app.year_head(seed.schools[0].levels[0].id).and(
                "guardian",
                Reach::Ward,
                Place::Student(seed.class(0, 1, 0).students[0].uuid()),
            ),
        ),
        (
            "aid officer of the county, homeroom teacher",
            app.regional_aid_officer(seed.counties[0]).and(
                "homeroom_teacher",
                Reach::Class,
                Place::ClassGroup(own.id.uuid()),
            ),
        ),
        (
            "county officer, registrar of one school",
            app.county_officer(seed.counties[0]).and("registrar", Reach::School, school(0)),
        ),
    ]
}

/// A way to a list of rows: text around the list, and where its rows stand in the answer.
fn listed(of: &Noun, relation: Option<&str>, filters: &[Value]) -> (String, Value) {
    let ty = of.shape.type_name;
    let (mut variables, mut declared, mut lists) = (Map::new(), String::new(), String::new());
    for (at, filter) in filters.iter().enumerate() {
        declared.push_str(&format!("$f{at}: {ty}Filter "));
        let list = relation.unwrap_or("students");
        lists.push_str(&format!(
            " a{at}: {list}(filter: $f{at}, first: 200) {{ totalCount nodes {{ id }} }}"
        ));
        variables.insert(format!("f{at}"), filter.clone());
    }
    let document = match relation {
        None => format!("query({declared}) {{ {lists} }}"),
        Some(_) => format!("query({declared}) {{ students(first: 50) {{ nodes {{ {lists} }} }} }}"),
    };
    (document, Value::Object(variables))
}

/// The ids that each of the filters found.
async fn found(
    person: &Person<'_>,
    of: &Noun,
    relation: Option<&str>,
    filters: &[Value],
) -> Vec<BTreeSet<String>> {
    let (document, variables) = listed(of, relation, filters);
    let answer = person.query(&document, variables).await;
    let parents: Vec<&Value> = match relation {
        None => vec![answer.data()],
        Some(_) => answer.at("/students/nodes").as_array().unwrap().iter().collect(),
    };
    (0..filters.len())
        .map(|at| {
            let mut ids = BTreeSet::new();
            for parent in &parents {
                let list = &parent[format!("a{at}")];
                let nodes = list["nodes"].as_array().unwrap();
                assert_eq!(list["totalCount"], nodes.len());
                ids.extend(nodes.iter().map(|node| node["id"].as_str().unwrap().to_owned()));
            }
            ids
        })
        .collect()
}

#[tokio::test]
async fn every_operator_and_its_negation_hold_on_the_rows_that_show_the_column_alone() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let student = noun("student");
    let (mut asked, mut partly) = (0, 0);
    for (name, person) in people(&app, &seed) {
        let oracle = Oracle::of(&app, &truth, &person);
        let ways =
            std::iter::once((student, None)).chain(
                student.shape.relations.iter().enumerate().filter(|(_, shape)| shape.many).map(
                    |(at, shape)| (noun(shape.target), Some(student.relation_camel[at].as_str())),
                ),
            );
        for (of, relation) in ways {
            let rows: Vec<(&String, &Row)> =
                truth.of_noun(of.shape.name).filter(|(_, row)| oracle.visible(row)).collect();
            for field in (0..of.shape.fields.len()).filter(|at| in_schema(of, *at)) {
                for leaf in leaves(&truth, of, field) {
                    let showing: Vec<&(&String, &Row)> =
                        rows.iter().filter(|(_, row)| oracle.may(row, field, leaf.uses)).collect();
                    if showing.is_empty() {
                        continue;
                    }
                    partly += usize::from(showing.len() < rows.len());
                    let test = json!({ of.camel[field].clone(): leaf.test });
                    let sets = found(
                        &person,
                        of,
                        relation,
                        &[
                            test.clone(),
                            json!({ "not": test }),
                            json!({ "not": { "not": test } }),
                            json!({ "or": [test, { "not": test }] }),
                            json!({ "and": [test, { "not": test }] }),
                        ],
                    )
                    .await;
                    let (yes, no): (Vec<_>, Vec<_>) =
                        showing.iter().partition(|(_, row)| leaf.holds(row, field));
                    let ids = |of: Vec<&&(&String, &Row)>| -> BTreeSet<String> {
                        of.into_iter().map(|(id, _)| (*id).clone()).collect()
                    };
                    let (yes, no) = (ids(yes), ids(no));
                    let both = yes.union(&no).cloned().collect();
                    let what =
                        format!("{name}: {}.{} {}", of.shape.name, of.camel[field], leaf.test);
                    assert_eq!(sets, [yes.clone(), no, yes, both, BTreeSet::new()], "{what}");
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 500 && partly > 150, "{asked} asked, {partly} of them on some rows");
}

#[tokio::test]
async fn some_every_and_none_hold_positively() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let student = noun("student");
    let (mut asked, mut told_apart) = (0, 0);
    for (name, person) in people(&app, &seed) {
        let oracle = Oracle::of(&app, &truth, &person);
        for (at, shape) in student.shape.relations.iter().enumerate() {
            let of = noun(shape.target);
            let of_student = matches!(shape.join, Join::OfStudent) && shape.many;
            if !of_student {
                continue;
            }
            for field in (0..of.shape.fields.len()).filter(|at| in_schema(of, *at)) {
                for leaf in leaves(&truth, of, field) {
                    let visible = |row: &&Row| oracle.visible(row);
                    let rows: Vec<&Row> =
                        truth.of_noun(of.shape.name).map(|(_, row)| row).filter(visible).collect();
                    let may = |row: &Row| oracle.may(row, field, leaf.uses);
                    if !rows.iter().any(|row| may(row)) {
                        continue;
                    }
                    let test = json!({ of.camel[field].clone(): leaf.test });
                    let relation = student.relation_camel[at].as_str();
                    let ask = |quantifier: &str| json!({ relation: { quantifier: test } });
                    let filters = [
                        ask("some"),
                        ask("every"),
                        ask("none"),
                        json!({ "not": ask("some") }),
                        json!({ "not": ask("every") }),
                        json!({ "not": ask("none") }),
                    ];
                    let sets = found(&person, student, None, &filters).await;
                    let meets = |row: &&&Row| may(row) && leaf.holds(row, field);
                    let fails = |row: &&&Row| may(row) && !leaf.holds(row, field);
                    let mut expected: [BTreeSet<String>; 6] = Default::default();
                    for (id, pupil) in
                        truth.of_noun("student").filter(|(_, row)| oracle.visible(row))
                    {
                        let own: Vec<&&Row> =
                            rows.iter().filter(|row| row.student == Some(pupil.id)).collect();
                        let some = own.iter().any(&meets);
                        let every = own.iter().all(&meets);
                        let none = own.iter().all(&fails);
                        let not_every = own.iter().any(&fails);
                        let truths = [some, every, none, none, not_every, some];
                        told_apart += usize::from(!some && !none);
                        for (set, holds) in expected.iter_mut().zip(truths) {
                            if holds {
                                set.insert(id.clone());
                            }
                        }
                    }
                    assert_eq!(
                        sets, expected,
                        "{name}: {relation}.{} {}",
                        of.camel[field], leaf.test
                    );
                    asked += 1;
                }
            }
        }
    }
    assert!(asked > 100 && told_apart > 10, "{asked} asked, {told_apart} told apart");
}

#[tokio::test]
async fn a_search_looks_into_each_text_on_the_rows_that_show_it_in_full() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let student = noun("student");
    let uses = Uses::FULL.union(Uses::SEARCH);
    let (mut found_some, mut kept_back) = (0, 0);
    for (name, person) in people(&app, &seed) {
        let oracle = Oracle::of(&app, &truth, &person);
        let texts: Vec<usize> =
            (0..student.shape.fields.len()).filter(|field| student.searches(*field)).collect();
        for field in &texts {
            for (_, row) in truth.of_noun("student") {
                let Some(word) = row.shown[field].as_str() else { continue };
                // In the other case, and without its first letter.
                let word: String = word[1..].to_uppercase();
                let expected: BTreeSet<String> = truth
                    .of_noun("student")
                    .filter(|(_, row)| {
                        texts.iter().any(|at| {
                            let text = row.shown[at].as_str().unwrap_or_default().to_uppercase();
                            oracle.may(row, *at, uses) && text.contains(&word)
                        })
                    })
                    .map(|(id, _)| id.clone())
                    .collect();
                let document = "query($q: String) { students(search: $q, first: 200) { totalCount nodes { id } } }";
                let answer = person.query(document, json!({ "q": word })).await;
                let ids = answer.texts("/students/nodes", "id");
                assert_eq!(answer.at("/students/totalCount"), ids.len());
                found_some += ids.len();
                kept_back += usize::from(oracle.visible(row) && ids.is_empty());
                assert_eq!(ids.into_iter().collect::<BTreeSet<_>>(), expected, "{name}: {word}");
            }
        }
    }
    assert!(found_some > 50 && kept_back > 50, "{found_some} found, {kept_back} kept back");
}
