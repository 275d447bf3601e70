//! The front door: routes, GraphQL over HTTP, limits, and the server's loop.
//!
//! Every route stands in [`router`]. What a request may see or do is decided behind [`Backend`], never here. Start
//! reading in `graphql`, the handler of the one route that matters; `observe` is what surrounds all of them.

pub mod accept;
mod answer;
pub mod auth;
pub mod backend;
mod caller;
pub mod client;
mod crowd;
mod documents;
mod graphql;
pub mod guard;
pub mod health;
mod live;
pub mod log;
mod oauth;
mod observe;
mod origins;
mod pace;
mod page;
mod params;
pub mod refusal;
pub mod serve;
mod stalled;
#[cfg(test)]
mod tests;
pub mod tls;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::Request,
    http::StatusCode,
    middleware,
    response::Response,
    routing::{any, get},
};

use ipnet::IpNet;

use accept::Media;
use backend::{Backend, Persona};
use health::metrics_handle;
use refusal::{Code, Refusal};

use crate::{auth::issuer::Issuers, config::settings::Limits};

/// What `Retry-After` says while something is away.
const RETRY_AFTER_SECONDS: &str = "5";

/// The address of the other end of the connection, set by [`serve::serve`].
#[derive(Clone, Copy, Debug)]
pub struct RemoteAddr(pub SocketAddr);

/// How the routes behave.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Bounds on requests.
    pub limits: Limits,
    /// Whether clients may read the schema.
    pub introspection: bool,
    /// Whether GraphiQL is served.
    pub graphiql: bool,
    /// Origins whose pages may ask.
    pub origins: Vec<String>,
    /// Networks whose proxies are believed about who asks.
    pub proxies: Vec<IpNet>,
    /// How long browsers are told to insist on TLS.
    pub hsts: Option<Duration>,
    /// The people to try as; demo mode only, because their tokens go to whoever asks.
    pub personas: Option<Vec<Persona>>,
}

/// What the handlers share.
struct App<B> {
    backend: Arc<B>,
    issuers: Issuers,
    options: Options,
    documents: documents::Documents,
    crowd: Arc<crowd::Crowd>,
    paces: pace::Paces,
    origins: origins::Origins,
}

/// Every route of the server.
pub fn router<B: Backend>(
    backend: Arc<B>,
    issuers: impl Into<Issuers>,
    options: Options,
) -> Router {
    let issuers = issuers.into();
    metrics_handle();
    let documents = documents::Documents::new(&options.limits);
    let (graphiql, demo) = (options.graphiql, options.personas.is_some());
    let crowd = Arc::new(crowd::Crowd::new(options.limits.subscribes_per_minute));
    let paces = pace::Paces::new(&options.limits, &governor::clock::DefaultClock::default());
    let origins = origins::Origins::new(&options.origins);
    let surroundings = observe::Surroundings::new(options.hsts);
    let app = Arc::new(App {
        backend,
        issuers,
        options,
        documents,
        crowd,
        paces,
        origins: origins.clone(),
    });
    let mut routes = Router::new()
        .route("/graphql", any(graphql::serve::<B>))
        .route("/auth/{act}", any(auth::serve::<B>))
        .route("/auth/second-factor/{act}", any(auth::serve::<B>))
        .route("/oauth/token", any(oauth::serve::<B>))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz::<B>))
        .route("/metrics", get(health::metrics_text));
    if graphiql {
        routes = routes
            .route("/", get(page::page))
            .route("/graphiql", get(page::page))
            .route("/graphiql/{file}", get(page::asset));
    }
    if graphiql && demo {
        routes = routes.route("/graphiql/personas.json", get(page::personas::<B>));
    }
    let meet = middleware::from_fn_with_state(Arc::clone(&app), client::meet::<B>);
    let mut routes = routes.fallback(nothing_here).layer(meet);
    if !origins.is_empty() {
        routes = routes.layer(middleware::from_fn_with_state(origins, origins::open));
    }
    routes.layer(middleware::from_fn_with_state(surroundings, observe::observe)).with_state(app)
}

/// The answer to every other path.
async fn nothing_here(request: Request) -> Response {
    let refusal = Refusal::transport(
        StatusCode::NOT_FOUND,
        Code::NotFound,
        "nothing is served here; the API is at /graphql",
        "此地址不提供服务，接口位于 /graphql",
    );
    let language = accept::language(request.headers());
    answer::refused(&refusal, Media::Json, language, &observe::RequestId::of(&request))
}
