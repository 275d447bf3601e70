//! The door of a running registry: from what is asked at `/auth` to tokens, and what is asked of who holds them.
//!
//! Decides nothing about passwords or sessions, which `domain::sign_in` does; it signs what that lets in.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;
use xueji_entity::value::AccountId;

use crate::access::caller::Session;
use crate::app::App;
use crate::auth::jwt::Claims;
use crate::auth::jwt::signer::Signer;
use crate::auth::sessions::Key;
use crate::clock::Clock;
use crate::config::secret::SecretText;
use crate::domain::account::activate::{Activation, activate};
use crate::domain::account::token::{NoToken, token};
use crate::domain::sign_in::{Denied, Door, Entered, Holder};
use crate::error::{Error, Why};
use crate::http::auth::{Ask, LastSignIn, NotLetIn, ProgramToken, Tokens, Told, Visit, seconds};
use crate::store::sign_in::Visit as Recorded;

/// What signs people in.
pub struct Doorway {
    door: Door,
    signer: Arc<Signer>,
    issuer: String,
    audience: String,
}

impl std::fmt::Debug for Doorway {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Doorway({})", self.signer.kid())
    }
}

/// What must be done before anything else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum First {
    /// The password must be changed.
    Password,
    /// A second factor must be set up.
    Factor,
}

impl First {
    /// The code for programs.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Password => "PASSWORD_CHANGE_REQUIRED",
            Self::Factor => "SECOND_FACTOR_REQUIRED",
        }
    }

    /// The refusal of anything else.
    pub fn refused(self) -> Error {
        let why = match self {
            Self::Password => Why::new("change your password first", "请先修改密码"),
            Self::Factor => Why::new("set up a second factor first", "请先设置双因素认证"),
        };
        Error::Refused { rule: self.code(), why }
    }
}

/// The account that a token names, and its session where it names one; none for what names no account.
pub(crate) fn key_of(claims: &Claims) -> Option<Key> {
    let account = AccountId::from_uuid(claims.sub.parse::<Uuid>().ok()?);
    match &claims.sid {
        Some(session) => Some((account, Some(session.parse::<Uuid>().ok()?))),
        None => Some((account, None)),
    }
}

impl Doorway {
    /// A door whose tokens are signed by a key, for an issuer and an audience.
    pub fn new(door: Door, signer: Arc<Signer>, issuer: String, audience: String) -> Self {
        Self { door, signer, issuer, audience }
    }

    /// What decides.
    pub const fn door(&self) -> &Door {
        &self.door
    }

    /// What a session must do before anything else; nothing for most.
    pub(crate) fn asks_first(&self, session: &Session, clock: Clock) -> Option<First> {
        // A program has neither a password nor a second factor.
        let login = session.login.filter(|_| !session.program)?;
        if login.must_change || self.door.too_old(login.changed_at, clock.now()) {
            return Some(First::Password);
        }
        let needed = &self.door.rules().factor_roles;
        let holds = |role: &String| {
            session.grants.iter().any(|grant| {
                session.policy.roles.get(grant.role).is_some_and(|held| held.name == *role)
            })
        };
        (!login.factor && needed.iter().any(holds)).then_some(First::Factor)
    }

    /// Answers what is asked at the door.
    pub(crate) async fn answer(&self, app: &App, ask: Ask, visit: Visit) -> Result<Told, NotLetIn> {
        let request_id = Arc::clone(&visit.request_id);
        let visit =
            Recorded { request_id: visit.request_id, client: visit.client, agent: visit.agent };
        if let Ask::Token { name, secret, scope } = &ask {
            let asked = (name.as_str(), secret, scope.as_deref());
            return self.program(app, &visit, asked).await.map_err(|denied| match denied {
                NoToken::Client => NotLetIn::Wrong,
                NoToken::Scope => NotLetIn::Scope,
                NoToken::Failed(error) => failed(error, &request_id),
            });
        }
        self.answered(app, ask, &visit).await.map_err(|denied| match denied {
            Denied::Wrong => NotLetIn::Wrong,
            Denied::FactorNeeded => NotLetIn::FactorNeeded,
            Denied::Ended => NotLetIn::Ended,
            Denied::Failed(Error::Unauthenticated) => NotLetIn::Ended,
            Denied::Failed(Error::Forbidden { .. }) => NotLetIn::NoSession,
            Denied::Failed(error) => failed(error, &request_id),
        })
    }

    /// The token of a program: it names a session, and so ends with it, and what the program may do is read with the
    /// account for each request.
    async fn program(
        &self,
        app: &App,
        visit: &Recorded,
        asked: (&str, &SecretText, Option<&str>),
    ) -> Result<Told, NoToken> {
        let granted = token(&self.door, app.store(), visit, app.clock().now(), asked).await?;
        let access_token = self.access_token(granted.account, granted.session, granted.access)?;
        Ok(Told::Token(ProgramToken {
            access_token,
            token_type: "Bearer",
            expires_in: seconds(granted.access),
            scope: granted.scopes,
        }))
    }

    async fn answered(&self, app: &App, ask: Ask, visit: &Recorded) -> Result<Told, Denied> {
        let (door, store, now) = (&self.door, app.store(), app.clock().now());
        match ask {
            Ask::SignIn { login, password, code } => {
                let asked = (login.as_str(), &password, code.as_ref());
                let entered = door.sign_in(store, visit, now, asked).await?;
                self.tokens(app, entered).await
            }
            Ask::Activate { login, code, password } => {
                let asked =
                    Activation { login: login.as_deref(), code: &code, password: &password };
                activate(door, store, visit, now, asked).await?;
                Ok(Told::Done {})
            }
            Ask::Token { .. } => Err(Denied::Wrong),
            Ask::Refresh(token) => {
                let entered = door.refresh(store, visit, now, &token).await;
                self.tokens(app, entered?).await
            }
            Ask::SignOut(claims, everywhere) => {
                let holder = self.holder(app, &claims).await?;
                let session = (!everywhere).then_some(holder.session);
                let sessions_ended =
                    door.sign_out(store, visit, now, holder.account, session).await?;
                app.sessions.forget((AccountId::from_uuid(holder.account), Some(holder.session)));
                Ok(Told::Ended { sessions_ended })
            }
            Ask::Password(claims, old, new) => {
                let holder = self.holder(app, &claims).await?;
                door.change_password(store, visit, now, holder, (&old, &new)).await?;
                app.sessions.forget((AccountId::from_uuid(holder.account), Some(holder.session)));
                Ok(Told::Done {})
            }
            Ask::FactorBegin(claims, password) => {
                let holder = self.holder(app, &claims).await?;
                let begun = door.begin_factor(store, visit, now, holder, &password).await?;
                Ok(Told::Enrolment { secret: begun.secret, uri: begun.uri })
            }
            Ask::FactorConfirm(claims, code) => {
                let holder = self.holder(app, &claims).await?;
                let recovery_codes = door.confirm_factor(store, visit, now, holder, &code).await?;
                app.sessions.forget((AccountId::from_uuid(holder.account), Some(holder.session)));
                Ok(Told::Codes { recovery_codes })
            }
            Ask::FactorRemove(claims, password, code) => {
                let holder = self.holder(app, &claims).await?;
                let asked = (&password, code.as_ref());
                door.remove_factor(store, visit, now, holder, asked).await?;
                app.sessions.forget((AccountId::from_uuid(holder.account), Some(holder.session)));
                Ok(Told::Done {})
            }
        }
    }

    /// Who holds a token, in a session that has not ended. What must be done first is done here, so it is not asked.
    async fn holder(&self, app: &App, claims: &Claims) -> Result<Holder, Error> {
        let key = key_of(claims).ok_or(Error::Unauthenticated)?;
        let Some(session) = key.1 else {
            return Err(Error::Forbidden { act: "session".into(), columns: Vec::new() });
        };
        app.sessions.of(key, app.store(), &app.policy(), app.clock()).await?;
        Ok(Holder { account: key.0.uuid(), session })
    }

    async fn tokens(&self, app: &App, entered: Entered) -> Result<Told, Denied> {
        let account = AccountId::from_uuid(entered.account);
        let key = (account, Some(entered.session));
        app.sessions.forget(key);
        let session = app.sessions.of(key, app.store(), &app.policy(), app.clock()).await?;
        let first = self.asks_first(&session, app.clock());
        Ok(Told::Tokens(Tokens {
            access_token: self.access_token(entered.account, entered.session, entered.access)?,
            token_type: "Bearer",
            expires_in: seconds(entered.access),
            refresh_token: entered.refresh,
            refresh_expires_in: seconds(entered.good_for),
            must_change_password: first == Some(First::Password),
            must_set_up_second_factor: first == Some(First::Factor),
            last_sign_in: entered.previous.map(|(at, from)| LastSignIn { at, from }),
        }))
    }

    fn access_token(
        &self,
        account: Uuid,
        session: Uuid,
        access: Duration,
    ) -> Result<SecretText, Error> {
        // Tokens are verified by the clock of the machine, whatever clock the registry lives by.
        let now = Clock::system(chrono_tz::UTC).now().timestamp();
        let iat = u64::try_from(now).unwrap_or_default();
        let claims = Claims {
            sub: account.to_string(),
            iss: self.issuer.clone(),
            iat,
            exp: iat.saturating_add(access.max(Duration::from_secs(1)).as_secs()),
            jti: None,
            sid: Some(session.to_string()),
        };
        let signed = self.signer.sign(&claims, &self.audience);
        signed.map(SecretText::from).map_err(|error| Error::internal(error.to_string()))
    }
}

/// What fails otherwise; a fault of the server goes into the log.
fn failed(error: Error, request_id: &str) -> NotLetIn {
    if let Error::Internal(inner) = &error {
        tracing::error!(request_id, error = format!("{inner:#}"), "internal error");
    }
    NotLetIn::Failed(error)
}
