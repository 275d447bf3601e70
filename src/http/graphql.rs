//! `POST` and `GET /graphql`, to the letter of the GraphQL-over-HTTP specification.
//!
//! The order of checks is fixed: method, `Accept`, token, content type, body, document, operation. What fails early
//! costs little. No rule of the registry stands here, and nothing of a document or a value is logged.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use async_graphql::{
    Value, Variables,
    parser::types::{
        BaseType, DocumentOperations, ExecutableDocument, OperationDefinition, OperationType, Type,
    },
};
use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderName, Method, StatusCode, header},
    response::Response,
};
use bytes::Bytes;
use http_body_util::{BodyExt, LengthLimitError, Limited};

use super::{
    App,
    accept::{self, Events, Language, Media},
    answer,
    backend::{Backend, Operation, RequestMeta},
    caller,
    client::Client,
    guard,
    live::{events, socket},
    observe::{Observed, RequestId},
    params::{self, Params},
    refusal::{Code, Refusal},
};

/// Serves the route.
pub(super) async fn serve<B: Backend>(
    State(app): State<Arc<App<B>>>,
    request: Request,
) -> Result<Response, Infallible> {
    if socket::is_upgrade(&request) {
        return Ok(socket::upgrade(app, request).await);
    }
    let language = accept::language(request.headers());
    let request_id = RequestId::of(&request);
    let media = accept::media(request.headers());
    let mut observed = Observed::default();
    let limit = app.options.limits.request_time;
    let work = run(&app, request, media, language, &request_id, &mut observed);
    let done = match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_elapsed) => Err(too_slow(limit)),
    };
    let mut response = match done {
        Ok(Done::Answer(answer)) => {
            answer::executed(answer, media.unwrap_or(Media::Json), language, &request_id)
        }
        Ok(Done::Events(response)) => response,
        Err(refusal) => {
            answer::refused(&refusal, media.unwrap_or(Media::Json), language, &request_id)
        }
    };
    response.extensions_mut().insert(observed);
    Ok(response)
}

/// How a request was answered.
enum Done {
    /// With one answer.
    Answer(async_graphql::Response),
    /// With a stream of events.
    Events(Response),
}

async fn run<B: Backend>(
    app: &Arc<App<B>>,
    request: Request,
    media: Option<Media>,
    language: Language,
    request_id: &RequestId,
    observed: &mut Observed,
) -> Result<Done, Refusal> {
    let (parts, body) = request.into_parts();
    if !matches!(parts.method, Method::GET | Method::POST) {
        return Err(method_not_allowed("GET, POST"));
    }
    let streams = accept::events(&parts.headers);
    if media.is_none() && streams == Events::No {
        return Err(Refusal::transport(
            StatusCode::NOT_ACCEPTABLE,
            Code::InvalidInput,
            "answers are application/graphql-response+json or application/json; accept one of them",
            "响应类型为 application/graphql-response+json 或 application/json，请在 Accept 中声明其一",
        ));
    }
    let client = parts.extensions.get::<Client>().copied();
    let purpose = caller::purpose(&*app.backend, &parts.headers)?;
    let caller = caller::caller(app, &parts.headers, client).await?;
    observed.account = caller.as_ref().map(|(_, caller)| app.backend.account(caller));
    let params = if parts.method == Method::GET {
        params::from_uri(&parts.uri)?
    } else {
        let most = app.options.limits.body_bytes;
        params::from_json(&read_body(&parts.headers, body, app, most).await?)?
    };
    let mut meta = RequestMeta {
        request_id: request_id.text(),
        language,
        purpose,
        client,
        document: Arc::new(nothing()),
        operation_type: OperationType::Query,
        operation_name: None,
    };
    let operation = match admit(app, params, &mut meta, observed) {
        Ok(operation) => operation,
        // Whoever reads a stream alone is told there what is wrong with the document.
        Err(refusal) if streams == Events::Rather && refusal.is_of_document() => {
            return Ok(Done::Events(events::refused(&refusal, &meta)));
        }
        Err(refusal) => return Err(refusal),
    };
    match meta.operation_type {
        OperationType::Mutation if parts.method != Method::POST => {
            return Err(method_not_allowed("POST"));
        }
        OperationType::Subscription if streams == Events::No => {
            return Err(Refusal::request(
                Code::ValidationFailed,
                "a subscription needs a websocket (graphql-transport-ws), or a client that accepts text/event-stream",
                "订阅须使用 WebSocket（graphql-transport-ws），或在 Accept 中声明 text/event-stream",
            ));
        }
        OperationType::Subscription => {
            let (claims, caller) = caller.ok_or_else(caller::anonymous)?;
            let line = parts.extensions.get().cloned();
            let opened = events::open(app, claims, caller, operation, meta, line).await?;
            return Ok(Done::Events(opened));
        }
        OperationType::Query | OperationType::Mutation => {}
    }
    let caller = caller.map(|(_, caller)| caller);
    if streams == Events::Rather {
        let answer = app.backend.execute(caller, operation.request(), meta.clone()).await;
        return Ok(Done::Events(events::single(answer, &meta)));
    }
    Ok(Done::Answer(app.backend.execute(caller, operation.request(), meta).await))
}

/// A document of nothing, until the one of the request is known.
pub(super) fn nothing() -> ExecutableDocument {
    ExecutableDocument {
        operations: DocumentOperations::Multiple(HashMap::new()),
        fragments: HashMap::new(),
    }
}

/// Reads the document and selects its operation, within all limits, whatever transport it came by.
pub(super) fn admit<B: Backend>(
    app: &App<B>,
    mut params: Params,
    meta: &mut RequestMeta,
    observed: &mut Observed,
) -> Result<Operation, Refusal> {
    let document = app.documents.get(&params.query, &app.options.limits)?;
    let (operation, operation_name) = select(&document, params.operation_name.as_deref())?;
    observed.operation_type = Some(operation.ty);
    observed.operation_name.clone_from(&operation_name);
    if operation.ty == OperationType::Subscription {
        guard::one_stream(operation)?;
    }
    nulls(operation, &params.variables)?;
    defaults(operation, &mut params.variables);
    meta.operation_type = operation.ty;
    meta.operation_name = operation_name;
    meta.document = Arc::clone(&document);
    Ok(Operation {
        document,
        name: params.operation_name,
        variables: params.variables,
        introspection: app.options.introspection,
    })
}

/// Reads the body within its size and time.
pub(super) async fn read_body<B: Backend>(
    headers: &HeaderMap,
    body: Body,
    app: &App<B>,
    max: usize,
) -> Result<Bytes, Refusal> {
    if !accept::is_json_body(headers) {
        return Err(Refusal::transport(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::InvalidInput,
            "send the body as application/json in UTF-8",
            "请求体必须是 UTF-8 编码的 application/json",
        )
        .header(HeaderName::from_static("accept-post"), "application/json"));
    }
    read_bytes(headers, body, app, max).await
}

/// Reads a body of whatever kind within its size and time.
pub(super) async fn read_bytes<B: Backend>(
    headers: &HeaderMap,
    body: Body,
    app: &App<B>,
    max: usize,
) -> Result<Bytes, Refusal> {
    let declared = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    if declared.is_some_and(|length| usize::try_from(length).is_ok_and(|length| length > max)) {
        return Err(too_large(max));
    }
    let collected =
        tokio::time::timeout(app.options.limits.body_time, Limited::new(body, max).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large(max)),
        Ok(Err(_broken)) => Err(Refusal::transport(
            StatusCode::BAD_REQUEST,
            Code::InvalidInput,
            "the body did not arrive whole",
            "请求体未完整送达",
        )),
        Err(_elapsed) => Err(Refusal::transport(
            StatusCode::REQUEST_TIMEOUT,
            Code::LimitExceeded,
            "the body did not arrive in time",
            "请求体未及时送达",
        )
        .header(header::CONNECTION, "close")),
    }
}

fn too_large(max: usize) -> Refusal {
    Refusal::transport(
        StatusCode::PAYLOAD_TOO_LARGE,
        Code::LimitExceeded,
        format!("the body is larger than {max} bytes"),
        format!("请求体超过 {max} 字节"),
    )
}

pub(super) fn too_slow(limit: Duration) -> Refusal {
    let seconds = limit.as_secs_f32();
    Refusal::transport(
        StatusCode::SERVICE_UNAVAILABLE,
        Code::LimitExceeded,
        format!("the request took longer than {seconds} s; ask for less at once"),
        format!("请求处理超过 {seconds} 秒，请减少一次查询的内容"),
    )
    .header(header::RETRY_AFTER, super::RETRY_AFTER_SECONDS)
}

pub(super) fn method_not_allowed(allow: &'static str) -> Refusal {
    Refusal::transport(
        StatusCode::METHOD_NOT_ALLOWED,
        Code::InvalidInput,
        format!("send this request as {}", allow.replace(", ", " or ")),
        format!("请使用 {} 方法", allow.replace(", ", " 或 ")),
    )
    .header(header::ALLOW, allow)
}

/// The operation that the request selects, with its name.
fn select<'a>(
    document: &'a ExecutableDocument,
    wanted: Option<&str>,
) -> Result<(&'a OperationDefinition, Option<String>), Refusal> {
    let found = match (&document.operations, wanted) {
        (DocumentOperations::Single(operation), None) => Some((None, operation)),
        (DocumentOperations::Single(_), Some(_)) => None,
        (DocumentOperations::Multiple(operations), Some(wanted)) => operations
            .get_key_value(wanted)
            .map(|(name, operation)| (Some(name.to_string()), operation)),
        (DocumentOperations::Multiple(operations), None) => {
            let mut all = operations.iter();
            match (all.next(), all.next()) {
                (Some((name, operation)), None) => Some((Some(name.to_string()), operation)),
                _ => {
                    return Err(Refusal::request(
                        Code::ValidationFailed,
                        "the document has several operations; name one in operationName",
                        "查询文档含有多个操作，请用 operationName 指定其一",
                    ));
                }
            }
        }
    };
    found.map(|(name, operation)| (&operation.node, name)).ok_or_else(|| {
        Refusal::request(
            Code::ValidationFailed,
            "the document has no operation of the name in operationName",
            "查询文档中没有 operationName 指定的操作",
        )
    })
}

/// Refuses nulls where a variable's type has none. The library notices them only where the variable is used, and then
/// as a fault of execution.
fn nulls(operation: &OperationDefinition, variables: &Variables) -> Result<(), Refusal> {
    for definition in &operation.variable_definitions {
        let (name, kind) = (&definition.node.name.node, &definition.node.var_type.node);
        let default = definition.node.default_value.as_ref().map(|default| &default.node);
        let fits = match variables.get(name).or(default) {
            Some(value) => no_null_out_of_place(value, kind),
            None => kind.nullable,
        };
        if !fits {
            return Err(Refusal::request(
                Code::InvalidInput,
                format!("the variable ${name} is missing, or null where its type {kind} does not allow it"),
                format!("变量 ${name} 缺失，或在类型 {kind} 不允许的位置为 null"),
            )
            .at(definition.pos));
        }
    }
    Ok(())
}

/// Gives variables their default values. The library does so in arguments, but not in `@skip` and `@include`.
fn defaults(operation: &OperationDefinition, variables: &mut Variables) {
    for definition in &operation.variable_definitions {
        if let Some(default) = &definition.node.default_value {
            let name = definition.node.name.node.clone();
            variables.entry(name).or_insert_with(|| default.node.clone());
        }
    }
}

fn no_null_out_of_place(value: &Value, kind: &Type) -> bool {
    match (value, &kind.base) {
        (Value::Null, _) => kind.nullable,
        (Value::List(items), BaseType::List(inner)) => {
            items.iter().all(|item| no_null_out_of_place(item, inner))
        }
        (_, _) => true,
    }
}
