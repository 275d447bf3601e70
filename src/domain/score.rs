//! Scores (成绩): totals and means, exact until the last step (domain reference §16).

use std::collections::HashMap;

use uuid::Uuid;
use xueji_entity::value::Thousandths;

use super::{Cx, students_of};
use crate::access::filter::Key;
use crate::access::scope::Scope;
use crate::error::{Error, Result};
use crate::store::read::Rows;
use crate::store::tally::{CourseClass, ScoreSum};

/// The sum of one student's scores of one examination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Total {
    /// The sum.
    pub value: Thousandths,
    /// Courses that count, missed ones included.
    pub courses: i64,
    /// Courses missed, which count 0.
    pub absent: i64,
    /// Courses deferred or exempt, which are left out.
    pub incomplete: i64,
}

impl From<ScoreSum> for Total {
    fn from(sum: ScoreSum) -> Self {
        Self {
            value: Thousandths(sum.sum),
            courses: sum.counted + sum.absent,
            absent: sum.absent,
            incomplete: sum.open,
        }
    }
}

/// A mean rounded half up to one place, once, at the end; in thousandths.
pub fn mean(sum: i64, count: i64) -> Option<Thousandths> {
    (count > 0).then(|| Thousandths((sum * 2 + count * 100).div_euclid(count * 200) * 100))
}

/// The total of each student in the rows that show it, over ordinary sittings; none where nothing
/// is on file.
pub async fn totals(
    cx: &Cx,
    rows: &Rows,
    shown: &[bool],
    exam: Option<Key>,
) -> Result<Vec<Option<Total>>> {
    let Some(exam) = exam else { return Ok(vec![None; rows.len()]) };
    let scope = score_scope(cx)?;
    let students = students_of(rows, shown);
    let by_student: HashMap<Uuid, Total> = cx
        .store
        .score_sums(&scope, &students, exam.id)
        .await?
        .into_iter()
        .map(|sum| (sum.student, sum.into()))
        .collect();
    Ok((0..rows.len())
        .map(|row| shown[row].then(|| by_student.get(&rows.key(row).id).copied()).flatten())
        .collect())
}

/// The mean of the class in the course and examination of each score row that shows it, over
/// ordinary sittings; none under the threshold, and none where all scores are alike.
pub async fn course_means(
    cx: &Cx,
    rows: &Rows,
    shown: &[bool],
) -> Result<Vec<Option<Thousandths>>> {
    let of: Vec<Option<CourseClass>> = (0..rows.len())
        .map(|row| {
            if !shown[row] {
                return None;
            }
            Some(CourseClass {
                exam: rows.reference(row, "exam_id")?,
                course: rows.reference(row, "course_id")?,
                class_group: rows.reference(row, "class_group_id")?,
            })
        })
        .collect();
    let wanted: Vec<_> = of.iter().flatten().copied().collect();
    if wanted.is_empty() {
        return Ok(vec![None; rows.len()]);
    }
    let threshold = cx.caller.session.policy.disclosure_control.threshold;
    let means: HashMap<CourseClass, Thousandths> = cx
        .store
        .class_sums(&score_scope(cx)?, &wanted)
        .await?
        .into_iter()
        .filter(|sum| sum.students >= threshold && sum.differ)
        .filter_map(|sum| Some((sum.class, mean(sum.sum, sum.scores)?)))
        .collect();
    Ok(of.into_iter().map(|class| means.get(&class?).copied()).collect())
}

fn score_scope(cx: &Cx) -> Result<Scope> {
    let noun =
        cx.registry().get("score").ok_or_else(|| Error::internal("score is not registered"))?;
    Ok(Scope::reading(&cx.caller, noun))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mean_is_exact_until_the_end() {
        assert_eq!(mean(95_500 + 88_000 + 70_250, 3), Some(Thousandths(84_600)));
        assert_eq!(mean(50, 1), Some(Thousandths(100)));
        assert_eq!(mean(49, 1), Some(Thousandths(0)));
        assert_eq!(mean(0, 0), None);
    }
}
