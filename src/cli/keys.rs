//! `xueji keys`: the keys under which identity, contact, address and account numbers are sealed.
//!
//! Every command may run beside servers. A master key is read from the settings or a file and never printed.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;
use sea_orm::DatabaseConnection;

use super::{say, start};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::config::secret::SecretKey;
use crate::graphql::REGISTRY;
use crate::store::keys;
use crate::store::keys::logs;
use crate::store::keys::master::LocalMaster;
use crate::store::keys::rewrap::rewrap;
use crate::store::keys::rotate::{ARRIVAL, BATCH, Rotation, listed};

/// Makes, lists or changes the keys under which columns are sealed.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make the first data key of an empty registry; `serve` does so as well
    Init(Box<Flags>),
    /// List the data keys and those of the logs: number, cipher or use, state, fingerprint of the master key, day
    List(Box<Flags>),
    /// Change to a new data key and rewrite the rows under it, while servers run; goes on where it was interrupted
    Rotate {
        /// Change the key of the logs instead: lines are coded under a new one from now on, and none is rewritten
        #[arg(long)]
        audit: bool,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Wrap the data keys and those of the logs by another master key; rows and lines are not touched
    Rewrap {
        /// File with the new master key: 64 hexadecimal digits or 32 bytes
        #[arg(long, value_name = "FILE")]
        new_master_key_file: PathBuf,
        #[command(flatten)]
        flags: Box<Flags>,
    },
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Init(flags) => init(flags.read()?).await,
        Command::List(flags) => list(flags.read()?).await,
        Command::Rotate { audit: true, flags } => rotate_audit(flags.read()?).await,
        Command::Rotate { audit: false, flags } => rotate(flags.read()?).await,
        Command::Rewrap { new_master_key_file, flags } => {
            let flags = flags.read()?;
            let to = SecretKey::from_file(&new_master_key_file);
            let to =
                to.map_err(|why| anyhow::anyhow!("The new master key cannot be used: {why}"))?;
            let from = master(&flags)?;
            let db = database(&flags).await?;
            let count = rewrap(&db, &from, &LocalMaster::new(&to), now(&flags)?).await;
            let count = count.map_err(start::refused)?;
            say(format!(
                "{count} data keys wrapped by the new master key, and the keys of the logs: give it to each server at its next start, and \
                 start them all before the next `xueji keys rotate`"
            ))
        }
    }
}

fn master(flags: &Flags) -> anyhow::Result<LocalMaster> {
    Ok(LocalMaster::new(&flags.master_key()?))
}

async fn database(flags: &Flags) -> anyhow::Result<DatabaseConnection> {
    let (url, kind) = flags.database()?;
    start::database(url.reveal(), kind).await
}

fn now(flags: &Flags) -> anyhow::Result<chrono::DateTime<chrono::Utc>> {
    Ok(Clock::system(flags.time_zone()?).now())
}

async fn init(flags: Flags) -> anyhow::Result<()> {
    let master = master(&flags)?;
    let db = database(&flags).await?;
    let cipher = flags.data_cipher.unwrap_or_default();
    let made = keys::init(&db, &REGISTRY, &master, cipher, now(&flags)?).await;
    say(if made.map_err(start::refused)? {
        format!("data key 1 made ({})", cipher.word())
    } else {
        "there is a data key already: `xueji keys list` shows it".to_owned()
    })
}

async fn list(flags: Flags) -> anyhow::Result<()> {
    let db = database(&flags).await?;
    let (keys, unfinished) = listed(&db).await?;
    let logs = logs::stored(&db).await?;
    for key in keys {
        let on_its_way = unfinished == Some(key.id);
        say(format!(
            "{:<4} {:<12} {:<9} master {}  {}{}",
            key.id,
            key.algorithm.word(),
            key.state.word(),
            key.master,
            key.created_at.format("%Y-%m-%dT%H:%M:%SZ"),
            if on_its_way { "  rows are on their way: `xueji keys rotate` ends it" } else { "" }
        ))?;
    }
    for key in logs {
        say(format!(
            "log {:<4} {:<8} {:<9} master {}  {}",
            key.id,
            key.of.word(),
            key.state.word(),
            key.master,
            key.created_at.format("%Y-%m-%dT%H:%M:%SZ"),
        ))?;
    }
    Ok(())
}

async fn rotate_audit(flags: Flags) -> anyhow::Result<()> {
    let master = master(&flags)?;
    let db = database(&flags).await?;
    let key = logs::rotate(&db, &master, now(&flags)?).await.map_err(start::refused)?;
    say(format!("log key {key} codes the lines of both logs now; lines of before keep their keys"))
}

async fn rotate(flags: Flags) -> anyhow::Result<()> {
    let master = master(&flags)?;
    let db = database(&flags).await?;
    let (known, unfinished) = listed(&db).await?;
    let first = known.first().map(|key| key.id);
    // A registry in the clear is brought over with no server on it; on a SQLite file that is held to.
    let from_clear = first.is_none() || unfinished == first;
    let _sole = if from_clear { start::sole(flags.database()?.0.reveal())? } else { None };
    let rotation = Rotation {
        db,
        registry: &REGISTRY,
        master: Arc::new(master),
        cipher: flags.data_cipher.unwrap_or_default(),
        arrival: ARRIVAL,
        batch: BATCH,
    };
    let done = rotation.run(now(&flags)?).await.map_err(start::refused)?;
    say(format!(
        "{}data key {} ({}) seals now; {} rows rewritten{}",
        if done.resumed { "went on with an interrupted rotation: " } else { "" },
        done.key,
        done.cipher.word(),
        done.rows,
        if done.from_clear {
            ". Backups and archived logs of before still hold the clear text: destroy them"
        } else {
            ""
        }
    ))
}
