//! `xueji grants`: who holds which role at a school, to be looked through once a term (授权复核).

use std::sync::Arc;

use anyhow::Context;
use clap::{Subcommand, ValueEnum};

use super::{say, start};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::domain::grants::held::{Looked, review_of_school};
use crate::store::codec::ClosedCodec;

/// Reports who holds what.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the grants at a school with what is odd about them; no pupil is named
    Report {
        /// The national code of the school
        #[arg(long, value_name = "CODE")]
        school: String,
        /// How it is written
        #[arg(long, value_enum, default_value_t)]
        format: Format,
        #[command(flatten)]
        flags: Box<Flags>,
    },
}

/// How a report is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Columns for people
    #[default]
    Text,
    /// A table for spreadsheets
    Csv,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let Command::Report { school, format, flags } = args.command;
    let flags = flags.as_ref().clone().read()?;
    let (url, kind) = flags.database()?;
    let db = start::database(url.reveal(), kind).await?;
    let codec = Arc::new(ClosedCodec::new(*flags.lookup_key()?.bytes()));
    let store = start::store(url.reveal(), kind, db, codec).await?;
    let origin = start::origin_of(flags.policies.as_deref());
    let policy = start::policy_in_force(&origin, &store).await?;
    let clock = Clock::system(flags.time_zone()?);
    let looked = review_of_school(&store, &policy, &school, clock.today(), clock.now())
        .await
        .context("The grants cannot be read")?
        .with_context(|| format!("There is no school with the code {school:?}"))?;
    if format == Format::Csv {
        say("login,role,reach,place,since,until,given_by,origin,confirmed,flags")?;
    }
    for row in &looked {
        let cells = cells(row);
        say(match format {
            Format::Csv => cells.map(|cell| quoted(&cell)).join(","),
            Format::Text => {
                cells.map(|cell| if cell.is_empty() { "-".to_owned() } else { cell }).join("  ")
            }
        })?;
    }
    if format == Format::Text {
        let odd = looked.iter().filter(|row| !row.flags.is_empty()).count();
        let open = looked.iter().filter(|row| !row.held.confirmed).count();
        say(format!(
            "{} grants, {odd} with something odd, {open} not confirmed this term",
            looked.len()
        ))?;
    }
    Ok(())
}

fn cells(row: &Looked) -> [String; 10] {
    let held = &row.held;
    let origin = match (held.derived, held.delegated, &held.given_by) {
        (true, ..) => "duty",
        (_, true, _) => "substitute",
        (.., Some(_)) => "by hand",
        (.., None) => "with the registry",
    };
    let flags: Vec<&str> = row.flags.iter().map(|flag| flag.word()).collect();
    [
        held.holder.login.clone(),
        held.role.clone(),
        held.reach.word().to_owned(),
        held.place_name.clone().unwrap_or_default(),
        held.since.to_string(),
        held.until.map(|day| day.to_string()).unwrap_or_default(),
        held.given_by.as_ref().map(|by| by.login.clone()).unwrap_or_default(),
        origin.to_owned(),
        if held.confirmed { "yes" } else { "no" }.to_owned(),
        flags.join(" "),
    ]
}

/// A cell of a table; what a spreadsheet would compute is text.
fn quoted(cell: &str) -> String {
    let formula = cell.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let text = cell.replace('"', "\"\"");
    format!("\"{}{text}\"", if formula { "'" } else { "" })
}

#[cfg(test)]
mod tests {
    use super::quoted;

    #[test]
    fn a_cell_is_text_to_a_spreadsheet() {
        assert_eq!(quoted("Class 1"), "\"Class 1\"");
        assert_eq!(quoted("a, \"b\""), "\"a, \"\"b\"\"\"");
        for formula in ["=1+1", "+1", "-1", "@x"] {
            assert_eq!(quoted(formula), format!("\"'{formula}\""));
        }
    }
}
