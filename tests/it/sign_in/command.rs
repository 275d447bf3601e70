//! `xueji account password`: how the first administrator gets in.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use tempfile::TempDir;
use xueji::store::connect::connect;
use xueji_entity::{account, audit, credential, login_session};

/// Runs the program with a text on its standard input.
fn run(folder: &Path, args: &[&str], typed: &str) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().current_dir(folder).args(args);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A program that ends before it reads is told nothing.
    let _closed = child.stdin.take().unwrap().write_all(typed.as_bytes());
    child.wait_with_output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_gets_a_password_that_is_printed_once_and_must_be_changed() {
    let folder = TempDir::new().unwrap();
    let demo = [
        "demo",
        "--data",
        "data",
        "--no-serve",
        "--counties",
        "1",
        "--schools",
        "1",
        "--classes",
        "2",
        "--students",
        "4",
        "--scores",
        "2",
        "--days",
        "2",
    ];
    let made = run(folder.path(), &demo, "");
    assert!(made.status.success(), "{}", text(&made.stderr));
    let url = format!("sqlite://{}", folder.path().join("data/registry.db").display());
    let db = connect(&url, 1).await.unwrap();
    let without = account::Entity::find()
        .filter(account::Column::Kind.eq(account::AccountKind::Staff))
        .all(&db)
        .await
        .unwrap();
    let known = credential::Entity::find().all(&db).await.unwrap();
    assert!(!known.is_empty(), "the people of the demo have a password");
    assert!(known.iter().all(|row| !row.must_change));
    let chosen = without.iter().find(|row| !known.iter().any(|known| known.id == row.id)).unwrap();
    let password = ["account", "password", &chosen.login, "--data", "data"];
    let set = run(folder.path(), &password, "");
    assert!(set.status.success(), "{}", text(&set.stderr));
    let printed = text(&set.stdout).trim().to_owned();
    assert!(printed.len() >= 16, "{printed}");
    let row = credential::Entity::find_by_id(chosen.id).one(&db).await.unwrap().unwrap();
    assert!(row.must_change);
    let hash = row.password_hash.clone().unwrap();
    assert!(hash.as_phc().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    let lines = audit::Entity::find()
        .filter(audit::Column::Action.eq("password.set"))
        .filter(audit::Column::AccountId.eq(chosen.id))
        .all(&db)
        .await
        .unwrap();
    assert_eq!(lines.len(), 1);
    assert!(!format!("{lines:?}").contains(&printed));
    assert!(login_session::Entity::find().all(&db).await.unwrap().is_empty());

    let from_input = ["account", "password", &chosen.login, "--data", "data", "--stdin"];
    let weak = run(folder.path(), &from_input, "Woaini1314!\n");
    assert_eq!(weak.status.code(), Some(1));
    let said = text(&weak.stderr);
    assert!(said.contains("PASSWORD_COMMON") && !said.contains("Woaini"), "{said}");
    let unchanged = credential::Entity::find_by_id(chosen.id).one(&db).await.unwrap().unwrap();
    assert_eq!(unchanged.password_hash, row.password_hash);
    let good = run(folder.path(), &from_input, "Tr4in-to-Lhasa\r\n");
    assert!(good.status.success(), "{}", text(&good.stderr));
    assert!(!text(&good.stdout).contains("Lhasa"));
    let nobody = run(folder.path(), &["account", "password", "nobody", "--data", "data"], "");
    assert_eq!(nobody.status.code(), Some(1));
    assert!(text(&nobody.stderr).contains("no account"), "{}", text(&nobody.stderr));
}
