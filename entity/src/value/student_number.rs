//! The national student-status number: one letter and a personal code of 18 characters.
//! Never derived from the identity number and never joined on it: when that one is corrected, this one stays.

use super::{Guarded, ValueError, personal, resident, text};

personal! {
    /// National student-status number (全国学籍号).
    NationalStudentNumber, mask = "national_student_number", parse = parse, mask_text = mask
}

/// Kind of a status number, told by its letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumberKind {
    /// G: formal (正式), given after the national comparison.
    Formal,
    /// L: temporary (临时), given at first registration.
    Temporary,
    /// J: for a person without a usable identity number (无证件号).
    Provisional,
}

impl NumberKind {
    /// The letter that begins numbers of this kind.
    pub const fn letter(self) -> char {
        match self {
            Self::Formal => 'G',
            Self::Temporary => 'L',
            Self::Provisional => 'J',
        }
    }

    fn of(text: &str) -> Option<Self> {
        match text.chars().next() {
            Some('G') => Some(Self::Formal),
            Some('L') => Some(Self::Temporary),
            Some('J') => Some(Self::Provisional),
            Some(_) | None => None,
        }
    }
}

impl NationalStudentNumber {
    /// The kind, by the letter; None for a stored text that no rule of today would accept.
    pub fn kind(&self) -> Option<NumberKind> {
        NumberKind::of(self.expose())
    }
}

fn parse(input: &str) -> Result<String, ValueError> {
    let number = text::compact(input);
    let kind = NumberKind::of(&number).ok_or(ValueError::new(
        "A status number begins with G, L or J; enter all 19 characters.",
        "学籍号以 G、L 或 J 开头，请填写完整的 19 位。",
    ))?;
    let personal_code = number.get(1..).unwrap_or_default();
    if !resident::has_shape(personal_code) {
        return Err(ValueError::new(
            "A status number has a letter, 17 digits and a last digit or X; enter all 19 characters.",
            "学籍号为 1 位字母、17 位数字和末位数字或 X，请填写完整的 19 位。",
        ));
    }
    if personal_code.get(6..14).and_then(resident::date).is_none() {
        return Err(ValueError::new(
            "Positions 8 to 15 of the status number are not a date; compare it with the register.",
            "学籍号第 8 至 15 位不是有效日期，请与学籍系统核对。",
        ));
    }
    match kind {
        // The temporary number ends in four random digits and has no check character.
        NumberKind::Temporary if text::all_digits(personal_code) => Ok(number),
        NumberKind::Temporary => Err(ValueError::new(
            "A status number with L ends in a digit, never in X.",
            "L 开头的学籍号末位为数字，不会是 X。",
        )),
        NumberKind::Formal | NumberKind::Provisional if resident::check_holds(personal_code) => {
            Ok(number)
        }
        NumberKind::Formal | NumberKind::Provisional => Err(ValueError::new(
            "The check character of the status number is wrong, so a digit is mistyped; compare it with the register.",
            "学籍号校验位不正确，可能有数字填错，请与学籍系统核对。",
        )),
    }
}

/// The letter; every digit behind it is birth date, county or identity number.
fn mask(bare: &str) -> String {
    match NumberKind::of(bare) {
        Some(kind) => format!("{}{}", kind.letter(), text::stars(18)),
        None => text::stars(19),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vectors_hold() {
        let mut seen = 0;
        for line in
            csv::Reader::from_reader(include_str!("../../data/id-vectors.csv").as_bytes()).records()
        {
            let line = line.unwrap();
            if !line[0].starts_with("status_number") {
                continue;
            }
            seen += 1;
            let got = NationalStudentNumber::parse(&line[1]);
            assert_eq!(got.is_ok(), &line[2] == "valid", "{}: {:?}", &line[1], got.err());
        }
        assert_eq!(seen, 9);
    }

    #[test]
    fn kinds_and_masks() {
        let number = NationalStudentNumber::parse(" g34052419800101001x ").unwrap();
        assert_eq!(number.expose(), "G34052419800101001X");
        assert_eq!(number.kind(), Some(NumberKind::Formal));
        for (text, masked) in [
            ("G34052419800101001X", "G******************"),
            ("L420101201509015037", "L******************"),
            ("𠮷", "*******************"),
            ("", "*******************"),
        ] {
            assert_eq!(NationalStudentNumber::mask_text(text), masked, "{text}");
        }
    }
}
