//! `xueji load`: drives running servers with the documents of the three clients and reports what it costs.
//!
//! It is a client like any other: it speaks HTTP, holds tokens, and knows nothing of the database
//! beyond the processor time of its processes. The documents stand in `benches/documents`, what each
//! figure means in `benches/README.md`. Start reading at [`run`].

mod check;
mod client;
mod drive;
mod figures;
mod operation;
mod process;
mod report;
pub mod sample;
mod target;

use std::fmt;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::config::secret::SecretText;
use check::next_page;
use client::Client;
use drive::{Lane, Plan};
pub use operation::Operation;
use operation::Prepared;
use report::{Cell, Report, Setup};
use sample::Sample;
use target::{Kind, Target};

/// Most connections of a cell.
const MOST_CONNECTIONS: usize = 1024;

/// Registrars whose pages are walked before the clock runs, and pages of each.
const WALKED: (usize, usize) = (24, 4);

/// Options of `xueji load`.
#[derive(Clone, clap::Args)]
pub struct LoadArgs {
    /// Address of the server that is measured
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8080")]
    pub url: String,
    /// Who asks for what, as `xueji demo --load-sample FILE` writes it
    #[arg(long, value_name = "FILE")]
    pub sample: PathBuf,
    /// Operations to run
    #[arg(long, value_enum, value_delimiter = ',', default_values_t = Operation::ALL)]
    pub operations: Vec<Operation>,
    /// Numbers of connections to run each with
    #[arg(long, value_name = "N,…", value_delimiter = ',', default_values_t = [1, 16, 64])]
    pub connections: Vec<usize>,
    /// Seconds for each operation, number of connections and server
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub seconds: u64,
    /// Seconds before that which are not counted
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub warmup: u64,
    /// Milliseconds of a turn, when servers are compared
    #[arg(long, value_name = "N", default_value_t = 500)]
    pub slice_ms: u64,
    /// Seed of the draws
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// Process of the server, for its processor time and memory
    #[arg(long, value_name = "PID")]
    pub server_pid: Option<u32>,
    /// Address of the server's database, for its processor time; only a PostgreSQL server on this machine can be watched
    #[arg(long, value_name = "URL", env = "XUEJI_DATABASE_URL", hide_env_values = true)]
    pub database_url: Option<SecretText>,
    /// Address of the hand-written handler of `cargo bench --bench bare`, to compare with
    #[arg(long, value_name = "URL")]
    pub bare_url: Option<String>,
    /// Process of the hand-written handler
    #[arg(long, value_name = "PID", requires = "bare_url")]
    pub bare_pid: Option<u32>,
    /// Address of a second server that runs on `benches/policies-full`, to compare with
    #[arg(long, value_name = "URL")]
    pub full_url: Option<String>,
    /// Process of that second server
    #[arg(long, value_name = "PID", requires = "full_url")]
    pub full_pid: Option<u32>,
    /// File for the figures as JSON
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// The address of the database may hold a password, so it stays out.
impl fmt::Debug for LoadArgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoadArgs")
            .field("url", &self.url)
            .field("sample", &self.sample)
            .field("operations", &self.operations)
            .field("connections", &self.connections)
            .finish_non_exhaustive()
    }
}

/// Runs the benchmark and prints its tables. An answer that is wrong makes it fail at the end.
pub async fn run(args: LoadArgs) -> Result<()> {
    // One thread is enough for the client, and leaves the others to the servers.
    let worker = tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(measure(args))
    });
    worker.await.context("The benchmark stopped.")?
}

async fn measure(args: LoadArgs) -> Result<()> {
    let (targets, sample, plan) = (targets(&args)?, Sample::read(&args.sample)?, plan(&args)?);
    let database = args.database_url.as_ref().and_then(|url| process::local_database(url.reveal()));
    let mut report = Report {
        setup: Setup {
            seconds: args.seconds,
            warmup: args.warmup,
            slice_ms: args.slice_ms,
            seed: args.seed,
            processors: std::thread::available_parallelism().map_or(1, usize::from),
        },
        ..Report::default()
    };
    say(&report::head())?;
    for &operation in &args.operations {
        let mut requests = Vec::new();
        for target in targets.iter().filter(|target| operation.answered_by(target.kind)) {
            let mut prepared = operation.prepare(&sample, target)?;
            if operation == Operation::Page {
                let mut random = ChaCha8Rng::seed_from_u64(args.seed);
                walk(target, &mut prepared, &mut random).await?;
            }
            requests.push((target, prepared));
        }
        for &connections in &args.connections {
            let randoms = randoms(args.seed, connections);
            let mut lanes: Vec<Lane<'_>> = requests
                .iter()
                .map(|(target, prepared)| Lane::new(target, prepared, randoms.clone()))
                .collect();
            drive::run(operation, &mut lanes, plan, database.as_deref()).await?;
            for lane in &lanes {
                let cell = Cell::of(operation, connections, lane);
                say(&report::line(&cell))?;
                if let Some(complaint) = cell.complaint() {
                    say(&complaint)?;
                }
                report.cells.push(cell);
            }
            report.ratios.extend(report::ratios(operation, connections, &lanes));
        }
    }
    say(&report::ratio_table(&report.ratios))?;
    if let Some(path) = &args.out {
        let text = serde_json::to_vec_pretty(&report)?;
        std::fs::write(path, text)
            .with_context(|| format!("The file {} cannot be written.", path.display()))?;
    }
    let failed = report.cells.iter().filter(|cell| cell.failed()).count();
    if failed > 0 {
        bail!(
            "{failed} of {} cells have wrong answers or none; they are listed above.",
            report.cells.len()
        );
    }
    Ok(())
}

fn targets(args: &LoadArgs) -> Result<Vec<Target>> {
    // The order matters: ratios set the first against the others.
    let mut targets = vec![Target::new(Kind::Policy, &args.url, args.server_pid)?];
    if let Some(url) = &args.bare_url {
        targets.push(Target::new(Kind::Bare, url, args.bare_pid)?);
    }
    if let Some(url) = &args.full_url {
        targets.push(Target::new(Kind::Full, url, args.full_pid)?);
    }
    Ok(targets)
}

fn plan(args: &LoadArgs) -> Result<Plan> {
    ensure!(args.seconds > 0 && args.slice_ms > 0, "--seconds and --slice-ms must be at least 1.");
    let fits = |connections: &usize| (1..=MOST_CONNECTIONS).contains(connections);
    ensure!(
        args.connections.iter().all(fits),
        "--connections takes numbers from 1 to {MOST_CONNECTIONS}."
    );
    let time = Duration::from_secs(args.seconds);
    Ok(Plan {
        warmup: Duration::from_secs(args.warmup),
        time,
        slice: Duration::from_millis(args.slice_ms).min(time),
    })
}

/// A source of draws for each connection; every server sees the same draws.
fn randoms(seed: u64, connections: usize) -> Vec<ChaCha8Rng> {
    (0..)
        .take(connections)
        .map(|stream| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            random.set_stream(stream);
            random
        })
        .collect()
}

/// Adds requests for later pages, so that pages are drawn from within lists too.
async fn walk(
    target: &Target,
    prepared: &mut Vec<Prepared>,
    random: &mut ChaCha8Rng,
) -> Result<()> {
    let (lists, pages) = WALKED;
    prepared.shuffle(random);
    prepared.truncate(lists);
    let mut client = Client::default();
    for at in 0..prepared.len() {
        let Some(mut request) = prepared.get(at).cloned() else { continue };
        for _ in 0..pages {
            // A server that does not answer shows in the figures; here it only ends the walk.
            let Ok(answer) = client.post(target, &request, true).await else { return Ok(()) };
            let Some(cursor) = answer.body.as_deref().and_then(next_page) else { break };
            request = request.page_after(&cursor)?;
            prepared.push(request.clone());
        }
    }
    Ok(())
}

/// Writes a line for people.
fn say(line: &str) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}")?;
    out.flush()?;
    Ok(())
}

#[cfg(test)]
mod tests;
