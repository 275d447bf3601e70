//! Restricted processing (限制处理, PIPL Art. 47): a record that is kept and that nobody sees, and records that must stay
//! whatever their period (暂停销毁).
//!
//! One person proposes, another puts in force; lifting asks for a reason. Nothing tells a restricted record from an id
//! that was never issued; those who decide see restrictions by number, place and reason.

use serde::Serialize;
use uuid::Uuid;
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::restriction::RestrictionState;

use super::Cx;
use super::act::Act;
use super::exceptional::{reason, refused};
use crate::access::action::Action;
use crate::error::{Error, Result};
use crate::store::retention::read::Restricted;
use crate::store::tx::{Restriction, Tx};

/// The restrictions at the schools where the caller decides over them.
pub async fn restrictions(cx: &Cx) -> Result<Vec<Restricted>> {
    let now = cx.clock.now();
    let schools = cx.store.held_schools(&cx.caller, Action::RestrictionDecide, now).await?;
    cx.store.restrictions(&schools).await
}

/// A record that shall not be seen any more.
#[derive(Debug, Serialize)]
pub struct Restrict {
    /// The student; none for an id that cannot be one.
    pub student: Option<Uuid>,
    /// Why.
    pub reason: String,
}

impl Act for Restrict {
    const ACTION: Action = Action::StudentRestrict;
    type Facts = (Uuid, Uuid);
    /// The restriction.
    type Done = Uuid;

    async fn load(&self, tx: &Tx) -> Result<(Uuid, Uuid)> {
        let student = self.student.ok_or_else(|| Error::not_found("Student"))?;
        Ok((student, tx.school_of(student, Lifecycle::Live).await?))
    }

    async fn write(&self, tx: &mut Tx, (student, school): (Uuid, Uuid)) -> Result<Uuid> {
        let why = reason("reason", &self.reason, 5, 500)?;
        tx.propose_restriction(student, school, &why).await
    }
}

/// A decision over a proposal.
#[derive(Debug, Serialize)]
pub struct Decide {
    /// The restriction.
    pub restriction: Uuid,
    /// Whether it comes in force.
    pub agreed: bool,
}

impl Act for Decide {
    const ACTION: Action = Action::RestrictionDecide;
    type Facts = Restriction;
    type Done = ();

    async fn load(&self, tx: &Tx) -> Result<Restriction> {
        tx.restriction(self.restriction).await
    }

    async fn write(&self, tx: &mut Tx, on_file: Restriction) -> Result<()> {
        if on_file.state != RestrictionState::Proposed {
            return Err(decided());
        }
        if tx.is_caller(on_file.proposed_by).await? {
            return Err(refused(
                "RESTRICTION_FOUR_EYES",
                "you proposed this: another person decides",
                "该限制由您提出；须由另一人决定",
            ));
        }
        tx.decide_restriction(&on_file, self.agreed).await
    }
}

fn decided() -> Error {
    refused(
        "RESTRICTION_STATE",
        "this restriction was decided over or lifted already; read it again",
        "该限制已决定或已解除；请重新读取",
    )
}

/// A restriction that ends.
#[derive(Debug, Serialize)]
pub struct Unrestrict {
    /// The restriction.
    pub restriction: Uuid,
    /// Why.
    pub reason: String,
}

impl Act for Unrestrict {
    const ACTION: Action = Action::StudentUnrestrict;
    type Facts = Restriction;
    type Done = ();

    async fn load(&self, tx: &Tx) -> Result<Restriction> {
        tx.restriction(self.restriction).await
    }

    async fn write(&self, tx: &mut Tx, on_file: Restriction) -> Result<()> {
        let why = reason("reason", &self.reason, 5, 500)?;
        if on_file.state != RestrictionState::InForce {
            return Err(decided());
        }
        tx.lift_restriction(&on_file, &why).await
    }
}

/// A hold on a student's records, set or released.
#[derive(Debug, Serialize)]
pub struct Hold {
    /// The student; none for an id that cannot be one.
    pub student: Option<Uuid>,
    /// Whether it is set.
    pub set: bool,
    /// Why.
    pub reason: String,
}

impl Act for Hold {
    const ACTION: Action = Action::RecordHold;
    type Facts = Uuid;
    type Done = ();

    async fn load(&self, tx: &Tx) -> Result<Uuid> {
        let student = self.student.ok_or_else(|| Error::not_found("Student"))?;
        tx.school_of(student, Lifecycle::Live).await?;
        Ok(student)
    }

    async fn write(&self, tx: &mut Tx, student: Uuid) -> Result<()> {
        let why = reason("reason", &self.reason, 5, 500)?;
        if self.set {
            return tx.set_hold(student, &why).await;
        }
        match tx.release_holds(student).await? {
            0 => Err(refused(
                "HOLD_NONE",
                "no hold stands on the records of this pupil",
                "该学生的记录没有暂停销毁",
            )),
            _ => Ok(()),
        }
    }
}
