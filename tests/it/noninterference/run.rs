//! The same requests to both twins, and what must be the same of the answers: status, headers, every byte of the body,
//! the number of statements and the lines of the log.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::both::{Both, Seen, Side};
use super::document::{Arg, Request, Selection};
use super::generate::{Generator, numbers};
use super::outlets;
use super::pool::{Continuation, Pool, Rights};
use super::schema::Schema;
use super::shrink;
use super::twin::{Base, Differences, Twins};
use super::values::VERSION;
use crate::support::app::App;
use crate::support::oracle::Oracle;
use crate::support::truth::Truth;
use xueji_entity::value::AccountId;

/// What is asked of one person.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Volume {
    pub(crate) seed: u64,
    pub(crate) queries: u64,
    pub(crate) mutations: u64,
    /// Tries of the act that lets its caller see more, after everything else.
    pub(crate) widening: u64,
    /// Requests that are spent on making a finding small.
    pub(crate) shrink: usize,
    /// Say how far it has come, every so many requests.
    pub(crate) progress: Option<u64>,
}

/// Acts of every day that write into the registry.
const WRITING: &[&str] = &[
    "attendanceRecord",
    "studentContactUpdate",
    "guardianContactUpdate",
    "examPublish",
    "accessReviewDecide",
];

/// What came of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) name: String,
    pub(crate) requests: u64,
    /// Requests that validation let through.
    pub(crate) valid: u64,
    pub(crate) with_rows: u64,
    pub(crate) filtered: u64,
    pub(crate) matched: u64,
    pub(crate) pages: u64,
    pub(crate) denied: u64,
    pub(crate) refused: u64,
    pub(crate) mutations: u64,
    pub(crate) written: u64,
    /// Holds an act that writes into the registry.
    pub(crate) may_write: bool,
    /// Acts that were done and write nothing but their line on record.
    pub(crate) told: u64,
    pub(crate) differences: Differences,
    pub(crate) found: Option<Found>,
}

/// A request whose answers differ.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    pub(crate) request: Request,
    pub(crate) number: u64,
    pub(crate) seen: [Seen; 2],
    pub(crate) what: &'static str,
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [one, two] = &self.seen;
        writeln!(f, "is told what it may not see ({}), by request {}:", self.what, self.number)?;
        writeln!(f, "{}", self.request.text())?;
        writeln!(f, "with {}", self.request.values())?;
        for (at, seen) in [one, two].into_iter().enumerate() {
            writeln!(
                f,
                "{at}: {} after {} statements: {}",
                seen.status, seen.statements, seen.text
            )?;
        }
        if one.lines != two.lines || one.headers != two.headers {
            writeln!(f, "{:?} {:?}\n{:?} {:?}", one.headers, one.lines, two.headers, two.lines)?;
        }
        Ok(())
    }
}

/// Asks one person's questions until all are asked or an answer differs.
pub(crate) async fn person(base: &Base, schema: &Schema, name: &str, volume: Volume) -> Report {
    let account = base.people.iter().find(|(known, _)| known == name).expect("a person").1;
    let twins = base.twins(account, schema, &mut numbers(volume.seed, name, u64::MAX)).await;
    ask(&twins, schema, name, volume, &base.foreign).await
}

/// The same with twins that are there already. `foreign` are lists of somebody else.
pub(crate) async fn ask(
    twins: &Twins,
    schema: &Schema,
    name: &str,
    volume: Volume,
    foreign: &[Continuation],
) -> Report {
    let [one, two] = &twins.apps;
    let person = one.account_holder(twins.account).await;
    let truths = [Truth::of(one).await, Truth::of(two).await];
    let mut pool = {
        let oracles = [Oracle::of(one, &truths[0], &person), Oracle::of(two, &truths[1], &person)];
        let sides = [(&truths[0], &oracles[0]), (&truths[1], &oracles[1])];
        Pool::of(sides, twins.account.uuid())
    };
    pool.foreign = foreign.to_vec();
    let rights = Rights::of(one.policy(), person.holding());
    let account = twins.account.uuid().to_string();
    let mut both = Both::new(&twins.apps, &account, &truths);
    let mut report = Report {
        name: name.to_owned(),
        differences: twins.differences,
        may_write: WRITING.iter().any(|act| rights.acts(act)),
        ..Report::default()
    };
    let everyday = volume.queries + volume.mutations;
    for number in 0..everyday + volume.widening {
        let generator = Generator::new(schema, &pool, &rights, numbers(volume.seed, name, number));
        // Every other request after the queries is a write.
        let mutation = number >= volume.queries && number % 2 == 0;
        let mut request = if number >= everyday {
            generator.act(outlets::WIDENS)
        } else if mutation {
            generator.mutation()
        } else {
            generator.query()
        };
        let mutation = request.mutation;
        let id = format!("request-{number}");
        if mutation {
            with_version(&both, &mut request, &id).await;
        }
        let (seen, differs) = both.ask(&request, &id).await;
        let body: Value = serde_json::from_str(&seen[0].text).unwrap_or_default();
        report.count(&request, &seen[0], &body);
        let continued = continuations(schema, &request, &body);
        if let [Selection::Field { name, .. }] = &request.selections[..] {
            let (asked, denied) = pool.denied.entry(name.clone()).or_default();
            *asked += 1;
            *denied += u32::from(seen[0].text.contains("\"FORBIDDEN\""));
        }
        // A cursor tells nothing by itself, whoever has it.
        if continued.iter().any(|at| readable(&at.cursor)) {
            report.found = Some(Found { request, number, seen, what: "a cursor that can be read" });
            return report;
        }
        if seen[0].lines.iter().any(|line| marked(line.as_bytes())) {
            report.found = Some(Found { request, number, seen, what: "a value in the log" });
            return report;
        }
        if let Some(what) = differs {
            let (request, seen) = shrink::shrink(&both, request, seen, volume.shrink).await;
            report.found = Some(Found { request, number, seen, what });
            return report;
        }
        both.written |= mutation;
        // From here on the person sees what was kept apart.
        if number >= everyday && seen.iter().any(|seen| outlets::done(&seen.text)) {
            break;
        }
        if !both.written {
            continued.into_iter().for_each(|at| pool.keep(at));
        }
        if volume.progress.is_some_and(|every| (number + 1) % every == 0) {
            eprintln!("{name}: {} of {everyday} requests", number + 1);
        }
    }
    report
}

/// Puts the tag of what the person sees now in the place of the one that stands for it.
async fn with_version(both: &Both<'_>, request: &mut Request, id: &str) {
    let Some(Selection::Field { args, .. }) = request.selections.first_mut() else { return };
    let input = match args.first_mut() {
        Some((_, Arg::Variable(name))) => {
            let known = request.variables.iter_mut().find(|known| known.name == *name);
            known.and_then(|known| known.value.as_mut().or(known.default.as_mut()))
        }
        Some((_, given)) => Some(given),
        None => None,
    };
    let Some(Arg::Object(input)) = input else { return };
    let row = input.iter().find_map(|(name, value)| match value {
        Arg::Text(id) if name.ends_with("Id") => Some(id.clone()),
        _ => None,
    });
    let version = input.iter_mut().find(|(name, _)| name == VERSION);
    let (Some(row), Some((_, Arg::Text(version)))) = (row, version) else { return };
    let Some((noun, _)) = row.split_once('_') else { return };
    if version != VERSION || !["Student", "Guardian"].contains(&noun) {
        return;
    }
    let tag = Selection::plain("contactVersion", Vec::new());
    let tag = Selection::Inline { on: Some(noun.to_owned()), directive: None, below: vec![tag] };
    let mut node = Selection::plain("node", vec![tag]);
    if let Selection::Field { args, .. } = &mut node {
        args.push(("id".to_owned(), Arg::Text(row)));
    }
    let asked = Request { selections: vec![node], ..Request::default() };
    let answer: Value = serde_json::from_str(&both.one(&asked, id).await.text).unwrap_or_default();
    if let Some(tag) = answer["data"]["node"]["contactVersion"].as_str() {
        tag.clone_into(version);
    }
}

impl Report {
    fn count(&mut self, request: &Request, seen: &Seen, body: &Value) {
        let code = body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
        assert_ne!(code, "INTERNAL", "{}: {}\n{}", self.name, request.text(), seen.text);
        self.requests += 1;
        self.valid += u64::from(code != "VALIDATION_FAILED");
        self.denied += u64::from(code == "FORBIDDEN");
        self.refused += u64::from(!code.is_empty() && code != "FORBIDDEN");
        if request.mutation {
            self.mutations += 1;
            let reads = ["studentReveal", "identityNumberCheck"];
            let writes = request.act().is_some_and(|act| !reads.contains(&act));
            self.written += u64::from(writes && code.is_empty());
            self.told += u64::from(!writes && code.is_empty());
        }
        self.with_rows += u64::from(rows(&body["data"]));
        for selection in &request.selections {
            let Selection::Field { alias, name, args, .. } = selection else { continue };
            let answer = &body["data"][alias.as_ref().unwrap_or(name)];
            if args.iter().any(|(name, _)| name == "filter") && !answer.is_null() {
                self.filtered += 1;
                self.matched += u64::from(rows(answer));
            }
            if args.iter().any(|(name, _)| name == "after" || name == "before") && !answer.is_null()
            {
                self.pages += 1;
            }
        }
    }

    /// One line about the person.
    pub(crate) fn line(&self) -> String {
        let Differences { hidden, masked, out_of_scope, added, removed } = self.differences;
        format!(
            "{:<42} {:>6} requests {:>6} valid {:>6} with rows {:>5} filtered {:>5} matched {:>5} pages \
             {:>5} denied {:>5} refused {:>4} acts {:>4} written {:>4} told | {hidden} hidden {masked} masked {out_of_scope} \
             out of scope {added} added {removed} removed",
            self.name,
            self.requests,
            self.valid,
            self.with_rows,
            self.filtered,
            self.matched,
            self.pages,
            self.denied,
            self.refused,
            self.mutations,
            self.written,
            self.told,
        )
    }
}

/// Whether some list in an answer has a row.
fn rows(answer: &Value) -> bool {
    match answer {
        Value::Array(items) => {
            items.first().is_some_and(Value::is_object) || items.iter().any(rows)
        }
        Value::Object(fields) => fields.values().any(rows),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
    }
}

/// Whether a mark of the seed stands in it. A few letters may come about by chance.
fn marked(bytes: &[u8]) -> bool {
    let mark = |at: &[u8]| at.starts_with(b"Mk") && at[2..].iter().all(u8::is_ascii_lowercase);
    bytes.windows(9).any(mark)
}

/// Whether a cursor holds a value of the registry for everybody to read.
fn readable(cursor: &str) -> bool {
    URL_SAFE_NO_PAD.decode(cursor).is_ok_and(|bytes| marked(&bytes))
}

/// Where the lists can be continued that somebody is answered.
pub(crate) async fn lists_of(
    app: &App,
    schema: &Schema,
    name: &str,
    account: AccountId,
    requests: u64,
) -> Vec<Continuation> {
    let truth = Truth::of(app).await;
    let person = app.account_holder(account).await;
    let oracle = Oracle::of(app, &truth, &person);
    let pool = Pool::of([(&truth, &oracle), (&truth, &oracle)], account.uuid());
    let rights = Rights::of(app.policy(), person.holding());
    let side = Side::new(app, &account.uuid().to_string());
    let mut found = Vec::new();
    for number in 0..requests {
        let request = Generator::new(schema, &pool, &rights, numbers(0, name, number)).query();
        let seen = side.ask(&request, "lists-of").await;
        let body = serde_json::from_str(&seen.text).unwrap_or_default();
        found.extend(continuations(schema, &request, &body));
    }
    found
}

/// Where the root lists of an answer can be continued.
fn continuations(schema: &Schema, request: &Request, body: &Value) -> Vec<Continuation> {
    let mut found = Vec::new();
    for selection in &request.selections {
        let Selection::Field { alias, name, args, .. } = selection else { continue };
        let of = schema.fields("Query").iter().find(|field| field.name == *name);
        if of.is_none_or(|field| schema.listed(&field.of.base).is_none()) {
            continue;
        }
        let bound: Vec<(String, Arg)> = args
            .iter()
            .filter(|(name, _)| name == "filter" || name == "orderBy")
            .cloned()
            .collect();
        // A word in a variable is bound as a text.
        if bound.iter().any(|(_, arg)| arg.varies()) {
            continue;
        }
        let mut cursors = Vec::new();
        if let Value::Object(fields) = &body["data"][alias.as_ref().unwrap_or(name)] {
            for value in fields.values() {
                match value {
                    Value::Object(info) => cursors.extend(info.values()),
                    Value::Array(edges) => {
                        let edges = edges.iter().filter_map(Value::as_object);
                        cursors.extend(edges.flat_map(|edge| edge.values()).take(4));
                    }
                    _ => {}
                }
            }
        }
        for cursor in cursors.into_iter().filter_map(Value::as_str) {
            if cursor.len() >= 60 && URL_SAFE_NO_PAD.decode(cursor).is_ok() {
                found.push(Continuation {
                    field: name.clone(),
                    bound: bound.clone(),
                    cursor: cursor.to_owned(),
                });
            }
        }
    }
    found
}
