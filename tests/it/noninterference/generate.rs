//! Random requests that the schema accepts, the same for the same seed.
//!
//! The generator knows types, not names: fields, arguments and inputs are those of the schema, and values follow from
//! their types, from the column that a filter tests, and from what is on file. Known by their names are only the
//! arguments of pages, the words of a search, and in acts the version, the idempotency key and the coordinate.

use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use xueji::access::table::Uses;
use xueji::access::view::Noun;

use super::document::{Arg, Directive, Fragment, Request, Selection, Variable};
use super::outlets;
use super::pool::{Pool, Rights};
use super::schema::{Field, Kind, Schema};

/// Most fields of one request; the server's own bounds lie above.
const FIELDS: usize = 90;
/// Most relations below one another.
const DEPTH: usize = 3;

/// Makes requests.
pub(crate) struct Generator<'a> {
    pub(super) schema: &'a Schema,
    pub(super) pool: &'a Pool,
    pub(super) rights: &'a Rights,
    pub(super) rng: ChaCha8Rng,
    pub(super) request: Request,
    /// The noun that an act is about.
    pub(super) about: Option<&'static Noun>,
    /// Ids are those of rows that are not shown.
    pub(super) far: bool,
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
            about: None,
            far: false,
            aliases: 0,
            fields: 0,
            roots: Vec::new(),
        }
    }

    pub(super) fn chance(&mut self, share: f64) -> bool {
        self.rng.random_bool(share)
    }

    /// A query.
    pub(crate) fn query(mut self) -> Request {
        let roots = [1, 1, 1, 2, 2, 3][self.rng.random_range(0..6)];
        self.request.chinese = self.chance(0.1);
        self.purpose(0.1);
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
        self.purpose(0.6);
        let selection = self.root("Mutation");
        self.request.selections = vec![selection];
        self.request.tidied()
    }

    /// The act of this name.
    pub(crate) fn act(mut self, name: &str) -> Request {
        self.request.mutation = true;
        self.far = true;
        self.purpose(0.9);
        let field = self.schema.fields("Mutation").iter().find(|field| field.name == name);
        let selection = self.field("Mutation", field.expect("an act of the schema"), 0);
        self.request.selections = vec![selection];
        self.request.tidied()
    }

    fn purpose(&mut self, share: f64) {
        if self.chance(share) {
            self.request.purpose = self.rights.purposes.choose(&mut self.rng).cloned();
        }
    }

    fn root(&mut self, of: &str) -> Selection {
        let schema = self.schema;
        let fields: Vec<&Field> =
            schema.fields(of).iter().filter(|field| !outlets::apart(&field.name)).collect();
        let weight = |field: &&Field| match schema.listed(&field.of.base) {
            _ if self.request.mutation => {
                if self.rights.acts(&field.name) {
                    16
                } else {
                    1
                }
            }
            Some(noun) if self.rights.sees(noun) => {
                if noun.shape.hangs.of_student() || noun.shape.lifecycle { 16 } else { 4 }
            }
            Some(_) => 1,
            None => match schema.noun(&field.of.base) {
                Some(noun) if self.rights.sees(noun) => 3,
                Some(_) => 1,
                None => 3,
            },
        };
        // What was refused each time is asked seldom.
        let weight = |field: &&Field| match self.pool.denied.get(&field.name) {
            Some((asked, denied)) if *denied > 2 && asked == denied => 1,
            _ => 8 * weight(field),
        };
        let field = *fields.choose_weighted(&mut self.rng, weight).expect("a root field");
        self.about = schema.about(&field.name);
        if let Some(continued) = self.continued(field) {
            return continued;
        }
        self.field(of, field, 0)
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
        Some(self.named("Query", field, args, below))
    }

    fn alias(&mut self) -> String {
        self.aliases += 1;
        format!("a{}", self.aliases)
    }

    fn named(
        &mut self,
        of: &str,
        field: &Field,
        args: Vec<(String, Arg)>,
        below: Vec<Selection>,
    ) -> Selection {
        // One name stands for one thing: whatever has arguments has a name of its own, but for the first of its kind.
        let first = !args.is_empty() && !self.roots.contains(&field.name);
        if first {
            self.roots.push(field.name.clone());
        }
        let told = outlets::name(of, &field.name, self.aliases);
        let alias = if told.is_some() {
            self.aliases += 1;
            told
        } else if first && self.aliases == 0 && self.fields < 8 {
            None
        } else if !args.is_empty() || self.chance(0.12) {
            Some(self.alias())
        } else {
            None
        };
        let directive = if of == "Mutation" { None } else { self.directive() };
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

    fn field(&mut self, of: &str, field: &Field, depth: usize) -> Selection {
        self.fields += 1;
        let args = self.args(field);
        let below = if self.schema.composite(&field.of.base) {
            self.selection_for(field, &args, depth)
        } else {
            Vec::new()
        };
        self.named(of, field, args, below)
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
                // Most words are found in few rows.
                "search" => 0.06,
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
                    if let Selection::Field { alias, name: field, .. } = selection {
                        let told = outlets::name(&name, field, self.aliases);
                        *alias = Some(told.unwrap_or(fresh));
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
        let fields: Vec<&Field> = schema.fields(of).iter().collect();
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
                out.push(self.field(of, field, depth));
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
                    out.push(self.field(of, field, depth));
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
                out.push(self.field(of, field, depth + 1));
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
                        let other = self.alias();
                        let told = outlets::name(of, name, self.aliases);
                        out.push(Selection::Field {
                            alias: Some(told.unwrap_or(other)),
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
