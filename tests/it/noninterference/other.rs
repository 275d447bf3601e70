//! Another value in the place of one that a person does not see.

use chrono::{TimeDelta, TimeZone, Utc};
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use sea_orm::sea_query::{Expr, SimpleExpr, Value as Bound};
use serde_json::Value;
use xueji::access::view::Kind;
use xueji::graphql::REGISTRY;
use xueji_entity::value::code;

use super::schema::Schema;
use super::twin::{FREE_KEYS, among, in_order};
use crate::support::truth::{Row, Truth};

/// Nothing on file.
pub(super) fn nothing(kind: Kind) -> SimpleExpr {
    Expr::val(match kind {
        Kind::Text(_) | Kind::Code | Kind::Enum(_) | Kind::Computed => Bound::String(None),
        Kind::Sealed { .. } => Bound::Bytes(None),
        Kind::Int | Kind::Thousandths | Kind::Fen => Bound::BigInt(None),
        Kind::Bool => Bound::Bool(None),
        Kind::Date => Bound::ChronoDate(None),
        Kind::Instant => Bound::ChronoDateTimeUtc(None),
        Kind::Key => Bound::Uuid(None),
    })
}

/// A text that the mask shows as it shows this one: as much as can be is another, the length too.
pub(super) fn behind_mask(
    bare: &str,
    mask: fn(&str) -> String,
    rng: &mut ChaCha8Rng,
) -> Option<String> {
    let shown = mask(bare);
    let mut chars: Vec<char> = bare.chars().collect();
    let same = |chars: &[char]| mask(&chars.iter().collect::<String>()) == shown;
    for at in 0..chars.len() {
        let before = chars[at];
        chars[at] = match before {
            '0'..='9' => char::from(b'0' + rng.random_range(0..10_u8)),
            'a'..='z' => char::from(b'a' + rng.random_range(0..26_u8)),
            'A'..='Z' => char::from(b'A' + rng.random_range(0..26_u8)),
            other if other.is_alphabetic() => '\u{4e59}',
            other => other,
        };
        if !same(&chars) {
            chars[at] = before;
        }
    }
    for at in 0..=chars.len() {
        let mut longer = chars.clone();
        let like = chars[at.min(chars.len().saturating_sub(1))];
        longer.insert(at, if like.is_ascii_digit() { '7' } else { 'q' });
        if same(&longer) {
            chars = longer;
            break;
        }
    }
    let other: String = chars.into_iter().collect();
    (other != bare).then_some(other)
}

/// Another text, a mark like the seed's.
pub(super) fn text(now: Option<&Value>, kind: Kind, rng: &mut ChaCha8Rng) -> String {
    let letters: String = (0..rng.random_range(3..9))
        .map(|_| char::from(b'a' + rng.random_range(0..26_u8)))
        .collect();
    match (kind, now) {
        (Kind::Sealed { .. }, Some(Value::String(now))) => {
            let other: String = now
                .chars()
                .map(|c| match c {
                    '0'..='9' => char::from(b'0' + rng.random_range(0..10_u8)),
                    'a'..='z' => char::from(b'a' + rng.random_range(0..26_u8)),
                    other => other,
                })
                .collect();
            other
        }
        (Kind::Sealed { .. }, _) => format!("199{:08}", rng.random_range(0..100_000_000_u32)),
        _ => format!("Mkz{letters}"),
    }
}

/// A day or an instant some weeks before the one that is there.
pub(super) fn moved(now: Option<&Value>) -> Option<SimpleExpr> {
    let text = now?.as_str()?;
    let by = TimeDelta::days(7 * 9);
    if let Ok(day) = text.parse::<chrono::NaiveDate>() {
        return Some(Expr::val(day - by));
    }
    Some(Expr::val(text.parse::<chrono::DateTime<Utc>>().ok()? - by))
}

/// Another value that is no text of a person; none where there is no other.
pub(super) fn plain(
    schema: &Schema,
    truth: &Truth,
    row: &Row,
    field: usize,
    rng: &mut ChaCha8Rng,
) -> Option<SimpleExpr> {
    let shape = &row.noun.shape.fields[field];
    let now = row.shown.get(&field).unwrap_or(&Value::Null);
    Some(match shape.kind {
        Kind::Int | Kind::Thousandths | Kind::Fen => Expr::val(rng.random_range(0..90_000_i64)),
        Kind::Bool => Expr::val(!now.as_bool().unwrap_or_default()),
        Kind::Date => {
            let day = chrono::NaiveDate::from_ymd_opt(2010, 1, 1).unwrap();
            Expr::val(day + TimeDelta::days(rng.random_range(0..5_000)))
        }
        Kind::Instant => {
            Expr::val(Utc.with_ymd_and_hms(2026, 9, rng.random_range(1..28), 4, 0, 0).unwrap())
        }
        Kind::Code => {
            let list = match now["list"].as_str() {
                Some(list) => list.to_owned(),
                None => truth.of_noun(row.noun.shape.name).find_map(|(_, other)| {
                    other.shown.get(&field)?["list"].as_str().map(str::to_owned)
                })?,
            };
            let entry = code::list(&list).choose(rng)?;
            Expr::val(format!("{list}:{}", entry.code))
        }
        Kind::Enum(name) => Expr::val(schema.words(name).choose(rng)?.to_lowercase()),
        Kind::Key if among(FREE_KEYS, row.noun, shape.name) => {
            let relation = row.noun.shape.relations.iter().find(|of| of.key == Some(shape.name))?;
            let target = REGISTRY.get(relation.target)?;
            let within = target.shape.hangs.of_student();
            let fits = |other: &&&Row| !within || other.student == row.student;
            let targets = in_order(truth, target);
            let targets: Vec<&&Row> = targets.iter().filter(fits).collect();
            Expr::val(targets.choose(rng)?.id)
        }
        Kind::Key | Kind::Computed | Kind::Text(_) | Kind::Sealed { .. } => return None,
    })
}
