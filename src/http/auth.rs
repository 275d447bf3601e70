//! The door over HTTP (`POST /auth/…`): signing in, going on, signing out, and what one signs in with.
//!
//! Reads what is asked and writes what is answered; who is let in is decided behind [`Backend`]. A body is small, read
//! whole, and quoted nowhere. Failures count for the address as failed tokens do.

use std::{convert::Infallible, net::IpAddr, sync::Arc, time::Duration};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    App,
    accept::{self, Language, Media},
    answer,
    backend::Backend,
    caller::{self, bearer},
    client::Client,
    graphql::{method_not_allowed, read_body, too_slow},
    observe::{Observed, RequestId},
    pace::failed_too_often,
    refusal::{Code, Refusal},
};
use crate::{
    auth::jwt::Claims,
    config::secret::SecretText,
    error::{Error, Why},
};

/// Bytes of a body at the door.
const BODY: usize = 8 << 10;

/// What is asked at the door.
pub enum Ask {
    /// To be let in.
    SignIn {
        /// The name.
        login: String,
        /// The password.
        password: SecretText,
        /// The code of a second factor.
        code: Option<SecretText>,
    },
    /// To set a password with a code.
    Activate {
        /// The name, where it is given.
        login: Option<String>,
        /// The code.
        code: SecretText,
        /// The password.
        password: SecretText,
    },
    /// A token for a program, for its secret.
    Token {
        /// The name of the program.
        name: String,
        /// Its secret.
        secret: SecretText,
        /// What it asks for, with blanks between.
        scope: Option<String>,
    },
    /// To go on.
    Refresh(SecretText),
    /// To end the session of a token, or all of its account.
    SignOut(Arc<Claims>, bool),
    /// Another password instead of the old one.
    Password(Arc<Claims>, SecretText, SecretText),
    /// The key of a second factor, for a password.
    FactorBegin(Arc<Claims>, SecretText),
    /// That the key is used from now on, for a code.
    FactorConfirm(Arc<Claims>, SecretText),
    /// That it is used no more, for password and code.
    FactorRemove(Arc<Claims>, SecretText, Option<SecretText>),
}

/// Where it is asked from.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The request's id.
    pub request_id: Arc<str>,
    /// The address; none without a connection.
    pub client: Option<IpAddr>,
    /// The program, as it calls itself.
    pub agent: Option<String>,
}

/// What is answered.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Told {
    /// Tokens.
    Tokens(Tokens),
    /// The token of a program.
    Token(ProgramToken),
    /// It is done.
    Done {},
    /// So many sessions were ended.
    #[serde(rename_all = "camelCase")]
    Ended {
        /// How many.
        sessions_ended: u64,
    },
    /// The key of a second factor, told once.
    Enrolment {
        /// In base 32.
        secret: SecretText,
        /// As an address that authenticators read.
        uri: SecretText,
    },
    /// Recovery codes, told once.
    #[serde(rename_all = "camelCase")]
    Codes {
        /// Each serves once.
        recovery_codes: Vec<SecretText>,
    },
}

/// What who is let in gets.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Tokens {
    /// For the header `Authorization: Bearer …`.
    pub access_token: SecretText,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds for which it holds.
    pub expires_in: u64,
    /// For the next pair, once.
    pub refresh_token: SecretText,
    /// Seconds for which it is good.
    pub refresh_expires_in: u64,
    /// Nothing else is answered until the password is changed.
    pub must_change_password: bool,
    /// Nothing else is answered until a second factor is set up.
    pub must_set_up_second_factor: bool,
    /// The sign-in before this one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_sign_in: Option<LastSignIn>,
}

/// What a program gets, as RFC 6749 names it.
#[derive(Debug, Serialize)]
pub struct ProgramToken {
    /// For the header `Authorization: Bearer …`.
    pub access_token: SecretText,
    /// Always `Bearer`.
    pub token_type: &'static str,
    /// Seconds for which it holds.
    pub expires_in: u64,
    /// The scopes that it carries, with blanks between.
    pub scope: String,
}

/// A sign-in that was.
#[derive(Debug, Serialize)]
pub struct LastSignIn {
    /// When.
    pub at: DateTime<Utc>,
    /// From which address.
    pub from: Option<String>,
}

/// Why somebody is not let in, or something is not done.
#[derive(Debug)]
pub enum NotLetIn {
    /// Nobody signs in here.
    Nowhere,
    /// Name, password or code are wrong, or nothing is accepted for now.
    Wrong,
    /// The code of the second factor is missing.
    FactorNeeded,
    /// The session has ended, or never was.
    Ended,
    /// The token is of an issuer that has no sessions here.
    NoSession,
    /// A program asks for a scope that it was not registered with.
    Scope,
    /// Something else; an internal fault is logged already.
    Failed(Error),
}

/// Serves the routes below `/auth`.
pub(super) async fn serve<B: Backend>(
    State(app): State<Arc<App<B>>>,
    request: Request,
) -> Result<Response, Infallible> {
    let language = accept::language(request.headers());
    let request_id = RequestId::of(&request);
    let mut observed = Observed::default();
    let limit = app.options.limits.request_time;
    let work = run(&app, request, language, &request_id, &mut observed);
    let done = match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_elapsed) => Err(too_slow(limit)),
    };
    let mut response = done
        .unwrap_or_else(|refusal| answer::refused(&refusal, Media::Json, language, &request_id));
    response.extensions_mut().insert(observed);
    Ok(response)
}

/// The refusal of tokens of other keys and issuers.
fn no_session() -> Refusal {
    Refusal::transport(
        StatusCode::FORBIDDEN,
        Code::Forbidden,
        "the token was not given by a sign-in here; this is done where it was given",
        "该令牌并非由本系统登录签发；请在签发处办理",
    )
}

async fn run<B: Backend>(
    app: &Arc<App<B>>,
    request: Request,
    language: Language,
    request_id: &RequestId,
    observed: &mut Observed,
) -> Result<Response, Refusal> {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().strip_prefix("/auth/").unwrap_or_default();
    let Some(act) = Act::of(path) else { return Err(nothing_here()) };
    if parts.method != Method::POST {
        return Err(method_not_allowed("POST"));
    }
    let client = parts.extensions.get::<Client>().copied();
    // A header that is no bearer token is refused whatever is asked, as everywhere.
    bearer(&parts.headers)?;
    let claims = match act.needs_token() {
        true => {
            let claims = caller::claims(app, &parts.headers, client).await?;
            let claims = claims.ok_or_else(caller::anonymous)?;
            // What another issuer calls somebody is in no log, and its tokens are of no session here.
            if claims.external.is_some() {
                return Err(no_session());
            }
            app.paces.account(&claims.sub, false)?;
            observed.account = Some(claims.sub.clone());
            Some(claims)
        }
        false => None,
    };
    if let Err(wait) = app.paces.may_fail(client) {
        return Err(failed_too_often(wait));
    }
    let body = read_body(&parts.headers, body, app, BODY).await?;
    let ask = act.read(&body, claims)?;
    let visit = Visit {
        request_id: request_id.text(),
        client: client.map(Client::address),
        agent: agent(&parts.headers),
    };
    match app.backend.at_door(ask, visit).await {
        Ok(told) => answer::at_door(&told, language).ok_or_else(caller::internal),
        Err(not) => {
            if matches!(not, NotLetIn::Wrong | NotLetIn::Ended) {
                app.paces.failed(client)?;
            }
            Err(refused(not, act))
        }
    }
}

/// What can be done at the door, by path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Act {
    SignIn,
    Activate,
    Refresh,
    SignOut,
    Password,
    FactorBegin,
    FactorConfirm,
    FactorRemove,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignIn {
    login: String,
    password: SecretText,
    code: Option<SecretText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Activate {
    login: Option<String>,
    code: SecretText,
    password: SecretText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Refresh {
    refresh_token: SecretText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SignOut {
    #[serde(default)]
    everywhere: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Password {
    old_password: SecretText,
    new_password: SecretText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    password: SecretText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Confirm {
    code: SecretText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Remove {
    password: SecretText,
    code: Option<SecretText>,
}

impl Act {
    fn of(path: &str) -> Option<Self> {
        Some(match path {
            "sign-in" => Self::SignIn,
            "activate" => Self::Activate,
            "refresh" => Self::Refresh,
            "sign-out" => Self::SignOut,
            "password" => Self::Password,
            "second-factor" => Self::FactorBegin,
            "second-factor/confirm" => Self::FactorConfirm,
            "second-factor/remove" => Self::FactorRemove,
            _ => return None,
        })
    }

    const fn needs_token(self) -> bool {
        !matches!(self, Self::SignIn | Self::Activate | Self::Refresh)
    }

    /// What its body holds, for whoever is told that it does not.
    const fn shape(self) -> &'static str {
        match self {
            Self::SignIn => "{\"login\", \"password\", \"code\"?}",
            Self::Activate => "{\"login\"?, \"code\", \"password\"}",
            Self::Refresh => "{\"refreshToken\"}",
            Self::SignOut => "{\"everywhere\"?}",
            Self::Password => "{\"oldPassword\", \"newPassword\"}",
            Self::FactorBegin => "{\"password\"}",
            Self::FactorConfirm => "{\"code\"}",
            Self::FactorRemove => "{\"password\", \"code\"?}",
        }
    }

    fn read(self, body: &[u8], claims: Option<Arc<Claims>>) -> Result<Ask, Refusal> {
        let read = || match (self, claims) {
            (Self::SignIn, _) => from_json::<SignIn>(body).map(|asked| Ask::SignIn {
                login: asked.login,
                password: asked.password,
                code: asked.code.filter(|code| !code.reveal().trim().is_empty()),
            }),
            (Self::Activate, _) => from_json::<Activate>(body).map(|asked| Ask::Activate {
                login: asked.login,
                code: asked.code,
                password: asked.password,
            }),
            (Self::Refresh, _) => {
                from_json::<Refresh>(body).map(|asked| Ask::Refresh(asked.refresh_token))
            }
            (Self::SignOut, Some(claims)) => {
                from_json::<SignOut>(body).map(|asked| Ask::SignOut(claims, asked.everywhere))
            }
            (Self::Password, Some(claims)) => from_json::<Password>(body)
                .map(|asked| Ask::Password(claims, asked.old_password, asked.new_password)),
            (Self::FactorBegin, Some(claims)) => {
                from_json::<Begin>(body).map(|asked| Ask::FactorBegin(claims, asked.password))
            }
            (Self::FactorConfirm, Some(claims)) => {
                from_json::<Confirm>(body).map(|asked| Ask::FactorConfirm(claims, asked.code))
            }
            (Self::FactorRemove, Some(claims)) => from_json::<Remove>(body)
                .map(|asked| Ask::FactorRemove(claims, asked.password, asked.code)),
            (
                Self::SignOut
                | Self::Password
                | Self::FactorBegin
                | Self::FactorConfirm
                | Self::FactorRemove,
                None,
            ) => None,
        };
        read().ok_or_else(|| {
            Refusal::transport(
                StatusCode::BAD_REQUEST,
                Code::InvalidInput,
                format!("send one JSON object with texts: {}", self.shape()),
                format!("请求体须为一个 JSON 对象，其值为文字：{}", self.shape()),
            )
        })
    }
}

/// Reads a body; what the parser says of it may quote it and is dropped.
fn from_json<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    serde_json::from_slice(body).ok()
}

/// The program that asks, as it calls itself.
pub(super) fn agent(headers: &HeaderMap) -> Option<String> {
    headers.get(header::USER_AGENT)?.to_str().ok().map(str::to_owned)
}

fn nothing_here() -> Refusal {
    Refusal::transport(
        StatusCode::NOT_FOUND,
        Code::NotFound,
        "nothing is served here; sign-in is at /auth/sign-in",
        "此地址不提供服务，登录接口位于 /auth/sign-in",
    )
}

fn refused(not: NotLetIn, act: Act) -> Refusal {
    let unauthenticated =
        |en, zh| Refusal::transport(StatusCode::UNAUTHORIZED, Code::Unauthenticated, en, zh);
    match not {
        NotLetIn::Nowhere => Refusal::transport(
            StatusCode::NOT_FOUND,
            Code::NotFound,
            "nobody signs in at this server: it has no key to sign tokens with; use your identity provider's tokens",
            "本服务器未配置签名密钥，不提供登录；请使用身份提供方的令牌",
        ),
        NotLetIn::Wrong => unauthenticated(
            "name, password or code are wrong, or nothing is accepted for now; check them, or try again later",
            "账号、密码或验证码错误，或暂时不接受登录；请检查后重试，或稍后再试",
        ),
        NotLetIn::FactorNeeded => Refusal::transport(
            StatusCode::UNAUTHORIZED,
            Code::SecondFactorRequired,
            "send the code of your second factor as well, or a recovery code",
            "请同时提供双因素验证码或恢复码",
        )
        .of_field("code"),
        NotLetIn::Ended => {
            unauthenticated("the session has ended; sign in again", "会话已结束，请重新登录")
        }
        NotLetIn::NoSession | NotLetIn::Scope => no_session(),
        NotLetIn::Failed(Error::Refused { rule, why: Why { en, zh } }) => {
            let field = match act {
                Act::Password => Some("newPassword"),
                Act::Activate => Some("password"),
                Act::SignIn
                | Act::Refresh
                | Act::SignOut
                | Act::FactorBegin
                | Act::FactorConfirm
                | Act::FactorRemove => None,
            };
            Refusal::transport(StatusCode::BAD_REQUEST, Code::RuleRefused, en, zh)
                .of_rule(rule, field)
        }
        NotLetIn::Failed(Error::Conflict { .. }) => Refusal::transport(
            StatusCode::CONFLICT,
            Code::Conflict,
            "this was changed meanwhile; try again",
            "该信息已被更改；请重试",
        ),
        NotLetIn::Failed(Error::Unavailable) => caller::unavailable(),
        NotLetIn::Failed(
            Error::Unauthenticated
            | Error::NotFound { .. }
            | Error::Forbidden { .. }
            | Error::Invalid { .. }
            | Error::Limit { .. }
            | Error::Internal(_),
        ) => caller::internal(),
    }
}

/// Whole seconds of a time.
pub fn seconds(time: Duration) -> u64 {
    time.as_secs()
}
