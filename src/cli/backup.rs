//! `xueji backup`: one encrypted file that holds a registry, and the proof that it can be restored.
//!
//! Taking and verifying disturb no server; restoring needs an empty database that nobody serves.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;
use xueji_migration::versions;

use super::{say, start};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::config::settings::Keep;
use crate::domain::backup::leaving;
use crate::graphql::REGISTRY;
use crate::store::backup::check::{Means, Verified, verify};
use crate::store::backup::folder::{list, remove, rows};
use crate::store::backup::restore::restore_replaying;
use crate::store::backup::take::take;
use crate::store::backup::{Refusal, Voice, on_record};
use crate::store::connect::connect;
use crate::store::keys::master::LocalMaster;
use crate::store::retention::outside::{self, Replay};

/// Takes, restores, verifies, lists or prunes backups.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take one now, while servers run
    Take {
        /// Folder in which it shall stand
        #[arg(long, value_name = "FOLDER")]
        to: PathBuf,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Restore one into an empty database, SQLite or PostgreSQL whichever it was taken of
    Restore {
        /// The backup
        file: PathBuf,
        /// File that remembers what was destroyed, which is destroyed again [default: retention.destructions]
        #[arg(long, value_name = "FILE")]
        destructions: Option<PathBuf>,
        /// Restore although the file of destructions is lost; why, for the audit log
        #[arg(long, value_name = "REASON", conflicts_with = "destructions")]
        without_destructions: Option<String>,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Restore one, or each of a folder, into a scratch database, look at it there, and leave a record beside the file
    Verify {
        /// The backup, or a folder of them
        path: PathBuf,
        /// PostgreSQL server on which the scratch database is made and dropped, instead of a temporary file
        #[arg(long, value_name = "URL")]
        scratch_url: Option<crate::config::secret::SecretText>,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// List the backups of a folder, from the newest
    List {
        /// The folder
        folder: PathBuf,
        #[command(flatten)]
        flags: Box<Flags>,
    },
    /// Remove backups that need not stay; says which, and removes them with --yes
    Prune {
        /// The folder
        folder: PathBuf,
        /// Days of which the newest stays [default: backup.keep_daily]
        #[arg(long, value_name = "NUMBER")]
        keep_daily: Option<u32>,
        /// Weeks of which the newest stays [default: backup.keep_weekly]
        #[arg(long, value_name = "NUMBER")]
        keep_weekly: Option<u32>,
        /// Months of which the newest stays [default: backup.keep_monthly]
        #[arg(long, value_name = "NUMBER")]
        keep_monthly: Option<u32>,
        /// Remove them
        #[arg(long)]
        yes: bool,
        #[command(flatten)]
        flags: Box<Flags>,
    },
}

fn refused(refusal: Refusal) -> anyhow::Error {
    anyhow::anyhow!("{refusal}.")
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Take { to, flags } => taken(&to, flags.read()?).await,
        Command::Restore { file, destructions, without_destructions, flags } => {
            restored(&file, (destructions, without_destructions), flags.read()?).await
        }
        Command::Verify { path, scratch_url, flags } => {
            verified(&path, scratch_url.as_ref().map(|url| url.reveal()), flags.read()?).await
        }
        Command::List { folder, flags } => listed(&folder, flags.read()?).await,
        Command::Prune { folder, keep_daily, keep_weekly, keep_monthly, yes, flags } => {
            let flags = flags.read()?;
            let known = Keep::from_flags(&flags.backup);
            let keep = Keep {
                daily: keep_daily.unwrap_or(known.daily),
                weekly: keep_weekly.unwrap_or(known.weekly),
                monthly: keep_monthly.unwrap_or(known.monthly),
            };
            pruned(&folder, keep, yes, flags).await
        }
    }
}

fn clock(flags: &Flags) -> anyhow::Result<Clock> {
    Ok(Clock::system(flags.time_zone()?))
}

/// Leaves an audit line where the settings name a database.
async fn noted(flags: &Flags, action: &str, detail: &str) -> anyhow::Result<()> {
    if flags.database_url.as_ref().is_none_or(|url| url.reveal().trim().is_empty()) {
        return Ok(());
    }
    let master = LocalMaster::new(&flags.master_key()?);
    let (url, _) = flags.database()?;
    let db = connect(url.reveal(), 1).await.context("The database does not answer")?;
    on_record(&db, &master, (action, detail), clock(flags)?.now())
        .await
        .context("It was done, but cannot be put on record in the audit log of the database")?;
    Ok(())
}

async fn taken(to: &Path, flags: Flags) -> anyhow::Result<()> {
    let master = LocalMaster::new(&flags.master_key()?);
    let (url, _) = flags.database()?;
    if !to.is_dir() {
        bail!("{} is no folder: make it first, on another disk than the registry.", to.display());
    }
    // A registry that is behind is taken as it is: before an upgrade a backup is wanted most.
    let db = connect(url.reveal(), 1).await.context("The database does not answer")?;
    let state = versions(&db).await.map_err(start::database_error)?;
    start::known(&state)?;
    if state.applied.is_empty() {
        bail!("The database holds no registry: `xueji migrate up` makes one.");
    }
    let clock = clock(&flags)?;
    let taken = take(url.reveal(), to, &master, clock, Voice::Aloud).await.map_err(refused)?;
    on_record(&db, &master, ("backup.take", &taken.detail()), clock.now()).await.context(
        "The backup was taken, but cannot be put on record in the audit log of the database",
    )?;
    say(format!(
        "{}: {} rows of {} tables, {} bytes, sha256 {}",
        taken.path.display(),
        taken.rows,
        taken.tables,
        taken.bytes,
        taken.sha256
    ))
}

/// What a restore destroys again: of the file that was named or set. One that is set and not there refuses the restore,
/// unless somebody says why it goes without.
fn replay(
    named: Option<PathBuf>,
    without: Option<&str>,
    flags: &Flags,
) -> anyhow::Result<Option<Replay>> {
    let Some(path) = named.or(flags.kept()?.destructions) else { return Ok(None) };
    if without.is_some() {
        return Ok(None);
    }
    let lines = outside::read(&path).map_err(|unusable| {
        anyhow::anyhow!(
            "What was destroyed since the backup would come back: {unusable}. Give the file of destructions by \
             --destructions, an empty one where nothing was ever destroyed, or restore without it by \
             --without-destructions REASON, which is put on record. Nothing was changed."
        )
    })?;
    // Only a line that names rows needs the key by which they are found.
    let lookup = match lines.is_empty() {
        true => [0; 32],
        false => *flags.lookup_key()?.bytes(),
    };
    Ok(Some(Replay::new(lines, lookup)))
}

async fn restored(
    file: &Path,
    (named, without): (Option<PathBuf>, Option<String>),
    flags: Flags,
) -> anyhow::Result<()> {
    let master = LocalMaster::new(&flags.master_key()?);
    let (url, _) = flags.database()?;
    let now = clock(&flags)?.now();
    if without.as_ref().is_some_and(|reason| reason.trim().chars().count() < 5) {
        bail!("Say in five characters at least why it is restored without its destructions.");
    }
    let replay = replay(named, without.as_deref(), &flags)?;
    let restored =
        restore_replaying(file, url.reveal(), &master, Some(now), Voice::Aloud, replay.as_ref());
    let restored = restored.await.map_err(refused)?;
    if let Some(reason) = &without {
        noted(&flags, "backup.restore_without_destructions", reason.trim()).await?;
    }
    say(format!(
        "restored: {} rows of {} tables as of {}, each compared with the backup{}",
        restored.manifest.rows(),
        restored.manifest.tables.len(),
        restored.manifest.taken_at.format("%Y-%m-%dT%H:%M:%SZ"),
        match restored.pending {
            0 => String::new(),
            more =>
                format!("; {more} migrations of this program are pending: run `xueji migrate up`"),
        }
    ))?;
    let Some(again) = &restored.replayed else {
        return say("destructions were not replayed: no file of them was given");
    };
    say(format!("destroyed again: {} rows of {} destructions", again.rows, again.batches))?;
    for certificate in &again.certificates {
        say(format!("certificate of after the backup, not in it: batch {certificate}"))?;
    }
    Ok(())
}

async fn verified(path: &Path, scratch: Option<&str>, flags: Flags) -> anyhow::Result<()> {
    let master = Arc::new(LocalMaster::new(&flags.master_key()?));
    let given = flags.lookup_key.as_ref().is_some_and(|key| !key.reveal().trim().is_empty());
    let lookup = if given { Some(*flags.lookup_key()?.bytes()) } else { None };
    let now = clock(&flags)?.now();
    let paths = if path.is_dir() {
        let all = list(path, master.as_ref()).await.map_err(refused)?;
        all.into_iter().map(|kept| kept.path).collect()
    } else {
        vec![path.to_owned()]
    };
    if paths.is_empty() {
        return Err(refused(Refusal::Empty(path.display().to_string())));
    }
    let mut failures = Vec::new();
    for path in &paths {
        let master = Arc::clone(&master);
        let means =
            Means { registry: &REGISTRY, master, lookup, scratch, now, voice: Voice::Aloud };
        match verify(path, &means).await {
            Ok(found) => {
                report(path, &found)?;
                noted(&flags, "backup.verify", &found.detail(path)).await?;
            }
            Err(refusal) => failures.push(refusal),
        }
    }
    match failures.len() {
        0 => Ok(()),
        _ => {
            let all: Vec<String> = failures.iter().map(|refusal| format!("{refusal}.")).collect();
            bail!("{}", all.join("\n"))
        }
    }
}

fn report(path: &Path, found: &Verified) -> anyhow::Result<()> {
    say(format!("{:<24} {:>12} {:>12}", "table", "backup", "restored"))?;
    for of in &found.tables {
        say(format!("{:<24} {:>12} {:>12}", of.table, of.told, of.restored))?;
    }
    for log in &found.logs {
        say(log)?;
    }
    let hashes = match found.agreed {
        Some(agreed) => format!("{agreed} look-up hashes agree"),
        None => "look-up hashes not looked at, since no lookup_key was given".to_owned(),
    };
    say(format!(
        "{} verified: {} rows of {} tables restored and compared, {} sealed values opened, {hashes}",
        path.display(),
        found.manifest.rows(),
        found.tables.len(),
        found.opened
    ))
}

async fn listed(folder: &Path, flags: Flags) -> anyhow::Result<()> {
    let master = LocalMaster::new(&flags.master_key()?);
    for kept in list(folder, &master).await.map_err(refused)? {
        let rows = match rows(&kept.path, &master).await {
            Ok(rows) => format!("{rows} rows"),
            Err(refusal) => refusal.to_string(),
        };
        let verified = kept.verified.map_or_else(
            || "not verified".to_owned(),
            |record| format!("verified {}", record.verified_at.format("%Y-%m-%dT%H:%M:%SZ")),
        );
        say(format!(
            "{}  {}  {} bytes  {verified}  {rows}",
            kept.name,
            kept.taken_at.format("%Y-%m-%dT%H:%M:%SZ"),
            kept.bytes
        ))?;
    }
    Ok(())
}

async fn pruned(folder: &Path, keep: Keep, yes: bool, flags: Flags) -> anyhow::Result<()> {
    // Whether one was verified is known under the master key alone.
    let master = LocalMaster::new(&flags.master_key()?);
    let all = list(folder, &master).await.map_err(refused)?;
    let leaving = leaving(&all, keep, clock(&flags)?);
    if !yes {
        for kept in &leaving {
            say(format!("would remove {}", kept.name))?;
        }
        let (go, stay) = (leaving.len(), all.len() - leaving.len());
        return say(format!("{go} would go, {stay} stay; `--yes` removes them"));
    }
    let removed = remove(&leaving).map_err(refused)?;
    if !removed.is_empty() {
        noted(&flags, "backup.prune", &removed.join(" ")).await?;
    }
    for name in &removed {
        say(format!("removed {name}"))?;
    }
    say(format!("{} removed, {} stay", removed.len(), all.len() - removed.len()))
}
