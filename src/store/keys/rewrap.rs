//! Another master key: every data key and every key of the logs is wrapped anew, in one transaction; no row of the registry is touched.
//!
//! Servers that run go on with the keys they have opened, and need the new master key at their next start.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseConnection};

use super::super::failed;
use super::logs::{self, LogKeys};
use super::master::MasterKey;
use super::{Refusal, immediate, on_record, stored};
use crate::error::Error;

/// Wraps every data key and every key of the logs by another master key; how many data keys. Those that it wraps already are left alone.
pub async fn rewrap(
    db: &DatabaseConnection,
    from: &dyn MasterKey,
    to: &dyn MasterKey,
    now: DateTime<Utc>,
) -> Result<u64, Refusal> {
    let tx = immediate(db).await?;
    let keys = stored(&tx).await?;
    if keys.is_empty() {
        tx.rollback().await.map_err(failed)?;
        return Err(Refusal::None);
    }
    let wrapped = logs::rewrap(&tx, from, to).await?;
    let log_keys = LogKeys::make(&tx, to, now).await?;
    for id in wrapped {
        log_keys.on_record(&tx, "keys.rewrap", &format!("log key {id}"), now).await?;
    }
    let mut count = 0;
    for key in keys {
        if key.master == to.id() {
            // Said only when it is true.
            key.opened(to).await?;
            continue;
        }
        key.opened(from).await?;
        let bare = from.open(&key.purpose(), &key.wrapped).await?;
        let wrapped = to.wrap(&key.purpose(), &bare).await?;
        let mut update = Query::update();
        update
            .table("data_key")
            .value("wrapped", Expr::val(wrapped))
            .value("master", Expr::val(to.id()))
            .and_where(Expr::col("id").eq(i64::from(key.id)))
            .and_where(Expr::col("wrapped").eq(key.wrapped.clone()));
        if tx.execute(&update).await.map_err(failed)?.rows_affected() != 1 {
            return Err(Error::Conflict { what: "data_key".into() }.into());
        }
        on_record(&tx, &log_keys, "keys.rewrap", key.id, now).await?;
        count += 1;
    }
    tx.commit().await.map_err(failed)?;
    Ok(count)
}
