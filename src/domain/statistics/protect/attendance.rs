//! Attendance of a snapshot by period and any of the keys.
//!
//! The errors are those of student days: they grow with the root of the number of days, so that a
//! month is told more closely than its days one by one.

use std::collections::BTreeMap;

use chrono::NaiveDate;
use xueji_entity::value::Thousandths;

use super::{Noise, Protection};
use crate::access::scope::Scope;
use crate::domain::Cx;
use crate::domain::attendance::percent;
use crate::domain::statistics::figures::{AttendanceFigures, Period, Span};
use crate::domain::statistics::{Attended, Basis, Figures, Group, Key, KeyValue, Narrowing};
use crate::error::Result;
use crate::store::statistics::{Frozen, FrozenDay, Sum};

#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    all: Sum,
    excused: Sum,
    truant: Sum,
    days: i64,
}

impl Tally {
    fn add(&mut self, day: &FrozenDay) {
        self.all = self.all.and(day.students);
        self.excused = self.excused.and(day.excused);
        self.truant = self.truant.and(day.truant);
        self.days += 1;
    }

    /// Whether so many student days, of any kind, belong to enough students: a student has one
    /// record a day.
    fn enough(&self, of: Sum, noise: Noise<'_>) -> bool {
        noise.many(of, (of.count + self.days - 1).div_euclid(self.days.max(1)))
    }

    fn days_of(&self, of: Sum, noise: Noise<'_>) -> i64 {
        let root = self.days.max(1).isqrt();
        let scale = if root * root < self.days { root + 1 } else { root };
        (of.count + noise.scaled(of, scale)).max(0)
    }

    /// The figures; none where few were present or few were absent. The kinds only where neither
    /// leave nor truancy is that of few.
    fn figures(&self, noise: Noise<'_>) -> Option<(AttendanceFigures, bool)> {
        let absent = self.excused.and(self.truant);
        let present = self.all.without(absent);
        if self.days == 0 || !self.enough(present, noise) || !self.enough(absent, noise) {
            return None;
        }
        let days = self.days_of(self.all, noise);
        let away = self.days_of(absent, noise);
        if days < noise.threshold {
            return None;
        }
        let figures = AttendanceFigures {
            days,
            present: self.days_of(present, noise),
            excused: self.days_of(self.excused, noise),
            truant: self.days_of(self.truant, noise),
            rate: if days > away { percent(days - away, days) } else { Thousandths(0) },
        };
        Some((figures, self.enough(self.excused, noise) && self.enough(self.truant, noise)))
    }
}

/// Attendance by period and any of the keys; the total is of student days.
pub(in crate::domain::statistics) async fn attendance_rates(
    cx: &Cx,
    scope: &Scope,
    (period, keys, by_kind): (Period, Vec<Key>, bool),
    (from, until): (NaiveDate, NaiveDate),
    only: &[Narrowing],
    protection: Protection,
) -> Result<Figures<Attended, i64>> {
    let number = protection.snapshot.number;
    let question = Frozen { scope, snapshot: number, keys: &keys, only, parted: &[] };
    let mut tallies: BTreeMap<(Span, Vec<KeyValue>), Tally> = BTreeMap::new();
    let mut all = Tally::default();
    let mut days = std::collections::BTreeSet::new();
    for row in &cx.store.frozen_days(&question, from, until).await? {
        tallies.entry((period.of(row.day), row.keys.clone())).or_default().add(row);
        all.add(row);
        days.insert(row.day);
    }
    all.days = i64::try_from(days.len()).unwrap_or(i64::MAX);
    let noise = Noise::new(&cx.store, &protection);
    let groups = tallies
        .into_iter()
        .filter_map(|((span, keys), tally)| {
            let (figures, tells_kinds) = tally.figures(noise)?;
            let by_kind = by_kind && tells_kinds;
            Some(Group { span: Some(span), keys, figures: Attended { figures, by_kind } })
        })
        .collect();
    let total = all.figures(noise).map(|(figures, _)| figures.days);
    Figures::new(keys, groups, Basis::Perturbed(protection), total)
}
