//! The policy changes while servers run: by file, by account, by another server. Whole or not at all, within a second,
//! and never by a policy with a mistake.

use std::path::Path;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use sea_orm::ActiveValue::Set;
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder};
use serde_json::{Value, json};
use tempfile::TempDir;
use xueji::access::policy::Source;
use xueji::domain::policy::{Health, Keeper, Origin, Refusal};
use xueji_entity::{audit, policy_version};

use crate::support::app::{App, PATIENCE, catalogue, clock};
use crate::support::place::Place;

const RELOAD: &str = "mutation($input: PolicyReloadInput!) { policyReload(input: $input) { number hash published } }";

/// A folder with the shipped policy.
pub(crate) fn folder() -> TempDir {
    let folder = TempDir::new().unwrap();
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies");
    for entry in std::fs::read_dir(shipped).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    folder
}

/// Changes a text in a file of a folder.
pub(crate) fn change(folder: &Path, file: &str, from: &str, to: &str) {
    let path = folder.join(file);
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "{file} has no {from}");
    put(&path, &text.replace(from, to));
}

/// Puts a file in the place of another, whole: whoever looks meanwhile finds the one or the other.
pub(crate) fn put(path: &Path, text: &str) {
    let beside = path.with_extension("new");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(beside, path).unwrap();
}

/// A keeper of a folder that looks when it is told to, on a database that is there.
async fn keeper(app: &App, folder: &Path) -> Result<Keeper, Refusal> {
    let origin = Origin::Folder(folder.to_owned());
    Keeper::open(origin, catalogue(), app.store(), clock()).await
}

/// Publishes a version that no program can use.
async fn publish_unusable(app: &App, number: i64) {
    let broken = policy_version::ActiveModel {
        number: Set(number),
        hash: Set("f".repeat(16)),
        published_at: Set(clock().now()),
        published_by: Set("command".to_owned()),
        program: Set("9.9.9".to_owned()),
        files: Set("{}".to_owned()),
    };
    policy_version::Entity::insert(broken).exec(app.db()).await.unwrap();
}

/// Hides the telephone number from the class teacher.
pub(crate) fn hide_phone(folder: &Path) {
    change(folder, "student.csv", "p, student.phone, homeroom_teacher, class, full, filter\n", "");
}

/// Waits until a question has the wanted answer.
async fn until<F: Future<Output = bool>>(what: &str, ask: impl Fn() -> F) {
    let begun = Instant::now();
    while !ask().await {
        assert!(begun.elapsed() < PATIENCE, "{what}: not after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn get(app: &App, path: &str) -> (u16, Value, String) {
    let answer = app.send(Request::builder().uri(path).body(Body::empty()).unwrap()).await;
    (answer.status.as_u16(), answer.body, answer.text)
}

async fn versions(app: &App) -> Vec<policy_version::Model> {
    policy_version::Entity::find()
        .order_by_asc(policy_version::Column::Number)
        .all(app.db())
        .await
        .unwrap()
}

/// The redaction of the telephone number of the class, if it is one.
async fn phone_is_hidden(person: &crate::support::callers::Person<'_>) -> bool {
    let answer = person.ask("{ students { nodes { phone } } }").await;
    let hidden = answer.body["extensions"]["redactions"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one["coordinate"] == "Student.phone"));
    let nodes = answer.at("/students/nodes").as_array().unwrap();
    assert!(!nodes.is_empty());
    // Whole or not at all: no answer of half a policy.
    assert!(nodes.iter().all(|node| node["phone"].is_null()) == hidden, "{}", answer.text);
    hidden
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_file_is_in_force_within_a_second_and_a_bad_one_never() {
    let folder = folder();
    let (app, seed) = App::school_kept(Place::migrated().await, folder.path()).await;
    let teacher = app.homeroom_teacher(seed.first().id);
    assert!(!phone_is_hidden(&teacher).await);
    assert_eq!(versions(&app).await.len(), 1, "the start publishes");

    hide_phone(folder.path());
    until("the changed file", || phone_is_hidden(&teacher)).await;
    let known = versions(&app).await;
    let by: Vec<_> = known.iter().map(|version| version.published_by.as_str()).collect();
    assert_eq!(by, ["start", "files"]);
    assert_ne!(known[0].hash, known[1].hash);
    // On record, with the version and no account.
    let line = audit::Entity::find()
        .filter(audit::Column::Action.eq("policy.publish"))
        .filter(audit::Column::Detail.eq("files"))
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(line.policy_version, Some(format!("2:{}", known[1].hash)));
    assert_eq!(line.account_id, None);

    // A column named twice: refused with file and line, and the policy in force stays.
    let path = folder.path().join("student.csv");
    let good = std::fs::read_to_string(&path).unwrap();
    let twice = format!("{good}p, student.name, registrar, school, masked,\n");
    let line = twice.lines().count();
    put(&path, &twice);
    until("the refusal", || async {
        let (status, body, _) = get(&app, "/readyz").await;
        assert_eq!(status, 200, "an earlier policy answers");
        body["parts"]["policy"] == "degraded"
            && body["ready"] == true
            && body["notes"]["policy"] == format!("refused: policies/student.csv:{line}")
    })
    .await;
    assert!(get(&app, "/metrics").await.2.contains("xueji_policy_refusals_total"));
    assert!(crate::support::logs::text().contains("already speaks of this column"));
    assert!(phone_is_hidden(&teacher).await);
    assert_eq!(versions(&app).await.len(), 2, "nothing is published");

    // Mended: well again, without a new version, since these files are in force.
    put(&path, &good);
    until("the mended file", || async { get(&app, "/readyz").await.1["parts"]["policy"] == "ok" })
        .await;
    assert_eq!(versions(&app).await.len(), 2);

    // A folder that is gone is a mistake like any other.
    let away = folder.path().with_extension("away");
    std::fs::rename(folder.path(), &away).unwrap();
    until("the folder that is gone", || async {
        get(&app, "/readyz").await.1["parts"]["policy"] == "degraded"
    })
    .await;
    assert!(phone_is_hidden(&teacher).await);
    std::fs::rename(&away, folder.path()).unwrap();
    until("the folder that is back", || async {
        get(&app, "/readyz").await.1["parts"]["policy"] == "ok"
    })
    .await;
}

/// With looks every 200 ms both stay well within a second; the figures of a real server are those of
/// `cargo bench --bench effect`.
#[tokio::test(flavor = "multi_thread")]
async fn a_change_takes_two_looks_at_the_files_and_one_at_the_database() {
    let (app, _) = App::school().await;
    let (mine, same) = (folder(), folder());
    let first = keeper(&app, mine.path()).await.unwrap();
    let second = keeper(&app, same.path()).await.unwrap();
    first.look().await;
    let before = first.current();
    assert_eq!(before.version, second.current().version);
    hide_phone(mine.path());
    // The first look may come in the middle of writing; the second finds that nothing moves any more.
    first.look().await;
    assert_eq!(first.current().version, before.version);
    first.look().await;
    let after = first.current();
    assert_eq!(after.version, format!("2:{}", after.hash));
    assert_ne!(after.hash, before.hash);
    second.look().await;
    assert_eq!(second.current().version, after.version, "one look follows");
}

#[tokio::test(flavor = "multi_thread")]
async fn servers_on_one_database_agree_within_a_second_and_do_not_take_turns() {
    let (old, new) = (folder(), folder());
    let (first, seed) = App::school_kept(Place::migrated().await, old.path()).await;
    let second = App::beside(&first, old.path()).await;
    let at_first = first.homeroom_teacher(seed.first().id);
    let at_second = second.homeroom_teacher(seed.first().id);
    assert!(!phone_is_hidden(&at_second).await);
    assert_eq!(versions(&first).await.len(), 1, "the same files get no second number");

    // A third server brings other files: all run them.
    hide_phone(new.path());
    let third = App::beside(&first, new.path()).await;
    until("first", || phone_is_hidden(&at_first)).await;
    until("second", || phone_is_hidden(&at_second)).await;
    // A server with the earlier files comes back, as in a rolling restart: it follows and publishes nothing.
    let late = App::beside(&first, old.path()).await;
    let at_late = late.homeroom_teacher(seed.first().id);
    assert!(phone_is_hidden(&at_late).await);
    // Looks are what might publish: each server has three more than it needs.
    for _ in 0..3 {
        for server in [&first, &second, &third, &late] {
            server.look_at_policy().await;
        }
    }
    let numbers: Vec<_> = versions(&first).await.iter().map(|version| version.number).collect();
    assert_eq!(numbers, [1, 2], "two servers with different files do not take turns");
    drop(third);

    // Whoever really changes a file is followed by all, also back.
    change(old.path(), "student.csv", "# Name and gender", "# Name, gender");
    for person in [&at_first, &at_second, &at_late] {
        until("back", || async { !phone_is_hidden(person).await }).await;
    }
}

/// Nothing else changes here: a server whose own files changed would rightly publish them over the bad version.
#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_cannot_be_used_is_said_and_the_next_good_one_heals() {
    let mine = folder();
    let (app, seed) = App::school_kept(Place::migrated().await, mine.path()).await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let policy = async || {
        let (status, body, _) = get(&app, "/readyz").await;
        (status, body["parts"]["policy"].clone(), body["notes"]["policy"].clone())
    };
    assert_eq!(policy().await, (200, json!("ok"), Value::Null));
    publish_unusable(&app, 99).await;
    app.look_at_policy().await;
    // It answers otherwise than the others do, so it is not ready, and says which version it lacks.
    let lacks = json!("published version 99 cannot be used");
    assert_eq!(policy().await, (503, json!("unavailable"), lacks));
    assert!(!phone_is_hidden(&teacher).await, "the earlier policy stays");
    assert_eq!(versions(&app).await.len(), 2, "nobody publishes over it");

    // A server whose files were followed by that version does not start, and says what is wrong with it.
    let refused = keeper(&app, mine.path()).await.unwrap_err();
    let Refusal::Unusable(99, problems) = refused else { panic!("{refused:?}") };
    assert!(problems.to_string().contains("model.conf"), "{problems}");
    // One with files of its own brings them, which is what heals.
    let fresh = folder();
    hide_phone(fresh.path());
    let brings = keeper(&app, fresh.path()).await.unwrap();
    assert!(brings.current().version.starts_with("100:"), "{}", brings.current().version);
    assert_eq!(brings.health(), Health::default());
    app.look_at_policy().await;
    assert_eq!(policy().await, (200, json!("ok"), Value::Null));
    assert!(phone_is_hidden(&teacher).await, "the good version is followed");
    // Now the earlier files start again, under the newest version.
    let late = keeper(&app, mine.path()).await.unwrap();
    assert_eq!(late.current().version, brings.current().version);
}

#[tokio::test]
async fn publishers_at_once_get_numbers_of_their_own() {
    let (app, _) = App::school().await;
    let source = |place: usize| {
        let mut source = Source::shipped();
        source.files.get_mut("student.csv").unwrap().push_str(&format!("# {place}\n"));
        source
    };
    let now = clock().now();
    let store = app.store();
    let done = futures_util::future::join_all((0..4).map(|place| async move {
        store.publish_policy(&source(place), "command", now).await.unwrap()
    }))
    .await;
    let mut numbers: Vec<_> = done.iter().map(|published| published.number).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [1, 2, 3, 4]);
    assert!(done.iter().all(|published| published.fresh));
    let newest = versions(&app).await.pop().unwrap();
    let same = source(done.iter().position(|one| one.number == 4).unwrap());
    assert_eq!(same.version(), newest.hash);
    let again = store.publish_policy(&same, "command", now).await.unwrap();
    assert_eq!((again.number, again.fresh), (4, false));
    assert_eq!(store.policy_files(4).await.unwrap().unwrap(), same, "the files are kept whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_applies_the_files_and_nobody_else() {
    let folder = folder();
    let (app, seed) = App::school_kept(Place::migrated().await, folder.path()).await;
    let school = seed.schools[0].id;
    for person in
        [app.registrar(school), app.principal(school), app.guardian(seed.first().students[0])]
    {
        let answer = person.query(RELOAD, json!({"input": {}})).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{}", answer.text);
    }
    let denied = audit::Entity::find()
        .filter(audit::Column::Action.eq("policy.reload"))
        .all(app.db())
        .await
        .unwrap();
    assert_eq!(denied.len(), 3, "each refusal is on record");
    assert!(denied.iter().all(|line| line.outcome == audit::AuditOutcome::Denied));

    let administrator = app.administrator();
    let key = "reload-2026-11-20";
    let answer = administrator.query(RELOAD, json!({"input": {"idempotencyKey": key}})).await;
    assert_eq!(answer.at("/policyReload/published"), false);
    assert_eq!(answer.at("/policyReload/number"), 1);
    // A change is in force with the answer, whether or not the folder was looked at meanwhile.
    hide_phone(folder.path());
    let answer = administrator.query(RELOAD, json!({"input": {}})).await;
    assert_eq!(answer.at("/policyReload/number"), 2);
    assert!(phone_is_hidden(&app.homeroom_teacher(seed.first().id)).await);
    let again = administrator.query(RELOAD, json!({"input": {"idempotencyKey": key}})).await;
    assert_eq!(again.at("/policyReload/number"), 1, "a repetition is answered with what it did");
    assert!(phone_is_hidden(&app.homeroom_teacher(seed.first().id)).await);

    // A mistake is answered with file and line.
    change(folder.path(), "course.csv", "p, course.name", "p, course.nmae");
    let wrong = administrator.query(RELOAD, json!({"input": {}})).await;
    assert_eq!(wrong.code(), "RULE_REFUSED", "{}", wrong.text);
    assert!(wrong.message().contains("policies/course.csv:"), "{}", wrong.message());
    assert_eq!(versions(&app).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_keeps_the_version_that_it_began_with() {
    let folder = folder();
    let (app, seed) = App::school_kept(Place::migrated().await, folder.path()).await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let before = app.policy_in_force();
    let administrator = app.administrator();
    administrator.ask("{ __typename }").await;
    hide_phone(folder.path());
    // Many answers while the policy changes: each is wholly of one version (see `phone_is_hidden`).
    let asking = async {
        let mut seen = Vec::new();
        for _ in 0..60 {
            seen.push(phone_is_hidden(&teacher).await);
        }
        seen
    };
    let changing = administrator.query(RELOAD, json!({"input": {}}));
    let (seen, changed) = tokio::join!(asking, changing);
    assert_eq!(changed.at("/policyReload/number"), 2);
    assert!(seen.is_sorted(), "no answer goes back to the earlier version: {seen:?}");
    assert!(before.version.starts_with("1:"), "who holds a version keeps it: {}", before.version);
    let after = app.policy_in_force();
    assert!(after.version.starts_with("2:"), "{}", after.version);
}
