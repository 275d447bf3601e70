//! Registry errors as GraphQL errors, in this one place.
//!
//! A code for programs, a sentence in the caller's language for people. What is internal is logged
//! here, once, and answered with the request's id alone.

use async_graphql::{ErrorExtensionValues, Pos, ServerError};
use xueji_entity::value::Language;

use super::scalar::sentence;
use crate::access::caller::Caller;
use crate::domain::exceptional::PURPOSE;
use crate::domain::{KEY_REUSED, VERSION};
use crate::error::{Error, Why};

/// The sentence of an error for people.
fn why(error: &Error) -> Why {
    match error {
        Error::Unauthenticated => {
            Why::new("sign in: this needs a valid token", "请先登录：需要有效的令牌")
        }
        Error::NotFound { kind } => Why::new(
            format!("there is no such {kind}, or it is not yours to see"),
            format!("没有此 {kind}，或您无权查看"),
        ),
        Error::Forbidden { act, columns } if act == PURPOSE => Why::new(
            format!(
                "{act}: your roles may not state the purpose {}; viewer.purposes lists those they may",
                columns.join(", ")
            ),
            format!(
                "{act}：您的角色不能以 {} 为用途；可用的用途见 viewer.purposes",
                columns.join("、")
            ),
        ),
        Error::Forbidden { act, columns } => Why::new(
            format!("your roles do not allow: {act} {}", columns.join(", ")),
            format!("您的角色不允许：{act} {}", columns.join("、")),
        ),
        Error::Invalid { field, why } => {
            Why::new(format!("{field}: {}", why.en), format!("{field}：{}", why.zh))
        }
        Error::Refused { why, .. } | Error::Limit { why, .. } => why.clone(),
        Error::Conflict { what } if what == KEY_REUSED => Why::new(
            "this idempotency key was used for another request; send this one with a new key",
            "该幂等键已用于另一个请求；请换用新的幂等键",
        ),
        Error::Conflict { what } if what == VERSION => Why::new(
            "version: what you see of this was changed meanwhile; read it again and send its version",
            "version：您所见的内容已被更改；请重新读取并使用新的版本",
        ),
        Error::Conflict { .. } => Why::new(
            "this is on file already or was changed meanwhile; read it again",
            "该信息已存在或已被更改；请重新读取",
        ),
        Error::Unavailable => Why::new(
            "the registry cannot reach its database; try again shortly",
            "暂时无法连接数据库；请稍后重试",
        ),
        Error::Internal(_) => Why::new(
            "something went wrong here; give the request id to the operator",
            "服务器内部错误；请将请求编号告知管理员",
        ),
    }
}

fn extend(error: &Error, extensions: &mut ErrorExtensionValues) {
    extensions.set("code", error.code());
    match error {
        Error::Invalid { field, .. } => extensions.set("field", field.as_ref()),
        Error::Refused { rule, .. } => extensions.set("rule", *rule),
        Error::Limit { what, .. } => extensions.set("limit", *what),
        Error::Forbidden { act, .. } if act == PURPOSE => extensions.set("field", PURPOSE),
        Error::Forbidden { columns, .. } => extensions.set(
            "coordinates",
            async_graphql::Value::from(columns.iter().map(String::as_str).collect::<Vec<_>>()),
        ),
        Error::Conflict { what } if what == VERSION => extensions.set("field", VERSION),
        Error::Unauthenticated
        | Error::NotFound { .. }
        | Error::Conflict { .. }
        | Error::Unavailable
        | Error::Internal(_) => {}
    }
}

/// An error of the registry as the caller is told it.
pub fn to_server(error: Error, pos: Pos, caller: &Caller) -> ServerError {
    let mut server = without_caller(error, caller.language, &caller.request_id);
    server.locations = vec![pos];
    server
}

/// The same for somebody who is not signed in.
pub fn without_caller(error: Error, language: Language, request_id: &str) -> ServerError {
    if let Error::Internal(inner) = &error {
        tracing::error!(request_id, error = format!("{inner:#}"), "internal error");
    }
    let why = why(&error);
    let mut server = ServerError::new(sentence(language, &why).into_owned(), None);
    let mut extensions = ErrorExtensionValues::default();
    extend(&error, &mut extensions);
    if matches!(error, Error::Internal(_) | Error::Unavailable) {
        extensions.set("requestId", request_id);
    }
    server.extensions = Some(extensions);
    server
}
