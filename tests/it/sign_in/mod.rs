//! Signing in: by name, password and code; sessions that go on and end; what is asked of passwords; what is on record.

mod command;
mod entrance;
mod factor;
mod listed;
mod passwords;
mod record;
mod sessions;

use std::sync::Arc;

use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use uuid::Uuid;
use xueji::config::secret::SecretText;
use xueji::config::sign_in::SignIn;
use xueji::store::sign_in::Visit;
use xueji_entity::{account, audit};

use crate::support::answer::Answer;
use crate::support::app::{App, clock};
use crate::support::callers::Person;

/// A password that the rules take.
const GOOD: &str = "Tr4in-to-Lhasa";
/// Another one.
const OTHER: &str = "Kunming:42+Dali";
/// What anybody may ask.
const WHO: &str = "{ viewer { id } }";

/// Rules as they are by default, with hashes that cost little.
fn rules() -> SignIn {
    SignIn { hash_memory_kib: 8_192, hash_passes: 1, ..SignIn::default() }
}

/// Somebody who signs in.
#[derive(Clone, Debug)]
struct Login {
    account: Uuid,
    login: String,
}

/// A visit of the test itself.
fn visit() -> Visit {
    Visit { request_id: Arc::from("the test"), client: None, agent: None }
}

/// Makes an account one of a member of staff who has a password.
async fn with_password(app: &App, person: &Person<'_>, password: &str) -> Login {
    let account = person.account().await;
    let row = account::ActiveModel {
        id: Set(account),
        kind: Set(account::AccountKind::Staff),
        ..Default::default()
    };
    row.update(app.db()).await.unwrap();
    let (store, secret) = (app.store(), SecretText::from(password.to_owned()));
    let door = app.at_door();
    door.set_demo(store, &visit(), clock().now(), &[account.uuid()], &secret).await.unwrap();
    Login { account: account.uuid(), login: person.login().await }
}

impl Login {
    async fn sign_in(&self, app: &App, password: &str) -> Answer {
        app.auth("sign-in", None, json!({ "login": self.login, "password": password })).await
    }

    async fn sign_in_with(&self, app: &App, password: &str, code: &str) -> Answer {
        let body = json!({ "login": self.login, "password": password, "code": code });
        app.auth("sign-in", None, body).await
    }
}

/// The access token of an answer.
#[track_caller]
fn access(answer: &Answer) -> String {
    word(answer, "accessToken")
}

/// The refresh token of an answer.
#[track_caller]
fn refresh(answer: &Answer) -> String {
    word(answer, "refreshToken")
}

#[track_caller]
fn word(answer: &Answer, name: &str) -> String {
    assert_eq!(answer.status, 200, "{}", answer.text);
    answer.body[name].as_str().unwrap_or_else(|| panic!("{name} in {}", answer.text)).to_owned()
}

async fn ask(app: &App, token: &str, document: &str) -> Answer {
    app.post(Some(token), "en", json!({ "query": document }).to_string()).await
}

async fn go_on(app: &App, token: &str) -> Answer {
    app.auth("refresh", None, json!({ "refreshToken": token })).await
}

/// Fails unless the answer is the one to whoever gets in by nothing.
#[track_caller]
fn shut(answer: &Answer) {
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (401, "UNAUTHENTICATED"),
        "{}",
        answer.text
    );
}

/// The lines on record about an account, the oldest first; with none those about no account.
async fn lines(app: &App, account: Option<Uuid>) -> Vec<audit::Model> {
    let lines = audit::Entity::find().order_by_asc(audit::Column::Id);
    let lines = match account {
        Some(account) => lines.filter(audit::Column::AccountId.eq(account)),
        None => lines.filter(audit::Column::AccountId.is_null()),
    };
    lines.all(app.db()).await.unwrap()
}

/// Actions and details on record about an account.
async fn told(app: &App, account: Uuid) -> Vec<(String, String)> {
    let lines = lines(app, Some(account)).await;
    lines.into_iter().map(|line| (line.action, line.detail.unwrap_or_default())).collect()
}

/// The claims of a token, unverified.
fn claims(token: &str) -> Value {
    use base64::Engine as _;
    let payload = token.split('.').nth(1).unwrap();
    let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(payload).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}
