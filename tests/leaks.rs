//! The noninterference test looks for deliberate leaks: `cargo test --features leaks --test leaks`.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]
#![expect(clippy::wildcard_enum_match_arm, reason = "a test looks at one case")]
#![expect(clippy::print_stdout, reason = "a test says what it found")]
#![expect(dead_code, reason = "the support of another test, of which this one uses a part")]

#[path = "it/noninterference/mod.rs"]
mod noninterference;
#[path = "it/support/mod.rs"]
mod support;
