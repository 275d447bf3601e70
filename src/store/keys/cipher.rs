//! One data key at work: a text of one place to bytes and back.
//!
//! The bytes are the format (2), the number of the key, a random nonce, the ciphertext and its tag.
//! Table, column and row are associated data: a value that stands anywhere else does not open.

use aes_gcm::aead::consts::U12;
use aes_gcm::aead::inout::InOutBuf;
use aes_gcm::aead::{AeadInOut, Tag};
use aes_gcm::{Aes256Gcm, AesGcm, KeyInit};
use rand::Rng;
use sm4::Sm4;
use uuid::Uuid;

use crate::config::settings::DataCipher;
use crate::error::{Error, Result};

/// SM4 (GB/T 32907-2016) in Galois/Counter mode.
type Sm4Gcm = AesGcm<Sm4, U12>;

/// The format byte of a sealed text.
const SEALED: u8 = 2;
/// The format byte of text as earlier versions kept it.
const CLEAR: u8 = 1;
const NONCE: usize = 12;
const TAG: usize = 16;
/// Format and number of the key.
pub(super) const HEAD: usize = 5;

/// A data key, with its key schedule worked out.
pub(super) struct DataKey {
    pub(super) id: u32,
    cipher: Cipher,
}

enum Cipher {
    Aes(Box<Aes256Gcm>),
    Sm4(Box<Sm4Gcm>),
}

/// How many bytes a key of the algorithm has.
pub(super) const fn key_bytes(algorithm: DataCipher) -> usize {
    match algorithm {
        DataCipher::Aes256Gcm => 32,
        DataCipher::Sm4Gcm => 16,
    }
}

/// What every value under a key begins with.
pub(super) fn head(id: u32) -> [u8; HEAD] {
    let [a, b, c, d] = id.to_be_bytes();
    [SEALED, a, b, c, d]
}

/// The number of the key under which a value was sealed; none when it has another format.
pub(super) fn key_of(sealed: &[u8]) -> Option<u32> {
    match sealed.split_first_chunk::<HEAD>() {
        Some(([SEALED, id @ ..], _)) => Some(u32::from_be_bytes(*id)),
        _ => None,
    }
}

/// The text of a value that an earlier version kept in the clear. Only the rewriting of such a registry asks.
pub(super) fn clear(stored: &[u8]) -> Option<&str> {
    let (&CLEAR, text) = stored.split_first()? else { return None };
    std::str::from_utf8(text).ok()
}

fn place(table: &str, column: &str, row: Uuid) -> Vec<u8> {
    let parts: [&[u8]; 5] = [table.as_bytes(), &[0], column.as_bytes(), &[0], row.as_bytes()];
    parts.concat()
}

impl DataKey {
    pub(super) fn new(id: u32, algorithm: DataCipher, key: &[u8]) -> Result<Self> {
        let wrong = |_length| Error::internal(format!("data key {id} has a wrong length"));
        let cipher = match algorithm {
            DataCipher::Aes256Gcm => {
                Cipher::Aes(Box::new(Aes256Gcm::new_from_slice(key).map_err(wrong)?))
            }
            DataCipher::Sm4Gcm => {
                Cipher::Sm4(Box::new(Sm4Gcm::new_from_slice(key).map_err(wrong)?))
            }
        };
        Ok(Self { id, cipher })
    }

    pub(super) fn seal(&self, table: &str, column: &str, row: Uuid, bare: &str) -> Result<Vec<u8>> {
        const BEFORE: usize = HEAD + NONCE;
        let nonce: [u8; NONCE] = rand::rng().random();
        let mut out = Vec::with_capacity(BEFORE + bare.len() + TAG);
        out.extend_from_slice(&head(self.id));
        out.extend_from_slice(&nonce);
        out.extend_from_slice(bare.as_bytes());
        let place = place(table, column, row);
        let text = InOutBuf::from(&mut out[BEFORE..]);
        let tag = match &self.cipher {
            Cipher::Aes(cipher) => cipher.encrypt_inout_detached(&nonce.into(), &place, text),
            Cipher::Sm4(cipher) => cipher.encrypt_inout_detached(&nonce.into(), &place, text),
        };
        let tag =
            tag.map_err(|_opaque| Error::internal(format!("{table}.{column} cannot be sealed")))?;
        out.extend_from_slice(&tag);
        Ok(out)
    }

    pub(super) fn open(
        &self,
        table: &str,
        column: &str,
        row: Uuid,
        sealed: &[u8],
    ) -> Result<String> {
        let wrong = || Error::internal(format!("{table}.{column} was not sealed for its place"));
        let rest = sealed.get(HEAD..).ok_or_else(wrong)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE>().ok_or_else(wrong)?;
        let (text, tag) = rest.split_last_chunk::<TAG>().ok_or_else(wrong)?;
        let (nonce, place) = ((*nonce).into(), place(table, column, row));
        let mut text = text.to_vec();
        let inside = InOutBuf::from(text.as_mut_slice());
        match &self.cipher {
            Cipher::Aes(cipher) => {
                let tag = Tag::<Aes256Gcm>::from(*tag);
                cipher.decrypt_inout_detached(&nonce, &place, inside, &tag)
            }
            Cipher::Sm4(cipher) => {
                let tag = Tag::<Sm4Gcm>::from(*tag);
                cipher.decrypt_inout_detached(&nonce, &place, inside, &tag)
            }
        }
        .map_err(|_opaque| wrong())?;
        String::from_utf8(text).map_err(|_opaque| wrong())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys() -> [DataKey; 2] {
        [
            DataKey::new(1, DataCipher::Aes256Gcm, &[7; 32]).unwrap(),
            DataKey::new(2, DataCipher::Sm4Gcm, &[7; 16]).unwrap(),
        ]
    }

    #[test]
    fn a_text_opens_to_itself_in_its_place_alone() {
        let (row, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        for key in keys() {
            let sealed = key.seal("student", "phone", row, "13800001234").unwrap();
            assert_eq!(key.open("student", "phone", row, &sealed).unwrap(), "13800001234");
            assert_eq!(key_of(&sealed), Some(key.id));
            for (table, column, row) in [
                ("student", "phone", other),
                ("student", "email", row),
                ("guardian", "phone", row),
                ("student\0phone", "", row),
            ] {
                assert!(key.open(table, column, row, &sealed).is_err(), "{table} {column} {row}");
            }
        }
    }

    #[test]
    fn a_changed_byte_a_cut_and_another_key_are_refused() {
        let row = Uuid::from_u128(1);
        for key in keys() {
            let sealed = key.seal("student", "phone", row, "13800001234").unwrap();
            for at in HEAD..sealed.len() {
                let mut bent = sealed.clone();
                bent[at] ^= 1;
                assert!(key.open("student", "phone", row, &bent).is_err(), "byte {at}");
                assert!(key.open("student", "phone", row, &sealed[..at]).is_err(), "cut at {at}");
            }
        }
        let [aes, sm4] = keys();
        let sealed = aes.seal("student", "phone", row, "13800001234").unwrap();
        assert!(sm4.open("student", "phone", row, &sealed).is_err());
        let longer = DataKey::new(1, DataCipher::Sm4Gcm, &[7; 32]);
        assert!(longer.is_err() && DataKey::new(1, DataCipher::Aes256Gcm, &[7; 31]).is_err());
    }

    #[test]
    fn equal_texts_are_sealed_to_different_bytes() {
        let [key, _] = keys();
        let seal = || key.seal("student", "phone", Uuid::nil(), "13800001234").unwrap();
        assert_ne!(seal(), seal());
        assert!(seal().windows(3).all(|part| part != b"138"));
    }

    #[test]
    fn the_empty_text_and_texts_of_any_letters_are_sealed() {
        for key in keys() {
            for text in ["", "湖南省长沙市", "a\0b"] {
                let sealed = key.seal("t", "c", Uuid::nil(), text).unwrap();
                assert_eq!(key.open("t", "c", Uuid::nil(), &sealed).unwrap(), text);
            }
        }
    }

    /// RFC 8998, appendix A.1.
    #[test]
    fn sm4_gcm_is_that_of_the_standard() {
        let bytes = |hex: &str| -> Vec<u8> {
            let digits = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
            digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
        };
        let cipher = Sm4Gcm::new_from_slice(&bytes("0123456789abcdeffedcba9876543210")).unwrap();
        let nonce: [u8; 12] = bytes("00001234567800000000abcd").try_into().unwrap();
        let place = bytes("feedfacedeadbeeffeedfacedeadbeefabaddad2");
        let mut text = bytes(
            "aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd\
             eeeeeeeeeeeeeeeeffffffffffffffffeeeeeeeeeeeeeeeeaaaaaaaaaaaaaaaa",
        );
        let inside = InOutBuf::from(text.as_mut_slice());
        let tag = cipher.encrypt_inout_detached(&nonce.into(), &place, inside).unwrap();
        assert_eq!(
            text,
            bytes(
                "17f399f08c67d5ee19d0dc9969c4bb7d5fd46fd3756489069157b282bb200735\
                 d82710ca5c22f0ccfa7cbf93d496ac15a56834cbcf98c397b4024a2691233b8d"
            )
        );
        assert_eq!(tag.as_slice(), bytes("83de3541e4c2b58177e065a9bf7b62ec"));
    }
}
