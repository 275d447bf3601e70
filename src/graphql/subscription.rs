//! The root of what is told as it happens, with the payload of each stream.
//!
//! A field is executed once to open its stream, which says what it is about, and once for each event. Both
//! times the caller is looked at anew, and what is told is read by the engine like any other answer. An event
//! of which the caller may see nothing gives nothing, not even an empty message.

use std::sync::Arc;

use async_graphql::{Context, Enum, ID, Object, Result as GraphResult, Subscription as Streams};
use chrono::{DateTime, Utc};
use futures_util::Stream;
use futures_util::stream;

use super::attendance::Attendance;
use super::class_group::ClassGroup;
use super::engine::output::{Connection, FilterOf, One, Only, OrderOf, list_args};
use super::query::{context, fail, graph};
use super::scalar::Instant;
use super::score::Score;
use super::student::Student;
use super::viewer::Viewer;
use crate::access::filter::{Filter, Key};
use crate::access::scope::Scope;
use crate::access::view::{Noun, View};
use crate::domain::Cx;
use crate::domain::live::{Happening, Occasion, Topic, What, any_visible, may_hear, subject};
use crate::error::{Error, Result};
use crate::leak::{self, Leak};

fn noun_of<V: View>(cx: &Cx) -> Result<&'static Noun> {
    cx.registry().of::<V>().ok_or_else(|| Error::internal("a view is not registered"))
}

/// Rows of an event, as the caller may see them now.
#[derive(Debug)]
struct Told {
    cx: Cx,
    at: DateTime<Utc>,
    subject: Key,
    rows: Vec<Key>,
}

impl Told {
    /// The rows of a noun that the event is about.
    fn rows<V: View>(&self) -> Result<(Scope, Only)> {
        let scope = Scope::reading(&self.cx.caller, noun_of::<V>(&self.cx)?);
        let binding = self.rows.iter().flat_map(|key| *key.id.as_bytes()).collect();
        Ok((scope, Only { filter: Filter::Keys(self.rows.clone()), binding }))
    }

    /// Opens a stream about a row of `S` whose events are rows of `R`, or answers for an event.
    async fn on<S: View, R: View>(
        ctx: &Context<'_>,
        id: &ID,
        topic: impl Fn(Key) -> Topic,
    ) -> Result<Option<Self>> {
        let cx = ctx.data_opt::<Cx>().ok_or(Error::Unauthenticated)?;
        let (about, of) = (noun_of::<S>(cx)?, noun_of::<R>(cx)?);
        let key = cx.opaque.open_id_of(about, id);
        match occasion(ctx)? {
            Occasion::Opening(answer) => {
                let key = subject(cx, about, key).await?;
                may_hear(cx, of)?;
                let _asked_before = answer.set(topic(key));
                Ok(None)
            }
            Occasion::Happening(happening) => {
                // A subject that has left the caller's scope is silent, like rows that never were in it.
                let Some(subject) = key else { return Ok(None) };
                let Happening { at, rows, .. } = happening.as_ref();
                let seen = leak::on(Leak::EventWithoutScope)
                    || any_visible(cx, about, &[subject]).await?
                        && any_visible(cx, of, rows).await?;
                Ok(seen.then(|| Self { cx: cx.clone(), at: *at, subject, rows: rows.clone() }))
            }
        }
    }
}

fn occasion<'c>(ctx: &Context<'c>) -> Result<&'c Occasion> {
    ctx.data_opt::<Arc<Occasion>>()
        .map(AsRef::as_ref)
        .ok_or_else(|| Error::internal("a subscription was executed as if it were a query"))
}

/// Scores of a pupil that were published just now (成绩发布).
#[derive(Debug)]
pub struct ScorePublished(Told);

/// Scores of a pupil that were published just now (成绩发布).
#[Object(serial)]
impl ScorePublished {
    /// When they were published.
    async fn at(&self) -> Instant {
        Instant(self.0.at)
    }

    /// The pupil, as you may see them now.
    async fn student(&self, ctx: &Context<'_>) -> GraphResult<One<Student>> {
        One::by_key(&self.0.cx, Some(self.0.subject)).map_err(|error| graph(fail(ctx, error)))
    }

    /// The scores that were published, as you may see them now.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn scores(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only rows that meet all of these.")] filter: Option<FilterOf<Score>>,
        #[graphql(desc = "The order; the key ends it.")] order_by: Option<Vec<OrderOf<Score>>>,
        #[graphql(desc = "So many rows from the start, 1 to 200.")] first: Option<i64>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "So many rows from the end, 1 to 200.")] last: Option<i64>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> GraphResult<Connection<Score>> {
        let args = list_args(filter, order_by, first, after, last, before);
        let (scope, only) = self.0.rows::<Score>().map_err(|error| graph(fail(ctx, error)))?;
        Ok(Connection::within(&self.0.cx, scope, args, &[]).only(only))
    }
}

/// Attendance of a class that was recorded just now (考勤登记).
#[derive(Debug)]
pub struct AttendanceRecorded(Told);

/// Attendance of a class that was recorded just now (考勤登记).
#[Object(serial)]
impl AttendanceRecorded {
    /// When it was recorded.
    async fn at(&self) -> Instant {
        Instant(self.0.at)
    }

    /// The class, as you may see it now.
    async fn class_group(&self, ctx: &Context<'_>) -> GraphResult<One<ClassGroup>> {
        One::by_key(&self.0.cx, Some(self.0.subject)).map_err(|error| graph(fail(ctx, error)))
    }

    /// What was recorded or changed, as you may see it now.
    #[expect(clippy::too_many_arguments, reason = "the arguments of a connection")]
    async fn attendance(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "Only rows that meet all of these.")] filter: Option<FilterOf<Attendance>>,
        #[graphql(desc = "The order; the key ends it.")] order_by: Option<Vec<OrderOf<Attendance>>>,
        #[graphql(desc = "So many rows from the start, 1 to 200.")] first: Option<i64>,
        #[graphql(desc = "Only rows after this cursor.")] after: Option<String>,
        #[graphql(desc = "So many rows from the end, 1 to 200.")] last: Option<i64>,
        #[graphql(desc = "Only rows before this cursor.")] before: Option<String>,
    ) -> GraphResult<Connection<Attendance>> {
        let args = list_args(filter, order_by, first, after, last, before);
        let (scope, only) = self.0.rows::<Attendance>().map_err(|error| graph(fail(ctx, error)))?;
        Ok(Connection::within(&self.0.cx, scope, args, &[]).only(only))
    }
}

/// What has changed about your access.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
pub enum AccessChangeKind {
    /// You hold other grants than before.
    Grants,
    /// Another policy is in force.
    Policy,
    /// A record was opened by exception, and you are to review it.
    Opened,
}

/// A change of what you may see or are to review (权限变更).
#[derive(Debug)]
pub struct AccessChange {
    cx: Cx,
    at: DateTime<Utc>,
    kind: AccessChangeKind,
}

/// A change of what you may see or are to review (权限变更).
#[Object(serial)]
impl AccessChange {
    /// What has changed.
    async fn kind(&self) -> AccessChangeKind {
        self.kind
    }

    /// When it was noticed here, or when the record was opened.
    async fn at(&self) -> Instant {
        Instant(self.at)
    }

    /// Who you are and what you hold now.
    async fn viewer(&self) -> Viewer {
        Viewer::new(&self.cx)
    }
}

/// What is told as it happens. Each event is read anew, as you may see it at that moment; a stream ends
/// within a second when what it rests on ends.
#[derive(Debug, Default)]
pub struct Subscription;

/// What is told as it happens. Each event is read anew, as you may see it at that moment; a stream ends
/// within a second when what it rests on ends.
#[Streams]
impl Subscription {
    /// Scores of a pupil, as they are published. `NOT_FOUND` when there is no such pupil or it is not yours to see.
    async fn score_published(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pupil.")] student_id: ID,
    ) -> async_graphql::Result<impl Stream<Item = ScorePublished>> {
        let told = Told::on::<Student, Score>(ctx, &student_id, |key| Topic::Scores(key.id)).await;
        let told = told.map_err(|error| graph(fail(ctx, error)))?;
        Ok(stream::iter(told.map(ScorePublished)))
    }

    /// Attendance of a class, as it is recorded. `NOT_FOUND` when there is no such class or it is not yours to see.
    async fn attendance_recorded(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The class.")] class_group_id: ID,
    ) -> async_graphql::Result<impl Stream<Item = AttendanceRecorded>> {
        let topic = |key: Key| Topic::Attendance(key.id);
        let told = Told::on::<ClassGroup, Attendance>(ctx, &class_group_id, topic).await;
        let told = told.map_err(|error| graph(fail(ctx, error)))?;
        Ok(stream::iter(told.map(AttendanceRecorded)))
    }

    /// Changes of your own access: other grants, another policy, a record opened that you are to review.
    async fn access_changed(
        &self,
        ctx: &Context<'_>,
    ) -> async_graphql::Result<impl Stream<Item = AccessChange>> {
        let cx = context(ctx).map_err(graph)?;
        let change = match occasion(ctx).map_err(|error| graph(fail(ctx, error)))? {
            Occasion::Opening(answer) => {
                let _asked_before = answer.set(Topic::Access(cx.caller.account().uuid()));
                None
            }
            Occasion::Happening(happening) => {
                let kind = match happening.what {
                    What::GrantsChanged => Some(AccessChangeKind::Grants),
                    What::PolicyChanged => Some(AccessChangeKind::Policy),
                    What::RecordOpened => Some(AccessChangeKind::Opened),
                    What::ScorePublished | What::AttendanceRecorded => None,
                };
                kind.map(|kind| AccessChange { cx: cx.clone(), at: happening.at, kind })
            }
        };
        Ok(stream::iter(change))
    }
}
