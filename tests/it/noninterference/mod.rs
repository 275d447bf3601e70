//! The promise that sums up the others: two databases that differ only in what a caller may not see give the same
//! answers, byte for byte, after the same number of statements.
//!
//! `schema` is what may be asked, `pool` what questions are filled with, `generate` and `values` make them, `twin` makes
//! the databases with the values of `other` and what `answered` and `raised` say, `both` asks them, `run` asks one person's questions, `shrink` makes a finding small, `outlets` lists
//! what is set aside. `promise` is the test; with the feature `leaks` it is tested itself, by `leaks`.

mod answered;
mod both;
mod document;
mod generate;
#[cfg(feature = "leaks")]
mod leaks;
mod other;
mod outlets;
mod pool;
#[cfg(not(feature = "leaks"))]
mod promise;
mod raised;
mod run;
mod schema;
mod shrink;
mod twin;
mod values;
