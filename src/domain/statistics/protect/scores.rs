//! Scores of a snapshot by any of the keys.
//!
//! Counts have whole errors. A mean has the error of its sum: some parts of the full mark, shared
//! by all. A quantile is read at a rank that is off, at a point drawn between two
//! neighbouring scores, and rounded to half a point: who knows all scores but one would recognise a
//! value that occurs. Rates are ratios
//! of counts with their errors.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use xueji_entity::value::Thousandths;

use super::{Noise, Protection, float, nearest};
use crate::access::scope::Scope;
use crate::domain::Cx;
use crate::domain::attendance::percent;
use crate::domain::statistics::figures::{BANDS, Quantiles, ScoreFigures, at_rank, rank};
use crate::domain::statistics::{Basis, Figures, Group, Key, KeyValue, Narrowing};
use crate::error::Result;
use crate::store::statistics::{Frozen, FrozenScore, Sum};

/// Half a point, in thousandths: quantiles are told in such steps.
const STEP: i64 = 500;

/// The scores of one group.
#[derive(Clone, Debug, Default)]
struct Tally {
    values: BTreeMap<i64, Sum>,
    all: Sum,
    marked: Sum,
    passed: Sum,
    excellent: Sum,
    bands: [Sum; BANDS],
    full_marks: BTreeSet<i64>,
}

impl Tally {
    fn add(&mut self, row: &FrozenScore) {
        let value = self.values.entry(row.value).or_default();
        *value = value.and(row.scores);
        self.all = self.all.and(row.scores);
        let Some((full, pass, excellence)) = row.marks.filter(|(full, _, _)| *full > 0) else {
            return;
        };
        self.marked = self.marked.and(row.scores);
        self.full_marks.insert(full);
        if row.value >= pass {
            self.passed = self.passed.and(row.scores);
        }
        if row.value >= excellence {
            self.excellent = self.excellent.and(row.scores);
        }
        let tenth = usize::try_from(row.value.saturating_mul(10) / full).unwrap_or_default();
        let band = &mut self.bands[tenth.min(BANDS - 1)];
        *band = band.and(row.scores);
    }

    /// The figures; none where they would tell of few, or where all but few have one value.
    /// `students` stand behind the scores, none with more than `most` of them.
    fn figures(&self, students: Sum, most: i64, noise: Noise<'_>) -> Option<ScoreFigures> {
        let most = most.max(1);
        let behind = |scores: i64| (scores + most - 1).div_euclid(most);
        let many = |of: Sum| noise.many(of, behind(of.count));
        let alike = self.values.values().copied().max_by_key(|of| of.count).unwrap_or_default();
        if !many(self.all.without(alike)) {
            return None;
        }
        let (said, count) = (noise.students(students)?, noise.records(self.all, most)?);
        let unmarked = self.all.count - self.marked.count;
        let single = self.full_marks.iter().next().filter(|_| self.full_marks.len() == 1);
        let full_mark = single.filter(|_| unmarked == 0).copied();
        // One student contributes at most so many times the highest mark.
        let highest = self.full_marks.iter().max().copied();
        let highest = highest.max(self.values.keys().next_back().copied()).unwrap_or_default();
        let share = |part: Sum| {
            if !many(part) || !many(self.marked.without(part)) {
                return None;
            }
            let whole = noise.records(self.marked, most)?;
            Some(percent(noise.records(part, most)?.min(whole), whole))
        };
        // Both rates would tell of those between the two marks.
        let between = many(self.passed.without(self.excellent));
        Some(ScoreFigures {
            count,
            students: said,
            mean: Some(self.mean(most * highest, noise)),
            deviation: Some(self.deviation(most, highest, noise)),
            quantiles: self.quantiles(behind, noise),
            full_mark: full_mark.map(Thousandths),
            pass_rate: share(self.passed),
            excellence_rate: if between { share(self.excellent) } else { None },
            bands: self.bands.map(|band| noise.records(band, most)),
        })
    }

    fn sum(&self) -> i64 {
        self.values
            .iter()
            .map(|(value, of)| value.saturating_mul(of.count))
            .fold(0, i64::saturating_add)
    }

    /// The mean with the error of its sum, to one place.
    fn mean(&self, contribution: i64, noise: Noise<'_>) -> Thousandths {
        let count = float(self.all.count);
        let sum = float(self.sum());
        let error = noise.drawn("mean", self.sum(), self.all).fine * float(contribution);
        Thousandths(nearest((sum + error) / count / 100.0).max(0) * 100)
    }

    /// The standard deviation with the error of its variance, to one place. A student moves the
    /// sum of squares by at most a quarter of the square of the highest mark for each score.
    fn deviation(&self, most: i64, highest: i64, noise: Noise<'_>) -> Thousandths {
        let count = float(self.all.count);
        let mean = float(self.sum()) / count;
        let squares: f64 = self
            .values
            .iter()
            .map(|(value, of)| (float(*value) - mean).powi(2) * float(of.count))
            .sum();
        let quarter = (float(highest) / 2.0).powi(2) * float(most);
        let error = noise.drawn("deviation", self.sum(), self.all).fine * quarter;
        let variance = ((squares + error) / count).max(0.0);
        Thousandths(nearest(variance.sqrt() / 100.0) * 100)
    }

    fn quantiles(&self, behind: impl Fn(i64) -> i64, noise: Noise<'_>) -> Quantiles {
        let count = self.all.count;
        let off = noise.drawn("rank", self.sum(), self.all).whole;
        // Few are neither at a rank or below nor above it.
        let far = |rank: i64| {
            noise.many(self.all, behind(rank)) && noise.many(self.all, behind(count - rank))
        };
        let values: BTreeMap<i64, i64> =
            self.values.iter().map(|(value, of)| (*value, of.count)).collect();
        let quantile = |per_cent: i64| {
            let rank = rank(count, per_cent);
            // The error does not move it to few.
            let moved = if far(rank + off) { rank + off } else { rank };
            let (low, high) = far(rank)
                .then(|| at_rank(&values, moved).zip(at_rank(&values, moved + 1)))
                .flatten()?;
            let between =
                noise.drawn(&format!("quantile {per_cent}"), self.sum(), self.all).between;
            let value = low.0 + nearest(float(high.0 - low.0) * between);
            Some(Thousandths((value + STEP / 2).div_euclid(STEP) * STEP))
        };
        Quantiles {
            p10: quantile(10),
            p25: quantile(25),
            median: quantile(50),
            p75: quantile(75),
            p90: quantile(90),
        }
    }
}

/// Published scores of a snapshot by any of the keys; the total is the number of scores.
pub(in crate::domain::statistics) async fn score_statistics(
    cx: &Cx,
    scope: &Scope,
    keys: Vec<Key>,
    only: &[Narrowing],
    protection: Protection,
) -> Result<Figures<ScoreFigures, i64>> {
    let number = protection.snapshot.number;
    let question = Frozen { scope, snapshot: number, keys: &keys, only, parted: &[] };
    let (scores, spreads) = cx.store.frozen_scores(&question).await?;
    let mut tallies: BTreeMap<Vec<KeyValue>, Tally> = BTreeMap::new();
    let mut all = Sum::default();
    for row in &scores {
        all = all.and(row.scores);
        tallies.entry(row.keys.clone()).or_default().add(row);
    }
    let noise = Noise::new(&cx.store, &protection);
    // What one student contributes to all groups is counted anew: an error has to be the same for the
    // same scores, however they are grouped.
    let whole = Frozen { keys: &[], ..question };
    let most = match (keys.is_empty(), spreads.first()) {
        (true, only) => only.map_or(0, |spread| spread.most),
        (false, _) => cx.store.frozen_spread(&whole).await?.first().map_or(0, |all| all.most),
    };
    let behind: HashMap<_, _> =
        spreads.into_iter().map(|spread| (spread.keys, (spread.students, spread.most))).collect();
    let groups: Vec<_> = tallies
        .into_iter()
        .filter_map(|(keys, tally)| {
            let (students, most) = behind.get(&keys).copied().unwrap_or_default();
            let figures = tally.figures(students, most, noise)?;
            Some(Group { span: None, keys, figures })
        })
        .collect();
    let total = noise.records(all, most);
    Figures::new(keys, groups, Basis::Perturbed(protection), total)
}
