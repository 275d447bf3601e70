//! `xueji policy check`: what is wrong with a policy folder, and how it fits a database.

use anyhow::bail;

use super::Folder;
use crate::access::policy::{Policy, Source, Thresholds, check_within};
use crate::cli::{say, start};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::config::secret::SecretText;
use crate::store::Store;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
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
    /// A database, to say which version is published there, whether this program can use it, which
    /// roles are held there and unknown here, and which pairs nobody holds
    #[arg(long, env = "XUEJI_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<SecretText>,
}

/// What a database has to say beside the files.
#[derive(Default)]
struct Findings {
    errors: usize,
    warnings: usize,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let thresholds = Thresholds { groups: args.most_groups, columns: args.most_columns };
    let source = args.folder.source()?;
    let report = check_within(source.clone(), &start::catalogue(), &thresholds).await;
    say(&report)?;
    if !report.problems.is_empty() {
        bail!("the policy cannot be used: {} problems", report.problems.len());
    }
    let mut found = Findings { errors: 0, warnings: report.warnings.len() };
    if let Some(url) = args.database_url {
        let flags = Flags { database_url: Some(url), ..Flags::default() };
        let store = super::store(&flags).await?;
        let clock = Clock::system(flags.time_zone()?);
        published(&source, &store, &mut found).await?;
        held(&super::compiled(source).await?, &store, clock, &mut found).await?;
    }
    if found.errors > 0 {
        bail!("the policy does not fit the database: {} problems", found.errors);
    }
    if args.strict && found.warnings > 0 {
        bail!("{} warnings, and --strict allows none", found.warnings);
    }
    Ok(())
}

/// Says which version is in force in a database, and what becomes of these files there.
async fn published(source: &Source, store: &Store, found: &mut Findings) -> anyhow::Result<()> {
    let own = source.version();
    let Some((number, hash)) = store.newest_policy().await? else {
        return say(
            "note[published] no version is published; a server that starts with these files publishes them as version 1",
        );
    };
    if hash == own {
        return say(format!("note[published] version {number} is in force, and is these files"));
    }
    let before = store.policy_was_published(&own).await?;
    let what = if before {
        "these files were in force before it, and a server that starts with them runs it"
    } else {
        "a server that starts with these files publishes them as the next version"
    };
    let files = store.policy_files(number).await?.unwrap_or_default();
    match Policy::compile(files, &start::catalogue()).await {
        Ok(_) => say(format!(
            "note[published] version {number} is in force, and is other files: {what}; \
             `xueji policy diff {number} FOLDER` lists the changes"
        )),
        // Servers with these files do not start.
        Err(problems) if before => {
            found.errors += 1;
            say(format!(
                "error[published] version {number} is in force and cannot be used by this program, and {what}: \
                 publish files that fit with `xueji policy apply`\n{problems}"
            ))
        }
        Err(problems) => {
            found.warnings += 1;
            say(format!(
                "warning[published] version {number} is in force and cannot be used by this program; {what}\n{problems}"
            ))
        }
    }
}

/// Says which pairs are held in a database and unknown here, and which nobody holds.
async fn held(
    policy: &Policy,
    store: &Store,
    clock: Clock,
    found: &mut Findings,
) -> anyhow::Result<()> {
    let held = store.held_pairs(clock.today()).await?;
    let known: Vec<String> =
        policy.table.pairs().iter().map(|pair| policy.roles.words(*pair)).collect();
    let held: Vec<String> = held.iter().map(|(role, reach)| format!("{role}/{reach}")).collect();
    for pair in held.iter().filter(|pair| !known.contains(pair)) {
        found.warnings += 1;
        say(format!(
            "warning[unknown] {pair} is held in the database and the policy does not know it"
        ))?;
    }
    for pair in known.iter().filter(|pair| !held.contains(pair) && *pair != "anyone/anywhere") {
        say(format!("note[unheld] {pair}: nobody holds it today"))?;
    }
    Ok(())
}
