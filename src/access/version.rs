//! Version tags: what guards a write against a row that changed since its caller read it (promise 13).
//!
//! A tag covers the columns that this caller sees in full on this row and no others, so that it
//! changes when, and only when, something changes that the caller sees. It is computed from
//! [`Shown`], never from bare values, and is bound to caller, noun and row.

use xueji_entity::value::AccountId;

use super::catalogue::{Class, Group};
use super::filter::Key;
use super::opaque::Opaque;
use super::shown::{Leaf, Shown};
use super::view::Noun;

/// The columns by which somebody is reached: what a contact version covers, as far as it is seen.
pub fn contact(noun: &Noun) -> impl Iterator<Item = usize> {
    let reached = |group| matches!(group, Group::Contact | Group::Address);
    let fields = noun.shape.fields.iter().enumerate();
    fields
        .filter(move |(_, field)| field.class == Class::Column && reached(field.group))
        .map(|(at, _)| at)
}

/// The contact version of a row for a caller; `shown` says what leaves the server of a column.
pub fn of_contact(
    opaque: &Opaque,
    account: AccountId,
    noun: &Noun,
    key: Key,
    shown: impl Fn(usize) -> Shown,
) -> String {
    let (account, student) = (account.uuid(), key.student.unwrap_or_default());
    let mut seen: Vec<(&str, &[u8], String)> = Vec::new();
    for field in contact(noun) {
        let name = noun.shape.fields[field].name;
        match shown(field) {
            Shown::Full(Leaf::Text(text)) => seen.push((name, b"is", text)),
            Shown::Full(
                Leaf::Null
                | Leaf::Int(_)
                | Leaf::Bool(_)
                | Leaf::Date(_)
                | Leaf::Instant(_)
                | Leaf::Thousandths(_)
                | Leaf::Fen(_)
                | Leaf::Code(_)
                | Leaf::Enum(_),
            ) => seen.push((name, b"empty", String::new())),
            Shown::Masked(_) | Shown::Hidden => {}
        }
    }
    let mut parts: Vec<&[u8]> = vec![
        b"contact",
        noun.shape.name.as_bytes(),
        account.as_bytes(),
        student.as_bytes(),
        key.id.as_bytes(),
    ];
    for (name, state, text) in &seen {
        parts.extend([name.as_bytes(), state, text.as_bytes()]);
    }
    opaque.tag(&parts)
}
