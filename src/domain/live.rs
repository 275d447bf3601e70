//! Who is told when something happens (实时通知): streams by what they are about, and the events for each.
//!
//! The [`Hub`] takes events in the order of commit and puts them into the queue of each stream they concern.
//! It decides nothing about sight: whoever empties a queue asks for each event anew what may be told.
//! Queues are bounded; a stream that falls behind is ended, never kept waiting in memory.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use chrono::{DateTime, Utc};
use tokio::sync::{Notify, mpsc};
use uuid::Uuid;

use super::Cx;
use crate::access::filter::{Filter, Key};
use crate::access::scope::Scope;
use crate::access::view::Noun;
use crate::error::{Error, Result};
use crate::store::Store;
use crate::store::read::{Ask, List};
use crate::store::relay::{BATCH, Notice};

/// What a stream is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Topic {
    /// The scores of a student.
    Scores(Uuid),
    /// The attendance of a class.
    Attendance(Uuid),
    /// What an account holds.
    Access(Uuid),
}

/// What has happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Scores of a student were published.
    ScorePublished,
    /// Attendance of a class was recorded.
    AttendanceRecorded,
    /// The grants of the account are others.
    GrantsChanged,
    /// The policy is another.
    PolicyChanged,
    /// A record was opened that the account answers for.
    RecordOpened,
}

impl What {
    /// A word for metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::ScorePublished => "score_published",
            Self::AttendanceRecorded => "attendance_recorded",
            Self::GrantsChanged => "grants_changed",
            Self::PolicyChanged => "policy_changed",
            Self::RecordOpened => "record_opened",
        }
    }
}

/// One event as a stream is given it, by ids alone.
#[derive(Clone, Debug)]
pub struct Happening {
    /// What.
    pub what: What,
    /// When.
    pub at: DateTime<Utc>,
    /// The rows concerned.
    pub rows: Vec<Key>,
}

/// Why a subscription is executed: once to open its stream, then once for each event, each time as somebody
/// who asks for the first time.
#[derive(Debug)]
pub enum Occasion {
    /// The stream is opened, or its right to be open is looked at again; says what it is about.
    Opening(OnceLock<Topic>),
    /// Something happened.
    Happening(Arc<Happening>),
}

/// Topic and event of a notice; none for kinds that no stream is about.
fn addressed(notice: Notice) -> Option<(Topic, Happening)> {
    let Notice { at, kind, student, class_group, account, rows, .. } = notice;
    let (topic, what) = match kind.as_str() {
        "score.published" => (Topic::Scores(student?), What::ScorePublished),
        "attendance.recorded" => (Topic::Attendance(class_group?), What::AttendanceRecorded),
        "access.opened" => (Topic::Access(account?), What::RecordOpened),
        _ => return None,
    };
    Some((topic, Happening { what, at, rows }))
}

type Queue = mpsc::Sender<Arc<Happening>>;

#[derive(Debug, Default)]
struct Seats {
    by_topic: HashMap<Topic, HashMap<u64, Queue>>,
    next: u64,
}

/// The open streams of this process.
#[derive(Debug)]
pub struct Hub {
    seats: Mutex<Seats>,
    /// The number of the last event that was passed on; none while nobody listens.
    position: tokio::sync::Mutex<Option<i64>>,
    somebody: Notify,
    queue: usize,
}

/// Most events that wait for one stream.
const QUEUE: usize = 64;

impl Default for Hub {
    fn default() -> Self {
        Self::with_queue(QUEUE)
    }
}

impl Hub {
    fn with_queue(queue: usize) -> Self {
        Self {
            seats: Mutex::default(),
            position: tokio::sync::Mutex::default(),
            somebody: Notify::new(),
            queue,
        }
    }

    fn seats(&self) -> MutexGuard<'_, Seats> {
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Opens a stream: every event that is committed after this returns reaches it.
    pub async fn open(self: &Arc<Self>, store: &Store, topic: Topic) -> Result<Seat> {
        let mut position = self.position.lock().await;
        if position.is_none() {
            *position = Some(store.last_notice().await?);
        }
        // Under the lock: nothing is passed on between the number and the seat.
        let seat = self.seat(topic);
        drop(position);
        self.somebody.notify_one();
        Ok(seat)
    }

    fn seat(self: &Arc<Self>, topic: Topic) -> Seat {
        let (queue, waiting) = mpsc::channel(self.queue);
        let mut seats = self.seats();
        let number = seats.next;
        seats.next += 1;
        seats.by_topic.entry(topic).or_default().insert(number, queue);
        Seat { home: Arc::clone(self), topic, number, waiting }
    }

    /// How many streams are open.
    pub fn streams(&self) -> usize {
        self.seats().by_topic.values().map(HashMap::len).sum()
    }

    /// Waits until a stream is open.
    pub async fn somebody(&self) {
        while self.seats().by_topic.is_empty() {
            self.somebody.notified().await;
        }
    }

    /// Passes on what is new; false when nobody listens any more.
    pub async fn pass_on(&self, store: &Store) -> Result<bool> {
        let mut position = self.position.lock().await;
        if self.seats().by_topic.is_empty() {
            *position = None;
            return Ok(false);
        }
        loop {
            let Some(last) = *position else {
                *position = Some(store.last_notice().await?);
                return Ok(true);
            };
            let notices = store.notices_after(last).await?;
            let more = u64::try_from(notices.len()).unwrap_or(u64::MAX) >= BATCH;
            for notice in notices {
                *position = Some(notice.seq);
                if let Some((topic, happening)) = addressed(notice) {
                    self.deliver(topic, happening);
                }
            }
            if !more {
                return Ok(true);
            }
        }
    }

    /// Puts an event into the queues of a topic. A queue that is full is closed behind what it holds.
    fn deliver(&self, topic: Topic, happening: Happening) {
        let mut seats = self.seats();
        let Some(queues) = seats.by_topic.get_mut(&topic) else { return };
        let happening = Arc::new(happening);
        queues.retain(|_, queue| queue.try_send(Arc::clone(&happening)).is_ok());
        if queues.is_empty() {
            seats.by_topic.remove(&topic);
        }
    }
}

/// The place of one stream; given back when dropped.
#[derive(Debug)]
pub struct Seat {
    home: Arc<Hub>,
    topic: Topic,
    number: u64,
    waiting: mpsc::Receiver<Arc<Happening>>,
}

impl Seat {
    /// The next event; none when the stream has fallen behind and missed one.
    pub async fn next(&mut self) -> Option<Arc<Happening>> {
        self.waiting.recv().await
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.home.seats();
        if let Some(queues) = seats.by_topic.get_mut(&self.topic) {
            queues.remove(&self.number);
            if queues.is_empty() {
                seats.by_topic.remove(&self.topic);
            }
        }
    }
}

/// Refuses a row that is not the caller's to see, exactly like one that was never there.
pub async fn subject(cx: &Cx, noun: &'static Noun, key: Option<Key>) -> Result<Key> {
    match key {
        Some(key) if any_visible(cx, noun, &[key]).await? => Ok(key),
        _ => Err(Error::not_found(noun.shape.type_name)),
    }
}

/// True when one of these rows at least exists for the caller.
pub async fn any_visible(cx: &Cx, noun: &'static Noun, rows: &[Key]) -> Result<bool> {
    if rows.is_empty() {
        return Ok(false);
    }
    let counted = List {
        scope: &Scope::reading(&cx.caller, noun),
        ask: &Ask { noun, fields: Vec::new(), ones: Vec::new() },
        filter: Some(&Filter::Keys(rows.to_vec())),
        order: &[],
        window: None,
        total: true,
        rows: false,
    };
    let lists = cx.store.list(&counted).await?;
    Ok(lists.groups.first().and_then(|group| group.total).unwrap_or_default() > 0)
}

/// Refuses a caller to whom no row of a noun exists anywhere: there would never be an event.
pub fn may_hear(cx: &Cx, noun: &'static Noun) -> Result<()> {
    if Scope::reading(&cx.caller, noun).is_empty() {
        return Err(Error::forbidden_use("subscribe", noun.shape.type_name.to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn happening(rows: usize) -> Happening {
        let rows = (0..rows).map(|_| Key { student: None, id: Uuid::now_v7() }).collect();
        Happening { what: What::ScorePublished, at: DateTime::UNIX_EPOCH, rows }
    }

    #[tokio::test]
    async fn an_event_goes_to_the_streams_of_its_topic_alone() {
        let hub = Arc::new(Hub::default());
        let (one, other) = (Topic::Scores(Uuid::now_v7()), Topic::Scores(Uuid::now_v7()));
        let (mut first, mut second, mut apart) = (hub.seat(one), hub.seat(one), hub.seat(other));
        hub.deliver(one, happening(3));
        assert_eq!(first.next().await.unwrap().rows.len(), 3);
        assert_eq!(second.next().await.unwrap().rows.len(), 3);
        assert!(apart.waiting.try_recv().is_err());
    }

    #[tokio::test]
    async fn a_stream_that_falls_behind_gets_what_waits_and_then_its_end() {
        let hub = Arc::new(Hub::with_queue(2));
        let topic = Topic::Access(Uuid::now_v7());
        let (mut slow, mut quick) = (hub.seat(topic), hub.seat(topic));
        for rows in 1..=3 {
            hub.deliver(topic, happening(rows));
            assert_eq!(quick.next().await.unwrap().rows.len(), rows);
        }
        assert_eq!(slow.next().await.unwrap().rows.len(), 1);
        assert_eq!(slow.next().await.unwrap().rows.len(), 2);
        assert!(slow.next().await.is_none(), "the third was missed");
        drop((slow, quick));
        assert!(hub.seats().by_topic.is_empty());
    }
}
