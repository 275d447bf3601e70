//! The master key, which wraps data keys and is never in the database.
//!
//! [`MasterKey`] is what a key service is to implement; [`LocalMaster`] holds the key itself, from a
//! file or the settings. A master key never sees a value of a row.

use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Key, KeyInit};
use futures_util::future::BoxFuture;
use rand::Rng;

use super::super::codec::keyed;
use crate::config::secret::SecretKey;
use crate::error::{Error, Result};

/// Wraps data keys. A key service answers over the network, so both ways may wait.
pub trait MasterKey: Send + Sync + 'static {
    /// A public fingerprint, kept beside what it wrapped; it tells nothing of the key.
    fn id(&self) -> String;
    /// The wrapped form of a data key, bound to its purpose.
    fn wrap<'a>(&'a self, purpose: &'a str, key: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>>>;
    /// The data key of a wrapped form; an error when it was wrapped by another master key or for another purpose.
    fn open<'a>(&'a self, purpose: &'a str, wrapped: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>>>;
}

/// A master key that this process holds: AES-256-GCM, with the purpose as associated data.
pub struct LocalMaster {
    id: String,
    cipher: Aes256Gcm,
}

const NONCE: usize = 12;

impl LocalMaster {
    /// The master key of the settings.
    pub fn new(key: &SecretKey) -> Self {
        let print = keyed(key.bytes(), "xueji.master-key", "fingerprint");
        Self {
            id: print.iter().take(8).map(|byte| format!("{byte:02x}")).collect(),
            cipher: Aes256Gcm::new(&Key::<Aes256Gcm>::from(*key.bytes())),
        }
    }

    fn wrapped(&self, purpose: &str, key: &[u8]) -> Result<Vec<u8>> {
        let nonce: [u8; NONCE] = rand::rng().random();
        let payload = Payload { msg: key, aad: purpose.as_bytes() };
        let sealed = self.cipher.encrypt(&nonce.into(), payload);
        let sealed = sealed.map_err(|_opaque| Error::internal("a data key cannot be wrapped"))?;
        Ok([nonce.as_slice(), &sealed].concat())
    }

    fn opened(&self, purpose: &str, wrapped: &[u8]) -> Result<Vec<u8>> {
        let refused = || Error::internal("a data key is not opened by this master key");
        let (nonce, sealed) = wrapped.split_first_chunk::<NONCE>().ok_or_else(refused)?;
        let payload = Payload { msg: sealed, aad: purpose.as_bytes() };
        self.cipher.decrypt(&(*nonce).into(), payload).map_err(|_opaque| refused())
    }
}

impl std::fmt::Debug for LocalMaster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LocalMaster({})", self.id)
    }
}

impl MasterKey for LocalMaster {
    fn id(&self) -> String {
        self.id.clone()
    }

    fn wrap<'a>(&'a self, purpose: &'a str, key: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(async move { self.wrapped(purpose, key) })
    }

    fn open<'a>(&'a self, purpose: &'a str, wrapped: &'a [u8]) -> BoxFuture<'a, Result<Vec<u8>>> {
        Box::pin(async move { self.opened(purpose, wrapped) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master(byte: u8) -> LocalMaster {
        LocalMaster::new(&SecretKey::from_bytes([byte; 32]))
    }

    #[tokio::test]
    async fn what_is_wrapped_opens_under_the_same_key_and_purpose_alone() {
        let wrapped = master(7).wrap("column 1", &[3; 32]).await.unwrap();
        assert_eq!(master(7).open("column 1", &wrapped).await.unwrap(), [3; 32]);
        assert!(master(7).open("column 2", &wrapped).await.is_err());
        assert!(master(8).open("column 1", &wrapped).await.is_err());
        let mut bent = wrapped.clone();
        bent[20] ^= 1;
        assert!(master(7).open("column 1", &bent).await.is_err());
        assert!(master(7).open("column 1", &wrapped[..5]).await.is_err());
    }

    #[test]
    fn the_fingerprint_tells_keys_apart_and_is_no_part_of_one() {
        assert_ne!(master(7).id(), master(8).id());
        assert_eq!((master(7).id(), master(7).id().len()), (master(7).id(), 16));
        assert!(!format!("{:?}", master(7)).contains("0707"));
    }
}
