//! What was tried with tokens of other issuers. Each attack is refused, and none makes the server ask at a place that a
//! token names.

use axum::body::Body;
use axum::http::{Method, Request, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use super::fake::{API, DISCOVERY, Ed, Fake, KEYS, Reply, now, over, part, trusting};
use super::{DOCUMENT, MODULUS, ec, header as header_of, is_let_in, is_refused, linked, rsa, with};
use crate::support::app::App;

#[tokio::test]
async fn forged_foreign_and_misused_tokens_are_refused_and_lead_nowhere() {
    let (ed, other, (ec_key, ec_public), (rsa_key, rsa_public)) =
        (Ed::new("ed", 1), Ed::new("other", 2), ec("ec"), rsa("rsa"));
    let trap = Fake::start(&[Ed::new("trap", 9).public()]).await;
    let fake = Fake::start(&[ed.public(), ec_public, rsa_public.clone()]).await;
    let beside = Fake::start(&[other.public()]).await;
    let (app, seed) = App::school_trusting(trusting(&[&fake, &beside])).await;
    linked(&app, &seed, &fake.url, "s").await;
    app.look_at_issuers().await;
    let good = fake.claims("s");
    let token = ed.sign(json!({}), &good);
    let of = |header: Value| ed.sign(header, &good);
    let claiming = |more: Value| ed.sign(json!({}), &over(good.clone(), more));
    let rs = jsonwebtoken::encode(&header_of(Algorithm::RS256, "rsa"), &good, &rsa_key).unwrap();
    let es = jsonwebtoken::encode(&header_of(Algorithm::ES256, "ec"), &good, &ec_key).unwrap();
    let hmac = |secret: &[u8], kid: &str| {
        let header = Header { kid: Some(kid.to_owned()), ..header_of(Algorithm::HS256, kid) };
        jsonwebtoken::encode(&header, &good, &EncodingKey::from_secret(secret)).unwrap()
    };
    let body = |token: &str| {
        let (head, signature) = token.rsplit_once('.').unwrap();
        (head.to_owned(), signature.to_owned())
    };
    let with_signature = |token: &str, signature: &[u8]| {
        format!("{}.{}", body(token).0, URL_SAFE_NO_PAD.encode(signature))
    };
    let replaced = {
        let parts: Vec<_> = token.split('.').collect();
        let claims = over(good.clone(), json!({ "sub": "somebody" })).to_string();
        format!("{}.{}.{}", parts[0], part(&claims), parts[2])
    };
    let trap_key = Ed::new("trap", 9);
    let trapped = |more: Value| trap_key.sign(more, &good);
    let at = format!("{}{KEYS}", trap.url);
    let rsa_n = URL_SAFE_NO_PAD.decode(MODULUS).unwrap();
    let seconds = now();
    let (head, payload) = (ed.header().to_string(), good.to_string());
    let twice =
        |more: &str| ed.sign_texts(&head, &format!("{}{more}}}", &payload[..payload.len() - 1]));
    let none = |alg: &str, signature: &str| {
        let header = over(ed.header(), json!({ "alg": alg })).to_string();
        format!("{}.{}.{signature}", part(&header), part(&payload))
    };
    let pem = std::fs::read(
        std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/issuers/rsa.pem"),
    );
    let nested = |levels: usize| {
        let claim = format!(",\"x\":{}{}", "[".repeat(levels), "]".repeat(levels));
        twice(&claim)
    };
    let attacks: Vec<(&str, String)> = vec![
        // Unsigned.
        ("alg none, no signature", none("none", "")),
        ("alg none, a signature", none("none", &body(&token).1)),
        ("alg None", none("None", "")),
        ("alg nOnE", none("nOnE", "AA")),
        ("no alg", of(json!({ "alg": null }))),
        ("an alg that is none", of(json!({ "alg": "EdDSA " }))),
        ("an empty signature", format!("{}.", body(&token).0)),
        ("no signature", body(&token).0),
        ("a part too many", format!("{token}.AA")),
        // A public key as a shared secret.
        ("HS256 with the Ed25519 key", hmac(&ed.bytes(), "ed")),
        ("HS256 with the RSA modulus", hmac(&rsa_n, "rsa")),
        ("HS256 with the RSA key as it is published", hmac(MODULUS.as_bytes(), "rsa")),
        ("HS256 with the JWK", hmac(rsa_public.to_string().as_bytes(), "rsa")),
        ("HS256 with the PEM", hmac(&pem.unwrap(), "rsa")),
        ("HS256 with nothing", hmac(b"", "ed")),
        // Another algorithm than that of the key.
        ("RS256 under the Ed25519 key", of(json!({ "alg": "RS256" }))),
        ("EdDSA under the RSA key", of(json!({ "kid": "rsa" }))),
        ("PS256, which is not allowed", of(json!({ "alg": "PS256", "kid": "rsa" }))),
        ("ES256 under the Ed25519 key", of(json!({ "alg": "ES256" }))),
        // Keys that the token brings along, or points to.
        ("jku", trapped(json!({ "jku": at }))),
        ("jku and the name of a key that is known", trapped(json!({ "jku": at, "kid": "ed" }))),
        ("x5u", trapped(json!({ "x5u": at }))),
        ("jwk", trapped(json!({ "jwk": trap_key.public() }))),
        (
            "jwk and the name of a key that is known",
            trapped(json!({ "jwk": trap_key.public(), "kid": "ed" })),
        ),
        ("x5c", trapped(json!({ "x5c": ["AAAA"] }))),
        ("jku under the right key", of(json!({ "jku": at }))),
        // Names of keys that lead elsewhere.
        ("kid as a path", of(json!({ "kid": "../../../../dev/null" }))),
        ("kid as an address", trapped(json!({ "kid": at }))),
        ("kid as SQL", of(json!({ "kid": "ed' OR '1'='1" }))),
        ("kid with a null byte", of(json!({ "kid": "ed\u{0}" }))),
        ("kid as a command", of(json!({ "kid": "ed|/usr/bin/id" }))),
        ("kid that is huge", of(json!({ "kid": "e".repeat(3_000) }))),
        ("kid that is empty", of(json!({ "kid": "" }))),
        ("kid that is a number", of(json!({ "kid": 1 }))),
        ("kid that is a list", of(json!({ "kid": ["ed"] }))),
        ("no kid", of(json!({ "kid": null }))),
        ("kid in capitals", of(json!({ "kid": "ED" }))),
        ("kid of the server's own key", of(json!({ "kid": app.kid() }))),
        // Extensions.
        ("crit", of(json!({ "crit": ["exp"], "exp": seconds + 60 }))),
        ("crit that is empty", of(json!({ "crit": [] }))),
        ("b64 false", of(json!({ "b64": false, "crit": ["b64"] }))),
        ("b64 false without crit", of(json!({ "b64": false }))),
        ("zip", of(json!({ "zip": "DEF" }))),
        ("enc", of(json!({ "enc": "A256GCM" }))),
        // Issuers.
        ("a foreign issuer", claiming(json!({ "iss": trap.url }))),
        ("an issuer with a slash at the end", claiming(json!({ "iss": format!("{}/", fake.url) }))),
        ("an issuer in other letters", claiming(json!({ "iss": fake.url.to_uppercase() }))),
        ("no issuer", claiming(json!({ "iss": null }))),
        ("a list of issuers", claiming(json!({ "iss": [fake.url] }))),
        ("the server's own issuer", claiming(json!({ "iss": crate::support::app::ISSUER }))),
        ("signed by the key of another issuer", other.sign(json!({}), &good)),
        (
            "signed by another issuer under this one's name of a key",
            other.sign(json!({ "kid": "ed" }), &good),
        ),
        (
            "of another issuer under this one's key",
            ed.sign(json!({}), &over(beside.claims("s"), json!({}))),
        ),
        // Audiences.
        ("another audience", claiming(json!({ "aud": "somebody-else" }))),
        (
            "the audience of the server's own tokens",
            claiming(json!({ "aud": crate::support::app::AUDIENCE })),
        ),
        ("an audience in capitals", claiming(json!({ "aud": API.to_uppercase() }))),
        ("no audience", claiming(json!({ "aud": null }))),
        ("no audience in a list", claiming(json!({ "aud": [] }))),
        // Tokens of other kinds.
        ("an ID token by its audience", claiming(json!({ "aud": "client-1", "nonce": "n" }))),
        ("an ID token by its nonce", claiming(json!({ "nonce": "n" }))),
        ("an ID token by at_hash", claiming(json!({ "at_hash": "h" }))),
        ("an ID token by c_hash", claiming(json!({ "c_hash": "h" }))),
        ("an ID token by token_use", claiming(json!({ "token_use": "id" }))),
        ("an ID token by typ in its claims", claiming(json!({ "typ": "ID" }))),
        ("a refresh token", claiming(json!({ "typ": "Refresh" }))),
        ("a logout token", of(json!({ "typ": "logout+jwt" }))),
        ("a token of no type", of(json!({ "typ": null }))),
        // Times.
        ("expired", claiming(json!({ "exp": seconds - 60 }))),
        ("not valid yet", claiming(json!({ "nbf": seconds + 600 }))),
        ("issued in the future", claiming(json!({ "iat": seconds + 600 }))),
        ("no end", claiming(json!({ "exp": null }))),
        ("an end in letters", claiming(json!({ "exp": (seconds + 60).to_string() }))),
        ("no time of issue", claiming(json!({ "iat": null }))),
        // Subjects.
        ("no subject", claiming(json!({ "sub": null }))),
        ("an empty subject", claiming(json!({ "sub": "" }))),
        ("a subject that is a list", claiming(json!({ "sub": ["s"] }))),
        ("a subject with a null byte", claiming(json!({ "sub": "s\u{0}" }))),
        ("a subject that is huge", claiming(json!({ "sub": "s".repeat(3_000) }))),
        ("two subjects", twice(",\"sub\":\"s\"")),
        ("two subjects, one of them escaped", twice(",\"\\u0073ub\":\"s\"")),
        ("two issuers", twice(&format!(",\"iss\":\"{}\"", fake.url))),
        ("two ends", twice(",\"exp\":9999999999")),
        (
            "two headers of a kind",
            ed.sign_texts(&format!("{},\"alg\":\"EdDSA\"}}", &head[..head.len() - 1]), &payload),
        ),
        // Signatures.
        ("the signature of another payload", replaced),
        ("a signature of nought", with_signature(&token, &[0; 64])),
        ("a signature of nought under ECDSA", with_signature(&es, &[0; 64])),
        ("a signature of r alone under ECDSA", with_signature(&es, &[[1; 32], [0; 32]].concat())),
        ("a signature of nought under RSA", with_signature(&rs, &[0; 256])),
        ("a signature of one under RSA", with_signature(&rs, &[&[0; 255][..], &[1]].concat())),
        ("an empty signature under RSA", with_signature(&rs, &[])),
        ("a signature in other letters of base64", format!("{}=", token)),
        (
            "the signature of an RSA token under Ed25519",
            format!("{}.{}", body(&token).0, body(&rs).1),
        ),
        // Texts that are none.
        ("a token that is huge", format!("{token}{}", "A".repeat(10_000))),
        ("claims that are deep", nested(40)),
        ("claims that are very deep", nested(2_500)),
        ("a list as claims", ed.sign_texts(&head, "[]")),
        ("a payload that is no JSON", ed.sign_texts(&head, "s")),
        ("a header that is no JSON", ed.sign_texts("{", &payload)),
        ("two payloads in one", ed.sign_texts(&head, &format!("{payload}{payload}"))),
        ("empty parts", "..".to_owned()),
    ];
    let before = [&fake, &beside].map(|issuer| issuer.asked_at_all());
    let mut tried = 0;
    for (what, token) in &attacks {
        is_refused(what, &with(&app, token).await);
        tried += 1;
    }
    // Several headers, in either order, and one that holds two tokens.
    let bad = trapped(json!({}));
    for values in [
        vec![format!("Bearer {token}"), format!("Bearer {bad}")],
        vec![format!("Bearer {bad}"), format!("Bearer {token}")],
        vec![format!("Bearer {token}"), format!("Bearer {token}")],
        vec![format!("Bearer {token}, Bearer {token}")],
        vec![format!("Bearer {token} {token}")],
        vec![format!("Basic {token}")],
    ] {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri("/graphql")
            .header(header::CONTENT_TYPE, "application/json");
        for value in &values {
            request = request.header(header::AUTHORIZATION, value);
        }
        let body = json!({ "query": DOCUMENT }).to_string();
        let answer = app.send(request.body(Body::from(body)).unwrap()).await;
        assert!([400, 401].contains(&answer.status.as_u16()), "{values:?}: {}", answer.text);
        assert!(answer.body.get("data").is_none(), "{}", answer.text);
        tried += 1;
    }
    assert_eq!(trap.asked_at_all(), 0, "a place that a token names was asked");
    // Names of keys that are not known make the server ask their issuer, and nobody and nothing else.
    for (issuer, before) in [(&fake, before[0]), (&beside, before[1])] {
        let asked = issuer.asked(DISCOVERY) + issuer.asked(KEYS);
        assert_eq!(issuer.asked_at_all(), asked);
        assert!(asked >= before);
    }
    // The same tokens without the attack are let in.
    for token in [token, rs, es] {
        is_let_in(&with(&app, &token).await);
    }
    println!("attacks tried {tried}, accepted 0");
    assert!(tried > 100);
    let logged = crate::support::logs::text();
    for secret in attacks.iter().filter_map(|(_, token)| token.rsplit('.').next()) {
        assert!(secret.len() < 40 || !logged.contains(secret), "a token is in the log");
    }
}

#[tokio::test]
async fn documents_of_an_issuer_that_are_not_what_they_must_be_are_not_used() {
    let ed = Ed::new("ed", 1);
    let trap = Fake::start(&[ed.public()]).await;
    let fake = Fake::start(&[ed.public()]).await;
    let (url, text) = (&fake.url, |value: Value| Some(Reply::Text(value.to_string())));
    let discovery = |issuer: &str, keys: Value| text(json!({ "issuer": issuer, "jwks_uri": keys }));
    let at = format!("{url}{KEYS}");
    let keys = json!({ "keys": [ed.public()] }).to_string();
    let many = vec![ed.public(); 65];
    let bad = [
        ("another issuer", discovery(&trap.url, json!(at)), None),
        ("an issuer with a slash at the end", discovery(&format!("{url}/"), json!(at)), None),
        ("an issuer in other letters", discovery(&url.to_uppercase(), json!(at)), None),
        ("no issuer", text(json!({ "jwks_uri": at })), None),
        ("no keys", text(json!({ "issuer": url })), None),
        ("keys without TLS elsewhere", discovery(url, json!("http://192.0.2.1/keys")), None),
        ("keys at a file", discovery(url, json!("file:///etc/passwd")), None),
        ("keys with a user", discovery(url, json!("http://a:b@127.0.0.1/keys")), None),
        ("keys in a list", discovery(url, json!([at])), None),
        (
            "two issuers",
            Some(Reply::Text(format!(
                "{{\"issuer\":\"{}\",\"issuer\":\"{url}\",\"jwks_uri\":\"{at}\"}}",
                trap.url
            ))),
            None,
        ),
        ("no JSON", Some(Reply::Text("<html>".to_owned())), None),
        ("a redirect", Some(Reply::Redirect(format!("{}{DISCOVERY}", trap.url))), None),
        ("a redirect of the keys", None, Some(Reply::Redirect(format!("{}{KEYS}", trap.url)))),
        (
            "a redirect of the keys within the issuer",
            None,
            Some(Reply::Redirect(format!("{at}/more"))),
        ),
        ("a discovery document without an end", Some(Reply::Endless), None),
        ("keys without an end", None, Some(Reply::Endless)),
        ("no discovery document", Some(Reply::Status(404)), None),
        ("a failure", None, Some(Reply::Status(500))),
        ("a list of keys", None, text(json!([ed.public()]))),
        ("too many keys", None, text(json!({ "keys": many }))),
        ("keys that are long", None, Some(Reply::Text(format!("{}{keys}", " ".repeat(300_000))))),
        ("keys that are twice", None, Some(Reply::Text(format!("{{\"keys\":[],{}", &keys[1..])))),
    ];
    let count = bad.len();
    for (what, discovery, published) in bad {
        let (app, seed) = App::school_trusting(fake.alone()).await;
        linked(&app, &seed, &fake.url, "s").await;
        let token = ed.sign(json!({}), &fake.claims("s"));
        fake.reply(discovery, published);
        let answer = with(&app, &token).await;
        // Nothing is wrong with the token: its issuer cannot be asked.
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "UNAVAILABLE"), "{what}");
        assert_eq!(trap.asked_at_all(), 0, "{what}");
        fake.reply(None, None);
        is_let_in(&with(&app, &token).await);
    }
    println!("documents tried {count}, used 0");
}

#[tokio::test]
async fn an_issuer_that_does_not_answer_holds_nobody_for_long() {
    let ed = Ed::new("ed", 1);
    let fake = Fake::start(&[ed.public()]).await;
    let settings = xueji::config::oidc::Oidc {
        patience: std::time::Duration::from_millis(100),
        ..fake.alone()
    };
    let (app, seed) = App::school_trusting(settings).await;
    linked(&app, &seed, &fake.url, "s").await;
    let token = ed.sign(json!({}), &fake.claims("s"));
    for (discovery, published) in [(Some(Reply::Never), None), (None, Some(Reply::Never))] {
        fake.reply(discovery, published);
        let answer = with(&app, &token).await;
        assert_eq!((answer.status.as_u16(), answer.code()), (503, "UNAVAILABLE"));
    }
}
