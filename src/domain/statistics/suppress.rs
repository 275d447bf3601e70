//! Which cells of linked tables are withheld (主次抑制): those that few stand behind, and those from
//! which they could be computed.
//!
//! Unknowns and the sums that hold between them; whoever reads the published ones knows the sums
//! and that no figure is negative. A withheld cell is safe once other figures than the true ones agree
//! with everything published and differ in it widely enough. Linear programming finds them so that
//! as little as possible of what is told changes; what changes is withheld as well, and the true and
//! the other figures are the proof. Cells far away keep their true values: what holds with fewer
//! unknowns holds with all, however large the tables are. Pure, and kept away from requests.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use microlp::{ComparisonOp, OptimizationDirection, Problem, SolveOutcome};

/// A cell as it is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fact {
    /// The figure.
    pub value: i64,
    /// Distinct students behind it; of several, at least so many.
    pub students: i64,
    /// The largest contribution of one student.
    pub largest: i64,
}

/// Cells that are looked at around one: few first, for they mostly do, then more.
const AROUND: [usize; 2] = [200, 1_500];

/// The cells of linked tables.
#[derive(Debug)]
pub struct System {
    facts: Vec<Fact>,
    /// A whole and its parts.
    sums: Vec<(usize, Vec<usize>)>,
    /// The sums that a cell is in.
    of: Vec<Vec<usize>>,
    threshold: i64,
    money: bool,
    withheld: Vec<bool>,
}

impl System {
    /// Nothing withheld yet.
    pub fn new(
        facts: Vec<Fact>,
        sums: Vec<(usize, Vec<usize>)>,
        threshold: i64,
        money: bool,
    ) -> Self {
        let mut of = vec![Vec::new(); facts.len()];
        for (at, (whole, parts)) in sums.iter().enumerate() {
            for cell in std::iter::once(whole).chain(parts) {
                of[*cell].push(at);
            }
        }
        let withheld = vec![false; facts.len()];
        Self { facts, sums, of, threshold, money, withheld }
    }

    /// Which cells may be told.
    pub fn told(mut self) -> Vec<bool> {
        let small: Vec<usize> = (0..self.facts.len()).filter(|at| self.primary(*at)).collect();
        for at in &small {
            self.withheld[*at] = true;
        }
        // What is safe stays safe when more is withheld: each cell is proved once.
        let mut open: BTreeSet<usize> = small.into_iter().collect();
        while let Some(at) = open.pop_first() {
            let found = AROUND.iter().find_map(|most| self.moves(at, &self.around(at, *most)));
            // Without a way out everything that the cell could follow from goes.
            let moves = found.unwrap_or_else(|| {
                self.around(at, AROUND[0])
                    .into_iter()
                    .map(|cell| (cell, self.needed(cell)))
                    .collect()
            });
            for (cell, by) in moves {
                if !self.withheld[cell] {
                    self.withheld[cell] = true;
                    // A cell that moves along is proved by the same figures, if it moves far enough.
                    if by.abs() + 0.01 < self.needed(cell) {
                        open.insert(cell);
                    }
                }
            }
        }
        self.withheld.iter().map(|withheld| !withheld).collect()
    }

    /// Withheld for itself: few students, or one of them is most of the money.
    fn primary(&self, at: usize) -> bool {
        let fact = self.facts[at];
        fact.students < self.threshold || (self.money && fact.largest * 2 > fact.value)
    }

    /// How much more a cell must possibly be than it is: a small one reaches the threshold, and money
    /// differs by three grants, since those of a programme are alike.
    fn needed(&self, at: usize) -> f64 {
        let fact = self.facts[at];
        let by = if self.money {
            3 * fact.largest.max(1)
        } else if self.primary(at) {
            (self.threshold - fact.value).max(2)
        } else {
            2
        };
        by as f64
    }

    /// The cells nearest to one, itself first, told or not.
    fn around(&self, at: usize, most: usize) -> Vec<usize> {
        let mut found = vec![at];
        let mut seen = BTreeSet::from([at]);
        let mut queue = VecDeque::from([at]);
        while let Some(cell) = queue.pop_front() {
            for sum in &self.of[cell] {
                let (whole, parts) = &self.sums[*sum];
                for near in std::iter::once(whole).chain(parts) {
                    if found.len() >= most {
                        return found;
                    }
                    if seen.insert(*near) {
                        found.push(*near);
                        queue.push_back(*near);
                    }
                }
            }
        }
        found
    }

    /// Other figures in which the cell is larger by what is needed, all sums hold, none is negative,
    /// and as little as possible of what is told changes: the cells that change, and by how much.
    fn moves(&self, at: usize, around: &[usize]) -> Option<Vec<(usize, f64)>> {
        let mut problem = Problem::new(OptimizationDirection::Minimize);
        let mut variables = BTreeMap::new();
        for cell in around {
            let value = self.facts[*cell].value as f64;
            let cost = if self.withheld[*cell] { 0.001 } else { 1.0 + value.max(0.0).sqrt() };
            let up = if *cell == at {
                let needed = self.needed(at);
                problem.add_var(0.0, (needed, needed))
            } else {
                problem.add_var(cost, (0.0, f64::INFINITY))
            };
            let down = problem.add_var(cost, (0.0, if *cell == at { 0.0 } else { value.max(0.0) }));
            variables.insert(*cell, (up, down));
        }
        let sums: BTreeSet<usize> =
            around.iter().flat_map(|cell| self.of[*cell].iter().copied()).collect();
        for sum in sums {
            let (whole, parts) = &self.sums[sum];
            let signed = parts.iter().map(|part| (part, 1.0)).chain(std::iter::once((whole, -1.0)));
            let terms: Vec<_> = signed
                .filter_map(|(cell, sign)| variables.get(cell).map(|both| (both, sign)))
                .flat_map(|((up, down), sign)| [(*up, sign), (*down, -sign)])
                .collect();
            problem.add_constraint(terms.as_slice(), ComparisonOp::Eq, 0.0);
        }
        let SolveOutcome::Solution(solution) = problem.solve().ok()? else { return None };
        let moves = variables
            .iter()
            .map(|(cell, (up, down))| (*cell, solution.var_value(*up) - solution.var_value(*down)));
        Some(moves.filter(|(_, by)| by.abs() > 1e-6).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(values: &[i64]) -> Vec<Fact> {
        values.iter().map(|value| Fact { value: *value, students: *value, largest: 1 }).collect()
    }

    #[test]
    fn a_small_cell_takes_a_neighbour_with_it() {
        // 3 + 40 + 60 = 103.
        let told =
            System::new(counts(&[103, 3, 40, 60]), vec![(0, vec![1, 2, 3])], 10, false).told();
        assert_eq!(told, [true, false, false, true]);
    }

    #[test]
    fn nobody_is_a_number_too() {
        let told =
            System::new(counts(&[100, 0, 40, 60]), vec![(0, vec![1, 2, 3])], 10, false).told();
        assert_eq!(told, [true, false, false, true]);
        // Two small cells that together are few: known to be few, so a third goes.
        let told = System::new(counts(&[69, 5, 4, 60]), vec![(0, vec![1, 2, 3])], 10, false).told();
        assert_eq!(told, [true, false, false, false]);
    }

    #[test]
    fn linked_tables_are_one_system() {
        // A row of three and a column of three that cross in the small cell: each needs another.
        let facts = counts(&[103, 3, 40, 60, 93, 50, 40]);
        let told =
            System::new(facts, vec![(0, vec![1, 2, 3]), (4, vec![1, 5, 6])], 10, false).told();
        assert!(!told[1] && told.iter().filter(|told| !**told).count() >= 3, "{told:?}");
    }

    #[test]
    fn one_who_is_most_of_the_money_is_withheld() {
        let facts = vec![
            Fact { value: 1_000_000, students: 60, largest: 300_000 },
            Fact { value: 500_000, students: 20, largest: 300_000 },
            Fact { value: 500_000, students: 40, largest: 20_000 },
        ];
        let told = System::new(facts, vec![(0, vec![1, 2])], 10, true).told();
        assert!(!told[1] && !told[2], "{told:?}");
    }
}
