//! One issuer of another house: its keys, when they are fetched, and its tokens verified with them.
//!
//! Keys are fetched when they are due, and when a token names one that is not known; of many who wait for that one
//! fetches, and nobody does again before the pause is over, which grows with each failure. Old keys serve while an issuer
//! is away, and not for ever.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use arc_swap::ArcSwap;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, Validation};
use serde_json::{Map, Value};
use tokio::sync::Mutex;

use super::{
    External,
    fetch::{Client, Unread},
    keys::{self, Key, Mark},
    strict,
};
use crate::auth::jwt::{Claims, TokenError, refusal};
use crate::config::oidc::{Address, Issuer, Mapping, Oidc, algorithm};

/// Header parameters that name keys, certificates or ways of reading. None is followed, and a token with one is refused:
/// a critical extension asks to be understood, and none is.
const NEVER: [&str; 9] = ["jku", "jwk", "x5u", "x5c", "crit", "b64", "zip", "enc", "epk"];

/// Claims that stand in ID tokens alone.
const OF_ID_TOKENS: [&str; 3] = ["nonce", "at_hash", "c_hash"];

/// Longest subject.
const LONGEST_SUBJECT: usize = 255;

/// How often the pause doubles at most while fetches fail.
const DOUBLINGS: u32 = 5;

/// The keys as they were fetched last.
#[derive(Default)]
struct Known {
    keys: HashMap<String, Key>,
    fetched: Option<Instant>,
}

/// When keys may be fetched again.
#[derive(Default)]
struct Gate {
    next: Option<Instant>,
    failures: u32,
}

/// An issuer of another house.
pub(super) struct Remote {
    pub(super) issuer: Issuer,
    at: usize,
    refresh: Duration,
    pause: Duration,
    keep: Duration,
    client: Client,
    known: ArcSwap<Known>,
    gate: Mutex<Gate>,
    /// Fetches that have ended.
    fetches: AtomicU64,
    away: AtomicBool,
}

/// A token that was taken apart; nothing of it is verified yet.
pub(super) struct Parts {
    header: Map<String, Value>,
    pub(super) payload: Map<String, Value>,
}

impl Parts {
    /// Takes a token apart.
    pub(super) fn of(token: &str) -> Option<Self> {
        let mut parts = token.split('.');
        let (header, payload, signature) = (parts.next()?, parts.next()?, parts.next()?);
        if parts.next().is_some() || signature.is_empty() {
            return None;
        }
        let object = |part: &str| strict::object(&URL_SAFE_NO_PAD.decode(part).ok()?);
        Some(Self { header: object(header)?, payload: object(payload)? })
    }

    fn said(&self, name: &str) -> Option<&str> {
        self.header.get(name)?.as_str()
    }
}

impl Remote {
    pub(super) fn new(at: usize, issuer: &Issuer, settings: &Oidc, client: Client) -> Self {
        let remote = Self {
            issuer: issuer.clone(),
            at,
            refresh: settings.refresh,
            pause: settings.pause,
            keep: settings.keep,
            client,
            known: ArcSwap::default(),
            gate: Mutex::default(),
            fetches: AtomicU64::new(0),
            away: AtomicBool::new(false),
        };
        for outcome in ["done", "failed"] {
            remote.counted(outcome).increment(0);
        }
        remote
    }

    fn counted(&self, outcome: &'static str) -> metrics::Counter {
        let issuer = self.issuer.name.clone();
        metrics::counter!("xueji_oidc_fetches_total", "issuer" => issuer, "outcome" => outcome)
    }

    /// Whether its last fetch has failed.
    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Relaxed)
    }

    /// Whether a key that verified something is still one of its keys.
    pub(super) fn vouches(&self, mark: &Mark) -> bool {
        let known = self.known.load();
        self.serves(&known) && known.keys.values().any(|key| key.mark == *mark)
    }

    /// Whether keys are recent enough to serve.
    fn serves(&self, known: &Known) -> bool {
        known.fetched.is_some_and(|fetched| fetched.elapsed() <= self.keep)
    }

    /// Fetches the keys if they are due and the pause is over.
    pub(super) async fn look(self: &Arc<Self>) {
        let fetched = self.known.load().fetched;
        if self.is_away() || fetched.is_none_or(|fetched| fetched.elapsed() >= self.refresh) {
            self.fetch(self.fetches.load(Ordering::Acquire)).await;
        }
    }

    /// Fetches the keys, unless somebody has done so since that many fetches, or the pause lasts.
    pub(super) async fn fetch(self: &Arc<Self>, seen: u64) {
        let this = Arc::clone(self);
        // A task of its own: whoever waits for it may leave, and the others go on waiting for the same fetch.
        let task = tokio::spawn(async move {
            let mut gate = this.gate.lock().await;
            let now = Instant::now();
            if this.fetches.load(Ordering::Acquire) != seen
                || gate.next.is_some_and(|next| now < next)
            {
                return;
            }
            let read = this.keys().await;
            this.learn(&mut gate, now, read);
            this.fetches.fetch_add(1, Ordering::Release);
        });
        // A fetch that ended badly has left everything as it was.
        let _ended = task.await;
    }

    fn learn(&self, gate: &mut Gate, begun: Instant, read: Result<HashMap<String, Key>, Unread>) {
        let issuer = self.issuer.name.as_str();
        let pause = match read {
            Ok(keys) => {
                self.counted("done").increment(1);
                let before = self.known.load_full();
                let retired = before
                    .keys
                    .values()
                    .filter(|old| !keys.values().any(|key| key.mark == old.mark));
                let retired = retired.count();
                if self.away.swap(false, Ordering::Relaxed)
                    || retired > 0
                    || before.fetched.is_none()
                {
                    tracing::info!(issuer, keys = keys.len(), retired, "keys of an issuer fetched");
                }
                if keys.is_empty() {
                    tracing::warn!(issuer, "an issuer has no key that can be used");
                }
                self.known.store(Arc::new(Known { keys, fetched: Some(begun) }));
                gate.failures = 0;
                self.pause
            }
            Err(unread) => {
                self.counted("failed").increment(1);
                if !self.away.swap(true, Ordering::Relaxed) {
                    tracing::warn!(issuer, reason = %unread, "the keys of an issuer cannot be fetched");
                }
                let doublings = gate.failures.min(DOUBLINGS);
                gate.failures = gate.failures.saturating_add(1);
                self.pause.saturating_mul(1 << doublings)
            }
        };
        gate.next = Instant::now().checked_add(pause);
        let away = if self.is_away() { 1.0 } else { 0.0 };
        metrics::gauge!("xueji_oidc_issuer_away", "issuer" => issuer.to_owned()).set(away);
    }

    async fn keys(&self) -> Result<HashMap<String, Key>, Unread> {
        let address = match &self.issuer.jwks {
            Some(pinned) => pinned.clone(),
            None => self.discovered().await?,
        };
        keys::read(&self.client.get(&address).await?).ok_or(Unread::Unfit)
    }

    /// Where the discovery document says that the keys are.
    async fn discovered(&self) -> Result<Address, Unread> {
        let document = self.client.get(&self.issuer.discovery).await?;
        let document = strict::object(&document).ok_or(Unread::Unfit)?;
        let text = |name: &str| document.get(name).and_then(Value::as_str);
        if text("issuer") != Some(self.issuer.name.as_str()) {
            return Err(Unread::OtherIssuer);
        }
        let address = Address::parse(text("jwks_uri").ok_or(Unread::NoKeys)?);
        let address = address.map_err(|_why| Unread::NoKeys)?;
        // What is asked without TLS may send to nothing but this machine either, and nothing else may send there.
        if address.is_loopback() != self.issuer.discovery.is_loopback() {
            return Err(Unread::NoKeys);
        }
        Ok(address)
    }

    /// Verifies a token that names this issuer.
    pub(super) async fn verify(
        self: &Arc<Self>,
        token: &str,
        parts: &Parts,
        now: u64,
    ) -> Result<Claims, TokenError> {
        let (kid, algorithm) = self.header(parts)?;
        let mut known = self.known.load_full();
        if !self.serves(&known) || !known.keys.contains_key(kid) {
            // From before the second look: a fetch that ends between the two is noticed.
            let seen = self.fetches.load(Ordering::Acquire);
            known = self.known.load_full();
            if !self.serves(&known) || !known.keys.contains_key(kid) {
                self.fetch(seen).await;
                known = self.known.load_full();
            }
        }
        if !self.serves(&known) {
            return Err(TokenError::IssuerAway);
        }
        let key = known.keys.get(kid).ok_or(TokenError::UnknownKey)?;
        if !key.is_for(algorithm) {
            return Err(TokenError::WrongAlgorithm);
        }
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.issuer.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&self.issuer.name]);
        validation.set_audience(&self.issuer.audiences);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        jsonwebtoken::decode::<Map<String, Value>>(token, &key.decoding, &validation)
            .map_err(|error| refusal(error.kind()))?;
        self.claims(&parts.payload, key.mark, now)
    }

    /// What the header must say: the name of a key, and an algorithm that is allowed.
    fn header<'p>(&self, parts: &'p Parts) -> Result<(&'p str, Algorithm), TokenError> {
        if NEVER.iter().any(|name| parts.header.contains_key(*name)) {
            return Err(TokenError::Malformed);
        }
        let allowed = |algorithm: &Algorithm| self.issuer.algorithms.contains(algorithm);
        let algorithm = parts.said("alg").and_then(algorithm).filter(allowed);
        let algorithm = algorithm.ok_or(TokenError::WrongAlgorithm)?;
        let kind = parts.said("typ").ok_or(TokenError::NoAccess)?;
        if !["at+jwt", "application/at+jwt", "JWT"].iter().any(|it| kind.eq_ignore_ascii_case(it)) {
            return Err(TokenError::NoAccess);
        }
        let kid = parts.said("kid").filter(|kid| keys::fits(kid)).ok_or(TokenError::UnknownKey)?;
        Ok((kid, algorithm))
    }

    /// What a payload must say whose signature, issuer, audience and times are right.
    fn claims(
        &self,
        payload: &Map<String, Value>,
        key: Mark,
        now: u64,
    ) -> Result<Claims, TokenError> {
        let text = |name: &str| payload.get(name).and_then(Value::as_str);
        let other = |name: &str, access: &str| {
            payload.get(name).is_some_and(|kind| {
                !kind.as_str().is_some_and(|kind| kind.eq_ignore_ascii_case(access))
            })
        };
        if OF_ID_TOKENS.iter().any(|name| payload.contains_key(*name))
            || other("token_use", "access")
            || other("typ", "Bearer")
        {
            return Err(TokenError::NoAccess);
        }
        let seconds = |name: &str| payload.get(name).and_then(Value::as_u64);
        let (exp, iat) = (seconds("exp"), seconds("iat"));
        let (Some(exp), Some(iat), Some(sub)) = (exp, iat, text("sub")) else {
            return Err(TokenError::Malformed);
        };
        if iat > now.saturating_add(self.issuer.leeway.as_secs()) {
            return Err(TokenError::NotYetValid);
        }
        if !is_subject(sub) {
            return Err(TokenError::Malformed);
        }
        Ok(Claims {
            sub: sub.to_owned(),
            iss: self.issuer.name.clone(),
            exp,
            iat,
            jti: text("jti").map(str::to_owned),
            // Sessions are ours alone: what another issuer calls one is none here.
            sid: None,
            external: Some(External { issuer: self.at, key, grants: self.granted(payload) }),
        })
    }
}

impl Remote {
    /// The mappings that a payload meets.
    fn granted(&self, payload: &Map<String, Value>) -> Vec<usize> {
        let meets = |mapping: &Mapping| {
            let (first, rest) = mapping.claim.split_first()?;
            let claim = rest.iter().try_fold(payload.get(first)?, |at, name| at.get(name))?;
            let is = |value: &Value| value.as_str() == Some(mapping.value.as_str());
            Some(is(claim) || claim.as_array().is_some_and(|list| list.iter().any(is)))
        };
        let mappings = self.issuer.grants.iter().enumerate();
        mappings.filter(|(_, one)| meets(one) == Some(true)).map(|(at, _)| at).collect()
    }
}

/// Whether a text can be what an issuer calls somebody: one to 255 bytes without control characters.
pub fn is_subject(text: &str) -> bool {
    (1..=LONGEST_SUBJECT).contains(&text.len()) && !text.chars().any(char::is_control)
}
