//! The tag that guards against stale writes: it covers what its reader sees in full, and nothing else.

use serde_json::json;
use std::collections::BTreeSet;
use uuid::Uuid;
use xueji::access::table::Sight;
use xueji::access::version;

use super::{ADDRESS, PHONE, events, family, field, input, replace, row, send, update, version_of};
use crate::canary::everybody;
use crate::support::app::App;
use crate::support::document::noun;
use crate::support::oracle::Oracle;
use crate::support::truth::Truth;

#[tokio::test]
async fn a_version_that_is_stale_forged_or_anothers_is_a_conflict() {
    let (app, seed) = App::school().await;
    let [pupil, other] = [seed.first().students[0], seed.first().students[1]];
    let (registrar, parent) = (app.registrar(seed.schools[0].id), app.guardian(pupil));
    let stale = version_of(&registrar, &app, pupil).await;
    update(&parent, &app, pupil, json!({ "phone": PHONE })).await.data();
    let before = row(&app, pupil).await;
    let current = version_of(&registrar, &app, pupil).await;
    let elsewhere = version_of(&registrar, &app, other).await;
    let parents = version_of(&parent, &app, pupil).await;
    let all: BTreeSet<_> = [&stale, &current, &elsewhere, &parents].into();
    assert_eq!(all.len(), 4, "a tag is one caller's, of one row, at one time");
    for version in [
        stale,
        elsewhere,
        parents,
        String::new(),
        "forged".to_owned(),
        current.chars().rev().collect(),
        format!("{current}="),
        format!("{current}\u{0}"),
        "x".repeat(50_000),
    ] {
        let id = app.id("student", pupil);
        let input = json!({ "studentId": id, "version": version, "email": "new@example.org" });
        let answer = send(&registrar, input).await;
        assert_eq!(answer.code(), "CONFLICT", "{}", answer.text);
        assert_eq!(field(&answer), "version");
        assert!(answer.message().contains("read it again"), "{}", answer.message());
        assert!(!answer.text.contains(PHONE), "{}", answer.text);
    }
    assert_eq!(row(&app, pupil).await, before);
    let answer = update(&registrar, &app, pupil, json!({ "email": "new@example.org" })).await;
    assert_eq!(answer.at("/studentContactUpdate/student/email"), "new@example.org");
}

#[tokio::test]
async fn a_column_that_is_not_seen_changes_underneath_without_a_conflict() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let (teacher, registrar) =
        (app.homeroom_teacher(seed.first().id), app.registrar(seed.schools[0].id));
    let theirs = input(&teacher, &app, pupil, json!({ "email": "teacher@example.org" })).await;
    let office = input(&registrar, &app, pupil, json!({ "email": "office@example.org" })).await;
    // The teacher sees the addresses masked and the postal code not at all.
    let parent = app.guardian(pupil);
    let changes = json!({ "homeAddress": ADDRESS, "postalCode": "100020" });
    update(&parent, &app, pupil, changes).await.data();
    let stale = send(&registrar, office).await;
    assert_eq!((stale.code(), field(&stale)), ("CONFLICT", &json!("version")), "{}", stale.text);
    let done = send(&teacher, theirs).await;
    assert_eq!(done.at("/studentContactUpdate/student/email"), "teacher@example.org");
    // What both see is a conflict for both.
    let theirs = input(&teacher, &app, pupil, json!({ "email": "again@example.org" })).await;
    update(&parent, &app, pupil, json!({ "phone": PHONE })).await.data();
    assert_eq!(send(&teacher, theirs).await.code(), "CONFLICT");
}

/// For each role, each contact column and each row: the tag changes when the column is seen in full, and else not.
#[tokio::test]
async fn a_tag_changes_when_and_only_when_something_changes_that_is_seen() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let kin: Vec<Uuid> = family(&app, pupil).await.iter().map(|row| row.id.uuid()).collect();
    let truth = Truth::of(&app).await;
    let document = "query($id: ID!) { student(id: $id) { contactVersion \
                    guardians { nodes { id contactVersion } } } }";
    let (mut moved, mut stayed) = (0, 0);
    for (name, person) in everybody(&app, &seed) {
        let oracle = Oracle::of(&app, &truth, &person);
        let tags = async || {
            person.query(document, json!({ "id": app.id("student", pupil) })).await.body["data"]
                ["student"]
                .clone()
        };
        for (of, ids) in [("student", vec![pupil.uuid()]), ("guardian", kin.clone())] {
            let noun = noun(of);
            for id in ids {
                let (_, fact) = truth.of_noun(of).find(|(_, row)| row.id == id).unwrap();
                let tag = noun.field("contact_version").unwrap();
                let shown = oracle.visible(fact) && oracle.sight(fact, tag) == Sight::Full;
                for at in version::contact(noun) {
                    let column = noun.shape.fields[at].name;
                    let before = tags().await;
                    assert_eq!(before, tags().await, "{name}: a tag stays while nothing changes");
                    replace(&app, of, column, id, "13900000000").await;
                    let after = tags().await;
                    let bare = fact.shown[&at].as_str().unwrap();
                    replace(&app, of, column, id, bare).await;
                    assert_eq!(before, tags().await, "{name}: and comes back with the value");
                    let seen = shown && oracle.sight(fact, at) == Sight::Full;
                    assert_eq!(before != after, seen, "{name}: {of}.{column}");
                    if seen { moved += 1 } else { stayed += 1 }
                }
            }
        }
    }
    assert!(moved > 15 && stayed > 100, "{moved} {stayed}");
}

#[tokio::test]
async fn of_two_who_read_the_same_the_second_must_read_again() {
    let (app, seed) = App::school().await;
    let pupil = seed.first().students[0];
    let (parent, registrar) = (app.guardian(pupil), app.registrar(seed.schools[0].id));
    let first = input(&parent, &app, pupil, json!({ "phone": PHONE })).await;
    let second = input(&registrar, &app, pupil, json!({ "phone": "13911113333" })).await;
    let answers = futures_util::future::join(send(&parent, first), send(&registrar, second)).await;
    let codes = BTreeSet::from([answers.0.code(), answers.1.code()]);
    assert_eq!(codes, BTreeSet::from(["", "CONFLICT"]), "{} {}", answers.0.text, answers.1.text);
    assert_eq!((row(&app, pupil).await.row_version, events(&app).await.len()), (2, 1));
}
