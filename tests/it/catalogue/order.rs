//! Orders, groups, aggregates, totals and cursors.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::json;

use super::refused;
use crate::canary::everybody;
use crate::support::app::App;
use crate::support::document::{LISTS, noun};
use crate::support::oracle::Oracle;
use crate::support::seed::Shape;
use crate::support::truth::Truth;

/// frappe #40515: a list sorted or grouped by a column that the role cannot read.
#[tokio::test]
async fn frappe_40515_sort_or_group_by_a_column_that_is_not_shown() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let (own, taught) = (seed.class(0, 0, 0), seed.class(0, 0, 1));
    let subject = app.subject_teacher(class.id, seed.courses[0]);
    let head = app.year_head(seed.schools[0].levels[0].id);
    let both = app.homeroom_teacher(own.id).and_subject_teacher(taught.id, seed.courses[0]);
    for (person, document, coordinate) in [
        (
            &subject,
            "{ students(orderBy: [{ field: BIRTH_DATE }]) { nodes { id } } }",
            "Student.birthDate",
        ),
        (
            &subject,
            "{ students(orderBy: [{ field: NAME }, { field: HEALTH_STATUS }]) { nodes { id } } }",
            "Student.healthStatus",
        ),
        (
            &subject,
            "{ students { nodes { guardians(orderBy: [{ field: NAME }]) { nodes { id } } } } }",
            "Guardian.name",
        ),
        (
            &head,
            "{ classGroups { nodes { students(orderBy: [{ field: LEFT_BEHIND }]) { nodes { id } } } } }",
            "Student.leftBehind",
        ),
        // Shown in one class and not in the other: the places of the others would tell.
        (
            &both,
            "{ students(orderBy: [{ field: BIRTH_DATE }]) { nodes { id } } }",
            "Student.birthDate",
        ),
        (
            &both,
            "{ classGroups { nodes { students(orderBy: [{ field: BIRTH_DATE }], first: 1) { nodes { id } } } } }",
            "Student.birthDate",
        ),
        (
            &head,
            "{ studentCounts(groupBy: [ETHNIC_GROUP]) { groups { count } } }",
            "Student.ethnicGroup",
        ),
        (
            &head,
            "{ studentCounts(groupBy: [GENDER, LEFT_BEHIND]) { groups { count } } }",
            "Student.leftBehind",
        ),
    ] {
        refused(document, &person.counted(document, json!({})).await, coordinate);
    }
    // Without an order of the caller's own, rows come in one that tells nothing of what is hidden.
    let answer = both.ask("{ students { nodes { id name } } }").await;
    assert!(answer.texts("/students/nodes", "name").is_sorted());
}

/// Azure data-api-builder #3553: the cursor carries the sort key, in base64.
#[tokio::test]
async fn azure_data_api_builder_3553_the_cursor_carries_the_sort_key() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let registrar = app.registrar(seed.schools[0].id);
    let mut looked = 0;
    for order in ["NAME", "BIRTH_DATE", "GENDER", "HEALTH_STATUS", "LEFT_BEHIND", "ETHNIC_GROUP"] {
        let document = format!(
            "{{ students(orderBy: [{{ field: {order} }}]) {{ edges {{ cursor node {{ id }} }} pageInfo {{ startCursor endCursor }} }} }}"
        );
        let answer = registrar.ask(&document).await;
        let mut named = 0;
        for edge in answer.at("/students/edges").as_array().unwrap() {
            let row = &truth.rows[edge["node"]["id"].as_str().unwrap()];
            let cursor = edge["cursor"].as_str().unwrap();
            let bytes = URL_SAFE_NO_PAD.decode(cursor).unwrap();
            // However it is read: as it is, backwards, as hexadecimal, as base64 in base64.
            let mut readings = vec![cursor.as_bytes().to_vec(), bytes.clone()];
            readings.push(bytes.iter().rev().copied().collect());
            readings.extend(STANDARD.decode(&bytes));
            readings.extend(URL_SAFE_NO_PAD.decode(&bytes));
            readings
                .push(bytes.iter().flat_map(|byte| format!("{byte:02x}").into_bytes()).collect());
            let column = row.value(&order.to_lowercase());
            let value = column["value"].as_str().or(column.as_str()).unwrap().to_lowercase();
            for text in readings {
                let found = |needle: &[u8]| {
                    text.to_ascii_lowercase().windows(needle.len()).any(|window| window == needle)
                };
                assert!(value.len() < 4 || !found(value.as_bytes()), "{order} {value} in {cursor}");
                assert!(!found(row.id.as_bytes()), "the key in {cursor}");
                assert!(!found(row.id.simple().to_string().as_bytes()), "the key in {cursor}");
                assert!(!found(b"student"));
                named += usize::from(found(order.to_lowercase().as_bytes()));
            }
            looked += 1;
        }
        // Four letters are in some noise by chance; a label would be in every cursor.
        assert!(named < 9, "{order} is named in {named} readings");
        // Of two callers who see the same rows in the same order, nothing but the length is alike.
        let theirs = app.registrar(seed.schools[0].id).ask(&document).await;
        let cursors =
            |answer: &crate::support::answer::Answer| answer.texts("/students/edges", "cursor");
        for (one, other) in cursors(&answer).iter().zip(cursors(&theirs)) {
            assert_ne!(one[..20], other[..20]);
        }
    }
    assert_eq!(looked, 6 * 9);
}

/// Keystone CVE-2026-33326, CVE-2025-46720: a look-up by a unique key, smuggled through the cursor argument past the
/// rules for filters.
#[tokio::test]
async fn keystone_cve_2026_33326_a_unique_key_through_the_cursor_argument() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let id = app.id("student", seed.class(0, 0, 1).students[0]);
    let row = &truth.rows[&id];
    let number = row.text("id_number");
    let keys = [
        number.to_owned(),
        "11010519491231002X".to_owned(),
        id.clone(),
        row.id.to_string(),
        row.id.simple().to_string(),
        json!({ "idNumber": number }).to_string(),
        json!({ "id": row.id }).to_string(),
        json!([number]).to_string(),
        STANDARD.encode(number),
        URL_SAFE_NO_PAD.encode(row.id.as_bytes()),
        URL_SAFE_NO_PAD.encode(json!({ "idNumber": number }).to_string()),
        STANDARD.encode("arrayconnection:0"),
        "0".to_owned(),
    ];
    for argument in ["after", "before"] {
        let size = if argument == "after" { "first" } else { "last" };
        let mut answers = Vec::new();
        for key in &keys {
            let document = format!(
                "query($c: String) {{ students({size}: 5, {argument}: $c) {{ totalCount nodes {{ id }} }} }}"
            );
            let (answer, statements) = teacher.counted(&document, json!({ "c": key })).await;
            assert_eq!(answer.code(), "INVALID_INPUT", "{key}: {}", answer.text);
            assert_eq!(answer.error()["extensions"]["field"], argument);
            assert_eq!(statements, 0, "no cursor is looked up");
            answers.push(answer.without_request_id());
        }
        answers.dedup();
        assert_eq!(answers.len(), 1, "all are refused alike");
    }
    // As an object it does not even reach the argument.
    let document = "query($c: StudentFilter) { students(after: $c) { totalCount } }";
    let answer = teacher.query(document, json!({ "c": { "idNumber": { "eq": number } } })).await;
    assert_eq!(answer.code(), "INVALID_INPUT");
    assert!(answer.body["data"].is_null());
}

/// Directus CVE-2026-35442: aggregate functions ran over columns that the role cannot read.
#[tokio::test]
async fn directus_cve_2026_35442_aggregate_functions_over_hidden_columns() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let (teacher, head) =
        (app.homeroom_teacher(class.id), app.year_head(seed.schools[0].levels[0].id));
    let aid = app.aid_officer(seed.schools[0].id);
    for (what, person, document) in [
        (
            "money by the teacher",
            &teacher,
            "{ aidCoverage(groupBy: [PROGRAMME]) { total groups { students } } }",
        ),
        ("a hidden key", &head, "{ studentCounts(groupBy: [LEFT_BEHIND]) { total } }"),
        (
            "scores by the aid officer",
            &aid,
            "{ scoreStatistics(groupBy: [COURSE]) { groups { mean max: count } } }",
        ),
        (
            "scores under an alias",
            &aid,
            "{ a: scoreStatistics(groupBy: []) { groups { b: mean } } }",
        ),
        (
            "scores in a fragment",
            &aid,
            "{ ...F } fragment F on Query { scoreStatistics(groupBy: []) { groups { mean } } }",
        ),
        (
            "attendance by the aid officer",
            &aid,
            "{ attendanceRates(period: MONTH, groupBy: [], from: \"2026-09-01\", until: \"2026-11-20\") { groups { rate } } }",
        ),
    ] {
        let (answer, statements) = person.counted(document, json!({})).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{what}: {}", answer.text);
        assert_eq!(statements, 0, "{what}");
        assert!(answer.body["data"].is_null(), "{what}");
    }
    // What is computed beside a row follows its sources: hidden scores add up to nothing, hidden attendance is not
    // counted, and neither is read.
    let exam = app.id("exam", seed.schools[0].levels[0].exam);
    let computed = "query($e: ID!) { students { nodes { examTotal(examId: $e) { value courses } attendanceSummary { days present } } } }";
    let (answer, statements) = aid.counted(computed, json!({ "e": exam })).await;
    for node in answer.at("/students/nodes").as_array().unwrap() {
        assert_eq!(node, &json!({ "examTotal": null, "attendanceSummary": null }));
    }
    let (_, plain) = aid.counted("{ students { nodes { id } } }", json!({})).await;
    assert_eq!(statements, plain, "no statement for what is hidden");
    assert_eq!(answer.redaction("Student.examTotal")[0].1, "NOT_GRANTED");
    let (answer, _) = teacher.counted(computed, json!({ "e": exam })).await;
    assert!(answer.at("/students/nodes/0/examTotal/value").is_string(), "{}", answer.text);
}

/// NeoWiki #1131, Hasura #7660: the total counted rows that the caller cannot read.
#[tokio::test]
async fn neowiki_1131_hasura_7660_the_total_counts_rows_that_are_not_shown() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 4 }).await;
    let truth = Truth::of(&app).await;
    let mut smaller = 0;
    for (name, person) in everybody(&app, &seed) {
        let oracle = Oracle::of(&app, &truth, &person);
        // Accounts come with those who ask, and so does what they hold.
        let come = ["account", "access_grant"];
        for (root, of) in LISTS.iter().filter(|(_, of)| !come.contains(of)) {
            let visible = oracle.visible_ids(of).len();
            let document = format!(
                "{{ {root}(first: 1) {{ totalCount nodes {{ id }} pageInfo {{ hasNextPage hasPreviousPage }} }} \
                 last: {root}(last: 1) {{ totalCount pageInfo {{ hasPreviousPage }} }} }}"
            );
            let answer = person.ask(&document).await;
            assert_eq!(answer.at(&format!("/{root}/totalCount")), visible, "{name}: {root}");
            assert_eq!(answer.at("/last/totalCount"), visible, "{name}: {root}");
            assert_eq!(
                answer.at(&format!("/{root}/pageInfo/hasNextPage")),
                visible > 1,
                "{name}: {root}"
            );
            assert_eq!(answer.at("/last/pageInfo/hasPreviousPage"), visible > 1, "{name}: {root}");
            smaller += usize::from(visible < truth.of_noun(noun(of).shape.name).count());
        }
    }
    assert!(smaller > 30, "{smaller} lists were shorter than their table");
    // Below a parent too, and under a filter: the pupils of a year level by way of a class of it.
    let parent = app.guardian(seed.first().students[0]);
    let answer = parent
        .ask("{ classGroups { totalCount nodes { students { totalCount nodes { id } } } } }")
        .await;
    assert_eq!(answer.at("/classGroups/totalCount"), 1);
    assert_eq!(answer.at("/classGroups/nodes/0/students/totalCount"), 1, "{}", answer.text);
}
