//! Random requests that the schema accepts, the same for the same seed.
//!
//! The generator knows types, not names: fields, arguments and inputs are those of the schema, and values follow from
//! their types, from the column that a filter tests, and from what is on file. Only the arguments of pages are known by
//! their names.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use xueji::access::table::Uses;
use xueji::access::view::{Join, Member, Noun};
use xueji::graphql::REGISTRY;

use super::document::{Arg, Directive, Fragment, Request, Selection, Variable};
use super::outlets;
use super::pool::{Pool, Rights};
use super::schema::{Field, Input, Kind, Of, Schema};

/// Most fields of one request; the server's own bounds lie above.
const FIELDS: usize = 90;
/// Most relations below one another.
const DEPTH: usize = 3;

/// The column that a value is for.
type Column = Option<(&'static Noun, usize)>;

/// Makes requests.
pub(crate) struct Generator<'a> {
    schema: &'a Schema,
    pool: &'a Pool,
    rights: &'a Rights,
    rng: ChaCha8Rng,
    request: Request,
    aliases: usize,
    fields: usize,
    roots: Vec<String>,
}

/// The random numbers of one request of one person.
pub(crate) fn numbers(seed: u64, person: &str, request: u64) -> ChaCha8Rng {
    let person = person.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut rng = ChaCha8Rng::seed_from_u64(seed ^ person);
    rng.set_stream(request);
    rng
}

impl<'a> Generator<'a> {
    /// A generator of one request.
    pub(crate) fn new(
        schema: &'a Schema,
        pool: &'a Pool,
        rights: &'a Rights,
        rng: ChaCha8Rng,
    ) -> Self {
        Self {
            schema,
            pool,
            rights,
            rng,
            request: Request::default(),
            aliases: 0,
            fields: 0,
            roots: Vec::new(),
        }
    }

    fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    /// A query.
    pub(crate) fn query(mut self) -> Request {
        let roots = [1, 1, 1, 2, 2, 3][self.rng.random_range(0..6)];
        self.request.chinese = self.chance(0.1);
        let mut selections = Vec::new();
        for _ in 0..roots {
            selections.push(self.root("Query"));
        }
        self.request.selections = self.dressed("Query", selections, 0);
        self.request.tidied()
    }

    /// A mutation; none when the schema has none.
    pub(crate) fn mutation(mut self) -> Request {
        self.request.mutation = true;
        let selection = self.root("Mutation");
        self.request.selections = vec![selection];
        self.request.tidied()
    }

    fn root(&mut self, of: &str) -> Selection {
        let schema = self.schema;
        let fields: Vec<&Field> = schema
            .fields(of)
            .iter()
            .filter(|field| {
                !outlets::is(&format!("{of}.{}", field.name), self.rights.figures_alone)
            })
            .collect();
        let weight = |field: &&Field| match schema.listed(&field.of.base) {
            Some(noun) if self.rights.sees(noun) => {
                if noun.shape.hangs.of_student() || noun.shape.lifecycle { 16 } else { 4 }
            }
            Some(_) => 1,
            None => match schema.noun(&field.of.base) {
                Some(noun) if self.rights.sees(noun) => 3,
                Some(_) => 1,
                None => 6,
            },
        };
        // What was refused each time is asked seldom.
        let weight = |field: &&Field| match self.pool.denied.get(&field.name) {
            Some((asked, denied)) if *denied > 2 && asked == denied => 1,
            _ => 8 * weight(field),
        };
        let field = *fields.choose_weighted(&mut self.rng, weight).expect("a root field");
        if let Some(continued) = self.continued(field) {
            return continued;
        }
        self.field(field, 0)
    }

    /// A further page of a list that was answered before.
    fn continued(&mut self, field: &Field) -> Option<Selection> {
        if self.schema.listed(&field.of.base).is_none() || !self.chance(0.35) {
            return None;
        }
        let mine = self.chance(0.8);
        let known = if mine { &self.pool.own } else { &self.pool.foreign };
        let fitting: Vec<_> = known.iter().filter(|at| at.field == field.name).collect();
        let from = (*fitting.choose(&mut self.rng)?).clone();
        let back = self.chance(0.4);
        let (size, place) = if back { ("last", "before") } else { ("first", "after") };
        let mut args = from.bound.clone();
        let rows = self.rng.random_range(1..6);
        args.push((size.to_owned(), Arg::Int(rows)));
        args.push((place.to_owned(), Arg::Text(from.cursor)));
        let below = self.selection(&field.of.base, 0);
        Some(self.named(field, args, below))
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("a{}", self.aliases)
    }

    fn named(
        &mut self,
        field: &Field,
        args: Vec<(String, Arg)>,
        below: Vec<Selection>,
    ) -> Selection {
        // One name stands for one thing: whatever has arguments has a name of its own, but for the first of its kind.
        let first = !args.is_empty() && !self.roots.contains(&field.name);
        if first {
            self.roots.push(field.name.clone());
        }
        let alias = if first && self.aliases == 0 && self.fields < 8 {
            None
        } else if !args.is_empty() || self.chance(0.12) {
            Some(self.alias())
        } else {
            None
        };
        let directive = self.directive();
        Selection::Field { alias, name: field.name.clone(), args, directive, below }
    }

    fn directive(&mut self) -> Option<Directive> {
        if !self.chance(0.03) {
            return None;
        }
        let include = self.chance(0.5);
        let holds = self.chance(0.8) == include;
        let condition = Arg::Bool(holds);
        let condition = if self.chance(0.5) {
            self.variable("Boolean!".to_owned(), condition, false)
        } else {
            condition
        };
        Some(Directive { name: if include { "include" } else { "skip" }, condition })
    }

    fn variable(&mut self, of: String, value: Arg, default: bool) -> Arg {
        let name = format!("v{}", self.request.variables.len());
        let by_default = default && self.chance(0.4);
        let (default, value) = if by_default { (Some(value), None) } else { (None, Some(value)) };
        self.request.variables.push(Variable { name: name.clone(), of, default, value });
        Arg::Variable(name)
    }

    fn field(&mut self, field: &Field, depth: usize) -> Selection {
        self.fields += 1;
        let args = self.args(field);
        let below = if self.schema.composite(&field.of.base) {
            self.selection_for(field, &args, depth)
        } else {
            Vec::new()
        };
        self.named(field, args, below)
    }

    fn args(&mut self, field: &Field) -> Vec<(String, Arg)> {
        let noun = self.schema.listed(&field.of.base);
        let named = noun.or_else(|| self.schema.noun(&field.of.base));
        let mut args = Vec::new();
        for input in &field.args {
            if matches!(input.name.as_str(), "first" | "last" | "after" | "before")
                && noun.is_some()
            {
                continue;
            }
            let wanted = match input.name.as_str() {
                "orderBy" => 0.25,
                // Words that are on file nowhere leave nothing to compare.
                "search" => 0.04,
                _ => 0.45,
            };
            // What a person may do with no column is asked seldom.
            let needs = match input.name.as_str() {
                "search" => Some(Uses::SEARCH),
                "orderBy" => Some(Uses::SORT),
                _ => None,
            };
            let able = |uses: Uses| {
                named.is_some_and(|noun| {
                    (0..noun.shape.fields.len()).any(|at| self.rights.may(noun, at, uses))
                })
            };
            if needs.is_some_and(|uses| !able(uses)) && !self.chance(0.1) {
                continue;
            }
            let required = input.of.required && !input.default;
            if !required && !self.chance(wanted) {
                continue;
            }
            let value = self.typed(input, named, 0);
            let value = if input.of.base != "Date" && self.chance(0.25) {
                self.variable(input.of.written.clone(), value, !input.of.required)
            } else {
                value
            };
            args.push((input.name.clone(), value));
        }
        if noun.is_some() {
            self.page(&mut args);
        }
        self.days_in_order(field, &mut args);
        args
    }

    /// Two days of one field are a first and a last one, mostly.
    fn days_in_order(&mut self, field: &Field, args: &mut [(String, Arg)]) {
        let days: Vec<usize> = (0..args.len())
            .filter(|at| {
                let input = field.args.iter().find(|input| input.name == args[*at].0);
                input.is_some_and(|input| input.of.base == "Date")
            })
            .collect();
        if let [first, last] = days[..]
            && let (Arg::Text(from), Arg::Text(until)) = (&args[first].1, &args[last].1)
            && from > until
            && self.chance(0.9)
        {
            let (from, until) = (args[first].1.clone(), args[last].1.clone());
            (args[first].1, args[last].1) = (until, from);
        }
    }

    fn page(&mut self, args: &mut Vec<(String, Arg)>) {
        let rows = match self.rng.random_range(0..60) {
            0 => 0,
            1 => 201,
            2..=10 => 20,
            _ => self.rng.random_range(1..7),
        };
        let shape = self.rng.random_range(0..60);
        let (size, place) = if shape < 40 { ("first", "after") } else { ("last", "before") };
        args.push((size.to_owned(), Arg::Int(rows)));
        if shape == 0 {
            args.push(("before".to_owned(), Arg::Text(self.pool.stray(&mut self.rng))));
        } else if self.chance(0.02) {
            args.push((place.to_owned(), Arg::Text(self.pool.stray(&mut self.rng))));
        }
    }

    /// The selection below a field; below an interface, that of the row that the id names first of all.
    fn selection_for(
        &mut self,
        field: &Field,
        args: &[(String, Arg)],
        depth: usize,
    ) -> Vec<Selection> {
        let Kind::Interface(_, possible) = self.schema.kind(&field.of.base) else {
            return self.selection(&field.of.base, depth);
        };
        let mut below = self.selection(&field.of.base, depth);
        let named = args.iter().find_map(|(_, arg)| match arg {
            Arg::Text(text) => text.split_once('_').map(|(name, _)| name.to_owned()),
            Arg::Variable(name) => {
                let known = self.request.variables.iter().find(|at| at.name == *name)?;
                match known.value.as_ref().or(known.default.as_ref()) {
                    Some(Arg::Text(text)) => text.split_once('_').map(|(name, _)| name.to_owned()),
                    _ => None,
                }
            }
            _ => None,
        });
        let mut on: Vec<String> =
            named.into_iter().filter(|name| possible.contains(name)).collect();
        if self.chance(0.3) {
            on.extend(possible.choose(&mut self.rng).cloned());
        }
        on.dedup();
        for (at, name) in on.into_iter().enumerate() {
            let mut fields = self.selection(&name, depth);
            if at > 0 {
                // Two types may give one name two meanings.
                for selection in &mut fields {
                    let fresh = self.alias();
                    if let Selection::Field { alias, .. } = selection {
                        *alias = Some(fresh);
                    }
                }
            }
            let fields = fields.into_iter().filter(|of| matches!(of, Selection::Field { .. }));
            let fields: Vec<_> = fields.collect();
            if !fields.is_empty() {
                below.push(Selection::Inline { on: Some(name), directive: None, below: fields });
            }
        }
        below
    }

    fn selection(&mut self, of: &str, depth: usize) -> Vec<Selection> {
        let schema = self.schema;
        let fields: Vec<&Field> = schema
            .fields(of)
            .iter()
            .filter(|field| {
                !outlets::is(&format!("{of}.{}", field.name), self.rights.figures_alone)
            })
            .collect();
        let (leaves, branches): (Vec<&Field>, Vec<&Field>) = fields
            .into_iter()
            .partition(|field| !schema.composite(&field.of.base) || small(schema, field));
        let mut out = Vec::new();
        let noun = schema.noun(of);
        let connection = schema.listed(of).is_some();
        let count =
            if noun.is_some() { self.rng.random_range(1..8) } else { self.rng.random_range(1..5) };
        for _ in 0..count {
            if let Some(field) = leaves.choose(&mut self.rng) {
                out.push(self.field(field, depth));
            }
        }
        if connection {
            // Rows, mostly; edges at times; where the page stands, so that it can be turned.
            for field in &branches {
                let wanted = match field.of.base.as_str() {
                    "PageInfo" => 0.5,
                    _ if field.of.base.ends_with("Edge") => 0.3,
                    _ => 0.75,
                };
                if self.chance(wanted) {
                    out.push(self.field(field, depth));
                }
            }
        } else {
            let most = if depth >= DEPTH || self.fields > FIELDS { 0 } else { 2 };
            let mut wanted = if noun.is_some() { self.rng.random_range(0..=most) } else { most };
            if noun.is_none() && depth == 0 && out.is_empty() {
                wanted = wanted.max(1);
            }
            for _ in 0..wanted {
                let Some(field) = branches.choose(&mut self.rng).copied() else { break };
                let leads = schema.listed(&field.of.base).or_else(|| schema.noun(&field.of.base));
                if leads.is_some_and(|noun| !self.rights.sees(noun)) && self.chance(0.8) {
                    continue;
                }
                out.push(self.field(field, depth + 1));
            }
        }
        if out.is_empty() || self.chance(0.1) {
            out.push(Selection::plain("__typename", Vec::new()));
        }
        if noun.is_some() && self.chance(0.5) {
            out.push(Selection::plain("id", Vec::new()));
        }
        self.dressed(of, out, depth)
    }

    /// Some of the selections in a fragment, inline or named, or twice.
    fn dressed(&mut self, of: &str, mut out: Vec<Selection>, depth: usize) -> Vec<Selection> {
        if of.ends_with("Connection") && depth > 1 {
            return out;
        }
        let plain = |selection: &Selection| matches!(selection, Selection::Field { .. });
        match self.rng.random_range(0..100) {
            0..=6 => {
                let moved = out.split_off(out.len() / 2);
                let on = if self.chance(0.7) { Some(of.to_owned()) } else { None };
                let directive = self.directive();
                out.push(Selection::Inline { on, directive, below: moved });
            }
            7..=13 => {
                let moved = out.split_off(out.len() / 2);
                let name = format!("F{}", self.request.fragments.len());
                self.request.fragments.push(Fragment {
                    name: name.clone(),
                    on: of.to_owned(),
                    below: moved,
                });
                out.push(Selection::Spread(name.clone()));
                if self.chance(0.3) {
                    out.push(Selection::Spread(name));
                }
            }
            14..=19 => {
                // The same once more, under the same key and under another.
                if let Some(again) = out.iter().find(|selection| plain(selection)).cloned() {
                    if let Selection::Field { name, args, below, .. } = &again
                        && below.is_empty()
                    {
                        out.push(Selection::Field {
                            alias: Some(self.alias()),
                            name: name.clone(),
                            args: args.clone(),
                            directive: None,
                            below: Vec::new(),
                        });
                    }
                    out.push(again);
                }
            }
            20..=22 if self.schema.noun(of).is_some() => {
                let id = Selection::plain("id", Vec::new());
                let on = Some("Node".to_owned());
                out.push(Selection::Inline { on, directive: None, below: vec![id] });
            }
            _ => {}
        }
        out
    }

    /// A value of a declared type, list or not.
    fn typed(&mut self, input: &Input, noun: Option<&'static Noun>, depth: usize) -> Arg {
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
        for field in fields {
            let required = field.of.required && !field.default;
            if required || (depth < 5 && self.chance(0.35)) {
                let value = self.typed(field, noun, depth + 1);
                out.push((field.name.clone(), value));
            }
        }
        Arg::Object(out)
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
                let noun = if name == "id" { noun } else { named_noun(name) };
                Arg::Text(self.pool.id(noun, &mut self.rng))
            }
            "Int" | "Float" => {
                let near = on_file.and_then(|text| text.parse::<i64>().ok());
                let by = self.rng.random_range(-1..=1);
                Arg::Int(near.map_or_else(|| self.rng.random_range(0..20), |near| near + by))
            }
            "Date" => {
                let from = on_file.and_then(|text| text.parse().ok());
                let from = from.unwrap_or_else(crate::support::app::today);
                let by = chrono::TimeDelta::days(self.rng.random_range(-7..=1));
                Arg::Text((from + by).to_string())
            }
            "DateTime" => Arg::Text(on_file.unwrap_or_else(|| "2026-11-20T04:00:00Z".to_owned())),
            "Decimal" => {
                Arg::Text(on_file.unwrap_or_else(|| self.rng.random_range(0..200).to_string()))
            }
            _ if name.ends_with("Key") => {
                Arg::Text(format!("request-{:04}", self.rng.random_range(0..super::twin::KEYS)))
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

/// An object without arguments and relations, such as a code: asked for like a leaf.
fn small(schema: &Schema, field: &Field) -> bool {
    field.args.is_empty()
        && schema.noun(&field.of.base).is_none()
        && !schema.fields(&field.of.base).is_empty()
        && matches!(schema.kind(&field.of.base), Kind::Object(_))
        && field.of.base != "PageInfo"
        && schema.fields(&field.of.base).iter().all(|below| !schema.composite(&below.of.base))
}

/// The noun whose ids an argument takes: `examId`, `classGroupIds`; none for `id` itself, where any will do.
fn named_noun(name: &str) -> Option<&'static Noun> {
    let stem = name.trim_end_matches('s').strip_suffix("Id")?;
    REGISTRY.nouns().iter().find(|noun| noun.shape.type_name.eq_ignore_ascii_case(stem))
}
