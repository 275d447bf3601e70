//! The driver against a small server in this process: figures, checks, errors.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Parser;
use hyper::service::service_fn;
use hyper::{Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::sample::Parent;
use super::*;

#[derive(Parser)]
struct Command {
    #[command(flatten)]
    load: LoadArgs,
}

fn args(line: &[&str]) -> LoadArgs {
    Command::parse_from([&["load"], line].concat()).load
}

/// Answers every parent with the same ward, and the metrics with one statement more each time.
async fn server(status: StatusCode, days: Value) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicU64::new(0));
    let ward =
        json!({"name": "王小红", "scores": {"nodes": []}, "attendanceSummary": {"days": days}});
    let answer = json!({"data": {"viewer": {"wards": {"nodes": [ward]}}}}).to_string();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (asked, answer) = (Arc::clone(&asked), answer.clone());
            let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
                let metrics = request.uri().path() == "/metrics";
                let body = if metrics {
                    format!("xueji_statements_total {}\n", 4 * asked.load(Ordering::Relaxed))
                } else {
                    asked.fetch_add(1, Ordering::Relaxed);
                    answer.clone()
                };
                let mut response =
                    Response::new(http_body_util::Full::new(bytes::Bytes::from(body)));
                *response.status_mut() = if metrics { StatusCode::OK } else { status };
                async move { Ok::<_, Infallible>(response) }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new()
                    .serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    url
}

fn files(folder: &tempfile::TempDir) -> (String, String) {
    let path = |name: &str| folder.path().join(name).to_string_lossy().into_owned();
    let parent = Parent {
        token: "t".into(),
        student_id: "Student_a".into(),
        student_key: uuid::Uuid::from_u128(1),
    };
    let sample = Sample { parents: vec![parent], ..Sample::default() };
    sample.write(&folder.path().join("sample.json")).unwrap();
    (path("sample.json"), path("out.json"))
}

async fn load(url: &str, bare: Option<&str>) -> (Result<()>, Value) {
    let folder = tempfile::tempdir().unwrap();
    let (sample, out) = files(&folder);
    let mut line = vec![
        "--url",
        url,
        "--sample",
        &sample,
        "--out",
        &out,
        "--operations",
        "parent",
        "--connections",
        "1,4",
        "--seconds",
        "1",
        "--warmup",
        "0",
        "--slice-ms",
        "100",
    ];
    line.extend(bare.into_iter().flat_map(|bare| ["--bare-url", bare]));
    let mut args = args(&line);
    args.server_pid = Some(std::process::id());
    let outcome = run(args).await;
    let report =
        std::fs::read(&out).map_or(Value::Null, |text| serde_json::from_slice(&text).unwrap());
    (outcome, report)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_are_compared_in_turns() {
    let (policy, bare) =
        (server(StatusCode::OK, json!(3)).await, server(StatusCode::OK, json!(3)).await);
    let (outcome, report) = load(&policy, Some(&bare)).await;
    outcome.unwrap();
    let cells = report["cells"].as_array().unwrap();
    assert_eq!(cells.len(), 4);
    for cell in cells {
        assert!(cell["answers"].as_u64().unwrap() > 0);
        assert!(cell["checked"].as_u64().unwrap() > 0);
        assert!(cell["requests_per_second"].as_f64().unwrap() > 0.0);
        assert!(cell["p50_ms"].as_f64().unwrap() <= cell["p99_ms"].as_f64().unwrap());
        assert!((cell["statements_per_request"].as_f64().unwrap() - 4.0).abs() < 1e-9);
        assert!(cell["database_cpu_ms_per_request"].is_null());
        assert_eq!(cell["errors"], 0);
    }
    assert_eq!((&cells[0]["server"], &cells[1]["server"]), (&json!("policy"), &json!("bare")));
    let ratios = report["ratios"].as_array().unwrap();
    assert_eq!(ratios.len(), 2);
    assert_eq!(ratios[0]["against"], "bare");
    assert!(ratios[0]["requests_per_second"].as_f64().unwrap() > 0.0);
    assert_eq!(ratios[0]["turns"].as_array().unwrap().len(), 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_answer_a_refusal_and_a_missing_server_are_counted() {
    let (outcome, report) = load(&server(StatusCode::OK, Value::Null).await, None).await;
    assert!(outcome.is_err());
    assert_eq!(report["cells"][0]["wrong"].as_object().unwrap().len(), 1);
    let (outcome, report) = load(&server(StatusCode::UNAUTHORIZED, json!(3)).await, None).await;
    assert!(outcome.is_err());
    assert!(report["cells"][0]["refused"]["401"].as_u64().unwrap() > 0);
    let gone = {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let (outcome, report) = load(&gone, None).await;
    assert!(outcome.is_err());
    assert!(report["cells"][0]["errors"].as_u64().unwrap() > 0);
}

#[test]
fn the_options_have_defaults_and_bounds() {
    let given = args(&["--sample", "s"]);
    assert_eq!(given.operations, Operation::ALL);
    assert_eq!(given.connections, [1, 16, 64]);
    assert_eq!(plan(&given).unwrap().slice, Duration::from_millis(500));
    assert_eq!(targets(&given).unwrap().len(), 1);
    assert!(plan(&args(&["--sample", "s", "--connections", "0"])).is_err());
    assert!(plan(&args(&["--sample", "s", "--seconds", "0"])).is_err());
    let some = args(&["--sample", "s", "--operations", "roster-with-scores,page"]);
    assert_eq!(some.operations, [Operation::RosterWithScores, Operation::Page]);
}
