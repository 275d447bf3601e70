//! Attendance (考勤): what counts as present, and how a rate is formed (domain reference §17).

pub mod record;

use std::collections::HashMap;

use chrono::NaiveDate;
use uuid::Uuid;
use xueji_entity::value::Thousandths;

use super::{Cx, students_of};
use crate::access::scope::Scope;
use crate::error::{Error, Result};
use crate::store::read::Rows;

/// Days of one student, by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Present, or away on the school's behalf.
    pub present: i64,
    /// Came late.
    pub late: i64,
    /// Left early.
    pub early_leave: i64,
    /// On sick leave.
    pub sick: i64,
    /// On personal leave.
    pub personal: i64,
    /// Absent without leave.
    pub truant: i64,
}

impl Summary {
    /// Adds days of a kind as stored.
    pub fn add(&mut self, kind: &str, days: i64) {
        match kind {
            "late" => self.late += days,
            "early_leave" => self.early_leave += days,
            "sick_leave" => self.sick += days,
            "personal_leave" => self.personal += days,
            "truant" => self.truant += days,
            // `present`, and `official`, which counts as present.
            _ => self.present += days,
        }
    }

    /// Days on record.
    pub const fn days(&self) -> i64 {
        self.present + self.late + self.early_leave + self.excused() + self.truant
    }

    /// Leave of either kind. They stand together: sick leave alone is health data.
    pub const fn excused(&self) -> i64 {
        self.sick + self.personal
    }

    /// (sessions − excused − truant) ÷ sessions as a percentage with one place, rounded half up.
    pub fn rate(&self) -> Option<Thousandths> {
        let days = self.days();
        (days > 0).then(|| percent(days - self.excused() - self.truant, days))
    }
}

/// A share as a percentage with one place, rounded half up, in thousandths.
pub fn percent(part: i64, whole: i64) -> Thousandths {
    Thousandths((part * 2000 + whole).div_euclid(whole * 2) * 100)
}

/// The attendance of each student in the rows that show it.
pub async fn summaries(
    cx: &Cx,
    rows: &Rows,
    shown: &[bool],
    from: Option<NaiveDate>,
    until: Option<NaiveDate>,
) -> Result<Vec<Option<Summary>>> {
    let noun = cx
        .registry()
        .get("attendance")
        .ok_or_else(|| Error::internal("attendance is not registered"))?;
    let scope = Scope::reading(&cx.caller, noun);
    let students = students_of(rows, shown);
    let mut by_student: HashMap<Uuid, Summary> = HashMap::new();
    for count in cx.store.attendance_days(&scope, &students, from, until).await? {
        by_student.entry(count.student).or_default().add(&count.kind, count.days);
    }
    Ok((0..rows.len())
        .map(|row| {
            shown[row].then(|| by_student.get(&rows.key(row).id).copied().unwrap_or_default())
        })
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn late_counts_as_present_and_leave_does_not() {
        let mut summary = Summary::default();
        for (kind, days) in
            [("present", 15), ("late", 1), ("official", 1), ("sick_leave", 2), ("truant", 1)]
        {
            summary.add(kind, days);
        }
        assert_eq!(summary.days(), 20);
        assert_eq!(summary.rate(), Some(Thousandths(85_000)));
        assert_eq!(Summary::default().rate(), None);
    }

    #[test]
    fn percentages_round_half_up_once() {
        assert_eq!(percent(1, 3), Thousandths(33_300));
        assert_eq!(percent(2, 3), Thousandths(66_700));
        assert_eq!(percent(1, 16), Thousandths(6_300));
        assert_eq!(percent(7, 7), Thousandths(100_000));
    }
}
