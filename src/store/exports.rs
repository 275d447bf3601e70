//! The gate of every export (导出闸门): whether exports are stopped, and the line that says what leaves.
//!
//! Whatever writes rows of the registry or of its logs into a file asks for a [`Passed`] first, which only this module
//! makes: once no stop of exports holds and the audit line is committed. No line on record, no export.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use xueji_entity::audit::AuditOutcome;

use super::stops::exports_stopped;
use super::tx::{Tx, unattended_with};
use super::{Store, failed};
use crate::error::{Error, Result, Why};
use crate::store::immediate;

/// The name of the refusal.
pub const EXPORTS_STOPPED: &str = "EXPORTS_STOPPED";

/// An export that is on record and may begin.
#[derive(Debug)]
#[must_use = "what is on record as an export is one"]
pub struct Passed(());

fn stopped() -> Error {
    Error::Refused {
        rule: EXPORTS_STOPPED,
        why: Why::new(
            "all exports are stopped in an emergency; whoever may lift the stop can do so (`xueji stop list`)",
            "全部导出已紧急停用；请由有权人员解除（`xueji stop list`）",
        ),
    }
}

impl Store {
    /// Lets an export begin that somebody at the machine asked for, and puts it on record; a refusal as well.
    pub async fn pass_export(
        &self,
        action: &str,
        policy_version: &str,
        detail: &str,
        now: DateTime<Utc>,
    ) -> Result<Passed> {
        let keys = self.log_keys()?;
        let tx = immediate(&self.db).await?;
        let refused = exports_stopped(&tx).await?;
        let outcome = if refused { AuditOutcome::Denied } else { AuditOutcome::Done };
        let said = match refused {
            true => format!("RULE_REFUSED {EXPORTS_STOPPED}: {detail}"),
            false => detail.to_owned(),
        };
        let line = unattended_with(&keys, action, outcome, policy_version, &said, now)?;
        tx.execute(&line).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        if refused { Err(stopped()) } else { Ok(Passed(())) }
    }
}

impl Tx {
    /// Lets an export begin that the caller's act is; its line is that of the act, which is written before the answer.
    pub async fn pass_export(&self) -> Result<Passed> {
        if exports_stopped(self.database()).await? {
            return Err(stopped());
        }
        Ok(Passed(()))
    }
}
