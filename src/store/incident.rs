//! What an account or a grant was shown between two instants, by students and columns: read from the log of disclosures
//! itself, which names every grant that held, and not from its index.
//!
//! Lines are read in pages, and in memory stands one small entry for each student. Names, schools and contacts are read
//! for the person at the machine alone, who notifies, and only for an export that passed the gate.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, NaiveDate, SecondsFormat, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, JoinType, Order, Query};
use sea_orm::{ActiveEnum, ConnectionTrait};
use uuid::Uuid;
use xueji_entity::account::AccountKind;

use super::disclosures::parts_of;
use super::exports::Passed;
use super::tx::Tx;
use super::{Store, failed};
use crate::access::place::{among, holds_today};
use crate::access::scope::Scope;
use crate::error::Result;
use crate::store::grants::CUSTODY;

/// Lines of one page.
const LINES: u64 = 200;
/// Students of one statement: as many values as SQLite takes.
const STUDENTS: usize = 30_000;

/// Whose disclosures are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// The account.
    pub account: Uuid,
    /// One grant of it alone.
    pub grant: Option<Uuid>,
}

/// What was shown of one student.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    columns: BTreeSet<u32>,
    purposes: BTreeSet<u32>,
    /// When first.
    pub first: DateTime<Utc>,
    /// When last.
    pub last: DateTime<Utc>,
    /// In how many answers.
    pub answers: u64,
}

/// What was shown, by students.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exposure {
    words: Vec<String>,
    known: HashMap<String, u32>,
    /// The students by their keys.
    pub students: BTreeMap<Uuid, Seen>,
    /// Lines of the log that told of it.
    pub lines: u64,
    /// The reading ended early because there were more lines than it may read.
    pub cut: bool,
}

impl Exposure {
    fn word(&mut self, word: &str) -> u32 {
        if let Some(known) = self.known.get(word) {
            return *known;
        }
        let number = u32::try_from(self.words.len()).unwrap_or(u32::MAX);
        self.words.push(word.to_owned());
        self.known.insert(word.to_owned(), number);
        number
    }

    fn words(&self, numbers: &BTreeSet<u32>) -> Vec<&str> {
        let word = |number: &u32| self.words.get(*number as usize).map(String::as_str);
        let mut words: Vec<&str> = numbers.iter().filter_map(word).collect();
        words.sort_unstable();
        words
    }

    /// The columns that were shown of a student, as the schema names them.
    pub fn columns(&self, seen: &Seen) -> Vec<&str> {
        self.words(&seen.columns)
    }

    /// The purposes that were stated.
    pub fn purposes(&self, seen: &Seen) -> Vec<&str> {
        self.words(&seen.purposes)
    }

    /// All columns that were shown of anybody.
    pub fn all_columns(&self) -> Vec<&str> {
        let all = self.students.values().flat_map(|seen| seen.columns.iter().copied()).collect();
        self.words(&all)
    }

    fn add(
        &mut self,
        students: Vec<Uuid>,
        at: DateTime<Utc>,
        columns: &BTreeSet<u32>,
        purpose: Option<u32>,
    ) {
        for student in students {
            let seen = self.students.entry(student).or_insert_with(|| Seen {
                columns: BTreeSet::new(),
                purposes: BTreeSet::new(),
                first: at,
                last: at,
                answers: 0,
            });
            seen.columns.extend(columns);
            seen.purposes.extend(purpose);
            seen.first = Ord::min(seen.first, at);
            seen.last = Ord::max(seen.last, at);
            seen.answers += 1;
        }
    }
}

/// Who has to be told of a student.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Guardian {
    /// The name.
    pub name: String,
    /// The telephone number, if one is on file.
    pub phone: Option<String>,
}

/// A student as a notification names it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pupil {
    /// The name.
    pub name: String,
    /// The school of the enrolment that holds.
    pub school: Option<String>,
    /// Those with custody today, where contacts were asked for.
    pub guardians: Vec<Guardian>,
}

impl Store {
    /// The account with this login: its key, and whether it is that of a program.
    pub async fn login(&self, login: &str) -> Result<Option<(Uuid, bool)>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .expr_as(Expr::col("kind"), "c1")
            .from("account")
            .and_where(Expr::col("login").eq(login));
        let rows = self.select(&query).await?;
        let Some(row) = rows.first() else { return Ok(None) };
        let kind: String = row.try_get_by_index(1).map_err(failed)?;
        let id = row.try_get_by_index(0).map_err(failed)?;
        Ok(Some((id, kind == AccountKind::Client.to_value())))
    }

    /// The account behind a grant, whether it holds or not: one that was given, or a record that was opened.
    pub async fn granted_to(&self, grant: Uuid) -> Result<Option<Uuid>> {
        for table in ["access_grant", "access_review"] {
            let mut query = Query::select();
            query
                .expr_as(Expr::col("account_id"), "c0")
                .from(table)
                .and_where(Expr::col("id").eq(Expr::val(grant)));
            if let Some(row) = self.select(&query).await?.first() {
                return row.try_get_by_index(0).map(Some).map_err(failed);
            }
        }
        Ok(None)
    }

    /// What was shown between two instants, the second one excluded; at most so many lines are read.
    pub async fn exposure(
        &self,
        suspect: Suspect,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        most: Option<u64>,
    ) -> Result<Exposure> {
        let mut exposure = Exposure::default();
        let mut after = 0_i64;
        loop {
            let mut query = Query::select();
            for (at, column) in ["seq", "at", "purpose", "parts"].into_iter().enumerate() {
                query.expr_as(Expr::col(column), format!("c{at}"));
            }
            query
                .from("disclosure_line")
                .and_where(Expr::col("seq").gt(after))
                .and_where(Expr::col("account_id").eq(Expr::val(suspect.account)))
                .and_where(Expr::col("at").gte(from))
                .and_where(Expr::col("at").lt(to))
                .order_by("seq", Order::Asc)
                .limit(LINES);
            let rows = self.disclosures.db().query_all(&query).await.map_err(failed)?;
            for row in &rows {
                after = row.try_get_by_index(0).map_err(failed)?;
                let at = row.try_get_by_index(1).map_err(failed)?;
                let purpose: Option<String> = row.try_get_by_index(2).map_err(failed)?;
                let parts: Vec<u8> = row.try_get_by_index(3).map_err(failed)?;
                let mut told = false;
                // An answer counts once for a student, whatever its parts.
                let mut of_line: BTreeMap<Uuid, BTreeSet<u32>> = BTreeMap::new();
                for part in parts_of(&parts)? {
                    if suspect.grant.is_some_and(|grant| !part.grants.contains(&grant)) {
                        continue;
                    }
                    told = true;
                    let columns: BTreeSet<u32> =
                        part.columns.split_whitespace().map(|word| exposure.word(word)).collect();
                    for student in part.students {
                        of_line.entry(student).or_default().extend(&columns);
                    }
                }
                let purpose = purpose.as_deref().map(|purpose| exposure.word(purpose));
                for (student, columns) in of_line {
                    exposure.add(vec![student], at, &columns, purpose);
                }
                exposure.lines += u64::from(told);
                if most.is_some_and(|most| exposure.lines >= most) {
                    exposure.cut = true;
                    return Ok(exposure);
                }
            }
            if (rows.len() as u64) < LINES {
                return Ok(exposure);
            }
        }
    }

    /// Those of the students that the scope covers: in one statement, whether there is one of them, some or none.
    pub async fn within_scope(&self, scope: &Scope, students: &[Uuid]) -> Result<BTreeSet<Uuid>> {
        let mut found = BTreeSet::new();
        let first: &[Uuid] = &[];
        let none = students.is_empty().then_some(first);
        for some in students.chunks(STUDENTS).chain(none) {
            let mut query = Query::select();
            query
                .expr_as(Expr::col(("t0", "id")), "c0")
                .from_as(scope.noun().shape.name, "t0")
                .and_where(among(Expr::col(("t0", "id")), some, self.backend()))
                .and_where(scope.condition("t0"));
            for row in self.by_keys(scope.caller(), &query).await? {
                found.insert(row.try_get_by_index(0).map_err(failed)?);
            }
        }
        Ok(found)
    }

    /// Names and schools of some students, and with contacts those with custody, for who notifies them. A student whose
    /// file is gone is left out. Two statements, three with contacts.
    pub async fn notified(
        &self,
        _on_record: &Passed,
        students: &[Uuid],
        contacts: bool,
        today: NaiveDate,
    ) -> Result<HashMap<Uuid, Pupil>> {
        let mut pupils: HashMap<Uuid, Pupil> = HashMap::new();
        let mut query = Query::select();
        query
            .expr_as(Expr::col(("s", "id")), "c0")
            .expr_as(Expr::col(("s", "name")), "c1")
            .expr_as(Expr::col(("o", "name")), "c2")
            .from_as("student", "s")
            .join_as(
                JoinType::LeftJoin,
                "enrollment",
                "e",
                Expr::col(("e", "student_id"))
                    .equals(("s", "id"))
                    .and(Expr::col(("e", "live")).eq(true))
                    .and(Expr::col(("e", "lifecycle")).eq("live")),
            )
            .join_as(
                JoinType::LeftJoin,
                "organisation",
                "o",
                Expr::col(("o", "id")).equals(("e", "school_id")),
            )
            .and_where(among(Expr::col(("s", "id")), students, self.backend()));
        for row in self.select_by_keys(&query).await? {
            let id = row.try_get_by_index(0).map_err(failed)?;
            let name = row.try_get_by_index(1).map_err(failed)?;
            let school = row.try_get_by_index(2).map_err(failed)?;
            pupils.insert(id, Pupil { name, school, guardians: Vec::new() });
        }
        if !contacts {
            return Ok(pupils);
        }
        let g = |name: &'static str| Expr::col(("g", name));
        let w = |name: &'static str| Expr::col(("w", name));
        let mut query = Query::select();
        query
            .distinct()
            .expr_as(g("student_id"), "c0")
            .expr_as(g("id"), "c1")
            .expr_as(g("name"), "c2")
            .expr_as(g("phone"), "c3")
            .expr_as(g("position"), "c4")
            .from_as("guardian", "g")
            .join_as(
                JoinType::InnerJoin,
                "guardianship",
                "w",
                w("student_id")
                    .equals(("g", "student_id"))
                    .and(w("guardian_id").equals(("g", "id")))
                    .and(w("custody").is_in(CUSTODY.map(|custody| custody.to_value())))
                    .and(w("lifecycle").eq("live"))
                    .and(holds_today("w", today)),
            )
            .and_where(among(g("student_id"), students, self.backend()))
            .and_where(g("lifecycle").eq("live"))
            .order_by_expr(Expr::col("c0"), Order::Asc)
            .order_by_expr(Expr::col("c4"), Order::Asc);
        for row in self.select_by_keys(&query).await? {
            let student: Uuid = row.try_get_by_index(0).map_err(failed)?;
            let id: Uuid = row.try_get_by_index(1).map_err(failed)?;
            let phone: Option<Vec<u8>> = row.try_get_by_index(3).map_err(failed)?;
            let phone = phone.map(|sealed| self.codec.open("guardian", "phone", id, &sealed));
            let guardian = Guardian {
                name: row.try_get_by_index(2).map_err(failed)?,
                phone: phone.transpose()?,
            };
            if let Some(pupil) = pupils.get_mut(&student) {
                pupil.guardians.push(guardian);
            }
        }
        Ok(pupils)
    }
}

impl Tx {
    /// Notes what a report is about, in the line that is written before it.
    pub fn note_report(
        &mut self,
        account: Uuid,
        grant: Option<Uuid>,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) {
        self.note(about(Suspect { account, grant }, from, to));
    }
}

/// What an audit line says of a report: keys and instants.
pub fn about(suspect: Suspect, from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let grant = suspect.grant.map(|grant| format!(", grant {grant}")).unwrap_or_default();
    let at = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::AutoSi, true);
    format!("account {}{grant}, from {} to {}", suspect.account, at(from), at(to))
}
