//! The sealing of the two logs (防篡改封存): the audit log and the log of disclosures.
//!
//! [`line`] gives each line its keyed code where it is written. The [`sealer`] gives committed lines consecutive
//! positions, chains them by hash and signs the ends of the chain, which [`outside`] keeps in a file as well.
//! [`verify`] recomputes all of it and names what does not fit; [`prune`] drops whole months that were kept long enough,
//! and [`part`] is the signed record of one. No line is ever changed here.

pub mod export;
pub mod line;
pub mod outside;
pub mod part;
pub mod prune;
pub mod report;
pub mod sealer;
pub mod verify;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Order, Query};
use sea_orm::{ConnectionTrait, QueryResult};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::failed;
use super::keys::logs::LogKeys;
use crate::error::{Error, Result};
use line::Log;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// What the chain says before its first line.
const BEGINNING: Hash = [0; 32];

/// A line as the chain sees it.
struct Link {
    line: Uuid,
    /// The number that the database gave; nought in the audit log, which has none.
    seq: i64,
    /// Its code, or for a line without one the hash of all it says.
    says: Vec<u8>,
    coded: bool,
}

/// The hash of a position: over the one before it, the log, the position and the line.
fn chained(before: &[u8], log: Log, position: i64, link: &Link) -> Hash {
    let mut hash = Sha256::new();
    hash.update(b"xueji seal 1\0");
    hash.update(before);
    hash.update(log.table().as_bytes());
    hash.update([0]);
    hash.update(position.to_be_bytes());
    hash.update(link.line.as_bytes());
    hash.update(link.seq.to_be_bytes());
    hash.update([u8::from(link.coded)]);
    hash.update(&link.says);
    hash.finalize().into()
}

/// The signed end of a chain at some moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    /// The log.
    pub log: Log,
    /// The position of the last seal; nought before the first.
    pub position: i64,
    /// Its hash.
    pub hash: Vec<u8>,
    /// How many seals at the beginning are of lines from before logs were sealed.
    pub before: i64,
    /// When it was signed.
    pub signed_at: DateTime<Utc>,
    /// The key that signed.
    pub key: i64,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Head {
    /// What is signed.
    fn said(&self) -> Vec<u8> {
        let mut said = b"xueji head 1\0".to_vec();
        said.extend_from_slice(self.log.table().as_bytes());
        said.push(0);
        said.extend_from_slice(&self.position.to_be_bytes());
        said.extend_from_slice(&self.before.to_be_bytes());
        said.extend_from_slice(&self.signed_at.timestamp_micros().to_be_bytes());
        said.extend_from_slice(&self.key.to_be_bytes());
        said.extend_from_slice(&self.hash);
        said
    }

    fn sign(mut self, keys: &LogKeys) -> Result<Self> {
        let signature = keys.sign(self.key, &self.said());
        self.signature = signature.ok_or_else(|| Error::internal("a head cannot be signed"))?;
        Ok(self)
    }

    fn holds(&self, keys: &LogKeys) -> bool {
        self.hash.len() == BEGINNING.len() && keys.signed(self.key, &self.said(), &self.signature)
    }

    fn of(log: Log, row: &QueryResult) -> Result<Self> {
        Ok(Self {
            log,
            position: row.try_get_by_index(0).map_err(failed)?,
            hash: row.try_get_by_index(1).map_err(failed)?,
            before: row.try_get_by_index(2).map_err(failed)?,
            signed_at: row.try_get_by_index(3).map_err(failed)?,
            key: row.try_get_by_index(4).map_err(failed)?,
            signature: row.try_get_by_index(5).map_err(failed)?,
        })
    }
}

/// The heads of a log after a position, from the first or from the last.
async fn heads<C: ConnectionTrait>(
    db: &C,
    log: Log,
    after: i64,
    order: Order,
    most: u64,
) -> Result<Vec<Head>> {
    let mut query = Query::select();
    let columns = ["position", "hash", "before", "signed_at", "key_id", "signature"];
    for (at, name) in columns.into_iter().enumerate() {
        query.expr_as(Expr::col(name), format!("c{at}"));
    }
    query
        .from("seal_head")
        .and_where(Expr::col("log").eq(log.table()))
        .and_where(Expr::col("position").gt(after))
        .order_by("position", order)
        .limit(most);
    let rows = db.query_all(&query).await.map_err(failed)?;
    rows.iter().map(|row| Head::of(log, row)).collect()
}

/// The last head of a log.
async fn last_head<C: ConnectionTrait>(db: &C, log: Log) -> Result<Option<Head>> {
    Ok(heads(db, log, -1, Order::Desc, 1).await?.pop())
}

/// The position and hash of the last seal of a log.
async fn tip<C: ConnectionTrait>(db: &C, log: Log) -> Result<(i64, Vec<u8>)> {
    let mut query = Query::select();
    query
        .expr_as(Expr::col("position"), "c0")
        .expr_as(Expr::col("hash"), "c1")
        .from("seal")
        .and_where(Expr::col("log").eq(log.table()))
        .order_by("position", Order::Desc)
        .limit(1);
    match db.query_one(&query).await.map_err(failed)? {
        Some(row) => {
            Ok((row.try_get_by_index(0).map_err(failed)?, row.try_get_by_index(1).map_err(failed)?))
        }
        None => part::start(db, log).await,
    }
}
