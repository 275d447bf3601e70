//! Nothing of the sealed columns is in what a thief may carry away: the files of the database with their logs, a backup,
//! a dump of every table, the files of the process and what it logs.

use std::path::Path;

use sea_orm::DatabaseConnection;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use xueji::store::codec::Codec;
use xueji::store::connect::connect;

use super::marks::{dump, files, found, long, open, sealed};
use crate::support::app::App;
use crate::support::document::{self, LISTS, everything, noun};
use crate::support::everybody::everybody;
use crate::support::logs;
use crate::support::process::{Program, Running, serve};
use crate::support::seed::Seed;
use crate::support::truth::Truth;

const CONTACT: &str = "mutation($input: StudentContactUpdateInput!) {
    studentContactUpdate(input: $input) { student { id phone email currentAddress } } }";
const REVEAL: &str =
    "mutation($input: StudentRevealInput!) { studentReveal(input: $input) { value } }";
const CHECK: &str = "mutation($input: IdentityNumberCheckInput!) {
    identityNumberCheck(input: $input) { registered } }";

/// What stands in sealed columns only after the acts of [`use_it`].
const WRITTEN: [&str; 4] =
    ["13912345678", "mkwritten@example.com", "北京市朝阳区Mkwritten", "Mkwrittenasaconcern"];
const CONCERN: &str =
    "mutation($input: ConcernRaiseInput!) { concernRaise(input: $input) { concernId } }";

/// Everything that touches sealed values: reads by everybody, filters, acts, refusals.
async fn use_it(app: &App, seed: &Seed, truth: &Truth) {
    let exam = app.id("exam", seed.schools[0].levels[0].exam);
    for (_, person) in everybody(app, seed) {
        for (root, of) in LISTS {
            let document = document::list(root, &everything(noun(of), 1));
            person.query(&document, json!({ "exam": exam })).await;
        }
    }
    let registrar = app.registrar(seed.schools[0].id);
    let id = app.id("student", seed.first().students[0]);
    let number = truth.rows[&id].text("id_number");
    let find = "query($n: String!) { students(filter: { idNumber: { eq: $n } }) { totalCount } }";
    let answer = registrar.query(find, json!({ "n": number })).await;
    assert_eq!(*answer.at("/students/totalCount"), 1);
    let checked = registrar
        .query_for("enrolment_check", CHECK, json!({ "input": { "number": number } }))
        .await;
    assert_eq!(*checked.at("/identityNumberCheck/registered"), true);
    let read = "query($id: ID!) { student(id: $id) { contactVersion } }";
    let version = registrar.query(read, json!({ "id": id })).await;
    let [phone, email, address, concern] = WRITTEN;
    let school = app.id("organisation", seed.schools[0].id);
    let raised = json!({ "input": { "schoolId": school, "kind": "FEEDBACK", "text": concern } });
    registrar.query(CONCERN, raised).await.data();
    let principal = app.principal(seed.schools[0].id);
    let read = principal.ask("{ concerns(kind: FEEDBACK) { text } }").await;
    assert_eq!(*read.at("/concerns/0/text"), concern);
    let input = json!({ "input": {
        "studentId": id, "version": version.at("/student/contactVersion"),
        "phone": phone, "email": email, "currentAddress": address,
    } });
    let written = registrar.query(CONTACT, input.clone()).await;
    assert_eq!(*written.at("/studentContactUpdate/student/phone"), phone);
    // A stale version is refused, with the values in the request.
    assert_eq!(registrar.query(CONTACT, input).await.code(), "CONFLICT");
    let teacher = app.homeroom_teacher(seed.first().id);
    let reveal = json!({ "input": { "id": id, "coordinate": "Student.currentAddress" } });
    let revealed = teacher.query_for("home_contact", REVEAL, reveal).await;
    assert_eq!(*revealed.at("/studentReveal/value"), address);
    app.snapshot("census").await;
}

fn none_in(what: &str, bytes: &[u8], marks: &[String]) {
    let found = found(bytes, marks);
    assert!(found.is_empty(), "{what} holds {found:?}");
}

fn folder(url: &str) -> Option<&Path> {
    let file = url.strip_prefix("sqlite://")?.split('?').next()?;
    Path::new(file).parent()
}

/// What a thief of the database has: its files, or what its server gives out.
async fn carried_away(db: &DatabaseConnection, url: &str) -> Vec<(String, Vec<u8>)> {
    let mut all: Vec<_> = dump(db)
        .await
        .into_iter()
        .map(|(table, text)| (format!("table {table}"), text.into_bytes()))
        .collect();
    all.extend(folder(url).map(files).unwrap_or_default());
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_a_thief_carries_away_holds_a_sealed_value() {
    let (app, seed) = App::school().await;
    app.plant_opened(&seed).await;
    let truth = Truth::of(&app).await;
    let mut marks = sealed(&truth);
    assert!(marks.len() > 100, "{} marks", marks.len());
    marks.extend(WRITTEN.map(ToOwned::to_owned));
    use_it(&app, &seed, &truth).await;
    let carried = carried_away(app.db(), &app.place().url).await;
    for (what, bytes) in &carried {
        none_in(what, bytes, &marks);
    }
    if let Some(folder) = folder(&app.place().url) {
        let names: Vec<String> = files(folder).into_iter().map(|(name, _)| name).collect();
        for end in ["registry.db", "registry.db-wal", "registry.disclosures.db"] {
            assert!(names.iter().any(|name| name.ends_with(end)), "{end} in {names:?}");
        }
    }
    none_in("the log", logs::text().as_bytes(), &long(&marks));

    // The search finds what is not sealed, in a table and in the file.
    let names = open(&truth);
    let all = carried.iter().map(|(_, bytes)| found(bytes, &names).len());
    let most = all.max().unwrap();
    assert_eq!(most, names.len(), "every name is found");

    // A backup, taken while the server runs.
    let backup = app.place().copy().await;
    let copy = connect(&backup.url, 1).await.unwrap();
    for (what, bytes) in carried_away(&copy, &backup.url).await {
        none_in(&format!("the backup: {what}"), &bytes, &marks);
    }

    // It would find text that is kept as it is.
    let (row, phone) = (seed.first().students[1], "13812340000");
    let clear = [&[1], phone.as_bytes()].concat();
    super::put(&copy, "student", "phone", row.uuid(), clear).await;
    let marks = [phone.to_owned()];
    let carried = carried_away(&copy, &backup.url).await;
    let places = carried.iter().filter(|(_, bytes)| !found(bytes, &marks).is_empty()).count();
    assert!(places >= 1, "text in the clear is found");
    copy.close().await.unwrap();
}

/// Asks a server over a plain connection.
async fn post(server: &Running, token: &str, document: &str) -> String {
    let body = json!({ "query": document }).to_string();
    let request = format!(
        "POST /graphql HTTP/1.1\r\nhost: registry\r\nconnection: close\r\ncontent-type: application/json\r\n\
         accept: application/json\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_logs_everything_leaves_no_sealed_value_in_its_files() {
    let (app, seed) = App::school().await;
    let marks = long(&sealed(&Truth::of(&app).await));
    let account = app.registrar(seed.schools[0].id).account().await;
    let home = TempDir::new().unwrap();
    let program = Program::on(&app.place().url, &["--log-filter", "trace"]);
    let mut command = serve(home.path(), program.args());
    command.env("TMPDIR", home.path()).env("SQLITE_TMPDIR", home.path());
    command.stdout(std::fs::File::create(home.path().join("out")).unwrap());
    let server = Running::of(command);
    let document =
        "{ students { nodes { phone idNumber currentAddress guardians { nodes { phone } } } } }";
    let answer = post(&server, &program.token(account), document).await;
    let told = found(answer.as_bytes(), &marks).len();
    assert!(told > 10, "the registrar is told: {answer}");
    for (what, bytes) in files(home.path()) {
        none_in(&what, &bytes, &marks);
    }
    let log = server.log();
    none_in("the log", log.as_bytes(), &marks);
    assert!(log.len() > 500, "the server logs");
}

#[tokio::test]
async fn equal_values_are_found_by_a_hash_that_needs_the_lookup_key() {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let id = app.id("student", seed.first().students[0]);
    let phone: &Value = truth.rows[&id].value("phone");
    let phone = phone.as_str().unwrap();
    let registrar = app.registrar(seed.schools[0].id);
    let find = "query($n: String!) { students(filter: { phone: { eq: $n } }) { nodes { id } } }";
    // Written otherwise, it is the same number.
    for written in [phone.to_owned(), format!("{} {}", &phone[..3], &phone[3..])] {
        let answer = registrar.query(find, json!({ "n": written })).await;
        assert_eq!(answer.texts("/students/nodes", "id"), [id.as_str()]);
    }
    // No hash of the database is one that anybody can work out.
    use sha2::{Digest, Sha256};
    let plain: Vec<String> = [phone.as_bytes(), b"phone\0"]
        .iter()
        .map(|bytes| Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect())
        .collect();
    for (table, text) in dump(app.db()).await {
        assert!(found(text.as_bytes(), &plain).is_empty(), "{table}");
    }
    let other = xueji::store::codec::ClosedCodec::new([3; 32]);
    assert_ne!(app.codec().hash("phone", phone), other.hash("phone", phone));
}
