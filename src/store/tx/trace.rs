//! What an act leaves behind besides its rows: one audit line, and events for others.
//!
//! Both name rows and columns and never hold a value of a person. A row of no student has no history,
//! which is kept by student: what such a row turned from and into stands in the line itself. A denied
//! act leaves a line as well.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::Ordering;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{InsertStatement, Value};
use sea_orm::{ActiveEnum, ConnectionTrait};
use serde_json::json;
use uuid::Uuid;
use xueji_entity::audit::AuditOutcome;

use super::{counted, insert_into, names};
use crate::access::action::Action;
use crate::access::caller::Caller;
use crate::access::filter::Key;
use crate::error::{Error, Result};
use crate::store::chain::line::{Datum, Log, coded};
use crate::store::keys::logs::LogKeys;
use crate::store::{Store, failed};

/// What an act tells others, by ids alone.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// The kind, such as `attendance.recorded`.
    pub kind: &'static str,
    /// The student concerned.
    pub student: Option<Uuid>,
    /// The class concerned.
    pub class_group: Option<Uuid>,
    /// The account concerned.
    pub account: Option<Uuid>,
    /// The rows concerned.
    pub rows: Vec<Uuid>,
}

/// What an act wrote in one table.
#[derive(Debug, Default)]
pub(super) struct Touched {
    pub(super) noun: &'static str,
    pub(super) inserted: Vec<Key>,
    pub(super) updated: Vec<Key>,
    /// Rows of which something was shown by the act itself.
    pub(super) shown: Vec<Key>,
    pub(super) columns: BTreeSet<&'static str>,
    /// What rows of no student turned from and into: they are in no student's history.
    pub(super) turned: Vec<serde_json::Value>,
}

/// What an audit line says besides who, when and which action.
pub(super) struct Line {
    outcome: AuditOutcome,
    noun: Option<&'static str>,
    row: Option<Key>,
    columns: Option<String>,
    detail: Option<String>,
    /// Neither who acted nor what leads there is said.
    unnamed: bool,
}

impl Line {
    pub(super) fn done(touched: &[Touched]) -> Self {
        let rows: Vec<Key> = touched
            .iter()
            .flat_map(|touched| {
                touched.inserted.iter().chain(&touched.updated).chain(&touched.shown)
            })
            .copied()
            .collect();
        let several = touched.len() > 1;
        let columns: Vec<String> = touched
            .iter()
            .flat_map(|touched| {
                touched.columns.iter().map(move |column| {
                    if several {
                        format!("{}.{column}", touched.noun)
                    } else {
                        (*column).to_owned()
                    }
                })
            })
            .collect();
        let ids = |keys: &[Key]| keys.iter().map(|key| key.id.to_string()).collect::<Vec<_>>();
        let detail: HashMap<_, _> = touched
            .iter()
            .map(|touched| {
                let mut rows =
                    json!({"inserted": ids(&touched.inserted), "updated": ids(&touched.updated)});
                if !touched.shown.is_empty() {
                    rows = json!({ "shown": ids(&touched.shown) });
                }
                if !touched.turned.is_empty() {
                    rows["turned"] = json!(touched.turned);
                }
                (touched.noun, rows)
            })
            .collect();
        Self {
            outcome: AuditOutcome::Done,
            noun: touched.first().map(|touched| touched.noun),
            row: match rows.as_slice() {
                [row] => Some(*row),
                _ => None,
            },
            columns: (!columns.is_empty()).then(|| columns.join(" ")),
            detail: (!detail.is_empty()).then(|| json!(detail).to_string()),
            unnamed: false,
        }
    }

    /// The same with a sentence of the act, where no row says what was done.
    pub(super) fn noting(mut self, note: Option<String>) -> Self {
        self.detail = note.or(self.detail);
        self
    }

    /// The same without who acted, if that is withheld: no account, grants, policy lines, purpose, request or address.
    /// Such a line lies in no school and no region, so nobody reads it by [`audit_lines`](crate::store::audit_lines); it
    /// keeps that the act was done, when, and on which row.
    pub(super) fn withholding(mut self, unnamed: bool) -> Self {
        self.unnamed = unnamed;
        self
    }

    pub(super) fn denied(error: &Error) -> Self {
        let columns = match error {
            Error::Forbidden { columns, .. } => Some(columns.join(" ")),
            Error::Unauthenticated
            | Error::NotFound { .. }
            | Error::Invalid { .. }
            | Error::Refused { .. }
            | Error::Conflict { .. }
            | Error::Limit { .. }
            | Error::Unavailable
            | Error::Internal(_) => None,
        };
        Self {
            outcome: AuditOutcome::Denied,
            noun: None,
            row: None,
            columns: columns.filter(|columns| !columns.is_empty()),
            detail: Some(match error {
                Error::Refused { rule, .. } => format!("{} {rule}", error.code()),
                Error::Limit { what, .. } => format!("{} {what}", error.code()),
                Error::Unauthenticated
                | Error::NotFound { .. }
                | Error::Forbidden { .. }
                | Error::Invalid { .. }
                | Error::Conflict { .. }
                | Error::Unavailable
                | Error::Internal(_) => error.code().to_owned(),
            }),
            unnamed: false,
        }
    }
}

impl Store {
    /// Refuses an act that changes nothing and therefore has no transaction; the refusal is on record.
    pub async fn refuse(&self, caller: &Caller, now: DateTime<Utc>, action: Action) -> Error {
        let error = Error::Forbidden { act: action.name().into(), columns: Vec::new() };
        self.denied(caller, now, action, error).await
    }

    /// Puts a denied act on record, on its own; the error to answer with, which is another one when
    /// the record cannot be written.
    pub(super) async fn denied(
        &self,
        caller: &Caller,
        now: DateTime<Utc>,
        action: Action,
        error: Error,
    ) -> Error {
        let keys = self.log_keys();
        let line = Line::denied(&error).withholding(action.denied_unnamed());
        let statement = keys.and_then(|keys| audit(&keys, caller, now, action, line));
        let statement = match statement {
            Ok(statement) => statement,
            Err(other) => return other,
        };
        caller.meter.fetch_add(1, Ordering::Relaxed);
        self.statements.fetch_add(1, Ordering::Relaxed);
        match self.db.execute(&statement).await {
            Ok(_) => {
                counted(action, "denied");
                error
            }
            Err(other) => failed(other),
        }
    }
}

pub(super) fn audit(
    keys: &LogKeys,
    caller: &Caller,
    now: DateTime<Utc>,
    action: Action,
    line: Line,
) -> Result<InsertStatement> {
    let told = !line.unnamed;
    let (grants, rules) = if told { right(caller, action) } else { (None, None) };
    let request = if told { caller.request_id.as_ref() } else { "" };
    let line = vec![
        Datum::Uuid(Some(Uuid::now_v7())),
        Datum::Instant(now),
        Datum::Uuid(told.then(|| caller.account().uuid())),
        Datum::text(action.name()),
        Datum::text(line.outcome.to_value()),
        Datum::Text(line.noun.map(str::to_owned)),
        Datum::Uuid(line.row.map(|row| row.id)),
        Datum::Uuid(line.row.and_then(|row| row.student)),
        Datum::Text(line.columns),
        Datum::text(caller.session.policy.version.as_str()),
        Datum::text(request),
        Datum::Text(line.detail),
        Datum::Text(caller.purpose.as_deref().filter(|_| told).map(str::to_owned)),
        Datum::Text(grants),
        Datum::Text(rules),
        Datum::Text(caller.client.filter(|_| told).map(|client| client.to_string())),
    ];
    written(keys, line)
}

/// The grants that hold an action, and the policy lines that say so; none for whom nothing does.
fn right(caller: &Caller, action: Action) -> (Option<String>, Option<String>) {
    let session = &caller.session;
    let Some(id) = session.policy.actions.id(action.name()) else { return (None, None) };
    let (mut grants, mut rules) = (Vec::new(), BTreeSet::new());
    for held in &session.held {
        let Some(act) = session.policy.actions.may(&[held.pair], id) else { continue };
        let of_pair = session
            .grants
            .iter()
            .filter(|grant| (grant.role, grant.reach) == (held.pair.role, held.pair.reach));
        grants.extend(of_pair.map(|grant| grant.id.to_string()));
        if let Some(rule) = act.rule.and_then(|rule| session.table().rule(rule)) {
            rules.insert(format!("{}:{}", rule.file, rule.line));
        }
    }
    let rules: Vec<_> = rules.into_iter().collect();
    ((!grants.is_empty()).then(|| grants.join(" ")), (!rules.is_empty()).then(|| rules.join(" ")))
}

/// The audit line of what the server did of itself, without an account and without a request.
pub(in crate::store) fn unattended(
    keys: &LogKeys,
    action: &str,
    policy_version: &str,
    detail: &str,
    now: DateTime<Utc>,
) -> Result<InsertStatement> {
    unattended_with(keys, action, AuditOutcome::Done, policy_version, detail, now)
}

/// The same with another outcome.
pub(in crate::store) fn unattended_with(
    keys: &LogKeys,
    action: &str,
    outcome: AuditOutcome,
    policy_version: &str,
    detail: &str,
    now: DateTime<Utc>,
) -> Result<InsertStatement> {
    let line = vec![
        Datum::Uuid(Some(Uuid::now_v7())),
        Datum::Instant(now),
        Datum::Uuid(None),
        Datum::text(action),
        Datum::text(outcome.to_value()),
        Datum::Text(None),
        Datum::Uuid(None),
        Datum::Uuid(None),
        Datum::Text(None),
        Datum::text(policy_version),
        Datum::text(""),
        Datum::text(detail),
        Datum::Text(None),
        Datum::Text(None),
        Datum::Text(None),
        Datum::Text(None),
    ];
    written(keys, line)
}

/// An account that a command at the server has made.
pub(in crate::store) struct Made {
    pub(in crate::store) account: Uuid,
    /// The rows that were written with it, and by what.
    pub(in crate::store) detail: String,
}

/// The audit lines of accounts that a command at the server has made, one for each.
pub(in crate::store) fn made(
    keys: &LogKeys,
    action: &str,
    accounts: &[Made],
    now: DateTime<Utc>,
) -> Result<InsertStatement> {
    let line = |made: &Made| {
        let line = vec![
            Datum::Uuid(Some(Uuid::now_v7())),
            Datum::Instant(now),
            Datum::Uuid(None),
            Datum::text(action),
            Datum::text(AuditOutcome::Done.to_value()),
            Datum::text("account"),
            Datum::Uuid(Some(made.account)),
            Datum::Uuid(None),
            Datum::Text(None),
            Datum::text(""),
            Datum::text(""),
            Datum::text(made.detail.as_str()),
            Datum::Text(None),
            Datum::Text(None),
            Datum::Text(None),
            Datum::Text(None),
        ];
        coded(keys, Log::Audit, line)
    };
    let lines: Vec<Vec<Value>> = accounts.iter().map(line).collect::<Result<_>>()?;
    insert_into("audit", Log::Audit.columns(), lines)
}

/// What somebody did at the door, where there are no grants yet to act under.
pub(in crate::store) struct AtDoor<'a> {
    pub(in crate::store) action: &'a str,
    pub(in crate::store) outcome: AuditOutcome,
    /// Whose account; none for a name that nobody has. The name itself stands nowhere.
    pub(in crate::store) account: Option<Uuid>,
    /// The table and the row that it was about.
    pub(in crate::store) row: Option<(&'static str, Uuid)>,
    /// The names of the columns that were set, with blanks between.
    pub(in crate::store) columns: Option<&'static str>,
    pub(in crate::store) detail: Option<&'a str>,
    pub(in crate::store) request_id: &'a str,
    pub(in crate::store) client: Option<std::net::IpAddr>,
}

/// The audit line of an act at the door: sign-ins that succeed and fail, sessions, passwords, second factors.
pub(in crate::store) fn at_door(
    keys: &LogKeys,
    said: &AtDoor<'_>,
    now: DateTime<Utc>,
) -> Result<InsertStatement> {
    let line = vec![
        Datum::Uuid(Some(Uuid::now_v7())),
        Datum::Instant(now),
        Datum::Uuid(said.account),
        Datum::text(said.action),
        Datum::text(said.outcome.to_value()),
        Datum::Text(said.row.map(|(noun, _)| noun.to_owned())),
        Datum::Uuid(said.row.map(|(_, id)| id)),
        Datum::Uuid(None),
        Datum::Text(said.columns.map(str::to_owned)),
        Datum::Text(None),
        Datum::text(said.request_id),
        Datum::Text(said.detail.map(str::to_owned)),
        Datum::Text(None),
        Datum::Text(None),
        Datum::Text(None),
        Datum::Text(said.client.map(|client| client.to_string())),
    ];
    written(keys, line)
}

/// A line with its code, ready to be put into the log.
fn written(keys: &LogKeys, line: Vec<Datum>) -> Result<InsertStatement> {
    insert_into("audit", Log::Audit.columns(), [coded(keys, Log::Audit, line)?])
}

pub(super) fn outbox(events: &[(Event, Vec<Key>)], now: DateTime<Utc>) -> Result<InsertStatement> {
    let columns =
        names(&["id", "at", "kind", "student_id", "class_group_id", "account_id", "payload"]);
    let rows = events.iter().map(|(event, keys)| -> Vec<Value> {
        vec![
            Uuid::now_v7().into(),
            now.into(),
            event.kind.into(),
            event.student.into(),
            event.class_group.into(),
            event.account.into(),
            payload(event, keys).into(),
        ]
    });
    insert_into("outbox", columns, rows)
}

/// The events of what the server did of itself.
pub(in crate::store) fn derived_events(
    events: Vec<Event>,
    now: DateTime<Utc>,
) -> Result<InsertStatement> {
    let events: Vec<_> = events.into_iter().map(|event| (event, Vec::new())).collect();
    outbox(&events, now)
}

/// The rows of an event, by ids alone. Rows of several students come with their students, one for
/// each row.
fn payload(event: &Event, keys: &[Key]) -> String {
    if keys.is_empty() {
        return json!({ "rows": event.rows }).to_string();
    }
    let rows: Vec<_> = keys.iter().map(|key| key.id).collect();
    let students: Vec<_> = keys.iter().map(|key| key.student).collect();
    json!({ "rows": rows, "students": students }).to_string()
}
