//! Server-sent events, as graphql-sse has them in *distinct connections mode*: one operation, one answer that goes on.
//!
//! What is wrong with the HTTP of a request is answered with a status; what is wrong with its document, or comes
//! of executing it, is told as `next` and `complete`, because a reader of a stream sees nothing else.

use std::{convert::Infallible, future::Future, pin::Pin, sync::Arc};

use async_graphql::Response as Answer;
use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::{NotOpened, Stream, expired, open as open_stream, place_of, stopped};
use crate::{
    auth::jwt::Claims,
    http::{
        App,
        accept::Language,
        answer::{Told, told, told_refusal},
        backend::{Backend, Operation, RequestMeta, Step},
        crowd::Pass,
        refusal::Refusal,
        serve::Line,
    },
};

/// Sent first: the answer has begun, and a client that loses it waits for so many milliseconds.
const BEGIN: &str = "retry: 2000\n\n";
/// A comment: the connection lives.
const ALIVE: &str = ":\n\n";
/// The end of the operation.
const COMPLETE: &str = "event: complete\ndata:\n\n";

/// A result as an event. JSON holds no line break, so one line of data is enough.
fn next(told: Told) -> String {
    match told {
        Told::Result(result) => format!("event: next\ndata: {result}\n\n"),
        Told::Errors(errors) => format!("event: next\ndata: {{\"errors\":{errors}}}\n\n"),
    }
}

fn respond(language: Language, body: Body) -> Response {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, "text/event-stream; charset=utf-8"),
        (header::CONTENT_LANGUAGE, language.tag()),
        (header::VARY, "accept, accept-language, authorization"),
        (header::CACHE_CONTROL, "no-store, no-transform"),
        // A proxy that gathers an answer before it passes it on would keep the events.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// An operation that ends with what it has to say at once.
fn ended(told: Told, language: Language) -> Response {
    respond(language, Body::from(format!("{BEGIN}{}{COMPLETE}", next(told))))
}

/// A request that was refused for its document.
pub(in crate::http) fn refused(refusal: &Refusal, meta: &RequestMeta) -> Response {
    ended(told_refusal(refusal, meta.language, &meta.request_id), meta.language)
}

/// The one answer to a query or a mutation.
pub(in crate::http) fn single(answer: Answer, meta: &RequestMeta) -> Response {
    ended(told(answer, true, meta.language, &meta.request_id), meta.language)
}

/// A subscription: its events until it ends, its token runs out, or the server stops.
pub(in crate::http) async fn open<B: Backend>(
    app: &Arc<App<B>>,
    claims: Arc<Claims>,
    caller: B::Caller,
    operation: Operation,
    meta: RequestMeta,
    line: Option<Line>,
) -> Result<Response, Refusal> {
    let place = place_of(app, meta.client)?;
    let (language, request_id) = (meta.language, Arc::clone(&meta.request_id));
    let stream = match open_stream(app, caller, operation, meta, "sse").await {
        Ok(stream) => stream,
        // Too many is said with a status: a client that reads streams alone would come again at once.
        Err(NotOpened::Refused(refusal)) => return Err(refusal),
        Err(not) => return Ok(ended(not.told(language, &request_id), language)),
    };
    let mut alive = interval(app.options.limits.idle_time);
    alive.set_missed_tick_behavior(MissedTickBehavior::Delay);
    alive.reset();
    let open = Open {
        stream,
        language,
        request_id,
        expired: Box::pin(expired(Arc::clone(app), claims)),
        line,
        alive,
        over: false,
        _place: place,
    };
    let rest =
        stream::unfold(
            open,
            |mut open| async move { open.piece().await.map(|piece| (piece, open)) },
        );
    let pieces = stream::once(async { BEGIN.to_owned() }).chain(rest);
    let body = pieces.map(|piece| Ok::<_, Infallible>(Bytes::from(piece)));
    Ok(respond(language, Body::from_stream(body)))
}

/// An open stream of events.
struct Open {
    stream: Stream,
    language: Language,
    request_id: Arc<str>,
    expired: Pin<Box<dyn Future<Output = Refusal> + Send>>,
    line: Option<Line>,
    alive: Interval,
    over: bool,
    _place: Option<Pass>,
}

impl Open {
    /// The next piece of the body; none at its end.
    async fn piece(&mut self) -> Option<String> {
        if self.over {
            return None;
        }
        tokio::select! {
            biased;
            // The body just ends: the client comes again, and finds another process.
            () = stopped(&mut self.line) => {
                self.stream.note.reason = "stopping";
                None
            }
            why = &mut self.expired => {
                let told = told_refusal(&why, self.language, &self.request_id);
                Some(self.end("expired", told))
            }
            step = self.stream.steps.next() => Some(match step {
                Some(Step::Event { request_id, answer }) => {
                    self.stream.note.events += 1;
                    self.alive.reset();
                    match told(answer, true, self.language, &request_id) {
                        result @ Told::Result(_) => next(result),
                        errors @ Told::Errors(_) => self.end("failed", errors),
                    }
                }
                Some(Step::End { reason, answer }) => {
                    let told = told(answer, false, self.language, &self.request_id);
                    self.end(reason, told)
                }
                None => {
                    self.over = true;
                    self.stream.note.reason = "completed";
                    COMPLETE.to_owned()
                }
            }),
            _ = self.alive.tick() => Some(ALIVE.to_owned()),
        }
    }

    fn end(&mut self, reason: &'static str, told: Told) -> String {
        self.over = true;
        self.stream.note.reason = reason;
        format!("{}{COMPLETE}", next(told))
    }
}
