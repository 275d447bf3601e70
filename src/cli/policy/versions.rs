//! `xueji policy apply` and `xueji policy history`: publishing a version, and the list of them.

use std::path::PathBuf;

use anyhow::bail;

use super::Folder;
use crate::access::policy::Policy;
use crate::cli::{say, start};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::domain::policy::Occasion;

#[derive(Debug, clap::Args)]
pub(super) struct Apply {
    /// Publish the policy that this program ships
    #[arg(long, conflicts_with = "policies")]
    shipped: bool,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, clap::Args)]
pub(super) struct History {
    /// How many, the newest first
    #[arg(long, default_value_t = 20, value_name = "NUMBER")]
    most: u64,
    #[command(flatten)]
    flags: Flags,
}

pub(super) async fn apply(args: Apply) -> anyhow::Result<()> {
    let flags = args.flags.read()?;
    let policies: Option<PathBuf> = if args.shipped { None } else { flags.policies.clone() };
    if policies.is_none() && !args.shipped {
        bail!(
            "Name the folder to publish with --policies, or --shipped for the policy of this program."
        );
    }
    let source = Folder { policies }.source()?;
    let policy = Policy::compile(source.clone(), &start::catalogue()).await;
    if let Err(problems) = policy {
        bail!("The policy is not published:\n{problems}");
    }
    let clock = Clock::system(flags.time_zone()?);
    let store = super::store_on_record(&flags, clock.now()).await?;
    let done = store.publish_policy(&source, Occasion::Command.word(), clock.now()).await?;
    let what = if done.fresh { "published" } else { "in force already" };
    say(format!("policy {}:{} is {what}", done.number, done.hash))
}

pub(super) async fn history(args: History) -> anyhow::Result<()> {
    let flags = args.flags.read()?;
    let versions = super::store(&flags).await?.policy_versions(args.most).await?;
    for version in &versions {
        say(format!(
            "{:>5}  {}  {}  program {}  by {}",
            version.number,
            version.hash,
            version.published_at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
            version.program,
            version.published_by
        ))?;
    }
    say(format!("{} versions, the newest first; the newest is in force", versions.len()))
}
