//! `xueji policy`: what the access policy says, whether it can be used, what a change of it would change,
//! and which version is in force.

mod diff;
mod explain;
mod matrix;
mod versions;

use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use clap::Subcommand;

use super::{say, start};
use crate::access::policy::{Expectations, Policy, Source, Thresholds, check_within, draft};
use crate::config::flags::Flags;
use crate::store::Store;
use crate::store::codec::PlainCodec;

/// The access policy: check it, print who sees what, and say what a change would change.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a policy folder and name everything that is wrong or probably not meant, with file and line
    Check(Check),
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
struct Check {
    #[command(flatten)]
    folder: Folder,
    /// Fail for warnings as for errors
    #[arg(long)]
    strict: bool,
    /// Most sensitivity groups that a role sees in full without a stated reason
    #[arg(long, default_value_t = Thresholds::default().groups, value_name = "NUMBER")]
    most_groups: usize,
    /// Most personal columns that a role sees in full without a stated reason
    #[arg(long, default_value_t = Thresholds::default().columns, value_name = "NUMBER")]
    most_columns: usize,
    /// A database, to name roles that are held there and unknown here, and pairs that nobody holds
    #[arg(long, env = "XUEJI_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<crate::config::secret::SecretText>,
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
    start::store(url.reveal(), kind, db, Arc::new(PlainCodec::new([0; 32]))).await
}

async fn compiled(source: Source) -> anyhow::Result<Policy> {
    let policy = Policy::compile(source, &start::catalogue()).await;
    policy.map_err(|problems| anyhow::anyhow!("The access policy cannot be used:\n{problems}"))
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Check(args) => check(args).await,
        Command::Matrix(args) => matrix::run(args).await,
        Command::Diff(args) => diff::run(args).await,
        Command::Test(args) => test(args).await,
        Command::Explain(args) => explain::run(args).await,
        Command::Apply(args) => versions::apply(args).await,
        Command::History(args) => versions::history(args).await,
    }
}

async fn check(args: Check) -> anyhow::Result<()> {
    let thresholds = Thresholds { groups: args.most_groups, columns: args.most_columns };
    let source = args.folder.source()?;
    let report = check_within(source.clone(), &start::catalogue(), &thresholds).await;
    say(&report)?;
    if !report.problems.is_empty() {
        bail!("the policy cannot be used: {} problems", report.problems.len());
    }
    if let Some(url) = args.database_url {
        held(&compiled(source).await?, Flags { database_url: Some(url), ..Flags::default() })
            .await?;
    }
    if args.strict && !report.warnings.is_empty() {
        bail!("{} warnings, and --strict allows none", report.warnings.len());
    }
    Ok(())
}

/// Says which pairs are held in a database and unknown here, and which nobody holds.
async fn held(policy: &Policy, flags: Flags) -> anyhow::Result<()> {
    let clock = crate::clock::Clock::system(flags.time_zone()?);
    let held = store(&flags).await?.held_pairs(clock.today()).await?;
    let known: Vec<String> =
        policy.table.pairs().iter().map(|pair| policy.roles.words(*pair)).collect();
    let held: Vec<String> = held.iter().map(|(role, reach)| format!("{role}/{reach}")).collect();
    for pair in held.iter().filter(|pair| !known.contains(pair)) {
        say(format!(
            "warning[unheld] {pair} is held in the database and the policy does not know it"
        ))?;
    }
    for pair in known.iter().filter(|pair| !held.contains(pair) && *pair != "anyone/anywhere") {
        say(format!("note[unheld] {pair}: nobody holds it today"))?;
    }
    Ok(())
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
