//! Shares a commit among the requests that wait for one.
//!
//! One task writes. What arrives while a commit is under way is the next commit, as a whole; when
//! nothing is under way a line is written at once. Whoever waits is woken when the line is durable, and
//! told when it is not. A request that is given up meanwhile leaves its line: the record may say too
//! much, never too little.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sea_orm::sea_query::{InsertStatement, Value};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{Disclosures, parts};
use crate::access::disclosure::Record;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::store::chain::line::{Datum, Log, coded};
use crate::store::codec::Codec;
use crate::store::failed;
use crate::store::tx::insert_into;

/// Most lines of one commit.
const MOST: usize = 256;

/// A line that waits for its commit.
#[derive(Debug)]
pub(super) struct Waiting {
    row: Vec<Datum>,
    done: oneshot::Sender<Result<()>>,
}

impl Disclosures {
    /// Puts a record into the log; durable when this returns. `Unavailable` when it cannot be written.
    pub async fn record(&self, record: &Record) -> Result<()> {
        let (done, written) = oneshot::channel();
        let row = row(record)?;
        let codec = self.codec.as_ref();
        let codec = codec.ok_or_else(|| Error::internal("the log has no key"))?;
        let queue = self.queue.get_or_init(|| {
            let (queue, waiting) = mpsc::unbounded_channel();
            let commits = Arc::clone(&self.commits);
            let log = Written {
                db: self.db.clone(),
                clock: self.clock,
                codec: Arc::clone(codec),
                commits,
            };
            tokio::spawn(write(log, waiting));
            queue
        });
        // The task ends with the queue alone; should it be gone, nothing can be written.
        unwritten().increment(1.0);
        if queue.send(Waiting { row, done }).is_err() {
            unwritten().decrement(1.0);
            return Err(Error::Unavailable);
        }
        written.await.map_err(|_gone| Error::Unavailable)?
    }

    /// How many commits the lines have taken since the start.
    pub fn commits(&self) -> u64 {
        self.commits.load(Ordering::Relaxed)
    }
}

/// The lines that are not durable yet.
fn unwritten() -> metrics::Gauge {
    metrics::gauge!("xueji_disclosure_waiting_lines")
}

/// What the writing task stands on.
struct Written {
    db: DatabaseConnection,
    clock: Clock,
    codec: Arc<dyn Codec>,
    commits: Arc<AtomicU64>,
}

fn row(record: &Record) -> Result<Vec<Datum>> {
    Ok(vec![
        Datum::Uuid(Some(record.account.uuid())),
        Datum::text(record.request_id.as_str()),
        Datum::Text(record.purpose.clone()),
        Datum::text(record.policy_version.as_str()),
        Datum::Bytes(Some(parts::write(&record.parts)?)),
    ])
}

async fn write(log: Written, mut waiting: mpsc::UnboundedReceiver<Waiting>) {
    let mut batch = Vec::with_capacity(MOST);
    while waiting.recv_many(&mut batch, MOST).await > 0 {
        let (rows, done): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|line| (line.row, line.done)).unzip();
        #[expect(clippy::cast_precision_loss, reason = "a batch has 256 lines at most")]
        let lines = done.len() as f64;
        let outcomes = together(&log, rows).await;
        unwritten().decrement(lines);
        let failed = outcomes.iter().filter(|outcome| outcome.is_err()).count() as u64;
        metrics::counter!("xueji_disclosure_failures_total").increment(failed);
        for (done, outcome) in done.into_iter().zip(outcomes) {
            // Nobody waits any more when the request was given up.
            let _given_up = done.send(outcome);
        }
    }
}

/// Writes lines in one commit; should that be refused, each in its own, so that one bad line costs no
/// other its answer.
async fn together(log: &Written, rows: Vec<Vec<Datum>>) -> Vec<Result<()>> {
    let count = rows.len();
    match commit(log, rows.clone()).await {
        Ok(()) => (0..count).map(|_| Ok(())).collect(),
        Err(Error::Unavailable) => (0..count).map(|_| Err(Error::Unavailable)).collect(),
        Err(error) if count == 1 => vec![Err(error)],
        Err(_one_of_them) => {
            let mut outcomes = Vec::with_capacity(count);
            for row in rows {
                outcomes.push(commit(log, vec![row]).await);
            }
            outcomes
        }
    }
}

async fn commit(log: &Written, rows: Vec<Vec<Datum>>) -> Result<()> {
    let count = rows.len() as u64;
    let insert = insert(log, rows)?;
    let begun = Instant::now();
    log.db.execute(&insert).await.map_err(failed)?;
    metrics::histogram!("xueji_disclosure_commit_duration_seconds")
        .record(begun.elapsed().as_secs_f64());
    log.commits.fetch_add(1, Ordering::Relaxed);
    metrics::counter!("xueji_disclosure_lines_total").increment(count);
    metrics::counter!("xueji_disclosure_commits_total").increment(1);
    #[expect(clippy::cast_precision_loss, reason = "a batch has 256 lines at most")]
    metrics::histogram!("xueji_disclosure_batch_lines").record(count as f64);
    Ok(())
}

/// Keys, times and codes are given at the last moment, so that they are those of the commit.
fn insert(log: &Written, rows: Vec<Vec<Datum>>) -> Result<InsertStatement> {
    let at = log.clock.now();
    let keys = log.codec.log_keys();
    let keys = keys.ok_or_else(|| Error::internal("the log has no key"))?;
    let line = |row: Vec<Datum>| -> Result<Vec<Value>> {
        let own = [Datum::Uuid(Some(Uuid::now_v7())), Datum::Instant(at)];
        coded(&keys, Log::Disclosures, own.into_iter().chain(row).collect())
    };
    let rows = rows.into_iter().map(line).collect::<Result<Vec<_>>>()?;
    insert_into("disclosure_line", Log::Disclosures.columns(), rows)
}
