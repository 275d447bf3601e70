//! `/healthz`, `/readyz` and `/metrics`: for the machines that watch the server.
//!
//! None of them asks for a token, and none says anything about a person, a school or an account.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use serde_json::{Map, Value, json};

use super::{App, backend::Backend};

/// What every metric's name begins with.
pub(super) const PREFIX: &str = "xueji";

/// Longest wait for the parts that readiness asks.
const READY_TIME: Duration = Duration::from_secs(5);

/// Upper ends of the duration buckets, in seconds.
const BUCKETS: [f64; 12] =
    [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// What the record of disclosures and the acts count.
const COUNTERS: [(&str, &str); 7] = [
    ("statements_total", "Statements that requests took"),
    ("disclosure_lines_total", "Lines of the record of disclosures that are durable"),
    ("disclosure_commits_total", "Commits that these lines took"),
    ("disclosure_failures_total", "Lines that could not be written; their answers were not sent"),
    ("acts_total", "Acts on record, by action and outcome: done or denied"),
    ("limit_refusals_total", "Acts refused because of a limit by the hour"),
    ("purpose_refusals_total", "Requests with a purpose that none of the roles held may state"),
];

const GAUGES: [(&str, &str); 4] = [
    ("disclosure_waiting_lines", "Lines that wait for their commit"),
    ("disclosure_index_lag_seconds", "How long the oldest line that is not indexed has waited"),
    ("access_reviews_waiting", "Opened records whose review is not decided"),
    ("access_reviews_overdue", "Those of them whose review is overdue"),
];

const HISTOGRAMS: [(&str, &str); 2] = [
    ("disclosure_batch_lines", "Lines that shared a commit"),
    ("disclosure_commit_duration_seconds", "Time of a commit of the record in seconds"),
];

/// The process's one recorder, whichever router asks first.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// The handle that writes the metrics as text; the first call installs the recorder.
pub fn metrics_handle() -> &'static PrometheusHandle {
    RECORDER.get_or_init(|| {
        let name = Matcher::Suffix("_duration_seconds".to_owned());
        let builder = PrometheusBuilder::new();
        let builder = match builder.set_buckets_for_metric(name, &BUCKETS) {
            Ok(builder) => builder,
            Err(error) => {
                tracing::warn!(%error, "metrics have no buckets");
                PrometheusBuilder::new()
            }
        };
        let recorder = builder.build_recorder();
        let handle = recorder.handle();
        if metrics::set_global_recorder(recorder).is_err() {
            tracing::warn!("another metrics recorder is installed; /metrics stays empty");
        }
        metrics::describe_counter!(format!("{PREFIX}_http_requests_total"), "Requests answered");
        metrics::describe_gauge!(
            format!("{PREFIX}_http_requests_in_flight"),
            "Requests being answered"
        );
        metrics::describe_gauge!(
            format!("{PREFIX}_policy_version"),
            "Number of the published policy in force"
        );
        metrics::describe_gauge!(
            format!("{PREFIX}_policy_refused"),
            "1 while this server's policy files, or the published version, are refused"
        );
        metrics::describe_counter!(
            format!("{PREFIX}_policy_refusals_total"),
            "Policies that were refused"
        );
        metrics::describe_counter!(format!("{PREFIX}_snapshots_total"), "Nightly snapshots taken");
        metrics::describe_counter!(
            format!("{PREFIX}_snapshot_failures_total"),
            "Nightly snapshots that failed"
        );
        metrics::describe_gauge!(
            format!("{PREFIX}_snapshot_failing"),
            "1 while the snapshot of the night cannot be taken"
        );
        metrics::describe_histogram!(
            format!("{PREFIX}_http_request_duration_seconds"),
            "Time to an answer in seconds"
        );
        for (name, what) in COUNTERS {
            metrics::describe_counter!(format!("{PREFIX}_{name}"), what);
        }
        for (name, what) in GAUGES {
            metrics::describe_gauge!(format!("{PREFIX}_{name}"), what);
        }
        for (name, what) in HISTOGRAMS {
            metrics::describe_histogram!(format!("{PREFIX}_{name}"), what);
        }
        super::live::describe();
        super::pace::describe();
        handle
    })
}

/// The process runs.
pub(super) async fn healthz() -> &'static str {
    "ok\n"
}

/// The parts that the application needs are there.
pub(super) async fn readyz<B: Backend>(State(app): State<Arc<App<B>>>) -> Response {
    let Ok(readiness) = tokio::time::timeout(READY_TIME, app.backend.ready()).await else {
        return (StatusCode::SERVICE_UNAVAILABLE, Json(json!({"ready": false, "parts": {}})))
            .into_response();
    };
    let status =
        if readiness.is_ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let noted = |part: &str| readiness.notes.iter().any(|(name, _)| *name == part);
    let state = |name: &str, there: bool| match (there, noted(name)) {
        (false, _) => "unavailable",
        (true, true) => "degraded",
        (true, false) => "ok",
    };
    let parts: Map<_, _> = readiness
        .parts
        .iter()
        .map(|(name, there)| ((*name).to_owned(), Value::from(state(name, *there))))
        .collect();
    let mut body = json!({"ready": readiness.is_ready(), "parts": parts});
    if !readiness.notes.is_empty() {
        body["notes"] = readiness
            .notes
            .iter()
            .map(|(name, note)| ((*name).to_owned(), Value::from(note.as_str())))
            .collect::<Map<_, _>>()
            .into();
    }
    (status, Json(body)).into_response()
}

/// The metrics in the text format of Prometheus.
pub(super) async fn metrics_text() -> Response {
    let mut response = metrics_handle().render().into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
