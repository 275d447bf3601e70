//! `xueji accounts`: accounts in bulk from a spreadsheet.
//!
//! Codes go into a file of the operator's choice, which only its owner may read, and nowhere else.

mod sheet;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use chrono::{DateTime, Days, Utc};
use clap::{Subcommand, ValueEnum};

use super::{say, start};
use crate::clock::Clock;
use crate::config::flags::Flags;
use crate::domain::account::import::{self, Plan, Sheet};
use crate::store::codec::ClosedCodec;
use crate::store::importing::Importing;
use crate::store::keys::logs::LogKeys;
use crate::store::keys::master::LocalMaster;

/// Makes accounts in bulk.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make accounts for the staff of a school, or for the guardians of a class, from a spreadsheet (CSV or XLSX)
    ///
    /// Columns of staff: staff_number (工号), name (姓名), login (登录名, optional). Columns of guardians:
    /// student_number (学籍号) or number_in_class (班内学号), guardian_name (监护人姓名), phone (手机号, optional),
    /// login (optional). A login that is not given is made.
    Import(Box<Import>),
}

#[derive(Debug, clap::Args)]
struct Import {
    /// The spreadsheet: CSV in UTF-8 or GB 18030, or XLSX
    file: PathBuf,
    /// Whose accounts
    #[arg(long, value_enum)]
    kind: Kind,
    /// The code of the school (学校标识码)
    #[arg(long, value_name = "CODE")]
    school: String,
    /// The name of the class in this school year, for guardians
    #[arg(long, value_name = "NAME", required_if_eq("kind", "guardian"))]
    class: Option<String>,
    /// Check the file and write nothing
    #[arg(long)]
    dry_run: bool,
    /// New file for the logins and activation codes, which only its owner may read
    #[arg(long, value_name = "FILE", required_unless_present = "dry_run")]
    out: Option<PathBuf>,
    /// What becomes of a file with errors: nothing is written, or its other rows are
    #[arg(long, value_enum, default_value_t = OnError::Stop)]
    on_error: OnError,
    #[command(flatten)]
    flags: Flags,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    Staff,
    Guardian,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum OnError {
    Stop,
    Skip,
}

pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    match args.command {
        Command::Import(import) => run_import(*import).await,
    }
}

async fn run_import(args: Import) -> anyhow::Result<()> {
    let Import { file, kind, school, class, dry_run, out, on_error, flags } = args;
    let flags = flags.read()?;
    let sheet = sheet::read(&file)?;
    let days = flags.accounts()?.activation_days;
    let importing = begin(&flags).await?;
    let now = importing.now();
    let expires_at = now.checked_add_days(Days::new(u64::from(days))).unwrap_or(now);
    let plan = plan(&importing, kind, &school, class.as_deref(), &sheet).await?;
    for ignored in &plan.ignored {
        say(format!("column {ignored:?} is ignored / 忽略此列"))?;
    }
    for problem in &plan.problems {
        let column = problem.column.map(|column| format!(", {column}")).unwrap_or_default();
        let (row, code) = (problem.row, problem.code);
        say(format!("row {row}{column}: {code}: {} / {}", problem.why.en, problem.why.zh))?;
    }
    let (made, wrong) = (plan.made.len(), plan.problems.len());
    if wrong > 0 && (on_error == OnError::Stop || made == 0) {
        bail!(
            "nothing was written: {wrong} errors in {} rows / 未写入任何内容：{} 行中有 {wrong} 处错误",
            sheet.rows.len(),
            sheet.rows.len()
        );
    }
    if dry_run {
        return say(format!(
            "dry run: {made} accounts would be made, {wrong} errors; nothing was written"
        ));
    }
    let out = out.context("A file for the codes must be named with --out")?;
    let new = NewFile::create(&out)?;
    plan.write(&importing, expires_at, |written| tracing::info!(written, "accounts written"))
        .await
        .context("The accounts cannot be written")?;
    new.fill(&plan, expires_at)?;
    importing.commit().await.context("The accounts cannot be written")?;
    new.keep();
    say(format!(
        "{made} accounts made, {wrong} errors; logins and codes are in {}: hand them out and destroy the file",
        out.display()
    ))
}

/// Begins the import in the database that the settings name.
async fn begin(flags: &Flags) -> anyhow::Result<Importing> {
    let master = LocalMaster::new(&flags.master_key()?);
    let lookup = flags.lookup_key()?;
    let (url, kind) = flags.database()?;
    let db = start::database(url.reveal(), kind).await?;
    let keys = LogKeys::open(&db, &master).await.map_err(start::refused)?;
    let keys =
        keys.context("There are no keys of the logs yet: the first `xueji serve` makes them")?;
    let codec = ClosedCodec::new(*lookup.bytes()).with_log_keys(keys);
    let store = start::store(url.reveal(), kind, db, Arc::new(codec)).await?;
    let clock = Clock::system(flags.time_zone()?);
    Ok(store.import(clock.now(), clock.today()).await?)
}

async fn plan(
    importing: &Importing,
    kind: Kind,
    school: &str,
    class: Option<&str>,
    sheet: &Sheet,
) -> anyhow::Result<Plan> {
    let Some(school) = importing.school(school).await? else {
        bail!("There is no school with the code {school:?}.");
    };
    match (kind, class) {
        (Kind::Staff, _) => Ok(import::staff(importing, school, sheet).await?),
        (Kind::Guardian, Some(name)) => match importing.classes(school, name).await?.as_slice() {
            [class] => Ok(import::guardians(importing, *class, sheet).await?),
            [] => bail!("The school has no class {name:?} in this school year."),
            _ => bail!("The school has several classes {name:?} in this school year."),
        },
        (Kind::Guardian, None) => bail!("Name the class of the guardians with --class."),
    }
}

/// The file with the codes; it goes again unless it is kept.
struct NewFile<'p> {
    path: &'p Path,
    file: std::fs::File,
    kept: bool,
}

impl<'p> NewFile<'p> {
    /// Makes a file that only its owner may read; never over an existing one.
    fn create(path: &'p Path) -> anyhow::Result<Self> {
        let mut options = std::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).with_context(|| {
            format!("The file for the codes, {}, cannot be made anew", path.display())
        })?;
        Ok(Self { path, file, kept: false })
    }

    /// Writes the codes, durably.
    fn fill(&self, plan: &Plan, expires_at: DateTime<Utc>) -> anyhow::Result<()> {
        let mut table = csv::Writer::from_writer(Vec::new());
        table.write_record(["row", "login", "name", "activation_code", "expires_at"])?;
        let until = expires_at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
        for planned in &plan.made {
            let rows: Vec<String> = planned.rows.iter().map(u64::to_string).collect();
            table.write_record([
                rows.join(" ").as_str(),
                &planned.login,
                &planned.given,
                planned.code.reveal(),
                &until,
            ])?;
        }
        // Programs for spreadsheets know UTF-8 by its mark.
        let bytes = [b"\xef\xbb\xbf".as_slice(), &table.into_inner()?].concat();
        (&self.file).write_all(&bytes).context("The codes cannot be written")?;
        self.file.sync_all().context("The codes cannot be written")
    }

    fn keep(mut self) {
        self.kept = true;
    }
}

impl Drop for NewFile<'_> {
    fn drop(&mut self) {
        if !self.kept {
            // Nothing that was committed has a code in it.
            let _gone = std::fs::remove_file(self.path);
        }
    }
}
