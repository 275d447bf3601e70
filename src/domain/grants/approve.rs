//! `grant.approve`: what a second person makes of a grant that waits for one (双人审批).

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xueji_entity::grant_request::RequestState;

use super::{area, changed, has_room, right, same_person, standing, standing_of, to_self};
use crate::access::action::Action;
use crate::access::table::Pair;
use crate::domain::Cx;
use crate::domain::act::Act;
use crate::domain::exceptional::refused;
use crate::error::{Error, Result};
use crate::store::tx::{Named, Receiver, Request, RoleAt, Site, Tx};

/// What is decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub enum Decision {
    /// The role is given.
    Approve,
    /// It is not.
    Refuse,
    /// Whoever asked takes the request back.
    Withdraw,
}

/// A decision, as it came.
#[derive(Debug, Serialize)]
pub struct Decide {
    /// The request; none for an id that cannot be one.
    pub request: Option<Uuid>,
    /// What is decided.
    pub decision: Decision,
}

/// What was decided over.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Decided {
    /// The request.
    pub request: Uuid,
    /// The grant, where it was given.
    pub grant: Option<Uuid>,
}

#[derive(Serialize)]
struct Deciding<'d> {
    decide: &'d Decide,
    #[serde(skip)]
    now: DateTime<Utc>,
}

/// Decides over a request.
pub async fn decide(cx: &Cx, decide: &Decide, key: Option<&str>) -> Result<Decided> {
    cx.act(&Deciding { decide, now: cx.clock.now() }, key).await
}

fn not_found() -> Error {
    Error::not_found("GrantRequest")
}

fn own_request() -> Error {
    refused(
        "GRANT_OWN_REQUEST",
        "you asked for this grant yourself; another person who may give it decides",
        "该授权由本人申请；请由另一位有权授予的人员审批",
    )
}

fn stale() -> Error {
    refused(
        "GRANT_REQUEST_STALE",
        "whoever asked may no longer give this, or the account may no longer receive it, or its days are over; ask anew",
        "申请人已无权授予，或该账户已不能接受，或期限已过；请重新申请",
    )
}

impl Act for Deciding<'_> {
    const ACTION: Action = Action::GrantApprove;
    type Facts = (Request, Site, Option<Receiver>);
    type Done = Decided;

    async fn load(&self, tx: &Tx) -> Result<Self::Facts> {
        let id = self.decide.request.ok_or_else(not_found)?;
        let held = standing(tx.caller(), Action::GrantApprove);
        let request = tx.role_request(id, &area(&held)).await?.ok_or_else(not_found)?;
        let site = tx.site(request.wanted.place).await?.ok_or_else(not_found)?;
        let receiver = tx.receiver(Named::Key(request.wanted.account)).await?;
        if request.requested_by != tx.caller().account().uuid() {
            let employer = receiver.as_ref().map(|receiver| &receiver.employer);
            let policy = &tx.caller().session.policy;
            let given = pair(tx, &request.wanted);
            right(policy, &held, given, &site.ground, employer).map_err(|_bar| not_found())?;
        }
        Ok((request, site, receiver))
    }

    async fn write(&self, tx: &mut Tx, (request, site, receiver): Self::Facts) -> Result<Decided> {
        let own = tx.caller().account().uuid();
        let (asked, wanted) = (request.requested_by, &request.wanted);
        if request.state != RequestState::Waiting {
            return Err(refused(
                "GRANT_REQUEST_DECIDED",
                "this request was decided over already; read it again",
                "该申请已有结论；请重新读取",
            ));
        }
        if self.decide.decision == Decision::Withdraw {
            if asked != own {
                return Err(refused(
                    "GRANT_REQUEST_OF_ANOTHER",
                    "only whoever asked takes a request back; refuse it instead",
                    "只有申请人可以撤回申请；您可以拒绝该申请",
                ));
            }
            return self.settle(tx, &request, RequestState::Withdrawn, None).await;
        }
        if same_person(tx, own, asked).await? {
            return Err(own_request());
        }
        if tx.reset_between(own, asked).await? {
            return Err(refused(
                "GRANT_AFTER_RESET",
                "one of you gave the other a code for a new password lately; a third person decides",
                "两人之一近期曾为另一人签发密码重置码；请由第三人审批",
            ));
        }
        if same_person(tx, own, wanted.account).await? {
            return Err(to_self());
        }
        if self.now >= request.expires_at {
            return Err(refused(
                "GRANT_REQUEST_EXPIRED",
                "nobody agreed in time; it must be asked for anew",
                "申请已过期；请重新申请",
            ));
        }
        if self.decide.decision == Decision::Refuse {
            return self.settle(tx, &request, RequestState::Refused, None).await;
        }
        let receiver = receiver.ok_or_else(stale)?;
        let today = tx.caller().today();
        let role = RoleAt { since: wanted.since.max(today), ..wanted.clone() };
        if role.until < today || site.reach != role.reach {
            return Err(stale());
        }
        // Whoever asked must still be able to: a request does not outlive the right to make it.
        let held = standing_of(tx, asked, Action::GrantGive).await?;
        let policy = std::sync::Arc::clone(&tx.caller().session.policy);
        right(&policy, &held, pair(tx, wanted), &site.ground, Some(&receiver.employer))
            .map_err(|_bar| stale())?;
        has_room(tx, &role, Some(request.id)).await?;
        let grant = tx.give_role(&role, asked, &request.reason).await?;
        tx.event(changed(role.account, grant));
        self.settle(tx, &request, RequestState::Approved, Some(grant)).await
    }
}

impl Deciding<'_> {
    async fn settle(
        &self,
        tx: &mut Tx,
        request: &Request,
        state: RequestState,
        grant: Option<Uuid>,
    ) -> Result<Decided> {
        tx.settle_request(request.id, state, grant).await?;
        Ok(Decided { request: request.id, grant })
    }
}

/// The pair that is asked for, if the policy still knows the role.
fn pair(tx: &Tx, wanted: &RoleAt) -> Option<Pair> {
    let role = tx.caller().session.policy.roles.id(&wanted.role)?;
    Some(Pair { role, reach: wanted.reach })
}
