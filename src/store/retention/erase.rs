//! Takes rows, or columns of rows, out of a database with all that hangs from them: rows below, history, unique values,
//! answers kept for repetitions, events that were delivered, frozen facts. Audit and disclosure lines stay: they hold ids.

use std::collections::{BTreeSet, HashSet};

use chrono::{DateTime, Utc};
use sea_orm::{ConnectionTrait, DatabaseTransaction, Statement, Value};
use serde_json::{Map, Value as Json};
use uuid::Uuid;

use super::due::Row;
use crate::error::Result;
use crate::store::{failed, snapshot};

/// Rows of one statement.
const CHUNK: usize = 400;
/// Rows below a row, which go before it: table, table below, its reference.
const BELOW: &[(&str, &str, &str)] = &[
    ("guardian", "guardianship", "guardian_id"),
    ("archive", "archive_item", "archive_id"),
    ("enrollment", "class_membership", "enrollment_id"),
];
/// Columns with a look-up hash beside them, among those that may be emptied.
const HASHED: &[(&str, &str)] = &[
    ("student", "phone"),
    ("student", "email"),
    ("aid_grant", "bank_account"),
    ("guardian", "phone"),
    ("guardian", "id_number"),
];

async fn run(db: &DatabaseTransaction, sql: String, bound: Vec<Value>) -> Result<u64> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, bound);
    Ok(db.execute_raw(statement).await.map_err(failed)?.rows_affected())
}

async fn all(
    db: &DatabaseTransaction,
    sql: String,
    bound: Vec<Value>,
) -> Result<Vec<sea_orm::QueryResult>> {
    let statement = Statement::from_sql_and_values(db.get_database_backend(), sql, bound);
    db.query_all_raw(statement).await.map_err(failed)
}

/// The next values of a statement, as its text names them.
fn listed(bound: &mut Vec<Value>, ids: impl Iterator<Item = Uuid>) -> String {
    let names: Vec<String> = ids
        .map(|id| {
            bound.push(id.into());
            format!("${}", bound.len())
        })
        .collect();
    names.join(", ")
}

/// The condition on some rows of a table: by student and id, which is its key.
fn these(table: &str, bound: &mut Vec<Value>, rows: &[Row]) -> String {
    let ids = listed(bound, rows.iter().map(|row| row.id));
    if table == "student" {
        return format!("id IN ({ids})");
    }
    let students = listed(bound, students(rows).into_iter());
    format!("student_id IN ({students}) AND id IN ({ids})")
}

fn students(rows: &[Row]) -> BTreeSet<Uuid> {
    rows.iter().map(|row| row.student).collect()
}

/// Erases rows, or empties columns of them; how many.
pub(in crate::store) async fn erase(
    db: &DatabaseTransaction,
    (table, columns): (&str, &[&str]),
    rows: &[Row],
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut gone = 0;
    for chunk in rows.chunks(CHUNK) {
        if !columns.is_empty() {
            gone += emptied(db, (table, columns), chunk, now).await?;
            continue;
        }
        for (_, below, reference) in BELOW.iter().filter(|(of, ..)| *of == table) {
            let mut bound = Vec::new();
            let students = listed(&mut bound, students(chunk).into_iter());
            let ids = listed(&mut bound, chunk.iter().map(|row| row.id));
            let sql = format!(
                "SELECT student_id, id FROM {below} WHERE student_id IN ({students}) AND {reference} IN ({ids})"
            );
            let mut hanging = Vec::new();
            for row in all(db, sql, bound).await? {
                hanging.push(Row {
                    student: row.try_get_by_index(0).map_err(failed)?,
                    id: row.try_get_by_index(1).map_err(failed)?,
                });
            }
            for hanging in hanging.chunks(CHUNK) {
                gone += removed(db, below, hanging).await?;
            }
        }
        gone += removed(db, table, chunk).await?;
    }
    Ok(gone)
}

async fn removed(db: &DatabaseTransaction, table: &str, rows: &[Row]) -> Result<u64> {
    let mut bound: Vec<Value> = vec![table.into()];
    let students_in = listed(&mut bound, students(rows).into_iter());
    let ids = listed(&mut bound, rows.iter().map(|row| row.id));
    let history = format!(
        "DELETE FROM history WHERE noun = $1 AND student_id IN ({students_in}) AND row_id IN ({ids})"
    );
    run(db, history, bound).await?;
    let mut bound = Vec::new();
    let students_in = listed(&mut bound, students(rows).into_iter());
    let ids = listed(&mut bound, rows.iter().map(|row| row.id));
    let keys =
        format!("DELETE FROM lookup_key WHERE student_id IN ({students_in}) AND row_id IN ({ids})");
    run(db, keys, bound).await?;
    let mut bound = Vec::new();
    let condition = these(table, &mut bound, rows);
    run(db, format!("DELETE FROM {table} WHERE {condition}"), bound).await
}

async fn emptied(
    db: &DatabaseTransaction,
    (table, columns): (&str, &[&str]),
    rows: &[Row],
    now: DateTime<Utc>,
) -> Result<u64> {
    let mut set: Vec<String> = Vec::new();
    let mut names: HashSet<String> = HashSet::new();
    for column in columns {
        set.push(format!("{column} = NULL"));
        names.insert((*column).to_owned());
        if HASHED.contains(&(table, column)) {
            set.push(format!("{column}_hash = NULL"));
        }
    }
    let mut bound: Vec<Value> = vec![now.into()];
    let condition = these(table, &mut bound, rows);
    let sql = format!(
        "UPDATE {table} SET {}, row_version = row_version + 1, updated_at = $1 WHERE {condition}",
        set.join(", ")
    );
    let gone = run(db, sql, bound).await?;
    let mut bound: Vec<Value> = vec![table.into()];
    let students_in = listed(&mut bound, students(rows).into_iter());
    let ids = listed(&mut bound, rows.iter().map(|row| row.id));
    let sql = format!(
        "SELECT student_id, id, before, after FROM history \
         WHERE noun = $1 AND student_id IN ({students_in}) AND row_id IN ({ids})"
    );
    for row in all(db, sql, bound).await? {
        let student: Uuid = row.try_get_by_index(0).map_err(failed)?;
        let id: Uuid = row.try_get_by_index(1).map_err(failed)?;
        let (before, was) = without(row.try_get_by_index(2).map_err(failed)?, &names);
        let (after, is) = without(row.try_get_by_index(3).map_err(failed)?, &names);
        if !was && !is {
            continue;
        }
        let of = "WHERE student_id = $1 AND id = $2";
        let key: Vec<Value> = vec![student.into(), id.into()];
        if before.is_none() && after.is_none() {
            run(db, format!("DELETE FROM history {of}"), key).await?;
        } else {
            let bound = [key, vec![before.into(), after.into()]].concat();
            run(db, format!("UPDATE history SET before = $3, after = $4 {of}"), bound).await?;
        }
    }
    Ok(gone)
}

/// What a history says without some columns, and whether it said anything of them. What cannot be read goes whole.
fn without(text: Option<String>, names: &HashSet<String>) -> (Option<String>, bool) {
    let Some(text) = text else { return (None, false) };
    let Ok(Json::Object(said)) = serde_json::from_str::<Json>(&text) else { return (None, true) };
    let left: Map<String, Json> = said
        .iter()
        .filter(|(name, _)| !names.contains(*name))
        .map(|(n, v)| (n.clone(), v.clone()))
        .collect();
    let spoke = left.len() < said.len();
    let text = (!left.is_empty()).then(|| Json::Object(left).to_string());
    (text, spoke)
}

/// What the machinery keeps of students whose rows went: delivered events, answers that name the rows, and the frozen
/// facts of every snapshot that knows one of the students. Published tables stay.
pub(in crate::store) async fn traces(db: &DatabaseTransaction, rows: &[Row]) -> Result<()> {
    let of: Vec<Uuid> = students(rows).into_iter().collect();
    let mut snapshots: BTreeSet<i64> = BTreeSet::new();
    for chunk in of.chunks(CHUNK) {
        let mut bound = Vec::new();
        let ids = listed(&mut bound, chunk.iter().copied());
        let sql =
            format!("DELETE FROM outbox WHERE delivered_at IS NOT NULL AND student_id IN ({ids})");
        run(db, sql, bound.clone()).await?;
        let sql = format!(
            "SELECT DISTINCT s.snapshot FROM student_key k JOIN snapshot_student s ON s.key = k.key \
             WHERE k.student_id IN ({ids})"
        );
        for row in all(db, sql, bound).await? {
            snapshots.insert(row.try_get_by_index(0).map_err(failed)?);
        }
    }
    for number in snapshots {
        snapshot::forget(db, number).await?;
        let sql = "UPDATE snapshot SET facts = FALSE WHERE number = $1".to_owned();
        run(db, sql, vec![number.into()]).await?;
    }
    let ids: HashSet<Uuid> = rows.iter().map(|row| row.id).chain(of).collect();
    let sql = "SELECT account_id, key, response FROM idempotency".to_owned();
    for row in all(db, sql, Vec::new()).await? {
        let response: String = row.try_get_by_index(2).map_err(failed)?;
        let mut words = response.split(|c: char| !(c.is_ascii_hexdigit() || c == '-'));
        if words
            .any(|word| word.len() == 36 && Uuid::parse_str(word).is_ok_and(|id| ids.contains(&id)))
        {
            let account: Uuid = row.try_get_by_index(0).map_err(failed)?;
            let key: String = row.try_get_by_index(1).map_err(failed)?;
            let sql = "DELETE FROM idempotency WHERE account_id = $1 AND key = $2".to_owned();
            run(db, sql, vec![account.into(), key.into()]).await?;
        }
    }
    Ok(())
}
