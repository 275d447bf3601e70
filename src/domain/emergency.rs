//! `emergency.stop` and `emergency.lift`: an account, a role or all exports stopped in an emergency (紧急停用).
//!
//! Who answers for a school or a region stops accounts of it; a role and all exports concern everybody, and are stopped
//! by whoever reaches everything. Nobody lifts a stop that concerns themselves.

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};
use uuid::Uuid;

use super::{Cx, refuse_masked};
use crate::access::action::Action;
use crate::access::caller::Caller;
use crate::access::scope::Scope;
use crate::access::table::Reach;
use crate::domain::act::Act;
use crate::error::{Error, Result, Why};
pub use crate::store::stops::{Stop, Stopped};
use crate::store::tx::Tx;

/// What is to be stopped, as it came.
#[derive(Debug, Serialize)]
pub enum What {
    /// The account with this login.
    Account(String),
    /// This role.
    Role(String),
    /// All exports.
    Exports,
}

/// A stop to be placed, as it came.
#[derive(Debug, Serialize)]
pub struct Place {
    /// What.
    pub what: What,
    /// Why: 2 to 500 characters.
    pub reason: String,
    /// When.
    #[serde(skip)]
    pub now: DateTime<Utc>,
}

/// A stop to be lifted, as it came.
#[derive(Debug, Serialize)]
pub struct Lift {
    /// Which; none for an id that cannot be one.
    #[serde(serialize_with = "id")]
    pub stop: Option<Uuid>,
    /// When.
    #[serde(skip)]
    pub now: DateTime<Utc>,
}

fn id<S: Serializer>(id: &Option<Uuid>, to: S) -> Result<S::Ok, S::Error> {
    id.map(|id| id.to_string()).serialize(to)
}

/// A reason that can be kept.
pub fn reason(text: &str) -> Result<String> {
    refuse_masked("reason", text)?;
    let text = text.trim();
    if (2..=500).contains(&text.chars().count()) && !text.chars().any(char::is_control) {
        return Ok(text.to_owned());
    }
    Err(Error::invalid(
        "reason",
        "write 2 to 500 characters on one line",
        "请在一行内填写 2 至 500 个字符",
    ))
}

/// Whether one of the pairs that hold the action reaches everything.
fn everywhere(tx: &Tx) -> bool {
    let bits = tx.acting();
    let held = tx.caller().session.held.iter().enumerate();
    held.filter(|(bit, _)| bits & (1 << bit) != 0)
        .any(|(_, held)| held.pair.reach == Reach::Anywhere)
}

fn known(caller: &Caller, role: &str) -> Result<()> {
    let roles = &caller.session.policy.roles;
    if role != "anyone" && roles.id(role).is_some() {
        return Ok(());
    }
    Err(Error::invalid(
        "role",
        "the policy gives no such role; name one as the policy does",
        "策略中没有可授予的该角色；请按策略中的名称填写",
    ))
}

fn forbidden(action: Action) -> Error {
    Error::Forbidden { act: action.name().into(), columns: Vec::new() }
}

fn own() -> Error {
    Error::Refused {
        rule: "STOP_OWN",
        why: Why::new(
            "this concerns yourself; somebody else stops or lifts it",
            "涉及本人账号或角色；请由其他人员停用或解除",
        ),
    }
}

/// Stops something; the key of the stop.
pub async fn place(cx: &Cx, place: &Place, key: Option<&str>) -> Result<Uuid> {
    cx.act(place, key).await
}

/// Lifts a stop.
pub async fn lift(cx: &Cx, lift: &Lift, key: Option<&str>) -> Result<Uuid> {
    cx.act(lift, key).await
}

/// The stops that hold and that the caller may lift or see lifted; `FORBIDDEN` to whoever lifts none.
pub async fn stops(cx: &Cx) -> Result<Vec<Stop>> {
    let account = cx.registry().get("account");
    let account = account.ok_or_else(|| Error::internal("accounts are not registered"))?;
    let scope = Scope::of_action(&cx.caller, account, Action::EmergencyLift.name());
    if scope.is_empty() {
        let now = cx.clock.now();
        return Err(cx.store.refuse(&cx.caller, now, Action::EmergencyLift).await);
    }
    cx.store.stops_within(&scope).await
}

impl Act for Place {
    const ACTION: Action = Action::EmergencyStop;
    type Facts = ();
    type Done = Uuid;

    async fn load(&self, _tx: &Tx) -> Result<()> {
        Ok(())
    }

    async fn write(&self, tx: &mut Tx, (): ()) -> Result<Uuid> {
        let reason = reason(&self.reason)?;
        let stopped = match &self.what {
            What::Account(login) => {
                let account = tx.account_within(login).await?;
                let account = account.ok_or_else(|| Error::not_found("Account"))?;
                if account == tx.caller().account().uuid() {
                    return Err(own());
                }
                Stopped::Account(account)
            }
            What::Role(_) | What::Exports if !everywhere(tx) => {
                return Err(forbidden(Self::ACTION));
            }
            What::Role(role) => {
                known(tx.caller(), role)?;
                Stopped::Role(role.clone())
            }
            What::Exports => Stopped::Exports,
        };
        tx.stop(&stopped, &reason, self.now).await
    }
}

impl Act for Lift {
    const ACTION: Action = Action::EmergencyLift;
    type Facts = Stop;
    type Done = Uuid;

    async fn load(&self, tx: &Tx) -> Result<Stop> {
        let absent = || Error::not_found("EmergencyStop");
        let stop = tx.standing_stop(self.stop.ok_or_else(absent)?).await?.ok_or_else(absent)?;
        let of_account = matches!(stop.stopped, Stopped::Account(_));
        if of_account || everywhere(tx) { Ok(stop) } else { Err(forbidden(Self::ACTION)) }
    }

    async fn write(&self, tx: &mut Tx, stop: Stop) -> Result<Uuid> {
        let caller = tx.caller().account().uuid();
        if tx.stop_concerns(&stop, caller).await? {
            return Err(own());
        }
        tx.lift(&stop, self.now).await?;
        Ok(stop.id)
    }
}
