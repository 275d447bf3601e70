//! `xueji serve`: a server on a registry that is there.

use std::sync::Arc;

use super::start;
use crate::app::App;
use crate::auth::jwt::KeySet;
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::graphql::Limits;
use crate::http::serve::{bind, serve, shutdown_signal};
use crate::http::{Options, log, router};
use crate::store::codec::PlainCodec;

/// Serves a registry. Settings come from flags, environment and a TOML file, in that order.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    flags: Flags,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let flags = args.flags.read()?;
    let settings = flags.settings()?;
    log::start_logging(settings.log_format, &settings.log_filter).map_err(anyhow::Error::msg)?;
    let keys = Arc::new(KeySet::new(&settings.jwt, settings.limits.token_cache_bytes)?);
    let policy = start::policy_of(flags.policies.as_deref()).await?;
    let db = start::database(settings.database_url.reveal(), settings.database).await?;
    let codec = Arc::new(PlainCodec::new(*settings.lookup_key.bytes()));
    let app = Arc::new(App::new(
        start::store(settings.database_url.reveal(), settings.database, db, codec).await?,
        policy,
        settings.public_id_key.bytes(),
        Clock::system(settings.time_zone),
        Limits::from_settings(&settings.limits, settings.introspection),
    ));
    let listener = bind(settings.listen).await?;
    tracing::info!(address = %settings.listen, "listening");
    let options = Options {
        limits: settings.limits.clone(),
        introspection: settings.introspection,
        graphiql: settings.graphiql,
        personas: None,
    };
    serve(listener, router(app, keys, options), &settings.limits, shutdown_signal()).await;
    Ok(())
}
