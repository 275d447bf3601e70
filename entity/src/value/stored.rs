//! Hashes of secrets as the database keeps them. Nothing here hashes, and nothing prints: whoever has a hash
//! of a password can try passwords on it at leisure.

use std::fmt;

use sea_orm::DeriveValueType;

/// The hash of a password in the text form of Argon2, parameters and salt within.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes the text as the hash function made it.
    pub const fn from_text(text: String) -> Self {
        Self(text)
    }

    /// The text, for verification alone.
    pub fn as_phc(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// The SHA-256 of a random token or code.
#[derive(Clone, PartialEq, Eq, DeriveValueType)]
pub struct TokenHash(Vec<u8>);

impl TokenHash {
    /// Takes the bytes as the hash function made them.
    pub const fn from_bytes(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// The bytes of the hash.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}
