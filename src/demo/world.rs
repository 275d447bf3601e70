//! What all parts of the generator share: the stream of chance, the tables, counters and the way out.

use anyhow::{Context, Result};
use chrono::{DateTime, NaiveDate, NaiveTime, Utc};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use sea_orm::Value;
use uuid::Uuid;

use super::buffer::{Buffer, Sink, row};
use super::calendar::Calendar;
use super::census::Census;
use super::course::Stage;
use super::family::Family;
use super::ids::{Ids, Numbers};
use super::name::Names;
use super::persona::Gathered;
use super::place::Place;
use super::{Sealer, Size};

/// A county with its organisations.
#[derive(Debug)]
pub(super) struct County {
    pub(super) place: Place,
    pub(super) id: Uuid,
    pub(super) city_id: Uuid,
    pub(super) province_id: Uuid,
    /// Aid programmes (资助项目): half and full living subsidy of each stage, then the three steps of the state grant.
    pub(super) programmes: Vec<(Uuid, i64)>,
    /// Families that may have another child at school.
    pub(super) families: Vec<Family>,
    /// Classes of schools already made: where a pupil came from or is a guest.
    pub(super) known: Vec<KnownClass>,
}

/// A class of a school already made.
#[derive(Debug, Clone)]
pub(super) struct KnownClass {
    pub(super) school_id: Uuid,
    pub(super) level_id: Uuid,
    pub(super) stage: Stage,
    pub(super) entry_year: i32,
    /// Class group of each school year of the calendar.
    pub(super) groups: Vec<Option<Uuid>>,
}

/// The generator's state.
pub(super) struct World<'a> {
    pub(super) size: Size,
    pub(super) calendar: Calendar,
    pub(super) school_days: Vec<(NaiveDate, usize)>,
    pub(super) rng: ChaCha8Rng,
    pub(super) ids: Ids,
    pub(super) numbers: Numbers,
    pub(super) names: Names,
    pub(super) census: Census,
    /// Counties of the whole country, for people who came from elsewhere.
    pub(super) places: Vec<Place>,
    pub(super) counties: Vec<County>,
    /// Ids of the courses of each stage.
    pub(super) courses: Vec<Vec<Uuid>>,
    pub(super) personas: Gathered,
    pub(super) counts: Counts,
    pub(super) out: Buffer<'a>,
    seal: &'a dyn Sealer,
    /// The instant at which all rows were written.
    pub(super) written_at: DateTime<Utc>,
}

/// Running numbers of logins and staff, and of what must occur at least once.
#[derive(Debug, Default)]
pub(super) struct Counts {
    pub(super) guardians: usize,
    pub(super) staff: usize,
    pub(super) students: usize,
    pub(super) sanctions: usize,
}

impl<'a> World<'a> {
    pub(super) fn new(
        size: &Size,
        today: NaiveDate,
        seal: &'a dyn Sealer,
        sink: &'a mut dyn Sink,
    ) -> Result<Self> {
        let mut rng = ChaCha8Rng::seed_from_u64(size.seed);
        let mut ids = Ids::default();
        let calendar = Calendar::new(today, || ids.next(&mut rng))?;
        Ok(Self {
            size: size.clone(),
            school_days: calendar.school_days(size.days),
            calendar,
            rng,
            ids,
            numbers: Numbers::default(),
            names: Names::new()?,
            census: Census::new()?,
            places: Vec::new(),
            counties: Vec::new(),
            courses: Vec::new(),
            personas: Gathered::default(),
            counts: Counts::default(),
            out: Buffer::new(sink),
            seal,
            written_at: at(today, 0),
        })
    }

    /// A new id.
    pub(super) fn id(&mut self) -> Uuid {
        self.ids.next(&mut self.rng)
    }

    /// Whether something that happens with this probability happens.
    pub(super) fn chance(&mut self, probability: f64) -> bool {
        self.rng.random_bool(probability)
    }

    /// One of the texts.
    pub(super) fn pick(&mut self, texts: &[&'static str]) -> &'static str {
        if texts.is_empty() { "" } else { texts[self.rng.random_range(0..texts.len())] }
    }

    /// Adds a row that ends with lifecycle, version and time.
    pub(super) fn tracked(&mut self, table: &'static str, mut values: Vec<Value>) -> Result<()> {
        values.extend(row!["live", 1_i64, self.written_at]);
        self.out.add(table, values)
    }

    /// A sealed value.
    pub(super) fn seal(&self, table: &str, column: &str, row: Uuid, bare: &str) -> Result<Vec<u8>> {
        self.seal.seal(table, column, row, bare)
    }

    /// The look-up hash of a value.
    pub(super) fn hash(&self, kind: &str, bare: &str) -> Vec<u8> {
        self.seal.hash(kind, bare).to_vec()
    }

    /// Today.
    pub(super) fn today(&self) -> NaiveDate {
        self.calendar.today
    }

    /// First day of the running school year.
    pub(super) fn year_starts(&self) -> NaiveDate {
        self.calendar.years.last().map_or(self.calendar.today, |year| year.starts_on)
    }

    /// A county by place; asked with a place that exists.
    pub(super) fn county(&self, place: usize) -> Result<&County> {
        self.counties.get(place).context("the demo lost a county")
    }
}

/// An instant on a day, some hours after midnight UTC.
pub(super) fn at(day: NaiveDate, hours: u32) -> DateTime<Utc> {
    day.and_time(NaiveTime::from_hms_opt(hours, 0, 0).unwrap_or_default()).and_utc()
}

/// An integer for a BIGINT column.
pub(super) fn int(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
