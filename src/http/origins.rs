//! Pages of other origins: closed to all of them, but for those that the settings name.
//!
//! For a page that is not named nothing here exists: its browser is told nothing that would let it read an answer.
//! Credentials are never allowed, since no answer depends on a cookie.

use std::sync::Arc;

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::Response,
};

/// What a page may send.
const HEADERS: &str =
    "authorization, content-type, accept, accept-language, xueji-purpose, x-request-id";
/// What a page may read beside the usual headers.
const EXPOSED: &str = "x-request-id, retry-after";
/// Seconds for which a browser may remember what it was told.
const REMEMBERED_SECONDS: &str = "600";

/// The origins whose pages may ask.
#[derive(Clone, Debug)]
pub(super) struct Origins(Arc<[String]>);

impl Origins {
    pub(super) fn new(named: &[String]) -> Self {
        Self(named.into())
    }

    /// Whether nobody is named.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The origin of a request's page, where it is one that is named.
    pub(super) fn named<'a>(&self, headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
        let mut values = headers.get_all(header::ORIGIN).into_iter();
        let (Some(origin), None) = (values.next(), values.next()) else { return None };
        self.0.iter().any(|named| named.as_bytes() == origin.as_bytes()).then_some(origin)
    }
}

/// Answers what browsers ask before they let a page ask, and lets named pages read the answers of the API. Nothing else
/// is theirs to read.
pub(super) async fn open(State(origins): State<Origins>, request: Request, next: Next) -> Response {
    if request.uri().path() != "/graphql" {
        return next.run(request).await;
    }
    let origin = origins.named(request.headers()).cloned();
    let before = request.method() == Method::OPTIONS
        && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
    let mut response = if origin.is_some() && before { told() } else { next.run(request).await };
    let headers = response.headers_mut();
    if let Some(origin) = origin {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        let exposed = HeaderValue::from_static(EXPOSED);
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    headers.append(header::VARY, HeaderValue::from_static("origin"));
    response
}

fn told() -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let told: [(HeaderName, &'static str); 3] = [
        (header::ACCESS_CONTROL_ALLOW_METHODS, "GET, POST"),
        (header::ACCESS_CONTROL_ALLOW_HEADERS, HEADERS),
        (header::ACCESS_CONTROL_MAX_AGE, REMEMBERED_SECONDS),
    ];
    for (name, value) in told {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}
