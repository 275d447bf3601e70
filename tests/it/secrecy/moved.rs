//! Ciphertext that was moved, changed or made up in the database: refused without a word of what it holds.

use serde_json::json;
use uuid::Uuid;

use super::{put, stored};
use crate::support::app::App;
use crate::support::callers::Person;
use crate::support::logs;
use crate::support::truth::Truth;

/// The bytes of a column of a row.
async fn bytes(app: &App, table: &str, column: &str, row: Uuid) -> Vec<u8> {
    let all = stored(app.db()).await;
    let found = all.into_iter().find(|(t, c, id, _)| (*t, *c, *id) == (table, column, row));
    found.unwrap().3
}

#[track_caller]
fn refused(answer: &crate::support::answer::Answer, marks: &[&str]) {
    assert_eq!(answer.code(), "INTERNAL", "{}", answer.text);
    for mark in marks {
        assert!(!answer.text.contains(mark), "{mark}: {}", answer.text);
        assert!(!logs::text().contains(mark), "{mark} in the log");
    }
}

async fn phone(person: &Person<'_>, id: &str) -> crate::support::answer::Answer {
    person.query("query($id: ID!) { student(id: $id) { phone } }", json!({ "id": id })).await
}

#[tokio::test]
async fn a_value_that_was_moved_to_another_row_column_or_table_is_refused() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let registrar = app.registrar(seed.schools[0].id);
    let [one, two] = [0, 1].map(|at| seed.first().students[at].uuid());
    let id = app.id("student", one);
    let own = bytes(&app, "student", "phone", one).await;
    let texts = |row: Uuid, columns: &[&str]| -> Vec<String> {
        let row = &truth.rows[&app.id("student", row)];
        columns.iter().map(|column| row.text(column).to_owned()).collect()
    };
    let (guardian, theirs) = {
        let (_, row) = truth.of_noun("guardian").find(|(_, row)| row.student == Some(one)).unwrap();
        (row.id, row.text("phone").to_owned())
    };
    let foreign = [
        (bytes(&app, "student", "phone", two).await, texts(two, &["phone"])),
        (bytes(&app, "student", "email", one).await, texts(one, &["email"])),
        (bytes(&app, "guardian", "phone", guardian).await, vec![theirs]),
    ];
    for (moved, marks) in foreign {
        put(app.db(), "student", "phone", one, moved).await;
        let marks: Vec<&str> = marks.iter().map(String::as_str).collect();
        refused(&phone(&registrar, &id).await, &marks);
        put(app.db(), "student", "phone", one, own.clone()).await;
        assert_eq!(*phone(&registrar, &id).await.at("/student/phone"), texts(one, &["phone"])[0]);
    }
    // Whoever is not shown the column is not told of it either: it is not opened.
    put(app.db(), "student", "phone", one, bytes(&app, "student", "phone", two).await).await;
    let teacher = app.subject_teacher(seed.first().id, seed.courses[0]);
    let answer = phone(&teacher, &id).await;
    assert!(answer.at("/student/phone").is_null(), "{}", answer.text);
}

#[tokio::test]
async fn a_value_of_which_a_byte_was_changed_is_refused() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let row = seed.first().students[0].uuid();
    let id = app.id("student", row);
    let own = bytes(&app, "student", "phone", row).await;
    let bare = Truth::of(&app).await.rows[&id].text("phone").to_owned();
    for at in [0, 1, 4, 5, 16, 17, own.len() - 1] {
        let mut bent = own.clone();
        bent[at] ^= 0x40;
        put(app.db(), "student", "phone", row, bent).await;
        refused(&phone(&registrar, &id).await, &[&bare]);
    }
    for cut in [0, 1, 5, 17, own.len() - 1] {
        put(app.db(), "student", "phone", row, own[..cut].to_vec()).await;
        refused(&phone(&registrar, &id).await, &[&bare]);
    }
    put(app.db(), "student", "phone", row, own).await;
    assert_eq!(*phone(&registrar, &id).await.at("/student/phone"), bare);
}

#[tokio::test]
async fn text_in_the_clear_that_was_put_into_the_database_is_no_value() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let row = seed.first().students[0].uuid();
    let id = app.id("student", row);
    let made_up = "13800009999";
    for forged in [[&[1], made_up.as_bytes()].concat(), made_up.as_bytes().to_vec()] {
        put(app.db(), "student", "phone", row, forged).await;
        refused(&phone(&registrar, &id).await, &[made_up]);
    }
}
