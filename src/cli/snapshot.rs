//! `xueji snapshot`: what the registry held at an instant, for reporting tools.

use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;

use super::{say, start};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::domain::statistics::snapshot;
use crate::store::codec::ClosedCodec;
use crate::store::snapshot::Listed;

/// Takes a snapshot, lists those that are there, or drops one.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take one now; reporting tools are answered from the newest
    Take {
        /// Its name, such as census-2026; without one it is that of the night
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// List them, from the newest
    List(Box<Flags>),
    /// Drop one; when declared tables were published of it, only together with them
    Drop {
        /// Its number or name
        snapshot: String,
        /// Drop its published tables as well
        #[arg(long)]
        with_tables: bool,
        #[command(flatten)]
        flags: Box<Flags>,
    },
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let flags = match &args.command {
        Command::Take { flags, .. } | Command::List(flags) | Command::Drop { flags, .. } => flags,
    };
    let flags = flags.as_ref().clone().read()?;
    let (url, kind) = flags.database()?;
    let db = start::database(url.reveal(), kind).await?;
    let codec = Arc::new(ClosedCodec::new(*flags.lookup_key()?.bytes()));
    let store = start::store(url.reveal(), kind, db, codec).await?;
    match args.command {
        Command::Take { name, .. } => {
            let origin = start::origin_of(flags.policies.as_deref());
            let policy = start::policy_in_force(&origin, &store).await?;
            let clock = Clock::system(flags.time_zone()?);
            let taken = snapshot::take(&store, &policy.disclosure_control, clock, name)
                .await
                .context("No snapshot was taken; another of this night or name may be there")?;
            say(line(&taken))
        }
        Command::List(_) => {
            for known in store.snapshots().await? {
                say(line(&known))?;
            }
            Ok(())
        }
        Command::Drop { snapshot: wanted, with_tables, .. } => {
            let found = store.snapshots().await?.into_iter().find(|known| {
                known.name.as_deref() == Some(&wanted) || known.number.to_string() == wanted
            });
            let Some(found) = found else {
                bail!("There is no snapshot {wanted:?}: `xueji snapshot list` names them.");
            };
            snapshot::discard(&store, &found, with_tables).await.context(
                "The snapshot was not dropped; `--with-tables` drops its tables as well",
            )?;
            say(format!("dropped {}", line(&found)))
        }
    }
}

fn line(of: &Listed) -> String {
    format!(
        "{:<5} {:<12} {}  {} students{}",
        of.number,
        of.name.as_deref().unwrap_or("nightly"),
        of.taken_at.format("%Y-%m-%dT%H:%M:%SZ"),
        of.students,
        match (of.facts, of.tables) {
            (true, true) => ", with tables",
            (true, false) => "",
            (false, true) => ", tables only",
            (false, false) => ", nothing left",
        }
    )
}
