//! What an adversary tries who may ask some questions and wants the answers to others: references followed backwards,
//! documents that say two things at once, values of the wrong kind, texts that two databases read differently, ids and
//! cursors of something else.

use std::collections::BTreeSet;

use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, Query};
use serde_json::{Value, json};
use xueji::access::caller::Place;
use xueji::access::policy::Source;
use xueji::access::table::Reach;

use crate::support::app::App;
use crate::support::callers::Person;
use crate::support::seed::{Seed, Shape};

/// The application under the shipped policy without some lines.
async fn without(lines: &[(&str, &str)]) -> (App, Seed) {
    let mut source = Source::shipped();
    for (file, beginning) in lines {
        let text = source.files.get_mut(*file).unwrap();
        let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with(beginning)).collect();
        assert!(kept.len() < text.lines().count(), "{beginning} stands in {file}");
        *text = kept.join("\n") + "\n";
    }
    let app = App::under(source).await;
    let seed = app.plant(Shape::default()).await;
    (app, seed)
}

#[tokio::test]
async fn a_hidden_reference_is_not_told_by_following_it_backwards() {
    let (app, seed) =
        without(&[("attendance.csv", "p, attendance.class_group_id, registrar, school")]).await;
    let registrar = app.registrar(seed.schools[0].id);
    // The rows are there, and do not say in which class they were made.
    let answer = registrar
        .ask("{ students(first: 1) { nodes { attendance { totalCount nodes { kind classGroup { id } } } } } }")
        .await;
    let rows = answer.at("/students/nodes/0/attendance");
    assert!(rows["totalCount"].as_u64().unwrap() > 0 && rows["nodes"][0]["kind"].is_string());
    assert!(rows["nodes"][0]["classGroup"].is_null(), "{rows}");
    // Neither does a class say which rows were made in it, by list, count, page or condition.
    let list = "{ classGroups { nodes { attendance(first: 1) { totalCount nodes { id } pageInfo { hasNextPage } } } } }";
    for class in registrar.ask(list).await.at("/classGroups/nodes").as_array().unwrap() {
        let empty = json!({ "totalCount": 0, "nodes": [], "pageInfo": { "hasNextPage": false } });
        assert_eq!(class["attendance"], empty);
    }
    for condition in ["some: {}", "none: {}", "every: { kind: { eq: PRESENT } }"] {
        for filter in [
            format!("{{ attendance: {{ {condition} }} }}"),
            format!("{{ not: {{ attendance: {{ {condition} }} }} }}"),
        ] {
            let (answer, statements) = registrar
                .counted(
                    &format!("{{ classGroups(filter: {filter}) {{ totalCount }} }}"),
                    json!({}),
                )
                .await;
            assert_eq!(answer.code(), "FORBIDDEN", "{filter}: {}", answer.text);
            let named = &answer.error()["extensions"]["coordinates"];
            assert_eq!(named, &json!(["Attendance.classGroupId"]));
            assert_eq!(statements, 0);
        }
    }
    // Who holds a class besides sees the rows of its own pupils there, and no others.
    let own = seed.first();
    let both = app.registrar(seed.schools[0].id).and(
        "homeroom_teacher",
        Reach::Class,
        Place::ClassGroup(own.id.uuid()),
    );
    let answer = both.ask("{ classGroups { nodes { id attendance { totalCount } } } }").await;
    for class in answer.at("/classGroups/nodes").as_array().unwrap() {
        let mine = class["id"] == app.id("class_group", own.id).as_str();
        assert_eq!(class["attendance"]["totalCount"].as_u64().unwrap() > 0, mine, "{class}");
    }
    let answer =
        both.ask("{ classGroups(filter: { attendance: { some: {} } }) { nodes { id } } }").await;
    assert_eq!(answer.texts("/classGroups/nodes", "id"), [app.id("class_group", own.id)]);
}

#[tokio::test]
async fn a_hidden_membership_is_not_told_by_rosters_or_classes() {
    let (app, seed) = without(&[(
        "class_membership.csv",
        "p, class_membership.class_group_id, year_head, year_level",
    )])
    .await;
    let head = || app.year_head(seed.schools[0].levels[0].id);
    let answer = head()
        .ask("{ students { totalCount nodes { name classGroup { name } } } classGroups { totalCount nodes { students { totalCount nodes { id } } } } }")
        .await;
    assert_eq!(answer.at("/students/totalCount"), 6);
    assert_eq!(answer.at("/classGroups/totalCount"), 2);
    for pupil in answer.at("/students/nodes").as_array().unwrap() {
        assert!(pupil["name"].is_string() && pupil["classGroup"].is_null(), "{pupil}");
    }
    for class in answer.at("/classGroups/nodes").as_array().unwrap() {
        assert_eq!(class["students"], json!({ "totalCount": 0, "nodes": [] }));
    }
    for list in [
        "students(filter: { classGroup: { number: { gt: 0 } } })",
        "students(filter: { not: { classGroup: {} } })",
        "classGroups(filter: { students: { some: {} } })",
        "classGroups(filter: { students: { none: { name: { eq: \"x\" } } } })",
    ] {
        let (answer, statements) =
            head().counted(&format!("{{ {list} {{ totalCount }} }}"), json!({})).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{list}: {}", answer.text);
        let named = &answer.error()["extensions"]["coordinates"];
        assert_eq!(named, &json!(["ClassMembership.classGroupId"]));
        assert_eq!(statements, 0);
    }
    // With a class of the own, that class has its pupils and they have it; the other one has none.
    let own = seed.first();
    let both = head().and("homeroom_teacher", Reach::Class, Place::ClassGroup(own.id.uuid()));
    let answer = both
        .ask("{ students { nodes { id classGroup { id } } } classGroups { nodes { id students { nodes { id } } } } }")
        .await;
    let class_id = app.id("class_group", own.id);
    let mine: BTreeSet<String> = own.students.iter().map(|id| app.id("student", *id)).collect();
    for pupil in answer.at("/students/nodes").as_array().unwrap() {
        let there = mine.contains(pupil["id"].as_str().unwrap());
        let expected = if there { json!({ "id": class_id }) } else { Value::Null };
        assert_eq!(pupil["classGroup"], expected);
    }
    for class in answer.at("/classGroups/nodes").as_array().unwrap() {
        let there = class["id"] == class_id.as_str();
        assert_eq!(class["students"]["nodes"].as_array().unwrap().len(), if there { 3 } else { 0 });
    }
}

#[tokio::test]
async fn one_key_never_stands_for_two_questions() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let id = app.id("student", seed.first().students[0]);
    let allowed = "filter: { name: { startsWith: \"M\" } }";
    let forbidden = "filter: { idNumber: { isNull: false } }";
    for document in [
        format!(
            "{{ a: students({allowed}) {{ totalCount }} a: students({forbidden}) {{ totalCount }} }}"
        ),
        format!(
            "{{ ...A ...B }} fragment A on Query {{ a: students({allowed}) {{ totalCount }} }} fragment B on Query {{ a: students({forbidden}) {{ totalCount }} }}"
        ),
        format!(
            "{{ a: students {{ totalCount }} ... on Query {{ a: students({forbidden}) {{ totalCount }} }} }}"
        ),
        format!(
            "{{ a: students @include(if: false) {{ totalCount }} a: students({forbidden}) {{ totalCount }} }}"
        ),
        format!(
            "{{ node(id: \"{id}\") {{ ... on Student {{ g: guardians {{ totalCount }} }} ...F }} }} fragment F on Student {{ g: guardians({forbidden}) {{ totalCount }} }}"
        ),
        format!(
            "query($x: Boolean = true) {{ students {{ nodes {{ g: guardians @skip(if: $x) {{ totalCount }} ... {{ g: guardians({forbidden}) {{ totalCount }} }} }} }} }}"
        ),
        "{ students { nodes { name: idNumber name } } }".to_owned(),
        "{ students { nodes { x: phone } nodes { x: name } } }".to_owned(),
        format!("{{ students {{ nodes {{ g: guardians {{ totalCount }} }} nodes {{ g: guardians({forbidden}) {{ totalCount }} }} }} }}"),
        format!(
            "{{ students {{ nodes {{ g: guardians({forbidden}) {{ totalCount }} }} }} ...F }} fragment F on Query {{ students {{ nodes {{ g: guardians {{ totalCount }} }} }} }}"
        ),
        "{ students { nodes { gender { x: label } } nodes { gender { x: value } } } }".to_owned(),
        "{ students { edges { x: cursor } edges { x: __typename } } }".to_owned(),
        "{ students { pageInfo { x: startCursor } pageInfo { x: endCursor } } }".to_owned(),
        "{ students { nodes { attendanceSummary { x: days } } nodes { attendanceSummary { x: present } } } }".to_owned(),
        "{ students { nodes { id } edges { node { id } } nodes: edges { cursor } } }".to_owned(),
    ] {
        let answer = teacher.ask(&document).await;
        assert!(
            ["VALIDATION_FAILED", "FORBIDDEN", "INVALID_INPUT"].contains(&answer.code()),
            "{document}: {}",
            answer.text
        );
        assert!(answer.body["data"].is_null(), "{document}: {}", answer.text);
    }
    // Types that cannot be there, circles, names that are not there.
    for document in [
        "{ students { nodes { ... on ClassGroup { name } } } }",
        "{ students { ... on Student { name } } }",
        "{ students { nodes { ...A } } } fragment A on Student { ...B } fragment B on Student { ...A }",
        "{ ...A } fragment A on Query { ...A }",
        "{ students { nodes { ...Gone } } }",
        "query { students { nodes { id } } } fragment Unused on Student { idNumber }",
        "{ students { nodes { guardians { name } } } }",
        "query Q($unused: String) { viewer { id } }",
        "query Q { students(filter: $undeclared) { totalCount } }",
        "query Q($f: Student) { students(filter: $f) { totalCount } }",
        "{ __schema { types { name } } students { nodes { id } } idNumber }",
    ] {
        let answer = teacher.ask(document).await;
        assert!(
            !answer.code().is_empty() && answer.code() != "INTERNAL",
            "{document}: {}",
            answer.text
        );
        assert!(answer.body["data"].is_null(), "{document}: {}", answer.text);
    }
    let typenames = teacher
        .ask("{ __typename students(first: 1) { __typename t: __typename edges { __typename node { __typename } } pageInfo { __typename } nodes { __typename healthStatus { __typename } } } }")
        .await;
    let told = json!({ "__typename": "StudentConnection", "t": "StudentConnection",
        "edges": [{ "__typename": "StudentEdge", "node": { "__typename": "Student" } }],
        "pageInfo": { "__typename": "PageInfo" },
        "nodes": [{ "__typename": "Student", "healthStatus": { "__typename": "Code" } }] });
    assert_eq!(typenames.at("/students"), &told);
}

#[tokio::test]
async fn a_value_of_the_wrong_kind_is_refused_by_name_and_never_taken_for_another() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let document = "query($f: StudentFilter, $o: [StudentOrder!], $n: Int) { \
        students(filter: $f, orderBy: $o, first: $n) { totalCount } }";
    for variables in [
        json!({ "f": "name" }),
        json!({ "f": [{ "name": { "eq": "x" } }, 5] }),
        json!({ "f": { "name": "x" } }),
        json!({ "f": { "name": { "eq": 5 } } }),
        json!({ "f": { "name": { "eq": ["x"] } } }),
        json!({ "f": { "name": { "eq": { "eq": "x" } } } }),
        json!({ "f": { "name": { "like": "%" } } }),
        json!({ "f": { "name": null } }),
        json!({ "f": { "name": { "eq": null } } }),
        json!({ "f": { "name": { "in": [null] } } }),
        json!({ "f": { "not": null } }),
        json!({ "f": { "and": [null] } }),
        json!({ "f": { "guardians": { "some": null } } }),
        json!({ "f": { "guardians": { "all": {} } } }),
        json!({ "f": { "classGroup": { "some": {} } } }),
        json!({ "f": { "distanceM": { "gt": 1.5 } } }),
        json!({ "f": { "distanceM": { "gt": 1e300 } } }),
        json!({ "f": { "distanceM": { "gt": "1" } } }),
        json!({ "f": { "distanceM": { "gt": 9_223_372_036_854_775_808_u64 } } }),
        json!({ "f": { "orphan": { "eq": "true" } } }),
        json!({ "f": { "orphan": { "eq": 1 } } }),
        json!({ "f": { "leftBehind": { "eq": "one_parent" } } }),
        json!({ "f": { "birthDate": { "gt": "2015-1-1" } } }),
        json!({ "f": { "birthDate": { "gt": "2015-01-01T00:00:00Z" } } }),
        json!({ "f": { "scores": { "some": { "value": { "gt": "NaN" } } } } }),
        json!({ "f": { "scores": { "some": { "value": { "gt": "1e5" } } } } }),
        json!({ "f": { "scores": { "some": { "value": { "gt": "99999999999999999999999" } } } } }),
        json!({ "f": { "scores": { "some": { "value": { "gt": "Infinity" } } } } }),
        json!({ "f": { "scores": { "some": { "enteredAt": { "gt": "2026-11-20" } } } } }),
        json!({ "f": { "idNumberHash": { "eq": "x" } } }),
        json!({ "f": { "phone_hash": { "isNull": false } } }),
        json!({ "f": { "lifecycle": { "eq": "deleted" } } }),
        json!({ "f": { "id_number": { "isNull": false } } }),
        json!({ "f": { "__typename": { "eq": "Student" } } }),
        json!({ "f": { "enrollment": { "studentId": { "eq": "x" } } } }),
        json!({ "o": [{ "field": "ID_NUMBER" }] }),
        json!({ "o": [{ "field": "id_number" }] }),
        json!({ "o": [{ "field": "ID" }] }),
        json!({ "o": [{ "field": "CREATED_AT" }] }),
        json!({ "o": [{ "field": "name" }] }),
        json!({ "o": [{ "field": "NAME; DROP TABLE student" }] }),
        json!({ "o": [{ "field": "NAME", "direction": "asc" }] }),
        json!({ "o": [{ "field": "NAME", "nulls": "FIRST" }] }),
        json!({ "o": [null] }),
        json!({ "n": "5" }),
        json!({ "n": 5.5 }),
        json!({ "n": -5 }),
        json!({ "n": true }),
    ] {
        let (answer, statements) = registrar.counted(document, variables.clone()).await;
        assert!(
            ["INVALID_INPUT", "VALIDATION_FAILED"].contains(&answer.code()),
            "{variables}: {}",
            answer.text
        );
        assert!(answer.body["data"].is_null(), "{variables}: {}", answer.text);
        assert_eq!(statements, 0, "{variables}");
    }
    // Absent and null arguments are the same; one value stands for a list of one.
    for (variables, total) in [
        (json!({}), 9),
        (json!({ "f": null, "o": null, "n": null }), 9),
        (json!({ "f": {}, "o": [] }), 9),
        (json!({ "f": { "leftBehind": { "eq": "ONE_PARENT" } } }), 9),
        (json!({ "f": { "name": { "in": "Mkpupilaaac" } } }), 1),
        (json!({ "f": { "or": { "name": { "eq": "Mkpupilaaac" } } } }), 1),
        (json!({ "o": { "field": "NAME" } }), 9),
    ] {
        let answer = registrar.query(document, variables.clone()).await;
        assert_eq!(answer.at("/students/totalCount"), total, "{variables}");
    }
}

/// The library does not compare a variable's type with the place it stands in, so a default value of another type is
/// not validated there.
#[tokio::test]
async fn a_default_value_of_another_type_opens_no_operator_and_no_column() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    for (declared, arguments) in [
        // Ranges and prefixes over encrypted columns, and over texts that know no range.
        ("$t: DateTest = { lt: \"2020-01-01\" }", "filter: { idNumber: $t }"),
        ("$t: StringTest = { startsWith: \"1\" }", "filter: { idNumber: $t }"),
        ("$t: DateTest = { gte: \"2020-01-01\" }", "filter: { name: $t }"),
        ("$t: DateTest = { lt: \"2020-01-01\" }", "filter: { gender: $t }"),
        ("$t: DateTest = { lt: \"2020-01-01\" }", "filter: { orphan: $t }"),
        ("$t: BooleanTest = { eq: true }", "filter: { distanceM: $t }"),
        // Columns that no filter and no order takes.
        ("$f: StaffFilter = { staffNumber: { isNull: false } }", "filter: $f"),
        ("$f: ScoreFilter = { published: { eq: false } }", "filter: { guardians: { some: $f } }"),
        ("$o: String = \"ID_NUMBER\"", "orderBy: [{ field: $o }]"),
        ("$o: String = \"FORMER_NAME\"", "orderBy: [{ field: $o }]"),
        ("$o: String = \"DISTANCE_M\"", "orderBy: [{ field: $o }]"),
        ("$o: String = \"ORPHAN\"", "orderBy: [{ field: $o }]"),
        ("$o: String = \"COUNT\"", "orderBy: [{ field: $o }]"),
        ("$o: [GuardianOrder!] = [{ field: POSITION }]", "orderBy: $o"),
        ("$n: String = \"5\"", "first: $n"),
        ("$q: Int = 5", "search: $q"),
        ("$v: Int = 5", "filter: { name: { eq: $v } }"),
        ("$v: [Int!] = [5]", "filter: { name: { in: $v } }"),
        ("$v: String = \"true\"", "filter: { name: { isNull: $v } }"),
    ] {
        let document = format!(
            "query({declared}) {{ students({arguments}) {{ totalCount nodes {{ id }} }} }}"
        );
        let (answer, statements) = registrar.counted(&document, json!({})).await;
        let codes = ["INVALID_INPUT", "VALIDATION_FAILED", "FORBIDDEN"];
        assert!(codes.contains(&answer.code()), "{document}: {}", answer.text);
        assert!(answer.body["data"].is_null(), "{document}: {}", answer.text);
        assert_eq!(statements, 0, "{document}");
    }
    // With a value in the request the library validates it for the place where it stands.
    let document = "query($f: GuardianFilter) { students(filter: $f) { totalCount } }";
    let answer =
        registrar.query(document, json!({ "f": { "relation": { "isNull": true } } })).await;
    assert_eq!(answer.code(), "INVALID_INPUT", "{}", answer.text);
}

async fn rename(app: &App, student: xueji_entity::value::StudentId, name: &str) {
    let mut update = Query::update();
    update
        .table("student")
        .value("name", name)
        .and_where(sea_orm::sea_query::ExprTrait::eq(Expr::col("id"), student.uuid()));
    app.db().execute(&update).await.unwrap();
}

async fn names(person: &Person<'_>, arguments: &str, variables: Value) -> Vec<String> {
    let declared = if arguments.contains("$v") { "query($v: String) " } else { "" };
    let document =
        format!("{declared}{{ students({arguments}, first: 200) {{ nodes {{ name }} }} }}");
    person.query(&document, variables).await.texts("/students/nodes", "name")
}

#[tokio::test]
async fn wildcards_case_marks_and_collation_are_read_alike_on_both_databases() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 16 }).await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let texts = [
        "%",
        "_",
        "\\",
        "a_b",
        "a%b",
        "a\\b",
        "axb",
        "Straße",
        "STRASSE",
        "İstanbul",
        "istanbul",
        "é",
        "e\u{301}",
        "'; --",
        "𠮷",
        "\u{FFFD}",
    ];
    for (student, text) in class.students.iter().zip(texts) {
        rename(&app, *student, text).await;
    }
    let all: BTreeSet<String> = texts.iter().map(|text| (*text).to_owned()).collect();
    for text in texts {
        let ask = |filter: &str| {
            let arguments = format!("filter: {{ {filter} }}");
            let (teacher, variables) = (&teacher, json!({ "v": text }));
            async move { names(teacher, &arguments, variables).await }
        };
        assert_eq!(ask("name: { eq: $v }").await, [text]);
        let head: BTreeSet<String> = texts
            .iter()
            .filter(|other| other.starts_with(text))
            .map(|text| (*text).to_owned())
            .collect();
        let found: BTreeSet<String> = ask("name: { startsWith: $v }").await.into_iter().collect();
        assert_eq!(found, head, "{text}: nothing in it is a pattern");
        let rest: BTreeSet<String> =
            ask("not: { name: { startsWith: $v } }").await.into_iter().collect();
        assert_eq!(rest, all.difference(&head).cloned().collect(), "{text}");
        // A search folds Latin letters, and nothing else, and finds no pattern either.
        let fold = |text: &str| text.to_ascii_lowercase();
        let words: Vec<String> = text.split_whitespace().map(fold).collect();
        let found: BTreeSet<String> =
            names(&teacher, "search: $v", json!({ "v": text })).await.into_iter().collect();
        let expected: BTreeSet<String> = texts
            .iter()
            .filter(|other| words.iter().all(|word| fold(other).contains(word)))
            .map(|text| (*text).to_owned())
            .collect();
        assert_eq!(found, expected, "{text}");
    }
    // The order is that of code points, and pages of one follow it without a gap.
    let mut sorted: Vec<String> = all.into_iter().collect();
    sorted.sort();
    for (direction, back) in [("ASC", false), ("DESC", true)] {
        let order = format!("orderBy: [{{ field: NAME, direction: {direction} }}]");
        let mut expected = sorted.clone();
        if back {
            expected.reverse();
        }
        assert_eq!(names(&teacher, &order, json!({})).await, expected);
        let document = format!(
            "query($a: String) {{ students({order}, first: 1, after: $a) {{ nodes {{ name }} pageInfo {{ endCursor }} }} }}"
        );
        let (mut walked, mut cursor) = (Vec::new(), Value::Null);
        for _ in 0..expected.len() {
            let answer = teacher.query(&document, json!({ "a": cursor })).await;
            walked.extend(answer.texts("/students/nodes", "name"));
            cursor = answer.at("/students/pageInfo/endCursor").clone();
        }
        assert_eq!(walked, expected, "{direction}");
    }
}

#[tokio::test]
async fn a_cursor_of_a_search_continues_that_search_alone() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let document = "query($q: String, $a: String) { students(search: $q, first: 1, after: $a) { totalCount nodes { id } pageInfo { endCursor } } }";
    let first = registrar.query(document, json!({ "q": "mkpupil" })).await;
    assert_eq!(first.at("/students/totalCount"), 9);
    let cursor = first.at("/students/pageInfo/endCursor");
    let next = registrar.query(document, json!({ "q": "mkpupil", "a": cursor })).await;
    assert_ne!(next.at("/students/nodes"), first.at("/students/nodes"));
    for other in [json!("mk"), json!("mkpinyin"), Value::Null] {
        let refused = registrar.query(document, json!({ "q": other, "a": cursor })).await;
        assert_eq!(refused.code(), "INVALID_INPUT", "{other}: {}", refused.text);
        assert_eq!(refused.error()["extensions"]["field"], "after");
    }
    // Nor is a cursor of the plain list, or of a filter that looks like a search, one of the search.
    let plain = registrar.query(document, json!({ "q": null })).await;
    let plain = plain.at("/students/pageInfo/endCursor");
    assert_eq!(
        registrar.query(document, json!({ "q": "mkpupil", "a": plain })).await.code(),
        "INVALID_INPUT"
    );
}

#[tokio::test]
async fn an_id_of_another_noun_leads_nowhere_wherever_an_id_is_taken() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let student = app.id("student", class.students[0]);
    let score = {
        let answer = teacher
            .ask("{ students(first: 1) { nodes { scores(first: 1) { nodes { id } } guardians(first: 1) { nodes { id } } } } }")
            .await;
        answer.at("/students/nodes/0/scores/nodes/0/id").as_str().unwrap().to_owned()
    };
    let exam = app.id("exam", seed.schools[0].levels[0].exam);
    // The same sealed bytes under the name of another type.
    let renamed = |id: &str, name: &str| format!("{name}_{}", id.split_once('_').unwrap().1);
    for (document, ids) in [
        (
            "query($id: ID!) { x: students(filter: { id: { eq: $id } }) { totalCount } }",
            vec![
                exam.clone(),
                score.clone(),
                renamed(&exam, "Student"),
                renamed(&score, "Student"),
            ],
        ),
        (
            "query($id: ID!) { x: students(filter: { id: { in: [$id, $id] } }) { totalCount } }",
            vec![exam.clone(), student.replace("Student_", "student_"), student[..20].to_owned()],
        ),
        (
            "query($id: ID!) { x: students(filter: { scores: { some: { id: { eq: $id } } } }) { totalCount } }",
            vec![
                student.clone(),
                renamed(&student, "Score"),
                score[..score.len() - 4].to_owned(),
                format!("{score}AAAA"),
            ],
        ),
        (
            "query($id: ID!) { x: students(filter: { scores: { some: { exam: { id: { eq: $id } } } } }) { totalCount } }",
            vec![student.clone(), renamed(&student, "Exam")],
        ),
    ] {
        for id in ids {
            let answer = teacher.query(document, json!({ "id": id })).await;
            assert_eq!(answer.at("/x/totalCount"), 0, "{id}");
        }
    }
    // A total over an examination that is none is empty, not of all.
    let totals =
        "query($e: ID!) { students { nodes { examTotal(examId: $e) { value courses } } } }";
    for id in [student.clone(), renamed(&student, "Exam"), String::new()] {
        let answer = teacher.query(totals, json!({ "e": id })).await;
        for node in answer.at("/students/nodes").as_array().unwrap() {
            let total = &node["examTotal"];
            assert!(total.is_null() || total["courses"] == 0, "{id}: {node}");
        }
    }
}

#[tokio::test]
async fn one_refused_part_keeps_the_whole_answer_and_tells_nothing_of_the_rest() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let asked = "{ a: students { nodes { id name idNumber } } b: students(filter: { idNumber: { isNull: true } }) { totalCount } }";
    let answer = teacher.ask(asked).await;
    assert_eq!(answer.code(), "FORBIDDEN");
    assert!(answer.body["data"].is_null(), "{}", answer.text);
    assert_eq!(answer.body["errors"].as_array().unwrap().len(), 1);
    assert_eq!(answer.error()["path"], json!(["b"]));
    // Deep below a list that would be long, the refusal comes first.
    let deep = "{ classGroups { nodes { students { nodes { guardians(orderBy: [{ field: NAME }], filter: { not: { idNumber: { in: [] } } }) { totalCount } } } } } }";
    let (answer, statements) = teacher.counted(deep, json!({})).await;
    assert_eq!((answer.code(), statements), ("FORBIDDEN", 0), "{}", answer.text);
}
