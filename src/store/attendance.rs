//! Attendance as an act reads and writes it: a class with its year, its members of a day, the rows
//! of that day. Whether they may be written is decided in the domain.

use std::collections::HashMap;

use chrono::NaiveDate;
use sea_orm::ActiveEnum;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use uuid::Uuid;
use xueji_entity::attendance::AttendanceKind;
use xueji_entity::value::{Guarded, Narrative};

use super::failed;
use super::tx::{Found, NewRow, Tx};
use crate::access::filter::Key;
use crate::access::place::among;
use crate::access::scope::Scope;
use crate::access::shown::Cell;
use crate::error::{Error, Result};

/// What an act may set of a row, in the order of [`Line::cells`].
const COLUMNS: [&str; 5] = ["class_group_id", "day", "kind", "note", "recorded_by_id"];

/// A class with the days of its school year.
#[derive(Clone, Copy, Debug)]
pub struct ClassYear {
    /// The class.
    pub class_group: Uuid,
    /// First day.
    pub starts_on: NaiveDate,
    /// Last day.
    pub ends_on: NaiveDate,
}

/// The attendance of one student on one day, to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The class.
    pub class_group: Uuid,
    /// The day.
    pub day: NaiveDate,
    /// Presence or kind of absence.
    pub kind: AttendanceKind,
    /// Note.
    pub note: Option<Narrative>,
    /// Who records it.
    pub recorded_by: Option<Uuid>,
}

impl Line {
    fn cells(&self) -> Vec<Cell> {
        vec![
            Cell::Key(self.class_group),
            Cell::Date(self.day),
            Cell::Text(self.kind.to_value()),
            self.note.as_ref().map_or(Cell::Null, |note| Cell::Text(note.expose().to_owned())),
            self.recorded_by.map_or(Cell::Null, Cell::Key),
        ]
    }
}

/// A row of a day that is on file.
#[derive(Clone, Debug)]
pub struct OnFile {
    row: Found,
    /// The class.
    pub class_group: Uuid,
    /// Presence or kind of absence.
    pub kind: AttendanceKind,
    /// Note.
    pub note: Option<String>,
}

impl OnFile {
    fn of(row: Found) -> Result<Self> {
        let odd = || Error::internal("an attendance row holds another type");
        let class_group = row.fact("class_group_id")?.key().ok_or_else(odd)?;
        let Cell::Text(kind) = row.fact("kind")? else { return Err(odd()) };
        let kind = AttendanceKind::try_from_value(kind).map_err(failed)?;
        let note = if let Cell::Text(note) = row.fact("note")? { Some(note.clone()) } else { None };
        Ok(Self { row, class_group, kind, note })
    }
}

impl Tx {
    /// The class, within the scope of the act; `NOT_FOUND` otherwise.
    pub async fn class_year(&self, class_group: Option<Key>) -> Result<ClassYear> {
        let odd = || Error::internal("a class has no school year");
        let key = class_group.ok_or_else(|| Error::not_found("ClassGroup"))?;
        let class = self.get("class_group", key, &["school_year_id"]).await?;
        let year = class.fact("school_year_id")?.key().ok_or_else(odd)?;
        // School years are everybody's, whatever the pair that holds the action.
        let scope = Scope::reading(self.caller(), self.noun("school_year")?);
        let years = self
            .found(&scope, &["starts_on", "ends_on"], |t| Expr::col((t, "id")).eq(Expr::val(year)))
            .await?;
        let year = years.first().ok_or_else(odd)?;
        match (year.fact("starts_on")?, year.fact("ends_on")?) {
            (Cell::Date(starts_on), Cell::Date(ends_on)) => {
                let (starts_on, ends_on) = (*starts_on, *ends_on);
                Ok(ClassYear { class_group: class.key().id, starts_on, ends_on })
            }
            _ => Err(odd()),
        }
    }

    /// Those of the students who are members of the class on the day, by student.
    pub async fn members_on(
        &self,
        class_group: Uuid,
        students: &[Uuid],
        day: NaiveDate,
    ) -> Result<HashMap<Uuid, Found>> {
        if students.is_empty() {
            return Ok(HashMap::new());
        }
        let scope = self.scope(self.noun("class_membership")?);
        let backend = self.caller().backend;
        let members = self
            .found(&scope, &[], |t| {
                let col = |name: &'static str| Expr::col((t, name));
                col("class_group_id")
                    .eq(Expr::val(class_group))
                    .and(among(col("student_id"), students, backend))
                    .and(col("since").lte(day))
                    .and(col("until").is_null().or(col("until").gte(day)))
            })
            .await?;
        Ok(members.into_iter().filter_map(|row| Some((row.student()?, row))).collect())
    }

    /// What is on file of the students for the day, by student.
    pub async fn attendance_on(
        &self,
        students: &[Uuid],
        day: NaiveDate,
    ) -> Result<HashMap<Uuid, OnFile>> {
        if students.is_empty() {
            return Ok(HashMap::new());
        }
        let scope = self.scope(self.noun("attendance")?);
        let backend = self.caller().backend;
        let rows = self
            .found(&scope, &COLUMNS, |t| {
                let col = |name: &'static str| Expr::col((t, name));
                among(col("student_id"), students, backend).and(col("day").eq(day))
            })
            .await?;
        rows.into_iter()
            .filter_map(|row| Some((row.student()?, row)))
            .map(|(student, row)| Ok((student, OnFile::of(row)?)))
            .collect()
    }

    /// The member of staff whose account acts.
    pub async fn acting_staff(&self) -> Result<Option<Uuid>> {
        let account = self.caller().account().uuid();
        let mut query = Query::select();
        query
            .expr_as(Expr::col("staff_id"), "c0")
            .from("account")
            .and_where(Expr::col("id").eq(Expr::val(account)));
        match self.select(&query).await?.first() {
            Some(row) => row.try_get_by_index(0).map_err(failed),
            None => Ok(None),
        }
    }

    /// Inserts rows under memberships of their students.
    pub async fn attendance_insert(&mut self, rows: Vec<(&Found, Line)>) -> Result<Vec<Key>> {
        let rows =
            rows.into_iter().map(|(under, line)| NewRow { under, values: line.cells() }).collect();
        self.insert("attendance", &COLUMNS, rows).await
    }

    /// Updates rows on file.
    pub async fn attendance_update(&mut self, rows: Vec<(&OnFile, Line)>) -> Result<Vec<Key>> {
        let rows = rows.into_iter().map(|(on_file, line)| (&on_file.row, line.cells())).collect();
        self.update("attendance", &COLUMNS, rows).await
    }
}
