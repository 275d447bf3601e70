//! Programs of other systems: registered by an administrator with somebody who answers for them, let in by a secret from
//! their networks until their end, and within their scopes.

use std::net::SocketAddr;

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use base64::Engine as _;
use chrono::{Days, TimeDelta};
use sea_orm::ActiveValue::Set;
use sea_orm::sea_query::Expr;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use uuid::Uuid;
use xueji::config::sign_in::SignIn;
use xueji::http::RemoteAddr;
use xueji_entity::audit::AuditOutcome;
use xueji_entity::value::{AccessGrantId, AccountId, OrganisationId};
use xueji_entity::{access_grant, account, api_client};

use super::{account_of, disable, lines, staff_id, staff_of};
use crate::support::answer::Answer;
use crate::support::app::{App, Hand, today, within_a_second};
use crate::support::callers::Person;
use crate::support::everybody::everybody;
use crate::support::logs;
use crate::support::seed::Seed;

const CREATE: &str = "mutation($input: ClientCreateInput!) { clientCreate(input: $input) {
    accountId secret expiresAt } }";
const ROTATE: &str = "mutation($input: ClientRotateInput!) { clientRotate(input: $input) {
    accountId secret formerSecretUntil expiresAt } }";
const STUDENTS: &str = "{ students { totalCount } }";
const HELD: &str = "{ viewer { grants { role } } }";

struct Scene {
    app: App,
    seed: Seed,
    hand: Hand,
    /// The login of who answers for programs.
    owner: String,
}

/// A program as its owner holds it.
struct Program {
    account: Uuid,
    login: String,
    secret: String,
}

impl Scene {
    async fn new() -> Self {
        let rules = SignIn { hash_memory_kib: 8_192, hash_passes: 1, ..SignIn::default() };
        let (app, seed, hand) = App::door(rules).await;
        let staff = staff_of(&app, seed.schools[0].id).await;
        let input = json!({ "login": "owner", "staffId": staff_id(&app, staff[0].id) });
        super::create(&app.administrator(), input).await.data();
        Self { app, seed, hand, owner: "owner".to_owned() }
    }

    async fn create(&self, by: &Person<'_>, more: Value) -> Answer {
        let mut input = json!({
            "login": "tool", "name": "Reporting tool", "owner": { "login": self.owner },
            "scopes": ["analyst"],
        });
        for (key, value) in more.as_object().unwrap() {
            input[key] = value.clone();
        }
        by.query(CREATE, json!({ "input": input })).await
    }

    /// A registered program that holds these roles at the first school.
    async fn program(&self, login: &str, scopes: &[&str], roles: &[&str]) -> Program {
        self.program_from(login, scopes, roles, json!({})).await
    }

    async fn program_from(
        &self,
        login: &str,
        scopes: &[&str],
        roles: &[&str],
        mut more: Value,
    ) -> Program {
        more["login"] = json!(login);
        more["scopes"] = json!(scopes);
        let made = self.create(&self.app.administrator(), more).await;
        let account = account_of(&self.app, made.at("/clientCreate/accountId"));
        for role in roles {
            self.grant(account, role, self.seed.schools[0].id).await;
        }
        let secret = made.at("/clientCreate/secret").as_str().unwrap().to_owned();
        Program { account, login: login.to_owned(), secret }
    }

    async fn grant(&self, account: Uuid, role: &str, school: OrganisationId) {
        let row = access_grant::ActiveModel {
            id: Set(AccessGrantId::new()),
            account_id: Set(AccountId::from_uuid(account)),
            role: Set(role.to_owned()),
            reach: Set("school".to_owned()),
            organisation_id: Set(Some(school)),
            since: Set(today()),
            ..Default::default()
        };
        row.insert(self.app.db()).await.unwrap();
    }

    /// Asks for a token with a form.
    async fn form(&self, form: &str, authorization: Option<&str>, address: Option<&str>) -> Answer {
        let mut request = Request::post("/oauth/token")
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        if let Some(authorization) = authorization {
            request = request.header(header::AUTHORIZATION, authorization);
        }
        let mut request = request.body(Body::from(form.to_owned())).unwrap();
        if let Some(address) = address {
            let remote = SocketAddr::new(address.parse().unwrap(), 4_000);
            request.extensions_mut().insert(RemoteAddr(remote));
        }
        self.app.send(request).await
    }

    async fn token_from(&self, program: &Program, secret: &str, address: Option<&str>) -> Answer {
        let form = format!(
            "grant_type=client_credentials&client_id={}&client_secret={secret}",
            program.login
        );
        self.form(&form, None, address).await
    }

    /// A token, which there must be.
    async fn token(&self, program: &Program) -> String {
        let told = self.token_from(program, &program.secret, None).await;
        assert_eq!(told.status, StatusCode::OK, "{}", told.text);
        told.body["access_token"].as_str().unwrap().to_owned()
    }

    async fn ask(&self, token: &str, document: &str) -> Answer {
        self.app.post(Some(token), "en", json!({ "query": document }).to_string()).await
    }

    async fn ask_from(&self, token: &str, address: &str) -> Answer {
        let mut request = Request::post("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .body(Body::from(json!({ "query": HELD }).to_string()))
            .unwrap();
        let remote = SocketAddr::new(address.parse().unwrap(), 4_000);
        request.extensions_mut().insert(RemoteAddr(remote));
        self.app.send(request).await
    }
}

#[tokio::test]
async fn a_secret_gets_a_token_as_the_standard_says() {
    let scene = Scene::new().await;
    let program = scene.program("tool", &["analyst"], &["analyst"]).await;
    assert_eq!(program.secret.len(), 43, "256 bits");
    let basic = base64::engine::general_purpose::STANDARD
        .encode(format!("{}:{}", program.login, program.secret));
    let by_header = scene
        .form("grant_type=client_credentials&scope=analyst", Some(&format!("Basic {basic}")), None)
        .await;
    let by_form = scene.token_from(&program, &program.secret, None).await;
    for told in [&by_header, &by_form] {
        assert_eq!(told.status, StatusCode::OK, "{}", told.text);
        assert_eq!(told.body["token_type"], "Bearer");
        assert_eq!(told.body["expires_in"], 600);
        assert_eq!(told.body["scope"], "analyst");
        assert!(told.body.get("refresh_token").is_none());
        assert_eq!(told.headers["cache-control"], "no-store");
        assert_eq!(told.headers["content-type"], "application/json");
    }
    let token = by_form.body["access_token"].as_str().unwrap();
    let held = scene.ask(token, HELD).await;
    assert_eq!(held.texts("/viewer/grants", "role"), ["analyst"]);
    let kept = api_client::Entity::find_by_id(AccountId::from_uuid(program.account));
    let kept = kept.one(scene.app.db()).await.unwrap().unwrap();
    assert_eq!(kept.secret_hash.as_bytes().len(), 32);
    let end = crate::support::app::clock().end_of(today() + Days::new(365));
    assert_eq!(kept.expires_at, Some(end), "a year, whole days");
    let done = lines(&scene.app, "client.token").await;
    assert!(
        done.iter().all(|line| line.outcome == AuditOutcome::Done && line.account_id.is_some())
    );
}

#[tokio::test]
async fn what_is_wrong_with_a_program_is_one_answer() {
    let scene = Scene::new().await;
    let program = scene.program("tool", &["analyst"], &[]).await;
    let barred = scene.program("barred", &["analyst"], &[]).await;
    let named = json!({ "login": "barred" });
    disable(&scene.app.administrator(), named).await.data();
    let networks = json!({ "networks": ["203.0.113.0/24"] });
    let bound = scene.program_from("bound", &["analyst"], &[], networks).await;
    let short = json!({ "until": today() });
    let short = scene.program_from("short", &["analyst"], &[], short).await;
    let nobody = Program { account: Uuid::nil(), login: "nobody".into(), secret: "x".into() };
    // A person with a login has no secret.
    let person = Program { account: Uuid::nil(), login: "owner".into(), secret: "x".into() };
    let mut told = vec![
        scene.token_from(&program, "wrong", None).await,
        scene.token_from(&program, &barred.secret, None).await,
        scene.token_from(&program, "", None).await,
        scene.token_from(&program, &"A".repeat(2_000), None).await,
        scene.token_from(&barred, &barred.secret, None).await,
        scene.token_from(&bound, &bound.secret, None).await,
        scene.token_from(&bound, &bound.secret, Some("198.51.100.7")).await,
        scene.token_from(&nobody, "x", None).await,
        scene.token_from(&person, "x", None).await,
    ];
    let inside = scene.token_from(&bound, &bound.secret, Some("203.0.113.77")).await;
    assert_eq!(inside.status, StatusCode::OK, "{}", inside.text);
    scene.token(&short).await;
    scene.hand.on(TimeDelta::hours(12));
    told.push(scene.token_from(&short, &short.secret, None).await);
    for answer in &told {
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{}", answer.text);
        assert_eq!(answer.body["error"], "invalid_client");
        assert_eq!(answer.text, told[0].text);
        assert_eq!(answer.headers["cache-control"], "no-store");
    }
    let by_header =
        scene.form("grant_type=client_credentials", Some("Basic bm9ib2R5Ong="), None).await;
    assert!(by_header.headers["www-authenticate"].to_str().unwrap().starts_with("Basic "));

    let scope = format!(
        "grant_type=client_credentials&client_id=tool&client_secret={}&scope=analyst+registrar",
        program.secret
    );
    let refused = scene.form(&scope, None, None).await;
    assert_eq!(
        (refused.status, &refused.body["error"]),
        (StatusCode::BAD_REQUEST, &json!("invalid_scope"))
    );
    for (form, code) in [
        ("grant_type=password&username=a&password=b", "unsupported_grant_type"),
        ("client_id=tool", "invalid_request"),
    ] {
        let refused = scene.form(form, None, None).await;
        assert_eq!(
            (refused.status, &refused.body["error"]),
            (StatusCode::BAD_REQUEST, &json!(code))
        );
    }
    let denied = lines(&scene.app, "client.token").await;
    let denied = denied.iter().filter(|line| line.outcome == AuditOutcome::Denied);
    let why: Vec<_> = denied.map(|line| line.detail.clone().unwrap()).collect();
    for word in ["wrong_secret", "disabled", "address", "unknown", "expired", "scope"] {
        assert!(why.iter().any(|told| told == word), "{word} in {why:?}");
    }
}

#[tokio::test]
async fn scopes_narrow_what_a_program_reads_and_changes() {
    let scene = Scene::new().await;
    let roles = ["analyst", "registrar"];
    let narrow = scene.program("narrow", &["analyst"], &roles).await;
    let wide = scene.program("wide", &["registrar"], &roles).await;
    let writer = scene.program("writer", &["registrar", "write"], &roles).await;
    let (narrow_token, wide_token, writer_token) =
        (scene.token(&narrow).await, scene.token(&wide).await, scene.token(&writer).await);
    let held = scene.ask(&narrow_token, HELD).await;
    assert_eq!(held.texts("/viewer/grants", "role"), ["analyst"]);
    let hidden = scene.ask(&narrow_token, STUDENTS).await;
    assert_eq!(hidden.at("/students/totalCount"), 0, "an analyst reads no row");
    let seen = scene.ask(&wide_token, STUDENTS).await;
    assert!(seen.at("/students/totalCount").as_u64().unwrap() > 0);
    // The same for a token of another issuer: what bounds a program is its account's.
    let elsewhere = scene.app.token(&narrow.account.to_string());
    assert_eq!(scene.ask(&elsewhere, STUDENTS).await.at("/students/totalCount"), 0);

    let staff = staff_of(&scene.app, scene.seed.schools[0].id).await;
    let mutation = format!(
        "mutation {{ accountCreate(input: {{ login: \"made.by.tool\", staffId: \"{}\" }}) {{ accountId }} }}",
        staff_id(&scene.app, staff[1].id)
    );
    let refused = scene.ask(&wide_token, &mutation).await;
    assert_eq!(refused.code(), "FORBIDDEN", "{}", refused.text);
    assert_eq!(scene.ask(&elsewhere, &mutation).await.code(), "FORBIDDEN");
    scene.ask(&writer_token, &mutation).await.data();
}

#[tokio::test]
async fn address_and_end_hold_for_each_request_and_not_for_the_token_alone() {
    let scene = Scene::new().await;
    let more = json!({ "networks": ["203.0.113.0/24", "2001:db8:1:2::/64"], "until": today() });
    let program = scene.program_from("tool", &["analyst"], &["analyst"], more).await;
    // The last minutes of its last day.
    scene.hand.on(TimeDelta::hours(11) + TimeDelta::minutes(57));
    let told = scene.token_from(&program, &program.secret, Some("203.0.113.9")).await;
    let token = told.body["access_token"].as_str().unwrap().to_owned();
    assert_eq!(told.body["expires_in"], 180, "no longer than the program: {}", told.text);
    scene.ask_from(&token, "203.0.113.200").await.data();
    scene.ask_from(&token, "2001:db8:1:2:3::4").await.data();
    for address in ["198.51.100.7", "2001:db8:1:3::1"] {
        let refused = scene.ask_from(&token, address).await;
        assert_eq!(refused.code(), "FORBIDDEN", "{address}: {}", refused.text);
    }
    assert_eq!(scene.ask(&token, HELD).await.code(), "FORBIDDEN", "by no connection");
    // Another network for the program, at once.
    api_client::Entity::update_many()
        .col_expr(api_client::Column::AllowedAddresses, Expr::val("198.51.100.0/24"))
        .filter(api_client::Column::Id.eq(AccountId::from_uuid(program.account)))
        .exec(scene.app.db())
        .await
        .unwrap();
    within_a_second(async || scene.ask_from(&token, "203.0.113.9").await.code() == "FORBIDDEN")
        .await;
    scene.ask_from(&token, "198.51.100.1").await.data();
    // Midnight.
    scene.hand.on(TimeDelta::minutes(3));
    assert_eq!(scene.ask_from(&token, "198.51.100.1").await.code(), "UNAUTHENTICATED");
    let elsewhere = scene.app.token(&program.account.to_string());
    assert_eq!(scene.ask_from(&elsewhere, "198.51.100.1").await.code(), "UNAUTHENTICATED");
}

#[tokio::test]
async fn a_program_is_stopped_within_a_second() {
    let scene = Scene::new().await;
    let program = scene.program("tool", &["analyst"], &["analyst"]).await;
    let token = scene.token(&program).await;
    scene.ask(&token, HELD).await.data();
    disable(&scene.app.administrator(), json!({ "login": "tool" })).await.data();
    within_a_second(async || scene.ask(&token, HELD).await.code() == "UNAUTHENTICATED").await;
    let gone = scene.token_from(&program, &program.secret, None).await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_new_secret_overlaps_with_the_earlier_one_unless_that_got_out() {
    let scene = Scene::new().await;
    let administrator = scene.app.administrator();
    let mut program = scene.program("tool", &["analyst"], &["analyst"]).await;
    let rotate = async |at_once: bool| {
        let input = json!({ "account": { "login": "tool" }, "atOnce": at_once });
        let done = administrator.query(ROTATE, json!({ "input": input })).await;
        done.at("/clientRotate/secret").as_str().unwrap().to_owned()
    };
    let status = async |secret: &str| scene.token_from(&program, secret, None).await.status;
    let first = program.secret.clone();
    let second = rotate(false).await;
    assert_ne!(first, second);
    assert_eq!((status(&first).await, status(&second).await), (StatusCode::OK, StatusCode::OK));
    scene.hand.on(TimeDelta::hours(24) - TimeDelta::microseconds(1));
    assert_eq!(status(&first).await, StatusCode::OK);
    scene.hand.on(TimeDelta::microseconds(1));
    assert_eq!(status(&first).await, StatusCode::UNAUTHORIZED);
    assert_eq!(status(&second).await, StatusCode::OK);

    program.secret = second.clone();
    let token = scene.token(&program).await;
    scene.ask(&token, HELD).await.data();
    let third = rotate(true).await;
    let gone = scene.token_from(&program, &second, None).await;
    assert_eq!(gone.status, StatusCode::UNAUTHORIZED);
    within_a_second(async || scene.ask(&token, HELD).await.code() == "UNAUTHENTICATED").await;
    program.secret = third.clone();
    scene.token(&program).await;

    let marks = [first, second, third];
    for (table, rows) in crate::secrecy::marks::dump(scene.app.db()).await {
        assert!(marks.iter().all(|mark| !rows.contains(mark.as_str())), "no secret in {table}");
    }
    let logged = logs::text();
    assert!(marks.iter().all(|mark| !logged.contains(mark.as_str())), "no secret in the log");
}

#[tokio::test]
async fn administrators_list_the_programs_with_owner_scopes_and_end() {
    let scene = Scene::new().await;
    let administrator = scene.app.administrator();
    let networks = json!({ "networks": ["203.0.113.7", "198.51.100.0/24"] });
    let program = scene.program_from("tool", &["registrar", "write"], &[], networks).await;
    let list = "{ apiClients { accountId login disabled ownerLogin scopes networks expiresAt formerSecretUntil } }";
    let told = administrator.ask(list).await;
    assert_eq!(
        told.at("/apiClients"),
        &json!([{
            "accountId": scene.app.id("account", program.account), "login": "tool",
            "disabled": false, "ownerLogin": "owner", "scopes": ["registrar", "write"],
            "networks": ["198.51.100.0/24", "203.0.113.7/32"],
            "expiresAt": told.at("/apiClients/0/expiresAt"), "formerSecretUntil": null,
        }])
    );
    for (who, person) in everybody(&scene.app, &scene.seed) {
        if who != "administrator" {
            assert_eq!(person.ask("{ apiClients { login } }").await.code(), "FORBIDDEN", "{who}");
        }
    }
}

#[tokio::test]
async fn programs_are_the_administrators_and_each_has_a_person_who_answers_for_it() {
    let scene = Scene::new().await;
    let app = &scene.app;
    for (who, person) in everybody(app, &scene.seed) {
        if who == "administrator" {
            continue;
        }
        let refused = scene.create(&person, json!({})).await;
        assert_eq!(refused.code(), "FORBIDDEN", "{who}: {}", refused.text);
        let input = json!({ "account": { "login": "tool" } });
        let refused = person.query(ROTATE, json!({ "input": input })).await;
        assert_eq!(refused.code(), "FORBIDDEN", "{who}: {}", refused.text);
    }
    let administrator = app.administrator();
    for (more, code) in [
        (json!({ "scopes": ["nobody"] }), "INVALID_INPUT"),
        (json!({ "scopes": ["write"] }), "INVALID_INPUT"),
        (json!({ "scopes": [] }), "INVALID_INPUT"),
        (json!({ "networks": ["everywhere"] }), "INVALID_INPUT"),
        (json!({ "networks": ["2001:db8::1/128"] }), "INVALID_INPUT"),
        (json!({ "until": today() - Days::new(1) }), "INVALID_INPUT"),
        (json!({ "until": today() + Days::new(4_000) }), "INVALID_INPUT"),
        (json!({ "login": "13800001234" }), "INVALID_INPUT"),
        (json!({ "login": "owner" }), "RULE_REFUSED"),
        (json!({ "owner": { "login": "nobody" } }), "NOT_FOUND"),
    ] {
        let refused = scene.create(&administrator, more.clone()).await;
        assert_eq!(refused.code(), code, "{more}: {}", refused.text);
    }
    let program = scene.program("tool", &["analyst"], &[]).await;
    let of_program = json!({ "login": "other", "owner": { "login": "tool" } });
    assert_eq!(scene.create(&administrator, of_program).await.code(), "NOT_FOUND");
    let row = account::Entity::find_by_id(AccountId::from_uuid(program.account));
    let row = row.one(app.db()).await.unwrap().unwrap();
    assert_eq!(row.kind, account::AccountKind::Client);
    // A program has no password to be reset, and a person no secret.
    let reset = super::reset(&administrator, json!({ "login": "tool" })).await;
    assert_eq!(reset.error()["extensions"]["rule"], "ACCOUNT_OF_PROGRAM");
    let input = json!({ "account": { "login": "owner" } });
    let refused = administrator.query(ROTATE, json!({ "input": input })).await;
    assert_eq!(refused.error()["extensions"]["rule"], "ACCOUNT_NO_PROGRAM");
}
