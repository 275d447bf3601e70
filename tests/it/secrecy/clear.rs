//! A registry of an earlier version, which kept sealed columns as they are: no server opens it, and one command brings
//! it over, with its history and with what lies about in the file.

use std::path::Path;

use sea_orm::{ConnectionTrait, EntityTrait, IntoActiveModel};
use serde_json::{Value, json};
use xueji::config::settings::DataCipher;
use xueji::graphql::REGISTRY;
use xueji::store::codec::Codec;
use xueji::store::keys::Refusal;
use xueji::store::keys::envelope::EnvelopeCodec;
use xueji::store::keys::rotate::{BATCH, Rotation};
use xueji_entity::history;

use super::marks::{dump, files, found, sealed};
use super::{put, stored, under};
use crate::support::app::{App, clock};
use crate::support::keys::{LOOKUP_KEY, master};
use crate::support::truth::Truth;

const CONTACT: &str = "mutation($input: StudentContactUpdateInput!) {
    studentContactUpdate(input: $input) { student { id phone } } }";

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
    pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
}

/// The same values as an earlier version kept them: in the rows, and as digits in the history.
async fn as_before(app: &App) {
    let codec = app.codec();
    let clear = |table: &str, column: &str, row, sealed: &[u8]| {
        [&[1], codec.open(table, column, row, sealed).unwrap().as_bytes()].concat()
    };
    for (table, column, row, sealed) in stored(app.db()).await {
        put(app.db(), table, column, row, clear(table, column, row, &sealed)).await;
    }
    for line in history::Entity::find().all(app.db()).await.unwrap() {
        let told = |text: &Option<String>| {
            let mut values: Value = serde_json::from_str(text.as_ref().unwrap()).unwrap();
            for (column, value) in values.as_object_mut().unwrap() {
                let sealed = bytes(value.as_str().unwrap());
                let hex = clear(&line.noun, column, line.row_id, &sealed);
                *value = hex.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into();
            }
            Some(values.to_string())
        };
        let (before, after) = (told(&line.before), told(&line.after));
        let mut line = line.into_active_model();
        line.before = sea_orm::Set(before);
        line.after = sea_orm::Set(after);
        history::Entity::update(line).exec(app.db()).await.unwrap();
    }
    app.db().execute_unprepared("DELETE FROM data_key").await.unwrap();
}

fn folder(url: &str) -> Option<&Path> {
    Path::new(url.strip_prefix("sqlite://")?.split('?').next()?).parent()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_registry_in_the_clear_is_refused_and_brought_over_whole() {
    let (app, seed) = App::school_alone().await;
    let registrar = app.registrar(seed.schools[0].id);
    let id = app.id("student", seed.first().students[0]);
    let read = "query($id: ID!) { student(id: $id) { contactVersion } }";
    let version = registrar.query(read, json!({ "id": id })).await;
    let input = json!({ "input": {
        "studentId": id, "version": version.at("/student/contactVersion"), "phone": "13912340000",
    } });
    registrar.query(CONTACT, input).await.data();
    let truth = Truth::of(&app).await;
    let marks = sealed(&truth);
    as_before(&app).await;
    assert_eq!(under(app.db()).await.into_keys().collect::<Vec<_>>(), [0]);
    let exposed = dump(app.db()).await;
    let leaking = exposed.iter().filter(|(_, text)| !found(text.as_bytes(), &marks).is_empty());
    let leaking: Vec<&str> = leaking.map(|(table, _)| table.as_str()).collect();
    assert!(leaking.contains(&"student") && leaking.contains(&"history"), "{leaking:?}");

    // No server opens it, and nothing is changed by trying.
    let first = (DataCipher::default(), clock().now());
    let open = async || {
        EnvelopeCodec::open(
            app.db().clone(),
            &REGISTRY,
            LOOKUP_KEY,
            std::sync::Arc::new(master()),
            first,
        )
        .await
    };
    let refused = open().await.unwrap_err();
    assert!(matches!(refused, Refusal::Clear), "{refused}");
    assert!(refused.to_string().contains("xueji keys rotate"), "{refused}");
    assert_eq!(dump(app.db()).await, exposed);

    let rotation = |batch: u64| Rotation {
        db: app.db().clone(),
        registry: &REGISTRY,
        master: std::sync::Arc::new(master()),
        cipher: DataCipher::Aes256Gcm,
        arrival: std::time::Duration::ZERO,
        batch,
    };
    // Interrupted, it is refused until the same command has ended.
    let halfway = async {
        while !under(app.db()).await.contains_key(&1) {
            tokio::task::yield_now().await;
        }
    };
    let interrupted = rotation(1);
    tokio::select! {
        biased;
        done = interrupted.run(clock().now()) => panic!("it was not interrupted: {done:?}"),
        () = halfway => {}
    }
    assert!(matches!(open().await.unwrap_err(), Refusal::Underway));
    let done = rotation(BATCH).run(clock().now()).await.unwrap();
    assert_eq!((done.key, done.resumed, done.from_clear), (1, true, true));
    assert_eq!(under(app.db()).await.into_keys().collect::<Vec<_>>(), [1]);

    // Nothing of it is left: in no table, and in no page of the file or its log.
    for (table, text) in dump(app.db()).await {
        let left = found(text.as_bytes(), &marks);
        assert!(left.is_empty(), "{table} holds {left:?}");
    }
    for (name, bytes) in folder(&app.place().url).map(files).unwrap_or_default() {
        let left = found(&bytes, &marks);
        assert!(left.is_empty(), "{name} holds {left:?}");
    }

    // And everything is there.
    let codec = open().await.unwrap();
    for (table, column, row, sealed) in stored(app.db()).await {
        let text = codec.open(table, column, row, &sealed).unwrap();
        assert!(marks.contains(&text), "{table}.{column}");
    }
    let lines = history::Entity::find().all(app.db()).await.unwrap();
    assert_eq!(lines.len(), 1);
    let after: Value = serde_json::from_str(lines[0].after.as_ref().unwrap()).unwrap();
    let told = bytes(after["phone"].as_str().unwrap());
    assert_eq!(codec.open("student", "phone", lines[0].row_id, &told).unwrap(), "13912340000");
    let server = app.sibling().await;
    let answer = server
        .registrar(seed.schools[0].id)
        .query("query($id: ID!) { student(id: $id) { phone } }", json!({ "id": id }))
        .await;
    assert_eq!(*answer.at("/student/phone"), "13912340000");
}
