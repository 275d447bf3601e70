//! What a caller holds in its hand and cannot read: global ids and cursors.
//!
//! A global id is the row's key under one block cipher of the deployment, a key for each noun: no
//! order, no time, no number, and an id of one noun is noise for another. A cursor is sealed
//! together with whom and what it was made for; any other use of it fails like a forged one.

use std::collections::HashMap;

use aes::Aes128;
use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, KeyInit};
use aes_gcm::Aes256Gcm;
use aes_gcm::aead::{Aead, Payload};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;
use uuid::Uuid;

use super::filter::Key;
use super::view::{Noun, Registry};
use crate::leak::{self, Leak};

type HmacSha256 = Hmac<Sha256>;

/// What ids of requests for grants begin with.
const REQUEST: &str = "GrantRequest";

/// What ids of opinions and reports begin with.
const CONCERN: &str = "Concern";

/// The ciphers of global ids and cursors.
pub struct Opaque {
    registry: &'static Registry,
    /// By noun index: the cipher of the first and of the second pass.
    ids: Vec<(Aes128, Aes128)>,
    /// Of requests for grants, which are no noun.
    requests: Aes128,
    /// Of opinions and reports, which are none either.
    concerns: Aes128,
    by_type: HashMap<&'static str, usize>,
    sessions: (Aes128, Aes128),
    cursors: Aes256Gcm,
    nonces: [u8; 32],
    tags: [u8; 32],
}

impl std::fmt::Debug for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opaque(…)")
    }
}

/// What ids of sessions begin with.
const SESSION: &str = "LoginSession";

fn derive(master: &[u8; 32], purpose: &str) -> [u8; 32] {
    mac(master, &[purpose.as_bytes()])
}

fn mac(key: &[u8; 32], parts: &[&[u8]]) -> [u8; 32] {
    let mut out = [0; 32];
    // A key of any length is accepted, so this cannot fail.
    if let Ok(mut mac) = HmacSha256::new_from_slice(key) {
        for part in parts {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        out.copy_from_slice(&mac.finalize().into_bytes());
    }
    out
}

fn halves(key: [u8; 32]) -> (Aes128, Aes128) {
    let (mut first, mut second) = ([0; 16], [0; 16]);
    first.copy_from_slice(&key[..16]);
    second.copy_from_slice(&key[16..]);
    (Aes128::new(&Array::from(first)), Aes128::new(&Array::from(second)))
}

fn xor(a: [u8; 16], b: [u8; 16]) -> [u8; 16] {
    std::array::from_fn(|i| a[i] ^ b[i])
}

fn encrypt(cipher: &Aes128, block: [u8; 16]) -> [u8; 16] {
    let mut block = Array::from(block);
    cipher.encrypt_block(&mut block);
    block.into()
}

fn decrypt(cipher: &Aes128, block: [u8; 16]) -> [u8; 16] {
    let mut block = Array::from(block);
    cipher.decrypt_block(&mut block);
    block.into()
}

impl Opaque {
    /// Derives every key from the deployment's key for public ids.
    pub fn new(master: &[u8; 32], registry: &'static Registry) -> Self {
        Self {
            registry,
            ids: registry
                .nouns()
                .iter()
                .map(|noun| halves(derive(master, &format!("id/{}", noun.shape.name))))
                .collect(),
            by_type: registry
                .nouns()
                .iter()
                .map(|noun| (noun.shape.type_name, noun.index))
                .collect(),
            sessions: halves(derive(master, "id/login_session")),
            requests: halves(derive(master, "id/grant_request")).0,
            concerns: halves(derive(master, "id/concern")).0,
            cursors: Aes256Gcm::new(&Array::from(derive(master, "cursor"))),
            nonces: derive(master, "cursor/nonce"),
            tags: derive(master, "tag"),
        }
    }

    /// The global id of a row.
    pub fn id(&self, noun: &Noun, key: Key) -> String {
        let (first, second) = &self.ids[noun.index];
        let sealed = match key.student {
            None => encrypt(first, *key.id.as_bytes()).to_vec(),
            // Two passes, there and back, so that every bit of the id depends on both keys: rows of
            // one student have nothing in common.
            Some(student) => {
                let a = encrypt(first, *student.as_bytes());
                let b = encrypt(first, xor(*key.id.as_bytes(), a));
                let b = encrypt(second, b);
                let a = encrypt(second, xor(a, b));
                [a, b].concat()
            }
        };
        format!("{}_{}", noun.shape.type_name, URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The opaque id of a session of a sign-in, which is no noun.
    pub fn session_id(&self, session: Uuid) -> String {
        let (first, _) = &self.sessions;
        format!("{SESSION}_{}", URL_SAFE_NO_PAD.encode(encrypt(first, *session.as_bytes())))
    }

    /// The session of such an id; none for what cannot be one.
    pub fn open_session_id(&self, text: &str) -> Option<Uuid> {
        let (name, sealed) = text.split_once('_')?;
        let block: [u8; 16] = URL_SAFE_NO_PAD.decode(sealed).ok()?.try_into().ok()?;
        let (first, _) = &self.sessions;
        (name == SESSION).then(|| Uuid::from_bytes(decrypt(first, block)))
    }

    /// The noun and key of a global id. An id that was never issued gives a key that no row has, or
    /// none; the caller answers both alike.
    pub fn open_id(&self, text: &str) -> Option<(&'static Noun, Key)> {
        let (type_name, sealed) = text.split_once('_')?;
        let noun = self.registry.at(*self.by_type.get(type_name)?);
        let (first, second) = &self.ids[noun.index];
        let bytes = URL_SAFE_NO_PAD.decode(sealed).ok()?;
        let key = if noun.shape.hangs.of_student() {
            let a: [u8; 16] = bytes.get(..16)?.try_into().ok()?;
            let b: [u8; 16] = bytes.get(16..)?.try_into().ok()?;
            let a = xor(decrypt(second, a), b);
            let b = decrypt(second, b);
            let id = xor(decrypt(first, b), a);
            let student = decrypt(first, a);
            Key { student: Some(Uuid::from_bytes(student)), id: Uuid::from_bytes(id) }
        } else {
            let block: [u8; 16] = bytes.try_into().ok()?;
            Key { student: None, id: Uuid::from_bytes(decrypt(first, block)) }
        };
        Some((noun, key))
    }

    /// The key of a global id that must be of this noun.
    pub fn open_id_of(&self, noun: &Noun, text: &str) -> Option<Key> {
        self.open_id(text).filter(|(found, _)| found.index == noun.index).map(|(_, key)| key)
    }

    /// The id of a request for a grant.
    pub fn request_id(&self, id: Uuid) -> String {
        let sealed = encrypt(&self.requests, *id.as_bytes());
        format!("{REQUEST}_{}", URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The request that an id names; none for one that cannot name a request.
    pub fn open_request_id(&self, text: &str) -> Option<Uuid> {
        let (_, sealed) = text.split_once('_').filter(|(of, _)| *of == REQUEST)?;
        let block: [u8; 16] = URL_SAFE_NO_PAD.decode(sealed).ok()?.try_into().ok()?;
        Some(Uuid::from_bytes(decrypt(&self.requests, block)))
    }

    /// The id of an opinion or a report.
    pub fn concern_id(&self, id: Uuid) -> String {
        let sealed = encrypt(&self.concerns, *id.as_bytes());
        format!("{CONCERN}_{}", URL_SAFE_NO_PAD.encode(sealed))
    }

    /// The opinion or report that an id names; none for one that cannot name any.
    pub fn open_concern_id(&self, text: &str) -> Option<Uuid> {
        let (_, sealed) = text.split_once('_').filter(|(of, _)| *of == CONCERN)?;
        let block: [u8; 16] = URL_SAFE_NO_PAD.decode(sealed).ok()?.try_into().ok()?;
        Some(Uuid::from_bytes(decrypt(&self.concerns, block)))
    }

    /// A tag over these parts: equal parts give equal tags, and nothing else can be told from one.
    pub fn tag(&self, parts: &[&[u8]]) -> String {
        URL_SAFE_NO_PAD.encode(&mac(&self.tags, parts)[..16])
    }

    /// Seals a cursor for exactly one use. The same content gives the same cursor.
    pub fn cursor(&self, content: &[u8], bound_to: &[u8]) -> Option<String> {
        if leak::on(Leak::CursorInTheClear) {
            return Some(URL_SAFE_NO_PAD.encode([content, bound_to].concat()));
        }
        let tag = mac(&self.nonces, &[content, bound_to]);
        let mut nonce = [0; 12];
        nonce.copy_from_slice(&tag[..12]);
        let sealed = self
            .cursors
            .encrypt(&Array::from(nonce), Payload { msg: content, aad: bound_to })
            .ok()?;
        Some(URL_SAFE_NO_PAD.encode([nonce.as_slice(), &sealed].concat()))
    }

    /// Opens a cursor made for this use.
    pub fn open_cursor(&self, text: &str, bound_to: &[u8]) -> Option<Vec<u8>> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let nonce: [u8; 12] = bytes.get(..12)?.try_into().ok()?;
        self.cursors
            .decrypt(&Array::from(nonce), Payload { msg: bytes.get(12..)?, aad: bound_to })
            .ok()
    }
}
