//! The one integration binary: the application asked through its router, as a person.
//!
//! Every test has a database of its own: a file, or a database on the server of `TEST_DATABASE_URL`.
//! Start reading in `support/callers.rs`, then `canary.rs`, the test that matters most.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks at one case")]

mod attendance;
mod bad_input;
mod canary;
mod columns;
mod command;
mod concurrency;
mod denied;
mod documents;
mod filters;
mod lifecycle;
mod limits;
mod noninterference;
mod outage;
mod pages;
mod policy;
mod rows;
mod schema;
mod scores;
mod statements;
mod support;
mod tokens;
