//! What the HTTP layer needs from the application behind it.
//!
//! HTTP verifies tokens and reads documents; the backend knows accounts and executes. It never sees a header.

use std::{future::Future, net::SocketAddr, sync::Arc};

use async_graphql::parser::types::{ExecutableDocument, OperationType};
use serde::Serialize;

use super::accept::Language;
use crate::auth::jwt::Claims;

/// The application behind the routes.
pub trait Backend: Send + Sync + 'static {
    /// Who calls, with whatever the application knows of them.
    type Caller: Clone + Send + Sync + 'static;

    /// Finds the account for the claims of a verified token.
    fn authenticate(
        &self,
        claims: Arc<Claims>,
    ) -> impl Future<Output = Result<Self::Caller, AuthFailure>> + Send;

    /// An id of the account for the log; never a name or number of a person.
    fn account(&self, caller: &Self::Caller) -> String;

    /// Executes a request. Without a token the caller is `None` and the backend decides what that may see.
    ///
    /// An answer whose only content is an error with the code `UNAUTHENTICATED` or `UNAVAILABLE` becomes 401 or 503.
    fn execute(
        &self,
        caller: Option<Self::Caller>,
        request: async_graphql::Request,
        meta: RequestMeta,
    ) -> impl Future<Output = async_graphql::Response> + Send;

    /// Whether the parts that the application needs are there.
    fn ready(&self) -> impl Future<Output = Readiness> + Send;
}

/// Why a verified token leads to no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFailure {
    /// No such account, or one that is closed.
    UnknownAccount,
    /// The token was revoked.
    Revoked,
    /// Accounts cannot be read for now.
    Unavailable,
    /// A fault of the server, already logged.
    Internal,
}

/// What the HTTP layer knows of a request beside its GraphQL content.
#[derive(Clone, Debug)]
pub struct RequestMeta {
    /// The id in the log, in each error and in `X-Request-Id`.
    pub request_id: Arc<str>,
    /// Language of messages.
    pub language: Language,
    /// Address of the other end of the connection, which may be a proxy.
    pub remote: Option<SocketAddr>,
    /// The document, parsed and within the limits.
    pub document: Arc<ExecutableDocument>,
    /// Kind of the operation that is executed.
    pub operation_type: OperationType,
    /// Name of the operation that is executed.
    pub operation_name: Option<String>,
}

/// The state of the parts that the application needs.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    /// Name of each part, such as `database` and `policy`, and whether it is there.
    pub parts: Vec<(&'static str, bool)>,
}

impl Readiness {
    /// Whether every part is there.
    pub fn is_ready(&self) -> bool {
        self.parts.iter().all(|(_, there)| *there)
    }
}

/// Somebody to try the demo as. Holds a token: served in demo mode only.
#[derive(Clone, Debug, Serialize)]
pub struct Persona {
    /// Name for the list.
    pub name: String,
    /// Role for the list.
    pub role: String,
    /// Bearer token.
    pub token: String,
    /// A complete document that this persona would send.
    pub query: String,
    /// Variables of the document.
    pub variables: serde_json::Value,
}
