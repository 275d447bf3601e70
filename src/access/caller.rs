//! Who is asking: an account, the grants it holds today, and the policy they are read under.
//!
//! A [`Session`] is what stays the same between requests of one account (and is kept in memory);
//! a [`Caller`] is one request. Nothing here reads the database.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::AtomicU32;
use std::sync::{Arc, Mutex, PoisonError};

use chrono::{DateTime, NaiveDate, Utc};
use ipnet::IpNet;
use sea_orm::DbBackend;
use uuid::Uuid;
use xueji_entity::value::{AccountId, Language};

use super::policy::{Policy, PurposeId};
use super::table::{Pair, Plan, Reach, RoleId, Table};
use super::view::Noun;
#[cfg(feature = "leaks")]
use crate::leak::{self, Leak};

/// What one of the leaks keeps for all callers together.
#[cfg(feature = "leaks")]
static SHARED: std::sync::OnceLock<Mutex<HashMap<u64, Arc<Plan>>>> = std::sync::OnceLock::new();

/// Where a grant holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Place {
    /// No place: what every signed-in caller, or an administrator, holds.
    Anywhere,
    /// One student: the caller (own), a ward, or one whose record was opened.
    Student(Uuid),
    /// One course in one class.
    Teaching {
        /// The class group.
        class_group: Uuid,
        /// The course.
        course: Uuid,
    },
    /// One class group.
    ClassGroup(Uuid),
    /// One year level.
    YearLevel(Uuid),
    /// One school, or the authority of a region.
    Organisation(Uuid),
}

/// A role held at a place (授权), from a day until a day, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// The grant's own id.
    pub id: Uuid,
    /// The role.
    pub role: RoleId,
    /// The kind of place.
    pub reach: Reach,
    /// The place.
    pub place: Place,
    /// First day.
    pub since: NaiveDate,
    /// Last day; none while open.
    pub until: Option<NaiveDate>,
    /// The instant at which it ends within its days, if it has one.
    pub expires_at: Option<DateTime<Utc>>,
    /// Given by somebody who holds the same, for a time (代理).
    pub delegated: bool,
}

impl Grant {
    /// True on every day from the first to the last.
    pub fn holds(&self, today: NaiveDate) -> bool {
        self.since <= today && self.until.is_none_or(|until| today <= until)
    }
}

/// Pairs of role and reach that one account may hold, *anyone* included: one bit each.
pub const MOST_PAIRS: usize = 63;

/// The places at which one pair of role and reach is held.
#[derive(Clone, Debug, Default)]
pub struct Places {
    /// Students (own, ward, opened).
    pub students: Vec<Uuid>,
    /// Class groups.
    pub class_groups: Vec<Uuid>,
    /// Class group and course.
    pub teaching: Vec<(Uuid, Uuid)>,
    /// Year levels.
    pub year_levels: Vec<Uuid>,
    /// Schools or authorities.
    pub organisations: Vec<Uuid>,
}

impl Places {
    fn add(&mut self, place: Place) {
        match place {
            Place::Anywhere => {}
            Place::Student(id) => self.students.push(id),
            Place::Teaching { class_group, course } => self.teaching.push((class_group, course)),
            Place::ClassGroup(id) => self.class_groups.push(id),
            Place::YearLevel(id) => self.year_levels.push(id),
            Place::Organisation(id) => self.organisations.push(id),
        }
    }
}

/// One pair of role and reach with the places it is held at.
#[derive(Clone, Debug)]
pub struct Held {
    /// Role and reach.
    pub pair: Pair,
    /// Where.
    pub places: Places,
}

impl Held {
    /// What one grant alone gives.
    pub fn of(grant: &Grant) -> Self {
        let mut places = Places::default();
        places.add(grant.place);
        Self { pair: Pair { role: grant.role, reach: grant.reach }, places }
    }
}

/// The scope with which a program may change anything.
pub const WRITE: &str = "write";

/// What bounds a registered program beside its grants, which its scopes have narrowed already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Whether it may change anything.
    pub write: bool,
    /// The networks that it may come from; any when there is none.
    pub networks: Vec<IpNet>,
    /// Until when it may ask.
    pub expires_at: Option<DateTime<Utc>>,
}

impl Bounds {
    /// Whether a program that comes from this address is let in. Whoever comes by no connection is not, where
    /// networks are named.
    pub fn admits(&self, client: Option<IpAddr>) -> bool {
        self.networks.is_empty()
            || client
                .is_some_and(|client| self.networks.iter().any(|network| network.contains(&client)))
    }
}

/// The session that a token was given in, as it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Login {
    /// Its key.
    pub session: Uuid,
    /// Whether the password must be changed before anything else.
    pub must_change: bool,
    /// When the password was set.
    pub changed_at: Option<DateTime<Utc>>,
    /// Whether the account has a second factor.
    pub factor: bool,
    /// When the session ends unless it is used.
    pub until: DateTime<Utc>,
}

/// What an account holds on one day under one policy.
#[derive(Debug)]
pub struct Session {
    /// The account.
    pub account: AccountId,
    /// The day the grants were read for.
    pub today: NaiveDate,
    /// The grants that hold on that day.
    pub grants: Vec<Grant>,
    /// The grants by role and reach; the first is *anyone, anywhere*. At most 63.
    pub held: Vec<Held>,
    /// The policy they are read under.
    pub policy: Arc<Policy>,
    /// The first instant at which a grant ends that has one.
    pub ends: Option<DateTime<Utc>>,
    /// Whether the account is that of a program of another system.
    pub program: bool,
    /// What bounds a registered program; none for anybody else.
    pub bounds: Option<Arc<Bounds>>,
    /// The session of the sign-in; none for a token of an issuer without sessions here.
    pub login: Option<Login>,
    /// More pairs are held than a session can tell apart: nothing is answered then.
    pub overfull: bool,
    purpose: Option<PurposeId>,
    plans: Mutex<HashMap<u64, Arc<Plan>>>,
    /// The same grants for the purposes that were stated lately.
    purposed: Mutex<HashMap<PurposeId, Arc<Session>>>,
}

impl Session {
    /// Collects the grants that hold on `today`.
    pub fn new(
        account: AccountId,
        grants: Vec<Grant>,
        policy: Arc<Policy>,
        today: NaiveDate,
    ) -> Self {
        let grants: Vec<_> = grants.into_iter().filter(|grant| grant.holds(today)).collect();
        let mut held = vec![Held { pair: Pair::ANYONE, places: Places::default() }];
        for grant in &grants {
            let pair = Pair { role: grant.role, reach: grant.reach };
            let at = held.iter().position(|held| held.pair == pair).unwrap_or_else(|| {
                held.push(Held { pair, places: Places::default() });
                held.len() - 1
            });
            held[at].places.add(grant.place);
        }
        let overfull = held.len() > MOST_PAIRS;
        held.truncate(MOST_PAIRS);
        let ends = grants.iter().filter_map(|grant| grant.expires_at).min();
        Self {
            account,
            today,
            grants,
            held,
            policy,
            ends,
            program: false,
            bounds: None,
            login: None,
            overfull,
            purpose: None,
            plans: Mutex::default(),
            purposed: Mutex::default(),
        }
    }

    /// The same for a program of another system, or a person.
    #[must_use]
    pub fn of_program(self, program: bool) -> Self {
        Self { program, ..self }
    }

    /// The same within the bounds of a registered program; it ends with its registration.
    #[must_use]
    pub fn within(self, bounds: Option<Arc<Bounds>>) -> Self {
        let end = bounds.as_ref().and_then(|bounds| bounds.expires_at);
        let ends = self.ends.into_iter().chain(end).min();
        Self { bounds, ends, ..self }
    }

    /// The same in the session of a sign-in.
    #[must_use]
    pub fn in_login(self, login: Option<Login>) -> Self {
        Self { login, ..self }
    }

    /// Whether every grant, and the session of the sign-in, still holds at this instant, of a day that was checked already.
    pub fn holds_at(&self, now: DateTime<Utc>) -> bool {
        self.ends.is_none_or(|end| now < end) && self.login.is_none_or(|login| now < login.until)
    }

    /// Whether one of the roles that are held may state a purpose.
    pub fn may_state(&self, purpose: PurposeId) -> bool {
        let Policy { purposes, roles, .. } = &*self.policy;
        let may = |held: &Held| {
            purposes.get(purpose).is_some_and(|purpose| purpose.may_state(roles, held.pair.role))
        };
        self.held.iter().any(may)
    }

    /// The same grants read under what the policy grants for a purpose.
    pub fn purposed(self: &Arc<Self>, purpose: PurposeId) -> Arc<Self> {
        if self.purpose == Some(purpose) {
            return Arc::clone(self);
        }
        let mut purposed = self.purposed.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(purposed.entry(purpose).or_insert_with(|| {
            Arc::new(Self {
                account: self.account,
                today: self.today,
                grants: self.grants.clone(),
                held: self.held.clone(),
                policy: Arc::clone(&self.policy),
                ends: self.ends,
                program: self.program,
                bounds: self.bounds.clone(),
                login: self.login,
                overfull: self.overfull,
                purpose: Some(purpose),
                plans: Mutex::default(),
                purposed: Mutex::default(),
            })
        }))
    }

    /// What the policy grants, for the purpose that was stated.
    pub fn table(&self) -> &Table {
        self.policy.table_for(self.purpose)
    }

    /// The sights of a row that the held pairs in this bit set cover.
    pub fn plan(&self, covers: u64) -> Arc<Plan> {
        #[cfg(feature = "leaks")]
        if leak::on(Leak::SightsShared) {
            let shared = SHARED.get_or_init(Mutex::default);
            let mut plans = shared.lock().unwrap_or_else(PoisonError::into_inner);
            let plan = plans.entry(covers).or_insert_with(|| self.planned(covers));
            return Arc::clone(plan);
        }
        let mut plans = self.plans.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(plans.entry(covers).or_insert_with(|| self.planned(covers)))
    }

    fn planned(&self, covers: u64) -> Arc<Plan> {
        let pairs: Vec<_> = self
            .held
            .iter()
            .enumerate()
            .filter(|(bit, _)| covers & (1 << bit) != 0)
            .map(|(_, held)| held.pair)
            .collect();
        Arc::new(self.table().plan(&pairs))
    }

    /// The held pairs, as bits, whose role may see rows of this noun.
    pub fn seeing(&self, noun: &Noun) -> u64 {
        self.bits(|pair| self.table().rows(pair, noun.noun_id()))
    }

    /// The held pairs, as bits, whose role may count rows of this noun.
    pub fn counting(&self, noun: &Noun) -> u64 {
        self.bits(|pair| self.table().aggregates(pair, noun.noun_id()))
    }

    fn bits(&self, test: impl Fn(Pair) -> bool) -> u64 {
        self.held
            .iter()
            .enumerate()
            .filter(|(_, held)| test(held.pair))
            .fold(0, |bits, (bit, _)| bits | 1 << bit)
    }
}

/// One request of one account.
#[derive(Clone, Debug)]
pub struct Caller {
    /// What the account holds.
    pub session: Arc<Session>,
    /// The language of messages and labels.
    pub language: Language,
    /// The request's id, for logs and answers.
    pub request_id: Arc<str>,
    /// What the answer is wanted for, a code of the policy; none when the request does not say.
    pub purpose: Option<Arc<str>>,
    /// Address of whoever asks, behind the proxies that are believed; of a version 6 network the first; none without a
    /// connection.
    pub client: Option<std::net::IpAddr>,
    /// The dialect of the database that conditions are written for.
    pub backend: DbBackend,
    /// Counts the statements of this request.
    pub meter: Arc<AtomicU32>,
}

impl Caller {
    /// The account.
    pub fn account(&self) -> AccountId {
        self.session.account
    }

    /// Today in the deployment's time zone.
    pub fn today(&self) -> NaiveDate {
        self.session.today
    }
}
