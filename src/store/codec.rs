//! How sealed columns are written and read, and how equal values are found among them.
//!
//! Everything that seals or opens goes through [`Codec`], which is told table, column and row. The
//! codec here keeps the text as it is, behind a format byte; an encrypting one takes its place
//! without a change anywhere else. The look-up hash is keyed already.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;
use xueji_entity::value::{Guarded, LookupHash, Sealed};

use crate::error::{Error, Result};

/// Seals and opens the columns of the groups identity, contact, address and account number.
pub trait Codec: Send + Sync + 'static {
    /// The stored form of a text.
    fn seal(&self, table: &str, column: &str, row: Uuid, bare: &str) -> Vec<u8>;
    /// The text of a stored form.
    fn open(&self, table: &str, column: &str, row: Uuid, sealed: &[u8]) -> Result<String>;
    /// A keyed hash of a normalised text. Values of one kind compare across tables and columns.
    fn hash(&self, kind: &str, bare: &str) -> [u8; 32];
}

/// The format byte of text that is kept as it is.
const PLAIN: u8 = 1;

/// Keeps the text as it is; hashes it under the deployment's look-up key.
pub struct PlainCodec {
    key: [u8; 32],
}

impl PlainCodec {
    /// A codec with the deployment's look-up key.
    pub const fn new(key: [u8; 32]) -> Self {
        Self { key }
    }
}

impl std::fmt::Debug for PlainCodec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PlainCodec(…)")
    }
}

impl Codec for PlainCodec {
    fn seal(&self, _table: &str, _column: &str, _row: Uuid, bare: &str) -> Vec<u8> {
        let mut sealed = Vec::with_capacity(bare.len() + 1);
        sealed.push(PLAIN);
        sealed.extend_from_slice(bare.as_bytes());
        sealed
    }

    fn open(&self, table: &str, column: &str, _row: Uuid, sealed: &[u8]) -> Result<String> {
        match sealed.split_first() {
            Some((&PLAIN, text)) => match std::str::from_utf8(text) {
                Ok(text) => Ok(text.to_owned()),
                Err(_) => Err(Error::internal(format!("{table}.{column} is not text"))),
            },
            _ => Err(Error::internal(format!("{table}.{column} has an unknown format"))),
        }
    }

    fn hash(&self, kind: &str, bare: &str) -> [u8; 32] {
        let mut out = [0; 32];
        // A key of any length is accepted, so this cannot fail.
        if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) {
            mac.update(kind.as_bytes());
            mac.update(&[0]);
            mac.update(bare.as_bytes());
            out.copy_from_slice(&mac.finalize().into_bytes());
        }
        out
    }
}

/// Seals a value for one place.
pub fn seal<T: Guarded>(
    codec: &dyn Codec,
    table: &str,
    column: &str,
    row: Uuid,
    value: &T,
) -> Sealed<T> {
    Sealed::from_bytes(codec.seal(table, column, row, value.expose()))
}

/// The look-up hash of a value.
pub fn hash<T: Guarded>(codec: &dyn Codec, value: &T) -> LookupHash {
    LookupHash::from_bytes(codec.hash(T::MASK, value.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_text_opens_to_itself_and_a_foreign_format_is_refused() {
        let codec = PlainCodec::new([7; 32]);
        let row = Uuid::nil();
        let sealed = codec.seal("student", "phone", row, "13800001234");
        assert_eq!(codec.open("student", "phone", row, &sealed).unwrap(), "13800001234");
        assert!(codec.open("student", "phone", row, &[9, 1]).is_err());
        assert!(codec.open("student", "phone", row, &[]).is_err());
    }

    #[test]
    fn hashes_tell_kinds_and_keys_apart() {
        let codec = PlainCodec::new([7; 32]);
        assert_eq!(codec.hash("phone", "1"), codec.hash("phone", "1"));
        assert_ne!(codec.hash("phone", "1"), codec.hash("email", "1"));
        assert_ne!(codec.hash("phone", "1"), PlainCodec::new([8; 32]).hash("phone", "1"));
    }
}
