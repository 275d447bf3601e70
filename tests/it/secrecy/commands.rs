//! The program with its keys, as a process: the first key, wrong and missing keys, and the commands that change them.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use sea_orm::ConnectionTrait;
use tempfile::TempDir;
use xueji::store::connect::connect;
use xueji::store::keys::{State, stored as keys};
use xueji_migration::{Migrator, MigratorTrait};

use super::marks::dump;
use super::under;
use crate::support::app::App;
use crate::support::keys::MASTER;
use crate::support::place::Place;
use crate::support::process::{Program, Running, serve, settings};
use crate::support::seed::Shape;

const OTHER: &str = "1122334455667788990011223344556677889900aabbccddeeff001122334455";

fn xueji(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().stdin(Stdio::null()).args(args);
    command
}

/// The exit code, and what was said on either stream.
fn said(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn run(args: &[&str]) -> (Option<i32>, String, String) {
    said(&xueji(args).output().unwrap())
}

/// `xueji keys …` on a database under a master key.
fn on<'a>(url: &'a str, key: &'a str, args: &[&'a str]) -> Vec<&'a str> {
    let mut all = vec!["keys"];
    all.extend(args);
    all.extend(["--database-url", url, "--master-key", key]);
    all
}

/// Refused with exit code 1 and one sentence that holds these parts and no key.
#[track_caller]
fn refused((code, out, err): (Option<i32>, String, String), parts: &[&str]) {
    assert_eq!(code, Some(1), "{out}{err}");
    assert!(err.starts_with("xueji: ") && err.trim_end().lines().count() == 1, "{err}");
    for part in parts {
        assert!(err.contains(part), "{part} in {err}");
    }
    for key in [MASTER, OTHER] {
        assert!(!err.contains(&key[..16]) && !out.contains(&key[..16]), "no key in {err}");
    }
}

#[track_caller]
fn done((code, out, err): (Option<i32>, String, String)) -> String {
    assert_eq!(code, Some(0), "{out}{err}");
    out
}

fn write_private(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    #[cfg(unix)]
    std::fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_start_makes_a_key_and_the_commands_show_it() {
    let place = Place::empty().await;
    let db = connect(&place.url, 1).await.unwrap();
    refused(run(&on(&place.url, MASTER, &["init"])), &["xueji migrate up"]);
    Migrator::up(&db, None).await.unwrap();
    assert_eq!(done(run(&on(&place.url, MASTER, &["list"]))), "");
    let program = Program::on(&place.url, &[]);
    {
        let _server = program.start();
        let begun = Instant::now();
        while keys(&db).await.unwrap().is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(60), "the server makes a key");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
    let list = done(run(&on(&place.url, MASTER, &["list"])));
    assert_eq!(list.lines().count(), 3, "{list}");
    assert!(list.contains("log 1    code     active"), "{list}");
    assert!(list.starts_with("1    aes-256-gcm  active    master "), "{list}");
    let again = done(run(&on(&place.url, MASTER, &["init"])));
    assert!(again.contains("a data key already"), "{again}");
    assert_eq!(keys(&db).await.unwrap().len(), 1);
    // Another database begins with the national cipher.
    let other = Place::empty().await;
    let db = connect(&other.url, 1).await.unwrap();
    Migrator::up(&db, None).await.unwrap();
    let made = done(run(&on(&other.url, MASTER, &["init", "--data-cipher", "sm4-gcm"])));
    assert!(made.contains("sm4-gcm"), "{made}");
    assert!(done(run(&on(&other.url, MASTER, &["list"]))).contains("sm4-gcm      active"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn data_keys_are_not_taken_back_with_a_migration() {
    let place = Place::migrated().await;
    let db = connect(&place.url, 1).await.unwrap();
    let down = |steps| ["migrate", "down", "--steps", steps, "--database-url", &place.url];
    // Those that came after the seals, which are the twentieth, go without a question.
    let later = (Migrator::migrations().len() - 20).to_string();
    done(run(&down(&later)));
    refused(run(&down("1")), &["would take back the seals of the logs and their keys"]);
    refused(run(&down("2")), &["would take back the data keys"]);
    assert_eq!(keys(&db).await.unwrap().len(), 1);
    db.execute_unprepared("DELETE FROM data_key").await.unwrap();
    db.execute_unprepared("DELETE FROM log_key").await.unwrap();
    assert!(done(run(&down("2"))).contains("2 migrations taken back"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_another_master_key_or_none_it_says_so_and_touches_nothing() {
    let (app, _seed) = App::school_of(Shape { classes: 1, students: 2 }).await;
    let place = app.into_place();
    let db = connect(&place.url, 1).await.unwrap();
    let before = dump(&db).await;
    let home = TempDir::new().unwrap();
    let mut args = settings(home.path(), &place.url);
    args.insert(0, "serve".to_owned());
    let at = args.iter().position(|arg| arg == "--master-key").unwrap();
    let serve = |key: &str| {
        let mut args = args.clone();
        args[at + 1] = key.to_owned();
        run(&args.iter().map(String::as_str).collect::<Vec<_>>())
    };
    refused(serve(OTHER), &["The master key is not that of this database", "Nothing was changed"]);
    refused(serve("0011"), &["master_key", "64 hexadecimal digits"]);
    refused(serve(""), &["master_key_file is missing", "XUEJI_MASTER_KEY_FILE"]);
    let file = home.path().join("master.key");
    write_private(&file, "0011223344");
    let mut with_file = args.clone();
    with_file[at] = "--master-key-file".to_owned();
    with_file[at + 1] = file.display().to_string();
    let serve_file = || run(&with_file.iter().map(String::as_str).collect::<Vec<_>>());
    refused(
        serve_file(),
        &["master_key_file", "wrong length", "64 hexadecimal digits or 32 bytes"],
    );
    write_private(&file, OTHER);
    refused(serve_file(), &["The master key is not that of this database"]);
    std::fs::remove_file(&file).unwrap();
    refused(serve_file(), &["master_key_file", "cannot be read"]);
    refused(run(&on(&place.url, OTHER, &["rotate"])), &["not that of this database"]);
    write_private(
        &home.path().join("new.key"),
        "00112233445566778899aabbccddeeff00112233445566778899aabbccddee00",
    );
    let other = home.path().join("new.key");
    let command = ["rewrap", "--new-master-key-file", other.to_str().unwrap()];
    refused(run(&on(&place.url, OTHER, &command)), &["not that of this database"]);
    refused(
        run(&["keys", "rotate", "--database-url", &place.url]),
        &["master_key_file is missing"],
    );
    assert_eq!(dump(&db).await, before, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rotate_goes_on_after_an_interruption_and_rewrap_follows() {
    let (app, _seed) = App::school_of(Shape { classes: 1, students: 2 }).await;
    let place = app.into_place();
    let db = connect(&place.url, 2).await.unwrap();
    // Interrupted while the new key is made known to servers.
    let args = on(&place.url, MASTER, &["rotate", "--data-cipher", "sm4-gcm"]);
    let mut child = xueji(&args).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while keys(&db).await.unwrap().len() < 2 {
        assert!(begun.elapsed() < Duration::from_secs(60), "a key is made");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
    child.wait().unwrap();
    let arriving = keys(&db).await.unwrap();
    assert_eq!((arriving[0].state, arriving[1].state), (State::Active, State::Arriving));
    assert_eq!(under(&db).await.into_keys().collect::<Vec<_>>(), [1], "no row has moved");
    let list = done(run(&on(&place.url, MASTER, &["list"])));
    assert!(list.contains("rows are on their way: `xueji keys rotate` ends it"), "{list}");

    let told = done(run(&on(&place.url, MASTER, &["rotate"])));
    assert!(
        told.starts_with("went on with an interrupted rotation: data key 2 (sm4-gcm) seals now; "),
        "{told}"
    );
    assert_eq!(under(&db).await.into_keys().collect::<Vec<_>>(), [2]);
    let list = done(run(&on(&place.url, MASTER, &["list"])));
    assert!(list.contains("retired") && !list.contains("on their way"), "{list}");

    let home = TempDir::new().unwrap();
    let file = home.path().join("new.key");
    write_private(&file, OTHER);
    let path = file.to_str().unwrap();
    let told = done(run(&on(&place.url, MASTER, &["rewrap", "--new-master-key-file", path])));
    assert!(told.starts_with("2 data keys wrapped by the new master key"), "{told}");
    refused(run(&on(&place.url, MASTER, &["rotate"])), &["not that of this database"]);
    let again = done(run(&on(&place.url, OTHER, &["init"])));
    assert!(again.contains("a data key already"), "{again}");
    // A server starts with the new one.
    let mut args = settings(home.path(), &place.url);
    let at = args.iter().position(|arg| arg == "--master-key").unwrap();
    args[at] = "--master-key-file".to_owned();
    args[at + 1] = path.to_owned();
    // Which it does when it says where it listens.
    let _server = Running::of(serve(home.path(), &args));
}
