//! Claims that grant, where the settings say so: while a token holds them, and nothing else in a token.

use sea_orm::ActiveModelTrait;
use sea_orm::ActiveValue::Set;
use serde_json::{Value, json};
use xueji::config::oidc::{Mapping, Oidc, Region};
use xueji_entity::organisation;

use super::fake::{Ed, Fake, over, trusting};
use super::{is_let_in, link, with};
use crate::support::app::{App, within_a_second};
use crate::support::seed::Seed;

const SCHOOL: &str = "3301000001";

fn mapping(value: &str, role: &str, place: Region) -> Mapping {
    let claim = ["realm_access", "roles"].map(ToOwned::to_owned).to_vec();
    Mapping { claim, value: value.to_owned(), role: role.to_owned(), place }
}

/// Settings in which the first issuer maps the role `xueji-registrar` to that of a registrar, and others to nothing.
fn settings(fake: &Fake, other: &Fake) -> Oidc {
    let mut settings = trusting(&[fake, other]);
    let school = || Region::School(SCHOOL.to_owned());
    settings.issuers[0].grants = vec![
        mapping("xueji-registrar", "registrar", school()),
        mapping("xueji-unknown", "no_such_role", school()),
        mapping("xueji-nowhere", "registrar", Region::School("0000000000".to_owned())),
        mapping("xueji-region", "registrar", Region::Authority(SCHOOL.to_owned())),
    ];
    settings
}

async fn coded(app: &App, seed: &Seed) {
    let school = organisation::ActiveModel {
        id: Set(seed.schools[0].id),
        school_code: Set(Some(SCHOOL.to_owned())),
        ..Default::default()
    };
    school.update(app.db()).await.unwrap();
}

async fn held(app: &App, token: &str) -> Vec<(String, bool)> {
    let body = json!({ "query": "{ viewer { grants { role reach delegated } } }" }).to_string();
    let answer = app.post(Some(token), "en", body).await;
    let grants = answer.at("/viewer/grants").as_array().unwrap().clone();
    let one = |grant: &Value| {
        (grant["role"].as_str().unwrap().to_owned(), grant["delegated"].as_bool().unwrap())
    };
    grants.iter().map(one).collect()
}

#[tokio::test]
async fn a_claim_grants_what_the_settings_say_while_a_token_holds_it_and_no_other_claim_does() {
    let (ed, elsewhere) = (Ed::new("ed", 1), Ed::new("ed", 2));
    let (fake, other) =
        (Fake::start(&[ed.public()]).await, Fake::start(&[elsewhere.public()]).await);
    let (app, seed) = App::school_trusting(settings(&fake, &other)).await;
    coded(&app, &seed).await;
    let stranger = app.stranger();
    link(&app, &stranger, &fake.url, "s").await;
    link(&app, &stranger, &other.url, "s").await;
    let claiming = |more: Value| ed.sign(json!({}), &over(fake.claims("s"), more));
    let roles = |roles: Value| json!({ "realm_access": { "roles": roles } });
    let granted = claiming(roles(json!(["else", "xueji-registrar"])));
    let before = app.disclosed().await.len();
    is_let_in(&with(&app, &granted).await);
    // As a substitute's: nobody passes it on.
    assert_eq!(held(&app, &granted).await, [("registrar".to_owned(), true)]);
    let alone = claiming(roles(json!("xueji-registrar")));
    assert_eq!(held(&app, &alone).await.len(), 1);
    for more in [
        json!({}),
        roles(json!([])),
        roles(json!("xueji-registrar xueji-unknown")),
        roles(json!({ "xueji-registrar": true })),
        roles(json!(["registrar", "administrator", "Xueji-Registrar", "xueji-registrar "])),
        roles(json!([["xueji-registrar"]])),
        roles(json!(["xueji-unknown", "xueji-nowhere", "xueji-region"])),
        json!({ "roles": ["xueji-registrar"], "role": "registrar", "groups": ["registrar"] }),
        json!({ "realm_access.roles": ["xueji-registrar"], "scope": "registrar admin" }),
        json!({ "grants": [{ "role": "registrar", "reach": "anywhere" }] }),
        json!({ "external": { "issuer": 0, "grants": [0] } }),
    ] {
        // The same account has just asked with a token that grants.
        assert_eq!(held(&app, &claiming(more.clone())).await, [], "{more}");
        assert_eq!(held(&app, &granted).await.len(), 1);
    }
    // The same claim of an issuer that maps nothing.
    let claims = over(other.claims("s"), roles(json!(["xueji-registrar"])));
    assert_eq!(held(&app, &elsewhere.sign(json!({}), &claims)).await, []);
    // What is shown is on record, under a grant that is no row.
    let body = json!({ "query": "{ students { nodes { name } } }" }).to_string();
    app.post(Some(&granted), "en", body).await.data();
    let lines = app.disclosed().await;
    let part = &lines[before..].last().unwrap().record.parts[0];
    assert_eq!((part.role.as_str(), part.reach.as_str()), ("registrar", "school"));
    assert_eq!(part.grants[0].get_version_num(), 8);
    // A role that is stopped is granted by no claim either.
    let stop = "mutation($input: EmergencyStopInput!) { emergencyStop(input: $input) { stopId } }";
    let role = json!({ "kind": "ROLE", "role": "registrar", "reason": "a wrong policy" });
    app.administrator().query(stop, json!({ "input": role })).await.data();
    within_a_second(async || held(&app, &granted).await.is_empty()).await;
}

#[tokio::test]
async fn streams_go_on_with_what_the_account_holds() {
    let (ed, other) = (Ed::new("ed", 1), Ed::new("other", 2));
    let (fake, other) = (Fake::start(&[ed.public()]).await, Fake::start(&[other.public()]).await);
    let (app, seed) = App::busy_school_trusting(settings(&fake, &other)).await;
    coded(&app, &seed).await;
    let stranger = app.stranger();
    link(&app, &stranger, &fake.url, "s").await;
    let claims = json!({ "realm_access": { "roles": ["xueji-registrar"] } });
    let token = ed.sign(json!({}), &over(fake.claims("s"), claims));
    is_let_in(&with(&app, &token).await);
    let site = app.serve().await;
    let student = app.id("student", seed.first().students[0]);
    let query = "subscription($student: ID!) { scorePublished(studentId: $student) { at } }";
    let body = json!({ "query": query, "variables": { "student": student } });
    let told = site.events(Some(&token), body).await.next().await.unwrap().1;
    assert_eq!(told["errors"][0]["extensions"]["code"], "NOT_FOUND", "{told}");
}
