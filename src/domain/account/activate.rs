//! A password set with a code (激活): the first of an account, or a new one after a reset.
//!
//! A code that is wrong, used, withdrawn or out of time, one of another login, and one of an account that is barred are
//! one answer; the record tells them apart as far as there is an account. The password is held to the rules before the
//! code is used up.

use chrono::{DateTime, Utc};

use super::secret;
use crate::config::secret::SecretText;
use crate::domain::sign_in::{Denied, Door};
use crate::error::Error;
use crate::store::Store;
use crate::store::sign_in::{End, Said, Visit};

/// What the lines on record are called.
const ACTIVATE: &str = "account.activate";

/// What somebody sends who has a code.
#[derive(Clone, Copy, Debug)]
pub struct Activation<'a> {
    /// The login, where it is given: it must be the one of the code.
    pub login: Option<&'a str>,
    /// The code.
    pub code: &'a SecretText,
    /// The password that is wanted.
    pub password: &'a SecretText,
}

/// Sets the password of the account that a code is for. Its other sessions end.
pub async fn activate(
    door: &Door,
    store: &Store,
    visit: &Visit,
    now: DateTime<Utc>,
    wanted: Activation<'_>,
) -> Result<(), Denied> {
    let Activation { login, code, password } = wanted;
    let hash = secret::typed(code.reveal());
    let found = match &hash {
        Some(hash) => store.code(hash).await?,
        None => None,
    };
    let wrong = match &found {
        None => Some("unknown"),
        Some(code) if code.used => Some("used"),
        Some(code) if code.expires_at <= now => Some("expired"),
        Some(code) if code.disabled => Some("disabled"),
        Some(code) if login.is_some_and(|login| login != code.login) => Some("other_login"),
        Some(_) => None,
    };
    let (Some(hash), Some(found), None) = (hash, &found, wrong) else {
        let entry = store.enter(visit, now).await?;
        let account = found.map(|found| found.account);
        entry.say(Said::denied(ACTIVATE, account, wrong.unwrap_or("unknown"))).await?;
        entry.commit().await?;
        return Err(Denied::Wrong);
    };
    let account = found.account;
    let known = store.known(account).await?.ok_or(Denied::Wrong)?;
    let person = store.personal(account).await?;
    door.acceptable(store, &known, &person, password).await?;
    let new = door.hasher().hash(password).await?;
    let entry = store.enter(visit, now).await?;
    let known = entry.known(account).await?.filter(|known| !known.disabled);
    // Another request may have used it, or somebody withdrawn it, while the password was hashed.
    let used = match &known {
        Some(_) => entry.use_code(account, &hash).await?,
        None => false,
    };
    let (Some(known), true) = (known, used) else {
        entry.say(Said::denied(ACTIVATE, Some(account), "used")).await?;
        entry.commit().await?;
        return Err(Denied::Wrong);
    };
    entry.set_password(&known, &new, false, door.rules().history).await?;
    entry.end_sessions(account, None, End::Password).await?;
    let columns = Some("password_hash");
    let said = Said::done(ACTIVATE, account);
    entry.say(Said { columns, row: Some(("credential", account)), ..said }).await?;
    entry.commit().await.map_err(|error: Error| error.into())
}
