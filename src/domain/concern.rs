//! What people raise about a school (意见与举报): opinions, and reports of unlawful acts, with their answers.
//!
//! Whoever belongs to a school raises it, named or not, and finds the answer among their own. Who handles which kind is
//! policy (`concern.feedback`, `concern.misuse`); reading is an act, on record. Nobody answers their own, and nothing is
//! answered twice.

use serde::{Serialize, Serializer};
use uuid::Uuid;
use xueji_entity::concern::{ConcernKind, ConcernState};

use super::Cx;
use super::act::Act;
use super::exceptional::{reason, refused};
use crate::access::action::Action;
use crate::error::{Error, Result};
use crate::store::tx::{NewConcern, Raised, Rate, Tx};

pub use crate::store::tx::Concern;

/// The name of its limit by the hour.
pub(super) const LIMIT: &str = "concern.raise";

/// The fewest and the most characters of what is raised, and of an answer.
const LENGTH: (usize, usize) = (2, 2_000);

/// What somebody raises, as it came.
#[derive(Debug, Serialize)]
pub struct Raise {
    /// The school; none for an id that cannot be one.
    pub school: Option<Uuid>,
    /// An opinion, or a report.
    #[serde(serialize_with = "word")]
    pub kind: ConcernKind,
    /// What is said.
    pub text: String,
    /// How content they are.
    pub satisfaction: Option<i64>,
    /// Whether who handles it may know who raised it; an opinion is named and a report is not, unless something is said.
    pub named: Option<bool>,
}

fn word<S: Serializer>(kind: &ConcernKind, to: S) -> std::result::Result<S::Ok, S::Error> {
    to.serialize_str(match kind {
        ConcernKind::Feedback => "feedback",
        ConcernKind::Misuse => "misuse",
    })
}

#[derive(Serialize)]
struct Raising<'r> {
    raise: &'r Raise,
    #[serde(skip)]
    an_hour: u32,
}

/// Raises it; its id.
pub async fn raise(cx: &Cx, raise: &Raise, key: Option<&str>) -> Result<Uuid> {
    let an_hour = cx.budget.exceptional.concerns_per_hour;
    cx.act(&Raising { raise, an_hour }, key).await
}

impl Act for Raising<'_> {
    const ACTION: Action = Action::ConcernRaise;
    type Facts = Uuid;
    type Done = Uuid;

    async fn load(&self, tx: &Tx) -> Result<Uuid> {
        // A registered program is nobody who could have an opinion.
        let person = tx.caller().session.bounds.is_none();
        // Asked of no school too: an id that cannot be one takes as many statements as one that is another's.
        tx.own_school(self.raise.school.filter(|_| person).unwrap_or_default()).await
    }

    async fn write(&self, tx: &mut Tx, school: Uuid) -> Result<Uuid> {
        let Raise { kind, text, satisfaction, named, .. } = self.raise;
        let text = reason("text", text, LENGTH.0, LENGTH.1)?;
        satisfied(*kind, *satisfaction)?;
        tx.count_try(Rate { what: LIMIT, an_hour: self.an_hour }).await?;
        let new = NewConcern {
            kind: *kind,
            school,
            named: named.unwrap_or(*kind == ConcernKind::Feedback),
            text: &text,
            satisfaction: *satisfaction,
        };
        tx.raise_concern(new).await
    }
}

fn satisfied(kind: ConcernKind, satisfaction: Option<i64>) -> Result<()> {
    match (kind, satisfaction) {
        (_, None) | (ConcernKind::Feedback, Some(1..=5)) => Ok(()),
        (ConcernKind::Feedback, Some(_)) => Err(Error::invalid(
            "satisfaction",
            "choose 1 (not at all content) to 5 (very content)",
            "请选择 1（很不满意）至 5（很满意）",
        )),
        (ConcernKind::Misuse, Some(_)) => Err(Error::invalid(
            "satisfaction",
            "a report has no satisfaction; leave it out",
            "举报不填写满意度；请勿填写",
        )),
    }
}

/// What the caller raised, with the answers.
pub async fn own(cx: &Cx) -> Result<Vec<Concern>> {
    cx.store.own_concerns(&cx.caller).await
}

/// What was raised of a kind at the schools where the caller handles it; `FORBIDDEN` where they handle it nowhere.
pub async fn handled(
    cx: &Cx,
    kind: ConcernKind,
    state: Option<ConcernState>,
) -> Result<Vec<Concern>> {
    let action = match kind {
        ConcernKind::Feedback => Action::ConcernFeedback,
        ConcernKind::Misuse => Action::ConcernMisuse,
    };
    let mut tx = cx.begin(action).await?;
    let read = tx.concerns(kind, state).await;
    tx.end(read).await
}

/// An answer, as it came.
#[derive(Debug, Serialize)]
pub struct Answer {
    /// What is answered; none for an id that cannot be one.
    pub concern: Option<Uuid>,
    /// The answer.
    pub answer: String,
}

impl Act for Answer {
    const ACTION: Action = Action::ConcernAnswer;
    type Facts = Raised;
    type Done = Uuid;

    async fn load(&self, tx: &Tx) -> Result<Raised> {
        tx.raised(self.concern.unwrap_or_default()).await
    }

    async fn write(&self, tx: &mut Tx, raised: Raised) -> Result<Uuid> {
        let answer = reason("answer", &self.answer, LENGTH.0, LENGTH.1)?;
        if raised.state != ConcernState::Open {
            return Err(refused(
                "CONCERN_ANSWERED",
                "this is answered already; read the list again",
                "该意见或举报已答复；请重新读取列表",
            ));
        }
        if tx.is_caller(raised.by).await? {
            return Err(refused(
                "CONCERN_OWN",
                "you raised this yourself; another person who handles it answers",
                "该意见或举报由本人提出；请由另一位处理人答复",
            ));
        }
        tx.answer_concern(raised, &answer).await?;
        Ok(raised.id)
    }
}
