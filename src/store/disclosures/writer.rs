//! Shares a commit among the requests that wait for one.
//!
//! One task writes. What arrives while a commit is under way is the next commit, as a whole; when
//! nothing is under way a line is written at once. Whoever waits is woken when the line is durable, and
//! told when it is not. A request that is given up meanwhile leaves its line: the record may say too
//! much, never too little.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use sea_orm::sea_query::{Expr, InsertStatement, Query, Value};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{Disclosures, parts};
use crate::access::disclosure::Record;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::store::failed;

/// Most lines of one commit.
const MOST: usize = 256;

/// A line that waits for its commit.
#[derive(Debug)]
pub(super) struct Waiting {
    row: Vec<Value>,
    done: oneshot::Sender<Result<()>>,
}

impl Disclosures {
    /// Puts a record into the log; durable when this returns. `Unavailable` when it cannot be written.
    pub async fn record(&self, record: &Record) -> Result<()> {
        let (done, written) = oneshot::channel();
        let row = row(record)?;
        let queue = self.queue.get_or_init(|| {
            let (queue, waiting) = mpsc::unbounded_channel();
            let commits = Arc::clone(&self.commits);
            tokio::spawn(write(self.db.clone(), self.clock, waiting, commits));
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

fn row(record: &Record) -> Result<Vec<Value>> {
    Ok(vec![
        record.account.uuid().into(),
        record.request_id.as_str().into(),
        record.purpose.clone().into(),
        record.policy_version.as_str().into(),
        parts::write(&record.parts)?.into(),
    ])
}

async fn write(
    db: DatabaseConnection,
    clock: Clock,
    mut waiting: mpsc::UnboundedReceiver<Waiting>,
    commits: Arc<AtomicU64>,
) {
    let mut batch = Vec::with_capacity(MOST);
    while waiting.recv_many(&mut batch, MOST).await > 0 {
        let (rows, done): (Vec<_>, Vec<_>) =
            batch.drain(..).map(|line| (line.row, line.done)).unzip();
        #[expect(clippy::cast_precision_loss, reason = "a batch has 256 lines at most")]
        let lines = done.len() as f64;
        let outcomes = together(&db, clock, rows, &commits).await;
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
async fn together(
    db: &DatabaseConnection,
    clock: Clock,
    rows: Vec<Vec<Value>>,
    commits: &AtomicU64,
) -> Vec<Result<()>> {
    let count = rows.len();
    match commit(db, clock, rows.clone(), commits).await {
        Ok(()) => (0..count).map(|_| Ok(())).collect(),
        Err(Error::Unavailable) => (0..count).map(|_| Err(Error::Unavailable)).collect(),
        Err(error) if count == 1 => vec![Err(error)],
        Err(_one_of_them) => {
            let mut outcomes = Vec::with_capacity(count);
            for row in rows {
                outcomes.push(commit(db, clock, vec![row], commits).await);
            }
            outcomes
        }
    }
}

async fn commit(
    db: &DatabaseConnection,
    clock: Clock,
    rows: Vec<Vec<Value>>,
    commits: &AtomicU64,
) -> Result<()> {
    let count = rows.len() as u64;
    let insert = insert(clock, rows)?;
    let begun = Instant::now();
    db.execute(&insert).await.map_err(failed)?;
    metrics::histogram!("xueji_disclosure_commit_duration_seconds")
        .record(begun.elapsed().as_secs_f64());
    commits.fetch_add(1, Ordering::Relaxed);
    metrics::counter!("xueji_disclosure_lines_total").increment(count);
    metrics::counter!("xueji_disclosure_commits_total").increment(1);
    #[expect(clippy::cast_precision_loss, reason = "a batch has 256 lines at most")]
    metrics::histogram!("xueji_disclosure_batch_lines").record(count as f64);
    Ok(())
}

/// Keys and times are given at the last moment, so that they are those of the commit.
fn insert(clock: Clock, rows: Vec<Vec<Value>>) -> Result<InsertStatement> {
    let at = clock.now();
    let mut insert = Query::insert();
    insert.into_table("disclosure_line").columns([
        "id",
        "at",
        "account_id",
        "request_id",
        "purpose",
        "policy_version",
        "parts",
    ]);
    for row in rows {
        let own: [Value; 2] = [Uuid::now_v7().into(), at.into()];
        insert
            .values(own.into_iter().chain(row).map(Expr::val))
            .map_err(|error| Error::Internal(error.into()))?;
    }
    Ok(insert)
}
