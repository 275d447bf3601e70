//! Inserts and updates: the column check before any SQL, the row, and its history.
//!
//! Rows go together: whatever their number, an insert is two statements (rows and history) and an
//! update is two, as long as they bind fewer than [`BINDS`] values; beyond that each further
//! group of rows takes two more. An update names the version that was read, so that two acts at
//! once cannot both win: the later one is a `CONFLICT`.

use std::fmt::Write as _;

use sea_orm::sea_query::{CaseStatement, Expr, ExprTrait, Query, Value};
use serde_json::{Map, Value as Json, json};
use uuid::Uuid;

use super::facts::field;
use super::{Found, Tx, insert_into, names};
use crate::access::filter::Key;
use crate::access::shown::Cell;
use crate::access::table::Sight;
use crate::access::view::{Hangs, Kind, Noun};
use crate::error::{Error, Result};

/// Values that one statement binds; SQLite's own limit is 32,766.
const BINDS: usize = 8_000;
/// Rows of one update: its condition is a chain, whose length SQLite limits.
const UPDATED: usize = 200;

/// A row to insert under a student.
#[derive(Debug)]
pub struct NewRow<'f> {
    /// The student, or a row of the same student: proof that the student is in scope.
    pub under: &'f Found,
    /// The values, in the order of the columns.
    pub values: Vec<Cell>,
}

/// One change of one row, for its history.
struct Change {
    key: Key,
    student: Uuid,
    before: Option<Map<String, Json>>,
    after: Map<String, Json>,
}

/// A value ready to be stored, with the hash column beside it where there is one.
struct Stored {
    value: Value,
    hash: Option<Value>,
    told: Json,
}

/// The columns of one row that change, and the version that was read.
struct Update {
    key: Key,
    version: i64,
    set: Vec<(usize, Stored)>,
}

impl Tx {
    /// Inserts rows of a noun that hangs from a student, all with the same columns. Refused whole
    /// when a column is not the action's to set.
    pub async fn insert(
        &mut self,
        noun: &'static str,
        columns: &[&'static str],
        rows: Vec<NewRow<'_>>,
    ) -> Result<Vec<Key>> {
        let noun = self.noun(noun)?;
        let fields = self.settable(noun, columns, rows.iter().map(|row| row.under.right))?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        if !noun.shape.hangs.of_student() {
            return Err(Error::internal(format!("{} hangs from no student", noun.shape.name)));
        }
        let mut written = names(&["student_id", "id"]);
        for field in &fields {
            let shape = &noun.shape.fields[*field];
            written.push(shape.name.to_owned());
            if hashed(shape.kind) {
                written.push(format!("{}_hash", shape.name));
            }
        }
        written.extend(names(&["lifecycle", "row_version", "updated_at"]));
        let mut changes = Vec::with_capacity(rows.len());
        let mut values = Vec::with_capacity(rows.len());
        for row in &rows {
            let student = student(row.under)?;
            let key = Key { student: Some(student), id: Uuid::now_v7() };
            let mut after = Map::new();
            let mut bound: Vec<Value> = vec![student.into(), key.id.into()];
            same_length(&fields, &row.values)?;
            for (field, cell) in fields.iter().zip(&row.values) {
                let stored = self.stored(noun, *field, key.id, cell)?;
                after.insert(noun.shape.fields[*field].name.to_owned(), stored.told);
                bound.push(stored.value);
                bound.extend(stored.hash);
            }
            bound.extend([Value::from("live"), Value::from(1_i64), Value::from(self.now)]);
            values.push(bound);
            changes.push(Change { key, student, before: None, after });
        }
        for group in values.chunks((BINDS / written.len()).max(1)) {
            let insert = insert_into(noun.shape.name, written.clone(), group.iter().cloned())?;
            self.execute(&insert).await?;
        }
        let keys: Vec<Key> = changes.iter().map(|change| change.key).collect();
        self.history(noun, changes).await?;
        let touched = self.touch(noun.shape.name)?;
        touched.inserted.extend(&keys);
        touched.columns.extend(columns);
        Ok(keys)
    }

    /// Updates rows that the act has read with these columns. Rows that hold the values already
    /// are left alone; the keys of the others come back. A column that the caller does not see in
    /// full is written whatever it holds: that nothing was done would tell its value. Refused whole
    /// when a column is not the action's to set.
    pub async fn update(
        &mut self,
        noun: &'static str,
        columns: &[&'static str],
        rows: Vec<(&Found, Vec<Cell>)>,
    ) -> Result<Vec<Key>> {
        let noun = self.noun(noun)?;
        let fields = self.settable(noun, columns, rows.iter().map(|(row, _)| row.right))?;
        let mut changes = Vec::with_capacity(rows.len());
        let mut groups: Vec<Update> = Vec::with_capacity(rows.len());
        for (row, values) in &rows {
            if row.noun.index != noun.index {
                return Err(Error::internal("the row is of another noun"));
            }
            same_length(&fields, values)?;
            let sights = self.sights(row);
            let (mut before, mut after) = (Map::new(), Map::new());
            let mut set = Vec::new();
            for (field, cell) in fields.iter().zip(values) {
                let name = noun.shape.fields[*field].name;
                let fact = row.facts.iter().find(|(read, _)| read == field);
                let (_, fact) =
                    fact.ok_or_else(|| Error::internal(format!("the act did not read {name}")))?;
                if sights.sight(*field) == Sight::Full && same(&fact.cell, cell) {
                    continue;
                }
                let stored = self.stored(noun, *field, row.key.id, cell)?;
                before.insert(name.to_owned(), told(&fact.cell, fact.sealed.as_deref()));
                after.insert(name.to_owned(), stored.told.clone());
                set.push((*field, stored));
            }
            if set.is_empty() {
                continue;
            }
            let version = row
                .version
                .ok_or_else(|| Error::internal(format!("{} has no version", noun.shape.name)))?;
            groups.push(Update { key: row.key, version, set });
            changes.push(Change {
                key: row.key,
                student: student(row)?,
                before: Some(before),
                after,
            });
        }
        let keys: Vec<Key> = changes.iter().map(|change| change.key).collect();
        if keys.is_empty() {
            return Ok(keys);
        }
        // In one order everywhere, so that two acts never wait for each other in a circle.
        groups.sort_by_key(|update| update.key);
        for group in groups.chunks(UPDATED) {
            self.update_group(noun, &fields, group).await?;
        }
        let written: Vec<_> = columns
            .iter()
            .copied()
            .filter(|column| changes.iter().any(|change| change.after.contains_key(*column)))
            .collect();
        self.history(noun, changes).await?;
        let touched = self.touch(noun.shape.name)?;
        touched.updated.extend(&keys);
        touched.columns.extend(written);
        Ok(keys)
    }

    /// Sets one column of a row of no student, which carries no version: what was read of the
    /// column stands in for it, so that of two acts at once one is a `CONFLICT`. The history is kept
    /// by student, so the audit line says what the column was and is; it is of no person.
    pub async fn turn(&mut self, row: &Found, column: &'static str, to: Cell) -> Result<()> {
        let noun = row.noun;
        self.settable(noun, &[column], [row.right].into_iter())?;
        let of_student = noun.shape.hangs.of_student() || noun.shape.hangs == Hangs::Student;
        if of_student || noun.shape.lifecycle {
            return Err(Error::internal(format!("{} has a version of its own", noun.shape.name)));
        }
        let shape = &noun.shape.fields[field(noun, column)?];
        if shape.group.personal() {
            return Err(Error::internal(format!("{}.{column} is personal", noun.shape.name)));
        }
        let kind = shape.kind;
        let odd = || Error::internal(format!("{}.{column} is of another type", noun.shape.name));
        let was = bound(kind, row.fact(column)?).ok_or_else(odd)?;
        let is = bound(kind, &to).ok_or_else(odd)?;
        let mut update = Query::update();
        update
            .table(noun.shape.name)
            .value(column, Expr::val(is))
            .and_where(Expr::col("id").eq(Expr::val(row.key.id)))
            .and_where(Expr::col(column).eq(Expr::val(was)));
        if self.execute(&update).await? != 1 {
            return Err(Error::Conflict { what: column.into() });
        }
        let (before, after) = (told(row.fact(column)?, None), told(&to, None));
        let touched = self.touch(noun.shape.name)?;
        touched.updated.push(row.key);
        touched.columns.insert(column);
        touched.turned.push(json!({
            "row": row.key.id.to_string(),
            "before": { column: before },
            "after": { column: after },
        }));
        Ok(())
    }

    /// Refuses, before anything else is looked at, an act that names a column on a row which is
    /// not the action's to set there.
    pub fn may_set(&self, row: &Found, columns: &[&'static str]) -> Result<()> {
        self.settable(row.noun, columns, [row.right].into_iter()).map(|_| ())
    }

    async fn update_group(&self, noun: &Noun, fields: &[usize], rows: &[Update]) -> Result<()> {
        let mut update = Query::update();
        update.table(noun.shape.name);
        for field in fields {
            let name = noun.shape.fields[*field].name;
            let mut case = CaseStatement::new();
            let mut hashes = CaseStatement::new();
            let mut any = false;
            for Update { key, set, .. } in rows {
                let Some((_, stored)) = set.iter().find(|(of, _)| of == field) else { continue };
                any = true;
                let this = || Expr::col("id").eq(Expr::val(key.id));
                case = case.case(this(), Expr::val(stored.value.clone()));
                if let Some(hash) = &stored.hash {
                    hashes = hashes.case(this(), Expr::val(hash.clone()));
                }
            }
            if !any {
                continue;
            }
            update.value(name, Expr::Case(Box::new(case.finally(Expr::col(name)))));
            if hashed(noun.shape.fields[*field].kind) {
                let hash = format!("{name}_hash");
                let case = hashes.finally(Expr::col(hash.clone()));
                update.value(hash, Expr::Case(Box::new(case)));
            }
        }
        update.value("row_version", Expr::col("row_version").add(1_i64));
        update.value("updated_at", Expr::val(self.now));
        let condition = rows
            .iter()
            .map(|Update { key, version, .. }| {
                let this = Expr::col("id")
                    .eq(Expr::val(key.id))
                    .and(Expr::col("row_version").eq(Expr::val(*version)));
                match key.student {
                    Some(student) => Expr::col("student_id").eq(Expr::val(student)).and(this),
                    None => this,
                }
            })
            .reduce(|any, this| any.or(this))
            .unwrap_or_else(crate::access::place::nothing);
        update.and_where(condition);
        if self.execute(&update).await? == rows.len() as u64 {
            Ok(())
        } else {
            Err(Error::Conflict { what: "row_version".into() })
        }
    }

    /// Checks that the action may set every one of the columns on every one of the rows.
    fn settable(
        &self,
        noun: &'static Noun,
        columns: &[&'static str],
        covers: impl Iterator<Item = u64>,
    ) -> Result<Vec<usize>> {
        let fields: Vec<usize> =
            columns.iter().map(|column| field(noun, column)).collect::<Result<_>>()?;
        let mut covers: Vec<u64> = covers.map(|cover| cover & self.bits()).collect();
        covers.sort_unstable();
        covers.dedup();
        let mut refused: Vec<String> = Vec::new();
        for cover in covers {
            let allowed = self.columns(cover);
            for field in &fields {
                let coordinate = noun.coordinate(*field);
                if !allowed.contains(&noun.id(*field)) && !refused.contains(&coordinate) {
                    refused.push(coordinate);
                }
            }
        }
        if refused.is_empty() {
            Ok(fields)
        } else {
            Err(Error::Forbidden { act: self.action.name().into(), columns: refused })
        }
    }

    fn stored(&self, noun: &Noun, field: usize, row: Uuid, cell: &Cell) -> Result<Stored> {
        let shape = &noun.shape.fields[field];
        if let Kind::Sealed { mask, hashed, .. } = shape.kind {
            let codec = &self.store.codec;
            let text = if let Cell::Text(text) = cell.facts() { Some(text) } else { None };
            let sealed = text.map(|text| codec.seal(noun.shape.name, shape.name, row, text));
            let sealed = sealed.transpose()?;
            let hash = text.map(|text| codec.hash(mask.name, text).to_vec());
            return Ok(Stored {
                told: told(cell, sealed.as_deref()),
                value: Value::from(sealed),
                hash: hashed.then(|| Value::from(hash)),
            });
        }
        let value = bound(shape.kind, cell).ok_or_else(|| {
            Error::internal(format!("{}.{} is of another type", noun.shape.name, shape.name))
        })?;
        Ok(Stored { value, hash: None, told: told(cell, None) })
    }

    async fn history(&self, noun: &Noun, changes: Vec<Change>) -> Result<()> {
        let columns = names(&[
            "student_id",
            "id",
            "noun",
            "row_id",
            "action",
            "before",
            "after",
            "account_id",
            "request_id",
            "at",
            "lifecycle",
            "row_version",
            "updated_at",
        ]);
        let json = |map: Map<String, Json>| Json::Object(map).to_string();
        let rows: Vec<Vec<Value>> = changes
            .into_iter()
            .map(|change| {
                vec![
                    change.student.into(),
                    Uuid::now_v7().into(),
                    noun.shape.name.into(),
                    change.key.id.into(),
                    self.action.name().into(),
                    change.before.map(json).into(),
                    Some(json(change.after)).into(),
                    self.caller.account().uuid().into(),
                    self.caller.request_id.as_ref().into(),
                    self.now.into(),
                    "live".into(),
                    1_i64.into(),
                    self.now.into(),
                ]
            })
            .collect();
        for group in rows.chunks(BINDS / columns.len()) {
            let insert = insert_into("history", columns.clone(), group.iter().cloned())?;
            self.execute(&insert).await?;
        }
        Ok(())
    }
}

fn hashed(kind: Kind) -> bool {
    matches!(kind, Kind::Sealed { hashed: true, .. })
}

fn student(row: &Found) -> Result<Uuid> {
    row.student()
        .ok_or_else(|| Error::internal(format!("{} belongs to no student", row.noun.shape.name)))
}

fn same_length(fields: &[usize], values: &[Cell]) -> Result<()> {
    if fields.len() == values.len() {
        Ok(())
    } else {
        Err(Error::internal("as many values as columns are needed"))
    }
}

/// Whether two bare values are equal.
fn same(a: &Cell, b: &Cell) -> bool {
    match (a.facts(), b.facts()) {
        (Cell::Null, Cell::Null) => true,
        (Cell::Text(a), Cell::Text(b)) => a == b,
        (Cell::Int(a), Cell::Int(b)) => a == b,
        (Cell::Bool(a), Cell::Bool(b)) => a == b,
        (Cell::Date(a), Cell::Date(b)) => a == b,
        (Cell::Instant(a), Cell::Instant(b)) => a == b,
        (Cell::Key(a), Cell::Key(b)) => a == b,
        _ => false,
    }
}

/// A bare value as the database takes it, null with the column's type; none when the types differ.
fn bound(kind: Kind, cell: &Cell) -> Option<Value> {
    Some(match (kind, cell.facts()) {
        (Kind::Text(_) | Kind::Code | Kind::Enum(_), Cell::Text(text)) => text.clone().into(),
        (Kind::Text(_) | Kind::Code | Kind::Enum(_), Cell::Null) => None::<String>.into(),
        (Kind::Int | Kind::Thousandths | Kind::Fen, Cell::Int(number)) => (*number).into(),
        (Kind::Int | Kind::Thousandths | Kind::Fen, Cell::Null) => None::<i64>.into(),
        (Kind::Bool, Cell::Bool(truth)) => (*truth).into(),
        (Kind::Bool, Cell::Null) => None::<bool>.into(),
        (Kind::Date, Cell::Date(date)) => (*date).into(),
        (Kind::Date, Cell::Null) => None::<chrono::NaiveDate>.into(),
        (Kind::Instant, Cell::Instant(instant)) => (*instant).into(),
        (Kind::Instant, Cell::Null) => None::<chrono::DateTime<chrono::Utc>>.into(),
        (Kind::Key, Cell::Key(id)) => (*id).into(),
        (Kind::Key, Cell::Null) => None::<Uuid>.into(),
        _ => return None,
    })
}

/// A value as the history tells it; a sealed one stays sealed.
fn told(cell: &Cell, sealed: Option<&[u8]>) -> Json {
    if let Some(sealed) = sealed {
        let mut hex = String::with_capacity(sealed.len() * 2);
        for byte in sealed {
            // Writing into a string cannot fail.
            let _ = write!(hex, "{byte:02x}");
        }
        return Json::String(hex);
    }
    match cell.facts() {
        Cell::Null => Json::Null,
        Cell::Text(text) => Json::String(text.clone()),
        Cell::Int(number) => Json::from(*number),
        Cell::Bool(truth) => Json::Bool(*truth),
        Cell::Date(date) => Json::String(date.to_string()),
        Cell::Instant(instant) => Json::String(instant.to_rfc3339()),
        Cell::Key(id) => Json::String(id.to_string()),
    }
}
