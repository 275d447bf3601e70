//! Backups as those who keep a server meet them: a registry that comes back row by row on either database, files that
//! were damaged, restores that are refused, and the task of the night.

mod damage;
mod nights;
mod refused;
mod round;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};
use xueji::demo::Size;
use xueji::store::connect::{connect, connect_log};

use crate::support::app::App;
use crate::support::keys::MASTER;

/// A demo large enough for a backup of several chunks.
fn size() -> Size {
    Size { counties: 1, schools: 2, classes: 3, students: 20, scores: 18, days: 8, seed: 7 }
}

/// The program with the suite's master key.
fn backup(args: &[&str], url: Option<&str>) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().stdin(Stdio::null()).arg("backup").args(args);
    command.args(["--master-key", MASTER]);
    if let Some(url) = url {
        command.args(["--database-url", url]);
    }
    command.output().unwrap()
}

#[track_caller]
fn done(args: &[&str], url: Option<&str>) -> String {
    let output = backup(args, url);
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    assert!(output.status.success(), "{args:?}: {}", text(&output.stderr));
    text(&output.stdout)
}

/// Refused with exit code 1 and sentences that hold a part.
#[track_caller]
fn refused(output: &Output, part: &str) {
    let err = String::from_utf8(output.stderr.clone()).unwrap();
    assert_eq!(output.status.code(), Some(1), "{err}");
    assert!(err.starts_with("xueji: ") && err.contains(part), "{part} in: {err}");
    assert!(!err.contains("panicked") && !err.contains(MASTER), "{err}");
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Everything in a folder, by name.
fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The one backup of a folder.
fn only(folder: &Path) -> PathBuf {
    let mut names = names(folder);
    names.retain(|name| name.ends_with(".xbk"));
    assert_eq!(names.len(), 1, "{names:?}");
    folder.join(&names[0])
}

async fn rows(db: &DatabaseConnection, sql: String) -> Vec<String> {
    let rows = db.query_all_raw(Statement::from_string(db.get_database_backend(), sql)).await;
    rows.unwrap().iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Every row of every table with the bytes of its values, but for what backups leave in the audit log, and for the seals
/// of the logs, which servers go on with by themselves. The lines of disclosures stand in a file of their own beside a
/// SQLite registry.
async fn everything(url: &str) -> Vec<(String, Vec<String>)> {
    let db = connect(url, 1).await.unwrap();
    let postgres = db.get_database_backend() == DbBackend::Postgres;
    let log = if postgres { None } else { connect_log(url).await.unwrap() };
    let tables = match postgres {
        true => {
            "SELECT relname::text FROM pg_class WHERE relkind = 'r' \
            AND relnamespace = current_schema()::text::regnamespace ORDER BY 1"
        }
        false => {
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
        }
    };
    let mut all = Vec::new();
    for table in rows(&db, tables.to_owned()).await {
        if table == "seaql_migrations" || table.starts_with("seal") {
            continue;
        }
        let from = if table == "disclosure_line" { log.as_ref().unwrap_or(&db) } else { &db };
        let kept = if table == "audit" { " WHERE action NOT LIKE 'backup.%'" } else { "" };
        let sql = if postgres {
            format!("SELECT t::text FROM \"{table}\" t{kept} ORDER BY 1")
        } else {
            let columns = format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid");
            let columns = rows(from, columns).await;
            let cells: Vec<String> =
                columns.iter().map(|c| format!("typeof(\"{c}\") || quote(\"{c}\")")).collect();
            format!("SELECT {} FROM \"{table}\"{kept} ORDER BY 1", cells.join(" || '|' || "))
        };
        let mut found = rows(from, sql).await;
        found.sort_unstable();
        all.push((table, found));
    }
    db.close().await.unwrap();
    if let Some(log) = log {
        log.close().await.unwrap();
    }
    all
}

/// How many audit lines there are of an act.
async fn on_record(db: &DatabaseConnection, action: &str) -> usize {
    rows(db, format!("SELECT detail FROM audit WHERE action = '{action}'")).await.len()
}

/// An application on a demo with a snapshot, events and disclosures.
async fn demo() -> (App, Vec<xueji_entity::value::AccountId>) {
    let app = App::start().await;
    let record = app.fill(&size()).await;
    app.snapshot("census").await;
    for number in 0..3 {
        let id = uuid::Uuid::now_v7();
        let values = [id.into(), format!("{{\"rows\":[{number}]}}").into()];
        let sql = "INSERT INTO outbox (id, at, kind, payload) \
            VALUES ($1, '2026-11-20T04:00:00.123456+00:00', 'tried', $2)";
        let backend = app.db().get_database_backend();
        let insert = Statement::from_sql_and_values(backend, sql, values);
        app.db().execute_raw(insert).await.unwrap();
    }
    let people: Vec<_> = record
        .personas
        .0
        .iter()
        .map(|persona| xueji_entity::value::AccountId::from_uuid(persona.account_id))
        .collect();
    for account in &people {
        app.account_holder(*account).await.ask(ASKED).await;
    }
    app.index_disclosures().await;
    (app, people)
}

/// What people ask before and after.
const ASKED: &str = "{ students(first: 5) { totalCount nodes { id name phone idNumber currentAddress \
    guardians { nodes { name phone } } scores(first: 3) { nodes { value } } } } }";
