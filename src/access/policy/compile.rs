//! Asks casbin about every cell, once, and keeps the answers. Requests never come here.
//!
//! Casbin alone decides what is granted; the lines are read again only to say which of them won.

use crate::access::catalogue::{Catalogue, Class, FieldId};
use crate::access::policy::actions::{Act, ActionId, Actions};
use crate::access::policy::lint::{ActionLine, Checked, ColumnLine};
use crate::access::policy::oracle::{MODEL, Oracle};
use crate::access::policy::purposes::PurposeId;
use crate::access::policy::roles::Roles;
use crate::access::policy::{Policy, Problem, Problems, Said, masks};
use crate::access::table::{Cell, NounId, Pair, RuleId, Table, Uses};
use std::collections::{BTreeMap, BTreeSet};

/// The verb of a question about an action as such; the others are the columns it sets.
const RUN: &str = "run";

/// The names under which casbin knows the pairs: role and reach.
pub(super) fn pair_names(roles: &Roles, pairs: &[Pair]) -> Vec<(Pair, String, String)> {
    let name = |pair: &Pair| {
        roles.get(pair.role).map(|role| format!("role:{}", role.name)).unwrap_or_default()
    };
    pairs.iter().map(|pair| (*pair, name(pair), format!("reach:{}", pair.reach.word()))).collect()
}

/// A column line as casbin reads it.
fn column_rule(line: &ColumnLine, name: &str, roles: &Roles) -> Vec<String> {
    let words = |among: Uses| {
        let spoken = Uses::VERBS
            .iter()
            .filter(|(bit, _, _)| among.contains(*bit) && line.uses.contains(*bit));
        spoken.map(|(_, word, _)| *word).collect::<Vec<_>>().join(" ")
    };
    let shown = Uses::FULL.union(Uses::MASKED);
    let used =
        Uses::VERBS.iter().fold(Uses::NONE, |all, (bit, _, _)| all.union(*bit)).without(shown);
    let sight = if line.uses.intersects(shown) { words(shown) } else { "hidden".to_owned() };
    let role = roles.get(line.pair.role).map(|role| role.name.as_str()).unwrap_or_default();
    vec![
        format!("col:{name}"),
        format!("role:{role}"),
        format!("reach:{}", line.pair.reach.word()),
        sight,
        words(used),
    ]
}

/// Asks for everything and puts the policy together.
pub(super) fn policy(
    oracle: Oracle,
    checked: Checked,
    catalogue: &Catalogue,
    (version, model): (String, String),
    earlier: Option<&Policy>,
) -> Result<Policy, Problems> {
    let lines = checked.rules.len();
    let names: Vec<String> =
        catalogue.coordinates.iter().map(|coordinate| coordinate.name()).collect();
    let pairs = pair_names(&checked.roles, &checked.roles.pairs());
    // What the lines mean must be the same, and who inherits from whom.
    let earlier = earlier
        .filter(|earlier| earlier.said.model == model && earlier.roles == checked.roles)
        .filter(|earlier| earlier.table.fields() == catalogue.coordinates.len());
    let mut compiler = Compiler { oracle, roles: &checked.roles, catalogue, names, pairs, earlier };
    let refused = |why| Problems(vec![Problem::file(MODEL, why)]);
    let (mut table, actions) = compiler.run(&checked).map_err(refused)?;
    let mut purposed = compiler.purposed(&checked, &table, &actions).map_err(refused)?;
    let mut undone = Vec::new();
    for table in std::iter::once(&mut table).chain(purposed.iter_mut().map(|(_, table)| table)) {
        derive(table, catalogue);
        open(table, catalogue);
        for problem in masks::undone(table, catalogue, &checked.roles) {
            if !undone.contains(&problem) {
                undone.push(problem);
            }
        }
    }
    if !undone.is_empty() {
        return Err(Problems(undone));
    }
    if !purposed.is_empty() {
        let all: Vec<Table> = purposed.iter().map(|(_, table)| table.clone()).collect();
        table.could(&all);
        for (_, table) in &mut purposed {
            table.could(&all);
        }
    }
    let silent = checked.disclosure_control.uncovered(&table, &checked.roles);
    if !silent.is_empty() {
        return Err(Problems(silent));
    }
    let Checked { roles, purposes, disclosure_control, columns, actions: said, gifts, .. } =
        checked;
    Ok(Policy {
        table,
        purposed,
        roles,
        purposes,
        actions,
        gifts,
        disclosure_control,
        hash: version.clone(),
        version,
        lines,
        said: Said { columns, actions: said, model },
    })
}

struct Compiler<'a> {
    oracle: Oracle,
    roles: &'a Roles,
    catalogue: &'a Catalogue,
    names: Vec<String>,
    pairs: Vec<(Pair, String, String)>,
    /// A policy whose answers are good for columns with the same lines.
    earlier: Option<&'a Policy>,
}

impl<'a> Compiler<'a> {
    fn run(&mut self, checked: &Checked) -> Result<(Table, Actions), String> {
        self.oracle.link(self.roles)?;
        let pairs = self.pairs.iter().map(|(pair, _, _)| *pair).collect();
        let mut table =
            Table::new(pairs, self.catalogue.nouns(), self.names.len(), checked.rules.clone());
        for (field, name) in (0..).zip(self.names.clone()) {
            let lines: Vec<&ColumnLine> = checked
                .columns
                .iter()
                .filter(|line| line.field == field && line.purposes.is_empty())
                .collect();
            self.column(&mut table, field, &name, &lines)?;
        }
        let mut grants = Vec::new();
        for (id, name) in (0..).zip(&self.catalogue.actions) {
            let lines: Vec<&ActionLine> =
                checked.actions.iter().filter(|line| line.action == usize::from(id)).collect();
            self.action(&mut grants, id, name, &lines)?;
        }
        for (_, pair, act) in &grants {
            for &field in &act.columns {
                let cell = table.cell(*pair, field);
                table.set(*pair, field, Cell { uses: cell.uses.union(Uses::WRITE), ..cell });
            }
        }
        Ok((table, Actions::new(self.catalogue.actions.clone(), grants)))
    }

    /// A table for each purpose that lines ask for: the plain one, with the columns of those lines
    /// asked again.
    fn purposed(
        &mut self,
        checked: &Checked,
        plain: &Table,
        actions: &Actions,
    ) -> Result<Vec<(PurposeId, Table)>, String> {
        let mut asked: BTreeMap<PurposeId, BTreeSet<FieldId>> = BTreeMap::new();
        for line in &checked.columns {
            for purpose in &line.purposes {
                asked.entry(*purpose).or_default().insert(line.field);
            }
        }
        let mut tables = Vec::new();
        for (purpose, fields) in asked {
            let mut table = plain.clone();
            for &field in &fields {
                let name = self.names.get(usize::from(field)).cloned().unwrap_or_default();
                let lines: Vec<&ColumnLine> = checked
                    .columns
                    .iter()
                    .filter(|line| {
                        let speaks = line.purposes.is_empty() || line.purposes.contains(&purpose);
                        line.field == field && speaks
                    })
                    .collect();
                self.column(&mut table, field, &name, &lines)?;
                for (pair, _, _) in &self.pairs {
                    if actions.sets(*pair, field) {
                        let cell = table.cell(*pair, field);
                        let uses = cell.uses.union(Uses::WRITE);
                        table.set(*pair, field, Cell { uses, ..cell });
                    }
                }
            }
            tables.push((purpose, table));
        }
        Ok(tables)
    }

    fn column(
        &mut self,
        table: &mut Table,
        field: FieldId,
        name: &str,
        lines: &[&ColumnLine],
    ) -> Result<(), String> {
        let known = self.known(field, lines);
        if known.is_none() {
            self.oracle.load(lines.iter().map(|line| column_rule(line, name, self.roles)))?;
        }
        let what = format!("col:{name}");
        for (pair, role, reach) in &self.pairs {
            let uses = match known {
                // Writing is granted by actions and joined to the cells afterwards.
                Some(earlier) => earlier.table.cell(*pair, field).uses.without(Uses::WRITE),
                None => self.answers(&what, role, reach)?,
            };
            let rule = self.winner(lines, *pair, uses);
            // A use that no line explains would be one nobody can find in the files.
            if rule.is_none() && !uses.is_empty() {
                return Err(format!(
                    "casbin grants {name} to {} and no line says so",
                    self.roles.words(*pair)
                ));
            }
            table.set(*pair, field, Cell { uses, rule });
        }
        Ok(())
    }

    /// Asks casbin for every use.
    fn answers(&self, what: &str, role: &str, reach: &str) -> Result<Uses, String> {
        let mut uses = Uses::NONE;
        for (bit, verb, _) in Uses::VERBS {
            if self.oracle.ask(what, role, reach, verb)? {
                uses = uses.union(bit);
            }
        }
        Ok(uses)
    }

    /// The earlier policy, if it was asked about the same lines of the column. Computed columns have no
    /// lines, and their cells are not casbin's.
    fn known(&self, field: FieldId, lines: &[&ColumnLine]) -> Option<&'a Policy> {
        let derived = self
            .catalogue
            .coordinates
            .get(usize::from(field))
            .is_none_or(|coordinate| matches!(coordinate.class, Class::Derived(_)));
        let earlier = self.earlier.filter(|_| !derived)?;
        // Lines for a purpose stand in other tables, which are always asked anew.
        let before = earlier
            .said
            .columns
            .iter()
            .filter(|line| line.field == field && line.purposes.is_empty());
        if lines.iter().any(|line| !line.purposes.is_empty()) {
            return None;
        }
        let same = before
            .map(|line| (line.pair, line.uses))
            .eq(lines.iter().map(|line| (line.pair, line.uses)));
        same.then_some(earlier)
    }

    /// The line that gives the sight of the cell: the role's own before an inherited one.
    fn winner(&self, lines: &[&ColumnLine], pair: Pair, uses: Uses) -> Option<RuleId> {
        let speaks = |line: &&&ColumnLine| {
            line.pair.reach == pair.reach && self.roles.has(pair.role, line.pair.role)
        };
        let gives =
            |line: &&&ColumnLine| line.uses.sight() == uses.sight() && line.uses.intersects(uses);
        let found = lines
            .iter()
            .filter(speaks)
            .filter(gives)
            .min_by_key(|line| (line.pair.role != pair.role, line.rule));
        found.map(|line| line.rule)
    }

    fn action(
        &mut self,
        grants: &mut Vec<(ActionId, Pair, Act)>,
        id: ActionId,
        name: &str,
        lines: &[&ActionLine],
    ) -> Result<(), String> {
        let column =
            |field: FieldId| self.names.get(usize::from(field)).cloned().unwrap_or_default();
        let rules: Vec<Vec<String>> = lines
            .iter()
            .map(|line| {
                let role = self
                    .roles
                    .get(line.pair.role)
                    .map(|role| role.name.as_str())
                    .unwrap_or_default();
                let columns: Vec<String> =
                    line.columns.iter().map(|&field| column(field)).collect();
                vec![
                    format!("act:{name}"),
                    format!("role:{role}"),
                    format!("reach:{}", line.pair.reach.word()),
                    RUN.to_owned(),
                    columns.join(" "),
                ]
            })
            .collect();
        self.oracle.load(rules)?;
        let what = format!("act:{name}");
        let columns: BTreeSet<FieldId> =
            lines.iter().flat_map(|line| line.columns.iter().copied()).collect();
        for (pair, role, reach) in &self.pairs {
            if !self.oracle.ask(&what, role, reach, RUN)? {
                continue;
            }
            let mut set = BTreeSet::new();
            for &field in &columns {
                let column =
                    self.names.get(usize::from(field)).map(String::as_str).unwrap_or_default();
                if self.oracle.ask(&what, role, reach, column)? {
                    set.insert(field);
                }
            }
            let speaks = |line: &&&ActionLine| {
                line.pair.reach == pair.reach && self.roles.has(pair.role, line.pair.role)
            };
            let rule = lines
                .iter()
                .filter(speaks)
                .min_by_key(|line| (line.pair.role != pair.role, line.rule))
                .map(|line| line.rule);
            grants.push((id, *pair, Act { columns: set, rule }));
        }
        Ok(())
    }
}

/// Fills the computed fields: for each pair the strictest sight of the sources, and export where all
/// allow it. Conditions and orders use the sources themselves.
fn derive(table: &mut Table, catalogue: &Catalogue) {
    let index = catalogue.index();
    let kept = Uses::MASKED.union(Uses::FULL).union(Uses::EXPORT);
    for (field, coordinate) in (0..).zip(&catalogue.coordinates) {
        let Class::Derived(sources) = coordinate.class else {
            continue;
        };
        for pair in table.pairs().to_vec() {
            let cells = sources
                .iter()
                .filter_map(|source| index.get(*source))
                .map(|&source| table.cell(pair, source));
            let Some(strictest) = cells.clone().min_by_key(|cell| cell.uses.sight()) else {
                continue;
            };
            let common = cells.fold(kept, |uses, cell| {
                // A source in full may stand behind a masked result.
                let cell = if cell.uses.contains(Uses::FULL) {
                    cell.uses.union(Uses::MASKED)
                } else {
                    cell.uses
                };
                uses.intersection(cell)
            });
            let both = Uses::FULL.union(Uses::MASKED);
            let uses = if common.contains(both) { common.without(Uses::MASKED) } else { common };
            let shown =
                uses.contains(Uses::FULL) || (uses.contains(Uses::MASKED) && coordinate.text);
            let cell = if shown { Cell { uses, rule: strictest.rule } } else { Cell::default() };
            table.set(pair, field, cell);
        }
    }
}

/// Notes for which pairs a noun has rows or aggregates. Only stored fields make rows: a computed one
/// stands beside a row and does not bring it into being.
fn open(table: &mut Table, catalogue: &Catalogue) {
    for (field, coordinate) in (0..).zip(&catalogue.coordinates) {
        let Some(noun): Option<NounId> = table.noun(coordinate.noun) else {
            continue;
        };
        for pair in table.pairs().to_vec() {
            let uses = table.cell(pair, field).uses;
            let rows = coordinate.class.stored() && uses.intersects(Uses::FULL.union(Uses::MASKED));
            table.open(pair, noun, rows, uses.contains(Uses::AGGREGATE));
        }
    }
}
