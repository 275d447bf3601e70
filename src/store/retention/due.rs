//! Which rows are due: their period has ended, and nothing keeps them.
//!
//! Rows of a student who is enrolled anywhere, whose record was opened and not reviewed yet, who stands under a hold, or
//! which were excepted, are never due. A row belongs to the school of the last enrolment.

use std::collections::{BTreeMap, HashSet};

use chrono::{Datelike, Months, NaiveDate};
use sea_orm::{ConnectionTrait, Statement, Value};
use uuid::Uuid;

use super::schedule::{Class, Target, Trigger};
use crate::error::{Error, Result};
use crate::store::{Store, failed};

/// A row that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::store) struct Row {
    pub(in crate::store) student: Uuid,
    pub(in crate::store) id: Uuid,
}

/// How much is due of a class at a school, by the year in which the period began.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Due {
    /// The class.
    pub class: String,
    /// Its Chinese term.
    pub term: String,
    /// The school.
    pub school: Uuid,
    /// The year.
    pub year: i32,
    /// How many rows.
    pub rows: u64,
    /// Of how many students.
    pub students: u64,
}

/// The last day on which a period may have begun that has ended today; none for a class that is never due.
pub(in crate::store) fn cutoff(class: &Class, today: NaiveDate) -> Result<Option<NaiveDate>> {
    let Some(years) = class.period() else { return Ok(None) };
    let day = today.checked_sub_months(Months::new(years * 12));
    day.map(Some).ok_or_else(|| Error::internal("a period goes beyond the calendar"))
}

/// Which of the rows that are due.
pub(in crate::store) enum Of {
    /// Those of these schools that no batch has.
    Schools(Vec<Uuid>),
    /// Those that a batch of a school has frozen and not excepted, and that are the school's still.
    Batch(Uuid, Uuid),
}

/// The statement that finds them: `what` is selected, `tail` follows.
fn statement(
    (class, target): (&Class, &Target),
    (cutoff, today): (NaiveDate, NaiveDate),
    of: &Of,
    (what, tail): (&str, &str),
) -> (String, Vec<Value>) {
    let table = target.table;
    let student = if table == "student" { "t.id" } else { "t.student_id" };
    let base = base(class, target);
    let columns = target.told();
    let mut bound: Vec<Value> = vec![cutoff.into(), today.into()];
    let mut sql = format!(
        "SELECT {} FROM {table} t JOIN enrollment g ON g.student_id = {student} \
         WHERE g.lifecycle <> 'deleted' AND g.ended_on IS NOT NULL AND NOT g.live \
         AND NOT EXISTS (SELECT 1 FROM enrollment n WHERE n.student_id = g.student_id AND n.lifecycle <> 'deleted' \
         AND (n.live OR n.ended_on IS NULL OR n.ended_on > g.ended_on OR (n.ended_on = g.ended_on AND n.id > g.id))) \
         AND {base} <= $1 \
         AND NOT EXISTS (SELECT 1 FROM legal_hold h WHERE h.student_id = {student} AND h.released_at IS NULL) \
         AND NOT EXISTS (SELECT 1 FROM access_review r WHERE r.student_id = {student} AND r.state = 'waiting') \
         AND NOT EXISTS (SELECT 1 FROM student q WHERE q.id = {student} AND q.lifecycle = 'restricted') \
         AND NOT EXISTS (SELECT 1 FROM destruction_item k WHERE k.row_id = t.id AND k.noun = '{table}' \
         AND k.columns = '{columns}' AND k.kept AND k.kept_until >= $2)",
        what.replace("{base}", &base).replace("{student}", student),
    );
    if class.trigger == Trigger::Graduated {
        sql.push_str(" AND g.state IN ('graduated', 'completed')");
    }
    if !target.columns.is_empty() {
        let any: Vec<String> =
            target.columns.iter().map(|column| format!("t.{column} IS NOT NULL")).collect();
        sql.push_str(&format!(" AND ({})", any.join(" OR ")));
    }
    match of {
        Of::Schools(schools) => {
            let at: Vec<String> = schools
                .iter()
                .map(|school| {
                    bound.push((*school).into());
                    format!("${}", bound.len())
                })
                .collect();
            let at = if at.is_empty() { "NULL".to_owned() } else { at.join(", ") };
            sql.push_str(&format!(
                " AND g.school_id IN ({at}) AND NOT EXISTS (SELECT 1 FROM destruction_item i \
                 JOIN destruction_batch b ON b.id = i.batch_id WHERE i.row_id = t.id AND i.noun = '{table}' \
                 AND i.columns = '{columns}' AND NOT i.kept AND b.state IN ('proposed', 'approved'))"
            ));
        }
        Of::Batch(batch, school) => {
            bound.push((*batch).into());
            bound.push((*school).into());
            sql.push_str(&format!(
                " AND g.school_id = $4 AND EXISTS (SELECT 1 FROM destruction_item i WHERE i.batch_id = $3 AND i.row_id = t.id \
                 AND i.noun = '{table}' AND i.columns = '{columns}' AND NOT i.kept)"
            ));
        }
    }
    sql.push_str(tail);
    (sql, bound)
}

fn base(class: &Class, target: &Target) -> String {
    match (class.trigger, target.day) {
        (Trigger::Made, Some(day)) => format!("t.{day}"),
        (Trigger::SchoolYear, Some(day)) => format!(
            "(SELECT MAX(y.ends_on) FROM school_year y WHERE y.starts_on <= t.{day} AND y.ends_on >= t.{day})"
        ),
        // The schedule gives the other two to records with a day alone.
        (Trigger::Left | Trigger::Graduated | Trigger::Made | Trigger::SchoolYear, _) => {
            "g.ended_on".to_owned()
        }
    }
}

/// The rows of a target that are due, by student and row; at most so many.
pub(in crate::store) async fn rows<C: ConnectionTrait>(
    db: &C,
    of_class: (&Class, &Target),
    days: (NaiveDate, NaiveDate),
    of: &Of,
    most: usize,
) -> Result<Vec<Row>> {
    let tail = format!(" ORDER BY 1, 2 LIMIT {most}");
    let (sql, bound) = statement(of_class, days, of, ("{student}, t.id", &tail));
    let found = db
        .query_all_raw(Statement::from_sql_and_values(db.get_database_backend(), sql, bound))
        .await
        .map_err(failed)?;
    let row = |row: &sea_orm::QueryResult| {
        Ok(Row {
            student: row.try_get_by_index(0).map_err(failed)?,
            id: row.try_get_by_index(1).map_err(failed)?,
        })
    };
    found.iter().map(row).collect()
}

impl Store {
    /// How much is due at these schools, by class, school and year. It names nobody.
    pub async fn due(&self, schools: Vec<Uuid>, today: NaiveDate) -> Result<Vec<Due>> {
        let mut due = Vec::new();
        let schools = Of::Schools(schools);
        for class in &self.retention.schedule.classes {
            let Some(cutoff) = cutoff(class, today)? else { continue };
            let mut found: BTreeMap<(Uuid, i32), (u64, HashSet<Uuid>)> = BTreeMap::new();
            for target in &class.targets {
                let (sql, bound) = statement(
                    (class, target),
                    (cutoff, today),
                    &schools,
                    ("g.school_id, {base}, {student}, COUNT(*)", " GROUP BY 1, 2, 3"),
                );
                let backend = self.db.get_database_backend();
                let rows = self
                    .db
                    .query_all_raw(Statement::from_sql_and_values(backend, sql, bound))
                    .await
                    .map_err(failed)?;
                for row in rows {
                    let school: Uuid = row.try_get_by_index(0).map_err(failed)?;
                    let began: NaiveDate = row.try_get_by_index(1).map_err(failed)?;
                    let rows: i64 = row.try_get_by_index(3).map_err(failed)?;
                    let (sum, students) = found.entry((school, began.year())).or_default();
                    *sum += u64::try_from(rows).unwrap_or_default();
                    students.insert(row.try_get_by_index(2).map_err(failed)?);
                }
            }
            due.extend(found.into_iter().map(|((school, year), (rows, students))| Due {
                class: class.code.clone(),
                term: class.term.clone(),
                school,
                year,
                rows,
                students: students.len() as u64,
            }));
        }
        Ok(due)
    }
}
