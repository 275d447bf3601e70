//! How an act runs: load, write, and, for a repeated request, answer again.
//!
//! An [`Act`] says what it does; [`Cx::act`] opens and ends the transaction around it, tries once
//! more when another act was quicker, and keeps the answer for the caller's idempotency key.

use std::future::Future;

use serde::de::DeserializeOwned;
use serde::{Serialize, Serializer};

use super::Cx;
use super::exceptional::LIMITS;
use crate::access::action::{ACTIONS, Action};
use crate::access::filter::Key;
use crate::error::{Error, Result};
use crate::store::tx::{KEY_REUSED, Tx, VERSION};

/// The shortest and the longest idempotency key.
const KEY_LENGTH: std::ops::RangeInclusive<usize> = 8..=64;

/// One act with its input, which is serialised only to be hashed.
pub trait Act: Serialize + Sync {
    /// The action.
    const ACTION: Action;
    /// What the rule decides on.
    type Facts: Send + Sync;
    /// The answer: ids of rows, never values, since it is kept for a repetition.
    type Done: Serialize + DeserializeOwned + Send;

    /// Reads what the rule decides on, within the scope of the act.
    fn load(&self, tx: &Tx) -> impl Future<Output = Result<Self::Facts>> + Send;
    /// Decides and writes.
    fn write(
        &self,
        tx: &mut Tx,
        facts: Self::Facts,
    ) -> impl Future<Output = Result<Self::Done>> + Send;
}

impl Cx {
    /// Runs an act whole or not at all. With a key, the same request is answered again without a
    /// second act, and another request is refused as a conflict.
    pub async fn act<A: Act>(&self, act: &A, key: Option<&str>) -> Result<A::Done> {
        #[cfg(feature = "leaks")]
        self.budget.act();
        match self.attempt(act, key).await {
            // Another act on the same rows, or the same request, was quicker: look again, once.
            Err(Error::Conflict { what }) if what != KEY_REUSED && what != VERSION => {
                self.attempt(act, key).await
            }
            other => other,
        }
    }

    async fn attempt<A: Act>(&self, act: &A, key: Option<&str>) -> Result<A::Done> {
        let mut tx = self.begin(A::ACTION).await?;
        let done = run(act, key, &mut tx).await;
        tx.end(done).await
    }
}

async fn run<A: Act>(act: &A, key: Option<&str>, tx: &mut Tx) -> Result<A::Done> {
    let odd = |error: serde_json::Error| Error::Internal(error.into());
    let once = match key {
        Some(key) => {
            check_key(key)?;
            Some(tx.once(key, &serde_json::to_string(act).map_err(odd)?))
        }
        None => None,
    };
    // Before the answer is looked up: whoever has lost the right to act is not answered again.
    let facts = act.load(tx).await?;
    if let Some(once) = &once
        && let Some(response) = tx.replay(once).await?
    {
        return serde_json::from_str(&response).map_err(odd);
    }
    let done = act.write(tx, facts).await?;
    if let Some(once) = &once {
        tx.remember(once, serde_json::to_string(&done).map_err(odd)?).await?;
    }
    Ok(done)
}

/// Writes the key that an act names, for the hash of its request.
pub(super) fn key_id<S: Serializer>(key: &Option<Key>, to: S) -> Result<S::Ok, S::Error> {
    key.map(|key| (key.student, key.id)).serialize(to)
}

fn check_key(key: &str) -> Result<()> {
    let printable = key.chars().all(|c| c.is_ascii_graphic() || c == ' ');
    if printable && KEY_LENGTH.contains(&key.len()) {
        return Ok(());
    }
    Err(Error::invalid(
        KEY_REUSED,
        "an idempotency key has 8 to 64 printable ASCII characters; a random UUID is a good one",
        "幂等键为 8 至 64 个可打印的 ASCII 字符；建议使用随机 UUID",
    ))
}

/// Shows the counters of acts and of their limits before anything has moved them.
pub fn count_from_nought() {
    for action in ACTIONS {
        for outcome in ["done", "denied"] {
            metrics::counter!("xueji_acts_total", "action" => *action, "outcome" => outcome)
                .increment(0);
        }
    }
    for limit in LIMITS {
        metrics::counter!("xueji_limit_refusals_total", "limit" => limit).increment(0);
    }
}

#[cfg(test)]
mod tests {
    use super::check_key;

    #[test]
    fn a_key_is_printable_and_neither_short_nor_long() {
        for key in ["12345678", "a b c d e", &"k".repeat(64)] {
            assert!(check_key(key).is_ok(), "{key}");
        }
        for key in ["", "1234567", "tab\there", "学籍学籍学籍学籍", &"k".repeat(65)] {
            assert!(check_key(key).is_err(), "{key}");
        }
    }
}
