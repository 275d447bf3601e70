//! `xueji serve`: a server on a registry that is there.

use std::sync::Arc;

use super::start;
use anyhow::Context as _;

use crate::app::App;
use crate::auth::issuer::Issuers;
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::domain::backup::Backups;
use crate::graphql::Limits;
use crate::http::serve::{bind, serve, shutdown_signal};
use crate::http::tls::Tls;
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
    let signer = start::signer(settings.jwt.signing_key.as_deref())?;
    let cache = settings.limits.token_cache_bytes;
    let keys = Arc::new(start::verifier(&settings.jwt, signer.as_deref(), cache)?);
    let issuers = Issuers::new(keys, &settings.oidc, cache)?;
    let tls = settings.tls.as_ref().map(Tls::open).transpose()?;
    let origin = start::origin_of(flags.policies.as_deref());
    let policy = start::policy(origin.folder()).await?;
    let retention = start::retention(&settings.retention)?;
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
    let store = store.with_retention(retention);
    // What a process that ended in the middle of a destruction left to be done.
    store.settle_owed(clock.now()).await.context("What was destroyed cannot be settled")?;
    if settings.retention.destructions.is_none() {
        tracing::warn!(
            "no file outside the database remembers what is destroyed: a restore of an older backup brings it back; \
             give --retention-destructions"
        );
    }
    let keeper = start::keeper(origin, &store, clock).await?;
    let doorway = match signer {
        Some(signer) => {
            start::known_roles(&settings.sign_in, &policy)?;
            Some(start::doorway(&settings.sign_in, signer, &settings.jwt)?)
        }
        None => None,
    };
    let app = App::new(
        store,
        policy,
        settings.public_id_key.bytes(),
        clock,
        Limits::from_settings(&settings.limits, settings.introspection),
    );
    let app = app
        .under(keeper)
        .trusting(issuers.clone())
        .keeping_events(settings.limits.outbox_time)
        .unchecked_for(settings.limits.unchecked_time)
        .with_exceptional(settings.exceptional)
        .with_accounts(settings.accounts)
        .with_nights(settings.nights)
        .keeping_heads(settings.audit_heads.clone())
        .keeping_logs(settings.audit_keep)
        .with_backups(backups)
        .with_doorway(doorway);
    if settings.audit_heads.is_none() {
        tracing::warn!(
            "no file outside the database keeps the heads of the logs: a log that is cut off is not noticed; \
             give --audit-heads"
        );
    }
    let app = Arc::new(app);
    let mut upkeep = upkeep::start(&app);
    if let Some(tls) = &tls {
        upkeep.spawn(Arc::clone(tls).keep());
    }
    let listener = bind(settings.listen).await?;
    let address = listener.local_addr().unwrap_or(settings.listen);
    tracing::info!(%address, tls = tls.is_some(), "listening");
    let options = Options {
        limits: settings.limits.clone(),
        introspection: settings.introspection,
        graphiql: settings.graphiql,
        origins: settings.cors_origins,
        proxies: settings.trusted_proxies,
        hsts: settings.hsts,
        personas: None,
    };
    serve(listener, router(app, issuers, options), &settings.limits, tls, shutdown_signal()).await;
    Ok(())
}
