//! Every root field, asked by nobody and by each role that lacks it: the refusal is the contract's, and it is the same
//! whether the row exists or not.

use serde_json::json;
use xueji::access::table::Pair;
use xueji::graphql::{Limits, build_schema};

use std::collections::BTreeSet;

use xueji::access::action::ACTIONS;

use crate::canary::everybody;
use crate::support::app::App;
use crate::support::document::{LISTS, noun};
use crate::support::oracle::Oracle;
use crate::support::seed::Seed;
use crate::support::truth::Truth;

/// The names of all root fields of one kind of operation.
async fn root_fields(of: &str) -> Vec<String> {
    let schema = build_schema(Limits::default());
    let response =
        schema.execute(format!("{{ __schema {{ {of} {{ fields {{ name }} }} }} }}")).await;
    let data = serde_json::to_value(response.data).unwrap();
    let fields = data["__schema"][of]["fields"].as_array().unwrap();
    fields.iter().map(|field| field["name"].as_str().unwrap().to_owned()).collect()
}

/// Actions that change nothing: arguments of a query, refused in a test of their own.
const QUESTIONS: &[&str] = &[
    "access.explain",
    "account.senior",
    "audit.read",
    "client.list",
    "concern.feedback",
    "concern.misuse",
    "incident.report",
    "retention.due",
    "session.list",
];

/// Acts on what is one's own, which need no line of the policy; `sign_in::listed` says that they reach nothing else.
const OWN: &[&str] = &["viewerSessionEnd"];

/// Acts that the policy gives to everybody who is signed in; `concerns` says at which schools alone they do something.
const EVERYBODYS: &[&str] = &["concernRaise"];

/// A well-formed act on the first class; none for a field that this test does not know.
fn act(field: &str, app: &App, seed: &Seed) -> Option<(&'static str, serde_json::Value)> {
    let class = seed.first();
    match field {
        "attendanceRecord" => Some((
            "mutation($input: AttendanceRecordInput!) { attendanceRecord(input: $input) { recorded } }",
            json!({ "input": {
                "classGroupId": app.id("class_group", class.id),
                "day": "2026-11-19",
                "marks": [{ "studentId": app.id("student", class.students[0]), "kind": "TRUANT" }],
            } }),
        )),
        "examPublish" => Some((
            "mutation($input: ExamPublishInput!) { examPublish(input: $input) { scores } }",
            json!({ "input": { "examId": app.id("exam", seed.schools[0].levels[0].draft) } }),
        )),
        "studentContactUpdate" => Some((
            "mutation($input: StudentContactUpdateInput!) { studentContactUpdate(input: $input) { student { id } } }",
            json!({ "input": {
                "studentId": app.id("student", class.students[0]),
                "version": "none",
                "phone": "13900000001",
            } }),
        )),
        "guardianContactUpdate" => Some((
            "mutation($input: GuardianContactUpdateInput!) { guardianContactUpdate(input: $input) { guardian { id } } }",
            json!({ "input": {
                "guardianId": app.id_of("guardian", class.students[0], uuid::Uuid::now_v7()),
                "version": "none",
                "phone": "13900000001",
            } }),
        )),
        "policyReload" => Some((
            "mutation($input: PolicyReloadInput!) { policyReload(input: $input) { number } }",
            json!({ "input": {} }),
        )),
        "studentReveal" => Some((
            "mutation($input: StudentRevealInput!) { studentReveal(input: $input) { value } }",
            json!({ "input": {
                "id": app.id("student", class.students[0]), "coordinate": "Student.idNumber",
            } }),
        )),
        "recordOpen" => Some((
            "mutation($input: RecordOpenInput!) { recordOpen(input: $input) { studentId } }",
            json!({ "input": {
                "studentId": app.id("student", class.students[0]), "reason": "an emergency",
            } }),
        )),
        "accessReviewDecide" => Some((
            "mutation($input: AccessReviewDecideInput!) { accessReviewDecide(input: $input) {
                accessReview { id } } }",
            json!({ "input": {
                "id": app.id_of("access_review", class.students[0], uuid::Uuid::now_v7()),
                "justified": true,
            } }),
        )),
        "grantDelegate" => Some((
            "mutation($input: GrantDelegateInput!) { grantDelegate(input: $input) { grantId } }",
            json!({ "input": {
                "role": "homeroom_teacher", "placeId": app.id("class_group", class.id),
                "toLogin": "somebody", "until": "2026-11-27", "reason": "ill",
            } }),
        )),
        "grantRevoke" => Some((
            "mutation($input: GrantRevokeInput!) { grantRevoke(input: $input) { grantId } }",
            json!({ "input": { "grantId": app.id("access_grant", uuid::Uuid::now_v7()) } }),
        )),
        "grantGive" => Some((
            "mutation($input: GrantGiveInput!) { grantGive(input: $input) { grantId } }",
            json!({ "input": {
                "role": "homeroom_teacher", "placeId": app.id("class_group", class.id),
                "toLogin": "somebody", "reason": "ill",
            } }),
        )),
        "grantApprove" => Some((
            "mutation($input: GrantApproveInput!) { grantApprove(input: $input) { grantId } }",
            json!({ "input": {
                "requestId": "GrantRequest_AAAAAAAAAAAAAAAAAAAAAA", "decision": "APPROVE",
            } }),
        )),
        "grantEnd" => Some((
            "mutation($input: GrantEndInput!) { grantEnd(input: $input) { grantId } }",
            json!({ "input": { "grantId": app.id("access_grant", uuid::Uuid::now_v7()) } }),
        )),
        "grantConfirm" => Some((
            "mutation($input: GrantConfirmInput!) { grantConfirm(input: $input) { grantId } }",
            json!({ "input": { "grantId": app.id("access_grant", uuid::Uuid::now_v7()) } }),
        )),
        "identityNumberCheck" => Some((
            "mutation($input: IdentityNumberCheckInput!) { identityNumberCheck(input: $input) {
                registered } }",
            json!({ "input": { "number": "11010519491231002X" } }),
        )),
        "identityLink" => Some((
            "mutation($input: IdentityInput!) { identityLink(input: $input) { changed } }",
            json!({ "input": { "login": "somebody", "issuer": "https://id.example", "subject": "s" } }),
        )),
        "identityUnlink" => Some((
            "mutation($input: IdentityInput!) { identityUnlink(input: $input) { changed } }",
            json!({ "input": { "login": "somebody", "issuer": "https://id.example", "subject": "s" } }),
        )),
        "sessionEnd" => Some((
            "mutation($input: SessionEndInput!) { sessionEnd(input: $input) { ended } }",
            json!({ "input": { "login": "nobody" } }),
        )),
        "emergencyStop" => Some((
            "mutation($input: EmergencyStopInput!) { emergencyStop(input: $input) { stopId } }",
            json!({ "input": { "kind": "EXPORTS", "reason": "copies on sale" } }),
        )),
        "emergencyLift" => Some((
            "mutation($input: EmergencyLiftInput!) { emergencyLift(input: $input) { stopId } }",
            json!({ "input": { "stopId": "none" } }),
        )),
        "destructionPropose" => Some((
            "mutation($input: DestructionProposeInput!) { destructionPropose(input: $input) { batchId } }",
            json!({ "input": {
                "class": "attendance", "schoolId": app.id("organisation", seed.schools[0].id),
                "reason": "the period has ended",
            } }),
        )),
        "destructionKeep" => Some((
            "mutation($input: DestructionKeepInput!) { destructionKeep(input: $input) { records } }",
            json!({ "input": {
                "batchId": uuid::Uuid::now_v7(), "studentId": app.id("student", class.students[0]),
                "until": "2030-01-01", "reason": "a dispute",
            } }),
        )),
        "destructionApprove" => Some((
            "mutation($input: DestructionBatchInput!) { destructionApprove(input: $input) { approved } }",
            json!({ "input": { "batchId": uuid::Uuid::now_v7() } }),
        )),
        "destructionWithdraw" => Some((
            "mutation($input: DestructionBatchInput!) { destructionWithdraw(input: $input) { batchId } }",
            json!({ "input": { "batchId": uuid::Uuid::now_v7() } }),
        )),
        "destructionExecute" => Some((
            "mutation($input: DestructionBatchInput!) { destructionExecute(input: $input) { records } }",
            json!({ "input": { "batchId": uuid::Uuid::now_v7() } }),
        )),
        "concernRaise" => Some((
            "mutation($input: ConcernRaiseInput!) { concernRaise(input: $input) { concernId } }",
            json!({ "input": {
                "schoolId": app.id("organisation", seed.schools[0].id), "kind": "FEEDBACK", "text": "a wish",
            } }),
        )),
        "concernAnswer" => Some((
            "mutation($input: ConcernAnswerInput!) { concernAnswer(input: $input) { concernId } }",
            json!({ "input": { "concernId": "Concern_AAAAAAAAAAAAAAAAAAAAAA", "answer": "it was done" } }),
        )),
        "studentRestrict" => Some((
            "mutation($input: StudentRestrictInput!) { studentRestrict(input: $input) { restrictionId } }",
            json!({ "input": {
                "studentId": app.id("student", class.students[0]), "reason": "the purpose has ended",
            } }),
        )),
        "restrictionDecide" => Some((
            "mutation($input: RestrictionDecideInput!) { restrictionDecide(input: $input) { restrictionId } }",
            json!({ "input": { "restrictionId": uuid::Uuid::now_v7(), "agreed": true } }),
        )),
        "studentUnrestrict" => Some((
            "mutation($input: StudentUnrestrictInput!) { studentUnrestrict(input: $input) { restrictionId } }",
            json!({ "input": { "restrictionId": uuid::Uuid::now_v7(), "reason": "it is needed again" } }),
        )),
        "recordHold" => Some((
            "mutation($input: RecordHoldInput!) { recordHold(input: $input) { hold } }",
            json!({ "input": {
                "studentId": app.id("student", class.students[0]), "hold": true, "reason": "an open case",
            } }),
        )),
        "accountCreate" => Some((
            "mutation($input: AccountCreateInput!) { accountCreate(input: $input) { accountId } }",
            json!({ "input": { "login": "somebody.new", "staffId": "none" } }),
        )),
        "accountDisable" => Some((
            "mutation($input: AccountNameInput!) { accountDisable(input: $input) { accountId } }",
            json!({ "input": { "login": "somebody" } }),
        )),
        "accountEnable" => Some((
            "mutation($input: AccountNameInput!) { accountEnable(input: $input) { accountId } }",
            json!({ "input": { "login": "somebody" } }),
        )),
        "accountReset" => Some((
            "mutation($input: AccountResetInput!) { accountReset(input: $input) { accountId } }",
            json!({ "input": { "account": { "login": "somebody" } } }),
        )),
        "clientCreate" => Some((
            "mutation($input: ClientCreateInput!) { clientCreate(input: $input) { accountId } }",
            json!({ "input": {
                "login": "reports", "name": "Reports", "owner": { "login": "somebody" }, "scopes": ["analyst"],
            } }),
        )),
        "clientRotate" => Some((
            "mutation($input: ClientRotateInput!) { clientRotate(input: $input) { accountId } }",
            json!({ "input": { "account": { "login": "reports" } } }),
        )),
        _ => None,
    }
}

#[tokio::test]
async fn an_act_is_refused_to_whom_the_policy_does_not_give_it() {
    let (app, seed) = App::school().await;
    let policy = app.policy();
    let mut acts = BTreeSet::new();
    for field in root_fields("mutationType").await {
        if OWN.contains(&field.as_str()) {
            let document = format!("mutation {{ {field}(input: {{}}) {{ __typename }} }}");
            let answer = app.anonymous(&document, json!({})).await;
            assert_eq!(answer.code(), "UNAUTHENTICATED", "{field}: {}", answer.text);
            continue;
        }
        let (document, variables) = act(&field, &app, &seed)
            .unwrap_or_else(|| panic!("denied.rs does not know how to ask for {field}"));
        // One name everywhere: `attendance.record` in the policy, `attendanceRecord` in the schema.
        let name = ACTIONS
            .iter()
            .find(|name| xueji::access::view::camel(&name.replace('.', "_")) == field)
            .unwrap_or_else(|| panic!("{field} is an action of the policy"));
        acts.insert(*name);
        let answer = app.anonymous(document, variables.clone()).await;
        assert_eq!(answer.code(), "UNAUTHENTICATED", "{field}: {}", answer.text);
        let mut refused = 0;
        for (who, person) in everybody(&app, &seed) {
            let held = person
                .holding()
                .map(|held| Pair { role: policy.roles.id(&held.role).unwrap(), reach: held.reach });
            let may = held.chain([Pair::ANYONE]).any(|pair| {
                policy.actions.may(&[pair], policy.actions.id(name).unwrap()).is_some()
            });
            if !may {
                let answer = person.query(document, variables.clone()).await;
                assert_eq!(answer.code(), "FORBIDDEN", "{who}: {field} {}", answer.text);
                assert!(answer.body["data"].is_null(), "{who}: {}", answer.text);
                refused += 1;
            }
        }
        if EVERYBODYS.contains(&field.as_str()) {
            assert!(
                policy.actions.may(&[Pair::ANYONE], policy.actions.id(name).unwrap()).is_some()
            );
            continue;
        }
        assert!(refused > 10, "{field} was refused to {refused}");
    }
    acts.extend(QUESTIONS);
    assert_eq!(acts, ACTIONS.iter().copied().collect(), "each action of the policy has its field");
}

/// A well-formed question for a root field; none for a field that this test does not know.
fn question(field: &str, id: &str) -> Option<String> {
    let list = LISTS.iter().any(|(root, _)| *root == field);
    Some(match field {
        "viewer" => "{ viewer { id } }".to_owned(),
        "node" => format!("{{ node(id: \"{id}\") {{ id }} }}"),
        "apiClients" => "{ apiClients { login } }".to_owned(),
        "accountSessions" => "{ accountSessions(login: \"nobody\") { id } }".to_owned(),
        "codes" => "{ codes(list: \"RDXB\") { value } }".to_owned(),
        "grantRequests" => "{ grantRequests { id } }".to_owned(),
        "grantReview" => "{ grantReview { id } }".to_owned(),
        "disclosure" => format!("{{ disclosure(id: \"{id}\") {{ id }} }}"),
        "disclosures" => "{ disclosures { totalCount nodes { id } } }".to_owned(),
        "explainAccess" => {
            format!(
                "{{ explainAccess(studentId: \"{id}\", coordinate: \"Student.name\") {{ sight }} }}"
            )
        }
        "auditLines" => "{ auditLines { totalCount } }".to_owned(),
        "incidentReport" => {
            "{ incidentReport(login: \"somebody\", from: \"2026-11-01T00:00:00Z\", \
            to: \"2026-11-02T00:00:00Z\") { studentCount } }"
                .to_owned()
        }
        "emergencyStops" => "{ emergencyStops { id } }".to_owned(),
        "retentionDue" => "{ retentionDue { class } }".to_owned(),
        "destructionBatches" => "{ destructionBatches { id } }".to_owned(),
        "destructionItems" => format!("{{ destructionItems(batchId: \"{id}\") {{ studentId }} }}"),
        "destructionCertificates" => "{ destructionCertificates { id } }".to_owned(),
        "restrictions" => "{ restrictions { id } }".to_owned(),
        "concerns" => "{ concerns(kind: MISUSE) { id } }".to_owned(),
        _ if list => format!("{{ {field} {{ totalCount nodes {{ id }} }} }}"),
        _ => {
            let one = LISTS
                .iter()
                .any(|(_, of)| noun(of).shape.type_name.to_lowercase() == field.to_lowercase());
            if !one {
                return aggregate(field);
            }
            format!("{{ {field}(id: \"{id}\") {{ id }} }}")
        }
    })
}

/// A well-formed question for a field that answers with figures.
fn aggregate(field: &str) -> Option<String> {
    let arguments = match field {
        "declaredTables" => return Some("{ declaredTables { name } }".to_owned()),
        "declaredTable" => {
            return Some(
                "{ declaredTable(name: \"students_by_gender\") { threshold } }".to_owned(),
            );
        }
        "studentCounts" | "scoreStatistics" | "aidCoverage" => "groupBy: [SCHOOL]",
        "attendanceRates" => {
            "period: MONTH, groupBy: [SCHOOL], from: \"2026-09-01\", until: \"2026-11-20\""
        }
        _ => return None,
    };
    Some(format!("{{ {field}({arguments}) {{ withheld threshold }} }}"))
}

/// The aggregates, with the roles that may ask each of them.
const AGGREGATES: &[(&str, &[&str])] = &[
    ("studentCounts", &["analyst"]),
    ("scoreStatistics", &["analyst"]),
    ("attendanceRates", &["analyst"]),
    ("aidCoverage", &["analyst"]),
];

#[tokio::test]
async fn figures_are_refused_to_whom_the_policy_gives_none() {
    let (app, seed) = App::school().await;
    app.snapshot("census").await;
    for (name, person) in everybody(&app, &seed) {
        for (field, always) in AGGREGATES {
            let answer = person.ask(&aggregate(field).unwrap()).await;
            let allowed = answer.body.get("errors").is_none();
            if always.iter().any(|role| person.held.iter().any(|held| held.role == *role)) {
                assert!(allowed, "{name}: {field} {}", answer.text);
            }
            let none = ["stranger", "student", "guardian", "auditor", "administrator"];
            if none.contains(&name) {
                assert_eq!(answer.code(), "FORBIDDEN", "{name}: {field} {}", answer.text);
            }
            assert!(allowed || answer.code() == "FORBIDDEN", "{name}: {field} {}", answer.text);
        }
    }
}

#[tokio::test]
async fn nobody_gets_anything_without_a_token() {
    let (app, seed) = App::school().await;
    let id = app.id("student", seed.first().students[0]);
    for field in root_fields("queryType").await {
        let document = question(&field, &id)
            .unwrap_or_else(|| panic!("denied.rs does not know how to ask for {field}"));
        let answer = app.anonymous(&document, json!({})).await;
        assert_eq!(answer.code(), "UNAUTHENTICATED", "{field}: {}", answer.text);
        let value = &answer.body["data"][&field];
        assert!(value.is_null(), "{field} is {value}");
    }
}

#[tokio::test]
async fn a_role_without_rows_gets_an_empty_list_and_not_found() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let mut denied = 0;
    for (name, person) in everybody(&app, &seed) {
        let oracle = Oracle::of(&app, &truth, &person);
        let policy = app.policy();
        for (root, of) in LISTS {
            let noun = noun(of);
            let may = person.holding().any(|held| {
                let role = policy.roles.id(&held.role).unwrap();
                policy.table.rows(Pair { role, reach: held.reach }, noun.noun_id())
            }) || policy.table.rows(Pair::ANYONE, noun.noun_id());
            if !may {
                denied += 1;
                let answer = person.ask(&question(root, "").unwrap()).await;
                assert_eq!(answer.at(&format!("/{root}/nodes")), &json!([]), "{name}: {root}");
                assert_eq!(answer.at(&format!("/{root}/totalCount")), 0, "{name}: {root}");
            }
            // One row of somebody else's, and one that was never issued.
            let foreign = truth.of_noun(of).find(|(_, row)| !oracle.visible(row));
            let mut type_name = noun.shape.type_name.to_owned();
            type_name[..1].make_ascii_lowercase();
            let unknown = app.id(of, uuid::Uuid::now_v7());
            for id in foreign.map(|(id, _)| id.as_str()).into_iter().chain([unknown.as_str()]) {
                let document = format!("query($id: ID!) {{ {type_name}(id: $id) {{ id }} }}");
                let answer = person.query(&document, json!({ "id": id })).await;
                assert_eq!(answer.code(), "NOT_FOUND", "{name}: {type_name} {}", answer.text);
                assert_eq!(answer.body["data"][&type_name], json!(null));
                let document = "query($id: ID!) { node(id: $id) { id } }";
                let answer = person.query(document, json!({ "id": id })).await;
                assert_eq!(answer.at("/node"), &json!(null), "{name}: node");
            }
        }
    }
    assert!(denied > 30, "{denied} lists were denied");
}
