//! `xueji retention`: what is due for destruction, by class, school and year, and what is wrong with a schedule.
//!
//! It destroys nothing: that takes three people and is done through the API.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Subcommand;

use super::{say, start};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::store::codec::ClosedCodec;
use crate::store::retention::schedule::Schedule;

/// Says what is due, or checks a schedule.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Count what is due for destruction today, by class, school and year
    Due(Box<Flags>),
    /// Check a schedule, and print its classes and periods
    Check {
        /// The file; the schedule inside the program without one
        file: Option<PathBuf>,
    },
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Due(flags) => due(flags.read()?).await,
        Command::Check { file } => checked(file.as_deref()),
    }
}

async fn due(flags: Flags) -> anyhow::Result<()> {
    let retention = start::retention(&flags.kept()?)?;
    let (url, kind) = flags.database()?;
    let db = start::database(url.reveal(), kind).await?;
    // Nothing is opened and nothing is hashed.
    let codec = Arc::new(ClosedCodec::new([0; 32]));
    let store = start::store(url.reveal(), kind, db, codec).await?.with_retention(retention);
    let today = Clock::system(flags.time_zone()?).today();
    let schools = store.schools_by_name().await?;
    let ids = schools.iter().map(|(id, _)| *id).collect();
    let found = store.due(ids, today).await?;
    for due in &found {
        let name = schools.iter().find(|(id, _)| *id == due.school).map_or("", |(_, name)| name);
        say(format!(
            "{} {}  {name}  {}: {} records of {} pupils",
            due.class, due.term, due.year, due.rows, due.students
        ))?;
    }
    let records: u64 = found.iter().map(|due| due.rows).sum();
    say(format!("{records} records are due"))
}

fn checked(file: Option<&std::path::Path>) -> anyhow::Result<()> {
    let schedule = match file {
        Some(file) => Schedule::read(file).map_err(|faults| {
            anyhow::anyhow!("The retention schedule cannot be used:\n{faults}")
        })?,
        None => Schedule::shipped(),
    };
    for class in &schedule.classes {
        let period = match class.years {
            Some(years) => format!("{years} years"),
            None => "permanent".to_owned(),
        };
        say(format!("{} {}: {period} ({})", class.code, class.term, class.source))?;
    }
    Ok(())
}
