//! `record.open`: a record beyond the caller's reach, opened for a short time (紧急查阅, break-glass).
//!
//! The pupil is named by what the caller knows already; a wrong guess counts, is on record, and is
//! answered like a pupil who does not exist. Nobody opens a second record while a review is overdue.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xueji_entity::value::{Guarded, PersonName};

use crate::access::action::Action;
use crate::access::caller::MOST_PAIRS;
use crate::config::settings::Exceptional;
use crate::domain::act::Act;
use crate::domain::{Cx, refuse_masked};
use crate::error::{Error, Result};
use crate::store::tx::{Event, NewReview, Rate, Target, Tx};

/// The name of its limit by the hour.
pub(super) const LIMIT: &str = "record.open";

/// How the pupil is named.
#[derive(Serialize)]
pub enum Named {
    /// By an id; none for one that cannot be one.
    Id(Option<Uuid>),
    /// By status number and name.
    Number {
        /// The national student number, as it came.
        number: String,
        /// The name, as it came.
        name: String,
    },
}

/// A record to be opened, as it came.
#[derive(Serialize)]
pub struct Open {
    /// Whose.
    pub named: Named,
    /// Why.
    pub reason: String,
}

impl std::fmt::Debug for Open {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Open(…)")
    }
}

/// A record that is open.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Opened {
    /// The row of the reviewers' queue.
    pub review: Uuid,
    /// The student.
    pub student: Uuid,
    /// When it closes.
    pub expires_at: DateTime<Utc>,
    /// When the review is due.
    pub due_at: DateTime<Utc>,
}

/// What came of a try, once it is counted.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Came {
    Opened(Opened),
    /// No such pupil, or another name.
    Unknown,
    /// The caller reaches the record as it is.
    Reached,
}

impl Came {
    fn result(self) -> Result<Opened> {
        match self {
            Self::Opened(opened) => Ok(opened),
            Self::Unknown => Err(Error::not_found("Student")),
            Self::Reached => Err(super::refused(
                "BREAK_GLASS_NOT_NEEDED",
                "you reach this record already; read it as usual",
                "您本已可查看该学生，无需紧急查阅",
            )),
        }
    }
}

#[derive(Serialize)]
struct Opening<'o> {
    open: &'o Open,
    #[serde(skip)]
    limits: Exceptional,
    #[serde(skip)]
    now: DateTime<Utc>,
}

/// Opens the record; `NOT_FOUND` for a pupil who does not exist and for a wrong name alike.
pub async fn open(cx: &Cx, open: &Open, key: Option<&str>) -> Result<Opened> {
    let opening = Opening { open, limits: cx.budget.exceptional, now: cx.clock.now() };
    cx.act(&opening, key).await?.result()
}

impl Act for Opening<'_> {
    const ACTION: Action = Action::RecordOpen;
    type Facts = ();
    type Done = Came;

    async fn load(&self, _tx: &Tx) -> Result<()> {
        Ok(())
    }

    async fn write(&self, tx: &mut Tx, (): ()) -> Result<Came> {
        let purpose = super::purpose(tx.caller())?.to_owned();
        let reason = super::reason("reason", &self.open.reason, 5, 500)?;
        let name = match &self.open.named {
            Named::Id(_) => None,
            Named::Number { name, number } => {
                refuse_masked("name", name)?;
                refuse_masked("nationalStudentNumber", number)?;
                let parsed = PersonName::parse(name);
                Some(parsed.map_err(|error| Error::invalid("name", error.why_en, error.why_zh))?)
            }
        };
        if tx.caller().session.held.len() >= MOST_PAIRS {
            return Err(super::delegate::too_many_pairs());
        }
        let an_hour = self.limits.opens_per_hour;
        tx.count_try(Rate { what: LIMIT, an_hour }).await?;
        if tx.review_overdue().await? {
            return Err(super::refused(
                "BREAK_GLASS_OVERDUE",
                "the review of a record that you opened is overdue; ask its reviewers to decide first",
                "您此前的紧急查阅尚未复核且已逾期；请先请复核人作出结论",
            ));
        }
        let target = match (&self.open.named, &name) {
            (Named::Id(id), _) => Target::Id(id.unwrap_or_default()),
            (Named::Number { number, .. }, Some(name)) => Target::Number { number, name },
            (Named::Number { .. }, None) => return Err(Error::internal("a name was read")),
        };
        // A try that comes to nothing is kept: each of them could be a guess at a number.
        let student = match tx.target(target).await? {
            Some((student, false)) => student,
            came => {
                let came = if came.is_some() { Came::Reached } else { Came::Unknown };
                if let Err(error) = came.result() {
                    tx.miss(&error);
                }
                return Ok(came);
            }
        };
        let minutes = TimeDelta::minutes(self.limits.open_minutes.into());
        let days = TimeDelta::days(self.limits.review_days.into());
        let (expires_at, due_at) = (self.now + minutes, self.now + days);
        let opened_as = tx.acting_role().to_owned();
        let review = tx
            .open_record(NewReview {
                student,
                opened_as: &opened_as,
                reason: &reason,
                purpose: &purpose,
                expires_at,
                due_at,
            })
            .await?;
        let account = tx.caller().account().uuid();
        for reviewer in tx.reviewers(student).await? {
            tx.event(told("access.opened", reviewer, review));
        }
        tx.event(told("grant.changed", account, review));
        Ok(Came::Opened(Opened { review, student, expires_at, due_at }))
    }
}

fn told(kind: &'static str, account: Uuid, row: Uuid) -> Event {
    Event { kind, student: None, class_group: None, account: Some(account), rows: vec![row] }
}
