//! Bank accounts to which aid is paid. Whether an account exists only the bank knows.

use super::{ValueError, personal, text};

personal! {
    /// Number of a bank account or card (银行账号).
    BankAccount, mask = "bank_account", parse = parse, mask_text = mask
}

fn parse(input: &str) -> Result<String, ValueError> {
    let number: String = text::compact(input).chars().filter(|c| *c != '-').collect();
    // Cards carry a Luhn digit, passbook accounts do not, and nothing in the number tells them apart.
    if (9..=30).contains(&number.len()) && text::all_digits(&number) {
        Ok(number)
    } else {
        Err(ValueError::new(
            "Enter the account or card number, 9 to 30 digits.",
            "请填写银行账号或卡号，9 至 30 位数字。",
        ))
    }
}

/// The last four digits, as on a receipt.
fn mask(bare: &str) -> String {
    text::mask_but_last(bare, 4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Guarded;

    #[test]
    fn digits_only() {
        assert_eq!(
            BankAccount::parse("6200 0000-0000 0000 123").unwrap().expose(),
            "6200000000000000123"
        );
        for text in
            ["", "12345678", "6.2E+18", "62000000000000000A", "1234567890123456789012345678901"]
        {
            assert!(BankAccount::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn masks() {
        assert_eq!(BankAccount::mask_text("6200000000000000123"), "***************0123");
        assert_eq!(BankAccount::mask_text("0123"), "****");
        assert_eq!(BankAccount::mask_text(""), "****");
    }
}
