//! Aliases, fragments, directives, `node`, variables and default values: ways to write the same question, and no way to
//! another answer. And the documents under `examples/`, which real clients send.

use std::path::Path;

use serde_json::{Value, json};
use xueji::demo::Size;
use xueji_entity::value::AccountId;

use crate::support::app::App;
use crate::support::document::{self, LISTS, everything, noun};
use crate::support::oracle::Oracle;
use crate::support::snapshot;
use crate::support::truth::Truth;

#[tokio::test]
async fn aliases_fragments_and_directives_change_the_shape_and_nothing_else() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let plain =
        teacher.ask("{ students { nodes { id name idNumber phone bloodGroup { value } } } }").await;
    let pupils = plain.at("/students/nodes");
    let id = app.id("student", seed.first().students[0]);
    let one = pupils.as_array().unwrap().iter().find(|node| node["id"] == id.as_str()).unwrap();
    for (document, variables, pointer) in [
        (
            "{ a: students { b: nodes { id: id name: name phone idNumber bloodGroup { value } } } }",
            json!({}),
            "/a/b",
        ),
        (
            "{ students { nodes { ...F } } } fragment F on Student { id name idNumber ... on Student { phone } bloodGroup { ...C } } fragment C on Code { value }",
            json!({}),
            "/students/nodes",
        ),
        (
            "{ students { edges { node { id name idNumber phone bloodGroup { value } } } nodes { id name idNumber phone bloodGroup { value } } } }",
            json!({}),
            "/students/nodes",
        ),
        (
            "{ students { nodes { id name } } students { nodes { idNumber phone bloodGroup { value } } } }",
            json!({}),
            "/students/nodes",
        ),
        (
            "query($no: Boolean = false) { students { nodes { id name @skip(if: $no) idNumber @include(if: true) phone bloodGroup { value } } } }",
            json!({}),
            "/students/nodes",
        ),
        (
            "query($no: Boolean! = true) { students { nodes { id name idNumber phone bloodGroup { value } } } x: students @skip(if: $no) { nodes { id } } }",
            json!({}),
            "/students/nodes",
        ),
        (
            "query($f: StudentFilter = {}) { students(filter: $f) { nodes { id name idNumber phone bloodGroup { value } } } }",
            json!({}),
            "/students/nodes",
        ),
    ] {
        let answer = teacher.query(document, variables).await;
        let same = |a: &Value, b: &Value| {
            // The keys may come in another order.
            a.as_array().unwrap().len() == b.as_array().unwrap().len()
                && a.as_array().unwrap().iter().zip(b.as_array().unwrap()).all(|(a, b)| a == b)
        };
        assert!(same(answer.at(pointer), pupils), "{document}: {}", answer.text);
        let hidden = |answer: &crate::support::answer::Answer| {
            answer.redactions().iter().map(|entry| entry["coordinate"].clone()).collect::<Vec<_>>()
        };
        assert_eq!(hidden(&answer), hidden(&plain), "{document}");
    }
    // A masked field under an alias is masked, also twice; a fragment on the interface adds nothing.
    for document in [
        "query($id: ID!) { node(id: $id) { ... on Student { id name idNumber phone bloodGroup { value } } ... on ClassGroup { name } ... on Node { id } } }",
        "query($id: ID!) { node: student(id: $id) { ...F } } fragment F on Node { ... on Student { id name idNumber phone bloodGroup { value } } }",
    ] {
        let answer = teacher.query(document, json!({ "id": id })).await;
        assert_eq!(answer.at("/node"), one, "{document}");
    }
    let answer = teacher
        .ask("{ students(first: 1) { nodes { a: idNumber b: idNumber idNumber __typename } } }")
        .await;
    let node = answer.at("/students/nodes/0");
    assert!(
        node["a"] == node["b"]
            && node["a"] == node["idNumber"]
            && node["a"].as_str().unwrap().contains('*')
    );
    assert_eq!(node["__typename"], "Student");
}

#[tokio::test]
async fn a_key_asked_for_twice_with_different_arguments_is_refused() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let answer = teacher
        .ask("{ students(first: 1) { nodes { scores(first: 1) { totalCount } scores(first: 2) { totalCount } } } }")
        .await;
    assert_eq!(answer.code(), "VALIDATION_FAILED", "{}", answer.text);
}

#[tokio::test]
async fn names_of_hidden_fields_are_not_suggested() {
    let (app, seed) = App::school().await;
    let parent = app.guardian(seed.first().students[0]);
    for wrong in [
        "students { nodes { idNumbr } }",
        "studnts { totalCount }",
        "students(filtr: {}) { totalCount }",
    ] {
        let answer = parent.ask(&format!("{{ {wrong} }}")).await;
        assert_eq!(answer.code(), "VALIDATION_FAILED");
        assert!(!answer.text.contains("Did you mean"), "{}", answer.text);
        assert!(!answer.text.contains("idNumber\\\""), "{}", answer.text);
    }
}

fn size() -> Size {
    Size { counties: 2, schools: 2, classes: 3, students: 12, scores: 18, days: 5, seed: 7 }
}

fn example(role: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("examples/{role}.graphql"));
    std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{} is there", path.display()))
}

#[tokio::test]
async fn every_persona_of_the_demo_gets_the_answer_that_stands_beside_its_example() {
    let app = App::start().await;
    let record = app.fill(&size()).await;
    app.snapshot("census").await;
    let personas = &record.personas.0;
    let exam = personas.iter().find_map(|persona| persona.exam_id).unwrap();
    assert!(personas.len() >= 10, "{} personas", personas.len());
    for persona in personas {
        let person = app.account_holder(AccountId::from_uuid(persona.account_id)).await;
        let id = |noun: &str, id: Option<uuid::Uuid>| id.map(|id| app.id(noun, id));
        let variables = json!({
            "exam": id("exam", persona.exam_id.or(Some(exam))),
            "class": id("class_group", persona.class_group_id),
            "school": id("organisation", persona.school_id),
            "county": id("organisation", persona.county_id),
        });
        let answer = person.query(&example(&persona.role), variables).await;
        assert!(answer.data().is_object(), "{}", persona.name);
        let answer: Value = serde_json::from_str(&answer.text).unwrap();
        let file = format!("examples/{}.json", persona.role);
        snapshot::matches(&file, &serde_json::to_string_pretty(&answer).unwrap());
    }
    let examples =
        std::fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")).unwrap();
    for entry in examples {
        let path = entry.unwrap().path();
        let role = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let graphql = path.extension().is_some_and(|extension| extension == "graphql");
        assert!(
            !graphql || personas.iter().any(|persona| persona.role == role),
            "{role} has a persona"
        );
    }
}

#[tokio::test]
async fn the_demo_holds_the_same_promises_in_volume() {
    let app = App::start().await;
    let record = app.fill(&size()).await;
    app.snapshot("census").await;
    let truth = Truth::of(&app).await;
    let exam = record.personas.0.iter().find_map(|persona| persona.exam_id).unwrap();
    for persona in &record.personas.0 {
        let person = app.account_holder(AccountId::from_uuid(persona.account_id)).await;
        let oracle = Oracle::of(&app, &truth, &person);
        for (root, of) in LISTS {
            let document = document::list(root, &everything(noun(of), 1));
            let answer = person.query(&document, json!({ "exam": app.id("exam", exam) })).await;
            oracle.check(answer.data());
            let total = answer.at(&format!("/{root}/totalCount")).as_u64().unwrap();
            assert_eq!(total, oracle.visible_ids(of).len() as u64, "{}: {root}", persona.name);
        }
    }
}
