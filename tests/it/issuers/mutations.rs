//! Administrators link and unlink identities: never for themselves, and with no subject in any record.

use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, Statement};
use serde_json::{Value, json};
use xueji_entity::audit;

use super::fake::{Ed, Fake};
use super::{is_let_in, with};
use crate::support::answer::Answer;
use crate::support::app::{App, within_a_second};
use crate::support::callers::Person;

const LINK: &str = "mutation($input: IdentityInput!) { identityLink(input: $input) { changed } }";
const UNLINK: &str =
    "mutation($input: IdentityInput!) { identityUnlink(input: $input) { changed } }";
const SUBJECT: &str = "li.na.5eed@example";

async fn ask(by: &Person<'_>, act: &str, login: &str, issuer: &str, subject: &str) -> Answer {
    let key = format!("key-{}", uuid::Uuid::now_v7());
    let input =
        json!({ "login": login, "issuer": issuer, "subject": subject, "idempotencyKey": key });
    by.query(act, json!({ "input": input })).await
}

#[tokio::test]
async fn an_administrator_links_and_unlinks_and_nobody_for_themselves() {
    let ed = Ed::new("ed", 1);
    let fake = Fake::start(&[ed.public()]).await;
    let (app, seed) = App::school_trusting(fake.alone()).await;
    let registrar = app.registrar(seed.schools[0].id);
    let (administrator, other) = (app.administrator(), app.administrator());
    let (login, issuer) = (registrar.login().await, fake.url.as_str());
    let token = ed.sign(json!({}), &fake.claims(SUBJECT));
    assert_eq!(with(&app, &token).await.code(), "UNAUTHENTICATED");
    for act in [LINK, UNLINK] {
        for nobody in [&registrar, &app.principal(seed.schools[0].id), &app.stranger()] {
            assert_eq!(ask(nobody, act, &login, issuer, SUBJECT).await.code(), "FORBIDDEN");
        }
        assert_eq!(ask(&administrator, act, "nobody", issuer, SUBJECT).await.code(), "NOT_FOUND");
        for (issuer, subject) in [("", SUBJECT), (issuer, ""), (issuer, "a\u{0}b")] {
            let answer = ask(&administrator, act, &login, issuer, subject).await;
            assert_eq!(answer.code(), "INVALID_INPUT", "{}", answer.text);
        }
        let long = "s".repeat(256);
        assert_eq!(ask(&administrator, act, &login, issuer, &long).await.code(), "INVALID_INPUT");
    }
    let own = administrator.login().await;
    let answer = ask(&administrator, LINK, &own, issuer, SUBJECT).await;
    assert_eq!(answer.error()["extensions"]["rule"], "IDENTITY_OWN", "{}", answer.text);
    let changed = async |act: &str| -> Value {
        ask(&administrator, act, &login, issuer, SUBJECT).await.data().clone()
    };
    assert_eq!(changed(LINK).await, json!({ "identityLink": { "changed": true } }));
    assert_eq!(changed(LINK).await, json!({ "identityLink": { "changed": false } }));
    within_a_second(async || with(&app, &token).await.code().is_empty()).await;
    is_let_in(&with(&app, &token).await);
    let answer = ask(&other, LINK, &own, issuer, SUBJECT).await;
    assert_eq!(answer.error()["extensions"]["rule"], "IDENTITY_TAKEN", "{}", answer.text);
    assert!(!answer.text.contains(&login), "whose it is, is not said: {}", answer.text);
    let stranger = app.stranger().login().await;
    let answer = ask(&administrator, UNLINK, &stranger, issuer, SUBJECT).await;
    assert_eq!(*answer.at("/identityUnlink/changed"), false, "that of another stays");
    is_let_in(&with(&app, &token).await);
    assert_eq!(changed(UNLINK).await, json!({ "identityUnlink": { "changed": true } }));
    within_a_second(async || with(&app, &token).await.code() == "UNAUTHENTICATED").await;
    // Every try is on record, and no record, answer that is kept, or log line holds the subject.
    let rows = audit::Entity::find()
        .filter(audit::Column::Action.starts_with("identity."))
        .all(app.db())
        .await
        .unwrap();
    let done = rows.iter().filter(|row| format!("{:?}", row.outcome) == "Done").count();
    assert_eq!((done, rows.len() - done), (4, 6 + 2 + 2), "{rows:#?}");
    let account = registrar.account().await.uuid().to_string();
    assert!(rows.iter().any(|row| row.detail.as_ref().is_some_and(|it| it.contains(&account))));
    let backend = app.db().get_database_backend();
    for (table, columns) in
        [("audit", "detail"), ("idempotency", "response"), ("outbox", "payload")]
    {
        let query = format!("SELECT {columns} FROM {table}");
        let rows = app.db().query_all_raw(Statement::from_string(backend, query)).await.unwrap();
        for row in rows {
            let text: Option<String> = row.try_get_by_index(0).unwrap();
            assert!(!text.unwrap_or_default().contains(SUBJECT), "{table}.{columns}");
        }
    }
    assert!(!crate::support::logs::text().contains(SUBJECT), "the log names a subject");
}
