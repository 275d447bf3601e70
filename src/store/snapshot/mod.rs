//! Snapshots (时点数据): what the registry holds at one instant, kept beside it for figures about
//! people whose rows one may not read.
//!
//! Facts are copied inside the database, in one transaction, and carry a random number in place of
//! the student's id. They are kept for some nights; what was published of them stays. Whether a
//! figure may be said is not decided here.

mod facts;

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::{Expr, ExprTrait, Func, Query, SelectStatement};
use sea_orm::{
    ActiveValue::Set, ColumnTrait, ConnectionTrait, DatabaseTransaction, DbBackend, EntityTrait,
    FromQueryResult, IsolationLevel, QueryFilter, QueryOrder, QueryResult, SqliteTransactionMode,
    TransactionOptions, TransactionTrait,
};
use uuid::Uuid;
use xueji_entity::snapshot::{self, SnapshotKind};
use xueji_entity::value::{SnapshotId, StudentId};
use xueji_entity::{snapshot_cell, student_key};

use super::statistics::{Key, KeyValue, number_at, one_if, read_keys_from, sum_of, whole};
use super::{Store, failed};
use crate::access::caller::Caller;
use crate::access::place::Writing;
use crate::access::policy::{Dimension, Measure};
use crate::access::scope::Scope;
use crate::error::{Error, Result};

/// The tables of facts, which go when the nights are over. The authorities of schools stay: who may
/// read what was published rests on them.
const FACTS: &[&str] = &[
    "snapshot_class",
    "snapshot_paper",
    "snapshot_student",
    "snapshot_score",
    "snapshot_attendance",
    "snapshot_aid",
];

/// Rows of one INSERT of random numbers; each binds two values.
const KEYS_AT_ONCE: u64 = 5_000;
/// Rows of one INSERT of cells; each binds eight values.
const CELLS_AT_ONCE: usize = 1_250;

/// A snapshot that is to be taken.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// Its name; none for that of a night.
    pub name: Option<String>,
    /// The day, of which there is one nightly snapshot.
    pub day: NaiveDate,
    /// The instant.
    pub at: DateTime<Utc>,
    /// Tables are published when the last ones are so many days old.
    pub days_apart: i64,
}

/// A group of a declared table at school level, before it is known what may be said of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// The school.
    pub school: Uuid,
    /// The county in which it lies.
    pub county: Option<Uuid>,
    /// The values of the dimensions.
    pub keys: Vec<KeyValue>,
    /// Distinct students.
    pub students: i64,
    /// What the table adds up.
    pub sum: i64,
    /// The largest contribution of one student.
    pub largest: i64,
}

/// A cell as it is published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Published {
    /// The declared table.
    pub table: String,
    /// `region` for the whole registry, `county` or `school`.
    pub level: &'static str,
    /// The county or school.
    pub place: Option<Uuid>,
    /// The county of a school.
    pub within: Option<Uuid>,
    /// The values of the dimensions; `*` for all.
    pub keys: String,
    /// The figure; none where it is withheld.
    pub value: Option<i64>,
}

/// A published cell, as it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublishedCell {
    /// `region` for the whole registry, `county` or `school`.
    pub level: String,
    /// The county or school.
    pub place: Option<Uuid>,
    /// The values of the dimensions, separated by blanks; `*` for all.
    pub keys: String,
    /// The figure; none where it is withheld.
    pub value: Option<i64>,
}

/// A snapshot that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: SnapshotId,
    /// Counts the snapshots from 1.
    pub number: i64,
    /// Whether it is that of a night.
    pub nightly: bool,
    /// Its name.
    pub name: Option<String>,
    /// The day.
    pub day: NaiveDate,
    /// The instant as of which it speaks.
    pub taken_at: DateTime<Utc>,
    /// How many students it holds.
    pub students: i64,
    /// Whether its facts are still there.
    pub facts: bool,
    /// Whether declared tables were published of it.
    pub tables: bool,
}

impl Listed {
    fn of(row: snapshot::Model, tables: bool) -> Self {
        Self {
            id: row.id,
            number: row.number,
            nightly: row.kind == SnapshotKind::Nightly,
            name: row.name,
            day: row.day,
            taken_at: row.taken_at,
            students: row.students,
            facts: row.facts,
            tables,
        }
    }
}

/// What a declared table is made of.
pub type Content = (Measure, Vec<Dimension>);

/// The key that a dimension is among free questions.
pub fn key_of(dimension: Dimension) -> Key {
    match dimension {
        Dimension::Stage => Key::Stage,
        Dimension::Gender => Key::Gender,
        Dimension::EthnicGroup => Key::EthnicGroup,
        Dimension::LeftBehind => Key::LeftBehind,
        Dimension::Boarding => Key::Boarding,
        Dimension::Status => Key::Status,
        Dimension::Programme => Key::Programme,
    }
}

impl Store {
    /// A random number fixed by a text, under the deployment's key.
    pub fn fixed_random(&self, what: &str, of: &str) -> [u8; 32] {
        self.codec.hash(what, of)
    }

    /// The newest snapshot whose facts are there.
    pub async fn newest_snapshot(&self, caller: &Caller) -> Result<Option<Listed>> {
        let query = listing().and_where(Expr::col("facts").eq(true)).limit(1).to_owned();
        self.all(caller, &query).await?.first().map(listed).transpose()
    }

    /// The snapshots with which a declared table was published, from the newest.
    pub async fn publishing(&self, caller: &Caller, table: &str) -> Result<Vec<Listed>> {
        let published = Query::select()
            .column(("c", "snapshot"))
            .from_as("snapshot_cell", "c")
            .and_where(Expr::col(("c", "table_name")).eq(table))
            .to_owned();
        let query = listing().and_where(Expr::col("number").in_subquery(published)).to_owned();
        self.all(caller, &query).await?.iter().map(listed).collect()
    }

    /// The cells of a declared table whose place lies in the scope as a whole: a school that it
    /// covers, a county all of whose schools it covers, the registry likewise.
    pub async fn published(
        &self,
        scope: &Scope,
        snapshot: i64,
        table: &str,
    ) -> Result<Vec<PublishedCell>> {
        let of = |alias: &'static str| {
            Expr::col((alias, "snapshot"))
                .eq(snapshot)
                .and(Expr::col((alias, "table_name")).eq(table))
        };
        let outside = Query::select()
            .column(("x", "place_id"))
            .from_as("snapshot_cell", "x")
            .and_where(of("x"))
            .and_where(Expr::col(("x", "level")).eq("school"))
            .and_where(scope.frozen(("x", "place_id"), snapshot).not())
            .and_where(
                Expr::col(("c", "level")).eq("region").or(Expr::col(("c", "level"))
                    .eq("county")
                    .and(Expr::col(("x", "within_id")).equals(("c", "place_id")))),
            )
            .to_owned();
        let school =
            Expr::col(("c", "level")).eq("school").and(scope.frozen(("c", "place_id"), snapshot));
        let above = Expr::col(("c", "level")).ne("school").and(Expr::exists(outside).not());
        let query = Query::select()
            .columns([("c", "level"), ("c", "place_id"), ("c", "keys"), ("c", "value")])
            .from_as("snapshot_cell", "c")
            .and_where(of("c"))
            .and_where(school.or(above))
            .order_by(("c", "position"), sea_orm::Order::Asc)
            .to_owned();
        self.all(scope.caller(), &query)
            .await?
            .iter()
            .map(|row| {
                Ok(PublishedCell {
                    level: row.try_get_by_index(0).map_err(failed)?,
                    place: row.try_get_by_index(1).map_err(failed)?,
                    keys: row.try_get_by_index(2).map_err(failed)?,
                    value: row.try_get_by_index(3).map_err(failed)?,
                })
            })
            .collect()
    }

    /// Every snapshot, from the newest.
    pub async fn snapshots(&self) -> Result<Vec<Listed>> {
        let rows = self.db.query_all(&listing()).await.map_err(failed)?;
        rows.iter().map(listed).collect()
    }

    /// Takes a snapshot, and publishes the declared tables of it when it is time: `publish` gets the
    /// groups of each content and gives the cells. `CONFLICT` when this night or name has one, or
    /// another is being taken.
    pub async fn take_snapshot(
        &self,
        wanted: Wanted,
        tables: &[Content],
        publish: impl FnOnce(Vec<Vec<Group>>) -> Vec<Published> + Send + 'static,
    ) -> Result<Listed> {
        let tx = self.freezing().await?;
        let number = number(&tx).await?;
        let kind = match &wanted.name {
            Some(_) => SnapshotKind::Named,
            None => SnapshotKind::Nightly,
        };
        let mut row = snapshot::Model {
            id: SnapshotId::new(),
            number,
            kind,
            name: wanted.name,
            day: wanted.day,
            taken_at: wanted.at,
            students: 0,
            facts: true,
        };
        // First of all, so that of two processes one waits here and is then told of the other.
        snapshot::Entity::insert(snapshot::ActiveModel::from(row.clone()))
            .exec_without_returning(&tx)
            .await
            .map_err(failed)?;
        self.number_students(&tx).await?;
        let today = wanted.day;
        let writing = Writing { backend: self.backend(), today, account: None };
        for (table, columns, select) in facts::facts(number, writing) {
            let mut insert = Query::insert();
            insert.into_table(table).columns(columns.iter().copied());
            insert.select_from(select).map_err(|odd| Error::internal(odd.to_string()))?;
            let done = tx.execute(&insert).await.map_err(failed)?;
            if table == "snapshot_student" {
                row.students = i64::try_from(done.rows_affected()).unwrap_or(i64::MAX);
            }
        }
        let last = last_published(&tx).await?;
        let cells = if last.is_some_and(|last| (today - last).num_days() < wanted.days_apart) {
            Vec::new()
        } else {
            let mut groups = Vec::new();
            for content in tables {
                groups.push(table_groups(&tx, number, content).await?);
            }
            tokio::task::spawn_blocking(move || publish(groups))
                .await
                .map_err(|_stopped| Error::internal("publishing the declared tables stopped"))?
        };
        // Tables that tell nothing, as of an empty registry, are none, and hold up no others.
        let published = cells.iter().any(|cell| cell.value.is_some());
        let cells = if published { cells } else { Vec::new() };
        write_cells(&tx, number, cells).await?;
        let counted = snapshot::ActiveModel {
            id: Set(row.id),
            students: Set(row.students),
            ..Default::default()
        };
        snapshot::Entity::update(counted).exec(&tx).await.map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        if self.backend() == DbBackend::Postgres {
            for table in FACTS {
                self.db.execute_unprepared(&format!("ANALYZE {table}")).await.map_err(failed)?;
            }
        }
        Ok(Listed::of(row, published))
    }

    /// Drops a snapshot with everything that was published of it; false when there is none.
    pub async fn drop_snapshot(&self, number: i64) -> Result<bool> {
        let tx = self.freezing().await?;
        forget(&tx, number).await?;
        let schools = Query::delete()
            .from_table("snapshot_school")
            .and_where(Expr::col("snapshot").eq(number))
            .to_owned();
        tx.execute(&schools).await.map_err(failed)?;
        let one = |column: snapshot::Column| column.eq(number);
        snapshot_cell::Entity::delete_many()
            .filter(snapshot_cell::Column::Snapshot.eq(number))
            .exec(&tx)
            .await
            .map_err(failed)?;
        let gone = snapshot::Entity::delete_many()
            .filter(one(snapshot::Column::Number))
            .exec(&tx)
            .await
            .map_err(failed)?;
        tx.commit().await.map_err(failed)?;
        Ok(gone.rows_affected > 0)
    }

    /// Drops the facts of all nightly snapshots but the newest `keep`, one at least. What was
    /// published of them stays, and named snapshots stay whole.
    pub async fn thin_snapshots(&self, keep: u64) -> Result<()> {
        let nightly: Vec<_> =
            self.snapshots().await?.into_iter().filter(|row| row.facts && row.nightly).collect();
        let keep = usize::try_from(Ord::max(keep, 1)).unwrap_or(usize::MAX);
        for row in nightly.into_iter().skip(keep) {
            let tx = self.freezing().await?;
            forget(&tx, row.number).await?;
            let thinned =
                snapshot::ActiveModel { id: Set(row.id), facts: Set(false), ..Default::default() };
            snapshot::Entity::update(thinned).exec(&tx).await.map_err(failed)?;
            tx.commit().await.map_err(failed)?;
        }
        Ok(())
    }

    /// A transaction that sees one instant.
    async fn freezing(&self) -> Result<DatabaseTransaction> {
        let options = TransactionOptions {
            isolation_level: (self.backend() == DbBackend::Postgres)
                .then_some(IsolationLevel::RepeatableRead),
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        self.db.begin_with_options(options).await.map_err(failed)
    }

    /// Gives a random number to each student who has none. It is the same in every snapshot: the
    /// same set of students then gets the same error every night, so that nights cannot be averaged.
    async fn number_students(&self, tx: &DatabaseTransaction) -> Result<()> {
        let known = Query::select()
            .column(("k", "student_id"))
            .from_as("student_key", "k")
            .and_where(Expr::col(("k", "student_id")).equals(("s", "id")))
            .to_owned();
        // Some at a time, in the order of ids: a first snapshot numbers everybody.
        let mut last = Uuid::nil();
        loop {
            let query = Query::select()
                .column(("s", "id"))
                .from_as("student", "s")
                .and_where(Expr::col(("s", "id")).gt(last))
                .and_where(Expr::col(("s", "lifecycle")).eq("live"))
                .and_where(Expr::exists(known.clone()).not())
                .order_by(("s", "id"), sea_orm::Order::Asc)
                .limit(KEYS_AT_ONCE)
                .to_owned();
            let mut new = Vec::new();
            for row in tx.query_all(&query).await.map_err(failed)? {
                last = row.try_get_by_index(0).map_err(failed)?;
                let drawn = self.fixed_random("student_key", &last.to_string());
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&drawn[..8]);
                new.push(student_key::ActiveModel {
                    student_id: Set(StudentId::from_uuid(last)),
                    key: Set(i64::from_be_bytes(bytes) & ((1 << 62) - 1)),
                });
            }
            if new.is_empty() {
                return Ok(());
            }
            student_key::Entity::insert_many(new)
                .exec_without_returning(tx)
                .await
                .map_err(failed)?;
        }
    }
}

/// The snapshots, from the newest, in the columns that [`listed`] reads.
fn listing() -> SelectStatement {
    let cells = Query::select()
        .column(("c", "snapshot"))
        .from_as("snapshot_cell", "c")
        .and_where(Expr::col(("c", "snapshot")).equals(("snapshot", "number")))
        .to_owned();
    Query::select()
        .columns(["id", "number", "kind", "name", "day", "taken_at", "students", "facts"])
        .expr_as(one_if(Expr::exists(cells)), "tables")
        .from("snapshot")
        .order_by("number", sea_orm::Order::Desc)
        .to_owned()
}

fn listed(row: &QueryResult) -> Result<Listed> {
    let tables: i32 = row.try_get("", "tables").map_err(failed)?;
    let row = <snapshot::Model as FromQueryResult>::from_query_result(row, "").map_err(failed)?;
    Ok(Listed::of(row, tables == 1))
}

/// The day of the newest snapshot with published tables.
async fn last_published(tx: &DatabaseTransaction) -> Result<Option<NaiveDate>> {
    let rows = tx.query_all(&listing()).await.map_err(failed)?;
    let known: Vec<Listed> = rows.iter().map(listed).collect::<Result<_>>()?;
    Ok(known.into_iter().find(|known| known.tables).map(|known| known.day))
}

async fn number(tx: &DatabaseTransaction) -> Result<i64> {
    let last = snapshot::Entity::find()
        .order_by_desc(snapshot::Column::Number)
        .one(tx)
        .await
        .map_err(failed)?;
    Ok(last.map_or(0, |last| last.number) + 1)
}

pub(in crate::store) async fn forget(tx: &DatabaseTransaction, number: i64) -> Result<()> {
    for table in FACTS.iter().copied() {
        let delete = Query::delete()
            .from_table(table)
            .and_where(Expr::col("snapshot").eq(number))
            .to_owned();
        tx.execute(&delete).await.map_err(failed)?;
    }
    Ok(())
}

/// The groups of a declared table, at school level.
async fn table_groups(
    tx: &DatabaseTransaction,
    number: i64,
    (measure, by): &Content,
) -> Result<Vec<Group>> {
    let mut columns = vec!["school_id", "county_id"];
    columns.extend(by.iter().map(|dimension| column(*dimension)));
    let mut each = Query::select();
    each.columns(columns.iter().map(|column| ("f", *column)));
    let table = match measure {
        Measure::Students => {
            each.expr_as(Func::count(Expr::col(("f", "key"))), "part");
            "snapshot_student"
        }
        Measure::AidAmount => {
            each.expr_as(sum_of(Expr::col(("f", "amount"))), "part");
            "snapshot_aid"
        }
    };
    each.from_as(table, "f").and_where(Expr::col(("f", "snapshot")).eq(number));
    each.add_group_by(columns.iter().map(|column| Expr::col(("f", *column))));
    each.add_group_by([Expr::col(("f", "key"))]);
    let of = |column: &'static str| Expr::col(("g", column));
    let query = Query::select()
        .columns(columns.iter().map(|column| ("g", *column)))
        .expr(Func::count(of("part")))
        .expr(sum_of(of("part")))
        .expr(whole(Func::max(of("part"))))
        .from_subquery(each, "g")
        .add_group_by(columns.iter().map(|column| of(column)))
        .to_owned();
    let keys: Vec<_> = by.iter().map(|dimension| key_of(*dimension)).collect();
    let next = columns.len();
    tx.query_all(&query)
        .await
        .map_err(failed)?
        .iter()
        .map(|row| {
            Ok(Group {
                school: row.try_get_by_index(0).map_err(failed)?,
                county: row.try_get_by_index(1).map_err(failed)?,
                keys: read_keys_from(row, 2, &keys)?,
                students: number_at(row, next)?,
                sum: number_at(row, next + 1)?,
                largest: number_at(row, next + 2)?,
            })
        })
        .collect()
}

fn column(dimension: Dimension) -> &'static str {
    match dimension {
        Dimension::Stage => "stage",
        Dimension::Gender => "gender",
        Dimension::EthnicGroup => "ethnic_group",
        Dimension::LeftBehind => "left_behind",
        Dimension::Boarding => "boarding",
        Dimension::Status => "state",
        Dimension::Programme => "programme_id",
    }
}

async fn write_cells(tx: &DatabaseTransaction, number: i64, cells: Vec<Published>) -> Result<()> {
    let mut rows = (0_i64..).zip(cells).map(|(position, cell)| snapshot_cell::ActiveModel {
        snapshot: Set(number),
        table_name: Set(cell.table),
        position: Set(position),
        level: Set(cell.level.to_owned()),
        place_id: Set(cell.place.map(Into::into)),
        within_id: Set(cell.within.map(Into::into)),
        keys: Set(cell.keys),
        value: Set(cell.value),
    });
    loop {
        let some: Vec<_> = rows.by_ref().take(CELLS_AT_ONCE).collect();
        if some.is_empty() {
            return Ok(());
        }
        snapshot_cell::Entity::insert_many(some)
            .exec_without_returning(tx)
            .await
            .map_err(failed)?;
    }
}
