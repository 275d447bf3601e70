//! `xueji policy explain`: why a role sees what it sees of a column.

use anyhow::Context;

use super::Folder;
use crate::access::policy::{Policy, explain};
use crate::access::table::{Pair, Reach};
use crate::cli::{say, start};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    folder: Folder,
    /// The role
    #[arg(long, value_name = "ROLE")]
    role: String,
    /// The kind of place at which it is held
    #[arg(long, value_name = "REACH")]
    reach: String,
    /// The column, such as student.id_number
    #[arg(long, value_name = "COLUMN")]
    column: String,
    /// The purpose that the request states, such as transfer_review
    #[arg(long, value_name = "CODE")]
    purpose: Option<String>,
    /// Another grant that covers the same row; repeatable
    #[arg(long = "with", value_name = "ROLE@REACH")]
    with: Vec<String>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let policy = super::compiled(args.folder.source()?).await?;
    let catalogue = start::catalogue();
    let mut held = vec![pair(&policy, &args.role, &args.reach)?];
    for with in &args.with {
        let (role, reach) =
            with.split_once('@').with_context(|| format!("`{with}` is not ROLE@REACH"))?;
        held.push(pair(&policy, role, reach)?);
    }
    let index = catalogue.index();
    let field = index.get(&args.column).with_context(|| {
        format!("there is no column {}; see `xueji policy matrix`", args.column)
    })?;
    let purpose = match &args.purpose {
        None => None,
        Some(code) => Some(policy.purposes.id(code).with_context(|| {
            let known: Vec<&str> =
                policy.purposes.iter().map(|(_, purpose)| purpose.code.as_str()).collect();
            format!("there is no purpose {code}; purposes.csv names {}", known.join(", "))
        })?),
    };
    let explained = explain(&policy, &catalogue, &held, *field, purpose);
    say(explained.context("the column is not in the catalogue")?)
}

fn pair(policy: &Policy, role: &str, reach: &str) -> anyhow::Result<Pair> {
    let id = policy
        .roles
        .id(role)
        .with_context(|| format!("there is no role {role}; roles.csv names them"))?;
    let known = Reach::ALL.map(Reach::word).join(", ");
    let at = Reach::from_word(reach)
        .with_context(|| format!("`{reach}` is no reach; the reaches are {known}"))?;
    let pair = Pair { role: id, reach: at };
    let may = policy.table.pairs().contains(&pair);
    may.then_some(pair).with_context(|| format!("{role} may not be held at {reach}"))
}
