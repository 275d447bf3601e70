//! Which account an identity of another issuer is linked with, remembered for less than half a second.
//!
//! An identity is issuer and subject, compared byte by byte; a name or an address of mail is never looked at.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use xueji_entity::value::AccountId;

use crate::auth::jwt::Claims;
use crate::error::Result;
use crate::store::Store;

/// How long what was read may be used again: with the looks of open streams this stays within a second.
const FRESH: Duration = Duration::from_millis(400);

/// Identities kept at once.
const KEPT: usize = 20_000;

/// Issuer and subject.
type Identity = (Arc<str>, Arc<str>);

/// The identities that asked lately.
#[derive(Debug)]
pub struct Identities {
    kept: Cache<Identity, (Instant, Option<AccountId>)>,
}

impl Default for Identities {
    fn default() -> Self {
        Self { kept: Cache::new(KEPT) }
    }
}

impl Identities {
    /// The account of whoever a verified token of another issuer names; none when none is linked.
    pub async fn account(&self, claims: &Claims, store: &Store) -> Result<Option<AccountId>> {
        let identity: Identity = (claims.iss.as_str().into(), claims.sub.as_str().into());
        if let Some((read, account)) = self.kept.get(&identity)
            && read.elapsed() < FRESH
        {
            return Ok(account);
        }
        // Counted from before the read: what changes meanwhile is seen at the next one.
        let read = Instant::now();
        let account = store.account_of_identity(&claims.iss, &claims.sub).await?;
        self.kept.insert(identity, (read, account));
        Ok(account)
    }
}
