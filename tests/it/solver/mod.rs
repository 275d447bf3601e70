//! A solver attacks what is published. It looks for counts under the threshold, and values of one student, that follow
//! for certain: from all figures together, from what the attacker knows besides (own pupils, sizes of classes), and from
//! whether a figure is said at all.
//!
//! Each attack says its figures (`cargo test solver -- --nocapture`), and is run on figures without protection as well:
//! an attack that finds nothing there would be blind.

mod aid;
mod chain;
mod counts;
mod pads;
mod presence;
mod records;

use std::collections::{BTreeMap, BTreeSet};

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome};

const THRESHOLD: f64 = 10.0;
const BOUND: f64 = 12.0;

/// What is known of the sum over some atoms.
#[derive(Clone, Debug)]
struct Known {
    of: BTreeSet<usize>,
    low: f64,
    high: f64,
}

/// The least and most that a weighted sum of the atoms can be, none of which is above `most`.
fn range(count: usize, most: f64, known: &[Known], goal: &BTreeMap<usize, f64>) -> (f64, f64) {
    let solve = |direction| {
        let mut problem = Problem::new(direction);
        let variables: Vec<_> = (0..count)
            .map(|at| problem.add_var(goal.get(&at).copied().unwrap_or(0.0), (0.0, most)))
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

/// What an attack did.
#[derive(Debug, Default)]
struct Report {
    attack: &'static str,
    /// Figures that were published.
    published: usize,
    /// Counts under the threshold that were attacked.
    cells: usize,
    /// Values of one student that were attacked.
    values: usize,
    /// Equations and bounds that the attacker had.
    equations: usize,
    /// What followed for certain.
    recovered: usize,
    /// What the same attack found without protection.
    control: usize,
}

impl Report {
    /// Says it, and holds it: nothing follows, and the attack sees what is there to be seen.
    #[track_caller]
    fn hold(&self) {
        println!(
            "solver, {}: {} figures published; {} cells of few and {} values of one attacked with {} equations; \
             {} recovered, {} without protection",
            self.attack,
            self.published,
            self.cells,
            self.values,
            self.equations,
            self.recovered,
            self.control
        );
        assert!(self.published > 0 && self.equations > 0, "{self:?}");
        assert!(self.cells + self.values > 0, "{self:?}");
        assert_eq!(self.recovered, 0, "{self:?}");
        assert!(self.control > 0, "{self:?}");
    }
}
