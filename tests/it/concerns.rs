//! `concernRaise`, `concernAnswer`, `concerns`, `viewer.concerns`: opinions go to who leads the school, reports to who
//! audits it, and whoever is not named is found nowhere.

use std::sync::Arc;
use std::time::Duration;

use chrono::TimeDelta;
use sea_orm::{ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use uuid::Uuid;
use xueji::access::caller::Place;
use xueji::access::table::Reach;
use xueji::config::settings::DataCipher;
use xueji::graphql::REGISTRY;
use xueji::store::keys::rotate::Rotation;
use xueji_entity::value::OrganisationId;
use xueji_entity::{act_try, audit, concern};

use super::grants::employ;
use super::secrecy::marks::{dump, files, found};
use super::support::answer::Answer;
use super::support::app::{App, clock};
use super::support::callers::Person;
use super::support::keys::master;
use super::support::seed::Shape;

const RAISE: &str =
    "mutation($input: ConcernRaiseInput!) { concernRaise(input: $input) { concernId } }";
const ANSWER: &str =
    "mutation($input: ConcernAnswerInput!) { concernAnswer(input: $input) { concernId } }";
const MINE: &str = "{ viewer { concerns { id kind schoolId text satisfaction named state answer raisedOn answeredAt
    raisedBy { login } } } }";
const LIST: &str = "query($kind: ConcernKind!, $state: ConcernState) { concerns(kind: $kind, state: $state) {
    id kind schoolId text satisfaction named state answer raisedOn answeredAt raisedBy { id login } } }";
const LINES: &str =
    "query($filter: AuditLineFilter) { auditLines(filter: $filter, first: 200) { totalCount
    nodes { at accountId action outcome noun columns policyVersion requestId purpose rules } } }";

fn report(app: &App, school: OrganisationId, text: &str) -> Value {
    json!({ "schoolId": app.id("organisation", school), "kind": "MISUSE", "text": text })
}

fn opinion(app: &App, school: OrganisationId, text: &str, satisfaction: Option<i64>) -> Value {
    json!({ "schoolId": app.id("organisation", school), "kind": "FEEDBACK", "text": text,
        "satisfaction": satisfaction })
}

async fn raise(person: &Person<'_>, input: Value) -> Answer {
    person.query(RAISE, json!({ "input": input })).await
}

async fn answer(person: &Person<'_>, concern: &Value, text: &str) -> Answer {
    let input = json!({ "concernId": concern, "answer": text });
    person.query(ANSWER, json!({ "input": input })).await
}

async fn list(person: &Person<'_>, kind: &str) -> Answer {
    person.query(LIST, json!({ "kind": kind })).await
}

fn rule(answer: &Answer) -> &str {
    answer.error()["extensions"]["rule"].as_str().unwrap_or_default()
}

fn never() -> Value {
    json!("Concern_AAAAAAAAAAAAAAAAAAAAAA")
}

async fn count(app: &App) -> u64 {
    concern::Entity::find().count(app.db()).await.unwrap()
}

#[tokio::test]
async fn a_guardian_says_an_opinion_and_reads_the_answer() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let guardian = app.guardian(seed.first().students[0]);
    let raised = raise(&guardian, opinion(&app, school, "Mkopinion of phones", Some(4))).await;
    let id = raised.at("/concernRaise/concernId").clone();
    let mine = guardian.ask(MINE).await;
    let own = mine.at("/viewer/concerns/0");
    assert_eq!(
        *own,
        json!({ "id": id, "kind": "FEEDBACK", "schoolId": app.id("organisation", school),
            "text": "Mkopinion of phones", "satisfaction": 4, "named": true, "state": "OPEN",
            "answer": null, "raisedOn": "2026-11-20", "answeredAt": null,
            "raisedBy": { "login": guardian.login().await } })
    );
    let (principal, deputy) = (app.principal(school), app.vice_principal(school));
    for head in [&principal, &deputy] {
        let seen = list(head, "FEEDBACK").await;
        assert_eq!(*seen.at("/concerns/0/text"), "Mkopinion of phones");
        assert_eq!(*seen.at("/concerns/0/raisedBy/login"), guardian.login().await);
    }
    let done = answer(&principal, &id, "Mkanswer to it").await;
    assert_eq!(*done.at("/concernAnswer/concernId"), id);
    let mine = guardian.ask(MINE).await;
    assert_eq!(*mine.at("/viewer/concerns/0/answer"), "Mkanswer to it");
    assert_eq!(*mine.at("/viewer/concerns/0/state"), "ANSWERED");
    assert_eq!(*mine.at("/viewer/concerns/0/answeredAt"), "2026-11-20T04:00:00Z");
    let waiting = principal.query(LIST, json!({ "kind": "FEEDBACK", "state": "OPEN" })).await;
    assert_eq!(*waiting.at("/concerns"), json!([]));
    // Once is enough, for anybody.
    for head in [&principal, &deputy] {
        assert_eq!(rule(&answer(head, &id, "another answer").await), "CONCERN_ANSWERED");
    }
    let row = concern::Entity::find().one(app.db()).await.unwrap().unwrap();
    assert_eq!(row.answered_by_id, Some(principal.account().await));
    // Nobody else has it among their own, and those who handle nothing are refused.
    for other in [app.guardian(seed.first().students[1]), app.student(seed.first().students[0])] {
        assert_eq!(*other.ask(MINE).await.at("/viewer/concerns"), json!([]));
    }
    for other in [app.registrar(school), app.homeroom_teacher(seed.first().id), app.stranger()] {
        assert_eq!(list(&other, "FEEDBACK").await.code(), "FORBIDDEN");
        assert_eq!(answer(&other, &id, "an answer").await.code(), "FORBIDDEN");
    }
    // On record: who raised it by name, who read it, who answered; never what was said.
    let lines = audit::Entity::find().order_by_asc(audit::Column::Id).all(app.db()).await.unwrap();
    let done: Vec<_> = lines
        .iter()
        .filter(|line| line.outcome == audit::AuditOutcome::Done)
        .map(|line| (line.action.as_str(), line.account_id))
        .collect();
    let (raiser, head) = (Some(guardian.account().await), Some(principal.account().await));
    assert_eq!(done[0], ("concern.raise", raiser));
    assert!(done.contains(&("concern.feedback", head)) && done.contains(&("concern.answer", head)));
    assert!(!format!("{lines:?}").contains("Mk"), "{lines:?}");
}

#[tokio::test]
async fn a_report_goes_to_who_audits_the_school_and_never_to_its_principal() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let guardian = app.guardian(seed.first().students[0]);
    let raised = raise(&guardian, report(&app, school, "Mkreport of a list on sale")).await;
    let id = raised.at("/concernRaise/concernId").clone();
    let principal = app.principal(school);
    assert_eq!(list(&principal, "MISUSE").await.code(), "FORBIDDEN");
    assert_eq!(*list(&principal, "FEEDBACK").await.at("/concerns"), json!([]));
    // Nor to who leads the school and holds another role beside.
    let at = Place::Organisation(school.uuid());
    let both = app.principal(school).and("privacy_officer", Reach::School, at);
    assert_eq!(*list(&both, "MISUSE").await.at("/concerns"), json!([]));
    let unknown = answer(&principal, &never(), "an answer").await;
    assert_eq!(unknown.code(), "NOT_FOUND", "{}", unknown.text);
    for head in [&principal, &both] {
        let refused = answer(head, &id, "an answer").await;
        assert_eq!(refused.without_request_id(), unknown.without_request_id());
    }
    let (officer, region) = (app.school_privacy_officer(school), app.auditor(seed.counties[0]));
    let account = app.id("account", guardian.account().await);
    for handler in [&officer, &region, &app.school_auditor(school)] {
        let seen = list(handler, "MISUSE").await;
        assert_eq!(*seen.at("/concerns/0/text"), "Mkreport of a list on sale");
        assert_eq!(*seen.at("/concerns/0/named"), false);
        assert_eq!(*seen.at("/concerns/0/raisedBy"), Value::Null);
        assert!(!seen.text.contains(&guardian.login().await) && !seen.text.contains(&account));
        assert_eq!(list(handler, "FEEDBACK").await.code(), "FORBIDDEN");
    }
    answer(&region, &id, "Mkit was looked into").await.data();
    let mine = guardian.ask(MINE).await;
    assert_eq!(*mine.at("/viewer/concerns/0/answer"), "Mkit was looked into");
    assert_eq!(*mine.at("/viewer/concerns/0/raisedBy"), Value::Null);
    // Whoever says so is named.
    let mut named = report(&app, school, "Mkanother report");
    named["named"] = json!(true);
    raise(&guardian, named).await.data();
    let seen = list(&officer, "MISUSE").await;
    // Open ones first.
    assert_eq!(
        *seen.at("/concerns/0/raisedBy"),
        json!({ "id": account, "login": guardian.login().await })
    );
    assert_eq!(seen.texts("/concerns", "state"), ["OPEN", "ANSWERED"]);
    // An opinion may be unnamed as well.
    let mut unnamed = opinion(&app, school, "Mkquiet opinion", None);
    unnamed["named"] = json!(false);
    raise(&guardian, unnamed).await.data();
    assert_eq!(*list(&principal, "FEEDBACK").await.at("/concerns/0/raisedBy"), Value::Null);
}

#[tokio::test]
async fn what_was_raised_elsewhere_is_like_an_id_never_issued() {
    let (app, seed) = App::school_alone().await;
    let school = seed.schools[0].id;
    let guardian = app.guardian(seed.first().students[0]);
    let said = raise(&guardian, opinion(&app, school, "Mkopinion", None)).await;
    let told = raise(&guardian, report(&app, school, "Mkreport")).await;
    let ids = [said.at("/concernRaise/concernId"), told.at("/concernRaise/concernId")];
    let elsewhere = seed.schools[1].id;
    for (who, kind) in [
        (app.principal(elsewhere), "FEEDBACK"),
        (app.school_privacy_officer(elsewhere), "MISUSE"),
        (app.privacy_officer(seed.counties[1]), "MISUSE"),
    ] {
        assert_eq!(*list(&who, kind).await.at("/concerns"), json!([]));
        let ask = |id: &Value| json!({ "input": { "concernId": id, "answer": "an answer" } });
        let (unknown, statements) = who.counted(ANSWER, ask(&never())).await;
        assert_eq!(unknown.code(), "NOT_FOUND", "{}", unknown.text);
        let others = [json!("x"), json!("Concern_x"), json!(app.id("student", Uuid::now_v7()))];
        for id in ids.into_iter().chain(&others) {
            let (refused, asked) = who.counted(ANSWER, ask(id)).await;
            assert_eq!(refused.without_request_id(), unknown.without_request_id(), "{id}");
            assert_eq!(asked, statements, "the same statements: {id}");
        }
    }
    let rows = concern::Entity::find().all(app.db()).await.unwrap();
    assert!(rows.iter().all(|row| row.answer.is_none()));
}

#[tokio::test]
async fn who_is_not_named_is_found_nowhere_an_auditor_looks() {
    let (app, seed) = App::school_alone().await;
    let school = seed.schools[0].id;
    let guardian = app.guardian(seed.first().students[0]);
    let account = app.id("account", guardian.account().await);
    let mut named = report(&app, school, "Mknamed report");
    named["named"] = json!(true);
    raise(&guardian, named).await.data();
    for _ in 0..4 {
        raise(&guardian, report(&app, school, "Mkreport")).await.data();
    }
    // Neither a try too many nor one that finds no school tells who tried.
    let over = raise(&guardian, report(&app, school, "Mkreport")).await;
    assert_eq!(over.code(), "LIMIT_EXCEEDED", "{}", over.text);
    let stray = raise(&guardian, report(&app, seed.schools[1].id, "Mkreport")).await;
    assert_eq!(stray.code(), "NOT_FOUND", "{}", stray.text);
    for auditor in [
        app.school_auditor(school),
        app.school_privacy_officer(school),
        app.auditor(seed.counties[0]),
        app.auditor(seed.province),
    ] {
        for filter in [
            json!({ "action": "concern.raise" }),
            json!({ "accountId": account }),
            json!({ "noun": "concern" }),
        ] {
            let lines = auditor.query(LINES, json!({ "filter": filter })).await;
            assert_eq!(*lines.at("/auditLines/totalCount"), 1, "the named one alone: {filter}");
            assert_eq!(*lines.at("/auditLines/nodes/0/accountId"), account);
            assert_eq!(*lines.at("/auditLines/nodes/0/outcome"), "done");
        }
    }
    // The log keeps that it was done, and nothing that leads to anybody; the row keeps by whom.
    let lines = audit::Entity::find()
        .filter(audit::Column::Action.eq("concern.raise"))
        .order_by_asc(audit::Column::Id)
        .all(app.db())
        .await
        .unwrap();
    assert_eq!(lines.len(), 7);
    for line in &lines[1..] {
        assert_eq!((line.account_id, line.student_id), (None, None), "{line:?}");
        assert_eq!((&line.client, &line.grants, &line.rules), (&None, &None, &None), "{line:?}");
        assert_eq!((line.request_id.as_str(), &line.purpose), ("", &None), "{line:?}");
    }
    let mut details: Vec<_> =
        lines[5..].iter().map(|line| line.detail.clone().unwrap_or_default()).collect();
    details.sort();
    assert_eq!(details, ["LIMIT_EXCEEDED concern.raise", "NOT_FOUND"]);
    let rows = concern::Entity::find().all(app.db()).await.unwrap();
    let raiser = guardian.account().await;
    assert!(rows.len() == 5 && rows.iter().all(|row| row.raised_by_id == raiser));
    let report = app.store().verify_logs(None).await.unwrap();
    assert!(report.findings.is_empty(), "{:?}", report.findings);
}

#[tokio::test]
async fn what_is_wrong_changes_nothing_and_names_the_field() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let guardian = app.guardian(seed.first().students[0]);
    let long = "字".repeat(2001);
    let mut content = report(&app, school, "Mkreport");
    content["satisfaction"] = json!(3);
    for (field, input) in [
        ("text", opinion(&app, school, "", None)),
        ("text", opinion(&app, school, " x ", None)),
        ("text", opinion(&app, school, &long, None)),
        ("text", report(&app, school, "a\u{0}b")),
        ("satisfaction", opinion(&app, school, "Mkopinion", Some(0))),
        ("satisfaction", opinion(&app, school, "Mkopinion", Some(6))),
        ("satisfaction", content),
    ] {
        let refused = raise(&guardian, input).await;
        assert_eq!(refused.code(), "INVALID_INPUT", "{field}: {}", refused.text);
        assert_eq!(refused.error()["extensions"]["field"], field, "{}", refused.text);
        assert!(!refused.text.contains("Mk"), "{}", refused.text);
    }
    let chinese = app.guardian(seed.first().students[0]).in_chinese();
    let refused = raise(&chinese, opinion(&app, school, "Mkopinion", Some(6))).await;
    assert!(refused.message().contains("请选择"), "{}", refused.text);
    assert_eq!(count(&app).await, 0);
    assert_eq!(act_try::Entity::find().count(app.db()).await.unwrap(), 0);
    let raised = raise(&guardian, opinion(&app, school, &"字".repeat(2000), None)).await;
    let id = raised.at("/concernRaise/concernId").clone();
    let principal = app.principal(school);
    for text in ["", "x", long.as_str()] {
        let refused = answer(&principal, &id, text).await;
        assert_eq!(refused.code(), "INVALID_INPUT", "{}", refused.text);
        assert_eq!(refused.error()["extensions"]["field"], "answer", "{}", refused.text);
    }
    let row = concern::Entity::find().one(app.db()).await.unwrap().unwrap();
    assert_eq!((row.state, row.answer), (concern::ConcernState::Open, None));
}

#[tokio::test]
async fn so_many_are_raised_in_an_hour_and_the_same_request_once() {
    let (app, hand) = App::by_hand().await;
    let seed = app.plant(Shape::default()).await;
    let school = seed.schools[0].id;
    let guardian = app.guardian(seed.first().students[0]);
    let mut keyed = opinion(&app, school, "Mkopinion", Some(5));
    keyed["idempotencyKey"] = json!("a key of my own");
    let first = raise(&guardian, keyed.clone()).await;
    let again = raise(&guardian, keyed.clone()).await;
    assert_eq!(first.at("/concernRaise"), again.at("/concernRaise"));
    keyed["text"] = json!("Mkother");
    assert_eq!(raise(&guardian, keyed).await.code(), "CONFLICT");
    for _ in 0..4 {
        raise(&guardian, report(&app, school, "Mkreport")).await.data();
    }
    let over = raise(&guardian, report(&app, school, "Mkreport")).await;
    assert_eq!(over.code(), "LIMIT_EXCEEDED", "{}", over.text);
    assert_eq!(over.error()["extensions"]["limit"], "concern.raise");
    assert_eq!(count(&app).await, 5);
    // Others are not hindered, and an hour later nobody is.
    let other = app.guardian(seed.first().students[1]);
    raise(&other, opinion(&app, school, "Mkopinion", None)).await.data();
    hand.on(TimeDelta::hours(1));
    raise(&guardian, report(&app, school, "Mkreport")).await.data();
    assert_eq!(count(&app).await, 7);
}

#[tokio::test]
async fn nobody_answers_their_own() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let (principal, staff) = employ(&app, app.principal(school), school, None).await;
    let raised = raise(&principal, opinion(&app, school, "Mkopinion", None)).await;
    let id = raised.at("/concernRaise/concernId").clone();
    assert_eq!(rule(&answer(&principal, &id, "an answer").await), "CONCERN_OWN");
    // Nor by another account of theirs.
    let (second, _) = employ(&app, app.vice_principal(school), school, Some(staff)).await;
    assert_eq!(rule(&answer(&second, &id, "an answer").await), "CONCERN_OWN");
    answer(&app.vice_principal(school), &id, "an answer").await.data();
}

#[tokio::test]
async fn whoever_belongs_to_a_school_raises_it_and_nobody_else() {
    let (app, seed) = App::school_alone().await;
    let (school, class) = (seed.schools[0].id, seed.first());
    let (colleague, _) = employ(&app, app.stranger(), school, None).await;
    for (who, person) in [
        ("a pupil", app.student(class.students[0])),
        ("a teacher", app.subject_teacher(class.id, seed.courses[0])),
        ("a homeroom teacher", app.homeroom_teacher(class.id)),
        ("a year head", app.year_head(seed.schools[0].levels[0].id)),
        ("the registrar", app.registrar(school)),
        ("somebody who works there and holds nothing", colleague),
    ] {
        let raised = raise(&person, report(&app, school, "Mkreport")).await;
        assert!(raised.at("/concernRaise/concernId").is_string(), "{who}: {}", raised.text);
    }
    let before = count(&app).await;
    let ask = |school: Uuid| {
        let id = app.id("organisation", school);
        json!({ "input": { "schoolId": id, "kind": "MISUSE", "text": "Mkreport" } })
    };
    for (who, person) in [
        ("a stranger", app.stranger()),
        ("a guardian elsewhere", app.guardian(seed.class(1, 0, 0).students[0])),
        ("a teacher elsewhere", app.homeroom_teacher(seed.class(1, 0, 0).id)),
        ("the registrar elsewhere", app.registrar(seed.schools[1].id)),
        ("an officer of the county", app.county_officer(seed.counties[0])),
        ("who opened a record", app.opened(class.students[0])),
        ("an administrator", app.administrator()),
    ] {
        let (unknown, statements) = person.counted(RAISE, ask(Uuid::now_v7())).await;
        assert_eq!(unknown.code(), "NOT_FOUND", "{who}: {}", unknown.text);
        let (refused, asked) = person.counted(RAISE, ask(school.uuid())).await;
        assert_eq!(refused.without_request_id(), unknown.without_request_id(), "{who}");
        assert_eq!(asked, statements, "{who}: the same statements");
        // An authority is no school.
        let (refused, _) = person.counted(RAISE, ask(seed.counties[0].uuid())).await;
        assert_eq!(refused.without_request_id(), unknown.without_request_id(), "{who}");
    }
    assert_eq!(count(&app).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_text_lies_in_the_clear_and_a_new_key_opens_all() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let guardian = app.guardian(seed.first().students[0]);
    let principal = app.principal(school);
    let raised = raise(&guardian, opinion(&app, school, "Mkopinionatrest", None)).await;
    let id = raised.at("/concernRaise/concernId").clone();
    answer(&principal, &id, "Mkansweratrest").await.data();
    raise(&guardian, report(&app, school, "Mkreportatrest")).await.data();
    let marks = ["Mkopinionatrest", "Mkansweratrest", "Mkreportatrest"].map(str::to_owned);
    let holds = async || {
        for (table, rows) in dump(app.db()).await {
            let held = found(rows.as_bytes(), &marks);
            assert!(held.is_empty(), "{table} holds {held:?}");
        }
        let file = app.place().url.strip_prefix("sqlite://");
        let file = file.and_then(|file| file.split('?').next()).map(std::path::Path::new);
        for (name, bytes) in file.and_then(|file| file.parent()).map(files).unwrap_or_default() {
            let held = found(&bytes, &marks);
            assert!(held.is_empty(), "{name} holds {held:?}");
        }
    };
    holds().await;
    let rotation = Rotation {
        db: app.db().clone(),
        registry: &REGISTRY,
        master: Arc::new(master()),
        cipher: DataCipher::Aes256Gcm,
        arrival: Duration::from_millis(1_500),
        batch: 7,
    };
    assert_eq!(rotation.run(clock().now()).await.unwrap().key, 2);
    for row in concern::Entity::find().all(app.db()).await.unwrap() {
        for sealed in [Some(&row.text), row.answer.as_ref()].into_iter().flatten() {
            assert_eq!(sealed.as_bytes()[..5], [2, 0, 0, 0, 2], "under the new key");
        }
    }
    let mine = guardian.ask(MINE).await;
    assert_eq!(mine.texts("/viewer/concerns", "text"), ["Mkreportatrest", "Mkopinionatrest"]);
    assert_eq!(mine.texts("/viewer/concerns", "answer"), ["null", "Mkansweratrest"]);
    holds().await;
}
