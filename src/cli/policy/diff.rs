//! `xueji policy diff`: what changes between two policies, and whom it touches.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail};

use crate::access::policy::{Difference, Policy, Source, diff};
use crate::access::table::Reach;
use crate::access::view::Hangs;
use crate::cli::{say, start};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::config::secret::SecretText;
use crate::graphql::REGISTRY;
use crate::store::Store;
use crate::store::reached::Reached;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// A policy folder, `shipped`, or the number of a published version
    old: String,
    /// The same for the policy that would follow
    new: String,
    /// The database with the published versions, and with the accounts and students to count
    #[arg(long, env = "XUEJI_DATABASE_URL", hide_env_values = true, value_name = "URL")]
    database_url: Option<SecretText>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let flags = Flags { database_url: args.database_url, ..Flags::default() };
    let store = match &flags.database_url {
        Some(_) => Some(super::store(&flags).await?),
        None => None,
    };
    let catalogue = start::catalogue();
    let mut both = Vec::new();
    for (named, is_old) in [(&args.old, true), (&args.new, false)] {
        let source = source(named, store.as_ref()).await?;
        // What another program published is compared as far as this one knows it; files at hand are whole.
        let policy = if is_old || named.parse::<i64>().is_ok() {
            Policy::earlier(source, &catalogue).await
        } else {
            Policy::compile(source, &catalogue).await
        };
        let policy =
            policy.map_err(|problems| anyhow::anyhow!("{named} cannot be used:\n{problems}"))?;
        both.push(policy);
    }
    let [old, new] = both.as_slice() else { bail!("two policies are compared") };
    let today = Clock::system(flags.time_zone()?).today();
    let mut counted: BTreeMap<(String, Reach), Reached> = BTreeMap::new();
    let changes = diff(old, new, &catalogue);
    for change in &changes {
        let touched = match &store {
            None => String::new(),
            Some(store) => {
                let key = (change.role.clone(), change.reach);
                let reached = match counted.get(&key) {
                    Some(reached) => *reached,
                    None => {
                        let role = Some(change.role.as_str()).filter(|role| *role != "anyone");
                        let reached = store.reached(role, change.reach, today).await?;
                        counted.insert(key, reached);
                        reached
                    }
                };
                touched(change, reached)
            }
        };
        say(format!("{change}{touched}"))?;
    }
    roles(old, new)?;
    say(format!("{} changes from {} to {}", changes.len(), old.version, new.version))
}

/// Whom a change touches. Rows that hang from no student touch accounts alone.
fn touched(change: &Difference, reached: Reached) -> String {
    let hangs = change.noun.and_then(|noun| REGISTRY.get(noun)).map(|noun| noun.shape.hangs);
    let of_students = hangs.is_none_or(|hangs| hangs == Hangs::Student || hangs.of_student());
    if of_students && change.noun.is_some() {
        format!("  [{} accounts, {} students]", reached.accounts, reached.students)
    } else {
        format!("  [{} accounts]", reached.accounts)
    }
}

/// Says which roles and purposes come and go.
fn roles(old: &Policy, new: &Policy) -> anyhow::Result<()> {
    for (policy, other, word) in [(old, new, "removed"), (new, old, "added")] {
        for (_, role) in
            policy.roles.iter().filter(|(_, role)| other.roles.id(&role.name).is_none())
        {
            say(format!("{word:<8} role {} {}", role.name, role.chinese))?;
        }
        for (_, purpose) in
            policy.purposes.iter().filter(|(_, purpose)| other.purposes.id(&purpose.code).is_none())
        {
            say(format!("{word:<8} purpose {} {}", purpose.code, purpose.chinese))?;
        }
    }
    Ok(())
}

/// The files that a word of the command line names.
async fn source(named: &str, store: Option<&Store>) -> anyhow::Result<Source> {
    if named == "shipped" {
        return Ok(Source::shipped());
    }
    if let Ok(number) = named.parse::<i64>() {
        let store = store.with_context(|| {
            format!("{named} is the number of a published version: give --database-url too")
        })?;
        let source = store.policy_files(number).await?;
        return source.with_context(|| {
            format!("there is no published version {number}; see `xueji policy history`")
        });
    }
    Source::read(Path::new(named))
        .map_err(|problem| anyhow::anyhow!("{problem}"))
        .with_context(|| format!("{named} cannot be read"))
}
