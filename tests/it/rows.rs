//! Promises 1 to 3: which rows exist for whom, at the moment of the request.

use chrono::NaiveDate;
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::json;
use uuid::Uuid;
use xueji::access::caller::Place;
use xueji::access::table::Reach;
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::value::{ClassMembershipId, StudentId};
use xueji_entity::{class_membership, student};

use crate::support::app::{App, clock, today, within_a_second};
use crate::support::callers::Person;
use crate::support::seed::day;

async fn ids(person: &Person<'_>) -> Vec<String> {
    let answer = person.ask("{ students { totalCount nodes { id } } }").await;
    let ids = answer.texts("/students/nodes", "id");
    assert_eq!(answer.at("/students/totalCount"), ids.len(), "the total counts the visible rows");
    ids
}

fn sorted(mut ids: Vec<String>) -> Vec<String> {
    ids.sort();
    ids
}

fn of(app: &App, students: &[StudentId]) -> Vec<String> {
    sorted(students.iter().map(|id| app.id("student", *id)).collect())
}

/// Ends the membership of a pupil yesterday and begins one in another class today.
async fn transfer(app: &App, student: StudentId, to: &crate::support::seed::Class) {
    let old = class_membership::Entity::find()
        .filter(class_membership::Column::StudentId.eq(student))
        .one(app.db())
        .await
        .unwrap()
        .unwrap();
    let mut ended: class_membership::ActiveModel = old.clone().into();
    ended.until = Set(today().pred_opt());
    ended.update(app.db()).await.unwrap();
    let begun = class_membership::ActiveModel {
        student_id: Set(student),
        id: Set(ClassMembershipId::new()),
        enrollment_id: Set(old.enrollment_id),
        class_group_id: Set(to.id),
        kind: Set(class_membership::MembershipKind::Ordinary),
        number_in_class: Set(Some(90)),
        since: Set(today()),
        until: Set(None),
        lifecycle: Set(Lifecycle::Live),
        row_version: Set(1),
        updated_at: Set(clock().now()),
    };
    begun.insert(app.db()).await.unwrap();
}

#[tokio::test]
async fn a_transferred_student_leaves_the_roster_with_the_transfer() {
    let (app, seed) = App::school().await;
    let (from, to) = (seed.class(0, 0, 0), seed.class(0, 0, 1));
    let (old, new) = (app.homeroom_teacher(from.id), app.homeroom_teacher(to.id));
    assert_eq!(sorted(ids(&old).await), of(&app, &from.students));
    let moved = from.students[0];
    transfer(&app, moved, to).await;
    assert_eq!(sorted(ids(&old).await), of(&app, &from.students[1..]));
    let mut now = to.students.clone();
    now.push(moved);
    assert_eq!(sorted(ids(&new).await), of(&app, &now));
    let answer = old
        .query(
            "query($id: ID!) { student(id: $id) { name } }",
            json!({ "id": app.id("student", moved) }),
        )
        .await;
    assert_eq!(answer.code(), "NOT_FOUND");
    // The roster by way of the class says the same.
    let class = app.id("class_group", from.id);
    let answer = old
        .query(
            "query($id: ID!) { classGroup(id: $id) { students { totalCount nodes { id } } } }",
            json!({ "id": class }),
        )
        .await;
    assert_eq!(answer.at("/classGroup/students/totalCount"), 2);
}

#[tokio::test]
async fn a_deleted_or_restricted_student_exists_for_nobody() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    for (at, lifecycle) in [(0, Lifecycle::Deleted), (1, Lifecycle::Restricted)] {
        let row = student::ActiveModel {
            id: Set(class.students[at]),
            lifecycle: Set(lifecycle),
            ..Default::default()
        };
        row.update(app.db()).await.unwrap();
    }
    assert_eq!(ids(&app.homeroom_teacher(class.id)).await, of(&app, &class.students[2..]));
    assert_eq!(ids(&app.guardian(class.students[0])).await, Vec::<String>::new());
    // What hangs from the student goes with it.
    let answer = app.guardian(class.students[0]).ask("{ viewer { wards { totalCount } } }").await;
    assert_eq!(answer.at("/viewer/wards/totalCount"), 0);
}

#[tokio::test]
async fn a_grant_holds_from_its_first_day_to_its_last_both_included() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let next = |days: i64| today() + chrono::Duration::days(days);
    let cases: [(NaiveDate, Option<NaiveDate>, bool); 6] = [
        (today(), None, true),
        (next(1), None, false),
        (day("2026-09-01"), Some(today()), true),
        (day("2026-09-01"), Some(next(-1)), false),
        (today(), Some(today()), true),
        (day("2026-09-01"), Some(next(1)), true),
    ];
    for (since, until, holds) in cases {
        let teacher = app.homeroom_teacher(class.id).between(since, until);
        assert_eq!(!ids(&teacher).await.is_empty(), holds, "{since} to {until:?}");
        let grants = teacher.ask("{ viewer { grants { role } } }").await;
        let listed = !grants.texts("/viewer/grants", "role").is_empty();
        assert_eq!(listed, holds, "{since} to {until:?}");
    }
}

#[tokio::test]
async fn a_revoked_grant_stops_within_a_second_in_issued_tokens() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    assert_eq!(ids(&teacher).await.len(), 3);
    teacher.revoke().await;
    within_a_second(async || ids(&teacher).await.is_empty()).await;
}

#[tokio::test]
async fn a_disabled_account_is_signed_out_within_a_second() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    assert_eq!(ids(&teacher).await.len(), 3);
    teacher.disable().await;
    let refused = async || {
        let answer = teacher.ask("{ students { totalCount } }").await;
        answer.code() == "UNAUTHENTICATED" && answer.status == 401
    };
    within_a_second(refused).await;
}

#[tokio::test]
async fn several_grants_are_a_union_with_a_sight_for_each_row() {
    let (app, seed) = App::school().await;
    let (own, taught) = (seed.class(0, 0, 0), seed.class(0, 0, 1));
    let teacher = app.homeroom_teacher(own.id).and_subject_teacher(taught.id, seed.courses[0]);
    let answer = teacher.ask("{ students { totalCount nodes { id name idNumber phone } } }").await;
    assert_eq!(answer.at("/students/totalCount"), 6);
    let (mut masked, mut hidden) = (0, 0);
    let homeroom = of(&app, &own.students);
    for node in answer.at("/students/nodes").as_array().unwrap() {
        let id = node["id"].as_str().unwrap().to_owned();
        if homeroom.contains(&id) {
            assert!(node["idNumber"].as_str().unwrap().contains('*'), "{node}");
            assert!(node["phone"].as_str().unwrap().starts_with("138"), "{node}");
            masked += 1;
        } else {
            assert!(node["idNumber"].is_null() && node["phone"].is_null(), "{node}");
            hidden += 1;
        }
        assert!(node["name"].as_str().unwrap().starts_with("Mkpupil"));
    }
    assert_eq!((masked, hidden), (3, 3));
    let entry = |sight: &str, reason: &str| (sight.to_owned(), reason.to_owned(), 3);
    let mut said = answer.redaction("Student.idNumber");
    said.sort();
    assert_eq!(said, [entry("hidden", "NOT_GRANTED"), entry("masked", "MASKED_BY_POLICY")]);
    assert_eq!(answer.redaction("Student.phone"), [entry("hidden", "NOT_GRANTED")]);
    assert_eq!(answer.redaction("Student.name"), []);
}

#[tokio::test]
async fn a_role_at_one_place_is_not_held_at_another() {
    // An aid officer of a school who is also an analyst of the region is no aid officer of the region.
    let (app, seed) = App::school().await;
    let person = app.aid_officer(seed.schools[0].id).and(
        "analyst",
        Reach::Region,
        Place::Organisation(seed.province.uuid()),
    );
    let school: Vec<StudentId> = seed.schools[0]
        .levels
        .iter()
        .flat_map(|level| &level.classes)
        .flat_map(|class| class.students.clone())
        .collect();
    assert_eq!(sorted(ids(&person).await), of(&app, &school));
}

#[tokio::test]
async fn more_open_grants_win_on_the_rows_they_cover_whatever_their_order() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let place = Place::ClassGroup(class.id.uuid());
    let school = Place::Organisation(seed.schools[0].id.uuid());
    let registrar_first =
        app.registrar(seed.schools[0].id).and("homeroom_teacher", Reach::Class, place);
    let teacher_first = app.homeroom_teacher(class.id).and("registrar", Reach::School, school);
    let document = "{ students(orderBy: [{ field: NAME }]) { nodes { id idNumber } } }";
    let (one, two) = (registrar_first.ask(document).await, teacher_first.ask(document).await);
    assert_eq!(one.data(), two.data());
    assert!(one.redactions().is_empty(), "{}", one.text);
}

#[tokio::test]
async fn an_id_that_is_forged_foreign_or_out_of_scope_gets_one_and_the_same_answer() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let elsewhere = seed.class(2, 0, 0).students[0];
    let other = App::start().await;
    let forged = {
        let mut id = app.id("student", seed.first().students[0]);
        let last = id.pop().unwrap();
        id.push(if last == 'A' { 'Q' } else { 'A' });
        id
    };
    let ids = [
        ("never issued", app.id("student", Uuid::now_v7())),
        ("out of scope", app.id("student", elsewhere)),
        ("forged", forged),
        ("of another deployment", format!("Student_{}", &other.id("student", Uuid::now_v7())[8..])),
        ("of another noun", app.id("class_group", seed.first().id)),
        ("a bare key", seed.first().students[0].uuid().to_string()),
        ("nonsense", "Student_".to_owned()),
        ("empty", String::new()),
    ];
    for document in [
        "query($id: ID!) { student(id: $id) { id name guardians { nodes { name } } } }",
        "query($id: ID!) { node(id: $id) { id } }",
        "query($id: ID!) { students(filter: { id: { eq: $id } }) { totalCount nodes { id } } }",
    ] {
        let mut answers = Vec::new();
        for (what, id) in &ids {
            let answer = teacher.query(document, json!({ "id": id })).await;
            assert!(answer.status.is_success(), "{what}: {}", answer.text);
            answers.push((what, answer.without_request_id()));
        }
        // As a node, the id of another noun that the teacher may see answers as that noun.
        for (what, body) in &answers {
            if **what == "of another noun" && document.contains("node(") {
                continue;
            }
            assert_eq!(body, &answers[0].1, "{what}: {document}");
        }
    }
}

#[tokio::test]
async fn wards_and_classes_are_those_of_the_grants() {
    let (app, seed) = App::school().await;
    let (first, second) = (seed.first().students[0], seed.class(2, 0, 0).students[0]);
    let parent = app.guardian(first).and("guardian", Reach::Ward, Place::Student(second.uuid()));
    let answer = parent.ask("{ viewer { wards { totalCount nodes { id } } } }").await;
    assert_eq!(sorted(answer.texts("/viewer/wards/nodes", "id")), of(&app, &[first, second]));
    let teacher = app
        .homeroom_teacher(seed.first().id)
        .and_subject_teacher(seed.class(0, 0, 1).id, seed.courses[0]);
    let answer =
        teacher.ask("{ viewer { classes { nodes { id students { totalCount } } } } }").await;
    let classes = answer.texts("/viewer/classes/nodes", "id");
    assert_eq!(classes.len(), 2);
    // A pupil signs in as one.
    let pupil = app.student(first).ask("{ viewer { student { id } } }").await;
    assert_eq!(pupil.at("/viewer/student/id"), &json!(app.id("student", first)));
    let nobody = app
        .registrar(seed.schools[0].id)
        .ask("{ viewer { student { id } wards { totalCount } } }")
        .await;
    assert_eq!(
        nobody.data(),
        &json!({ "viewer": { "student": null, "wards": { "totalCount": 0 } } })
    );
}

#[tokio::test]
async fn an_account_without_grants_sees_calendars_and_no_person() {
    let (app, _seed) = App::school().await;
    let stranger = app.stranger();
    assert_eq!(ids(&stranger).await, Vec::<String>::new());
    let answer =
        stranger.ask("{ schoolYears { nodes { name } } viewer { grants { role } } }").await;
    assert_eq!(answer.texts("/schoolYears/nodes", "name"), ["2026-2027"]);
}

#[tokio::test]
async fn an_administrator_of_accounts_learns_no_name_of_a_pupil_or_guardian() {
    let (app, seed) = App::school().await;
    let administrator = app.administrator();
    // Both accounts exist once they have asked.
    app.student(seed.first().students[0]).ask("{ viewer { id } }").await;
    app.guardian(seed.first().students[0]).ask("{ viewer { id } }").await;
    let answer = administrator
        .ask("{ accounts(first: 50) { totalCount nodes { login displayName } } }")
        .await;
    let nodes = answer.at("/accounts/nodes").as_array().unwrap();
    assert!(nodes.len() >= 2, "{}", answer.text);
    assert!(nodes.iter().all(|node| node["login"].is_string() && node["displayName"].is_null()));
    let asked = "{ accounts(filter: { displayName: { startsWith: \"A\" } }) { totalCount } }";
    assert_eq!(administrator.ask(asked).await.code(), "FORBIDDEN");
}

#[tokio::test]
async fn a_hidden_enrolment_is_not_told_by_lists_of_a_school_or_a_year_level() {
    let (app, seed) = App::school().await;
    let teacher = app.subject_teacher(seed.first().id, seed.courses[0]);
    let hidden = teacher.ask("{ students(first: 1) { nodes { enrollment { state } } } }").await;
    assert!(hidden.at("/students/nodes/0/enrollment").is_null(), "{}", hidden.text);
    for way in ["organisations", "yearLevels"] {
        let listed =
            teacher.ask(&format!("{{ {way} {{ nodes {{ students {{ totalCount }} }} }} }}")).await;
        assert_eq!(listed.code(), "VALIDATION_FAILED", "{}", listed.text);
        let filter = "{ students: { some: {} } }";
        let asked = teacher.ask(&format!("{{ {way}(filter: {filter}) {{ totalCount }} }}")).await;
        assert_ne!(asked.code(), "", "{}", asked.text);
    }
    let asked = "{ students(filter: { enrollment: { state: { eq: ENROLLED } } }) { totalCount } }";
    assert_eq!(teacher.ask(asked).await.code(), "FORBIDDEN");
}
