//! The figures as a table for people and as JSON.

use std::fmt::Write as _;

use serde::Serialize;

use super::drive::Lane;
use super::figures::{per_second, percentile, quartiles};
use super::operation::Operation;
use super::process::milliseconds;
use super::target::Kind;

/// Everything that one run found.
#[derive(Debug, Default, Serialize)]
pub(super) struct Report {
    /// How it was measured.
    pub(super) setup: Setup,
    pub(super) cells: Vec<Cell>,
    pub(super) ratios: Vec<Ratio>,
}

/// How a run was measured.
#[derive(Debug, Default, Serialize)]
pub(super) struct Setup {
    pub(super) seconds: u64,
    pub(super) warmup: u64,
    pub(super) slice_ms: u64,
    pub(super) seed: u64,
    /// Processors that the run saw.
    pub(super) processors: usize,
}

/// One operation at one number of connections on one server.
#[derive(Debug, Serialize)]
pub(super) struct Cell {
    pub(super) operation: Operation,
    pub(super) connections: usize,
    pub(super) server: Kind,
    /// Answers with status 200.
    pub(super) answers: usize,
    pub(super) refused: std::collections::BTreeMap<u16, u64>,
    pub(super) errors: u64,
    pub(super) checked: u64,
    pub(super) wrong: std::collections::BTreeMap<String, u64>,
    pub(super) seconds: f64,
    pub(super) requests_per_second: f64,
    pub(super) p50_ms: Option<f64>,
    pub(super) p95_ms: Option<f64>,
    pub(super) p99_ms: Option<f64>,
    pub(super) server_cpu_ms_per_request: Option<f64>,
    pub(super) database_cpu_ms_per_request: Option<f64>,
    pub(super) statements_per_request: Option<f64>,
    pub(super) answer_bytes: Option<f64>,
    pub(super) memory_peak_bytes: Option<u64>,
}

/// The server with its policy beside another server, in the same cell.
#[derive(Debug, Serialize)]
pub(super) struct Ratio {
    pub(super) operation: Operation,
    pub(super) connections: usize,
    pub(super) against: Kind,
    /// Requests per second, policy ÷ other.
    pub(super) requests_per_second: f64,
    /// The same for each pair of turns: lower quartile, median, upper quartile.
    pub(super) turns: Option<[f64; 3]>,
    /// Processor time of server and database per request, policy ÷ other.
    pub(super) cpu: Option<f64>,
}

impl Cell {
    /// The figures of a lane.
    pub(super) fn of(operation: Operation, connections: usize, lane: &Lane<'_>) -> Self {
        let tally = &lane.tally;
        let mut latencies = tally.latencies.clone();
        latencies.sort_unstable();
        let at = |per_mille| {
            percentile(&latencies, per_mille).map(|microseconds| microseconds as f64 / 1000.0)
        };
        let answers = latencies.len();
        // Every request costs, the refused ones too.
        let requests = answers as f64 + tally.refused.values().sum::<u64>() as f64;
        let each = |total: f64| (requests > 0.0).then(|| total / requests);
        Self {
            operation,
            connections,
            server: lane.target.kind,
            answers,
            refused: tally.refused.clone(),
            errors: tally.errors,
            checked: tally.checked,
            wrong: tally.wrong.clone(),
            seconds: lane.time.as_secs_f64(),
            requests_per_second: per_second(answers, lane.time),
            p50_ms: at(500),
            p95_ms: at(950),
            p99_ms: at(990),
            server_cpu_ms_per_request: lane.server_ticks.map(milliseconds).and_then(each),
            database_cpu_ms_per_request: lane.database_ticks.map(milliseconds).and_then(each),
            statements_per_request: lane.statements.and_then(each),
            answer_bytes: (answers > 0).then(|| tally.bytes as f64 / answers as f64),
            memory_peak_bytes: lane.memory,
        }
    }

    fn cpu(&self) -> Option<f64> {
        let server = self.server_cpu_ms_per_request?;
        Some(server + self.database_cpu_ms_per_request.unwrap_or_default())
    }

    /// Whether something in the cell went wrong.
    pub(super) fn failed(&self) -> bool {
        !self.wrong.is_empty() || self.answers == 0
    }

    /// What went wrong, as a line below the cell's; none when nothing did.
    pub(super) fn complaint(&self) -> Option<String> {
        let mut parts = Vec::new();
        if self.errors > 0 {
            parts.push(format!("{} broken connections", self.errors));
        }
        parts.extend(
            self.refused.iter().map(|(status, count)| format!("{count} × status {status}")),
        );
        parts.extend(self.wrong.iter().map(|(why, count)| format!("{count} × {why}")));
        (!parts.is_empty()).then(|| format!("    ↑ {}", parts.join("; ")))
    }
}

/// The ratios of a cell: its first lane against each other one.
pub(super) fn ratios(operation: Operation, connections: usize, lanes: &[Lane<'_>]) -> Vec<Ratio> {
    let Some((policy, others)) = lanes.split_first() else { return Vec::new() };
    let own = Cell::of(operation, connections, policy);
    let compare = |lane: &Lane<'_>| {
        let other = Cell::of(operation, connections, lane);
        let pairs = policy.turns.iter().zip(&lane.turns);
        Ratio {
            operation,
            connections,
            against: lane.target.kind,
            requests_per_second: own.requests_per_second / other.requests_per_second,
            turns: quartiles(pairs.map(|(own, other)| own / other).collect()),
            cpu: own.cpu().zip(other.cpu()).map(|(own, other)| own / other),
        }
    };
    others.iter().map(compare).collect()
}

fn figure(value: Option<f64>, places: usize) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.places$}"))
}

/// The head of the table of cells.
pub(super) fn head() -> String {
    format!(
        "{:<19}{:>6} {:<7}{:>9}{:>9}{:>9}{:>9}{:>9}{:>9}{:>7}{:>8}{:>8}{:>8}",
        "operation",
        "conns",
        "server",
        "req/s",
        "p50 ms",
        "p95 ms",
        "p99 ms",
        "cpu ms",
        "db ms",
        "stmts",
        "kB",
        "RSS MB",
        "checked"
    )
}

/// A line of the table of cells.
pub(super) fn line(cell: &Cell) -> String {
    format!(
        "{:<19}{:>6} {:<7}{:>9.1}{:>9}{:>9}{:>9}{:>9}{:>9}{:>7}{:>8}{:>8}{:>8}",
        cell.operation.to_string(),
        cell.connections,
        cell.server.name(),
        cell.requests_per_second,
        figure(cell.p50_ms, 2),
        figure(cell.p95_ms, 2),
        figure(cell.p99_ms, 2),
        figure(cell.server_cpu_ms_per_request, 3),
        figure(cell.database_cpu_ms_per_request, 3),
        figure(cell.statements_per_request, 2),
        figure(cell.answer_bytes.map(|bytes| bytes / 1e3), 1),
        figure(cell.memory_peak_bytes.map(|bytes| bytes as f64 / 1e6), 0),
        cell.checked,
    )
}

/// The table of ratios; empty when nothing was compared.
pub(super) fn ratio_table(ratios: &[Ratio]) -> String {
    let mut table = String::new();
    if ratios.is_empty() {
        return table;
    }
    // Writing into a String cannot fail.
    let _ = write!(
        table,
        "\n{:<19}{:>6} {:<14}{:>8}{:>24}{:>8}",
        "operation", "conns", "policy ÷", "req/s", "turns: q1 median q3", "cpu"
    );
    for ratio in ratios {
        let turns = ratio.turns.map_or_else(
            || "–".to_owned(),
            |[low, middle, high]| format!("{low:.2} {middle:.2} {high:.2}"),
        );
        let _ = write!(
            table,
            "\n{:<19}{:>6} {:<14}{:>8}{:>24}{:>8}",
            ratio.operation.to_string(),
            ratio.connections,
            ratio.against.name(),
            figure(Some(ratio.requests_per_second).filter(|ratio| ratio.is_finite()), 2),
            turns,
            figure(ratio.cpu, 2),
        );
    }
    table
}
