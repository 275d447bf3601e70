//! Normalisation that the value types share. Nothing here knows what a text means.

use unicode_normalization::UnicodeNormalization;

/// Folds compatibility forms (NFKC), drops invisible characters, trims and makes every inner run of white
/// space one space.
pub(crate) fn clean(input: &str) -> String {
    let folded: String = input.nfkc().filter(|c| !is_invisible(*c)).collect();
    let mut cleaned = String::with_capacity(folded.len());
    for word in folded.split_whitespace() {
        if !cleaned.is_empty() {
            cleaned.push(' ');
        }
        cleaned.push_str(word);
    }
    cleaned
}

/// Like [`clean`], without any white space, in ASCII capitals: for numbers that people group as they like.
pub(crate) fn compact(input: &str) -> String {
    clean(input).chars().filter(|c| !c.is_whitespace()).map(|c| c.to_ascii_uppercase()).collect()
}

/// True for a text of ASCII digits only, the empty one included.
pub(crate) fn all_digits(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_digit())
}

/// `count` stars.
pub(crate) fn stars(count: usize) -> String {
    "*".repeat(count)
}

/// A star for every character but the last `shown`; stars alone when the text is shorter than twice that,
/// because a few characters of a short text are most of it.
pub(crate) fn mask_but_last(bare: &str, shown: usize) -> String {
    let length = bare.chars().count();
    if length < shown.saturating_mul(2) {
        return stars(length.max(shown));
    }
    let hidden = length.saturating_sub(shown);
    let mut masked = stars(hidden);
    masked.extend(bare.chars().skip(hidden));
    masked
}

/// Characters that two equal-looking texts can differ in: zero-width spaces, joiners, direction marks.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{00AD}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clean_folds_and_trims() {
        assert_eq!(clean("　１２\u{200B}３ \t ａ\n"), "123 a");
        assert_eq!(compact(" 1101 05x "), "110105X");
        assert_eq!(clean("\u{FEFF}"), "");
    }
}
