//! `xueji account`: how the first administrators get in.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use tempfile::TempDir;
use xueji::store::connect::connect;
use xueji_entity::{access_grant, account, audit, credential, login_session};

use super::{Login, WHO, access, ask, rules};
use crate::support::app::App;
use crate::support::keys::MASTER;

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

#[tokio::test(flavor = "multi_thread")]
async fn the_first_two_administrators_are_made_on_record_and_no_third() {
    let (app, ..) = App::door(rules()).await;
    let (folder, url, db) = (TempDir::new().unwrap(), app.place().url.clone(), app.db());
    let at = ["--database-url", &url, "--lookup-key", MASTER, "--master-key", MASTER];
    let logins = ["root", "second", "third", "ab"];
    let made = account::Entity::find()
        .filter(account::Column::Login.is_in(logins))
        .order_by_asc(account::Column::Login);
    let administrator = |login: &str, name: &str| {
        let own = ["account", "administrator", login, "--name", name];
        run(folder.path(), &[own.as_slice(), at.as_slice()].concat(), "")
    };
    for bad in ["ab", "with blank", "13800138000"] {
        let refused = administrator(bad, "林晓雨");
        assert_eq!(refused.status.code(), Some(1));
        assert!(text(&refused.stderr).contains("login"), "{}", text(&refused.stderr));
    }
    assert_eq!(administrator("root", "***").status.code(), Some(1));
    assert!(made.clone().all(db).await.unwrap().is_empty(), "nothing is changed");

    let first = administrator("root", "林晓雨");
    assert!(first.status.success(), "{}", text(&first.stderr));
    let printed = text(&first.stdout).trim().to_owned();
    assert!(printed.len() >= 16, "{printed}");
    let taken = administrator("root", "许思远");
    assert!(text(&taken.stderr).contains("already"), "{}", text(&taken.stderr));
    assert!(administrator("second", "许思远").status.success());
    let third = administrator("third", "何文博");
    assert_eq!(third.status.code(), Some(1));
    assert!(text(&third.stderr).contains("grantApprove"), "{}", text(&third.stderr));

    let accounts = made.all(db).await.unwrap();
    assert_eq!(accounts.len(), 2);
    for account in &accounts {
        let row = credential::Entity::find_by_id(account.id).one(db).await.unwrap().unwrap();
        assert!(row.must_change && row.password_hash.is_some());
        let held = access_grant::Entity::find()
            .filter(access_grant::Column::AccountId.eq(account.id))
            .all(db)
            .await
            .unwrap();
        let [held] = held.as_slice() else { panic!("{} grants", held.len()) };
        assert_eq!(held.role, "administrator");
        let lines = audit::Entity::find()
            .filter(audit::Column::Action.eq("account.create"))
            .filter(audit::Column::RowId.eq(account.id.uuid()))
            .all(db)
            .await
            .unwrap();
        assert_eq!(lines.len(), 1, "making it is on record");
        assert!(!format!("{lines:?}").contains(&printed));
    }
    let first = Login { account: accounts[0].id.uuid(), login: "root".to_owned() };
    let entered = first.sign_in(&app, &printed).await;
    assert_eq!(ask(&app, &access(&entered), WHO).await.code(), "PASSWORD_CHANGE_REQUIRED");

    // Whoever cannot sign in any more does not stand in the way of who must help.
    let gone = accounts.iter().find(|account| account.login == "second").unwrap();
    account::Entity::update_many()
        .col_expr(account::Column::Disabled, true.into())
        .filter(account::Column::Id.eq(gone.id))
        .exec(db)
        .await
        .unwrap();
    assert!(administrator("third", "何文博").status.success());
}
