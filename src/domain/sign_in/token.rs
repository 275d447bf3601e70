//! Refresh tokens: a handle by which their session is found, and 256 random bits, of which the hash alone is kept.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::config::secret::SecretText;

const HANDLE: usize = 16;
const SECRET: usize = 32;

/// A refresh token as its client holds it.
pub(super) struct Refresh {
    pub(super) handle: Uuid,
    secret: [u8; SECRET],
}

impl Refresh {
    /// The first of a session.
    pub(super) fn first() -> Self {
        let mut handle = [0_u8; HANDLE];
        rand::rng().fill(&mut handle);
        Self::next(uuid::Builder::from_random_bytes(handle).into_uuid())
    }

    /// The next of a session.
    pub(super) fn next(handle: Uuid) -> Self {
        let mut secret = [0_u8; SECRET];
        rand::rng().fill(&mut secret);
        Self { handle, secret }
    }

    /// Reads what a client sends; none for what cannot be one.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if text.len() > 2 * (HANDLE + SECRET) {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let (handle, secret) = bytes.split_at_checked(HANDLE)?;
        Some(Self {
            handle: Uuid::from_bytes(handle.try_into().ok()?),
            secret: secret.try_into().ok()?,
        })
    }

    /// The token.
    pub(super) fn text(&self) -> SecretText {
        let bytes = [self.handle.as_bytes().as_slice(), &self.secret].concat();
        SecretText::from(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What is kept of it.
    pub(super) fn hash(&self) -> Vec<u8> {
        Sha256::digest(self.secret).to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_read_as_it_was_written_and_nothing_else_is() {
        let token = Refresh::first();
        let text = token.text();
        let read = Refresh::parse(text.reveal()).unwrap();
        assert_eq!((read.handle, read.hash()), (token.handle, token.hash()));
        assert_ne!(Refresh::next(token.handle).hash(), token.hash());
        let longer = format!("{}AA", text.reveal());
        for odd in ["", "A", "学籍", &text.reveal()[1..], &longer, &"A".repeat(10_000)] {
            assert!(Refresh::parse(odd).is_none(), "{odd}");
        }
    }
}
