//! What came back, with the questions that tests ask of it.

use axum::http::{HeaderMap, StatusCode};
use serde_json::Value;

/// An answer of the server.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The status.
    pub(crate) status: StatusCode,
    /// The headers.
    pub(crate) headers: HeaderMap,
    /// The body as sent.
    pub(crate) text: String,
    /// The body as JSON; null when it is none.
    pub(crate) body: Value,
}

impl Answer {
    /// `data` of an answer without errors.
    #[track_caller]
    pub(crate) fn data(&self) -> &Value {
        assert!(self.body.get("errors").is_none(), "no errors expected: {}", self.text);
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        &self.body["data"]
    }

    /// The value at a JSON pointer into `data`, of an answer without errors.
    #[track_caller]
    pub(crate) fn at(&self, pointer: &str) -> &Value {
        self.data().pointer(pointer).unwrap_or_else(|| panic!("{pointer} in {}", self.text))
    }

    /// The code of the first error; empty without one.
    pub(crate) fn code(&self) -> &str {
        self.body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default()
    }

    /// The first error.
    pub(crate) fn error(&self) -> &Value {
        &self.body["errors"][0]
    }

    /// The sentence of the first error.
    pub(crate) fn message(&self) -> &str {
        self.error()["message"].as_str().unwrap_or_default()
    }

    /// `extensions.redactions`.
    pub(crate) fn redactions(&self) -> &[Value] {
        self.body["extensions"]["redactions"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The redaction of a coordinate: sight, reason and count of each entry.
    pub(crate) fn redaction(&self, coordinate: &str) -> Vec<(String, String, u64)> {
        self.redactions()
            .iter()
            .filter(|entry| entry["coordinate"] == coordinate)
            .map(|entry| {
                let word = |key: &str| entry[key].as_str().unwrap_or_default().to_owned();
                (word("sight"), word("reason"), entry["count"].as_u64().unwrap_or_default())
            })
            .collect()
    }

    /// The texts under a key of the list at a pointer into `data`, in order.
    #[track_caller]
    pub(crate) fn texts(&self, list: &str, key: &str) -> Vec<String> {
        self.at(list)
            .as_array()
            .unwrap_or_else(|| panic!("{list} is a list in {}", self.text))
            .iter()
            .map(|item| match &item[key] {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            })
            .collect()
    }

    /// The body with what differs from request to request taken out.
    pub(crate) fn without_request_id(&self) -> String {
        let mut body = self.body.clone();
        forget(&mut body);
        body.to_string()
    }
}

fn forget(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            fields.remove("requestId");
            fields.values_mut().for_each(forget);
        }
        Value::Array(items) => items.iter_mut().for_each(forget),
        _ => {}
    }
}
