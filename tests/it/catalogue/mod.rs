//! The ways values got out elsewhere: each public case of the contract's list is tried here, through the API, as the
//! caller who would gain by it. A test is named after its case and fails when this product has that bug.
//!
//! [`conditions`] asks with filters and searches, [`order`] with orders, groups and cursors, [`answers`] looks at what
//! comes back, [`rights`] at policies, grants and sessions, [`writes`] at acts.

mod answers;
mod conditions;
mod order;
mod rights;
mod writes;

use crate::support::answer::Answer;
use crate::support::callers::Person;
use serde_json::Value;

/// Asks something that must be refused before any statement, and that names the column.
#[track_caller]
fn refused(what: &str, (answer, statements): &(Answer, u64), coordinate: &str) {
    assert_eq!(answer.code(), "FORBIDDEN", "{what}: {}", answer.text);
    let named = &answer.error()["extensions"]["coordinates"];
    assert_eq!(named, &serde_json::json!([coordinate]), "{what}");
    assert_eq!(*statements, 0, "{what}");
}

/// How many rows a list has for somebody.
async fn total(person: &Person<'_>, document: &str, pointer: &str, variables: Value) -> u64 {
    person.query(document, variables).await.at(pointer).as_u64().unwrap()
}
