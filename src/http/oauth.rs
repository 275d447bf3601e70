//! The door for programs (`POST /oauth/token`): client credentials of RFC 6749 §4.4, and nothing else of OAuth.
//!
//! Reads a form and writes what the standard says, errors included; who is let in is decided behind [`Backend`]. Neither
//! name nor secret is quoted anywhere. Failures count for the address as failed sign-ins do.

use std::{convert::Infallible, sync::Arc};

use axum::{
    body::Body,
    extract::{Query, Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header},
    response::Response,
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Serialize;

use super::{
    App,
    accept::{self, Media},
    answer,
    auth::{Ask, NotLetIn, Told, Visit, agent},
    backend::Backend,
    caller,
    client::Client,
    graphql::{method_not_allowed, read_bytes, too_slow},
    observe::{Observed, RequestId},
    pace::failed_too_often,
    refusal::Refusal,
};
use crate::{config::secret::SecretText, error::Error};

/// Bytes of a form.
const BODY: usize = 4 << 10;

/// What the form of a program asks for.
struct Form {
    name: String,
    secret: SecretText,
    scope: Option<String>,
}

/// Why there is no token, as the standard says it.
enum Not {
    /// One of its codes, with whether the `Authorization` header was used.
    Code(&'static str, bool),
    /// What is no matter of the standard.
    Refused(Refusal),
}

impl From<Refusal> for Not {
    fn from(refusal: Refusal) -> Self {
        Self::Refused(refusal)
    }
}

#[derive(Serialize)]
struct Said {
    error: &'static str,
    error_description: &'static str,
}

/// Serves the route.
pub(super) async fn serve<B: Backend>(
    State(app): State<Arc<App<B>>>,
    request: Request,
) -> Result<Response, Infallible> {
    let language = accept::language(request.headers());
    let request_id = RequestId::of(&request);
    let limit = app.options.limits.request_time;
    let work = run(&app, request, &request_id);
    let done = match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_elapsed) => Err(Not::Refused(too_slow(limit))),
    };
    let mut response = match done {
        Ok(told) => written(StatusCode::OK, &told),
        Err(Not::Code(code, by_header)) => refused(code, by_header),
        Err(Not::Refused(refusal)) => answer::refused(&refusal, Media::Json, language, &request_id),
    };
    response.extensions_mut().insert(Observed::default());
    Ok(response)
}

async fn run<B: Backend>(
    app: &Arc<App<B>>,
    request: Request,
    request_id: &RequestId,
) -> Result<Told, Not> {
    let (parts, body) = request.into_parts();
    if parts.method != Method::POST {
        return Err(method_not_allowed("POST").into());
    }
    let client = parts.extensions.get::<Client>().copied();
    if let Err(wait) = app.paces.may_fail(client) {
        return Err(failed_too_often(wait).into());
    }
    if !is_form(&parts.headers) {
        return Err(Not::Code("invalid_request", false));
    }
    let body = read_bytes(&parts.headers, body, app, BODY).await?;
    let by_header = parts.headers.contains_key(header::AUTHORIZATION);
    let Form { name, secret, scope } =
        form(&parts.headers, &body).map_err(|code| Not::Code(code, by_header))?;
    let visit = Visit {
        request_id: request_id.text(),
        client: client.map(Client::address),
        agent: agent(&parts.headers),
    };
    match app.backend.at_door(Ask::Token { name, secret, scope }, visit).await {
        Ok(told) => Ok(told),
        Err(NotLetIn::Scope) => Err(Not::Code("invalid_scope", by_header)),
        Err(NotLetIn::Failed(Error::Unavailable)) => Err(caller::unavailable().into()),
        Err(NotLetIn::Failed(_)) => Err(caller::internal().into()),
        // Where nobody signs in, no program does.
        Err(
            NotLetIn::Wrong
            | NotLetIn::Nowhere
            | NotLetIn::FactorNeeded
            | NotLetIn::Ended
            | NotLetIn::NoSession,
        ) => {
            app.paces.failed(client)?;
            Err(Not::Code("invalid_client", by_header))
        }
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let media = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let media = media.and_then(|media| media.split(';').next()).unwrap_or_default();
    media.trim().eq_ignore_ascii_case("application/x-www-form-urlencoded")
}

/// The pairs of a form, each name once.
fn pairs(text: &str) -> Option<Vec<(String, String)>> {
    let uri: Uri = format!("/?{text}").parse().ok()?;
    let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?;
    let mut names: Vec<&str> = pairs.iter().map(|(name, _)| name.as_str()).collect();
    names.sort_unstable();
    names.windows(2).all(|two| two[0] != two[1]).then_some(pairs)
}

/// Reads a form, with the credentials from the header or from itself, and never from both.
fn form(headers: &HeaderMap, body: &[u8]) -> Result<Form, &'static str> {
    const INVALID: &str = "invalid_request";
    let mut pairs = std::str::from_utf8(body).ok().and_then(pairs).ok_or(INVALID)?;
    let mut take = |name: &str| {
        let at = pairs.iter().position(|(known, _)| known == name)?;
        Some(pairs.swap_remove(at).1)
    };
    match take("grant_type").as_deref() {
        Some("client_credentials") => {}
        Some(_) => return Err("unsupported_grant_type"),
        None => return Err(INVALID),
    }
    let scope = take("scope");
    let (named, given) = (take("client_id"), take("client_secret"));
    let mut headers = headers.get_all(header::AUTHORIZATION).into_iter();
    let (name, secret) = match (headers.next(), named, given) {
        (Some(header), named, None) => {
            let (name, secret) = basic(header).ok_or("invalid_client")?;
            if named.is_some_and(|named| named != name) || headers.next().is_some() {
                return Err(INVALID);
            }
            (name, secret)
        }
        (None, Some(name), Some(secret)) => (name, secret),
        (None, _, None) | (None, None, Some(_)) => return Err("invalid_client"),
        (Some(_), _, Some(_)) => return Err(INVALID),
    };
    Ok(Form { name, secret: SecretText::from(secret), scope })
}

/// Name and secret of a `Basic` header: each written as in a form, the two joined by a colon.
fn basic(header: &HeaderValue) -> Option<(String, String)> {
    let (scheme, text) = header.to_str().ok()?.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(text.trim()).ok()?).ok()?;
    let (name, secret) = text.split_once(':')?;
    let plain = |text: &str| pairs(&format!("a={text}"))?.pop().map(|(_, value)| value);
    Some((plain(name)?, plain(secret)?))
}

fn refused(code: &'static str, by_header: bool) -> Response {
    let error_description = match code {
        "invalid_client" => {
            "name or secret are wrong, or this program is not let in from here or for now"
        }
        "invalid_scope" => "the program was not registered with one of these scopes",
        "unsupported_grant_type" => "send grant_type=client_credentials",
        _ => {
            "send one form with grant_type=client_credentials, and credentials in the header or in the form"
        }
    };
    let status =
        if code == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
    let mut response = written(status, &Said { error: code, error_description });
    if status == StatusCode::UNAUTHORIZED && by_header {
        let challenge = HeaderValue::from_static("Basic realm=\"xueji\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}

fn written(status: StatusCode, said: &impl Serialize) -> Response {
    let mut response = Response::new(Body::from(serde_json::to_vec(said).unwrap_or_default()));
    *response.status_mut() = status;
    for (name, value) in [
        (header::CONTENT_TYPE, "application/json"),
        (header::CACHE_CONTROL, "no-store"),
        (header::PRAGMA, "no-cache"),
    ] {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(authorization: Option<&str>, body: &str) -> Result<(String, String), &'static str> {
        let mut headers = HeaderMap::new();
        if let Some(value) = authorization {
            headers.insert(header::AUTHORIZATION, value.parse().unwrap());
        }
        form(&headers, body.as_bytes()).map(|form| (form.name, form.secret.reveal().to_owned()))
    }

    #[test]
    fn credentials_come_in_the_header_or_in_the_form_and_never_twice() {
        let both = Ok(("tool".to_owned(), "se cret".to_owned()));
        let body = "grant_type=client_credentials&client_id=tool&client_secret=se+cret";
        assert_eq!(read(None, body), both);
        let header = format!("Basic {}", STANDARD.encode("tool:se%20cret"));
        assert_eq!(read(Some(&header), "grant_type=client_credentials"), both);
        assert_eq!(read(Some(&header), "grant_type=client_credentials&client_id=tool"), both);
        assert_eq!(read(Some(&header), body), Err("invalid_request"));
        let other = "grant_type=client_credentials&client_id=other";
        assert_eq!(read(Some(&header), other), Err("invalid_request"));
    }

    #[test]
    fn what_is_no_such_form_is_named_as_the_standard_names_it() {
        for (body, code) in [
            ("", "invalid_request"),
            ("grant_type=password&username=a&password=b", "unsupported_grant_type"),
            ("grant_type=client_credentials", "invalid_client"),
            ("grant_type=client_credentials&client_id=tool", "invalid_client"),
            ("grant_type=client_credentials&grant_type=client_credentials", "invalid_request"),
            (
                "grant_type=client_credentials&client_id=a&client_secret=b&scope=x&scope=y",
                "invalid_request",
            ),
            ("\u{7f}\n", "invalid_request"),
        ] {
            assert_eq!(read(None, body), Err(code), "{body}");
        }
        for header in ["Bearer abc", "Basic", "Basic !!!", "Basic YWJj"] {
            let read = read(Some(header), "grant_type=client_credentials");
            assert_eq!(read, Err("invalid_client"), "{header}");
        }
    }
}
