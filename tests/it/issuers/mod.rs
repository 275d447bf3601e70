//! Tokens of issuers of other houses: who is let in by them, what is refused, and when keys are fetched.
//!
//! `fake` is such an issuer inside the test; `attacks` is the list of what was tried.

mod attacks;
mod command;
mod fake;
mod grants;
mod mutations;
mod rotation;
mod tls;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};
use uuid::Uuid;

use self::fake::{API, Ed, Fake, over};
use super::support::answer::Answer;
use super::support::app::{App, PATIENCE, clock};
use super::support::callers::Person;
use super::support::seed::Seed;

const DOCUMENT: &str = "{ students { totalCount } }";

/// The modulus of the RSA key of these tests.
const MODULUS: &str = "10BpKfRTK8MHeOrONsEV99tVwGY5FGicLxeL3M1T8pLEDSTmda9pn-Lo2zgz8Nav4aIG1SKhAacm8-XAY66GIobI0xVo2YZiZCRi37VSMBlCSdHyWeDbPxk5EPgcGB6SM-efKvnqS0MNWnTYQM23so8OF9IrCJILZVnQUx4zOkhEdDFEvUJ7eV6kZgDVgPuqhkCpWdbg89oNBWuls7ba7lWYVtuyw7A5mHRvzsAUGRSXeWk3yxY6drUOjia97-cZnsoe1y6kBg07JC_fQB4HiR1VnPU239BOYUg05CyzfpXs1YQ73dBHvFldJc56b8-tCOZCngdqalLmgK0OWUOX3Q";

async fn with(app: &App, token: &str) -> Answer {
    app.post(Some(token), "en", json!({ "query": DOCUMENT }).to_string()).await
}

/// A registrar of the first school, whom an issuer calls so.
async fn linked<'a>(app: &'a App, seed: &Seed, issuer: &str, subject: &str) -> Person<'a> {
    let registrar = app.registrar(seed.schools[0].id);
    link(app, &registrar, issuer, subject).await;
    registrar
}

async fn link(app: &App, person: &Person<'_>, issuer: &str, subject: &str) {
    let login = person.login().await;
    let linked = app.store().link_identity(&login, issuer, subject, clock().now()).await.unwrap();
    assert_eq!(linked, xueji::store::identity::Linked::Done);
}

#[track_caller]
fn is_let_in(answer: &Answer) {
    assert_eq!(*answer.at("/students/totalCount"), 9);
}

#[track_caller]
fn is_refused(what: &str, answer: &Answer) {
    let refused = (answer.status.as_u16(), answer.code());
    assert_eq!(refused, (401, "UNAUTHENTICATED"), "{what}: {}", answer.text);
    assert!(answer.body.get("data").is_none(), "{what}: {}", answer.text);
}

/// A key of ECDSA: what it signs with, and what is published.
fn ec(kid: &str) -> (EncodingKey, Value) {
    use base64::Engine as _;
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let point = key.public_key_raw();
    let text = |bytes: &[u8]| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes);
    let (x, y) = (text(&point[1..33]), text(&point[33..]));
    let public = json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid });
    (EncodingKey::from_ec_der(&key.serialize_der()), public)
}

/// The RSA key of these tests.
fn rsa(kid: &str) -> (EncodingKey, Value) {
    let key = EncodingKey::from_rsa_pem(include_bytes!("rsa.pem")).unwrap();
    let public = json!({ "kty": "RSA", "n": MODULUS, "e": "AQAB", "kid": kid, "use": "sig", "alg": "RS256" });
    (key, public)
}

fn header(algorithm: Algorithm, kid: &str) -> Header {
    let typ = Some("at+jwt".to_owned());
    Header { typ, kid: Some(kid.to_owned()), ..Header::new(algorithm) }
}

#[tokio::test]
async fn an_access_token_leads_to_the_account_that_is_linked_whatever_its_algorithm() {
    let (ed, (ec_key, ec_public), (rsa_key, rsa_public)) = (Ed::new("ed", 1), ec("ec"), rsa("rsa"));
    let fake = Fake::start(&[ed.public(), ec_public, rsa_public]).await;
    let (app, seed) = App::school_trusting(fake.alone()).await;
    linked(&app, &seed, &fake.url, "lina@example").await;
    let claims = fake.claims("lina@example");
    let other = |header: Value, more: Value| ed.sign(header, &over(claims.clone(), more));
    for token in [
        ed.sign(json!({}), &claims),
        jsonwebtoken::encode(&header(Algorithm::ES256, "ec"), &claims, &ec_key).unwrap(),
        jsonwebtoken::encode(&header(Algorithm::RS256, "rsa"), &claims, &rsa_key).unwrap(),
        other(json!({ "typ": "JWT" }), json!({ "typ": "Bearer", "token_use": "access" })),
        other(json!({ "typ": "application/at+jwt" }), json!({ "aud": ["else", API], "jti": "7" })),
    ] {
        is_let_in(&with(&app, &token).await);
        // Once more, from memory.
        is_let_in(&with(&app, &token).await);
    }
    assert_eq!((fake.asked(fake::DISCOVERY), fake.asked(fake::KEYS)), (1, 1), "one fetch for all");
    // The suite's own tokens go on.
    is_let_in(&with(&app, &app.registrar(seed.schools[0].id).token().await).await);
}

#[tokio::test]
async fn an_identity_is_issuer_and_subject_byte_by_byte_and_an_unknown_one_looks_like_no_account() {
    let (ed, elsewhere) = (Ed::new("ed", 1), Ed::new("ed", 2));
    let fake = Fake::start(&[ed.public()]).await;
    let other = Fake::start(&[elsewhere.public()]).await;
    let (app, seed) = App::school_trusting(fake::trusting(&[&fake, &other])).await;
    let registrar = linked(&app, &seed, &fake.url, "Li Na").await;
    is_let_in(&with(&app, &ed.sign(json!({}), &fake.claims("Li Na"))).await);
    let nobody = with(&app, &app.token(&Uuid::now_v7().to_string())).await;
    is_refused("nobody", &nobody);
    let account = Uuid::from(registrar.account().await).to_string();
    let login = registrar.login().await;
    let mut looked_at = 0;
    for subject in
        ["li na", "Li Na ", " Li Na", "Li  Na", "Ｌi Na", "Li%20Na", "Li Na'--", &account, &login]
    {
        let answer = with(&app, &ed.sign(json!({}), &fake.claims(subject))).await;
        assert_eq!(answer.without_request_id(), nobody.without_request_id(), "{subject:?}");
        looked_at += 1;
    }
    // What another issuer calls so is somebody else, and so is what the settings' own keys vouch for.
    let answer = with(&app, &elsewhere.sign(json!({}), &other.claims("Li Na"))).await;
    assert_eq!(answer.without_request_id(), nobody.without_request_id());
    let answer = with(&app, &app.token("Li Na")).await;
    assert_eq!(answer.without_request_id(), nobody.without_request_id());
    // Claims with the name or address of somebody link nobody.
    let claims = over(
        fake.claims("somebody"),
        json!({ "email": login, "email_verified": true, "preferred_username": login }),
    );
    let answer = with(&app, &ed.sign(json!({}), &claims)).await;
    assert_eq!(answer.without_request_id(), nobody.without_request_id());
    println!("{} identities that are not linked were told nothing", looked_at + 3);
}

#[tokio::test]
async fn one_identity_has_one_account() {
    use xueji::store::identity::Linked;
    let (app, seed) = App::school().await;
    let (first, second) = (app.registrar(seed.schools[0].id), app.administrator());
    let store = app.store();
    let (now, issuer) = (clock().now(), "https://id.example");
    link(&app, &first, issuer, "x").await;
    let (one, two) = (first.login().await, second.login().await);
    assert_eq!(store.link_identity(&one, issuer, "x", now).await.unwrap(), Linked::Already);
    assert_eq!(store.link_identity(&two, issuer, "x", now).await.unwrap(), Linked::Taken);
    assert_eq!(store.link_identity("nobody", issuer, "y", now).await.unwrap(), Linked::NoAccount);
    assert_eq!(store.link_identity(&two, issuer, "X", now).await.unwrap(), Linked::Done);
    assert!(!store.unlink_identity(&two, issuer, "x", now).await.unwrap(), "that of another");
    assert!(store.unlink_identity(&one, issuer, "x", now).await.unwrap());
    assert!(!store.unlink_identity(&one, issuer, "x", now).await.unwrap(), "twice");
    let left = store.identities(None).await.unwrap();
    let left: Vec<_> = left.iter().map(|one| (one.login.as_str(), one.subject.as_str())).collect();
    assert_eq!(left, [(two.as_str(), "X")]);
}
