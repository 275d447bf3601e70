//! A solver attacks what is published: every cell, total and overlapping filter that the API gives, of several roles
//! and days, with the declared tables beside them. It looks for counts under the threshold, and values of one student,
//! that follow for certain. Each attack is run on figures without protection as well, where it finds some.

use std::collections::{BTreeMap, BTreeSet};

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome};
use sea_orm::EntityTrait;
use serde_json::{Value, json};
use xueji_entity::{enrollment, student};

use crate::support::app::App;
use crate::support::callers::Person;
use crate::support::seed::{Seed, Shape};

const THRESHOLD: f64 = 10.0;
const BOUND: f64 = 12.0;
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

/// What is known of the sum over some atoms.
#[derive(Clone, Debug)]
struct Known {
    of: BTreeSet<usize>,
    low: f64,
    high: f64,
}

/// The least and most that a weighted sum of the atoms can be.
fn range(count: usize, known: &[Known], goal: &BTreeMap<usize, f64>) -> (f64, f64) {
    let solve = |direction| {
        let mut problem = Problem::new(direction);
        let variables: Vec<_> = (0..count)
            .map(|at| problem.add_var(goal.get(&at).copied().unwrap_or(0.0), (0.0, 1_000.0)))
            .collect();
        for fact in known {
            let terms: Vec<_> = fact.of.iter().map(|at| (variables[*at], 1.0)).collect();
            if (fact.high - fact.low).abs() < 1e-9 {
                problem.add_constraint(terms.as_slice(), ComparisonOp::Eq, fact.low);
            } else {
                problem.add_constraint(terms.as_slice(), ComparisonOp::Ge, fact.low);
                problem.add_constraint(terms.as_slice(), ComparisonOp::Le, fact.high);
            }
        }
        match problem.solve().unwrap() {
            SolveOutcome::Solution(solution) => solution.objective(),
            SolveOutcome::Interrupted(_) => panic!("the solver stopped"),
        }
    };
    (solve(OptimizationDirection::Minimize), solve(OptimizationDirection::Maximize))
}

fn sum(of: &BTreeSet<usize>) -> BTreeMap<usize, f64> {
    of.iter().map(|at| (*at, 1.0)).collect()
}

/// What is known of each set, once.
fn merged(known: &[Known]) -> Vec<Known> {
    let mut sets: BTreeMap<BTreeSet<usize>, (f64, f64)> = BTreeMap::new();
    for fact in known {
        let range = sets.entry(fact.of.clone()).or_insert((f64::MIN, f64::MAX));
        *range = (range.0.max(fact.low), range.1.min(fact.high));
    }
    sets.into_iter().map(|(of, (low, high))| Known { of, low, high }).collect()
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
                let (low, high) = range(self.atoms.len(), &known, &sum(of));
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
    let (app, seed) = App::school_of(Shape { classes: 2, students: 30 }).await;
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
            crate::aggregates::set(&app, &class.students[*from..*until], column, value).await;
        }
    }
    (app, seed)
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
    let (attacked, found) = attack.recovered(&perturbed);
    assert!(attacked > 30, "{attacked} cells of few");
    assert_eq!(found, [] as [f64; 0], "figures with errors, {attacked} cells attacked");
    // The declared tables, and both together, as two who share what they know.
    let (mut known, withheld) = tables(&attack, &city).await;
    assert!(withheld > 10 && known.len() > 10, "{withheld} withheld, {} told", known.len());
    assert_eq!(attack.recovered(&known).1, [] as [f64; 0], "declared tables");
    known.extend(perturbed);
    assert_eq!(attack.recovered(&known).1, [] as [f64; 0], "tables and figures together");
    // Without protection the same attack finds some: exact figures of groups that are large enough, and tables in
    // which only the small cells themselves are withheld.
    let exact = |of: &BTreeSet<usize>| {
        let truth = attack.true_sum(of);
        Known { of: of.clone(), low: truth, high: truth }
    };
    let control: Vec<_> = said.iter().map(|(of, _)| exact(of)).collect();
    assert!(!attack.recovered(&control).1.is_empty(), "exact figures tell");
    let large = attack.cells().into_iter().filter(|of| attack.true_sum(of) >= THRESHOLD);
    let primary: Vec<_> = large.map(|of| exact(&of)).collect();
    assert!(!attack.recovered(&primary).1.is_empty(), "withholding small cells alone tells");
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
    // Two days of unknowns; the attacker even knows that nothing else happened.
    let count = attack.atoms.len();
    let mut known = known_of(&before);
    for fact in known_of(&after) {
        known.push(Known { of: fact.of.iter().map(|at| at + count).collect(), ..fact });
    }
    let known = merged(&known);
    for at in attack.where_all(|atom| atom[1] == 0) {
        let change = BTreeMap::from([(at, -1.0), (at + count, 1.0)]);
        let (low, high) = range(2 * count, &known, &change);
        assert!(
            low < 0.5 && high > -0.5 && high - low > 1.0,
            "{:?}: {low} {high}",
            attack.atoms[at]
        );
    }
}

#[tokio::test]
async fn the_score_of_one_pupil_does_not_follow_from_two_means() {
    let (app, seed) = planted().await;
    // A pupil who was in the class and is at another school today: in the city's mean, not in the school's.
    let class = seed.class(0, 0, 0);
    let pupil = class.students[4];
    use sea_orm::{ColumnTrait, QueryFilter};
    enrollment::Entity::update_many()
        .col_expr(enrollment::Column::SchoolId, seed.schools[2].id.uuid().into())
        .filter(enrollment::Column::StudentId.eq(pupil))
        .exec(app.db())
        .await
        .unwrap();
    app.snapshot("first").await;
    let document = "query($c: [ID!], $k: [ID!]) { scoreStatistics(groupBy: [CLASS_GROUP, COURSE], \
                    filter: { classGroupIds: $c, courseIds: $k }) { groups { students mean } } }";
    let variables =
        json!({ "c": [app.id("class_group", class.id)], "k": [app.id("course", seed.courses[0])] });
    let mut sums = Vec::new();
    for (person, count) in
        [(app.analyst(seed.city), 30.0), (app.school_analyst(seed.schools[0].id), 29.0)]
    {
        let answer = person.query(document, variables.clone()).await;
        let mean: f64 =
            answer.at("/scoreStatistics/groups/0/mean").as_str().unwrap().parse().unwrap();
        // The attacker knows the numbers of pupils, and that a sum is off by at most 3.25 full marks.
        sums.push((count * (mean - 0.05) - 325.0, count * (mean + 0.05) + 325.0));
    }
    let (low, high) = (sums[0].0 - sums[1].1, sums[0].1 - sums[1].0);
    assert!(low < 0.0 && high > 100.0, "between {low} and {high}");
}
