//! Times of the codes and secrets that accounts are given.

use super::flags::AccountFlags;

/// Times of codes and secrets that accounts are given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// Days in which a code for a password may be used.
    pub activation_days: u32,
    /// Days until the registration of a program ends where no day is named.
    pub client_days: u32,
    /// Hours for which the earlier secret of a program is good after its rotation.
    pub overlap_hours: u32,
}

impl Default for Accounts {
    fn default() -> Self {
        Self::from_flags(&AccountFlags::default())
    }
}

impl Accounts {
    pub(super) fn from_flags(flags: &AccountFlags) -> Self {
        Self {
            activation_days: flags.activation_days.unwrap_or(14),
            client_days: flags.client_days.unwrap_or(365),
            overlap_hours: flags.overlap_hours.unwrap_or(24),
        }
    }
}
