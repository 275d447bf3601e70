//! What `grants.csv` says and what is refused of it: unknown names, lines by which somebody would come to more than they
//! hold, lines that could never be used, roles of which nobody speaks.

use crate::access::catalogue::{Catalogue, Class, Coordinate, Group};
use crate::access::policy::tests::{Tested, pair};
use crate::access::policy::{Change, Eyes, Fact, Policy, Problem, Source, check, diff};
use crate::access::table::Reach;

fn catalogue() -> Catalogue {
    Catalogue {
        coordinates: vec![Coordinate {
            noun: "course",
            field: "name",
            group: Group::Organisation,
            class: Class::Column,
            sealed: false,
            text: false,
            mask: None,
        }],
        actions: vec!["grant.give", "grant.approve"],
        ..Catalogue::default()
    }
}

fn small() -> Source {
    let mut source = Source::default();
    for (name, text) in [
        ("model.conf", include_str!("../../../../policies/model.conf")),
        (
            "roles.csv",
            "r, guardian, 监护人, ward\nr, teacher, 教师, class\nr, clerk, 文员, school\nr, head, 校长, school\n\
             r, officer, 官员, region\nr, chief, 主管, region\ng, chief, officer\n",
        ),
        ("course.csv", "p, course.name, anyone, anywhere, full,\n"),
        (
            "actions.csv",
            "p, grant.give, head, school\np, grant.give, officer, region\n\
             p, grant.approve, head, school\np, grant.approve, officer, region\n",
        ),
        (
            "grants.csv",
            "duty, homeroom_teacher, teacher, class\nduty, guardianship, guardian, ward\n\
             give, head, school, teacher, class, alone\ngive, head, school, clerk, school, four_eyes\n\
             give, officer, region, head, school, four_eyes\nnobody, officer, region\nnobody, chief, region\n",
        ),
    ] {
        source.files.insert(name.to_owned(), text.to_owned());
    }
    source
}

async fn with_change(file: &str, from: &str, to: &str) -> Vec<Problem> {
    let mut source = small();
    if let Some(text) = source.files.get_mut(file) {
        assert!(text.contains(from), "{file} has no {from}");
        *text = text.replace(from, to);
    }
    check(source, &catalogue()).await.problems
}

async fn with_line(line: &str) -> Vec<Problem> {
    with_change("grants.csv", "nobody, chief", &format!("{line}\nnobody, chief")).await
}

#[track_caller]
fn assert_refused(problems: &[Problem], line: Option<u32>, code: &str, words: &str) {
    let found = problems.iter().any(|problem| {
        problem.file == "grants.csv"
            && problem.line == line
            && problem.code == code
            && problem.why.contains(words)
    });
    assert!(found, "no problem grants.csv:{line:?} {code} `{words}` among {problems:#?}");
}

#[tokio::test]
async fn a_line_says_who_gives_what_and_heirs_give_it_too() -> Tested {
    let policy = Policy::compile(small(), &catalogue()).await?;
    let [teacher, clerk, head, officer, chief] = [
        ("teacher", Reach::Class),
        ("clerk", Reach::School),
        ("head", Reach::School),
        ("officer", Reach::Region),
        ("chief", Reach::Region),
    ]
    .map(|(role, reach)| pair(&policy, role, reach));
    let (teacher, clerk, head, officer, chief) = (teacher?, clerk?, head?, officer?, chief?);
    let may = |giver, given| policy.gifts.may(&policy.roles, giver, given);
    assert_eq!(may(head, teacher), Some(Eyes::Alone));
    assert_eq!(may(head, clerk), Some(Eyes::Four));
    assert_eq!(may(officer, head), Some(Eyes::Four));
    assert_eq!(may(chief, head), Some(Eyes::Four), "the chief has the officer's lines");
    assert_eq!((may(head, head), may(clerk, teacher), may(officer, teacher)), (None, None, None));
    assert_eq!(policy.gifts.follows(Fact::HomeroomTeacher), Some(teacher));
    assert_eq!(policy.gifts.follows(Fact::YearHead), None);
    assert!(policy.gifts.powerful(head) && !policy.gifts.powerful(teacher));
    // The lines are lines of the policy, and of its version.
    let mut other = small();
    other.files.entry("grants.csv".to_owned()).or_default().push_str("# more\n");
    assert_ne!(other.version(), policy.hash);
    Ok(())
}

#[tokio::test]
async fn what_changes_in_who_gives_what_is_a_difference() -> Tested {
    let before = Policy::compile(small(), &catalogue()).await?;
    let mut source = small();
    if let Some(text) = source.files.get_mut("grants.csv") {
        *text = text
            .replace("teacher, class, alone", "teacher, class, four_eyes")
            .replace("give, officer, region, head, school, four_eyes", "nobody, head, school")
            + "give, officer, region, clerk, school, four_eyes\n";
    }
    let after = Policy::compile(source, &catalogue()).await?;
    let found: Vec<_> = diff(&before, &after, &catalogue())
        .into_iter()
        .map(|change| (change.role, change.what, change.change))
        .collect();
    let of = |role: &str, what: &str, change| (role.to_owned(), format!("gives {what}"), change);
    for wanted in [
        of("head", "teacher/class", Change::Narrowed),
        of("officer", "head/school", Change::Removed),
        of("officer", "clerk/school", Change::Added),
        of("chief", "clerk/school", Change::Added),
    ] {
        assert!(found.contains(&wanted), "{wanted:?} among {found:?}");
    }
    Ok(())
}

#[tokio::test]
async fn lines_that_name_what_is_not_there_are_refused() {
    for (line, code, words) in [
        ("give, headd, school, clerk, school, four_eyes", "unknown", "did you mean head?"),
        ("give, head, school, clark, school, four_eyes", "unknown", "did you mean clerk?"),
        ("give, head, skool, clerk, school, four_eyes", "unknown", "no reach"),
        (
            "give, head, region, clerk, school, four_eyes",
            "unreachable",
            "may not be held at region",
        ),
        ("give, head, school, anyone, anywhere, four_eyes", "unreachable", "every caller"),
        ("give, head, school, teacher, class, both", "format", "alone"),
        ("give, head, school, teacher", "format", "is none of"),
        ("duty, janitor, teacher, class", "unknown", "no duty janitor"),
        ("duty, year_head, teacher, class", "unreachable", "is held at year_level"),
        ("duty, homeroom_teacher, teacher, class", "duplicate", "already says"),
        ("give, head, school, teacher, class, four_eyes", "duplicate", "line 3 already says"),
        ("nobody, officer, region", "duplicate", "line 6 already says"),
        ("give, officer, region, guardian, ward, four_eyes", "pupil", "over one pupil"),
        ("nobody, guardian, ward", "pupil", "over one pupil"),
    ] {
        assert_refused(&with_line(line).await, Some(7), code, words);
    }
    let problems = with_line("nobody, clerk, school").await;
    assert_refused(&problems, Some(4), "contradiction", "delete one");
}

#[tokio::test]
async fn nobody_comes_to_more_than_they_hold() {
    // A place wider than the own.
    let problems = with_change(
        "grants.csv",
        "nobody, officer, region",
        "give, head, school, officer, region, four_eyes",
    )
    .await;
    assert_refused(&problems, Some(6), "wider", "wider than its own");
    // Alone, at the width of the own place: two colleagues would give each other everything.
    let problems =
        with_change("grants.csv", "clerk, school, four_eyes", "clerk, school, alone").await;
    assert_refused(&problems, Some(4), "wider", "write four_eyes");
    // Alone, a role that gives roles.
    let problems =
        with_change("grants.csv", "head, school, four_eyes", "head, school, alone").await;
    assert_refused(&problems, Some(5), "powerful", "two people give it");
    // The same where only agreeing comes with it.
    let problems = with_change(
        "actions.csv",
        "p, grant.approve, head, school\n",
        "p, grant.approve, head, school\np, grant.approve, clerk, school\n",
    )
    .await;
    assert!(problems.is_empty(), "{problems:?}");
    let mut source = small();
    for (file, from, to) in [
        (
            "actions.csv",
            "p, grant.approve, head",
            "p, grant.approve, clerk, school\np, grant.approve, head",
        ),
        (
            "grants.csv",
            "nobody, officer",
            "give, officer, region, clerk, school, alone\nnobody, officer",
        ),
    ] {
        if let Some(text) = source.files.get_mut(file) {
            *text = text.replace(from, to);
        }
    }
    let problems = check(source, &catalogue()).await.problems;
    assert_refused(&problems, Some(6), "powerful", "clerk/school gives roles itself");
    // Nor does a duty bring such a role.
    let problems = with_change(
        "actions.csv",
        "p, grant.give, head",
        "p, grant.give, teacher, class\np, grant.give, head",
    )
    .await;
    assert_refused(&problems, None, "powerful", "teacher/class gives roles itself");
}

#[tokio::test]
async fn lines_that_could_never_be_used_are_refused() {
    let problems = with_change("actions.csv", "p, grant.give, head, school\n", "").await;
    assert_refused(&problems, Some(3), "idle", "may not run grant.give");
    let problems = with_change("actions.csv", "p, grant.approve, head, school\n", "").await;
    assert_refused(&problems, Some(4), "idle", "would wait for ever");
}

#[tokio::test]
async fn every_role_that_can_be_given_is_spoken_of() {
    let problems = with_change("grants.csv", "nobody, chief, region\n", "").await;
    assert_refused(&problems, None, "uncovered", "chief/region");
    let mut source = small();
    source.files.remove("grants.csv");
    let problems = check(source, &catalogue()).await.problems;
    assert_refused(&problems, None, "uncovered", "teacher/class, clerk/school, head/school");
}

#[tokio::test]
async fn the_shipped_policy_gives_powerful_roles_by_two_people_alone() -> Tested {
    let catalogue = crate::graphql::REGISTRY.catalogue(crate::access::action::ACTIONS);
    let policy = Policy::embedded(&catalogue).await?;
    let gives = policy.actions.id("grant.give").ok_or("no action")?;
    for given in policy.roles.pairs() {
        for giver in policy.actions.pairs(gives) {
            if policy.gifts.may(&policy.roles, giver, given) == Some(Eyes::Alone) {
                let small = [Reach::Teaching, Reach::Class, Reach::YearLevel];
                assert!(small.contains(&given.reach), "{}", policy.roles.words(given));
            }
        }
    }
    let administrator = pair(&policy, "administrator", Reach::Anywhere)?;
    let may = policy.gifts.may(&policy.roles, administrator, administrator);
    assert_eq!(may, Some(Eyes::Four));
    Ok(())
}
