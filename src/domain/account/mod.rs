//! Accounts as others manage them: made, barred, let in again, given a new code; and programs of other systems.
//!
//! Whoever sets a password could act as its owner. So nobody manages the own account, nor one that holds more than
//! the places at which the act is held, nor, without a right of its own, that of somebody who stands over a school.
//! A code or secret is told once, in the answer of the act that made it, and kept as a hash alone: acts that make one
//! take no key for a repetition.

pub mod activate;
pub mod client;
pub mod create;
pub mod import;
pub mod manage;
pub mod secret;
pub mod token;

use std::borrow::Cow;

use xueji_entity::value::{AccountId, looks_masked};

use crate::error::{Error, Result, Why};
pub use crate::store::tx::Whose;
use crate::store::tx::{Subject, Tx};

/// The shortest and the longest login, in characters.
const LOGIN: std::ops::RangeInclusive<usize> = 3..=64;

/// A row of digits as long as the numbers of persons are: of a telephone, an identity document, a pupil.
const DIGITS: usize = 11;

/// The rule of what an account may be called. A login is shown to administrators and stands in lists, so it is none
/// of the numbers that only few may see.
pub fn check_login(field: &'static str, login: &str) -> Result<()> {
    let shaped = LOGIN.contains(&login.chars().count())
        && login.chars().all(|c| c.is_alphanumeric() || "._-@".contains(c))
        && !looks_masked(login);
    if !shaped {
        return Err(Error::invalid(
            field,
            "a login has 3 to 64 letters, digits or . _ - @, without blanks",
            "登录名为 3 至 64 个字母、数字、汉字或 . _ - @，不含空格",
        ));
    }
    let mut row = 0;
    for c in login.chars() {
        row = if c.is_numeric() { row + 1 } else { 0 };
        if row >= DIGITS {
            return Err(Error::invalid(
                field,
                "a login is seen by administrators: choose one without a telephone, identity or student number",
                "登录名对管理员可见：请勿使用电话号码、证件号码或学籍号",
            ));
        }
    }
    Ok(())
}

fn refused(
    rule: &'static str,
    en: impl Into<Cow<'static, str>>,
    zh: impl Into<Cow<'static, str>>,
) -> Error {
    Error::Refused { rule, why: Why::new(en, zh) }
}

fn login_taken() -> Error {
    refused("LOGIN_TAKEN", "this login is in use; choose another one", "该登录名已被使用；请换一个")
}

/// The account that an act is about, where the caller may act on it.
async fn subject(tx: &Tx, whose: Option<&Whose>) -> Result<Subject> {
    let not_found = || Error::not_found("Account");
    let subject = tx.subject(whose.ok_or_else(not_found)?).await?.ok_or_else(not_found)?;
    if AccountId::from_uuid(subject.account) == tx.caller().account() {
        return Err(refused(
            "ACCOUNT_OWN",
            "nobody manages the own account; ask somebody else who may",
            "不得管理本人的账户；请由其他有权人员办理",
        ));
    }
    if subject.beyond {
        return Err(refused(
            "ACCOUNT_BEYOND_REACH",
            "this account holds more than you may manage; ask the administrator",
            "该账户的授权超出您可管理的范围；请联系系统管理员",
        ));
    }
    if subject.above {
        return Err(above());
    }
    Ok(subject)
}

fn above() -> Error {
    refused(
        "ACCOUNT_ABOVE",
        "this is the account of somebody who holds a role over the whole school; ask the principal or the administrator",
        "此人担任全校性职务；请由校长或系统管理员办理其账户",
    )
}

#[cfg(test)]
mod tests {
    use super::check_login;

    #[test]
    fn a_login_is_a_word_and_no_number_of_a_person() {
        for login in ["li.ming", "T2026-001", "王老师01", "a@b.cn", "1234567890"] {
            assert!(check_login("login", login).is_ok(), "{login}");
        }
        let long = "x".repeat(65);
        for login in
            ["", "ab", "a b c", "a\tbc", "13800001234", "x110105201001011234", "li***ng", &long]
        {
            assert!(check_login("login", login).is_err(), "{login}");
        }
    }
}
