//! Parsed documents by their text, bounded in bytes.
//!
//! Only documents that the guard let pass are kept. The key is the whole text: a name or a digest chosen by a client
//! never stands for a document.

use std::sync::Arc;

use async_graphql::parser::{self, parse_query, types::ExecutableDocument};
use quick_cache::{Weighter, sync::Cache};

use super::{
    guard,
    refusal::{Code, Refusal},
};
use crate::config::settings::Limits;

/// Bytes of memory that a parsed document takes for each byte of its text, rounded up generously.
const PARSED_BYTES_PER_TEXT_BYTE: u64 = 32;

#[derive(Clone)]
struct ByText;

impl Weighter<Arc<str>, Arc<ExecutableDocument>> for ByText {
    fn weight(&self, text: &Arc<str>, _: &Arc<ExecutableDocument>) -> u64 {
        u64::try_from(text.len())
            .unwrap_or(u64::MAX)
            .saturating_mul(PARSED_BYTES_PER_TEXT_BYTE)
            .saturating_add(512)
    }
}

/// The documents parsed lately.
pub(super) struct Documents(Cache<Arc<str>, Arc<ExecutableDocument>, ByText>);

impl Documents {
    pub(super) fn new(limits: &Limits) -> Self {
        let items =
            usize::try_from(limits.document_cache_bytes / 16_384).unwrap_or(usize::MAX).max(1);
        Self(Cache::with_weighter(items, limits.document_cache_bytes, ByText))
    }

    /// The parsed document, within all limits.
    pub(super) fn get(
        &self,
        query: &str,
        limits: &Limits,
    ) -> Result<Arc<ExecutableDocument>, Refusal> {
        if let Some(document) = self.0.get(query) {
            return Ok(document);
        }
        guard::text(query, limits)?;
        let document = parse_query(query).map_err(|error| syntax_error(&error))?;
        guard::document(&document, limits)?;
        let document = Arc::new(document);
        self.0.insert(Arc::from(query), Arc::clone(&document));
        Ok(document)
    }

    #[cfg(test)]
    pub(super) fn weight(&self) -> u64 {
        self.0.weight()
    }
}

/// The parser's own message quotes the document, so only its place is passed on.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum is open; any other fault is one of the document"
)]
fn syntax_error(error: &parser::Error) -> Refusal {
    let refusal = match error {
        parser::Error::MissingOperation => Refusal::request(
            Code::SyntaxError,
            "the document has no operation",
            "查询文档中没有操作",
        ),
        parser::Error::RecursionLimitExceeded => Refusal::request(
            Code::LimitExceeded,
            "the document is nested too deep",
            "查询文档嵌套过深",
        ),
        parser::Error::MultipleOperations { .. }
        | parser::Error::OperationDuplicated { .. }
        | parser::Error::FragmentDuplicated { .. } => Refusal::request(
            Code::ValidationFailed,
            "operations and fragments need names of their own",
            "操作和片段的名称不得重复或缺失",
        ),
        _ => match error.positions().next() {
            Some(pos) => Refusal::request(
                Code::SyntaxError,
                format!("syntax error at {}:{}", pos.line, pos.column),
                format!("语法错误，位于 {}:{}", pos.line, pos.column),
            ),
            None => Refusal::request(Code::SyntaxError, "syntax error", "语法错误"),
        },
    };
    match error.positions().next() {
        Some(pos) => refusal.at(pos),
        None => refusal,
    }
}
