//! What arguments and inputs are filled with: conditions on columns that are on file, words of enums, ids; and, for
//! acts, what they may accept.

use rand::Rng;
use rand::seq::IndexedRandom;
use xueji::access::table::Uses;
use xueji::access::view::{Join, Member, Noun};
use xueji::graphql::REGISTRY;

use super::document::Arg;
use super::generate::Generator;
use super::schema::{Input, Kind, Of};

/// The column that a value is for.
type Column = Option<(&'static Noun, usize)>;

/// The field of an act that takes the tag of what its caller saw, and what stands in it until that is known.
pub(super) const VERSION: &str = "version";

impl Generator<'_> {
    /// A value of a declared type, list or not.
    pub(super) fn typed(
        &mut self,
        input: &Input,
        noun: Option<&'static Noun>,
        depth: usize,
    ) -> Arg {
        self.value_of(&input.of, &input.name, noun, None, depth)
    }

    fn value_of(
        &mut self,
        of: &Of,
        name: &str,
        noun: Option<&'static Noun>,
        column: Column,
        depth: usize,
    ) -> Arg {
        if !of.list {
            return self.value(&of.base, name, noun, column, depth);
        }
        let count = match self.rng.random_range(0..20) {
            0 => 0,
            1..=12 => 1,
            13..=17 => 2,
            _ => 3,
        };
        let mut items: Vec<Arg> = Vec::new();
        for _ in 0..count {
            let item = self.value(&of.base, name, noun, column, depth);
            // An order names each column once, or else is refused.
            let named = |item: &Arg| match item {
                Arg::Object(fields) => fields.iter().find(|(name, _)| name == "field").cloned(),
                _ => None,
            };
            let again = named(&item)
                .is_some_and(|by| items.iter().any(|of| named(of).as_ref() == Some(&by)));
            if !items.contains(&item) && (!again || self.chance(0.05)) {
                items.push(item);
            }
        }
        Arg::List(items)
    }

    fn value(
        &mut self,
        base: &str,
        name: &str,
        noun: Option<&'static Noun>,
        column: Column,
        depth: usize,
    ) -> Arg {
        let schema = self.schema;
        match schema.kind(base) {
            Kind::Enum(words) => Arg::Word(self.word(words, base, noun, column)),
            Kind::Input { fields, one_of } => {
                let filtered = base.strip_suffix("Filter").and_then(|of| schema.noun(of));
                if let Some(noun) = filtered {
                    return self.filter(noun, fields, depth);
                }
                if let Some(quantified) =
                    base.strip_suffix("ListFilter").and_then(|of| schema.noun(of))
                    && let Some(way) = fields.choose(&mut self.rng)
                {
                    let value = self.value_of(&way.of, &way.name, Some(quantified), None, depth);
                    return Arg::Object(vec![(way.name.clone(), value)]);
                }
                if base.ends_with("Test") {
                    return self.test(fields, column);
                }
                self.object(fields, *one_of, noun, depth)
            }
            _ => self.scalar(base, name, noun, column),
        }
    }

    fn word(
        &mut self,
        words: &[String],
        base: &str,
        noun: Option<&'static Noun>,
        column: Column,
    ) -> String {
        let _ = column;
        if let Some(noun) = noun.filter(|_| base.ends_with("OrderField")) {
            let fine: Vec<&String> = words
                .iter()
                .filter(|word| {
                    let field = noun.field(&word.to_lowercase());
                    field.is_some_and(|field| self.rights.may(noun, field, Uses::SORT))
                })
                .collect();
            if let Some(word) = fine.choose(&mut self.rng)
                && self.rng.random_bool(0.93)
            {
                return (*word).clone();
            }
        }
        words.choose(&mut self.rng).cloned().unwrap_or_default()
    }

    /// An input of no special kind: what is required, and some of the rest.
    fn object(
        &mut self,
        fields: &[Input],
        one_of: bool,
        noun: Option<&'static Noun>,
        depth: usize,
    ) -> Arg {
        let mut out = Vec::new();
        if one_of {
            if let Some(field) = fields.choose(&mut self.rng) {
                out.push((field.name.clone(), self.typed(field, noun, depth + 1)));
            }
            return Arg::Object(out);
        }
        // An act that sets one column that is not its caller's is refused whole, so one alone is set as often as some.
        let optional = |field: &Input| !field.of.required || field.default;
        let may = |field: &&Input| {
            let column = self.about.and_then(|noun| Some((noun, noun.member(&field.name)?)));
            match column {
                Some((noun, Member::Field(at))) => self.rights.sets(noun, at),
                Some((_, Member::Relation(_))) | None => true,
            }
        };
        let apt: Vec<String> = fields
            .iter()
            .filter(|field| optional(field))
            .filter(may)
            .map(|field| field.name.clone())
            .collect();
        let alone = if self.request.mutation && self.chance(0.6) {
            apt.choose(&mut self.rng).cloned()
        } else {
            None
        };
        for field in fields {
            let wanted = match &alone {
                _ if !optional(field) => true,
                Some(alone) => *alone == field.name,
                None => depth < 5 && self.chance(0.35),
            };
            if wanted {
                let value = self.typed(field, noun, depth + 1);
                out.push((field.name.clone(), value));
            }
        }
        self.revealed(&mut out);
        Arg::Object(out)
    }

    /// A field that may be revealed of the row that is named beside it, mostly.
    fn revealed(&mut self, input: &mut [(String, Arg)]) {
        let named = input.iter().find(|(name, _)| name == "id").and_then(|(_, id)| match id {
            Arg::Text(id) => id.split_once('_').map(|(name, _)| name.to_owned()),
            _ => None,
        });
        let (Some(named), Some((_, Arg::Text(coordinate)))) =
            (named, input.iter_mut().find(|(name, _)| name == "coordinate"))
        else {
            return;
        };
        let Some(noun) = self.schema.noun(&named) else { return };
        let fields: Vec<usize> = (0..noun.camel.len())
            .filter(|field| self.rights.reveals(noun, *field) || self.rng.random_bool(0.02))
            .collect();
        if let Some(field) = fields.choose(&mut self.rng) {
            *coordinate = noun.coordinate(*field);
        }
    }

    /// Whether the reference by which the rows of a relation are found may be asked about.
    fn leads(&self, noun: &'static Noun, relation: usize) -> bool {
        let may = |of: &'static Noun, key: &str| {
            of.field(key).is_some_and(|key| self.rights.may(of, key, Uses::FILTER))
        };
        match noun.shape.relations[relation].join {
            Join::From(key) | Join::FromOfStudent(key) => {
                may(REGISTRY.at(noun.targets[relation]), key)
            }
            Join::Through { table, from, to, .. } => REGISTRY
                .get(table)
                .is_some_and(|between| may(between, if from == "student_id" { to } else { from })),
            Join::To(_)
            | Join::ToOfStudent(_)
            | Join::ToStudent
            | Join::OfStudent
            | Join::LiveOfStudent => true,
        }
    }

    fn filter(&mut self, noun: &'static Noun, fields: &[Input], depth: usize) -> Arg {
        let (mut logical, mut columns, mut relations, mut keys) = (vec![], vec![], vec![], vec![]);
        for input in fields {
            match noun.member(&input.name) {
                Some(Member::Field(field)) => columns.push((input, field)),
                Some(Member::Relation(relation)) => relations.push((input, relation)),
                None if input.name == "id" => keys.push(input),
                None => logical.push(input),
            }
        }
        let allowed: Vec<_> = columns
            .iter()
            .filter(|(_, field)| self.rights.may(noun, *field, Uses::FILTER))
            .copied()
            .collect();
        let followed: Vec<_> = relations
            .iter()
            .filter(|(_, relation)| {
                let shape = &noun.shape.relations[*relation];
                let key = shape.key.and_then(|key| noun.field(key));
                self.rights.sees(REGISTRY.at(noun.targets[*relation]))
                    && key.is_none_or(|key| self.rights.may(noun, key, Uses::FILTER))
                    && self.leads(noun, *relation)
            })
            .copied()
            .collect();
        let mut out: Vec<(String, Arg)> = Vec::new();
        let count = if self.chance(0.75) { 1 } else { 2 };
        for _ in 0..count {
            let way = self.rng.random_range(0..100);
            let (input, value) = if depth < 4 && way < 28 && !logical.is_empty() {
                let input = logical[self.rng.random_range(0..logical.len())];
                let mut value = self.value_of(&input.of, &input.name, Some(noun), None, depth + 1);
                if let Arg::List(items) = &value
                    && items.is_empty()
                    && self.chance(0.7)
                {
                    value = Arg::List(vec![self.filter(noun, fields, depth + 1)]);
                }
                (input, value)
            } else if depth < 4 && way < 45 && !relations.is_empty() {
                let any = self.chance(0.05) || followed.is_empty();
                if any && !self.chance(0.3) {
                    continue;
                }
                let known = if any { &relations } else { &followed };
                let (input, relation) = known[self.rng.random_range(0..known.len())];
                let target = REGISTRY.at(noun.targets[relation]);
                let value = self.value_of(&input.of, &input.name, Some(target), None, depth + 1);
                (input, value)
            } else if way < 55 && !keys.is_empty() {
                let input = keys[0];
                let Kind::Input { fields, .. } = self.schema.kind(&input.of.base) else { continue };
                let way = &fields[self.rng.random_range(0..fields.len())];
                let ids = self.rng.random_range(1..4);
                let mut ids: Vec<Arg> =
                    (0..ids).map(|_| Arg::Text(self.pool.id(Some(noun), &mut self.rng))).collect();
                let value = if way.of.list { Arg::List(ids) } else { ids.remove(0) };
                (input, Arg::Object(vec![(way.name.clone(), value)]))
            } else {
                let any = self.chance(0.04) || allowed.is_empty();
                if any && !self.chance(0.3) {
                    continue;
                }
                let known = if any { &columns } else { &allowed };
                if known.is_empty() {
                    continue;
                }
                let (input, field) = known[self.rng.random_range(0..known.len())];
                let value = self.value(
                    &input.of.base,
                    &input.name,
                    Some(noun),
                    Some((noun, field)),
                    depth + 1,
                );
                (input, value)
            };
            if !out.iter().any(|(name, _)| *name == input.name) {
                out.push((input.name.clone(), value));
            }
        }
        Arg::Object(out)
    }

    fn test(&mut self, ways: &[Input], column: Column) -> Arg {
        let mut out: Vec<(String, Arg)> = Vec::new();
        let count = if self.chance(0.85) { 1 } else { 2 };
        for _ in 0..count {
            let way = &ways[self.rng.random_range(0..ways.len())];
            let searching = way.name == "startsWith";
            let may = column.is_none_or(|(noun, field)| {
                self.rights.may(noun, field, Uses::FILTER.union(Uses::SEARCH))
            });
            if searching && !may && !self.chance(0.05)
                || out.iter().any(|(name, _)| *name == way.name)
            {
                continue;
            }
            let mut value = self.value_of(&way.of, &way.name, None, column, 0);
            if let Arg::Text(text) = &mut value
                && searching
            {
                let most = text.chars().count().max(1);
                let length = self.rng.random_range(1..=most);
                *text = text.chars().take(length).collect();
            }
            out.push((way.name.clone(), value));
        }
        Arg::Object(out)
    }

    /// A word that stands in some text of the noun, shown or not.
    fn searched(&mut self, noun: Option<&'static Noun>) -> String {
        let Some(noun) = noun else { return self.pool.text(&mut self.rng).to_owned() };
        let texts: Vec<usize> =
            (0..noun.shape.fields.len()).filter(|field| noun.searches(*field)).collect();
        let field = texts.choose(&mut self.rng).copied();
        let known = field.and_then(|field| self.pool.value((noun.index, field), &mut self.rng));
        known.unwrap_or("Mk").to_owned()
    }

    fn scalar(
        &mut self,
        base: &str,
        name: &str,
        noun: Option<&'static Noun>,
        column: Column,
    ) -> Arg {
        let on_file = match column {
            Some((noun, field)) if self.rng.random_bool(0.85) => {
                self.pool.value((noun.index, field), &mut self.rng).map(str::to_owned)
            }
            _ => None,
        };
        match base {
            "Boolean" => Arg::Bool(self.chance(0.5)),
            "ID" => {
                let noun = if name == "id" { noun.or(self.about) } else { named_noun(name) };
                Arg::Text(if self.far && self.chance(0.8) {
                    self.pool.far_id(noun, &mut self.rng)
                } else if self.request.mutation {
                    self.pool.apt_id(noun, &mut self.rng)
                } else {
                    self.pool.id(noun, &mut self.rng)
                })
            }
            "Int" | "Float" => {
                let near = on_file.and_then(|text| text.parse::<i64>().ok());
                let by = self.rng.random_range(-1..=1);
                Arg::Int(near.map_or_else(|| self.rng.random_range(0..20), |near| near + by))
            }
            "Date" => {
                let from = on_file.and_then(|text| text.parse().ok());
                let from = from.unwrap_or_else(crate::support::app::today);
                let latest = if self.request.mutation { 7 } else { 1 };
                let by = chrono::TimeDelta::days(self.rng.random_range(-7..=latest));
                Arg::Text((from + by).to_string())
            }
            "DateTime" => Arg::Text(on_file.unwrap_or_else(|| "2026-11-20T04:00:00Z".to_owned())),
            "Decimal" => {
                Arg::Text(on_file.unwrap_or_else(|| self.rng.random_range(0..200).to_string()))
            }
            _ if name.ends_with("Key") => {
                Arg::Text(format!("request-{:04}", self.rng.random_range(0..super::twin::KEYS)))
            }
            _ if name == VERSION && self.chance(0.9) => Arg::Text(VERSION.to_owned()),
            "String" if name == "search" && self.chance(0.8) => Arg::Text(self.searched(noun)),
            "String" if self.request.mutation && column.is_none() && self.chance(0.85) => {
                let known = self.pool.value_named(name, &mut self.rng).map(str::to_owned);
                Arg::Text(known.unwrap_or_else(|| self.pool.text(&mut self.rng).to_owned()))
            }
            _ => Arg::Text(on_file.unwrap_or_else(|| match column {
                Some(_) => {
                    ["Mk", "Mkpupil", "Zz", "1", "\u{738b}"][self.rng.random_range(0..5)].to_owned()
                }
                None => self.pool.text(&mut self.rng).to_owned(),
            })),
        }
    }
}

/// The noun whose ids an argument takes: `examId`, `classGroupIds`; none for `id` itself, where any will do.
fn named_noun(name: &str) -> Option<&'static Noun> {
    let stem = name.trim_end_matches('s').strip_suffix("Id")?;
    REGISTRY.nouns().iter().find(|noun| noun.shape.type_name.eq_ignore_ascii_case(stem))
}
