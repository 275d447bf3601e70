//! Whose tokens are accepted: those of the keys in the settings, and those of other issuers (OpenID Connect).
//!
//! The issuer that a token names picks the keys, and only that issuer's keys verify it; nothing else in a token leads
//! anywhere. `remote` is one issuer, `keys` what it publishes, `fetch` how that is read, `strict` the JSON of it, and
//! `identities` the way to an account. A token that has verified is remembered as long as its key is one of its issuer's.

mod fetch;
mod identities;
mod keys;
mod mapped;
mod remote;
mod strict;
#[cfg(test)]
mod tests;

use std::{fmt, sync::Arc};

use futures_util::future::join_all;
use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};

pub use fetch::FetchError;
pub use identities::Identities;
pub use mapped::Mapped;
pub use remote::is_subject;

use super::jwt::{ByBytes, Claims, KeySet, MAX_TOKEN_BYTES, TokenError};
use crate::access::caller::Session;
use crate::config::oidc::Oidc;
use crate::error;
use crate::store::Store;
use fetch::Client;
use remote::{Parts, Remote};

/// What is known of a token of another issuer, besides its claims.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct External {
    /// Which of the issuers.
    issuer: usize,
    /// The key that verified it.
    key: keys::Mark,
    /// Which of the issuer's mappings its claims meet.
    grants: Vec<usize>,
}

/// Every issuer whose tokens are accepted.
#[derive(Clone)]
pub struct Issuers {
    own: Arc<KeySet>,
    others: Arc<[Arc<Remote>]>,
    verified: Arc<Cache<[u8; 32], Arc<Claims>, ByBytes>>,
}

impl fmt::Debug for Issuers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let others = self.others.iter().map(|other| &other.issuer.name);
        f.debug_struct("Issuers")
            .field("own", &self.own)
            .field("others", &others.collect::<Vec<_>>())
            .finish()
    }
}

impl From<Arc<KeySet>> for Issuers {
    /// The keys of the settings alone.
    fn from(own: Arc<KeySet>) -> Self {
        let verified = Arc::new(Cache::with_weighter(1, 1, ByBytes));
        Self { own, others: Arc::default(), verified }
    }
}

impl Issuers {
    /// The keys of the settings and other issuers; none of those is asked yet.
    pub fn new(own: Arc<KeySet>, settings: &Oidc, cache_bytes: u64) -> Result<Self, FetchError> {
        describe();
        let others = settings.issuers.iter().enumerate().map(|(at, issuer)| {
            let client = Client::new(settings.ca_file.as_deref(), settings.patience)?;
            Ok(Arc::new(Remote::new(at, issuer, settings, client)))
        });
        let others = others.collect::<Result<_, FetchError>>()?;
        let items = usize::try_from(cache_bytes / 512).unwrap_or(usize::MAX).max(1);
        let verified = Arc::new(Cache::with_weighter(items, cache_bytes, ByBytes));
        Ok(Self { own, others, verified })
    }

    /// Whether there are issuers beside the keys of the settings.
    pub fn has_others(&self) -> bool {
        !self.others.is_empty()
    }

    /// Verifies a token. Its issuer is asked for keys when it names one that is not known, at most once in a while.
    pub async fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        if self.others.is_empty() {
            return self.own.verify(token);
        }
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now = jsonwebtoken::get_current_timestamp();
        if let Some(claims) = self.verified.get(&digest) {
            if now < claims.exp && self.vouches(&claims) {
                return Ok(claims);
            }
            self.verified.remove(&digest);
        }
        let Some(parts) = Parts::of(token) else { return self.own.verify(token) };
        let named = parts.payload.get("iss").and_then(serde_json::Value::as_str);
        let mut others = self.others.iter();
        let Some(other) = others.find(|other| named == Some(other.issuer.name.as_str())) else {
            return self.own.verify(token);
        };
        let claims = Arc::new(other.verify(token, &parts, now).await?);
        // Within the leeway after `exp` a token still passes, but is verified each time.
        if now < claims.exp {
            self.verified.insert(digest, Arc::clone(&claims));
        }
        Ok(claims)
    }

    /// Whether a token has verified lately and holds still.
    pub fn knows(&self, token: &str) -> bool {
        if self.own.knows(token) {
            return true;
        }
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now = jsonwebtoken::get_current_timestamp();
        self.has_others()
            && token.len() <= MAX_TOKEN_BYTES
            && self
                .verified
                .peek(&digest)
                .is_some_and(|claims| now < claims.exp && self.vouches(&claims))
    }

    /// Whether the key that verified a token is still one of its issuer's. What the settings' keys verified holds.
    pub fn vouches(&self, claims: &Claims) -> bool {
        match &claims.external {
            None => true,
            Some(external) => {
                self.others.get(external.issuer).is_some_and(|other| other.vouches(&external.key))
            }
        }
    }

    /// What the account of a verified token holds, with what the token's claims add where the settings say so.
    pub async fn session(
        &self,
        base: Arc<Session>,
        claims: &Claims,
        mapped: &Mapped,
        store: &Store,
    ) -> error::Result<Arc<Session>> {
        let Some(external) = claims.external.as_ref().filter(|it| !it.grants.is_empty()) else {
            return Ok(base);
        };
        let Some(other) = self.others.get(external.issuer) else { return Ok(base) };
        let issuer = (other.issuer.name.as_str(), other.issuer.grants.as_slice());
        mapped.session(base, external, issuer, store).await
    }

    /// Fetches the keys that are due, of all issuers at once.
    pub async fn look(&self) {
        join_all(self.others.iter().map(Remote::look)).await;
    }

    /// How many issuers there are, and how many of them could not be reached last.
    pub fn away(&self) -> (usize, usize) {
        (self.others.len(), self.others.iter().filter(|other| other.is_away()).count())
    }
}

fn describe() {
    metrics::describe_counter!(
        "xueji_oidc_fetches_total",
        "Fetches of the keys of an issuer, by issuer and outcome: done or failed"
    );
    metrics::describe_gauge!(
        "xueji_oidc_issuer_away",
        "1 while the keys of an issuer cannot be fetched"
    );
}
