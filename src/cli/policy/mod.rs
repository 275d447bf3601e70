//! `xueji policy`: what the access policy says, whether it can be used, what a change of it would change,
//! and which version is in force.

mod check;
mod diff;
mod explain;
mod matrix;
mod versions;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{DateTime, Utc};
use clap::Subcommand;

use super::{say, start};
use crate::access::policy::{Expectations, Policy, Source, draft};
use crate::config::flags::Flags;
use crate::store::Store;
use crate::store::codec::ClosedCodec;
use crate::store::keys::logs::LogKeys;
use crate::store::keys::master::LocalMaster;

/// The access policy: check it, print who sees what, and say what a change would change.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a policy folder and name everything that is wrong or probably not meant, with file and line
    Check(check::Args),
    /// Print roles and reaches against fields, and roles against actions
    Matrix(matrix::Args),
    /// Say which cells change between two policies, and how many accounts and students that touches
    Diff(diff::Args),
    /// Hold a policy against what is expected of it
    Test(Test),
    /// Say why a role sees what it sees of a column
    Explain(explain::Args),
    /// Check a policy folder and publish it as the next version
    Apply(versions::Apply),
    /// List the published versions
    History(versions::History),
}

#[derive(Debug, clap::Args)]
struct Folder {
    /// The policy folder; the one that this program ships when not given
    #[arg(long, env = "XUEJI_POLICIES", value_name = "FOLDER")]
    policies: Option<PathBuf>,
}

impl Folder {
    fn source(&self) -> anyhow::Result<Source> {
        match &self.policies {
            Some(folder) => Ok(Source::read(folder)
                .map_err(|problem| anyhow::anyhow!("{problem}"))
                .with_context(|| format!("{} cannot be read", folder.display()))?),
            None => Ok(Source::shipped()),
        }
    }
}

#[derive(Debug, clap::Args)]
struct Test {
    #[command(flatten)]
    folder: Folder,
    /// The folder with expectations; `tests` in the policy folder when not given
    #[arg(long, value_name = "FOLDER")]
    tests: Option<PathBuf>,
    /// Print expectations that hold for the policy as it is, as a beginning
    #[arg(long)]
    draft: bool,
}

/// A store over a database whose address is among these flags; its rows are not opened.
async fn store(flags: &Flags) -> anyhow::Result<Store> {
    let (url, kind) = flags.database()?;
    let db = start::database(url.reveal(), kind).await?;
    start::store(url.reveal(), kind, db, Arc::new(ClosedCodec::new([0; 32]))).await
}

/// The same for a command that leaves a line in the audit log, which needs the keys of the logs.
async fn store_on_record(flags: &Flags, now: DateTime<Utc>) -> anyhow::Result<Store> {
    let master = LocalMaster::new(&flags.master_key()?);
    let (url, kind) = flags.database()?;
    let db = start::database(url.reveal(), kind).await?;
    let keys = LogKeys::open_or_make(&db, &master, now).await.map_err(start::refused)?;
    let codec = ClosedCodec::new([0; 32]).with_log_keys(keys);
    start::store(url.reveal(), kind, db, Arc::new(codec)).await
}

async fn compiled(source: Source) -> anyhow::Result<Policy> {
    let policy = Policy::compile(source, &start::catalogue()).await;
    policy.map_err(|problems| anyhow::anyhow!("The access policy cannot be used:\n{problems}"))
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Check(args) => check::run(args).await,
        Command::Matrix(args) => matrix::run(args).await,
        Command::Diff(args) => diff::run(args).await,
        Command::Test(args) => test(args).await,
        Command::Explain(args) => explain::run(args).await,
        Command::Apply(args) => versions::apply(args).await,
        Command::History(args) => versions::history(args).await,
    }
}

async fn test(args: Test) -> anyhow::Result<()> {
    let policy = compiled(args.folder.source()?).await?;
    let catalogue = start::catalogue();
    if args.draft {
        return say(draft(&policy, &catalogue).trim_end());
    }
    let folder = args.tests.or_else(|| Some(args.folder.policies?.join("tests")));
    let expectations = match &folder {
        Some(folder) => Expectations::read(folder)
            .map_err(|problem| anyhow::anyhow!("{problem}"))
            .with_context(|| format!("{} cannot be read", folder.display()))?,
        None => Expectations::shipped(),
    };
    let verdict = expectations.hold(&policy, &catalogue);
    for failure in &verdict.failures {
        say(failure)?;
    }
    for silent in &verdict.silent {
        say(format!("note: no line speaks of {silent}"))?;
    }
    say(format!(
        "{} expectations over {} cells, {} do not hold",
        verdict.lines,
        verdict.cells,
        verdict.failures.len()
    ))?;
    if !verdict.failures.is_empty() {
        bail!("the policy is not what is expected of it: {} lines", verdict.failures.len());
    }
    Ok(())
}
