//! `account.disable`, `account.enable` and `account.reset`: an account is stopped, let in again, or given a new code.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xueji_entity::account::AccountKind;

use super::create::code_expires;
use super::{refused, secret, subject};
use crate::access::action::Action;
use crate::config::secret::SecretText;
use crate::domain::Cx;
use crate::domain::act::Act;
use crate::error::Result;
use crate::store::sign_in::End;
use crate::store::tx::{NewCode, Subject, Tx, Whose};

#[derive(Debug, Serialize, Deserialize)]
struct Done {
    account: Uuid,
}

#[derive(Serialize)]
struct Disable<'w> {
    #[serde(skip)]
    whose: Option<&'w Whose>,
}

/// Bars an account: its sessions, streams and codes end with it.
pub async fn disable(cx: &Cx, whose: Option<&Whose>) -> Result<Uuid> {
    Ok(cx.act(&Disable { whose }, None).await?.account)
}

impl Act for Disable<'_> {
    const ACTION: Action = Action::AccountDisable;
    type Facts = Subject;
    type Done = Done;

    async fn load(&self, tx: &Tx) -> Result<Subject> {
        subject(tx, self.whose).await
    }

    async fn write(&self, tx: &mut Tx, subject: Subject) -> Result<Done> {
        let account = subject.account;
        tx.bar(account, true).await?;
        tx.end_sessions_of(account, End::Disabled).await?;
        tx.withdraw_codes(account).await?;
        Ok(Done { account })
    }
}

#[derive(Serialize)]
struct Enable<'w> {
    #[serde(skip)]
    whose: Option<&'w Whose>,
}

/// Lets an account sign in again; what has ended stays ended.
pub async fn enable(cx: &Cx, whose: Option<&Whose>) -> Result<Uuid> {
    Ok(cx.act(&Enable { whose }, None).await?.account)
}

impl Act for Enable<'_> {
    const ACTION: Action = Action::AccountEnable;
    type Facts = Subject;
    type Done = Done;

    async fn load(&self, tx: &Tx) -> Result<Subject> {
        subject(tx, self.whose).await
    }

    async fn write(&self, tx: &mut Tx, subject: Subject) -> Result<Done> {
        let account = subject.account;
        tx.bar(account, false).await?;
        Ok(Done { account })
    }
}

#[derive(Serialize)]
struct Reset<'w> {
    #[serde(skip)]
    whose: Option<&'w Whose>,
    #[serde(skip)]
    factor: bool,
    #[serde(skip)]
    code: NewCode,
}

/// What a reset gives.
#[derive(Debug)]
pub struct Renewed {
    /// The account.
    pub account: Uuid,
    /// The code by which its owner sets a new password, told this once.
    pub code: SecretText,
    /// Until when the code may be used.
    pub expires_at: DateTime<Utc>,
}

/// Withdraws the password of an account, ends its sessions, and makes a code for a new one; with `factor` the second
/// factor goes too.
pub async fn reset(cx: &Cx, whose: Option<&Whose>, factor: bool) -> Result<Renewed> {
    let expires_at = code_expires(cx);
    let (code, hash) = secret::code();
    let new = NewCode { account: Uuid::nil(), hash, first: false, expires_at };
    let Done { account } = cx.act(&Reset { whose, factor, code: new }, None).await?;
    Ok(Renewed { account, code, expires_at })
}

impl Act for Reset<'_> {
    const ACTION: Action = Action::AccountReset;
    type Facts = Subject;
    type Done = Done;

    async fn load(&self, tx: &Tx) -> Result<Subject> {
        let subject = subject(tx, self.whose).await?;
        if subject.kind == AccountKind::Client {
            return Err(refused(
                "ACCOUNT_OF_PROGRAM",
                "a program has a secret and no password; give it a new secret with clientRotate",
                "应用程序使用密钥而非口令；请用 clientRotate 更换密钥",
            ));
        }
        if subject.disabled {
            return Err(refused(
                "ACCOUNT_DISABLED",
                "this account is disabled; enable it first, if it is to be used again",
                "该账户已停用；如需继续使用请先启用",
            ));
        }
        Ok(subject)
    }

    async fn write(&self, tx: &mut Tx, subject: Subject) -> Result<Done> {
        let account = subject.account;
        tx.withdraw_password(account, self.factor).await?;
        tx.end_sessions_of(account, End::Administrator).await?;
        tx.make_code(&NewCode { account, ..self.code.clone() }).await?;
        Ok(Done { account })
    }
}
