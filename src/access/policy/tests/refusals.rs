//! Every refusal, by file, line and reason, on a small policy.

use crate::access::catalogue::{Catalogue, Class, Coordinate, Group};
use crate::access::policy::roles::Roles;
use crate::access::policy::tests::{Tested, pair, sight};
use crate::access::policy::{Policy, Problem, Problems, Report, Source, check};
use crate::access::table::{Pair, Reach, RoleId, Sight, Uses};

fn small_catalogue() -> Catalogue {
    let column = |noun, field, group, mask: Option<&'static str>| Coordinate {
        noun,
        field,
        group,
        class: Class::Column,
        sealed: matches!(group, Group::Identity),
        text: mask.is_some(),
        mask,
    };
    Catalogue {
        coordinates: vec![
            column("student", "name", Group::Directory, Some("name")),
            column("student", "id_number", Group::Identity, Some("id_number")),
            column("student", "birth_date", Group::Demographic, None),
            column("student", "secret", Group::Narrative, Some("narrative")),
            Coordinate {
                class: Class::Derived(&["student.birth_date", "student.secret"]),
                ..column("student", "age", Group::Demographic, None)
            },
            column("student", "postal_code", Group::Address, Some("postal_code")),
            column("student", "name_pinyin", Group::Directory, None),
            column("course", "name", Group::Organisation, None),
        ],
        actions: vec!["student.update"],
        ..Catalogue::default()
    }
}

fn small() -> Source {
    let mut source = Source::default();
    for (name, text) in [
        ("model.conf", include_str!("../../../../policies/model.conf")),
        ("roles.csv", "r, teacher, 教师, class\nr, head, 校长, class school\ng, head, teacher\n"),
        (
            "student.csv",
            "# The students.\n\
             p, student.name, teacher, class, full, filter search sort\n\
             p, student.id_number, teacher, class, masked,\n\
             p, student.birth_date, teacher, class, full, filter sort export\n\
             p, student.secret, -, -, hidden,\n\
             p, student.postal_code, head, school, full\n\
             p, student.name_pinyin, teacher, class, full,\n",
        ),
        ("course.csv", "p, course.name, anyone, anywhere, full, filter sort group\n"),
        ("actions.csv", "p, student.update, head, school, name birth_date\n"),
    ] {
        source.files.insert(name.to_owned(), text.to_owned());
    }
    source
}

/// Adds a line to a file; the problems that follow.
async fn with_line(file: &str, line: &str) -> Vec<Problem> {
    let mut source = small();
    source.files.entry(file.to_owned()).or_default().push_str(&format!("{line}\n"));
    check(source, &small_catalogue()).await.problems
}

/// Replaces text in a file; the problems that follow.
async fn with_change(file: &str, from: &str, to: &str) -> Vec<Problem> {
    let mut source = small();
    if let Some(text) = source.files.get_mut(file) {
        assert!(text.contains(from), "{file} has no {from}");
        *text = text.replace(from, to);
    }
    check(source, &small_catalogue()).await.problems
}

#[track_caller]
fn assert_refused(problems: &[Problem], file: &str, line: Option<u32>, words: &str) {
    let found = problems
        .iter()
        .any(|problem| problem.file == file && problem.line == line && problem.why.contains(words));
    assert!(found, "no problem {file}:{line:?} `{words}` among {problems:#?}");
}

#[tokio::test]
async fn a_line_may_ask_for_purposes_that_are_named() -> Tested {
    let mut source = small();
    source.files.insert(
        "purposes.csv".to_owned(),
        "u, care, care, 照护\nu, case, a case, 办案\n".to_owned(),
    );
    let text = source.files.get_mut("student.csv").ok_or("no file")?;
    text.push_str("p, student.id_number, teacher, class, full, filter, care\n");
    text.push_str("p, student.birth_date, head, school, full, sort, care case\n");
    let catalogue = small_catalogue();
    let policy = Policy::compile(source.clone(), &catalogue).await?;
    let index = catalogue.index();
    let (number, birth) = (index["student.id_number"], index["student.birth_date"]);
    let [teacher, head] = [("teacher", Reach::Class), ("head", Reach::School)]
        .map(|(role, reach)| pair(&policy, role, reach));
    let (teacher, head) = (teacher?, head?);
    let of = |code: &str, pair, field| {
        policy.table_for(policy.purposes.id(code)).cell(pair, field).uses.sight()
    };
    assert_eq!(policy.table.cell(teacher, number).uses.sight(), Sight::Masked);
    assert_eq!(of("care", teacher, number), Sight::Full);
    assert_eq!(of("case", teacher, number), Sight::Masked);
    assert_eq!(policy.table.cell(head, birth).uses.sight(), Sight::Hidden);
    assert_eq!(of("care", head, birth), Sight::Full);
    assert_eq!(of("case", head, birth), Sight::Full);
    // What another purpose would show is known, what none would is not.
    let plan = policy.table.plan(&[Pair::ANYONE, teacher]);
    assert!(plan.needs_purpose(number) && !plan.needs_purpose(birth));
    let plan = policy.table_for(policy.purposes.id("care")).plan(&[teacher]);
    assert!(!plan.needs_purpose(number));
    let plan = policy.table_for(policy.purposes.id("case")).plan(&[teacher]);
    assert!(plan.needs_purpose(number));
    // A computed field follows its sources, purpose by purpose, and rows come into being with them.
    let student = policy.table.noun("student").ok_or("no student")?;
    assert!(policy.table_for(policy.purposes.id("case")).rows(head, student));
    Ok(())
}

#[rstest::rstest]
#[case("p, student.birth_date, head, school, full, , cure", "there is no purpose cure")]
#[case("p, student.birth_date, head, school, full, , care care", "is named twice")]
#[case("p, student.id_number, teacher, class, masked, , case", "")]
#[case("p, student.id_number, teacher, class, full, filter, care", "line 8 already speaks of this")]
#[case("p, student.secret, -, -, hidden, , care", "nobody reads the column")]
#[case("p, student.birth_date, head, school, full, reveal", "is not masked here")]
#[tokio::test]
async fn wrong_purposes_are_refused(#[case] line: &str, #[case] words: &str) {
    let mut source = small();
    source.files.insert(
        "purposes.csv".to_owned(),
        "u, care, care, 照护\nu, case, a case, 办案\n".to_owned(),
    );
    let text = source.files.entry("student.csv".to_owned()).or_default();
    text.push_str("p, student.id_number, teacher, class, full, export, care\n");
    text.push_str(&format!("{line}\n"));
    let problems = check(source, &small_catalogue()).await.problems;
    if words.is_empty() {
        assert!(problems.is_empty(), "{problems:#?}");
    } else {
        assert_refused(&problems, "student.csv", Some(9), words);
    }
}

#[tokio::test]
async fn a_purpose_that_nobody_of_the_line_may_state_is_refused() -> Tested {
    let with = |line: &str| {
        let mut source = small();
        let text = source.files.entry("roles.csv".to_owned()).or_default();
        text.push_str("r, clerk, 文员, school\n");
        source.files.insert(
            "purposes.csv".to_owned(),
            "u, care, care, 照护, teacher\nu, audit, audit, 审计, head\nu, any, any, 任何,\n"
                .to_owned(),
        );
        let text = source.files.entry("student.csv".to_owned()).or_default();
        text.push_str(&format!("{line}\n"));
        source
    };
    for (line, words) in [
        (
            "p, student.id_number, clerk, school, full, , care",
            "clerk may not state the purpose care",
        ),
        (
            "p, student.id_number, clerk, school, full, , any audit",
            "clerk may not state the purpose audit",
        ),
        // The head has the teacher's lines and may state it for both.
        ("p, student.id_number, teacher, class, full, , audit", ""),
        ("p, student.id_number, head, school, full, , care", ""),
        ("p, student.id_number, clerk, school, full, , any", ""),
    ] {
        let problems = check(with(line), &small_catalogue()).await.problems;
        if words.is_empty() {
            assert!(problems.is_empty(), "{line}: {problems:#?}");
        } else {
            assert_refused(&problems, "student.csv", Some(8), words);
        }
    }
    let policy = Policy::compile(
        with("p, student.id_number, head, school, full, , care"),
        &small_catalogue(),
    )
    .await?;
    let may = |code: &str, role: &str| {
        let purpose = policy.purposes.id(code).and_then(|id| policy.purposes.get(id));
        purpose.zip(policy.roles.id(role)).map(|(it, role)| it.may_state(&policy.roles, role))
    };
    assert_eq!(may("care", "teacher"), Some(true));
    assert_eq!(may("care", "head"), Some(true), "with what it inherits");
    assert_eq!(may("care", "clerk"), Some(false));
    assert_eq!(may("audit", "teacher"), Some(false), "heirs may more, ancestors do not");
    assert_eq!(may("any", "clerk"), Some(true));
    Ok(())
}

#[rstest::rstest]
#[case("u, Care, care, 照护", "is no code")]
#[case("u, care, care, ", "needs a name")]
#[case("u, care", "is not `u, code")]
#[case("u, care, care, 照护, techer", "there is no role techer; did you mean teacher")]
#[case("u, care, care, 照护, teacher teacher", "is named twice")]
#[tokio::test]
async fn wrong_names_of_purposes_are_refused(#[case] line: &str, #[case] words: &str) {
    assert_refused(&with_line("purposes.csv", line).await, "purposes.csv", Some(1), words);
}

#[tokio::test]
async fn wrong_column_lines_are_refused() {
    assert_eq!(check(small(), &small_catalogue()).await.problems, Vec::new());
    for (line, words) in [
        ("p, student.shoe_size, head, school, full,", "no column student.shoe_size"),
        ("p, course.name, head, school, full,", "belongs into course.csv"),
        ("p, student.name, janitor, school, full,", "no role janitor"),
        ("p, student.name, head, village, full,", "`village` is no reach"),
        ("p, student.name, teacher, school, full,", "may not be held at school, only at class"),
        ("p, student.name, head, school, blurred,", "`blurred` is no sight"),
        ("p, student.name, head, school, full, peek", "`peek` is no use"),
        ("p, student.name, head, school, full, full", "`full` is no use"),
        ("p, student.name, head, school, full, write", "granted by action"),
        ("p, student.name, head, school, full, sort sort", "named twice"),
        ("p, student.name, head, school", "is not `p, column, role, reach, sight, uses, purposes`"),
        (
            "p, student.name, head, school, full, sort, , filter",
            "is not `p, column, role, reach, sight, uses, purposes`",
        ),
        (
            "q, student.name, head, school, full,",
            "is not `p, column, role, reach, sight, uses, purposes`",
        ),
        ("p, student.*, head, school, full,", "no wildcards"),
        ("p, student.name, *, school, full,", "no wildcards"),
        ("p, student.name, head, school, full, *", "no wildcards"),
        ("p, student.name, teacher, class, full, filter search sort", "line 2 already speaks"),
        ("p, student.name, teacher, class, masked,", "line 2 already speaks"),
        ("p, student.name, -, -, hidden,", "contradicts"),
        ("p, student.secret, head, school, full,", "contradicts"),
        ("p, student.secret, -, -, hidden,", "line 5 already speaks"),
        ("p, student.name, -, -, full,", "nobody reads the column"),
        ("p, student.birth_date, head, school, masked,", "is no text"),
        (
            "p, student.age, head, school, full,",
            "is computed from student.birth_date, student.secret",
        ),
        ("p, student.name, anyone, anywhere, full,", "is personal"),
        ("p, student.name, head, school, masked, filter", "behind the mask"),
        ("p, student.name, head, school, masked, sort", "behind the mask"),
        ("p, student.name, head, school, hidden, search", "needs rows"),
        ("p, student.name, head, school, hidden, export", "needs rows"),
        ("p, student.name, head, school, hidden,", "takes nothing away"),
        ("p, student.name, head, school, full, match", "no keyed hash"),
        ("p, student.id_number, head, school, full, sort", "equality alone"),
        ("p, student.id_number, head, school, full, group", "equality alone"),
        ("p, student.id_number, head, school, full, search", "equality alone"),
        ("p, student.id_number, head, school, full, aggregate", "equality alone"),
        ("p, student.postal_code, head, class, full, sort", "equality alone"),
    ] {
        assert_refused(&with_line("student.csv", line).await, "student.csv", Some(8), words);
    }
    assert_refused(
        &with_line("ghost.csv", "p, ghost.x, head, school, full,").await,
        "ghost.csv",
        None,
        "no noun ghost",
    );
}

#[tokio::test]
async fn wrong_roles_are_refused() {
    for (line, words) in [
        ("r, head, 校长, school", "already named"),
        ("r, anyone, 人, anywhere", "needs no line"),
        ("r, role:x, 人, school", "is no role name"),
        ("r, clerk, 职员, office", "`office` is no reach"),
        ("r, clerk, 职员,", "at least one reach"),
        ("r, clerk, 职员, school school", "named twice"),
        ("r, clerk", "is neither"),
        ("g, head, ghost", "the role ghost is unknown"),
        ("g, teacher, head", "inherit from itself"),
        ("g, head, head", "inherit from itself"),
        ("g, head, teacher", "already inherits"),
        ("g, head, anyone", "neither inherits nor is inherited"),
    ] {
        assert_refused(&with_line("roles.csv", line).await, "roles.csv", Some(4), words);
    }
    assert_refused(
        &with_line("roles.csv", "r, ward, 监护, ward\ng, head, ward").await,
        "roles.csv",
        Some(5),
        "share no reach",
    );
    let named: String = (0..=10).map(|number| format!("r, r{number}, 角色, school\n")).collect();
    let linked = |links: usize| {
        (0..links).map(|number| format!("g, r{number}, r{}\n", number + 1)).collect::<String>()
    };
    assert_eq!(with_line("roles.csv", &format!("{named}{}", linked(9))).await, Vec::new());
    assert_refused(
        &with_line("roles.csv", &format!("{named}{}", linked(10))).await,
        "roles.csv",
        Some(24),
        "10 links",
    );
}

/// Nine links still match: the longest chain that is accepted is one that casbin follows.
#[tokio::test]
async fn the_longest_chain_inherits() -> Tested {
    let mut source = small();
    let roles: String = (0..=9).map(|number| format!("r, r{number}, 角色, class\n")).collect();
    let links: String = (0..8).map(|number| format!("g, r{number}, r{}\n", number + 1)).collect();
    source
        .files
        .entry("roles.csv".to_owned())
        .or_default()
        .push_str(&format!("{roles}{links}g, r8, teacher\n"));
    let catalogue = small_catalogue();
    let policy = Policy::compile(source, &catalogue).await?;
    assert_eq!(
        sight(&policy, &catalogue, &[pair(&policy, "r0", Reach::Class)?], "student.name")?,
        Sight::Full
    );
    Ok(())
}

#[tokio::test]
async fn wrong_action_lines_are_refused() {
    for (line, words) in [
        ("p, student.teleport, head, school, name", "no action student.teleport"),
        ("p, student.update, head, school, name", "line 1 already speaks"),
        ("p, student.update, teacher, school, name", "may not be held at school"),
        ("p, student.update, teacher, class, shoe_size", "no column student.shoe_size"),
        ("p, student.update, teacher, class, age", "is computed"),
        ("p, student.update, teacher, class, name student.name", "named twice"),
        ("p, student.update, teacher, class, *", "no wildcards"),
        ("p, student.update, teacher", "is not `p, action"),
        ("p, student.update, -, -, name", "sets no column"),
        ("p, student.update, -, -,", "nobody runs the action"),
    ] {
        assert_refused(&with_line("actions.csv", line).await, "actions.csv", Some(2), words);
    }
    assert_refused(
        &with_change("actions.csv", "p, ", "# p, ").await,
        "actions.csv",
        None,
        "no line speaks of student.update",
    );
}

#[tokio::test]
async fn uncovered_columns_are_named_all_at_once() {
    let problems = with_change(
        "student.csv",
        "p, student.secret, -, -, hidden,\np, student.postal_code, head, school, full",
        "",
    )
    .await;
    assert_refused(&problems, "student.csv", None, "student.secret, student.postal_code");
    let mut source = small();
    source.files.remove("course.csv");
    assert_refused(
        &check(source, &small_catalogue()).await.problems,
        "course.csv",
        None,
        "course.name",
    );
    let mut source = small();
    source.files.retain(|name, _| name == "model.conf");
    let problems = check(source, &small_catalogue()).await.problems;
    assert_refused(&problems, "", None, "the policy is empty");
    assert_refused(&problems, "roles.csv", None, "is missing");
    assert_refused(&problems, "student.csv", None, "student.name_pinyin");
    // Everything is reported together.
    assert!(problems.len() >= 5, "{problems:#?}");
    assert!(Problems(problems).to_string().lines().count() >= 5);
}

#[tokio::test]
async fn masks_that_are_undone_are_refused() {
    let problems = with_change("student.csv", "head, school, full", "head, school, masked").await;
    assert_refused(&problems, "student.csv", Some(6), "student.postal_code cannot be masked");
    // The head masks the name at school; the teacher's pinyin tells it only to those who have the name.
    assert_eq!(
        with_line("student.csv", "p, student.name, head, school, masked,").await,
        Vec::new()
    );
    let problems = with_line(
        "student.csv",
        "p, student.name, head, school, masked,\np, student.name_pinyin, head, school, full,",
    )
    .await;
    assert_refused(&problems, "student.csv", Some(8), "the pinyin spells the name");
}

#[tokio::test]
async fn wrong_models_are_refused() {
    for (from, to, words) in [
        (
            "some(where (p.eft == allow))",
            "!some(where (p.eft == deny))",
            "the definition of e must stay",
        ),
        (
            "p = what, role, reach, sight, uses",
            "p = what, role, reach, sight, uses, eft",
            "the definition of p must stay",
        ),
        ("r = what, role, reach, verb", "r = what, role, verb", "the definition of r must stay"),
        ("r.what == p.what && ", "", "grants col:a.c"),
        ("r.reach == p.reach && ", "", "grants reach:ward"),
        (" && g(r.role, p.role)", "", "grants role:y"),
        (" && can(p.sight, p.uses, r.verb)", "", "grants sort"),
        ("m = r.what", "m = true || r.what", "without any line"),
        ("g(r.role, p.role)", "false", "does not grant"),
        ("g(r.role", "gg(r.role", "cannot answer"),
        ("can(p.sight", "can(((p.sight", "model.conf"),
    ] {
        let problems = with_change("model.conf", from, to).await;
        let shown: Vec<String> = problems.iter().map(Problem::to_string).collect();
        assert!(shown.iter().any(|problem| problem.contains(words)), "{to}: {shown:?}");
    }
    let mut source = small();
    source.files.remove("model.conf");
    assert_refused(
        &check(source, &small_catalogue()).await.problems,
        "model.conf",
        None,
        "is missing",
    );
}

#[tokio::test]
async fn computed_fields_follow_their_strictest_source() -> Tested {
    let catalogue = small_catalogue();
    let policy = Policy::compile(small(), &catalogue).await?;
    let teacher = pair(&policy, "teacher", Reach::Class)?;
    assert_eq!(sight(&policy, &catalogue, &[teacher], "student.age")?, Sight::Hidden);
    let mut source = small();
    if let Some(text) = source.files.get_mut("student.csv") {
        *text = text.replace(
            "p, student.secret, -, -, hidden,",
            "p, student.secret, teacher, class, full, export",
        );
    }
    let policy = Policy::compile(source.clone(), &catalogue).await?;
    let age = *catalogue.index().get("student.age").ok_or("no age")?;
    assert_eq!(policy.table.cell(teacher, age).uses, Uses::FULL.union(Uses::EXPORT));
    // The head inherits at class and not at school.
    let head = policy.roles.id("head").ok_or("no head")?;
    assert_eq!(
        policy.table.cell(Pair { role: head, reach: Reach::Class }, age).uses.sight(),
        Sight::Full
    );
    assert_eq!(
        policy.table.cell(Pair { role: head, reach: Reach::School }, age).uses.sight(),
        Sight::Hidden
    );
    // A number has no mask, so a masked source hides it.
    if let Some(text) = source.files.get_mut("student.csv") {
        *text = text.replace(
            "p, student.secret, teacher, class, full, export",
            "p, student.secret, teacher, class, masked,",
        );
    }
    let policy = Policy::compile(source, &catalogue).await?;
    assert!(policy.table.cell(teacher, age).uses.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_wrong_catalogue_is_refused() {
    let mut catalogue = small_catalogue();
    let mut twice = catalogue.coordinates.clone();
    catalogue.coordinates.append(&mut twice);
    catalogue.actions.push("student.update");
    let report: Report = check(small(), &catalogue).await;
    assert_refused(&report.problems, "", None, "lists student.name twice");
    assert_refused(&report.problems, "", None, "lists student.update twice");
    let mut catalogue = small_catalogue();
    for coordinate in &mut catalogue.coordinates {
        if coordinate.field == "age" {
            coordinate.class = Class::Derived(&["student.ghost"]);
        }
    }
    assert_refused(&check(small(), &catalogue).await.problems, "", None, "no stored coordinate");
}

#[test]
fn roles_without_links_are_themselves() {
    let mut problems = Vec::new();
    let roles = Roles::read(&small(), &mut problems);
    assert!(problems.is_empty());
    assert!(roles.iter().all(|(id, _)| roles.has(id, id)));
    assert!(!roles.has(RoleId(1), RoleId(2)) && roles.has(RoleId(2), RoleId(1)));
}
