//! Identities of other issuers: which account one is linked with, and how links come and go.
//!
//! Issuer and subject are compared byte by byte on both databases, and are in no log: the audit line of a link names
//! the account, the link and the issuer, and never the subject, which may be somebody's name.

use chrono::{DateTime, Utc};
use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, InsertStatement, Query, SelectStatement};
use serde_json::json;
use uuid::Uuid;
use xueji_entity::value::AccountId;

use super::stops::role_runs;
use super::tx::{Tx, insert_into, names, unattended};
use super::{Store, failed};
use crate::config::oidc::Region;
use crate::error::{Error, Result};
use crate::store::immediate;

/// A link as it is listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The link.
    pub id: Uuid,
    /// The account's login.
    pub login: String,
    /// The issuer.
    pub issuer: String,
    /// What the issuer calls the holder.
    pub subject: String,
    /// When it was linked.
    pub created_at: DateTime<Utc>,
}

/// What came of linking.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Linked {
    /// It is linked now.
    Done,
    /// It was linked with this account already.
    Already,
    /// It is linked with another account.
    Taken,
    /// There is no such account.
    NoAccount,
}

/// The links with their accounts' logins.
fn listed() -> SelectStatement {
    let col = |name: &'static str| Expr::col(("i", name));
    Query::select()
        .expr_as(col("id"), "c0")
        .expr_as(col("account_id"), "c1")
        .expr_as(Expr::col(("a", "login")), "c2")
        .expr_as(col("issuer"), "c3")
        .expr_as(col("subject"), "c4")
        .expr_as(col("created_at"), "c5")
        .from_as("account_identity", "i")
        .join_as(
            sea_orm::JoinType::InnerJoin,
            "account",
            "a",
            col("account_id").equals(("a", "id")),
        )
        .to_owned()
}

fn of(issuer: &str, subject: &str) -> SelectStatement {
    let mut query = listed();
    query
        .and_where(Expr::col(("i", "issuer")).eq(issuer))
        .and_where(Expr::col(("i", "subject")).eq(subject));
    query
}

impl Store {
    /// The account that an identity is linked with.
    pub async fn account_of_identity(
        &self,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<AccountId>> {
        match self.select_by_keys(&of(issuer, subject)).await?.first() {
            Some(row) => {
                let id: Uuid = row.try_get_by_index(1).map_err(failed)?;
                Ok(Some(AccountId::from_uuid(id)))
            }
            None => Ok(None),
        }
    }

    /// The organisation that the settings name by its code, for a role that is mapped to it; none where there is not
    /// exactly one, and while the role is stopped.
    pub async fn organisation_of(&self, place: &Region, role: &str) -> Result<Option<Uuid>> {
        let col = |name: &'static str| Expr::col(("o", name));
        let mut query = Query::select();
        query
            .expr_as(col("id"), "c0")
            .from_as("organisation", "o")
            .and_where(role_runs(Expr::val(role)));
        match place {
            Region::School(code) => query.and_where(col("school_code").eq(code.as_str())),
            Region::Authority(code) => query
                .and_where(col("division_code").eq(code.as_str()))
                .and_where(col("level").ne("school")),
        };
        match self.select_by_keys(&query).await?.as_slice() {
            [row] => row.try_get_by_index(0).map(Some).map_err(failed),
            _ => Ok(None),
        }
    }

    /// Every link, or those of one login, in the order in which they were made.
    pub async fn identities(&self, login: Option<&str>) -> Result<Vec<Identity>> {
        let mut query = listed();
        if let Some(login) = login {
            query.and_where(Expr::col(("a", "login")).eq(login));
        }
        query.order_by(("i", "created_at"), sea_orm::Order::Asc);
        query.order_by(("i", "id"), sea_orm::Order::Asc);
        let rows = self.select(&query).await?;
        let identity = |row: &sea_orm::QueryResult| {
            Ok(Identity {
                id: row.try_get_by_index(0)?,
                login: row.try_get_by_index(2)?,
                issuer: row.try_get_by_index(3)?,
                subject: row.try_get_by_index(4)?,
                created_at: row.try_get_by_index(5)?,
            })
        };
        rows.iter().map(|row| identity(row).map_err(failed)).collect()
    }

    /// Links an identity with an account, on record.
    pub async fn link_identity(
        &self,
        login: &str,
        issuer: &str,
        subject: &str,
        now: DateTime<Utc>,
    ) -> Result<Linked> {
        let Some(account) = self.account_of(login).await? else { return Ok(Linked::NoAccount) };
        if let Some(linked) = self.account_of_identity(issuer, subject).await? {
            return Ok(if linked == account { Linked::Already } else { Linked::Taken });
        }
        let id = Uuid::now_v7();
        let insert = insert(id, account, (issuer, subject), (now, None))?;
        let said = said(account.uuid(), id, issuer, "linked");
        let line = unattended(&*self.log_keys()?, "identity.link", "", &said, now)?;
        let db = immediate(&self.db).await?;
        match db.execute(&insert).await.map_err(failed) {
            Ok(_) => {}
            // Somebody else was quicker.
            Err(Error::Conflict { .. }) => {
                db.rollback().await.map_err(failed)?;
                return Ok(Linked::Taken);
            }
            Err(error) => return Err(error),
        }
        db.execute(&line).await.map_err(failed)?;
        db.commit().await.map_err(failed)?;
        Ok(Linked::Done)
    }

    /// Ends the link of an identity, on record; false when there is none with this account.
    pub async fn unlink_identity(
        &self,
        login: &str,
        issuer: &str,
        subject: &str,
        now: DateTime<Utc>,
    ) -> Result<bool> {
        let keys = self.log_keys()?;
        let db = immediate(&self.db).await?;
        let mut query = of(issuer, subject);
        query.and_where(Expr::col(("a", "login")).eq(login));
        let rows = db.query_all(&query).await.map_err(failed)?;
        let Some(row) = rows.first() else { return Ok(false) };
        let id: Uuid = row.try_get_by_index(0).map_err(failed)?;
        let account: Uuid = row.try_get_by_index(1).map_err(failed)?;
        let mut delete = Query::delete();
        delete.from_table("account_identity").and_where(Expr::col("id").eq(id));
        let gone = db.execute(&delete).await.map_err(failed)?;
        if gone.rows_affected() == 0 {
            // Somebody else was quicker, and it is on record there.
            return Ok(false);
        }
        let said = said(account, id, issuer, "unlinked");
        let line = unattended(&keys, "identity.unlink", "", &said, now)?;
        db.execute(&line).await.map_err(failed)?;
        db.commit().await.map_err(failed)?;
        Ok(true)
    }
}

impl Tx {
    /// The account with this login, compared with case.
    pub async fn account_with_login(&self, login: &str) -> Result<Option<AccountId>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("a", "id")), "c0")
            .from_as("account", "a")
            .and_where(Expr::col(("a", "login")).eq(login));
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        Ok(Some(AccountId::from_uuid(row.try_get_by_index(0).map_err(failed)?)))
    }

    /// Links an identity with an account in the caller's act; the link, where it is this account's.
    pub async fn link_identity(
        &mut self,
        account: AccountId,
        issuer: &str,
        subject: &str,
    ) -> Result<(Linked, Option<Uuid>)> {
        if let Some(row) = self.select(&of(issuer, subject)).await?.first() {
            let id: Uuid = row.try_get_by_index(0).map_err(failed)?;
            let linked: Uuid = row.try_get_by_index(1).map_err(failed)?;
            if linked != account.uuid() {
                return Ok((Linked::Taken, None));
            }
            self.note(said(account.uuid(), id, issuer, "linked already"));
            return Ok((Linked::Already, Some(id)));
        }
        let id = Uuid::now_v7();
        let by = self.caller().account();
        let insert = insert(id, account, (issuer, subject), (self.now(), Some(by)))?;
        self.execute(&insert).await?;
        self.note(said(account.uuid(), id, issuer, "linked"));
        Ok((Linked::Done, Some(id)))
    }

    /// Ends the link of an identity with an account in the caller's act; the link, if there was one.
    pub async fn unlink_identity(
        &mut self,
        account: AccountId,
        issuer: &str,
        subject: &str,
    ) -> Result<Option<Uuid>> {
        let rows = self.select(&of(issuer, subject)).await?;
        let mut found = None;
        for row in &rows {
            let linked: Uuid = row.try_get_by_index(1).map_err(failed)?;
            if linked == account.uuid() {
                found = Some(row.try_get_by_index::<Uuid>(0).map_err(failed)?);
            }
        }
        let Some(id) = found else {
            self.note(
                json!({ "account": account.uuid(), "issuer": issuer, "did": "nothing" })
                    .to_string(),
            );
            return Ok(None);
        };
        let mut delete = Query::delete();
        delete.from_table("account_identity").and_where(Expr::col("id").eq(id));
        self.execute(&delete).await?;
        self.note(said(account.uuid(), id, issuer, "unlinked"));
        Ok(Some(id))
    }
}

/// What an audit line says of a link: never the subject.
fn said(account: Uuid, identity: Uuid, issuer: &str, did: &str) -> String {
    json!({ "account": account, "identity": identity, "issuer": issuer, "did": did }).to_string()
}

fn insert(
    id: Uuid,
    account: AccountId,
    (issuer, subject): (&str, &str),
    (at, by): (DateTime<Utc>, Option<AccountId>),
) -> Result<InsertStatement> {
    let columns = ["id", "account_id", "issuer", "subject", "created_at", "created_by"];
    let row = vec![
        id.into(),
        account.uuid().into(),
        issuer.into(),
        subject.into(),
        at.into(),
        by.map(|by| by.uuid()).into(),
    ];
    insert_into("account_identity", names(&columns), [row])
}
