//! The second factor: codes of six digits by time (TOTP, RFC 6238), and recovery codes that stand in for them.

use chrono::{DateTime, Utc};
use rand::Rng;
use totp_rs::{Builder, Secret, Totp};

use crate::error::{Error, Result};

/// Recovery codes of a set.
pub const RECOVERY_CODES: usize = 10;
/// Characters of one, without the hyphens.
const RECOVERY_LENGTH: usize = 16;
/// Letters and digits that are not taken for each other.
const LETTERS: &[u8] = b"abcdefghjkmnpqrstuvwxyz23456789";
/// Bytes of a key.
const KEY: usize = 20;
/// The name that an authenticator shows.
const ISSUER: &str = "xueji";

/// What somebody types as a second factor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Code {
    /// Six digits.
    Digits(String),
    /// A recovery code, without hyphens and in small letters.
    Recovery(String),
    /// Something else.
    Odd,
}

impl Code {
    pub(super) fn read(text: &str) -> Self {
        if text.len() > 64 {
            return Self::Odd;
        }
        let bare: String =
            text.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>();
        if bare.len() == 6 && bare.bytes().all(|byte| byte.is_ascii_digit()) {
            return Self::Digits(bare);
        }
        let bare = bare.to_ascii_lowercase();
        let of_code = |byte: u8| LETTERS.contains(&byte);
        if bare.len() == RECOVERY_LENGTH && bare.bytes().all(of_code) {
            return Self::Recovery(bare);
        }
        Self::Odd
    }
}

/// A new key in base 32.
pub(super) fn new_key() -> String {
    let mut key = [0_u8; KEY];
    rand::rng().fill(&mut key);
    Secret::from(key).to_base32()
}

/// The key as authenticators read it from a picture.
pub(super) fn uri(login: &str, key: &str) -> String {
    let login: String = login
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'_' | b'-' => {
                char::from(byte).to_string()
            }
            byte => format!("%{byte:02X}"),
        })
        .collect();
    format!("otpauth://totp/{ISSUER}:{login}?secret={key}&issuer={ISSUER}")
}

/// The time step of which this is the code, one before and one after the present at most; none for a wrong one.
pub(super) fn step(key: &str, digits: &str, now: DateTime<Utc>) -> Result<Option<i64>> {
    let odd = |_detail| Error::internal("the key of a second factor cannot be read");
    let secret = Secret::try_from_base32(key).map_err(odd)?;
    let totp: Totp = Builder::new()
        .with_secret(secret)
        .build()
        .map_err(|_detail| Error::internal("the key of a second factor is too short"))?;
    let time = u64::try_from(now.timestamp()).unwrap_or_default();
    Ok(totp.check(digits, time).and_then(|step| i64::try_from(step).ok()))
}

/// New recovery codes, without hyphens.
pub(super) fn recovery_codes() -> Vec<String> {
    let mut random = rand::rng();
    let mut code = || -> String {
        (0..RECOVERY_LENGTH)
            .map(|_| char::from(LETTERS[random.random_range(0..LETTERS.len())]))
            .collect()
    };
    (0..RECOVERY_CODES).map(|_| code()).collect()
}

/// A recovery code as it is printed.
pub(super) fn printed(code: &str) -> String {
    let chunks: Vec<_> = code.as_bytes().chunks(4).map(String::from_utf8_lossy).collect();
    chunks.join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and the codes of RFC 6238, appendix B, cut to six digits.
    const KEY_OF_RFC: &str = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    #[test]
    fn codes_are_those_of_the_standard() {
        for (seconds, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (20_000_000_000, "353130")]
        {
            assert_eq!(step(KEY_OF_RFC, code, at(seconds)).unwrap(), Some(seconds / 30));
            assert_eq!(step(KEY_OF_RFC, code, at(seconds + 30)).unwrap(), Some(seconds / 30));
            assert_eq!(step(KEY_OF_RFC, code, at(seconds + 90)).unwrap(), None);
        }
        assert_eq!(step(KEY_OF_RFC, "000000", at(59)).unwrap(), None);
        // Before time began, by a clock that is wrong.
        assert_eq!(step(KEY_OF_RFC, "000000", at(-1_000_000)).unwrap(), None);
    }

    #[test]
    fn what_is_typed_is_read_as_it_is_meant() {
        assert_eq!(Code::read(" 287 082 "), Code::Digits("287082".to_owned()));
        let code = recovery_codes().remove(0);
        assert_eq!(Code::read(&printed(&code).to_uppercase()), Code::Recovery(code));
        for odd in ["", "28708", "2870822", "abcd-efgh", "二八七零八二", &"1".repeat(1_000)] {
            assert_eq!(Code::read(odd), Code::Odd, "{odd}");
        }
    }

    #[test]
    fn a_login_does_not_change_the_address_of_a_key() {
        let uri = uri("王&secret=x", "ABC");
        assert_eq!(uri, "otpauth://totp/xueji:%E7%8E%8B%26secret%3Dx?secret=ABC&issuer=xueji");
    }
}
