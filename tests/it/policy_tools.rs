//! The tools of whoever keeps the policy: check, matrix, diff, test, explain, apply, history; and one server on one file.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use chrono::Days;
use tempfile::TempDir;
use xueji::access::caller::Place as Held;
use xueji::access::policy::{Expectations, Policy, Source, diff, explain, page};
use xueji::access::table::{Pair, Reach, Sight};

use crate::policy_reload::{change, folder, hide_phone};
use crate::support::app::{App, catalogue, policy, today};
use crate::support::keys::MASTER;
use crate::support::place::Place;
use crate::support::server::Server;

fn xueji(args: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
    command.env_clear().stdin(Stdio::null()).args(args).output().unwrap()
}

fn said(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    (text(&output.stdout), text(&output.stderr))
}

fn path(folder: &TempDir) -> &str {
    folder.path().to_str().unwrap()
}

#[tokio::test]
async fn the_shipped_policy_meets_every_expectation_and_every_role_and_group_has_one() {
    let policy = policy().await;
    let verdict = Expectations::shipped().hold(&policy, &catalogue());
    let failures: Vec<String> = verdict.failures.iter().map(ToString::to_string).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    assert!(verdict.silent.is_empty(), "no line speaks of {:?}", verdict.silent);
    assert!(verdict.lines >= 400 && verdict.cells >= 4000, "{} {}", verdict.lines, verdict.cells);
    // The folder and the program hold the same expectations.
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("policies/tests");
    let read = Expectations::read(&folder).unwrap().hold(&policy, &catalogue());
    assert_eq!((read.lines, read.cells), (verdict.lines, verdict.cells));
}

#[tokio::test]
async fn an_expectation_that_does_not_hold_names_its_line_and_the_policy_line() {
    let policy = policy().await;
    let hold = |text: &str| {
        let files = [("mine.csv".to_owned(), format!("# mine\n{text}\n"))].into();
        Expectations::of(Source { files }).hold(&policy, &catalogue())
    };
    for (line, part) in [
        (
            "registrar, school, student.id_number, masked",
            "registrar/school sees student.id_number: full (policies/student.csv:",
        ),
        ("homeroom_teacher, class, student.phone, full, none", "uses student.phone: filter"),
        ("homeroom_teacher, class, group identity, hidden", "sees student.id_number: masked"),
        (
            "homeroom_teacher + registrar, class + school, student.id_number, masked",
            "homeroom_teacher/class + registrar/school sees",
        ),
        ("others, -, student.phone, hidden", "student/own sees student.phone: full"),
        ("registrar, school, action policy.reload, may", "may not run it"),
        ("registrar, school, student.nmae, full", "there is no column student.nmae"),
        ("registra, school, student.name, full", "there is no role registra"),
        ("registrar, class, student.name, full", "may not be held at class"),
        ("registrar, school, student.name, blurred", "is no sight"),
        ("registrar, school, student.name, at most full", "holds whatever the policy says"),
        ("registrar, school, student.name, at least hidden", "holds whatever the policy says"),
        ("registrar, school, student.name, full, peek", "`peek` is no use"),
        ("registrar, school, group shoes, full", "there is no column of the group shoes"),
        ("registrar, school", "is not `role, reach, column, sight, uses, purpose`"),
        (
            "county_officer, region, student.phone, masked, none, dropout_return",
            "sees student.phone: full for dropout_return (policies/student.csv:",
        ),
        ("county_officer, region, student.phone, full", "sees student.phone: masked (policies/"),
        (
            "county_officer, region, student.phone, full, none, transfer_review",
            "uses student.phone: filter for transfer_review (policies/student.csv:",
        ),
        ("county_officer, region, student.phone, full, , idle", "there is no purpose idle"),
        (
            "subject_teacher, teaching, student.name, full, , enrolment_check",
            "subject_teacher/teaching may not state enrolment_check",
        ),
        (
            "registrar, school, action identity_number.check, may, , enrolment_check",
            "an action is the same for every purpose",
        ),
        ("others, -, student.id_number, hidden, , enrolment_check", "for enrolment_check"),
        ("registrar, school, student.name, may", "is for actions"),
        ("registrar, school, action policy.reload, full", "is `may` or `may not`"),
    ] {
        let verdict = hold(line);
        let [failure] = verdict.failures.as_slice() else {
            panic!("{line}: {:?}", verdict.failures)
        };
        assert_eq!((failure.file.as_str(), failure.line), ("mine.csv", 2), "{line}");
        assert!(failure.why.contains(part), "{line}: {}", failure.why);
    }
    for good in [
        "registrar, school, student.id_number, full",
        "registrar, school, student.id_number, at least masked",
        "homeroom_teacher, class, group identity, at most masked",
        "guardian + homeroom_teacher, ward + class, student.id_number, full",
        "administrator, anywhere, action policy.reload, may",
        "county_officer, region, student.phone, full, filter, dropout_return",
        "county_officer, region, student.phone, masked, none, rights_request",
        "county_officer + subject_teacher, region + teaching, student.phone, full, , dropout_return",
    ] {
        assert!(hold(good).failures.is_empty(), "{good}: {:?}", hold(good).failures);
    }
}

#[test]
fn check_names_errors_and_warnings_by_kind_file_and_line() {
    let good = folder();
    let output = xueji(&["policy", "check", "--strict", "--policies", path(&good)]);
    assert!(output.status.success(), "the shipped policy has no warning: {:?}", said(&output));
    let line = |folder: &TempDir, file: &str| {
        std::fs::read_to_string(folder.path().join(file)).unwrap().lines().count()
    };
    // Errors: they fail in any case.
    for (file, text, kind, part) in [
        (
            "student.csv",
            "p, student.nmae, registrar, school, full,",
            "unknown",
            "did you mean student.name?",
        ),
        (
            "student.csv",
            "p, student.name, registrar, school, masked,",
            "duplicate",
            "already speaks of this column",
        ),
        (
            "student.csv",
            "p, student.*, registrar, school, full,",
            "wildcard",
            "there are no wildcards",
        ),
        ("student.csv", "p, student.phone, anyone, anywhere, full,", "personal", "is personal"),
        ("student.csv", "p, student.name, -, -, hidden,", "contradiction", "contradicts"),
        (
            "student.csv",
            "p, student.name, analyst, class, full,",
            "unreachable",
            "may not be held at class",
        ),
    ] {
        let wrong = folder();
        let at = line(&wrong, file) + 1;
        let mut whole = std::fs::read_to_string(wrong.path().join(file)).unwrap();
        whole.push_str(&format!("{text}\n"));
        std::fs::write(wrong.path().join(file), whole).unwrap();
        let output = xueji(&["policy", "check", "--policies", path(&wrong)]);
        let (out, _) = said(&output);
        assert!(!output.status.success(), "{text}");
        assert!(out.contains(&format!("error[{kind}] policies/{file}:{at}: ")), "{kind}: {out}");
        assert!(out.contains(part), "{out}");
    }
    // Warnings: they fail with --strict.
    for (file, text, kind, part) in [
        (
            "staff.csv",
            "p, staff.gender, principal, school, full, filter",
            "shadowed",
            "inherits from reviewer/school",
        ),
        (
            "course.csv",
            "p, course.name, registrar, school, full,",
            "unreachable",
            "no row of course is covered at school",
        ),
        (
            "course.csv",
            "p, course.name, auditor, region, hidden, group",
            "unreachable",
            "no figures",
        ),
        (
            "student.csv",
            "p, student.name, analyst, region, full,",
            "scattered",
            "keep them in one block",
        ),
        (
            "roles.csv",
            "r, clerk, 职员, school",
            "unreachable",
            "clerk/school may be held and gives nothing",
        ),
    ] {
        let odd = folder();
        let at = line(&odd, file) + 1;
        let mut whole = std::fs::read_to_string(odd.path().join(file)).unwrap();
        whole.push_str(&format!("{text}\n"));
        std::fs::write(odd.path().join(file), whole).unwrap();
        if file == "roles.csv" {
            // Who gives a role is said of each, also of one that gives nothing.
            let gives = odd.path().join("grants.csv");
            let whole = std::fs::read_to_string(&gives).unwrap() + "nobody, clerk, school\n";
            std::fs::write(gives, whole).unwrap();
        }
        let output = xueji(&["policy", "check", "--policies", path(&odd)]);
        let (out, _) = said(&output);
        assert!(output.status.success(), "{text}: {out}");
        assert!(out.contains(&format!("warning[{kind}] policies/{file}:{at}: ")), "{kind}: {out}");
        assert!(out.contains(part), "{out}");
        let strict = xueji(&["policy", "check", "--strict", "--policies", path(&odd)]);
        assert!(!strict.status.success(), "{text}");
    }
    // A stated reason quiets, and the thresholds can be set.
    let bare = folder();
    change(
        bare.path(),
        "roles.csv",
        "# because collects-much: keeps the register, which is all of it\n",
        "",
    );
    let (out, _) = said(&xueji(&["policy", "check", "--policies", path(&bare)]));
    assert!(
        out.contains("warning[collects-much]") && out.contains("registrar/school sees"),
        "{out}"
    );
    let wide = [
        "policy",
        "check",
        "--most-groups",
        "15",
        "--most-columns",
        "999",
        "--policies",
        path(&bare),
    ];
    assert!(!said(&xueji(&wide)).0.contains("collects-much"));
}

#[tokio::test]
async fn masks_that_other_roles_of_the_same_row_undo_are_refused() {
    let with = |lines: &[(&str, &str)]| {
        let mut source = Source::shipped();
        for (file, line) in lines {
            source.files.get_mut(*file).unwrap().push_str(&format!("{line}\n"));
        }
        source
    };
    // Birth date and sex are in the class teacher's sight already; the division leaves 500 numbers.
    // Another role on the same row is enough.
    let teller = [("student.csv", "p, student.household_place, subject_teacher, teaching, full,")];
    let refused = Policy::compile(with(&teller), &catalogue()).await.unwrap_err().to_string();
    assert!(refused.contains("the mask of student.id_number for"), "{refused}");
    assert!(refused.contains("500 values are left"), "{refused}");
    for part in [
        "student.birth_date",
        "student.gender",
        "student.household_place, which subject_teacher/teaching",
    ] {
        assert!(refused.contains(part), "{part}: {refused}");
    }
    assert!(refused.contains("policies/student.csv:"), "{refused}");
    // The student number holds the identity number; one address tells the other.
    for (file, line, part) in [
        (
            "student_number.csv",
            "p, student_number.number, homeroom_teacher, class, full,",
            "student-status number contains the identity number",
        ),
        (
            "identity_document.csv",
            "p, identity_document.number, homeroom_teacher, class, full,",
            "carries the same number",
        ),
        (
            "student.csv",
            "p, student.postal_code, subject_teacher, teaching, full,",
            "finer than the county",
        ),
        (
            "student.csv",
            "p, student.home_address, subject_teacher, teaching, full,",
            "the same place",
        ),
        (
            "student.csv",
            "p, student.distance_m, subject_teacher, teaching, full,",
            "circle around the school",
        ),
    ] {
        let refused = Policy::compile(with(&[(file, line)]), &catalogue()).await;
        let refused = refused.unwrap_err().to_string();
        assert!(refused.contains(part), "{line}: {refused}");
    }
    // Whoever sees the number in full has no mask to undo.
    let known = [("student.csv", "p, student.blood_group, subject_teacher, teaching, full,")];
    assert!(Policy::compile(with(&known), &catalogue()).await.is_ok());
}

#[tokio::test]
async fn a_policy_that_masks_more_is_a_narrower_one() {
    let old = policy().await;
    let mut source = Source::shipped();
    let text = source.files.get_mut("student.csv").unwrap();
    *text = text
        .replace(
            "p, student.phone, homeroom_teacher, class, full, filter",
            "p, student.phone, homeroom_teacher, class, masked,",
        )
        .replace(
            "p, student.blood_group, registrar, school, full",
            "p, student.blood_group, reviewer, school, full",
        );
    let actions = source.files.get_mut("actions.csv").unwrap();
    *actions = actions.replace(
        "p, attendance.record, homeroom_teacher, class,",
        "p, attendance.record, year_head, year_level,",
    );
    let new = Policy::compile(source, &catalogue()).await.unwrap();
    let changes: Vec<String> =
        diff(&old, &new, &catalogue()).iter().map(ToString::to_string).collect();
    for wanted in [
        "narrowed homeroom_teacher/class student.phone: full filter -> masked",
        "added    principal/school student.blood_group: nothing -> full",
        "added    reviewer/school student.blood_group: nothing -> full",
        "removed  registrar/school student.blood_group: full",
        "removed  homeroom_teacher/class action attendance.record: may, 5 columns -> may not",
        "added    year_head/year_level action attendance.record: may not -> may, 5 columns",
    ] {
        assert!(
            changes.iter().any(|change| change.starts_with(wanted)),
            "{wanted} in {changes:#?}"
        );
    }
    assert!(diff(&old, &old, &catalogue()).is_empty());
}

#[tokio::test]
async fn what_is_shown_for_a_purpose_alone_is_a_difference_too() {
    let old = policy().await;
    let mut source = Source::shipped();
    let text = source.files.get_mut("student.csv").unwrap();
    let line =
        "p, student.phone, county_officer, region, full, filter, dropout_return transfer_review";
    let less = "p, student.phone, county_officer, region, full, filter, dropout_return";
    assert!(text.contains(line));
    *text = text.replace(line, less);
    let new = Policy::compile(source, &catalogue()).await.unwrap();
    let said = |old: &Policy, new: &Policy| -> Vec<String> {
        diff(old, new, &catalogue()).iter().map(ToString::to_string).collect()
    };
    let officers = ["city_officer", "county_officer", "province_officer"];
    let narrowed = officers.map(|role| {
        format!("narrowed {role}/region student.phone for transfer_review: full filter -> masked")
    });
    let mut found = said(&old, &new);
    found.sort();
    assert_eq!(found, narrowed);
    let widened = officers.map(|role| {
        format!("widened  {role}/region student.phone for transfer_review: masked -> full filter")
    });
    let mut found = said(&new, &old);
    found.sort();
    assert_eq!(found, widened);
}

/// The numbers of a difference are those of the lists that the same people read.
#[tokio::test(flavor = "multi_thread")]
async fn a_difference_counts_the_accounts_and_students_it_touches() {
    let (app, seed) = App::school().await;
    let (one, two) = (app.homeroom_teacher(seed.first().id), app.homeroom_teacher(seed.first().id));
    let school = app.registrar(seed.schools[0].id);
    let guardian = app.guardian(seed.first().students[0]);
    let region = app.stranger().and(
        "county_officer",
        Reach::Region,
        Held::Organisation(seed.counties[0].uuid()),
    );
    let total = "{ students { totalCount } }";
    for (role, reach, people) in [
        ("homeroom_teacher", Reach::Class, vec![&one, &two]),
        ("registrar", Reach::School, vec![&school]),
        ("guardian", Reach::Ward, vec![&guardian]),
        ("county_officer", Reach::Region, vec![&region]),
    ] {
        let mut seen = 0;
        for person in &people {
            seen = person.ask(total).await.at("/students/totalCount").as_i64().unwrap();
        }
        let before = app.store().statements();
        let reached = app.store().reached(Some(role), reach, today()).await.unwrap();
        assert_eq!(app.store().statements() - before, 2, "two statements for a pair");
        assert!(reached.students > 0);
        assert_eq!(reached.students, seen, "{role}");
        assert_eq!(reached.accounts, i64::try_from(people.len()).unwrap(), "{role}");
    }
    // Nobody holds it, and nobody is touched; an ended grant counts no more.
    let none = app.store().reached(Some("year_head"), Reach::YearLevel, today()).await.unwrap();
    assert_eq!((none.accounts, none.students), (0, 0));
    let tomorrow = today().checked_add_days(Days::new(1)).unwrap();
    let later = app.store().reached(Some("registrar"), Reach::School, tomorrow).await.unwrap();
    assert_eq!(later.accounts, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_are_applied_listed_and_compared_by_number() {
    let place = Place::migrated().await;
    let url = place.url.as_str();
    let apply = |args: &[&str]| {
        let mut all = vec!["policy", "apply", "--master-key", MASTER, "--database-url", url];
        all.extend(args);
        xueji(&all)
    };
    let (out, err) = said(&apply(&["--shipped"]));
    assert!(out.starts_with("policy 1:") && out.contains("published"), "{out}{err}");
    let (out, _) = said(&apply(&["--shipped"]));
    assert!(out.contains("in force already"), "{out}");
    let mine = folder();
    hide_phone(mine.path());
    let (out, _) = said(&apply(&["--policies", path(&mine)]));
    assert!(out.starts_with("policy 2:"), "{out}");
    change(mine.path(), "student.csv", "p, student.name, registrar", "p, student.name, registra");
    let refused = apply(&["--policies", path(&mine)]);
    assert!(!refused.status.success() && said(&refused).1.contains("did you mean registrar?"));
    assert!(!apply(&[]).status.success(), "nothing is published by mistake");
    let (out, _) = said(&xueji(&["policy", "history", "--database-url", url]));
    assert!(out.contains("2 versions") && out.contains("by command"), "{out}");
    assert!(out.lines().next().unwrap().trim_start().starts_with('2'), "the newest first: {out}");

    let (out, err) = said(&xueji(&["policy", "diff", "1", "2", "--database-url", url]));
    assert!(out.contains("removed  homeroom_teacher/class student.phone: full filter -> nothing  [0 accounts, 0 students]"), "{out}{err}");
    assert!(out.contains("1 changes from"), "{out}");
    let (out, _) = said(&xueji(&["policy", "diff", "shipped", "shipped"]));
    assert!(out.starts_with("0 changes"), "{out}");
    let wrong = xueji(&["policy", "diff", "1", "2"]);
    assert!(!wrong.status.success() && said(&wrong).1.contains("--database-url"));
    let gone = xueji(&["policy", "diff", "1", "77", "--database-url", url]);
    assert!(said(&gone).1.contains("no published version 77"));
}

#[tokio::test]
async fn an_explanation_names_the_lines_that_spoke_and_the_one_that_won() {
    let policy = policy().await;
    let index = catalogue().index();
    let pair = |role: &str, reach| Pair { role: policy.roles.id(role).unwrap(), reach };
    let principal = [pair("principal", Reach::School)];
    let explained =
        explain(&policy, &catalogue(), &principal, index["student.id_number"], None).unwrap();
    assert_eq!(explained.sight, Sight::Masked);
    let [line] = explained.spoken.as_slice() else { panic!("{explained}") };
    assert_eq!(line.through, ["principal", "reviewer"], "inherited");
    assert!(line.won && line.rule.text.contains("reviewer"), "{line:?}");
    // The same line as the table's own answer.
    let plan = policy.table.plan(&principal);
    assert_eq!(
        plan.rule(index["student.id_number"]).and_then(|rule| policy.table.rule(rule)),
        Some(&line.rule)
    );

    let both = [pair("homeroom_teacher", Reach::Class), pair("guardian", Reach::Ward)];
    let explained =
        explain(&policy, &catalogue(), &both, index["student.id_number"], None).unwrap();
    assert_eq!((explained.sight, explained.spoken.len()), (Sight::Full, 2));
    assert!(explained.spoken[0].won && explained.spoken[0].to == "guardian/ward");
    assert!(!explained.spoken[1].won);
    let text = explained.to_string();
    for part in ["full", "完整可见", "won / 生效", "spoke / 涉及", "policies/student.csv:"]
    {
        assert!(text.contains(part), "{part}: {text}");
    }
    let silent = explain(
        &policy,
        &catalogue(),
        &[pair("subject_teacher", Reach::Teaching)],
        index["student.id_number"],
        None,
    );
    assert!(silent.unwrap().to_string().contains("hidden by default"));
    let computed =
        explain(&policy, &catalogue(), &principal, index["student.exam_total"], None).unwrap();
    assert_eq!(computed.sources.first().map(|(name, _)| name.as_str()), Some("score.value"));

    let output = xueji(&[
        "policy",
        "explain",
        "--role",
        "homeroom_teacher",
        "--reach",
        "class",
        "--column",
        "student.id_number",
        "--with",
        "guardian@ward",
    ]);
    assert!(
        said(&output)
            .0
            .starts_with("homeroom_teacher/class + guardian/ward sees student.id_number: full"),
        "{:?}",
        said(&output)
    );
    for (flag, value, part) in [
        ("--role", "nobody", "no role nobody"),
        ("--reach", "moon", "is no reach"),
        ("--column", "a.b", "no column a.b"),
    ] {
        let mut args = vec![
            "policy",
            "explain",
            "--role",
            "registrar",
            "--reach",
            "school",
            "--column",
            "student.name",
        ];
        let at = args.iter().position(|arg| *arg == flag).unwrap();
        args[at + 1] = value;
        assert!(said(&xueji(&args)).1.contains(part), "{part}");
    }
}

#[tokio::test]
async fn the_page_holds_every_cell_and_needs_nothing_else() {
    let policy = policy().await;
    let catalogue = catalogue();
    let labels = [("student.name".to_owned(), "A <b>name</b> & \"more\"".to_owned())].into();
    let text = page(&policy, &catalogue, &labels);
    let cells = text.matches("<td ").count();
    let rows = catalogue.coordinates.len() + catalogue.actions.len();
    assert_eq!(cells, rows * policy.table.pairs().len(), "every cell");
    assert_eq!(text.matches("<tr data-group").count(), rows, "every row");
    for coordinate in &catalogue.coordinates {
        assert!(text.contains(&format!("<small>{}", coordinate.name())), "{}", coordinate.name());
    }
    for (_, role) in policy.roles.iter() {
        assert!(text.contains(&role.chinese), "{}", role.chinese);
    }
    for outside in
        ["http://", "https://", "<script src", "<link", "@import", "url(", "<img", "fetch("]
    {
        assert!(!text.contains(outside), "{outside}");
    }
    assert!(
        text.contains("A &lt;b&gt;name&lt;/b&gt; &amp; &quot;more&quot;"),
        "labels are escaped"
    );
    assert!(!text.contains("<b>name</b>"));
    for part in [
        "@media print",
        "type=\"search\"",
        "name=\"role\"",
        "name=\"group\"",
        "身份证件号",
        "完整可见",
    ] {
        assert!(text.contains(part), "{part}");
    }
    // A masked cell is one, with its line.
    assert!(
        text.contains("title=\"homeroom_teacher/class · student.id_number: masked"),
        "the title"
    );
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("policy.html");
    assert!(xueji(&["policy", "matrix", "--html", file.to_str().unwrap()]).status.success());
    assert!(std::fs::read_to_string(file).unwrap().contains("Date of birth"));
}

#[test]
fn the_test_command_fails_with_the_line_and_drafts_what_holds() {
    let mine = folder();
    let tests = mine.path().join("tests");
    std::fs::create_dir(&tests).unwrap();
    let draft = said(&xueji(&["policy", "test", "--draft", "--policies", path(&mine)])).0;
    std::fs::write(tests.join("draft.csv"), &draft).unwrap();
    let output = xueji(&["policy", "test", "--policies", path(&mine)]);
    assert!(output.status.success(), "{:?}", said(&output));
    std::fs::write(tests.join("more.csv"), "registrar, school, student.name, masked\n").unwrap();
    let output = xueji(&["policy", "test", "--policies", path(&mine)]);
    let (out, err) = said(&output);
    assert!(!output.status.success(), "{out}");
    assert!(
        out.contains("tests/more.csv:1: registrar, school, student.name, masked"),
        "{out}{err}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_follows_commands_and_its_own_files_on_a_signal() {
    let (home, place) = (TempDir::new().unwrap(), Place::migrated().await);
    let (mine, other) = (folder(), folder());
    hide_phone(other.path());
    let server = Server::start(home.path(), &place.url, &mine, &[]);
    server.until("/readyz", "\"policy\":\"ok\"").await;
    server.until("/metrics", "xueji_policy_version 1\n").await;
    let url = place.url.as_str();
    let applied = xueji(&[
        "policy",
        "apply",
        "--master-key",
        MASTER,
        "--database-url",
        url,
        "--policies",
        path(&other),
    ]);
    assert!(applied.status.success(), "{:?}", said(&applied));
    server.until("/metrics", "xueji_policy_version 2\n").await;
    // The signal says: these files, although they are older.
    server.signal("-HUP");
    server.until("/metrics", "xueji_policy_version 3\n").await;
    let (out, _) = said(&xueji(&["policy", "history", "--database-url", url]));
    for by in ["by start", "by command", "by signal"] {
        assert!(out.contains(by), "{by}: {out}");
    }
    // A signal with a mistake in the files ends nothing.
    change(mine.path(), "course.csv", "p, course.name", "p, course.nmae");
    server.signal("-HUP");
    server.until("/metrics", "xueji_policy_refused 1\n").await;
    server.until("/readyz", "policies/course.csv:").await;
    assert!(server.get("/readyz").starts_with("HTTP/1.1 200"));

    // One server on one file; on PostgreSQL a second one is welcome.
    if place.on_server().is_none() {
        let second = TempDir::new().unwrap();
        let fine = folder();
        let mut args = crate::support::process::settings(second.path(), url);
        args.extend(["--policies".to_owned(), path(&fine).to_owned()]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_xueji"));
        let output = command.env_clear().stdin(Stdio::null()).arg("serve").args(args).output();
        let output = output.unwrap();
        assert_eq!(output.status.code(), Some(1));
        assert!(said(&output).1.contains("is served by another process"), "{:?}", said(&output));
    } else {
        let (second, fine) = (TempDir::new().unwrap(), folder());
        let beside = Server::start(second.path(), url, &fine, &[]);
        beside.until("/readyz", "\"policy\":\"ok\"").await;
    }
}
