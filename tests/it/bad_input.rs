//! What is wrong is refused with a code, the field, and a sentence in the caller's language that says what to do; and
//! nothing changes.

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Value, json};

use crate::support::app::App;
use crate::support::truth::Truth;

fn chinese(text: &str) -> bool {
    text.chars().any(|c| ('\u{4E00}'..='\u{9FFF}').contains(&c))
}

/// Every row of the database, in one order.
async fn everything_in(app: &App) -> Vec<String> {
    let truth = Truth::of(app).await;
    let mut rows: Vec<String> =
        truth.rows.iter().map(|(id, row)| format!("{id} {:?}", row.shown)).collect();
    rows.sort();
    rows
}

#[tokio::test]
async fn a_body_that_is_no_request_is_refused() {
    let (app, seed) = App::school().await;
    let token = app.registrar(seed.schools[0].id).token().await;
    for (body, en) in [
        ("{", "no JSON"),
        ("", "no JSON"),
        ("[]", "batches"),
        ("\"x\"", "JSON object"),
        ("{}", "query is missing"),
        ("{\"query\": 1}", "query must be a string"),
        ("{\"query\": \"{ __typename }\", \"variables\": []}", "variables must be an object"),
        ("{\"query\": \"{ __typename }\", \"operationName\": 5}", "operationName"),
    ] {
        let answer = app.post(Some(&token), "en", body.to_owned()).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (400, "INVALID_INPUT"), "{body}");
        assert!(answer.message().contains(en), "{body}: {}", answer.message());
        assert!(answer.body.get("data").is_none());
        assert_eq!(answer.headers[header::CONTENT_LANGUAGE], "en");
        let answer = app.post(Some(&token), "zh-CN,en;q=0.5", body.to_owned()).await;
        assert_eq!(answer.code(), "INVALID_INPUT");
        assert!(chinese(answer.message()), "{body}: {}", answer.message());
    }
}

#[tokio::test]
async fn each_wrong_document_has_a_code_a_field_and_a_sentence() {
    let (app, seed) = App::school().await;
    let before = everything_in(&app).await;
    let school = seed.schools[0].id;
    let (registrar, reader) = (app.registrar(school), app.registrar(school).in_chinese());
    let nested = |times: usize, open: &str, close: &str| {
        format!("{}{}", open.repeat(times), close.repeat(times))
    };
    let deep = format!(
        "{{ students {{ nodes {{ {} }} }} }}",
        nested(8, "classGroup { students(first: 1) { nodes { id ", "} } } ")
    );
    let wide = "{ students(first: 200) { nodes { attendance(first: 200) { nodes { student { \
                attendance(first: 200) { nodes { id } } } } } } } }";
    let list = format!(
        "{{ students(filter: {{ name: {{ in: [{}] }} }}) {{ totalCount }} }}",
        "\"a\",".repeat(201)
    );
    let filters =
        format!("{{ students(filter: {{ {} }}) {{ totalCount }} }}", nested(12, "not: { ", "} "));
    let brackets =
        format!("{{ students(filter: {{ {} }}) {{ totalCount }} }}", nested(100, "not: { ", "} "));
    let mut aliases = "{ ".to_owned();
    (0..300).for_each(|at| aliases.push_str(&format!("a{at}: __typename ")));
    aliases.push('}');
    let mut doubling = "{ ...F0 } ".to_owned();
    (0..20).for_each(|at| {
        doubling.push_str(&format!("fragment F{at} on Query {{ ...F{0} ...F{0} }} ", at + 1));
    });
    doubling.push_str("fragment F20 on Query { __typename }");
    let cases: Vec<(&str, &str, &str)> = vec![
        ("{ students { nope } }", "VALIDATION_FAILED", ""),
        ("{ nope }", "VALIDATION_FAILED", ""),
        ("{ students(nope: 1) { totalCount } }", "VALIDATION_FAILED", ""),
        ("{ students }", "VALIDATION_FAILED", ""),
        ("{ student { id } }", "VALIDATION_FAILED", ""),
        ("{ students { totalCount @nope } }", "VALIDATION_FAILED", ""),
        ("query A { __typename } query B { __typename }", "VALIDATION_FAILED", ""),
        ("subscription { x }", "VALIDATION_FAILED", ""),
        ("{ students { totalCount ", "SYNTAX_ERROR", ""),
        ("", "SYNTAX_ERROR", ""),
        ("{ students(first: \"x\") { totalCount } }", "INVALID_INPUT", "first"),
        ("{ students(filter: { nope: { eq: 1 } }) { totalCount } }", "INVALID_INPUT", "filter"),
        (
            "{ students(filter: { birthDate: { eq: 5 } }) { totalCount } }",
            "INVALID_INPUT",
            "filter.birthDate.eq",
        ),
        (
            "{ students(filter: { birthDate: { eq: \"yesterday\" } }) { totalCount } }",
            "INVALID_INPUT",
            "filter.birthDate.eq",
        ),
        (
            "{ students(filter: { birthDate: { eq: \"2015-02-30\" } }) { totalCount } }",
            "INVALID_INPUT",
            "filter.birthDate.eq",
        ),
        (
            "{ students(filter: { gender: { eq: \"1\" } }) { totalCount } }",
            "INVALID_INPUT",
            "filter.gender.eq",
        ),
        (
            "{ students(filter: { gender: { in: [\"RDXB:1\", \"RDXB:77\"] } }) { totalCount } }",
            "INVALID_INPUT",
            "filter.gender.in",
        ),
        (
            "{ students(filter: { leftBehind: { eq: SOMETIMES } }) { totalCount } }",
            "INVALID_INPUT",
            "filter.leftBehind.eq",
        ),
        (
            "{ students(filter: { phone: { eq: \"12\" } }) { totalCount } }",
            "INVALID_INPUT",
            "filter.phone.eq",
        ),
        (
            "{ students(filter: { idNumber: { eq: \"110105201501020000\" } }) { totalCount } }",
            "INVALID_INPUT",
            "filter.idNumber.eq",
        ),
        (
            "{ students(filter: { name: { eq: null } }) { totalCount } }",
            "INVALID_INPUT",
            "filter.name.eq",
        ),
        ("{ students(filter: { name: null }) { totalCount } }", "INVALID_INPUT", "filter.name"),
        (
            "{ students(filter: { scores: { some: { value: { gt: \"abc\" } } } }) { totalCount } }",
            "INVALID_INPUT",
            "filter.scores.some.value.gt",
        ),
        (
            "{ students(filter: { distanceM: { gt: 99999999999999999999 } }) { totalCount } }",
            "INVALID_INPUT",
            "filter.distanceM.gt",
        ),
        (
            "{ students(orderBy: [{ field: PHONE }]) { totalCount } }",
            "INVALID_INPUT",
            "orderBy.0.field",
        ),
        (
            "{ students(orderBy: [{ field: NAME, direction: UP }]) { totalCount } }",
            "INVALID_INPUT",
            "orderBy.0.direction",
        ),
        (
            "{ students { nodes { attendanceSummary(from: \"z\") { days } } } }",
            "INVALID_INPUT",
            "from",
        ),
        (
            "{ attendanceRates(period: DAY, groupBy: [], from: \"2026-09-30\", until: \"2026-09-01\") { withheld } }",
            "INVALID_INPUT",
            "until",
        ),
        ("query($id: ID!) { student(id: $id) { id } }", "INVALID_INPUT", ""),
        ("{ student(id: null) { id } }", "INVALID_INPUT", "id"),
        ("{ student(id: 5) { id } }", "NOT_FOUND", ""),
        (&deep, "LIMIT_EXCEEDED", ""),
        (wide, "LIMIT_EXCEEDED", ""),
        (&list, "LIMIT_EXCEEDED", ""),
        (&filters, "LIMIT_EXCEEDED", ""),
        (&brackets, "LIMIT_EXCEEDED", ""),
        (&aliases, "LIMIT_EXCEEDED", ""),
        (&doubling, "LIMIT_EXCEEDED", ""),
    ];
    for (document, code, field) in cases {
        let short: String = document.chars().take(90).collect();
        let answer = registrar.ask(document).await;
        assert_eq!(answer.code(), code, "{short}: {}", answer.text);
        let named = answer.error()["extensions"]["field"].as_str().unwrap_or_default();
        assert_eq!(named, field, "{short}: {}", answer.text);
        assert!(answer.message().len() > 10 && !chinese(answer.message()), "{short}");
        assert!(answer.error()["extensions"]["requestId"].is_string(), "{short}");
        let answer = reader.ask(document).await;
        assert_eq!(answer.code(), code, "{short}");
        assert!(chinese(answer.message()), "{short}: {}", answer.message());
    }
    assert_eq!(before, strip(everything_in(&app).await, &before), "nothing was changed");
}

/// The rows without the accounts and grants that asking has planted.
fn strip(rows: Vec<String>, before: &[String]) -> Vec<String> {
    rows.into_iter()
        .filter(|row| {
            let planted = row.starts_with("Account_") || row.starts_with("AccessGrant_");
            !planted || before.contains(row)
        })
        .collect()
}

#[tokio::test]
async fn nested_input_of_every_depth_leaves_the_server_standing() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    for depth in [300, 600, 1_000, 2_000, 3_000, 5_000] {
        for (open, close) in [("[", "]"), ("{ a: ", "}")] {
            let value = format!("{}1{}", open.repeat(depth), close.repeat(depth));
            let answer =
                registrar.ask(&format!("{{ students(filter: {value}) {{ totalCount }} }}")).await;
            assert_eq!(answer.code(), "LIMIT_EXCEEDED", "{depth}");
        }
        let mut variable = json!({});
        for _ in 0..100 {
            variable = json!({ "not": variable });
        }
        let document = "query($f: StudentFilter) { students(filter: $f) { totalCount } }";
        let answer = registrar.query(document, json!({ "f": variable })).await;
        assert_eq!(answer.code(), "LIMIT_EXCEEDED", "{}", answer.text);
    }
}

#[tokio::test]
async fn other_methods_and_media_types_are_refused() {
    let (app, seed) = App::school().await;
    let token = app.registrar(seed.schools[0].id).token().await;
    let bearer = format!("Bearer {token}");
    let request = |method: Method, uri: &str, kind: &str, body: &str| {
        Request::builder()
            .method(method)
            .uri(uri)
            .header(header::CONTENT_TYPE, kind)
            .header(header::AUTHORIZATION, &bearer)
            .header(header::ACCEPT_LANGUAGE, "en")
            .body(Body::from(body.to_owned()))
            .unwrap()
    };
    let body = "{\"query\": \"{ students { totalCount } }\"}";
    for kind in
        ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"]
    {
        let answer = app.send(request(Method::POST, "/graphql", kind, body)).await;
        assert_eq!(answer.status, 415, "{kind}");
    }
    let answer = app.send(request(Method::PUT, "/graphql", "application/json", body)).await;
    assert_eq!(answer.status, 405);
    let uri = "/graphql?query=mutation%20%7B%20x%20%7D";
    let answer = app.send(request(Method::GET, uri, "application/json", "")).await;
    assert_eq!(answer.status, 405, "no mutation by GET: {}", answer.text);
    let uri = "/graphql?query=%7B%20students%20%7B%20totalCount%20%7D%20%7D";
    let answer = app.send(request(Method::GET, uri, "application/json", "")).await;
    assert_eq!(answer.at("/students/totalCount"), 9);
    let answer = app.send(request(Method::GET, "/nothing", "application/json", "")).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (404, "NOT_FOUND"));
    let large = format!("{{\"query\": \"{{ __typename }}\", \"x\": \"{}\"}}", "x".repeat(2 << 20));
    let answer = app.send(request(Method::POST, "/graphql", "application/json", &large)).await;
    assert_eq!((answer.status.as_u16(), answer.code()), (413, "LIMIT_EXCEEDED"));
}

#[tokio::test]
async fn refusals_before_execution_follow_the_media_type() {
    let (app, seed) = App::school().await;
    let token = app.registrar(seed.schools[0].id).token().await;
    for (accept, document, status) in [
        ("application/json", "{ nope }", 200),
        ("application/graphql-response+json", "{ nope }", 400),
        ("application/graphql-response+json", "{ students { totalCount } }", 200),
        ("text/html", "{ __typename }", 406),
    ] {
        let request = Request::builder()
            .method(Method::POST)
            .uri("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, accept)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::from(json!({ "query": document }).to_string()))
            .unwrap();
        let answer = app.send(request).await;
        assert_eq!(answer.status, status, "{accept}: {}", answer.text);
        if status == 400 {
            assert!(answer.body.get("data").is_none(), "{}", answer.text);
        }
    }
}

#[tokio::test]
async fn requests_that_differ_in_nothing_but_the_language_differ_in_sentences_alone() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let document = "{ student(id: \"x\") { id } }";
    let english = app.registrar(school).ask(document).await;
    let reader = app.registrar(school).in_chinese().ask(document).await;
    assert_eq!(english.code(), reader.code());
    assert!(english.message().contains("no such"));
    assert!(reader.message().contains("无权查看"));
    let label = "{ students(first: 1) { nodes { ethnicGroup { label value } } } }";
    let zh = app.registrar(school).in_chinese().ask(label).await;
    assert_eq!(zh.at("/students/nodes/0/ethnicGroup"), &json!({ "label": "汉族", "value": "01" }));
    assert_ne!(
        zh.at("/students/nodes/0/ethnicGroup/label"),
        app.registrar(school).ask(label).await.at("/students/nodes/0/ethnicGroup/label")
    );
    let _: &Value = zh.data();
}
