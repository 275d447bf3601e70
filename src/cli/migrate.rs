//! `xueji migrate`: the schema of the database.

use anyhow::{Context, bail};
use clap::Subcommand;
use xueji_migration::{Migrator, MigratorTrait, versions};

use super::{say, start};
use crate::config::flags::Flags;
use crate::store::connect::connect;
use crate::store::keys::{logs, stored};

/// The migration whose table holds the data keys.
const KEYS: &str = "m20260901_000019_data_key";
/// The migration whose tables hold the seals of the logs and their keys.
const SEALS: &str = "m20260901_000020_seal";

/// Brings a database to this version's schema, takes it back, or says where it stands.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Apply every migration that is pending
    Up(Flags),
    /// Take back the newest migrations; their tables and rows are lost
    Down {
        /// How many
        #[arg(long, default_value_t = 1)]
        steps: u32,
        #[command(flatten)]
        flags: Flags,
    },
    /// Say which migrations are applied, pending, or unknown to this program
    Status(Flags),
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let flags = match &args.command {
        Command::Up(flags) | Command::Status(flags) | Command::Down { flags, .. } => flags.clone(),
    };
    let flags = flags.read()?;
    let (url, _) = flags.database()?;
    let db = connect(url.reveal(), 1).await.context("The database does not answer")?;
    let state = versions(&db).await.map_err(start::database_error)?;
    match args.command {
        Command::Status(_) => {
            for (name, versions) in [
                ("applied", &state.applied),
                ("pending", &state.pending),
                ("unknown to this program", &state.unknown),
            ] {
                for version in versions {
                    say(format!("{name:<10} {version}"))?;
                }
            }
            say(format!(
                "{} applied, {} pending, {} unknown",
                state.applied.len(),
                state.pending.len(),
                state.unknown.len()
            ))
        }
        Command::Up(_) => {
            start::known(&state)?;
            Migrator::up(&db, None).await.map_err(start::database_error)?;
            say(format!("{} migrations applied", state.pending.len()))
        }
        Command::Down { steps, .. } => {
            start::known(&state)?;
            let steps_back = usize::try_from(steps)?;
            let takes =
                |name: &str| state.applied.iter().rev().take(steps_back).any(|it| it == name);
            if takes(KEYS) && !stored(&db).await?.is_empty() {
                bail!(
                    "{steps} steps would take back the data keys, and without them no identity, contact, address or \
                     account number of this registry is ever read again: take back fewer, or drop the database."
                );
            }
            if takes(SEALS) && !logs::stored(&db).await?.is_empty() {
                bail!(
                    "{steps} steps would take back the seals of the logs and their keys, and without them nobody can \
                     tell whether a line was changed: take back fewer, or drop the database."
                );
            }
            Migrator::down(&db, Some(steps)).await.map_err(start::database_error)?;
            say(format!("{steps} migrations taken back"))
        }
    }
}
