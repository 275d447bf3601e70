//! `access_review.decide`: whether a record was opened with reason (紧急查阅复核).

use serde::{Deserialize, Serialize, Serializer};
use uuid::Uuid;
use xueji_entity::access_review::ReviewState;

use crate::access::action::Action;
use crate::access::filter::Key;
use crate::domain::Cx;
use crate::domain::act::Act;
use crate::error::{Error, Result};
use crate::store::tx::{Event, ReviewOnFile, Tx};

/// A decision, as it came.
#[derive(Debug, Serialize)]
pub struct Decide {
    /// The use of break-glass; none for an id that cannot be one.
    #[serde(serialize_with = "key_id")]
    pub key: Option<Key>,
    /// Whether the reason holds.
    pub justified: bool,
    /// Note.
    pub note: Option<String>,
}

fn key_id<S: Serializer>(key: &Option<Key>, to: S) -> Result<S::Ok, S::Error> {
    key.map(|key| key.id).map(|id| id.to_string()).serialize(to)
}

/// What was decided over.
#[derive(Debug, Serialize, Deserialize)]
pub struct Decided {
    review: Uuid,
}

/// Decides over a use of break-glass.
pub async fn decide(cx: &Cx, decide: &Decide, key: Option<&str>) -> Result<Decided> {
    cx.act(decide, key).await
}

impl Act for Decide {
    const ACTION: Action = Action::AccessReviewDecide;
    type Facts = ReviewOnFile;
    type Done = Decided;

    async fn load(&self, tx: &Tx) -> Result<ReviewOnFile> {
        let key = self.key.ok_or_else(|| Error::not_found("AccessReview"))?;
        tx.review(key).await
    }

    async fn write(&self, tx: &mut Tx, on_file: ReviewOnFile) -> Result<Decided> {
        if on_file.account == tx.caller().account().uuid() {
            return Err(super::refused(
                "ACCESS_REVIEW_OWN",
                "this is your own use; another reviewer decides over it",
                "不能复核本人的紧急查阅；请由其他复核人处理",
            ));
        }
        if on_file.state != ReviewState::Waiting {
            return Err(super::refused(
                "ACCESS_REVIEW_DECIDED",
                "this use was decided over already; read it again",
                "该紧急查阅已有复核结论；请重新读取",
            ));
        }
        let note = match &self.note {
            Some(text) => Some(super::reason("note", text, 1, 500)?),
            None => None,
        };
        let state = if self.justified { ReviewState::Justified } else { ReviewState::Unjustified };
        let review = on_file.key().id;
        let account = on_file.account;
        tx.decide_review(&on_file, state, note).await?;
        tx.event(Event {
            kind: "access.reviewed",
            student: None,
            class_group: None,
            account: Some(account),
            rows: vec![review],
        });
        Ok(Decided { review })
    }
}
