//! From the `Authorization` header to a caller.
//!
//! A request without the header has no caller; one with a header that does not lead to an account is refused, so that
//! an expired token never looks like an anonymous visit.

use std::sync::Arc;

use axum::http::{HeaderMap, StatusCode, header};

use super::{
    App,
    backend::{AuthFailure, Backend},
    client::Client,
    pace::failed_too_often,
    refusal::{Code, Refusal},
};
use crate::auth::jwt::{Claims, TokenError};

const REALM: &str = "Bearer realm=\"xueji\"";
const INVALID_TOKEN: &str = "Bearer realm=\"xueji\", error=\"invalid_token\"";
const INVALID_REQUEST: &str = "Bearer realm=\"xueji\", error=\"invalid_request\"";

/// Finds the caller of a request, with what their token says, unless they come too fast.
pub(super) async fn caller<B: Backend>(
    app: &App<B>,
    headers: &HeaderMap,
    client: Option<Client>,
) -> Result<Option<(Arc<Claims>, B::Caller)>, Refusal> {
    let Some(claims) = claims(app, headers, client)? else {
        return Ok(None);
    };
    let caller = again(app, &claims, client).await?;
    Ok(Some((claims, caller)))
}

/// What the token of a request says, once it verifies. Where sign-ins have failed too often, only a token that has
/// verified before is looked at: whoever shares the address goes on working, and nobody tries one token after another.
pub(super) fn claims<B: Backend>(
    app: &App<B>,
    headers: &HeaderMap,
    client: Option<Client>,
) -> Result<Option<Arc<Claims>>, Refusal> {
    let token = match bearer(headers) {
        Ok(None) => return Ok(None),
        Ok(Some(token)) => token,
        Err(refusal) => {
            app.paces.failed(client)?;
            return Err(refusal);
        }
    };
    if let Err(wait) = app.paces.may_fail(client)
        && !app.keys.knows(token)
    {
        return Err(failed_too_often(wait));
    }
    match app.keys.verify(token) {
        Ok(claims) => Ok(Some(claims)),
        Err(error) => {
            app.paces.failed(client)?;
            Err(refused(error))
        }
    }
}

/// Finds the caller for a token that was verified before, and counts one more request of theirs: the account may have
/// changed since. A subject without an account uses up the same turns as one with an account.
pub(super) async fn again<B: Backend>(
    app: &App<B>,
    claims: &Arc<Claims>,
    client: Option<Client>,
) -> Result<B::Caller, Refusal> {
    match app.backend.authenticate(Arc::clone(claims)).await {
        Ok(caller) => {
            let program = app.backend.is_program(&caller);
            app.paces.account(&app.backend.account(&caller), program)?;
            Ok(caller)
        }
        Err(failure) => {
            if matches!(failure, AuthFailure::UnknownAccount | AuthFailure::Revoked) {
                app.paces.failed(client)?;
                app.paces.account(&claims.sub, false)?;
            }
            Err(nobody(failure))
        }
    }
}

fn nobody(failure: AuthFailure) -> Refusal {
    match failure {
        AuthFailure::UnknownAccount => {
            unauthenticated("the token's account is not known here", "令牌对应的账户不存在")
        }
        AuthFailure::Revoked => {
            unauthenticated("the token was revoked; sign in again", "令牌已被吊销，请重新登录")
        }
        AuthFailure::PasswordFirst => Refusal::transport(
            StatusCode::FORBIDDEN,
            Code::PasswordChangeRequired,
            "change your password first: POST /auth/password",
            "请先修改密码：POST /auth/password",
        ),
        AuthFailure::FactorFirst => Refusal::transport(
            StatusCode::FORBIDDEN,
            Code::SecondFactorRequired,
            "set up a second factor first: POST /auth/second-factor",
            "请先设置双因素认证：POST /auth/second-factor",
        ),
        AuthFailure::Unavailable => unavailable(),
        AuthFailure::Internal => internal(),
    }
}

/// The refusal of what nobody may open without a token.
pub(super) fn anonymous() -> Refusal {
    Refusal::transport(
        StatusCode::UNAUTHORIZED,
        Code::Unauthenticated,
        "sign in: this needs a valid token",
        "请先登录：需要有效的令牌",
    )
    .header(header::WWW_AUTHENTICATE, challenge())
}

/// The refusal once a token has run out.
pub(super) fn expired() -> Refusal {
    refused(TokenError::Expired)
}

/// The token of the one `Authorization` header.
pub(super) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Refusal> {
    let mut values = headers.get_all(header::AUTHORIZATION).into_iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(malformed(
            "there is more than one Authorization header",
            "Authorization 请求头多于一个",
        ));
    }
    let text = value.to_str().map_err(|_detail| {
        malformed("the Authorization header is no text", "Authorization 请求头无效")
    })?;
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unauthenticated("only Bearer tokens are accepted", "只接受 Bearer 令牌"));
    }
    let token = token.trim_matches(' ');
    if token.is_empty() {
        return Err(malformed(
            "the Authorization header holds no token",
            "Authorization 请求头中没有令牌",
        ));
    }
    Ok(Some(token))
}

/// Longest code of a purpose.
const PURPOSE_BYTES: usize = 64;

/// What the answer is wanted for, from the one `Xueji-Purpose` header: a code, whose meaning the
/// policy knows. A code that cannot be one, or that the policy does not know, is refused here.
pub(super) fn purpose<B: Backend>(
    backend: &B,
    headers: &HeaderMap,
) -> Result<Option<Arc<str>>, Refusal> {
    const FIELD: &str = "Xueji-Purpose";
    let mut values = headers.get_all("xueji-purpose").into_iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let code = value.to_str().unwrap_or_default();
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    let shaped = (1..=PURPOSE_BYTES).contains(&code.len()) && code.bytes().all(word);
    if values.next().is_some() || !shaped {
        return Err(Refusal::transport(
            StatusCode::BAD_REQUEST,
            Code::InvalidInput,
            "the Xueji-Purpose header holds one code of a purpose, in small letters, digits and _",
            "Xueji-Purpose 请求头须为一个用途代码，由小写字母、数字和下划线组成",
        )
        .of_field(FIELD));
    }
    if !backend.knows_purpose(code) {
        return Err(Refusal::transport(
            StatusCode::BAD_REQUEST,
            Code::InvalidInput,
            "the Xueji-Purpose header names a purpose that the policy does not know; viewer.purposes lists those it knows",
            "Xueji-Purpose 请求头中的用途不在策略之内；可用的用途见 viewer.purposes",
        )
        .of_field(FIELD));
    }
    Ok(Some(code.into()))
}

fn refused(error: TokenError) -> Refusal {
    let (en, zh) = match error {
        TokenError::Malformed => ("the token is malformed", "令牌格式错误"),
        TokenError::TooLong => ("the token is too long", "令牌过长"),
        TokenError::Expired => ("the token has expired; sign in again", "令牌已过期，请重新登录"),
        TokenError::NotYetValid => ("the token is not valid yet", "令牌尚未生效"),
        TokenError::WrongIssuer => ("the token is of another issuer", "令牌的签发者不受信任"),
        TokenError::WrongAudience => {
            ("the token is for another audience", "令牌不是签发给本系统的")
        }
        // Which of the three it was helps only somebody who forges tokens.
        TokenError::UnknownKey | TokenError::WrongAlgorithm | TokenError::BadSignature => {
            ("the token's signature does not verify", "令牌签名无效")
        }
    };
    unauthenticated(en, zh)
}

fn unauthenticated(en: &'static str, zh: &'static str) -> Refusal {
    Refusal::transport(StatusCode::UNAUTHORIZED, Code::Unauthenticated, en, zh)
        .header(header::WWW_AUTHENTICATE, INVALID_TOKEN)
}

fn malformed(en: &'static str, zh: &'static str) -> Refusal {
    Refusal::transport(StatusCode::BAD_REQUEST, Code::InvalidInput, en, zh)
        .header(header::WWW_AUTHENTICATE, INVALID_REQUEST)
}

/// The refusal for a request that needs a token and has none.
pub(super) fn challenge() -> &'static str {
    REALM
}

/// The refusal while a part of the server is away.
pub(super) fn unavailable() -> Refusal {
    Refusal::transport(
        StatusCode::SERVICE_UNAVAILABLE,
        Code::Unavailable,
        "the service is unavailable for now; try again",
        "服务暂不可用，请稍后重试",
    )
    .header(header::RETRY_AFTER, super::RETRY_AFTER_SECONDS)
}

/// The refusal for a fault of the server; the request id leads to the log.
pub(super) fn internal() -> Refusal {
    Refusal::transport(
        StatusCode::INTERNAL_SERVER_ERROR,
        Code::Internal,
        "internal error; report the request id",
        "内部错误，请提供请求编号以便查询",
    )
}
