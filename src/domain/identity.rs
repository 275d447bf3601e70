//! `identity.link` and `identity.unlink`: whom an issuer of another house vouches for, as an account here (外部身份).
//!
//! An identity is issuer and subject, byte by byte, and has one account. Nobody links one with the own account: it
//! would outlive what others decide about the first way to sign in. Subjects may be names, and are in no record.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::action::Action;
use crate::domain::Cx;
use crate::domain::act::Act;
use crate::error::{Error, Result, Why};
use crate::store::identity::Linked;
use crate::store::tx::Tx;

/// Longest name of an issuer.
const LONGEST_ISSUER: usize = 2_000;

/// Longest subject, by OpenID Connect.
const LONGEST_SUBJECT: usize = 255;

/// An identity and the login of an account.
#[derive(Clone, Debug, Serialize)]
pub struct Named {
    /// The account's login.
    pub login: String,
    /// The issuer, exactly as its tokens name it.
    pub issuer: String,
    /// What the issuer calls the holder.
    pub subject: String,
}

/// An identity to be linked.
#[derive(Debug, Serialize)]
pub struct Link(pub Named);

/// An identity whose link is to end.
#[derive(Debug, Serialize)]
pub struct Unlink(pub Named);

/// What was done.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Done {
    /// The link.
    pub identity: Option<Uuid>,
    /// Whether this request changed anything.
    pub changed: bool,
}

impl Named {
    fn check(&self) -> Result<()> {
        let fits = |text: &str, most| {
            (1..=most).contains(&text.len()) && !text.chars().any(char::is_control)
        };
        if !fits(&self.issuer, LONGEST_ISSUER) {
            return Err(Error::invalid(
                "issuer",
                "an issuer is its address, exactly as its tokens name it",
                "签发者须为其地址，与令牌中的写法完全一致",
            ));
        }
        if !fits(&self.subject, LONGEST_SUBJECT) {
            return Err(Error::invalid(
                "subject",
                "a subject is 1 to 255 bytes without control characters",
                "主体标识须为 1 至 255 字节，且不含控制字符",
            ));
        }
        Ok(())
    }
}

fn no_account() -> Error {
    Error::NotFound { kind: "Account".into() }
}

impl Act for Link {
    const ACTION: Action = Action::IdentityLink;
    type Facts = ();
    type Done = Done;

    async fn load(&self, _tx: &Tx) -> Result<()> {
        self.0.check()
    }

    async fn write(&self, tx: &mut Tx, (): ()) -> Result<Done> {
        let Named { login, issuer, subject } = &self.0;
        let account = tx.account_with_login(login).await?.ok_or_else(no_account)?;
        if account == tx.caller().account() {
            return Err(Error::Refused {
                rule: "IDENTITY_OWN",
                why: Why::new(
                    "nobody links an identity with the own account; another administrator does",
                    "不能为自己的账户关联外部身份，请由其他管理员办理",
                ),
            });
        }
        match tx.link_identity(account, issuer, subject).await? {
            (Linked::Done, identity) => Ok(Done { identity, changed: true }),
            (Linked::Already, identity) => Ok(Done { identity, changed: false }),
            (Linked::Taken | Linked::NoAccount, _) => Err(Error::Refused {
                rule: "IDENTITY_TAKEN",
                why: Why::new(
                    "this identity is linked with another account; unlink it there first",
                    "此外部身份已关联其他账户，请先解除原有关联",
                ),
            }),
        }
    }
}

impl Act for Unlink {
    const ACTION: Action = Action::IdentityUnlink;
    type Facts = ();
    type Done = Done;

    async fn load(&self, _tx: &Tx) -> Result<()> {
        self.0.check()
    }

    async fn write(&self, tx: &mut Tx, (): ()) -> Result<Done> {
        let Named { login, issuer, subject } = &self.0;
        let account = tx.account_with_login(login).await?.ok_or_else(no_account)?;
        let identity = tx.unlink_identity(account, issuer, subject).await?;
        Ok(Done { identity, changed: identity.is_some() })
    }
}

/// Links an identity, for an account that may.
pub async fn link(cx: &Cx, named: Named, key: Option<&str>) -> Result<Done> {
    cx.act(&Link(named), key).await
}

/// Ends the link of an identity, for an account that may.
pub async fn unlink(cx: &Cx, named: Named, key: Option<&str>) -> Result<Done> {
    cx.act(&Unlink(named), key).await
}
