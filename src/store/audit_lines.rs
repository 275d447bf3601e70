//! Lines of the audit log for who reads it within a reach (审计查询): a condition in the statement decides which there are.
//!
//! The reading is an act: its own line says which conditions were set, never with what, and without that line there is
//! no answer.

use chrono::{DateTime, Utc};
use sea_orm::QueryResult;
use sea_orm::sea_query::{Expr, ExprTrait, Func, Order, Query, SelectStatement};
use uuid::Uuid;

use super::failed;
use super::tx::Tx;
use crate::access::place::{Writing, everything, line_within, nothing};
use crate::error::Result;

/// What lines are asked for.
#[derive(Clone, Debug, Default)]
pub struct Sought {
    /// The action, as the policy names it.
    pub action: Option<String>,
    /// What came of it: done, denied, failed.
    pub outcome: Option<String>,
    /// Who acted; none inside for an id that was never issued.
    pub account: Option<Option<Uuid>>,
    /// From this instant.
    pub from: Option<DateTime<Utc>>,
    /// Before this instant.
    pub to: Option<DateTime<Utc>>,
    /// The request.
    pub request: Option<String>,
    /// The table.
    pub noun: Option<String>,
}

impl Sought {
    /// The names of the conditions that are set.
    pub fn names(&self) -> Vec<&'static str> {
        let set = [
            ("action", self.action.is_some()),
            ("outcome", self.outcome.is_some()),
            ("account", self.account.is_some()),
            ("from", self.from.is_some()),
            ("to", self.to.is_some()),
            ("requestId", self.request.is_some()),
            ("noun", self.noun.is_some()),
        ];
        set.into_iter().filter(|(_, set)| *set).map(|(name, _)| name).collect()
    }

    fn condition(&self) -> Expr {
        let l = |name: &'static str| Expr::col(("l", name));
        let mut all = everything();
        for (column, wanted) in [
            ("action", &self.action),
            ("outcome", &self.outcome),
            ("request_id", &self.request),
            ("noun", &self.noun),
        ] {
            if let Some(wanted) = wanted {
                all = all.and(l(column).eq(wanted.as_str()));
            }
        }
        match self.account {
            Some(Some(account)) => all = all.and(l("account_id").eq(Expr::val(account))),
            Some(None) => all = all.and(nothing()),
            None => {}
        }
        if let Some(from) = self.from {
            all = all.and(l("at").gte(from));
        }
        if let Some(to) = self.to {
            all = all.and(l("at").lt(to));
        }
        all
    }
}

/// A line as an auditor reads it: which student it was about, what turned into what and where from it came are not in it.
#[derive(Clone, Debug)]
pub struct AuditLine {
    /// Its key.
    pub id: Uuid,
    /// When.
    pub at: DateTime<Utc>,
    /// Who.
    pub account: Option<Uuid>,
    /// The action.
    pub action: String,
    /// What came of it.
    pub outcome: String,
    /// The table.
    pub noun: Option<String>,
    /// The columns.
    pub columns: Option<String>,
    /// The version of the policy.
    pub policy_version: Option<String>,
    /// The request.
    pub request_id: String,
    /// The purpose.
    pub purpose: Option<String>,
    /// The policy lines that gave the right.
    pub rules: Option<String>,
}

const COLUMNS: [&str; 11] = [
    "id",
    "at",
    "account_id",
    "action",
    "outcome",
    "noun",
    "columns",
    "policy_version",
    "request_id",
    "purpose",
    "rules",
];

fn line(row: &QueryResult) -> Result<AuditLine> {
    Ok(AuditLine {
        id: row.try_get_by_index(0).map_err(failed)?,
        at: row.try_get_by_index(1).map_err(failed)?,
        account: row.try_get_by_index(2).map_err(failed)?,
        action: row.try_get_by_index(3).map_err(failed)?,
        outcome: row.try_get_by_index(4).map_err(failed)?,
        noun: row.try_get_by_index(5).map_err(failed)?,
        columns: row.try_get_by_index(6).map_err(failed)?,
        policy_version: row.try_get_by_index(7).map_err(failed)?,
        request_id: row.try_get_by_index(8).map_err(failed)?,
        purpose: row.try_get_by_index(9).map_err(failed)?,
        rules: row.try_get_by_index(10).map_err(failed)?,
    })
}

impl Tx {
    /// The lines that are sought, within the places of the pairs that hold the action.
    fn sought(&self, sought: &Sought) -> SelectStatement {
        let caller = self.caller();
        let account = Some(caller.account().uuid());
        let writing = Writing { backend: caller.backend, today: caller.today(), account };
        let bits = self.acting();
        let within = caller
            .session
            .held
            .iter()
            .enumerate()
            .filter(|(bit, _)| bits & (1 << bit) != 0)
            .map(|(_, held)| line_within("l", held, writing))
            .reduce(|any, condition| any.or(condition))
            .unwrap_or_else(nothing);
        let mut query = Query::select();
        query.from_as("audit", "l").and_where(within).and_where(sought.condition());
        query
    }

    /// A page of lines, the newest first, before the line with this time and key.
    pub async fn audit_lines(
        &mut self,
        sought: &Sought,
        before: Option<(DateTime<Utc>, Uuid)>,
        most: u64,
    ) -> Result<Vec<AuditLine>> {
        let l = |name: &'static str| Expr::col(("l", name));
        let mut query = self.sought(sought);
        for (at, column) in COLUMNS.into_iter().enumerate() {
            query.expr_as(l(column), format!("c{at}"));
        }
        if let Some((at, id)) = before {
            let same = l("at").eq(at).and(l("id").lt(Expr::val(id)));
            query.and_where(l("at").lt(at).or(same));
        }
        query.order_by(("l", "at"), Order::Desc).order_by(("l", "id"), Order::Desc).limit(most);
        let lines = self.select(&query).await?.iter().map(line).collect();
        let names = sought.names();
        self.note(match names.is_empty() {
            true => "filter: none".to_owned(),
            false => format!("filter: {}", names.join(" ")),
        });
        lines
    }

    /// How many lines there are.
    pub async fn count_audit_lines(&self, sought: &Sought) -> Result<u64> {
        let mut query = self.sought(sought);
        query.expr_as(Func::count(Expr::col(("l", "id"))), "c0");
        let rows = self.select(&query).await?;
        let count: i64 = match rows.first() {
            Some(row) => row.try_get_by_index(0).map_err(failed)?,
            None => 0,
        };
        Ok(u64::try_from(count).unwrap_or_default())
    }
}
