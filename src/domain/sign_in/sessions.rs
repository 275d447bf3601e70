//! Sessions as their holders and administrators list and end them (登录会话).
//!
//! One's own are everybody's to list and end; those of others are listed by `session.list` and ended by `session.end`,
//! each on record.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{is_login, sign_out};
use crate::access::action::Action;
use crate::domain::Cx;
use crate::domain::act::Act;
use crate::error::{Error, Result};
pub use crate::store::sign_in::ListedSession;
use crate::store::sign_in::Visit;
use crate::store::tx::Tx;

/// The name of what is not there.
const ACCOUNT: &str = "Account";
const SESSION: &str = "LoginSession";

/// A sign-in: when and from where.
pub type SignedIn = (DateTime<Utc>, Option<String>);

/// The viewer's last two sign-ins by password, the last first.
pub async fn last_sign_ins(cx: &Cx) -> Result<(Option<SignedIn>, Option<SignedIn>)> {
    let known = cx.store.known(cx.caller.account().uuid()).await?;
    Ok(known.map(|known| (known.credential.last, known.credential.previous)).unwrap_or_default())
}

/// The viewer's own sessions.
pub async fn own(cx: &Cx) -> Result<Vec<ListedSession>> {
    cx.store.sessions_of(cx.caller.account().uuid(), cx.clock.now()).await
}

/// Ends one session of the viewer's own, or all of them; how many. An id that cannot be one ends none.
pub async fn end_own(cx: &Cx, which: Which) -> Result<u64> {
    let caller = &cx.caller;
    let visit = Visit { request_id: caller.request_id.clone(), client: caller.client, agent: None };
    let session = match which {
        Which::All => None,
        Which::One(id) => Some(id.ok_or_else(|| Error::not_found(SESSION))?),
    };
    let (account, now) = (caller.account().uuid(), cx.clock.now());
    if let Some(session) = session {
        let own = cx.store.sessions_of(account, now).await?;
        if !own.iter().any(|own| own.id == session) {
            return Err(Error::not_found(SESSION));
        }
    }
    sign_out(&cx.store, &visit, now, account, session).await
}

/// Which sessions are to be ended.
#[derive(Clone, Copy, Debug, Serialize)]
pub enum Which {
    /// All.
    All,
    /// One; none for an id that cannot be one.
    One(Option<Uuid>),
}

/// The sessions of another account.
pub async fn of(cx: &Cx, login: &str) -> Result<Vec<ListedSession>> {
    let mut tx = cx.begin(Action::SessionList).await?;
    let listed = listed(&mut tx, login).await;
    tx.end(listed).await
}

async fn listed(tx: &mut Tx, login: &str) -> Result<Vec<ListedSession>> {
    let account = account(tx, login).await?;
    tx.sessions_of(account).await
}

async fn account(tx: &Tx, login: &str) -> Result<Uuid> {
    let login = if is_login(login) { login } else { "" };
    tx.account_by_login(login).await?.ok_or_else(|| Error::not_found(ACCOUNT))
}

/// Sessions of another account to be ended, as it came.
#[derive(Debug, Serialize)]
pub struct EndSessions {
    /// The account's login.
    pub login: String,
    /// Which.
    pub which: Which,
}

/// How many were ended.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Ended {
    /// How many.
    pub sessions: u64,
}

/// Ends sessions of another account.
pub async fn end(cx: &Cx, end: &EndSessions, key: Option<&str>) -> Result<Ended> {
    cx.act(end, key).await
}

impl Act for EndSessions {
    const ACTION: Action = Action::SessionEnd;
    type Facts = Uuid;
    type Done = Ended;

    async fn load(&self, tx: &Tx) -> Result<Uuid> {
        account(tx, &self.login).await
    }

    async fn write(&self, tx: &mut Tx, account: Uuid) -> Result<Ended> {
        let session = match self.which {
            Which::All => None,
            Which::One(id) => Some(id.ok_or_else(|| Error::not_found(SESSION))?),
        };
        let sessions = tx.end_sessions(account, session).await?;
        if session.is_some() && sessions == 0 {
            return Err(Error::not_found(SESSION));
        }
        Ok(Ended { sessions })
    }
}
