//! The keys that an issuer publishes (JWKS), as far as they are fit to verify tokens.
//!
//! A key that is shared, private, weak, of another use or named like another one verifies nothing. The key, and not a
//! token, says which algorithms it is for.

use std::collections::{BTreeSet, HashMap};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::strict;
use crate::config::oidc::algorithm;

/// Most keys of an issuer; a document with more is none.
const MOST: usize = 64;

/// Longest name of a key.
pub(super) const LONGEST_KID: usize = 256;

/// Fewest and most bits of an RSA key: more only cost time.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=8192;

/// A digest of a key, by which it is known again.
pub(super) type Mark = [u8; 32];

/// A key of an issuer.
pub(super) struct Key {
    pub(super) mark: Mark,
    pub(super) decoding: DecodingKey,
    algorithms: Vec<Algorithm>,
}

impl Key {
    /// Whether it is for this algorithm.
    pub(super) fn is_for(&self, algorithm: Algorithm) -> bool {
        self.algorithms.contains(&algorithm)
    }
}

/// Reads a set of keys: those that are fit, by their names. Nothing when it is no set.
pub(super) fn read(document: &[u8]) -> Option<HashMap<String, Key>> {
    let document = strict::object(document)?;
    let listed = document.get("keys")?.as_array()?;
    if listed.len() > MOST {
        return None;
    }
    let mut keys = HashMap::new();
    let mut twice = BTreeSet::new();
    for one in listed {
        let one = one.as_object()?;
        // Counted before it is looked at: a name that stands twice is not clear, whatever the other key is.
        let Some(kid) = text(one, "kid").filter(|kid| fits(kid)) else { continue };
        let key = key(kid, one);
        if keys.insert(kid.to_owned(), key).is_some() {
            twice.insert(kid.to_owned());
        }
    }
    let fit = keys.into_iter().filter(|(kid, _)| !twice.contains(kid));
    Some(fit.filter_map(|(kid, key)| key.map(|key| (kid, key))).collect())
}

/// Whether a name can be that of a key.
pub(super) fn fits(kid: &str) -> bool {
    (1..=LONGEST_KID).contains(&kid.len())
}

fn text<'a>(of: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    of.get(name)?.as_str()
}

fn bytes(of: &Map<String, Value>, name: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text(of, name)?).ok()
}

fn key(kid: &str, of: &Map<String, Value>) -> Option<Key> {
    // A private key that is published is nobody's secret.
    if ["d", "p", "q", "k"].iter().any(|part| of.contains_key(*part)) {
        return None;
    }
    if of.get("use").is_some_and(|usage| usage.as_str() != Some("sig")) {
        return None;
    }
    if let Some(uses) = of.get("key_ops")
        && !uses.as_array()?.iter().any(|usage| usage.as_str() == Some("verify"))
    {
        return None;
    }
    let curve = text(of, "crv");
    let (decoding, possible, material) = match (text(of, "kty")?, curve) {
        ("RSA", None) => {
            let (modulus, exponent) = (bytes(of, "n")?, bytes(of, "e")?);
            let bits = bits(&modulus)?;
            let odd = modulus.last()? & 1 == 1 && exponent.last()? & 1 == 1;
            // At least 65537 and at most four bytes, as everybody has it.
            let usual = exponent.len() <= 4 && self::bits(&exponent)? > 16;
            if !RSA_BITS.contains(&bits) || !odd || !usual {
                return None;
            }
            let decoding = DecodingKey::from_rsa_raw_components(&modulus, &exponent);
            let possible = vec![
                Algorithm::RS256,
                Algorithm::RS384,
                Algorithm::RS512,
                Algorithm::PS256,
                Algorithm::PS384,
                Algorithm::PS512,
            ];
            (decoding, possible, [modulus, exponent])
        }
        ("EC", Some(curve @ ("P-256" | "P-384"))) => {
            let (length, algorithm) = match curve {
                "P-256" => (32, Algorithm::ES256),
                _ => (48, Algorithm::ES384),
            };
            let (x, y) = (bytes(of, "x")?, bytes(of, "y")?);
            if x.len() != length || y.len() != length {
                return None;
            }
            let decoding = DecodingKey::from_ec_components(text(of, "x")?, text(of, "y")?).ok()?;
            (decoding, vec![algorithm], [x, y])
        }
        ("OKP", Some("Ed25519")) => {
            let x = bytes(of, "x")?;
            if x.len() != 32 {
                return None;
            }
            let decoding = DecodingKey::from_ed_components(text(of, "x")?).ok()?;
            (decoding, vec![Algorithm::EdDSA], [x, Vec::new()])
        }
        _ => return None,
    };
    let algorithms = match of.get("alg") {
        None => possible,
        Some(named) => {
            let named = algorithm(named.as_str()?)?;
            possible.into_iter().filter(|possible| *possible == named).collect()
        }
    };
    if algorithms.is_empty() {
        return None;
    }
    let mut mark = Sha256::new();
    for part in [kid.as_bytes(), &material[0], &material[1]] {
        mark.update((part.len() as u64).to_be_bytes());
        mark.update(part);
    }
    Some(Key { mark: mark.finalize().into(), decoding, algorithms })
}

/// The bits of a whole number; none of nought.
fn bits(number: &[u8]) -> Option<usize> {
    let first = number.iter().position(|byte| *byte != 0)?;
    let leading = usize::try_from(number.get(first)?.leading_zeros()).ok()?;
    Some((number.len() - first) * 8 - leading)
}
