//! Keys that an issuer publishes and that are not fit.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use super::keys::read;

fn ed(over: Value) -> Value {
    let mut key = json!({"kty": "OKP", "crv": "Ed25519", "x": B64.encode([7; 32]), "kid": "k"});
    for (name, value) in over.as_object().unwrap() {
        key[name] = value.clone();
    }
    key
}

/// An RSA key with a modulus of so many bits, odd.
fn rsa(bits: usize, exponent: &[u8]) -> Value {
    let mut modulus = vec![0xff; bits / 8];
    modulus[0] = 0x80;
    json!({"kty": "RSA", "n": B64.encode(modulus), "e": B64.encode(exponent), "kid": "k"})
}

fn ec(curve: &str, length: usize) -> Value {
    let number = B64.encode(vec![7; length]);
    json!({"kty": "EC", "crv": curve, "x": number, "y": number, "kid": "k"})
}

fn names(keys: &[Value]) -> Vec<String> {
    let mut names: Vec<_> =
        read(json!({ "keys": keys }).to_string().as_bytes()).unwrap().into_keys().collect();
    names.sort_unstable();
    names
}

const USUAL: &[u8] = &[1, 0, 1];

#[test]
fn a_key_that_is_fit_is_for_its_own_algorithms() {
    for (key, fits, not) in [
        (ed(json!({"use": "sig", "alg": "EdDSA"})), Algorithm::EdDSA, Algorithm::ES256),
        (ed(json!({"key_ops": ["verify"]})), Algorithm::EdDSA, Algorithm::HS256),
        (rsa(2048, USUAL), Algorithm::RS256, Algorithm::HS256),
        (rsa(8192, USUAL), Algorithm::PS512, Algorithm::EdDSA),
        (ec("P-256", 32), Algorithm::ES256, Algorithm::ES384),
        (ec("P-384", 48), Algorithm::ES384, Algorithm::ES256),
    ] {
        let keys = read(json!({ "keys": [key] }).to_string().as_bytes()).unwrap();
        assert!(keys["k"].is_for(fits) && !keys["k"].is_for(not), "{key}");
    }
    let mut named = rsa(2048, USUAL);
    named["alg"] = json!("RS256");
    let keys = read(json!({ "keys": [named] }).to_string().as_bytes()).unwrap();
    assert!(keys["k"].is_for(Algorithm::RS256) && !keys["k"].is_for(Algorithm::PS256));
}

#[test]
fn a_key_that_is_not_fit_is_passed_over_and_the_others_stay() {
    let secret = json!({"kty": "oct", "k": B64.encode([7; 64]), "kid": "k", "alg": "HS256"});
    let bad = [
        ed(json!({"use": "enc"})),
        ed(json!({"use": 1})),
        ed(json!({"key_ops": ["sign"]})),
        ed(json!({"key_ops": "verify"})),
        ed(json!({"alg": "ES256"})),
        ed(json!({"alg": "none"})),
        ed(json!({"alg": "HS256"})),
        ed(json!({"d": B64.encode([7; 32])})),
        ed(json!({"crv": "X25519"})),
        ed(json!({"x": B64.encode([7; 31])})),
        ed(json!({"x": "!"})),
        ed(json!({"kty": "EC"})),
        ed(json!({"kid": ""})),
        ed(json!({"kid": 1})),
        ed(json!({"kid": "k".repeat(257)})),
        secret,
        rsa(1024, USUAL),
        rsa(2040, USUAL),
        rsa(16_384, USUAL),
        rsa(2048, &[3]),
        rsa(2048, &[1, 0, 0]),
        rsa(2048, &[1, 0, 0, 0, 1]),
        rsa(2048, &[]),
        ec("P-256", 31),
        ec("P-256", 48),
        ec("P-521", 66),
        ec("secp256k1", 32),
    ];
    for key in bad {
        let other = ed(json!({"kid": "other"}));
        assert_eq!(names(&[key.clone(), other]), ["other"], "{key}");
    }
    // A name that stands twice is not clear, even where the other key is not fit.
    let twin = |over: Value| names(&[ed(json!({})), ed(over), ed(json!({"kid": "other"}))]);
    assert_eq!(twin(json!({})), ["other"]);
    assert_eq!(twin(json!({"x": B64.encode([8; 32])})), ["other"]);
    assert_eq!(twin(json!({"use": "enc"})), ["other"]);
    let many = |count: usize| {
        let keys: Vec<_> = (0..count).map(|at| ed(json!({"kid": at.to_string()}))).collect();
        read(json!({ "keys": keys }).to_string().as_bytes()).map(|keys| keys.len())
    };
    assert_eq!((many(64), many(65)), (Some(64), None));
}
