//! Codes by which a password is set, as whoever holds one finds them: by the hash, which is unique.

use chrono::{DateTime, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;
use xueji_entity::value::TokenHash;

use super::Entry;
use crate::error::Result;
use crate::store::stops::barred;
use crate::store::{Store, failed};

/// A code with the account that it is for.
#[derive(Clone, Debug)]
pub struct FoundCode {
    /// The account.
    pub account: Uuid,
    /// Its login.
    pub login: String,
    /// Whether signing in is barred.
    pub disabled: bool,
    /// Until when the code may be used.
    pub expires_at: DateTime<Utc>,
    /// Whether it was used, or withdrawn.
    pub used: bool,
}

impl Store {
    /// The code of a hash.
    pub async fn code(&self, hash: &TokenHash) -> Result<Option<FoundCode>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("a", "id")), "c0")
            .expr_as(Expr::col(("a", "login")), "c1")
            .expr_as(barred("a"), "c2")
            .expr_as(Expr::col(("k", "expires_at")), "c3")
            .expr_as(Expr::col(("k", "used_at")), "c4")
            .from_as("activation_code", "k")
            .join_as(
                sea_orm::JoinType::InnerJoin,
                "account",
                "a",
                Expr::col(("a", "id")).equals(("k", "account_id")),
            )
            .and_where(Expr::col(("k", "hash")).eq(hash.as_bytes().to_vec()));
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let used: Option<DateTime<Utc>> = row.try_get_by_index(4).map_err(failed)?;
        Ok(Some(FoundCode {
            account: row.try_get_by_index(0).map_err(failed)?,
            login: row.try_get_by_index(1).map_err(failed)?,
            disabled: row.try_get_by_index(2).map_err(failed)?,
            expires_at: row.try_get_by_index(3).map_err(failed)?,
            used: used.is_some(),
        }))
    }
}

impl Entry {
    /// Uses a code of an account up; false when it was used, or is out of time.
    pub async fn use_code(&self, account: Uuid, hash: &TokenHash) -> Result<bool> {
        let mut update = Query::update();
        update
            .table("activation_code")
            .value("used_at", self.now)
            .and_where(Expr::col("hash").eq(hash.as_bytes().to_vec()))
            .and_where(Expr::col("account_id").eq(Expr::val(account)))
            .and_where(Expr::col("used_at").is_null())
            .and_where(Expr::col("expires_at").gt(self.now));
        Ok(self.execute(&update).await? == 1)
    }
}
