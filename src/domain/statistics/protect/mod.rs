//! Figures for those who may not read the rows (promise 12): from the newest snapshot, each with a
//! small error that is fixed by the set of students it stands for.
//!
//! The same set has the same error in whatever question and under whatever role it appears; another
//! set has another. So overlapping questions can be subtracted and nothing follows: a difference is
//! known to within four bounds, and asking again says nothing new. The error has two parts. One is
//! fixed for good, so that nights cannot be averaged. The other is that of the snapshot: without it
//! the figures that change overnight would be those of the sets that do, and name the pupil who moved.
//! Whether a figure is said at all is drawn likewise ([`Noise::many`]): a sharp threshold could be met
//! with pupils whose number one knows, one by one, until the answer appears.
//! The parameters are public and go with every answer; the random numbers never leave.

mod aid;
mod attendance;
mod scores;
mod students;

use chrono::{DateTime, Utc};
use xueji_entity::value::SnapshotId;

use crate::domain::Cx;
use crate::error::{Error, Result, Why};
use crate::store::Store;
use crate::store::statistics::Sum;

pub(super) use aid::aid_coverage;
pub(super) use attendance::attendance_rates;
pub(super) use scores::score_statistics;
pub(super) use students::student_counts;

/// No count is off by more than this: by half of it for good, by half of it in one snapshot.
pub const BOUND: i64 = 12;
/// The standard error of a count.
pub const STANDARD_ERROR: i64 = 2;
/// A sum is off by at most this many of the largest contribution that one student can make.
pub const SUM_BOUND: f64 = 3.25;
/// The standard error of a sum, in largest contributions.
pub const SUM_STANDARD_ERROR: f64 = 0.5;
/// How far the threshold is blurred upwards, in errors of a sum: by nearly 10 students at most, mostly
/// by 4 to 6. A set at the very threshold is said once in many millions.
const BLUR: f64 = 1.5;

/// How often each error from 0 to half of [`BOUND`] is drawn, either way: exp(−e²⁄4), a bell of variance
/// 2 without the ends. An end is drawn once in 30,000, and a difference of two figures needs four
/// of them to say anything for certain.
const WEIGHTS: [u64; 7] =
    [1_000_000_000, 778_800_783, 367_879_441, 105_399_225, 18_315_639, 1_930_454, 123_410];

/// The snapshot that an answer speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taken {
    /// Its id.
    pub id: SnapshotId,
    /// Its number in the store.
    pub number: i64,
    /// Its name, where it has one.
    pub name: Option<String>,
    /// The instant as of which it speaks.
    pub taken_at: DateTime<Utc>,
}

/// The basis of protected figures.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Protection {
    /// The snapshot.
    pub snapshot: Taken,
    /// The fewest students that a figure may stand for.
    pub threshold: i64,
}

/// The newest snapshot; a refusal that says what to do where there is none.
pub(super) async fn newest(cx: &Cx) -> Result<Taken> {
    let found = cx.store.newest_snapshot(&cx.caller).await?.ok_or_else(no_snapshot)?;
    Ok(Taken { id: found.id, number: found.number, name: found.name, taken_at: found.taken_at })
}

/// There is no snapshot yet.
pub(super) fn no_snapshot() -> Error {
    Error::Refused {
        rule: "NO_SNAPSHOT",
        why: Why::new(
            "figures are given from a snapshot, and there is none yet; one is taken every night, or by `xueji snapshot take`",
            "统计数据取自时点数据，目前尚无；系统每夜自动生成，也可运行 `xueji snapshot take`",
        ),
    }
}

/// What is drawn for a set of students.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Drawn {
    /// A whole error.
    whole: i64,
    /// An error between whole ones, a fourth as large.
    fine: f64,
    /// A place between two values, from 0 to below 1.
    between: f64,
}

impl Drawn {
    /// The lasting and the passing part together.
    fn and(self, other: Self) -> Self {
        Self {
            whole: self.whole + other.whole,
            fine: self.fine + other.fine,
            between: (self.between + other.between).fract(),
        }
    }
}

/// Draws the errors of one answer.
#[derive(Clone, Copy)]
pub(super) struct Noise<'s> {
    store: &'s Store,
    threshold: i64,
    snapshot: i64,
}

impl<'s> Noise<'s> {
    pub(super) fn new(store: &'s Store, protection: &Protection) -> Self {
        let Protection { snapshot, threshold } = protection;
        Self { store, threshold: *threshold, snapshot: snapshot.number }
    }

    /// Whether something may be said of a set of students, or of records behind which so many stand.
    ///
    /// Never under the threshold, and above it only by the draw of the set: that a figure is said
    /// does not tell that the threshold is just met, nor does its absence tell that it is not.
    fn many(self, of: Sum, students: i64) -> bool {
        let blur = (self.drawn("many", students, of).fine + SUM_BOUND) * BLUR;
        students >= self.threshold && float(students - self.threshold) >= blur
    }

    /// Whether a share may be said: neither the part nor the rest may be few.
    fn share(self, part: Sum, whole: Sum) -> bool {
        let rest = whole.without(part);
        self.many(part, part.count) && self.many(rest, rest.count)
    }

    /// What is drawn for a set: by the kind of figure, and by the figure itself where the set alone
    /// does not say it. Two sums over the same students must not share an error: their difference
    /// would be exact.
    fn drawn(self, what: &str, fact: i64, of: Sum) -> Drawn {
        let text = format!("{what} {fact} {} {} {}", of.count, of.high, of.low);
        let part = |night: i64| drawn(&self.store.fixed_random("cell", &format!("{night} {text}")));
        part(0).and(part(self.snapshot))
    }

    /// A whole error that grows with what one student contributes. It takes every whole number: in
    /// steps of the contribution it would give away the remainder of the count.
    fn scaled(self, of: Sum, scale: i64) -> i64 {
        nearest(self.drawn("records", scale, of).fine * 4.0 * float(scale))
    }

    /// A count of students with its error; none under the threshold, before the error or after it.
    fn students(self, of: Sum) -> Option<i64> {
        let said = of.count + self.drawn("students", 0, of).whole;
        (self.many(of, of.count) && said >= self.threshold).then_some(said)
    }

    /// A count of records of which one student has at most `most`, with its error; none where few
    /// students stand behind it.
    fn records(self, of: Sum, most: i64) -> Option<i64> {
        let most = most.max(1);
        if most == 1 {
            return self.students(of);
        }
        let said = of.count + self.scaled(of, most);
        let behind = (of.count + most - 1).div_euclid(most);
        (self.many(of, behind) && said >= self.threshold).then_some(said)
    }
}

fn drawn(bytes: &[u8; 32]) -> Drawn {
    let word = |at: usize| {
        let mut word = [0; 8];
        word.copy_from_slice(&bytes[at..at + 8]);
        u64::from_be_bytes(word)
    };
    let all: u64 = WEIGHTS.iter().sum::<u64>() * 2 - WEIGHTS[0];
    // 64 bits over less than 2³²: the bias is under 2⁻³².
    let pick = |word: u64| {
        let mut left = word % all;
        for error in -BOUND / 2..=BOUND / 2 {
            let weight = WEIGHTS[usize::try_from(error.abs()).unwrap_or_default()];
            if left < weight {
                return error;
            }
            left -= weight;
        }
        0
    };
    // Between the steps, so that a sum takes no few values.
    let part = |at: usize| {
        f64::from(u32::try_from(word(at) >> 32).unwrap_or_default()) / f64::from(u32::MAX)
    };
    let steps = i32::try_from(pick(word(8))).unwrap_or_default();
    let fine = (f64::from(steps) + part(16) - 0.5) / 4.0;
    Drawn { whole: pick(word(0)), fine, between: part(24) }
}

/// The nearest whole number. Figures are far below 2⁵³.
#[expect(
    clippy::cast_possible_truncation,
    reason = "a figure with its error is far below 2⁵³, and the cast saturates"
)]
fn nearest(value: f64) -> i64 {
    value.round() as i64
}

/// A whole number as a floating one. Figures are far below 2⁵³.
fn float(value: i64) -> f64 {
    value as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(seed: u64) -> Drawn {
        use sha2::{Digest, Sha256};
        let part = |night: u64| drawn(&Sha256::digest((seed * 2 + night).to_be_bytes()).into());
        part(0).and(part(1))
    }

    #[test]
    fn errors_are_small_bounded_and_even() {
        let all: Vec<Drawn> = (0..200_000).map(of).collect();
        let count = float(i64::try_from(all.len()).unwrap());
        let mean = |of: fn(&Drawn) -> f64| all.iter().map(of).sum::<f64>() / count;
        assert!(all.iter().all(|drawn| drawn.whole.abs() <= BOUND));
        assert!(all.iter().all(|drawn| drawn.fine.abs() <= SUM_BOUND));
        assert!(mean(|drawn| float(drawn.whole)).abs() < 0.02);
        assert!(mean(|drawn| drawn.fine).abs() < 0.01);
        let variance = mean(|drawn| float(drawn.whole * drawn.whole));
        let wanted = float(STANDARD_ERROR * STANDARD_ERROR);
        assert!((variance - wanted).abs() < 0.1, "{variance}");
        let variance = mean(|drawn| drawn.fine * drawn.fine);
        let wanted = SUM_STANDARD_ERROR * SUM_STANDARD_ERROR;
        assert!((variance - wanted).abs() < 0.02, "{variance}");
    }

    #[test]
    fn an_error_is_fixed_by_what_it_is_drawn_from() {
        assert_eq!(of(1), of(1));
        let differ = (0..100).filter(|seed| of(*seed).whole != of(seed + 100).whole).count();
        assert!(differ > 50, "{differ}");
    }
}
