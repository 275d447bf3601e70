//! Batches, certificates and restrictions of some schools, as those read them who answer for the archive: counts, ids,
//! reasons, and the names of those who acted.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::{ConnectionTrait, QueryResult, Statement, Value};
use uuid::Uuid;

use crate::error::Result;
use crate::store::{Store, failed};

/// Rows of one list.
const MOST: usize = 500;

/// A batch.
#[derive(Clone, Debug)]
pub struct Batch {
    /// Its id.
    pub id: Uuid,
    /// The class.
    pub class: String,
    /// The school.
    pub school: Uuid,
    /// Records whose period began on this day or before.
    pub cutoff: NaiveDate,
    /// Rows that were frozen.
    pub rows: i64,
    /// Of how many students.
    pub students: i64,
    /// Rows that were excepted or not due any more.
    pub kept: i64,
    /// The appraisal.
    pub reason: String,
    /// How far it is.
    pub state: String,
    /// Who proposed it.
    pub proposed_by: String,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// How many have approved.
    pub approvals: i64,
}

/// The rows of one student in a batch.
#[derive(Clone, Debug)]
pub struct Item {
    /// The student.
    pub student: Uuid,
    /// How many rows.
    pub rows: i64,
    /// Whether they are excepted.
    pub kept: bool,
    /// Until when.
    pub kept_until: Option<NaiveDate>,
    /// Why.
    pub kept_why: Option<String>,
}

/// A certificate.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// Its id.
    pub id: Uuid,
    /// The batch.
    pub batch: Uuid,
    /// The class.
    pub class: String,
    /// Its Chinese term at the time.
    pub term: String,
    /// The school.
    pub school: Uuid,
    /// Its name at the time.
    pub school_name: String,
    /// Records whose period began on this day or before.
    pub cutoff: NaiveDate,
    /// Rows that were destroyed.
    pub rows: i64,
    /// Of how many students.
    pub students: i64,
    /// Rows of each table.
    pub counts: BTreeMap<String, i64>,
    /// Who did what, with the name of the time.
    pub people: Vec<(String, String)>,
    /// How.
    pub method: String,
    /// Its digest, which stands in the audit line too.
    pub digest: String,
    /// When.
    pub destroyed_at: DateTime<Utc>,
    /// It stays until then at least.
    pub keep_until: NaiveDate,
}

/// A restriction.
#[derive(Clone, Debug)]
pub struct Restricted {
    /// Its id.
    pub id: Uuid,
    /// The school.
    pub school: Uuid,
    /// How far it is.
    pub state: String,
    /// Why.
    pub reason: String,
    /// Who proposed it.
    pub proposed_by: String,
    /// When.
    pub proposed_at: DateTime<Utc>,
}

fn get<T: sea_orm::TryGetable>(row: &QueryResult, at: usize) -> Result<T> {
    row.try_get_by_index(at).map_err(failed)
}

impl Store {
    /// Every school with its name, for the person at the terminal.
    pub async fn schools_by_name(&self) -> Result<Vec<(Uuid, String)>> {
        const SQL: &str =
            "SELECT id, name FROM organisation WHERE level = 'school' ORDER BY name, id";
        let statement = Statement::from_string(self.backend(), SQL);
        let rows = self.db.query_all_raw(statement).await.map_err(failed)?;
        rows.iter().map(|row| Ok((get(row, 0)?, get(row, 1)?))).collect()
    }

    async fn of_schools(
        &self,
        schools: &[Uuid],
        sql: &str,
        order: &str,
    ) -> Result<Vec<QueryResult>> {
        if schools.is_empty() {
            return Ok(Vec::new());
        }
        let places: Vec<String> = (1..=schools.len()).map(|at| format!("${at}")).collect();
        let bound: Vec<Value> = schools.iter().map(|school| (*school).into()).collect();
        let sql = format!("{sql} IN ({}) {order} LIMIT {MOST}", places.join(", "));
        let statement = Statement::from_sql_and_values(self.backend(), sql, bound);
        self.db.query_all_raw(statement).await.map_err(failed)
    }

    /// The batches of these schools, from the newest.
    pub async fn destruction_batches(&self, schools: &[Uuid]) -> Result<Vec<Batch>> {
        const SQL: &str = "SELECT b.id, b.class, b.school_id, b.cutoff, b.\"rows\", b.students, \
            (SELECT COUNT(*) FROM destruction_item i WHERE i.batch_id = b.id AND i.kept), b.reason, b.state, \
            a.display_name, b.proposed_at, \
            CASE WHEN b.second_approved_by_id IS NOT NULL THEN 2 WHEN b.approved_by_id IS NOT NULL THEN 1 ELSE 0 END \
            FROM destruction_batch b JOIN account a ON a.id = b.proposed_by_id WHERE b.school_id";
        let rows = self.of_schools(schools, SQL, "ORDER BY b.proposed_at DESC, b.id").await?;
        let batch = |row: &QueryResult| {
            Ok(Batch {
                id: get(row, 0)?,
                class: get(row, 1)?,
                school: get(row, 2)?,
                cutoff: get(row, 3)?,
                rows: get(row, 4)?,
                students: get(row, 5)?,
                kept: get(row, 6)?,
                reason: get(row, 7)?,
                state: get(row, 8)?,
                proposed_by: get(row, 9)?,
                proposed_at: get(row, 10)?,
                approvals: get::<i32>(row, 11)?.into(),
            })
        };
        rows.iter().map(batch).collect()
    }

    /// The students of a batch of one of these schools, with what is kept of each; by a page that begins after one.
    pub async fn destruction_items(
        &self,
        schools: &[Uuid],
        batch: Uuid,
        after: Option<Uuid>,
    ) -> Result<Vec<Item>> {
        let known = self.destruction_school(batch).await?;
        if !known.is_some_and(|school| schools.contains(&school)) {
            return Ok(Vec::new());
        }
        let sql = format!(
            "SELECT student_id, COUNT(*), kept, MAX(kept_until), MAX(kept_why) FROM destruction_item \
             WHERE batch_id = $1 AND student_id > $2 AND NOT EXISTS (SELECT 1 FROM student q \
             WHERE q.id = destruction_item.student_id AND q.lifecycle = 'restricted') GROUP BY student_id, kept ORDER BY student_id, kept LIMIT {MOST}"
        );
        let bound: [Value; 2] = [batch.into(), after.unwrap_or_default().into()];
        let statement = Statement::from_sql_and_values(self.backend(), sql, bound);
        let rows = self.db.query_all_raw(statement).await.map_err(failed)?;
        let item = |row: &QueryResult| {
            Ok(Item {
                student: get(row, 0)?,
                rows: get(row, 1)?,
                kept: get(row, 2)?,
                kept_until: get(row, 3)?,
                kept_why: get(row, 4)?,
            })
        };
        rows.iter().map(item).collect()
    }

    async fn destruction_school(&self, batch: Uuid) -> Result<Option<Uuid>> {
        let sql = "SELECT school_id FROM destruction_batch WHERE id = $1";
        let bound: [Value; 1] = [batch.into()];
        let statement = Statement::from_sql_and_values(self.backend(), sql, bound);
        let row = self.db.query_one_raw(statement).await.map_err(failed)?;
        row.map(|row| get(&row, 0)).transpose()
    }

    /// The certificates of these schools, from the newest.
    pub async fn destruction_certificates(&self, schools: &[Uuid]) -> Result<Vec<Certificate>> {
        const SQL: &str = "SELECT id, batch_id, class, term, school_id, school, cutoff, \"rows\", students, counts, \
            people, method, digest, destroyed_at, keep_until FROM destruction_certificate WHERE school_id";
        let rows = self.of_schools(schools, SQL, "ORDER BY destroyed_at DESC, id").await?;
        let certificate = |row: &QueryResult| {
            let counts: String = get(row, 9)?;
            let people: String = get(row, 10)?;
            let people: Vec<serde_json::Value> = serde_json::from_str(&people).unwrap_or_default();
            let word = |of: &serde_json::Value, name: &str| {
                of.get(name).and_then(|word| word.as_str()).unwrap_or_default().to_owned()
            };
            let digest: Vec<u8> = get(row, 12)?;
            Ok(Certificate {
                id: get(row, 0)?,
                batch: get(row, 1)?,
                class: get(row, 2)?,
                term: get(row, 3)?,
                school: get(row, 4)?,
                school_name: get(row, 5)?,
                cutoff: get(row, 6)?,
                rows: get(row, 7)?,
                students: get(row, 8)?,
                counts: serde_json::from_str(&counts).unwrap_or_default(),
                people: people.iter().map(|one| (word(one, "what"), word(one, "name"))).collect(),
                method: get(row, 11)?,
                digest: digest.iter().map(|byte| format!("{byte:02x}")).collect(),
                destroyed_at: get(row, 13)?,
                keep_until: get(row, 14)?,
            })
        };
        rows.iter().map(certificate).collect()
    }

    /// The restrictions of these schools, from the newest; the student is not named.
    pub async fn restrictions(&self, schools: &[Uuid]) -> Result<Vec<Restricted>> {
        const SQL: &str = "SELECT r.id, r.school_id, r.state, r.reason, a.display_name, r.proposed_at \
            FROM restriction r JOIN account a ON a.id = r.proposed_by_id WHERE r.school_id";
        let rows = self.of_schools(schools, SQL, "ORDER BY r.proposed_at DESC, r.id").await?;
        let restricted = |row: &QueryResult| {
            Ok(Restricted {
                id: get(row, 0)?,
                school: get(row, 1)?,
                state: get(row, 2)?,
                reason: get(row, 3)?,
                proposed_by: get(row, 4)?,
                proposed_at: get(row, 5)?,
            })
        };
        rows.iter().map(restricted).collect()
    }
}
