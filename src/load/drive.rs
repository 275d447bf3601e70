//! Runs one cell: an operation at a number of connections, on every server that answers it.
//!
//! The servers take turns in short slices, forwards and backwards, so that whatever else happens on
//! the machine falls on all of them alike.

use std::time::{Duration, Instant};

use anyhow::Result;
use futures_util::future::{join, join_all};
use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::check::check;
use super::client::Client;
use super::figures::{Tally, counter, per_second};
use super::operation::{Operation, Prepared};
use super::process::{Backends, resident, ticks};
use super::target::Target;

/// One of so many answers is looked at.
const CHECKED: usize = 200;

/// Wait after a broken connection, so that a server that is gone is not asked in a tight loop.
const RECOVERY: Duration = Duration::from_millis(20);

/// How often the memory of a server is read.
const MEMORY_INTERVAL: Duration = Duration::from_millis(100);

/// How long and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    /// Unmeasured time for each server.
    pub(super) warmup: Duration,
    /// Measured time for each server.
    pub(super) time: Duration,
    /// Length of a turn.
    pub(super) slice: Duration,
}

/// A server in a cell, and what it cost.
pub(super) struct Lane<'a> {
    pub(super) target: &'a Target,
    pub(super) tally: Tally,
    /// Time of its turns.
    pub(super) time: Duration,
    /// Requests per second of each turn.
    pub(super) turns: Vec<f64>,
    /// Processor time of the server, in ticks.
    pub(super) server_ticks: Option<u64>,
    /// Processor time of the database, in ticks.
    pub(super) database_ticks: Option<u64>,
    /// Statements run, if the server counts them.
    pub(super) statements: Option<f64>,
    /// Most resident memory seen, in bytes.
    pub(super) memory: Option<u64>,
    prepared: &'a [Prepared],
    workers: Vec<Worker>,
}

struct Worker {
    client: Client,
    random: ChaCha8Rng,
    /// Requests until an answer is looked at.
    until_check: usize,
}

impl<'a> Lane<'a> {
    /// A lane whose every connection draws its own requests; the same seeds give the same draws.
    pub(super) fn new(
        target: &'a Target,
        prepared: &'a [Prepared],
        randoms: Vec<ChaCha8Rng>,
    ) -> Self {
        let workers = randoms.into_iter().enumerate().map(|(at, mut random)| Worker {
            client: Client::default(),
            // The first answer is looked at, the others at places spread by chance.
            until_check: if at == 0 { 0 } else { random.random_range(0..CHECKED) },
            random,
        });
        Self {
            target,
            tally: Tally::default(),
            time: Duration::ZERO,
            turns: Vec::new(),
            server_ticks: None,
            database_ticks: None,
            statements: None,
            memory: None,
            prepared,
            workers: workers.collect(),
        }
    }

    async fn turn(&mut self, operation: Operation, length: Duration) -> (Tally, Duration) {
        let (target, prepared) = (self.target, self.prepared);
        let begun = Instant::now();
        let until = begun + length;
        let work = join_all(
            self.workers.iter_mut().map(|worker| worker.run(operation, target, prepared, until)),
        );
        let (tallies, memory) = join(work, watch_memory(target.pid, until)).await;
        let time = begun.elapsed();
        self.memory = self.memory.max(memory);
        let mut all = Tally::default();
        for tally in tallies {
            all.add(tally);
        }
        (all, time)
    }
}

/// Runs a cell; the lanes then hold its figures.
pub(super) async fn run(
    operation: Operation,
    lanes: &mut [Lane<'_>],
    plan: Plan,
    database: Option<&str>,
) -> Result<()> {
    for lane in lanes.iter_mut() {
        // What goes wrong while warming up goes wrong again, and is counted then; a wrong answer is
        // kept, because the first of all is looked at here.
        let (tally, _) = lane.turn(operation, plan.warmup).await;
        lane.tally.checked = tally.checked;
        lane.tally.wrong = tally.wrong;
    }
    let mut before = Vec::with_capacity(lanes.len());
    for lane in lanes.iter() {
        before.push(statements(lane.target).await);
    }
    let mut backwards = false;
    while lanes.iter().any(|lane| lane.time < plan.time) {
        let mut order: Vec<usize> = (0..lanes.len()).collect();
        if backwards {
            order.reverse();
        }
        backwards = !backwards;
        for at in order {
            let Some(lane) = lanes.get_mut(at) else { continue };
            measured_turn(lane, operation, plan.slice, database).await;
        }
    }
    for (lane, before) in lanes.iter_mut().zip(before) {
        let after = statements(lane.target).await;
        lane.statements = before.zip(after).map(|(before, after)| after - before);
    }
    Ok(())
}

async fn measured_turn(
    lane: &mut Lane<'_>,
    operation: Operation,
    length: Duration,
    database: Option<&str>,
) {
    let server_before = lane.target.pid.and_then(ticks);
    let database_before = database.and_then(Backends::of);
    let (tally, time) = lane.turn(operation, length).await;
    let server_after = lane.target.pid.and_then(ticks);
    let database_after = database.and_then(Backends::of);
    if let Some((before, after)) = server_before.zip(server_after) {
        *lane.server_ticks.get_or_insert(0) += after.saturating_sub(before);
    }
    if let Some((before, after)) = database_before.zip(database_after) {
        *lane.database_ticks.get_or_insert(0) += after.since(&before);
    }
    lane.time += time;
    lane.turns.push(per_second(tally.latencies.len(), time));
    lane.tally.add(tally);
}

impl Worker {
    async fn run(
        &mut self,
        operation: Operation,
        target: &Target,
        prepared: &[Prepared],
        until: Instant,
    ) -> Tally {
        let mut tally = Tally::default();
        while Instant::now() < until && !prepared.is_empty() {
            let Some(request) = prepared.get(self.random.random_range(0..prepared.len())) else {
                continue;
            };
            let look = self.until_check == 0;
            self.until_check = if look { CHECKED - 1 } else { self.until_check - 1 };
            let begun = Instant::now();
            match self.client.post(target, request, look).await {
                Err(_broken) => {
                    tally.errors += 1;
                    tokio::time::sleep(RECOVERY).await;
                }
                Ok(answer) if answer.status != 200 => {
                    *tally.refused.entry(answer.status).or_default() += 1;
                }
                Ok(answer) => {
                    let time = begun.elapsed();
                    tally.latencies.push(u64::try_from(time.as_micros()).unwrap_or(u64::MAX));
                    tally.bytes += answer.length;
                    if let Some(body) = answer.body {
                        tally.checked += 1;
                        if let Err(why) = check(operation, target.kind, &body) {
                            *tally.wrong.entry(why).or_default() += 1;
                        }
                    }
                }
            }
        }
        tally
    }
}

async fn watch_memory(pid: Option<u32>, until: Instant) -> Option<u64> {
    let pid = pid?;
    let mut most = resident(pid);
    while Instant::now() < until {
        tokio::time::sleep(MEMORY_INTERVAL.min(until - Instant::now())).await;
        most = most.max(resident(pid));
    }
    most
}

/// The statements that the server has run since its start, if it counts them.
async fn statements(target: &Target) -> Option<f64> {
    let answer = Client::default().get(target, "/metrics").await.ok()?;
    let page = answer.body.filter(|_| answer.status == 200)?;
    counter(std::str::from_utf8(&page).ok()?, "xueji_statements_total")
}
