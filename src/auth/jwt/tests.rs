//! Forged, foreign, early, late and oversized tokens, and keys that must stop the start.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD as B64};
use jsonwebtoken::{EncodingKey, Header, get_current_timestamp};
use rstest::rstest;
use serde_json::{Value, json};

use super::{signer::Signer, *};
use crate::config::secret::SecretText;

const SECRET: &str = "a shared secret of well over thirty-two bytes";

fn inline(kid: &str, alg: &str, key: &str) -> KeySpec {
    KeySpec {
        kid: kid.into(),
        alg: alg.into(),
        key: Some(SecretText::from(key.to_owned())),
        file: None,
    }
}

fn settings(keys: Vec<KeySpec>) -> Jwt {
    Jwt {
        keys,
        issuer: "https://id.example".into(),
        audience: "xueji".into(),
        leeway: Duration::from_secs(5),
        signing_key: None,
    }
}

struct World {
    folder: tempfile::TempDir,
    signer: Signer,
    keys: KeySet,
}

fn world() -> World {
    let folder = tempfile::tempdir().unwrap();
    let signer = Signer::open_or_create(&folder.path().join("signing.pem")).unwrap();
    let keys =
        KeySet::new(&settings(vec![signer.key_spec(), inline("shared", "HS256", SECRET)]), 1 << 20)
            .unwrap();
    World { folder, signer, keys }
}

fn claims() -> Claims {
    let now = get_current_timestamp();
    Claims {
        sub: "account-1".into(),
        iss: "https://id.example".into(),
        exp: now + 60,
        iat: now,
        jti: None,
        sid: None,
    }
}

/// A token under the shared secret, with claims laid over good ones; null removes a claim.
fn shared(over: Value) -> String {
    let now = get_current_timestamp();
    let mut body = json!({"sub": "s", "iss": "https://id.example", "aud": "xueji", "exp": now + 60, "iat": now});
    for (name, value) in over.as_object().unwrap() {
        if value.is_null() {
            body.as_object_mut().unwrap().remove(name);
        } else {
            body[name] = value.clone();
        }
    }
    let mut header = Header::new(Algorithm::HS256);
    header.kid = Some("shared".into());
    jsonwebtoken::encode(&header, &body, &EncodingKey::from_secret(SECRET.as_bytes())).unwrap()
}

/// A token whose header is written by hand, signed as HS256 under `secret`.
fn forged(header: &Value, secret: &[u8]) -> String {
    let signed = jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        &claims(),
        &EncodingKey::from_secret(secret),
    );
    let body = signed.unwrap().split('.').nth(1).unwrap().to_owned();
    let message = format!("{}.{body}", B64.encode(header.to_string()));
    let key = EncodingKey::from_secret(secret);
    let mac = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).unwrap();
    format!("{message}.{mac}")
}

#[test]
fn a_good_token_passes_and_is_remembered() {
    let world = world();
    let token = world.signer.sign(&claims(), "xueji").unwrap();
    let first = world.keys.verify(&token).unwrap();
    assert_eq!(first.sub, "account-1");
    assert!(Arc::ptr_eq(&first, &world.keys.verify(&token).unwrap()));
    assert_eq!(world.keys.remembered(), 1);
}

#[test]
fn the_key_pair_is_kept_and_private() {
    let world = world();
    let path = world.folder.path().join("signing.pem");
    let again = Signer::open_or_create(&path).unwrap();
    assert_eq!(again.kid(), world.signer.kid());
    world.keys.verify(&again.sign(&claims(), "xueji").unwrap()).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = Signer::open_or_create(&path).err().unwrap().to_string();
        assert!(error.contains("0600"), "{error}");
    }
}

#[test]
fn the_time_of_expiry_is_never_remembered_past() {
    let world = world();
    let now = get_current_timestamp();
    let late = world.signer.sign(&Claims { exp: now, iat: now - 60, ..claims() }, "xueji").unwrap();
    world.keys.verify(&late).unwrap();
    assert_eq!(world.keys.remembered(), 0, "a token inside the leeway is verified each time");
}

#[rstest]
#[case(json!({"exp": 1000}), TokenError::Expired)]
#[case(json!({"exp": get_current_timestamp() - 6}), TokenError::Expired)]
#[case(json!({"exp": null}), TokenError::Malformed)]
#[case(json!({"exp": "soon"}), TokenError::Malformed)]
#[case(json!({"nbf": get_current_timestamp() + 60}), TokenError::NotYetValid)]
#[case(json!({"nbf": "later"}), TokenError::Malformed)]
#[case(json!({"iat": get_current_timestamp() + 60}), TokenError::NotYetValid)]
#[case(json!({"iat": null}), TokenError::Malformed)]
#[case(json!({"iss": "https://id.example/other"}), TokenError::WrongIssuer)]
#[case(json!({"iss": null}), TokenError::Malformed)]
#[case(json!({"aud": "another"}), TokenError::WrongAudience)]
#[case(json!({"aud": ["another", "third"]}), TokenError::WrongAudience)]
#[case(json!({"aud": []}), TokenError::WrongAudience)]
#[case(json!({"aud": 7}), TokenError::WrongAudience)]
#[case(json!({"aud": null}), TokenError::WrongAudience)]
#[case(json!({"sub": null}), TokenError::Malformed)]
#[case(json!({"sub": ""}), TokenError::Malformed)]
fn claims_that_do_not_fit(#[case] over: Value, #[case] expected: TokenError) {
    assert_eq!(world().keys.verify(&shared(over)), Err(expected));
}

#[test]
fn one_fitting_audience_of_several_is_enough() {
    world().keys.verify(&shared(json!({"aud": ["another", "xueji"]}))).unwrap();
}

#[test]
fn algorithm_none_is_refused() {
    let body =
        B64.encode(json!({"sub": "s", "iss": "https://id.example", "aud": "xueji"}).to_string());
    for alg in ["none", "None", "NONE", ""] {
        let header = B64.encode(json!({"alg": alg, "kid": "shared"}).to_string());
        for token in [format!("{header}.{body}."), format!("{header}.{body}")] {
            assert_eq!(world().keys.verify(&token), Err(TokenError::Malformed), "{alg}");
        }
    }
}

#[test]
fn a_public_key_is_no_shared_secret() {
    let world = world();
    let header = json!({"alg": "HS256", "kid": world.signer.kid()});
    let token = forged(&header, world.signer.public_pem().as_bytes());
    assert_eq!(world.keys.verify(&token), Err(TokenError::WrongAlgorithm));
}

#[test]
fn the_key_is_named_by_the_token_and_must_be_known() {
    let world = world();
    let secret = SECRET.as_bytes();
    for header in [
        json!({"alg": "HS256"}),
        json!({"alg": "HS256", "kid": "other"}),
        json!({"alg": "HS256", "kid": ""}),
    ] {
        assert_eq!(world.keys.verify(&forged(&header, secret)), Err(TokenError::UnknownKey));
    }
    let header = json!({"alg": "HS512", "kid": "shared"});
    assert_eq!(world.keys.verify(&forged(&header, secret)), Err(TokenError::WrongAlgorithm));
    let header = json!({"alg": "HS256", "kid": "shared", "crit": ["b64"]});
    assert_eq!(world.keys.verify(&forged(&header, secret)), Err(TokenError::Malformed));
}

#[test]
fn a_tampered_token_is_refused_even_after_the_good_one() {
    let world = world();
    let token = world.signer.sign(&claims(), "xueji").unwrap();
    world.keys.verify(&token).unwrap();
    let parts = token.split('.').collect::<Vec<_>>();
    let body =
        String::from_utf8(B64.decode(parts[1]).unwrap()).unwrap().replace("account-1", "account-2");
    let tampered = format!("{}.{}.{}", parts[0], B64.encode(body), parts[2]);
    assert_eq!(world.keys.verify(&tampered), Err(TokenError::BadSignature));
}

#[rstest]
#[case("")]
#[case(".")]
#[case("..")]
#[case("a.b.c")]
#[case("a.b.c.d")]
#[case("令牌")]
fn rubbish_is_malformed(#[case] token: &str) {
    assert_eq!(world().keys.verify(token), Err(TokenError::Malformed));
}

#[test]
fn a_huge_token_is_not_looked_at() {
    let token = shared(json!({"sub": "x".repeat(MAX_TOKEN_BYTES)}));
    assert_eq!(world().keys.verify(&token), Err(TokenError::TooLong));
}

#[test]
fn the_memory_is_bounded() {
    let signer = world().signer;
    let keys = KeySet::new(&settings(vec![signer.key_spec()]), 4096).unwrap();
    for number in 0..200 {
        let claims = Claims { sub: format!("account-{number}"), ..claims() };
        keys.verify(&signer.sign(&claims, "xueji").unwrap()).unwrap();
    }
    assert!(keys.remembered() <= 16, "{}", keys.remembered());
}

/// Key pairs made once by another library; their private halves are gone. Each vector is (algorithm, key, token).
const VECTORS: [(&str, &str, &str); 3] = [
    (
        "RS256",
        "-----BEGIN PUBLIC KEY-----
MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAuSDfINqigqH0rsUAkwQ4
J9G6bhp/j7jYyPB8PbZRa7jz2VAf/SblffCDCsylZ3V7bReLHer+klUF6XfVkwjs
OCSHtm9OHacNWzJ55/ZfMswusutwgUaJD+rii2AY2xJ37CSaItvjgN4c0xipoqk3
tcSo96sm5WWg30O/HmROAyEIzAabJqXYL3h7efeoZf4VjUq4bpmQRbfoA6OwpNUg
+LqM2MV91qfXEm8ofthhcb6dg7gNEvQ3hEdxuQf480DusEoWiRN0wqe9iQmtUsNy
tdsai3CF8N9cqcu4qWcCgLTi120a4NQpF+DTlJ9k1kzGNMLJeJuMA2So/RElX43w
jwIDAQAB
-----END PUBLIC KEY-----",
        "eyJhbGciOiJSUzI1NiIsImtpZCI6IlJTMjU2In0.eyJzdWIiOiJ2ZWN0b3IiLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJ4dWVqaSIsImV4cCI6NDEwMjQ0NDgwMCwiaWF0IjoxNzAwMDAwMDAwfQ.SCp_oDc06OYoIb-3e9xgjjtrkQUMV9biOXPsczGCAh1p3k3YGSM9mozaJIx27bkgxvhdmjkvtW8bf8Q9IyOU7hhhPj7F-6kTNYKB00un61QHUN5QF3vKyoNHCivy6zETXpveBL4V5czJMFKI8GPHkWMuMCF8Fx3YZVXr_eo0cQDZZkaRsiPGZuhUFaaTvxdhoCTcoun1JeftaVqL87DimZLSuq79yAf74o0SGmsILLdIm76BvFcY0mB1peuHkQGHIwWgIIGwytNU69VPJWLkptBekMvQOdCxmkuKkEfLh9CI-sAKCzR8lHLChrLwXl9jKPw6wdpv0ORMOhSSEmKuzQ",
    ),
    (
        "ES256",
        "-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEG67cVGTz4ZJoSAZq8IFc2HXMoNa6
Zt0s9zv2NhWls/Kbp+UDJE46H9+LAq5O9LflV7++e1dm5YJ3xQSyvPVVZQ==
-----END PUBLIC KEY-----",
        "eyJhbGciOiJFUzI1NiIsImtpZCI6IkVTMjU2In0.eyJzdWIiOiJ2ZWN0b3IiLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJ4dWVqaSIsImV4cCI6NDEwMjQ0NDgwMCwiaWF0IjoxNzAwMDAwMDAwfQ.qXUOlTAkYoc8ZSBPqpRW1Mlh5scRTqmAZZq7Dm9cmNue-oRLyTZKGCJZ7P33AlO5KKqUwzi0ceqNBCW5W5Lxtw",
    ),
    (
        "EdDSA",
        "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAs4/ZozvSawngIt7xD8/C1sqSsznHaVYUXURfzknheZE=
-----END PUBLIC KEY-----",
        "eyJhbGciOiJFZERTQSIsImtpZCI6IkVkRFNBIn0.eyJzdWIiOiJ2ZWN0b3IiLCJpc3MiOiJodHRwczovL2lkLmV4YW1wbGUiLCJhdWQiOiJ4dWVqaSIsImV4cCI6NDEwMjQ0NDgwMCwiaWF0IjoxNzAwMDAwMDAwfQ.AUhHHEO0d1ERQfYnoI_gbqG9qbIrL5abX2Vq0VdJ_nyybIBep-h91ADuAn0zq21TXAzCZ91gI38NktMcvjsDBg",
    ),
];

const RSA_PUBLIC: &str = VECTORS[0].1;
const EC_PUBLIC: &str = VECTORS[1].1;

const SHORT_RSA: &str = "-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQCWxK/TzLsqxAptU3GND1HlTl9n
+7O22joWPuMMeNmkRNvqef1x5uz/YOPHQqYxoL0RFCRGJiPCPCuDSxBT28xgrHLw
lKqVYxApLMcbOaWLOawRYpP6uy4cU3UZIeyyjEztynJ6KU1bvCerN83S2bJg25ho
bh788P+v3LcTVgTPxQIDAQAB
-----END PUBLIC KEY-----";

#[test]
fn each_algorithm_verifies_and_serves_no_other_key() {
    let keys = VECTORS.iter().map(|(alg, key, _)| inline(alg, alg, key)).collect();
    let keys = KeySet::new(&settings(keys), 1 << 16).unwrap();
    for (alg, _, token) in VECTORS {
        assert_eq!(keys.verify(token).unwrap().sub, "vector", "{alg}");
        let (message, signature) = token.rsplit_once('.').unwrap();
        let flipped = if signature.starts_with('A') { "B" } else { "A" };
        let changed = format!("{message}.{flipped}{}", &signature[1..]);
        assert_eq!(keys.verify(&changed), Err(TokenError::BadSignature), "{alg}");
        let (_, body) = message.split_once('.').unwrap();
        for (other, _, _) in VECTORS.iter().filter(|(other, _, _)| *other != alg) {
            let header = B64.encode(json!({"alg": alg, "kid": other}).to_string());
            let moved = format!("{header}.{body}.{signature}");
            assert_eq!(keys.verify(&moved), Err(TokenError::WrongAlgorithm), "{alg} under {other}");
        }
    }
}

#[rstest]
#[case("RS256", RSA_PUBLIC, "")]
#[case("ES256", RSA_PUBLIC, "no public key of its algorithm")]
#[case("ES256", EC_PUBLIC, "")]
#[case("RS256", EC_PUBLIC, "no public key of its algorithm")]
#[case("RS256", SHORT_RSA, "at least 2048 bits")]
#[case("EdDSA", RSA_PUBLIC, "no public key of its algorithm")]
#[case("HS256", RSA_PUBLIC, "no PEM file")]
#[case("HS256", "short", "at least 32 bytes")]
#[case("RS256", SECRET, "no PEM file")]
#[case("RS256", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----", "private key")]
#[case("HS512", SECRET, "is not one of")]
#[case("none", SECRET, "is not one of")]
fn keys_are_tried_at_start(#[case] alg: &str, #[case] key: &str, #[case] has: &str) {
    match KeySet::new(&settings(vec![inline("k", alg, key)]), 1024) {
        Ok(_) => assert_eq!(has, ""),
        Err(error) => assert!(!has.is_empty() && error.to_string().contains(has), "{error}"),
    }
}

#[test]
fn nothing_starts_without_keys_issuer_and_audience() {
    assert!(KeySet::new(&settings(vec![]), 1024).is_err());
    let keys = || vec![inline("k", "HS256", SECRET)];
    assert!(KeySet::new(&Jwt { audience: String::new(), ..settings(keys()) }, 1024).is_err());
    assert!(KeySet::new(&Jwt { issuer: String::new(), ..settings(keys()) }, 1024).is_err());
}

#[test]
fn debug_shows_no_key() {
    let shown = format!("{:?} {:?}", world().keys, inline("k", "HS256", SECRET));
    assert!(!shown.contains("secret of well"), "{shown}");
}

#[test]
fn a_session_is_named_by_tokens_of_the_own_key_alone() {
    let World { folder: _folder, signer, keys } = world();
    let keys = keys.naming_sessions(signer.kid());
    let own = Claims { sid: Some("session-1".into()), ..claims() };
    let own = signer.sign(&own, "xueji").unwrap();
    assert_eq!(keys.verify(&own).unwrap().sid.as_deref(), Some("session-1"));
    // What another issuer calls a session is none of ours, also when the token is known already.
    let foreign = shared(json!({ "sid": "session-1" }));
    for _ in 0..2 {
        assert_eq!(keys.verify(&foreign).unwrap().sid, None);
    }
    let without = world();
    let token = Claims { sid: Some("session-1".into()), ..claims() };
    let token = without.signer.sign(&token, "xueji").unwrap();
    assert_eq!(without.keys.verify(&token).unwrap().sid, None, "nobody signs in here");
}
