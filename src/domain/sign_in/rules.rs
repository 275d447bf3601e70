//! What a new password must be, and must not be. Pure: what is on file about the person is handed in.
//!
//! A refusal names a rule and what to do. It quotes neither the password nor what is on file.

use std::collections::HashSet;
use std::sync::LazyLock;

use chrono::{Datelike, NaiveDate};

use crate::config::sign_in::SignIn;
use crate::error::{Error, Why};
use crate::store::sign_in::Personal;

/// Most bytes of a password: more are no safer and cost work.
pub(super) const MOST_BYTES: usize = 256;
/// Different characters that a password has at least.
const DIFFERENT: usize = 5;
/// Shortest beginning that is looked for among the common ones when signs and digits at the end are left out.
const STEM: usize = 5;

static COMMON: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    let lines = include_str!("common.txt").lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
});

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Weak {
    /// Fewer characters than this.
    Short(u32),
    Long,
    /// Fewer kinds of characters than this.
    Kinds(u32),
    Common,
    Personal,
    Reused,
}

impl Weak {
    pub(super) fn refused(self) -> Error {
        let (rule, en, zh) = match self {
            Self::Short(least) => (
                "PASSWORD_TOO_SHORT",
                format!("use {least} characters or more; several words are easy to remember"),
                format!("密码至少 {least} 个字符；由几个词组成的密码便于记忆"),
            ),
            Self::Long => (
                "PASSWORD_TOO_LONG",
                format!("use {MOST_BYTES} bytes at most"),
                format!("密码最多 {MOST_BYTES} 个字节"),
            ),
            Self::Kinds(least) => (
                "PASSWORD_TOO_UNIFORM",
                format!("use {least} kinds of characters, of small letters, capitals, digits and others"),
                format!("密码须包含小写字母、大写字母、数字和其他字符中的 {least} 类"),
            ),
            Self::Common => (
                "PASSWORD_COMMON",
                "this is among the passwords that are tried first; choose another".to_owned(),
                "该密码过于常见，易被猜中；请另选密码".to_owned(),
            ),
            Self::Personal => (
                "PASSWORD_PERSONAL",
                "it holds a login, name, birth date or telephone number on file; choose one without".to_owned(),
                "密码中含有账号、姓名、出生日期或电话号码；请另选密码".to_owned(),
            ),
            Self::Reused => (
                "PASSWORD_REUSED",
                "this account had it already; choose one that it never had".to_owned(),
                "该账号曾使用过此密码；请另选密码".to_owned(),
            ),
        };
        Error::Refused { rule, why: Why::new(en, zh) }
    }
}

/// What is wrong with a new password, apart from those that the account had.
pub(super) fn check(rules: &SignIn, password: &str, person: &Personal) -> Result<(), Weak> {
    if password.len() > MOST_BYTES {
        return Err(Weak::Long);
    }
    let length = u32::try_from(password.chars().count()).unwrap_or(u32::MAX);
    if length < rules.min_length {
        return Err(Weak::Short(rules.min_length));
    }
    if is_common(password) {
        return Err(Weak::Common);
    }
    if is_personal(password, person) {
        return Err(Weak::Personal);
    }
    if kinds(password) < rules.classes {
        return Err(Weak::Kinds(rules.classes));
    }
    Ok(())
}

fn kinds(password: &str) -> u32 {
    let any = |of: fn(char) -> bool| u32::from(password.chars().any(of));
    let other = |c: char| !c.is_lowercase() && !c.is_uppercase() && !c.is_numeric();
    any(char::is_lowercase) + any(char::is_uppercase) + any(char::is_numeric) + any(other)
}

fn is_common(password: &str) -> bool {
    let small = password.to_lowercase();
    let different: HashSet<char> = small.chars().collect();
    if different.len() < DIFFERENT || COMMON.contains(small.as_str()) {
        return true;
    }
    // Signs at the end first, then digits and signs: `Woaini1314!`, `Password2026`.
    let without_signs = small.trim_end_matches(|c: char| !c.is_alphanumeric());
    let letters = small.trim_end_matches(|c: char| !c.is_alphabetic());
    [without_signs, letters].iter().any(|stem| stem.len() >= STEM && COMMON.contains(stem))
}

fn is_personal(password: &str, person: &Personal) -> bool {
    let small = password.to_lowercase();
    let digits: String = password.chars().filter(char::is_ascii_digit).collect();
    let letters: String = small.chars().filter(|c| c.is_alphabetic()).collect();
    let login = person.login.to_lowercase();
    if login.chars().count() >= 4 && small.contains(&login) {
        return true;
    }
    let name = |name: &String| {
        let parts: Vec<String> = name
            .to_lowercase()
            .split(|c: char| !c.is_alphabetic())
            .filter(|part| !part.is_empty())
            .map(str::to_owned)
            .collect();
        let whole = parts.concat();
        let turned: String = parts.iter().rev().map(String::as_str).collect();
        // Two characters are a Chinese name; two letters are nobody's.
        let least = if whole.is_ascii() { 4 } else { 2 };
        whole.chars().count() >= least && (letters.contains(&whole) || letters.contains(&turned))
    };
    let phone = |phone: &String| {
        let number: String = phone.chars().filter(char::is_ascii_digit).collect();
        let end = number.get(number.len().saturating_sub(6)..).unwrap_or_default();
        end.len() == 6 && digits.contains(end)
    };
    person.names.iter().any(name)
        || person.phones.iter().any(phone)
        || person
            .birth_dates
            .iter()
            .any(|day| writings(*day).iter().any(|day| digits.contains(day)))
}

/// A day as people write it, digits alone.
fn writings(day: NaiveDate) -> [String; 5] {
    let (year, month, date) = (day.year(), day.month(), day.day());
    let short = year.rem_euclid(100);
    [
        format!("{year:04}{month:02}{date:02}"),
        format!("{short:02}{month:02}{date:02}"),
        format!("{year:04}{month}{date}"),
        format!("{date:02}{month:02}{year:04}"),
        format!("{month:02}{date:02}{year:04}"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn person() -> Personal {
        Personal {
            login: "zhang.wei".to_owned(),
            names: vec!["张伟".to_owned(), "Zhang Wei".to_owned()],
            birth_dates: vec![NaiveDate::from_ymd_opt(2011, 3, 9).unwrap()],
            phones: vec!["13812345678".to_owned()],
        }
    }

    fn verdict(password: &str) -> Result<(), Weak> {
        check(&SignIn::default(), password, &person())
    }

    #[test]
    fn good_passwords_are_taken() {
        for good in
            ["correct Horse 7 battery", "Tr4in-to-Lhasa", "春眠不觉晓 Chu3 chu4", "xK9#mQ2$vL"]
        {
            assert_eq!(verdict(good), Ok(()), "{good}");
        }
    }

    #[test]
    fn each_rule_refuses() {
        for (password, weak) in [
            ("", Weak::Short(10)),
            ("aB3#aB3#", Weak::Short(10)),
            ("lowercase only words", Weak::Kinds(3)),
            ("Aaaaaaaaaa1!", Weak::Common),
            ("Woaini1314!", Weak::Common),
            ("WOAINI1314", Weak::Common),
            ("Password2026!", Weak::Common),
            ("Admin@123456", Weak::Common),
            ("qwertyuiop", Weak::Common),
            ("1q2w3e4r5t", Weak::Common),
            ("xx-Zhang.Wei-9", Weak::Personal),
            ("weizhang#Lhasa7", Weak::Personal),
            ("张伟 loves Lhasa 7", Weak::Personal),
            ("Lhasa#20110309", Weak::Personal),
            ("Lhasa#2011-03-09", Weak::Personal),
            ("Lhasa#110309", Weak::Personal),
            ("Lhasa#201139", Weak::Personal),
            ("Lhasa#13812345678", Weak::Personal),
            ("Lhasa#345678", Weak::Personal),
        ] {
            assert_eq!(verdict(password), Err(weak), "{password}");
        }
        assert_eq!(verdict(&"aB3#".repeat(65)), Err(Weak::Long));
    }

    #[test]
    fn a_refusal_names_its_rule_and_quotes_nothing() {
        for password in ["Woaini1314!", "Lhasa#20110309"] {
            let error = verdict(password).unwrap_err().refused();
            let Error::Refused { rule, why } = &error else { panic!("{error}") };
            assert!(rule.starts_with("PASSWORD_"));
            for told in [why.en.as_ref(), why.zh.as_ref(), &format!("{error:?}")] {
                assert!(!told.contains(password) && !told.contains("2011"), "{told}");
            }
        }
    }

    #[test]
    fn the_list_of_common_ones_is_whole() {
        assert!(COMMON.len() >= 400, "{}", COMMON.len());
        for word in ["woaini1314", "5201314", "a123456", "123456", "password"] {
            assert!(COMMON.contains(word), "{word}");
        }
        assert!(COMMON.iter().all(|word| **word == word.to_lowercase()));
    }
}
