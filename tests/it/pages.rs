//! Promise 10: orders, pages and cursors. A cursor continues one list of one caller, and nothing else.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::answer::Answer;
use crate::support::app::App;
use crate::support::callers::Person;
use crate::support::seed::Shape;

const PAGE: &str = "query($first: Int, $after: String, $last: Int, $before: String, \
    $order: [StudentOrder!], $filter: StudentFilter) { students(first: $first, after: $after, \
    last: $last, before: $before, orderBy: $order, filter: $filter) { totalCount nodes { id name } \
    edges { cursor node { id } } pageInfo { hasNextPage hasPreviousPage startCursor endCursor } } }";

async fn page(person: &Person<'_>, variables: Value) -> Answer {
    person.query(PAGE, variables).await
}

/// All pages in one direction, of the sizes in turn.
async fn walk(person: &Person<'_>, forward: bool, sizes: &[u64], order: &Value) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    let mut cursor = Value::Null;
    for turn in 0_usize.. {
        assert!(turn < 500, "the pages end");
        let size = sizes[turn % sizes.len()];
        let variables = if forward {
            json!({ "first": size, "after": cursor, "order": order })
        } else {
            json!({ "last": size, "before": cursor, "order": order })
        };
        let answer = page(person, variables).await;
        let ids = answer.texts("/students/nodes", "id");
        let info = answer.at("/students/pageInfo");
        let (more, edge) =
            if forward { ("hasNextPage", "endCursor") } else { ("hasPreviousPage", "startCursor") };
        let back = if forward { "hasPreviousPage" } else { "hasNextPage" };
        assert_eq!(info[back], turn > 0);
        cursor = info[edge].clone();
        if forward {
            all.extend(ids);
        } else {
            all.splice(0..0, ids);
        }
        if info[more] == false {
            break;
        }
    }
    all
}

#[tokio::test]
async fn pages_forward_and_back_are_complete_without_gaps_or_doubles() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 11 }).await;
    let registrar = app.registrar(seed.schools[0].id);
    // Gender and left-behind are full of ties; the key ends every order.
    for order in [
        json!(null),
        json!([]),
        json!([{ "field": "NAME" }]),
        json!([{ "field": "NAME", "direction": "DESC" }]),
        json!([{ "field": "GENDER", "direction": "DESC" }]),
        json!([{ "field": "LEFT_BEHIND" }, { "field": "GENDER" }, { "field": "BIRTH_DATE", "direction": "DESC" }]),
    ] {
        let whole = page(&registrar, json!({ "first": 200, "order": order })).await;
        let whole = whole.texts("/students/nodes", "id");
        assert_eq!(whole.len(), 33);
        assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), 33);
        for sizes in [&[1][..], &[5], &[33], &[32, 1], &[7, 3, 200]] {
            assert_eq!(walk(&registrar, true, sizes, &order).await, whole, "{order} by {sizes:?}");
            assert_eq!(
                walk(&registrar, false, sizes, &order).await,
                whole,
                "back, {order} by {sizes:?}"
            );
        }
    }
}

#[tokio::test]
async fn an_order_is_the_one_that_was_asked_for() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let dates = |direction: &str| {
        format!(
            "{{ students(orderBy: [{{ field: BIRTH_DATE, direction: {direction} }}]) {{ nodes {{ birthDate }} }} }}"
        )
    };
    let up = registrar.ask(&dates("ASC")).await.texts("/students/nodes", "birthDate");
    let down = registrar.ask(&dates("DESC")).await.texts("/students/nodes", "birthDate");
    assert!(up.is_sorted() && up.len() == 9);
    assert_eq!(up.into_iter().rev().collect::<Vec<_>>(), down);
}

#[tokio::test]
async fn nested_pages_are_complete_too() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 7 }).await;
    let head = app.year_head(seed.schools[0].levels[0].id);
    let document = "query($id: ID!, $after: String) { classGroup(id: $id) { students(first: 3, \
        after: $after) { totalCount nodes { id } pageInfo { hasNextPage endCursor } } } }";
    for class in &seed.schools[0].levels[0].classes {
        let id = app.id("class_group", class.id);
        let mut all = Vec::new();
        let mut after = Value::Null;
        loop {
            let answer = head.query(document, json!({ "id": id, "after": after })).await;
            assert_eq!(answer.at("/classGroup/students/totalCount"), 7);
            all.extend(answer.texts("/classGroup/students/nodes", "id"));
            let info = answer.at("/classGroup/students/pageInfo");
            if info["hasNextPage"] == false {
                break;
            }
            after = info["endCursor"].clone();
        }
        let expected: BTreeSet<String> =
            class.students.iter().map(|student| app.id("student", *student)).collect();
        assert_eq!(all.len(), 7);
        assert_eq!(all.into_iter().collect::<BTreeSet<_>>(), expected);
    }
    // Several parents at once: each its own first page and total.
    let answer = head
        .ask("{ classGroups { nodes { students(first: 3) { totalCount nodes { id } pageInfo { hasNextPage } } } } }")
        .await;
    for node in answer.at("/classGroups/nodes").as_array().unwrap() {
        assert_eq!(node["students"]["totalCount"], 7);
        assert_eq!(node["students"]["nodes"].as_array().unwrap().len(), 3);
        assert_eq!(node["students"]["pageInfo"]["hasNextPage"], true);
    }
}

#[tokio::test]
async fn an_order_by_a_column_that_some_rows_do_not_show_is_refused() {
    let (app, seed) = App::school().await;
    let (own, taught) = (seed.class(0, 0, 0), seed.class(0, 0, 1));
    let order = |value: &str| {
        format!("{{ students(orderBy: [{{ field: {value} }}]) {{ nodes {{ id }} }} }}")
    };
    let teacher = app.homeroom_teacher(own.id).and_subject_teacher(taught.id, seed.courses[0]);
    let (answer, statements) = teacher.counted(&order("BIRTH_DATE"), json!({})).await;
    assert_eq!(
        answer.code(),
        "FORBIDDEN",
        "seen in one class and not in the other: {}",
        answer.text
    );
    assert_eq!(answer.error()["extensions"]["coordinates"], json!(["Student.birthDate"]));
    assert_eq!(statements, 0);
    assert_eq!(teacher.ask(&order("NAME")).await.code(), "", "seen in both");
    assert_eq!(app.homeroom_teacher(own.id).ask(&order("BIRTH_DATE")).await.code(), "");
    let answer = app.subject_teacher(taught.id, seed.courses[0]).ask(&order("LEFT_BEHIND")).await;
    assert_eq!(answer.code(), "FORBIDDEN");
}

#[tokio::test]
async fn a_default_order_gives_way_where_it_may_not_be_used() {
    // An aid officer sees no examination date; the list is still there, ordered by key.
    let (app, seed) = App::school().await;
    let answer = app
        .aid_officer(seed.schools[0].id)
        .ask("{ students { nodes { aidGrants { nodes { amount } } classMemberships { nodes { id } } } } }")
        .await;
    assert!(answer.at("/students/nodes").as_array().unwrap().len() > 2);
}

#[tokio::test]
async fn a_cursor_of_another_caller_field_filter_order_or_parent_is_refused() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let (registrar, other) = (app.registrar(school), app.registrar(school));
    let own = page(&registrar, json!({ "first": 2 })).await;
    let cursor = own.at("/students/pageInfo/endCursor").as_str().unwrap().to_owned();
    // The page size may change, and the selection.
    assert_eq!(page(&registrar, json!({ "first": 5, "after": cursor })).await.code(), "");
    let again = registrar
        .query(
            "query($a: String) { alias: students(after: $a) { nodes { id } } }",
            json!({ "a": cursor }),
        )
        .await;
    assert_eq!(again.code(), "");
    let refused = |what: &'static str, answer: Answer| {
        assert_eq!(answer.code(), "INVALID_INPUT", "{what}: {}", answer.text);
        assert_eq!(answer.error()["extensions"]["field"], "after", "{what}");
        assert!(answer.message().contains("cursor"), "{what}: {}", answer.text);
    };
    refused("caller", page(&other, json!({ "first": 2, "after": cursor })).await);
    let filter = json!({ "gender": { "eq": "RDXB:1" } });
    refused(
        "filter",
        page(&registrar, json!({ "first": 2, "after": cursor, "filter": filter })).await,
    );
    let order = json!([{ "field": "BIRTH_DATE" }]);
    refused(
        "order",
        page(&registrar, json!({ "first": 2, "after": cursor, "order": order })).await,
    );
    let document = "query($a: String) { classGroups(after: $a) { nodes { id } } }";
    refused("field", registrar.query(document, json!({ "a": cursor })).await);
    let document = "query($id: ID!, $a: String) { classGroup(id: $id) { students(first: 1, after: $a) \
                    { nodes { id } pageInfo { endCursor } } } }";
    let class = |at: usize| app.id("class_group", seed.class(0, 0, at).id);
    refused("nested", registrar.query(document, json!({ "id": class(0), "a": cursor })).await);
    let first = registrar.query(document, json!({ "id": class(0), "a": null })).await;
    let nested = first.at("/classGroup/students/pageInfo/endCursor");
    let same = registrar.query(document, json!({ "id": class(0), "a": nested })).await;
    assert_eq!(same.code(), "");
    refused("parent", registrar.query(document, json!({ "id": class(1), "a": nested })).await);
    let mut forged = cursor.clone();
    let last = forged.pop().unwrap();
    forged.push(if last == 'A' { 'Q' } else { 'A' });
    for forged in [forged.as_str(), "", "x", "MTIz", "{\"name\":\"A\"}", &cursor[..8]] {
        refused("forged", page(&registrar, json!({ "first": 2, "after": forged })).await);
    }
    let backwards = page(&registrar, json!({ "last": 2, "before": "forged" })).await;
    assert_eq!(backwards.error()["extensions"]["field"], "before");
}

#[tokio::test]
async fn cursors_and_ids_tell_nothing_by_themselves() {
    use base64::Engine as _;
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let answer = page(&registrar, json!({ "first": 50, "order": [{ "field": "NAME" }] })).await;
    let cursors = answer.at("/students/edges").as_array().unwrap();
    for edge in cursors {
        let cursor = edge["cursor"].as_str().unwrap();
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(cursor).unwrap();
        assert!(
            !bytes.windows(7).any(|window| window == b"Mkpupil"),
            "the key of the order is sealed"
        );
    }
    let students: Vec<_> = seed.first().students.iter().map(|id| app.id("student", *id)).collect();
    for id in &students {
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD
            .decode(&id["Student_".len()..])
            .unwrap();
        let known =
            seed.first().students.iter().any(|own| own.uuid().as_bytes()[..6] == bytes[..6]);
        assert!(!known, "no time in it");
    }
}

#[tokio::test]
async fn a_page_of_nothing_too_much_or_both_ends_is_refused() {
    let (app, seed) = App::school().await;
    let (registrar, chinese) =
        (app.registrar(seed.schools[0].id), app.registrar(seed.schools[0].id).in_chinese());
    for (variables, code, field, en, zh) in [
        (json!({ "first": 0 }), "INVALID_INPUT", "first", "at least 1", "至少 1"),
        (json!({ "first": -1 }), "INVALID_INPUT", "first", "at least 1", "至少 1"),
        (json!({ "last": 0 }), "INVALID_INPUT", "last", "at least 1", "至少 1"),
        (json!({ "first": 10_000 }), "LIMIT_EXCEEDED", "", "at most 200", "最多为 200"),
        (json!({ "first": 201 }), "LIMIT_EXCEEDED", "", "at most 200", "最多为 200"),
        (json!({ "first": 2, "last": 2 }), "INVALID_INPUT", "first", "not both", "二选一"),
        (json!({ "first": 2, "before": "x" }), "INVALID_INPUT", "first", "not both", "二选一"),
        (json!({ "last": 2, "after": "x" }), "INVALID_INPUT", "first", "not both", "二选一"),
    ] {
        let answer = page(&registrar, variables.clone()).await;
        assert_eq!(answer.code(), code, "{variables}: {}", answer.text);
        if !field.is_empty() {
            assert_eq!(answer.error()["extensions"]["field"], field, "{variables}");
        }
        assert!(answer.message().contains(en), "{variables}: {}", answer.message());
        let answer = page(&chinese, variables.clone()).await;
        assert_eq!(answer.code(), code);
        assert!(answer.message().contains(zh), "{variables}: {}", answer.message());
    }
    let twice = json!({ "order": [{ "field": "NAME" }, { "field": "NAME", "direction": "DESC" }] });
    assert_eq!(page(&registrar, twice).await.error()["extensions"]["field"], "orderBy");
}
