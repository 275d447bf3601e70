//! Who saw what: each answer that shows a personal column in full to anybody but the family leaves one line, before it
//! leaves itself; the pupil and the guardians read the lines about them, and nobody else learns of them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::Request;
use futures_util::future::join_all;
use sea_orm::ConnectionTrait;
use serde_json::json;
use uuid::Uuid;
use xueji::access::caller::Place;
use xueji::access::disclosure::Part;
use xueji::access::table::Reach;
use xueji::store::connect::{connect, connect_log};
use xueji::store::disclosures::{Disclosures, Line};
use xueji_entity::value::StudentId;

use crate::canary::everybody;
use crate::support::app::{App, clock};
use crate::support::document::{self, everything, noun};
use crate::support::oracle::Oracle;
use crate::support::seed::{Seed, Shape};
use crate::support::truth::Truth;

fn uuids(students: &[StudentId]) -> BTreeSet<Uuid> {
    students.iter().map(|student| student.uuid()).collect()
}

fn students(part: &Part) -> BTreeSet<Uuid> {
    part.students.iter().copied().collect()
}

fn columns(part: &Part) -> Vec<&str> {
    part.columns.split(' ').collect()
}

/// The one line of an application, with its one part.
#[track_caller]
fn only(lines: &[Line]) -> (&Line, &Part) {
    let [line] = lines else { panic!("one line, not {}: {lines:?}", lines.len()) };
    let [part] = line.record.parts.as_slice() else { panic!("one part: {line:?}") };
    (line, part)
}

/// The connection through which the log is written.
async fn log(app: &App) -> sea_orm::DatabaseConnection {
    let log = connect_log(&app.place().url).await.unwrap();
    log.unwrap_or_else(|| app.db().clone())
}

#[tokio::test]
async fn a_roster_leaves_one_line_with_exactly_the_columns_shown_in_full() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let document = "query($class: ID!) { classGroup(id: $class) { name students { totalCount nodes { \
                    __typename id name phone idNumber currentAddress orphan \
                    guardians { nodes { name phone } } classGroup { name } } } } }";
    let answer = teacher.query(document, json!({ "class": app.id("class_group", class.id) })).await;
    assert_eq!(answer.at("/classGroup/students/nodes").as_array().unwrap().len(), 3);
    let lines = app.disclosed().await;
    let (line, part) = only(&lines);
    // The same pupils, be it by themselves or by their family: one part. Masked and hidden columns are not in it.
    assert_eq!(columns(part), ["Guardian.name", "Guardian.phone", "Student.name", "Student.phone"]);
    assert_eq!(students(part), uuids(&class.students));
    assert_eq!((part.role.as_str(), part.reach.as_str()), ("homeroom_teacher", "class"));
    assert_eq!(part.grants.len(), 1);
    assert!(
        part.rules.contains("student.csv:") && part.rules.contains("guardian.csv:"),
        "{part:?}"
    );
    assert_eq!(line.record.account, teacher.account().await);
    assert_eq!(line.record.policy_version, app.policy().version);
    assert_eq!(line.record.request_id, answer.headers["x-request-id"].to_str().unwrap());
    assert_eq!(line.at, clock().now());
    assert_eq!(line.record.purpose, None);
}

#[tokio::test]
async fn aliases_fragments_nodes_relations_and_edges_are_ways_to_the_same_line() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let (student, other) = (class.students[0], class.students[1]);
    let teacher = app.homeroom_teacher(class.id);
    let id = app.id("student", student);
    let score = format!("student(id: \"{id}\") {{ scores {{ nodes {{ student {{ phone }} }} }} }}");
    for document in [
        format!("{{ student(id: \"{id}\") {{ shown: phone again: phone }} }}"),
        format!(
            "{{ student(id: \"{id}\") {{ ...F }} }} fragment F on Student {{ ... on Student {{ x: phone }} }}"
        ),
        format!("{{ node(id: \"{id}\") {{ id ... on Student {{ phone }} }} }}"),
        format!("{{ {score} }}"),
        format!(
            "{{ students(filter: {{ id: {{ eq: \"{id}\" }} }}) {{ edges {{ cursor node {{ phone }} }} nodes {{ id }} }} }}"
        ),
        format!(
            "{{ students(filter: {{ id: {{ eq: \"{id}\" }} }}) {{ edges {{ cursor }} nodes {{ phone }} }} }}"
        ),
    ] {
        let before = app.disclosed().await.len();
        let answer = teacher.ask(&document).await;
        assert!(answer.body.get("errors").is_none(), "{document}: {}", answer.text);
        let lines = app.disclosed().await.split_off(before);
        let (_, part) = only(&lines);
        assert_eq!(columns(part), ["Student.phone"], "{document}");
        assert_eq!(students(part), uuids(&[student]), "{document}");
    }
    // Two pupils by two aliases: one line, a part for each set of columns.
    let before = app.disclosed().await.len();
    let two = format!(
        "{{ a: node(id: \"{id}\") {{ ... on Student {{ phone }} }} b: student(id: \"{}\") {{ name }} }}",
        app.id("student", other)
    );
    teacher.ask(&two).await.data();
    let lines = app.disclosed().await.split_off(before);
    assert_eq!(lines.len(), 1);
    let parts: BTreeSet<_> = lines[0]
        .record
        .parts
        .iter()
        .map(|part| (part.columns.clone(), part.students.clone()))
        .collect();
    let expected = [("Student.phone", student), ("Student.name", other)];
    assert_eq!(
        parts,
        expected.map(|(column, of)| (column.to_owned(), vec![of.uuid()])).into_iter().collect()
    );
}

#[tokio::test]
async fn what_a_mutation_returns_is_on_record_like_what_a_query_returns() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let document = "mutation($input: AttendanceRecordInput!) { attendanceRecord(input: $input) { recorded \
                    attendance { nodes { kind student { phone } } } } }";
    let input = json!({ "input": {
        "classGroupId": app.id("class_group", class.id),
        "day": "2026-11-19",
        "marks": [{ "studentId": app.id("student", class.students[1]), "kind": "TRUANT" }],
    } });
    let answer = app.homeroom_teacher(class.id).query(document, input).await;
    let told = answer.at("/attendanceRecord/attendance/nodes").as_array().unwrap().len();
    assert!(told > 0, "{}", answer.text);
    let lines = app.disclosed().await;
    let (_, part) = only(&lines);
    assert_eq!(columns(part), ["Attendance.kind", "Student.phone"]);
    assert_eq!(part.students.len(), told);
    assert!(part.students.contains(&class.students[1].uuid()));
}

#[tokio::test]
async fn what_is_no_disclosure_leaves_no_line() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let (student, school) = (class.students[0], seed.schools[0].id);
    let everything = "{ viewer { student { name idNumber } wards { nodes { name idNumber phone \
                      guardians { nodes { name } } scores { nodes { value } } } } } \
                      students { nodes { name birthDate } } }";
    // The family's own reading.
    app.guardian(student).ask(everything).await.data();
    app.student(student).ask(everything).await.data();
    // Masked and hidden columns, ids, counts, cursors.
    let teacher = app.homeroom_teacher(class.id);
    teacher.ask("{ students { totalCount nodes { id __typename idNumber orphan } } }").await.data();
    teacher.ask("{ students { edges { cursor } pageInfo { endCursor } } }").await.data();
    teacher.ask("{ students { nodes { sanctions { totalCount } } } }").await.data();
    // Columns of rows that tell of no pupil.
    teacher.ask("{ classGroups { nodes { name } } organisations { nodes { name } } }").await.data();
    app.registrar(school).ask("{ staffMembers { nodes { name phone } } }").await.data();
    // Figures.
    app.snapshot("figures").await;
    let counts = "{ studentCounts(groupBy: [GENDER]) { groups { count } } }";
    app.analyst(seed.counties[0]).ask(counts).await.data();
    // Rows that are not there, and answers that are none.
    let foreign = app.id("student", seed.class(1, 0, 0).students[0]);
    teacher
        .ask(&format!("{{ node(id: \"{foreign}\") {{ ... on Student {{ name }} }} }}"))
        .await
        .data();
    let refused = "{ students { nodes { name } } classGroup(id: \"x\") { nosuch } }";
    assert!(!teacher.ask(refused).await.code().is_empty());
    assert_eq!(app.disclosed().await, []);
}

#[tokio::test]
async fn with_mixed_grants_only_what_the_family_did_not_see_anyway_is_on_record() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let ward = class.students[0];
    let teacher =
        app.homeroom_teacher(class.id).and("guardian", Reach::Ward, Place::Student(ward.uuid()));
    let answer =
        teacher.ask("{ students { nodes { name idNumber guardians { nodes { phone } } } } }").await;
    assert_eq!(answer.at("/students/nodes").as_array().unwrap().len(), 3);
    let lines = app.disclosed().await;
    assert_eq!(lines.len(), 1);
    let parts = &lines[0].record.parts;
    assert!(parts.iter().all(|part| part.role == "homeroom_teacher"), "{parts:?}");
    let of = |column: &str| -> BTreeSet<Uuid> {
        let with = parts.iter().filter(|part| columns(part).contains(&column));
        with.flat_map(students).collect()
    };
    assert_eq!(of("Student.name"), uuids(&class.students[1..]), "not the own child");
    assert_eq!(of("Student.idNumber"), BTreeSet::new(), "in full for the own child alone");
    // The other guardian's number is masked for a guardian: it was the teacher who saw it.
    assert_eq!(of("Guardian.phone"), uuids(&class.students));
}

#[tokio::test]
async fn a_line_holds_no_value_and_cannot_be_changed_or_removed() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let answer = registrar
        .ask("{ students { nodes { name idNumber phone currentAddress guardians { nodes { name phone } } } } }")
        .await;
    let mut values = BTreeSet::new();
    for student in answer.at("/students/nodes").as_array().unwrap() {
        for column in ["name", "idNumber", "phone", "currentAddress"] {
            values.insert(student[column].as_str().unwrap().to_owned());
        }
    }
    assert!(values.len() > 30);
    let lines = app.disclosed().await;
    assert_eq!(lines.len(), 1);
    let said = format!("{lines:?}");
    for value in &values {
        assert!(!said.contains(value), "{value}");
    }
    let db = log(&app).await;
    for statement in ["UPDATE disclosure_line SET request_id = 'x'", "DELETE FROM disclosure_line"]
    {
        let refused = db.execute_unprepared(statement).await;
        assert!(
            refused.is_err_and(|error| error.to_string().contains("only added to")),
            "{statement}"
        );
    }
    assert_eq!(app.disclosed().await, lines);
}

#[tokio::test]
async fn an_answer_whose_record_cannot_be_written_is_not_sent() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let teacher = app.homeroom_teacher(class.id);
    let document = "{ students { nodes { name phone idNumber } } }";
    let told = teacher.ask(document).await.texts("/students/nodes", "phone");
    let db = log(&app).await;
    db.execute_unprepared("ALTER TABLE disclosure_line RENAME TO elsewhere").await.unwrap();
    for (person, again) in
        [(&teacher, "again"), (&app.homeroom_teacher(class.id).in_chinese(), "稍后")]
    {
        let answer = person.ask(document).await;
        assert_eq!(
            (answer.status.as_u16(), answer.code()),
            (503, "UNAVAILABLE"),
            "{}",
            answer.text
        );
        assert!(answer.body.get("data").is_none_or(serde_json::Value::is_null), "{}", answer.text);
        assert!(answer.body["extensions"]["redactions"].is_null(), "{}", answer.text);
        assert!(answer.message().contains(again), "{}", answer.message());
        assert!(told.iter().all(|value| !answer.text.contains(value)), "{}", answer.text);
    }
    // What discloses nothing is answered as before.
    teacher.ask("{ students { totalCount nodes { idNumber } } }").await.data();
    app.guardian(class.students[0]).ask(document).await.data();
    db.execute_unprepared("ALTER TABLE elsewhere RENAME TO disclosure_line").await.unwrap();
    assert_eq!(teacher.ask(document).await.texts("/students/nodes", "phone"), told);
    assert_eq!(app.disclosed().await.len(), 2, "the first answer and the last");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn fifty_requests_at_once_share_commits_and_each_has_its_line() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    teacher.account().await;
    // Whether two lines meet depends on the machine; in one round of some they do.
    for round in 1..=5 {
        let before = app.store().disclosures().commits();
        let asked = (0..50).map(|_| teacher.ask("{ students { nodes { name } } }"));
        let ids: BTreeSet<String> = join_all(asked)
            .await
            .iter()
            .map(|answer| {
                answer.data();
                answer.headers["x-request-id"].to_str().unwrap().to_owned()
            })
            .collect();
        assert_eq!(ids.len(), 50);
        let lines = app.disclosed().await;
        assert_eq!(lines.len(), 50 * round);
        let recorded: BTreeSet<String> =
            lines.into_iter().map(|line| line.record.request_id).collect();
        assert!(recorded.is_superset(&ids));
        let commits = app.store().disclosures().commits() - before;
        assert!((1..=50).contains(&commits), "{commits} commits for 50 requests");
        if commits < 50 {
            return;
        }
    }
    panic!("no two requests shared a commit");
}

#[tokio::test]
async fn a_line_costs_a_request_no_statement_and_depends_on_no_value() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let (_, shown) = teacher.counted("{ students { nodes { phone } } }", json!({})).await;
    let (_, masked) = teacher.counted("{ students { nodes { idNumber } } }", json!({})).await;
    assert_eq!(shown, masked);
    // Nothing on file is on record as well: that there is nothing was told.
    app.db()
        .execute_unprepared("UPDATE student SET phone = NULL, phone_hash = NULL")
        .await
        .unwrap();
    let before = app.disclosed().await;
    let (_, empty) = teacher.counted("{ students { nodes { phone } } }", json!({})).await;
    assert_eq!(empty, shown);
    let after = app.disclosed().await;
    assert_eq!(after.len(), before.len() + 1);
    assert_eq!(after.last().unwrap().record.parts, before.last().unwrap().record.parts);
}

#[tokio::test]
async fn the_lines_of_everybody_say_exactly_what_their_answers_did() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 2 }).await;
    let truth = Truth::of(&app).await;
    let exam = app.id("exam", seed.schools[0].levels[0].exam);
    let mut people = everybody(&app, &seed);
    let ward = Place::Student(seed.first().students[0].uuid());
    people.push((
        "homeroom teacher and guardian",
        app.homeroom_teacher(seed.first().id).and("guardian", Reach::Ward, ward),
    ));
    people.push((
        "registrar and guardian",
        app.registrar(seed.schools[0].id).and("guardian", Reach::Ward, ward),
    ));
    let mut compared = 0;
    for (name, person) in &people {
        let oracle = Oracle::of(&app, &truth, person);
        for (root, of) in [("students", "student"), ("classGroups", "class_group")] {
            let document = document::list(root, &everything(noun(of), 2));
            let before = app.disclosed().await.len();
            let answer = person.query(&document, json!({ "exam": exam })).await;
            let expected = oracle.disclosed(answer.data());
            let lines = app.disclosed().await.split_off(before);
            assert!(lines.len() <= 1, "{name}: one line a request");
            let mut recorded = BTreeSet::new();
            for part in lines.iter().flat_map(|line| &line.record.parts) {
                for column in columns(part) {
                    recorded.extend(part.students.iter().map(|of| (*of, column.to_owned())));
                }
                let role = person.held.iter().find(|held| held.role == part.role);
                assert_eq!(role.unwrap().reach.word(), part.reach, "{name}: {part:?}");
            }
            let missing: Vec<_> = expected.difference(&recorded).take(5).collect();
            let beyond: Vec<_> = recorded.difference(&expected).take(5).collect();
            assert!(
                missing.is_empty() && beyond.is_empty(),
                "{name}, {root}: not on record {missing:?}; on record and not told {beyond:?}"
            );
            compared += expected.len();
        }
    }
    assert!(compared > 1_000, "{compared} disclosures were compared");
}

#[tokio::test]
async fn the_purpose_of_a_request_is_on_record_with_it() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let body = json!({ "query": "{ students { nodes { name } } }" }).to_string();
    let request = Request::builder()
        .method("POST")
        .uri("/graphql")
        .header("content-type", "application/json")
        .header("accept", "application/json")
        .header("authorization", format!("Bearer {}", teacher.token().await))
        .header("xueji-purpose", "emergency_care")
        .body(Body::from(body))
        .unwrap();
    app.send(request).await.data();
    let lines = app.disclosed().await;
    assert_eq!(only(&lines).0.record.purpose.as_deref(), Some("emergency_care"));
    app.index_disclosures().await;
    let guardian = app.guardian(seed.first().students[0]);
    let answer = guardian.ask("{ disclosures { nodes { purpose } } }").await;
    assert_eq!(answer.texts("/disclosures/nodes", "purpose"), ["emergency_care"]);
}

async fn read_about(app: &App, seed: &Seed) {
    let class = seed.first();
    let student = app.id("student", class.students[0]);
    let roster = "{ students { nodes { name phone } } }";
    app.homeroom_teacher(class.id).ask(roster).await.data();
    let one = format!("{{ student(id: \"{student}\") {{ idNumber }} }}");
    app.registrar(seed.schools[0].id).ask(&one).await.data();
    app.homeroom_teacher(seed.class(0, 0, 1).id).ask(roster).await.data();
}

#[tokio::test]
async fn the_pupil_and_the_guardians_read_who_saw_what() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    read_about(&app, &seed).await;
    let document = "{ students { nodes { disclosures { totalCount nodes { id at role reach purpose columns \
                    organisation { name } student { name } staff { name } } } } } }";
    let empty = app.guardian(class.students[0]).ask(document).await;
    assert_eq!(empty.at("/students/nodes/0/disclosures/totalCount"), 0, "the index follows");
    app.index_disclosures().await;
    for person in [app.guardian(class.students[0]), app.student(class.students[0])] {
        let answer = person.ask(document).await;
        let list = answer.at("/students/nodes/0/disclosures");
        assert_eq!(list["totalCount"], 2, "{}", answer.text);
        let told: BTreeSet<(&str, &str, &str)> = list["nodes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|node| {
                assert_eq!(node["at"], "2026-11-20T04:00:00Z");
                assert!(node["purpose"].is_null());
                assert!(node["organisation"]["name"].is_string(), "{node}");
                let word = |key: &str| node[key].as_str().unwrap();
                (word("role"), word("reach"), word("columns"))
            })
            .collect();
        let expected = [
            ("homeroom_teacher", "class", "Student.name Student.phone"),
            ("registrar", "school", "Student.idNumber"),
        ];
        assert_eq!(told, expected.into_iter().collect());
    }
    // Filters, orders and pages are those of any noun.
    let guardian = app.guardian(class.students[0]);
    let filtered = "{ disclosures(filter: { role: { eq: \"registrar\" } }, orderBy: [{ field: AT, direction: DESC }], \
                    first: 1) { totalCount nodes { columns } pageInfo { hasNextPage } } }";
    let answer = guardian.ask(filtered).await;
    assert_eq!(answer.at("/disclosures/totalCount"), 1);
    assert_eq!(answer.at("/disclosures/nodes/0/columns"), "Student.idNumber");
    // A classmate that only the roster named.
    let other = app.guardian(class.students[1]).ask("{ disclosures { nodes { role } } }").await;
    assert_eq!(other.texts("/disclosures/nodes", "role"), ["homeroom_teacher"]);
}

#[tokio::test]
async fn nobody_but_the_family_and_the_auditors_learns_who_looked() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    read_about(&app, &seed).await;
    app.index_disclosures().await;
    let school = seed.schools[0].id;
    let foreign = app.guardian(seed.class(1, 0, 0).students[0]);
    let mine = app.guardian(class.students[0]).ask("{ disclosures { nodes { id } } }").await;
    let ids = mine.texts("/disclosures/nodes", "id");
    assert_eq!(ids.len(), 2);
    let blind = [
        app.stranger(),
        foreign,
        app.homeroom_teacher(class.id),
        app.registrar(school),
        app.principal(school),
        app.county_officer(seed.counties[0]),
        app.administrator(),
        app.auditor(seed.counties[1]),
    ];
    for person in blind {
        let answer = person.ask("{ disclosures { totalCount nodes { id } } }").await;
        assert_eq!(answer.at("/disclosures/totalCount"), 0, "{}", answer.text);
        let node = person.ask(&format!("{{ node(id: \"{}\") {{ id }} }}", ids[0])).await;
        assert!(node.at("/node").is_null());
        let one = person.ask(&format!("{{ disclosure(id: \"{}\") {{ id }} }}", ids[0])).await;
        assert_eq!(one.code(), "NOT_FOUND");
    }
    for person in [app.school_auditor(school), app.privacy_officer(seed.counties[0])] {
        let document = "{ disclosures { totalCount nodes { at role columns organisation { name } student { id name } \
                        staff { name } } } }";
        let answer = person.ask(document).await;
        assert_eq!(
            answer.at("/disclosures/totalCount"),
            7,
            "six on two rosters and one: {}",
            answer.text
        );
        for node in answer.at("/disclosures/nodes").as_array().unwrap() {
            assert!(node["student"].is_null() && node["staff"].is_null(), "{node}");
            assert!(node["role"].is_string() && node["columns"].is_string(), "{node}");
        }
        let asked = person.ask(
            "{ disclosures(filter: { student: { name: { startsWith: \"M\" } } }) { totalCount } }",
        );
        assert_eq!(asked.await.code(), "FORBIDDEN");
    }
    // Reading the record is not put on record again.
    assert_eq!(app.disclosed().await.len(), 3);
}

#[tokio::test]
async fn reading_who_opened_a_record_and_why_is_on_record_itself() {
    let (app, seed) = App::school().await;
    let student = seed.class(1, 0, 0).students[0];
    // Somebody has opened it: a row of the reviewers' queue.
    app.opened(student).account().await;
    let document =
        "{ accessReviews { totalCount nodes { openedBy purpose reason state student { name } } } }";
    let (principal, officer) =
        (app.principal(seed.schools[1].id), app.privacy_officer(seed.province));
    for (person, role, told) in [
        (
            &principal,
            "principal",
            "AccessReview.openedBy AccessReview.purpose AccessReview.reason AccessReview.state Student.name",
        ),
        // Whoever answers for the data reads no pupil, and what happened to one nevertheless.
        (
            &officer,
            "privacy_officer",
            "AccessReview.openedBy AccessReview.purpose AccessReview.reason AccessReview.state",
        ),
    ] {
        let before = app.disclosed().await.len();
        let answer = person.ask(document).await;
        assert_eq!(answer.at("/accessReviews/totalCount"), 1, "{}", answer.text);
        let lines = app.disclosed().await.split_off(before);
        let (_, part) = only(&lines);
        assert_eq!((part.role.as_str(), part.columns.as_str()), (role, told));
        assert_eq!(students(part), uuids(&[student]));
    }
    // The family learns who has read of it.
    app.index_disclosures().await;
    let family = app.guardian(student).ask("{ disclosures { nodes { role columns } } }").await;
    let mut roles = family.texts("/disclosures/nodes", "role");
    roles.sort();
    assert_eq!(roles, ["principal", "privacy_officer"], "{}", family.text);
    // A count of them tells nothing of anybody.
    let before = app.disclosed().await.len();
    officer.ask("{ accessReviews { totalCount nodes { id } } }").await.data();
    assert_eq!(app.disclosed().await.len(), before);
}

#[tokio::test]
async fn whoever_can_put_a_pupil_to_it_reads_the_record_on_record() {
    let (app, seed) = App::school().await;
    let (school, class) = (seed.schools[0].id, seed.first());
    read_about(&app, &seed).await;
    app.index_disclosures().await;
    let before = app.disclosed().await.len();
    let document = format!(
        "{{ student(id: \"{}\") {{ disclosures {{ totalCount nodes {{ role columns }} }} }} }}",
        app.id("student", class.students[0])
    );
    // The auditor sees no pupil, and so nothing of any: see above. With another role the pupil has a name.
    let both = app.school_auditor(school).and(
        "registrar",
        Reach::School,
        Place::Organisation(school.uuid()),
    );
    let answer = both.ask(&document).await;
    assert_eq!(answer.at("/student/disclosures/totalCount"), 2, "{}", answer.text);
    let lines = app.disclosed().await.split_off(before);
    let (_, part) = only(&lines);
    assert_eq!((part.role.as_str(), part.reach.as_str()), ("auditor", "school"));
    assert_eq!(columns(part), ["Disclosure.columns", "Disclosure.role"]);
    assert_eq!(students(part), uuids(&[class.students[0]]));
    // The family's own reading stays what it is.
    let before = app.disclosed().await.len();
    app.guardian(class.students[0]).ask(&document).await.data();
    assert_eq!(app.disclosed().await.len(), before);
}

async fn count(app: &App, table: &str) -> i64 {
    let statement = format!("SELECT COUNT(*) AS n FROM {table}");
    let backend = app.db().get_database_backend();
    let row = app.db().query_one_raw(sea_orm::Statement::from_string(backend, statement)).await;
    row.unwrap().unwrap().try_get("", "n").unwrap()
}

#[tokio::test]
async fn a_class_that_is_read_again_is_the_same_set() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 30 }).await;
    let teacher = app.homeroom_teacher(seed.first().id);
    for _ in 0..5 {
        teacher.ask("{ students { nodes { name } } }").await.data();
    }
    app.index_disclosures().await;
    assert_eq!(
        (count(&app, "disclosure_set").await, count(&app, "disclosure_entry").await),
        (30, 5)
    );
    for _ in 0..5 {
        teacher.ask("{ students { nodes { phone } } }").await.data();
        app.index_disclosures().await;
    }
    assert_eq!(
        (count(&app, "disclosure_set").await, count(&app, "disclosure_entry").await),
        (30, 10)
    );
    let guardian = app.guardian(seed.first().students[3]);
    let answer = guardian.ask("{ disclosures { totalCount } }").await;
    assert_eq!(answer.at("/disclosures/totalCount"), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn several_that_index_at_once_index_each_line_once() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    for _ in 0..20 {
        teacher.ask("{ students { nodes { name } } }").await.data();
    }
    let indexed = join_all((0..4).map(|_| app.store().index_disclosures())).await;
    let lines: u64 = indexed.iter().flatten().map(|indexed| indexed.lines).sum();
    assert!(lines <= 20, "{lines}");
    app.index_disclosures().await;
    assert_eq!(count(&app, "disclosure_entry").await, 20);
    // Progress survives: another process finds nothing left to do.
    let db = connect(&app.place().url, 1).await.unwrap();
    let log = Disclosures::beside(&app.place().url, &db).await.unwrap();
    let other =
        xueji::store::Store::new(db, app.codec(), &xueji::graphql::REGISTRY).with_disclosures(log);
    assert_eq!(other.index_disclosures().await.unwrap().lines, 0);
}

#[tokio::test]
async fn the_server_indexes_by_itself() {
    let (app, seed) = App::quick_school().await;
    app.homeroom_teacher(seed.first().id).ask("{ students { nodes { name } } }").await.data();
    let guardian = app.guardian(seed.first().students[0]);
    let asked = Instant::now();
    loop {
        let answer = guardian.ask("{ disclosures { totalCount } }").await;
        if answer.at("/disclosures/totalCount") == 1 {
            return;
        }
        assert!(asked.elapsed() < Duration::from_secs(20), "not indexed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}
