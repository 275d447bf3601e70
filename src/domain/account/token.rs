//! A program asks for a token with its secret (client credentials, RFC 6749 §4.4).
//!
//! An unknown name, a wrong secret, an address that is not the program's, a registration that has ended and an account
//! that is barred are one answer, after the same statements; the record tells them apart as far as there is an account.

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use super::secret;
use crate::config::secret::SecretText;
use crate::domain::sign_in::{Door, shortened};
use crate::error::Error;
use crate::store::Store;
use crate::store::sign_in::{NewSession, Said, Visit};

/// What the lines on record are called.
const TOKEN: &str = "client.token";

/// The longest name and secret that are looked at.
const LONGEST: usize = 128;

/// Why a program gets no token.
#[derive(Debug)]
pub enum NoToken {
    /// Name, secret, address or time are wrong: nobody learns which.
    Client,
    /// It asks for a scope that it was not registered with.
    Scope,
    /// Something else.
    Failed(Error),
}

impl From<Error> for NoToken {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// What a program is given.
#[derive(Debug)]
pub struct Granted {
    /// Its account.
    pub account: Uuid,
    /// The session, which the token names.
    pub session: Uuid,
    /// How long the token may hold.
    pub access: Duration,
    /// The scopes, with blanks between.
    pub scopes: String,
}

/// Lets a program in. The scopes are those it was registered with, whole: a request that names some of them gets them
/// all, and the answer says so; one that names another is refused.
pub async fn token(
    door: &Door,
    store: &Store,
    visit: &Visit,
    now: DateTime<Utc>,
    (name, given, scope): (&str, &SecretText, Option<&str>),
) -> Result<Granted, NoToken> {
    let short = name.len() <= LONGEST && given.reveal().len() <= LONGEST;
    let hash = secret::hash(if short { given.reveal() } else { "" });
    let entry = store.enter(&shortened(visit), now).await?;
    let program = entry.program(if short { name } else { "" }).await?;
    let why = match &program {
        None => Some("unknown"),
        Some(program) if !program.has_secret(hash.as_bytes()) => Some("wrong_secret"),
        Some(program) if program.disabled => Some("disabled"),
        Some(program) if program.bounds.expires_at.is_some_and(|end| end <= now) => Some("expired"),
        Some(program) if !program.bounds.admits(visit.client) => Some("address"),
        Some(_) => None,
    };
    let (Some(program), None) = (&program, why) else {
        let account = program.map(|program| program.account);
        entry.say(Said::denied(TOKEN, account, why.unwrap_or("unknown"))).await?;
        entry.commit().await?;
        return Err(NoToken::Client);
    };
    let mut asked = scope.unwrap_or_default().split(' ').filter(|scope| !scope.is_empty());
    if !asked.all(|asked| program.scopes.split(' ').any(|scope| scope == asked)) {
        entry.say(Said::denied(TOKEN, Some(program.account), "scope")).await?;
        entry.commit().await?;
        return Err(NoToken::Scope);
    }
    let left = program.bounds.expires_at.map(|end| (end - now).to_std().unwrap_or_default());
    let access = left.map_or(door.rules().access, |left| door.rules().access.min(left));
    let expires_at = now + chrono::TimeDelta::from_std(access).unwrap_or_default();
    let session = NewSession {
        id: Uuid::now_v7(),
        account: program.account,
        program: true,
        idle_until: None,
        expires_at,
        refresh: None,
    };
    entry.open_session(&session).await?;
    let said = Said::done(TOKEN, program.account);
    entry.say(Said { row: Some(("login_session", session.id)), ..said }).await?;
    entry.commit().await?;
    Ok(Granted {
        account: program.account,
        session: session.id,
        access,
        scopes: program.scopes.clone(),
    })
}
