//! The demo registry: invented pupils, families, schools and accounts, the same for the same seed, size and day.
//!
//! [`generate`] streams rows school by school in an order that foreign keys allow and holds only one school at a time;
//! [`load::ensure`] puts them into an empty database and finds them again at the next start. Nobody in it exists:
//! names are put together by chance, telephone, card and e-mail numbers lie in blocks that belong to nobody.
//! Never used outside the command `demo`, the benchmark and tests.

mod account;
mod buffer;
mod calendar;
mod census;
mod course;
mod family;
mod ids;
pub mod load;
mod name;
pub mod persona;
mod place;
mod record;
mod region;
mod school;
mod student;
#[cfg(test)]
mod tests;
mod world;

use anyhow::{Result, ensure};
use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

pub use buffer::{Sink, TABLES};
use persona::Personas;

/// How large the demo is, and its seed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Counties.
    pub counties: usize,
    /// Schools over all counties.
    pub schools: usize,
    /// Classes of each school.
    pub classes: usize,
    /// Students of each class.
    pub students: usize,
    /// Scores of each student, over the exams of two years.
    pub scores: usize,
    /// School days with attendance of each student.
    pub days: usize,
    /// Seed of everything drawn.
    pub seed: u64,
}

impl Default for Size {
    fn default() -> Self {
        Self {
            counties: 2,
            schools: 4,
            classes: 10,
            students: 25,
            scores: 18,
            days: 10,
            seed: 2026,
        }
    }
}

impl Size {
    /// Refuses sizes that cannot be filled.
    pub fn check(&self) -> Result<()> {
        let bounds = [
            ("counties", self.counties, 1, 2_000),
            ("schools", self.schools, 1, 20_000),
            ("classes", self.classes, 1, 200),
            ("students", self.students, 1, 80),
            ("scores", self.scores, 0, 36),
            ("days", self.days, 0, 150),
        ];
        for (name, value, least, most) in bounds {
            ensure!((least..=most).contains(&value), "--{name} must be from {least} to {most}");
        }
        ensure!(
            self.schools >= self.counties,
            "--schools counts all schools: give at least one for each county"
        );
        Ok(())
    }

    /// Students in all.
    pub fn all_students(&self) -> usize {
        self.schools * self.classes * self.students
    }

    /// About how many rows the demo has.
    pub fn expected_rows(&self) -> u64 {
        let each = self.scores + self.days + 21;
        u64::try_from(self.all_students() * each + self.schools * self.classes * 45)
            .unwrap_or(u64::MAX)
    }
}

/// Seals values of the columns that are stored sealed, and makes the hashes they are found by.
pub trait Sealer: Send + Sync {
    /// The sealed form of `bare` in this column of this row.
    fn seal(&self, table: &str, column: &str, row: Uuid, bare: &str) -> Result<Vec<u8>>;
    /// The look-up hash of `bare` among values of this kind (`id_number`, `national_student_number`, `phone`, `email`, `bank_account`).
    fn hash(&self, kind: &str, bare: &str) -> [u8; 32];
}

/// Makes the demo of this size as of `today` and streams its rows into `sink`; `progress` hears the schools done.
///
/// The answer names a person for each role, with the ids of an example that this person can ask for.
pub fn generate(
    size: &Size,
    today: NaiveDate,
    seal: &dyn Sealer,
    sink: &mut impl Sink,
    mut progress: impl FnMut(usize),
) -> Result<Personas> {
    size.check()?;
    let mut world = world::World::new(size, today, seal, sink)?;
    region::build(&mut world)?;
    for index in 0..size.schools {
        school::build(&mut world, index)?;
        world.out.relieve()?;
        progress(index + 1);
    }
    world.out.flush()?;
    world.personas.finish()
}
