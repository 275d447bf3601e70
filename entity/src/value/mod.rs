//! Value types of the registry: what a column may hold, how it is read from outside, how it is masked.
//! Nothing here decides who may see a value, queries a database or writes a value out; the personal types
//! have no `Display`, no `Serialize` and no GraphQL output, so that only the access layer can show them.

mod address;
mod bank_account;
pub mod code;
mod email;
mod id;
mod id_number;
mod name;
mod narrative;
mod number;
mod phone;
mod postal_code;
pub mod resident;
mod sealed;
mod stored;
mod student_number;
mod text;

use std::borrow::Cow;

pub use address::Address;
pub use bank_account::BankAccount;
pub use code::{Code, Language};
pub use email::Email;
pub use id::*;
pub use id_number::{IdNumber, IdWarning, ParsedIdNumber};
pub use name::PersonName;
pub use narrative::Narrative;
pub use number::{Fen, Thousandths};
pub use phone::Phone;
pub use postal_code::PostalCode;
pub use sealed::{LookupHash, Sealed};
pub use stored::{PasswordHash, TokenHash};
pub use student_number::{NationalStudentNumber, NumberKind};

/// A text value about a person: it parses from outside and shows itself only through access.
pub trait Guarded: Sized {
    /// Name of the mask in the policy documents.
    const MASK: &'static str;

    /// Normalises and checks a text from outside.
    fn parse(input: &str) -> Result<Self, ValueError>;

    /// The bare value. Whoever calls this takes over the duty to protect it.
    fn expose(&self) -> &str;

    /// Masks a bare text as stored. Total: any string has a mask, and none makes it panic.
    fn mask_text(bare: &str) -> String;
}

/// True for what a mask leaves of a text, however it is written back: three stars in a row anywhere, or stars
/// alone. Full-width stars, white space between them and invisible characters make no difference.
pub fn looks_masked(text: &str) -> bool {
    let stars: String = text::clean(text).chars().filter(|c| !c.is_whitespace()).collect();
    stars.contains("***") || (!stars.is_empty() && stars.chars().all(|c| c == '*'))
}

/// Why a text is not a value, and what to do about it. Never contains the text itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{why_en}")]
pub struct ValueError {
    /// Sentence in English.
    pub why_en: Cow<'static, str>,
    /// The same sentence in Chinese.
    pub why_zh: Cow<'static, str>,
}

impl ValueError {
    /// An error with its sentence in both languages.
    pub const fn new(why_en: &'static str, why_zh: &'static str) -> Self {
        Self { why_en: Cow::Borrowed(why_en), why_zh: Cow::Borrowed(why_zh) }
    }

    /// An error whose sentences name a list or a limit known only at run time.
    pub(crate) fn built(why_en: String, why_zh: String) -> Self {
        Self { why_en: Cow::Owned(why_en), why_zh: Cow::Owned(why_zh) }
    }

    /// The sentence in the language asked for.
    pub fn why(&self, language: Language) -> &str {
        match language {
            Language::English => &self.why_en,
            Language::Chinese => &self.why_zh,
        }
    }
}

/// Declares a personal text type: the field is private, `Debug` prints no content, the database stores the
/// bare text. The column type reads what is stored without parsing it again: rules change, stored rows stay.
macro_rules! personal {
    ($(#[$meta:meta])* $name:ident, mask = $mask:literal, parse = $parse:path, mask_text = $mask_text:path) => {
        $(#[$meta])*
        #[derive(Clone, PartialEq, Eq, Hash, sea_orm::DeriveValueType)]
        pub struct $name(String);

        impl $crate::value::Guarded for $name {
            const MASK: &'static str = $mask;

            fn parse(input: &str) -> Result<Self, $crate::value::ValueError> {
                $parse(input).map(Self)
            }

            fn expose(&self) -> &str {
                &self.0
            }

            fn mask_text(bare: &str) -> String {
                $mask_text(bare)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "(…)"))
            }
        }
    };
}
pub(crate) use personal;

#[cfg(test)]
mod tests {
    use super::*;

    /// The mask of every prefix of awkward texts exists, and a text that is no such value shows at most its
    /// last characters.
    #[test]
    fn masks_are_total() {
        let awkward = [
            "",
            "𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷𠮷",
            "1101051949123100王X",
            "11010519491231002X",
            "G34052419800101001X",
            "e\u{301}\u{FE0F}\u{200D}👩\u{200D}👧",
            "北京市朝阳区\u{0}𠮷区",
            "138\u{0}0013 8000",
            "········",
            "\u{202E}\u{FEFF} \t\n",
            "١٢٣٤٥٦٧٨٩٠١٢٣٤٥٦٧٨",
        ];
        for text in awkward {
            for end in (0..=text.len()).filter(|end| text.is_char_boundary(*end)) {
                let prefix = &text[..end];
                for masked in [
                    PersonName::mask_text(prefix),
                    IdNumber::mask_text(prefix),
                    NationalStudentNumber::mask_text(prefix),
                    Phone::mask_text(prefix),
                    Address::mask_text(prefix),
                    Email::mask_text(prefix),
                    PostalCode::mask_text(prefix),
                    BankAccount::mask_text(prefix),
                    Narrative::mask_text(prefix),
                ] {
                    assert!(masked.contains('*'), "{prefix:?} became {masked:?}");
                }
            }
        }
    }

    #[test]
    fn a_mask_is_known_again_however_it_is_written() {
        for text in [
            "***",
            "*",
            "＊＊＊",
            "北京市朝阳区***",
            "138****8000",
            "* * *",
            "*\u{200B}**",
            "﹡﹡﹡",
            "a** *b",
        ] {
            assert!(looks_masked(text), "{text}");
        }
        for text in ["", "2*3", "a**b", "北京市朝阳区", "a@example.org"] {
            assert!(!looks_masked(text), "{text}");
        }
    }

    #[test]
    fn a_parsed_value_parses_to_itself() {
        fn check<T: Guarded + PartialEq + std::fmt::Debug>(text: &str) {
            let value = T::parse(text).unwrap();
            assert_eq!(T::parse(value.expose()), Ok(value));
        }
        check::<PersonName>("阿卜杜拉 • 买买提");
        check::<IdNumber>("１１０１０５１９４９１２３１００２ｘ");
        check::<NationalStudentNumber>("j420101201509010019");
        check::<Phone>("+86 10 1234 5678");
        check::<Phone>("+852 1234 5678");
        check::<Address>(" 北京市　朝阳区 ");
        check::<Email>("A@Example.ORG");
        check::<PostalCode>("100 020");
        check::<BankAccount>("6200-0000 0000");
        check::<Narrative>(" 一\r\n二 ");
    }

    #[test]
    fn errors_speak_both_languages() {
        let error = PersonName::parse("").unwrap_err();
        assert_eq!(error.why(Language::English), "Enter the name.");
        assert_eq!(error.why(Language::Chinese), "请填写姓名。");
        assert_eq!(error.to_string(), "Enter the name.");
    }
}
