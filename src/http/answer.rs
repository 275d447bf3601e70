//! The bytes of a GraphQL answer: media type, status, errors completed with code and request id.
//!
//! The library writes `data: null` for requests that were never executed; the specification wants no `data` there, so
//! answers are written here. Text of internal faults never leaves.

use std::collections::BTreeMap;

use async_graphql::{ErrorExtensionValues, ServerError, Value};
use axum::{
    body::Body,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Serialize;

use super::{
    accept::{Language, Media},
    caller,
    observe::RequestId,
    refusal::{Code, Refusal, code_of, mark},
};

#[derive(Serialize)]
struct Wire<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    errors: &'a [ServerError],
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<&'a Value>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extensions: &'a BTreeMap<String, Value>,
}

/// The answer to a request that the backend took.
pub(super) fn executed(
    mut answer: async_graphql::Response,
    media: Media,
    language: Language,
    request_id: &RequestId,
) -> Response {
    let id = request_id.text();
    complete_all(&mut answer, language, &id);
    // While a part is away, an answer of nulls alone says nothing; without its data it may be a plain 503.
    let nothing = match &answer.data {
        Value::Null => true,
        Value::Object(fields) => fields.values().all(|value| *value == Value::Null),
        Value::List(_)
        | Value::String(_)
        | Value::Number(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::Enum(_) => false,
    };
    let unavailable = nothing
        && answer.errors.iter().filter_map(code_of).any(|code| code == Code::Unavailable.as_str());
    // A fault while executing has a path; errors without one and no data mean that nothing was executed.
    let never_executed = unavailable
        || (answer.data == Value::Null
            && !answer.errors.is_empty()
            && answer.errors.iter().all(|error| error.path.is_empty()));
    let codes = || answer.errors.iter().filter_map(code_of);
    let status = if unavailable {
        // A part that is away is no fault of the request, whatever the media type.
        StatusCode::SERVICE_UNAVAILABLE
    } else if !never_executed || media == Media::Json {
        StatusCode::OK
    } else if codes().any(|code| code == Code::Unauthenticated.as_str()) {
        StatusCode::UNAUTHORIZED
    } else if codes().any(|code| code == "FORBIDDEN") {
        StatusCode::FORBIDDEN
    } else if codes().any(|code| code == Code::Internal.as_str()) {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::BAD_REQUEST
    };
    let wire = Wire {
        errors: &answer.errors,
        data: (!never_executed).then_some(&answer.data),
        extensions: &answer.extensions,
    };
    let mut response = match serde_json::to_vec(&wire) {
        Ok(body) => write(status, media, language, body),
        Err(error) => {
            tracing::error!(request_id = %id, category = ?error.classify(), "an answer could not be written");
            return refused(&caller::internal(), media, language, request_id);
        }
    };
    if status == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static(caller::challenge());
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    if status == StatusCode::SERVICE_UNAVAILABLE {
        let seconds = HeaderValue::from_static(super::RETRY_AFTER_SECONDS);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    response
}

/// An answer as the transports of streams carry it.
pub(super) enum Told {
    /// The whole result of an execution, as JSON.
    Result(String),
    /// The list of errors of a request that was not executed, as JSON.
    Errors(String),
}

/// The answer of the backend for a stream. With `executed` false it never counts as an execution.
pub(super) fn told(
    mut answer: async_graphql::Response,
    executed: bool,
    language: Language,
    request_id: &str,
) -> Told {
    complete_all(&mut answer, language, request_id);
    let never_executed = answer.data == Value::Null
        && !answer.errors.is_empty()
        && answer.errors.iter().all(|error| error.path.is_empty());
    if !executed || never_executed {
        return Told::Errors(serde_json::to_string(&answer.errors).unwrap_or_default());
    }
    let wire =
        Wire { errors: &answer.errors, data: Some(&answer.data), extensions: &answer.extensions };
    match serde_json::to_string(&wire) {
        Ok(text) => Told::Result(text),
        Err(error) => {
            tracing::error!(request_id, category = ?error.classify(), "an answer could not be written");
            told_refusal(&caller::internal(), language, request_id)
        }
    }
}

/// A request that ended early, for a stream.
pub(super) fn told_refusal(refusal: &Refusal, language: Language, request_id: &str) -> Told {
    let errors = [refusal.error(language, request_id)];
    Told::Errors(serde_json::to_string(&errors).unwrap_or_default())
}

/// The answer to a request that ended early.
pub(super) fn refused(
    refusal: &Refusal,
    media: Media,
    language: Language,
    request_id: &RequestId,
) -> Response {
    let errors = [refusal.error(language, &request_id.text())];
    let wire = Wire { errors: &errors, data: None, extensions: &BTreeMap::new() };
    let body = serde_json::to_vec(&wire).unwrap_or_default();
    let mut response = write(refusal.status(media == Media::Json), media, language, body);
    for (name, value) in refusal.headers() {
        response.headers_mut().insert(name, value.clone());
    }
    response
}

/// An answer of the door, as JSON.
pub(super) fn at_door(told: &impl Serialize, language: Language) -> Option<Response> {
    let body = serde_json::to_vec(told).ok()?;
    Some(write(StatusCode::OK, Media::Json, language, body))
}

fn write(status: StatusCode, media: Media, language: Language, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, media.content_type());
    headers.insert(header::CONTENT_LANGUAGE, HeaderValue::from_static(language.tag()));
    headers
        .insert(header::VARY, HeaderValue::from_static("accept, accept-language, authorization"));
    response
}

/// Completes every error. Those of a document that was not executed are in the order in which they stand in it: the
/// library names them in any, and the same request has the same answer.
fn complete_all(answer: &mut async_graphql::Response, language: Language, request_id: &str) {
    for error in &mut answer.errors {
        complete(error, language, request_id);
    }
    if answer.errors.iter().all(|error| error.path.is_empty()) {
        answer.errors.sort_by(|one, other| {
            let place = |error: &ServerError| {
                error.locations.first().map(|place| (place.line, place.column))
            };
            place(one).cmp(&place(other)).then_with(|| one.message.cmp(&other.message))
        });
    }
}

/// Gives errors of the library a code and, in Chinese, a sentence; errors of ours have both already.
fn complete(error: &mut ServerError, language: Language, request_id: &str) {
    if code_of(error).is_some() {
        mark(error, Code::Internal, request_id);
        return;
    }
    let executing = !error.path.is_empty();
    let text = error.message.as_str();
    let limit = ["too complex", "nested too deep", "cannot be greater than"]
        .iter()
        .any(|part| text.contains(part));
    let input = text.starts_with("Failed to parse") || text.starts_with("Invalid value");
    let code = match (limit, executing, input) {
        (true, _, _) => Code::LimitExceeded,
        (false, _, true) => Code::InvalidInput,
        (false, false, false) => Code::ValidationFailed,
        (false, true, false) => Code::Internal,
    };
    let message = match (code, language) {
        (Code::Internal, _) => {
            let internal = caller::internal().error(language, request_id);
            tracing::error!(request_id, "a resolver failed without a code");
            internal.message
        }
        (Code::LimitExceeded, Language::Zh) => format!("查询超出限制：{text}"),
        (Code::InvalidInput, Language::Zh) => format!("输入值无效：{text}"),
        (_, Language::Zh) => format!("查询未通过校验：{text}"),
        (_, Language::En) => text.to_owned(),
    };
    // The library names the argument in its sentence alone; programs need it apart.
    let field =
        text.strip_prefix("Invalid value for argument \"").and_then(|rest| rest.split('"').next());
    if let Some(field) = field.map(ToOwned::to_owned) {
        error.extensions.get_or_insert_with(ErrorExtensionValues::default).set("field", field);
    }
    error.message = message;
    mark(error, code, request_id);
}
