//! Sessions: opened by a sign-in, gone on with by refresh tokens, ended by whoever may.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, LockType, Order, Query, SelectStatement, Value};
use sea_orm::{ConnectionTrait, QueryResult};
use uuid::Uuid;

use super::Entry;
use crate::access::place::among;
use crate::error::Result;
use crate::store::stops::barred;
use crate::store::tx::{Tx, insert_into, names};
use crate::store::{Store, failed};

const TABLE: &str = "login_session";
/// Sessions of an account that are listed.
const LISTED: u64 = 200;
/// How long a session is kept after its end: whoever looks into a sign-in finds the rest on record.
const KEPT: TimeDelta = TimeDelta::days(30);

/// Why a session was ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// By whoever holds it.
    SignedOut,
    /// The same, of all sessions.
    SignedOutEverywhere,
    /// By an administrator.
    Administrator,
    /// A refresh token came a second time.
    Reused,
    /// The password was changed or reset.
    Password,
    /// The second factor was removed.
    Factor,
    /// The account was disabled.
    Disabled,
}

impl End {
    /// The word in the database and on record.
    pub const fn word(self) -> &'static str {
        match self {
            Self::SignedOut => "signed_out",
            Self::SignedOutEverywhere => "signed_out_everywhere",
            Self::Administrator => "administrator",
            Self::Reused => "reused",
            Self::Password => "password",
            Self::Factor => "factor",
            Self::Disabled => "disabled",
        }
    }
}

/// A session to be opened.
#[derive(Clone, Debug)]
pub struct NewSession {
    /// Its key.
    pub id: Uuid,
    /// Whose it is.
    pub account: Uuid,
    /// Whether it is that of a program.
    pub program: bool,
    /// Until when it may be gone on with unless it is used.
    pub idle_until: Option<DateTime<Utc>>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// What its refresh tokens are found by, and the SHA-256 of the first; none for a session without.
    pub refresh: Option<(Uuid, Vec<u8>)>,
}

/// A session as a refresh token finds it.
#[derive(Clone, Debug)]
pub struct StoredSession {
    /// Its key.
    pub id: Uuid,
    /// Whose it is.
    pub account: Uuid,
    /// Whether it may be gone on with now.
    pub live: bool,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// The SHA-256 of the one refresh token that is good.
    pub refresh: Option<Vec<u8>>,
    /// How many there were before.
    pub generation: i64,
}

/// A session as its owner, or an administrator, is told of it.
#[derive(Clone, Debug)]
pub struct ListedSession {
    /// Its key.
    pub id: Uuid,
    /// Whether it is that of a program.
    pub program: bool,
    /// When it began.
    pub started_at: DateTime<Utc>,
    /// When a token was last given in it.
    pub last_used_at: DateTime<Utc>,
    /// When it ends at the latest.
    pub expires_at: DateTime<Utc>,
    /// The address that signed in.
    pub address: Option<String>,
    /// The program that signed in, as it calls itself.
    pub agent: Option<String>,
}

impl Store {
    /// Forgets sessions, with the addresses and programs that signed in, a month after they could last be used; how many.
    pub async fn forget_sessions(&self, now: DateTime<Utc>) -> Result<u64> {
        let mut delete = Query::delete();
        delete.from_table(TABLE).and_where(Expr::col("expires_at").lt(Expr::val(now - KEPT)));
        Ok(self.db.execute(&delete).await.map_err(failed)?.rows_affected())
    }
}

/// What a live session stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Whose it is.
    pub account: Uuid,
    /// Whether the password must be changed before anything else.
    pub must_change: bool,
    /// When the password was set.
    pub changed_at: Option<DateTime<Utc>>,
    /// Whether a second factor is asked for at sign-in.
    pub factor: bool,
    /// When the session ends unless it is used.
    pub until: DateTime<Utc>,
}

/// A session that may be gone on with at this instant.
fn live(t: &'static str, now: DateTime<Utc>) -> Expr {
    let col = |name: &'static str| Expr::col((t, name));
    col("ended_at")
        .is_null()
        .and(col("expires_at").gt(now))
        .and(col("idle_until").is_null().or(col("idle_until").gt(now)))
        .and(col("started_at").is_not_null())
}

fn listed_query(account: Uuid, now: DateTime<Utc>) -> SelectStatement {
    let mut query = Query::select();
    for (at, column) in
        ["id", "kind", "started_at", "last_used_at", "expires_at", "address", "agent"]
            .into_iter()
            .enumerate()
    {
        query.expr_as(Expr::col(("s", column)), format!("c{at}"));
    }
    query
        .from_as(TABLE, "s")
        .and_where(Expr::col(("s", "account_id")).eq(Expr::val(account)))
        .and_where(live("s", now))
        .order_by(("s", "started_at"), Order::Desc)
        .order_by(("s", "id"), Order::Desc)
        .limit(LISTED);
    query
}

fn listed(row: &QueryResult) -> Result<ListedSession> {
    let kind: String = row.try_get_by_index(1).map_err(failed)?;
    Ok(ListedSession {
        id: row.try_get_by_index(0).map_err(failed)?,
        program: kind == "client",
        started_at: row.try_get_by_index(2).map_err(failed)?,
        last_used_at: row.try_get_by_index(3).map_err(failed)?,
        expires_at: row.try_get_by_index(4).map_err(failed)?,
        address: row.try_get_by_index(5).map_err(failed)?,
        agent: row.try_get_by_index(6).map_err(failed)?,
    })
}

impl Store {
    /// The sessions of these that may be gone on with, by key, in one statement.
    pub async fn standings(
        &self,
        sessions: &[Uuid],
        now: DateTime<Utc>,
    ) -> Result<HashMap<Uuid, Standing>> {
        if sessions.is_empty() {
            return Ok(HashMap::new());
        }
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("s", "id")), "c0")
            .expr_as(Expr::col(("s", "account_id")), "c1")
            .expr_as(Expr::col(("s", "expires_at")), "c2")
            .expr_as(Expr::col(("s", "idle_until")), "c3")
            .expr_as(Expr::col(("c", "must_change")), "c4")
            .expr_as(Expr::col(("c", "changed_at")), "c5")
            .expr_as(Expr::col(("c", "totp_since")), "c6")
            .from_as(TABLE, "s")
            .join_as(
                sea_orm::JoinType::LeftJoin,
                "credential",
                "c",
                Expr::col(("c", "id")).equals(("s", "account_id")),
            )
            .and_where(among(Expr::col(("s", "id")), sessions, self.backend()))
            .and_where(live("s", now));
        let mut found = HashMap::new();
        for row in &self.select_by_keys(&query).await? {
            let ends: DateTime<Utc> = row.try_get_by_index(2).map_err(failed)?;
            let idle: Option<DateTime<Utc>> = row.try_get_by_index(3).map_err(failed)?;
            let must_change: Option<bool> = row.try_get_by_index(4).map_err(failed)?;
            let factor: Option<DateTime<Utc>> = row.try_get_by_index(6).map_err(failed)?;
            let standing = Standing {
                account: row.try_get_by_index(1).map_err(failed)?,
                must_change: must_change.unwrap_or_default(),
                changed_at: row.try_get_by_index(5).map_err(failed)?,
                factor: factor.is_some(),
                until: idle.map_or(ends, |idle| std::cmp::min(idle, ends)),
            };
            found.insert(row.try_get_by_index(0).map_err(failed)?, standing);
        }
        Ok(found)
    }

    /// The sessions of an account that may be gone on with, the newest first.
    pub async fn sessions_of(
        &self,
        account: Uuid,
        now: DateTime<Utc>,
    ) -> Result<Vec<ListedSession>> {
        self.select(&listed_query(account, now)).await?.iter().map(listed).collect()
    }
}

impl Entry {
    /// Opens a session.
    pub async fn open_session(&self, new: &NewSession) -> Result<()> {
        let columns = names(&[
            "id",
            "account_id",
            "kind",
            "started_at",
            "last_used_at",
            "idle_until",
            "expires_at",
            "address",
            "agent",
            "refresh_handle",
            "refresh_hash",
            "refresh_generation",
        ]);
        let (handle, hash) = new.refresh.clone().unzip();
        let row: Vec<Value> = vec![
            new.id.into(),
            new.account.into(),
            if new.program { "client" } else { "person" }.into(),
            self.now.into(),
            self.now.into(),
            new.idle_until.into(),
            new.expires_at.into(),
            self.visit.client.map(|client| client.to_string()).into(),
            self.visit.agent.clone().into(),
            handle.into(),
            hash.into(),
            0_i64.into(),
        ];
        self.execute(&insert_into(TABLE, columns, [row])?).await.map(|_| ())
    }

    /// The session whose refresh tokens have this handle, locked until the act ends.
    pub async fn session_by_handle(&self, handle: Uuid) -> Result<Option<StoredSession>> {
        let mut query = Query::select();
        for (at, column) in [
            "id",
            "account_id",
            "expires_at",
            "idle_until",
            "ended_at",
            "refresh_hash",
            "refresh_generation",
        ]
        .into_iter()
        .enumerate()
        {
            query.expr_as(Expr::col(column), format!("c{at}"));
        }
        let whose = Query::select()
            .expr(Expr::col(("a", "id")))
            .from_as("account", "a")
            .and_where(Expr::col(("a", "id")).equals((TABLE, "account_id")))
            .and_where(barred("a").not())
            .to_owned();
        query
            .expr_as(Expr::exists(whose), "c7")
            .from(TABLE)
            .and_where(Expr::col("refresh_handle").eq(Expr::val(handle)))
            .lock(LockType::Update);
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let expires_at: DateTime<Utc> = row.try_get_by_index(2).map_err(failed)?;
        let idle: Option<DateTime<Utc>> = row.try_get_by_index(3).map_err(failed)?;
        let ended: Option<DateTime<Utc>> = row.try_get_by_index(4).map_err(failed)?;
        let open: bool = row.try_get_by_index(7).map_err(failed)?;
        let in_time = expires_at > self.now && idle.is_none_or(|idle| idle > self.now);
        Ok(Some(StoredSession {
            id: row.try_get_by_index(0).map_err(failed)?,
            account: row.try_get_by_index(1).map_err(failed)?,
            live: ended.is_none() && in_time && open,
            expires_at,
            refresh: row.try_get_by_index(5).map_err(failed)?,
            generation: row.try_get_by_index(6).map_err(failed)?,
        }))
    }

    /// Replaces the refresh token; false when another request has done so meanwhile.
    pub async fn rotate(
        &self,
        session: &StoredSession,
        hash: Vec<u8>,
        idle_until: Option<DateTime<Utc>>,
    ) -> Result<bool> {
        let mut update = Query::update();
        update
            .table(TABLE)
            .value("refresh_hash", Expr::val(hash))
            .value("refresh_generation", session.generation.saturating_add(1))
            .value("last_used_at", self.now)
            .value("idle_until", Expr::val(idle_until))
            .and_where(Expr::col("id").eq(Expr::val(session.id)))
            .and_where(Expr::col("refresh_generation").eq(session.generation))
            .and_where(Expr::col("ended_at").is_null());
        Ok(self.execute(&update).await? == 1)
    }

    /// Ends one session of an account; false when there is none such that is not ended.
    pub async fn end_session(&self, account: Uuid, session: Uuid, why: End) -> Result<bool> {
        let update = ending(account, Some(session), None, why, self.now);
        Ok(self.execute(&update).await? == 1)
    }

    /// Ends the sessions of an account, but for one that may be spared; how many.
    pub async fn end_sessions(&self, account: Uuid, but: Option<Uuid>, why: End) -> Result<u64> {
        self.execute(&ending(account, None, but, why, self.now)).await
    }
}

impl Tx {
    /// The account of a login.
    pub async fn account_by_login(&self, login: &str) -> Result<Option<Uuid>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .from("account")
            .and_where(Expr::col("login").eq(login));
        let rows = self.select(&query).await?;
        rows.first().map(|row| row.try_get_by_index(0).map_err(failed)).transpose()
    }

    /// The sessions of an account that may be gone on with, the newest first.
    pub async fn sessions_of(&mut self, account: Uuid) -> Result<Vec<ListedSession>> {
        self.note(format!("account {account}"));
        self.select(&listed_query(account, self.now())).await?.iter().map(listed).collect()
    }

    /// Ends sessions of an account in the act of an administrator: one, or all; how many. They stand in the audit line.
    pub async fn end_sessions(&mut self, account: Uuid, session: Option<Uuid>) -> Result<u64> {
        let ended =
            self.execute(&ending(account, session, None, End::Administrator, self.now())).await?;
        let which = session.map_or_else(|| "all".to_owned(), |session| session.to_string());
        self.note(format!("account {account}: {which}, {ended} ended"));
        Ok(ended)
    }
}

fn ending(
    account: Uuid,
    session: Option<Uuid>,
    but: Option<Uuid>,
    why: End,
    now: DateTime<Utc>,
) -> sea_orm::sea_query::UpdateStatement {
    let mut update = Query::update();
    update
        .table(TABLE)
        .value("ended_at", now)
        .value("end_reason", why.word())
        .and_where(Expr::col("account_id").eq(Expr::val(account)))
        .and_where(Expr::col("ended_at").is_null());
    if let Some(session) = session {
        update.and_where(Expr::col("id").eq(Expr::val(session)));
    }
    if let Some(but) = but {
        update.and_where(Expr::col("id").ne(Expr::val(but)));
    }
    update
}
