//! Passwords become hashes (Argon2id) beside the threads that answer, so many at once and no more.
//!
//! A password of nobody is verified as well, against a hash of nothing: who has no account costs the same work.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use rand::Rng;
use tokio::sync::Semaphore;
use xueji_entity::value::PasswordHash;

use crate::config::secret::SecretText;
use crate::config::sign_in::SignIn;
use crate::error::{Error, Result};

/// Bytes of the salt of a hash.
const SALT: usize = 16;

/// Hashes and verifies passwords.
pub struct Hasher {
    params: Params,
    at_once: Arc<Semaphore>,
    /// What the passwords of nobody are verified against.
    nobody: PasswordHash,
    computed: AtomicU64,
}

impl std::fmt::Debug for Hasher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hasher(…)")
    }
}

impl Hasher {
    /// Under the parameters of the settings. Computes one hash.
    pub fn new(rules: &SignIn) -> Result<Self> {
        let params = Params::new(rules.hash_memory_kib, rules.hash_passes, rules.hash_lanes, None)
            .map_err(|error| Error::internal(format!("parameters of Argon2: {error}")))?;
        let mut random = [0_u8; 32];
        rand::rng().fill(&mut random);
        let nobody = hashed(&params, &random)?;
        let at_once = usize::try_from(rules.hashes_at_once).unwrap_or(1);
        Ok(Self {
            params,
            at_once: Arc::new(Semaphore::new(at_once)),
            nobody,
            computed: AtomicU64::new(0),
        })
    }

    /// The hash of a password, with a salt of its own.
    pub async fn hash(&self, password: &SecretText) -> Result<PasswordHash> {
        let (params, password) = (self.params.clone(), password.clone());
        self.beside(move || hashed(&params, password.reveal().as_bytes())).await?
    }

    /// Whether a password is the one of a hash; without a hash it never is, after the same work.
    pub async fn verify(&self, password: &SecretText, hash: Option<&PasswordHash>) -> Result<bool> {
        let (password, against) = (password.clone(), hash.unwrap_or(&self.nobody).clone());
        let same = self.beside(move || {
            let parsed = Phc::new(against.as_phc())
                .map_err(|_odd| Error::internal("a password hash cannot be read"))?;
            let bare = password.reveal().as_bytes();
            Ok::<_, Error>(Argon2::default().verify_password(bare, &parsed).is_ok())
        });
        Ok(same.await?? && hash.is_some())
    }

    /// Whether a hash was made under other parameters than those of the settings.
    pub fn outdated(&self, hash: &PasswordHash) -> bool {
        let made = Phc::new(hash.as_phc()).ok().and_then(|phc| Params::try_from(&phc).ok());
        made.is_none_or(|made| {
            (made.m_cost(), made.t_cost(), made.p_cost())
                != (self.params.m_cost(), self.params.t_cost(), self.params.p_cost())
        })
    }

    /// How many hashes were computed since the start.
    pub fn computed(&self) -> u64 {
        self.computed.load(Ordering::Relaxed)
    }

    async fn beside<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T> {
        let turn = Arc::clone(&self.at_once).acquire_owned().await;
        let turn = turn.map_err(|_closed| Error::internal("nobody hashes any more"))?;
        self.computed.fetch_add(1, Ordering::Relaxed);
        let done = tokio::task::spawn_blocking(move || {
            let done = work();
            // Held until the work is done, even when nobody waits for it any longer.
            drop(turn);
            done
        });
        done.await.map_err(|_panic| Error::internal("hashing a password failed"))
    }
}

fn hashed(params: &Params, password: &[u8]) -> Result<PasswordHash> {
    let salt: [u8; SALT] = rand::rng().random();
    let hash: Phc = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone())
        .hash_password_with_salt(password, &salt)
        .map_err(|_detail| Error::internal("hashing a password failed"))?;
    Ok(PasswordHash::from_text(hash.to_string()))
}
