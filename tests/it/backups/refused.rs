//! What `xueji backup` refuses, in one sentence, with nothing lost.

use std::process::{Command, Stdio};

use sea_orm::{ConnectionTrait, Statement};
use tempfile::TempDir;
use xueji::store::connect::connect;

use super::{backup, demo, done, everything, names, only, refused, text};
use crate::support::app::App;
use crate::support::keys::MASTER;
use crate::support::place::Place;
use crate::support::process::Program;

#[tokio::test(flavor = "multi_thread")]
async fn wrong_keys_and_folders_are_said() {
    let (app, _) = demo().await;
    let url = &app.place().url;
    let folder = TempDir::new().unwrap();
    let to = text(folder.path());
    done(&["take", "--to", to], Some(url));
    let path = only(folder.path());
    let copy = Place::empty().await;
    let with = |key: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
        command.env_clear().args(["backup", "restore", text(&path), "--master-key", key]);
        command.args(["--database-url", &copy.url]).output().unwrap()
    };
    let other = MASTER.replace('5', "6");
    refused(&with(&other), "The backup was made under master key ");
    assert!(!String::from_utf8(with(&other).stderr).unwrap().contains(&other));
    refused(&with(&MASTER[2..]), "64 hexadecimal digits");
    refused(&with("zz"), "master_key");
    refused(&backup(&["take", "--to", "/nowhere/at/all"], Some(url)), "is no folder");
    // Nobody makes a file there, not even root.
    refused(&backup(&["take", "--to", "/proc"], Some(url)), "/proc cannot be written");
    let empty = TempDir::new().unwrap();
    refused(&backup(&["verify", text(empty.path())], None), "holds no backup");
    refused(&backup(&["verify", "/nowhere.xbk"], None), "cannot be read");
    let foreign = empty.path().join("xueji-20261120T040000Z-sqlite.xbk");
    std::fs::write(&foreign, "something else altogether").unwrap();
    refused(&backup(&["verify", text(&foreign)], None), "is no backup of xueji");
    let mut newer = std::fs::read(&path).unwrap();
    newer[9] = 7;
    std::fs::write(&foreign, newer).unwrap();
    refused(&backup(&["restore", text(&foreign)], Some(&copy.url)), "is of format 7");
    // The copy is as empty as before.
    done(&["restore", text(&path)], Some(&copy.url));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_leaves_no_half_of_a_file() {
    let (app, _) = demo().await;
    let folder = TempDir::new().unwrap();
    // A file may not grow beyond some tens of thousands of bytes, which ends as a full disk does.
    let output = Command::new("sh")
        .env_clear()
        .args(["-c", "trap '' XFSZ; ulimit -f 70; exec \"$0\" \"$@\""])
        .arg(env!("CARGO_BIN_EXE_xueji"))
        .args(["backup", "take", "--to", text(folder.path()), "--master-key", MASTER])
        .args(["--database-url", &app.place().url])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    refused(&output, "cannot be written");
    assert_eq!(names(folder.path()), Vec::<String>::new());
    done(&["take", "--to", text(folder.path())], Some(&app.place().url));
    assert_eq!(names(folder.path()).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restore_over_a_live_database_touches_nothing() {
    let (app, _) = demo().await;
    let place = app.into_place();
    let folder = TempDir::new().unwrap();
    done(&["take", "--to", text(folder.path())], Some(&place.url));
    let path = only(folder.path());
    let before = everything(&place.url).await;
    refused(&backup(&["restore", text(&path)], Some(&place.url)), "is not empty");
    assert!(everything(&place.url).await == before);
    // Migrated and without rows is not empty either.
    let bare = Place::migrated().await;
    let before = everything(&bare.url).await;
    refused(&backup(&["restore", text(&path)], Some(&bare.url)), "is not empty");
    assert!(everything(&bare.url).await == before);

    let program = Program::on(&bare.url, &[]);
    let server = program.start();
    let part = if bare.on_server().is_some() { "is not empty" } else { "another process" };
    refused(&backup(&["restore", text(&path)], Some(&bare.url)), part);
    drop(server);

    // Lines that stand beside no registry are somebody's as well, and so is any other file.
    if bare.on_server().is_none() {
        let home = TempDir::new().unwrap();
        let url = format!("sqlite://{}?mode=rwc", home.path().join("registry.db").display());
        let lines = place.file().replace("registry.db", "registry.disclosures.db");
        let beside = home.path().join("registry.disclosures.db");
        std::fs::copy(lines, &beside).unwrap();
        let bytes = std::fs::read(&beside).unwrap();
        refused(&backup(&["restore", text(&path)], Some(&url)), "is not empty");
        assert!(std::fs::read(&beside).unwrap() == bytes);
        std::fs::remove_file(&beside).unwrap();
        std::fs::write(home.path().join("registry.db"), "a letter").unwrap();
        refused(&backup(&["restore", text(&path)], Some(&url)), "is not empty");
        assert_eq!(std::fs::read(home.path().join("registry.db")).unwrap(), b"a letter");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_a_newer_program_or_of_none_is_not_taken() {
    let (app, folder) = (App::start().await, TempDir::new().unwrap());
    let url = app.place().url.clone();
    let insert =
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_newer', 0)";
    let newer = Statement::from_string(app.db().get_database_backend(), insert);
    app.db().execute_raw(newer).await.unwrap();
    refused(&backup(&["take", "--to", text(folder.path())], Some(&url)), "m29990101_000001_newer");
    let empty = Place::empty().await;
    // A file that was only named is made by looking, as `migrate status` does; a registry is not.
    connect(&empty.url, 1).await.unwrap().close().await.unwrap();
    refused(&backup(&["take", "--to", text(folder.path())], Some(&empty.url)), "xueji migrate up");
    assert_eq!(names(folder.path()), Vec::<String>::new());
}
