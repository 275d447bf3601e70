//! Bearer tokens: verified against keys from the settings, and signed for the demo and `xueji token`.
//!
//! A token names its key by `kid`; the key, not the token, decides the algorithm. Issuer, audience, subject, expiry
//! and time of issue must be there. This module never looks at accounts: [`Claims`] say who the issuer vouches for.

pub mod signer;
#[cfg(test)]
mod tests;

use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use jsonwebtoken::{Algorithm, DecodingKey, Validation, errors::ErrorKind};
use quick_cache::{Weighter, sync::Cache};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{
    clock::Clock,
    config::{flags::KeySpec, settings::Jwt},
};

/// Longest token that is looked at.
pub const MAX_TOKEN_BYTES: usize = 8 * 1024;

/// What a verified token says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Whom the issuer vouches for.
    pub sub: String,
    /// The issuer.
    pub iss: String,
    /// End of validity, in seconds since 1970.
    pub exp: u64,
    /// Time of issue, in seconds since 1970.
    pub iat: u64,
    /// Id of the token, for revocation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub jti: Option<String>,
    /// The session that the token was given in; of tokens that were given here alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sid: Option<String>,
}

impl Claims {
    /// The validity that is left, without the leeway that a new request is given; zero after its end.
    pub fn remaining(&self) -> Duration {
        let end = i64::try_from(self.exp).unwrap_or(i64::MAX).saturating_mul(1_000);
        let left = end.saturating_sub(Clock::system(chrono_tz::UTC).now().timestamp_millis());
        Duration::from_millis(u64::try_from(left).unwrap_or_default())
    }
}

/// Why a token is refused. The client learns no more than this; the token itself is in none of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// No JWT with the claims that are needed.
    #[error("the token is malformed")]
    Malformed,
    /// Longer than [`MAX_TOKEN_BYTES`].
    #[error("the token is too long")]
    TooLong,
    /// The header names no key, or one that is not configured.
    #[error("the token names no known key")]
    UnknownKey,
    /// The header's algorithm is not the one of the key.
    #[error("the token's algorithm is not the one of its key")]
    WrongAlgorithm,
    /// The signature does not fit.
    #[error("the token's signature does not fit")]
    BadSignature,
    /// The validity has ended.
    #[error("the token has expired")]
    Expired,
    /// The validity has not begun.
    #[error("the token is not valid yet")]
    NotYetValid,
    /// Another issuer.
    #[error("the token is of another issuer")]
    WrongIssuer,
    /// Another audience, or none.
    #[error("the token is for another audience")]
    WrongAudience,
}

/// Why keys cannot be used; each is one sentence for the person who starts the server.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// No key, issuer or audience: tokens could not be verified.
    #[error(
        "Tokens cannot be verified without {0}; see --jwt-key, --jwt-issuer and --jwt-audience."
    )]
    Incomplete(&'static str),
    /// A key that cannot be used.
    #[error("The token key {kid:?} (jwt.keys) cannot be used: {why}.")]
    Unusable {
        /// The key's id.
        kid: String,
        /// What is wrong and what to do.
        why: String,
    },
    /// The signing key file cannot be used.
    #[error("The signing key {path} cannot be used: {why}.")]
    File {
        /// The key file.
        path: String,
        /// What is wrong and what to do.
        why: String,
    },
}

/// The keys that verify tokens, with a bounded memory of tokens already verified.
pub struct KeySet {
    keys: HashMap<String, Key>,
    verified: Cache<[u8; 32], Arc<Claims>, ByBytes>,
    leeway_seconds: u64,
    /// The key of this deployment, whose tokens may name sessions.
    own: Option<String>,
}

struct Key {
    decoding: DecodingKey,
    validation: Validation,
}

#[derive(Clone)]
struct ByBytes;

impl Weighter<[u8; 32], Arc<Claims>> for ByBytes {
    fn weight(&self, _: &[u8; 32], claims: &Arc<Claims>) -> u64 {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let text =
            claims.sub.len() + claims.iss.len() + optional(&claims.jti) + optional(&claims.sid);
        u64::try_from(text).unwrap_or(u64::MAX).saturating_add(256)
    }
}

impl fmt::Debug for KeySet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").field("kids", &self.keys.keys()).finish_non_exhaustive()
    }
}

impl KeySet {
    /// Reads every key once. A key that could never verify a token stops the start.
    pub fn new(settings: &Jwt, cache_bytes: u64) -> Result<Self, KeyError> {
        if settings.keys.is_empty() {
            return Err(KeyError::Incomplete("keys"));
        }
        if settings.issuer.is_empty() {
            return Err(KeyError::Incomplete("an issuer"));
        }
        // jsonwebtoken accepts a token without `aud` when no audience is set; an audience is therefore never optional.
        if settings.audience.is_empty() {
            return Err(KeyError::Incomplete("an audience"));
        }
        let mut keys = HashMap::new();
        for spec in &settings.keys {
            let key = Key::new(spec, settings)
                .map_err(|why| KeyError::Unusable { kid: spec.kid.clone(), why })?;
            if keys.insert(spec.kid.clone(), key).is_some() {
                let why = "another key has the same kid".to_owned();
                return Err(KeyError::Unusable { kid: spec.kid.clone(), why });
            }
        }
        let items = usize::try_from(cache_bytes / 512).unwrap_or(usize::MAX).max(1);
        let verified = Cache::with_weighter(items, cache_bytes, ByBytes);
        Ok(Self { keys, verified, leeway_seconds: settings.leeway.as_secs(), own: None })
    }

    /// The same where tokens of this key name sessions of this deployment. What others call a session is none of ours.
    #[must_use]
    pub fn naming_sessions(self, kid: &str) -> Self {
        Self { own: Some(kid.to_owned()), ..self }
    }

    /// Verifies a token. Revocation and accounts are checked by whoever receives the claims, each time.
    pub fn verify(&self, token: &str) -> Result<Arc<Claims>, TokenError> {
        if token.len() > MAX_TOKEN_BYTES {
            return Err(TokenError::TooLong);
        }
        let now = jsonwebtoken::get_current_timestamp();
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        if let Some(claims) = self.verified.get(&digest) {
            if now < claims.exp {
                return Ok(claims);
            }
            self.verified.remove(&digest);
        }
        let claims = Arc::new(self.verify_afresh(token, now)?);
        // Within the leeway after `exp` a token still passes, but is verified each time.
        if now < claims.exp {
            self.verified.insert(digest, Arc::clone(&claims));
        }
        Ok(claims)
    }

    /// Whether a token has verified lately and holds still.
    pub fn knows(&self, token: &str) -> bool {
        let digest: [u8; 32] = Sha256::digest(token.as_bytes()).into();
        let now = jsonwebtoken::get_current_timestamp();
        token.len() <= MAX_TOKEN_BYTES
            && self.verified.peek(&digest).is_some_and(|claims| now < claims.exp)
    }

    fn verify_afresh(&self, token: &str, now: u64) -> Result<Claims, TokenError> {
        // `alg: none` and algorithms unknown to the library fail here already.
        let header =
            jsonwebtoken::decode_header(token).map_err(|_unreadable| TokenError::Malformed)?;
        // A critical extension asks the verifier to understand it, and none is understood.
        if header.crit.is_some() {
            return Err(TokenError::Malformed);
        }
        let own = self.own.is_some() && header.kid == self.own;
        let key = header.kid.and_then(|kid| self.keys.get(&kid)).ok_or(TokenError::UnknownKey)?;
        let data = jsonwebtoken::decode::<Claims>(token, &key.decoding, &key.validation)
            .map_err(|error| refusal(error.kind()))?;
        let claims = Claims { sid: data.claims.sid.filter(|_| own), ..data.claims };
        if claims.iat > now.saturating_add(self.leeway_seconds) {
            return Err(TokenError::NotYetValid);
        }
        if claims.sub.is_empty() {
            return Err(TokenError::Malformed);
        }
        Ok(claims)
    }

    #[cfg(test)]
    fn remembered(&self) -> usize {
        self.verified.len()
    }
}

impl Key {
    fn new(spec: &KeySpec, settings: &Jwt) -> Result<Self, String> {
        let algorithm = match spec.alg.as_str() {
            "EdDSA" => Algorithm::EdDSA,
            "ES256" => Algorithm::ES256,
            "RS256" => Algorithm::RS256,
            "HS256" => Algorithm::HS256,
            other => {
                return Err(format!(
                    "its algorithm {other:?} is not one of EdDSA, ES256, RS256, HS256"
                ));
            }
        };
        let text = match (&spec.key, &spec.file) {
            (Some(key), None) => key.reveal().as_bytes().to_vec(),
            (None, Some(file)) => std::fs::read(file)
                .map_err(|error| format!("its file cannot be read ({})", error.kind()))?,
            (Some(_), Some(_)) | (None, None) => {
                return Err("it needs exactly one of key and file".to_owned());
            }
        };
        let decoding = decoding_key(algorithm, text.trim_ascii())?;
        let mut validation = Validation::new(algorithm);
        validation.leeway = settings.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_issuer(&[&settings.issuer]);
        validation.set_audience(&[&settings.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        let key = Self { decoding, validation };
        key.probe(algorithm)?;
        Ok(key)
    }

    /// Verifies a token with a wrong signature: a usable key says so, any other answer is a fault of the key.
    fn probe(&self, algorithm: Algorithm) -> Result<(), String> {
        let signer = jsonwebtoken::EncodingKey::from_secret(&[0; 32]);
        let header = jsonwebtoken::Header::new(Algorithm::HS256);
        let text = jsonwebtoken::encode(&header, &serde_json::json!({}), &signer)
            .map_err(|error| error.to_string())?;
        let mut parts = text.split('.').map(str::to_owned).collect::<Vec<_>>();
        let header = jsonwebtoken::Header::new(algorithm);
        let header = serde_json::to_vec(&header).map_err(|error| error.to_string())?;
        if let Some(first) = parts.first_mut() {
            *first =
                base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, header);
        }
        match jsonwebtoken::decode::<Claims>(parts.join("."), &self.decoding, &self.validation) {
            Err(error) if matches!(error.kind(), ErrorKind::InvalidSignature) => Ok(()),
            Ok(_) | Err(_) => Err("it is no public key of its algorithm".to_owned()),
        }
    }
}

fn decoding_key(algorithm: Algorithm, text: &[u8]) -> Result<DecodingKey, String> {
    let pem = text.starts_with(b"-----BEGIN");
    if algorithm == Algorithm::HS256 {
        // A public key as a shared secret would let everyone who knows it sign tokens.
        if pem {
            return Err(
                "an HS256 secret is no PEM file; use random text of at least 32 bytes".to_owned()
            );
        }
        if text.len() < 32 {
            return Err("an HS256 secret needs at least 32 bytes".to_owned());
        }
        return Ok(DecodingKey::from_secret(text));
    }
    if !pem {
        return Err("it is no PEM file; give the public key in PEM".to_owned());
    }
    if text.windows(11).any(|window| window == b"PRIVATE KEY") {
        return Err("it is a private key; the server needs the public key only".to_owned());
    }
    let key = if algorithm == Algorithm::EdDSA {
        DecodingKey::from_ed_pem(text)
    } else if algorithm == Algorithm::ES256 {
        DecodingKey::from_ec_pem(text)
    } else {
        DecodingKey::from_rsa_pem(text)
    };
    let key = key.map_err(|_detail| "it is no public key of its algorithm in PEM".to_owned())?;
    // The DER text of a 2048-bit RSA key is 270 bytes, of a 1024-bit one 140.
    if algorithm == Algorithm::RS256 && key.try_get_as_bytes().is_ok_and(|der| der.len() < 256) {
        return Err("an RSA key needs at least 2048 bits".to_owned());
    }
    Ok(key)
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the library's enum is open; every other kind is a malformed token"
)]
fn refusal(kind: &ErrorKind) -> TokenError {
    match kind {
        ErrorKind::InvalidSignature => TokenError::BadSignature,
        ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => TokenError::WrongAlgorithm,
        ErrorKind::ExpiredSignature => TokenError::Expired,
        ErrorKind::ImmatureSignature => TokenError::NotYetValid,
        ErrorKind::InvalidIssuer => TokenError::WrongIssuer,
        ErrorKind::InvalidAudience => TokenError::WrongAudience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "aud" => TokenError::WrongAudience,
        ErrorKind::MissingRequiredClaim(claim) if claim == "iss" => TokenError::WrongIssuer,
        _ => TokenError::Malformed,
    }
}
