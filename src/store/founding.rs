//! The first administrators: accounts that nobody is there to make, with the role that nobody is there to give.
//!
//! A command at the machine makes them, on record. There are two, since two people give what is powerful; whoever comes
//! after them is given the role by both.

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use sea_orm::{ConnectionTrait, DatabaseTransaction, DbBackend};
use serde_json::json;
use uuid::Uuid;
use xueji_entity::account::AccountKind;
use xueji_entity::value::PersonName;

use super::stops::barred;
use super::tx::account::ACCOUNT;
use super::tx::{Made, NewAccount, insert_into, made, names, registered};
use super::{Store, failed, immediate};
use crate::access::table::Reach;
use crate::error::Result;

/// The role that gives every role of an office, as the shipped policy names it.
const ADMINISTRATOR: &str = "administrator";

/// How many administrators a command makes.
const FOUNDERS: i64 = 2;

/// What came of making an administrator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Founded {
    /// The account is there and holds the role from today on.
    Done(Uuid),
    /// There is an account with this login.
    LoginTaken,
    /// There are enough, who give the role to others.
    Enough,
}

impl Store {
    /// Makes an account that holds the role of an administrator (系统管理员) everywhere and without a last day, on
    /// record, while fewer than two people hold it who can sign in.
    pub async fn found_administrator(
        &self,
        login: &str,
        name: PersonName,
        now: DateTime<Utc>,
        today: NaiveDate,
    ) -> Result<Founded> {
        let keys = self.log_keys()?;
        let db = immediate(&self.db).await?;
        // Of two commands at once one counts the other's account.
        if db.get_database_backend() == DbBackend::Postgres {
            let lock = "LOCK TABLE account IN SHARE ROW EXCLUSIVE MODE";
            db.execute_unprepared(lock).await.map_err(failed)?;
        }
        if administrators(&db, today).await? >= FOUNDERS {
            return Ok(Founded::Enough);
        }
        let mut taken = Query::select();
        taken.expr(Expr::col("id")).from("account").and_where(Expr::col("login").eq(login));
        if db.query_one(&taken).await.map_err(failed)?.is_some() {
            return Ok(Founded::LoginTaken);
        }
        let (id, grant) = (Uuid::now_v7(), Uuid::now_v7());
        let kind = AccountKind::Staff;
        let account = NewAccount { id, login, kind, name, staff: None, student: None };
        let accounts = insert_into("account", names(&ACCOUNT), [account.values(now)])?;
        let columns = names(&["id", "account_id", "role", "reach", "since"]);
        let reach = Reach::Anywhere.word();
        let held = vec![grant.into(), id.into(), ADMINISTRATOR.into(), reach.into(), today.into()];
        let grants = insert_into("access_grant", columns, [held])?;
        let detail = json!({
            "by": "xueji account administrator",
            "account": { "inserted": [id], "updated": [] },
            "access_grant": { "inserted": [grant], "updated": [] },
            "role": ADMINISTRATOR,
            "reach": reach,
        });
        let lines = [Made { account: id, detail: detail.to_string() }];
        let line = made(&keys, "account.create", &lines, now)?;
        for statement in [&accounts, &grants, &line] {
            db.execute(statement).await.map_err(failed)?;
        }
        db.commit().await.map_err(failed)?;
        Ok(Founded::Done(id))
    }
}

/// How many people hold the role today who can sign in.
async fn administrators(db: &DatabaseTransaction, today: NaiveDate) -> Result<i64> {
    let g = |name: &'static str| Expr::col(("g", name));
    let mut query = Query::select();
    query
        .expr_as(Expr::col(("a", "id")).count_distinct(), "c0")
        .from_as("access_grant", "g")
        .join_as(
            sea_orm::JoinType::InnerJoin,
            "account",
            "a",
            Expr::col(("a", "id"))
                .equals(("g", "account_id"))
                .and(barred("a").not())
                .and(registered("a").not()),
        )
        .and_where(g("role").eq(ADMINISTRATOR))
        .and_where(g("reach").eq(Reach::Anywhere.word()))
        .and_where(g("ended_at").is_null())
        .and_where(g("since").lte(today))
        .and_where(g("until").is_null().or(g("until").gte(today)));
    let row = db.query_one(&query).await.map_err(failed)?;
    row.map_or(Ok(0), |row| row.try_get_by_index(0).map_err(failed))
}
