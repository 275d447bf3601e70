//! The compiled policy is the one that was reviewed: role × column × reach, and role × action.
//!
//! `UPDATE=1 cargo test --test it policy` writes `snapshots/policy_matrix.txt` anew; its diff is what a reviewer reads.

use std::collections::BTreeSet;

use xueji::access::catalogue::Group;
use xueji::access::policy::{Policy, Source, matrix};
use xueji::access::table::{Pair, Reach, Sight, Uses};

use crate::support::app::{catalogue, policy};
use crate::support::snapshot;

#[tokio::test]
async fn the_matrix_is_the_one_that_was_reviewed() {
    let text = matrix(&*policy().await, &catalogue());
    snapshot::matches("tests/it/snapshots/policy_matrix.txt", &text);
}

#[tokio::test]
async fn every_role_has_a_caller_in_these_tests() {
    let policy = policy().await;
    let pairs: BTreeSet<String> = policy
        .table
        .pairs()
        .iter()
        .filter(|pair| **pair != Pair::ANYONE)
        .map(|pair| policy.roles.words(*pair))
        .collect();
    let (app, seed) = crate::support::app::App::school().await;
    let callers: BTreeSet<String> = crate::canary::everybody(&app, &seed)
        .iter()
        .flat_map(|(_, person)| person.held.iter())
        .map(|held| format!("{}/{}", held.role, held.reach.word()))
        .collect();
    assert_eq!(callers, pairs, "each pair of the policy has a constructor in callers.rs");
}

#[tokio::test]
async fn the_lines_that_matter_most_say_what_the_contract_says() {
    let policy = policy().await;
    let index = catalogue().index();
    let cell = |role: &str, reach: Reach, field: &str| {
        let pair = Pair { role: policy.roles.id(role).unwrap(), reach };
        policy.table.cell(pair, index[field]).uses
    };
    let sight = |role, reach, field| cell(role, reach, field).sight();
    assert_eq!(sight("homeroom_teacher", Reach::Class, "student.id_number"), Sight::Masked);
    assert_eq!(sight("homeroom_teacher", Reach::Class, "student.current_address"), Sight::Masked);
    assert_eq!(sight("homeroom_teacher", Reach::Class, "student.phone"), Sight::Full);
    assert_eq!(sight("subject_teacher", Reach::Teaching, "student.id_number"), Sight::Hidden);
    assert_eq!(
        sight("subject_teacher", Reach::Teaching, "student.national_student_number"),
        Sight::Hidden
    );
    assert_eq!(sight("subject_teacher", Reach::Teaching, "student.health_status"), Sight::Hidden);
    assert_eq!(sight("year_head", Reach::YearLevel, "student.phone"), Sight::Masked);
    assert_eq!(sight("guardian", Reach::Ward, "student.id_number"), Sight::Full);
    assert_eq!(sight("aid_officer", Reach::School, "score.value"), Sight::Hidden);
    assert_eq!(sight("county_officer", Reach::Region, "student.id_number"), Sight::Full);
    assert_eq!(sight("county_officer", Reach::Region, "student.phone"), Sight::Masked);
    for (role, reach) in [
        ("analyst", Reach::Region),
        ("auditor", Reach::Region),
        ("privacy_officer", Reach::Region),
        ("administrator", Reach::Anywhere),
    ] {
        let pair = Pair { role: policy.roles.id(role).unwrap(), reach };
        let student = policy.table.noun("student").unwrap();
        assert!(!policy.table.rows(pair, student), "no pupil exists for {role}");
    }
}

#[tokio::test]
async fn sealed_columns_have_no_range_order_or_group_in_any_line() {
    let policy = policy().await;
    for (field, coordinate) in (0..).zip(&catalogue().coordinates) {
        if !coordinate.equality_only() {
            continue;
        }
        for pair in policy.table.pairs() {
            let uses = policy.table.cell(*pair, field).uses;
            let ordered = Uses::SORT.union(Uses::GROUP).union(Uses::SEARCH);
            assert!(!uses.intersects(ordered), "{} for {pair:?}", coordinate.name());
        }
    }
}

#[tokio::test]
async fn anyone_reads_nothing_that_is_about_a_person() {
    let policy = policy().await;
    for (field, coordinate) in (0..).zip(&catalogue().coordinates) {
        if coordinate.group != Group::Organisation {
            let uses = policy.table.cell(Pair::ANYONE, field).uses;
            assert!(uses.is_empty(), "{} is open to anyone", coordinate.name());
        }
    }
}

#[tokio::test]
async fn a_column_without_a_line_stops_the_start_by_name() {
    let mut source = Source::shipped();
    let text = source.files.get_mut("student.csv").unwrap();
    *text = text.lines().filter(|line| !line.contains("student.phone")).fold(
        String::new(),
        |mut out, line| {
            out.push_str(line);
            out.push('\n');
            out
        },
    );
    let problems = Policy::compile(source, &catalogue()).await.unwrap_err().to_string();
    assert!(problems.contains("student.phone"), "{problems}");
}

#[tokio::test]
async fn a_typo_is_refused_with_file_and_line() {
    let mut source = Source::shipped();
    let text = source.files.get_mut("student.csv").unwrap();
    let line = text.lines().count() + 1;
    text.push_str("p, student.nmae, registrar, school, full, filter\n");
    let problems = Policy::compile(source, &catalogue()).await.unwrap_err().to_string();
    assert!(problems.contains(&format!("policies/student.csv:{line}")), "{problems}");
    assert!(problems.contains("student.nmae"), "{problems}");
}
