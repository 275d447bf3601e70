//! Postal codes of the mainland.

use super::{ValueError, personal, text};

personal! {
    /// A postal code of six digits (邮政编码).
    PostalCode, mask = "postal_code", parse = parse, mask_text = mask
}

fn parse(input: &str) -> Result<String, ValueError> {
    let postal_code = text::compact(input);
    if postal_code.len() == 6 && text::all_digits(&postal_code) && postal_code != "000000" {
        Ok(postal_code)
    } else {
        Err(ValueError::new("Enter the six digits of the postal code.", "请填写 6 位邮政编码。"))
    }
}

/// Nothing stays visible: the code stands for a district.
fn mask(_: &str) -> String {
    text::stars(6)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Guarded;

    #[test]
    fn six_digits() {
        assert_eq!(PostalCode::parse(" １００ ０２０").unwrap().expose(), "100020");
        for text in ["", "10002", "1000200", "10002A", "000000"] {
            assert!(PostalCode::parse(text).is_err(), "{text}");
        }
        assert_eq!(PostalCode::mask_text("𠮷"), "******");
    }
}
