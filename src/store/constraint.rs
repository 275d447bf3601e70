//! Which constraint of the schema a database error speaks of, by the same name on both databases.
//!
//! SQLite names columns where PostgreSQL names the constraint. Nothing else of a message is read:
//! the rest may quote values.

use std::borrow::Cow;

use sqlx::error::DatabaseError;

/// The unique keys that an act can meet: the name, and the columns as SQLite says them.
const KEYS: &[(&str, &str)] = &[
    ("uq_attendance_day", "attendance.student_id, attendance.day"),
    ("pk_attendance", "attendance.student_id, attendance.id"),
    ("pk_idempotency", "idempotency.account_id, idempotency.key"),
    ("pk_lookup_key", "lookup_key.kind, lookup_key.hash"),
];

/// The name of the unique key that was violated; the table alone when the key is not listed.
pub(super) fn unique(error: &dyn DatabaseError) -> Cow<'static, str> {
    if let Some(name) = error.constraint() {
        return name.to_owned().into();
    }
    let columns = error.message().rsplit(": ").next().unwrap_or_default();
    match KEYS.iter().find(|(_, said)| *said == columns) {
        Some((name, _)) => Cow::Borrowed(name),
        None => table(columns).to_owned().into(),
    }
}

/// The table in `table.column, table.column`; nothing when the text is anything else.
fn table(columns: &str) -> &str {
    let word = |text: &str| text.chars().all(|c| c.is_ascii_lowercase() || c == '_');
    match columns.split_once('.') {
        Some((table, _)) if word(table) => table,
        _ => "unique key",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_tables_leave_a_message() {
        assert_eq!(table("student.id"), "student");
        assert_eq!(table("Key (phone)=(138.1) exists"), "unique key");
        assert_eq!(table(""), "unique key");
    }
}
