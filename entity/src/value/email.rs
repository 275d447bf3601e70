//! Electronic mail addresses. No mail server is asked whether an address exists.

use super::{ValueError, personal, text};

personal! {
    /// An e-mail address (电子信箱).
    Email, mask = "email", parse = parse, mask_text = mask
}

/// Longest address that mail servers carry.
const LONGEST: usize = 254;

fn parse(input: &str) -> Result<String, ValueError> {
    let email = text::clean(input);
    let parts = email.rsplit_once('@').filter(|(user, domain)| is_user(user) && is_domain(domain));
    match parts {
        // A domain means the same in any case, the part before it need not.
        Some((user, domain)) if email.len() <= LONGEST => {
            Ok(format!("{user}@{}", domain.to_lowercase()))
        }
        Some(_) | None => Err(ValueError::new(
            "Enter an e-mail address such as name@example.org.",
            "请填写电子信箱，例如 name@example.org。",
        )),
    }
}

fn is_user(user: &str) -> bool {
    (1..=64).contains(&user.len())
        && !user.starts_with('.')
        && !user.ends_with('.')
        && !user.contains("..")
        && user.chars().all(|c| c.is_alphanumeric() || ".!#$%&'*+-/=?^_`{|}~".contains(c))
}

fn is_domain(domain: &str) -> bool {
    domain.contains('.')
        && domain.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.chars().all(|c| c.is_alphanumeric() || c == '-')
        })
}

/// Nothing stays visible: user and domain both name people.
fn mask(_: &str) -> String {
    "***".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::Guarded;

    #[test]
    fn addresses_are_checked() {
        assert_eq!(Email::parse(" Li.Wang@Example.ORG ").unwrap().expose(), "Li.Wang@example.org");
        for text in [
            "",
            "a",
            "a@b",
            "@example.org",
            "a@",
            "a b@example.org",
            "a@@example.org",
            "a@-x.org",
            "a@x..org",
            ".a@x.org",
            "a@x.org\nb",
        ] {
            assert!(Email::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn masks_show_nothing() {
        assert_eq!(Email::mask_text("a@example.org"), "***");
        assert_eq!(Email::mask_text("𠮷"), "***");
    }
}
