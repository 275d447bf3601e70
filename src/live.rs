//! Streams of what happens (实时推送): who is told what, decided anew for each event.
//!
//! An event is executed like a request that arrives at that moment: with the grants of that moment, a view of
//! the registry of its own, an id of its own. Nothing is remembered from one event to the next but who asks and
//! what for. [`relay`], [`watch`] and [`forget`] are the tasks beside; none of them decides about sight.

use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_graphql::{Response, ServerError};
use futures_util::{StreamExt, stream};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::access::caller::Session;
use crate::app::{App, language};
use crate::auth::watch::{EVERY, Follower, Standing, same_grants};
use crate::domain::live::{Happening, Occasion, Seat, Topic, What};
use crate::error::{Error, Why};
use crate::graphql::error::without_caller;
use crate::http::backend::{Operation, RequestMeta, Step, Steps};

/// Longest time that reading for one event may take.
const EVENT_TIME: Duration = Duration::from_secs(30);
/// How long to wait after the database has not answered.
const AGAIN: Duration = Duration::from_secs(1);
/// How often old events are removed from the outbox.
const FORGET_EVERY: Duration = Duration::from_secs(60 * 60);
/// When they are removed for the first time.
const FORGET_FIRST: Duration = Duration::from_secs(5 * 60);

/// Opens a stream for a session, or says why not.
pub(crate) async fn open(
    app: Arc<App>,
    session: Arc<Session>,
    operation: Operation,
    meta: RequestMeta,
) -> Result<Steps, Response> {
    // Watched from before the stream is judged: what is lost meanwhile is noticed.
    let follower = app.watch.follow(&session);
    let asking = Asking { app, operation, meta, asked: 0 };
    let opening = Arc::new(Occasion::Opening(OnceLock::new()));
    if let Some((_, refused)) = asking.execute(Arc::clone(&session), &opening).await {
        return Err(refused);
    }
    let topic = match opening.as_ref() {
        Occasion::Opening(answer) => answer.get().copied(),
        Occasion::Happening(_) => None,
    };
    let Some(topic) = topic else {
        return Err(asking.refusal(Error::internal("a subscription did not say what it is about")));
    };
    let seat = match asking.app.hub.open(asking.app.store(), topic).await {
        Ok(seat) => seat,
        Err(error) => return Err(asking.refusal(error)),
    };
    let listening =
        Listening { asking, topic, seat, follower, session, changes: VecDeque::new(), over: false };
    let steps = stream::unfold(listening, |mut listening| async move {
        listening.step().await.map(|step| (step, listening))
    });
    Ok(steps.boxed())
}

/// Who asks, and what for.
struct Asking {
    app: Arc<App>,
    operation: Operation,
    meta: RequestMeta,
    asked: u64,
}

impl Asking {
    /// Executes the subscription on an occasion, as a request of its own. Nothing when there is nothing to tell.
    async fn execute(
        &self,
        session: Arc<Session>,
        occasion: &Arc<Occasion>,
    ) -> Option<(Arc<str>, Response)> {
        let id: Arc<str> = match self.asked {
            0 => Arc::clone(&self.meta.request_id),
            asked => format!("{}.{asked}", self.meta.request_id).into(),
        };
        let meta = RequestMeta { request_id: Arc::clone(&id), ..self.meta.clone() };
        let (cx, meter) = match self.app.request_cx(session, &meta) {
            Ok(begun) => begun,
            Err(error) => return Some((id, self.refusal(error))),
        };
        let request = self.operation.request().data(cx.clone()).data(Arc::clone(occasion));
        let answered = async {
            let mut answers = self.app.schema.execute_stream(request);
            let answer = answers.next().await?;
            Some(self.app.complete(&cx, &meter, answer).await)
        };
        match timeout(EVENT_TIME, answered).await {
            Ok(answer) => answer.map(|answer| (id, answer)),
            Err(_elapsed) => Some((id, self.refusal(Error::Unavailable))),
        }
    }

    /// An error as an answer.
    fn refusal(&self, error: Error) -> Response {
        let error: ServerError =
            without_caller(error, language(self.meta.language), &self.meta.request_id);
        Response::from_errors(vec![error])
    }
}

/// An open stream.
struct Listening {
    asking: Asking,
    topic: Topic,
    seat: Seat,
    follower: Follower,
    /// What the account held when that was last looked at.
    session: Arc<Session>,
    /// Changes of that, yet to be told.
    changes: VecDeque<Happening>,
    over: bool,
}

impl Listening {
    /// Waits for the next thing to say; nothing after the end.
    async fn step(&mut self) -> Option<Step> {
        while !self.over {
            let step = if let Some(change) = self.changes.pop_front() {
                self.tell(Arc::new(change)).await
            } else {
                tokio::select! {
                    biased;
                    standing = self.follower.changed() => match standing {
                        Standing::Gone => Some(self.end("account", Error::Unauthenticated)),
                        Standing::Unread => Some(self.end("unavailable", Error::Unavailable)),
                        Standing::Holds(session) => self.look_again(session).await,
                    },
                    happening = self.seat.next() => match happening {
                        Some(happening) => self.tell(happening).await,
                        None => Some(self.end("behind", behind())),
                    },
                }
            };
            if step.is_some() {
                return step;
            }
        }
        None
    }

    /// Tells of an event what the caller may know of it now.
    async fn tell(&mut self, happening: Arc<Happening>) -> Option<Step> {
        let session = match self.asking.app.session_again(&self.session).await {
            Ok(session) => session,
            Err(Error::Unauthenticated) => {
                return Some(self.end("account", Error::Unauthenticated));
            }
            Err(error) => return Some(self.end("failed", error)),
        };
        self.asking.asked += 1;
        let what = happening.what.word();
        let occasion = Arc::new(Occasion::Happening(happening));
        let (request_id, answer) = self.asking.execute(session, &occasion).await?;
        metrics::counter!("xueji_live_events_total", "kind" => what).increment(1);
        Some(Step::Event { request_id, answer })
    }

    /// Asks again whether the stream may be open, after a change of what the account holds.
    async fn look_again(&mut self, session: Arc<Session>) -> Option<Step> {
        let before = std::mem::replace(&mut self.session, Arc::clone(&session));
        if let Topic::Access(_) = self.topic {
            let at = self.asking.app.clock.now();
            let mut change =
                |what| self.changes.push_back(Happening { what, at, rows: Vec::new() });
            if !same_grants(&before.grants, &session.grants) {
                change(What::GrantsChanged);
            }
            if !Arc::ptr_eq(&before.policy, &session.policy) {
                change(What::PolicyChanged);
            }
        }
        if let Err(error) = self.asking.app.admit(&session) {
            return Some(self.end("revoked", error));
        }
        let opening = Arc::new(Occasion::Opening(OnceLock::new()));
        let (_, answer) = self.asking.execute(session, &opening).await?;
        self.over = true;
        Some(Step::End { reason: "revoked", answer })
    }

    fn end(&mut self, reason: &'static str, error: Error) -> Step {
        self.over = true;
        Step::End { reason, answer: self.asking.refusal(error) }
    }
}

fn behind() -> Error {
    Error::Limit {
        what: "stream_queue",
        why: Why::new(
            "events came faster than they were read and some were left out; read the state, then subscribe again",
            "事件到达快于读取，部分事件已略过；请先重新查询，再重新订阅",
        ),
    }
}

/// Passes events on to the streams of this process, as long as there are any.
pub(crate) async fn relay(app: Arc<App>) {
    loop {
        app.hub.somebody().await;
        let mut ears = app.store().ears();
        loop {
            match app.hub.pass_on(app.store()).await {
                Ok(true) => ears.wait().await,
                Ok(false) => break,
                Err(error) => {
                    tracing::warn!(code = error.code(), "events could not be read; trying again");
                    sleep(AGAIN).await;
                }
            }
        }
    }
}

/// Looks at what the accounts of open streams hold, twice a second. Streams whose accounts could not be
/// looked at for too long are ended: a grant may have been revoked, and nobody here would know.
pub(crate) async fn watch(app: Arc<App>) {
    loop {
        app.watch.somebody().await;
        // A stream was judged when it opened.
        let mut looked_at = Instant::now();
        while app.watch.anybody() {
            sleep(EVERY).await;
            let begun = Instant::now();
            let look = app.look_at_accounts();
            match timeout_at(begun.max(looked_at + app.unchecked), look).await {
                Ok(Ok(())) => looked_at = begun,
                Ok(Err(error)) => tracing::warn!(
                    code = error.code(),
                    "accounts could not be looked at; trying again"
                ),
                Err(_elapsed) => tracing::warn!("accounts could not be looked at in time"),
            }
            if looked_at.elapsed() >= app.unchecked {
                tracing::warn!("streams end, since their accounts cannot be looked at");
                app.watch.unread();
                break;
            }
        }
    }
}

/// Removes events that were kept long enough.
pub(crate) async fn forget(app: Arc<App>) {
    sleep(FORGET_FIRST).await;
    loop {
        let kept = chrono::Duration::from_std(app.events_kept).unwrap_or(chrono::Duration::MAX);
        if let Some(before) = app.clock.now().checked_sub_signed(kept)
            && let Err(error) = app.store().forget_notices(before).await
        {
            tracing::warn!(code = error.code(), "old events could not be removed; trying again");
        }
        sleep(FORGET_EVERY).await;
    }
}
