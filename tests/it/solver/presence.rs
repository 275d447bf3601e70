//! Whether a figure is said tells of the number behind it. The attacker adds pupils of a school whose register is known
//! until the answer appears, and knows how many are in the class.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use xueji_entity::value::StudentId;

use super::pads::{Bounds, SIZES, choices, cut, found, transfer};
use super::{Report, THRESHOLD};
use crate::aggregates::set;
use crate::support::app::App;
use crate::support::callers::Person;
use crate::support::seed::{Seed, Shape};

const LEFT: [(&str, &str); 3] =
    [("NONE", "none"), ("ONE_PARENT", "one_parent"), ("BOTH_PARENTS", "both_parents")];
/// The pupils of the third school by whether they are left behind: together fifteen.
const FEW: [usize; 3] = [3, 5, 7];

fn ethnic(code: usize) -> String {
    format!("ZGGMZMCDLMZMPXF:{code:02}")
}

/// A small school, and the second one with pads of each kind: of an ethnic group each, with some of another group, of
/// whom none is of the kind, that make the other sets large.
async fn planted() -> (App, Seed) {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 100 }).await;
    let class = |school: usize| &seed.class(school, 0, 0).students;
    transfer(&app, &class(2)[15..], &seed.schools[1]).await;
    transfer(&app, &class(0)[..50], &seed.schools[1]).await;
    let mut from = 0;
    for ((_, word), few) in LEFT.into_iter().zip(FEW) {
        set(&app, &class(2)[from..from + few], "left_behind", word).await;
        from += few;
    }
    let all: Vec<StudentId> =
        [&class(1)[..], &class(2)[15..], &class(0)[..50]].into_iter().flatten().copied().collect();
    let mut rest = all.as_slice();
    let mut take = |many: usize| {
        let (these, left) = rest.split_at(many);
        rest = left;
        these
    };
    let each = SIZES.iter().sum::<usize>();
    for (kind, (_, word)) in LEFT.into_iter().enumerate() {
        let pads = take(each);
        set(&app, pads, "left_behind", word).await;
        for (at, pad) in cut(pads).into_iter().enumerate() {
            set(&app, pad, "ethnic_group", &ethnic(11 + at)).await;
        }
        // The group that each question leaves out, and the two that make the rest of one kind large.
        let outside = take(25);
        set(&app, outside, "left_behind", word).await;
        set(&app, outside, "ethnic_group", &ethnic(56)).await;
        for other in (0..3).filter(|other| *other != kind) {
            let more = take(12);
            set(&app, more, "left_behind", word).await;
            set(&app, more, "ethnic_group", &ethnic(2 + other)).await;
        }
    }
    let left = take(all.len() - 3 * (each + 25 + 24));
    set(&app, left, "ethnic_group", &ethnic(56)).await;
    (app, seed)
}

/// The figure for those left behind in one of these ways, of the small school and the chosen pads.
async fn figure(
    (app, seed, person): (&App, &Seed, &Person<'_>),
    left: &[&str],
    ethnic: &[String],
) -> Option<f64> {
    let document = format!(
        "query($s: [ID!], $e: [String!]) {{ studentCounts(groupBy: [], filter: {{ schoolIds: $s, ethnicGroups: $e, \
         leftBehind: [{}] }}) {{ groups {{ count }} total }} }}",
        left.join(" ")
    );
    let schools = [&seed.schools[1], &seed.schools[2]].map(|of| app.id("organisation", of.id));
    let answer = person.query(&document, json!({ "s": schools, "e": ethnic })).await;
    answer.data().pointer("/studentCounts/groups/0/count").and_then(Value::as_f64)
}

#[tokio::test]
async fn few_are_not_found_by_adding_known_pupils_until_the_answer_appears() {
    let (app, seed) = planted().await;
    app.snapshot("first").await;
    let city = app.analyst(seed.city);
    let ask = (&app, &seed, &city);
    let mut bounds = [Bounds::up_to(15.0); 3];
    let (mut sharp, mut noisy) = (bounds, bounds);
    let (mut published, mut equations) = (0, 0);
    let mut guesses: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for (kind, (word, _)) in LEFT.into_iter().enumerate() {
        let truth = FEW[kind] as f64;
        let others: Vec<_> = LEFT.iter().map(|(of, _)| *of).filter(|of| *of != word).collect();
        for (turn, (pads, size)) in choices().enumerate() {
            let size = size as f64;
            let mut codes: Vec<String> = pads.iter().map(|at| format!("{}", 11 + at)).collect();
            codes.push("01".to_owned());
            codes.push(format!("{:02}", 2 + kind));
            // Of the kind itself.
            let said = figure(ask, &[word], &codes).await;
            bounds[kind].said(size, said);
            guesses.entry(kind).or_default().extend(said.map(|said| said - size));
            // As the rest that a figure of all others leaves: those are many, so it is said unless the rest is few.
            let told = figure(ask, &others, &codes).await.is_some();
            bounds[kind].present(size, told);
            published += usize::from(said.is_some()) + usize::from(told);
            equations += 2;
            // Without a blurred threshold: of the rest, and of the kind with an error of its own.
            sharp[kind].sharp(size, truth);
            let error = f64::from(u8::try_from(turn % 7).unwrap()) - 3.0;
            if truth + size >= THRESHOLD && truth + size + error >= THRESHOLD {
                noisy[kind].with(size, THRESHOLD, f64::INFINITY);
            }
        }
    }
    let total = FEW.iter().sum::<usize>() as f64;
    for (kind, of) in guesses {
        let mean = of.iter().sum::<f64>() / of.len() as f64;
        println!(
            "solver, presence: {} answers for {} pupils have the mean {mean:.1}: likely, not certain",
            of.len(),
            FEW[kind]
        );
    }
    println!("solver, presence: what is certain of {FEW:?}: {bounds:?}");
    assert_eq!(found(&noisy, total), 3, "errors on a sharp threshold do not help: {noisy:?}");
    Report {
        attack: "presence of figures, with known pupils added",
        published,
        cells: 3,
        equations: equations + 1,
        recovered: found(&bounds, total),
        control: found(&sharp, total),
        ..Report::default()
    }
    .hold();
}
