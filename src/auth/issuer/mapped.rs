//! What claims of a token grant, where the settings say so: sessions with grants that hold while the token does.
//!
//! A mapping names issuer, claim, value, role and place; nothing else in a token grants anything. Such a grant is in no
//! table and no stream, and counts as one of a substitute: nobody passes it on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use quick_cache::sync::Cache;
use sha2::{Digest, Sha256};
use uuid::Uuid;
use xueji_entity::value::AccountId;

use super::External;
use crate::access::caller::{Grant, Place, Session};
use crate::access::table::Reach;
use crate::config::oidc::{Mapping, Region};
use crate::error::Result;
use crate::store::Store;

/// How long a session may be used again, if that of its account is still the same.
const FRESH: Duration = Duration::from_millis(900);

/// Sessions kept at once.
const KEPT: usize = 20_000;

/// Account, issuer and mappings.
type Key = (AccountId, usize, Vec<usize>);

/// A session with the instant of its making and the session of the account that it was made from.
type Made = (Instant, Arc<Session>, Arc<Session>);

/// The sessions with mapped grants that asked lately.
#[derive(Debug)]
pub struct Mapped {
    kept: Cache<Key, Made>,
}

impl Default for Mapped {
    fn default() -> Self {
        Self { kept: Cache::new(KEPT) }
    }
}

impl Mapped {
    /// What an account holds, with what the mappings add that its token meets.
    pub(super) async fn session(
        &self,
        base: Arc<Session>,
        external: &External,
        (issuer, mappings): (&str, &[Mapping]),
        store: &Store,
    ) -> Result<Arc<Session>> {
        let key = (base.account, external.issuer, external.grants.clone());
        if let Some((made, from, session)) = self.kept.get(&key)
            && Arc::ptr_eq(&from, &base)
            && made.elapsed() < FRESH
        {
            return Ok(session);
        }
        let made = Instant::now();
        // A program has the roles of its registration, and no others.
        if base.bounds.is_some() {
            return Ok(base);
        }
        let mut grants = base.grants.clone();
        for mapping in external.grants.iter().filter_map(|at| mappings.get(*at)) {
            // A role that the policy does not know, and a place that is not there, grant nothing.
            let Some(role) = base.policy.roles.id(&mapping.role) else { continue };
            let place = store.organisation_of(&mapping.place, &mapping.role).await?;
            let Some(place) = place else { continue };
            grants.push(Grant {
                id: id(issuer, mapping),
                role,
                reach: match mapping.place {
                    Region::School(_) => Reach::School,
                    Region::Authority(_) => Reach::Region,
                },
                place: Place::Organisation(place),
                since: base.today,
                until: None,
                expires_at: None,
                delegated: true,
            });
        }
        let session = Session::new(base.account, grants, Arc::clone(&base.policy), base.today);
        let session = Arc::new(session.of_program(base.program).in_login(base.login));
        self.kept.insert(key, (made, base, Arc::clone(&session)));
        Ok(session)
    }
}

/// The id of a mapped grant in the records: the same for the same words in the settings, and that of no row.
fn id(issuer: &str, mapping: &Mapping) -> Uuid {
    let (kind, code) = match &mapping.place {
        Region::School(code) => ("school", code),
        Region::Authority(code) => ("region", code),
    };
    let mut digest = Sha256::new();
    let words = [issuer, &mapping.value, &mapping.role, kind, code];
    for word in words.into_iter().chain(mapping.claim.iter().map(String::as_str)) {
        digest.update((word.len() as u64).to_be_bytes());
        digest.update(word);
    }
    let digest: [u8; 32] = digest.finalize().into();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid()
}
