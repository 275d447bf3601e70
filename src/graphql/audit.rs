//! The audit log, incidents and emergency stops in the schema. None of it is a noun: no value of a pupil is in it.

use async_graphql::{Context, ID, InputObject, Object, Result as GraphResult, SimpleObject};
use chrono::{DateTime, Utc};
use uuid::Uuid;
use xueji_entity::audit::AuditOutcome;
use xueji_entity::emergency_stop::StopKind;

use super::query::{context, fail, graph};
use super::scalar::{Instant, PageInfo};
use crate::access::filter::Key;
use crate::access::view::Noun;
use crate::domain::audit::{AuditLine as Line, Sought, read};
use crate::domain::emergency::{Lift, Place, Stop, Stopped, What, lift, place, stops};
use crate::domain::incident::{OfStudent, Question, report};
use crate::domain::{Cx, audit};
use crate::error::{Error, Result};

/// Which lines of the audit log are asked for; each condition narrows.
#[derive(Debug, Default, InputObject)]
pub struct AuditLineFilter {
    /// The action, as the policy names it: `attendance.record`.
    action: Option<String>,
    /// What came of it.
    outcome: Option<AuditOutcome>,
    /// The account that acted.
    account_id: Option<ID>,
    /// From this instant.
    from: Option<Instant>,
    /// Before this instant.
    to: Option<Instant>,
    /// The request.
    request_id: Option<String>,
    /// The table.
    noun: Option<String>,
}

/// A line of the audit log (审计记录): that something was done, by which account and under which policy line. Which pupil
/// it was about and what turned into what are not shown.
#[derive(Debug, SimpleObject)]
pub struct AuditLine {
    /// When.
    at: Instant,
    /// The account that acted; null for what nobody signed in for.
    account_id: Option<ID>,
    /// The action, as the policy names it.
    action: String,
    /// What came of it: done, denied, failed.
    outcome: String,
    /// The table.
    noun: Option<String>,
    /// The columns that were set, separated by blanks.
    columns: Option<String>,
    /// The version of the policy that decided.
    policy_version: Option<String>,
    /// The request.
    request_id: String,
    /// The purpose that the request stated.
    purpose: Option<String>,
    /// The policy lines that gave the right, separated by blanks.
    rules: Option<String>,
}

/// A page of lines, the newest first.
#[derive(Debug, SimpleObject)]
#[graphql(complex)]
pub struct AuditLinePage {
    /// The lines.
    nodes: Vec<AuditLine>,
    /// Where the page stands.
    page_info: PageInfo,
    #[graphql(skip)]
    total: Option<u64>,
}

#[async_graphql::ComplexObject]
impl AuditLinePage {
    /// How many lines there are in all within your reach.
    async fn total_count(&self) -> i64 {
        self.total.and_then(|total| i64::try_from(total).ok()).unwrap_or_default()
    }
}

/// What was shown of one pupil.
#[derive(Debug, SimpleObject)]
pub struct IncidentStudent {
    /// The pupil, by the global id alone.
    student_id: ID,
    /// The columns that were shown in full, as the schema names them.
    columns: Vec<String>,
    /// The purposes that were stated.
    purposes: Vec<String>,
    /// When first.
    first_at: Instant,
    /// When last.
    last_at: Instant,
    /// In how many answers.
    answers: i64,
}

/// Which pupils an account was shown, within your reach (事件影响范围).
#[derive(Debug, SimpleObject)]
pub struct IncidentReport {
    /// The pupils.
    students: Vec<IncidentStudent>,
    /// How many pupils.
    student_count: i64,
}

/// An emergency stop that holds (紧急停用).
#[derive(Debug, SimpleObject)]
pub struct EmergencyStopOnFile {
    /// By which it is lifted.
    id: ID,
    /// What is stopped.
    kind: StopKind,
    /// The login of the account, where one is stopped.
    login: Option<String>,
    /// The role, where one is stopped.
    role: Option<String>,
    /// From when.
    since: Instant,
    /// Why.
    reason: String,
}

/// What is to be stopped at once.
#[derive(InputObject)]
pub struct EmergencyStopInput {
    /// What is stopped.
    kind: StopKind,
    /// The login of the account, a program's as well, where one is stopped.
    login: Option<String>,
    /// The role as the policy names it, where one is stopped.
    role: Option<String>,
    /// Why: 2 to 500 characters, and no name of a pupil.
    reason: String,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// A stop that was placed.
#[derive(Debug, SimpleObject)]
pub struct EmergencyStopPayload {
    /// By which it is lifted.
    stop_id: ID,
}

/// A stop to be lifted.
#[derive(InputObject)]
pub struct EmergencyLiftInput {
    /// The stop.
    stop_id: ID,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// A stop that was lifted.
#[derive(Debug, SimpleObject)]
pub struct EmergencyLiftPayload {
    /// The stop.
    stop_id: ID,
}

/// What ids of stops are bound to.
const STOP: &[u8] = b"emergency stop";

fn noun(cx: &Cx, name: &str) -> Result<&'static Noun> {
    cx.registry().get(name).ok_or_else(|| Error::internal("a noun is not registered"))
}

fn id_of(cx: &Cx, name: &str, id: Uuid) -> Result<ID> {
    Ok(ID(cx.opaque.id(noun(cx, name)?, Key { student: None, id })))
}

fn stop_id(cx: &Cx, id: Uuid) -> Result<ID> {
    let id = cx.opaque.cursor(id.as_bytes(), STOP);
    id.map(ID).ok_or_else(|| Error::internal("an id cannot be sealed"))
}

fn opened_stop(cx: &Cx, id: &ID) -> Option<Uuid> {
    cx.opaque.open_cursor(id, STOP).and_then(|bytes| Uuid::from_slice(&bytes).ok())
}

fn word(outcome: AuditOutcome) -> &'static str {
    match outcome {
        AuditOutcome::Done => "done",
        AuditOutcome::Denied => "denied",
        AuditOutcome::Failed => "failed",
    }
}

impl AuditLineFilter {
    fn sought(self, cx: &Cx) -> Result<Sought> {
        let account = match &self.account_id {
            Some(id) => Some(cx.opaque.open_id_of(noun(cx, "account")?, id).map(|key| key.id)),
            None => None,
        };
        Ok(Sought {
            action: self.action,
            outcome: self.outcome.map(|outcome| word(outcome).to_owned()),
            account,
            from: self.from.map(|Instant(at)| at),
            to: self.to.map(|Instant(at)| at),
            request: self.request_id,
            noun: self.noun,
        })
    }
}

/// A cursor is good for whom and what it was made for.
fn bound(cx: &Cx, sought: &Sought) -> Vec<u8> {
    format!("audit lines {} {sought:?}", cx.caller.account()).into_bytes()
}

fn cursor(cx: &Cx, sought: &Sought, line: &Line) -> Result<String> {
    let mut content = line.at.timestamp_micros().to_be_bytes().to_vec();
    content.extend_from_slice(line.id.as_bytes());
    let cursor = cx.opaque.cursor(&content, &bound(cx, sought));
    cursor.ok_or_else(|| Error::internal("a cursor cannot be sealed"))
}

fn opened(cx: &Cx, sought: &Sought, cursor: &str) -> Result<(DateTime<Utc>, Uuid)> {
    let odd = || {
        Error::invalid(
            "after",
            "this is no cursor of this list; take one of pageInfo, with the same filter",
            "游标不属于该列表；请使用同一筛选条件下 pageInfo 中的游标",
        )
    };
    let content = cx.opaque.open_cursor(cursor, &bound(cx, sought)).ok_or_else(odd)?;
    let (at, id) = content.split_first_chunk::<8>().ok_or_else(odd)?;
    let at = DateTime::from_timestamp_micros(i64::from_be_bytes(*at)).ok_or_else(odd)?;
    Ok((at, Uuid::from_slice(id).map_err(|_length| odd())?))
}

fn line(cx: &Cx, line: Line) -> Result<AuditLine> {
    let account_id = match line.account {
        Some(account) => Some(id_of(cx, "account", account)?),
        None => None,
    };
    Ok(AuditLine {
        at: Instant(line.at),
        account_id,
        action: line.action,
        outcome: line.outcome,
        noun: line.noun,
        columns: line.columns,
        policy_version: line.policy_version,
        request_id: line.request_id,
        purpose: line.purpose,
        rules: line.rules,
    })
}

fn on_file(cx: &Cx, stop: Stop) -> Result<EmergencyStopOnFile> {
    Ok(EmergencyStopOnFile {
        id: stop_id(cx, stop.id)?,
        kind: stop.stopped.kind(),
        login: stop.login,
        role: match stop.stopped {
            Stopped::Role(role) => Some(role),
            Stopped::Account(_) | Stopped::Exports => None,
        },
        since: Instant(stop.since),
        reason: stop.reason,
    })
}

fn of_student(cx: &Cx, of: OfStudent) -> Result<IncidentStudent> {
    Ok(IncidentStudent {
        student_id: id_of(cx, "student", of.student)?,
        columns: of.columns,
        purposes: of.purposes,
        first_at: Instant(of.first),
        last_at: Instant(of.last),
        answers: i64::try_from(of.answers).unwrap_or(i64::MAX),
    })
}

async fn page(
    cx: &Cx,
    filter: Option<AuditLineFilter>,
    first: Option<i32>,
    after: Option<String>,
    counted: bool,
) -> Result<AuditLinePage> {
    let sought = filter.unwrap_or_default().sought(cx)?;
    let before = after.as_deref().map(|after| opened(cx, &sought, after)).transpose()?;
    let first = u64::try_from(first.unwrap_or(50)).unwrap_or_default();
    let audit::Page { lines, more, total } = read(cx, &sought, before, first, counted).await?;
    let end = |line: Option<&Line>| line.map(|line| cursor(cx, &sought, line)).transpose();
    let page_info = PageInfo {
        has_next_page: more,
        has_previous_page: before.is_some(),
        start_cursor: end(lines.first())?,
        end_cursor: end(lines.last())?,
    };
    let nodes = lines.into_iter().map(|read| line(cx, read)).collect::<Result<_>>()?;
    Ok(AuditLinePage { nodes, page_info, total })
}

/// Root fields of the audit log, incidents and stops.
#[derive(Debug, Default)]
pub struct AuditQuery;

#[Object]
impl AuditQuery {
    /// Lines of the audit log within your reach (审计查询), the newest first: those about a pupil of it, and those about no
    /// pupil whose account is of it. That you read them is on record.
    async fn audit_lines(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Which lines.")] filter: Option<AuditLineFilter>,
        #[graphql(desc = "How many, 1 to 200; 50 when not given.")] first: Option<i32>,
        #[graphql(desc = "The cursor after which the page begins.")] after: Option<String>,
    ) -> GraphResult<AuditLinePage> {
        let cx = context(ctx).map_err(graph)?;
        let counted = ctx.look_ahead().field("totalCount").exists();
        let page = page(cx, filter, first, after, counted).await;
        page.map_err(|error| graph(fail(ctx, error)))
    }

    /// Which pupils and columns an account was shown in full between two instants, within your reach: for who notifies.
    /// That you asked is on record.
    async fn incident_report(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The login of the account, a program's as well.")] login: String,
        #[graphql(desc = "One grant of it alone.")] grant_id: Option<ID>,
        #[graphql(desc = "From this instant.")] from: Instant,
        #[graphql(desc = "Before this instant.")] to: Instant,
    ) -> GraphResult<IncidentReport> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let grant = match &grant_id {
            Some(id) => {
                let access_grant = noun(cx, "access_grant").map_err(refuse)?;
                Some(cx.opaque.open_id_of(access_grant, id).map(|key| key.id))
            }
            None => None,
        };
        let question = Question { login, grant, from: from.0, to: to.0 };
        let students = report(cx, &question).await.map_err(refuse)?;
        let students: Result<Vec<_>> =
            students.into_iter().map(|student| of_student(cx, student)).collect();
        let students = students.map_err(refuse)?;
        let student_count = i64::try_from(students.len()).unwrap_or(i64::MAX);
        Ok(IncidentReport { students, student_count })
    }

    /// The emergency stops that hold, of accounts those of your reach.
    async fn emergency_stops(&self, ctx: &Context<'_>) -> GraphResult<Vec<EmergencyStopOnFile>> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let stops = stops(cx).await.map_err(refuse)?;
        stops.into_iter().map(|stop| on_file(cx, stop)).collect::<Result<_>>().map_err(refuse)
    }
}

/// What stops things in an emergency.
#[derive(Debug, Default)]
pub struct EmergencyMutation;

#[Object]
impl EmergencyMutation {
    /// Stops an account, a role or all exports within a second, on every server, until it is lifted (紧急停用).
    async fn emergency_stop(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "What, and why.")] input: EmergencyStopInput,
    ) -> GraphResult<EmergencyStopPayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let what = match (input.kind, input.login, input.role) {
            (StopKind::Account, Some(login), None) => What::Account(login),
            (StopKind::Role, None, Some(role)) => What::Role(role),
            (StopKind::Exports, None, None) => What::Exports,
            (StopKind::Account | StopKind::Role | StopKind::Exports, _, _) => {
                return Err(refuse(Error::invalid(
                    "kind",
                    "name the login of an account, or the role, or neither for exports",
                    "停用账号请填写登录名，停用角色请填写角色，停用导出两者均不填写",
                )));
            }
        };
        let act = Place { what, reason: input.reason, now: cx.clock.now() };
        let id = place(cx, &act, input.idempotency_key.as_deref()).await.map_err(refuse)?;
        Ok(EmergencyStopPayload { stop_id: stop_id(cx, id).map_err(refuse)? })
    }

    /// Lifts a stop (解除停用); nobody lifts one that concerns themselves.
    async fn emergency_lift(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The stop.")] input: EmergencyLiftInput,
    ) -> GraphResult<EmergencyLiftPayload> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let act = Lift { stop: opened_stop(cx, &input.stop_id), now: cx.clock.now() };
        let id = lift(cx, &act, input.idempotency_key.as_deref()).await.map_err(refuse)?;
        Ok(EmergencyLiftPayload { stop_id: stop_id(cx, id).map_err(refuse)? })
    }
}
