//! Files that a test compares and a person reviews. `UPDATE=1 cargo test` writes them anew.

use std::path::Path;

/// Compares a text with a file of the repository.
#[track_caller]
pub(crate) fn matches(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = format!("{}\n", text.trim_end());
    #[expect(clippy::disallowed_methods, reason = "a test has no settings of its own")]
    if std::env::var("UPDATE").is_ok_and(|update| update == "1") {
        std::fs::write(&path, &text).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_default();
    if known == text {
        return;
    }
    let differs = known.lines().zip(text.lines()).position(|(before, now)| before != now);
    let at = differs.unwrap_or_else(|| known.lines().count().min(text.lines().count()));
    panic!(
        "{file} differs from line {}:\n  on file: {}\n  now:     {}\nread what changes, then run `UPDATE=1 cargo test`",
        at + 1,
        known.lines().nth(at).unwrap_or("(nothing)"),
        text.lines().nth(at).unwrap_or("(nothing)"),
    );
}
