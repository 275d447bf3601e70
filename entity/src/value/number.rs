//! Exact decimals as whole numbers: marks in thousandths, money in fen.
//! Both are plain numbers without a person in them, so they may print themselves. No arithmetic in floats.

use std::{fmt, str::FromStr};

use sea_orm::DeriveValueType;

use super::{ValueError, text};

/// A decimal with three places, such as a mark (分数): `95.5` is 95500 thousandths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct Thousandths(pub i64);

/// An amount of money in fen (分), written in yuan with two places: `1250.00`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, DeriveValueType)]
pub struct Fen(pub i64);

impl FromStr for Thousandths {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        decimal(text, 3).map(Self).ok_or(ValueError::new(
            "Write a decimal number with at most three places, for example 95.5.",
            "请填写最多三位小数的数字，例如 95.5。",
        ))
    }
}

impl FromStr for Fen {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        decimal(text, 2).map(Self).ok_or(ValueError::new(
            "Write an amount in yuan with at most two places, for example 1250.00.",
            "请以元为单位填写金额，最多两位小数，例如 1250.00。",
        ))
    }
}

/// Three places, without the zeros that end them.
impl fmt::Display for Thousandths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        let (whole, rest) = (size / 1000, size % 1000);
        if rest == 0 {
            return write!(f, "{sign}{whole}");
        }
        let places = format!("{rest:03}");
        write!(f, "{sign}{whole}.{}", places.trim_end_matches('0'))
    }
}

/// Always two places.
impl fmt::Display for Fen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.0 < 0 { "-" } else { "" };
        let size = self.0.unsigned_abs();
        write!(f, "{sign}{}.{:02}", size / 100, size % 100)
    }
}

/// Reads `-12.345` into whole units of the last place; None when it is not such a number or does not fit.
fn decimal(input: &str, places: usize) -> Option<i64> {
    let cleaned = text::clean(input);
    let (sign, size) = match cleaned.strip_prefix('-') {
        Some(size) => (-1_i64, size),
        None => (1, cleaned.as_str()),
    };
    let (whole, rest) = match size.split_once('.') {
        Some((whole, rest)) if !rest.is_empty() && rest.len() <= places => (whole, rest),
        Some(_) => return None,
        None => (size, ""),
    };
    if whole.is_empty() || !text::all_digits(whole) || !text::all_digits(rest) {
        return None;
    }
    let digits = format!("{whole}{rest:0<places$}");
    digits.parse::<i64>().ok()?.checked_mul(sign)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousandths_read_and_print() {
        for (text, value, printed) in [
            ("95.5", 95_500, "95.5"),
            ("100", 100_000, "100"),
            ("0", 0, "0"),
            ("-0.125", -125, "-0.125"),
            (" ９５．５ ", 95_500, "95.5"),
            ("7.050", 7_050, "7.05"),
        ] {
            assert_eq!(text.parse(), Ok(Thousandths(value)), "{text}");
            assert_eq!(Thousandths(value).to_string(), printed);
        }
    }

    #[test]
    fn fen_read_and_print() {
        for (text, value, printed) in
            [("1250", 125_000, "1250.00"), ("0.5", 50, "0.50"), ("-3.07", -307, "-3.07")]
        {
            assert_eq!(text.parse(), Ok(Fen(value)), "{text}");
            assert_eq!(Fen(value).to_string(), printed);
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in
            ["", ".", "-", "5.", ".5", "1e3", "1.2345", "+1", "1 2", "--1", "99999999999999999999"]
        {
            assert!(text.parse::<Thousandths>().is_err(), "{text}");
        }
        assert!("1.234".parse::<Fen>().is_err());
        assert_eq!(Thousandths(i64::MIN).to_string(), "-9223372036854775.808");
    }
}
