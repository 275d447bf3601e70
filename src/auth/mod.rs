//! From token to caller: who signed in, never what they may do.

pub mod issuer;
pub mod jwt;
pub mod sessions;
pub mod watch;
