//! GraphiQL: the page for trying queries, served whole from the binary.
//!
//! The page asks no other origin for anything and runs no inline script; its policy header says so to the browser.
//! In demo mode it offers the personas; otherwise the visitor brings a token.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Path, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{Html, IntoResponse, Response},
};

use super::{App, backend::Backend};

/// The editor's style sheet carries inline styles; everything else comes from this origin alone.
const PAGE_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; \
    img-src 'self' data:; font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const CSS: &str = "text/css; charset=utf-8";
const TEXT: &str = "text/plain; charset=utf-8";

/// A file of the page.
struct Asset {
    name: &'static str,
    kind: &'static str,
    body: &'static [u8],
    /// Whether the body is compressed; every browser that runs the page accepts gzip.
    gzip: bool,
}

/// The files of the page. Names carry the version, so that a browser may keep them for good; ours carry none.
static ASSETS: [Asset; 9] = [
    Asset {
        name: "graphiql-3.9.0.min.js",
        kind: JAVASCRIPT,
        body: include_bytes!("graphiql/graphiql.min.js.gz"),
        gzip: true,
    },
    Asset {
        name: "graphiql-3.9.0.min.css",
        kind: CSS,
        body: include_bytes!("graphiql/graphiql.min.css.gz"),
        gzip: true,
    },
    Asset {
        name: "react-18.3.1.min.js",
        kind: JAVASCRIPT,
        body: include_bytes!("graphiql/react.min.js.gz"),
        gzip: true,
    },
    Asset {
        name: "react-dom-18.3.1.min.js",
        kind: JAVASCRIPT,
        body: include_bytes!("graphiql/react-dom.min.js.gz"),
        gzip: true,
    },
    Asset {
        name: "app.js",
        kind: JAVASCRIPT,
        body: include_bytes!("graphiql/app.js"),
        gzip: false,
    },
    Asset { name: "app.css", kind: CSS, body: include_bytes!("graphiql/app.css"), gzip: false },
    Asset {
        name: "LICENSE.graphiql",
        kind: TEXT,
        body: include_bytes!("graphiql/LICENSE.graphiql"),
        gzip: false,
    },
    Asset {
        name: "LICENSE.react",
        kind: TEXT,
        body: include_bytes!("graphiql/LICENSE.react"),
        gzip: false,
    },
    Asset { name: "NOTICE", kind: TEXT, body: include_bytes!("graphiql/NOTICE"), gzip: false },
];

/// The page itself.
pub(super) async fn page() -> Response {
    let mut response = Html(include_str!("graphiql/index.html")).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// A file of the page.
pub(super) async fn asset(Path(name): Path<String>) -> Response {
    let Some(asset) = ASSETS.iter().find(|asset| asset.name == name) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let caching = if asset.gzip { "public, max-age=31536000, immutable" } else { "no-cache" };
    let mut response = asset.body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(asset.kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    if asset.gzip {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
        headers
            .insert(HeaderName::from_static("vary"), HeaderValue::from_static("accept-encoding"));
    }
    response
}

/// The people to try the demo as, with their tokens. The route exists in demo mode only.
pub(super) async fn personas<B: Backend>(State(app): State<Arc<App<B>>>) -> Response {
    Json(&app.options.personas).into_response()
}
