//! Programs of other systems, as they ask for tokens: by login and secret, from their networks, until their end.

use std::net::{IpAddr, Ipv4Addr};

use chrono::{DateTime, Utc};
use ipnet::IpNet;
use sea_orm::sea_query::{Expr, ExprTrait, LockType, Query};
use uuid::Uuid;

use super::Entry;
use crate::access::caller::{Bounds, WRITE};
use crate::error::Result;
use crate::store::failed;
use crate::store::stops::barred;

/// A registered program.
#[derive(Clone)]
pub struct Program {
    /// Its account.
    pub account: Uuid,
    /// Whether signing in is barred.
    pub disabled: bool,
    /// Its scopes, with blanks between.
    pub scopes: String,
    /// What bounds it beside them.
    pub bounds: Bounds,
    /// The SHA-256 of the secrets that are good: the present one, and an earlier one for a while.
    secrets: Vec<Vec<u8>>,
}

impl std::fmt::Debug for Program {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Program({})", self.account)
    }
}

impl Program {
    /// Whether this is the hash of a secret of the program. It takes as long wherever the two differ.
    pub fn has_secret(&self, hash: &[u8]) -> bool {
        let same = |secret: &Vec<u8>| {
            let differ = secret.iter().zip(hash).fold(0, |all, (one, other)| all | (one ^ other));
            secret.len() == hash.len() && differ == 0
        };
        self.secrets.iter().fold(false, |any, secret| any | same(secret))
    }
}

/// The bounds of a program as its registration has them. A network that cannot be read is one of no address: it lets
/// nobody in.
pub(in crate::store) fn bounds(
    scopes: &str,
    networks: Option<&str>,
    expires_at: Option<DateTime<Utc>>,
) -> Bounds {
    let nowhere = IpNet::from(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let read = |network: &str| network.parse().unwrap_or(nowhere);
    Bounds {
        write: names(scopes, WRITE),
        networks: networks.map(|all| all.split(' ').map(read).collect()).unwrap_or_default(),
        expires_at,
    }
}

/// Whether scopes name this one.
pub(in crate::store) fn names(scopes: &str, scope: &str) -> bool {
    scopes.split(' ').any(|named| named == scope)
}

impl Entry {
    /// The registered program with this login. Its account is locked until the act ends, so that a secret that is
    /// withdrawn meanwhile opens nothing.
    pub async fn program(&self, login: &str) -> Result<Option<Program>> {
        let mut lock = Query::select();
        lock.expr_as(Expr::col("id"), "c0")
            .from("account")
            .and_where(Expr::col("login").eq(login))
            .lock(LockType::NoKeyUpdate);
        self.select(&lock).await?;
        let col = |name: &'static str| Expr::col(("k", name));
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("a", "id")), "c0")
            .expr_as(barred("a"), "c1")
            .expr_as(col("scopes"), "c2")
            .expr_as(col("allowed_addresses"), "c3")
            .expr_as(col("expires_at"), "c4")
            .expr_as(col("secret_hash"), "c5")
            .expr_as(Expr::col(("r", "hash")), "c6")
            .from_as("account", "a")
            .join_as(sea_orm::JoinType::InnerJoin, "api_client", "k", col("id").equals(("a", "id")))
            .join_as(
                sea_orm::JoinType::LeftJoin,
                "retired_secret",
                "r",
                Expr::col(("r", "id"))
                    .equals(("a", "id"))
                    .and(Expr::col(("r", "good_until")).gt(self.now)),
            )
            .and_where(Expr::col(("a", "login")).eq(login));
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let scopes: String = row.try_get_by_index(2).map_err(failed)?;
        let networks: Option<String> = row.try_get_by_index(3).map_err(failed)?;
        let expires_at: Option<DateTime<Utc>> = row.try_get_by_index(4).map_err(failed)?;
        let retired: Option<Vec<u8>> = row.try_get_by_index(6).map_err(failed)?;
        let present: Vec<u8> = row.try_get_by_index(5).map_err(failed)?;
        Ok(Some(Program {
            account: row.try_get_by_index(0).map_err(failed)?,
            disabled: row.try_get_by_index(1).map_err(failed)?,
            bounds: bounds(&scopes, networks.as_deref(), expires_at),
            scopes,
            secrets: [Some(present), retired].into_iter().flatten().collect(),
        }))
    }
}
