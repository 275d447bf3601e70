//! Answers that go on: websockets (`protocol`, `socket`, `link`) and server-sent events (`events`).
//!
//! Both read documents under the same guards as a single request, and carry what the backend's stream gives.
//! They end with their token, with the server, and with a client that does not read. What a stream may tell is
//! decided behind the backend, never here.

pub(super) mod events;
mod link;
mod protocol;
pub(super) mod socket;

use std::{sync::Arc, time::Duration};

use async_graphql::{Response, parser::types::OperationType};
use tokio::time::{Instant, sleep};

use super::{
    App,
    accept::Language,
    answer::{self, Told},
    backend::{Backend, Operation, RequestMeta, Steps},
    caller,
    client::Client,
    crowd::{Guest, Pass},
    graphql::too_slow,
    health::PREFIX,
    observe::Observed,
    refusal::Refusal,
    serve::Line,
};
use crate::auth::jwt::Claims;

/// Longest sleep at once: the system's clock may be set meanwhile.
const NAP: Duration = Duration::from_secs(60);

/// When to come again for a place: nobody knows when somebody leaves.
const FULL: Duration = Duration::from_secs(5);

/// Explains the metrics of this module.
pub(super) fn describe() {
    metrics::describe_gauge!(format!("{PREFIX}_live_sockets"), "Websockets open");
    metrics::describe_gauge!(format!("{PREFIX}_live_streams"), "Subscriptions open");
    metrics::describe_counter!(format!("{PREFIX}_live_events_total"), "Events told to streams");
    metrics::describe_counter!(format!("{PREFIX}_live_ended_total"), "Streams ended, by reason");
    metrics::describe_counter!(format!("{PREFIX}_live_closed_total"), "Websockets closed, by code");
    metrics::describe_counter!(format!("{PREFIX}_live_refused_total"), "Streams refused, by limit");
    // Nought is a figure as well: who watches these need not wait for the first client.
    metrics::gauge!(format!("{PREFIX}_live_sockets")).increment(0.0);
    for transport in ["websocket", "sse"] {
        metrics::gauge!(format!("{PREFIX}_live_streams"), "transport" => transport).increment(0.0);
    }
}

/// Between two looks at whether the token of another issuer stands.
const STANDING: Duration = Duration::from_millis(400);

/// Resolves when a token has run out, or leads to no account any more; why.
async fn expired<B: Backend>(app: Arc<App<B>>, claims: Arc<Claims>) -> Refusal {
    let nap = if claims.external.is_some() { STANDING } else { NAP };
    loop {
        let left = claims.remaining();
        if left.is_zero() {
            return caller::expired();
        }
        sleep(left.min(nap)).await;
        if claims.external.is_some() && !app.backend.stands(Arc::clone(&claims)).await {
            return caller::gone();
        }
    }
}

/// Resolves when the server stops; never for a request that came by no connection of its loop.
async fn stopped(line: &mut Option<Line>) {
    match line {
        Some(line) => line.stopped().await,
        None => std::future::pending().await,
    }
}

/// A limit that was met, with what to do.
fn full(limit: &'static str, wait: Duration, en: String, zh: String) -> Refusal {
    metrics::counter!(format!("{PREFIX}_live_refused_total"), "limit" => limit).increment(1);
    Refusal::limited(limit, wait, en, zh)
}

/// A place for one more connection from an address.
fn place_of<B>(app: &App<B>, client: Option<Client>) -> Result<Option<Pass>, Refusal> {
    let Some(client) = client else { return Ok(None) };
    let most = app.options.limits.live_per_address;
    let entered = app.crowd.enter(Guest::Address(client), most);
    entered.map(Some).ok_or_else(|| {
        full(
            "live_per_address",
            FULL,
            format!("{most} live connections are open from this address; close one first"),
            format!("此地址已有 {most} 个实时连接，请先关闭一个"),
        )
    })
}

/// A subscription that is open.
struct Stream {
    steps: Steps,
    note: Note,
    _place: Pass,
}

/// Why no stream was opened.
enum NotOpened {
    /// A rule of this layer.
    Refused(Refusal),
    /// What the backend answered.
    Answered(Response),
}

/// Opens a stream, if there is a place for it.
async fn open<B: Backend>(
    app: &Arc<App<B>>,
    caller: B::Caller,
    operation: Operation,
    meta: RequestMeta,
    transport: &'static str,
) -> Result<Stream, NotOpened> {
    let account = app.backend.account(&caller);
    let limits = &app.options.limits;
    let most = limits.streams_per_account;
    let place = app.crowd.enter(Guest::Account(account.clone()), most).ok_or_else(|| {
        NotOpened::Refused(full(
            "streams_per_account",
            FULL,
            format!("{most} subscriptions of this account are open; end one first"),
            format!("此账户已有 {most} 个订阅，请先结束一个"),
        ))
    })?;
    if let Err(wait) = app.crowd.may_begin(&account) {
        let most = limits.subscribes_per_minute;
        return Err(NotOpened::Refused(full(
            "subscribes_per_minute",
            wait,
            format!("an account begins at most {most} subscriptions in a minute; wait a moment"),
            format!("每个账户每分钟最多发起 {most} 个订阅，请稍后再试"),
        )));
    }
    let note = Note::begin(transport, &meta, account);
    let opening = Arc::clone(&app.backend).subscribe(caller, operation, meta);
    match tokio::time::timeout(limits.request_time, opening).await {
        Ok(Ok(steps)) => Ok(Stream { steps, note: note.opened(), _place: place }),
        Ok(Err(answer)) => Err(NotOpened::Answered(note.refused(answer))),
        Err(_elapsed) => Err(NotOpened::Refused(too_slow(limits.request_time))),
    }
}

impl NotOpened {
    fn told(self, language: Language, request_id: &str) -> Told {
        match self {
            Self::Refused(refusal) => answer::told_refusal(&refusal, language, request_id),
            Self::Answered(answer) => answer::told(answer, false, language, request_id),
        }
    }
}

/// What is noted of an operation when it ends, however it ends: one log line, and the metrics.
struct Note {
    transport: &'static str,
    /// Whether it is a subscription.
    stream: bool,
    /// Whether it is one that is open, and so told of everything from here on.
    open: bool,
    request_id: Arc<str>,
    observed: Observed,
    begun: Instant,
    events: u64,
    reason: &'static str,
}

impl Note {
    fn begin(transport: &'static str, meta: &RequestMeta, account: String) -> Self {
        let stream = meta.operation_type == OperationType::Subscription;
        let observed = Observed {
            operation_type: Some(meta.operation_type),
            operation_name: meta.operation_name.clone(),
            account: Some(account),
        };
        Self {
            transport,
            stream,
            open: false,
            request_id: Arc::clone(&meta.request_id),
            observed,
            begun: Instant::now(),
            events: 0,
            reason: "left",
        }
    }

    fn opened(mut self) -> Self {
        if self.stream {
            self.open = true;
            self.streams().increment(1.0);
        }
        self
    }

    fn streams(&self) -> metrics::Gauge {
        metrics::gauge!(format!("{PREFIX}_live_streams"), "transport" => self.transport)
    }

    fn refused(mut self, answer: Response) -> Response {
        self.reason = "refused";
        answer
    }
}

impl Drop for Note {
    fn drop(&mut self) {
        let (transport, reason) = (self.transport, self.reason);
        if self.open {
            self.streams().decrement(1.0);
        }
        if self.stream {
            metrics::counter!(
                format!("{PREFIX}_live_ended_total"), "transport" => transport, "reason" => reason,
            )
            .increment(1);
        }
        tracing::info!(
            request_id = %self.request_id,
            transport,
            reason,
            events = self.events,
            duration_ms = self.begun.elapsed().as_secs_f64() * 1000.0,
            operation = self.observed.logged_name(),
            operation_type = self.observed.operation_label(),
            account = self.observed.account.as_deref(),
            "operation ended"
        );
    }
}
