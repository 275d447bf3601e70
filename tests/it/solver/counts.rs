//! Counts of students: every cell, total and overlapping filter of free questions, of several roles and days, with the
//! declared tables beside them.

use std::collections::{BTreeMap, BTreeSet};

use sea_orm::EntityTrait;
use serde_json::{Value, json};
use xueji_entity::{enrollment, student};

use super::{BOUND, Known, Report, THRESHOLD, merged, range, sum};
use crate::support::app::App;
use crate::support::callers::Person;
use crate::support::seed::{Seed, Shape};

const KEYS: [&str; 5] = ["COUNTY", "SCHOOL", "GENDER", "LEFT_BEHIND", "ETHNIC_GROUP"];
const ETHNIC: [&str; 2] = ["01", "03"];
const LEFT: [&str; 3] = ["NONE", "ONE_PARENT", "BOTH_PARENTS"];

/// Where a student is: county, school, gender, left behind, ethnic group, each by its place in a list.
type Atom = [usize; 5];

fn atoms() -> Vec<Atom> {
    let mut out = Vec::new();
    for (county, school) in [(0, 0), (0, 1), (1, 2)] {
        for gender in 0..2 {
            for left in 0..3 {
                out.extend((0..2).map(|ethnic| [county, school, gender, left, ethnic]));
            }
        }
    }
    out
}

struct Attack {
    atoms: Vec<Atom>,
    truth: Vec<f64>,
}

impl Attack {
    async fn of(app: &App, seed: &Seed) -> Self {
        let atoms = atoms();
        let mut truth = vec![0.0; atoms.len()];
        let enrolled: BTreeMap<_, _> = enrollment::Entity::find()
            .all(app.db())
            .await
            .unwrap()
            .into_iter()
            .map(|row| (row.student_id, row.school_id))
            .collect();
        for row in student::Entity::find().all(app.db()).await.unwrap() {
            let school = seed.schools.iter().position(|of| of.id == enrolled[&row.id]).unwrap();
            let gender = usize::from(row.gender.as_str().ends_with('2'));
            let left = match row.left_behind {
                student::LeftBehind::None => 0,
                student::LeftBehind::OneParent => 1,
                student::LeftBehind::BothParents => 2,
            };
            let ethnic = usize::from(row.ethnic_group.as_str().ends_with("03"));
            let atom = [usize::from(school == 2), school, gender, left, ethnic];
            truth[atoms.iter().position(|known| *known == atom).unwrap()] += 1.0;
        }
        Self { atoms, truth }
    }

    fn where_all(&self, meets: impl Fn(&Atom) -> bool) -> BTreeSet<usize> {
        (0..self.atoms.len()).filter(|at| meets(&self.atoms[*at])).collect()
    }

    fn true_sum(&self, of: &BTreeSet<usize>) -> f64 {
        of.iter().map(|at| self.truth[*at]).sum()
    }

    /// Every cell of up to three keys.
    fn cells(&self) -> BTreeSet<BTreeSet<usize>> {
        let mut cells = BTreeSet::new();
        for keys in subsets() {
            let values: BTreeSet<Vec<usize>> =
                self.atoms.iter().map(|atom| keys.iter().map(|key| atom[*key]).collect()).collect();
            for value in values {
                cells.insert(self.where_all(|atom| {
                    keys.iter().zip(&value).all(|(key, value)| atom[*key] == *value)
                }));
            }
        }
        cells
    }

    /// The cells of few whose count follows for certain.
    fn recovered(&self, known: &[Known]) -> (usize, Vec<f64>) {
        let known = merged(known);
        let few: Vec<_> =
            self.cells().into_iter().filter(|of| self.true_sum(of) < THRESHOLD).collect();
        let found = few
            .iter()
            .filter(|of| {
                let (low, high) = range(self.atoms.len(), 1_000.0, &known, &sum(of));
                (low - 1e-6).ceil() >= (high + 1e-6).floor()
            })
            .map(|of| self.true_sum(of))
            .collect();
        (few.len(), found)
    }
}

fn subsets() -> Vec<Vec<usize>> {
    (0..1_usize << KEYS.len())
        .filter(|some| some.count_ones() <= 3)
        .map(|some| (0..KEYS.len()).filter(|at| some & (1 << at) != 0).collect())
        .collect()
}

/// A condition: its text, and the atoms that meet it.
type Filter = (String, fn(&Atom, usize) -> bool, usize);

fn filters() -> Vec<Filter> {
    let mut out: Vec<Filter> = vec![(String::new(), |_, _| true, 0)];
    for gender in 0..2 {
        out.push((format!("genders: [\"{}\"]", gender + 1), |atom, is| atom[2] == is, gender));
    }
    for (ethnic, code) in ETHNIC.into_iter().enumerate() {
        out.push((format!("ethnicGroups: [\"{code}\"]"), |atom, is| atom[4] == is, ethnic));
    }
    for (left, word) in LEFT.into_iter().enumerate() {
        out.push((format!("leftBehind: [{word}]"), |atom, is| atom[3] == is, left));
        let others: Vec<_> = (0..3).filter(|of| *of != left).map(|of| LEFT[of]).collect();
        out.push((format!("leftBehind: [{}]", others.join(" ")), |atom, not| atom[3] != not, left));
    }
    out
}

fn at(value: &Value, names: &[&str]) -> usize {
    names.iter().position(|name| value == name).unwrap_or_else(|| panic!("{value} of {names:?}"))
}

/// Asks for everything: each group and total with the atoms behind it, and the figure.
async fn ask(
    attack: &Attack,
    person: &Person<'_>,
    schools: &[usize],
    filters: &[Filter],
) -> Vec<(BTreeSet<usize>, i64)> {
    let mut out = Vec::new();
    for keys in subsets() {
        let by: Vec<_> = keys.iter().map(|key| KEYS[*key]).collect();
        for (text, meets, value) in filters {
            let document = format!(
                "{{ studentCounts(groupBy: [{}], filter: {{ {text} }}) {{ groups {{ county {{ name }} school {{ name }} \
                 gender {{ value }} leftBehind ethnicGroup {{ value }} count }} total }} }}",
                by.join(" ")
            );
            let answer = person.ask(&document).await;
            let within = |atom: &Atom| schools.contains(&atom[1]) && meets(atom, *value);
            for group in answer.at("/studentCounts/groups").as_array().unwrap() {
                let is: Vec<(usize, usize)> = keys
                    .iter()
                    .map(|key| {
                        let place = match key {
                            0 => at(&group["county"]["name"], &["东县", "西县"]),
                            1 => at(&group["school"]["name"], &["第1小学", "第2小学", "第3小学"]),
                            2 => at(&group["gender"]["value"], &["1", "2"]),
                            3 => at(&group["leftBehind"], &LEFT),
                            _ => at(&group["ethnicGroup"]["value"], &ETHNIC),
                        };
                        (*key, place)
                    })
                    .collect();
                let of = attack.where_all(|atom| {
                    within(atom) && is.iter().all(|(key, value)| atom[*key] == *value)
                });
                out.push((of, group["count"].as_i64().unwrap()));
            }
            if let Some(total) = answer.at("/studentCounts/total").as_i64() {
                out.push((attack.where_all(within), total));
            }
        }
    }
    out
}

fn known_of(said: &[(BTreeSet<usize>, i64)]) -> Vec<Known> {
    said.iter()
        .map(|(of, said)| {
            let said = *said as f64;
            Known { of: of.clone(), low: (said - BOUND).max(THRESHOLD), high: said + BOUND }
        })
        .collect()
}

/// A registry with small cells on purpose.
async fn planted() -> (App, Seed) {
    let app = App::start().await;
    let seed = plant(&app).await;
    (app, seed)
}

async fn plant(app: &App) -> Seed {
    let seed = app.plant(Shape { classes: 2, students: 30 }).await;
    let classes =
        [seed.class(0, 0, 0), seed.class(0, 0, 1), seed.class(1, 0, 0), seed.class(2, 0, 0)];
    let plans: [&[(usize, usize, &str, &str)]; 4] = [
        &[
            (0, 3, "left_behind", "none"),
            (3, 18, "left_behind", "both_parents"),
            (16, 20, "ethnic_group", "ZGGMZMCDLMZMPXF:03"),
        ],
        &[(0, 14, "left_behind", "none"), (10, 26, "ethnic_group", "ZGGMZMCDLMZMPXF:03")],
        &[
            (0, 12, "left_behind", "none"),
            (12, 14, "left_behind", "both_parents"),
            (0, 11, "ethnic_group", "ZGGMZMCDLMZMPXF:03"),
        ],
        &[(0, 15, "left_behind", "none"), (5, 6, "ethnic_group", "ZGGMZMCDLMZMPXF:03")],
    ];
    for (class, plan) in classes.iter().zip(plans) {
        for (from, until, column, value) in plan {
            crate::aggregates::set(app, &class.students[*from..*until], column, value).await;
        }
    }
    seed
}

/// The cells of the declared tables that are told, with the atoms behind them; and of all cells, the true count.
async fn tables(attack: &Attack, person: &Person<'_>) -> (Vec<Known>, usize) {
    let (mut known, mut withheld) = (Vec::new(), 0);
    for name in ["left_behind_children", "students_by_gender"] {
        let document = "query($name: String!) { declaredTable(name: $name) { cells { level place { name } withheld count \
                        keys { dimension value } } } }";
        let answer = person.query(document, json!({ "name": name })).await;
        let cells = answer.at("/declaredTable/cells").as_array().unwrap();
        assert!(!cells.is_empty());
        for cell in cells {
            let place = &cell["place"]["name"];
            let mut is = match cell["level"].as_str().unwrap() {
                "county" => vec![(0, at(place, &["东县", "西县"]))],
                "school" => vec![(1, at(place, &["第1小学", "第2小学", "第3小学"]))],
                _ => Vec::new(),
            };
            for key in cell["keys"].as_array().unwrap() {
                let value = &key["value"];
                match (key["dimension"].as_str().unwrap(), value) {
                    (_, Value::Null) => {}
                    ("GENDER", _) => is.push((2, at(value, &["RDXB:1", "RDXB:2"]))),
                    ("LEFT_BEHIND", _) => {
                        is.push((3, at(value, &["none", "one_parent", "both_parents"])));
                    }
                    _ => {}
                }
            }
            let of = attack.where_all(|atom| is.iter().all(|(key, value)| atom[*key] == *value));
            match cell["count"].as_i64() {
                Some(count) => {
                    assert!((attack.true_sum(&of) - count as f64).abs() < 0.5, "{cell}");
                    assert!(count >= 10, "{cell}");
                    known.push(Known { of, low: count as f64, high: count as f64 });
                }
                None => {
                    assert_eq!(cell["withheld"], true);
                    withheld += 1;
                }
            }
        }
    }
    (known, withheld)
}

#[tokio::test]
async fn nothing_of_few_follows_from_all_that_is_published() {
    let (app, seed) = planted().await;
    let attack = Attack::of(&app, &seed).await;
    app.snapshot("first").await;
    // Everybody who may ask, with every key and overlapping filters.
    let city = app.analyst(seed.city);
    let mut said = ask(&attack, &city, &[0, 1, 2], &filters()).await;
    let plain = filters().into_iter().take(1).collect::<Vec<_>>();
    said.extend(ask(&attack, &app.analyst(seed.counties[0]), &[0, 1], &plain).await);
    said.extend(ask(&attack, &app.school_analyst(seed.schools[0].id), &[0], &plain).await);
    for (of, figure) in &said {
        let truth = attack.true_sum(of);
        assert!(
            (*figure as f64 - truth).abs() <= BOUND && truth >= THRESHOLD,
            "{figure} of {truth}"
        );
    }
    let perturbed = known_of(&said);
    let (cells, by_figures) = attack.recovered(&perturbed);
    assert!(cells > 30, "{cells} cells of few");
    // Without protection: exact figures of groups that are large enough, and tables in which only the small cells
    // themselves are withheld.
    let exact = |of: &BTreeSet<usize>| {
        let truth = attack.true_sum(of);
        Known { of: of.clone(), low: truth, high: truth }
    };
    let unprotected: Vec<_> = said.iter().map(|(of, _)| exact(of)).collect();
    let large = attack.cells().into_iter().filter(|of| attack.true_sum(of) >= THRESHOLD);
    let primary: Vec<_> = large.map(|of| exact(&of)).collect();
    let primary = attack.recovered(&primary).1.len();
    Report {
        attack: "counts with errors",
        published: said.len(),
        cells,
        equations: merged(&perturbed).len(),
        recovered: by_figures.len(),
        control: attack.recovered(&unprotected).1.len(),
        ..Report::default()
    }
    .hold();
    // The declared tables, and both together, as two who share what they know.
    let (mut known, withheld) = tables(&attack, &city).await;
    assert!(withheld > 10 && known.len() > 10, "{withheld} withheld, {} told", known.len());
    let mut report = Report {
        attack: "declared tables of students",
        published: known.len(),
        cells,
        equations: merged(&known).len(),
        recovered: attack.recovered(&known).1.len(),
        control: primary,
        ..Report::default()
    };
    report.hold();
    report.published += said.len();
    known.extend(perturbed);
    report.attack = "tables and counts together";
    report.equations = merged(&known).len();
    report.recovered = attack.recovered(&known).1.len();
    report.hold();
}

#[tokio::test]
async fn two_who_are_answered_in_different_ways_share_what_they_know() {
    let mut source = xueji::access::policy::Source::shipped();
    let text = source.files.get_mut("disclosure_control.csv").unwrap();
    *text = text.replace("d, analyst, region, perturb, 10", "d, analyst, region, suppress, 10");
    let app = App::under(source).await;
    let seed = plant(&app).await;
    let attack = Attack::of(&app, &seed).await;
    app.snapshot("first").await;
    // The region has the tables, the schools ask freely.
    let (mut known, withheld) = tables(&attack, &app.analyst(seed.city)).await;
    assert!(withheld > 10, "{withheld}");
    let mut published = known.len();
    for (at, school) in seed.schools.iter().enumerate() {
        let said = ask(&attack, &app.school_analyst(school.id), &[at], &filters()).await;
        published += said.len();
        known.extend(known_of(&said));
    }
    let (cells, found) = attack.recovered(&known);
    // Without protection: exact figures of every group that is large enough.
    let large = attack.cells().into_iter().filter(|of| attack.true_sum(of) >= THRESHOLD);
    let large: Vec<_> = large
        .map(|of| {
            let truth = attack.true_sum(&of);
            Known { of, low: truth, high: truth }
        })
        .collect();
    Report {
        attack: "tables of a region and counts of its schools",
        published,
        cells,
        equations: merged(&known).len(),
        recovered: found.len(),
        control: attack.recovered(&large).1.len(),
        ..Report::default()
    }
    .hold();
}

/// That a figure comes or goes tells of no change: figures of sets that nobody joined or left do so as well.
#[tokio::test]
async fn figures_of_unchanged_sets_come_and_go_with_the_nights() {
    let (app, seed) = planted().await;
    let attack = Attack::of(&app, &seed).await;
    let city = app.analyst(seed.city);
    let plain = filters().into_iter().take(1).collect::<Vec<_>>();
    let (mut always, mut ever): (Option<BTreeSet<_>>, BTreeSet<_>) = (None, BTreeSet::new());
    for night in ["first", "second", "third", "fourth", "fifth", "sixth"] {
        app.snapshot(night).await;
        let said: BTreeSet<_> =
            ask(&attack, &city, &[0, 1, 2], &plain).await.into_iter().map(|(of, _)| of).collect();
        ever.extend(said.iter().cloned());
        always = Some(match always {
            Some(always) => always.intersection(&said).cloned().collect(),
            None => said,
        });
    }
    let (always, ever) = (always.unwrap().len(), ever.len());
    println!("solver, six nights of unchanged sets: {always} figures in each, {ever} in some");
    assert!(always < ever, "{always} of {ever}");
}

#[tokio::test]
async fn a_pupil_who_changes_overnight_is_not_named() {
    let (app, seed) = planted().await;
    let attack = Attack::of(&app, &seed).await;
    let city = app.analyst(seed.city);
    let plain = filters().into_iter().take(1).collect::<Vec<_>>();
    app.snapshot("first").await;
    let before = ask(&attack, &city, &[0, 1, 2], &plain).await;
    // One pupil of the first school, no longer left behind.
    crate::aggregates::set(&app, &seed.class(0, 0, 0).students[10..11], "left_behind", "none")
        .await;
    app.snapshot("second").await;
    let after = ask(&attack, &city, &[0, 1, 2], &plain).await;
    // The figures that change are not those of the sets that do.
    let old: BTreeMap<_, _> = before.iter().cloned().collect();
    let moved = Attack::of(&app, &seed).await;
    let same_set = |of: &BTreeSet<usize>| {
        of.iter().all(|at| (attack.truth[*at] - moved.truth[*at]).abs() < 0.5)
    };
    let elsewhere = after
        .iter()
        .filter(|(of, figure)| same_set(of) && old.get(of).is_some_and(|was| was != figure))
        .count();
    assert!(elsewhere > 5, "{elsewhere} figures of unchanged sets changed");
    // The tables are those of the first day: two days would be subtracted.
    let (of_first, _) = tables(&attack, &city).await;
    let names = "{ declaredTable(name: \"left_behind_children\") { snapshot { name } } }";
    assert_eq!(city.ask(names).await.at("/declaredTable/snapshot/name"), "first");
    // Two days of unknowns; the attacker even knows that nothing else happened.
    let count = attack.atoms.len();
    let later = |fact: Known| Known { of: fact.of.iter().map(|at| at + count).collect(), ..fact };
    let mut known = known_of(&before);
    known.extend(of_first.iter().cloned());
    known.extend(known_of(&after).into_iter().map(later));
    let known = merged(&known);
    let named = |known: &[Known]| {
        let mut found = 0;
        for at in attack.where_all(|atom| atom[1] == 0) {
            let change = BTreeMap::from([(at, -1.0), (at + count, 1.0)]);
            let (low, high) = range(2 * count, 1_000.0, known, &change);
            found += usize::from((low - 1e-6).ceil() >= (high + 1e-6).floor());
        }
        found
    };
    // Without protection the tables of both days are told, and what changed is the pupil.
    let mut both: Vec<Known> = Vec::new();
    let atoms: Vec<BTreeSet<usize>> = (0..count).map(|at| BTreeSet::from([at])).collect();
    for of in attack.cells().iter().chain(&atoms) {
        let exact = |truth: f64| Known { of: of.clone(), low: truth, high: truth };
        both.push(exact(attack.true_sum(of)));
        both.push(later(exact(moved.true_sum(of))));
    }
    Report {
        attack: "two nights",
        published: before.len() + after.len() + of_first.len(),
        values: attack.where_all(|atom| atom[1] == 0).len(),
        equations: known.len(),
        recovered: named(&known),
        control: named(&merged(&both)),
        ..Report::default()
    }
    .hold();
}
