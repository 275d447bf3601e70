//! What goes beyond the everyday: one value revealed, a record opened, a number checked, a duty given to a
//! substitute. Each is an act of its own, limited, and on record with its purpose, whatever came of it.

pub mod check;
pub mod delegate;
pub mod open;
pub mod reveal;
pub mod review;

/// The names of the limits by the hour, as figures and refusals have them.
pub const LIMITS: [&str; 5] =
    [open::LIMIT, reveal::LIMIT, check::LIMIT, delegate::LIMIT, super::concern::LIMIT];

pub(super) use delegate::too_many_pairs;
use xueji_entity::value::{Guarded, Narrative};

use super::refuse_masked;
use crate::access::caller::Caller;
use crate::error::{Error, Result, Why};

/// The header in which a request states its purpose; also the name of the field in refusals.
pub const PURPOSE: &str = "Xueji-Purpose";

/// The purpose that the request states; `INVALID_INPUT` without one.
fn purpose(caller: &Caller) -> Result<&str> {
    caller.purpose.as_deref().ok_or_else(|| {
        Error::invalid(
            PURPOSE,
            "state what this is for: a code of viewer.purposes in the header Xueji-Purpose",
            "请在请求头 Xueji-Purpose 中以 viewer.purposes 的代码说明用途",
        )
    })
}

/// A purpose that the policy does not know.
pub fn unknown_purpose() -> Error {
    Error::invalid(
        PURPOSE,
        "the policy knows no such purpose; viewer.purposes lists those it knows",
        "策略中没有该用途；可用的用途见 viewer.purposes",
    )
}

/// A text that says why, of so many characters.
pub(in crate::domain) fn reason(
    field: &'static str,
    text: &str,
    least: usize,
    most: usize,
) -> Result<Narrative> {
    refuse_masked(field, text)?;
    let reason = Narrative::parse(text)
        .map_err(|error| Error::invalid(field, error.why_en, error.why_zh))?;
    if (least..=most).contains(&text.trim().chars().count()) {
        return Ok(reason);
    }
    Err(Error::invalid(
        field,
        format!("write {least} to {most} characters"),
        format!("请填写 {least} 至 {most} 个字符"),
    ))
}

/// A rule that says no.
pub(in crate::domain) fn refused(
    rule: &'static str,
    en: impl Into<String>,
    zh: impl Into<String>,
) -> Error {
    Error::Refused { rule, why: Why::new(en.into(), zh.into()) }
}
