//! The parameters of a GraphQL-over-HTTP request, from a JSON body or a query string.
//!
//! Checks shape only: what is a string, what is an object. It never looks into the document.

use async_graphql::Variables;
use axum::{extract::Query, http::StatusCode, http::Uri};
use serde_json::{Map, Value};

use super::refusal::{Code, Refusal};

/// A well-formed request.
#[derive(Debug)]
pub(super) struct Params {
    /// The document.
    pub(super) query: String,
    /// The operation to execute, when the document has several.
    pub(super) operation_name: Option<String>,
    /// Values of the variables.
    pub(super) variables: Variables,
}

fn bad(en: &'static str, zh: &'static str) -> Refusal {
    Refusal::transport(StatusCode::BAD_REQUEST, Code::InvalidInput, en, zh)
}

/// Reads a JSON body.
pub(super) fn from_json(body: &[u8]) -> Result<Params, Refusal> {
    let value: Value = serde_json::from_slice(body).map_err(|error| {
        // The parser's own message may quote the text; its position does not.
        let (line, column) = (error.line(), error.column());
        Refusal::transport(
            StatusCode::BAD_REQUEST,
            Code::InvalidInput,
            format!("the body is no JSON: error at line {line}, column {column}"),
            format!("请求体不是合法的 JSON：第 {line} 行第 {column} 列有误"),
        )
    })?;
    match value {
        Value::Object(map) => from_map(map),
        Value::Array(_) => Err(bad(
            "batches are not accepted; send one request at a time",
            "不接受批量请求，请逐个发送",
        )),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Err(bad(
            "the body must be a JSON object with the property query",
            "请求体必须是含有 query 的 JSON 对象",
        )),
    }
}

/// Reads the query string of a GET request; `variables` and `extensions` are JSON texts there.
pub(super) fn from_uri(uri: &Uri) -> Result<Params, Refusal> {
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri)
        .map_err(|_detail| bad("the query string cannot be read", "无法解析查询字符串"))?;
    let mut map = Map::new();
    for (name, text) in pairs {
        let value = match name.as_str() {
            "query" => Value::String(text),
            "operationName" => Value::String(text),
            "variables" | "extensions" if text.is_empty() => Value::Null,
            "variables" | "extensions" => serde_json::from_str(&text).map_err(|_detail| {
                bad(
                    "variables and extensions must be JSON objects",
                    "variables 和 extensions 必须是 JSON 对象",
                )
            })?,
            _ => continue,
        };
        if map.insert(name, value).is_some() {
            return Err(bad(
                "a parameter stands twice in the query string",
                "查询字符串中有重复的参数",
            ));
        }
    }
    from_map(map)
}

fn from_map(mut map: Map<String, Value>) -> Result<Params, Refusal> {
    let query = match map.remove("query") {
        Some(Value::String(query)) => query,
        None | Some(Value::Null) => {
            return Err(bad("the parameter query is missing", "缺少参数 query"));
        }
        Some(_) => {
            return Err(bad("the parameter query must be a string", "参数 query 必须是字符串"));
        }
    };
    let operation_name = match map.remove("operationName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
        Some(_) => {
            return Err(bad(
                "the parameter operationName must be a string",
                "参数 operationName 必须是字符串",
            ));
        }
    };
    let variables = match map.remove("variables") {
        None | Some(Value::Null) => Variables::default(),
        Some(Value::Object(variables)) => Variables::from_json(Value::Object(variables)),
        Some(_) => {
            return Err(bad(
                "the parameter variables must be an object",
                "参数 variables 必须是对象",
            ));
        }
    };
    match map.remove("extensions") {
        None | Some(Value::Null | Value::Object(_)) => {}
        Some(_) => {
            return Err(bad(
                "the parameter extensions must be an object",
                "参数 extensions 必须是对象",
            ));
        }
    }
    Ok(Params { query, operation_name, variables })
}
