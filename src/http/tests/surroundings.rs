//! Request ids, headers, metrics, health and the GraphiQL page.

use super::*;

#[tokio::test]
async fn request_ids_are_kept_when_sane_and_made_otherwise() {
    let site = Site::new();
    let reply = site.post(&[("x-request-id", "abc-123.DEF_4")], r#"{"query":"{"}"#).await;
    assert_eq!(reply.header("x-request-id"), "abc-123.DEF_4");
    assert_eq!(reply.refusal().0, 400);
    for odd in ["short", "has space in it", "semi;colon-semi", &"x".repeat(65), "\"><script>alert"]
    {
        let reply = site.post(&[("x-request-id", odd)], r#"{"query":"{hello}"}"#).await;
        assert_eq!(reply.header("x-request-id").len(), 36, "{odd}");
    }
    let twice = [("x-request-id", "abcdefgh-1"), ("x-request-id", "abcdefgh-2")];
    assert_eq!(site.post(&twice, "{}").await.header("x-request-id").len(), 36);
}

#[tokio::test]
async fn every_answer_carries_the_security_headers() {
    let site = Site::new();
    for uri in [
        "/",
        "/graphiql",
        "/graphiql/app.js",
        "/graphql",
        "/healthz",
        "/readyz",
        "/metrics",
        "/nothing",
    ] {
        let reply = site.send("GET", uri, &[], "").await;
        assert_eq!(reply.header("x-content-type-options"), "nosniff", "{uri}");
        assert_eq!(reply.header("referrer-policy"), "no-referrer", "{uri}");
        assert!(
            reply.header("content-security-policy").contains("frame-ancestors 'none'"),
            "{uri}"
        );
        assert!(!reply.header("cache-control").is_empty(), "{uri}");
        assert!(reply.headers.get("access-control-allow-origin").is_none());
    }
}

#[tokio::test]
async fn other_paths_are_refused_in_json() {
    assert_eq!(
        Site::new().send("GET", "/nothing", &[], "").await.refusal(),
        (404, "NOT_FOUND".to_owned())
    );
}

#[tokio::test]
async fn health_and_readiness() {
    let site = Site::new();
    assert_eq!(site.send("GET", "/healthz", &[], "").await.status, 200);
    let ready = site.send("GET", "/readyz", &[], "").await;
    assert_eq!(ready.status, 503);
    assert_eq!(
        ready.json(),
        serde_json::json!({"ready": false, "parts": {"database": "unavailable", "policy": "ok"}})
    );
}

#[tokio::test]
async fn metrics_are_counted_under_bounded_labels() {
    let site = Site::new();
    site.query("query SomeName { hello }").await;
    site.send("BREW", "/some/made/up/path", &[], "").await;
    let text = site.send("GET", "/metrics", &[], "").await.text();
    for part in [
        "xueji_http_requests_total{",
        "operation=\"query\"",
        "status=\"200\"",
        "xueji_http_request_duration_seconds_bucket{",
        "xueji_http_requests_in_flight",
        "route=\"other\",method=\"other\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    assert!(!text.contains("SomeName") && !text.contains("made/up") && !text.contains("BREW"));
}

#[tokio::test]
async fn the_page_and_its_files_come_from_here_alone() {
    let site = Site::new();
    let page = site.send("GET", "/", &[], "").await;
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.contains("script-src 'self';") && policy.contains("connect-src 'self'"));
    let html = page.text();
    assert!(!html.contains("http:") && !html.contains("https:") && !html.contains("<script>"));
    let links = html.split(['"']).filter(|part| part.starts_with("/graphiql/")).collect::<Vec<_>>();
    assert_eq!(links.len(), 6);
    for link in links {
        let file = site.send("GET", link, &[("accept-encoding", "gzip")], "").await;
        assert_eq!(file.status, 200, "{link}");
        let script = file.header("content-type").starts_with("text/javascript");
        assert!(script || file.header("content-type").starts_with("text/css"), "{link}");
        if file.header("content-encoding") == "gzip" {
            assert!(file.header("cache-control").contains("immutable"));
            assert_eq!(file.bytes[..2], [0x1f, 0x8b]);
        } else {
            let text = file.text();
            assert!(
                !text.contains("http:") && !text.contains("https:") && !text.contains("@import"),
                "{link}"
            );
        }
    }
    for licence in ["LICENSE.graphiql", "LICENSE.react", "NOTICE"] {
        assert_eq!(site.send("GET", &format!("/graphiql/{licence}"), &[], "").await.status, 200);
    }
    assert_eq!(site.send("GET", "/graphiql/../mod.rs", &[], "").await.status, 404);
}

#[tokio::test]
async fn the_page_can_be_off_and_personas_are_for_the_demo() {
    let off = Site::with(Options::default());
    for uri in ["/", "/graphiql", "/graphiql/app.js", "/graphiql/personas.json"] {
        assert_eq!(off.send("GET", uri, &[], "").await.status, 404, "{uri}");
    }
    assert_eq!(Site::new().send("GET", "/graphiql/personas.json", &[], "").await.status, 404);
    let persona = Persona {
        name: "Ms Li".into(),
        role: "homeroom_teacher".into(),
        token: "t".into(),
        query: "{ hello }".into(),
        variables: serde_json::json!({}),
    };
    let demo =
        Site::with(Options { graphiql: true, personas: Some(vec![persona]), ..Options::default() });
    let list = demo.send("GET", "/graphiql/personas.json", &[], "").await;
    assert_eq!(list.json()[0]["role"], "homeroom_teacher");
    assert_eq!(list.header("cache-control"), "no-store");
}

#[tokio::test]
async fn a_request_is_one_line_without_values() {
    let site = Site::new();
    let token = format!("Bearer {}", site.token("teacher"));
    let body = serde_json::json!({
        "query": "query Greeting($name: String) { hello(name: $name) other: hello(name: \"mark-in-query\") }",
        "variables": {"name": "mark-in-variables"},
    });
    let headers = [
        ("authorization", token.as_str()),
        ("x-request-id", "one-line-without-values"),
        ("user-agent", "mark-in-header"),
    ];
    assert_eq!(site.post(&headers, body.to_string()).await.status, 200);
    let text = logged();
    let lines: Vec<_> =
        text.lines().filter(|line| line.contains("one-line-without-values")).collect();
    let [line] = lines.as_slice() else { panic!("one line, not {lines:?}") };
    let json: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(json["operation"], "Greeting");
    assert_eq!(json["operation_type"], "query");
    assert_eq!(json["account"], "id-of-teacher");
    assert_eq!((json["status"].as_u64(), json["route"].as_str()), (Some(200), Some("/graphql")));
    assert!(json["duration_ms"].is_number());
    assert!(!text.contains("mark-in") && !text.contains(&token[10..40]), "{text}");
}
