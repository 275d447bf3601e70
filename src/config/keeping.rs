//! Flags that say how long the logs and the records are kept.

use clap::Args;
use serde::{Deserialize, Serialize};

/// How long the logs are kept.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditFlags {
    /// Months for which lines of the audit log and of the record of disclosures are kept, at least 6 [default: 36]
    #[arg(
        help_heading = "Logs",
        id = "audit_keep",
        long = "audit-keep",
        env = "XUEJI_AUDIT_KEEP",
        value_name = "MONTHS"
    )]
    pub keep: Option<u32>,
}

/// How long what is kept, and where it is remembered what was destroyed.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RetentionFlags {
    /// File with the periods of each class of records [default: the shipped schedule]
    #[arg(
        help_heading = "Retention",
        id = "retention_schedule",
        long = "retention-schedule",
        env = "XUEJI_RETENTION_SCHEDULE",
        value_name = "FILE"
    )]
    pub schedule: Option<String>,
    /// File outside the database that remembers what was destroyed, for restores [default: none]
    #[arg(
        help_heading = "Retention",
        id = "retention_destructions",
        long = "retention-destructions",
        env = "XUEJI_RETENTION_DESTRUCTIONS",
        value_name = "FILE"
    )]
    pub destructions: Option<String>,
    /// Days that the clock may be ahead of the audit log before nothing is destroyed, at least 2 [default: 45]
    #[arg(
        help_heading = "Retention",
        id = "retention_clock_ahead_days",
        long = "retention-clock-ahead-days",
        env = "XUEJI_RETENTION_CLOCK_AHEAD_DAYS",
        value_name = "NUMBER"
    )]
    pub clock_ahead_days: Option<u32>,
}
