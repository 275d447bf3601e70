//! School years, terms, exam days and school days up to the reference day.

use anyhow::{Context, Result};
use chrono::{Datelike, Days, NaiveDate, Weekday};
use uuid::Uuid;

/// A school year from 1 September to 31 August.
#[derive(Debug, Clone)]
pub(super) struct Year {
    pub(super) id: Uuid,
    pub(super) start: i32,
    pub(super) starts_on: NaiveDate,
    pub(super) ends_on: NaiveDate,
}

/// A term of a school year.
#[derive(Debug, Clone)]
pub(super) struct Term {
    pub(super) id: Uuid,
    pub(super) year: usize,
    pub(super) autumn: bool,
    pub(super) starts_on: NaiveDate,
    pub(super) ends_on: NaiveDate,
}

/// An occasion for an exam.
#[derive(Debug, Clone)]
pub(super) struct Occasion {
    pub(super) term: usize,
    pub(super) kind: &'static str,
    pub(super) name: &'static str,
    pub(super) on: NaiveDate,
}

/// The first exam of a term, and the first to be left out.
const FIRST_MONTHLY: &str = "第一次月考";

/// The calendar of the demo.
#[derive(Debug)]
pub(super) struct Calendar {
    pub(super) today: NaiveDate,
    pub(super) years: Vec<Year>,
    pub(super) terms: Vec<Term>,
}

/// A day that the calendar surely has.
pub(super) fn day(year: i32, month: u32, day: u32) -> Result<NaiveDate> {
    NaiveDate::from_ymd_opt(year, month, day)
        .with_context(|| format!("no such day: {year}-{month}-{day}"))
}

/// The day `count` days later.
pub(super) fn later(from: NaiveDate, count: u64) -> NaiveDate {
    from.checked_add_days(Days::new(count)).unwrap_or(from)
}

/// The day `count` days before.
pub(super) fn earlier(from: NaiveDate, count: u64) -> NaiveDate {
    from.checked_sub_days(Days::new(count)).unwrap_or(from)
}

/// First calendar year of the school year that holds a day.
pub(super) fn school_year_of(on: NaiveDate) -> i32 {
    if on.month() >= 9 { on.year() } else { on.year() - 1 }
}

impl Calendar {
    /// The school years that touch the two years before `today`; `id` gives each its key.
    pub(super) fn new(today: NaiveDate, mut id: impl FnMut() -> Uuid) -> Result<Self> {
        let (mut years, mut terms) = (Vec::new(), Vec::new());
        for start in school_year_of(earlier(today, 730))..=school_year_of(today) {
            let year = years.len();
            years.push(Year {
                id: id(),
                start,
                starts_on: day(start, 9, 1)?,
                ends_on: day(start + 1, 8, 31)?,
            });
            terms.push(Term {
                id: id(),
                year,
                autumn: true,
                starts_on: day(start, 9, 1)?,
                ends_on: day(start + 1, 1, 25)?,
            });
            terms.push(Term {
                id: id(),
                year,
                autumn: false,
                starts_on: day(start + 1, 2, 16)?,
                ends_on: day(start + 1, 7, 10)?,
            });
        }
        Ok(Self { today, years, terms })
    }

    /// Place of the running school year: the last.
    pub(super) fn current(&self) -> usize {
        self.years.len().saturating_sub(1)
    }

    /// The terms that have begun, the newest first.
    pub(super) fn begun(&self) -> impl Iterator<Item = &Term> {
        self.terms.iter().rev().filter(|term| term.starts_on <= self.today)
    }

    /// When a cohort can have sat exams in the last two years, the most useful first: those of the running school year,
    /// then finals, midterms and monthly ones, so that few exams span both years; each part from the newest.
    pub(super) fn occasions(&self, entry_year: i32) -> Vec<Occasion> {
        let mut occasions = Vec::new();
        for (place, term) in self.terms.iter().enumerate() {
            let first = term.autumn && self.years[term.year].start == entry_year;
            let mut add = |kind, name, on| {
                if self.years[term.year].start >= entry_year
                    && on <= self.today
                    && on >= earlier(self.today, 730)
                {
                    occasions.push(Occasion { term: place, kind, name, on });
                }
            };
            if first {
                add("entrance", "入学测试", later(term.starts_on, 1));
            }
            add("monthly", FIRST_MONTHLY, later(term.starts_on, 28));
            add("monthly", "第二次月考", later(term.starts_on, 49));
            add("midterm", "期中考试", later(term.starts_on, 70));
            add("final_exam", "期末考试", earlier(term.ends_on, 7));
        }
        let newest = self.current();
        occasions.sort_by_key(|occasion| {
            let running = self.terms[occasion.term].year == newest;
            let rank = match (occasion.name, occasion.kind) {
                (FIRST_MONTHLY, _) => 3,
                _ if running => 0,
                (_, "final_exam" | "entrance") => 1,
                (_, "midterm") => 2,
                _ => 3,
            };
            (rank, std::cmp::Reverse(occasion.on))
        });
        occasions
    }

    /// The last `count` school days up to today, the oldest first, each with its school year.
    pub(super) fn school_days(&self, count: usize) -> Vec<(NaiveDate, usize)> {
        let mut days = Vec::with_capacity(count);
        let first = self.years.first().map_or(self.today, |year| year.starts_on);
        let mut on = self.today;
        while days.len() < count && on > first {
            let weekend = matches!(on.weekday(), Weekday::Sat | Weekday::Sun);
            let holiday = (on.month() == 10 && on.day() <= 7)
                || (on.month() == 5 && on.day() <= 5)
                || (on.month() == 1 && on.day() == 1);
            let term = self.terms.iter().find(|term| term.starts_on <= on && on <= term.ends_on);
            if let (false, false, Some(term)) = (weekend, holiday, term) {
                days.push((on, term.year));
            }
            on = earlier(on, 1);
        }
        days.reverse();
        days
    }
}
