//! `xueji serve`: a server on a registry that is there.

use std::sync::Arc;

use super::start;
use crate::app::App;
use crate::auth::jwt::KeySet;
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::domain::backup::Backups;
use crate::graphql::Limits;
use crate::http::serve::{bind, serve, shutdown_signal};
use crate::http::{Options, log, router};
use crate::store::keys::master::LocalMaster;
use crate::upkeep;

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
    let origin = start::origin_of(flags.policies.as_deref());
    let policy = start::policy(origin.folder()).await?;
    let db = start::database(settings.database_url.reveal(), settings.database).await?;
    let _sole = start::sole(settings.database_url.reveal())?;
    let clock = Clock::system(settings.time_zone);
    let (lookup, master) = (&settings.lookup_key, &settings.master_key);
    let codec = start::codec(&db, lookup, master, settings.data_cipher, clock).await?;
    let backups = match &settings.backups {
        Some(wanted) => Some(Backups {
            settings: start::backup_folder(wanted)?,
            url: settings.database_url.clone(),
            master: Arc::new(LocalMaster::new(master)),
            lookup: *lookup.bytes(),
        }),
        None => None,
    };
    let store = start::store(settings.database_url.reveal(), settings.database, db, codec).await?;
    let keeper = start::keeper(origin, &store, clock).await?;
    let app = App::new(
        store,
        policy,
        settings.public_id_key.bytes(),
        clock,
        Limits::from_settings(&settings.limits, settings.introspection),
    );
    let app = app
        .under(keeper)
        .keeping_events(settings.limits.outbox_time)
        .unchecked_for(settings.limits.unchecked_time)
        .with_exceptional(settings.exceptional)
        .with_nights(settings.nights)
        .with_backups(backups);
    let app = Arc::new(app);
    let _upkeep = upkeep::start(&app);
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
