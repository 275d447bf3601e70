//! Around every request: its id, one log line, metrics, security headers, and an answer even after a panic.
//!
//! A log line holds method, route, status, duration, operation and an opaque account id. It never holds variables,
//! the text of a query, a path or a header value. Labels of metrics come from fixed lists.

use std::{
    panic::AssertUnwindSafe,
    sync::Arc,
    time::{Duration, Instant},
};

use async_graphql::parser::types::OperationType;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, header},
    middleware::Next,
    response::Response,
};
use futures_util::FutureExt;
use uuid::Uuid;

use super::{accept, accept::Media, answer, caller, health::PREFIX};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Longest operation name in a log line.
const MAX_LOGGED_NAME: usize = 64;

/// The id of a request, in its log line, its errors and its answer.
#[derive(Clone, Debug)]
pub(super) struct RequestId(Arc<str>);

impl RequestId {
    /// The id that the outermost layer gave to the request.
    pub(super) fn of(request: &Request) -> Self {
        request
            .extensions()
            .get::<Self>()
            .cloned()
            .unwrap_or_else(|| Self::choose(request.headers()))
    }

    /// A sane id of the client is kept, so that its log and ours can be laid side by side.
    fn choose(headers: &HeaderMap) -> Self {
        let mut given = headers.get_all(&REQUEST_ID).into_iter();
        let sane = |text: &&str| {
            (8..=64).contains(&text.len())
                && text
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        match (given.next().and_then(|value| value.to_str().ok()).filter(sane), given.next()) {
            (Some(text), None) => Self(Arc::from(text)),
            _ => Self(Arc::from(Uuid::now_v7().to_string())),
        }
    }

    pub(super) fn text(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// The id of the `number`th operation of a connection that has this id.
    pub(super) fn below(&self, number: u64) -> Self {
        Self(format!("{}.{number}", self.0).into())
    }
}

/// What the GraphQL handler learned of a request, for the log line and the metrics.
#[derive(Clone, Debug, Default)]
pub(super) struct Observed {
    pub(super) operation_type: Option<OperationType>,
    pub(super) operation_name: Option<String>,
    pub(super) account: Option<String>,
}

impl Observed {
    /// The name of the operation, not longer than a log line takes.
    pub(super) fn logged_name(&self) -> Option<&str> {
        self.operation_name.as_deref().map(|name| name.get(..MAX_LOGGED_NAME).unwrap_or(name))
    }

    pub(super) fn operation_label(&self) -> &'static str {
        match self.operation_type {
            Some(OperationType::Query) => "query",
            Some(OperationType::Mutation) => "mutation",
            Some(OperationType::Subscription) => "subscription",
            None => "none",
        }
    }
}

/// Counts a request as running until it is answered, or its client goes away.
struct Running;

impl Running {
    fn begin() -> Self {
        metrics::gauge!(format!("{PREFIX}_http_requests_in_flight")).increment(1.0);
        Self
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        metrics::gauge!(format!("{PREFIX}_http_requests_in_flight")).decrement(1.0);
    }
}

/// What answers carry that depends on the settings.
#[derive(Clone, Debug)]
pub(super) struct Surroundings {
    hsts: Option<HeaderValue>,
}

impl Surroundings {
    pub(super) fn new(hsts: Option<Duration>) -> Self {
        let value = |time: Duration| HeaderValue::try_from(format!("max-age={}", time.as_secs()));
        Self { hsts: hsts.and_then(|time| value(time).ok()) }
    }
}

/// The outermost layer.
pub(super) async fn observe(
    State(surroundings): State<Surroundings>,
    mut request: Request,
    next: Next,
) -> Response {
    let begun = Instant::now();
    let running = Running::begin();
    let id = RequestId::choose(request.headers());
    let language = accept::language(request.headers());
    let media = accept::media(request.headers()).unwrap_or(Media::Json);
    let (method, route) = (method_label(request.method()), route_label(request.uri().path()));
    request.extensions_mut().insert(id.clone());
    let mut response = match AssertUnwindSafe(next.run(request)).catch_unwind().await {
        Ok(response) => response,
        // The panic hook has logged where; what it said may hold a value and stays out of the answer.
        Err(_panic) => answer::refused(&caller::internal(), media, language, &id),
    };
    let observed = response.extensions_mut().remove::<Observed>().unwrap_or_default();
    finish(&mut response, &id, &surroundings);
    let (status, elapsed) = (response.status(), begun.elapsed());
    let operation_type = observed.operation_label();
    metrics::counter!(
        format!("{PREFIX}_http_requests_total"),
        "route" => route, "method" => method, "status" => status.as_str().to_owned(), "operation" => operation_type,
    )
    .increment(1);
    metrics::histogram!(
        format!("{PREFIX}_http_request_duration_seconds"), "route" => route, "operation" => operation_type,
    )
    .record(elapsed.as_secs_f64());
    tracing::info!(
        request_id = %id.0,
        method,
        route,
        status = status.as_u16(),
        duration_ms = elapsed.as_secs_f64() * 1000.0,
        operation = observed.logged_name(),
        operation_type,
        account = observed.account.as_deref(),
        "request"
    );
    drop(running);
    response
}

/// Sets the request id and the headers that every answer carries.
fn finish(response: &mut Response, id: &RequestId, surroundings: &Surroundings) {
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(&REQUEST_ID, value);
    }
    if let Some(value) = &surroundings.hsts {
        headers.insert(header::STRICT_TRANSPORT_SECURITY, value.clone());
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
}

/// The route for log and metrics: from a fixed list, because paths are chosen by clients.
fn route_label(path: &str) -> &'static str {
    match path {
        "/graphql" => "/graphql",
        "/" | "/graphiql" => "/graphiql",
        "/healthz" => "/healthz",
        "/readyz" => "/readyz",
        "/metrics" => "/metrics",
        "/oauth/token" => "/oauth/token",
        path if path.starts_with("/auth/") => "/auth/*",
        path if path.starts_with("/graphiql/") => "/graphiql/*",
        _ => "other",
    }
}

fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::HEAD => "HEAD",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
