//! A restricted record: proposed by one, put in force by another, and from then on the answer of an id never issued.

use serde_json::{Value, json};
use xueji_entity::value::StudentId;

use super::support::app::App;
use super::support::document::LISTS;
use super::support::everybody::everybody;
use super::support::truth::Truth;

const RESTRICT: &str =
    "mutation($input: StudentRestrictInput!) { studentRestrict(input: $input) { restrictionId } }";
const DECIDE: &str = "mutation($input: RestrictionDecideInput!) { restrictionDecide(input: $input) { restrictionId } }";
const LIFT: &str = "mutation($input: StudentUnrestrictInput!) { studentUnrestrict(input: $input) { restrictionId } }";
const CHECK: &str = "mutation($input: IdentityNumberCheckInput!) {
    identityNumberCheck(input: $input) { registered } }";

#[tokio::test]
async fn a_restricted_record_is_like_an_id_never_issued_for_everybody() {
    let (app, seed) = App::school().await;
    let school = seed.schools[0].id;
    let student: StudentId = seed.first().students[0];
    let id = app.id("student", student);
    let truth = Truth::of(&app).await;
    let number = truth.rows[&id].text("id_number");
    let (registrar, principal) = (app.registrar(school), app.principal(school));
    let propose = json!({ "input": { "studentId": id, "reason": "the purpose has ended" } });
    let other = app.registrar(seed.schools[1].id);
    assert_eq!(other.query(RESTRICT, propose.clone()).await.code(), "NOT_FOUND");
    let done = registrar.query(RESTRICT, propose.clone()).await;
    let restriction = done.at("/studentRestrict/restrictionId").clone();
    assert_eq!(registrar.query(RESTRICT, propose.clone()).await.code(), "CONFLICT");
    let decide = json!({ "input": { "restrictionId": restriction, "agreed": true } });
    // Proposed is not in force.
    let one = "query($id: ID!) { student(id: $id) { id } }";
    assert_eq!(*registrar.query(one, json!({ "id": id })).await.at("/student/id"), json!(id));
    let check = async || {
        let checked = registrar
            .query_for("enrolment_check", CHECK, json!({ "input": { "number": number } }))
            .await;
        checked.at("/identityNumberCheck/registered").clone()
    };
    assert_eq!(check().await, true);
    let far = app.principal(seed.schools[1].id);
    assert_eq!(far.query(DECIDE, decide.clone()).await.code(), "NOT_FOUND");
    assert_eq!(
        *principal.query(DECIDE, decide.clone()).await.at("/restrictionDecide/restrictionId"),
        restriction
    );
    assert!(principal.query(DECIDE, decide).await.text.contains("RESTRICTION_STATE"));

    // Every root and list, for everybody, the pupil and the guardians among them.
    let unknown = app.id("student", uuid::Uuid::now_v7());
    let mut asked = 0;
    let mine = app.student(student);
    let ward = app.guardian(student);
    let mut all = everybody(&app, &seed);
    all.push(("the pupil", mine));
    all.push(("the guardian", ward));
    let hidden: Vec<(&String, &str)> = truth
        .rows
        .iter()
        .filter(|(_, row)| {
            row.noun.is_of_student()
                && (row.student == Some(student.uuid()) || row.id == student.uuid())
        })
        .map(|(id, row)| (id, row.noun.shape.name))
        .collect();
    assert!(hidden.len() > 10, "{} rows hang from the pupil", hidden.len());
    for (who, person) in &all {
        for document in [one, "query($id: ID!) { node(id: $id) { id } }"] {
            let there = person.query(document, json!({ "id": id })).await;
            let nowhere = person.query(document, json!({ "id": unknown })).await;
            let same = |answer: &super::support::answer::Answer, id: &str| {
                answer.without_request_id().replace(id, "ID")
            };
            assert_eq!(same(&there, &id), same(&nowhere, &unknown), "{who}: {document}");
            asked += 1;
        }
        for (root, _) in LISTS {
            let list = format!("{{ {root}(first: 200) {{ totalCount nodes {{ id }} }} }}");
            let answer = person.ask(&list).await;
            for (row, noun) in &hidden {
                assert!(!answer.text.contains(row.as_str()), "{who}: {root} lists {noun}");
            }
            asked += 1;
        }
        for (row, noun) in hidden.iter().take(40) {
            let answer = person
                .query("query($id: ID!) { node(id: $id) { id } }", json!({ "id": row }))
                .await;
            assert!(answer.at("/node").is_null(), "{who}: a row of {noun}");
            asked += 1;
        }
    }
    assert_eq!(check().await, false);
    let words = "query($s: String!) { students(search: $s) { totalCount } }";
    let name = truth.rows[&id].text("name");
    assert_eq!(*registrar.query(words, json!({ "s": name })).await.at("/students/totalCount"), 0);
    // Restricting it again tells no more than an id never issued.
    let again = registrar.query(RESTRICT, propose).await;
    let input = json!({ "input": { "studentId": unknown, "reason": "the purpose has ended" } });
    assert_eq!(
        again.without_request_id(),
        registrar.query(RESTRICT, input).await.without_request_id()
    );

    // Those who decide see it by number, place and reason; the pupil is not named.
    let list = "{ restrictions { id state reason } }";
    let seen = principal.ask(list).await;
    assert_eq!(
        *seen.at("/restrictions"),
        json!([{ "id": restriction, "state": "in_force", "reason": "the purpose has ended" }])
    );
    assert_eq!(*far.ask(list).await.at("/restrictions"), json!([]));
    let lift = json!({ "input": { "restrictionId": restriction, "reason": "it is needed again" } });
    assert_eq!(registrar.query(LIFT, lift.clone()).await.code(), "FORBIDDEN");
    principal.query(LIFT, lift.clone()).await.at("/studentUnrestrict/restrictionId");
    assert!(principal.query(LIFT, lift).await.text.contains("RESTRICTION_STATE"));
    assert_eq!(*registrar.query(one, json!({ "id": id })).await.at("/student/id"), json!(id));
    assert_eq!(check().await, Value::Bool(true));
    println!("{asked} questions of {} people about {} rows", all.len(), hidden.len());
}
