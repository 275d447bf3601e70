//! Values that never appear in a log: their `Debug` has no content and they have no `Display`.

use std::{convert::Infallible, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Text that may hold a password or a key, such as a database address.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SecretText(String);

impl SecretText {
    /// The bare text, for the one place that needs it.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl FromStr for SecretText {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(…)")
    }
}

/// A key of 32 bytes, written as 64 hexadecimal digits.
#[derive(Clone, PartialEq, Eq)]
pub struct SecretKey([u8; 32]);

impl SecretKey {
    /// Wraps bytes that are already random.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Reads 64 hexadecimal digits; the error says what is wrong and quotes nothing.
    pub fn from_hex(text: &str) -> Result<Self, String> {
        let digits = text.trim().as_bytes();
        if digits.len() != 64 {
            return Err(format!(
                "it needs 64 hexadecimal digits (32 random bytes), not {}; `openssl rand -hex 32` makes one.",
                digits.len()
            ));
        }
        let mut bytes = [0u8; 32];
        for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair
                .iter()
                .try_fold(0u8, |sum, digit| {
                    char::from(*digit).to_digit(16).map(|d| sum << 4 | d.to_le_bytes()[0])
                })
                .ok_or_else(|| "it holds something other than hexadecimal digits.".to_owned())?;
        }
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(
                "all its bytes are the same; `openssl rand -hex 32` makes a random one.".to_owned()
            );
        }
        Ok(Self(bytes))
    }

    /// The key, for the cipher or hash that uses it.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}
