//! What the HTTP layer needs from the application behind it.
//!
//! HTTP verifies tokens and reads documents; the backend knows accounts and executes. It never sees a header.

use std::{future::Future, sync::Arc};

use async_graphql::Variables;
use async_graphql::parser::types::{ExecutableDocument, OperationType};
use futures_util::stream::BoxStream;
use serde::Serialize;

use super::{
    accept::Language,
    auth::{Ask, NotLetIn, Told, Visit},
    client::Client,
};
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

    /// Whether a caller is a program of another system, which has limits of its own.
    fn is_program(&self, _caller: &Self::Caller) -> bool {
        false
    }

    /// Whether a purpose is one that a request may state; asked before anything else of the request.
    fn knows_purpose(&self, _code: &str) -> bool {
        true
    }

    /// Executes a request. Without a token the caller is `None` and the backend decides what that may see.
    ///
    /// An answer whose only content is an error with the code `UNAUTHENTICATED` or `UNAVAILABLE` becomes 401 or 503.
    fn execute(
        &self,
        caller: Option<Self::Caller>,
        request: async_graphql::Request,
        meta: RequestMeta,
    ) -> impl Future<Output = async_graphql::Response> + Send;

    /// Opens the stream of a subscription, or answers why not. The backend asks for each event anew what
    /// its caller may be told, and ends the stream when there is nothing left to tell them.
    fn subscribe(
        self: Arc<Self>,
        caller: Self::Caller,
        operation: Operation,
        meta: RequestMeta,
    ) -> impl Future<Output = Result<Steps, async_graphql::Response>> + Send;

    /// Answers whoever is at the door: signs in, goes on, signs out, changes what one signs in with. A backend without a
    /// door of its own says so.
    fn at_door(
        &self,
        _ask: Ask,
        _visit: Visit,
    ) -> impl Future<Output = Result<Told, NotLetIn>> + Send {
        async { Err(NotLetIn::Nowhere) }
    }

    /// Whether the parts that the application needs are there.
    fn ready(&self) -> impl Future<Output = Readiness> + Send;
}

/// An operation that can be executed more than once: a subscription is, for each of its events.
#[derive(Clone, Debug)]
pub struct Operation {
    /// The document, parsed and within the limits.
    pub document: Arc<ExecutableDocument>,
    /// Which operation of the document.
    pub name: Option<String>,
    /// Values of the variables.
    pub variables: Variables,
    /// Whether the schema may be read.
    pub introspection: bool,
}

impl Operation {
    /// A request that executes it.
    pub fn request(&self) -> async_graphql::Request {
        let mut request = async_graphql::Request::new("").variables(self.variables.clone());
        request.operation_name.clone_from(&self.name);
        request.set_parsed_query((*self.document).clone());
        if self.introspection { request } else { request.disable_introspection() }
    }
}

/// What a stream gives, one after the other; nothing follows an [`Step::End`].
pub type Steps = BoxStream<'static, Step>;

/// One step of a stream.
#[derive(Debug)]
pub enum Step {
    /// The answer to an event.
    Event {
        /// The id of this answer, in its errors.
        request_id: Arc<str>,
        /// The answer.
        answer: async_graphql::Response,
    },
    /// The stream has ended, for this reason.
    End {
        /// A word for log and metrics.
        reason: &'static str,
        /// The errors that say why.
        answer: async_graphql::Response,
    },
}

/// Why a verified token leads to no caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AuthFailure {
    /// No such account, or one that is closed.
    UnknownAccount,
    /// The token was revoked, or its session has ended.
    Revoked,
    /// The password must be changed before anything else.
    PasswordFirst,
    /// A second factor must be set up before anything else.
    FactorFirst,
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
    /// What the answer is wanted for, as `Xueji-Purpose` says it.
    pub purpose: Option<Arc<str>>,
    /// Whose address it came from; none for what came by no connection.
    pub client: Option<Client>,
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
    /// What is wrong with a part that is there or not there, without a value of a row.
    pub notes: Vec<(&'static str, String)>,
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
