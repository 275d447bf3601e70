//! `audit.read`: lines of the audit log within the reach of who reads them (审计查询). The reading is on record itself.

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::Cx;
use crate::access::action::Action;
use crate::error::{Error, Result};
pub use crate::store::audit_lines::{AuditLine, Sought};

/// Most lines of a page.
pub const MOST: u64 = 200;

/// A page of lines.
#[derive(Debug)]
pub struct Page {
    /// The lines, the newest first.
    pub lines: Vec<AuditLine>,
    /// More follow.
    pub more: bool,
    /// How many there are in all, where that was asked for.
    pub total: Option<u64>,
}

/// Reads a page; `FORBIDDEN` when no grant of the caller holds the action.
pub async fn read(
    cx: &Cx,
    sought: &Sought,
    before: Option<(DateTime<Utc>, Uuid)>,
    first: u64,
    counted: bool,
) -> Result<Page> {
    if !(1..=MOST).contains(&first) {
        return Err(Error::invalid(
            "first",
            format!("ask for 1 to {MOST} lines at a time"),
            format!("每页可取 1 至 {MOST} 条"),
        ));
    }
    let mut tx = cx.begin(Action::AuditRead).await?;
    let read = async {
        let mut lines = tx.audit_lines(sought, before, first + 1).await?;
        let more = lines.len() as u64 > first;
        lines.truncate(usize::try_from(first).unwrap_or(usize::MAX));
        let total = if counted { Some(tx.count_audit_lines(sought).await?) } else { None };
        Ok(Page { lines, more, total })
    }
    .await;
    tx.end(read).await
}
