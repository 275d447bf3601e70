//! The messages of the protocol `graphql-transport-ws`, and the codes with which it closes a socket.
//!
//! Reads and writes texts and decides nothing: what a message leads to stands in `socket`. A reason never quotes
//! what the client sent, but for the operation id that the protocol asks for.

use std::borrow::Cow;

use async_graphql::Variables;
use axum::extract::ws::CloseFrame;
use serde_json::{Map, Value};

use crate::http::params::Params;

/// The name of the protocol.
pub(super) const NAME: &str = "graphql-transport-ws";

/// Most bytes of a reason; the frame holds no more.
const REASON_BYTES: usize = 123;

/// A message of the client.
#[derive(Debug)]
pub(super) enum Incoming {
    /// Asks for the connection.
    Init(Map<String, Value>),
    /// Asks for a sign of life.
    Ping(Option<Value>),
    /// Gives one.
    Pong,
    /// Begins an operation.
    Subscribe {
        /// The client's name for it.
        id: String,
        /// The operation.
        params: Params,
    },
    /// Ends one.
    Complete {
        /// Which one.
        id: String,
    },
}

/// Reads a message. The error is a sentence for the reason of the close.
pub(super) fn read(text: &str) -> Result<Incoming, &'static str> {
    let Ok(Value::Object(mut message)) = serde_json::from_str(text) else {
        return Err("A message must be a JSON object");
    };
    let Some(Value::String(kind)) = message.remove("type") else {
        return Err("A message must have a type");
    };
    match kind.as_str() {
        "connection_init" => Ok(Incoming::Init(payload(&mut message)?.unwrap_or_default())),
        "ping" => Ok(Incoming::Ping(payload(&mut message)?.map(Value::Object))),
        "pong" => payload(&mut message).map(|_payload| Incoming::Pong),
        "subscribe" => {
            let id = id(&mut message)?;
            let payload = payload(&mut message)?.ok_or("A subscribe message needs a payload")?;
            Ok(Incoming::Subscribe { id, params: params(payload)? })
        }
        "complete" => Ok(Incoming::Complete { id: id(&mut message)? }),
        "connection_ack" | "next" | "error" => Err("This type of message is the server's to send"),
        _ => Err("The type of the message is unknown"),
    }
}

fn payload(message: &mut Map<String, Value>) -> Result<Option<Map<String, Value>>, &'static str> {
    match message.remove("payload") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(payload)) => Ok(Some(payload)),
        Some(_) => Err("A payload must be an object"),
    }
}

fn id(message: &mut Map<String, Value>) -> Result<String, &'static str> {
    match message.remove("id") {
        Some(Value::String(id)) if !id.is_empty() => Ok(id),
        _ => Err("The message needs an id that is a string and not empty"),
    }
}

fn params(mut payload: Map<String, Value>) -> Result<Params, &'static str> {
    let Some(Value::String(query)) = payload.remove("query") else {
        return Err("The payload needs a query that is a string");
    };
    let operation_name = match payload.remove("operationName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name).filter(|name| !name.is_empty()),
        Some(_) => return Err("An operationName must be a string"),
    };
    let variables = match payload.remove("variables") {
        None | Some(Value::Null) => Variables::default(),
        Some(Value::Object(variables)) => Variables::from_json(Value::Object(variables)),
        Some(_) => return Err("Variables must be an object"),
    };
    match payload.remove("extensions") {
        None | Some(Value::Null | Value::Object(_)) => {}
        Some(_) => return Err("Extensions must be an object"),
    }
    Ok(Params { query, operation_name, variables })
}

/// The connection is granted.
pub(super) const ACK: &str = r#"{"type":"connection_ack"}"#;
/// Asks the client for a sign of life.
pub(super) const PING: &str = r#"{"type":"ping"}"#;

/// A sign of life, with what the client sent along.
pub(super) fn pong(payload: Option<Value>) -> String {
    let mut message = Map::from_iter([("type".to_owned(), Value::from("pong"))]);
    message.extend(payload.map(|payload| ("payload".to_owned(), payload)));
    Value::Object(message).to_string()
}

/// A result of an operation.
pub(super) fn next(id: &str, result: &str) -> String {
    format!(r#"{{"id":{},"type":"next","payload":{result}}}"#, Value::from(id))
}

/// The end of an operation by errors; nothing follows for its id.
pub(super) fn error(id: &str, errors: &str) -> String {
    format!(r#"{{"id":{},"type":"error","payload":{errors}}}"#, Value::from(id))
}

/// The end of an operation.
pub(super) fn complete(id: &str) -> String {
    format!(r#"{{"id":{},"type":"complete"}}"#, Value::from(id))
}

/// Why a socket is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Close {
    /// The server stops.
    GoingAway,
    /// A frame that the websocket standard does not allow.
    BrokenFrame,
    /// A text that is no UTF-8.
    NoText,
    /// A message longer than the limit.
    TooLong,
    /// The database does not answer.
    TryAgain,
    /// A message that the protocol does not know.
    Invalid(&'static str),
    /// An operation before the connection was granted.
    Unauthorized,
    /// The connection is not granted, or no longer.
    Forbidden(&'static str),
    /// Another protocol, or none, was asked for.
    Subprotocol,
    /// No `connection_init` in time.
    InitTimeout,
    /// An id that is in use.
    Exists(String),
    /// A second `connection_init`.
    TooManyInits,
    /// A fault of the server.
    Internal,
}

impl Close {
    /// The code.
    pub(super) fn code(&self) -> u16 {
        match self {
            Self::GoingAway => 1001,
            Self::BrokenFrame => 1002,
            Self::NoText => 1007,
            Self::TooLong => 1009,
            Self::TryAgain => 1013,
            Self::Invalid(_) => 4400,
            Self::Unauthorized => 4401,
            Self::Forbidden(_) => 4403,
            Self::Subprotocol => 4406,
            Self::InitTimeout => 4408,
            Self::Exists(_) => 4409,
            Self::TooManyInits => 4429,
            Self::Internal => 4500,
        }
    }

    fn reason(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::GoingAway => "The server is stopping",
            Self::BrokenFrame => "Frame not acceptable",
            Self::NoText => "Text must be UTF-8",
            Self::TooLong => "Message too long",
            Self::TryAgain => "Try again later",
            Self::Invalid(why) | Self::Forbidden(why) => why,
            Self::Unauthorized => "Unauthorized",
            Self::Subprotocol => "Subprotocol not acceptable",
            Self::InitTimeout => "Connection initialisation timeout",
            Self::TooManyInits => "Too many initialisation requests",
            Self::Internal => "Internal server error",
            Self::Exists(id) => {
                let (before, after) = ("Subscriber for ", " already exists");
                let room = REASON_BYTES - before.len() - after.len();
                let end = id.floor_char_boundary(room);
                let id = id.get(..end).unwrap_or_default();
                return Cow::Owned(format!("{before}{id}{after}"));
            }
        })
    }

    /// The frame that says so.
    pub(super) fn frame(&self) -> CloseFrame {
        CloseFrame { code: self.code(), reason: self.reason().into_owned().into() }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case(json!({"type": "connection_init"}))]
    #[case(json!({"type": "connection_init", "payload": null}))]
    #[case(json!({"type": "connection_init", "payload": {"authorization": "Bearer x", "more": 1}}))]
    #[case(json!({"type": "ping"}))]
    #[case(json!({"type": "ping", "payload": {"at": 1}}))]
    #[case(json!({"type": "pong", "payload": {}}))]
    #[case(json!({"type": "complete", "id": "1"}))]
    #[case(json!({"type": "subscribe", "id": "1", "payload": {"query": "{ a }"}}))]
    #[case(json!({"type": "subscribe", "id": "1", "payload": {
        "query": "{ a }", "operationName": null, "variables": null, "extensions": {},
    }}))]
    fn the_protocol_knows(#[case] message: Value) {
        assert!(read(&message.to_string()).is_ok(), "{message}");
    }

    #[rstest]
    #[case("")]
    #[case("{")]
    #[case("null")]
    #[case("[]")]
    #[case(r#""ping""#)]
    #[case("{}")]
    #[case(r#"{"type":null}"#)]
    #[case(r#"{"type":"Ping"}"#)]
    #[case(r#"{"type":"start","id":"1","payload":{"query":"{a}"}}"#)]
    #[case(r#"{"type":"connection_init","payload":"x"}"#)]
    #[case(r#"{"type":"connection_init","payload":[]}"#)]
    #[case(r#"{"type":"ping","payload":1}"#)]
    #[case(r#"{"type":"pong","payload":false}"#)]
    #[case(r#"{"type":"complete"}"#)]
    #[case(r#"{"type":"complete","id":1}"#)]
    #[case(r#"{"type":"complete","id":""}"#)]
    #[case(r#"{"type":"subscribe","payload":{"query":"{a}"}}"#)]
    #[case(r#"{"type":"subscribe","id":"","payload":{"query":"{a}"}}"#)]
    #[case(r#"{"type":"subscribe","id":"1"}"#)]
    #[case(r#"{"type":"subscribe","id":"1","payload":{}}"#)]
    #[case(r#"{"type":"subscribe","id":"1","payload":{"query":1}}"#)]
    #[case(r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","variables":[]}}"#)]
    #[case(r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","operationName":1}}"#)]
    #[case(r#"{"type":"subscribe","id":"1","payload":{"query":"{a}","extensions":1}}"#)]
    #[case(r#"{"type":"connection_ack"}"#)]
    #[case(r#"{"type":"next","id":"1","payload":{}}"#)]
    #[case(r#"{"type":"error","id":"1","payload":[]}"#)]
    fn the_protocol_does_not_know(#[case] message: &str) {
        assert!(read(message).is_err(), "{message}");
    }

    #[rstest]
    #[case(Close::Unauthorized, 4401, "Unauthorized")]
    #[case(Close::InitTimeout, 4408, "Connection initialisation timeout")]
    #[case(Close::TooManyInits, 4429, "Too many initialisation requests")]
    #[case(Close::Exists("a-1".to_owned()), 4409, "Subscriber for a-1 already exists")]
    fn the_protocol_words_its_reasons(
        #[case] close: Close,
        #[case] code: u16,
        #[case] reason: &str,
    ) {
        assert_eq!((close.code(), close.frame().reason.as_str()), (code, reason));
    }

    #[test]
    fn a_long_id_is_cut_to_what_a_frame_holds() {
        let reason = Close::Exists("学".repeat(200)).frame().reason;
        assert!(reason.len() <= REASON_BYTES && reason.ends_with("学 already exists"), "{reason}");
    }

    #[test]
    fn an_id_is_quoted() {
        let message: Value = serde_json::from_str(&next("a\"b", "{}")).unwrap();
        assert_eq!(message, json!({"id": "a\"b", "type": "next", "payload": {}}));
    }
}
