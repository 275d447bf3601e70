//! A line of a log: its columns, the bytes that stand for it, and its keyed code.
//!
//! The bytes name the log and each column and give each value its type and length, so that no two lines have the
//! same. A code is over all columns but itself and the number that the database gives, which the chain covers.

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::QueryResult;
use sea_orm::sea_query::Value;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Link;
use crate::error::{Error, Result};
use crate::store::failed;
use crate::store::keys::logs::{Code, LogKeys};

/// A log whose lines are sealed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Log {
    /// Acts, denied acts and changes of policy and keys.
    Audit,
    /// Disclosures.
    Disclosures,
}

/// The type of a column.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Text,
    Uuid,
    Instant,
    Number,
    Bytes,
}

const AUDIT: &[(&str, Kind)] = &[
    ("id", Kind::Uuid),
    ("at", Kind::Instant),
    ("account_id", Kind::Uuid),
    ("action", Kind::Text),
    ("outcome", Kind::Text),
    ("noun", Kind::Text),
    ("row_id", Kind::Uuid),
    ("student_id", Kind::Uuid),
    ("columns", Kind::Text),
    ("policy_version", Kind::Text),
    ("request_id", Kind::Text),
    ("detail", Kind::Text),
    ("purpose", Kind::Text),
    ("grants", Kind::Text),
    ("rules", Kind::Text),
    ("client", Kind::Text),
    ("key_id", Kind::Number),
];

const DISCLOSURES: &[(&str, Kind)] = &[
    ("id", Kind::Uuid),
    ("at", Kind::Instant),
    ("account_id", Kind::Uuid),
    ("request_id", Kind::Text),
    ("purpose", Kind::Text),
    ("policy_version", Kind::Text),
    ("parts", Kind::Bytes),
    ("key_id", Kind::Number),
];

impl Log {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Audit, Self::Disclosures];

    /// Its table, which is its name in seals and heads.
    pub const fn table(self) -> &'static str {
        match self {
            Self::Audit => "audit",
            Self::Disclosures => "disclosure_line",
        }
    }

    /// The log of a name.
    pub fn of_table(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|log| log.table() == name)
    }

    fn layout(self) -> &'static [(&'static str, Kind)] {
        match self {
            Self::Audit => AUDIT,
            Self::Disclosures => DISCLOSURES,
        }
    }

    /// The names of the columns that a line is written with, the code at the end.
    pub(in crate::store) fn columns(self) -> Vec<String> {
        let columns = self.layout().iter().map(|(name, _)| *name).chain(["code"]);
        columns.map(str::to_owned).collect()
    }

    /// Whether the database numbers its lines.
    pub(super) const fn numbered(self) -> bool {
        matches!(self, Self::Disclosures)
    }
}

/// A value of a column.
#[derive(Clone, Debug)]
pub(in crate::store) enum Datum {
    Text(Option<String>),
    Uuid(Option<Uuid>),
    Instant(DateTime<Utc>),
    Number(Option<i64>),
    Bytes(Option<Vec<u8>>),
}

impl Datum {
    pub(in crate::store) fn text(text: impl Into<String>) -> Self {
        Self::Text(Some(text.into()))
    }

    fn encoded(&self, to: &mut Vec<u8>) {
        let (tag, bytes) = match self {
            Self::Text(value) => (1, value.as_ref().map(|text| text.as_bytes().to_vec())),
            Self::Uuid(value) => (2, value.map(|id| id.as_bytes().to_vec())),
            Self::Instant(at) => (3, Some(at.timestamp_micros().to_be_bytes().to_vec())),
            Self::Number(value) => (4, value.map(|number| number.to_be_bytes().to_vec())),
            Self::Bytes(value) => (5, value.clone()),
        };
        match bytes {
            Some(bytes) => {
                to.push(tag);
                sized(&bytes, to);
            }
            None => to.push(0),
        }
    }

    fn read(kind: Kind, row: &QueryResult, at: usize) -> Result<Self> {
        Ok(match kind {
            Kind::Text => Self::Text(row.try_get_by_index(at).map_err(failed)?),
            Kind::Uuid => Self::Uuid(row.try_get_by_index(at).map_err(failed)?),
            Kind::Instant => Self::Instant(row.try_get_by_index(at).map_err(failed)?),
            Kind::Number => Self::Number(row.try_get_by_index(at).map_err(failed)?),
            Kind::Bytes => Self::Bytes(row.try_get_by_index(at).map_err(failed)?),
        })
    }
}

impl From<Datum> for Value {
    fn from(datum: Datum) -> Self {
        match datum {
            Datum::Text(value) => value.into(),
            Datum::Uuid(value) => value.into(),
            Datum::Instant(value) => value.into(),
            Datum::Number(value) => value.into(),
            Datum::Bytes(value) => value.into(),
        }
    }
}

fn sized(bytes: &[u8], to: &mut Vec<u8>) {
    to.extend_from_slice(&(bytes.len() as u64).to_be_bytes());
    to.extend_from_slice(bytes);
}

/// The bytes of a line.
fn encoded(log: Log, values: &[Datum]) -> Vec<u8> {
    let mut bytes = b"xueji line 1\0".to_vec();
    sized(log.table().as_bytes(), &mut bytes);
    for ((name, _), value) in log.layout().iter().zip(values) {
        sized(name.as_bytes(), &mut bytes);
        value.encoded(&mut bytes);
    }
    bytes
}

/// A line ready to be written: its values in the order of [`Log::columns`], but for the key and the code, which are
/// added here.
pub(in crate::store) fn coded(
    keys: &LogKeys,
    log: Log,
    mut values: Vec<Datum>,
) -> Result<Vec<Value>> {
    let key = keys.coding()?;
    values.push(Datum::Number(Some(key)));
    if values.len() != log.layout().len() {
        return Err(Error::internal(format!("a line of {} has other columns", log.table())));
    }
    let code = keys.code(key, &encoded(log, &values));
    let code = code.ok_or_else(|| Error::internal("a line cannot be coded"))?;
    Ok(values.into_iter().map(Value::from).chain([Some(code).into()]).collect())
}

/// A line as the database keeps it.
pub(super) struct Kept {
    pub(super) id: Uuid,
    pub(super) at: DateTime<Utc>,
    seq: i64,
    bytes: Vec<u8>,
    pub(super) code: Option<Code>,
}

impl Kept {
    /// What [`Kept::read`] needs of a line: its columns, and its number where it has one.
    pub(super) fn columns(log: Log) -> Vec<String> {
        let mut columns = log.columns();
        if log.numbered() {
            columns.push("seq".to_owned());
        }
        columns
    }

    /// Reads a line from the columns that begin at an index; none where the line is not there.
    pub(super) fn read(log: Log, row: &QueryResult, from: usize) -> Result<Option<Self>> {
        let id: Option<Uuid> = row.try_get_by_index(from).map_err(failed)?;
        let Some(id) = id else { return Ok(None) };
        let mut values = Vec::with_capacity(log.layout().len());
        for (at, (_, kind)) in log.layout().iter().enumerate() {
            values.push(Datum::read(*kind, row, from + at)?);
        }
        let bytes = encoded(log, &values);
        let past = from + values.len();
        let code: Option<Vec<u8>> = row.try_get_by_index(past).map_err(failed)?;
        let key: Option<i64> = row.try_get_by_index(past - 1).map_err(failed)?;
        let code = match (key, code) {
            (None, None) => None,
            // One without the other is no code that fits.
            (key, code) => {
                Some(Code { key: key.unwrap_or_default(), bytes: code.unwrap_or_default() })
            }
        };
        let seq = if log.numbered() { row.try_get_by_index(past + 1).map_err(failed)? } else { 0 };
        let at = row.try_get_by_index(from + 1).map_err(failed)?;
        Ok(Some(Self { id, at, seq, bytes, code }))
    }

    /// The number that the database gave; nought where it gives none.
    pub(super) const fn number(&self) -> i64 {
        self.seq
    }

    /// The same line as the chain sees it.
    pub(super) fn link(&self) -> Link {
        let (coded, says) = match &self.code {
            Some(code) => (true, code.bytes.clone()),
            None => (false, Sha256::digest(&self.bytes).to_vec()),
        };
        Link { line: self.id, seq: self.seq, says, coded }
    }

    /// Whether it was written with one of the keys and is as it was written.
    pub(super) fn fits(&self, keys: &LogKeys) -> bool {
        self.code.as_ref().is_some_and(|code| keys.fits(code, &self.bytes))
    }
}

/// What a line says by the names of its columns: ids and instants as text, bytes in hexadecimal digits.
pub(super) fn told(log: Log, row: &QueryResult, from: usize) -> Result<serde_json::Value> {
    let mut told = serde_json::Map::new();
    for (at, (name, kind)) in log.layout().iter().enumerate() {
        let value = match Datum::read(*kind, row, from + at)? {
            Datum::Text(value) => value.into(),
            Datum::Uuid(value) => value.map(|id| id.to_string()).into(),
            Datum::Instant(at) => at.to_rfc3339_opts(SecondsFormat::Micros, true).into(),
            Datum::Number(value) => value.into(),
            Datum::Bytes(value) => {
                let hex = |byte: &u8| format!("{byte:02x}");
                value.map(|bytes| bytes.iter().map(hex).collect::<String>()).into()
            }
        };
        told.insert((*name).to_owned(), value);
    }
    Ok(told.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_lines_have_the_same_bytes() {
        let text = |texts: [Option<&str>; 3]| {
            let values = texts.map(|text| Datum::Text(text.map(str::to_owned)));
            encoded(Log::Audit, &values)
        };
        let lines = [
            text([Some("a"), Some("b"), Some("c")]),
            text([Some("ab"), Some(""), Some("c")]),
            text([Some("a"), None, Some("c")]),
            text([Some("a"), Some(""), Some("c")]),
            text([None, Some("a"), Some("c")]),
            encoded(Log::Disclosures, &[Datum::text("a"), Datum::text("b"), Datum::text("c")]),
            encoded(Log::Audit, &[Datum::Bytes(Some(b"a".to_vec())), Datum::text("b")]),
            encoded(Log::Audit, &[Datum::text("a"), Datum::text("b")]),
        ];
        for (at, line) in lines.iter().enumerate() {
            assert!(!lines[..at].contains(line), "{at}");
        }
    }
}
