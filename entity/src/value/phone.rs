//! Telephone numbers: mainland mobiles, landlines with area code, numbers abroad.
//! The stored form has digits only, and a leading `+` for numbers abroad, so that equal numbers are equal texts.

use super::{ValueError, personal, text};

personal! {
    /// A telephone number (联系电话).
    Phone, mask = "phone", parse = parse, mask_text = mask
}

fn parse(input: &str) -> Result<String, ValueError> {
    let dialled: String = text::compact(input).chars().filter(|c| !is_separator(*c)).collect();
    let inland = dialled.strip_prefix("+86").or_else(|| dialled.strip_prefix("0086"));
    let number = match inland {
        Some(rest) if is_mobile(rest) || rest.starts_with('0') => rest.to_owned(),
        // Behind the country code the area code loses its zero.
        Some(rest) => format!("0{rest}"),
        None => match dialled.strip_prefix("86") {
            Some(rest) if is_mobile(rest) => rest.to_owned(),
            Some(_) | None => dialled,
        },
    };
    if is_mobile(&number) || is_landline(&number) || is_abroad(&number) {
        Ok(number)
    } else {
        Err(ValueError::new(
            "Enter a mobile number of 11 digits, a landline with its area code, or a number abroad with + and the country code.",
            "请填写 11 位手机号码、带区号的固定电话，或以 + 和国家代码开头的境外号码。",
        ))
    }
}

fn is_separator(c: char) -> bool {
    matches!(c, '-' | '(' | ')' | '.' | '/' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}

fn is_mobile(number: &str) -> bool {
    let bytes = number.as_bytes();
    bytes.len() == 11
        && text::all_digits(number)
        && bytes.first() == Some(&b'1')
        && bytes.get(1).is_some_and(|b| (b'3'..=b'9').contains(b))
}

/// Area code of three or four digits that starts with a zero, then seven or eight digits.
fn is_landline(number: &str) -> bool {
    let bytes = number.as_bytes();
    (10..=12).contains(&bytes.len())
        && text::all_digits(number)
        && bytes.first() == Some(&b'0')
        && bytes.get(1).is_some_and(|b| *b != b'0')
}

fn is_abroad(number: &str) -> bool {
    number.strip_prefix('+').is_some_and(|rest| {
        (7..=15).contains(&rest.len())
            && text::all_digits(rest)
            && !rest.starts_with("86")
            && !rest.starts_with('0')
    })
}

/// `138****1234` for a mobile; of any other text the last two characters.
fn mask(bare: &str) -> String {
    if is_mobile(bare)
        && let (Some(head), Some(tail)) = (bare.get(..3), bare.get(7..))
    {
        return format!("{head}****{tail}");
    }
    text::mask_but_last(bare, 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Guarded;

    #[test]
    fn numbers_are_normalised() {
        for (text, number) in [
            ("138 0013 8000", "13800138000"),
            ("+86 138-0013-8000", "13800138000"),
            ("8613800138000", "13800138000"),
            ("００８６１３８００１３８０００", "13800138000"),
            ("010-12345678", "01012345678"),
            ("+86 10 1234 5678", "01012345678"),
            ("(0711) 1234567", "07111234567"),
            ("+852 1234 5678", "+85212345678"),
        ] {
            assert_eq!(Phone::parse(text).as_ref().map(Guarded::expose), Ok(number), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "12345678",
            "12800138000",
            "1380013800",
            "138001380000",
            "+86",
            "phone",
            "+0123456789",
            "0012345678901",
        ] {
            assert!(Phone::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn masks() {
        for (number, masked) in [
            ("13800138000", "138****8000"),
            ("01012345678", "*********78"),
            ("+85212345678", "**********78"),
            ("12", "**"),
            ("", "**"),
            ("𠮷𠮷𠮷", "***"),
        ] {
            assert_eq!(Phone::mask_text(number), masked, "{number}");
        }
    }
}
