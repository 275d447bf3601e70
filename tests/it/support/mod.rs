//! What the tests stand on: a database of their own, the application on it, people who ask, rows to ask about, and an
//! oracle that says what each of them may be told.

pub(crate) mod answer;
pub(crate) mod app;
pub(crate) mod callers;
pub(crate) mod document;
pub(crate) mod everybody;
pub(crate) mod keys;
pub(crate) mod live;
pub(crate) mod logs;
pub(crate) mod opened;
pub(crate) mod oracle;
pub(crate) mod place;
pub(crate) mod process;
pub(crate) mod seed;
pub(crate) mod server;
pub(crate) mod snapshot;
pub(crate) mod truth;
