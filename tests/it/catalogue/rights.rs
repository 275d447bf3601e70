//! Rights: columns that come back, roles that inherit, grants that end, tokens for somebody else, letters of another
//! case.

use std::time::Duration;

use serde_json::json;
use xueji::access::policy::{Policy, Source};
use xueji::access::table::{Pair, Reach, Sight};
use xueji::auth::jwt::KeySet;
use xueji::config::settings::Jwt;

use crate::support::app::{App, ISSUER, catalogue, within_a_second};
use crate::support::document::noun;
use crate::support::truth::Truth;

fn without(text: &str, what: &str) -> String {
    text.lines().filter(|line| !line.contains(what)).map(|line| format!("{line}\n")).collect()
}

/// Directus CVE-2025-64746: a field that was deleted and created again inherited the old grant.
#[tokio::test]
async fn directus_cve_2025_64746_a_field_created_again_inherits_the_old_grant() {
    let shipped = Source::shipped();
    // A column goes: its lines cannot stay behind and wait for it.
    let mut smaller = catalogue();
    smaller.coordinates.retain(|coordinate| coordinate.name() != "student.talents");
    let problems = Policy::compile(shipped.clone(), &smaller).await.unwrap_err().to_string();
    assert!(problems.contains("student.talents"), "{problems}");
    // Its lines go as well; the column comes back, and nobody has it until somebody says so.
    let mut source = shipped;
    let text = source.files["student.csv"].clone();
    source.files.insert("student.csv".to_owned(), without(&text, "student.talents"));
    Policy::compile(source.clone(), &smaller).await.unwrap();
    let problems = Policy::compile(source.clone(), &catalogue()).await.unwrap_err().to_string();
    assert!(problems.contains("student.talents"), "no line speaks of it: {problems}");
    let again = without(&text, "student.talents") + "p, student.talents, -, -, hidden,\n";
    source.files.insert("student.csv".to_owned(), again);
    let (app, seed) = {
        let app = App::under(source).await;
        let seed = app.plant(crate::support::seed::Shape::default()).await;
        (app, seed)
    };
    let registrar = app.registrar(seed.schools[0].id);
    let answer = registrar.ask("{ students { nodes { name talents } } }").await;
    for node in answer.at("/students/nodes").as_array().unwrap() {
        assert!(node["name"].is_string() && node["talents"].is_null(), "{node}");
    }
    let filter = "{ students(filter: { talents: { isNull: false } }) { totalCount } }";
    assert_eq!(registrar.ask(filter).await.code(), "FORBIDDEN");
}

/// Hasura #10711: a role that inherits from a role that inherits lost every restriction.
#[tokio::test]
async fn hasura_10711_inheriting_from_an_inherited_role_loses_restrictions() {
    let mut source = Source::shipped();
    let roles = source.files.get_mut("roles.csv").unwrap();
    // Principal inherits from reviewer; a deputy from the principal, and an assistant from the deputy.
    roles.push_str("r, deputy, 副职, school\nr, assistant, 助理, school\ng, deputy, principal\ng, assistant, deputy\n");
    let app = App::under(source).await;
    let seed = app.plant(crate::support::seed::Shape::default()).await;
    let policy = app.policy();
    let pair = |role: &str| Pair { role: policy.roles.id(role).unwrap(), reach: Reach::School };
    let (principal, assistant) = (pair("principal"), pair("assistant"));
    let mut masked = 0;
    for field in 0..policy.table.fields() {
        let field = u16::try_from(field).unwrap();
        let (above, below) =
            (policy.table.cell(principal, field), policy.table.cell(assistant, field));
        assert_eq!(above.uses, below.uses, "field {field}");
        masked += usize::from(below.uses.sight() == Sight::Masked);
    }
    assert!(masked > 5, "{masked} columns stay masked");
    // And so it is for the person: the rows of one school, the identity masked, no filter on it.
    let person = app.stranger().and(
        "assistant",
        Reach::School,
        xueji::access::caller::Place::Organisation(seed.schools[0].id.uuid()),
    );
    let answer = person.ask("{ students { totalCount nodes { idNumber } } }").await;
    assert_eq!(answer.at("/students/totalCount"), 9);
    assert!(answer.texts("/students/nodes", "idNumber").iter().all(|text| text.contains('*')));
    let filter = "{ students(filter: { idNumber: { isNull: false } }) { totalCount } }";
    assert_eq!(person.ask(filter).await.code(), "FORBIDDEN");
}

/// Hasura #3602, harper #1414: a live stream kept delivering after the right to it was revoked.
///
/// What is authorised again for every page here is what a stream is authorised with for every event: the grants that
/// the session holds at that moment.
#[tokio::test]
async fn hasura_3602_harper_1414_a_stream_keeps_delivering_after_revocation() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let document = "query($a: String) { students(first: 1, after: $a) { totalCount nodes { id } \
        pageInfo { endCursor hasNextPage } } }";
    let first = teacher.query(document, json!({ "a": null })).await;
    assert_eq!(first.at("/students/totalCount"), 3);
    let cursor = first.at("/students/pageInfo/endCursor").clone();
    let next = teacher.query(document, json!({ "a": cursor })).await;
    assert_eq!(next.at("/students/nodes").as_array().unwrap().len(), 1, "the stream runs");
    teacher.revoke().await;
    // The token is the same, the cursor is the same; within a second both lead nowhere.
    within_a_second(async || {
        let answer = teacher.query(document, json!({ "a": cursor })).await;
        answer.body["data"]["students"]["nodes"].as_array().is_none_or(Vec::is_empty)
    })
    .await;
    for _ in 0..5 {
        let answer = teacher.query(document, json!({ "a": null })).await;
        assert_eq!(answer.at("/students/totalCount"), 0, "and it stays so");
    }
}

/// OpenFGA CVE-2026-55689: where no audience was set, none was checked.
#[tokio::test]
async fn openfga_cve_2026_55689_an_unset_audience_skips_the_check() {
    let folder = tempfile::TempDir::new().unwrap();
    let signer = crate::support::app::signer(folder.path());
    // A server without an audience does not start.
    let settings = |audience: &str| Jwt {
        keys: vec![signer.key_spec()],
        issuer: ISSUER.to_owned(),
        audience: audience.to_owned(),
        leeway: Duration::from_secs(5),
        signing_key: None,
    };
    let refused = KeySet::new(&settings(""), 1 << 20).expect_err("no audience, no server");
    assert!(refused.to_string().contains("audience"), "{refused}");
    assert!(KeySet::new(&settings("xueji"), 1 << 20).is_ok());
    // A token for another service, for an empty audience, and for one that differs in a letter's case.
    let (app, seed) = App::school().await;
    let subject = uuid::Uuid::from(app.registrar(seed.schools[0].id).account().await).to_string();
    let now = u64::try_from(xueji::clock::Clock::system(chrono_tz::UTC).now().timestamp()).unwrap();
    let claims = xueji::auth::jwt::Claims {
        sub: subject,
        iss: ISSUER.to_owned(),
        iat: now,
        exp: now + 600,
        jti: None,
        sid: None,
    };
    let body = json!({ "query": "{ students { totalCount } }" }).to_string();
    let right = app.post(Some(&app.sign(&claims)), "en", body.clone()).await;
    assert_eq!(right.at("/students/totalCount"), 9);
    for audience in ["", "another-service", "XUEJI", "xueji ", "xueji,other"] {
        let answer = app.post(Some(&app.sign_for(&claims, audience)), "en", body.clone()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (401, "UNAUTHENTICATED"),
            "{audience:?}"
        );
        assert!(answer.body.get("data").is_none());
    }
}

/// OpenFGA CVE-2026-55170: identifiers were compared without case, on one of the databases only.
#[tokio::test]
async fn openfga_cve_2026_55170_identifiers_compared_without_case_on_one_database() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let class = seed.first();
    let registrar = app.registrar(seed.schools[0].id);
    let id = app.id("student", class.students[0]);
    let swapped = |text: &str| -> String {
        text.chars()
            .map(|c| {
                if c.is_ascii_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() }
            })
            .collect()
    };
    // Ids and cursors.
    let document = "query($id: ID!) { node(id: $id) { id } }";
    assert_eq!(registrar.query(document, json!({ "id": id })).await.at("/node/id"), &id);
    let (head, tail) = id.split_once('_').unwrap();
    for id in [
        swapped(&id),
        format!("{}_{tail}", head.to_lowercase()),
        format!("{head}_{}", swapped(tail)),
    ] {
        assert!(registrar.query(document, json!({ "id": id })).await.at("/node").is_null(), "{id}");
    }
    let page = "query($a: String) { students(first: 2, after: $a) { pageInfo { endCursor } } }";
    let cursor = registrar.query(page, json!({ "a": null })).await;
    let cursor = cursor.at("/students/pageInfo/endCursor").as_str().unwrap().to_owned();
    assert_eq!(
        registrar.query(page, json!({ "a": swapped(&cursor) })).await.code(),
        "INVALID_INPUT"
    );
    // Texts, numbers beside the register, codes and logins: case tells them apart, on both databases.
    let row = &truth.rows[&id];
    let found = "query($f: StudentFilter) { students(filter: $f) { totalCount } }";
    for column in ["name", "namePinyin", "auxiliaryNumber", "formerName"] {
        let field = noun("student").camel.iter().position(|camel| camel == column).unwrap();
        let value = row.shown[&field].as_str().unwrap();
        for (value, count) in [(value.to_owned(), 1), (swapped(value), 0)] {
            let filter = json!({ column: { "eq": value } });
            let answer = registrar.query(found, json!({ "f": filter })).await;
            assert_eq!(answer.at("/students/totalCount"), count, "{column}: {value}");
            let filter = json!({ column: { "in": [value] } });
            let answer = registrar.query(found, json!({ "f": filter })).await;
            assert_eq!(answer.at("/students/totalCount"), count, "{column}: {value}");
        }
    }
    for code in ["rdxb:1", "Rdxb:1"] {
        let filter = json!({ "gender": { "eq": code } });
        assert_eq!(
            registrar.query(found, json!({ "f": filter })).await.code(),
            "INVALID_INPUT",
            "{code}"
        );
    }
    let administrator = app.administrator();
    let logins = administrator.ask("{ accounts(first: 1) { nodes { login } } }").await;
    let login = logins.at("/accounts/nodes/0/login").as_str().unwrap().to_owned();
    let accounts = "query($l: String!) { accounts(filter: { login: { eq: $l } }) { totalCount } }";
    for (login, count) in [(login.clone(), 1), (login.to_uppercase(), 0)] {
        let answer = administrator.query(accounts, json!({ "l": login })).await;
        assert_eq!(answer.at("/accounts/totalCount"), count, "{login}");
    }
    // A role in other letters is no role.
    let shouting = app.stranger().and(
        "REGISTRAR",
        Reach::School,
        xueji::access::caller::Place::Organisation(seed.schools[0].id.uuid()),
    );
    let answer = shouting.ask("{ students { totalCount } }").await;
    assert_eq!(answer.at("/students/totalCount"), 0, "{}", answer.text);
}
