//! What one may give, which requests wait, and who holds what within reach, with what is odd about it (授权复核).

use std::collections::BTreeMap;

use chrono::{DateTime, Days, NaiveDate, Utc};

use super::{Standing, area, standing};
use crate::access::action::Action;
use crate::access::policy::{Eyes, Policy};
use crate::access::table::{Pair, Reach};
use crate::domain::Cx;
use crate::error::Result;
use crate::store::Store;
pub use crate::store::held::{HeldRole, Login, WaitingRole};

/// A role that the caller may give.
#[derive(Clone, Debug)]
pub struct Givable {
    /// The role, as the policy names it.
    pub role: String,
    /// The kind of place.
    pub reach: Reach,
    /// Whether another person has to agree.
    pub four_eyes: bool,
}

/// What the caller may give, by the policy alone.
pub fn givable(cx: &Cx) -> Vec<Givable> {
    let policy = &cx.caller.session.policy;
    let mut found: BTreeMap<Pair, Eyes> = BTreeMap::new();
    for held in standing(&cx.caller, Action::GrantGive) {
        for (given, eyes) in policy.gifts.given_by(&policy.roles, held.pair) {
            found.entry(given).and_modify(|known| *known = (*known).min(eyes)).or_insert(eyes);
        }
    }
    let named = found.into_iter().filter_map(|(pair, eyes)| {
        let role = policy.roles.get(pair.role)?.name.clone();
        Some(Givable { role, reach: pair.reach, four_eyes: eyes == Eyes::Four })
    });
    named.collect()
}

/// A request that waits, and what the caller may do about it.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The request.
    pub request: WaitingRole,
    /// The caller asked for it.
    pub own: bool,
    /// The caller may decide over it.
    pub may_decide: bool,
}

/// The requests that the caller may decide over or has made; empty for who may do neither.
pub async fn requests(cx: &Cx, now: DateTime<Utc>) -> Result<Vec<Waiting>> {
    let caller = &cx.caller;
    let held = standing(caller, Action::GrantApprove);
    if held.is_empty() && standing(caller, Action::GrantGive).is_empty() {
        return Err(cx.store.refuse(caller, now, Action::GrantApprove).await);
    }
    let own = caller.account().uuid();
    let staff = cx.store.staff_of_account(caller).await?;
    let is_me = |id, of: Option<_>| id == own || of.is_some() && of == staff;
    let concerns_me = |request: &WaitingRole| {
        is_me(request.receiver.id, request.receiver_staff)
            || is_me(request.requested_by.id, request.requested_by_staff)
    };
    let mut found = BTreeMap::new();
    for request in cx.store.waiting_roles(caller, None, now).await? {
        found.insert(request.id, Waiting { own: true, may_decide: false, request });
    }
    // Each pair of role and place by itself: what one may give at one place is nothing at another.
    for held in &held {
        let over = area(std::slice::from_ref(held));
        for request in cx.store.waiting_roles(caller, Some(&over), now).await? {
            if agrees(&caller.session.policy, held, &request) {
                let may_decide = !concerns_me(&request);
                let own = request.requested_by.id == own;
                found.insert(request.id, Waiting { own, may_decide, request });
            }
        }
    }
    Ok(found.into_values().collect())
}

/// Whether the policy lets somebody who stands there give the role at all; that the place lies within was asked before.
fn agrees(policy: &Policy, held: &Standing, request: &WaitingRole) -> bool {
    let Some(role) = policy.roles.id(&request.role) else { return false };
    let given = Pair { role, reach: request.reach };
    policy.gifts.may(&policy.roles, held.pair, given).is_some()
}

/// What is odd about a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flag {
    /// It has no last day.
    NoEnd,
    /// It has been held for more than a year.
    OverAYear,
    /// The account is barred, or its member of staff is gone.
    Left,
    /// The account holds several roles that two people give.
    SeveralPowerful,
    /// The policy knows no such role at such a place, so that it grants nothing.
    Unknown,
}

impl Flag {
    /// The word in a report.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoEnd => "no_end",
            Self::OverAYear => "over_a_year",
            Self::Left => "left",
            Self::SeveralPowerful => "several_powerful",
            Self::Unknown => "unknown_role",
        }
    }
}

/// A grant in the report of a term.
#[derive(Clone, Debug)]
pub struct Looked {
    /// The grant.
    pub held: HeldRole,
    /// What is odd about it.
    pub flags: Vec<Flag>,
}

/// Who holds what within the caller's reach, with what is odd about it.
pub async fn review(cx: &Cx, now: DateTime<Utc>) -> Result<Vec<Looked>> {
    let held = standing(&cx.caller, Action::GrantConfirm);
    if held.is_empty() {
        return Err(cx.store.refuse(&cx.caller, now, Action::GrantConfirm).await);
    }
    let rows = cx.store.roles_in(&cx.caller, &area(&held), now).await?;
    Ok(looked(&cx.caller.session.policy, rows, cx.caller.today()))
}

/// The same at a school, for whoever runs the server; none when there is no school with this code.
pub async fn review_of_school(
    store: &Store,
    policy: &Policy,
    code: &str,
    today: NaiveDate,
    now: DateTime<Utc>,
) -> Result<Option<Vec<Looked>>> {
    let Some(school) = store.school_of_code(code).await? else { return Ok(None) };
    let rows = store.roles_of_school(school, today, now).await?;
    Ok(Some(looked(policy, rows, today)))
}

fn looked(policy: &Policy, rows: Vec<HeldRole>, today: NaiveDate) -> Vec<Looked> {
    let pair = |held: &HeldRole| {
        let role = policy.roles.id(&held.role)?;
        let known = policy.roles.get(role)?.reaches.contains(&held.reach);
        known.then_some(Pair { role, reach: held.reach })
    };
    let powerful = |held: &HeldRole| pair(held).is_some_and(|pair| policy.gifts.powerful(pair));
    let a_year_ago = today.checked_sub_days(Days::new(366)).unwrap_or(today);
    let mut many: std::collections::HashMap<_, usize> = std::collections::HashMap::new();
    for held in rows.iter().filter(|held| powerful(held)) {
        *many.entry(held.holder.id).or_default() += 1;
    }
    rows.into_iter()
        .map(|held| {
            let several = powerful(&held) && many.get(&held.holder.id).is_some_and(|of| *of > 1);
            let flags = [
                (held.until.is_none() && !held.derived, Flag::NoEnd),
                (held.since < a_year_ago, Flag::OverAYear),
                (held.left, Flag::Left),
                (several, Flag::SeveralPowerful),
                (pair(&held).is_none(), Flag::Unknown),
            ];
            let flags = flags.into_iter().filter(|(so, _)| *so).map(|(_, flag)| flag).collect();
            Looked { held, flags }
        })
        .collect()
}
