//! Both twins, asked as one person: everything that an answer tells, and what differs between two of them.

use std::collections::HashSet;
use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::{Method, Request as Http, header};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use tracing::Dispatch;
use tracing::instrument::WithSubscriber;
use tracing_subscriber::fmt::MakeWriter;
use uuid::Uuid;

use super::document::Request;
use super::outlets;
use crate::support::app::App;
use crate::support::truth::Truth;

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
    /// What differs between two answers to a request, outlets aside.
    fn differs(&self, other: &Self, request: &Request) -> Option<&'static str> {
        let parted = |act: &str| outlets::parted(act, [&self.text, &other.text]);
        if self.status != other.status {
            Some("status")
        } else if request.act().is_some_and(parted) {
            (self.headers != other.headers).then_some("headers")
        } else if self.text != other.text
            && outlets::without_values(&self.text) != outlets::without_values(&other.text)
        {
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
pub(super) struct Side<'t> {
    app: &'t App,
    token: String,
    lines: Lines,
    log: Dispatch,
}

impl<'t> Side<'t> {
    pub(super) fn new(app: &'t App, account: &str) -> Self {
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

    pub(super) async fn ask(&self, request: &Request, id: &str) -> Seen {
        let http = Http::builder()
            .method(Method::POST)
            .uri("/graphql")
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .header(header::ACCEPT_LANGUAGE, if request.chinese { "zh-CN" } else { "en" })
            .header("x-request-id", id)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        let http = match &request.purpose {
            Some(purpose) => http.header("xueji-purpose", purpose),
            None => http,
        };
        let http = http.body(Body::from(request.body())).unwrap();
        self.lines.0.lock().unwrap().clear();
        let before = self.app.store().statements();
        let answer = self.app.send(http).with_subscriber(self.log.clone()).await;
        let statements = self.app.store().statements() - before;
        let mut headers: Vec<(String, String)> = answer
            .headers
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap_or("?").to_owned()))
            // How long the answer is follows from it.
            .filter(|(name, value)| {
                name != "content-length" || *value != answer.text.len().to_string()
            })
            .collect();
        headers.sort_unstable();
        let written = std::mem::take(&mut *self.lines.0.lock().unwrap());
        let mut lines: Vec<String> =
            String::from_utf8_lossy(&written).lines().map(without_times).collect();
        // What an account holds is read anew about once a second, by whatever request comes then.
        let before = lines.len();
        lines.retain(|line| !line.contains("\"grants read anew\""));
        let statements = statements - (before - lines.len()) as u64;
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
    pub(super) written: bool,
    known: &'t [Truth; 2],
    /// The keys of what stands in them.
    rows: HashSet<Uuid>,
}

impl<'t> Both<'t> {
    /// The twins, asked by this account; `known` is what stands in them.
    pub(super) fn new([one, two]: &'t [App; 2], account: &str, known: &'t [Truth; 2]) -> Self {
        let rows = known.iter().flat_map(|truth| truth.rows.values().map(|row| row.id)).collect();
        let sides = [Side::new(one, account), Side::new(two, account)];
        Self { sides, written: false, known, rows }
    }

    /// Asks both; what is different, if anything.
    pub(super) async fn ask(
        &self,
        request: &Request,
        id: &str,
    ) -> ([Seen; 2], Option<&'static str>) {
        let seen = self.once(request, id).await;
        let differs = seen[0].differs(&seen[1], request);
        (seen, differs)
    }

    /// Asks one of them alone.
    pub(super) async fn one(&self, request: &Request, id: &str) -> Seen {
        self.sides[0].ask(request, id).await
    }

    async fn once(&self, request: &Request, id: &str) -> [Seen; 2] {
        let (one, two) =
            tokio::join!(self.sides[0].ask(request, id), self.sides[1].ask(request, id));
        let mut seen = [one, two];
        for seen in &mut seen {
            seen.text = self.without_random(&seen.text, request);
        }
        if self.written || request.mutation {
            for (seen, side) in seen.iter_mut().zip(&self.sides) {
                seen.text = self.without_new(side.app, &seen.text);
            }
        }
        seen
    }

    /// The text with the ids of rows that are no noun set aside, and cursors to lines of the log: each registry makes its
    /// own.
    fn without_random(&self, text: &str, request: &Request) -> String {
        let lines = request.text().contains("auditLines");
        let random = |word: &str| {
            (word.len() == 36 && Uuid::parse_str(word).is_ok_and(|id| !self.rows.contains(&id)))
                || (word.len() == 30 && word.starts_with("Concern_"))
        };
        let stand_in = |word| match word {
            word if random(word) => "an id",
            word if lines && is_cursor(word) => "a cursor",
            word => word,
        };
        text.split('"').map(stand_in).collect::<Vec<_>>().join("\"")
    }

    fn without_new(&self, app: &App, text: &str) -> String {
        let Ok(mut body) = serde_json::from_str::<Value>(text) else { return text.to_owned() };
        forget_new(&mut body, &|text| {
            if let Some((noun, _)) = app.unsealed(text) {
                let known = self.known.iter().any(|truth| truth.rows.contains_key(text));
                return (!known).then(|| format!("a new {}", noun.shape.type_name));
            }
            is_cursor(text).then(|| "a cursor".to_owned())
        });
        body.to_string()
    }
}

/// Whether a text is a sealed cursor or the sealed id of an emergency stop.
fn is_cursor(text: &str) -> bool {
    text.len() >= 59 && URL_SAFE_NO_PAD.decode(text).is_ok()
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
