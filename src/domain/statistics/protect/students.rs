//! Students of a snapshot by any of the keys.

use std::collections::BTreeMap;

use super::{Noise, Protection};
use crate::access::scope::Scope;
use crate::domain::Cx;
use crate::domain::statistics::figures::class_size_band;
use crate::domain::statistics::{Basis, Figures, Group, Key, KeyValue, Narrowing};
use crate::error::Result;
use crate::store::statistics::{Frozen, Sum};

/// What a person is, where the other keys say where and when: of a group in which all or nearly all
/// are alike in one of these, nothing is said.
fn personal(key: Key) -> bool {
    matches!(key, Key::Gender | Key::EthnicGroup | Key::LeftBehind | Key::Boarding | Key::Status)
}

type Cell = (Vec<KeyValue>, Vec<bool>);

/// Students with a live enrolment in each group, with their errors.
pub(in crate::domain::statistics) async fn student_counts(
    cx: &Cx,
    scope: &Scope,
    keys: Vec<Key>,
    only: &[Narrowing],
    protection: Protection,
) -> Result<Figures<i64, i64>> {
    let (parted, only): (Vec<_>, Vec<_>) =
        only.iter().cloned().partition(|narrowing| personal(narrowing.key));
    let question = Frozen {
        scope,
        snapshot: protection.snapshot.number,
        keys: &keys,
        only: &only,
        parted: &parted,
    };
    let mut cells: BTreeMap<Cell, Sum> = BTreeMap::new();
    for mut row in cx.store.frozen_students(&question).await? {
        for (key, value) in keys.iter().zip(&mut row.keys) {
            if let (Key::ClassSizeBand, KeyValue::Number(size)) = (key, &*value) {
                *value = KeyValue::Word(class_size_band(*size).to_owned());
            }
        }
        let cell = cells.entry((row.keys, row.meets)).or_default();
        *cell = cell.and(row.students);
    }
    let noise = Noise::new(&cx.store, &protection);
    let meets = |cell: &Cell| cell.1.iter().all(|met| *met);
    let total = cells
        .iter()
        .filter(|(cell, _)| meets(cell))
        .fold(Sum::default(), |all, (_, sum)| all.and(*sum));
    let alike = alike(&keys, &cells, parted.len(), noise);
    let groups = cells
        .iter()
        .filter(|(cell, _)| meets(cell) && !alike.contains(cell))
        .filter_map(|(cell, sum)| {
            let figures = noise.students(*sum)?;
            Some(Group { span: None, keys: cell.0.clone(), figures })
        })
        .collect();
    // The total is a group without keys: what parts it must leave enough on the other side as well.
    let whole = cells.values().fold(Sum::default(), |all, sum| all.and(*sum));
    let apart = parted.is_empty() || noise.share(total, whole);
    let total = if apart { noise.students(total) } else { None };
    Figures::new(keys, groups, Basis::Perturbed(protection), total)
}

/// The cells that hold all, or all but few, of those who differ from them in one personal key or
/// condition at most.
fn alike<'c>(
    keys: &[Key],
    cells: &'c BTreeMap<Cell, Sum>,
    parted: usize,
    noise: Noise<'_>,
) -> std::collections::BTreeSet<&'c Cell> {
    let mut found = std::collections::BTreeSet::new();
    let by_key = (0..keys.len()).filter(|at| personal(keys[*at])).map(Ok);
    for at in by_key.chain((0..parted).map(Err)) {
        let around = |cell: &Cell| {
            let mut around = cell.clone();
            match at {
                Ok(key) => around.0[key] = KeyValue::None,
                Err(condition) => around.1[condition] = true,
            }
            around
        };
        let mut wholes: BTreeMap<Cell, Sum> = BTreeMap::new();
        for (cell, sum) in cells {
            let whole = wholes.entry(around(cell)).or_default();
            *whole = whole.and(*sum);
        }
        found.extend(cells.iter().filter_map(|(cell, sum)| {
            let whole = wholes.get(&around(cell)).copied().unwrap_or_default();
            let rest = whole.without(*sum);
            (!noise.many(rest, rest.count)).then_some(cell)
        }));
    }
    found
}
