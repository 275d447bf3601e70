//! Names of people.
//! A name is never split into family name and given name: no rule does that right for all of them.

use unicode_normalization::char::is_combining_mark;

use super::{ValueError, personal, text};

personal! {
    /// Name of a person as on the household register (姓名).
    PersonName, mask = "name", parse = parse, mask_text = mask
}

/// Longest name in characters. The exchange format allows 36 bytes in the old sense; longer texts are
/// refused here and measured again at export.
const LONGEST: usize = 36;

/// The one form of the dot inside names of many ethnic groups.
const DOT: char = '·';

fn parse(input: &str) -> Result<String, ValueError> {
    let cleaned =
        text::clean(input).chars().map(|c| if is_dot(c) { DOT } else { c }).collect::<String>();
    // Spaces around the dot carry nothing, and equal names must be equal texts.
    let name = cleaned.split(DOT).map(str::trim).collect::<Vec<_>>().join("·");
    if name.is_empty() {
        return Err(ValueError::new("Enter the name.", "请填写姓名。"));
    }
    if name.chars().count() > LONGEST {
        return Err(ValueError::new(
            "A name has at most 36 characters; enter the name as on the household register.",
            "姓名最多 36 个字符，请按户口簿填写。",
        ));
    }
    if name.starts_with(DOT) || name.ends_with(DOT) || name.contains("··") {
        return Err(ValueError::new(
            "A dot stands between two parts of a name; remove the others.",
            "间隔号应位于姓名的两部分之间，请删除多余的间隔号。",
        ));
    }
    if !name.chars().all(is_name_character) || !name.chars().any(char::is_alphabetic) {
        return Err(ValueError::new(
            "A name has letters or Chinese characters, and between them dots, spaces, hyphens or apostrophes; remove digits and signs.",
            "姓名只能包含汉字或字母，以及其间的间隔号、空格、连字符或撇号，请删除数字和其他符号。",
        ));
    }
    Ok(name)
}

fn is_name_character(c: char) -> bool {
    c.is_alphabetic() || is_combining_mark(c) || matches!(c, DOT | ' ' | '-' | '\'' | '’' | '.')
}

fn is_dot(c: char) -> bool {
    matches!(
        c,
        '\u{00B7}'
            | '\u{0387}'
            | '\u{16EB}'
            | '\u{2022}'
            | '\u{2027}'
            | '\u{2219}'
            | '\u{22C5}'
            | '\u{2E31}'
            | '\u{30FB}'
            | '\u{A78F}'
            | '\u{FF65}'
    )
}

/// First and last character of an undivided name of three or more, else the first alone; nothing of a name
/// of one character. The length is not shown.
fn mask(bare: &str) -> String {
    // A combining mark or variation selector is part of the character before it, not a last character.
    let mut characters =
        bare.chars().filter(|c| !is_combining_mark(*c) && !c.is_whitespace() && !c.is_control());
    let Some(first) = characters.next() else {
        return "*".to_owned();
    };
    let rest: Vec<char> = characters.collect();
    match rest.last() {
        None => "*".to_owned(),
        Some(last) if rest.len() >= 2 && !rest.iter().copied().any(is_dot) => {
            format!("{first}*{last}")
        }
        Some(_) => format!("{first}*"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Guarded;

    #[test]
    fn names_are_normalised() {
        for (text, name) in [
            (" 王小明 ", "王小明"),
            ("阿卜杜拉 • 买买提", "阿卜杜拉·买买提"),
            ("卓玛・央金", "卓玛·央金"),
            ("Anna   Maria", "Anna Maria"),
            ("Ｌｉ", "Li"),
            ("王\u{200B}明", "王明"),
            ("𠮷田", "𠮷田"),
            ("龙〇", "龙〇"),
            ("O'Neil-Wáng", "O'Neil-Wáng"),
        ] {
            assert_eq!(PersonName::parse(text).as_ref().map(Guarded::expose), Ok(name), "{text}");
        }
    }

    #[test]
    fn other_texts_are_refused() {
        let long = "王".repeat(37);
        for text in
            ["", " ", "王1", "·明", "明·", "阿··卜", "<b>王</b>", "-", "=王", "王\u{7}明", &long]
        {
            assert!(PersonName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_mask_keeps_the_ends_at_most() {
        for (name, masked) in [
            ("王小明", "王*明"),
            ("欧阳小明", "欧*明"),
            ("王明", "王*"),
            ("王", "*"),
            ("", "*"),
            ("阿卜杜拉·买买提", "阿*"),
            ("阿卜杜拉•买买提", "阿*"),
            ("𠮷野家", "𠮷*家"),
            ("𠮷田", "𠮷*"),
            ("葛\u{E0100}城", "葛*"),
            ("e\u{301}", "*"),
        ] {
            assert_eq!(PersonName::mask_text(name), masked, "{name}");
        }
    }

    #[test]
    fn debug_shows_no_content() {
        let name = PersonName::parse("王小明").unwrap();
        assert_eq!(format!("{name:?}"), "PersonName(…)");
    }
}
