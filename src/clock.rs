//! The only source of *now* and *today*.
//!
//! Instants are UTC with microseconds; a day is one of the deployment's time zone.

use chrono::{DateTime, Datelike, NaiveDate, SubsecRound, Utc};
use chrono_tz::Tz;

/// A clock of one deployment. Tests fix it.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    zone: Tz,
    fixed: Option<DateTime<Utc>>,
}

impl Clock {
    /// The system's clock, read in this time zone.
    pub const fn system(zone: Tz) -> Self {
        Self { zone, fixed: None }
    }

    /// A clock that stands still, for tests and for data that must not change from day to day.
    pub const fn fixed(zone: Tz, at: DateTime<Utc>) -> Self {
        Self { zone, fixed: Some(at) }
    }

    /// The instant, cut to microseconds, which is what both databases keep.
    pub fn now(&self) -> DateTime<Utc> {
        #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the time")]
        let now = self.fixed.unwrap_or_else(Utc::now);
        now.trunc_subsecs(6)
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
