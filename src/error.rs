//! The only error type across modules.
//!
//! `why` is a sentence for people in both languages, without personal values, that says what to
//! do next; codes, fields and rules are for programs and stay stable. `Internal` has no public text.

use std::borrow::Cow;

/// A result of the registry.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A sentence in both languages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Why {
    /// English.
    pub en: Cow<'static, str>,
    /// Chinese (中文).
    pub zh: Cow<'static, str>,
}

impl Why {
    /// A sentence in both languages.
    pub fn new(en: impl Into<Cow<'static, str>>, zh: impl Into<Cow<'static, str>>) -> Self {
        Self { en: en.into(), zh: zh.into() }
    }
}

/// Everything that can go wrong.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No token, or one that does not verify.
    #[error("not signed in")]
    Unauthenticated,
    /// Absent, or outside the caller's scope.
    #[error("{kind} not found")]
    NotFound {
        /// What was asked for, as the schema names it.
        kind: Cow<'static, str>,
    },
    /// Visible, but this act or these columns are not granted.
    #[error("{act} is not granted for {columns:?}")]
    Forbidden {
        /// The act or use.
        act: Cow<'static, str>,
        /// The coordinates concerned.
        columns: Vec<String>,
    },
    /// A value that does not parse.
    #[error("{field}: {}", why.en)]
    Invalid {
        /// The argument or input field.
        field: Cow<'static, str>,
        /// What is wrong and what to do.
        why: Why,
    },
    /// A rule of the registry says no.
    #[error("{rule}: {}", why.en)]
    Refused {
        /// The rule's name.
        rule: &'static str,
        /// What is wrong and what to do.
        why: Why,
    },
    /// A unique key or a stale version.
    #[error("conflict on {what}")]
    Conflict {
        /// The key or version, as the schema names it.
        what: Cow<'static, str>,
    },
    /// Depth, complexity, page, size or rate.
    #[error("limit: {}", why.en)]
    Limit {
        /// The limit's name.
        what: &'static str,
        /// The limit and what to do.
        why: Why,
    },
    /// The database does not answer; the same request may work later.
    #[error("the database does not answer")]
    Unavailable,
    /// Everything else; the client sees only the request id.
    #[error("internal: {0:#}")]
    Internal(#[from] anyhow::Error),
}

impl Error {
    /// A row that is absent or out of scope.
    pub fn not_found(kind: impl Into<Cow<'static, str>>) -> Self {
        Self::NotFound { kind: kind.into() }
    }

    /// A use of a column that no grant allows.
    pub fn forbidden_use(act: &'static str, coordinate: String) -> Self {
        Self::Forbidden { act: Cow::Borrowed(act), columns: vec![coordinate] }
    }

    /// A value that does not parse.
    pub fn invalid(
        field: impl Into<Cow<'static, str>>,
        en: impl Into<Cow<'static, str>>,
        zh: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self::Invalid { field: field.into(), why: Why::new(en, zh) }
    }

    /// An impossible state, with a sentence for the log.
    pub fn internal(sentence: impl Into<String>) -> Self {
        Self::Internal(anyhow::anyhow!(sentence.into()))
    }

    /// The stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::NotFound { .. } => "NOT_FOUND",
            Self::Forbidden { .. } => "FORBIDDEN",
            Self::Invalid { .. } => "INVALID_INPUT",
            Self::Refused { .. } => "RULE_REFUSED",
            Self::Conflict { .. } => "CONFLICT",
            Self::Limit { .. } => "LIMIT_EXCEEDED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal(_) => "INTERNAL",
        }
    }
}
