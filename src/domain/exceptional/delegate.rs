//! `grant.delegate` and `grant.revoke`: a duty given to a substitute for a time (代理), and taken back.
//!
//! Whoever holds a duty, or stands above it, gives the same duty at the same place, never more, never
//! onward, and always with an end.

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::access::action::Action;
use crate::access::caller::{Caller, MOST_PAIRS, Place};
use crate::access::table::{Pair, Reach};
use crate::config::settings::Exceptional;
use crate::domain::Cx;
use crate::domain::act::Act;
use crate::error::{Error, Result};
use crate::store::tx::{Duty, Event, Holder, Lies, NewGrant, Rate, Tx};

/// The name of its limit by the hour.
pub(super) const LIMIT: &str = "grant.delegate";

/// How far ahead a substitution may begin, in days.
const AHEAD: u64 = 92;

/// What is given.
#[derive(Debug, Serialize)]
pub enum Given {
    /// What this grant holds; none for an id that cannot be one.
    Grant(Option<Uuid>),
    /// A role at a place.
    Duty {
        /// The role, as it came.
        role: String,
        /// The class; none for an id that cannot be one.
        class_group: Option<Uuid>,
        /// The course in the class.
        course: Option<Uuid>,
        /// The year level.
        year_level: Option<Uuid>,
    },
}

/// A duty to be given to a substitute, as it came.
#[derive(Debug, Serialize)]
pub struct Delegate {
    /// What.
    pub given: Given,
    /// To whom: the login.
    pub to: String,
    /// First day; today when none is named.
    pub since: Option<NaiveDate>,
    /// Last day.
    pub until: NaiveDate,
    /// Why.
    pub reason: String,
}

/// A duty that was given.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Delegated {
    /// The new grant.
    pub grant: Uuid,
    /// First day.
    pub since: NaiveDate,
    /// Last day.
    pub until: NaiveDate,
}

/// What came of a try; it is kept for a repetition whatever came of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
enum Came {
    Given(Delegated),
    /// The school has no such account.
    Nobody,
    /// The account holds the duty already.
    Holder,
    /// The account holds too many kinds of roles.
    Full,
}

impl Came {
    fn result(self) -> Result<Delegated> {
        match self {
            Self::Given(delegated) => Ok(delegated),
            Self::Nobody => Err(Error::not_found("Account")),
            Self::Holder => Err(super::refused(
                "GRANT_TO_HOLDER",
                "this account holds the duty already; name somebody else",
                "该账户已担任此职；请指定其他人",
            )),
            Self::Full => Err(too_many_pairs()),
        }
    }
}

#[derive(Serialize)]
struct Delegating<'d> {
    delegate: &'d Delegate,
    #[serde(skip)]
    limits: Exceptional,
}

/// Gives a duty to a substitute.
pub async fn delegate(cx: &Cx, delegate: &Delegate, key: Option<&str>) -> Result<Delegated> {
    cx.act(&Delegating { delegate, limits: cx.budget.exceptional }, key).await?.result()
}

/// The refusal of one pair more than an account can hold.
pub(in crate::domain) fn too_many_pairs() -> Error {
    super::refused(
        "GRANTS_TOO_MANY",
        format!("the account would hold more than {MOST_PAIRS} kinds of roles; end some first"),
        format!("该账户持有的角色种类将超过 {MOST_PAIRS} 种；请先终止部分授权"),
    )
}

fn not_found() -> Error {
    Error::not_found("AccessGrant")
}

/// Whether the policy lets a pair give duties away, or take them back.
fn holds(caller: &Caller, pair: Pair, action: Action) -> bool {
    let actions = &caller.session.policy.actions;
    actions.id(action.name()).is_some_and(|id| actions.may(&[pair], id).is_some())
}

/// The pair of a duty that may be given at all: one of a class, a course in it, or a year level.
fn delegable(caller: &Caller, duty: &Duty) -> bool {
    let role = caller.session.policy.roles.id(&duty.role);
    let small = [Reach::Teaching, Reach::Class, Reach::YearLevel].contains(&duty.reach);
    small
        && role.is_some_and(|role| {
            holds(caller, Pair { role, reach: duty.reach }, Action::GrantDelegate)
        })
}

/// Whether the caller stands above a duty: heads the year level or the school that it lies in, not as
/// a substitute.
fn stands_above(caller: &Caller, duty: &Duty, lies: Lies, action: Action) -> bool {
    caller.session.grants.iter().any(|grant| {
        let covers = match grant.place {
            Place::YearLevel(id) => duty.reach < Reach::YearLevel && id == lies.year_level,
            Place::Organisation(id) => grant.reach == Reach::School && id == lies.school,
            Place::Anywhere | Place::Student(_) | Place::Teaching { .. } | Place::ClassGroup(_) => {
                false
            }
        };
        covers
            && !grant.delegated
            && holds(caller, Pair { role: grant.role, reach: grant.reach }, action)
    })
}

/// Whether the caller holds the duty, as a substitute alone.
fn substitutes(caller: &Caller, duty: &Duty) -> bool {
    let role = caller.session.policy.roles.id(&duty.role);
    caller
        .session
        .grants
        .iter()
        .any(|grant| Some(grant.role) == role && grant.place == duty.place && grant.delegated)
}

fn onward() -> Error {
    super::refused(
        "GRANT_DELEGATED_ONWARD",
        "you hold this duty as a substitute; only who gave it can give it to somebody else",
        "您以代理身份担任此职，不能再转交他人；请由原任职人办理",
    )
}

/// The duty that is named, if it can be one.
fn duty(given: &Given) -> Result<Option<Duty>> {
    let Given::Duty { role, class_group, course, year_level } = given else { return Ok(None) };
    let (reach, place) = match (*class_group, *course, *year_level) {
        (Some(class_group), Some(course), None) => {
            (Reach::Teaching, Place::Teaching { class_group, course })
        }
        (Some(class_group), None, None) => (Reach::Class, Place::ClassGroup(class_group)),
        (None, None, Some(id)) => (Reach::YearLevel, Place::YearLevel(id)),
        _ => return Err(not_found()),
    };
    Ok(Some(Duty { role: role.clone(), reach, place }))
}

/// The grant that the new one is given from, and where it lies.
async fn source(tx: &Tx, given: &Given) -> Result<(Holder, Lies)> {
    let caller = tx.caller();
    let own = caller.account().uuid();
    let (duty, named) = match given {
        Given::Grant(id) => {
            let found = tx.grant(id.ok_or_else(not_found)?).await?.ok_or_else(not_found)?;
            (found.duty.clone(), Some(found))
        }
        Given::Duty { .. } => (duty(given)?.ok_or_else(not_found)?, None),
    };
    let lies = tx.lies(duty.place).await?.ok_or_else(not_found)?;
    let above = stands_above(caller, &duty, lies, Action::GrantDelegate);
    let holders = match named {
        Some(named) => vec![named],
        None => tx.holders(&duty).await?,
    };
    let mine = holders.iter().any(|holder| holder.account == own);
    if !above && !mine {
        // Whoever holds it as a substitute knows that it is held; nobody else learns that.
        return Err(if substitutes(caller, &duty) { onward() } else { not_found() });
    }
    let holder = holders.into_iter().next().ok_or_else(|| {
        super::refused(
            "GRANT_NOT_HELD",
            "nobody holds this duty today; it must be given by the administrator",
            "今日无人担任此职；请由系统管理员授权",
        )
    })?;
    if holder.delegated_from.is_some() {
        return Err(onward());
    }
    if !delegable(caller, &holder.duty) {
        return Err(Error::Forbidden { act: "grant.delegate".into(), columns: Vec::new() });
    }
    Ok((holder, lies))
}

impl Act for Delegating<'_> {
    const ACTION: Action = Action::GrantDelegate;
    type Facts = (Holder, Lies);
    type Done = Came;

    async fn load(&self, tx: &Tx) -> Result<(Holder, Lies)> {
        source(tx, &self.delegate.given).await
    }

    async fn write(&self, tx: &mut Tx, (from, lies): (Holder, Lies)) -> Result<Came> {
        let Delegate { to, since, until, reason, .. } = self.delegate;
        let reason = super::reason("reason", reason, 2, 500)?;
        let since = since.unwrap_or(tx.caller().today());
        days(tx.caller().today(), since, *until, &from, self.limits.delegation_days)?;
        let an_hour = self.limits.delegations_per_hour;
        tx.count_try(Rate { what: LIMIT, an_hour }).await?;
        // A try that comes to nothing is kept: each of them could be a guess at a login.
        let account = match find(tx, to, &from, lies).await? {
            Ok(account) => account,
            Err(came) => {
                if let Err(error) = came.result() {
                    tx.miss(&error);
                }
                return Ok(came);
            }
        };
        let new = NewGrant { account, from: &from, since, until: *until, reason: &reason };
        let grant = tx.give(new).await?;
        tx.event(changed(account, grant));
        Ok(Came::Given(Delegated { grant, since, until: *until }))
    }
}

/// The account that the login names, if the duty may be given to it; what came of the try otherwise.
async fn find(
    tx: &Tx,
    login: &str,
    from: &Holder,
    lies: Lies,
) -> Result<std::result::Result<Uuid, Came>> {
    let Some(account) = tx.colleague(login, lies.school).await? else {
        return Ok(Err(Came::Nobody));
    };
    if account == tx.caller().account().uuid() || account == from.account {
        return Ok(Err(Came::Holder));
    }
    let pairs = tx.pairs_of(account).await?;
    let known = pairs
        .iter()
        .any(|(role, reach)| *role == from.duty.role && reach == from.duty.reach.word());
    // *Anyone*, and a record that may be opened, need a place too.
    let full = !known && pairs.len() + 3 > MOST_PAIRS;
    Ok(if full { Err(Came::Full) } else { Ok(account) })
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

/// The rules of the days: from today or soon, until an end that is near, never beyond what is held.
fn days(
    today: NaiveDate,
    since: NaiveDate,
    until: NaiveDate,
    from: &Holder,
    most: u32,
) -> Result<()> {
    let soon = today.checked_add_days(Days::new(AHEAD)).unwrap_or(today);
    if !(today..=soon).contains(&since) {
        return Err(Error::invalid(
            "since",
            format!("begin today or within {AHEAD} days"),
            format!("起始日期须为今天或之后 {AHEAD} 天以内"),
        ));
    }
    let length = until.signed_duration_since(since).num_days() + 1;
    if !(1..=i64::from(most)).contains(&length) {
        return Err(Error::invalid(
            "until",
            format!("a substitution lasts 1 to {most} days; choose a last day within that"),
            format!("代理期限为 1 至 {most} 天；请相应选择截止日期"),
        ));
    }
    if from.until.is_some_and(|end| end < until) || since < from.since {
        return Err(Error::invalid(
            "until",
            "the duty itself ends earlier; nothing is given beyond it",
            "该职务的任期更早结束；代理不得超出其任期",
        ));
    }
    Ok(())
}

/// A grant to be ended, as it came.
#[derive(Debug, Serialize)]
pub struct Revoke {
    /// The grant; none for an id that cannot be one.
    pub grant: Option<Uuid>,
}

/// Ends what was given to a substitute; what came with a duty is ended with the duty, not here.
pub async fn revoke(cx: &Cx, revoke: &Revoke, key: Option<&str>) -> Result<Uuid> {
    cx.act(revoke, key).await
}

impl Act for Revoke {
    const ACTION: Action = Action::GrantRevoke;
    type Facts = Holder;
    type Done = Uuid;

    async fn load(&self, tx: &Tx) -> Result<Holder> {
        let found = tx.grant(self.grant.ok_or_else(not_found)?).await?.ok_or_else(not_found)?;
        let source = found.delegated_from.ok_or_else(not_found)?;
        let own = tx.caller().account().uuid();
        if found.granted_by == Some(own) {
            return Ok(found);
        }
        let source = tx.grant(source).await?;
        let lies = tx.lies(found.duty.place).await?.ok_or_else(not_found)?;
        let above = stands_above(tx.caller(), &found.duty, lies, Action::GrantRevoke);
        if above || source.is_some_and(|source| source.account == own) {
            return Ok(found);
        }
        Err(not_found())
    }

    async fn write(&self, tx: &mut Tx, found: Holder) -> Result<Uuid> {
        tx.end_grant(found.grant).await?;
        tx.event(changed(found.account, found.grant));
        Ok(found.grant)
    }
}
