//! What the same machine can do without the product: axum and sqlx, SQL written by hand.
//!
//! It answers `POST /parent` and `POST /roster` (`{"id": "<uuid>"}`) with the JSON shape of the
//! documents of the same name and the same masks. It knows no caller: no token, no policy, no GraphQL. Code
//! systems, masks and rounding are the product's own, so that only the way there differs.
//! It must never be reachable by anybody but the benchmark.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::{Context, Result};
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::{get, post};
use axum::serve::ListenerExt;
use axum::{Json, Router};
use chrono::NaiveDate;
use clap::Parser;
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::postgres::{PgConnectOptions, PgPool, PgPoolOptions, PgRow};
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow,
    SqliteSynchronous,
};
use uuid::Uuid;
use xueji::domain::attendance::Summary;
use xueji_entity::value::{Address, Guarded, IdNumber, Language, Thousandths, code};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Options.
#[derive(Parser)]
struct Args {
    /// The database that the measured server uses.
    #[arg(long)]
    database_url: String,
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:8090")]
    listen: SocketAddr,
    /// Connections of the pool; when not said as many as the measured server has, 16 or 4 on SQLite.
    #[arg(long)]
    pool: Option<u32>,
    /// The day of the question; today in China when not said.
    #[arg(long)]
    today: Option<NaiveDate>,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Clone)]
enum Pool {
    Postgres(PgPool),
    Sqlite(SqlitePool),
}

#[derive(Clone)]
struct App {
    pool: Pool,
    today: NaiveDate,
    statements: Arc<AtomicU64>,
}

#[derive(Deserialize)]
struct Asked {
    id: Uuid,
}

#[derive(Serialize)]
struct Data<T> {
    data: T,
}

#[derive(Serialize)]
struct Nodes<T> {
    nodes: Vec<T>,
}

#[derive(Serialize)]
struct Label {
    label: Option<&'static str>,
}

#[derive(Serialize)]
struct Named {
    name: String,
}

#[derive(Serialize)]
struct ParentAnswer {
    viewer: ViewerAnswer,
}

#[derive(Serialize)]
struct ViewerAnswer {
    wards: Nodes<Ward>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ward {
    id: Uuid,
    name: String,
    gender: Label,
    birth_date: NaiveDate,
    class_group: Option<Named>,
    scores: Nodes<ScoreAnswer>,
    attendance_summary: Attendance,
}

#[derive(Serialize)]
struct ScoreAnswer {
    value: Option<String>,
    exam: ExamAnswer,
    course: Named,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExamAnswer {
    name: String,
    starts_on: NaiveDate,
}

#[derive(Serialize)]
struct Attendance {
    days: i64,
    present: i64,
    late: i64,
    excused: i64,
    truant: i64,
    rate: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RosterAnswer {
    class_group: ClassAnswer,
}

#[derive(Serialize)]
struct ClassAnswer {
    name: String,
    students: Nodes<StudentAnswer>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct StudentAnswer {
    id: Uuid,
    name: String,
    gender: Label,
    birth_date: NaiveDate,
    id_number: Option<String>,
    phone: Option<String>,
    current_address: Option<String>,
    guardians: Nodes<GuardianAnswer>,
}

#[derive(Serialize)]
struct GuardianAnswer {
    name: String,
    relation: Label,
    phone: Option<String>,
}

const WARD: &str = "SELECT s.id, s.name, s.gender, s.birth_date, g.name FROM student s \
    LEFT JOIN class_membership m ON m.student_id = s.id AND m.lifecycle = 'live' AND m.kind = 'ordinary' \
    AND m.since <= $2 AND (m.until IS NULL OR m.until >= $2) \
    LEFT JOIN class_group g ON g.id = m.class_group_id \
    WHERE s.id = $1 AND s.lifecycle = 'live' LIMIT 1";

const SCORES: &str = "SELECT sc.value, e.name, e.starts_on, c.name FROM score sc \
    JOIN exam e ON e.id = sc.exam_id JOIN course c ON c.id = sc.course_id \
    WHERE sc.student_id = $1 AND sc.published = TRUE AND sc.lifecycle = 'live' \
    ORDER BY sc.entered_at DESC, sc.id LIMIT 36";

const ATTENDANCE: &str = "SELECT kind, COUNT(*) FROM attendance \
    WHERE student_id = $1 AND lifecycle = 'live' GROUP BY kind";

/// The only statement whose text differs: names are in the order of code points everywhere.
macro_rules! roster_sql {
    ($collation:literal) => {
        concat!(
            "SELECT g.name, s.id, s.name, s.gender, s.birth_date, s.id_number, s.phone, s.current_address \
             FROM class_group g \
             LEFT JOIN class_membership m ON m.class_group_id = g.id AND m.lifecycle = 'live' \
             AND m.since <= $2 AND (m.until IS NULL OR m.until >= $2) \
             LEFT JOIN student s ON s.id = m.student_id AND s.lifecycle = 'live' \
             WHERE g.id = $1 ORDER BY s.name",
            $collation,
            ", s.id LIMIT 60"
        )
    };
}

const GUARDIANS: &str = "SELECT x.student_id, x.name, x.relation, x.phone FROM class_membership m \
    JOIN guardian x ON x.student_id = m.student_id AND x.lifecycle = 'live' \
    WHERE m.class_group_id = $1 AND m.lifecycle = 'live' \
    AND m.since <= $2 AND (m.until IS NULL OR m.until >= $2) \
    ORDER BY x.position, x.id";

fn label(code: &str) -> Label {
    Label { label: code::label(code, Language::Chinese) }
}

/// A sealed text: a format byte and the text.
fn open(sealed: Option<&[u8]>) -> Option<&str> {
    sealed.and_then(|sealed| sealed.get(1..)).and_then(|text| std::str::from_utf8(text).ok())
}

fn summary(kinds: impl IntoIterator<Item = (String, i64)>) -> Attendance {
    let mut summary = Summary::default();
    for (kind, days) in kinds {
        summary.add(&kind, days);
    }
    Attendance {
        days: summary.days(),
        present: summary.present,
        late: summary.late,
        excused: summary.excused(),
        truant: summary.truant,
        rate: summary.rate().map(|rate| rate.to_string()),
    }
}

/// The two answers for one database driver; the drivers share no type that both would fit.
macro_rules! answers {
    ($driver:ident, $pool:ty, $row:ty, $roster:expr) => {
        mod $driver {
            use super::*;

            pub(super) async fn parent(
                pool: &$pool,
                student: Uuid,
                today: NaiveDate,
            ) -> sqlx::Result<Option<Ward>> {
                let ward = sqlx::query(WARD).bind(student).bind(today).fetch_optional(pool);
                let Some(ward) = ward.await? else { return Ok(None) };
                let scores = sqlx::query(SCORES).bind(student).fetch_all(pool).await?;
                let kinds = sqlx::query(ATTENDANCE).bind(student).fetch_all(pool).await?;
                let kinds: sqlx::Result<Vec<(String, i64)>> =
                    kinds.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect();
                let class_group: Option<String> = ward.try_get(4)?;
                Ok(Some(Ward {
                    id: ward.try_get(0)?,
                    name: ward.try_get(1)?,
                    gender: label(ward.try_get(2)?),
                    birth_date: ward.try_get(3)?,
                    class_group: class_group.map(|name| Named { name }),
                    scores: Nodes { nodes: scores.iter().map(score).collect::<sqlx::Result<_>>()? },
                    attendance_summary: summary(kinds?),
                }))
            }

            fn score(row: &$row) -> sqlx::Result<ScoreAnswer> {
                let value: Option<i64> = row.try_get(0)?;
                Ok(ScoreAnswer {
                    value: value.map(|value| Thousandths(value).to_string()),
                    exam: ExamAnswer { name: row.try_get(1)?, starts_on: row.try_get(2)? },
                    course: Named { name: row.try_get(3)? },
                })
            }

            pub(super) async fn roster(
                pool: &$pool,
                class_group: Uuid,
                today: NaiveDate,
            ) -> sqlx::Result<Option<ClassAnswer>> {
                let students = sqlx::query($roster).bind(class_group).bind(today);
                let students = students.fetch_all(pool).await?;
                let Some(first) = students.first() else { return Ok(None) };
                let name = first.try_get(0)?;
                let guardians = sqlx::query(GUARDIANS).bind(class_group).bind(today);
                let mut of: HashMap<Uuid, Vec<GuardianAnswer>> =
                    HashMap::with_capacity(students.len());
                for row in guardians.fetch_all(pool).await? {
                    let guardian = GuardianAnswer {
                        name: row.try_get(1)?,
                        relation: label(row.try_get(2)?),
                        phone: open(row.try_get(3)?).map(str::to_owned),
                    };
                    of.entry(row.try_get(0)?).or_default().push(guardian);
                }
                let mut nodes = Vec::with_capacity(students.len());
                for row in &students {
                    // A class without pupils has one row, of the class alone.
                    let Some(id) = row.try_get::<Option<Uuid>, _>(1)? else { continue };
                    nodes.push(StudentAnswer {
                        id,
                        name: row.try_get(2)?,
                        gender: label(row.try_get(3)?),
                        birth_date: row.try_get(4)?,
                        id_number: open(row.try_get(5)?).map(IdNumber::mask_text),
                        phone: open(row.try_get(6)?).map(str::to_owned),
                        current_address: open(row.try_get(7)?).map(Address::mask_text),
                        guardians: Nodes { nodes: of.remove(&id).unwrap_or_default() },
                    });
                }
                Ok(Some(ClassAnswer { name, students: Nodes { nodes } }))
            }
        }
    };
}

answers!(postgres, PgPool, PgRow, roster_sql!(" COLLATE \"C\""));
answers!(sqlite, SqlitePool, SqliteRow, roster_sql!(""));

fn answered<T>(found: sqlx::Result<Option<T>>) -> Result<T, StatusCode> {
    // Why a statement failed may quote values; the status is enough for the benchmark.
    let found = found.or(Err(StatusCode::INTERNAL_SERVER_ERROR))?;
    found.ok_or(StatusCode::NOT_FOUND)
}

async fn parent(
    State(app): State<App>,
    Json(asked): Json<Asked>,
) -> Result<Json<Data<ParentAnswer>>, StatusCode> {
    app.statements.fetch_add(3, Ordering::Relaxed);
    let ward = answered(match &app.pool {
        Pool::Postgres(pool) => postgres::parent(pool, asked.id, app.today).await,
        Pool::Sqlite(pool) => sqlite::parent(pool, asked.id, app.today).await,
    })?;
    let viewer = ViewerAnswer { wards: Nodes { nodes: vec![ward] } };
    Ok(Json(Data { data: ParentAnswer { viewer } }))
}

async fn roster(
    State(app): State<App>,
    Json(asked): Json<Asked>,
) -> Result<Json<Data<RosterAnswer>>, StatusCode> {
    app.statements.fetch_add(2, Ordering::Relaxed);
    let class_group = answered(match &app.pool {
        Pool::Postgres(pool) => postgres::roster(pool, asked.id, app.today).await,
        Pool::Sqlite(pool) => sqlite::roster(pool, asked.id, app.today).await,
    })?;
    Ok(Json(Data { data: RosterAnswer { class_group } }))
}

async fn metrics(State(app): State<App>) -> String {
    format!("xueji_statements_total {}\n", app.statements.load(Ordering::Relaxed))
}

/// The pool, set as the product sets its own.
async fn connect(args: &Args) -> Result<Pool> {
    if args.database_url.starts_with("sqlite:") {
        let options: SqliteConnectOptions = args.database_url.parse()?;
        let options = options
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .statement_cache_capacity(500)
            .pragma("mmap_size", "268435456");
        let pool = SqlitePoolOptions::new()
            .max_connections(args.pool.unwrap_or(4))
            .test_before_acquire(false);
        return Ok(Pool::Sqlite(pool.connect_with(quiet(options)).await?));
    }
    let options: PgConnectOptions = args.database_url.parse()?;
    let options = options.application_name("bare").statement_cache_capacity(500);
    let pool =
        PgPoolOptions::new().max_connections(args.pool.unwrap_or(16)).test_before_acquire(false);
    Ok(Pool::Postgres(pool.connect_with(quiet(options)).await?))
}

fn quiet<O: sqlx::ConnectOptions>(options: O) -> O {
    options.disable_statement_logging()
}

/// Today in China: the deployment's default time zone has had this offset for all of its data.
#[expect(clippy::disallowed_methods, reason = "a program of its own, without the product's clock")]
fn today() -> NaiveDate {
    (chrono::Utc::now() + chrono::TimeDelta::hours(8)).date_naive()
}

#[tokio::main]
async fn main() -> Result<()> {
    let args = Args::parse();
    let app = App {
        pool: connect(&args).await.context("The database cannot be opened.")?,
        today: args.today.unwrap_or_else(today),
        statements: Arc::default(),
    };
    let routes = Router::new()
        .route("/parent", post(parent))
        .route("/roster", post(roster))
        .route("/metrics", get(metrics))
        .with_state(app);
    let listener = tokio::net::TcpListener::bind(args.listen).await?.tap_io(|stream| {
        let _slower_at_worst = stream.set_nodelay(true);
    });
    say(&format!("process {} listens on {}", std::process::id(), args.listen));
    axum::serve(listener, routes).await?;
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the one place where this command speaks")]
fn say(line: &str) {
    println!("{line}");
}
