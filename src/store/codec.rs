//! How sealed columns are written and read, and how equal values are found among them.
//!
//! Everything that seals or opens goes through [`Codec`], which is told table, column and row.
//! [`EnvelopeCodec`](super::keys::envelope::EnvelopeCodec) is the one that encrypts; [`ClosedCodec`]
//! is for commands that open no sealed column. Nothing here keeps a text in the clear.

use std::sync::Arc;

use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use uuid::Uuid;
use xueji_entity::value::{Guarded, LookupHash, Sealed};

use super::keys::logs::LogKeys;
use crate::error::{Error, Result};

/// Seals and opens the columns of the groups identity, contact, address and account number.
pub trait Codec: Send + Sync + 'static {
    /// The stored form of a text, for one place.
    fn seal(&self, table: &str, column: &str, row: Uuid, bare: &str) -> Result<Vec<u8>>;
    /// The text of a stored form; an error when it was not sealed for this place.
    fn open(&self, table: &str, column: &str, row: Uuid, sealed: &[u8]) -> Result<String>;
    /// A keyed hash of a normalised text. Values of one kind compare across tables and columns.
    fn hash(&self, kind: &str, bare: &str) -> [u8; 32];
    /// The keys of the logs; none where no act is written.
    fn log_keys(&self) -> Option<Arc<LogKeys>> {
        None
    }
    /// Learns of keys that came or changed their state since; a codec without keys has nothing to learn.
    fn follow(&self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async { Ok(()) })
    }
}

/// Hashes under the deployment's look-up key and holds no data key.
pub struct ClosedCodec {
    lookup: [u8; 32],
    logs: Option<Arc<LogKeys>>,
}

impl ClosedCodec {
    /// A codec with the deployment's look-up key.
    pub const fn new(lookup: [u8; 32]) -> Self {
        Self { lookup, logs: None }
    }

    /// The same for a command that leaves a line in the audit log.
    #[must_use]
    pub fn with_log_keys(mut self, keys: LogKeys) -> Self {
        self.logs = Some(Arc::new(keys));
        self
    }
}

impl std::fmt::Debug for ClosedCodec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ClosedCodec(…)")
    }
}

impl Codec for ClosedCodec {
    fn seal(&self, table: &str, column: &str, _row: Uuid, _bare: &str) -> Result<Vec<u8>> {
        Err(Error::internal(format!("{table}.{column} is sealed, and there is no data key here")))
    }

    fn open(&self, table: &str, column: &str, _row: Uuid, _sealed: &[u8]) -> Result<String> {
        Err(Error::internal(format!("{table}.{column} is sealed, and there is no data key here")))
    }

    fn hash(&self, kind: &str, bare: &str) -> [u8; 32] {
        keyed(&self.lookup, kind, bare)
    }

    fn log_keys(&self) -> Option<Arc<LogKeys>> {
        self.logs.clone()
    }
}

/// HMAC-SHA-256 of a text under a key, with its kind mixed in.
pub(super) fn keyed(key: &[u8; 32], kind: &str, bare: &str) -> [u8; 32] {
    let mut out = [0; 32];
    // A key of any length is accepted, so this cannot fail.
    if let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) {
        mac.update(kind.as_bytes());
        mac.update(&[0]);
        mac.update(bare.as_bytes());
        out.copy_from_slice(&mac.finalize().into_bytes());
    }
    out
}

/// Seals a value for one place.
pub fn seal<T: Guarded>(
    codec: &dyn Codec,
    table: &str,
    column: &str,
    row: Uuid,
    value: &T,
) -> Result<Sealed<T>> {
    codec.seal(table, column, row, value.expose()).map(Sealed::from_bytes)
}

/// The look-up hash of a value.
pub fn hash<T: Guarded>(codec: &dyn Codec, value: &T) -> LookupHash {
    LookupHash::from_bytes(codec.hash(T::MASK, value.expose()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_tell_kinds_and_keys_apart() {
        let codec = ClosedCodec::new([7; 32]);
        assert_eq!(codec.hash("phone", "1"), codec.hash("phone", "1"));
        assert_ne!(codec.hash("phone", "1"), codec.hash("email", "1"));
        assert_ne!(codec.hash("phone", "1"), ClosedCodec::new([8; 32]).hash("phone", "1"));
    }

    #[test]
    fn a_hash_stays_what_it_was_since_stored_ones_rest_on_it() {
        let hash = ClosedCodec::new([7; 32]).hash("phone", "13800001234");
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, "3504b4557184dd554690bc0e76c11c1ae49b0ced4d493b1454558721e7e13937");
    }

    #[test]
    fn without_keys_nothing_is_sealed_and_nothing_opened() {
        let codec = ClosedCodec::new([7; 32]);
        assert!(codec.seal("student", "phone", Uuid::nil(), "13800001234").is_err());
        assert!(codec.open("student", "phone", Uuid::nil(), b"\x0113800001234").is_err());
    }
}
