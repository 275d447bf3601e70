//! Aid of a snapshot by any of the keys.

use std::collections::HashMap;

use xueji_entity::value::Fen;

use super::{Noise, Protection, float, nearest};
use crate::access::scope::Scope;
use crate::domain::Cx;
use crate::domain::statistics::aid::{AidFigures, of_place, place_of};
use crate::domain::statistics::{Basis, Figures, Group, Key, KeyValue, Narrowing};
use crate::error::Result;
use crate::store::statistics::{Frozen, FrozenAid, Sum};

/// Money with the error of its sum: some parts of the largest that one student was granted, rounded
/// to the yuan.
fn money(row: &FrozenAid, noise: Noise<'_>) -> Fen {
    let error = noise.drawn("amount", row.amount, row.students).fine * float(row.largest);
    Fen(nearest((float(row.amount) + error) / 100.0).max(0) * 100)
}

/// Aid by any of the keys; the total is the money granted.
pub(in crate::domain::statistics) async fn aid_coverage(
    cx: &Cx,
    (scope, reach): (&Scope, &Scope),
    (keys, count_needy): (Vec<Key>, bool),
    only: &[Narrowing],
    protection: Protection,
) -> Result<Figures<AidFigures, Fen>> {
    let number = protection.snapshot.number;
    let noise = Noise::new(&cx.store, &protection);
    let question = Frozen { scope, snapshot: number, keys: &keys, only, parted: &[] };
    let rows = cx.store.frozen_aid(&question).await?;
    let (places, within) = of_place(&keys, only);
    let of = Frozen { scope: reach, snapshot: number, keys: &places, only: &within, parted: &[] };
    let mut all = (Sum::default(), Sum::default());
    let mut reached: HashMap<Vec<KeyValue>, (Sum, Sum)> = HashMap::new();
    for row in cx.store.frozen_reach(&of, count_needy).await? {
        all = (all.0.and(row.students), all.1.and(row.needy));
        reached.insert(row.keys, (row.students, row.needy));
    }
    let groups = rows
        .iter()
        .filter_map(|row| {
            let place = place_of(&keys, &row.keys);
            let (students, needy) = reached.get(&place).copied().unwrap_or_default();
            if !noise.share(row.students, students) {
                return None;
            }
            let tells_needy = count_needy && noise.share(needy, students);
            let figures = AidFigures {
                aided: noise.students(row.students)?,
                students: noise.students(students)?,
                needy: if tells_needy { noise.students(needy) } else { None },
                amount: money(row, noise),
            };
            Some(Group { span: None, keys: row.keys.clone(), figures })
        })
        .collect();
    // A student may be aided in several groups, so all of them are counted anew.
    let whole = Frozen { keys: &[], ..question };
    let total = if keys.is_empty() { rows } else { cx.store.frozen_aid(&whole).await? };
    let total = total
        .first()
        .filter(|row| noise.share(row.students, all.0))
        .filter(|row| noise.students(row.students).is_some())
        .map(|row| money(row, noise));
    Figures::new(keys, groups, Basis::Perturbed(protection), total)
}
