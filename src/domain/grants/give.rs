//! `grant.give`: a role at a place, given at once or asked for, where two people must give it.

use chrono::{DateTime, Days, NaiveDate, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Where, changed, has_room, right, same_person, standing, to_self};
use crate::access::action::Action;
use crate::access::policy::Eyes;
use crate::access::table::Pair;
use crate::config::settings::Exceptional;
use crate::domain::Cx;
use crate::domain::act::Act;
use crate::domain::exceptional::reason;
use crate::error::{Error, Result};
use crate::store::tx::{Named, Receiver, RoleAt, Site, Tx};

/// How far ahead a grant may begin, in days.
const AHEAD: u64 = 92;

/// Named account is meant, as it came.
#[derive(Debug, Serialize)]
pub enum To {
    /// The one with this login.
    Login(String),
    /// The one with this id; none for an id that cannot be one.
    Account(Option<Uuid>),
}

/// A role to be given, as it came.
#[derive(Debug, Serialize)]
pub struct Give {
    /// The role, as the policy names it.
    pub role: String,
    /// Where.
    pub place: Where,
    /// To whom.
    pub to: To,
    /// First day; today when none is named.
    pub since: Option<NaiveDate>,
    /// Last day; that of the school year when none is named.
    pub until: Option<NaiveDate>,
    /// Why.
    pub reason: String,
}

/// What came of it.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Given {
    /// The grant, where one person was enough.
    pub grant: Option<Uuid>,
    /// The request that waits for another person, where it takes two.
    pub request: Option<Uuid>,
    /// When that is too late.
    pub expires_at: Option<DateTime<Utc>>,
    /// First day.
    pub since: NaiveDate,
    /// Last day.
    pub until: NaiveDate,
}

#[derive(Serialize)]
struct Giving<'g> {
    give: &'g Give,
    #[serde(skip)]
    limits: Exceptional,
    #[serde(skip)]
    now: DateTime<Utc>,
}

/// Gives a role, or asks for it.
pub async fn give(cx: &Cx, give: &Give, key: Option<&str>) -> Result<Given> {
    let giving = Giving { give, limits: cx.budget.exceptional, now: cx.clock.now() };
    cx.act(&giving, key).await
}

impl Act for Giving<'_> {
    const ACTION: Action = Action::GrantGive;
    type Facts = (Site, Receiver, Eyes);
    type Done = Given;

    async fn load(&self, tx: &Tx) -> Result<Self::Facts> {
        let nowhere = || Error::not_found("Place");
        let place = self.give.place.place().ok_or_else(nowhere)?;
        let site = tx.site(place).await?.ok_or_else(nowhere)?;
        let policy = &tx.caller().session.policy;
        let given = policy.roles.id(&self.give.role).map(|role| Pair { role, reach: site.reach });
        let held = standing(tx.caller(), Action::GrantGive);
        // The place first: of a place that is not the caller's nobody learns which accounts there are.
        right(policy, &held, given, &site.ground, None).map_err(super::Bar::error)?;
        let nobody = || Error::not_found("Account");
        let whose = match &self.give.to {
            To::Login(login) => Named::Login(login),
            To::Account(id) => Named::Key(id.ok_or_else(nobody)?),
        };
        let receiver = tx.receiver(whose).await?.ok_or_else(nobody)?;
        let eyes = right(policy, &held, given, &site.ground, Some(&receiver.employer))
            .map_err(super::Bar::error)?;
        Ok((site, receiver, eyes))
    }

    async fn write(&self, tx: &mut Tx, (site, receiver, eyes): Self::Facts) -> Result<Given> {
        let reason = reason("reason", &self.give.reason, 2, 500)?;
        let own = tx.caller().account().uuid();
        if same_person(tx, own, receiver.account).await? {
            return Err(to_self());
        }
        let (since, until) = self.days(tx).await?;
        let role = RoleAt {
            account: receiver.account,
            role: self.give.role.clone(),
            reach: site.reach,
            place: site.place,
            since,
            until,
        };
        has_room(tx, &role, None).await?;
        let none = Given { grant: None, request: None, expires_at: None, since, until };
        match eyes {
            Eyes::Alone => {
                let grant = tx.give_role(&role, own, &reason).await?;
                tx.event(changed(receiver.account, grant));
                Ok(Given { grant: Some(grant), ..none })
            }
            Eyes::Four => {
                let expires_at =
                    self.now + TimeDelta::days(i64::from(self.limits.grant_request_days));
                let request = tx.ask_for_role(&role, &reason, expires_at).await?;
                Ok(Given { request: Some(request), expires_at: Some(expires_at), ..none })
            }
        }
    }
}

impl Giving<'_> {
    /// The days: from today or soon, with an end, and not for longer than the settings say.
    async fn days(&self, tx: &Tx) -> Result<(NaiveDate, NaiveDate)> {
        let today = tx.caller().today();
        let since = self.give.since.unwrap_or(today);
        let soon = today.checked_add_days(Days::new(AHEAD)).unwrap_or(today);
        if !(today..=soon).contains(&since) {
            return Err(Error::invalid(
                "since",
                format!("begin today or within {AHEAD} days"),
                format!("起始日期须为今天或之后 {AHEAD} 天以内"),
            ));
        }
        let most = self.limits.grant_days;
        let latest = since.checked_add_days(Days::new(u64::from(most) - 1)).unwrap_or(since);
        let until = match self.give.until {
            Some(until) => until,
            None => tx.year_ends(since).await?.map_or(latest, |end| end.min(latest)),
        };
        if !(since..=latest).contains(&until) {
            return Err(Error::invalid(
                "until",
                format!("a grant lasts 1 to {most} days; choose a last day within that"),
                format!("授权期限为 1 至 {most} 天；请相应选择截止日期"),
            ));
        }
        Ok((since, until))
    }
}
