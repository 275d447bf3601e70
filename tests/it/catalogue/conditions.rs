//! Conditions: brute force through relations, conditions on private columns, search in hidden ones, ranges over masked
//! ones, and lists of nothing that count as everything.

use serde_json::{Value, json};
use xueji::access::caller::Place;
use xueji::access::table::{Reach, Sight};
use xueji::access::view::Kind;

use super::{refused, total};
use crate::support::app::App;
use crate::support::oracle::Oracle;
use crate::support::truth::Truth;

/// Hasura CVE-2026-54698: `where` on a related table whose rows are hidden was evaluated over the hidden rows, so that
/// patterns told their values letter by letter.
#[tokio::test]
async fn hasura_cve_2026_54698_patterns_over_related_rows_that_are_hidden() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let (own, other) = (seed.class(0, 0, 0), seed.class(0, 0, 1));
    // The teacher may search names of guardians, in the own class; the others' hang from pupils next door.
    let teacher = app.homeroom_teacher(own.id);
    let name_of = |student: xueji_entity::value::StudentId| {
        truth
            .of_noun("guardian")
            .find(|(_, row)| row.student == Some(student.uuid()))
            .map(|(_, row)| row.text("name").to_owned())
            .unwrap()
    };
    let (ours, theirs) = (name_of(own.students[0]), name_of(other.students[0]));
    // Straight at the family, and around through classes, year levels and schools that everybody may see.
    let ways = [
        "students(filter: { guardians: { some: { name: { startsWith: $p } } } })",
        "classGroups(filter: { students: { some: { guardians: { some: { name: { startsWith: $p } } } } } })",
        "yearLevels(filter: { classGroups: { some: { students: { some: { guardians: { some: { name: { startsWith: $p } } } } } } } })",
        "organisations(filter: { classGroups: { some: { students: { some: { guardians: { some: { name: { startsWith: $p } } } } } } } })",
    ];
    let mut tried = 0;
    for way in ways {
        let document = format!("query($p: String!) {{ x: {way} {{ totalCount }} }}");
        let found = async |pattern: String| {
            total(&teacher, &document, "/x/totalCount", json!({ "p": pattern })).await
        };
        let nobody = found("Nobody".to_owned()).await;
        assert_eq!(nobody, 0, "{way}");
        assert_eq!(found(ours.clone()).await, 1, "{way} finds what the teacher may see");
        // Letter by letter: each right beginning of the hidden name, and a wrong one beside it.
        let letters: Vec<char> = theirs.chars().collect();
        for length in 1..=letters.len() {
            let head: String = letters[..length].iter().collect();
            for last in ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', letters[length - 1]] {
                let guess: String = letters[..length - 1].iter().copied().chain([last]).collect();
                let count = found(guess.clone()).await;
                let mine = truth
                    .of_noun("guardian")
                    .filter(|(_, row)| own.students.iter().any(|id| row.student == Some(id.uuid())))
                    .any(|(_, row)| row.text("name").starts_with(&guess));
                assert_eq!(count > 0, mine, "{way}: {guess} of {head}");
                tried += 1;
            }
        }
        // And the other way round: a negation tells no more.
        let document =
            document.replace("{ startsWith: $p }", "{ startsWith: $p }, not: { name: { eq: $p } }");
        assert_eq!(total(&teacher, &document, "/x/totalCount", json!({ "p": theirs })).await, 0);
    }
    assert!(tried > 300, "{tried}");
}

/// Strapi CVE-2026-27886, CVE-2023-22894, CVE-2023-34235, CVE-2024-56143: `where` through a relation into a private
/// column of another table (a password hash, a reset token).
#[tokio::test]
async fn strapi_cve_2026_27886_conditions_through_a_relation_into_a_private_column() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let class = seed.first();
    let kin = truth
        .of_noun("guardian")
        .find(|(_, row)| row.student == Some(class.students[0].uuid()))
        .map(|(_, row)| row)
        .unwrap();
    let (number, phone) = (kin.text("id_number"), kin.text("phone"));
    let teacher = app.homeroom_teacher(class.id);
    let head = app.year_head(seed.schools[0].levels[0].id);
    for (person, value, wrong, condition, coordinate) in [
        (
            &teacher,
            number,
            "11010519491231002X",
            "students(filter: { guardians: { some: { idNumber: { eq: $v } } } })",
            "Guardian.idNumber",
        ),
        (
            &teacher,
            number,
            "11010519491231002X",
            "classGroups(filter: { students: { some: { guardians: { none: { idNumber: { eq: $v } } } } } })",
            "Guardian.idNumber",
        ),
        (
            &teacher,
            number,
            "11010519491231002X",
            "students(filter: { not: { guardians: { every: { not: { idNumber: { eq: $v } } } } } })",
            "Guardian.idNumber",
        ),
        (
            &head,
            phone,
            "13712345678",
            "students(filter: { guardians: { some: { phone: { eq: $v } } } })",
            "Guardian.phone",
        ),
        (
            &head,
            phone,
            "13712345678",
            "students(filter: { guardianships: { some: { guardian: { phone: { eq: $v } } } } })",
            "Guardian.phone",
        ),
        (
            &head,
            phone,
            "13712345678",
            "students(filter: { guardians: { some: { student: { guardians: { some: { phone: { in: [$v] } } } } } } })",
            "Guardian.phone",
        ),
    ] {
        let document =
            format!("query($v: String!) {{ {condition} {{ totalCount nodes {{ id }} }} }}");
        let right = person.counted(&document, json!({ "v": value })).await;
        refused(condition, &right, coordinate);
        assert!(!right.0.text.contains(value));
        // The right guess and the wrong one are refused byte for byte alike.
        let wrong = person.counted(&document, json!({ "v": wrong })).await;
        assert_eq!(right.0.without_request_id(), wrong.0.without_request_id());
    }
}

/// platformatic #5119, bytebase #14379: a plain `where` on a column that the role cannot select.
#[tokio::test]
async fn platformatic_5119_bytebase_14379_a_plain_condition_on_a_column_that_is_not_shown() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let class = seed.first();
    let teacher = app.subject_teacher(class.id, seed.courses[0]);
    let oracle = Oracle::of(&app, &truth, &teacher);
    let id = app.id("student", class.students[0]);
    let row = &truth.rows[&id];
    let mut tried = 0;
    for (field, value) in &row.shown {
        let shape = &row.noun.shape.fields[*field];
        let hidden = oracle.sight(row, *field) != Sight::Full;
        if !hidden || matches!(shape.kind, Kind::Sealed { hashed: false, .. }) || value.is_null() {
            continue;
        }
        let value = match (shape.kind, value) {
            (Kind::Code, value) => {
                json!(format!(
                    "{}:{}",
                    value["list"].as_str().unwrap(),
                    value["value"].as_str().unwrap()
                ))
            }
            (_, value) => value.clone(),
        };
        let column = &row.noun.camel[*field];
        let filter = json!({ column: { "eq": value } });
        let document = "query($f: StudentFilter!) { students(filter: $f) { totalCount } }";
        let answer = teacher.counted(document, json!({ "f": filter })).await;
        refused(column, &answer, &row.noun.coordinate(*field));
        tried += 1;
    }
    assert!(tried > 25, "{tried}");
}

/// Directus CVE-2025-30352: free-text search looked into columns that the role cannot read.
#[tokio::test]
async fn directus_cve_2025_30352_search_in_columns_that_are_not_shown() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let class = seed.first();
    let row = &truth.rows[&app.id("student", class.students[0])];
    let teacher = app.homeroom_teacher(class.id);
    let document = "query($q: String!) { students(search: $q) { totalCount nodes { id } } }";
    let asked = |word: &str| json!({ "q": word });
    // What the teacher sees and may search is found, in either case; the name and its spelling are two columns.
    for word in [row.text("name"), row.text("name_pinyin"), &row.text("name").to_uppercase()] {
        let found = teacher.query(document, asked(word)).await;
        assert_eq!(found.texts("/students/nodes", "id"), [app.id("student", class.students[0])]);
    }
    // What is hidden, masked, or shown without the right to search is not found, whole or in part.
    for column in [
        "former_name",
        "id_number",
        "phone",
        "email",
        "current_address",
        "talents",
        "auxiliary_number",
    ] {
        let value = row.text(column);
        for word in
            [value.to_owned(), value.chars().skip(2).collect(), value.chars().take(6).collect()]
        {
            let found = teacher.query(document, asked(&word)).await;
            assert_eq!(found.at("/students/totalCount"), 0, "{column}: {word}");
        }
    }
    // Nor is a pupil next door, nor anything by a wildcard.
    let next = &truth.rows[&app.id("student", seed.class(0, 0, 1).students[0])];
    for word in [next.text("name"), "%", "_", "Mkpupil%", "\\", "'", "*"] {
        assert_eq!(
            total(&teacher, document, "/students/totalCount", asked(word)).await,
            0,
            "{word}"
        );
    }
    // The registrar, who may search former names, finds it by them; a reviewer sees them masked, and does not.
    let former = row.text("former_name");
    let (registrar, reviewer) =
        (app.registrar(seed.schools[0].id), app.reviewer(seed.schools[0].id));
    assert_eq!(total(&registrar, document, "/students/totalCount", asked(former)).await, 1);
    assert_eq!(total(&reviewer, document, "/students/totalCount", asked(former)).await, 0);
    // A mask is no text to search either.
    assert_eq!(total(&reviewer, document, "/students/totalCount", asked("*")).await, 0);
    // Who may search nothing is told so.
    let parent = app.guardian(class.students[0]);
    refused("a guardian", &parent.counted(document, asked("Mk")).await, "Student.name");
    // Too much of it is refused, and so is nothing.
    for (word, code) in [
        ("", "INVALID_INPUT"),
        (" \u{3000} ", "INVALID_INPUT"),
        ("a\u{0}b", "INVALID_INPUT"),
        ("a b c d e f", "LIMIT_EXCEEDED"),
        (&"x".repeat(101), "LIMIT_EXCEEDED"),
    ] {
        assert_eq!(teacher.query(document, asked(word)).await.code(), code, "{word:?}");
    }
}

/// SQL Server dynamic data masking: the output was masked, and range predicates ran over the real value.
#[tokio::test]
async fn sql_server_dynamic_data_masking_ranges_over_the_masked_value() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let class = seed.first();
    let row = &truth.rows[&app.id("student", class.students[0])];
    let teacher = app.homeroom_teacher(class.id);
    let shown = teacher.ask("{ students { nodes { idNumber nationalStudentNumber } } }").await;
    assert!(shown.texts("/students/nodes", "idNumber").iter().all(|text| text.contains('*')));
    let number = row.text("id_number");
    for (column, test) in [
        ("idNumber", format!("{{ eq: \"{number}\" }}")),
        ("idNumber", format!("{{ in: [\"{number}\"] }}")),
        ("idNumber", "{ isNull: false }".to_owned()),
        ("idNumber", "{ isNull: true }".to_owned()),
        ("nationalStudentNumber", "{ isNull: false }".to_owned()),
    ] {
        for filter in
            [format!("{{ {column}: {test} }}"), format!("{{ not: {{ {column}: {test} }} }}")]
        {
            let answer = teacher
                .counted(&format!("{{ students(filter: {filter}) {{ totalCount }} }}"), json!({}))
                .await;
            refused(&filter, &answer, &format!("Student.{column}"));
        }
    }
    // There is no range, no prefix and no order for it, for anybody: not even in the schema.
    for person in [teacher, app.registrar(seed.schools[0].id)] {
        for arguments in [
            "filter: { idNumber: { lt: \"2\" } }",
            "filter: { idNumber: { gte: \"1\" } }",
            "filter: { idNumber: { startsWith: \"1\" } }",
            "orderBy: [{ field: ID_NUMBER }]",
        ] {
            let answer = person
                .counted(&format!("{{ students({arguments}) {{ totalCount }} }}"), json!({}))
                .await;
            assert_eq!((answer.0.code(), answer.1), ("INVALID_INPUT", 0), "{arguments}");
        }
    }
    // A plain text that is masked has ranges for those who see it, and none for who sees the mask.
    let reviewer = app.reviewer(seed.schools[0].id);
    let filter = "{ students(filter: { formerName: { startsWith: \"M\" } }) { totalCount } }";
    refused("a masked text", &reviewer.counted(filter, json!({})).await, "Student.formerName");
}

/// Directus CVE-2024-39701: an empty list in a membership rule counted as true.
#[tokio::test]
async fn directus_cve_2024_39701_an_empty_list_in_a_membership_rule() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let count = |filter: &str| format!("{{ students(filter: {filter}) {{ totalCount }} }}");
    for (filter, expected) in [
        ("{ name: { in: [] } }", 0),
        ("{ id: { in: [] } }", 0),
        ("{ phone: { in: [] } }", 0),
        ("{ gender: { in: [] } }", 0),
        ("{ or: [] }", 0),
        ("{ or: [{ name: { in: [] } }, { id: { in: [] } }] }", 0),
        ("{ guardians: { some: { name: { in: [] } } } }", 0),
        ("{ classGroup: { id: { in: [] } } }", 0),
        ("{ name: { in: [] }, not: { name: { in: [] } } }", 0),
        ("{ not: { name: { in: [] } } }", 3),
        ("{ guardians: { none: { name: { in: [] } } } }", 3),
    ] {
        let answer = teacher.ask(&count(filter)).await;
        assert_eq!(answer.at("/students/totalCount"), expected, "{filter}");
    }
    // A right to nothing is no right: a column masked stays refused whatever the list.
    let answer = teacher.counted(&count("{ not: { idNumber: { in: [] } } }"), json!({})).await;
    refused("masked", &answer, "Student.idNumber");
    // No grant, a grant of yesterday, a role at a place with nobody in it, and a place that is none.
    let yesterday = crate::support::seed::day("2026-11-19");
    let gone = app
        .homeroom_teacher(class.id)
        .between(crate::support::seed::day("2026-09-01"), Some(yesterday));
    let nobody = seed.class(0, 0, 1);
    let update = sea_orm::sea_query::Query::update()
        .table("class_membership")
        .value("until", yesterday)
        .and_where(sea_orm::sea_query::ExprTrait::eq(
            sea_orm::sea_query::Expr::col("class_group_id"),
            nobody.id.uuid(),
        ))
        .to_owned();
    sea_orm::ConnectionTrait::execute(app.db(), &update).await.unwrap();
    let people = [
        ("a stranger", app.stranger()),
        ("a grant of yesterday", gone),
        ("a class with nobody in it", app.homeroom_teacher(nobody.id)),
        (
            "a school with nobody in it",
            app.stranger().and(
                "registrar",
                Reach::School,
                Place::Organisation(seed.province.uuid()),
            ),
        ),
        ("an auditor", app.auditor(seed.counties[0])),
    ];
    for (who, person) in people {
        let answer = person
            .ask("{ students { totalCount nodes { id } } classGroups { nodes { students { totalCount } } } }")
            .await;
        assert_eq!(answer.at("/students"), &json!({ "totalCount": 0, "nodes": [] }), "{who}");
        for class in answer.at("/classGroups/nodes").as_array().unwrap() {
            assert_eq!(class["students"]["totalCount"], Value::from(0), "{who}");
        }
    }
}
