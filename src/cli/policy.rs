//! `xueji policy`: what the access policy says, and whether it can be used.

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Subcommand;

use super::{say, start};
use crate::access::policy::{Source, check, matrix};

/// The access policy: check it, or print who sees what.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a policy folder and name everything that is wrong, with file and line
    Check(Folder),
    /// Print roles and reaches against fields, and roles against actions
    Matrix(Folder),
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

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let catalogue = start::catalogue();
    match args.command {
        Command::Check(folder) => {
            let report = check(folder.source()?, &catalogue).await;
            say(&report)?;
            if !report.problems.is_empty() {
                bail!("the policy cannot be used: {} problems", report.problems.len());
            }
            Ok(())
        }
        Command::Matrix(folder) => {
            let policy = start::policy(folder.policies.as_deref()).await?;
            say(matrix(&policy, &catalogue).trim_end())
        }
    }
}
