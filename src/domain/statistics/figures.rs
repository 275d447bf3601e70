//! The figures themselves, exact in whole numbers, for those who read the rows.
//!
//! A mean and a deviation are rounded half up once, at the end, to one place. A quantile is by
//! nearest rank: a value that occurs, never one between two. The deviation is that of the whole
//! group (population), not an estimate from a sample. Nothing here knows who asks.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{Datelike, NaiveDate};
use xueji_entity::value::Thousandths;

use crate::domain::attendance::percent;
use crate::domain::score::mean;

/// The bands of a distribution, each a tenth of the full mark.
pub const BANDS: usize = 10;

/// The class size band (班额) as its code of list `BE`.
pub fn class_size_band(size: i64) -> &'static str {
    match size {
        ..=25 => "BE:1",
        26..=35 => "BE:2",
        36..=45 => "BE:3",
        46..=55 => "BE:4",
        56..=65 => "BE:5",
        66.. => "BE:6",
    }
}

/// Quantiles by nearest rank.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Quantiles {
    /// The value that a tenth of the scores do not exceed.
    pub p10: Option<Thousandths>,
    /// A quarter.
    pub p25: Option<Thousandths>,
    /// Half (中位数).
    pub median: Option<Thousandths>,
    /// Three quarters.
    pub p75: Option<Thousandths>,
    /// Nine tenths.
    pub p90: Option<Thousandths>,
}

/// What is said of the scores of one group; null where it would tell of too few.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScoreFigures {
    /// Scores counted.
    pub count: i64,
    /// Distinct students.
    pub students: i64,
    /// Mean, one place.
    pub mean: Option<Thousandths>,
    /// Standard deviation of the group, one place.
    pub deviation: Option<Thousandths>,
    /// Quantiles.
    pub quantiles: Quantiles,
    /// The full mark, when all scores share one.
    pub full_mark: Option<Thousandths>,
    /// Scores at or above the pass mark, in per cent.
    pub pass_rate: Option<Thousandths>,
    /// Scores at or above the excellence mark, in per cent.
    pub excellence_rate: Option<Thousandths>,
    /// Scores in each tenth of the full mark; the last includes the full mark.
    pub bands: [Option<i64>; BANDS],
}

/// The scores of one group by value.
#[derive(Clone, Debug, Default)]
pub struct ScoreTally {
    values: BTreeMap<i64, i64>,
    marked: i64,
    unmarked: i64,
    passed: i64,
    excellent: i64,
    bands: [i64; BANDS],
    full_marks: BTreeSet<i64>,
}

impl ScoreTally {
    /// Adds `count` scores of one value. The marks are full, pass and excellence mark.
    pub fn add(&mut self, value: i64, marks: Option<(i64, i64, i64)>, count: i64) {
        *self.values.entry(value).or_default() += count;
        let Some((full, pass, excellence)) = marks.filter(|(full, _, _)| *full > 0) else {
            self.unmarked += count;
            return;
        };
        self.marked += count;
        self.full_marks.insert(full);
        if value >= pass {
            self.passed += count;
        }
        if value >= excellence {
            self.excellent += count;
        }
        let tenth = usize::try_from(value.saturating_mul(10) / full).unwrap_or_default();
        self.bands[tenth.min(BANDS - 1)] += count;
    }

    /// The figures of so many students; none without scores.
    pub fn figures(&self, students: i64) -> Option<ScoreFigures> {
        let count: i64 = self.values.values().sum();
        if count == 0 {
            return None;
        }
        let sum: i128 =
            self.values.iter().map(|(value, n)| i128::from(*value) * i128::from(*n)).sum();
        let quantile = |per_cent: i64| at_rank(&self.values, rank(count, per_cent));
        let share = |part: i64| (self.marked > 0).then(|| percent(part, self.marked));
        let single = self.full_marks.iter().next().filter(|_| self.full_marks.len() == 1);
        Some(ScoreFigures {
            count,
            students,
            mean: i64::try_from(sum).ok().and_then(|sum| mean(sum, count)),
            deviation: deviation(&self.values),
            quantiles: Quantiles {
                p10: quantile(10),
                p25: quantile(25),
                median: quantile(50),
                p75: quantile(75),
                p90: quantile(90),
            },
            full_mark: single.filter(|_| self.unmarked == 0).map(|full| Thousandths(*full)),
            pass_rate: share(self.passed),
            excellence_rate: share(self.excellent),
            bands: self.bands.map(Some),
        })
    }
}

/// The nearest rank of a quantile, from 1.
pub(super) fn rank(count: i64, per_cent: i64) -> i64 {
    ((count * per_cent + 99) / 100).max(1)
}

pub(super) fn at_rank(values: &BTreeMap<i64, i64>, rank: i64) -> Option<Thousandths> {
    let mut seen = 0;
    values.iter().find_map(|(value, count)| {
        seen += count;
        (seen >= rank).then_some(Thousandths(*value))
    })
}

/// The standard deviation of the whole group, rounded half up to one place, in thousandths.
pub fn deviation(values: &BTreeMap<i64, i64>) -> Option<Thousandths> {
    let (mut count, mut sum, mut squares) = (0_u128, 0_i128, 0_i128);
    for (value, n) in values {
        let (value, n) = (i128::from(*value), i128::from(*n));
        count += n.unsigned_abs();
        sum += value * n;
        squares += value * value * n;
    }
    if count == 0 {
        return None;
    }
    // σ·count is the root of this whole number.
    let spread = (squares * i128::try_from(count).ok()? - sum * sum).unsigned_abs();
    // The greatest k for which (2k − 1)·50·count is not above the root: σ to the nearest hundred
    // thousandths, a half going up, without a fraction anywhere.
    let halves = spread.isqrt() / (50 * count);
    i64::try_from(halves.div_ceil(2)).ok().map(|tenths| Thousandths(tenths * 100))
}

/// The length of a period of attendance.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Period {
    /// One day.
    Day,
    /// A week of ISO 8601, Monday to Sunday.
    Week,
    /// A month of the calendar.
    Month,
}

/// One period, ordered by its first day.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// The first day.
    pub since: NaiveDate,
    /// The last day.
    pub until: NaiveDate,
    /// `2026-09-07`, `2026-W37` or `2026-09`.
    pub label: String,
}

impl Period {
    /// The period that a day lies in.
    pub fn of(self, day: NaiveDate) -> Span {
        match self {
            Self::Day => Span { since: day, until: day, label: day.to_string() },
            Self::Week => {
                let week = day.week(chrono::Weekday::Mon);
                let iso = day.iso_week();
                Span {
                    since: week.checked_first_day().unwrap_or(day),
                    until: week.checked_last_day().unwrap_or(day),
                    label: format!("{}-W{:02}", iso.year(), iso.week()),
                }
            }
            Self::Month => {
                let last = day.num_days_in_month();
                Span {
                    since: day.with_day(1).unwrap_or(day),
                    until: day.with_day(u32::from(last)).unwrap_or(day),
                    label: day.format("%Y-%m").to_string(),
                }
            }
        }
    }
}

/// Attendance of one group in one period.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AttendanceTally {
    days: i64,
    excused: i64,
    truant: i64,
}

/// What is said of the attendance of a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AttendanceFigures {
    /// Student days on record.
    pub days: i64,
    /// Of these, at school, late or away on its behalf.
    pub present: i64,
    /// Of these, on leave of either kind.
    pub excused: i64,
    /// Of these, absent without leave.
    pub truant: i64,
    /// (days − excused − truant) ÷ days, in per cent with one place.
    pub rate: Thousandths,
}

impl AttendanceTally {
    /// Adds one day of `students`, each with one record.
    pub fn add(&mut self, students: i64, excused: i64, truant: i64) {
        self.days += students;
        self.excused += excused;
        self.truant += truant;
    }

    /// The figures; none without a day on record.
    pub fn figures(&self) -> Option<AttendanceFigures> {
        let present = self.days - self.excused - self.truant;
        (self.days > 0).then(|| AttendanceFigures {
            days: self.days,
            present,
            excused: self.excused,
            truant: self.truant,
            rate: percent(present, self.days),
        })
    }
}

#[cfg(test)]
#[path = "figures_tests.rs"]
mod tests;
