//! Parts of a log that are gone because they were kept long enough: a signed record for each, from which the chain goes on.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query, Value};
use sea_orm::{ConnectionTrait, QueryResult};

use super::line::Log;
use crate::error::{Error, Result};
use crate::store::failed;
use crate::store::keys::logs::LogKeys;
use crate::store::tx::{insert_into, names};

/// The shortest time for which a line is kept, whatever the settings say: six months. A record of a part that was younger
/// when it went is not believed, whoever signed it.
pub const FLOOR: TimeDelta = TimeDelta::days(181);

/// A part of a log that is gone, at the beginning of its chain or after another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part {
    /// The log.
    pub log: Log,
    /// The position of its last seal.
    pub position: i64,
    /// That of its first.
    pub first: i64,
    /// How many lines it had.
    pub lines: i64,
    /// The hash of the last seal.
    pub hash: Vec<u8>,
    /// The time of its oldest line.
    pub since: DateTime<Utc>,
    /// That of its newest line.
    pub until: DateTime<Utc>,
    /// When it was dropped.
    pub dropped_at: DateTime<Utc>,
    /// The key that signed.
    pub key: i64,
    /// The signature.
    pub signature: Vec<u8>,
}

const COLUMNS: [&str; 9] =
    ["position", "first", "lines", "hash", "since", "until", "dropped_at", "key_id", "signature"];

impl Part {
    /// What is signed.
    fn said(&self) -> Vec<u8> {
        let mut said = b"xueji part 1\0".to_vec();
        said.extend_from_slice(self.log.table().as_bytes());
        said.push(0);
        for number in [
            self.first,
            self.position,
            self.lines,
            self.since.timestamp_micros(),
            self.until.timestamp_micros(),
            self.dropped_at.timestamp_micros(),
            self.key,
        ] {
            said.extend_from_slice(&number.to_be_bytes());
        }
        said.extend_from_slice(&self.hash);
        said
    }

    pub(super) fn sign(mut self, keys: &LogKeys) -> Result<Self> {
        let signature = keys.sign(self.key, &self.said());
        self.signature = signature.ok_or_else(|| Error::internal("a part cannot be signed"))?;
        Ok(self)
    }

    /// Whether the record was signed, for a part that follows this position, was whole, and was old enough.
    pub(super) fn holds(&self, keys: &LogKeys, after: i64) -> bool {
        self.hash.len() == super::BEGINNING.len()
            && self.first == after + 1
            && self.lines == self.position - after
            && self.lines > 0
            && self.dropped_at - self.until >= FLOOR
            && keys.signed(self.key, &self.said(), &self.signature)
    }

    /// Whether the record was signed at all.
    pub(super) fn signed(&self, keys: &LogKeys) -> bool {
        keys.signed(self.key, &self.said(), &self.signature)
    }

    fn of(log: Log, row: &QueryResult) -> Result<Self> {
        Ok(Self {
            log,
            position: row.try_get_by_index(0).map_err(failed)?,
            first: row.try_get_by_index(1).map_err(failed)?,
            lines: row.try_get_by_index(2).map_err(failed)?,
            hash: row.try_get_by_index(3).map_err(failed)?,
            since: row.try_get_by_index(4).map_err(failed)?,
            until: row.try_get_by_index(5).map_err(failed)?,
            dropped_at: row.try_get_by_index(6).map_err(failed)?,
            key: row.try_get_by_index(7).map_err(failed)?,
            signature: row.try_get_by_index(8).map_err(failed)?,
        })
    }

    /// The statement that writes the record.
    pub(super) fn inserted(&self) -> Result<sea_orm::sea_query::InsertStatement> {
        let columns = names(&[&["log"][..], &COLUMNS].concat());
        let row: Vec<Value> = vec![
            self.log.table().into(),
            self.position.into(),
            self.first.into(),
            self.lines.into(),
            self.hash.clone().into(),
            self.since.into(),
            self.until.into(),
            self.dropped_at.into(),
            self.key.into(),
            self.signature.clone().into(),
        ];
        insert_into("seal_partition", columns, [row])
    }
}

/// The parts of a log that are gone, from the oldest.
pub(super) async fn parts<C: ConnectionTrait>(db: &C, log: Log) -> Result<Vec<Part>> {
    let mut query = Query::select();
    for (at, name) in COLUMNS.into_iter().enumerate() {
        query.expr_as(Expr::col(name), format!("c{at}"));
    }
    query
        .from("seal_partition")
        .and_where(Expr::col("log").eq(log.table()))
        .order_by("position", Order::Asc);
    let rows = db.query_all(&query).await.map_err(failed)?;
    rows.iter().map(|row| Part::of(log, row)).collect()
}

/// The position and hash from which a chain goes on: its beginning, or the end of the last part that is gone.
pub(super) async fn start<C: ConnectionTrait>(db: &C, log: Log) -> Result<(i64, Vec<u8>)> {
    let last = parts(db, log).await?.pop();
    Ok(last.map_or((0, super::BEGINNING.to_vec()), |part| (part.position, part.hash)))
}

/// The position at which the parts that are gone end, each of which must be one that a server dropped.
pub(super) async fn end<C: ConnectionTrait>(db: &C, log: Log, keys: &LogKeys) -> Result<i64> {
    let mut end = 0;
    for part in parts(db, log).await? {
        if !part.holds(keys, end) {
            return Err(Error::internal("a record of a dropped part of a log does not hold"));
        }
        end = part.position;
    }
    Ok(end)
}
