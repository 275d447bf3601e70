//! At the door: how fast requests may come, whose they are, which pages may ask, and what every answer carries.

use rstest::rstest;
use serde_json::json;

use super::*;
use crate::config::door::Rate;

const JSON: &str = "application/json";
const HELLO: &str = r#"{"query":"{hello}"}"#;
/// So few turns that none comes back while a test runs.
const ONE: Rate = Rate { per_minute: 1, burst: 1 };
const TWO: Rate = Rate { per_minute: 1, burst: 2 };

fn within(limits: Limits) -> Site {
    Site::with(Options { limits, ..Options::default() })
}

async fn ask(site: &Site, from: &str, headers: &[(&str, &str)]) -> Reply {
    let mut all = vec![("content-type", JSON), ("accept", JSON)];
    all.extend_from_slice(headers);
    site.send_from(Some(from), "POST", "/graphql", &all, HELLO).await
}

async fn ask_as(site: &Site, from: &str, subject: &str) -> Reply {
    let bearer = format!("Bearer {}", site.token(subject));
    ask(site, from, &[("authorization", &bearer)]).await
}

/// Fails unless this is the whole of a refusal that names the limit and says when to try again.
#[track_caller]
fn limited(reply: &Reply, limit: &str) {
    assert_eq!(reply.refusal(), (429, "LIMIT_EXCEEDED".to_owned()), "{}", reply.text());
    let error = &reply.json()["errors"][0];
    assert_eq!(error["extensions"]["limit"], limit);
    let seconds = error["extensions"]["retryAfterSeconds"].as_u64().unwrap();
    assert_eq!(reply.header("retry-after"), seconds.to_string());
    assert!((1..=60).contains(&seconds), "{seconds}");
    assert!(error["message"].as_str().unwrap().contains(&seconds.to_string()));
}

#[tokio::test]
async fn an_address_that_asks_too_fast_is_told_when_to_come_again() {
    let site = within(Limits { address_rate: TWO, ..Limits::default() });
    let refused = async || {
        let text = site.send("GET", "/metrics", &[], "").await.text();
        let series = "xueji_rate_refusals_total{limit=\"address\"} ";
        let value = text.lines().find_map(|line| line.strip_prefix(series)).unwrap().to_owned();
        value.parse::<u64>().unwrap()
    };
    let before = refused().await;
    assert_eq!(ask(&site, "192.0.2.1", &[]).await.status, 200);
    assert_eq!(site.send_from(Some("192.0.2.1"), "GET", "/nothing", &[], "").await.status, 404);
    limited(&ask(&site, "192.0.2.1", &[]).await, "address");
    limited(&site.send_from(Some("192.0.2.1"), "GET", "/metrics", &[], "").await, "address");
    let chinese = ask(&site, "192.0.2.1", &[("accept-language", "zh")]).await;
    limited(&chinese, "address");
    assert!(chinese.text().contains("秒后重试"), "{}", chinese.text());
    assert_eq!(chinese.header("content-language"), "zh-CN");
    // Whoever watches the server's health is not held up, and neither are other addresses.
    for path in ["/healthz", "/readyz"] {
        let reply = site.send_from(Some("192.0.2.1"), "GET", path, &[], "").await;
        assert_ne!(reply.status, 429, "{path}");
    }
    assert_eq!(ask(&site, "192.0.2.2", &[]).await.status, 200);
    assert!(refused().await >= before + 3, "each refusal is counted");
    // A network of version 6 is one client, however many addresses it has.
    assert_eq!(ask(&site, "2001:db8::1", &[]).await.status, 200);
    assert_eq!(ask(&site, "2001:db8::2", &[]).await.status, 200);
    limited(&ask(&site, "2001:db8::3", &[]).await, "address");
    assert_eq!(ask(&site, "2001:db8:0:1::1", &[]).await.status, 200);
}

#[tokio::test]
async fn one_account_uses_up_its_own_turns_alone() {
    let site = within(Limits { account_rate: TWO, client_rate: ONE, ..Limits::default() });
    for _ in 0..2 {
        assert_eq!(ask_as(&site, "192.0.2.1", "teacher").await.status, 200);
    }
    // From wherever it comes, and whatever token it has.
    limited(&ask_as(&site, "192.0.2.1", "teacher").await, "account");
    limited(&ask_as(&site, "192.0.2.2", "teacher").await, "account");
    assert_eq!(ask_as(&site, "192.0.2.1", "parent").await.status, 200);
    // A program of another system has a limit of its own.
    assert_eq!(ask_as(&site, "192.0.2.1", "program-1").await.status, 200);
    limited(&ask_as(&site, "192.0.2.1", "program-1").await, "client");
    assert_eq!(ask_as(&site, "192.0.2.1", "program-2").await.status, 200);
}

#[tokio::test]
async fn a_limit_says_the_same_with_and_without_an_account_behind_it() {
    let site = within(Limits { account_rate: ONE, ..Limits::default() });
    let mut told = Vec::new();
    for subject in ["teacher", "nobody", "revoked"] {
        let first = ask_as(&site, "192.0.2.1", subject).await;
        assert_ne!(first.status, 429);
        let reply = ask_as(&site, "192.0.2.1", subject).await;
        limited(&reply, "account");
        let mut json = reply.json();
        json["errors"][0]["extensions"]["requestId"] = json!("");
        let headers: Vec<String> = reply.headers.keys().map(ToString::to_string).collect();
        told.push((reply.status, json, headers));
    }
    assert_eq!(told[0], told[1]);
    assert_eq!(told[0], told[2]);
}

#[rstest]
#[case::nonsense("Bearer x.y.z", 401)]
#[case::another_scheme("Basic dTpw", 401)]
#[case::no_token("Bearer ", 400)]
#[tokio::test]
async fn sign_ins_that_fail_too_often_are_not_looked_at(#[case] value: &str, #[case] status: u16) {
    let site = within(Limits { sign_in_rate: TWO, ..Limits::default() });
    let here = "192.0.2.1";
    let before = format!("Bearer {}", site.token("parent"));
    assert_eq!(ask(&site, here, &[("authorization", &before)]).await.status, 200);
    for _ in 0..2 {
        let reply = ask(&site, here, &[("authorization", value)]).await;
        assert_eq!(reply.status, status, "{}", reply.text());
    }
    limited(&ask(&site, here, &[("authorization", value)]).await, "sign_ins");
    // A new token is not tried, good or bad, known account or not.
    for subject in ["teacher", "nobody"] {
        limited(&ask_as(&site, here, subject).await, "sign_ins");
    }
    // Whoever has signed in before goes on working, and so does everybody elsewhere.
    assert_eq!(ask(&site, here, &[("authorization", &before)]).await.status, 200);
    assert_eq!(ask(&site, here, &[]).await.status, 200, "without a token there is nothing to try");
    assert_eq!(ask_as(&site, "192.0.2.2", "teacher").await.status, 200);
}

#[tokio::test]
async fn unknown_accounts_are_failed_sign_ins_too() {
    let site = within(Limits { sign_in_rate: ONE, ..Limits::default() });
    let bearer = format!("Bearer {}", site.token("nobody"));
    let headers = [("authorization", bearer.as_str())];
    assert_eq!(ask(&site, "192.0.2.1", &headers).await.status, 401);
    limited(&ask(&site, "192.0.2.1", &headers).await, "sign_ins");
    // Accounts that cannot be read for now are nobody's fault.
    for _ in 0..3 {
        assert_eq!(ask_as(&site, "192.0.2.2", "down").await.status, 503);
    }
}

#[tokio::test]
async fn proxies_are_believed_from_their_networks_alone() {
    let limits = Limits { address_rate: ONE, ..Limits::default() };
    let proxies = vec!["10.0.0.0/8".parse().unwrap()];
    let site = Site::with(Options { limits, proxies, ..Options::default() });
    let by = |name: &'static str| vec![("x-forwarded-for", name)];
    assert_eq!(ask(&site, "10.0.0.1", &by("203.0.113.7")).await.status, 200);
    limited(&ask(&site, "10.0.0.2", &by("203.0.113.7")).await, "address");
    limited(&ask(&site, "10.0.0.2", &by("198.51.100.1, 203.0.113.7")).await, "address");
    assert_eq!(ask(&site, "10.0.0.2", &by("203.0.113.8")).await.status, 200);
    // Anybody else may write what they like.
    assert_eq!(ask(&site, "192.0.2.1", &by("203.0.113.9")).await.status, 200);
    limited(&ask(&site, "192.0.2.1", &by("203.0.113.10")).await, "address");
    assert_eq!(ask(&site, "10.0.0.1", &by("203.0.113.10")).await.status, 200);
}

/// Paths of every kind of answer: pages, files, answers, refusals.
const EVERYWHERE: [(&str, &str); 11] = [
    ("GET", "/"),
    ("GET", "/graphiql"),
    ("GET", "/graphiql/app.js"),
    ("GET", "/graphiql/nothing.js"),
    ("GET", "/graphql?query=%7Bhello%7D"),
    ("GET", "/graphql"),
    ("PUT", "/graphql"),
    ("GET", "/healthz"),
    ("POST", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/nothing"),
];

#[tokio::test]
async fn every_answer_says_what_a_browser_must_not_do() {
    let hsts = Some(Duration::from_secs(77));
    for hsts in [None, hsts] {
        let site = Site::with(Options { graphiql: true, hsts, ..Options::default() });
        for (method, uri) in EVERYWHERE {
            let reply = site.send(method, uri, &[], "").await;
            for (name, value) in [
                ("x-content-type-options", "nosniff"),
                ("referrer-policy", "no-referrer"),
                ("x-frame-options", "DENY"),
                ("cross-origin-resource-policy", "same-origin"),
                ("cross-origin-opener-policy", "same-origin"),
                ("strict-transport-security", hsts.map_or("", |_| "max-age=77")),
                ("server", ""),
                ("set-cookie", ""),
            ] {
                assert_eq!(reply.header(name), value, "{name} of {method} {uri}");
            }
            let policy = reply.header("content-security-policy");
            assert!(policy.starts_with("default-src 'none'"), "{method} {uri}: {policy}");
            assert!(policy.contains("frame-ancestors 'none'"), "{method} {uri}: {policy}");
            if !uri.starts_with("/graphiql") && uri != "/" {
                assert_eq!(reply.header("cache-control"), "no-store", "{method} {uri}");
            }
        }
    }
    // A refusal at the door, and an answer after a panic.
    let site = within(Limits { address_rate: ONE, ..Limits::default() });
    ask(&site, "192.0.2.1", &[]).await;
    let refused = ask(&site, "192.0.2.1", &[]).await;
    let panicked = Site::new().query("{ panics }").await;
    for reply in [refused, panicked] {
        assert_eq!(reply.header("x-content-type-options"), "nosniff");
        assert_eq!(reply.header("cache-control"), "no-store");
        assert_eq!(
            reply.header("content-security-policy"),
            "default-src 'none'; frame-ancestors 'none'"
        );
    }
}

const PORTAL: &str = "https://portal.example.edu.cn";

fn preflight(origin: &str) -> [(&'static str, &str); 3] {
    [
        ("origin", origin),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "authorization,content-type"),
    ]
}

/// The headers of an answer that open something to pages of other origins.
fn opened(reply: &Reply) -> Vec<&str> {
    let names = reply.headers.keys().map(|name| name.as_str());
    names.filter(|name| name.starts_with("access-control-")).collect()
}

#[tokio::test]
async fn pages_of_other_origins_are_told_nothing_unless_they_are_named() {
    let open = || Options { origins: vec![PORTAL.to_owned()], ..Options::default() };
    for (options, origin) in [
        (Options::default(), PORTAL),
        (open(), "https://portal.example.edu.cn.evil.example"),
        (open(), "http://portal.example.edu.cn"),
        (open(), "null"),
        (open(), "*"),
    ] {
        let site = Site::with(options);
        let reply = site.send("OPTIONS", "/graphql", &preflight(origin), "").await;
        assert_eq!((reply.status.as_u16(), opened(&reply)), (405, vec![]), "{origin}");
        let reply = site.post(&[("origin", origin)], HELLO).await;
        assert_eq!((reply.status.as_u16(), opened(&reply)), (200, vec![]), "{origin}");
    }
}

#[tokio::test]
async fn pages_of_a_named_origin_may_ask_and_read_the_answer() {
    let site = Site::with(Options { origins: vec![PORTAL.to_owned()], ..Options::default() });
    let reply = site.send("OPTIONS", "/graphql", &preflight(PORTAL), "").await;
    assert_eq!(reply.status, 204);
    assert_eq!(reply.header("access-control-allow-origin"), PORTAL);
    assert_eq!(reply.header("access-control-allow-methods"), "GET, POST");
    for name in [
        "authorization",
        "content-type",
        "accept",
        "accept-language",
        "xueji-purpose",
        "x-request-id",
    ] {
        let allowed = reply.header("access-control-allow-headers");
        assert!(allowed.split(", ").any(|allowed| allowed == name), "{name} in {allowed}");
    }
    let reply = site.post(&[("origin", PORTAL)], HELLO).await;
    assert_eq!(reply.header("access-control-allow-origin"), PORTAL);
    assert_eq!(reply.header("access-control-expose-headers"), "x-request-id, retry-after");
    let refused = site.post(&[("origin", PORTAL)], "{").await;
    assert_eq!(refused.header("access-control-allow-origin"), PORTAL, "refusals can be read too");
    for reply in [&reply, &refused] {
        assert!(reply.headers.get("access-control-allow-credentials").is_none());
        let vary: Vec<&str> =
            reply.headers.get_all("vary").iter().map(|value| value.to_str().unwrap()).collect();
        assert!(vary.join(", ").contains("origin"), "{vary:?}");
    }
    // The API alone is theirs to read.
    for path in ["/metrics", "/readyz", "/nothing"] {
        for method in ["GET", "OPTIONS"] {
            let reply = site.send(method, path, &preflight(PORTAL), "").await;
            assert!(opened(&reply).is_empty(), "{method} {path}");
        }
    }
    // A plain question by a method that is not served stays one.
    let reply = site.send("OPTIONS", "/graphql", &[("origin", PORTAL)], "").await;
    assert_eq!(reply.status, 405);
}

#[tokio::test]
async fn a_cookie_is_nobodys_token() {
    let site = Site::new();
    let token = site.token("teacher");
    for value in [
        format!("token={token}"),
        format!("authorization=Bearer {token}"),
        format!("Bearer {token}"),
    ] {
        let headers = [("cookie", value.as_str())];
        let body = r#"{"query":"query Private { hello }"}"#;
        let reply = site.post(&headers, body).await;
        assert_eq!(reply.refusal(), (401, "UNAUTHENTICATED".to_owned()));
        assert!(reply.headers.get("set-cookie").is_none());
    }
    let good = format!("Bearer {token}");
    let reply = site.post(&[("authorization", &good), ("cookie", "a=b")], HELLO).await;
    assert_eq!(reply.status, 200);
    assert!(reply.headers.get("set-cookie").is_none());
}
