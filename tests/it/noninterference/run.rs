//! The same requests to both twins, and what must be the same of the answers: status, headers, every byte of the body,
//! the number of statements and the lines of the log.

use std::sync::{Arc, Mutex};
use std::{fmt, io};

use axum::body::Body;
use axum::http::{Method, Request as Http, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;
use tracing_subscriber::fmt::MakeWriter;

use super::document::{Arg, Request, Selection};
use super::generate::{Generator, numbers};
use super::pool::{Continuation, Pool, Rights};
use super::schema::Schema;
use super::shrink;
use super::twin::{Base, Differences, Twins};
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
    /// Requests that are spent on making a finding small.
    pub(crate) shrink: usize,
    /// Say how far it has come, every so many requests.
    pub(crate) progress: Option<u64>,
}

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

/// Everything that an answer tells.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Seen {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) text: String,
    pub(crate) statements: u64,
    pub(crate) lines: Vec<String>,
}

impl Seen {
    /// What differs between two.
    fn differs(&self, other: &Self) -> Option<&'static str> {
        if self.status != other.status {
            Some("status")
        } else if self.text != other.text {
            Some("answer")
        } else if self.headers != other.headers {
            Some("headers")
        } else if self.lines != other.lines {
            Some("log")
        } else if self.statements != other.statements {
            Some("statements")
        } else {
            None
        }
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'w> MakeWriter<'w> for Lines {
    type Writer = Self;

    fn make_writer(&'w self) -> Self {
        self.clone()
    }
}

/// One of the twins, asked as the person.
struct Side<'t> {
    app: &'t App,
    token: String,
    lines: Lines,
    log: Dispatch,
}

impl<'t> Side<'t> {
    fn new(app: &'t App, account: &str) -> Self {
        let lines = Lines::default();
        let filter =
            tracing_subscriber::EnvFilter::new("debug,xueji=trace,h2=off,hyper=off,sqlx=off");
        let log = tracing_subscriber::fmt()
            .json()
            .with_env_filter(filter)
            .with_writer(lines.clone())
            .finish()
            .into();
        Self { app, token: app.token(account), lines, log }
    }

    async fn ask(&self, request: &Request, id: &str) -> Seen {
        let http = Http::builder()
            .method(Method::POST)
            .uri("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_LANGUAGE, if request.chinese { "zh-CN" } else { "en" })
            .header("x-request-id", id)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .body(Body::from(request.body()))
            .unwrap();
        self.lines.0.lock().unwrap().clear();
        let before = self.app.store().statements();
        let answer = self.app.send(http).with_subscriber(self.log.clone()).await;
        let statements = self.app.store().statements() - before;
        let mut headers: Vec<(String, String)> = answer
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
            .collect();
        headers.sort_unstable();
        let written = std::mem::take(&mut *self.lines.0.lock().unwrap());
        let lines = String::from_utf8_lossy(&written).lines().map(without_times).collect();
        Seen { status: answer.status.as_u16(), headers, text: answer.text, statements, lines }
    }
}

fn without_times(line: &str) -> String {
    let Ok(mut line) = serde_json::from_str::<Value>(line) else { return line.to_owned() };
    if let Some(line) = line.as_object_mut() {
        line.remove("timestamp");
        if let Some(fields) = line.get_mut("fields").and_then(Value::as_object_mut) {
            fields.retain(|name, _| !name.starts_with("duration"));
        }
    }
    line.to_string()
}

/// Both twins, asked as the person.
pub(crate) struct Both<'t> {
    sides: [Side<'t>; 2],
    /// Rows have been written: their ids, and cursors to them, are each twin's own.
    written: bool,
    known: &'t [Truth; 2],
}

/// How often a difference in the number of statements alone is looked at again: grants are read anew about once a
/// second, in the middle of whatever request comes then.
const LOOKS: usize = 5;

impl Both<'_> {
    /// Asks both; what is different, if anything.
    pub(crate) async fn ask(
        &self,
        request: &Request,
        id: &str,
    ) -> ([Seen; 2], Option<&'static str>) {
        let mut seen = self.once(request, id).await;
        let mut differs = seen[0].differs(&seen[1]);
        if differs == Some("statements") && request.mutation {
            // What was written is the same on both sides, so it may be asked again.
            for _ in 0..LOOKS {
                seen = self.once(request, id).await;
                differs = seen[0].differs(&seen[1]);
                if differs.is_none() {
                    break;
                }
            }
        } else if differs == Some("statements") {
            let mut least = seen.each_ref().map(|seen| seen.statements);
            for _ in 0..LOOKS {
                let again = self.once(request, id).await;
                for (least, again) in least.iter_mut().zip(&again) {
                    *least = (*least).min(again.statements);
                }
                if least[0] == least[1] {
                    break;
                }
            }
            for (seen, least) in seen.iter_mut().zip(least) {
                seen.statements = least;
            }
            differs = seen[0].differs(&seen[1]);
        }
        (seen, differs)
    }

    async fn once(&self, request: &Request, id: &str) -> [Seen; 2] {
        let (one, two) =
            tokio::join!(self.sides[0].ask(request, id), self.sides[1].ask(request, id));
        let mut seen = [one, two];
        if self.written || request.mutation {
            for (seen, side) in seen.iter_mut().zip(&self.sides) {
                seen.text = self.without_new(side.app, &seen.text);
            }
        }
        seen
    }

    fn without_new(&self, app: &App, text: &str) -> String {
        let Ok(mut body) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
        forget_new(&mut body, &|text| {
            if let Some((noun, _)) = app.unsealed(text) {
                let known = self.known.iter().any(|truth| truth.rows.contains_key(text));
                return (!known).then(|| format!("a new {}", noun.shape.type_name));
            }
            let cursor = text.len() >= 60 && URL_SAFE_NO_PAD.decode(text).is_ok();
            cursor.then(|| "a cursor".to_owned())
        });
        body.to_string()
    }
}

fn forget_new(value: &mut Value, stand_in: &impl Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) => {
            if let Some(other) = stand_in(text) {
                *text = other;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| forget_new(item, stand_in)),
        Value::Object(fields) => fields.values_mut().for_each(|item| forget_new(item, stand_in)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
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
        Pool::of([(&truths[0], &oracles[0]), (&truths[1], &oracles[1])])
    };
    pool.foreign = foreign.to_vec();
    let rights = Rights::of(one.policy(), person.holding());
    let account = twins.account.uuid().to_string();
    let mut both = Both {
        sides: [Side::new(one, &account), Side::new(two, &account)],
        written: false,
        known: &truths,
    };
    let mut report =
        Report { name: name.to_owned(), differences: twins.differences, ..Report::default() };
    for number in 0..volume.queries + volume.mutations {
        let generator = Generator::new(schema, &pool, &rights, numbers(volume.seed, name, number));
        // Every other request after the queries is a write.
        let mutation = number >= volume.queries && number % 2 == 0;
        let request = if mutation { generator.mutation() } else { generator.query() };
        let id = format!("request-{number}");
        let (seen, differs) = both.ask(&request, &id).await;
        report.count(&request, &seen[0]);
        if let [Selection::Field { name, .. }] = &request.selections[..] {
            let (asked, denied) = pool.denied.entry(name.clone()).or_default();
            *asked += 1;
            *denied += u32::from(seen[0].text.contains("\"FORBIDDEN\""));
        }
        // A cursor tells nothing by itself, whoever has it.
        if continuations(schema, &request, &seen[0].text).iter().any(|at| readable(&at.cursor)) {
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
        if !both.written {
            harvest(schema, &request, &seen[0].text, &mut pool);
        }
        if volume.progress.is_some_and(|every| (number + 1) % every == 0) {
            eprintln!("{name}: {} requests", number + 1);
        }
    }
    report
}

impl Report {
    fn count(&mut self, request: &Request, seen: &Seen) {
        let body: Value = serde_json::from_str(&seen.text).unwrap_or_default();
        let code = body["errors"][0]["extensions"]["code"].as_str().unwrap_or_default();
        assert_ne!(code, "INTERNAL", "{}: {}\n{}", self.name, request.text(), seen.text);
        self.requests += 1;
        self.valid += u64::from(code != "VALIDATION_FAILED");
        self.denied += u64::from(code == "FORBIDDEN");
        self.refused += u64::from(!code.is_empty() && code != "FORBIDDEN");
        if request.mutation {
            self.mutations += 1;
            self.written += u64::from(code.is_empty());
        }
        self.with_rows += u64::from(body["data"].to_string().contains("[{"));
        for selection in &request.selections {
            let Selection::Field { alias, name, args, .. } = selection else { continue };
            let answer = &body["data"][alias.as_ref().unwrap_or(name)];
            if args.iter().any(|(name, _)| name == "filter") && !answer.is_null() {
                self.filtered += 1;
                let some = answer.to_string();
                self.matched += u64::from(some.contains("[{"));
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
             {:>5} denied {:>5} refused {:>4} writes {:>4} done | {hidden} hidden {masked} masked {out_of_scope} \
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
        )
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
    let pool = Pool::of([(&truth, &oracle), (&truth, &oracle)]);
    let rights = Rights::of(app.policy(), person.holding());
    let side = Side::new(app, &account.uuid().to_string());
    let mut found = Vec::new();
    for number in 0..requests {
        let request = Generator::new(schema, &pool, &rights, numbers(0, name, number)).query();
        let seen = side.ask(&request, "lists-of").await;
        found.extend(continuations(schema, &request, &seen.text));
    }
    found
}

/// Keeps where the root lists of an answer can be continued.
fn harvest(schema: &Schema, request: &Request, text: &str, pool: &mut Pool) {
    for continuation in continuations(schema, request, text) {
        pool.keep(continuation);
    }
}

/// Where the root lists of an answer can be continued.
pub(crate) fn continuations(schema: &Schema, request: &Request, text: &str) -> Vec<Continuation> {
    let mut found = Vec::new();
    let Ok(body) = serde_json::from_str::<Value>(text) else { return found };
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
