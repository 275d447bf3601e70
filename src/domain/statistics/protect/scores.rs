//! Scores of a snapshot by any of the keys.
//!
//! Counts have whole errors. A mean has the error of its sum: some parts of the full mark, shared
//! by all. A quantile is read at a rank that is off, and rounded to half a point. Rates are ratios
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
    values: BTreeMap<i64, i64>,
    all: Sum,
    marked: Sum,
    passed: Sum,
    excellent: Sum,
    bands: [Sum; BANDS],
    full_marks: BTreeSet<i64>,
}

impl Tally {
    fn add(&mut self, row: &FrozenScore) {
        *self.values.entry(row.value).or_default() += row.scores.count;
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
        let scores = self.all.count;
        let alike = self.values.values().copied().max().unwrap_or_default();
        if !noise.enough(behind(scores - alike)) {
            return None;
        }
        let (said, count) = (noise.students(students)?, noise.records(self.all, most)?);
        let unmarked = scores - self.marked.count;
        let single = self.full_marks.iter().next().filter(|_| self.full_marks.len() == 1);
        let full_mark = single.filter(|_| unmarked == 0).copied();
        // One student contributes at most so many times the highest mark.
        let highest = self.full_marks.iter().max().copied();
        let highest = highest.max(self.values.keys().next_back().copied()).unwrap_or_default();
        let between = self.passed.count - self.excellent.count;
        let share = |part: Sum| {
            let told = noise.share(behind(part.count), behind(self.marked.count))
                && noise.enough(behind(self.marked.count - part.count))
                && (between == 0 || noise.enough(behind(between)));
            if !told {
                return None;
            }
            let whole = noise.records(self.marked, most)?;
            Some(percent(noise.records(part, most)?.min(whole), whole))
        };
        Some(ScoreFigures {
            count,
            students: said,
            mean: Some(self.mean(most * highest, noise)),
            deviation: Some(self.deviation(most, highest, noise)),
            quantiles: self.quantiles(behind, noise),
            full_mark: full_mark.map(Thousandths),
            pass_rate: share(self.passed),
            excellence_rate: share(self.excellent),
            bands: self.bands.map(|band| noise.records(band, most)),
        })
    }

    fn sum(&self) -> i64 {
        self.values.iter().map(|(value, n)| value.saturating_mul(*n)).fold(0, i64::saturating_add)
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
        let squares: f64 =
            self.values.iter().map(|(value, n)| (float(*value) - mean).powi(2) * float(*n)).sum();
        let quarter = (float(highest) / 2.0).powi(2) * float(most);
        let error = noise.drawn("deviation", self.sum(), self.all).fine * quarter;
        let variance = ((squares + error) / count).max(0.0);
        Thousandths(nearest(variance.sqrt() / 100.0) * 100)
    }

    fn quantiles(&self, behind: impl Fn(i64) -> i64, noise: Noise<'_>) -> Quantiles {
        let count = self.all.count;
        let off = noise.drawn("rank", self.sum(), self.all).whole;
        let quantile = |per_cent: i64| {
            let rank = rank(count, per_cent);
            let far =
                |rank: i64| noise.enough(behind(rank)) && noise.enough(behind(count - rank + 1));
            // Few are neither below nor above, and the error does not move it to them.
            let moved = if far(rank + off) { rank + off } else { rank };
            let value = far(rank).then(|| at_rank(&self.values, moved))??;
            Some(Thousandths((value.0 + STEP / 2).div_euclid(STEP) * STEP))
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
