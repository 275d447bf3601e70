//! Destruction (销毁): what is due is proposed as a frozen list, appraised, approved by two others, and carried out by
//! somebody who approved nothing (RET-02 to RET-06).
//!
//! Two accounts of one member of staff are one person. Approvals are of the list as it is: after the first nothing is
//! excepted any more, and a list that is not the one approved is not carried out.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use uuid::Uuid;
use xueji_entity::destruction_batch::DestructionState;

use super::Cx;
use super::act::Act;
use super::exceptional::{reason, refused};
use crate::access::action::Action;
use crate::error::{Error, Result};
use crate::store::retention::due::Due;
use crate::store::retention::read::{Batch as Listed, Certificate, Item};
use crate::store::tx::{Batch, Tx};

/// The longest that rows are excepted at once.
const LONGEST_KEEP: chrono::Months = chrono::Months::new(12 * 50);

/// How much is due where the caller answers for it, by class, school and year.
pub async fn due(cx: &Cx) -> Result<Vec<Due>> {
    let schools = schools(cx).await?;
    cx.store.due(schools, cx.caller.today()).await
}

/// The batches there.
pub async fn batches(cx: &Cx) -> Result<Vec<Listed>> {
    let schools = schools(cx).await?;
    cx.store.destruction_batches(&schools).await
}

/// The students of a batch there, after one of them.
pub async fn items(cx: &Cx, batch: Uuid, after: Option<Uuid>) -> Result<Vec<Item>> {
    let schools = schools(cx).await?;
    cx.store.destruction_items(&schools, batch, after).await
}

/// The certificates there.
pub async fn certificates(cx: &Cx) -> Result<Vec<Certificate>> {
    let schools = schools(cx).await?;
    cx.store.destruction_certificates(&schools).await
}

async fn schools(cx: &Cx) -> Result<Vec<Uuid>> {
    cx.store.held_schools(&cx.caller, Action::RetentionDue, cx.clock.now()).await
}

fn state(en: &'static str, zh: &'static str) -> Error {
    refused("DESTRUCTION_STATE", en, zh)
}

/// A class at a school, to be destroyed.
#[derive(Debug, Serialize)]
pub struct Propose {
    /// The class.
    pub class: String,
    /// The school; none for an id that cannot be one.
    pub school: Option<Uuid>,
    /// The appraisal.
    pub reason: String,
}

/// What was proposed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Proposed {
    /// The batch.
    pub batch: Uuid,
    /// How many rows.
    pub rows: u64,
    /// Of how many students.
    pub students: u64,
}

impl Act for Propose {
    const ACTION: Action = Action::DestructionPropose;
    type Facts = Uuid;
    type Done = Proposed;

    async fn load(&self, tx: &Tx) -> Result<Uuid> {
        let school = self.school.ok_or_else(|| Error::not_found("Organisation"))?;
        tx.at_school(school).await?;
        Ok(school)
    }

    async fn write(&self, tx: &mut Tx, school: Uuid) -> Result<Proposed> {
        let why = reason("reason", &self.reason, 5, 500)?;
        let Some(class) = tx.class(&self.class) else {
            return Err(Error::invalid(
                "class",
                "the retention schedule has no such class; retentionDue lists those of which something is due",
                "保管期限表中没有该类别；到期的类别见 retentionDue",
            ));
        };
        if class.period().is_none() {
            return Err(refused(
                "DESTRUCTION_PERMANENT",
                "records of this class are not destroyed here: they are permanent, or go by rules of their own",
                "该类记录不得在此销毁：属永久保管，或另有规定",
            ));
        }
        tx.clock_believed().await?;
        let Some(frozen) = tx.freeze(&class, school, &why).await? else {
            return Err(refused(
                "DESTRUCTION_NOTHING",
                "nothing of this class is due at this school",
                "该校此类记录没有到期的",
            ));
        };
        Ok(Proposed { batch: frozen.batch, rows: frozen.rows, students: frozen.students })
    }
}

/// Students whose rows are excepted from a batch.
#[derive(Debug, Serialize)]
pub struct Keep {
    /// The batch.
    pub batch: Uuid,
    /// The student; none for an id that cannot be one.
    pub student: Option<Uuid>,
    /// Until when at least.
    pub until: NaiveDate,
    /// Why.
    pub reason: String,
}

impl Act for Keep {
    const ACTION: Action = Action::DestructionKeep;
    type Facts = Batch;
    type Done = u64;

    async fn load(&self, tx: &Tx) -> Result<Batch> {
        tx.batch(self.batch).await
    }

    async fn write(&self, tx: &mut Tx, batch: Batch) -> Result<u64> {
        let why = reason("reason", &self.reason, 2, 500)?;
        let today = tx.caller().today();
        let latest = today.checked_add_months(LONGEST_KEEP).unwrap_or(today);
        if self.until <= today || self.until > latest {
            return Err(Error::invalid(
                "until",
                "name a day after today, at most 50 years from now",
                "请填写今天之后、50 年之内的日期",
            ));
        }
        if batch.state != DestructionState::Proposed || !batch.approved_by.is_empty() {
            return Err(state(
                "the list was approved or is done with; withdraw it and propose again",
                "清单已获批准或已办结；请先撤回再重新提出",
            ));
        }
        let student = self.student.ok_or_else(|| Error::not_found("Student"))?;
        match tx.except(&batch, student, self.until, &why).await? {
            0 => Err(Error::not_found("Student")),
            kept => Ok(kept),
        }
    }
}

/// An approval.
#[derive(Debug, Serialize)]
pub struct Approve {
    /// The batch.
    pub batch: Uuid,
}

impl Act for Approve {
    const ACTION: Action = Action::DestructionApprove;
    type Facts = Batch;
    /// Whether it may be carried out now.
    type Done = bool;

    async fn load(&self, tx: &Tx) -> Result<Batch> {
        tx.batch(self.batch).await
    }

    async fn write(&self, tx: &mut Tx, batch: Batch) -> Result<bool> {
        if batch.state != DestructionState::Proposed {
            return Err(state(
                "this batch waits for no approval; read it again",
                "该批次无需批准；请重新读取",
            ));
        }
        for other in batch.approved_by.iter().chain([&batch.proposed_by]) {
            if tx.is_caller(*other).await? {
                return Err(refused(
                    "DESTRUCTION_FOUR_EYES",
                    "you proposed or approved this already: another person approves",
                    "您已提出或批准过该批次；须由另一人批准",
                ));
            }
        }
        Ok(tx.approve(&batch).await? == DestructionState::Approved)
    }
}

/// A batch that is given up.
#[derive(Debug, Serialize)]
pub struct Withdraw {
    /// The batch.
    pub batch: Uuid,
}

impl Act for Withdraw {
    const ACTION: Action = Action::DestructionWithdraw;
    type Facts = Batch;
    type Done = ();

    async fn load(&self, tx: &Tx) -> Result<Batch> {
        tx.batch(self.batch).await
    }

    async fn write(&self, tx: &mut Tx, batch: Batch) -> Result<()> {
        if !matches!(batch.state, DestructionState::Proposed | DestructionState::Approved) {
            return Err(state("this batch is done with", "该批次已办结"));
        }
        tx.withdraw(&batch).await
    }
}

/// A batch to be carried out.
#[derive(Debug, Serialize)]
pub struct Execute {
    /// The batch.
    pub batch: Uuid,
}

/// What was destroyed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Destroyed {
    /// The certificate.
    pub certificate: Uuid,
    /// How many rows.
    pub rows: u64,
    /// How many were spared since they are not due any more.
    pub spared: u64,
}

impl Act for Execute {
    const ACTION: Action = Action::DestructionExecute;
    type Facts = Batch;
    type Done = Destroyed;

    async fn load(&self, tx: &Tx) -> Result<Batch> {
        tx.batch(self.batch).await
    }

    async fn write(&self, tx: &mut Tx, batch: Batch) -> Result<Destroyed> {
        if batch.state != DestructionState::Approved {
            return Err(state(
                "only what two others approved is carried out, and once",
                "只有经两人批准的批次方可执行，且只能执行一次",
            ));
        }
        for approver in &batch.approved_by {
            if tx.is_caller(*approver).await? {
                return Err(refused(
                    "DESTRUCTION_FOUR_EYES",
                    "you approved this: somebody else carries it out",
                    "您已批准该批次；须由他人执行",
                ));
            }
        }
        tx.clock_believed().await?;
        let class = tx.class(&batch.class).filter(|class| class.period().is_some());
        let Some(class) = class else {
            return Err(refused(
                "DESTRUCTION_PERMANENT",
                "the retention schedule does not let this class be destroyed any more",
                "保管期限表已不允许销毁该类记录",
            ));
        };
        if !tx.unchanged(&batch).await? {
            return Err(refused(
                "DESTRUCTION_CHANGED",
                "the list is not the one that was approved: withdraw it and propose again",
                "清单与批准时不一致；请撤回后重新提出",
            ));
        }
        let done = tx.destroy(&batch, &class).await?;
        Ok(Destroyed { certificate: done.certificate, rows: done.rows, spared: done.spared })
    }
}

/// Carries a batch out: the rows and the certificate in one transaction, then the bytes and the tombstones.
pub async fn execute(cx: &Cx, act: &Execute, key: Option<&str>) -> Result<Destroyed> {
    let done = cx.act(act, key).await?;
    // It is done and on record; what could not be settled is settled by the next start or execution.
    if let Err(error) = cx.store.settle_destroyed(cx.clock.now()).await {
        tracing::error!(
            error = %error,
            "destroyed rows are not out of the files yet, or not remembered outside: restart, or carry out the next batch"
        );
    }
    Ok(done)
}
