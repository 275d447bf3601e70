//! `xueji audit`: whether the audit log and the log of disclosures are whole.
//!
//! `verify` and `key` read only, and all may run beside servers. They need the master key, which opens the keys of the logs.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{DateTime, Datelike, Months, TimeZone, Utc};
use clap::Subcommand;

use super::incident::refused;
use super::out::{Out, aside, instant};
use super::{say, start, stop};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::store::codec::ClosedCodec;
use crate::store::keys::logs::LogKeys;
use crate::store::keys::master::LocalMaster;

/// Verifies that the logs are whole, prints the key that signs their heads, exports, counts or prunes them.
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
    /// Write both logs of a time with codes, seals, heads and public keys as JSON Lines, for a regulator
    Export {
        /// From this instant: 2026-09-01 or 2026-09-01T08:00:00+08:00
        #[arg(long, value_name = "TIME")]
        from: String,
        /// Before this instant
        #[arg(long, value_name = "TIME")]
        to: String,
        /// The file to write, which must not be there yet
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Count what was done, denied and disclosed, by months
    Report {
        /// From this day
        #[arg(long, value_name = "TIME")]
        from: String,
        /// Before this day
        #[arg(long, value_name = "TIME")]
        to: String,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Drop whole months of both logs that are older than audit.keep
    Prune(Box<Flags>),
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Verify { heads, flags } => verify(heads, flags.read()?).await,
        Command::Key(flags) => key(flags.read()?).await,
        Command::Export { from, to, out, flags } => export(&from, &to, &out, &flags.read()?).await,
        Command::Report { from, to, flags } => counted(&from, &to, &flags.read()?).await,
        Command::Prune(flags) => prune(&flags.read()?).await,
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

async fn export(from: &str, to: &str, out: &Path, flags: &Flags) -> anyhow::Result<()> {
    let zone = flags.time_zone()?;
    let (from, to) = (instant(from, zone)?, instant(to, zone)?);
    if from >= to {
        bail!("--to must be later than --from.");
    }
    let clock = Clock::system(zone);
    let store = stop::on_record(flags, clock).await?;
    let mut file = Out::new(Some(out))?;
    let said = format!("from {from} to {to}");
    let passed = match store.pass_export("audit.export", "", &said, clock.now()).await {
        Ok(passed) => passed,
        Err(error) => {
            file.give_up();
            return Err(refused(error));
        }
    };
    let mut write = |line: &str| file.line(line).map_err(std::io::Error::other);
    let done = store.export_logs(&passed, from, to, &mut write).await;
    let done = done.context("The export is not whole")?;
    file.end()?;
    for log in done {
        let odd = match log.odd {
            0 => String::new(),
            odd => format!(", {odd} that are not as a server wrote them: run `xueji audit verify`"),
        };
        aside(format!("{}: {} lines, {} heads{odd}", log.log.table(), log.lines, log.heads));
    }
    Ok(())
}

async fn counted(from: &str, to: &str, flags: &Flags) -> anyhow::Result<()> {
    let zone = flags.time_zone()?;
    let (from, to) = (instant(from, zone)?, instant(to, zone)?);
    let store = stop::on_record(flags, Clock::system(zone)).await?;
    say(format!("{:<8} {:<28} {:<8} {:>10}", "month", "action", "outcome", "lines"))?;
    let mut begin = from;
    while begin < to {
        let end = std::cmp::min(to, next_month(begin, zone).unwrap_or(to));
        let month = begin.with_timezone(&zone).format("%Y-%m");
        let (counts, disclosures) = store.log_counts(begin, end).await?;
        for (action, outcome, lines) in counts {
            say(format!("{month:<8} {action:<28} {outcome:<8} {lines:>10}"))?;
        }
        say(format!("{month:<8} {:<28} {:<8} {disclosures:>10}", "disclosures", "done"))?;
        begin = end;
    }
    Ok(())
}

/// The first instant of the month that follows, in the deployment's time zone.
fn next_month(at: DateTime<Utc>, zone: chrono_tz::Tz) -> Option<DateTime<Utc>> {
    let first = at.with_timezone(&zone).date_naive().with_day(1)?;
    let next = first.checked_add_months(Months::new(1))?.and_hms_opt(0, 0, 0)?;
    zone.from_local_datetime(&next).earliest().map(|at| at.with_timezone(&Utc))
}

async fn prune(flags: &Flags) -> anyhow::Result<()> {
    let clock = Clock::system(flags.time_zone()?);
    let months = flags.audit_keep()?;
    let store = stop::on_record(flags, clock).await?;
    let parts = store.prune_logs(months, clock).await;
    let parts = parts
        .context("The logs are not pruned; `xueji audit verify` says whether they are whole")?;
    for part in &parts {
        say(format!(
            "{}: {} lines from {} to {} were kept long enough and are gone",
            part.log.table(),
            part.lines,
            part.since.format("%F"),
            part.until.format("%F")
        ))?;
    }
    say(format!("{} months dropped; lines are kept for {months} months", parts.len()))
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
