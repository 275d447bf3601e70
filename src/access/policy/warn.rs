//! What a policy may say and probably does not mean: lines that do nothing, and roles that collect much.
//!
//! Nothing here refuses a policy. A comment right above a line quiets a warning by stating a reason:
//! `# because collects-much: keeps the register`.

use std::collections::{BTreeMap, BTreeSet};

use crate::access::catalogue::{Catalogue, Class};
use crate::access::policy::roles::{FILE, Roles};
use crate::access::policy::source::Source;
use crate::access::policy::{Policy, Problem};
use crate::access::table::{Pair, Reach, Rule, RuleId, Sight, Uses};

/// From how much on a role collects much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Thresholds {
    /// Most sensitivity groups of which a role sees a column in full.
    pub groups: usize,
    /// Most personal columns that a role sees in full.
    pub columns: usize,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self { groups: 8, columns: 80 }
    }
}

/// The warnings, in the order of file and line.
pub(super) fn warnings(
    policy: &Policy,
    source: &Source,
    catalogue: &Catalogue,
    thresholds: &Thresholds,
) -> Vec<Problem> {
    let warn = Warn { policy, source, catalogue };
    let mut found = Vec::new();
    found.extend(warn.idle_pairs());
    found.extend(warn.idle_lines());
    found.extend(warn.shadowed());
    found.extend(warn.scattered());
    found.extend(warn.collectors(thresholds));
    found.retain(|warning| {
        warning.line.is_none_or(|line| source.because(&warning.file, line, warning.code).is_none())
    });
    found.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    found
}

struct Warn<'a> {
    policy: &'a Policy,
    source: &'a Source,
    catalogue: &'a Catalogue,
}

impl Warn<'_> {
    fn roles(&self) -> &Roles {
        &self.policy.roles
    }

    fn at(&self, rule: RuleId, code: &'static str, why: String) -> Option<Problem> {
        let Rule { file, line, .. } = self.policy.table.rule(rule)?;
        Some(Problem::line(file, *line, why).of(code))
    }

    /// A warning at the line of `roles.csv` that names a role.
    fn at_role(&self, pair: Pair, code: &'static str, why: String) -> Problem {
        let name = self.roles().get(pair.role).map(|role| role.name.as_str()).unwrap_or_default();
        let line = self
            .source
            .lines(FILE)
            .find(|line| matches!(line.cells.as_slice(), ["r", named, ..] if *named == name));
        match line {
            Some(line) => Problem::line(FILE, line.number, why).of(code),
            None => Problem::file(FILE, why).of(code),
        }
    }

    /// The personal columns that a pair sees in full, computed ones aside.
    fn in_full(&self, pair: Pair) -> Vec<usize> {
        let seen = |place: usize| {
            u16::try_from(place)
                .is_ok_and(|field| self.policy.table.cell(pair, field).uses.sight() == Sight::Full)
        };
        (0..self.catalogue.coordinates.len())
            .filter(|&place| {
                self.catalogue.coordinates.get(place).is_some_and(|coordinate| {
                    coordinate.group.personal() && !matches!(coordinate.class, Class::Derived(_))
                }) && seen(place)
            })
            .collect()
    }

    /// Roles that may be held where the policy gives them nothing.
    fn idle_pairs(&self) -> Vec<Problem> {
        let table = &self.policy.table;
        let idle = |pair: &Pair| {
            *pair != Pair::ANYONE
                && (0..).take(table.fields()).all(|field| table.cell(*pair, field).uses.is_empty())
                && !(0..)
                    .take(self.policy.actions.len())
                    .any(|action| self.policy.actions.may(&[*pair], action).is_some())
        };
        let why = |pair: Pair| {
            format!(
                "{} may be held and gives nothing: no line speaks of it; add lines, or take the reach from \
                 the role",
                self.roles().words(pair)
            )
        };
        table
            .pairs()
            .iter()
            .copied()
            .filter(idle)
            .map(|pair| self.at_role(pair, "unreachable", why(pair)))
            .collect()
    }

    /// Lines that no row and no figure can make use of.
    fn idle_lines(&self) -> Vec<Problem> {
        let table = &self.policy.table;
        let mut found = Vec::new();
        for line in &self.policy.said.columns {
            let Some(coordinate) = self.catalogue.coordinates.get(usize::from(line.field)) else {
                continue;
            };
            let reach = line.pair.reach;
            let covered = self.catalogue.reaches.get(coordinate.noun);
            let shown = line.uses.intersects(Uses::FULL.union(Uses::MASKED));
            if shown && covered.is_some_and(|reaches| !reaches.contains(&reach)) {
                let why = format!(
                    "no row of {} is covered at {}; the line shows nothing, delete it",
                    coordinate.noun,
                    reach.word()
                );
                found.extend(self.at(line.rule, "unreachable", why));
            }
            let counts = |pair: &Pair| {
                pair.reach == reach
                    && self.roles().has(pair.role, line.pair.role)
                    && (0..).zip(table.nouns()).any(|(noun, _)| table.aggregates(*pair, noun))
            };
            if !shown && !table.pairs().iter().any(counts) {
                let why = format!(
                    "{} is hidden here and may only be used in figures, and {} has no figures: no column \
                     with `aggregate`; delete the line, or add one",
                    coordinate.name(),
                    self.roles().words(line.pair)
                );
                found.extend(self.at(line.rule, "unreachable", why));
            }
        }
        found
    }

    /// Lines that add nothing to what the role inherits.
    fn shadowed(&self) -> Vec<Problem> {
        let said = &self.policy.said;
        let above = |heir: Pair, other: Pair| {
            heir.reach == other.reach
                && heir.role != other.role
                && self.roles().has(heir.role, other.role)
        };
        let mut found = Vec::new();
        for line in &said.columns {
            let inherited: Vec<_> = said
                .columns
                .iter()
                .filter(|other| other.field == line.field && above(line.pair, other.pair))
                .collect();
            let mut gives = inherited.iter().fold(Uses::NONE, |all, other| all.union(other.uses));
            if gives.contains(Uses::FULL) {
                gives = gives.union(Uses::MASKED);
            }
            if let Some(first) = inherited.first().filter(|_| gives.contains(line.uses)) {
                found.extend(self.shadow(line.pair, line.rule, first.pair, first.rule));
            }
        }
        for line in &said.actions {
            let other = said.actions.iter().find(|other| {
                other.action == line.action
                    && above(line.pair, other.pair)
                    && line.columns.iter().all(|column| other.columns.contains(column))
            });
            if let Some(other) = other {
                found.extend(self.shadow(line.pair, line.rule, other.pair, other.rule));
            }
        }
        found
    }

    fn shadow(&self, heir: Pair, rule: RuleId, from: Pair, by: RuleId) -> Option<Problem> {
        let by = self.policy.table.rule(by)?;
        let why = format!(
            "adds nothing to what {} inherits from {} ({by}); no line takes away, so delete it",
            self.roles().words(heir),
            self.roles().words(from)
        );
        self.at(rule, "shadowed", why)
    }

    /// Columns whose lines stand in several blocks: whoever reads one block does not see the other.
    fn scattered(&self) -> Vec<Problem> {
        let mut last: BTreeMap<&str, &str> = BTreeMap::new();
        let mut done: BTreeMap<(&str, &str), u32> = BTreeMap::new();
        let mut found = Vec::new();
        for file in self.source.files.keys().filter(|file| file.ends_with(".csv") && *file != FILE)
        {
            for line in self.source.lines(file) {
                let Some(&name) = line.cells.get(1) else { continue };
                let goes_on = last.insert(file, name) == Some(name);
                let before = done.insert((file, name), line.number);
                if let Some(before) = before.filter(|_| !goes_on) {
                    let why = format!(
                        "{name} has lines up to {before} and again here; keep them in one block"
                    );
                    found.push(Problem::line(file, line.number, why).of("scattered"));
                }
            }
        }
        found
    }

    /// Roles that see much in full. The student and the guardian read what is theirs.
    fn collectors(&self, thresholds: &Thresholds) -> Vec<Problem> {
        let mut found = Vec::new();
        for &pair in self.policy.table.pairs() {
            if matches!(pair.reach, Reach::Own | Reach::Ward) {
                continue;
            }
            let columns = self.in_full(pair);
            let groups: BTreeSet<_> = columns
                .iter()
                .filter_map(|&place| self.catalogue.coordinates.get(place))
                .map(|coordinate| coordinate.group)
                .collect();
            if groups.len() > thresholds.groups || columns.len() > thresholds.columns {
                let why = format!(
                    "{} sees {} personal columns of {} sensitivity groups in full (more than {} or {}); take \
                     some away, or state the reason above the role's line: # because collects-much: …",
                    self.roles().words(pair),
                    columns.len(),
                    groups.len(),
                    thresholds.columns,
                    thresholds.groups
                );
                found.push(self.at_role(pair, "collects-much", why));
            }
        }
        found
    }
}
