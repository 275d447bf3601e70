//! Retention (保管期限): how long each class of records is kept, what is due, and how it is destroyed.
//!
//! [`schedule`] reads the table of periods and judges it, [`due`] finds the rows whose period has ended, [`erase`] takes
//! them out of a database with all that hangs from them, [`outside`] keeps tombstones outside the database and destroys
//! again what a backup brings back, [`read`] lists batches, certificates and restrictions, [`clock`] says whether the
//! time can be believed. Who may destroy what is an act (`tx::destroy`); nothing here shows a value of a pupil.

pub mod clock;
pub mod due;
pub(in crate::store) mod erase;
pub mod outside;
pub mod read;
pub mod schedule;

use std::path::PathBuf;
use std::sync::Arc;

use schedule::Schedule;

/// How a deployment keeps and destroys.
#[derive(Clone, Debug)]
pub struct Retention {
    /// The periods.
    pub schedule: Arc<Schedule>,
    /// The file outside the database that remembers what was destroyed.
    pub destructions: Option<PathBuf>,
    /// Most days that the clock may be ahead of the logs before nothing is destroyed any more.
    pub ahead_days: u32,
}

impl Default for Retention {
    fn default() -> Self {
        Self { schedule: Arc::new(Schedule::shipped()), destructions: None, ahead_days: 45 }
    }
}
