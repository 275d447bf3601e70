//! The command that links identities: on record, and never with more than it must say.

use std::process::{Command, Output, Stdio};

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use xueji_entity::audit;

use super::fake::{Ed, Fake};
use super::{is_let_in, is_refused, with};
use crate::support::app::{App, within_a_second};
use crate::support::keys::MASTER;

fn xueji(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().args(args).stdin(Stdio::null()).output().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn identities_are_linked_listed_and_unlinked_on_record() {
    let ed = Ed::new("ed", 1);
    let fake = Fake::start(&[ed.public()]).await;
    let (app, seed) = App::school_trusting(fake.alone()).await;
    let registrar = app.registrar(seed.schools[0].id);
    let (login, url) = (registrar.login().await, app.place().url.clone());
    let subject = "wang.wei.5eed@example";
    let identity = |what: &[&str]| {
        let mut args = vec!["identity"];
        args.extend(what);
        args.extend(["--database-url", &url, "--master-key", MASTER]);
        let output = xueji(&args);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let named = ["--issuer", &fake.url, "--subject", subject];
    let token = ed.sign(json!({}), &fake.claims(subject));
    is_refused("before", &with(&app, &token).await);
    let (code, out, err) = identity(&[&["link", &login], &named[..]].concat());
    assert!(code == Some(0) && out.contains("linked with"), "{out}{err}");
    assert!(out.contains("is no issuer of these settings"), "{out}");
    within_a_second(async || with(&app, &token).await.code().is_empty()).await;
    is_let_in(&with(&app, &token).await);
    let (code, out, _) = identity(&["list"]);
    assert!(
        code == Some(0) && [&login, &fake.url, subject].iter().all(|it| out.contains(*it)),
        "{out}"
    );
    assert!(identity(&["list", "somebody-else"]).1.is_empty());
    for (what, wrong) in [
        (["link", "nobody"], "no account with the login"),
        (["unlink", "nobody"], "is not linked with"),
    ] {
        let (code, _, err) = identity(&[&what, &named[..]].concat());
        assert!(code == Some(1) && err.contains(wrong), "{err}");
    }
    let (code, _, err) = identity(&["link", &login, "--issuer", &fake.url, "--subject", ""]);
    assert!(code == Some(1) && err.contains("1 to 255 bytes"), "{err}");
    let (code, out, err) = identity(&[&["unlink", &login], &named[..]].concat());
    assert!(code == Some(0) && out.contains("no longer linked"), "{out}{err}");
    within_a_second(async || with(&app, &token).await.code() == "UNAUTHENTICATED").await;
    assert!(identity(&["list"]).1.is_empty());
    // On record are the two that were done: the account, and nothing of what the issuer calls its holder.
    let rows = audit::Entity::find()
        .filter(audit::Column::Action.starts_with("identity."))
        .all(app.db())
        .await
        .unwrap();
    let mut actions: Vec<_> = rows.iter().map(|row| row.action.as_str()).collect();
    actions.sort_unstable();
    assert_eq!(actions, ["identity.link", "identity.unlink"]);
    let account = registrar.account().await.uuid().to_string();
    for row in &rows {
        let detail = format!("{:?}", row.detail);
        assert!(detail.contains(&account) && detail.contains(&fake.url), "{detail}");
        assert!(!format!("{row:?}").contains(subject), "{row:?}");
    }
    let report = app.store().verify_logs(None).await.unwrap();
    assert_eq!(report.findings, vec![]);
    assert!(!crate::support::logs::text().contains(subject), "the log names a subject");
}
