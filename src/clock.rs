//! The only source of *now* and *today*.
//!
//! Instants are UTC with microseconds; a day is one of the deployment's time zone.

use std::sync::atomic::{AtomicI64, Ordering};

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, SubsecRound, TimeDelta, Timelike, Utc};
use chrono_tz::Tz;

/// A clock of one deployment. Tests fix it, or move it by hand.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    zone: Tz,
    source: Source,
}

/// Where a clock takes the instant from.
#[derive(Clone, Copy, Debug)]
enum Source {
    System,
    Fixed(DateTime<Utc>),
    /// Microseconds since 1970.
    Moved(&'static AtomicI64),
}

impl Clock {
    /// The system's clock, read in this time zone.
    pub const fn system(zone: Tz) -> Self {
        Self { zone, source: Source::System }
    }

    /// A clock that stands still, for tests and for data that must not change from day to day.
    pub const fn fixed(zone: Tz, at: DateTime<Utc>) -> Self {
        Self { zone, source: Source::Fixed(at) }
    }

    /// A clock whose hand somebody else moves, in microseconds since 1970: for tests of what ends
    /// by itself.
    pub const fn moved(zone: Tz, hand: &'static AtomicI64) -> Self {
        Self { zone, source: Source::Moved(hand) }
    }

    /// The instant, cut to microseconds, which is what both databases keep.
    pub fn now(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
        let now = match self.source {
            Source::System => Utc::now(),
            Source::Fixed(at) => at,
            Source::Moved(hand) => {
                DateTime::from_timestamp_micros(hand.load(Ordering::Relaxed)).unwrap_or_default()
            }
        };
        now.trunc_subsecs(6)
    }

    /// The hour of the day in the deployment's time zone, from 0 to 23.
    pub fn hour(&self) -> u32 {
        self.now().with_timezone(&self.zone).hour()
    }

    /// The day of an instant in the deployment's time zone.
    pub fn day_of(&self, at: DateTime<Utc>) -> NaiveDate {
        at.with_timezone(&self.zone).date_naive()
    }

    /// The instant at which a day is over in the deployment's time zone.
    pub fn end_of(&self, day: NaiveDate) -> DateTime<Utc> {
        let midnight = day.succ_opt().unwrap_or(day).and_time(NaiveTime::MIN);
        // Where clocks are put forward at midnight, the next day begins later.
        let next = (0..4).find_map(|hours| {
            let begin = midnight + TimeDelta::hours(hours);
            begin.and_local_timezone(self.zone).earliest()
        });
        next.map_or_else(|| midnight.and_utc(), |next| next.with_timezone(&Utc))
    }

    /// The day in the deployment's time zone.
    pub fn today(&self) -> NaiveDate {
        self.now().with_timezone(&self.zone).date_naive()
    }
}

/// A day as people write it, `YYYY-MM-DD` in the years 1 to 9999: what both databases order alike.
pub fn parse_day(text: &str) -> Option<NaiveDate> {
    let day: NaiveDate = text.parse().ok()?;
    (text.len() == 10 && (1..=9999).contains(&day.year())).then_some(day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_in_ten_characters() {
        assert!(parse_day("2026-02-28").is_some());
        for wrong in ["2026-2-28", "+12000-01-01", "-0001-01-01", "0000-01-01", "2026-02-30", ""] {
            assert_eq!(parse_day(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_day_begins_at_local_midnight() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let clock = |text| Clock::fixed(chrono_tz::Asia::Shanghai, at(text));
        assert_eq!(clock("2026-08-31T15:59:59Z").today().to_string(), "2026-08-31");
        assert_eq!(clock("2026-08-31T16:00:00Z").today().to_string(), "2026-09-01");
    }
}
