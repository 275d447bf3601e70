//! Free text about a person: reasons, remarks, talents, workplaces.
//! Never searched, never shown in part: what a sentence gives away cannot be known beforehand.

use unicode_normalization::UnicodeNormalization;

use super::{ValueError, personal};

personal! {
    /// Free text (文字说明).
    Narrative, mask = "narrative", parse = parse, mask_text = mask
}

/// Longest text in characters.
const LONGEST: usize = 4000;

fn parse(input: &str) -> Result<String, ValueError> {
    // NFC only: compatibility folding would rewrite ① or ㎡, which people mean as they stand.
    let composed: String = input.replace("\r\n", "\n").replace('\r', "\n").nfc().collect();
    let narrative = composed.trim();
    if narrative.is_empty() {
        return Err(ValueError::new("Enter a text.", "请填写内容。"));
    }
    if narrative.chars().count() > LONGEST {
        return Err(ValueError::new(
            "Shorten the text to 4000 characters.",
            "请将内容缩短至 4000 个字符以内。",
        ));
    }
    if narrative.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return Err(ValueError::new(
            "Remove the control characters from the text.",
            "请删除内容中的控制字符。",
        ));
    }
    Ok(narrative.to_owned())
}

/// Nothing stays visible, not even the length.
fn mask(_: &str) -> String {
    "***".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Guarded;

    #[test]
    fn lines_stay_and_control_characters_do_not() {
        assert_eq!(Narrative::parse(" 一\r\n二① ").unwrap().expose(), "一\n二①");
        for text in ["", " \n ", "a\u{0}b", &"字".repeat(4001)] {
            assert!(Narrative::parse(text).is_err());
        }
        assert_eq!(Narrative::mask_text("一二三"), "***");
    }
}
