//! Disclosure control as the policy says it: what its two files may say, and what each way gives a role.

use chrono::TimeDelta;
use serde_json::{Value, json};
use uuid::Uuid;
use xueji::access::policy::{Policy, Source};

use crate::policy_reload::folder;
use crate::support::app::{App, catalogue};
use crate::support::callers::Person;
use crate::support::seed::{Seed, Shape};

const CONTROL: &str = "disclosure_control.csv";
const TABLES: &str = "tables.csv";

/// The shipped policy with another text in one file.
fn with(file: &str, text: &str) -> Source {
    let mut source = Source::shipped();
    source.files.insert(file.to_owned(), text.to_owned());
    source
}

/// The shipped policy with a line changed.
fn changed(from: &str, to: &str) -> Source {
    let mut source = Source::shipped();
    let text = source.files.get_mut(CONTROL).unwrap();
    assert!(text.contains(from), "{from}");
    *text = text.replace(from, to);
    source
}

fn suppressing() -> Source {
    changed("d, analyst, region, perturb, 10", "d, analyst, region, suppress, 10")
}

#[tokio::test]
async fn what_is_wrong_in_either_file_is_refused_with_file_line_and_reason() {
    for (file, lines, words) in [
        (CONTROL, "d, analyst, region, suppress, 4", "a threshold is never under 5"),
        (CONTROL, "d, analyst, region, perturb, -10", "a threshold is never under 5"),
        (CONTROL, "d, analyst, region, suppress", "needs a threshold, 5 or more"),
        (CONTROL, "d, analyst, region, perturb,", "is no threshold; write a number"),
        (CONTROL, "d, analyst, region, perturb, ten", "`ten` is no threshold"),
        (CONTROL, "d, analyst, region, perturb, 99999999999999999999", "is no threshold"),
        (CONTROL, "d, analyst, region, exact, 10", "exact figures have no threshold"),
        (CONTROL, "d, analyst, region, blur, 10", "`blur` is no way"),
        (CONTROL, "d, analist, region, perturb, 10", "there is no role analist"),
        (CONTROL, "d, analyst, class, perturb, 10", "analyst may not be held at class"),
        (CONTROL, "d, analyst, nowhere, perturb, 10", "analyst may not be held at nowhere"),
        (
            CONTROL,
            "d, homeroom_teacher, class, suppress, 10",
            "a snapshot knows schools and regions",
        ),
        (CONTROL, "d, analyst, region", "is not `d, role, reach, way, threshold`"),
        (CONTROL, "p, analyst, region, perturb, 10", "is not `d, role, reach, way, threshold`"),
        (
            CONTROL,
            "d, analyst, region, perturb, 10\nd, analyst, school, suppress, 12",
            "the threshold is 10 above; one for all roles",
        ),
        (
            CONTROL,
            "d, analyst, region, perturb, 10\nd, analyst, region, suppress, 10",
            "a line above already speaks of analyst at region",
        ),
        (TABLES, "t, one, 表, students", "is not `t, name, Chinese name, measure, dimensions`"),
        (TABLES, "d, one, 表, students, gender", "is not `t, name"),
        (TABLES, "t, One table, 表, students, gender", "is no name of a table"),
        (TABLES, "t, , 表, students, gender", "is no name of a table"),
        (TABLES, "t, one, , students, gender", "has no Chinese name"),
        (TABLES, "t, one, 表, pupils, gender", "`pupils` is no measure"),
        (TABLES, "t, one, 表, students, shoes", "`shoes` is no dimension of this measure"),
        (TABLES, "t, one, 表, students, programme", "`programme` is no dimension of this measure"),
        (TABLES, "t, one, 表, aid_amount, gender", "`gender` is no dimension of this measure"),
        (TABLES, "t, one, 表, students, gender gender", "gender is named twice"),
        (TABLES, "t, one, 表, students, gender stage status boarding", "at most 3 dimensions"),
        (
            TABLES,
            "t, one, 表, students, gender\nt, one, 表, students, stage",
            "the table one is already declared above",
        ),
    ] {
        let text = format!("# A line above.\n{lines}\n");
        let line = u32::try_from(text.lines().count()).unwrap();
        let problems = Policy::compile(with(file, &text), &catalogue()).await.unwrap_err();
        let found = problems.0.iter().any(|problem| {
            problem.file == file && problem.line == Some(line) && problem.why.contains(words)
        });
        assert!(found, "{lines}: {file}:{line} `{words}` in {problems}");
    }
    // What is missing has a file and no line.
    let silent = changed("d, analyst, region, perturb, 10\n", "");
    let problems = Policy::compile(silent, &catalogue()).await.unwrap_err();
    let [problem] = problems.0.as_slice() else { panic!("{problems}") };
    assert_eq!((problem.file.as_str(), problem.line), (CONTROL, None));
    assert!(problem.why.contains("no line speaks of analyst/region, which may count"), "{problem}");
    assert!(problem.why.contains("d, analyst, region, exact"), "{problem}");
    // A role that inherits another's lines inherits its way, and needs none.
    let heirs = changed("d, reviewer, school, exact\n", "");
    let problems = Policy::compile(heirs, &catalogue()).await.unwrap_err();
    let of: Vec<_> = ["reviewer", "principal", "vice_principal"]
        .into_iter()
        .filter(|role| {
            problems.0.iter().any(|problem| problem.why.contains(&format!("{role}/school")))
        })
        .collect();
    assert_eq!(of, ["reviewer", "principal", "vice_principal"], "{problems}");
}

#[test]
fn the_command_names_file_and_line_as_well() {
    let mine = folder();
    for (file, line, part) in [
        (CONTROL, "d, analyst, region, suppress, 4\n", "a line above already speaks of analyst"),
        (TABLES, "t, students_by_gender, 表, students, stage\n", "is already declared above"),
    ] {
        let path = mine.path().join(file);
        let good = std::fs::read_to_string(&path).unwrap();
        let number = good.lines().count() + 1;
        std::fs::write(&path, format!("{good}{line}")).unwrap();
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_xueji"))
            .env_clear()
            .args(["policy", "check", "--policies", mine.path().to_str().unwrap()])
            .output()
            .unwrap();
        std::fs::write(&path, good).unwrap();
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8(text).unwrap();
        assert!(!output.status.success(), "{text}");
        assert!(text.contains(&format!("{file}:{number}")) && text.contains(part), "{text}");
    }
}

const FREE: [&str; 4] = [
    "{ studentCounts(groupBy: [GENDER]) { total } }",
    "{ scoreStatistics(groupBy: [COURSE]) { total } }",
    "{ attendanceRates(period: DAY, groupBy: [], from: \"2026-11-09\", until: \"2026-11-10\") { total } }",
    "{ aidCoverage(groupBy: [PROGRAMME]) { total } }",
];

const TABLE: &str = "query($n: String!, $s: ID) { declaredTable(name: $n, snapshotId: $s) { threshold \
     snapshot { id name } table { name } cells { level place { name } withheld count amount keys { dimension value } } } }";

/// The places of a table's cells.
fn places(table: &Value) -> Vec<(String, Option<String>)> {
    let mut out: Vec<_> = table["cells"]
        .as_array()
        .unwrap()
        .iter()
        .map(|cell| {
            let name = cell["place"]["name"].as_str().map(str::to_owned);
            (cell["level"].as_str().unwrap().to_owned(), name)
        })
        .collect();
    out.sort();
    out.dedup();
    out
}

fn place(level: &str, name: &str) -> (String, Option<String>) {
    (level.to_owned(), (!name.is_empty()).then(|| name.to_owned()))
}

async fn table(
    person: &Person<'_>,
    name: &str,
    snapshot: Option<&str>,
) -> crate::support::answer::Answer {
    person.query(TABLE, json!({ "n": name, "s": snapshot })).await
}

async fn suppressed() -> (App, Seed) {
    let app = App::under(suppressing()).await;
    let seed = app.plant(Shape { classes: 2, students: 30 }).await;
    app.snapshot("census").await;
    (app, seed)
}

#[tokio::test]
async fn who_is_given_tables_asks_no_free_question() {
    let (app, seed) = suppressed().await;
    let region = app.analyst(seed.city);
    for document in FREE {
        let (answer, statements) = region.counted(document, json!({})).await;
        assert_eq!(answer.code(), "RULE_REFUSED", "{}", answer.text);
        assert_eq!(answer.error()["extensions"]["rule"], "DECLARED_TABLES_ONLY");
        assert!(answer.message().contains("declaredTables"), "{}", answer.text);
        assert_eq!(statements, 0, "refused before any statement: {document}");
    }
    let chinese = app.analyst(seed.city).in_chinese().ask(FREE[0]).await;
    assert!(chinese.message().contains("只能查阅已发布的统计表"), "{}", chinese.text);
    // The same role at a school is answered freely: the line speaks of the reach.
    assert_eq!(app.school_analyst(seed.schools[0].id).ask(FREE[0]).await.code(), "");
    // It has the tables, exact or withheld, with the threshold and the snapshot.
    let names = region.ask("{ declaredTables { name title dimensions } }").await;
    let names = names.texts("/declaredTables", "name");
    let wanted =
        ["students_by_gender", "students_by_boarding", "left_behind_children", "aid_by_programme"];
    assert_eq!(names, wanted);
    for name in names {
        let answer = table(&region, &name, None).await;
        let of = answer.at("/declaredTable");
        assert_eq!((&of["threshold"], &of["snapshot"]["name"]), (&json!(10), &json!("census")));
        for cell in of["cells"].as_array().unwrap() {
            let told = !cell["count"].is_null() || !cell["amount"].is_null();
            assert_eq!(cell["withheld"], !told, "{cell}");
            let measure = if name == "aid_by_programme" { "count" } else { "amount" };
            assert!(cell[measure].is_null(), "{cell}");
        }
        assert!(places(of).contains(&place("region", "")), "{name}");
    }
    // All is exact: thirty pupils of each class, and both genders together.
    let answer = table(&region, "students_by_gender", None).await;
    let cells = answer.at("/declaredTable/cells").as_array().unwrap().clone();
    let all = |level: &str| {
        let whole = cells.iter().filter(|cell| {
            cell["level"] == level
                && cell["keys"].as_array().unwrap().iter().all(|key| key["value"].is_null())
        });
        whole.map(|cell| cell["count"].as_i64()).collect::<Vec<_>>()
    };
    assert_eq!(all("region"), [Some(150)]);
    assert_eq!(all("school").into_iter().flatten().sum::<i64>(), 150);
}

#[tokio::test]
async fn without_a_published_table_the_answer_says_so() {
    let app = App::under(suppressing()).await;
    let seed = app.plant(Shape::default()).await;
    let answer = table(&app.analyst(seed.city), "students_by_gender", None).await;
    assert_eq!(answer.code(), "RULE_REFUSED", "{}", answer.text);
    assert_eq!(answer.error()["extensions"]["rule"], "NO_SNAPSHOT");
}

#[tokio::test]
async fn a_table_shows_the_places_that_lie_in_the_reach_as_a_whole() {
    let (app, seed) = suppressed().await;
    let region = place("region", "");
    let (east, west) = (place("county", "东县"), place("county", "西县"));
    let schools = ["第1小学", "第2小学", "第3小学"].map(|name| place("school", name));
    for (person, wanted) in [
        (
            app.analyst(seed.city),
            vec![&region, &east, &west, &schools[0], &schools[1], &schools[2]],
        ),
        (app.analyst(seed.counties[0]), vec![&east, &schools[0], &schools[1]]),
        // The second county has one school: who has the school has all of it.
        (app.analyst(seed.counties[1]), vec![&west, &schools[2]]),
        (app.school_analyst(seed.schools[2].id), vec![&west, &schools[2]]),
        // No total of a county of which there is more than the own school.
        (app.school_analyst(seed.schools[0].id), vec![&schools[0]]),
    ] {
        for name in ["students_by_gender", "left_behind_children", "aid_by_programme"] {
            let answer = table(&person, name, None).await;
            let mut wanted: Vec<_> = wanted.iter().map(|place| (*place).clone()).collect();
            wanted.sort();
            assert_eq!(places(answer.at("/declaredTable")), wanted, "{name}");
        }
    }
    // Who may not count students is refused, with and without a snapshot's id.
    for person in [app.auditor(seed.city), app.administrator(), app.registrar(seed.schools[0].id)] {
        let answer = table(&person, "students_by_gender", None).await;
        assert_eq!(answer.code(), "FORBIDDEN", "{}", answer.text);
        assert_eq!(
            person.ask("{ declaredTables { name } }").await.at("/declaredTables"),
            &json!([])
        );
    }
}

#[tokio::test]
async fn a_snapshot_is_named_by_its_id_and_others_are_not_there() {
    let (app, hand) = App::by_hand().await;
    let seed = app.plant(Shape { classes: 2, students: 30 }).await;
    let city = app.analyst(seed.city);
    let id = |answer: &crate::support::answer::Answer| {
        answer.at("/declaredTable/snapshot/id").as_str().unwrap().to_owned()
    };
    app.snapshot("first").await;
    let first = table(&city, "students_by_gender", None).await;
    let before = first.at("/declaredTable/cells").clone();
    // One without tables, and a later one with others.
    app.snapshot("no tables").await;
    hand.on(TimeDelta::days(40));
    app.plant_more(&seed, &[(0, 0, 0); 12], 5_000, false).await;
    app.snapshot("second").await;
    let second = table(&city, "students_by_gender", None).await;
    assert_eq!(second.at("/declaredTable/snapshot/name"), "second");
    assert_ne!(second.at("/declaredTable/cells"), &before);
    let old = table(&city, "students_by_gender", Some(&id(&first))).await;
    assert_eq!(old.at("/declaredTable/snapshot/name"), "first");
    assert_eq!(old.at("/declaredTable/cells"), &before);
    // Unknown, forged, of one without tables: one and the same answer.
    let without = city.ask(FREE[0].replace("total", "snapshot { id name }").as_str()).await;
    assert_eq!(without.at("/studentCounts/snapshot/name"), "second");
    let all = app.store().snapshots().await.unwrap();
    let untold = all.iter().find(|of| of.name.as_deref() == Some("no tables")).unwrap();
    let mut answers = Vec::new();
    for wrong in [
        Uuid::now_v7().to_string(),
        untold.id.to_string(),
        format!("{} ", id(&first)),
        "1".to_owned(),
        "' OR 1 = 1 --".to_owned(),
        String::new(),
    ] {
        let answer = table(&city, "students_by_gender", Some(&wrong)).await;
        assert_eq!(answer.code(), "NOT_FOUND", "{wrong}: {}", answer.text);
        answers.push(answer.without_request_id());
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert_eq!(table(&city, "shoes", None).await.code(), "NOT_FOUND");
    // The id is no key: another reach sees its own places of that snapshot.
    let county =
        table(&app.analyst(seed.counties[1]), "students_by_gender", Some(&id(&first))).await;
    assert_eq!(county.at("/declaredTable/snapshot/name"), "first");
    assert_eq!(
        places(county.at("/declaredTable")),
        [place("county", "西县"), place("school", "第3小学")]
    );
}

#[tokio::test]
async fn too_many_dimensions_are_refused_before_any_statement() {
    let (app, seed) = App::school().await;
    app.snapshot("census").await;
    let document =
        "{ studentCounts(groupBy: [SCHOOL, STAGE, GENDER, STATUS, BOARDING]) { total } }";
    let exact = app.county_officer(seed.counties[0]);
    let protected = app.analyst(seed.city);
    for person in [&protected, &exact] {
        let (answer, statements) = person.counted(document, json!({})).await;
        assert_eq!(answer.code(), "LIMIT_EXCEEDED", "{}", answer.text);
        assert!(answer.message().contains("at most 4 keys"), "{}", answer.text);
        assert_eq!(statements, 0);
    }
    let chinese = app.analyst(seed.city).in_chinese().ask(document).await;
    assert!(chinese.message().contains("最多 4 个分组条件"), "{}", chinese.text);
    // The same key twice is one key.
    let document = "{ studentCounts(groupBy: [SCHOOL, SCHOOL, STAGE, STAGE, GENDER]) { total } }";
    assert_eq!(protected.ask(document).await.code(), "");
}

#[tokio::test]
async fn an_exact_role_counts_the_rows_it_reads_and_no_others() {
    let (app, seed) = App::school_of(Shape { classes: 2, students: 4 }).await;
    // No snapshot is there: exact figures need none. Small groups are said, for the rows are read.
    let by = "{ studentCounts(groupBy: [SCHOOL]) { groups { school { name } count } total method threshold snapshot { id } } }";
    for (person, wanted, total) in [
        (app.registrar(seed.schools[0].id), vec![("第1小学", 12)], 12),
        (app.registrar(seed.schools[1].id), vec![("第2小学", 4)], 4),
        (app.county_officer(seed.counties[0]), vec![("第1小学", 12), ("第2小学", 4)], 16),
        (app.city_officer(seed.city), vec![("第1小学", 12), ("第2小学", 4), ("第3小学", 4)], 20),
    ] {
        let answer = person.ask(by).await;
        let of = answer.at("/studentCounts");
        let groups: Vec<_> = of["groups"]
            .as_array()
            .unwrap()
            .iter()
            .map(|group| {
                (group["school"]["name"].as_str().unwrap(), group["count"].as_i64().unwrap())
            })
            .collect();
        assert_eq!(groups, wanted);
        assert_eq!((&of["total"], &of["method"]), (&json!(total), &json!("EXACT")));
        assert!(of["snapshot"].is_null() && of["threshold"].is_null(), "{of}");
    }
    // A school outside is counted like one that is not there.
    let filtered = "query($s: [ID!]) { studentCounts(groupBy: [], filter: { schoolIds: $s }) { groups { count } total } }";
    let registrar = app.registrar(seed.schools[0].id);
    let foreign = json!({ "s": [app.id("organisation", seed.schools[1].id)] });
    let nobody = json!({ "s": [app.id("organisation", Uuid::now_v7())] });
    let foreign = registrar.query(filtered, foreign).await;
    assert_eq!(foreign.data(), registrar.query(filtered, nobody).await.data());
    assert_eq!(foreign.at("/studentCounts/groups"), &json!([]));
}
