//! What requests are filled with: ids that are shown, that are not, and that were never issued; values on file in
//! either twin; cursors of earlier answers, of somebody else's and forged ones. And what a person may ask at all, so
//! that most questions are ones that the server answers.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand::Rng;
use rand::seq::IndexedRandom;
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use uuid::Uuid;
use xueji::access::action::ACTIONS;
use xueji::access::policy::Policy;
use xueji::access::table::{Pair, Table, Uses};
use xueji::access::view::{Noun, camel};
use xueji::graphql::REGISTRY;

use super::document::Arg;
use crate::support::callers::Held;
use crate::support::oracle::Oracle;
use crate::support::truth::Truth;

/// Where a list of an earlier answer can be continued.
#[derive(Clone, Debug)]
pub(crate) struct Continuation {
    pub(crate) field: String,
    /// The filter and the order that the cursor is bound to.
    pub(crate) bound: Vec<(String, Arg)>,
    pub(crate) cursor: String,
}

/// Ids, values and cursors.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    /// By noun: ids in the order of planting, and whether they are shown.
    ids: BTreeMap<usize, Vec<(String, bool)>>,
    /// By noun and field, as arguments spell them.
    values: BTreeMap<(usize, usize), Vec<String>>,
    texts: Vec<String>,
    /// By the name of a column in the schema: what is on file in columns of that name.
    named: BTreeMap<String, Vec<String>>,
    /// By noun: ids of rows that one twin alone has.
    apart: BTreeMap<usize, Vec<String>>,
    pub(crate) own: Vec<Continuation>,
    pub(crate) foreign: Vec<Continuation>,
    /// How often each root field was asked alone, and refused.
    pub(crate) denied: BTreeMap<String, (u32, u32)>,
}

/// Most cursors that are kept; a newer one takes the place of an older one.
const KEPT: usize = 400;

impl Pool {
    /// Of both twins, as the person stands to them.
    pub(crate) fn of(twins: [(&Truth, &Oracle<'_>); 2], account: Uuid) -> Self {
        let mut ids: BTreeMap<usize, BTreeMap<_, (String, bool)>> = BTreeMap::new();
        let mut values: BTreeMap<(usize, usize), BTreeSet<String>> = BTreeMap::new();
        for (truth, oracle) in twins {
            for (id, row) in &truth.rows {
                let noun = row.noun.index;
                let known = ids.entry(noun).or_default();
                // One's own grants are named to everybody, by `viewer`.
                let own = row.noun.shape.name == "access_grant"
                    && row.keys.get("account_id") == Some(&account);
                known.insert((row.student, row.id), (id.clone(), own || oracle.visible(row)));
                for (field, value) in &row.shown {
                    if let Some(text) = spelled(value) {
                        values.entry((noun, *field)).or_default().insert(text);
                    }
                }
            }
        }
        let mut apart: BTreeMap<usize, BTreeMap<_, String>> = BTreeMap::new();
        for [(one, _), (two, _)] in [twins, [twins[1], twins[0]]] {
            for (id, row) in one.rows.iter().filter(|(id, _)| !two.rows.contains_key(*id)) {
                let known = apart.entry(row.noun.index).or_default();
                known.insert((row.student, row.id), id.clone());
            }
        }
        let mut named: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for ((noun, field), of) in &values {
            let known = named.entry(REGISTRY.at(*noun).camel[*field].clone()).or_default();
            known.extend(of.iter().cloned());
        }
        let mut texts: BTreeSet<String> = values.values().flatten().cloned().collect();
        texts.extend(xueji_entity::value::code::lists().into_iter().map(str::to_owned));
        for noun in REGISTRY.nouns() {
            texts.extend((0..noun.camel.len()).map(|field| noun.coordinate(field)));
        }
        Self {
            ids: ids.into_iter().map(|(noun, of)| (noun, of.into_values().collect())).collect(),
            values: values.into_iter().map(|(at, of)| (at, of.into_iter().collect())).collect(),
            texts: texts.into_iter().collect(),
            named,
            apart: apart.into_iter().map(|(noun, of)| (noun, of.into_values().collect())).collect(),
            ..Self::default()
        }
    }

    /// A value of a column, if any is on file.
    pub(crate) fn value(&self, column: (usize, usize), rng: &mut ChaCha8Rng) -> Option<&str> {
        self.values.get(&column)?.choose(rng).map(String::as_str)
    }

    /// A value of any column that is called so, or like the end of it: `toLogin` is a `login`.
    pub(crate) fn value_named(&self, name: &str, rng: &mut ChaCha8Rng) -> Option<&str> {
        let last = name.rfind(char::is_uppercase).map(|at| {
            let (first, rest) = name[at..].split_at(1);
            first.to_lowercase() + rest
        });
        let known = self.named.get(name).or_else(|| self.named.get(&last?))?;
        known.choose(rng).map(String::as_str)
    }

    /// An id of a row that is not shown.
    pub(crate) fn far_id(&self, noun: Option<&Noun>, rng: &mut ChaCha8Rng) -> String {
        let known = noun.and_then(|noun| self.ids.get(&noun.index)).map_or(&[][..], Vec::as_slice);
        let far: Vec<&(String, bool)> = known.iter().filter(|(_, shown)| !*shown).collect();
        far.choose(rng).map_or_else(|| self.id(noun, rng), |(id, _)| id.clone())
    }

    /// An id of a row that is shown, mostly.
    pub(crate) fn apt_id(&self, noun: Option<&Noun>, rng: &mut ChaCha8Rng) -> String {
        let shown = noun.and_then(|noun| self.ids.get(&noun.index)).map_or(&[][..], Vec::as_slice);
        let shown: Vec<&(String, bool)> = shown.iter().filter(|(_, shown)| *shown).collect();
        match shown.choose(rng) {
            Some((id, _)) if rng.random_bool(0.8) => id.clone(),
            _ => self.id(noun, rng),
        }
    }

    /// Any text of the registry.
    pub(crate) fn text(&self, rng: &mut ChaCha8Rng) -> &str {
        self.texts.choose(rng).map_or("Mk", String::as_str)
    }

    /// An id of a noun, or of any: mostly one that is shown, else one that is not, else a forged one.
    pub(crate) fn id(&self, noun: Option<&Noun>, rng: &mut ChaCha8Rng) -> String {
        let index = match noun {
            Some(noun) if !rng.random_bool(0.04) => noun.index,
            _ => rng.random_range(0..REGISTRY.nouns().len()),
        };
        let type_name = REGISTRY.at(index).shape.type_name;
        let bytes = if REGISTRY.at(index).shape.hangs.of_student() { 32 } else { 16 };
        if rng.random_bool(0.08) {
            return forged(type_name, bytes, rng);
        }
        if let Some(apart) = self.apart.get(&index)
            && rng.random_bool(0.15)
            && let Some(id) = apart.choose(rng)
        {
            return id.clone();
        }
        let known = self.ids.get(&index).map_or(&[][..], Vec::as_slice);
        let wanted = rng.random_bool(0.75);
        let shown: Vec<&(String, bool)> =
            known.iter().filter(|(_, shown)| *shown == wanted).collect();
        match shown.choose(rng).copied().or_else(|| known.choose(rng)) {
            Some((id, _)) => id.clone(),
            None => forged(type_name, bytes, rng),
        }
    }

    /// A cursor that is not the list's own: somebody else's, another list's, damaged or invented.
    pub(crate) fn stray(&self, rng: &mut ChaCha8Rng) -> String {
        let known = if rng.random_bool(0.5) { &self.foreign } else { &self.own };
        let cursor = known.choose(rng).map(|at| at.cursor.clone()).unwrap_or_default();
        match rng.random_range(0..4) {
            0 => {
                let bytes: Vec<u8> = (0..rng.random_range(0..90)).map(|_| rng.random()).collect();
                URL_SAFE_NO_PAD.encode(bytes)
            }
            1 if !cursor.is_empty() => {
                let mut bytes = URL_SAFE_NO_PAD.decode(&cursor).unwrap();
                let at = rng.random_range(0..bytes.len());
                bytes[at] ^= 1 << rng.random_range(0..8);
                URL_SAFE_NO_PAD.encode(bytes)
            }
            _ => cursor,
        }
    }

    /// Keeps where a list can be continued.
    pub(crate) fn keep(&mut self, continuation: Continuation) {
        if self.own.len() >= KEPT {
            self.own.remove(0);
        }
        self.own.push(continuation);
    }
}

fn forged(type_name: &str, bytes: usize, rng: &mut ChaCha8Rng) -> String {
    let wrong = rng.random_bool(0.1);
    let bytes: Vec<u8> = (0..bytes - usize::from(wrong)).map(|_| rng.random()).collect();
    format!("{type_name}_{}", URL_SAFE_NO_PAD.encode(bytes))
}

fn spelled(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(code) => {
            Some(format!("{}:{}", code["list"].as_str()?, code["value"].as_str()?))
        }
        Value::Null | Value::Bool(_) | Value::Array(_) => None,
    }
}

/// What somebody may ask, all that is held together.
#[derive(Debug)]
pub(crate) struct Rights {
    uses: Vec<Vec<Uses>>,
    sees: Vec<bool>,
    /// The acts that somebody who holds this may do, as the schema names them.
    acts: BTreeSet<String>,
    /// The columns that some of them set, by policy id.
    sets: BTreeSet<u16>,
    /// Purposes that may be stated and show nothing more.
    pub(crate) purposes: Vec<String>,
}

impl Rights {
    /// Of somebody who holds this.
    pub(crate) fn of<'h>(policy: &Policy, held: impl Iterator<Item = &'h Held>) -> Self {
        let mut pairs = vec![Pair::ANYONE];
        pairs.extend(held.filter_map(|held| {
            Some(Pair { role: policy.roles.id(&held.role)?, reach: held.reach })
        }));
        let of_field = |noun: &Noun, field: usize| {
            let cell = |pair: &Pair| policy.table.cell(*pair, noun.id(field)).uses;
            pairs.iter().map(cell).fold(Uses::default(), Uses::union)
        };
        let held: Vec<(&str, _)> = ACTIONS
            .iter()
            .filter_map(|name| {
                let id = policy.actions.id(name)?;
                Some((*name, policy.actions.may(&pairs, id)?))
            })
            .collect();
        Self {
            acts: held.iter().map(|(name, _)| camel(&name.replace('.', "_"))).collect(),
            sets: held.iter().flat_map(|(_, act)| act.columns.iter().copied()).collect(),
            uses: REGISTRY
                .nouns()
                .iter()
                .map(|noun| (0..noun.camel.len()).map(|field| of_field(noun, field)).collect())
                .collect(),
            sees: REGISTRY
                .nouns()
                .iter()
                .map(|noun| pairs.iter().any(|pair| policy.table.rows(*pair, noun.noun_id())))
                .collect(),
            purposes: policy
                .purposes
                .iter()
                .filter(|(id, _)| {
                    let table = policy.table_for(Some(*id));
                    let shown = Uses::FULL.union(Uses::MASKED);
                    let cells = REGISTRY
                        .nouns()
                        .iter()
                        .flat_map(|noun| (0..noun.camel.len()).map(|field| noun.id(field)));
                    cells.flat_map(|cell| pairs.iter().map(move |pair| (*pair, cell))).all(
                        |(pair, cell)| {
                            let uses = |of: &Table| of.cell(pair, cell).uses.intersection(shown);
                            uses(table) == uses(&policy.table)
                        },
                    )
                })
                .map(|(_, purpose)| purpose.code.clone())
                .collect(),
        }
    }

    /// Whether a column may be used so in some row.
    pub(crate) fn may(&self, noun: &Noun, field: usize, uses: Uses) -> bool {
        self.uses[noun.index][field].contains(uses.union(Uses::FULL))
    }

    /// Whether an act may be done at all.
    pub(crate) fn acts(&self, name: &str) -> bool {
        self.acts.contains(name)
    }

    /// Whether some act sets a column.
    pub(crate) fn sets(&self, noun: &Noun, field: usize) -> bool {
        self.sets.contains(&noun.id(field))
    }

    /// Whether a column is revealed by the act of that name.
    pub(crate) fn reveals(&self, noun: &Noun, field: usize) -> bool {
        self.uses[noun.index][field].contains(Uses::REVEAL)
    }

    /// Whether some row of the noun may exist.
    pub(crate) fn sees(&self, noun: &Noun) -> bool {
        self.sees[noun.index]
    }
}
