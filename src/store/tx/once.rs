//! What may happen once: a request with a key, and a value that one student alone may have.
//!
//! An answer is kept as ids; whoever repeats the request reads the rows again, under the sights
//! of that moment.

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, OnConflict, Query, Value};
use uuid::Uuid;
use xueji_entity::value::LookupHash;

use super::{Found, Tx, insert_into, names};
use crate::error::{Error, Result};
use crate::leak::{self, Leak};
use crate::store::{Store, failed};

/// What the conflict is called when a key comes back with another request.
pub const KEY_REUSED: &str = "idempotencyKey";

/// What the conflict is called when what the caller saw has changed since.
pub const VERSION: &str = "version";

/// How long the answer to a request is kept for a repetition.
const KEPT: TimeDelta = TimeDelta::days(7);

/// A request that may arrive twice.
#[derive(Debug)]
pub struct Once {
    key: String,
    hash: [u8; 32],
}

impl Store {
    /// Forgets the answers that are older than [`KEPT`], with one statement; how many. It runs
    /// beside requests and is not counted among their statements.
    pub async fn forget_answers(&self, now: DateTime<Utc>) -> Result<u64> {
        let mut delete = Query::delete();
        delete.from_table("idempotency").and_where(Expr::col("at").lt(Expr::val(now - KEPT)));
        Ok(self.db.execute(&delete).await.map_err(failed)?.rows_affected())
    }
}

impl Tx {
    /// The request under the caller's key; `request` is hashed and not kept.
    pub fn once(&self, key: &str, request: &str) -> Once {
        let kind = format!("idempotency/{}", self.action.name());
        Once { key: key.to_owned(), hash: self.store.codec.hash(&kind, request) }
    }

    /// The answer that this request was given before. `CONFLICT` when the key was another request's.
    pub async fn replay(&mut self, once: &Once) -> Result<Option<String>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("action"), "c0")
            .expr_as(Expr::col("request_hash"), "c1")
            .expr_as(Expr::col("response"), "c2")
            .from("idempotency")
            .and_where(Expr::col("key").eq(once.key.as_str()));
        if !leak::on(Leak::RepetitionOfAnybody) {
            let account = self.caller.account().uuid();
            query.and_where(Expr::col("account_id").eq(Expr::val(account)));
        }
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let action: String = row.try_get_by_index(0).map_err(failed)?;
        let hash: Vec<u8> = row.try_get_by_index(1).map_err(failed)?;
        if action != self.action.name() || hash != once.hash {
            return Err(Error::Conflict { what: KEY_REUSED.into() });
        }
        self.replayed = true;
        row.try_get_by_index(2).map(Some).map_err(failed)
    }

    /// Keeps the answer, which holds ids alone, for a repetition.
    pub async fn remember(&self, once: &Once, response: String) -> Result<()> {
        let columns = names(&["account_id", "key", "action", "request_hash", "response", "at"]);
        let row: Vec<Value> = vec![
            self.caller.account().uuid().into(),
            once.key.as_str().into(),
            self.action.name().into(),
            once.hash.to_vec().into(),
            response.into(),
            self.now.into(),
        ];
        self.execute(&insert_into("idempotency", columns, [row])?).await?;
        Ok(())
    }

    /// Claims a value for a student: `CONFLICT`, without saying whose, when another student has it.
    pub async fn claim(
        &self,
        kind: &'static str,
        hash: &LookupHash,
        student: &Found,
        row: Uuid,
    ) -> Result<()> {
        let taken = || Error::Conflict { what: kind.into() };
        let student = student.student().ok_or_else(|| Error::internal("no student claims it"))?;
        let columns = names(&["kind", "hash", "student_id", "row_id"]);
        let values: Vec<Value> =
            vec![kind.into(), hash.as_bytes().to_vec().into(), student.into(), row.into()];
        let mut insert = insert_into("lookup_key", columns, [values])?;
        insert.on_conflict(OnConflict::columns(["kind", "hash"]).do_nothing().to_owned());
        if self.execute(&insert).await? == 1 {
            return Ok(());
        }
        let mut query = Query::select();
        query
            .expr_as(Expr::col("student_id"), "c0")
            .from("lookup_key")
            .and_where(Expr::col("kind").eq(kind))
            .and_where(Expr::col("hash").eq(hash.as_bytes().to_vec()));
        let rows = self.select(&query).await?;
        let holder: Uuid = rows.first().ok_or_else(taken)?.try_get_by_index(0).map_err(failed)?;
        if holder == student { Ok(()) } else { Err(taken()) }
    }
}
