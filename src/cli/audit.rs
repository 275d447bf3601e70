//! `xueji audit`: whether the audit log and the log of disclosures are whole.
//!
//! Both commands read only, and may run beside servers. They need the master key, which opens the keys of the logs.

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;

use super::{say, start};
use crate::config::flags::Flags;
use crate::store::codec::ClosedCodec;
use crate::store::keys::logs::LogKeys;
use crate::store::keys::master::LocalMaster;

/// Verifies that the logs are whole, or prints the key that signs their heads.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Recompute codes, chain and heads of both logs, and name each line that was changed, removed, inserted or cut off
    Verify {
        /// The file outside the database with the signed heads [default: that of --audit-heads]
        #[arg(long, value_name = "FILE")]
        heads: Option<PathBuf>,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Print the public keys that verify heads
    Key(Box<Flags>),
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Verify { heads, flags } => verify(heads, flags.read()?).await,
        Command::Key(flags) => key(flags.read()?).await,
    }
}

/// The keys of the logs of a database that is there.
async fn keys(flags: &Flags) -> anyhow::Result<(sea_orm::DatabaseConnection, LogKeys)> {
    let master = LocalMaster::new(&flags.master_key()?);
    let (url, kind) = flags.database()?;
    let db = start::database(url.reveal(), kind).await?;
    let keys = LogKeys::open(&db, &master).await.map_err(start::refused)?;
    let keys =
        keys.context("There are no keys of the logs yet: the first `xueji serve` makes them")?;
    Ok((db, keys))
}

async fn key(flags: Flags) -> anyhow::Result<()> {
    let (_db, keys) = keys(&flags).await?;
    for (id, pem) in keys.public()? {
        say(format!("log key {id}\n{}", pem.trim_end()))?;
    }
    Ok(())
}

async fn verify(heads: Option<PathBuf>, flags: Flags) -> anyhow::Result<()> {
    let (db, keys) = keys(&flags).await?;
    let (url, kind) = flags.database()?;
    let named = heads.is_some() || flags.audit_heads.is_some();
    let file = match heads {
        Some(file) => Some(file),
        None => flags.audit_heads()?,
    };
    if named && let Some(file) = file.as_ref().filter(|file| !file.exists()) {
        bail!("There is no file of heads at {}.", file.display());
    }
    let file = file.filter(|file| file.exists());
    let codec = ClosedCodec::new([0; 32]).with_log_keys(keys);
    let store = start::store(url.reveal(), kind, db, Arc::new(codec)).await?;
    let report = store.verify_logs(file.as_deref()).await.context("The logs cannot be read")?;
    for count in &report.counts {
        say(count)?;
    }
    for (log, line) in &report.waiting {
        say(format!("{}: not yet sealed: line {line}", log.table()))?;
    }
    match &file {
        Some(file) => say(format!("heads outside the database: {}", file.display()))?,
        None => say(
            "no file with heads outside the database: a log that was cut off together with its heads is not noticed",
        )?,
    }
    if report.findings.is_empty() {
        return say("nothing was changed, removed, inserted or cut off");
    }
    for finding in &report.findings {
        say(finding)?;
    }
    bail!("the logs are not whole: {} findings", report.findings.len())
}
