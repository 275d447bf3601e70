//! Events of the outbox, read in the order of commit by whoever passes them on.
//!
//! The database numbers them (see the migration that adds `outbox.seq`), so *everything after the last
//! number* loses nothing and repeats nothing, however late a transaction commits. A word from PostgreSQL
//! or from an act of this process only says when to look; looking now and then as well makes up for every
//! word that was lost. Rows name ids and never hold a value.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Order, Query, SubQueryStatement};
use sea_orm::{ConnectionTrait, DbBackend};
use serde::Deserialize;
use sqlx::postgres::{PgListener, PgPoolOptions};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::sleep;
use uuid::Uuid;

use super::{Store, failed};
use crate::access::filter::Key;
use crate::error::Result;

/// The channel on which PostgreSQL tells of new events.
const CHANNEL: &str = "xueji_outbox";
/// Most events of one statement.
pub const BATCH: u64 = 500;
/// How often to look when nobody tells.
const LOOK: Duration = Duration::from_millis(250);
/// How often to look when PostgreSQL tells; makes up for a word that was lost.
const LOOK_TOLD: Duration = Duration::from_secs(2);

/// An event of the outbox, by ids alone.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Its place in the order of commit.
    pub seq: i64,
    /// When the act was.
    pub at: DateTime<Utc>,
    /// The kind, such as `attendance.recorded`.
    pub kind: String,
    /// The student concerned.
    pub student: Option<Uuid>,
    /// The class concerned.
    pub class_group: Option<Uuid>,
    /// The account concerned.
    pub account: Option<Uuid>,
    /// The rows concerned.
    pub rows: Vec<Key>,
}

#[derive(Default, Deserialize)]
struct Payload {
    #[serde(default)]
    rows: Vec<Uuid>,
    #[serde(default)]
    students: Vec<Option<Uuid>>,
}

impl Payload {
    /// The keys of the rows; a row without a student of its own belongs to the event's.
    fn keys(text: &str, student: Option<Uuid>) -> Vec<Key> {
        let Self { rows, students } = serde_json::from_str(text).unwrap_or_default();
        rows.into_iter()
            .enumerate()
            .map(|(at, id)| Key { student: students.get(at).copied().flatten().or(student), id })
            .collect()
    }
}

impl Store {
    /// The number of the newest event; 0 when there was none.
    pub async fn last_notice(&self) -> Result<i64> {
        let mut query = Query::select();
        query.expr_as(Func::max(Expr::col(("o", "seq"))), "c0").from_as("outbox", "o");
        let rows = self.select(&query).await?;
        let last: Option<i64> =
            rows.first().map(|row| row.try_get_by_index(0)).transpose().map_err(failed)?.flatten();
        Ok(last.unwrap_or_default())
    }

    /// The events after a number, in order, at most [`BATCH`] of them.
    pub async fn notices_after(&self, seq: i64) -> Result<Vec<Notice>> {
        let mut query = Query::select();
        let columns =
            ["seq", "at", "kind", "student_id", "class_group_id", "account_id", "payload"];
        for column in columns {
            query.column(("o", column));
        }
        query
            .from_as("outbox", "o")
            .and_where(Expr::col(("o", "seq")).gt(seq))
            .order_by(("o", "seq"), Order::Asc)
            .limit(BATCH);
        self.select(&query)
            .await?
            .iter()
            .map(|row| {
                let key = |at: usize| row.try_get_by_index::<Option<Uuid>>(at).map_err(failed);
                let student = key(3)?;
                let payload: String = row.try_get_by_index(6).map_err(failed)?;
                Ok(Notice {
                    seq: row.try_get_by_index(0).map_err(failed)?,
                    at: row.try_get_by_index(1).map_err(failed)?,
                    kind: row.try_get_by_index(2).map_err(failed)?,
                    student,
                    class_group: key(4)?,
                    account: key(5)?,
                    rows: Payload::keys(&payload, student),
                })
            })
            .collect()
    }

    /// Removes the events of before an instant; how many. The newest one stays, because on SQLite the next
    /// number follows from it. It runs beside requests and is not counted among their statements.
    pub async fn forget_notices(&self, before: DateTime<Utc>) -> Result<u64> {
        let mut newest = Query::select();
        newest.expr(Func::max(Expr::col(("n", "seq")))).from_as("outbox", "n");
        let mut delete = Query::delete();
        delete.from_table("outbox").and_where(Expr::col("at").lt(before)).and_where(
            Expr::col("seq").is_null().or(Expr::col("seq")
                .lt(Expr::SubQuery(None, Box::new(SubQueryStatement::SelectStatement(newest))))),
        );
        Ok(self.db.execute(&delete).await.map_err(failed)?.rows_affected())
    }

    /// Listens for word of new events.
    pub fn ears(&self) -> Ears {
        let pool = (self.backend() == DbBackend::Postgres).then(|| {
            let pool = self.db.get_postgres_connection_pool();
            // A connection of its own: it is held as long as somebody listens.
            PgPoolOptions::new()
                .max_connections(1)
                .acquire_timeout(Duration::from_secs(5))
                .connect_lazy_with((*pool.connect_options()).clone())
        });
        let wake = Arc::clone(&self.wake);
        Ears { pool, listener: None, attempt: JoinSet::new(), deaf: false, wake }
    }
}

/// Hears when it is time to look.
#[derive(Debug)]
pub struct Ears {
    pool: Option<sqlx::PgPool>,
    listener: Option<PgListener>,
    /// The try to listen that is under way. Beside the waiting: a server that lets nobody in answers late.
    attempt: JoinSet<sqlx::Result<PgListener>>,
    /// That nobody tells is said once, not at every try.
    deaf: bool,
    wake: Arc<Notify>,
}

async fn listener(pool: sqlx::PgPool) -> sqlx::Result<PgListener> {
    let mut listener = PgListener::connect_with(&pool).await?;
    // Whoever has lost the connection looks oftener until there is another.
    listener.eager_reconnect(false);
    listener.listen(CHANNEL).await?;
    Ok(listener)
}

impl Ears {
    /// Waits until there may be something new. Returns too often rather than too late. What was missed
    /// while nobody told, or while the connection was lost, is found by looking.
    pub async fn wait(&mut self) {
        let Some(listening) = &mut self.listener else {
            if let Some(pool) = &self.pool
                && self.attempt.is_empty()
            {
                self.attempt.spawn(listener(pool.clone()));
            }
            let tried = tokio::select! {
                () = self.wake.notified() => None,
                () = sleep(LOOK) => None,
                Some(tried) = self.attempt.join_next() => Some(tried),
            };
            match tried {
                None => {}
                Some(Ok(Ok(listener))) => {
                    self.listener = Some(listener);
                    self.deaf = false;
                }
                // Its text may quote an address.
                Some(_detail) => {
                    if !std::mem::replace(&mut self.deaf, true) {
                        tracing::warn!("cannot listen for events of other processes; polling");
                    }
                    tokio::select! {
                        () = self.wake.notified() => {}
                        () = sleep(LOOK) => {}
                    }
                }
            }
            return;
        };
        let lost = tokio::select! {
            () = self.wake.notified() => false,
            () = sleep(LOOK_TOLD) => false,
            heard = listening.try_recv() => match heard {
                Ok(Some(_word)) => {
                    while listening.next_buffered().is_some() {}
                    false
                }
                Ok(None) | Err(_) => true,
            },
        };
        if lost {
            self.listener = None;
        }
    }
}
