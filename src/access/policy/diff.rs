//! What changes between two policies: cells, actions and roles, by name.
//!
//! It compares what was compiled, not texts: a moved line is no change, an inherited one is. It counts
//! nobody; how many accounts and students a change touches the store says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::access::catalogue::{Catalogue, Coordinate, FieldId};
use crate::access::policy::explain::words;
use crate::access::policy::{Eyes, Policy};
use crate::access::table::{Pair, Reach, Uses};

/// How a cell or an action changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing was allowed before.
    Added,
    /// Nothing is allowed now.
    Removed,
    /// More is allowed.
    Widened,
    /// Less is allowed.
    Narrowed,
    /// Something more and something less.
    Changed,
}

impl Change {
    /// The word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Added => "added",
            Self::Removed => "removed",
            Self::Widened => "widened",
            Self::Narrowed => "narrowed",
            Self::Changed => "changed",
        }
    }

    fn of<T: Ord>(before: &BTreeSet<T>, after: &BTreeSet<T>) -> Option<Change> {
        match (before.is_empty(), after.is_empty()) {
            _ if before == after => None,
            (true, _) => Some(Self::Added),
            (_, true) => Some(Self::Removed),
            _ if before.is_subset(after) => Some(Self::Widened),
            _ if after.is_subset(before) => Some(Self::Narrowed),
            _ => Some(Self::Changed),
        }
    }
}

/// One cell or action that changes for a role at a reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The role.
    pub role: String,
    /// The reach.
    pub reach: Reach,
    /// The column, or the action.
    pub what: String,
    /// The purpose for which the column changes so; none for requests that state none.
    pub purpose: Option<String>,
    /// The noun of the column; none for an action.
    pub noun: Option<&'static str>,
    /// How.
    pub change: Change,
    /// What was allowed: `masked`, `full filter`, `nothing`.
    pub before: String,
    /// What is allowed.
    pub after: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { role, reach, what, purpose, change, before, after, .. } = self;
        write!(f, "{:<8} {role}/{} {what}", change.word(), reach.word())?;
        if let Some(code) = purpose {
            write!(f, " for {code}")?;
        }
        write!(f, ": {before} -> {after}")
    }
}

/// A pair by names, since two policies number their roles differently.
type Named = (String, Reach);

fn pairs(policy: &Policy) -> BTreeMap<Named, Pair> {
    policy
        .table
        .pairs()
        .iter()
        .filter_map(|pair| {
            let role = policy.roles.get(pair.role)?;
            Some(((role.name.clone(), pair.reach), *pair))
        })
        .collect()
}

/// What a cell allows, most open sight first.
fn allowed(uses: Uses) -> BTreeSet<&'static str> {
    let mut allowed: BTreeSet<&'static str> =
        words(uses).into_iter().filter(|word| *word != "write").collect();
    // Full is more than masked, not something else.
    if uses.intersects(Uses::FULL.union(Uses::MASKED)) {
        allowed.insert("masked");
    }
    if uses.contains(Uses::FULL) {
        allowed.insert("full");
    }
    allowed
}

fn cell_words(uses: Uses) -> String {
    if uses.without(Uses::WRITE).is_empty() {
        return "nothing".to_owned();
    }
    let mut all = vec![uses.sight().word()];
    all.extend(words(uses).into_iter().filter(|word| *word != "write"));
    all.join(" ")
}

/// The purposes that a line of either policy asks for, by code.
fn purposes<'p>(old: &'p Policy, new: &'p Policy) -> BTreeSet<&'p str> {
    let asked = |policy: &'p Policy| {
        let all = policy.purposes.iter();
        all.filter(|(id, _)| policy.asks_for(*id)).map(|(_, purpose)| purpose.code.as_str())
    };
    asked(old).chain(asked(new)).collect()
}

/// What a pair may do with a column, for a purpose where one is named and its role may state it.
fn uses(policy: &Policy, pair: Option<&Pair>, field: FieldId, purpose: Option<&str>) -> Uses {
    let Some(pair) = pair else { return Uses::default() };
    let stated = purpose.and_then(|code| policy.purposes.id(code)).filter(|id| {
        let purpose = policy.purposes.get(*id);
        purpose.is_some_and(|purpose| purpose.may_state(&policy.roles, pair.role))
    });
    policy.table_for(stated).cell(*pair, field).uses
}

/// Every cell and action that differs, by role, reach and column. A cell that differs for a purpose in the same
/// way as without one is named once.
pub fn diff(old: &Policy, new: &Policy, catalogue: &Catalogue) -> Vec<Difference> {
    let (before, after) = (pairs(old), pairs(new));
    let purposes = purposes(old, new);
    let named: BTreeSet<&Named> = before.keys().chain(after.keys()).collect();
    let mut found = Vec::new();
    for (role, reach) in named {
        let key = (role.clone(), *reach);
        let (was, is) = (before.get(&key), after.get(&key));
        for (field, coordinate) in (0..).zip(&catalogue.coordinates) {
            let both = |purpose| (uses(old, was, field, purpose), uses(new, is, field, purpose));
            let plain = both(None);
            let for_purposes =
                purposes.iter().map(|code| (Some((*code).to_owned()), both(Some(code))));
            let others = for_purposes.filter(|(_, both)| *both != plain);
            for (purpose, (was, is)) in std::iter::once((None, plain)).chain(others) {
                if let Some(change) = Change::of(&allowed(was), &allowed(is)) {
                    found.push(Difference {
                        role: role.clone(),
                        reach: *reach,
                        what: coordinate.name(),
                        purpose,
                        noun: Some(coordinate.noun),
                        change,
                        before: cell_words(was),
                        after: cell_words(is),
                    });
                }
            }
        }
        for (action, name) in (0..).zip(&catalogue.actions) {
            let columns = |policy: &Policy, pair: Option<&Pair>| {
                let act = policy.actions.may(&[*pair?], action)?;
                let columns = act
                    .columns
                    .iter()
                    .filter_map(|&field| catalogue.coordinates.get(usize::from(field)))
                    .map(Coordinate::name);
                // An action that sets no column is something nevertheless.
                Some(std::iter::once("may".to_owned()).chain(columns).collect::<BTreeSet<_>>())
            };
            let (was, is) =
                (columns(old, was).unwrap_or_default(), columns(new, is).unwrap_or_default());
            if let Some(change) = Change::of(&was, &is) {
                let said = |set: &BTreeSet<String>| match set.len() {
                    0 => "may not".to_owned(),
                    columns => format!("may, {} columns", columns - 1),
                };
                found.push(Difference {
                    role: role.clone(),
                    reach: *reach,
                    what: format!("action {name}"),
                    purpose: None,
                    noun: None,
                    change,
                    before: said(&was),
                    after: said(&is),
                });
            }
        }
        found.extend(gifts((old, was.copied()), (new, is.copied()), (role, *reach)));
    }
    found
}

/// What changes in what a pair gives.
fn gifts(
    (old, was): (&Policy, Option<Pair>),
    (new, is): (&Policy, Option<Pair>),
    (role, reach): (&str, Reach),
) -> Vec<Difference> {
    let given = |policy: &Policy, giver: Option<Pair>| -> BTreeMap<String, Eyes> {
        let gifts = giver.map(|giver| policy.gifts.given_by(&policy.roles, giver));
        let words = |(pair, eyes)| (policy.roles.words(pair), eyes);
        gifts.unwrap_or_default().into_iter().map(words).collect()
    };
    let (before, after) = (given(old, was), given(new, is));
    // Alone is more than with four eyes.
    let allowed = |eyes: Option<&Eyes>| -> BTreeSet<Eyes> {
        match eyes {
            None => BTreeSet::new(),
            Some(Eyes::Four) => [Eyes::Four].into(),
            Some(Eyes::Alone) => [Eyes::Alone, Eyes::Four].into(),
        }
    };
    let said = |eyes: Option<&Eyes>| eyes.map_or("may not", |eyes| eyes.word()).to_owned();
    let named: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
    let change =
        |name: &&String| Change::of(&allowed(before.get(*name)), &allowed(after.get(*name)));
    named
        .into_iter()
        .filter_map(|name| {
            Some(Difference {
                role: role.to_owned(),
                reach,
                what: format!("gives {name}"),
                purpose: None,
                noun: None,
                change: change(&name)?,
                before: said(before.get(name)),
                after: said(after.get(name)),
            })
        })
        .collect()
}
