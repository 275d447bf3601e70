//! The one integration binary: the application asked through its router, as a person.
//!
//! Every test has a database of its own: a file, or a database on the server of `TEST_DATABASE_URL`.
//! Start reading in `support/callers.rs`, then `canary.rs`, the test that matters most.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::print_stdout, reason = "a test may say what it has looked at")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks at one case")]

mod accounts;
mod aggregates;
mod attacks;
mod attendance;
mod audit;
mod audit_read;
mod backups;
mod bad_input;
mod break_glass;
mod canary;
mod catalogue;
mod columns;
mod command;
mod concerns;
mod concurrency;
mod contact;
mod delegation;
mod denied;
mod destruction;
mod disclosure_control;
mod disclosures;
mod disclosures_killed;
mod documents;
mod door;
mod emergency;
mod exact_match;
mod exam_publish;
mod explain;
mod filters;
mod grants;
mod grants_derived;
mod incident;
mod issuers;
mod lifecycle;
mod limits;
mod live_access;
mod live_metrics;
mod live_outage;
mod live_sse;
mod live_ws;
mod log_retention;
mod metrics;
mod noninterference;
mod outage;
mod pages;
mod policy;
mod policy_purposes;
mod policy_reload;
mod policy_tools;
mod purposes;
mod redactions;
mod restricted;
mod reveal;
mod rows;
mod schema;
mod scores;
mod secrecy;
mod secrets;
mod sign_in;
mod snapshots;
mod solver;
mod statements;
mod support;
mod tls;
mod tokens;
mod uses;
