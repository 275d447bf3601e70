//! Scores and attendance: means, quantiles, rates and days of a class, put together with classes that the attacker knows
//! pupil by pupil.

use std::collections::BTreeMap;

use sea_orm::ConnectionTrait;
use sea_orm::sea_query::{Expr, ExprTrait, Query};
use serde_json::{Value, json};
use xueji_entity::value::{ClassGroupId, StudentId};

use super::pads::{Bounds, choices, class_of, cut};
use super::{Report, THRESHOLD};
use crate::support::app::App;
use crate::support::seed::{Seed, Shape};

/// Pupils of the class that failed, and that were ill on the first day: too few to be said.
const FEW: usize = 4;
/// Pupils of a course that only some take.
const TAKE: usize = 7;
/// Known pupils beside those, so that a quantile is near to being said.
const BESIDE: usize = 8;
/// What one pupil scored, whose class the attacker knows but for this.
const SCORE: f64 = 66.5;
/// A sum is off by at most so many full marks.
const SUM: f64 = 325.0;

struct Planted {
    app: App,
    seed: Seed,
    /// The class in question, and a small one.
    class: ClassGroupId,
    small: ClassGroupId,
    beside: ClassGroupId,
    pads: Vec<ClassGroupId>,
    /// The scores in the second course: the others of the class, and those of each pad.
    others: Vec<f64>,
    known: Vec<Vec<f64>>,
}

async fn score(app: &App, seed: &Seed, course: usize, pupils: &[StudentId], value: f64) {
    #[expect(clippy::cast_possible_truncation, reason = "a score is small")]
    let thousandths = (value * 1_000.0) as i64;
    let statement = Query::update()
        .table("score")
        .value("value", thousandths)
        .and_where(Expr::col("course_id").eq(seed.courses[course].uuid()))
        .and_where(Expr::col("student_id").is_in(pupils.iter().map(|id| id.uuid())))
        .to_owned();
    app.db().execute(&statement).await.unwrap();
}

/// On the first day: ill, or there.
async fn ill(app: &App, pupils: &[StudentId]) {
    let statement = Query::update()
        .table("attendance")
        .value("kind", "sick_leave")
        .and_where(Expr::col("day").eq(crate::support::seed::day("2026-11-09")))
        .and_where(Expr::col("student_id").is_in(pupils.iter().map(|id| id.uuid())))
        .to_owned();
    app.db().execute(&statement).await.unwrap();
}

async fn planted() -> Planted {
    let (app, seed) = App::school_of(Shape { classes: 1, students: 60 }).await;
    let all = &seed.class(2, 0, 0).students;
    let (class, small) = all.split_at(60 - TAKE);
    let school = &seed.schools[1];
    let mine = &seed.class(1, 0, 0).students;
    score(&app, &seed, 0, &class[..FEW], 40.0).await;
    for (at, id) in class[FEW..].iter().enumerate() {
        score(&app, &seed, 0, &[*id], 62.0 + at as f64 / 2.0).await;
    }
    ill(&app, &class[..FEW]).await;
    // In the second course the pupils stand a point apart, one between two of them.
    let mut others = Vec::new();
    for (at, id) in class.iter().enumerate() {
        let value = if at == 0 { SCORE } else { 40.0 + at as f64 };
        score(&app, &seed, 1, &[*id], value).await;
        others.extend((at > 0).then_some(value));
    }
    let (mut pads, mut known) = (Vec::new(), Vec::new());
    for (number, pad) in (11..).zip(cut(mine)) {
        // All of a pad failed and were ill; in the second course they stand at both ends.
        ill(&app, pad).await;
        let mut values = Vec::new();
        for (at, id) in pad.iter().enumerate() {
            let value = if at % 2 == 0 { 20.0 + at as f64 } else { 96.0 - at as f64 };
            score(&app, &seed, 0, &[*id], 30.0 + at as f64).await;
            score(&app, &seed, 1, &[*id], value).await;
            values.push(value);
        }
        known.push(values);
        pads.push(class_of(&app, (&seed, school), number, pad).await);
    }
    let beside = class_of(&app, (&seed, school), 20, &mine[30..30 + BESIDE]).await;
    let small = class_of(&app, (&seed, &seed.schools[2]), 21, small).await;
    let class = seed.class(2, 0, 0).id;
    Planted { app, seed, class, small, beside, pads, others, known }
}

impl Planted {
    /// Asks for the figures of these classes together.
    async fn ask(&self, field: &str, classes: &[ClassGroupId], course: Option<usize>) -> Value {
        let mut filter = json!({
            "classGroupIds":
                classes.iter().map(|id| self.app.id("class_group", *id)).collect::<Vec<_>>()
        });
        let (kind, arguments, figures) = match course {
            Some(course) => {
                filter["courseIds"] = json!([self.app.id("course", self.seed.courses[course])]);
                let figures =
                    "count students mean passRate excellenceRate quantiles { p25 median p75 }";
                ("ScoreStatisticsFilter", "", figures)
            }
            None => {
                let arguments = ", period: DAY, from: \"2026-11-09\", until: \"2026-11-09\"";
                ("AttendanceRateFilter", arguments, "days rate")
            }
        };
        let document = format!(
            "query($f: {kind}) {{ {field}(groupBy: [], filter: $f{arguments}) {{ groups {{ {figures} }} }} }}"
        );
        let answer =
            self.app.analyst(self.seed.city).query(&document, json!({ "f": filter })).await;
        answer.at(&format!("/{field}/groups")).pointer("/0").cloned().unwrap_or(Value::Null)
    }

    fn with(&self, first: &[ClassGroupId], pads: &[usize]) -> Vec<ClassGroupId> {
        first.iter().copied().chain(pads.iter().map(|at| self.pads[*at])).collect()
    }
}

#[tokio::test]
async fn the_few_who_failed_or_were_away_are_not_counted_by_adding_known_classes() {
    let planted = planted().await;
    planted.app.snapshot("first").await;
    // Who failed, who was ill, how many take part at all.
    let mut bounds = [Bounds::up_to(53.0), Bounds::up_to(53.0), Bounds::up_to(9.0)];
    let mut sharp = bounds;
    let (mut published, mut equations) = (0, 0);
    for (pads, size) in choices() {
        let others = size as f64;
        let classes = planted.with(&[planted.class], &pads);
        let scores = planted.ask("scoreStatistics", &classes, Some(0)).await;
        let rate = scores["passRate"].is_string();
        bounds[0].present(others, rate);
        sharp[0].sharp(others, FEW as f64);
        let away = planted.ask("attendanceRates", &classes, None).await.is_object();
        bounds[1].present(others, away);
        sharp[1].sharp(others, FEW as f64);
        // A median needs ten at or below its rank and ten above: twenty, or up to 39 when it is not said.
        let classes = planted.with(&[planted.small, planted.beside], &pads);
        let figures = planted.ask("scoreStatistics", &classes, Some(0)).await;
        let beside = others + BESIDE as f64;
        let median = figures["quantiles"]["median"].is_string();
        match median {
            true => bounds[2].with(beside, 2.0 * THRESHOLD, f64::INFINITY),
            false => bounds[2].with(beside, 0.0, 4.0 * THRESHOLD - 1.0),
        }
        if let Some(students) = figures["students"].as_f64() {
            bounds[2].said(beside, Some(students));
        }
        match TAKE as f64 + beside >= 2.0 * THRESHOLD {
            true => sharp[2].with(beside, 2.0 * THRESHOLD, f64::INFINITY),
            false => sharp[2].with(beside, 0.0, 2.0 * THRESHOLD - 1.0),
        }
        published += [rate, away, median].into_iter().filter(|said| *said).count();
        equations += 4;
    }
    println!("solver, classes: what is certain of {FEW}, {FEW} and {TAKE}: {bounds:?}");
    let count = |bounds: &[Bounds]| bounds.iter().filter(|of| of.found()).count();
    Report {
        attack: "presence of rates and quantiles, with known classes added",
        published,
        cells: 3,
        equations,
        recovered: count(&bounds),
        control: count(&sharp),
        ..Report::default()
    }
    .hold();
}

fn number(value: &Value) -> Option<f64> {
    value.as_str().map(|text| text.parse().unwrap())
}

fn half(value: f64) -> f64 {
    (value * 2.0).round() / 2.0
}

/// The scores of a set with one of them put in, in order.
fn ordered(others: &[f64], one: f64) -> Vec<f64> {
    let mut all: Vec<f64> = others.iter().copied().chain([one]).collect();
    all.sort_by(f64::total_cmp);
    all
}

/// The nearest rank, from 1.
fn rank(count: usize, per_cent: usize) -> usize {
    (count * per_cent).div_ceil(100).max(1)
}

/// Ranks within the bound of one.
fn near(rank: usize, count: usize) -> impl Iterator<Item = usize> {
    rank.saturating_sub(12).max(1)..=(rank + 12).min(count - 1)
}

#[tokio::test]
async fn the_score_of_one_pupil_does_not_follow_from_means_and_quantiles() {
    let planted = planted().await;
    planted.app.snapshot("first").await;
    // The attacker knows every other score of the class and of the pads, and looks for the one.
    let every: Vec<f64> = (0..=200_u8).map(|half| f64::from(half) / 2.0).collect();
    let (mut left, mut unprotected) = (every.clone(), every);
    let (mut low, mut high) = (f64::MIN, f64::MAX);
    let (mut published, mut equations, mut quantiles) = (0, 0, 0);
    for (turn, (pads, _)) in choices().enumerate() {
        let classes = planted.with(&[planted.class], &pads);
        let mut others = planted.others.clone();
        others.extend(pads.iter().flat_map(|at| planted.known[*at].iter().copied()));
        let count = others.len() + 1;
        let figures = planted.ask("scoreStatistics", &classes, Some(1)).await;
        assert!(figures.is_object(), "{count} scores");
        let rest = others.iter().sum::<f64>();
        let mean = number(&figures["mean"]).unwrap();
        let sum = mean * count as f64;
        low = low.max(sum - 0.05 * count as f64 - SUM - rest);
        high = high.min(sum + 0.05 * count as f64 + SUM - rest);
        equations += 2;
        published += 1;
        for (name, per_cent) in [("p25", 25), ("median", 50), ("p75", 75)] {
            let at = rank(count, per_cent);
            // Told as a value that occurs, at a rank that is off by a little.
            let off = [0, 1, 2, 1, 0][turn % 5];
            let occurs = half(ordered(&others, SCORE)[at + off - 2]);
            let value = |all: &[f64], at: usize| half(all[at - 1]);
            unprotected.retain(|one| {
                let all = ordered(&others, *one);
                near(at, count).any(|at| (value(&all, at) - occurs).abs() < 0.01)
            });
            let Some(told) = number(&figures["quantiles"][name]) else { continue };
            (quantiles, equations) = (quantiles + 1, equations + 1);
            left.retain(|one| {
                let all = ordered(&others, *one);
                near(at, count).any(|at| all[at - 1] <= told + 0.25 && all[at] >= told - 0.25)
            });
        }
    }
    assert!(quantiles > 60, "{quantiles} quantiles");
    assert!(left.contains(&SCORE) && low < SCORE && high > SCORE, "{low} {high} {left:?}");
    left.retain(|one| *one >= low && *one <= high);
    println!(
        "solver, scores: {} of 201 values are possible, from {:?} to {:?}; by means alone from {low:.0} to {high:.0}",
        left.len(),
        left.first(),
        left.last()
    );
    Report {
        attack: "means and quantiles with one unknown score",
        published: published + quantiles,
        values: 1,
        equations,
        recovered: usize::from(left.len() == 1 || high - low < 1.0),
        control: usize::from(unprotected.len() == 1),
        ..Report::default()
    }
    .hold();
    assert!(low < 0.0 && high > 100.0, "means leave every score: {low} to {high}");
}

#[tokio::test]
async fn whether_one_pupil_was_there_does_not_follow_from_rates() {
    let planted = planted().await;
    planted.app.snapshot("first").await;
    let one_left = |possible: &BTreeMap<usize, bool>| {
        usize::from(possible.values().filter(|possible| **possible).count() == 1)
    };
    // The attacker knows of every other pupil whether they were ill, and how many there are.
    let mut possible = BTreeMap::from([(0, true), (1, true)]);
    let mut unprotected = possible.clone();
    let (mut published, mut equations) = (0, 0);
    for (pads, size) in choices() {
        let classes = planted.with(&[planted.class], &pads);
        let figures = planted.ask("attendanceRates", &classes, None).await;
        let Some(rate) = number(&figures["rate"]) else { continue };
        let days = figures["days"].as_f64().unwrap();
        published += 1;
        equations += 2;
        let all = 53.0 + size as f64;
        assert!((days - all).abs() <= 13.0, "{days} of {all}");
        let exact = (all - (FEW + size) as f64) / all;
        for (one, possible) in &mut unprotected {
            let of = (all - (FEW - 1 + size + one) as f64) / all;
            *possible &= (of * 1_000.0).round() == (exact * 1_000.0).round();
        }
        // The rate is of days and days away, each with an error of at most thirteen.
        let (least, most) = ((99.95 - rate) / 100.0 * days, (100.05 - rate) / 100.0 * days);
        for (one, possible) in &mut possible {
            let away = (FEW - 1 + size + one) as f64;
            *possible &= away - 13.0 <= most + 1.0 && away + 13.0 >= least - 1.0;
        }
    }
    Report {
        attack: "rates of attendance with one unknown pupil",
        published,
        values: 1,
        equations,
        recovered: one_left(&possible),
        control: one_left(&unprotected),
        ..Report::default()
    }
    .hold();
}
