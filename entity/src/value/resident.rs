//! The resident identity number (公民身份号码, GB 11643-1999): check character, birth date, sex, legacy form.
//! Pure arithmetic on a number already normalised; says nothing about whether a person has that number.

use chrono::NaiveDate;

use super::{ValueError, code::divisions, text};

/// Weights of the first 17 positions, ISO 7064 MOD 11-2.
const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];

/// Check characters by the remainder of the weighted sum.
const CHECKS: [char; 11] = ['1', '0', 'X', '9', '8', '7', '6', '5', '4', '3', '2'];

/// Sex as the sequence of a resident number states it (性别).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// Odd sequence: male (男).
    Male,
    /// Even sequence: female (女).
    Female,
}

impl Sex {
    /// The code of list `RDXB` as a stored text.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Male => "RDXB:1",
            Self::Female => "RDXB:2",
        }
    }
}

/// What a resident number says about its holder.
#[derive(Clone, PartialEq, Eq)]
pub struct Resident {
    /// Division of the household register when the number was made, six digits.
    pub division: String,
    /// Birth date.
    pub birth_date: NaiveDate,
    /// Sex.
    pub sex: Sex,
    /// True when the division stands in the tables of 1980–2020 or 2023.
    pub division_known: bool,
    /// True for sequence 000; whether it is ever issued is not known.
    pub sequence_zero: bool,
}

// The parts are the number but for three digits.
impl std::fmt::Debug for Resident {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Resident(…)")
    }
}

/// Why a text is not a resident number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not 18 characters, or not digits with a digit or X at the end.
    Shape,
    /// Positions 7 to 14 are not a day of the calendar.
    Date,
    /// The birth date lies after today.
    Future,
    /// The last character does not agree with the others.
    Check,
}

impl From<Fault> for ValueError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Shape => Self::new(
                "A resident identity number has 17 digits and a last digit or X; compare it with the card.",
                "公民身份号码为 17 位数字加末位数字或 X，请与证件核对。",
            ),
            Fault::Date => Self::new(
                "Positions 7 to 14 of the number are not a date; compare it with the card.",
                "号码第 7 至 14 位不是有效日期，请与证件核对。",
            ),
            Fault::Future => Self::new(
                "The birth date in the number lies in the future; compare it with the card.",
                "号码中的出生日期晚于今天，请与证件核对。",
            ),
            Fault::Check => Self::new(
                "The check character of the number is wrong, so a digit is mistyped; compare it with the card.",
                "号码校验位不正确，可能有数字填错，请与证件核对。",
            ),
        }
    }
}

/// True for 17 digits and a digit or `X`, whatever they mean.
pub fn has_shape(number: &str) -> bool {
    number.is_ascii()
        && number.len() == 18
        && number.get(..17).is_some_and(text::all_digits)
        && number.ends_with(|c: char| c.is_ascii_digit() || c == 'X')
}

/// The check character that belongs to 17 digits; None for other texts.
pub fn check_character(digits: &str) -> Option<char> {
    if digits.len() != 17 || !text::all_digits(digits) {
        return None;
    }
    let sum: u32 =
        digits.bytes().zip(WEIGHTS).map(|(byte, weight)| u32::from(byte - b'0') * weight).sum();
    CHECKS.get(usize::try_from(sum % 11).ok()?).copied()
}

/// True when the last of 18 characters agrees with the 17 before it.
pub fn check_holds(number: &str) -> bool {
    has_shape(number) && number.get(..17).and_then(check_character) == number.chars().last()
}

/// A day of the calendar written as `YYYYMMDD`.
pub fn date(digits: &str) -> Option<NaiveDate> {
    if digits.len() != 8 || !text::all_digits(digits) {
        return None;
    }
    let year = digits.get(..4)?.parse().ok()?;
    let month = digits.get(4..6)?.parse().ok()?;
    let day = digits.get(6..)?.parse().ok()?;
    // The calendar library takes year 0; a birth certificate does not.
    NaiveDate::from_ymd_opt(year, month, day).filter(|_| year > 0)
}

/// Reads a normalised number of 18 characters. Without `today` a birth date in the future passes.
pub fn read(number: &str, today: Option<NaiveDate>) -> Result<Resident, Fault> {
    if !has_shape(number) {
        return Err(Fault::Shape);
    }
    let part = |from: usize, to: usize| number.get(from..to).ok_or(Fault::Shape);
    let birth_date = date(part(6, 14)?).ok_or(Fault::Date)?;
    if today.is_some_and(|today| birth_date > today) {
        return Err(Fault::Future);
    }
    if !check_holds(number) {
        return Err(Fault::Check);
    }
    let sequence = part(14, 17)?;
    let is_even = matches!(sequence.bytes().last(), Some(b'0' | b'2' | b'4' | b'6' | b'8'));
    let division = part(0, 6)?;
    Ok(Resident {
        division: division.to_owned(),
        birth_date,
        sex: if is_even { Sex::Female } else { Sex::Male },
        division_known: divisions::is_known(division),
        sequence_zero: sequence == "000",
    })
}

/// The 18 characters of a legacy number of 15 digits: the century is always 19.
pub fn upgrade(legacy: &str) -> Option<String> {
    if legacy.len() != 15 || !text::all_digits(legacy) {
        return None;
    }
    let digits = format!("{}19{}", legacy.get(..6)?, legacy.get(6..)?);
    let check = check_character(&digits)?;
    Some(format!("{digits}{check}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read() {
        let resident = read("11010519491231002X", None).unwrap();
        assert_eq!(resident.division, "110105");
        assert_eq!(resident.birth_date, NaiveDate::from_ymd_opt(1949, 12, 31).unwrap());
        assert_eq!((resident.sex, resident.division_known), (Sex::Female, true));
        assert_eq!(read("110105201401019997", None).unwrap().sex.code(), "RDXB:1");
        assert!(!read("990105201501010010", None).unwrap().division_known);
        assert!(read("110105201501010009", None).unwrap().sequence_zero);
    }

    #[test]
    fn faults_are_told_apart() {
        let today = NaiveDate::from_ymd_opt(2026, 9, 1);
        for (number, fault) in [
            ("110105201401019990", Fault::Check),
            ("110105202302290014", Fault::Date),
            ("110105209912310010", Fault::Future),
            ("11010520140101999", Fault::Shape),
            ("1101052014010199X7", Fault::Shape),
            ("王王王王王王", Fault::Shape),
            ("", Fault::Shape),
        ] {
            assert_eq!(read(number, today), Err(fault), "{number}");
        }
        assert_eq!(upgrade("34052480010100"), None);
        assert_eq!(check_character("1101052014010199王"), None);
    }
}
