//! Codes for people and secrets for programs: made at random, told once, kept as hashes.

use rand::Rng as _;
use sha2::{Digest, Sha256};
use xueji_entity::value::TokenHash;

use crate::config::secret::SecretText;

/// Letters and digits that are not mistaken for one another (those of Crockford's base 32).
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Letters of a code: 80 bits.
const LETTERS: usize = 16;

/// The longest text that is looked at as a code.
const LONGEST: usize = 64;

/// A code of four groups of four letters for somebody who types it, and its hash.
pub fn code() -> (SecretText, TokenHash) {
    let random: [u8; LETTERS] = rand::rng().random();
    let mut text = String::with_capacity(LETTERS + 3);
    for (at, byte) in random.iter().enumerate() {
        if at > 0 && at % 4 == 0 {
            text.push('-');
        }
        text.push(char::from(ALPHABET[usize::from(byte % 32)]));
    }
    let hash = hash(&text.replace('-', ""));
    (SecretText::from(text), hash)
}

/// The hash of a code as somebody typed it: small letters, blanks, hyphens and letters that look like digits are
/// taken for what is meant. None for what cannot be a code.
pub fn typed(text: &str) -> Option<TokenHash> {
    if text.len() > LONGEST {
        return None;
    }
    let mut letters = String::with_capacity(LETTERS);
    for c in text.chars() {
        let c = match c.to_ascii_uppercase() {
            '-' | ' ' => continue,
            'O' => '0',
            'I' | 'L' => '1',
            other => other,
        };
        let known = u8::try_from(c).is_ok_and(|byte| ALPHABET.contains(&byte));
        if !known {
            return None;
        }
        letters.push(c);
    }
    (letters.len() == LETTERS).then(|| hash(&letters))
}

/// A secret of 256 bits for a program, and its hash.
pub fn secret() -> (SecretText, TokenHash) {
    use base64::Engine as _;
    let random: [u8; 32] = rand::rng().random();
    let text = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(random);
    let hash = hash(&text);
    (SecretText::from(text), hash)
}

/// The SHA-256 of a random text.
pub fn hash(text: &str) -> TokenHash {
    TokenHash::from_bytes(Sha256::digest(text.as_bytes()).to_vec())
}

#[cfg(test)]
mod tests {
    use super::{code, secret, typed};

    #[test]
    fn a_code_is_found_however_it_is_typed() {
        let (told, hash) = code();
        let told = told.reveal();
        assert_eq!((told.len(), told.matches('-').count()), (19, 3));
        for text in
            [told.to_owned(), told.to_lowercase(), told.replace('-', " "), told.replace('1', "l")]
        {
            assert_eq!(typed(&text), Some(hash.clone()), "{text}");
        }
        for text in
            ["", "0", "!!!!-!!!!-!!!!-!!!!", &told[1..], &format!("{told}0"), &"0".repeat(99)]
        {
            assert_ne!(typed(text), Some(hash.clone()), "{text}");
        }
    }

    #[test]
    fn no_two_are_alike() {
        assert_ne!(code().1, code().1);
        assert_ne!(secret().1, secret().1);
        assert_eq!(secret().0.reveal().len(), 43);
    }
}
