//! Settings of sign-in: what is asked of passwords, how long sessions last, what failures lead to.
//!
//! Checks what is written; the key that signs is read where it is used.

use std::{path::PathBuf, time::Duration};

use super::{
    ConfigError,
    flags::{Flags, SignInFlags},
    settings::{invalid, text},
};

/// How people sign in: what is asked of passwords, how long sessions last, what failures lead to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// How long an access token holds.
    pub access: Duration,
    /// After how long without use a session ends.
    pub idle: Duration,
    /// How long a session lasts at most.
    pub session: Duration,
    /// Fewest characters of a password.
    pub min_length: u32,
    /// Of so many kinds they must be: small letters, capitals, digits, others.
    pub classes: u32,
    /// So many replaced passwords are not chosen again.
    pub history: u32,
    /// After so many days a password must be changed; 0 for never.
    pub max_age_days: u32,
    /// After so many failures an account is locked.
    pub lock_after: u32,
    /// For how long the first time; each failure after that doubles it.
    pub lock_first: Duration,
    /// For how long at most.
    pub lock_most: Duration,
    /// Memory of one hash, in KiB.
    pub hash_memory_kib: u32,
    /// Passes of one hash.
    pub hash_passes: u32,
    /// Lanes of one hash.
    pub hash_lanes: u32,
    /// Hashes that are computed at once.
    pub hashes_at_once: u32,
    /// Roles that need a second factor.
    pub factor_roles: Vec<String>,
}

impl Default for SignIn {
    fn default() -> Self {
        Self::from_flags(&SignInFlags::default(), Vec::new())
    }
}

impl SignIn {
    fn from_flags(flags: &SignInFlags, factor_roles: Vec<String>) -> Self {
        let minutes = |value: Option<u32>, default: u32| {
            Duration::from_secs(u64::from(value.unwrap_or(default)).saturating_mul(60))
        };
        let seconds =
            |value: Option<u32>, default: u32| Duration::from_secs(value.unwrap_or(default).into());
        Self {
            access: minutes(flags.access_minutes, 10),
            idle: minutes(flags.idle_minutes, 120),
            session: minutes(flags.session_minutes, 720),
            min_length: flags.password_length.unwrap_or(10),
            classes: flags.password_classes.unwrap_or(3),
            history: flags.password_history.unwrap_or(5),
            max_age_days: flags.password_days.unwrap_or(0),
            lock_after: flags.lock_after.unwrap_or(5),
            lock_first: seconds(flags.lock_seconds, 60),
            lock_most: seconds(flags.lock_most_seconds, 3600),
            hash_memory_kib: flags.hash_memory_kib.unwrap_or(19_456),
            hash_passes: flags.hash_passes.unwrap_or(2),
            hash_lanes: flags.hash_lanes.unwrap_or(1),
            hashes_at_once: flags.hashes_at_once.unwrap_or(4),
            factor_roles,
        }
    }
}

impl Flags {
    /// The file of the key that signs tokens, if one is named.
    pub(super) fn signing_key(&self) -> Result<Option<PathBuf>, ConfigError> {
        let file = self.jwt.signing_key_file.as_ref().map(|file| file.reveal().trim());
        let Some(file) = file.filter(|file| !file.is_empty()) else { return Ok(None) };
        if file.contains("-----BEGIN") || file.contains('\n') {
            return Err(invalid(
                "jwt.signing_key_file",
                "it is no name of a file; write the key into a file and name that.",
            ));
        }
        Ok(Some(PathBuf::from(file)))
    }

    /// How people sign in; what would lock everybody out, or let everybody in, is refused.
    pub fn sign_in(&self) -> Result<SignIn, ConfigError> {
        let roles = self.second_factor_roles.iter().filter_map(|role| text(Some(role)));
        let rules = SignIn::from_flags(&self.sign_in, roles.map(str::to_owned).collect());
        let flags = &self.sign_in;
        for (key, value, least, most) in [
            ("sign_in.access_minutes", flags.access_minutes, 1, 60),
            ("sign_in.idle_minutes", flags.idle_minutes, 2, 525_600),
            ("sign_in.session_minutes", flags.session_minutes, 2, 525_600),
            ("sign_in.password_length", flags.password_length, 6, 128),
            ("sign_in.password_classes", flags.password_classes, 1, 4),
            ("sign_in.password_history", flags.password_history, 0, 24),
            ("sign_in.password_days", flags.password_days, 0, 3_650),
            ("sign_in.lock_after", flags.lock_after, 1, 100),
            ("sign_in.lock_seconds", flags.lock_seconds, 1, 86_400),
            ("sign_in.lock_most_seconds", flags.lock_most_seconds, 1, 604_800),
            ("sign_in.hash_memory_kib", flags.hash_memory_kib, 8_192, 4_194_304),
            ("sign_in.hash_passes", flags.hash_passes, 1, 100),
            ("sign_in.hash_lanes", flags.hash_lanes, 1, 64),
            ("sign_in.hashes_at_once", flags.hashes_at_once, 1, 256),
        ] {
            if value.is_some_and(|value| !(least..=most).contains(&value)) {
                return Err(invalid(key, &format!("it must be {least} to {most}.")));
            }
        }
        if rules.idle <= rules.access {
            return Err(invalid(
                "sign_in.idle_minutes",
                "it must be above sign_in.access_minutes: a session is used when its access token is replaced.",
            ));
        }
        if rules.lock_most < rules.lock_first {
            return Err(invalid(
                "sign_in.lock_most_seconds",
                "it is below sign_in.lock_seconds, the first of the delays that it bounds.",
            ));
        }
        Ok(rules)
    }
}
