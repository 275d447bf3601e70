//! Typed settings: flags before environment before the TOML file, checked once at start.
//!
//! [`flags::Flags`] is what a person writes, the same shape on the command line and in the file; [`settings::Settings`] is what the
//! server runs with. Everything missing, unknown or contradictory is one sentence that names the setting, its flag,
//! its environment variable and its TOML key. This module never prints a secret and never opens a database.

mod accounts;
pub mod door;
pub mod flags;
mod keeping;
pub mod oidc;
pub mod secret;
pub mod settings;
pub mod sign_in;
#[cfg(test)]
mod tests;

/// Why the settings do not allow a start. Each variant is one sentence for the person who starts the server.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A setting without a default was not given.
    #[error("Setting {} is missing: give {}.", .0, ways(.0))]
    Missing(&'static str),
    /// A setting has a value that cannot be used.
    #[error("Setting {key} cannot be used: {why} It is set by {}.", ways(.key))]
    Invalid {
        /// The TOML key of the setting.
        key: &'static str,
        /// What is wrong and what to do, as a sentence.
        why: String,
    },
    /// The file holds a key that is no setting.
    #[error("{file} holds the unknown setting {key}; known there: {known}.")]
    Unknown {
        /// The settings file.
        file: String,
        /// The unknown key with its path.
        key: String,
        /// The keys that may stand in that place.
        known: String,
    },
    /// A value in the file is of another type than the setting.
    #[error("{file}: setting {key} has a value of the wrong kind: {why}. It is set by {}.", ways(.key))]
    WrongType {
        /// The settings file.
        file: String,
        /// The TOML key of the setting.
        key: String,
        /// What was found and what is expected.
        why: String,
    },
    /// The file cannot be read, or is no TOML.
    #[error("The settings file {file} cannot be read: {why}.")]
    File {
        /// The settings file.
        file: String,
        /// The reason, without values from the file.
        why: String,
    },
}

/// The three ways to give a setting, derived from its TOML key: one rule, so that no table can go stale.
fn ways(key: &str) -> String {
    if key == "jwt.keys" {
        return "--jwt-key KID:ALG:FILE, XUEJI_JWT_KEYS or [[jwt.keys]] in the TOML file"
            .to_owned();
    }
    if key == "oidc.issuers" {
        return "[[oidc.issuers]] in the TOML file".to_owned();
    }
    if key == "master_key_file" {
        return "--master-key-file, XUEJI_MASTER_KEY_FILE or master_key_file in the TOML file, \
                or the key itself as master_key"
            .to_owned();
    }
    let flag = key.replace(['.', '_'], "-");
    let variable = key.replace('.', "_").to_uppercase();
    format!("--{flag}, XUEJI_{variable} or {key} in the TOML file")
}
