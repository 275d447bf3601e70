//! Why one sees what one sees: for oneself everybody may ask, about others the privacy officer, for pupils of the own
//! place. An explanation holds no value, and a pupil outside is one that was never issued.

use sea_orm::{ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use xueji::access::caller::Place;
use xueji::access::table::Reach;
use xueji_entity::audit;
use xueji_entity::value::StudentId;

use crate::support::answer::Answer;
use crate::support::app::App;
use crate::support::callers::Person;

const DOCUMENT: &str = "query($student: ID!, $column: String!, $account: ID) { \
    explainAccess(studentId: $student, coordinate: $column, accountId: $account) { coordinate sight uses \
    rule { at text } grants { role reach validFrom sight uses rule { at text } wins rows sentence } sentence } }";

async fn explain(
    person: &Person<'_>,
    app: &App,
    student: StudentId,
    column: &str,
    of: Option<&Person<'_>>,
) -> Answer {
    let account = match of {
        Some(of) => Some(app.id("account", of.account().await)),
        None => None,
    };
    let student = app.id("student", student);
    person
        .query(DOCUMENT, json!({ "student": student, "column": column, "account": account }))
        .await
}

/// The text of the policy line that an answer names.
fn line(rule: &Value) -> &str {
    let (file, at) = rule["at"].as_str().unwrap().split_once(':').unwrap();
    let text = match file {
        "student.csv" => include_str!("../../policies/student.csv"),
        "score.csv" => include_str!("../../policies/score.csv"),
        other => panic!("{other}"),
    };
    text.lines().nth(at.parse::<usize>().unwrap() - 1).unwrap()
}

#[tokio::test]
async fn everybody_may_ask_why_they_see_what_they_see() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let student = class.students[0];
    let teacher = app.homeroom_teacher(class.id);
    for (column, sight, policy) in [
        ("Student.phone", "full", "p, student.phone, homeroom_teacher, class, full, filter"),
        ("Student.idNumber", "masked", "p, student.id_number, homeroom_teacher, class, masked,"),
    ] {
        let answer = explain(&teacher, &app, student, column, None).await;
        let told = answer.at("/explainAccess");
        assert_eq!((&told["coordinate"], &told["sight"]), (&json!(column), &json!(sight)));
        assert_eq!(line(&told["rule"]), policy);
        assert_eq!(told["rule"]["text"], policy);
        let [grant] = told["grants"].as_array().unwrap().as_slice() else { panic!("{told}") };
        assert_eq!(
            (&grant["role"], &grant["reach"]),
            (&json!("homeroom_teacher"), &json!("class"))
        );
        assert_eq!((&grant["wins"], &grant["sight"]), (&json!(true), &json!(sight)));
        let sentence = told["sentence"].as_str().unwrap();
        assert!(
            sentence.contains("homeroom teacher") && sentence.contains("student.csv:"),
            "{sentence}"
        );
        // What is explained is what is shown.
        let field = column.split_once('.').unwrap().1;
        let shown = teacher.ask(&format!("{{ students {{ nodes {{ {field} }} }} }}")).await;
        assert_eq!(shown.redaction(column).is_empty(), sight == "full");
    }
    let answer = explain(&teacher, &app, student, "Student.orphan", None).await;
    let told = answer.at("/explainAccess");
    assert_eq!((&told["sight"], &told["rule"]), (&json!("hidden"), &Value::Null));
    assert!(
        told["sentence"].as_str().unwrap().contains("No grant that covers the student shows it")
    );
    let chinese = app.homeroom_teacher(class.id).in_chinese();
    let answer = explain(&chinese, &app, student, "Student.idNumber", None).await;
    let sentence = answer.at("/explainAccess/sentence").as_str().unwrap();
    for word in ["您", "脱敏显示", "班主任", "student.csv:"] {
        assert!(sentence.contains(word), "{word} in {sentence}");
    }
    // The family, and one's own id given outright.
    let guardian = app.guardian(student);
    let answer = explain(&guardian, &app, student, "Student.orphan", Some(&guardian)).await;
    assert_eq!(answer.at("/explainAccess/sight"), "full");
}

#[tokio::test]
async fn of_several_grants_the_most_open_wins_and_only_those_that_cover_the_student_speak() {
    let (app, seed) = App::school().await;
    let (class, other) = (seed.class(0, 0, 0), seed.class(0, 0, 1));
    let level = Place::YearLevel(seed.schools[0].levels[0].id.uuid());
    let teacher = app.stranger().and("year_head", Reach::YearLevel, level).and(
        "homeroom_teacher",
        Reach::Class,
        Place::ClassGroup(class.id.uuid()),
    );
    let of = |answer: &Answer| -> Vec<(String, bool)> {
        let grants = answer.at("/explainAccess/grants").as_array().unwrap();
        let mut told: Vec<_> = grants
            .iter()
            .map(|grant| (grant["role"].as_str().unwrap().to_owned(), grant["wins"] == true))
            .collect();
        told.sort();
        told
    };
    let own = explain(&teacher, &app, class.students[0], "Student.phone", None).await;
    assert_eq!(own.at("/explainAccess/sight"), "full");
    assert_eq!(of(&own), [("homeroom_teacher".to_owned(), true), ("year_head".to_owned(), false)]);
    let next = explain(&teacher, &app, other.students[0], "Student.phone", None).await;
    assert_eq!(next.at("/explainAccess/sight"), "masked");
    assert_eq!(of(&next), [("year_head".to_owned(), true)]);
    // Rows that hang from a student, with what a reach leaves out.
    let subject = app.subject_teacher(class.id, seed.courses[0]);
    let answer = explain(&subject, &app, class.students[0], "Score.value", None).await;
    assert_eq!(answer.at("/explainAccess/sight"), "full");
    assert_eq!(answer.at("/explainAccess/grants/0/rows"), "scores of the course taught only");
    // A relation is its reference; a computed field follows its sources.
    let answer = explain(&subject, &app, class.students[0], "Score.course", None).await;
    assert_eq!(answer.at("/explainAccess/sight"), "full");
    let answer = explain(&subject, &app, class.students[0], "Student.examTotal", None).await;
    assert!(answer.at("/explainAccess/sentence").as_str().unwrap().contains("score.value"));
}

#[tokio::test]
async fn a_student_outside_is_one_that_was_never_issued() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let officer = app.school_privacy_officer(seed.schools[0].id);
    let foreign = seed.class(1, 0, 0).students[0];
    for (person, of) in [(&teacher, None), (&officer, Some(&teacher)), (&officer, None)] {
        let outside = explain(person, &app, foreign, "Student.name", of).await;
        let unknown = explain(person, &app, StudentId::new(), "Student.name", of).await;
        assert_eq!(outside.code(), "NOT_FOUND", "{}", outside.text);
        assert_eq!(outside.without_request_id(), unknown.without_request_id());
        let answer = person
            .query(
                DOCUMENT,
                json!({ "student": "nonsense", "column": "Student.name", "account": null }),
            )
            .await;
        assert_eq!(answer.code(), "NOT_FOUND");
    }
    // Her own student: read by her, not by the officer, who asks about others alone.
    let own = explain(&officer, &app, class.students[0], "Student.name", None).await;
    assert_eq!(own.code(), "NOT_FOUND");
    for (column, statements) in [("Student.name", 1), ("Student.orphan", 1)] {
        for student in [class.students[0], foreign, StudentId::new()] {
            let variables = json!({ "student": app.id("student", student), "column": column });
            let (_, counted) = teacher.counted(DOCUMENT, variables).await;
            assert_eq!(counted, statements, "the same work whatever there is");
        }
    }
}

#[tokio::test]
async fn the_privacy_officer_asks_about_others_and_learns_no_value() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let student = class.students[0];
    let (teacher, registrar) = (app.homeroom_teacher(class.id), app.registrar(seed.schools[0].id));
    let shown = registrar.ask("{ students { nodes { name idNumber phone } } }").await;
    let officers =
        [app.school_privacy_officer(seed.schools[0].id), app.privacy_officer(seed.counties[0])];
    for officer in &officers {
        for (of, column, sight) in [
            (&teacher, "Student.idNumber", "masked"),
            (&teacher, "Student.phone", "full"),
            (&registrar, "Student.idNumber", "full"),
        ] {
            let answer = explain(officer, &app, student, column, Some(of)).await;
            assert_eq!(answer.at("/explainAccess/sight"), sight, "{}", answer.text);
            assert!(
                answer.at("/explainAccess/sentence").as_str().unwrap().starts_with("This account")
            );
            for node in shown.at("/students/nodes").as_array().unwrap() {
                for value in node.as_object().unwrap().values() {
                    assert!(!answer.text.contains(value.as_str().unwrap()), "{}", answer.text);
                }
            }
        }
        // Somebody whose grants do not cover the pupil: covered elsewhere is not told.
        let elsewhere = app.homeroom_teacher(seed.class(1, 0, 0).id);
        let answer = explain(officer, &app, student, "Student.name", Some(&elsewhere)).await;
        assert_eq!(answer.at("/explainAccess/sight"), "hidden");
        assert_eq!(answer.at("/explainAccess/grants"), &json!([]));
        // An account that was never issued.
        let unknown = json!({ "student": app.id("student", student), "column": "Student.name",
                              "account": app.id("account", uuid::Uuid::now_v7()) });
        assert_eq!(officer.query(DOCUMENT, unknown).await.code(), "NOT_FOUND");
        let empty = officer.ask("{ students { totalCount } }").await;
        assert_eq!(empty.at("/students/totalCount"), 0, "the officer reads no pupil");
    }
    // Nothing was disclosed by it.
    assert_eq!(app.disclosed().await.len(), 1, "the registrar's reading alone");
}

#[tokio::test]
async fn who_may_not_ask_about_others_is_refused_on_record_whoever_it_is_about() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let mut refused = 0;
    for person in [
        app.registrar(seed.schools[0].id),
        app.guardian(class.students[0]),
        app.school_auditor(seed.schools[0].id),
        app.administrator(),
    ] {
        for student in [class.students[0], StudentId::new()] {
            let answer = explain(&person, &app, student, "Student.name", Some(&teacher)).await;
            assert_eq!(answer.code(), "FORBIDDEN", "{}", answer.text);
            assert!(answer.body["data"].is_null());
            refused += 1;
        }
    }
    let lines = audit::Entity::find()
        .filter(audit::Column::Action.eq("access.explain"))
        .filter(audit::Column::Outcome.eq(audit::AuditOutcome::Denied))
        .all(app.db())
        .await
        .unwrap();
    assert_eq!(lines.len(), refused);
}

#[tokio::test]
async fn a_column_that_is_none_is_named_as_wrong_input() {
    let (app, seed) = App::school().await;
    let student = seed.first().students[0];
    let teacher = app.homeroom_teacher(seed.first().id);
    let wrong = [
        "",
        ".",
        "Student",
        "Student.",
        "Student.nosuch",
        "student.id_number",
        "Nosuch.name",
        "Organisation.name",
        "Staff.phone",
        "Student.guardians",
        "Student.idNumberHash",
    ];
    for column in wrong {
        let answer = explain(&teacher, &app, student, column, None).await;
        assert_eq!(answer.code(), "INVALID_INPUT", "{column}: {}", answer.text);
        assert_eq!(answer.error()["extensions"]["field"], "coordinate", "{column}");
    }
}

#[tokio::test]
async fn an_application_can_draw_its_forms() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let document = "{ viewer { types { name rows figures relations { coordinate readable } } \
                    actions { action allowed grants { role reach columns } } } }";
    let find = |answer: &Answer, list: &str, key: &str, name: &str| -> Value {
        let list = answer.at(&format!("/viewer/{list}")).as_array().unwrap().clone();
        list.into_iter().find(|item| item[key] == name).unwrap_or_else(|| panic!("{name}"))
    };
    let relation = |answer: &Answer, type_name: &str, coordinate: &str| -> bool {
        let of = find(answer, "types", "name", type_name);
        let relations = of["relations"].as_array().unwrap();
        let found = relations.iter().find(|relation| relation["coordinate"] == coordinate);
        found.unwrap_or_else(|| panic!("{coordinate}"))["readable"] == true
    };
    let teacher = app.homeroom_teacher(class.id).ask(document).await;
    assert_eq!(find(&teacher, "types", "name", "Student")["rows"], true);
    assert!(relation(&teacher, "Student", "Student.guardians"));
    assert!(!relation(&teacher, "Student", "Student.disclosures"));
    let record = find(&teacher, "actions", "action", "attendance.record");
    assert_eq!(record["allowed"], true);
    assert_eq!(
        record["grants"],
        json!([{ "role": "homeroom_teacher", "reach": "class", "columns": [
            "Attendance.day", "Attendance.kind", "Attendance.note", "Attendance.classGroup",
            "Attendance.recordedBy",
        ] }])
    );
    assert_eq!(find(&teacher, "actions", "action", "access.explain")["allowed"], false);
    let analyst = app.analyst(seed.counties[0]).ask(document).await;
    let student = find(&analyst, "types", "name", "Student");
    assert_eq!((&student["rows"], &student["figures"]), (&json!(false), &json!(true)));
    assert!(!relation(&analyst, "Student", "Student.guardians"));
    assert_eq!(find(&analyst, "actions", "action", "attendance.record")["grants"], json!([]));
    let guardian = app.guardian(class.students[0]).ask(document).await;
    assert!(relation(&guardian, "Student", "Student.disclosures"));
    let officer = app.school_privacy_officer(seed.schools[0].id).ask(document).await;
    assert_eq!(find(&officer, "actions", "action", "access.explain")["allowed"], true);
    // What is said to be empty is empty, and what a relation is said to show can be asked for.
    let auditor = app.school_auditor(seed.schools[0].id).ask(document).await;
    assert_eq!(find(&auditor, "types", "name", "Disclosure")["rows"], true);
    assert!(!relation(&auditor, "Disclosure", "Disclosure.student"));
    assert!(relation(&auditor, "Disclosure", "Disclosure.organisation"));
}
