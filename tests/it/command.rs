//! The program itself, run as a process: what it refuses to start with, in one sentence, and its migrations.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sea_orm::{ConnectionTrait, Statement};
use tempfile::TempDir;
use xueji::store::connect::connect;

use crate::support::place::Place;
use crate::support::process::settings;

/// The program with none of this environment's settings.
fn xueji(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().current_dir(folder).stdin(Stdio::null());
    command
}

fn run(command: &mut Command) -> Output {
    command.output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

/// Fails unless the program ended with exit code 1 and one sentence that holds all of these.
#[track_caller]
fn refused(output: &Output, parts: &[&str]) -> String {
    let (out, err) = said(output);
    assert_eq!(output.status.code(), Some(1), "{out}{err}");
    assert!(err.starts_with("xueji: "), "{err}");
    assert!(!err.contains("panicked") && !err.contains("backtrace"), "{err}");
    for part in parts {
        assert!(err.contains(part), "{part} in: {err}");
    }
    err
}

#[test]
fn missing_or_contradictory_settings_stop_the_start_with_one_sentence() {
    let folder = TempDir::new().unwrap();
    let all = settings(folder.path(), "sqlite://registry.db?mode=rwc");
    let err = refused(&run(xueji(folder.path()).arg("serve")), &["database_url"]);
    assert_eq!(err.trim_end().lines().count(), 1, "{err}");
    for (flag, part) in [
        ("--database-url", "database_url"),
        ("--public-id-key", "public_id_key"),
        ("--lookup-key", "lookup_key"),
        ("--master-key", "master_key_file"),
        ("--jwt-key", "jwt"),
        ("--jwt-issuer", "jwt"),
        ("--jwt-audience", "jwt"),
    ] {
        let at = all.iter().position(|arg| arg == flag).unwrap();
        let mut args = all.clone();
        args.drain(at..at + 2);
        let err = refused(&run(xueji(folder.path()).arg("serve").args(args)), &[part]);
        assert_eq!(err.trim_end().lines().count(), 1, "{err}");
    }
    for (flag, value, part) in [
        ("--lookup-key", "0123456789abcdef".repeat(4), "public_id_key"),
        ("--lookup-key", "zz".to_owned(), "lookup_key"),
        ("--master-key", "0123456789abcdef".repeat(4), "master_key"),
        ("--master-key", "zz".to_owned(), "master_key"),
        ("--database-url", "mysql://x".to_owned(), "sqlite://"),
        ("--listen", "nowhere".to_owned(), "listen"),
    ] {
        let mut args = all.clone();
        let at = args.iter().position(|arg| arg == flag).unwrap();
        args[at + 1] = value;
        let err = refused(&run(xueji(folder.path()).arg("serve").args(args)), &[part]);
        assert!(!err.contains(&"0123456789abcdef".repeat(4)), "no key in the sentence: {err}");
    }
    assert!(!folder.path().join("registry.db").exists(), "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_up_and_down_and_say_where_they_stand() {
    let (folder, place) = (TempDir::new().unwrap(), Place::empty().await);
    let migrate = |args: &[&str]| {
        let mut command = xueji(folder.path());
        command.arg("migrate").args(args).arg("--database-url").arg(&place.url);
        run(&mut command)
    };
    let status = || said(&migrate(&["status"])).0;
    let before = status();
    assert!(before.contains("0 applied") && before.contains("0 unknown"), "{before}");
    let serve = run(xueji(folder.path()).arg("serve").args(settings(folder.path(), &place.url)));
    refused(&serve, &["xueji migrate up"]);
    assert!(migrate(&["up"]).status.success());
    let after = status();
    assert!(after.contains(" 0 pending") && after.contains("applied    m2026"), "{after}");
    assert!(migrate(&["down"]).status.success());
    assert!(status().contains(" 1 pending"), "{}", status());
    assert!(migrate(&["up"]).status.success());
    assert_eq!(status(), after);

    // A newer program has been here.
    let db = connect(&place.url, 1).await.unwrap();
    let insert =
        "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29990101_000001_newer', 0)";
    db.execute_raw(Statement::from_string(db.get_database_backend(), insert)).await.unwrap();
    db.close().await.unwrap();
    let newer = status();
    assert!(newer.contains("1 unknown") && newer.contains("m29990101_000001_newer"), "{newer}");
    let parts = ["m29990101_000001_newer", "newer"];
    refused(&migrate(&["up"]), &parts);
    refused(&migrate(&["down"]), &parts);
    let args = settings(folder.path(), &place.url);
    refused(&run(xueji(folder.path()).arg("serve").args(args)), &parts);
    assert_eq!(status(), newer, "nothing was changed");
}

#[test]
fn a_port_in_use_is_said_before_anything_is_made() {
    let folder = TempDir::new().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = run(xueji(folder.path()).args(["demo", "--data", "data", "--listen", &address]));
    refused(&output, &[&address]);
    assert!(!folder.path().join("data/registry.db").exists(), "no registry was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_policy_with_a_typo_stops_the_start_with_file_and_line() {
    let (folder, place) = (TempDir::new().unwrap(), Place::migrated().await);
    let policies = folder.path().join("policies");
    std::fs::create_dir(&policies).unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for entry in std::fs::read_dir(shipped).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            continue;
        }
        std::fs::copy(&path, policies.join(path.file_name().unwrap())).unwrap();
    }
    let file = policies.join("student.csv");
    let text = std::fs::read_to_string(&file).unwrap();
    let at = text.lines().position(|line| line.starts_with("p, student.name, registrar")).unwrap();
    let wrong = text.replace("p, student.name, registrar", "p, student.name, registra");
    std::fs::write(&file, wrong).unwrap();
    let mut args = settings(folder.path(), &place.url);
    args.extend(["--policies".to_owned(), policies.display().to_string()]);
    let output = run(xueji(folder.path()).arg("serve").args(&args));
    refused(&output, &[&format!("student.csv:{}", at + 1), "registra"]);
    let checked = run(xueji(folder.path()).args(["policy", "check", "--policies"]).arg(&policies));
    let (out, err) = said(&checked);
    assert!(
        !checked.status.success() && format!("{out}{err}").contains("student.csv"),
        "{out}{err}"
    );
    // A folder that was named must be there.
    let missing = run(xueji(folder.path()).args(["policy", "check", "--policies", "nowhere"]));
    assert!(!missing.status.success());
}

#[test]
fn a_database_that_does_not_answer_stops_the_start() {
    let folder = TempDir::new().unwrap();
    let unused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let secret = "a-secret-word";
    let url = format!("postgres://someone:{secret}@{unused}/registry");
    let output = run(xueji(folder.path()).arg("serve").args(settings(folder.path(), &url)));
    let err = refused(&output, &["database"]);
    assert!(!err.contains(secret), "{err}");
}

#[test]
fn the_schema_is_printed_and_help_is_understood() {
    let folder = TempDir::new().unwrap();
    let (out, _) = said(&run(xueji(folder.path()).arg("schema")));
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("schema.graphql");
    assert_eq!(out.trim_end(), std::fs::read_to_string(file).unwrap().trim_end());
    let (help, _) = said(&run(xueji(folder.path()).arg("--help")));
    for word in ["demo", "serve", "migrate", "schema", "policy", "backup", "keys", "token"] {
        assert!(help.lines().any(|line| line.trim_start().starts_with(word)), "{word}: {help}");
    }
    let wrong = run(xueji(folder.path()).arg("sevre"));
    assert_eq!(wrong.status.code(), Some(2));
}
