//! Published versions of the policy: numbered, kept with their files, the newest in force everywhere.
//!
//! Publishing looks at the newest and writes the next in one transaction, with its audit line; of two
//! publishers at once one is let through, and the other looks again. Nothing here judges a policy.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, InsertStatement, Order, Query, SelectStatement, Value};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult};
use serde::{Deserialize, Serialize};

use super::keys::logs::LogKeys;
use super::tx::{Tx, unattended};
use super::{Store, failed};
use crate::access::policy::Source;
use crate::error::{Error, Result};
use crate::store::immediate;

/// How often a publisher looks again when another one was quicker.
const ATTEMPTS: usize = 5;

/// Which version is in force after publishing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Published {
    /// The number.
    pub number: i64,
    /// The hash of the files.
    pub hash: String,
    /// Whether it is new; files that were in force already get no second number.
    pub fresh: bool,
}

/// A published version (策略版本).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Counted from one.
    pub number: i64,
    /// The hash of the files.
    pub hash: String,
    /// When.
    pub published_at: DateTime<Utc>,
    /// By what or whom.
    pub published_by: String,
    /// Version of the program that checked the files.
    pub program: String,
}

fn newest() -> SelectStatement {
    let mut query = Query::select();
    query
        .expr_as(Expr::col("number"), "c0")
        .expr_as(Expr::col("hash"), "c1")
        .from("policy_version")
        .order_by("number", Order::Desc)
        .limit(1);
    query
}

fn newest_of(rows: &[QueryResult]) -> Result<Option<(i64, String)>> {
    let Some(row) = rows.first() else { return Ok(None) };
    let number = row.try_get_by_index(0).map_err(failed)?;
    let hash = row.try_get_by_index(1).map_err(failed)?;
    Ok(Some((number, hash)))
}

fn insert(number: i64, source: &Source, by: &str, now: DateTime<Utc>) -> Result<InsertStatement> {
    let files =
        serde_json::to_string(&source.files).map_err(|error| Error::Internal(error.into()))?;
    let row: Vec<Value> = vec![
        number.into(),
        source.version().into(),
        now.into(),
        by.into(),
        env!("CARGO_PKG_VERSION").into(),
        files.into(),
    ];
    let mut insert = Query::insert();
    insert
        .into_table("policy_version")
        .columns(["number", "hash", "published_at", "published_by", "program", "files"])
        .values(row.into_iter().map(Expr::val))
        .map_err(|error| Error::Internal(error.into()))?;
    Ok(insert)
}

/// The version that follows, or the newest one when it has the same files.
fn next(newest: Option<(i64, String)>, hash: String) -> Published {
    match newest {
        Some((number, known)) if known == hash => Published { number, hash, fresh: false },
        Some((number, _)) => Published { number: number + 1, hash, fresh: true },
        None => Published { number: 1, hash, fresh: true },
    }
}

impl Store {
    /// The number and hash of the newest version. Asked several times a second by every server, so it
    /// counts to no request.
    pub async fn newest_policy(&self) -> Result<Option<(i64, String)>> {
        newest_of(&self.db.query_all(&newest()).await.map_err(failed)?)
    }

    /// Whether these files were ever published.
    pub async fn policy_was_published(&self, hash: &str) -> Result<bool> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("number"), "c0")
            .from("policy_version")
            .and_where(Expr::col("hash").eq(hash))
            .limit(1);
        Ok(!self.select(&query).await?.is_empty())
    }

    /// The files of a version.
    pub async fn policy_files(&self, number: i64) -> Result<Option<Source>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("files"), "c0")
            .from("policy_version")
            .and_where(Expr::col("number").eq(number));
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let text: String = row.try_get_by_index(0).map_err(failed)?;
        let files: BTreeMap<String, String> =
            serde_json::from_str(&text).map_err(|error| Error::Internal(error.into()))?;
        Ok(Some(Source { files }))
    }

    /// The newest versions, the newest first.
    pub async fn policy_versions(&self, most: u64) -> Result<Vec<Version>> {
        let mut query = Query::select();
        for (name, as_name) in [
            ("number", "c0"),
            ("hash", "c1"),
            ("published_at", "c2"),
            ("published_by", "c3"),
            ("program", "c4"),
        ] {
            query.expr_as(Expr::col(name), as_name);
        }
        query.from("policy_version").order_by("number", Order::Desc).limit(most);
        let version = |row: &QueryResult| {
            Ok(Version {
                number: row.try_get_by_index(0).map_err(failed)?,
                hash: row.try_get_by_index(1).map_err(failed)?,
                published_at: row.try_get_by_index(2).map_err(failed)?,
                published_by: row.try_get_by_index(3).map_err(failed)?,
                program: row.try_get_by_index(4).map_err(failed)?,
            })
        };
        self.select(&query).await?.iter().map(version).collect()
    }

    /// Publishes files that were checked, unless they are the newest already. `by` says what applied
    /// them; an account publishes through [`Tx::publish_policy`].
    pub async fn publish_policy(
        &self,
        source: &Source,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Published> {
        let mut last = Error::Unavailable;
        for _ in 0..ATTEMPTS {
            match self.publish_once(source, by, now).await {
                Err(error @ Error::Conflict { .. }) => last = error,
                other => return other,
            }
        }
        Err(last)
    }

    async fn publish_once(
        &self,
        source: &Source,
        by: &str,
        now: DateTime<Utc>,
    ) -> Result<Published> {
        let db = immediate(&self.db).await?;
        let keys = self.log_keys()?;
        let done = publish_in(&db, &keys, source, by, now).await;
        match &done {
            Ok(Published { fresh: true, .. }) => db.commit().await.map_err(failed)?,
            Ok(_) | Err(_) => db.rollback().await.map_err(failed)?,
        }
        done
    }
}

async fn publish_in(
    db: &DatabaseTransaction,
    keys: &LogKeys,
    source: &Source,
    by: &str,
    now: DateTime<Utc>,
) -> Result<Published> {
    let known = newest_of(&db.query_all(&newest()).await.map_err(failed)?)?;
    let published = next(known, source.version());
    if published.fresh {
        db.execute(&insert(published.number, source, by, now)?).await.map_err(failed)?;
        let version = format!("{}:{}", published.number, published.hash);
        let line = unattended(keys, "policy.publish", &version, by, now)?;
        db.execute(&line).await.map_err(failed)?;
    }
    Ok(published)
}

impl Tx {
    /// Publishes files that were checked, in the caller's act, unless they are the newest already.
    pub async fn publish_policy(
        &mut self,
        source: &Source,
        now: DateTime<Utc>,
    ) -> Result<Published> {
        let known = newest_of(&self.select(&newest()).await?)?;
        let published = next(known, source.version());
        if published.fresh {
            let by = format!("account {}", Arc::clone(self.caller()).account());
            self.execute(&insert(published.number, source, &by, now)?).await?;
            self.note(format!("published {}:{}", published.number, published.hash));
        }
        Ok(published)
    }
}
