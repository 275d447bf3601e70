//! Both logs as JSON Lines for a regulator (监管导出): each line with its keyed code and its seal, the heads over them, the
//! parts that are gone, the public keys, and at the end a signature over all of it.
//!
//! Without a key of the registry a regulator recomputes the chain, which holds every code, position and order, and
//! verifies heads and file by the public key. That a line says what its code stands for is checked here, under the key,
//! and told in each line as `fits`.

use chrono::{DateTime, SecondsFormat, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Func, JoinType, Order, Query};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::line::{Kept, Log, told};
use super::part::{parts, start};
use super::{Head, heads};
use crate::error::{Error, Result};
use crate::store::exports::Passed;
use crate::store::hex;
use crate::store::{Store, failed};

/// Rows of one page.
const PAGE: u64 = 1_000;

/// How much was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exported {
    /// The log.
    pub log: Log,
    /// Lines.
    pub lines: u64,
    /// Those whose code does not fit what they say.
    pub odd: u64,
    /// Heads.
    pub heads: u64,
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Micros, true)
}

/// Where lines go, with the hash of all that went.
struct Sink<'s> {
    write: &'s mut (dyn FnMut(&str) -> std::io::Result<()> + Send),
    hash: Sha256,
}

impl Sink<'_> {
    fn put(&mut self, line: &Value) -> Result<()> {
        let text = line.to_string();
        self.hash.update(text.as_bytes());
        self.hash.update(b"\n");
        (self.write)(&text).map_err(|error| {
            Error::internal(format!("the export cannot be written: {}", error.kind()))
        })
    }
}

fn head(head: &Head) -> Value {
    json!({
        "kind": "head", "log": head.log.table(), "position": head.position, "hash": hex(&head.hash),
        "before": head.before, "signed_at": instant(head.signed_at), "key": head.key,
        "signature": hex(&head.signature),
    })
}

impl Store {
    /// Writes what both logs hold of the time between two instants, the second one excluded, and all between in the order
    /// of the chain, up to the first head behind it.
    pub async fn export_logs(
        &self,
        _on_record: &Passed,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        write: &mut (dyn FnMut(&str) -> std::io::Result<()> + Send),
    ) -> Result<Vec<Exported>> {
        let keys = self.log_keys()?;
        let mut sink = Sink { write, hash: Sha256::new() };
        sink.put(&json!({
            "kind": "export", "form": 1, "from": instant(from), "to": instant(to),
        }))?;
        for (id, pem) in keys.public()? {
            sink.put(&json!({ "kind": "public_key", "key": id, "pem": pem }))?;
        }
        let mut done = Vec::new();
        for log in Log::ALL {
            done.push(self.export_log(log, from, to, &mut sink).await?);
        }
        let digest = sink.hash.clone().finalize();
        let key = keys.signing()?;
        let mut said = b"xueji export 1\0".to_vec();
        said.extend_from_slice(&digest);
        let signature = keys.sign(key, &said);
        let signature = signature.ok_or_else(|| Error::internal("an export cannot be signed"))?;
        sink.put(&json!({
            "kind": "signature", "sha256": hex(&digest), "key": key, "signature": hex(&signature),
        }))?;
        Ok(done)
    }

    async fn export_log(
        &self,
        log: Log,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        sink: &mut Sink<'_>,
    ) -> Result<Exported> {
        let db = self.log_db(log);
        let keys = self.log_keys()?;
        let mut done = Exported { log, lines: 0, odd: 0, heads: 0 };
        for part in parts(db, log).await? {
            sink.put(&json!({
                "kind": "part", "log": log.table(), "first": part.first, "position": part.position,
                "lines": part.lines, "hash": hex(&part.hash), "since": instant(part.since),
                "until": instant(part.until), "dropped_at": instant(part.dropped_at),
                "key": part.key, "signature": hex(&part.signature),
            }))?;
        }
        let Some((first, last)) = range(db, log, from, to).await? else { return Ok(done) };
        let covering = heads(db, log, last - 1, Order::Asc, 1).await?.pop();
        let last = covering.map_or(last, |head| head.position);
        let before = match first {
            first if first == start(db, log).await?.0 + 1 => start(db, log).await?.1,
            first => hash_at(db, log, first - 1).await?,
        };
        sink.put(&json!({
            "kind": "range", "log": log.table(), "first": first, "last": last, "hash_before": hex(&before),
        }))?;
        let mut after = first - 1;
        while after < last {
            let rows = db.query_all(&page(log, after, last)).await.map_err(failed)?;
            if rows.is_empty() {
                break;
            }
            let begun = after;
            for row in &rows {
                after = row.try_get_by_index(0).map_err(failed)?;
                let hash: Vec<u8> = row.try_get_by_index(1).map_err(failed)?;
                let Some(kept) = Kept::read(log, row, 2)? else {
                    done.odd += 1;
                    sink.put(&json!({
                        "kind": "gone", "log": log.table(), "position": after, "hash": hex(&hash),
                    }))?;
                    continue;
                };
                let fits = kept.fits(&keys);
                done.lines += 1;
                done.odd += u64::from(!fits && kept.code.is_some());
                sink.put(&json!({
                    "kind": "line", "log": log.table(), "position": after, "seq": kept.number(),
                    "line": told(log, row, 2)?, "code": kept.code.as_ref().map(|code| hex(&code.bytes)),
                    "fits": fits, "hash": hex(&hash),
                }))?;
            }
            let mut at = begun;
            loop {
                let some = heads(db, log, at, Order::Asc, PAGE).await?;
                let full = some.len() as u64 == PAGE;
                for one in some.iter().take_while(|head| head.position <= after) {
                    done.heads += 1;
                    sink.put(&head(one))?;
                }
                match some.last() {
                    Some(end) if full && end.position <= after => at = end.position,
                    _ => break,
                }
            }
        }
        Ok(done)
    }

    /// How many lines each action left with each outcome between two instants, and how many disclosures were on record.
    pub async fn log_counts(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<(Vec<(String, String, i64)>, i64)> {
        let within = |query: &mut sea_orm::sea_query::SelectStatement| {
            query.and_where(Expr::col("at").gte(from)).and_where(Expr::col("at").lt(to));
        };
        let mut query = Query::select();
        query
            .expr_as(Expr::col("action"), "c0")
            .expr_as(Expr::col("outcome"), "c1")
            .expr_as(Func::count(Expr::col("id")), "c2")
            .from("audit")
            .group_by_col("action")
            .group_by_col("outcome")
            .order_by("action", Order::Asc)
            .order_by("outcome", Order::Asc);
        within(&mut query);
        let mut counts = Vec::new();
        for row in self.db.query_all(&query).await.map_err(failed)? {
            counts.push((
                row.try_get_by_index(0).map_err(failed)?,
                row.try_get_by_index(1).map_err(failed)?,
                row.try_get_by_index(2).map_err(failed)?,
            ));
        }
        let mut query = Query::select();
        query.expr_as(Func::count(Expr::col("id")), "c0").from("disclosure_line");
        within(&mut query);
        let row = self.log_db(Log::Disclosures).query_one(&query).await.map_err(failed)?;
        let disclosures = match row {
            Some(row) => row.try_get_by_index(0).map_err(failed)?,
            None => 0,
        };
        Ok((counts, disclosures))
    }
}

/// The first and the last position of the lines of a time.
async fn range(
    db: &DatabaseConnection,
    log: Log,
    from: DateTime<Utc>,
    to: DateTime<Utc>,
) -> Result<Option<(i64, i64)>> {
    let position = Expr::col(("s", "position"));
    let mut query = Query::select();
    query
        .expr_as(Func::min(position.clone()), "c0")
        .expr_as(Func::max(position), "c1")
        .from_as("seal", "s")
        .join_as(
            JoinType::InnerJoin,
            log.table(),
            "l",
            Expr::col(("l", "id")).equals(("s", "line_id")),
        )
        .and_where(Expr::col(("s", "log")).eq(log.table()))
        .and_where(Expr::col(("l", "at")).gte(from))
        .and_where(Expr::col(("l", "at")).lt(to));
    let Some(row) = db.query_one(&query).await.map_err(failed)? else { return Ok(None) };
    let first: Option<i64> = row.try_get_by_index(0).map_err(failed)?;
    let last: Option<i64> = row.try_get_by_index(1).map_err(failed)?;
    Ok(first.zip(last))
}

async fn hash_at(db: &DatabaseConnection, log: Log, position: i64) -> Result<Vec<u8>> {
    let mut query = Query::select();
    query
        .expr_as(Expr::col("hash"), "c0")
        .from("seal")
        .and_where(Expr::col("log").eq(log.table()))
        .and_where(Expr::col("position").eq(position));
    let row = db.query_one(&query).await.map_err(failed)?;
    row.map_or_else(|| Ok(Vec::new()), |row| row.try_get_by_index(0).map_err(failed))
}

fn page(log: Log, after: i64, last: i64) -> sea_orm::sea_query::SelectStatement {
    let mut query = Query::select();
    query.expr_as(Expr::col(("s", "position")), "c0").expr_as(Expr::col(("s", "hash")), "c1");
    for (at, column) in Kept::columns(log).into_iter().enumerate() {
        query.expr_as(Expr::col(("l", column)), format!("c{}", at + 2));
    }
    query
        .from_as("seal", "s")
        .join_as(
            JoinType::LeftJoin,
            log.table(),
            "l",
            Expr::col(("l", "id")).equals(("s", "line_id")),
        )
        .and_where(Expr::col(("s", "log")).eq(log.table()))
        .and_where(Expr::col(("s", "position")).gt(after))
        .and_where(Expr::col(("s", "position")).lte(last))
        .order_by(("s", "position"), Order::Asc)
        .limit(PAGE);
    query
}
