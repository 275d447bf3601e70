//! `extensions.redactions`: one entry for each combination, counted over the rows that are told and over no other.

use sea_orm::ConnectionTrait;
use serde_json::Value;
use xueji::access::caller::Place;
use xueji::access::table::Reach;

use super::support::answer::Answer;
use super::support::app::App;
use super::support::seed::Shape;

#[tokio::test]
async fn redactions_are_listed_once_for_each_combination_whatever_is_on_file() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let document = "{ students { nodes { currentAddress orphan a: orphan } edges { node { currentAddress } } } }";
    let expected = |answer: &Answer| {
        for entry in answer.redactions() {
            let keys: Vec<_> = entry.as_object().unwrap().keys().cloned().collect();
            assert_eq!(keys, ["coordinate", "count", "reason", "rule", "sight"]);
        }
        let entry = |sight: &str, reason: &str, count| (sight.to_owned(), reason.to_owned(), count);
        // Three pupils, by nodes and by edges.
        assert_eq!(
            answer.redaction("Student.currentAddress"),
            [entry("masked", "MASKED_BY_POLICY", 6)]
        );
        assert_eq!(answer.redaction("Student.orphan"), [entry("hidden", "NOT_GRANTED", 6)]);
        assert_eq!(answer.redactions().len(), 2, "{}", answer.text);
    };
    let before = teacher.ask(document).await;
    expected(&before);
    let rule = &before.redactions()[0]["rule"];
    assert!(rule.as_str().is_some_and(|rule| rule.starts_with("student.csv:")), "{rule}");
    let shipped = include_str!("../../policies/student.csv");
    let line: usize = rule.as_str().unwrap().rsplit(':').next().unwrap().parse().unwrap();
    let line = shipped.lines().nth(line - 1).unwrap();
    assert_eq!(line, "p, student.current_address, homeroom_teacher, class, masked, reveal");
    app.db()
        .execute_unprepared("UPDATE student SET current_address = NULL, orphan = TRUE")
        .await
        .unwrap();
    expected(&teacher.ask(document).await);
    // Nested lists count each row once, by nodes and by edges alike.
    let nested = "{ classGroups { nodes { students { edges { node { currentAddress } } nodes { orphan } } } } }";
    let answer = teacher.ask(nested).await;
    assert_eq!(answer.redaction("Student.orphan")[0].2, 3, "{}", answer.text);
    assert_eq!(answer.redaction("Student.currentAddress")[0].2, 3, "{}", answer.text);
}

/// The rows of a list that say something of a member, and those that say null.
fn told(answer: &Answer, list: &str, member: &str) -> (u64, u64) {
    let (mut some, mut none) = (0, 0);
    for student in answer.at("/students/nodes").as_array().unwrap() {
        for row in student[list]["nodes"].as_array().unwrap() {
            match &row[member] {
                Value::Null => none += 1,
                _ => some += 1,
            }
        }
    }
    (some, none)
}

#[tokio::test]
async fn rows_behind_a_reference_that_is_hidden_in_that_row_are_not_counted() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 3 }).await;
    let ward = Place::Student(seed.class(0, 0, 1).students[0].uuid());
    // Who marked the roll is told to the class teacher and not to families. Both teachers are known by name: the one
    // of the own class, and the one of the child's. Their staff numbers are neither's to see.
    let both = app.homeroom_teacher(seed.first().id).and("guardian", Reach::Ward, ward);
    let document = "{ students { nodes { attendance { nodes { \
                    recordedBy { name staffNumber duties { nodes { since } } } } } } } }";
    let answer = both.ask(document).await;
    let (shown, hidden) = told(&answer, "attendance", "recordedBy");
    assert!(shown > 0 && hidden > 0, "{shown} {hidden} {}", answer.text);
    let count = |coordinate: &str| -> u64 {
        answer.redaction(coordinate).iter().map(|(_, _, count)| *count).sum()
    };
    assert_eq!(count("Attendance.recordedBy"), hidden, "{}", answer.text);
    assert_eq!(count("Staff.staffNumber"), shown, "{}", answer.text);
    // The days of a duty are told for the own class alone: those that are not lie behind what is hidden.
    assert_eq!(count("Duty.since"), 0, "{}", answer.text);
    // As a guardian alone nothing lies behind: nothing is counted but the reference.
    let family = app.guardian(seed.class(0, 0, 1).students[0]).ask(document).await;
    assert_eq!(told(&family, "attendance", "recordedBy"), (0, hidden));
    let coordinates: Vec<_> =
        family.redactions().iter().map(|entry| entry["coordinate"].as_str().unwrap()).collect();
    assert_eq!(coordinates, ["Attendance.recordedBy"], "{}", family.text);
    // And where the way is open, the same is counted: the number that is not shown, the day that is not.
    let open = "{ students { nodes { classGroup { duties { nodes { since staff { staffNumber } } } } } } }";
    let open = app.guardian(seed.class(0, 0, 1).students[0]).ask(open).await;
    assert!(!open.redaction("Duty.since").is_empty(), "{}", open.text);
    assert!(!open.redaction("Staff.staffNumber").is_empty(), "{}", open.text);
}
