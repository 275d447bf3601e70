//! What comes back: aliases, interfaces, errors that tell apart, suggestions, decisions and rows of somebody else.

use std::sync::Arc;

use axum::http::header;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::support::answer::Answer;
use crate::support::app::App;
use crate::support::document::{LISTS, noun, nouns};
use crate::support::oracle::Oracle;
use crate::support::seed::Shape;
use crate::support::truth::Truth;

/// Directus CVE-2024-34708: the masker went by the key of the answer, and an alias changed the key.
#[tokio::test]
async fn directus_cve_2024_34708_an_alias_defeats_the_masker() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let oracle = Oracle::of(&app, &truth, &teacher);
    let forbidden = oracle.forbidden_texts();
    for selection in [
        "idNumber",
        "name: idNumber",
        "id: idNumber",
        "__x: idNumber",
        "a: idNumber b: idNumber idNumber",
        "phone: nationalStudentNumber name: currentAddress",
        "... on Student { name: idNumber }",
        "guardians { nodes { name: idNumber phone: currentAddress } }",
        "x: guardians { y: edges { z: node { student: workplace } } }",
    ] {
        let answer = teacher.ask(&format!("{{ students {{ nodes {{ {selection} }} }} }}")).await;
        answer.data();
        for text in &forbidden {
            assert!(!answer.text.contains(text), "{selection} told {text}");
        }
        assert!(answer.text.contains('*'), "{selection}: {}", answer.text);
        assert!(answer.redactions().iter().any(|entry| entry["sight"] == "masked"), "{selection}");
    }
    // One field asked for under two names is two masks and one entry of redactions, with the rows of both.
    let answer = teacher.ask("{ students { nodes { a: idNumber b: idNumber } } }").await;
    assert!(answer.redaction("Student.idNumber").len() == 1, "{:?}", answer.redactions());
    // What is hidden stays null under any name.
    let answer =
        teacher.ask("{ students { nodes { name: bloodGroup { label: value } x: orphan } } }").await;
    assert_eq!(answer.at("/students/nodes/0"), &json!({ "name": null, "x": null }));
}

/// async-graphql #1826: a guard on a field of an object was skipped when the field was read through an interface.
#[tokio::test]
async fn async_graphql_1826_a_guard_is_skipped_through_an_interface() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let class = seed.first();
    let people = [app.homeroom_teacher(class.id), app.subject_teacher(class.id, seed.courses[0])];
    for person in &people {
        let oracle = Oracle::of(&app, &truth, person);
        let mut compared = 0;
        for of in nouns() {
            let Some((id, _)) = truth.of_noun(of).find(|(_, row)| oracle.visible(row)) else {
                continue;
            };
            let (fields, type_name) =
                (crate::support::document::fields(noun(of)), noun(of).shape.type_name);
            let exam = app.id("exam", seed.schools[0].levels[0].exam);
            let mut answers = Vec::new();
            for document in [
                format!("node(id: \"{id}\") {{ ... on {type_name} {{ {fields} }} }}"),
                format!(
                    "node(id: \"{id}\") {{ ... on Node {{ ... on {type_name} {{ {fields} }} }} }}"
                ),
                format!(
                    "node(id: \"{id}\") {{ id ...F }} }} fragment F on Node {{ ... on {type_name} {{ {fields} }}"
                ),
            ] {
                let query = if fields.contains("$exam") { "query($exam: ID!)" } else { "query" };
                let answer = person
                    .query(&format!("{query} {{ {document} }}"), json!({ "exam": exam }))
                    .await;
                oracle.check(answer.data());
                answers.push(answer.at("/node").clone());
                compared += usize::from(!answer.redactions().is_empty());
            }
            assert!(answers.iter().all(|answer| answer == &answers[0]), "{of}");
        }
        assert!(compared > 5, "{compared} answers kept something back");
    }
}

/// Directus CVE-2025-64749: *forbidden* and *does not exist* were different errors.
#[tokio::test]
async fn directus_cve_2025_64749_different_errors_for_forbidden_and_missing() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let oracle = Oracle::of(&app, &truth, &teacher);
    let mut compared = 0;
    for of in nouns() {
        let Some((foreign, row)) = truth.of_noun(of).find(|(_, row)| !oracle.visible(row)) else {
            continue;
        };
        let missing = match row.student {
            Some(_) => app.id_of(of, Uuid::now_v7(), Uuid::now_v7()),
            None => app.id(of, Uuid::now_v7()),
        };
        let mut documents = vec!["query($id: ID!) { node(id: $id) { id } }".to_owned()];
        if let Some((root, _)) = LISTS.iter().find(|(_, noun)| *noun == of) {
            let mut one = noun(of).shape.type_name.to_owned();
            one[..1].make_ascii_lowercase();
            documents.push(format!("query($id: ID!) {{ {one}(id: $id) {{ id }} }}"));
            documents.push(format!(
                "query($id: ID!) {{ {root}(filter: {{ id: {{ eq: $id }} }}) {{ totalCount nodes {{ id }} }} }}"
            ));
        }
        for document in documents {
            let there = teacher.counted(&document, json!({ "id": foreign })).await;
            let nowhere = teacher.counted(&document, json!({ "id": missing })).await;
            assert_eq!(there.0.status, nowhere.0.status, "{document}");
            assert_eq!(there.0.without_request_id(), nowhere.0.without_request_id(), "{document}");
            assert_eq!(there.1, nowhere.1, "{document}: as many statements for both");
            let length = |answer: &Answer| answer.headers[header::CONTENT_LENGTH].clone();
            if there.0.headers.contains_key(header::CONTENT_LENGTH) {
                assert_eq!(length(&there.0), length(&nowhere.0));
            }
            compared += 1;
        }
    }
    assert!(compared > 15, "{compared}");
}

/// graphql-js #3229, async-graphql #1101: *did you mean …* named fields that the caller could not see.
#[tokio::test]
async fn graphql_js_3229_async_graphql_1101_did_you_mean_names_hidden_fields() {
    let (app, seed) = App::school().await;
    let parent = app.guardian(seed.first().students[0]);
    // What is misspelt, and the names near it that must not be said.
    for (document, near) in [
        ("{ students { nodes { idNumbr } } }", "idNumber"),
        ("{ students { nodes { healthStatu { value } } } }", "healthStatus"),
        ("{ studnts { totalCount } }", "students"),
        ("{ acounts { totalCount } }", "accounts"),
        ("{ students(filtr: {}) { totalCount } }", "filter"),
        ("{ students(filter: { idNumbr: { eq: \"1\" } }) { totalCount } }", "idNumber"),
        ("{ students(filter: { idNumber: { equ: \"1\" } }) { totalCount } }", "isNull"),
        ("{ students(orderBy: [{ field: BIRTH_DAT }]) { totalCount } }", "BIRTH_DATE"),
        ("{ students(orderBy: [{ feild: NAME }]) { totalCount } }", "direction"),
        (
            "{ students(filter: { leftBehind: { eq: BOTH_PARENT } }) { totalCount } }",
            "BOTH_PARENTS",
        ),
        ("{ node(id: \"x\") { ... on Studnt { id } } }", "Student"),
        ("query($f: StudentFilte) { students(filter: $f) { totalCount } }", "StudentFilter"),
        ("{ students { totalCount } ...Frg } fragment Frag on Query { viewer { id } }", "\"Frag\""),
        ("mutation { attendanceRecrd(input: {}) { recorded } }", "attendanceRecord"),
    ] {
        let answer = parent.ask(document).await;
        assert!(
            ["VALIDATION_FAILED", "INVALID_INPUT"].contains(&answer.code()),
            "{document}: {}",
            answer.text
        );
        let told = answer.text.to_lowercase();
        assert!(!told.contains("did you mean"), "{}", answer.text);
        // The name may stand there where the caller wrote it, and nowhere else.
        let written = document.matches(near).count();
        assert!(answer.text.matches(near).count() <= written * 2, "{document}: {}", answer.text);
        assert!(written > 0 || !answer.text.contains(near), "{document}: {}", answer.text);
    }
    // In production there is no introspection to look the names up in.
    let limits = xueji::graphql::Limits { introspection: false, ..Default::default() };
    let schema = xueji::graphql::build_schema(limits);
    for document in
        ["{ __schema { types { name } } }", "{ __type(name: \"Student\") { fields { name } } }"]
    {
        let answer = serde_json::to_value(schema.execute(document).await).unwrap();
        assert!(!answer.to_string().contains("idNumber"), "{answer}");
        assert!(
            answer["data"]["__schema"].is_null() && answer["data"]["__type"].is_null(),
            "{answer}"
        );
    }
}

/// graphql-shield #349: a cached decision ignored the parent and the arguments.
#[tokio::test]
async fn graphql_shield_349_a_cached_decision_ignores_parent_and_arguments() {
    let (app, seed) = App::school().await;
    let (own, taught) = (seed.class(0, 0, 0), seed.class(0, 0, 1));
    let teacher = app.homeroom_teacher(own.id).and_subject_teacher(taught.id, seed.courses[0]);
    let ids = |class: &crate::support::seed::Class| -> Vec<String> {
        class.students.iter().map(|id| app.id("student", *id)).collect()
    };
    let document = "query($a: ID!, $b: ID!) { \
        a: student(id: $a) { phone guardians { nodes { name phone } } } \
        b: student(id: $b) { phone guardians { nodes { name phone } } } \
        again: student(id: $a) { phone } \
        classGroups { nodes { id students { nodes { id phone } } } } }";
    for (first, second) in [(own, taught), (taught, own), (own, taught)] {
        let answer =
            teacher.query(document, json!({ "a": ids(first)[0], "b": ids(second)[0] })).await;
        for (key, class) in [("a", first), ("b", second)] {
            let shown = answer.at(&format!("/{key}/phone"));
            assert_eq!(shown.is_string(), class.id == own.id, "{key}: {}", answer.text);
            let kin = answer.at(&format!("/{key}/guardians/nodes")).as_array().unwrap();
            assert_eq!(!kin.is_empty(), class.id == own.id, "{key}: {}", answer.text);
        }
        assert_eq!(answer.at("/again/phone").is_string(), first.id == own.id);
        for class in answer.at("/classGroups/nodes").as_array().unwrap() {
            let mine = class["id"] == app.id("class_group", own.id).as_str();
            for pupil in class["students"]["nodes"].as_array().unwrap() {
                assert_eq!(pupil["phone"].is_string(), mine, "{pupil}");
            }
        }
    }
    // The same field with an argument that may be used, and then with one that may not.
    for _ in 0..2 {
        let names = teacher.ask("{ students(orderBy: [{ field: NAME }]) { totalCount } }").await;
        assert_eq!(names.at("/students/totalCount"), 6);
        let births =
            teacher.ask("{ students(orderBy: [{ field: BIRTH_DATE }]) { totalCount } }").await;
        assert_eq!(births.code(), "FORBIDDEN");
    }
}

/// backend.ai #12020: a loader or a cached answer that one user filled served another.
#[tokio::test]
async fn backend_ai_12020_a_shared_loader_or_cache_serves_somebody_else() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let class = seed.first();
    let people = [
        app.registrar(seed.schools[0].id),
        app.homeroom_teacher(class.id),
        app.subject_teacher(class.id, seed.courses[0]),
        app.guardian(class.students[0]),
        app.year_head(seed.schools[0].levels[0].id),
        app.stranger(),
    ];
    let document = "{ students { totalCount nodes { __typename id idNumber phone guardians { nodes { \
        __typename id phone idNumber } } } } }";
    let mut alone = Vec::new();
    for person in &people {
        alone.push(person.ask(document).await.without_request_id());
    }
    assert!(alone.iter().enumerate().all(|(at, one)| !alone[at + 1..].contains(one)), "all differ");
    // The same question over and over, in another order each time: each gets what is theirs.
    for turn in 0..people.len() {
        for step in 0..people.len() {
            let at = (turn * 5 + step * (turn + 1)) % people.len();
            let answer = people[at].ask(document).await;
            assert_eq!(answer.without_request_id(), alone[at]);
            Oracle::of(&app, &truth, &people[at]).check(answer.data());
            // Nothing between here and the caller may keep it either.
            assert_eq!(answer.headers[header::CACHE_CONTROL], "no-store");
        }
    }
}

/// Seaography 2.0.0-rc.9, measured: a data loader that outlives the request put two callers' keys into one batch under
/// the first one's row filter.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn seaography_a_loader_batches_the_keys_of_two_callers_under_one_filter() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 4 }).await;
    let app = Arc::new(app);
    let document = "{ classGroups { nodes { id students { nodes { id phone guardians { totalCount nodes { id phone } } scores { nodes { id value } } } } } } }";
    let mut clients: Vec<(String, String)> = Vec::new();
    {
        let level = &seed.schools[0].levels[0];
        let mut people = Vec::new();
        for class in &level.classes {
            people.push(app.homeroom_teacher(class.id));
            people.push(app.subject_teacher(class.id, seed.courses[0]));
            people.push(app.guardian(class.students[0]));
            people.push(app.student(class.students[1]));
        }
        people.push(app.year_head(level.id));
        people.push(app.registrar(seed.schools[0].id));
        people.push(app.reviewer(seed.schools[0].id));
        people.push(app.aid_officer(seed.schools[0].id));
        people.push(app.county_officer(seed.counties[0]));
        people.push(app.registrar(seed.schools[1].id));
        people.push(app.county_officer(seed.counties[1]));
        people.push(app.stranger());
        for person in &people {
            let alone = person.ask(document).await;
            alone.data();
            clients.push((person.token().await, alone.without_request_id()));
        }
    }
    assert_eq!(clients.len(), 16);
    let body = json!({ "query": document, "variables": Value::Null }).to_string();
    for _ in 0..3 {
        let mut asked = Vec::new();
        for (token, _) in &clients {
            let (app, token, body) = (Arc::clone(&app), token.clone(), body.clone());
            asked.push(tokio::spawn(async move { app.post(Some(&token), "en", body).await }));
        }
        for (asked, (_, alone)) in asked.into_iter().zip(&clients) {
            assert_eq!(&asked.await.unwrap().without_request_id(), alone);
        }
    }
}
