//! `identity_number.check`: whether an identity number is registered, and nothing else (查重).
//!
//! The answer names no school and no pupil; a hit takes the same statements as a miss.

use crate::access::action::Action;
use crate::access::table::Uses;
use crate::domain::Cx;
use crate::error::{Error, Result};
use crate::store::tx::{Rate, Tx};

/// The name of its limit by the hour.
pub(super) const LIMIT: &str = "identity_number.check";

/// Whether the number is registered, for the purpose that the request states.
pub async fn registered(cx: &Cx, number: &str) -> Result<bool> {
    let mut tx = cx.begin(Action::IdentityNumberCheck).await?;
    let found = run(cx, &mut tx, number).await;
    tx.end(found).await
}

async fn run(cx: &Cx, tx: &mut Tx, number: &str) -> Result<bool> {
    super::purpose(&cx.caller)?;
    if !tx.may("student", "id_number", Uses::MATCH)? {
        return Err(Error::forbidden_use("match", "Student.idNumber".to_owned()));
    }
    let hash = tx.lookup_hash("student", "id_number", "number", number)?;
    let an_hour = cx.budget.exceptional.checks_per_hour;
    tx.count_try(Rate { what: LIMIT, an_hour }).await?;
    tx.identity_registered(hash).await
}
