//! `xueji incident report`: which students and columns an account, a client or a grant was shown between two times, as a
//! list for notification (事件影响清单).
//!
//! For the person at the machine, who holds the keys. It is an export: it passes the gate and is on record before its
//! first line is written.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{DateTime, SecondsFormat, Utc};
use clap::{Subcommand, ValueEnum};
use serde_json::json;
use uuid::Uuid;

use super::out::{Out, aside, instant};
use super::{start, stop};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::error::Error;
use crate::graphql::REGISTRY;
use crate::store::Store;
use crate::store::incident::{Exposure, Pupil, Seen, Suspect, about};
use crate::store::keys::envelope::EnvelopeCodec;
use crate::store::keys::master::LocalMaster;

/// Students whose names are read together.
const TOGETHER: usize = 500;

/// Reports what was seen.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// List the students and columns that an account, a client or a grant was shown between two times
    Report(Report),
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Format {
    #[default]
    Csv,
    Json,
}

#[derive(Debug, clap::Args)]
struct Report {
    #[command(flatten)]
    suspect: Whose,
    /// From this instant: 2026-09-01 or 2026-09-01T08:00:00+08:00
    #[arg(long, value_name = "TIME")]
    from: String,
    /// Before this instant
    #[arg(long, value_name = "TIME")]
    to: String,
    /// The file to write, which must not be there yet; standard output when not given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Form of the list
    #[arg(long, default_value = "csv")]
    format: Format,
    /// Name those with custody and their telephone numbers as well
    #[arg(long)]
    contacts: bool,
    #[command(flatten)]
    flags: Box<Flags>,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Whose {
    /// The account with this login
    #[arg(long, value_name = "LOGIN")]
    account: Option<String>,
    /// The account of a program with this login
    #[arg(long, value_name = "LOGIN")]
    client: Option<String>,
    /// One grant, by its key
    #[arg(long, value_name = "ID")]
    grant: Option<Uuid>,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    let Command::Report(report) = args.command;
    let flags = report.flags.clone().read()?;
    let zone = flags.time_zone()?;
    let (from, to) = (instant(&report.from, zone)?, instant(&report.to, zone)?);
    if from >= to {
        bail!("--to must be later than --from.");
    }
    let clock = Clock::system(zone);
    let (url, kind) = flags.database()?;
    let db = start::database(url.reveal(), kind).await?;
    let master = Arc::new(LocalMaster::new(&flags.master_key()?));
    let first = (flags.data_cipher.unwrap_or_default(), clock.now());
    // Nothing is found by its hash here, so that no look-up key is asked for.
    let codec = EnvelopeCodec::open(db.clone(), &REGISTRY, [0; 32], master, first).await;
    let codec = Arc::new(codec.map_err(start::refused)?);
    let store = start::store(url.reveal(), kind, db, codec).await?;
    let suspect = suspect(&store, &report.suspect).await?;
    let mut out = Out::new(report.out.as_deref())?;
    let contacts = if report.contacts { ", with contacts" } else { "" };
    let said = format!("{}{contacts}", about(suspect, from, to));
    let passed = match store.pass_export("incident.report", "", &said, clock.now()).await {
        Ok(passed) => passed,
        Err(error) => {
            out.give_up();
            return Err(refused(error));
        }
    };
    let exposure = store.exposure(suspect, from, to, None).await?;
    if report.format == Format::Csv {
        out.line(HEADS)?;
    }
    let all: Vec<(&Uuid, &Seen)> = exposure.students.iter().collect();
    for some in all.chunks(TOGETHER) {
        let keys: Vec<Uuid> = some.iter().map(|(student, _)| **student).collect();
        let pupils = store.notified(&passed, &keys, report.contacts, clock.today()).await?;
        for (student, seen) in some {
            let line = match report.format {
                Format::Csv => csv(&exposure, **student, seen, &pupils),
                Format::Json => json_of(&exposure, **student, seen, &pupils),
            };
            out.line(&line)?;
        }
    }
    out.end()?;
    let answers: u64 = exposure.students.values().map(|seen| seen.answers).sum();
    aside(format!(
        "{} students, {} columns, {} answers that showed {} times one of them; on record in the audit log",
        exposure.students.len(),
        exposure.all_columns().len(),
        exposure.lines,
        answers
    ));
    Ok(())
}

/// What the gate refuses, as a sentence.
pub(super) fn refused(error: Error) -> anyhow::Error {
    if let Error::Refused { why, .. } = &error {
        return anyhow::anyhow!("{}.", why.en);
    }
    anyhow::Error::new(error)
        .context("It cannot be put on record in the audit log, so nothing is written")
}

async fn suspect(store: &Store, whose: &Whose) -> anyhow::Result<Suspect> {
    if let Some(grant) = whose.grant {
        let account = store.granted_to(grant).await?;
        let account = account.with_context(|| format!("There is no grant {grant}."))?;
        return Ok(Suspect { account, grant: Some(grant) });
    }
    let (login, client) = match (&whose.account, &whose.client) {
        (Some(login), _) => (login, false),
        (None, Some(login)) => (login, true),
        (None, None) => bail!("Name an account, a client or a grant."),
    };
    Ok(Suspect { account: stop::of_login(store, login, client).await?, grant: None })
}

const HEADS: &str = "student_id,name,school,columns,purposes,first_at,last_at,answers,to_be_told";

fn at(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// A cell of a spreadsheet, which is never taken for a formula.
fn cell(text: &str) -> String {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']);
    let guard = if formula { "'" } else { "" };
    format!("\"{guard}{}\"", text.replace('"', "\"\""))
}

fn csv(exposure: &Exposure, student: Uuid, seen: &Seen, pupils: &HashMap<Uuid, Pupil>) -> String {
    let none = Pupil::default();
    let pupil = pupils.get(&student).unwrap_or(&none);
    let told: Vec<String> = pupil
        .guardians
        .iter()
        .map(|guardian| {
            let phone = guardian.phone.as_deref().unwrap_or_default();
            format!("{} {phone}", guardian.name).trim_end().to_owned()
        })
        .collect();
    [
        cell(&student.to_string()),
        cell(&pupil.name),
        cell(pupil.school.as_deref().unwrap_or_default()),
        cell(&exposure.columns(seen).join(" ")),
        cell(&exposure.purposes(seen).join(" ")),
        cell(&at(seen.first)),
        cell(&at(seen.last)),
        seen.answers.to_string(),
        cell(&told.join("; ")),
    ]
    .join(",")
}

fn json_of(
    exposure: &Exposure,
    student: Uuid,
    seen: &Seen,
    pupils: &HashMap<Uuid, Pupil>,
) -> String {
    let pupil = pupils.get(&student);
    let guardians: Vec<_> = pupil
        .into_iter()
        .flat_map(|pupil| &pupil.guardians)
        .map(|guardian| json!({ "name": guardian.name, "phone": guardian.phone }))
        .collect();
    json!({
        "student_id": student,
        "name": pupil.map(|pupil| pupil.name.as_str()),
        "school": pupil.and_then(|pupil| pupil.school.as_deref()),
        "columns": exposure.columns(seen),
        "purposes": exposure.purposes(seen),
        "first_at": at(seen.first),
        "last_at": at(seen.last),
        "answers": seen.answers,
        "to_be_told": guardians,
    })
    .to_string()
}

#[cfg(test)]
mod tests {
    use super::cell;

    #[test]
    fn a_cell_is_no_formula_and_keeps_its_quotes() {
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("@a"), "\"'@a\"");
        assert_eq!(cell("a \"b\", c"), "\"a \"\"b\"\", c\"");
    }
}
