//! A new data key while everybody goes on: nothing fails, nothing is lost, and nothing stays under the old one.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sea_orm::{EntityTrait, QueryOrder};
use serde_json::{Value, json};
use xueji::config::secret::SecretKey;
use xueji::config::settings::DataCipher;
use xueji::graphql::REGISTRY;
use xueji::store::codec::Codec;
use xueji::store::keys::envelope::EnvelopeCodec;
use xueji::store::keys::master::LocalMaster;
use xueji::store::keys::rewrap::rewrap;
use xueji::store::keys::rotate::Rotation;
use xueji::store::keys::{Refusal, State, stored as keys};
use xueji_entity::{history, key_rewrite, student};

use super::{put, stored, under};
use crate::support::app::{App, clock};
use crate::support::keys::{LOOKUP_KEY, master};
use crate::support::seed::Shape;
use crate::support::truth::Truth;

const CONTACT: &str = "mutation($input: StudentContactUpdateInput!) {
    studentContactUpdate(input: $input) { student { id phone } } }";

/// Three looks of a server are longer than it takes one to learn of a key.
pub(crate) fn rotation(app: &App, cipher: DataCipher, batch: u64) -> Rotation {
    Rotation {
        db: app.db().clone(),
        registry: &REGISTRY,
        master: Arc::new(master()),
        cipher,
        arrival: Duration::from_millis(1_500),
        batch,
    }
}

/// What the sealed columns hold, by row.
async fn values(app: &App) -> Vec<(String, usize, Value)> {
    let truth = Truth::of(app).await;
    let mut values: Vec<(String, usize, Value)> = truth
        .rows
        .iter()
        .flat_map(|(id, row)| row.shown.iter().map(move |(at, value)| (id, row, *at, value)))
        .filter(|(_, row, at, _)| {
            super::sealed(row.noun).any(|name| name == row.noun.shape.fields[*at].name)
        })
        .map(|(id, _, at, value)| (id.clone(), at, value.clone()))
        .collect();
    values.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    values
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn reads_and_edits_go_on_while_the_key_changes_and_none_is_lost() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 12 }).await;
    let before = values(&app).await;
    let pupils: Vec<_> = seed.schools[0]
        .levels
        .iter()
        .flat_map(|level| &level.classes)
        .flat_map(|class| class.students.clone())
        .collect();
    let stop = AtomicBool::new(false);
    let registrar = app.registrar(seed.schools[0].id);
    let reader = app.registrar(seed.schools[0].id);
    let edits = async {
        let mut last = std::collections::BTreeMap::new();
        let mut turn = 0_usize;
        while !stop.load(Ordering::Relaxed) {
            let id = app.id("student", pupils[turn % pupils.len()]);
            let read = "query($id: ID!) { student(id: $id) { contactVersion } }";
            let version = registrar.query(read, json!({ "id": id })).await;
            let phone = format!("139{turn:08}");
            let input = json!({ "input": {
                "studentId": id, "version": version.at("/student/contactVersion"), "phone": phone,
            } });
            let answer = registrar.query(CONTACT, input).await;
            assert_eq!(*answer.at("/studentContactUpdate/student/phone"), phone, "{}", answer.text);
            last.insert(id, phone);
            turn += 1;
        }
        (last, turn)
    };
    let reads = async {
        let mut count = 0;
        let all = "{ students(first: 100) { nodes { phone idNumber currentAddress guardians { nodes { phone } } } } }";
        while !stop.load(Ordering::Relaxed) {
            let answer = reader.ask(all).await;
            let nodes = answer.at("/students/nodes").as_array().unwrap().clone();
            assert_eq!(nodes.len(), pupils.len(), "{}", answer.text);
            assert!(nodes.iter().all(|node| node["phone"].is_string()), "{}", answer.text);
            count += 1;
        }
        count
    };
    let changing = async {
        let done = rotation(&app, DataCipher::Aes256Gcm, 7).run(clock().now()).await;
        stop.store(true, Ordering::Relaxed);
        done.unwrap()
    };
    let (done, (last, edited), read) = tokio::join!(changing, edits, reads);
    assert!(edited > 3 && read > 3, "{edited} edits and {read} reads");
    assert_eq!((done.key, done.resumed, done.from_clear), (2, false, false));
    let count = stored(app.db()).await.len();
    assert_eq!(under(app.db()).await, [(2, count)].into(), "all under the new key");
    // Every edit is there, and everything else is what it was.
    let phone = REGISTRY.get("student").unwrap().field("phone").unwrap();
    for ((id, at, was), (same, _, is)) in before.iter().zip(values(&app).await) {
        assert_eq!(*id, same);
        match last.get(id).filter(|_| *at == phone) {
            Some(edited) => assert_eq!(is, *edited),
            None => assert_eq!(is, *was),
        }
    }
    // The history tells of the edits alone, and versions count them alone.
    let history = history::Entity::find().all(app.db()).await.unwrap();
    assert_eq!(history.len(), edited);
    let versions: i64 = (student::Entity::find().all(app.db()).await.unwrap().iter())
        .map(|row| row.row_version - 1)
        .sum();
    assert_eq!(usize::try_from(versions).unwrap(), edited);
    let states: Vec<_> =
        keys(app.db()).await.unwrap().iter().map(|key| (key.id, key.state)).collect();
    assert_eq!(states, [(1, State::Retired), (2, State::Active)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_interrupted_goes_on_where_it_stopped() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 12 }).await;
    let before = values(&app).await;
    let moved = async {
        while !under(app.db()).await.contains_key(&2) {
            tokio::task::yield_now().await;
        }
    };
    let first = rotation(&app, DataCipher::Aes256Gcm, 1);
    tokio::select! {
        biased;
        done = first.run(clock().now()) => panic!("it was not interrupted: {done:?}"),
        () = moved => {}
    }
    let progress = || async {
        let query = key_rewrite::Entity::find().order_by_asc(key_rewrite::Column::TableName);
        query.all(app.db()).await.unwrap()
    };
    let rows = progress().await;
    assert!(rows.iter().all(|row| row.key_id == 2 && !row.done));
    assert!(rows.iter().any(|row| row.row_id.is_some()), "it is on record how far it came");
    let half = under(app.db()).await;
    assert!(half[&1] > 0 && half[&2] > 0, "{half:?}");
    // Values under either key are read meanwhile.
    let registrar = app.registrar(seed.schools[0].id);
    let answer = registrar.ask("{ students(first: 100) { nodes { phone idNumber } } }").await;
    let nodes = answer.at("/students/nodes").as_array().unwrap();
    assert!(nodes.iter().all(|node| node["phone"].is_string() && node["idNumber"].is_string()));
    assert_eq!(values(&app).await, before);

    // The cipher of the command does not matter: it goes on with the one that was begun.
    let done = rotation(&app, DataCipher::Sm4Gcm, 50).run(clock().now()).await.unwrap();
    assert_eq!((done.key, done.cipher, done.resumed), (2, DataCipher::Aes256Gcm, true));
    assert_eq!(under(app.db()).await.into_keys().collect::<Vec<_>>(), [2]);
    assert!(progress().await.iter().all(|row| row.done));
    assert_eq!(values(&app).await, before);
    assert_eq!(keys(app.db()).await.unwrap().len(), 2, "no third key was made");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_given_twice_at_once_changes_the_key_once() {
    let (app, _seed) = App::school_of(Shape { classes: 1, students: 4 }).await;
    let before = values(&app).await;
    let two = [(); 2].map(|()| rotation(&app, DataCipher::Aes256Gcm, 3));
    let (one, other) = tokio::join!(two[0].run(clock().now()), two[1].run(clock().now()));
    assert_eq!((one.unwrap().key, other.unwrap().key), (2, 2));
    let states: Vec<_> = keys(app.db()).await.unwrap().iter().map(|key| key.state).collect();
    assert_eq!(states, [State::Retired, State::Active]);
    assert_eq!(under(app.db()).await.into_keys().collect::<Vec<_>>(), [2]);
    assert_eq!(values(&app).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_moves_to_sm4_and_back() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 2 }).await;
    let before = values(&app).await;
    let registrar = app.registrar(seed.schools[0].id);
    for (key, cipher) in [(2, DataCipher::Sm4Gcm), (3, DataCipher::Aes256Gcm)] {
        let done = rotation(&app, cipher, 50).run(clock().now()).await.unwrap();
        assert_eq!((done.key, done.cipher), (key, cipher));
        assert_eq!(under(app.db()).await.into_keys().collect::<Vec<_>>(), [key]);
        assert_eq!(values(&app).await, before);
        let answer = registrar.ask("{ students { nodes { phone } } }").await;
        let nodes = answer.at("/students/nodes").as_array().unwrap();
        assert!(!nodes.is_empty() && nodes.iter().all(|node| node["phone"].is_string()));
    }
    let ciphers: Vec<_> = keys(app.db()).await.unwrap().iter().map(|key| key.algorithm).collect();
    assert_eq!(ciphers, [DataCipher::Aes256Gcm, DataCipher::Sm4Gcm, DataCipher::Aes256Gcm]);
}

#[tokio::test]
async fn the_data_keys_go_to_another_master_key_and_no_row_changes() {
    let (app, _seed) = App::school_of(Shape { classes: 1, students: 2 }).await;
    let rows = stored(app.db()).await;
    let text = "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f1";
    let new = LocalMaster::new(&SecretKey::from_hex(text).unwrap());
    // With the wrong one nothing is done.
    let refused = rewrap(app.db(), &new, &master(), clock().now()).await;
    assert_eq!(refused.unwrap(), 0, "they are wrapped by it already");
    let other = LocalMaster::new(&SecretKey::from_bytes([9; 32]));
    let refused = rewrap(app.db(), &other, &new, clock().now()).await.unwrap_err();
    assert!(matches!(refused, Refusal::OtherMaster { .. }), "{refused}");
    assert_eq!(rewrap(app.db(), &master(), &new, clock().now()).await.unwrap(), 1);
    assert_eq!(stored(app.db()).await, rows);
    // The server that runs goes on; one that starts needs the new key.
    app.store().follow_keys().await.unwrap();
    let first = (DataCipher::default(), clock().now());
    let open = async |master: LocalMaster| {
        EnvelopeCodec::open(app.db().clone(), &REGISTRY, LOOKUP_KEY, Arc::new(master), first).await
    };
    let refused = open(master()).await.unwrap_err();
    assert!(matches!(refused, Refusal::OtherMaster { .. }), "{refused}");
    let codec = open(new).await.unwrap();
    for (table, column, row, sealed) in &rows {
        let opened = app.codec().open(table, column, *row, sealed).unwrap();
        assert_eq!(codec.open(table, column, *row, sealed).unwrap(), opened);
    }
}

#[tokio::test]
async fn a_rotation_makes_no_value_of_what_was_put_into_the_database() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 2 }).await;
    let [one, two] = [0, 1].map(|at| seed.first().students[at].uuid());
    let all = stored(app.db()).await;
    let theirs = all.iter().find(|(_, column, row, _)| *column == "phone" && *row == two).unwrap();
    let own = all.iter().find(|(_, column, row, _)| *column == "phone" && *row == one).unwrap();
    for forged in [[&[1], &b"13800009999"[..]].concat(), theirs.3.clone(), vec![]] {
        put(app.db(), "student", "phone", one, forged).await;
        let refused = rotation(&app, DataCipher::Aes256Gcm, 50).run(clock().now()).await;
        let refused = refused.unwrap_err();
        assert!(
            matches!(&refused, Refusal::Foreign { table: "student", column, row } if column == "phone" && *row == one),
            "{refused}"
        );
        assert!(!refused.to_string().contains("138"), "{refused}");
    }
    // Once the row is as it was, the same rotation ends.
    put(app.db(), "student", "phone", one, own.3.clone()).await;
    let done = rotation(&app, DataCipher::Aes256Gcm, 50).run(clock().now()).await.unwrap();
    assert_eq!((done.key, done.resumed), (2, true));
}
