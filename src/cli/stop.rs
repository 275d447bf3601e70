//! `xueji stop`: stops an account, a client, a role or all exports in an emergency (紧急停用), on every server within a
//! second.
//!
//! For the person at the machine, who holds the master key: each stop and its end is on record.

use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;
use uuid::Uuid;

use super::{say, start};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::domain::emergency::{Stop, Stopped, reason};
use crate::error::Error;
use crate::store::Store;
use crate::store::codec::ClosedCodec;
use crate::store::keys::logs::LogKeys;
use crate::store::keys::master::LocalMaster;

/// Stops an account, a client, a role or all exports, lists the stops, or lifts one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Args)]
struct Why {
    /// Why, 2 to 500 characters and no name of a pupil
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    flags: Box<Flags>,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Stop an account: it can do nothing, and its streams end
    Account {
        /// The login
        login: String,
        #[command(flatten)]
        why: Why,
    },
    /// Stop the account of a program of another system
    Client {
        /// The login
        login: String,
        #[command(flatten)]
        why: Why,
    },
    /// Stop a role: it grants nothing to anybody
    Role {
        /// The role, as the policy names it
        role: String,
        #[command(flatten)]
        why: Why,
    },
    /// Stop all exports
    Exports {
        #[command(flatten)]
        why: Why,
    },
    /// List the stops that hold
    List {
        /// Those that were lifted as well
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Lift a stop
    Lift {
        /// Its key, as `xueji stop list` names it
        stop: Uuid,
        #[command(flatten)]
        flags: Box<Flags>,
    },
}

/// A store that writes lines of the logs and opens no sealed column.
pub(super) async fn on_record(flags: &Flags, clock: Clock) -> anyhow::Result<Store> {
    let master = LocalMaster::new(&flags.master_key()?);
    let (url, kind) = flags.database()?;
    let db = start::database(url.reveal(), kind).await?;
    let keys = LogKeys::open_or_make(&db, &master, clock.now()).await.map_err(start::refused)?;
    let codec = ClosedCodec::new([0; 32]).with_log_keys(keys);
    start::store(url.reveal(), kind, db, Arc::new(codec)).await
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Account { login, why } => account(&login, false, why).await,
        Command::Client { login, why } => account(&login, true, why).await,
        Command::Role { role, why } => {
            let flags = why.flags.read()?;
            let store = on_record(&flags, Clock::system(flags.time_zone()?)).await?;
            let origin = start::origin_of(flags.policies.as_deref());
            let policy = start::policy_in_force(&origin, &store).await?;
            if role == "anyone" || policy.roles.id(&role).is_none() {
                bail!("The policy gives no role {role:?}: `xueji policy matrix` names them.");
            }
            place(&store, &flags, &Stopped::Role(role), &why.reason).await
        }
        Command::Exports { why } => {
            let flags = why.flags.read()?;
            let store = on_record(&flags, Clock::system(flags.time_zone()?)).await?;
            place(&store, &flags, &Stopped::Exports, &why.reason).await
        }
        Command::List { all, flags } => {
            let flags = flags.read()?;
            let (url, kind) = flags.database()?;
            let db = start::database(url.reveal(), kind).await?;
            let codec = Arc::new(ClosedCodec::new([0; 32]));
            let store = start::store(url.reveal(), kind, db, codec).await?;
            for stop in store.stops(all).await? {
                say(line(&stop))?;
            }
            Ok(())
        }
        Command::Lift { stop, flags } => {
            let flags = flags.read()?;
            let clock = Clock::system(flags.time_zone()?);
            let store = on_record(&flags, clock).await?;
            match store.lift_at_machine(stop, "", clock.now()).await {
                Ok(()) => say(format!("lifted {stop}")),
                Err(Error::NotFound { .. }) => {
                    bail!("No stop {stop} holds: `xueji stop list` names those that do.")
                }
                Err(error) => Err(error).context("The stop was not lifted"),
            }
        }
    }
}

async fn account(login: &str, client: bool, why: Why) -> anyhow::Result<()> {
    let flags = why.flags.read()?;
    let store = on_record(&flags, Clock::system(flags.time_zone()?)).await?;
    let account = of_login(&store, login, client).await?;
    place(&store, &flags, &Stopped::Account(account), &why.reason).await
}

/// The account of a login, a program's where one is asked for.
pub(super) async fn of_login(store: &Store, login: &str, client: bool) -> anyhow::Result<Uuid> {
    match store.login(login).await? {
        None => bail!("There is no account with the login {login:?}."),
        Some((_, false)) if client => {
            bail!(
                "The account {login:?} is not that of a program; name it by --account or `account`."
            )
        }
        Some((id, _)) => Ok(id),
    }
}

async fn place(store: &Store, flags: &Flags, stopped: &Stopped, why: &str) -> anyhow::Result<()> {
    let why = match reason(why) {
        Ok(why) => why,
        Err(Error::Invalid { why, .. }) => bail!("--reason: {}.", why.en),
        Err(error) => return Err(error.into()),
    };
    let now = Clock::system(flags.time_zone()?).now();
    match store.stop_at_machine(stopped, &why, "", now).await {
        Ok(id) => say(format!("stopped: {id}")),
        Err(Error::Conflict { .. }) => {
            bail!("It is stopped already: `xueji stop list` names the stop.")
        }
        Err(error) => Err(error).context("Nothing was stopped"),
    }
}

fn line(stop: &Stop) -> String {
    let what = match &stop.stopped {
        Stopped::Account(id) => match &stop.login {
            Some(login) => format!("account {login}"),
            None => format!("account {id}"),
        },
        Stopped::Role(role) => format!("role {role}"),
        Stopped::Exports => "exports".to_owned(),
    };
    let lifted = stop
        .lifted_at
        .map(|at| format!(", lifted {}", at.format("%Y-%m-%dT%H:%M:%SZ")))
        .unwrap_or_default();
    format!(
        "{}  {what:<24} since {}{lifted}: {}",
        stop.id,
        stop.since.format("%Y-%m-%dT%H:%M:%SZ"),
        stop.reason
    )
}
