//! Declared tables (发布的统计表): published with each snapshot, exact or withheld.
//!
//! All cells and totals of all tables that add up the same measure are one system: a cell that
//! appears in two tables is one unknown. What is withheld is settled in `suppress`; nothing tells
//! which cells are withheld for themselves and which for their neighbours.

use std::collections::{BTreeMap, BTreeSet};

use uuid::Uuid;

use super::protect::{Taken, no_snapshot};
use super::suppress::{Fact, System};
use super::{Key, KeyValue, column, columns};
use crate::access::policy::{Declared, Dimension, Measure, Way};
use crate::access::scope::{Need, Scope};
use crate::access::table::Uses;
use crate::domain::Cx;
use crate::error::{Error, Result};
use crate::store::snapshot::{Content, Group, Listed, Published, PublishedCell, key_of};

/// All values of a dimension together, in a published cell.
pub const ALL: &str = "*";

/// A place of a cell: the registry, a county, a school.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Place {
    Region,
    County(Uuid),
    School(Uuid),
}

/// What a cell is, whatever table it stands in: the place, and a value for each dimension named.
type CellId = (Place, BTreeMap<Dimension, String>);

fn word(value: &KeyValue) -> String {
    match value {
        KeyValue::None => "-".to_owned(),
        KeyValue::Id(id) => id.to_string(),
        KeyValue::Word(word) => word.clone(),
        KeyValue::Number(number) => number.to_string(),
    }
}

/// A breakdown that was read, with its groups.
type Part = (Vec<Dimension>, Vec<Group>);

/// The breakdowns of a table that are read by themselves. A student is in one group of a table of
/// students; of money in several, and a total counts each student once.
fn parts(table: &Declared) -> Vec<Vec<Dimension>> {
    match table.measure {
        Measure::Students => vec![table.by.clone()],
        Measure::AidAmount => subsets(&table.by),
    }
}

fn subsets(of: &[Dimension]) -> Vec<Vec<Dimension>> {
    let chosen = |some: usize| {
        let at = of.iter().enumerate().filter(move |(at, _)| some & (1 << at) != 0);
        at.map(|(_, dimension)| *dimension).collect()
    };
    (0..1_usize << of.len()).map(chosen).collect()
}

/// What is read of the facts for these tables.
pub fn contents(tables: &[Declared]) -> Vec<Content> {
    let mut contents = Vec::new();
    for table in tables {
        contents.extend(parts(table).into_iter().map(|by| (table.measure, by)));
    }
    contents
}

/// The cells of a snapshot's tables, with what few stand behind withheld, and what would give it
/// away. The groups are those of [`contents`].
pub fn publish(tables: &[Declared], groups: Vec<Vec<Group>>, threshold: i64) -> Vec<Published> {
    let mut groups = groups.into_iter();
    let read: Vec<(&Declared, Vec<Part>)> = tables
        .iter()
        .map(|table| (table, parts(table).into_iter().zip(groups.by_ref()).collect()))
        .collect();
    let mut out = Vec::new();
    for measure in [Measure::Students, Measure::AidAmount] {
        let of: Vec<_> = read.iter().filter(|(table, _)| table.measure == measure).collect();
        let mut cells = Cells::default();
        for (table, parts) in &of {
            cells.add(table, parts);
        }
        let told = cells.system(threshold, measure == Measure::AidAmount).told();
        for (table, _) in &of {
            out.extend(cells.of(table).map(|(at, (place, keys))| {
                Published {
                    table: table.name.clone(),
                    level: match place {
                        Place::Region => "region",
                        Place::County(_) => "county",
                        Place::School(_) => "school",
                    },
                    place: match place {
                        Place::Region => None,
                        Place::County(id) | Place::School(id) => Some(*id),
                    },
                    within: match place {
                        Place::School(id) => cells.county.get(id).copied().flatten(),
                        Place::Region | Place::County(_) => None,
                    },
                    keys: table
                        .by
                        .iter()
                        .map(|dimension| keys.get(dimension).map_or(ALL, String::as_str))
                        .collect::<Vec<_>>()
                        .join(" "),
                    value: told[at].then_some(cells.facts[at].value),
                }
            }));
        }
    }
    out
}

/// The cells of all tables of one measure, each once.
#[derive(Default)]
struct Cells {
    at: BTreeMap<CellId, usize>,
    facts: Vec<Fact>,
    /// Which dimensions each table has, and the values seen of each.
    shapes: Vec<Vec<Dimension>>,
    values: BTreeMap<Dimension, BTreeSet<String>>,
    county: BTreeMap<Uuid, Option<Uuid>>,
    /// The stages that a school has: another is no pupil's, and no secret.
    stages: BTreeMap<Uuid, BTreeSet<String>>,
}

impl Cells {
    fn add(&mut self, table: &Declared, parts: &[Part]) {
        let mut seen: BTreeMap<CellId, Fact> = BTreeMap::new();
        for (by, groups) in parts {
            // What is not read by itself is added up.
            let sums = if parts.len() > 1 { vec![by.clone()] } else { subsets(by) };
            for group in groups {
                self.group(&mut seen, (by, &sums), group);
            }
        }
        for (id, fact) in seen {
            self.put(id, fact);
        }
        if !self.shapes.contains(&table.by) {
            self.shapes.push(table.by.clone());
        }
    }

    /// Adds a group to its cells, at each place and for each of these breakdowns.
    fn group(
        &mut self,
        seen: &mut BTreeMap<CellId, Fact>,
        (by, sums): (&[Dimension], &[Vec<Dimension>]),
        group: &Group,
    ) {
        self.county.insert(group.school, group.county);
        let full: BTreeMap<Dimension, String> =
            by.iter().copied().zip(group.keys.iter().map(word)).collect();
        for (dimension, value) in &full {
            self.values.entry(*dimension).or_default().insert(value.clone());
            if *dimension == Dimension::Stage {
                self.stages.entry(group.school).or_default().insert(value.clone());
            }
        }
        let places = [
            Some(Place::Region),
            group.county.map(Place::County),
            Some(Place::School(group.school)),
        ];
        for place in places.into_iter().flatten() {
            for sum in sums {
                let keys = full.iter().filter(|(of, _)| sum.contains(of));
                let keys = keys.map(|(of, value)| (*of, value.clone())).collect();
                let fact = seen.entry((place, keys)).or_default();
                fact.students += group.students;
                fact.value += group.sum;
                fact.largest = fact.largest.max(group.largest);
            }
        }
    }

    fn put(&mut self, id: CellId, fact: Fact) -> usize {
        let next = self.facts.len();
        let at = *self.at.entry(id).or_insert(next);
        if at == next {
            self.facts.push(fact);
        }
        at
    }

    /// The places below a place.
    fn below(&self, place: Place) -> Vec<Place> {
        match place {
            Place::Region => {
                let counties: BTreeSet<_> = self.county.values().flatten().copied().collect();
                let alone = self.county.iter().filter(|(_, county)| county.is_none());
                counties
                    .into_iter()
                    .map(Place::County)
                    .chain(alone.map(|(school, _)| Place::School(*school)))
                    .collect()
            }
            Place::County(of) => self
                .county
                .iter()
                .filter(|(_, county)| **county == Some(of))
                .map(|(school, _)| Place::School(*school))
                .collect(),
            Place::School(_) => Vec::new(),
        }
    }

    /// Whether nobody can be in a cell, which is no secret: a stage that none of the schools has.
    fn empty_by_nature(&self, (place, keys): &CellId) -> bool {
        let Some(stage) = keys.get(&Dimension::Stage) else { return false };
        let has = |school: &Uuid| self.stages.get(school).is_some_and(|of| of.contains(stage));
        match place {
            Place::School(school) => !has(school),
            Place::County(of) => {
                !self.county.iter().any(|(school, county)| *county == Some(*of) && has(school))
            }
            Place::Region => false,
        }
    }

    /// All unknowns with the sums that hold between them. Cells of nobody join in: none is a number.
    fn system(&mut self, threshold: i64, money: bool) -> System {
        let mut sums: BTreeSet<(usize, Vec<usize>)> = BTreeSet::new();
        let places: Vec<Place> = std::iter::once(Place::Region)
            .chain(self.county.values().flatten().copied().map(Place::County))
            .chain(self.county.keys().copied().map(Place::School))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        for shape in self.shapes.clone() {
            // Every combination of values and totals, as the table lists them.
            let mut combinations: Vec<BTreeMap<Dimension, String>> = vec![BTreeMap::new()];
            for dimension in &shape {
                let values = self.values.get(dimension).cloned().unwrap_or_default();
                let mut with = combinations.clone();
                for keys in &combinations {
                    for value in &values {
                        let mut keys = keys.clone();
                        keys.insert(*dimension, value.clone());
                        with.push(keys);
                    }
                }
                combinations = with;
            }
            for place in &places {
                for keys in &combinations {
                    let id = (*place, keys.clone());
                    if self.empty_by_nature(&id) {
                        continue;
                    }
                    let whole = self.put(id, Fact::default());
                    for dimension in shape.iter().filter(|of| !keys.contains_key(of)) {
                        let values = self.values.get(dimension).cloned().unwrap_or_default();
                        let parts = values.into_iter().map(|value| {
                            let mut keys = keys.clone();
                            keys.insert(*dimension, value);
                            (*place, keys)
                        });
                        let parts = self.known(parts.collect());
                        sums.insert((whole, parts));
                    }
                    let below = self.below(*place);
                    if !below.is_empty() {
                        let parts = below.into_iter().map(|place| (place, keys.clone()));
                        let parts = self.known(parts.collect());
                        sums.insert((whole, parts));
                    }
                }
            }
        }
        System::new(self.facts.clone(), sums.into_iter().collect(), threshold, money)
    }

    fn known(&mut self, ids: Vec<CellId>) -> Vec<usize> {
        ids.into_iter()
            .filter(|id| !self.empty_by_nature(id))
            .collect::<Vec<_>>()
            .into_iter()
            .map(|id| self.put(id, Fact::default()))
            .collect()
    }

    /// The cells of a table, in order.
    fn of<'c>(&'c self, table: &'c Declared) -> impl Iterator<Item = (usize, &'c CellId)> {
        self.at
            .iter()
            .filter(|((_, keys), _)| keys.keys().all(|dimension| table.by.contains(dimension)))
            .map(|(id, at)| (*at, id))
    }
}

/// A published table, as far as the caller may read it.
#[derive(Clone, Debug)]
pub struct Told {
    /// The table.
    pub table: Declared,
    /// The snapshot.
    pub snapshot: Taken,
    /// The fewest students that a figure stands for.
    pub threshold: i64,
    /// The cells of places that lie in the caller's reach as a whole.
    pub cells: Vec<PublishedCell>,
}

/// Under which grants the caller may read a table; `FORBIDDEN` where there is none.
fn scope(cx: &Cx, table: &Declared) -> Result<Scope> {
    let (counted, measures): (&str, &[(&'static str, &'static str)]) = match table.measure {
        Measure::Students => ("student", &[("student", "count")]),
        Measure::AidAmount => ("aid_grant", &[("aid_grant", "coverage"), ("aid_grant", "amount")]),
    };
    let mut needs = Vec::new();
    for measure in measures {
        let (noun, field) = column(cx, *measure)?;
        needs.push(Need::of(noun, field, Uses::AGGREGATE));
    }
    for key in table.by.iter().map(|by| key_of(*by)).chain([Key::School]) {
        for at in columns(counted, key) {
            let (noun, field) = column(cx, *at)?;
            needs.push(Need::of(noun, field, Uses::GROUP));
        }
    }
    let (noun, field) = column(cx, measures[0])?;
    let scope = Scope::counting(&cx.caller, noun).counting_with(&needs)?.protected(Way::Suppress);
    if scope.is_empty() {
        return Err(Error::forbidden_use("aggregate", noun.coordinate(field)));
    }
    Ok(scope)
}

/// The tables that the caller may read.
pub fn declared(cx: &Cx) -> Vec<Declared> {
    let tables = &cx.caller.session.policy.disclosure_control.tables;
    tables.iter().filter(|table| scope(cx, table).is_ok()).cloned().collect()
}

/// A table of a snapshot, or of the newest that published it.
pub async fn read(cx: &Cx, name: &str, snapshot: Option<&str>) -> Result<Told> {
    let control = &cx.caller.session.policy.disclosure_control;
    let table = control
        .tables
        .iter()
        .find(|table| table.name == name)
        .ok_or_else(|| Error::not_found("DeclaredTable"))?;
    let scope = scope(cx, table)?;
    let known = cx.store.publishing(&cx.caller, name).await?;
    let found: Option<Listed> = match snapshot {
        None => Some(known.into_iter().next().ok_or_else(no_snapshot)?),
        Some(id) => known.into_iter().find(|known| known.id.to_string() == id),
    };
    let found = found.ok_or_else(|| Error::not_found("StatisticsSnapshot"))?;
    let cells = cx.store.published(&scope, found.number, name).await?;
    Ok(Told {
        table: table.clone(),
        snapshot: Taken {
            id: found.id,
            number: found.number,
            name: found.name,
            taken_at: found.taken_at,
        },
        threshold: control.threshold,
        cells,
    })
}
