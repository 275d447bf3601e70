//! GraphQL over HTTP: media types, status codes, well-formed refusals, tokens.

use std::fmt::Write;

use rstest::rstest;
use serde_json::json;

use super::*;

const JSON: &str = "application/json";
const NEW: &str = "application/graphql-response+json";

#[tokio::test]
async fn a_query_is_answered_in_the_media_type_that_was_asked_for() {
    let site = Site::new();
    for (accept, kind) in
        [(JSON, JSON), (NEW, NEW), ("*/*", JSON), ("application/json;q=0.1, application/*", NEW)]
    {
        let reply =
            site.post(&[("accept", accept)], json!({"query": "{ hello }"}).to_string()).await;
        assert_eq!(reply.status, 200);
        assert_eq!(reply.header("content-type"), format!("{kind}; charset=utf-8"));
        assert_eq!(reply.json(), json!({"data": {"hello": "world"}}));
    }
    let headers = [("content-type", JSON)];
    let reply = site.send("POST", "/graphql", &headers, r#"{"query":"{hello}"}"#).await;
    assert!(reply.header("content-type").starts_with(NEW), "the default since 2025");
}

#[tokio::test]
async fn get_serves_queries_with_variables_and_names() {
    let site = Site::new();
    let uri = "/graphql?query=query%20A(%24n:String)%7Bhello(name:%24n)%7D%20query%20B%7Btwice(number:1)%7D\
               &operationName=A&variables=%7B%22n%22:%22%E5%AD%A6%22%7D&extensions=%7B%7D";
    let reply = site.send("GET", uri, &[], "").await;
    assert_eq!(reply.json(), json!({"data": {"hello": "学"}}));
    let reply =
        site.send("GET", "/graphql?query=%7Bhello%7D&operationName=&variables=", &[], "").await;
    assert_eq!(reply.status, 200);
}

#[rstest]
#[case("/graphql", 400)]
#[case("/graphql?query=%7Bhello%7D&variables=7", 400)]
#[case("/graphql?query=%7Bhello%7D&variables=%7B", 400)]
#[case("/graphql?query=%7Bhello%7D&query=%7Bhello%7D", 400)]
#[case("/graphql?query=mutation%7Bchange%7D", 405)]
#[case("/graphql?query=mutation%20M%7Bchange%7D%20query%20Q%7Bhello%7D&operationName=M", 405)]
#[tokio::test]
async fn bad_gets(#[case] uri: &str, #[case] status: u16) {
    for accept in [JSON, NEW] {
        let reply = Site::new().send("GET", uri, &[("accept", accept)], "").await;
        assert_eq!(reply.refusal(), (status, "INVALID_INPUT".to_owned()));
        assert_eq!(reply.header("allow"), if status == 405 { "POST" } else { "" });
    }
}

#[tokio::test]
async fn a_get_may_name_the_query_beside_a_mutation() {
    let uri = "/graphql?query=mutation%20M%7Bchange%7D%20query%20Q%7Bhello%7D&operationName=Q";
    assert_eq!(Site::new().send("GET", uri, &[], "").await.status, 200);
}

#[tokio::test]
async fn mutations_go_by_post() {
    assert_eq!(
        Site::new().query("mutation { change }").await.json(),
        json!({"data": {"change": 1}})
    );
}

#[rstest]
#[case("")]
#[case("NONSENSE")]
#[case("{\"query\":")]
#[case("7")]
#[case("null")]
#[case("{}")]
#[case(r#"{"qeury":"{hello}"}"#)]
#[case(r#"{"query":null}"#)]
#[case(r#"{"query":7}"#)]
#[case(r#"{"query":["{hello}"]}"#)]
#[case(r#"{"query":"{hello}","variables":[7]}"#)]
#[case(r#"{"query":"{hello}","variables":"{}"}"#)]
#[case(r#"{"query":"{hello}","operationName":7}"#)]
#[case(r#"{"query":"{hello}","extensions":[]}"#)]
#[case(r#"[{"query":"{hello}"}]"#)]
#[case("[]")]
#[tokio::test]
async fn requests_that_are_not_well_formed(#[case] body: &'static str) {
    for accept in [JSON, NEW] {
        let reply = Site::new().post(&[("accept", accept)], body).await;
        assert_eq!(reply.refusal(), (400, "INVALID_INPUT".to_owned()), "{body}");
    }
}

#[tokio::test]
async fn invalid_utf8_and_endless_nesting_in_json_are_refused() {
    let site = Site::new();
    assert_eq!(site.post(&[], b"{\"query\":\"\xff\"}".to_vec()).await.refusal().0, 400);
    let deep = format!(
        r#"{{"query":"{{hello}}","variables":{{"a":{}{}}}}}"#,
        "[".repeat(5000),
        "]".repeat(5000)
    );
    assert_eq!(site.post(&[], deep).await.refusal().0, 400);
}

#[tokio::test]
async fn null_and_empty_parameters_count_as_absent() {
    let body =
        r#"{"query":"{hello}","variables":null,"operationName":"","extensions":null,"other":1}"#;
    assert_eq!(Site::new().post(&[], body).await.status, 200);
}

#[rstest]
#[case("text/plain")]
#[case("multipart/form-data; boundary=x")]
#[case("application/x-www-form-urlencoded")]
#[case("application/graphql")]
#[case("application/json; charset=gbk")]
#[tokio::test]
async fn other_bodies_are_refused(#[case] kind: &str) {
    let reply = Site::new().post(&[("content-type", kind)], r#"{"query":"{hello}"}"#).await;
    assert_eq!(reply.refusal(), (415, "INVALID_INPUT".to_owned()));
}

#[tokio::test]
async fn a_body_without_a_type_or_compressed_is_refused() {
    let site = Site::new();
    assert_eq!(site.send("POST", "/graphql", &[], r#"{"query":"{hello}"}"#).await.refusal().0, 415);
    let headers = [("content-encoding", "gzip")];
    assert_eq!(site.post(&headers, r#"{"query":"{hello}"}"#).await.refusal().0, 415);
}

#[tokio::test]
async fn other_methods_and_media_types() {
    let site = Site::new();
    for method in ["PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
        let reply = site.send(method, "/graphql", &[], "").await;
        assert_eq!((reply.refusal().0, reply.header("allow")), (405, "GET, POST"));
    }
    let reply = site.post(&[("accept", "text/html")], r#"{"query":"{hello}"}"#).await;
    assert_eq!(reply.refusal().0, 406);
}

#[rstest]
#[case("{", "SYNTAX_ERROR")]
#[case("", "SYNTAX_ERROR")]
#[case("{ hello(name: \"geheim", "SYNTAX_ERROR")]
#[case("fragment f on Query { hello }", "SYNTAX_ERROR")]
#[case("{ hello } { hello }", "VALIDATION_FAILED")]
#[case("query($n: ID!) { __typename }", "INVALID_INPUT")]
#[case("query($n: [ID!]! = null) { __typename }", "INVALID_INPUT")]
#[case("query A { hello } query A { hello }", "VALIDATION_FAILED")]
#[case("{ helo }", "VALIDATION_FAILED")]
#[case("{ hello @unknown }", "VALIDATION_FAILED")]
#[case("query($n: Int) { hello }", "VALIDATION_FAILED")]
#[case("{ twice(number: \"x\") }", "INVALID_INPUT")]
#[case("query($n: Int!) { twice(number: $n) }", "INVALID_INPUT")]
#[case("query A { hello } query B { hello }", "VALIDATION_FAILED")]
#[case("subscription { hello }", "VALIDATION_FAILED")]
#[case(
    "{ __schema { types { fields { type { ofType { ofType { name } } } } } } }",
    "LIMIT_EXCEEDED"
)]
#[tokio::test]
async fn documents_that_cannot_be_executed(#[case] query: &str, #[case] code: &str) {
    let site = Site::new();
    let body = json!({ "query": query }).to_string();
    let reply = site.query(query).await;
    assert_eq!(reply.refusal(), (400, code.to_owned()), "{}", reply.text());
    assert!(!reply.text().contains("geheim"));
    let old = site.post(&[("accept", JSON)], body).await;
    assert_eq!(old.refusal(), (200, code.to_owned()), "200 under application/json");
}

#[tokio::test]
async fn a_syntax_error_says_only_where() {
    let reply = Site::new().query("{ hello(name: \"geheim\") \n % }").await.json();
    assert_eq!(reply["errors"][0]["message"], "syntax error at 2:2");
    assert_eq!(reply["errors"][0]["locations"][0], json!({"line": 2, "column": 2}));
}

#[rstest]
#[case("ID!", json!({"n": null}), true)]
#[case("ID!", json!({"n": "x"}), false)]
#[case("[ID!]", json!({"n": null}), false)]
#[case("[ID!]", json!({"n": ["x", null]}), true)]
#[case("[[ID!]]!", json!({"n": [["x"], null]}), false)]
#[case("[[ID!]!]!", json!({"n": [["x"], null]}), true)]
#[tokio::test]
async fn nulls_in_variables(#[case] kind: &str, #[case] variables: Value, #[case] refused: bool) {
    let query = format!("query($n: {kind}) {{ __typename }}");
    let reply =
        Site::new().post(&[], json!({"query": query, "variables": variables}).to_string()).await;
    assert_eq!(
        reply.refusal().0,
        400,
        "an unused variable is refused by validation, after the nulls"
    );
    assert_eq!(reply.text().contains("or null where its type"), refused, "{}", reply.text());
}

#[tokio::test]
async fn an_operation_name_that_is_not_there_is_refused() {
    for query in ["{ hello }", "query B { hello }"] {
        let body = json!({"query": query, "operationName": "A"}).to_string();
        assert_eq!(
            Site::new().post(&[], body).await.refusal(),
            (400, "VALIDATION_FAILED".to_owned())
        );
    }
}

#[tokio::test]
async fn bombs_are_defused() {
    let site = Site::new();
    for depth in [300, 600, 1000, 2000, 3000, 5000] {
        for (open, close) in [("[", "]"), ("{a:", "}")] {
            let query =
                format!("{{ hello(name: {}1{}) }}", open.repeat(depth), close.repeat(depth));
            assert_eq!(site.query(&query).await.refusal(), (400, "LIMIT_EXCEEDED".to_owned()));
        }
    }
    let mut query = "{ ...f0 }".to_owned();
    for level in 0..25 {
        write!(query, " fragment f{level} on Query {{ ...f{0} ...f{0} }}", level + 1).unwrap();
    }
    query.push_str(" fragment f25 on Query { hello }");
    assert_eq!(site.query(&query).await.refusal(), (400, "LIMIT_EXCEEDED".to_owned()));
    let aliases: String = (0..100_000).map(|number| format!(" a{number}: hello")).collect();
    assert_eq!(site.query(&format!("{{ {aliases} }}")).await.refusal().1, "LIMIT_EXCEEDED");
    let aliases: String = (0..300).map(|number| format!(" a{number}: hello")).collect();
    assert_eq!(
        site.query(&format!("{{ {aliases} }}")).await.refusal(),
        (400, "LIMIT_EXCEEDED".to_owned())
    );
}

#[tokio::test]
async fn a_body_that_is_too_large_is_refused_by_length_and_by_count() {
    let site = Site::new();
    let large =
        format!(r#"{{"query":"{{hello}}","extensions":{{"x":"{}"}}}}"#, "x".repeat(1 << 20));
    assert_eq!(site.post(&[], large.clone()).await.refusal(), (413, "LIMIT_EXCEEDED".to_owned()));
    let chunks = large
        .into_bytes()
        .chunks(65_536)
        .map(|c| Ok::<_, std::io::Error>(c.to_vec()))
        .collect::<Vec<_>>();
    let stream = Body::from_stream(futures_util::stream::iter(chunks));
    assert_eq!(site.post(&[], stream).await.refusal(), (413, "LIMIT_EXCEEDED".to_owned()));
    assert_eq!(site.post(&[("content-length", "99999999")], "{}").await.refusal().0, 413);
}

#[tokio::test]
async fn tokens_lead_to_accounts() {
    let site = Site::new();
    let body = || r#"{"query":"query Private { hello }"}"#;
    let missing = site.post(&[], body()).await;
    assert_eq!(missing.refusal(), (401, "UNAUTHENTICATED".to_owned()));
    assert_eq!(missing.header("www-authenticate"), "Bearer realm=\"xueji\"");
    assert_eq!(site.post(&[("accept", JSON)], body()).await.refusal().0, 200);
    let good = format!("bearer {}", site.token("teacher"));
    assert_eq!(site.post(&[("authorization", &good)], body()).await.status, 200);
    for (sub, status, code) in [
        ("nobody", 401, "UNAUTHENTICATED"),
        ("revoked", 401, "UNAUTHENTICATED"),
        ("down", 503, "UNAVAILABLE"),
        ("faulty", 500, "INTERNAL"),
    ] {
        for accept in [JSON, NEW] {
            let token = format!("Bearer {}", site.token(sub));
            let reply = site.post(&[("authorization", &token), ("accept", accept)], body()).await;
            assert_eq!(reply.refusal(), (status, code.to_owned()));
            assert_eq!(reply.header("www-authenticate").contains("invalid_token"), status == 401);
            assert_eq!(!reply.header("retry-after").is_empty(), status == 503);
        }
    }
}

#[rstest]
#[case(&["Bearer x.y.z"], 401)]
#[case(&["Bearer "], 400)]
#[case(&["Bearer"], 400)]
#[case(&["Basic dTpw"], 401)]
#[case(&["Bearer a", "Bearer b"], 400)]
#[tokio::test]
async fn headers_that_hold_no_good_token(#[case] values: &[&str], #[case] status: u16) {
    let headers: Vec<_> = values.iter().map(|value| ("authorization", *value)).collect();
    let reply = Site::new().post(&headers, r#"{"query":"{hello}"}"#).await;
    assert_eq!(reply.refusal().0, status);
    assert!(reply.header("www-authenticate").starts_with("Bearer"));
}

#[tokio::test]
async fn a_part_that_is_away_is_503_under_both_media_types() {
    for accept in [JSON, NEW] {
        let reply =
            Site::new().post(&[("accept", accept)], r#"{"query":"query Down { hello }"}"#).await;
        assert_eq!(reply.refusal(), (503, "UNAVAILABLE".to_owned()));
        assert_eq!(reply.header("retry-after"), "5");
        let reply = Site::new().post(&[("accept", accept)], r#"{"query":"{ away }"}"#).await;
        assert_eq!(reply.refusal(), (503, "UNAVAILABLE".to_owned()), "nulls alone");
        let reply = Site::new().post(&[("accept", accept)], r#"{"query":"{ away hello }"}"#).await;
        assert_eq!(reply.status, 200, "a partial answer");
        assert_eq!(reply.json()["data"], json!({"away": null, "hello": "world"}));
    }
}

#[tokio::test]
async fn faults_while_executing_are_partial_answers_without_their_text() {
    let reply = Site::new().query("{ hello broken }").await;
    assert_eq!(reply.status, 200);
    let json = reply.json();
    assert_eq!(json["data"], serde_json::Value::Null, "broken is not nullable");
    assert_eq!(json["errors"][0]["extensions"]["code"], "INTERNAL");
    assert!(!reply.text().contains("110101"));
}

#[tokio::test]
async fn messages_come_in_chinese_too() {
    let site = Site::new();
    let chinese = [("accept-language", "zh-CN,en;q=0.5")];
    let reply = site.post(&chinese, r#"{"query":"{"}"#).await;
    assert!(reply.json()["errors"][0]["message"].as_str().unwrap().starts_with("语法错误"));
    assert_eq!(reply.header("content-language"), "zh-CN");
    let reply = site.post(&chinese, r#"{"query":"{helo}"}"#).await;
    assert!(reply.json()["errors"][0]["message"].as_str().unwrap().starts_with("查询未通过校验"));
}

#[tokio::test]
async fn introspection_can_be_off() {
    let site = Site::with(Options::default());
    let text = site.query("{ __schema { queryType { name } } }").await.text();
    assert!(!text.contains("\"name\""), "{text}");
    assert_eq!(site.query("{ __typename }").await.status, 200);
}

#[tokio::test]
async fn a_request_has_a_time_limit() {
    let limits = Limits { request_time: Duration::from_millis(50), ..Limits::default() };
    let site = Site::with(Options { limits, ..Options::default() });
    assert_eq!(
        site.query("{ sleeps(ms: 5000) }").await.refusal(),
        (503, "LIMIT_EXCEEDED".to_owned())
    );
    assert_eq!(site.query("{ hello }").await.status, 200);
}

#[tokio::test]
async fn a_panic_is_an_answer_too() {
    let reply = Site::new().query("{ panics }").await;
    assert_eq!(reply.refusal(), (500, "INTERNAL".to_owned()));
    assert!(!reply.text().contains("test panic"));
}

#[tokio::test]
async fn the_memory_for_documents_is_bounded() {
    let limits = Limits { document_cache_bytes: 1 << 20, ..Limits::default() };
    let documents = super::super::documents::Documents::new(&limits);
    for number in 0..2000 {
        documents.get(&format!("{{ hello(name: \"{number:0>200}\") }}"), &limits).unwrap();
    }
    assert!(documents.weight() <= 1 << 20);
    let first = documents.get("{ hello }", &limits).unwrap();
    assert!(Arc::ptr_eq(&first, &documents.get("{ hello }", &limits).unwrap()));
}
