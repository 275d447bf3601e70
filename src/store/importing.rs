//! An import of accounts, by a command at the server: one transaction from the reading to the commit.
//!
//! Whoever runs it holds the database and its keys, so nothing is read behind a scope here; what is read is compared
//! with a file and shown to nobody. Each account is on record by a line of its own, in the same transaction.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::{
    CaseStatement, Expr, ExprTrait, InsertStatement, LockType, Query, SelectStatement,
};
use sea_orm::{ConnectionTrait, DatabaseTransaction, QueryResult, StatementBuilder};
use serde_json::json;
use uuid::Uuid;
use xueji_entity::value::{Guarded, LookupHash, PersonName};

use super::codec;
use super::tx::account::{ACCOUNT, CODE, with_custody};
use super::tx::own::OWN_GRANT;
use super::tx::{Made, NewAccount, NewCode, OwnGrant, insert_into, made, names};
use super::{Store, failed};
use crate::access::filter::Key;
use crate::access::place::{holds_today, nothing, student_lives};
use crate::error::Result;
use crate::store::immediate;

/// Rows that one statement inserts.
const TOGETHER: usize = 500;
/// Rows of one update: its condition is a chain, whose length SQLite limits.
const UPDATED: usize = 200;

/// A member of staff of the school, as an import finds them.
#[derive(Clone, Debug)]
pub struct OnStaff {
    /// The row.
    pub id: Uuid,
    /// Number given by the employer.
    pub number: String,
    /// Name.
    pub name: PersonName,
    /// Whether there is an account.
    pub has_account: bool,
}

/// A guardian with custody of a student of the class, as an import finds them.
#[derive(Clone, Debug)]
pub struct InFamily {
    /// The row.
    pub key: Key,
    /// The student's number in the class.
    pub number_in_class: Option<i64>,
    /// Hash of the student's national number.
    pub student_number: Option<LookupHash>,
    /// Name of the guardian.
    pub name: PersonName,
    /// Hash of the guardian's telephone number.
    pub phone: Option<LookupHash>,
    /// Hash of the guardian's document number.
    pub id_number: Option<LookupHash>,
    /// Whether there is an account.
    pub has_account: bool,
    /// The guardianships with custody, with their first and last days.
    pub custody: Vec<(Uuid, NaiveDate, Option<NaiveDate>)>,
}

/// An account to be written, with all that belongs to it.
#[derive(Clone, Debug)]
pub struct Entered<'a> {
    /// The account.
    pub account: NewAccount<'a>,
    /// Its code.
    pub code: NewCode,
    /// The rows of the guardian.
    pub members: Vec<Key>,
    /// The grants of the wards.
    pub grants: Vec<OwnGrant>,
}

/// An import that has begun. Dropped, it takes everything back.
#[must_use = "an import that is not committed is taken back"]
pub struct Importing {
    db: DatabaseTransaction,
    store: Store,
    now: DateTime<Utc>,
    today: NaiveDate,
}

impl std::fmt::Debug for Importing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Importing(…)")
    }
}

impl Store {
    /// Begins an import.
    pub async fn import(&self, now: DateTime<Utc>, today: NaiveDate) -> Result<Importing> {
        let db = immediate(&self.db).await?;
        Ok(Importing { db, store: self.clone(), now, today })
    }
}

fn col(alias: &'static str, name: &'static str) -> Expr {
    Expr::col((alias, name))
}

fn get<T: sea_orm::TryGetable>(row: &QueryResult, at: usize) -> Result<T> {
    row.try_get_by_index(at).map_err(failed)
}

impl Importing {
    async fn select(&self, query: &SelectStatement) -> Result<Vec<QueryResult>> {
        self.db.query_all(query).await.map_err(failed)
    }

    async fn execute(&self, statement: &impl StatementBuilder) -> Result<u64> {
        Ok(self.db.execute(statement).await.map_err(failed)?.rows_affected())
    }

    /// The instant of the import.
    pub fn now(&self) -> DateTime<Utc> {
        self.now
    }

    /// The hash by which a value of the file is found in the registry.
    pub fn hash<T: Guarded>(&self, value: &T) -> LookupHash {
        codec::hash(self.store.codec.as_ref(), value)
    }

    /// The school with this code.
    pub async fn school(&self, code: &str) -> Result<Option<Uuid>> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .from("organisation")
            .and_where(Expr::col("school_code").eq(code));
        self.select(&query).await?.first().map(|row| get(row, 0)).transpose()
    }

    /// The classes of the school with this name in the school year of today.
    pub async fn classes(&self, school: Uuid, name: &str) -> Result<Vec<Uuid>> {
        let mut query = Query::select();
        query
            .expr_as(col("cg", "id"), "c0")
            .from_as("class_group", "cg")
            .join_as(
                sea_orm::JoinType::InnerJoin,
                "school_year",
                "sy",
                col("sy", "id").equals(("cg", "school_year_id")),
            )
            .and_where(col("cg", "school_id").eq(Expr::val(school)))
            .and_where(col("cg", "name").eq(name))
            .and_where(col("sy", "starts_on").lte(self.today))
            .and_where(col("sy", "ends_on").gte(self.today));
        self.select(&query).await?.iter().map(|row| get(row, 0)).collect()
    }

    async fn lock(&self, table: &'static str, condition: Expr) -> Result<()> {
        let mut query = Query::select();
        query
            .expr_as(Expr::col("id"), "c0")
            .from(table)
            .and_where(condition)
            .lock(LockType::NoKeyUpdate);
        self.select(&query).await.map(|_rows| ())
    }

    /// The staff of a school, locked until the end.
    pub async fn staff_of(&self, school: Uuid) -> Result<Vec<OnStaff>> {
        self.lock("staff", Expr::col("organisation_id").eq(Expr::val(school))).await?;
        let mut query = Query::select();
        query
            .expr_as(col("s", "id"), "c0")
            .expr_as(col("s", "staff_number"), "c1")
            .expr_as(col("s", "name"), "c2")
            .expr_as(col("a", "id"), "c3")
            .from_as("staff", "s")
            .join_as(
                sea_orm::JoinType::LeftJoin,
                "account",
                "a",
                col("a", "staff_id").equals(("s", "id")),
            )
            .and_where(col("s", "organisation_id").eq(Expr::val(school)))
            .and_where(col("s", "lifecycle").eq("live"));
        let rows = self.select(&query).await?;
        let on_staff = |row: &QueryResult| {
            Ok(OnStaff {
                id: get(row, 0)?,
                number: get(row, 1)?,
                name: get(row, 2)?,
                has_account: get::<Option<Uuid>>(row, 3)?.is_some(),
            })
        };
        rows.iter().map(on_staff).collect()
    }

    /// The guardians with custody of the students who are in a class today, locked until the end.
    pub async fn families_of(&self, class: Uuid) -> Result<Vec<InFamily>> {
        let members = Query::select()
            .expr(col("cm", "student_id"))
            .from_as("class_membership", "cm")
            .and_where(col("cm", "class_group_id").eq(Expr::val(class)))
            .and_where(col("cm", "lifecycle").eq("live"))
            .and_where(holds_today("cm", self.today))
            .to_owned();
        self.lock("guardian", Expr::col("student_id").in_subquery(members)).await?;
        let mut query = Query::select();
        query
            .expr_as(col("g", "student_id"), "c0")
            .expr_as(col("g", "id"), "c1")
            .expr_as(col("cm", "number_in_class"), "c2")
            .expr_as(col("s", "national_student_number_hash"), "c3")
            .expr_as(col("g", "name"), "c4")
            .expr_as(col("g", "phone_hash"), "c5")
            .expr_as(col("g", "account_id"), "c6")
            .expr_as(col("gs", "since"), "c7")
            .expr_as(col("gs", "until"), "c8")
            .expr_as(col("gs", "id"), "c9")
            .expr_as(col("g", "id_number_hash"), "c10")
            .from_as("class_membership", "cm")
            .join_as(
                sea_orm::JoinType::InnerJoin,
                "student",
                "s",
                col("s", "id").equals(("cm", "student_id")),
            )
            .join_as(
                sea_orm::JoinType::InnerJoin,
                "guardian",
                "g",
                col("g", "student_id")
                    .equals(("cm", "student_id"))
                    .and(col("g", "lifecycle").eq("live")),
            )
            .join_as(
                sea_orm::JoinType::InnerJoin,
                "guardianship",
                "gs",
                col("gs", "student_id")
                    .equals(("g", "student_id"))
                    .and(col("gs", "guardian_id").equals(("g", "id")))
                    .and(with_custody("gs", self.today)),
            )
            .and_where(col("cm", "class_group_id").eq(Expr::val(class)))
            .and_where(col("cm", "lifecycle").eq("live"))
            .and_where(holds_today("cm", self.today))
            .and_where(student_lives(col("cm", "student_id")))
            .order_by_expr(col("g", "student_id"), sea_orm::Order::Asc)
            .order_by_expr(col("g", "id"), sea_orm::Order::Asc)
            .order_by_expr(col("gs", "since"), sea_orm::Order::Asc);
        let mut families: Vec<InFamily> = Vec::new();
        for row in &self.select(&query).await? {
            let key = Key { student: Some(get(row, 0)?), id: get(row, 1)? };
            if families.last().is_none_or(|last| last.key != key) {
                families.push(InFamily {
                    key,
                    number_in_class: get(row, 2)?,
                    student_number: get(row, 3)?,
                    name: get(row, 4)?,
                    phone: get(row, 5)?,
                    id_number: get(row, 10)?,
                    has_account: get::<Option<Uuid>>(row, 6)?.is_some(),
                    custody: Vec::new(),
                });
            }
            if let Some(last) = families.last_mut() {
                last.custody.push((get(row, 9)?, get(row, 7)?, get(row, 8)?));
            }
        }
        Ok(families)
    }

    /// Which of these logins are in use.
    pub async fn in_use(&self, logins: &[&str]) -> Result<HashSet<String>> {
        let mut found = HashSet::new();
        for some in logins.chunks(TOGETHER) {
            let mut query = Query::select();
            query
                .expr_as(Expr::col("login"), "c0")
                .from("account")
                .and_where(Expr::col("login").is_in(some.iter().copied()));
            for row in &self.select(&query).await? {
                found.insert(get(row, 0)?);
            }
        }
        Ok(found)
    }

    /// Writes accounts with what belongs to them, each on record; `told` hears how many are written so far.
    pub async fn write(&self, entered: &[Entered<'_>], mut told: impl FnMut(usize)) -> Result<()> {
        let mut written = 0;
        for some in entered.chunks(TOGETHER) {
            self.write_some(some).await?;
            written += some.len();
            told(written);
        }
        Ok(())
    }

    async fn write_some(&self, some: &[Entered<'_>]) -> Result<()> {
        let insert = |table, columns: &[&str], rows| insert_into(table, names(columns), rows);
        let accounts: Vec<_> = some.iter().map(|one| one.account.values(self.now)).collect();
        self.insert(insert("account", &ACCOUNT, accounts)?).await?;
        let codes: Vec<_> = some.iter().map(|one| one.code.values(self.now, None)).collect();
        self.insert(insert("activation_code", &CODE, codes)?).await?;
        let mut given: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        let mut grants = Vec::new();
        for grant in some.iter().flat_map(|one| &one.grants) {
            let id = Uuid::now_v7();
            given.entry(grant.account).or_default().push(id);
            grants.push(grant.values(id, None));
        }
        for rows in grants.chunks(TOGETHER) {
            self.insert(insert("access_grant", &OWN_GRANT, rows.to_vec())?).await?;
        }
        let members: Vec<(Key, Uuid)> = some
            .iter()
            .flat_map(|one| one.members.iter().map(|key| (*key, one.account.id)))
            .collect();
        for rows in members.chunks(UPDATED) {
            self.name_accounts(rows).await?;
        }
        let keys = self.store.log_keys()?;
        let lines: Vec<Made> = some
            .iter()
            .map(|one| {
                let texts = |ids: &[Uuid]| ids.iter().map(Uuid::to_string).collect::<Vec<_>>();
                let rows: Vec<Uuid> = one.members.iter().map(|key| key.id).collect();
                let grants = given.get(&one.account.id).map(Vec::as_slice).unwrap_or_default();
                let detail = json!({
                    "by": "xueji accounts import",
                    "account": { "inserted": [one.account.id.to_string()], "updated": [] },
                    "access_grant": { "inserted": texts(grants), "updated": [] },
                    "guardian": { "inserted": [], "updated": texts(&rows) },
                });
                Made { account: one.account.id, detail: detail.to_string() }
            })
            .collect();
        self.insert(made(&keys, "account.create", &lines, self.now)?).await
    }

    async fn insert(&self, insert: InsertStatement) -> Result<()> {
        self.execute(&insert).await.map(|_count| ())
    }

    async fn name_accounts(&self, rows: &[(Key, Uuid)]) -> Result<()> {
        let mut case = CaseStatement::new();
        let mut condition = nothing();
        for (key, account) in rows {
            let this = || Expr::col("id").eq(Expr::val(key.id));
            case = case.case(this(), Expr::val(*account));
            let student = Expr::col("student_id").eq(Expr::val(key.student));
            condition = condition.or(student.and(this()));
        }
        let mut update = Query::update();
        update
            .table("guardian")
            .value("account_id", Expr::Case(Box::new(case.finally(Expr::col("account_id")))))
            .and_where(condition)
            .and_where(Expr::col("account_id").is_null());
        if self.execute(&update).await? != rows.len() as u64 {
            return Err(crate::error::Error::Conflict { what: "guardian".into() });
        }
        Ok(())
    }

    /// Makes everything last.
    pub async fn commit(self) -> Result<()> {
        self.db.commit().await.map_err(failed)
    }
}
