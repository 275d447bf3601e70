//! The durable record of disclosures (披露记录): written before an answer leaves, indexed soon after.
//!
//! A [`Disclosures`] is the log: on PostgreSQL a table of the registry's database, written through a
//! connection of its own; beside an embedded registry a file of its own, so that an import does not hold
//! up reads. `writer` shares a commit among concurrent requests, `parts` is the form of a line, [`index`]
//! leads from students to lines. A line is never changed and never holds a value.

pub mod index;
mod parts;
mod writer;

pub(in crate::store) use parts::read as parts_of;

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::sync::mpsc;
use uuid::Uuid;
use xueji_entity::value::AccountId;

use super::codec::Codec;
use super::connect::connect_log;
use super::failed;
use crate::access::disclosure::Record;
use crate::clock::Clock;
use crate::error::Result;

/// Longest wait between two looks at lines that are not indexed.
const PACE: Duration = Duration::from_secs(10);

/// The log of disclosures.
pub struct Disclosures {
    db: DatabaseConnection,
    codec: Option<Arc<dyn Codec>>,
    clock: Clock,
    pace: Duration,
    queue: OnceLock<mpsc::UnboundedSender<writer::Waiting>>,
    commits: Arc<AtomicU64>,
    gap: Mutex<Option<(i64, Instant)>>,
}

impl std::fmt::Debug for Disclosures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Disclosures({:?})", self.db.get_database_backend())
    }
}

/// A line as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its place in the order of writing.
    pub seq: i64,
    /// Its key.
    pub id: Uuid,
    /// When it was written.
    pub at: DateTime<Utc>,
    /// What it says.
    pub record: Record,
}

impl Disclosures {
    /// The log within a database that is open already: one in memory, or a test's.
    pub fn within(db: DatabaseConnection) -> Self {
        Self {
            db,
            codec: None,
            clock: Clock::system(chrono_tz::UTC),
            pace: PACE,
            queue: OnceLock::new(),
            commits: Arc::default(),
            gap: Mutex::default(),
        }
    }

    /// The log of the registry at this address, which is open as `db`: the same database through a
    /// connection of its own, a file beside an embedded one, or `db` itself when it is in memory.
    pub async fn beside(url: &str, db: &DatabaseConnection) -> Result<Self> {
        Ok(Self::within(connect_log(url).await?.unwrap_or_else(|| db.clone())))
    }

    /// With the keys that code its lines; without them none is written.
    #[must_use]
    pub(in crate::store) fn coded_by(mut self, codec: Arc<dyn Codec>) -> Self {
        self.codec = Some(codec);
        self
    }

    pub(in crate::store) fn db(&self) -> &DatabaseConnection {
        &self.db
    }

    /// With another clock.
    #[must_use]
    pub fn timed_by(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// With another wait between two looks of the index.
    #[must_use]
    pub fn indexed_every(mut self, pace: Duration) -> Self {
        self.pace = pace;
        self
    }

    /// How long the index waits between two looks.
    pub fn pace(&self) -> Duration {
        self.pace
    }

    /// The lines after this place, in the order of writing.
    pub async fn after(&self, seq: i64, limit: u64) -> Result<Vec<Line>> {
        let columns =
            ["seq", "id", "at", "account_id", "request_id", "purpose", "policy_version", "parts"];
        let mut query = Query::select();
        for column in columns {
            query.expr_as(Expr::col(column), column);
        }
        query
            .from("disclosure_line")
            .and_where(Expr::col("seq").gt(seq))
            .order_by("seq", Order::Asc)
            .limit(limit);
        let rows = self.db.query_all(&query).await.map_err(failed)?;
        rows.iter()
            .map(|row| {
                let account: Uuid = row.try_get_by_index(3).map_err(failed)?;
                let bytes: Vec<u8> = row.try_get_by_index(7).map_err(failed)?;
                Ok(Line {
                    seq: row.try_get_by_index(0).map_err(failed)?,
                    id: row.try_get_by_index(1).map_err(failed)?,
                    at: row.try_get_by_index(2).map_err(failed)?,
                    record: Record {
                        account: AccountId::from_uuid(account),
                        request_id: row.try_get_by_index(4).map_err(failed)?,
                        purpose: row.try_get_by_index(5).map_err(failed)?,
                        policy_version: row.try_get_by_index(6).map_err(failed)?,
                        parts: parts::read(&bytes)?,
                    },
                })
            })
            .collect()
    }

    /// The place of the last line; 0 when there is none.
    async fn last(&self) -> Result<i64> {
        let mut query = Query::select();
        query.expr_as(Func::max(Expr::col("seq")), "last").from("disclosure_line");
        match self.db.query_one(&query).await.map_err(failed)? {
            Some(row) => Ok(row.try_get_by_index::<Option<i64>>(0).map_err(failed)?.unwrap_or(0)),
            None => Ok(0),
        }
    }
}
