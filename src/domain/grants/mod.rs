//! Roles given by hand (授权): who gives what where, by one person or by two, and how they end.
//!
//! What one may give is policy, [`Gifts`](crate::access::policy::Gifts); that the place and the account lie within the
//! giver's own place is asked here, by facts. A place or an account beyond it gives the answer of one that is not there.

pub mod approve;
pub mod confirm;
pub mod end;
pub mod give;
pub mod held;

use serde::Serialize;
use uuid::Uuid;

use super::exceptional::{refused, too_many_pairs};
use crate::access::action::Action;
use crate::access::caller::{Caller, MOST_PAIRS, Place};
use crate::access::policy::{Eyes, Policy};
use crate::access::table::{Pair, Reach};
use crate::error::{Error, Result};
use crate::store::held::Area;
use crate::store::tx::{Event, Ground, RoleAt, Tx};

/// A place as it was named: by one id, whatever it is an id of.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Where {
    /// None was named: the role is held anywhere.
    pub anywhere: bool,
    /// A school or an authority.
    pub organisation: Option<Uuid>,
    /// A class.
    pub class_group: Option<Uuid>,
    /// The course in it.
    pub course: Option<Uuid>,
    /// A year level.
    pub year_level: Option<Uuid>,
}

impl Where {
    /// The place; none for an id that cannot be one.
    fn place(self) -> Option<Place> {
        match (self.class_group, self.course, self.year_level, self.organisation) {
            (None, None, None, None) if self.anywhere => Some(Place::Anywhere),
            (Some(class_group), Some(course), ..) => Some(Place::Teaching { class_group, course }),
            (Some(id), None, ..) => Some(Place::ClassGroup(id)),
            (None, None, Some(id), _) => Some(Place::YearLevel(id)),
            (None, None, None, Some(id)) => Some(Place::Organisation(id)),
            _ => None,
        }
    }
}

/// A role that somebody holds at a place, and may give from.
#[derive(Clone, Copy, Debug)]
struct Standing {
    pair: Pair,
    place: Place,
}

impl Standing {
    /// Whether what lies there lies within the place.
    fn covers(self, ground: &Ground) -> bool {
        match (self.pair.reach, self.place) {
            (Reach::Anywhere, Place::Anywhere) => true,
            (Reach::School, Place::Organisation(id)) => ground.school == Some(id),
            (Reach::Region, Place::Organisation(id)) => ground.above.contains(&id),
            _ => false,
        }
    }
}

/// What a caller holds and may run an action from; a substitute gives nothing.
fn standing(caller: &Caller, action: Action) -> Vec<Standing> {
    let session = &caller.session;
    // A registered program is nobody who could agree: its secret is known to whoever registered it.
    if session.bounds.is_some() && matches!(action, Action::GrantGive | Action::GrantApprove) {
        return Vec::new();
    }
    let Some(id) = session.policy.actions.id(action.name()) else { return Vec::new() };
    let grants = session.grants.iter().filter(|grant| !grant.delegated);
    grants
        .map(|grant| Standing {
            pair: Pair { role: grant.role, reach: grant.reach },
            place: grant.place,
        })
        .filter(|held| session.policy.actions.may(&[held.pair], id).is_some())
        .collect()
}

/// The same for another account, from what it holds today.
async fn standing_of(tx: &Tx, account: Uuid, action: Action) -> Result<Vec<Standing>> {
    let policy = &tx.caller().session.policy;
    let Some(id) = policy.actions.id(action.name()) else { return Ok(Vec::new()) };
    let held = tx.roles_of(account).await?;
    Ok(held
        .into_iter()
        .filter_map(|(role, reach, place)| {
            let pair = Pair { role: policy.roles.id(&role)?, reach };
            policy.actions.may(&[pair], id).is_some().then_some(Standing { pair, place })
        })
        .collect())
}

/// The places where somebody who stands there looks.
fn area(held: &[Standing]) -> Area {
    let mut area = Area::default();
    for held in held {
        match (held.pair.reach, held.place) {
            (Reach::Anywhere, _) => area.anywhere = true,
            (Reach::School, Place::Organisation(id)) => area.schools.push(id),
            (Reach::Region, Place::Organisation(id)) => area.authorities.push(id),
            _ => {}
        }
    }
    area
}

/// What stands in the way of a grant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bar {
    /// The place is not within reach.
    Place,
    /// The account is not.
    Account,
    /// Both are, and the policy has no line.
    Policy,
}

/// How somebody who stands there may give a role at a place, to an account if one is meant: of several lines the one
/// that asks for less.
fn right(
    policy: &Policy,
    held: &[Standing],
    given: Option<Pair>,
    place: &Ground,
    account: Option<&Ground>,
) -> std::result::Result<Eyes, Bar> {
    let near: Vec<&Standing> = held.iter().filter(|held| held.covers(place)).collect();
    if near.is_empty() {
        return Err(Bar::Place);
    }
    let both: Vec<&&Standing> =
        near.iter().filter(|held| account.is_none_or(|account| held.covers(account))).collect();
    if both.is_empty() {
        return Err(Bar::Account);
    }
    let eyes = |held: &Standing| policy.gifts.may(&policy.roles, held.pair, given?);
    both.into_iter().filter_map(|held| eyes(held)).min().ok_or(Bar::Policy)
}

impl Bar {
    fn error(self) -> Error {
        match self {
            Self::Place => Error::not_found("Place"),
            Self::Account => Error::not_found("Account"),
            Self::Policy => refused(
                "GRANT_NOT_GIVABLE",
                "the policy does not let you give this role at this kind of place; viewer.givable lists what you may give",
                "策略不允许您在此类范围授予该角色；可授予的角色见 viewer.givable",
            ),
        }
    }
}

/// Whether two accounts are one person's: the same, or of the same member of staff; a program is its owner's.
async fn same_person(tx: &Tx, one: Uuid, other: Uuid) -> Result<bool> {
    if one == other {
        return Ok(true);
    }
    let (one, other) = (tx.person_of(one).await?, tx.person_of(other).await?);
    Ok(one.0 == other.0 || one.1.is_some() && one.1 == other.1)
}

fn to_self() -> Error {
    refused(
        "GRANT_TO_SELF",
        "nobody gives a role to themselves, nor agrees to their own; somebody else must do it",
        "不能为本人授权，也不能审批给本人的授权；请由他人办理",
    )
}

/// Refuses what the account holds already, or one kind of role more than it can hold. Its row is locked first.
async fn has_room(tx: &Tx, wanted: &RoleAt, request: Option<Uuid>) -> Result<()> {
    tx.lock_receiver(wanted.account).await?;
    if tx.held_or_asked_for(wanted, request).await? {
        return Err(refused(
            "GRANT_HELD",
            "this account holds the role at this place on one of these days, or it is asked for already",
            "该账户在此期间已在该范围持有此角色，或已有待审批的申请",
        ));
    }
    let pairs = tx.pairs_of(wanted.account).await?;
    let known =
        pairs.iter().any(|(role, reach)| *role == wanted.role && reach == wanted.reach.word());
    // *Anyone*, and a record that may be opened, need a place too.
    if !known && pairs.len() + 3 > MOST_PAIRS {
        return Err(too_many_pairs());
    }
    Ok(())
}

fn changed(account: Uuid, grant: Uuid) -> Event {
    Event {
        kind: "grant.changed",
        student: None,
        class_group: None,
        account: Some(account),
        rows: vec![grant],
    }
}
