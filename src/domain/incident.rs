//! `incident.report`: which students and columns an account or a grant was shown between two instants, within the reach
//! of who asks, by keys and counts alone (事件影响范围). It is an export: it passes the gate and is on record first.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::Cx;
use crate::access::action::Action;
use crate::access::scope::Scope;
use crate::error::{Error, Result, Why};
use crate::store::incident::Suspect;

/// Most days of a report.
const DAYS: i64 = 92;
/// Most answers that are looked at, and most students that are listed; the command line has no such bound.
const ANSWERS: u64 = 20_000;
const STUDENTS: usize = 5_000;

/// What is asked for.
#[derive(Clone, Debug)]
pub struct Question {
    /// The login of the account.
    pub login: String,
    /// One grant alone; none inside for an id that was never issued.
    pub grant: Option<Option<Uuid>>,
    /// From this instant.
    pub from: DateTime<Utc>,
    /// Before this instant.
    pub to: DateTime<Utc>,
}

/// What was shown of one student.
#[derive(Clone, Debug)]
pub struct OfStudent {
    /// The student.
    pub student: Uuid,
    /// The columns, as the schema names them.
    pub columns: Vec<String>,
    /// The purposes that were stated.
    pub purposes: Vec<String>,
    /// When first.
    pub first: DateTime<Utc>,
    /// When last.
    pub last: DateTime<Utc>,
    /// In how many answers.
    pub answers: u64,
}

fn too_much() -> Error {
    Error::Limit {
        what: "incident.report",
        why: Why::new(
            format!(
                "there is more than {ANSWERS} answers or {STUDENTS} students in it; narrow the time, or have \
                 `xueji incident report` run at the machine"
            ),
            format!(
                "涉及超过 {ANSWERS} 次查询或 {STUDENTS} 名学生；请缩短时间范围，或在服务器上运行 `xueji incident report`"
            ),
        ),
    }
}

/// Reports; `NOT_FOUND` for an account beyond reach, and no word about students beyond it.
pub async fn report(cx: &Cx, question: &Question) -> Result<Vec<OfStudent>> {
    let span = question.to - question.from;
    if span <= TimeDelta::zero() || span > TimeDelta::days(DAYS) {
        return Err(Error::invalid(
            "to",
            format!("a report is about {DAYS} days at most, and ends after it begins"),
            format!("报告的时间范围最长 {DAYS} 天，且结束时间应晚于开始时间"),
        ));
    }
    let mut tx = cx.begin(Action::IncidentReport).await?;
    let passed = async {
        let account = tx.account_within(&question.login).await?;
        let account = account.ok_or_else(|| Error::not_found("Account"))?;
        let grant = match question.grant {
            Some(grant) => Some(grant.ok_or_else(|| Error::not_found("AccessGrant"))?),
            None => None,
        };
        let passed = tx.pass_export().await?;
        tx.note_report(account, grant, question.from, question.to);
        Ok((Suspect { account, grant }, passed))
    }
    .await;
    // On record before anything is read.
    let (suspect, _on_record) = tx.end(passed).await?;
    let exposure = cx.store.exposure(suspect, question.from, question.to, Some(ANSWERS)).await?;
    let student = cx.registry().get("student");
    let student = student.ok_or_else(|| Error::internal("students are not registered"))?;
    let scope = Scope::of_action(&cx.caller, student, Action::IncidentReport.name());
    let shown: Vec<Uuid> = exposure.students.keys().copied().collect();
    let within = cx.store.within_scope(&scope, &shown).await?;
    if exposure.cut || within.len() > STUDENTS {
        return Err(too_much());
    }
    let owned = |words: Vec<&str>| words.into_iter().map(str::to_owned).collect::<Vec<_>>();
    let told = exposure.students.iter().filter(|(student, _)| within.contains(student));
    Ok(told
        .map(|(student, seen)| OfStudent {
            student: *student,
            columns: owned(exposure.columns(seen)),
            purposes: owned(exposure.purposes(seen)),
            first: seen.first,
            last: seen.last,
            answers: seen.answers,
        })
        .collect())
}
