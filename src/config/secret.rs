//! Values that never appear in a log: their `Debug` has no content and they have no `Display`.

use std::{convert::Infallible, fmt, path::Path, str::FromStr};

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
        Self::random_enough(bytes)
    }

    fn random_enough(bytes: [u8; 32]) -> Result<Self, String> {
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(
                "all its bytes are the same; `openssl rand -hex 32` makes a random one.".to_owned()
            );
        }
        Ok(Self(bytes))
    }

    /// Reads a file that holds 64 hexadecimal digits or 32 bytes; the error quotes nothing. A file that
    /// everybody on the machine may read keeps no secret and is refused.
    pub fn from_file(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let bytes = std::fs::read(path)
            .map_err(|error| format!("{shown} cannot be read: {}.", error.kind()))?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(path).map(|about| about.permissions().mode());
            if mode.is_ok_and(|mode| mode & 0o007 != 0) {
                return Err(format!(
                    "everybody on this machine may read {shown}; `chmod o= {shown}` keeps it to its owner."
                ));
            }
        }
        if let Ok(raw) = <[u8; 32]>::try_from(bytes.as_slice()) {
            return Self::random_enough(raw);
        }
        let text = std::str::from_utf8(&bytes).ok().filter(|text| text.trim().len() == 64);
        let text = text.ok_or_else(|| {
            format!(
                "{shown} has a wrong length: it holds {} bytes, and a key is 64 hexadecimal digits or 32 bytes.",
                bytes.len()
            )
        })?;
        Self::from_hex(text)
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
