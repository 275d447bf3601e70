//! Refusals of the HTTP layer, in English and Chinese, as well-formed GraphQL answers.
//!
//! A [`Refusal`] never quotes what the client sent. Errors of the schema come from the backend; this module only
//! completes them with a code and the request id.

use std::{borrow::Cow, time::Duration};

use async_graphql::{ErrorExtensionValues, Pos, ServerError, Value};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};

use super::accept::Language;

/// Codes that clients can rely on, in `extensions.code`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    /// No token, or one that does not verify.
    Unauthenticated,
    /// Who it is is known; this they may not do.
    Forbidden,
    /// The password must be changed before anything else.
    PasswordChangeRequired,
    /// A second factor is needed: its code, or that one is set up.
    SecondFactorRequired,
    /// A rule says no.
    RuleRefused,
    /// Somebody else was quicker.
    Conflict,
    /// A request or value that does not parse.
    InvalidInput,
    /// Too much of something.
    LimitExceeded,
    /// The document is no GraphQL.
    SyntaxError,
    /// The document does not fit the schema.
    ValidationFailed,
    /// Nothing is served at this address.
    NotFound,
    /// A fault of the server.
    Internal,
    /// A part that the server needs is away for now.
    Unavailable,
}

impl Code {
    /// The code as it stands in answers.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::Forbidden => "FORBIDDEN",
            Self::PasswordChangeRequired => "PASSWORD_CHANGE_REQUIRED",
            Self::SecondFactorRequired => "SECOND_FACTOR_REQUIRED",
            Self::RuleRefused => "RULE_REFUSED",
            Self::Conflict => "CONFLICT",
            Self::InvalidInput => "INVALID_INPUT",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::SyntaxError => "SYNTAX_ERROR",
            Self::ValidationFailed => "VALIDATION_FAILED",
            Self::NotFound => "NOT_FOUND",
            Self::Internal => "INTERNAL",
            Self::Unavailable => "UNAVAILABLE",
        }
    }
}

/// Whether a request was well-formed, which decides the status under `application/json`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Not a well-formed GraphQL-over-HTTP request, or refused by HTTP's own rules: the status always stands.
    Transport,
    /// Well-formed, but the document was not executed: 200 under `application/json`.
    Request,
}

/// A request that ends before it is executed.
#[derive(Clone, Debug)]
pub struct Refusal {
    stage: Stage,
    status: StatusCode,
    code: Code,
    en: Cow<'static, str>,
    zh: Cow<'static, str>,
    location: Option<Pos>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What programs read beside the code; apart, because a refusal is passed by value everywhere.
    beside: Option<Box<Beside>>,
}

/// What an error says to programs beside its code.
#[derive(Clone, Copy, Debug)]
enum Beside {
    /// The limit that was met, and the seconds to wait.
    Limit(&'static str, u64),
    /// The part of the request that is wrong.
    Field(&'static str),
    /// The rule that says no, and the part of the request that it is about, where it is about one.
    Rule(&'static str, Option<&'static str>),
}

impl Refusal {
    /// A refusal by the rules of HTTP.
    pub fn transport(
        status: StatusCode,
        code: Code,
        en: impl Into<Cow<'static, str>>,
        zh: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            stage: Stage::Transport,
            status,
            code,
            en: en.into(),
            zh: zh.into(),
            location: None,
            headers: vec![],
            beside: None,
        }
    }

    /// A refusal because of a limit that will let the same pass later, with the seconds until then.
    pub fn limited(
        limit: &'static str,
        wait: Duration,
        en: impl Into<Cow<'static, str>>,
        zh: impl Into<Cow<'static, str>>,
    ) -> Self {
        let seconds = Self::whole_seconds(wait);
        let mut refusal =
            Self::transport(StatusCode::TOO_MANY_REQUESTS, Code::LimitExceeded, en, zh);
        refusal.headers.push((header::RETRY_AFTER, HeaderValue::from(seconds)));
        Self { beside: Some(Box::new(Beside::Limit(limit, seconds))), ..refusal }
    }

    /// A wait as `Retry-After` has it: whole seconds, and never none.
    pub(super) fn whole_seconds(wait: Duration) -> u64 {
        (wait.as_secs() + u64::from(wait.subsec_nanos() > 0)).max(1)
    }

    /// The limit that was met, and the seconds after which to try again.
    pub fn limit(&self) -> Option<(&'static str, u64)> {
        match self.beside.as_deref() {
            Some(Beside::Limit(limit, seconds)) => Some((limit, *seconds)),
            Some(Beside::Field(_) | Beside::Rule(..)) | None => None,
        }
    }

    /// Names the part of the request that is wrong.
    #[must_use]
    pub fn of_field(self, field: &'static str) -> Self {
        Self { beside: Some(Box::new(Beside::Field(field))), ..self }
    }

    /// Names the rule that says no, and the part of the request that it is about.
    #[must_use]
    pub fn of_rule(self, rule: &'static str, field: Option<&'static str>) -> Self {
        Self { beside: Some(Box::new(Beside::Rule(rule, field))), ..self }
    }

    /// A refusal of a well-formed request whose document cannot be executed.
    pub fn request(
        code: Code,
        en: impl Into<Cow<'static, str>>,
        zh: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { stage: Stage::Request, ..Self::transport(StatusCode::BAD_REQUEST, code, en, zh) }
    }

    /// Adds the place in the document.
    #[must_use]
    pub fn at(self, location: Pos) -> Self {
        Self { location: Some(location), ..self }
    }

    /// Adds a header to the answer.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.push((name, HeaderValue::from_static(value)));
        self
    }

    /// The code of the refusal.
    pub fn code(&self) -> Code {
        self.code
    }

    /// Whether the request came whole and its document was refused.
    pub(super) fn is_of_document(&self) -> bool {
        self.stage == Stage::Request
    }

    /// The place in the document, if one is known.
    pub fn location(&self) -> Option<Pos> {
        self.location
    }

    /// Headers that the answer carries.
    pub(super) fn headers(&self) -> &[(HeaderName, HeaderValue)] {
        &self.headers
    }

    /// The status, which differs between the two media types for well-formed requests only.
    pub(super) fn status(&self, legacy: bool) -> StatusCode {
        match self.stage {
            Stage::Request if legacy => StatusCode::OK,
            Stage::Transport | Stage::Request => self.status,
        }
    }

    /// The refusal as an error of a GraphQL answer.
    pub(super) fn error(&self, language: Language, request_id: &str) -> ServerError {
        let message = match language {
            Language::En => &self.en,
            Language::Zh => &self.zh,
        };
        let mut error = ServerError::new(message.as_ref(), self.location);
        mark(&mut error, self.code, request_id);
        let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
        match self.beside.as_deref() {
            Some(Beside::Limit(limit, seconds)) => {
                extensions.set("limit", *limit);
                extensions.set("retryAfterSeconds", *seconds);
            }
            Some(Beside::Field(field)) => extensions.set("field", *field),
            Some(Beside::Rule(rule, field)) => {
                extensions.set("rule", *rule);
                if let Some(field) = field {
                    extensions.set("field", *field);
                }
            }
            None => {}
        }
        error
    }
}

/// Sets code and request id of an error, keeping a code that is there.
pub(super) fn mark(error: &mut ServerError, code: Code, request_id: &str) {
    let extensions = error.extensions.get_or_insert_with(ErrorExtensionValues::default);
    if extensions.get("code").is_none() {
        extensions.set("code", code.as_str());
    }
    extensions.set("requestId", request_id);
}

/// The code that an error carries.
pub(super) fn code_of(error: &ServerError) -> Option<&str> {
    match error.extensions.as_ref()?.get("code")? {
        Value::String(code) => Some(code),
        Value::Enum(code) => Some(code),
        Value::Null
        | Value::Number(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::List(_)
        | Value::Object(_) => None,
    }
}
