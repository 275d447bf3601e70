//! Chains of sets, each with one pupil more, and many sets that hold the same pupil: with errors that are bounded, each
//! answer is an interval, and all intervals together might meet in one value.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::json;

use super::pads::transfer;
use super::{BOUND, Known, Report, THRESHOLD, range};
use crate::aggregates::set;
use crate::support::app::App;
use crate::support::seed::Shape;

/// Pupils each of an ethnic group of their own, so that any set of them can be asked for.
const PUPILS: usize = 12;
/// Pupils who are in every set, and known.
const COMMON: usize = 40;

#[tokio::test]
async fn many_sets_with_one_pupil_do_not_tell_of_that_pupil() {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 60 }).await;
    let school = &seed.schools[1];
    let pupils = &seed.class(1, 0, 0).students;
    transfer(&app, &seed.class(2, 0, 0).students, school).await;
    // The others of the school, of whom none is in question, make all rests large.
    let (some, more) = seed.class(2, 0, 0).students.split_at(30);
    set(&app, some, "ethnic_group", "ZGGMZMCDLMZMPXF:56").await;
    set(&app, some, "left_behind", "none").await;
    set(&app, more, "ethnic_group", "ZGGMZMCDLMZMPXF:01").await;
    set(&app, more, "left_behind", "both_parents").await;
    set(&app, pupils, "left_behind", "both_parents").await;
    set(&app, &pupils[..COMMON], "left_behind", "none").await;
    set(&app, &pupils[COMMON..COMMON + 8], "ethnic_group", "ZGGMZMCDLMZMPXF:01").await;
    let asked = &pupils[COMMON + 8..];
    assert_eq!(asked.len(), PUPILS);
    // Whether they are left behind is the question: every third is not.
    let truth: Vec<bool> = (0..PUPILS).map(|at| at % 3 == 0).collect();
    for (at, id) in asked.iter().enumerate() {
        set(&app, &[*id], "ethnic_group", &format!("ZGGMZMCDLMZMPXF:{}", 21 + at)).await;
        if truth[at] {
            set(&app, &[*id], "left_behind", "none").await;
        }
    }
    app.snapshot("first").await;
    let city = app.analyst(seed.city);
    // The chain, and sets as different as can be.
    let mut sets: Vec<BTreeSet<usize>> = (0..=PUPILS).map(|to| (0..to).collect()).collect();
    let mut word: u64 = 0x9e37_79b9_7f4a_7c15;
    for _ in 0..150 {
        word = word.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        sets.push((0..PUPILS).filter(|at| word >> (20 + at) & 1 == 1).collect());
    }
    let document = "query($s: [ID!], $e: [String!]) { studentCounts(groupBy: [], filter: { schoolIds: $s, \
                    ethnicGroups: $e, leftBehind: [NONE] }) { groups { count } } }";
    let (mut known, mut exact, mut published) = (Vec::new(), Vec::new(), 0);
    let mut votes: BTreeMap<usize, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for of in sets {
        let mut codes: Vec<String> = of.iter().map(|at| format!("{}", 21 + at)).collect();
        codes.push("01".to_owned());
        let variables = json!({ "s": [app.id("organisation", school.id)], "e": codes });
        let answer = city.query(document, variables).await;
        let all = of.iter().filter(|at| truth[**at]).count() as f64;
        exact.push(Known { of: of.clone(), low: all, high: all });
        let Some(said) = answer.at("/studentCounts/groups").pointer("/0/count") else { continue };
        published += 1;
        let said = said.as_f64().unwrap() - COMMON as f64;
        assert!((said - all).abs() <= BOUND && COMMON as f64 >= THRESHOLD);
        for at in 0..PUPILS {
            let (with, without) = votes.entry(at).or_default();
            if of.contains(&at) { with } else { without }.push(said - of.len() as f64 / 3.0);
        }
        known.push(Known { of, low: said - BOUND, high: said + BOUND });
    }
    let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len().max(1) as f64;
    let guessed = votes
        .iter()
        .filter(|(at, (with, without))| (mean(with) - mean(without) > 0.16) == truth[**at])
        .count();
    println!("solver, chain: averages guess {guessed} of {PUPILS}, none for certain");
    let known: Vec<_> = known.into_iter().filter(|fact| !fact.of.is_empty()).collect();
    let exact: Vec<_> = exact.into_iter().filter(|fact| !fact.of.is_empty()).collect();
    let found = |known: &[Known]| {
        (0..PUPILS)
            .filter(|at| {
                let (low, high) = range(PUPILS, 1.0, known, &BTreeMap::from([(*at, 1.0)]));
                (low - 1e-6).ceil() >= (high + 1e-6).floor()
            })
            .count()
    };
    Report {
        attack: "chains and many sets with one pupil",
        published,
        values: PUPILS,
        equations: known.len(),
        recovered: found(&known),
        control: found(&exact),
        ..Report::default()
    }
    .hold();
}
