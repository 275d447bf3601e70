//! Recomputes codes, chain and heads of both logs, and names what does not fit; servers may run meanwhile.
//!
//! Whoever holds the database alone has no key: a line that was changed or made up has no code that fits, and a chain
//! that was computed anew is not that of the signed heads. What was cut off together with its heads is known from
//! the file outside alone. Reads in pages and keeps of the log nothing but the heads of that file.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Order, Query, SelectStatement};
use sea_orm::{ConnectionTrait, DatabaseConnection};
use uuid::Uuid;

use super::line::{Kept, Log};
use super::part::parts;
use super::report::{Count, Finding, Report, What, Where};
use super::{BEGINNING, Head, chained, heads, last_head, outside, tip};
use crate::error::{Error, Result};
use crate::store::keys::logs::LogKeys;
use crate::store::{Store, failed};

/// Rows of one page.
const PAGE: u64 = 1_000;
/// A line that is so much older than the newest head and has no seal was put in later: an act takes less from its
/// time to its commit, and a committed line waits a second.
const LATE: TimeDelta = TimeDelta::seconds(60);
/// How long, and how often, the first head of a log is waited for.
const SIGN: Duration = Duration::from_millis(200);
const SIGNING: u32 = 15;
/// Most lines that are named as not yet sealed.
const NAMED: usize = 1_000;

impl Store {
    /// Verifies both logs, against the file outside where one is named.
    pub async fn verify_logs(&self, file: Option<&Path>) -> Result<Report> {
        let keys = self.log_keys()?;
        let mut report = Report::default();
        // Before the database: what the file holds now is in the database already.
        let mut kept: BTreeMap<Log, Vec<Head>> = BTreeMap::new();
        if let Some(file) = file {
            let read = outside::read(file);
            let (heads, odd) = read.map_err(|error| Error::Internal(error.into()))?;
            for number in odd {
                report.findings.push(Finding { log: None, what: What::NoHead { number } });
            }
            for head in heads {
                kept.entry(head.log).or_default().push(head);
            }
        }
        for log in Log::ALL {
            let audit = Audit {
                db: self.log_db(log),
                log,
                keys: &keys,
                report: &mut report,
                count: Count::of(log),
                outside: BTreeMap::new(),
                end: 0,
                before: 0,
            };
            audit.run(kept.remove(&log).unwrap_or_default()).await?;
        }
        Ok(report)
    }
}

/// The verification of one log.
struct Audit<'a> {
    db: &'a DatabaseConnection,
    log: Log,
    keys: &'a LogKeys,
    report: &'a mut Report,
    count: Count,
    /// Heads of the file by position: their hashes.
    outside: BTreeMap<i64, Vec<u8>>,
    /// The last position that was looked at.
    end: i64,
    /// Lines from before logs were sealed, as the heads say.
    before: i64,
}

impl Audit<'_> {
    async fn run(mut self, kept: Vec<Head>) -> Result<()> {
        self.outside_heads(kept);
        let (newest, begun) = self.founded().await?;
        let first = heads(self.db, self.log, -1, Order::Asc, 1).await?.pop();
        let holds = |head: &Head| head.holds(self.keys);
        if let Some(head) = first.filter(holds).or_else(|| newest.clone().filter(holds)) {
            self.before = Ord::max(self.before, head.before);
        }
        let signed_at = newest.as_ref().map(|head| head.signed_at);
        let mut hash = self.gone().await?;
        // A head that is later than the seals read so far may be one of seals that came meanwhile.
        let mut more = begun;
        while more {
            hash = self.seals(hash).await?;
            more = self.beyond().await?;
        }
        self.beyond_outside();
        if begun && newest.is_none() {
            self.found(What::Headless);
        }
        self.unsealed(signed_at).await?;
        self.vanished().await?;
        self.report.counts.push(self.count);
        Ok(())
    }

    /// The parts that were dropped: each signed, each after the one before and old enough, and nothing left of them. The
    /// hash from which the chain goes on.
    async fn gone(&mut self) -> Result<Vec<u8>> {
        let mut hash = BEGINNING.to_vec();
        let parts = parts(self.db, self.log).await?;
        if parts.is_empty() {
            self.check(0, &BEGINNING, -1).await?;
        }
        for part in parts {
            let position = part.position;
            if !part.signed(self.keys) {
                self.found(What::FalsePart { position });
                continue;
            }
            if !part.holds(self.keys, self.end) {
                self.found(What::EarlyPart { position });
            }
            // What the file outside says of its end is what the record must say.
            if self.outside.get(&position).is_some_and(|outside| *outside != part.hash) {
                self.found(What::Rewritten { position, stands: Where::Outside });
            }
            self.count.dropped += u64::try_from(part.lines).unwrap_or_default();
            self.end = position;
            hash = part.hash;
        }
        if self.end > 0 && self.left(self.end).await? {
            self.found(What::Left { position: self.end });
        }
        Ok(hash)
    }

    /// Whether a seal or a head stands in what was dropped.
    async fn left(&self, until: i64) -> Result<bool> {
        for table in ["seal", "seal_head"] {
            let mut query = Query::select();
            query
                .expr_as(Expr::col("position"), "c0")
                .from(table)
                .and_where(Expr::col("log").eq(self.log.table()))
                .and_where(Expr::col("position").lte(until))
                .limit(1);
            if self.db.query_one(&query).await.map_err(failed)?.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn found(&mut self, what: What) {
        self.report.findings.push(Finding { log: Some(self.log), what });
    }

    /// Takes over the heads of the file whose signatures hold.
    fn outside_heads(&mut self, kept: Vec<Head>) {
        for head in kept {
            self.count.outside += 1;
            let position = head.position;
            if head.holds(self.keys) {
                self.before = Ord::max(self.before, head.before);
                let other = self.outside.insert(position, head.hash.clone());
                if other.is_some_and(|other| other != head.hash) {
                    self.found(What::Rewritten { position, stands: Where::Outside });
                }
            } else {
                self.found(What::Unsigned { position, stands: Where::Outside });
            }
        }
    }

    /// Looks at all seals after the last one that was looked at, with their lines and heads; the last hash.
    async fn seals(&mut self, mut hash: Vec<u8>) -> Result<Vec<u8>> {
        loop {
            let rows = self.db.query_all(&self.page()).await.map_err(failed)?;
            let mut hashes = BTreeMap::new();
            let begun = self.end;
            for row in &rows {
                let position: i64 = row.try_get_by_index(0).map_err(failed)?;
                let line: Uuid = row.try_get_by_index(1).map_err(failed)?;
                let stands: Vec<u8> = row.try_get_by_index(2).map_err(failed)?;
                if position != self.end + 1 {
                    self.found(What::Gap { from: self.end + 1, to: position - 1 });
                }
                self.count.sealed += 1;
                match Kept::read(self.log, row, 3) {
                    Ok(Some(kept)) => self.line(position, &kept, &hash, &stands),
                    Ok(None) => self.found(What::Missing { line, position }),
                    // A value of another type than the column's, which a SQLite file takes.
                    Err(_other_type) => self.found(What::Changed { line, position }),
                }
                self.end = position;
                hash.clone_from(&stands);
                hashes.insert(position, stands);
            }
            self.page_heads(begun, &hashes).await?;
            if (rows.len() as u64) < PAGE {
                return Ok(hash);
            }
        }
    }

    fn line(&mut self, position: i64, kept: &Kept, before: &[u8], stands: &[u8]) {
        let line = kept.id;
        self.count.lines += 1;
        if kept.code.is_none() {
            self.count.before += 1;
            if position > self.before {
                self.found(What::Uncoded { line, position });
            }
        } else if !kept.fits(self.keys) {
            self.found(What::Changed { line, position });
        }
        if chained(before, self.log, position, &kept.link()).as_slice() != stands {
            // A line without a code is held by the chain alone.
            let what = if kept.code.is_none() {
                What::Changed { line, position }
            } else {
                What::Reordered { line, position }
            };
            self.found(what);
        }
    }

    fn page(&self) -> SelectStatement {
        let mut query = Query::select();
        for (at, column) in ["position", "line_id", "hash"].into_iter().enumerate() {
            query.expr_as(Expr::col(("s", column)), format!("c{at}"));
        }
        columns_of(&mut query, self.log, 3);
        query
            .from_as("seal", "s")
            .join_as(
                JoinType::LeftJoin,
                self.log.table(),
                "l",
                Expr::col(("l", "id")).equals(("s", "line_id")),
            )
            .and_where(Expr::col(("s", "log")).eq(self.log.table()))
            .and_where(Expr::col(("s", "position")).gt(self.end))
            .order_by(("s", "position"), Order::Asc)
            .limit(PAGE);
        query
    }

    /// The heads of the positions of a page, those in the database and those of the file.
    async fn page_heads(&mut self, begun: i64, hashes: &BTreeMap<i64, Vec<u8>>) -> Result<()> {
        let Some(last) = hashes.keys().last().copied() else { return Ok(()) };
        let known = self.heads_until(begun, last, hashes).await?;
        let outside: Vec<_> =
            self.outside.range(begun + 1..=last).map(|(at, hash)| (*at, hash.clone())).collect();
        for (position, hash) in outside {
            self.against_outside(position, &hash, hashes.get(&position), &known);
        }
        Ok(())
    }

    /// The heads at nought, before the first seal.
    async fn check(&mut self, position: i64, hash: &[u8], after: i64) -> Result<()> {
        let hashes = BTreeMap::from([(position, hash.to_vec())]);
        let known = self.heads_until(after, position, &hashes).await?;
        if let Some(outside) = self.outside.get(&position).cloned() {
            self.against_outside(position, &outside, hashes.get(&position), &known);
        }
        Ok(())
    }

    fn against_outside(
        &mut self,
        position: i64,
        hash: &[u8],
        seal: Option<&Vec<u8>>,
        known: &BTreeSet<i64>,
    ) {
        if seal.is_none_or(|seal| seal != hash) {
            self.found(What::Rewritten { position, stands: Where::Outside });
        }
        if !known.contains(&position) {
            self.found(What::HeadGone { position });
        }
    }

    /// Looks at the heads in the database up to a position; their positions.
    async fn heads_until(
        &mut self,
        mut after: i64,
        last: i64,
        hashes: &BTreeMap<i64, Vec<u8>>,
    ) -> Result<BTreeSet<i64>> {
        let mut known = BTreeSet::new();
        loop {
            let heads = heads(self.db, self.log, after, Order::Asc, PAGE).await?;
            let full = heads.len() as u64 == PAGE;
            for head in heads {
                let position = head.position;
                if position > last {
                    return Ok(known);
                }
                after = position;
                known.insert(position);
                self.count.heads += 1;
                if !head.holds(self.keys) {
                    self.found(What::Unsigned { position, stands: Where::Database });
                } else if head.before != self.before || hashes.get(&position) != Some(&head.hash) {
                    self.found(What::Rewritten { position, stands: Where::Database });
                }
            }
            if !full {
                return Ok(known);
            }
        }
    }

    /// Heads beyond the last seal; true when more seals have come and are to be looked at first.
    async fn beyond(&mut self) -> Result<bool> {
        let beyond = last_head(self.db, self.log).await?.filter(|head| head.position > self.end);
        if beyond.is_some() && !self.db.query_all(&self.page()).await.map_err(failed)?.is_empty() {
            return Ok(true);
        }
        let end = self.end;
        if let Some(head) = beyond {
            let what = if head.holds(self.keys) {
                What::CutOff { head: head.position, end, stands: Where::Database }
            } else {
                What::Unsigned { position: head.position, stands: Where::Database }
            };
            self.found(what);
        }
        Ok(false)
    }

    /// The last head of the file, beyond the last seal.
    fn beyond_outside(&mut self) {
        let end = self.end;
        if let Some((head, _)) = self.outside.last_key_value()
            && *head > end
        {
            let what = What::CutOff { head: *head, end, stands: Where::Outside };
            self.found(what);
        }
    }

    /// The newest head, and whether anything is sealed. A server may have sealed its first lines and be about to sign:
    /// it is waited for.
    async fn founded(&self) -> Result<(Option<Head>, bool)> {
        for _ in 0..SIGNING {
            let newest = last_head(self.db, self.log).await?;
            if newest.is_some() || tip(self.db, self.log).await?.0 == 0 {
                let begun = newest.is_some();
                return Ok((newest, begun));
            }
            tokio::time::sleep(SIGN).await;
        }
        Ok((last_head(self.db, self.log).await?, true))
    }

    /// Lines without a seal: those of the last second, and those that somebody put in.
    async fn unsealed(&mut self, signed_at: Option<DateTime<Utc>>) -> Result<()> {
        let mut after: Option<Uuid> = None;
        loop {
            let mut query = Query::select();
            columns_of(&mut query, self.log, 0);
            query
                .from_as(self.log.table(), "l")
                .join_as(
                    JoinType::LeftJoin,
                    "seal",
                    "s",
                    Expr::col(("s", "line_id"))
                        .equals(("l", "id"))
                        .and(Expr::col(("s", "log")).eq(self.log.table())),
                )
                .and_where(Expr::col(("s", "line_id")).is_null());
            if let Some(after) = after {
                query.and_where(Expr::col(("l", "id")).gt(Expr::val(after)));
            }
            query.order_by(("l", "id"), Order::Asc).limit(PAGE);
            let rows = self.db.query_all(&query).await.map_err(failed)?;
            for row in &rows {
                let Some(kept) = Kept::read(self.log, row, 0)? else { continue };
                after = Some(kept.id);
                self.count.lines += 1;
                self.count.unsealed += 1;
                let late = signed_at.is_some_and(|signed_at| kept.at < signed_at - LATE);
                let coded = kept.code.is_some();
                // Before the first head a line without a code is one of before logs were sealed.
                let odd = if coded { !kept.fits(self.keys) } else { signed_at.is_some() };
                if odd || late {
                    self.found(What::Inserted { line: kept.id });
                    continue;
                }
                self.count.before += u64::from(!coded);
                if self.report.waiting.iter().filter(|(log, _)| *log == self.log).count() < NAMED {
                    self.report.waiting.push((self.log, kept.id));
                }
            }
            if (rows.len() as u64) < PAGE {
                return Ok(());
            }
        }
    }

    /// Lines that wait for their seal and are not there.
    async fn vanished(&mut self) -> Result<()> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("w", "line_id")), "c0")
            .from_as("seal_waiting", "w")
            .join_as(
                JoinType::LeftJoin,
                self.log.table(),
                "l",
                Expr::col(("l", "id")).equals(("w", "line_id")),
            )
            .and_where(Expr::col(("w", "log")).eq(self.log.table()))
            .and_where(Expr::col(("l", "id")).is_null());
        for row in self.db.query_all(&query).await.map_err(failed)? {
            let line = row.try_get_by_index(0).map_err(failed)?;
            self.found(What::Vanished { line });
        }
        Ok(())
    }
}

fn columns_of(query: &mut SelectStatement, log: Log, from: usize) {
    for (at, column) in Kept::columns(log).into_iter().enumerate() {
        query.expr_as(Expr::col(("l", column)), format!("c{}", from + at));
    }
}
