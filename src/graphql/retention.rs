//! Retention and destruction in the schema: what is due, batches, certificates, and records that are not seen.
//!
//! Shape only. Nothing here has a value or a name of a pupil.

use async_graphql::{Context, ID, InputObject, Object, Result as GraphResult, SimpleObject};
use uuid::Uuid;

use super::query::{context, fail, graph};
use super::scalar::{Date, Instant};
use crate::access::filter::Key;
use crate::domain::Cx;
use crate::domain::destruction::{
    self, Approve, Destroyed, Execute, Keep, Propose, Proposed, Withdraw,
};
use crate::domain::restriction::{self, Decide, Hold, Restrict, Unrestrict};
use crate::error::{Error, Result};

/// How much is due for destruction of a class at a school (到期情况), by the year in which the period began.
#[derive(Debug, SimpleObject)]
pub struct RetentionDue {
    /// The class of the retention schedule.
    class: String,
    /// Its Chinese term.
    term: String,
    /// The school.
    school_id: ID,
    /// The year in which the period began.
    year: i32,
    /// How many records.
    records: u64,
    /// Of how many pupils.
    students: u64,
}

/// A frozen list of records to be destroyed (销毁批次).
#[derive(Debug, SimpleObject)]
pub struct DestructionBatch {
    /// Its id.
    id: ID,
    /// The class of the retention schedule.
    class: String,
    /// The school.
    school_id: ID,
    /// Records whose period began on this day or before.
    cutoff: Date,
    /// How many records were frozen.
    records: i64,
    /// Of how many pupils.
    students: i64,
    /// How many are kept, since they were excepted or are not due any more.
    kept: i64,
    /// The appraisal.
    reason: String,
    /// `proposed`, `approved`, `destroyed` or `withdrawn`.
    state: String,
    /// Who proposed it.
    proposed_by: String,
    /// When.
    proposed_at: Instant,
    /// How many of two have approved.
    approvals: i64,
}

/// The records of one pupil in a batch.
#[derive(Debug, SimpleObject)]
pub struct DestructionItem {
    /// The pupil.
    student_id: ID,
    /// How many records.
    records: i64,
    /// Whether they are kept.
    kept: bool,
    /// Until when at least.
    kept_until: Option<Date>,
    /// Why.
    kept_why: Option<String>,
}

/// How many records of a table.
#[derive(Debug, SimpleObject)]
pub struct DestroyedCount {
    /// The table, with the columns that were emptied where the rows stayed.
    of: String,
    /// How many.
    records: i64,
}

/// Somebody's part in a destruction.
#[derive(Debug, SimpleObject)]
pub struct DestructionPart {
    /// `proposed`, `approved` or `executed`.
    what: String,
    /// The name of the time.
    name: String,
}

/// Proof of a destruction (销毁证明): what kind, how much, who, how; never what stood in it.
#[derive(Debug, SimpleObject)]
pub struct DestructionCertificate {
    /// Its id.
    id: ID,
    /// The batch.
    batch_id: ID,
    /// The class of the retention schedule.
    class: String,
    /// Its Chinese term at the time.
    term: String,
    /// The school.
    school_id: ID,
    /// Its name at the time.
    school_name: String,
    /// Records whose period began on this day or before.
    cutoff: Date,
    /// How many records were destroyed.
    records: i64,
    /// Of how many pupils.
    students: i64,
    /// The same by table.
    counts: Vec<DestroyedCount>,
    /// Who did what.
    people: Vec<DestructionPart>,
    /// How it was done.
    method: String,
    /// SHA-256 of the certificate and of the list; the audit line of the execution has it too.
    digest: String,
    /// When.
    destroyed_at: Instant,
    /// The certificate stays until then at least.
    keep_until: Date,
}

/// A record that is kept and not seen, or shall be (限制处理). It does not name the pupil.
#[derive(Debug, SimpleObject)]
pub struct Restriction {
    /// Its id.
    id: ID,
    /// The school.
    school_id: ID,
    /// `proposed`, `in_force`, `refused` or `lifted`.
    state: String,
    /// Why.
    reason: String,
    /// Who proposed it.
    proposed_by: String,
    /// When.
    proposed_at: Instant,
}

/// What is due of a class at a school, to be frozen as a list.
#[derive(InputObject)]
pub struct DestructionProposeInput {
    /// The class of the retention schedule.
    class: String,
    /// The school.
    school_id: ID,
    /// The appraisal: 5 to 500 characters.
    reason: String,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// The frozen list.
#[derive(Debug, SimpleObject)]
pub struct DestructionProposePayload {
    /// The batch.
    batch_id: ID,
    /// How many records.
    records: u64,
    /// Of how many pupils.
    students: u64,
}

/// A pupil whose records are excepted from a batch.
#[derive(InputObject)]
pub struct DestructionKeepInput {
    /// The batch.
    batch_id: ID,
    /// The pupil, as `destructionItems` names it.
    student_id: ID,
    /// Until when they are kept at least.
    until: Date,
    /// Why: 2 to 500 characters.
    reason: String,
}

/// What is kept.
#[derive(Debug, SimpleObject)]
pub struct DestructionKeepPayload {
    /// How many records.
    records: u64,
}

/// A batch.
#[derive(InputObject)]
pub struct DestructionBatchInput {
    /// The batch.
    batch_id: ID,
    /// 8 to 64 printable ASCII characters of your choice, such as a random UUID. The same request
    /// with the same key is done once and answered again; another request with it is a `CONFLICT`.
    idempotency_key: Option<String>,
}

/// What came of it.
#[derive(Debug, SimpleObject)]
pub struct DestructionApprovePayload {
    /// Whether two have approved, so that it may be carried out.
    approved: bool,
}

/// A batch that was given up.
#[derive(Debug, SimpleObject)]
pub struct DestructionWithdrawPayload {
    /// The batch.
    batch_id: ID,
}

/// What was destroyed.
#[derive(Debug, SimpleObject)]
pub struct DestructionExecutePayload {
    /// The certificate.
    certificate_id: ID,
    /// How many records were destroyed.
    records: u64,
    /// How many were spared, since they are not due any more.
    spared: u64,
}

/// A record that shall be kept and not seen.
#[derive(InputObject)]
pub struct StudentRestrictInput {
    /// The pupil.
    student_id: ID,
    /// Why: 5 to 500 characters.
    reason: String,
}

/// A restriction that was proposed.
#[derive(Debug, SimpleObject)]
pub struct StudentRestrictPayload {
    /// The restriction.
    restriction_id: ID,
}

/// A decision over a restriction.
#[derive(InputObject)]
pub struct RestrictionDecideInput {
    /// The restriction.
    restriction_id: ID,
    /// Whether it comes in force.
    agreed: bool,
}

/// A restriction to be lifted.
#[derive(InputObject)]
pub struct StudentUnrestrictInput {
    /// The restriction.
    restriction_id: ID,
    /// Why: 5 to 500 characters.
    reason: String,
}

/// A restriction that was decided over or lifted.
#[derive(Debug, SimpleObject)]
pub struct RestrictionPayload {
    /// The restriction.
    restriction_id: ID,
}

/// A hold on a pupil's records.
#[derive(InputObject)]
pub struct RecordHoldInput {
    /// The pupil.
    student_id: ID,
    /// True sets a hold, false releases those that stand.
    hold: bool,
    /// Why: 5 to 500 characters.
    reason: String,
}

/// A hold that was set or released.
#[derive(Debug, SimpleObject)]
pub struct RecordHoldPayload {
    /// Whether a hold stands now.
    hold: bool,
}

fn global(cx: &Cx, noun: &str, id: Uuid) -> Result<ID> {
    let noun = cx.registry().get(noun);
    let noun = noun.ok_or_else(|| Error::internal("a noun is not registered"))?;
    Ok(ID(cx.opaque.id(noun, Key { student: None, id })))
}

fn opened(cx: &Cx, noun: &str, id: &ID) -> Option<Uuid> {
    let noun = cx.registry().get(noun)?;
    cx.opaque.open_id_of(noun, id).map(|key| key.id)
}

/// Ids of batches, certificates and restrictions are random, and are themselves; what cannot be one is none that was
/// ever issued.
fn random(id: &ID) -> Uuid {
    Uuid::parse_str(id).unwrap_or_default()
}

fn said(id: Uuid) -> ID {
    ID(id.to_string())
}

/// What those who answer for the archive read.
#[derive(Debug, Default)]
pub struct RetentionQuery;

#[Object]
impl RetentionQuery {
    /// How much is due for destruction where you answer for it (到期统计), by class, school and year. It names nobody.
    async fn retention_due(&self, ctx: &Context<'_>) -> GraphResult<Vec<RetentionDue>> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let mut all = Vec::new();
        for due in destruction::due(cx).await.map_err(refuse)? {
            all.push(RetentionDue {
                school_id: global(cx, "organisation", due.school).map_err(refuse)?,
                class: due.class,
                term: due.term,
                year: due.year,
                records: due.rows,
                students: due.students,
            });
        }
        Ok(all)
    }

    /// The batches of your schools, from the newest.
    async fn destruction_batches(&self, ctx: &Context<'_>) -> GraphResult<Vec<DestructionBatch>> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let mut all = Vec::new();
        for batch in destruction::batches(cx).await.map_err(refuse)? {
            all.push(DestructionBatch {
                id: said(batch.id),
                school_id: global(cx, "organisation", batch.school).map_err(refuse)?,
                class: batch.class,
                cutoff: Date(batch.cutoff),
                records: batch.rows,
                students: batch.students,
                kept: batch.kept,
                reason: batch.reason,
                state: batch.state,
                proposed_by: batch.proposed_by,
                proposed_at: Instant(batch.proposed_at),
                approvals: batch.approvals,
            });
        }
        Ok(all)
    }

    /// The pupils of a batch of your schools, by id alone, 500 at a time; none for a batch that is not there.
    async fn destruction_items(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The batch.")] batch_id: ID,
        #[graphql(desc = "The last pupil of the page before.")] after_student_id: Option<ID>,
    ) -> GraphResult<Vec<DestructionItem>> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let after = after_student_id.and_then(|id| opened(cx, "student", &id));
        let mut all = Vec::new();
        for item in destruction::items(cx, random(&batch_id), after).await.map_err(refuse)? {
            all.push(DestructionItem {
                student_id: global(cx, "student", item.student).map_err(refuse)?,
                records: item.rows,
                kept: item.kept,
                kept_until: item.kept_until.map(Date),
                kept_why: item.kept_why,
            });
        }
        Ok(all)
    }

    /// The certificates of your schools (销毁证明), from the newest.
    async fn destruction_certificates(
        &self,
        ctx: &Context<'_>,
    ) -> GraphResult<Vec<DestructionCertificate>> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let mut all = Vec::new();
        for one in destruction::certificates(cx).await.map_err(refuse)? {
            let counts = one.counts.into_iter();
            let people = one.people.into_iter();
            all.push(DestructionCertificate {
                id: said(one.id),
                batch_id: said(one.batch),
                class: one.class,
                term: one.term,
                school_id: global(cx, "organisation", one.school).map_err(refuse)?,
                school_name: one.school_name,
                cutoff: Date(one.cutoff),
                records: one.rows,
                students: one.students,
                counts: counts.map(|(of, records)| DestroyedCount { of, records }).collect(),
                people: people.map(|(what, name)| DestructionPart { what, name }).collect(),
                method: one.method,
                digest: one.digest,
                destroyed_at: Instant(one.destroyed_at),
                keep_until: Date(one.keep_until),
            });
        }
        Ok(all)
    }

    /// The restrictions of the schools where you decide over them, from the newest.
    async fn restrictions(&self, ctx: &Context<'_>) -> GraphResult<Vec<Restriction>> {
        let cx = context(ctx).map_err(graph)?;
        let refuse = |error| graph(fail(ctx, error));
        let mut all = Vec::new();
        for one in restriction::restrictions(cx).await.map_err(refuse)? {
            all.push(Restriction {
                id: said(one.id),
                school_id: global(cx, "organisation", one.school).map_err(refuse)?,
                state: one.state,
                reason: one.reason,
                proposed_by: one.proposed_by,
                proposed_at: Instant(one.proposed_at),
            });
        }
        Ok(all)
    }
}

/// What ends records, or hides them.
#[derive(Debug, Default)]
pub struct RetentionMutation;

#[Object]
impl RetentionMutation {
    /// Freezes what is due of a class at a school as a list (提出销毁), to be appraised and approved by two others.
    async fn destruction_propose(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The class, the school and the appraisal.")]
        input: DestructionProposeInput,
    ) -> GraphResult<DestructionProposePayload> {
        let cx = context(ctx).map_err(graph)?;
        let DestructionProposeInput { class, school_id, reason, idempotency_key } = input;
        let act = Propose { class, school: opened(cx, "organisation", &school_id), reason };
        let done = cx.act(&act, idempotency_key.as_deref()).await;
        let Proposed { batch, rows, students } = done.map_err(|error| graph(fail(ctx, error)))?;
        Ok(DestructionProposePayload { batch_id: said(batch), records: rows, students })
    }

    /// Excepts the records of a pupil from a batch that nobody has approved yet (保留).
    async fn destruction_keep(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The batch, the pupil, the day and the reason.")]
        input: DestructionKeepInput,
    ) -> GraphResult<DestructionKeepPayload> {
        let cx = context(ctx).map_err(graph)?;
        let DestructionKeepInput { batch_id, student_id, until: Date(until), reason } = input;
        let student = opened(cx, "student", &student_id);
        let act = Keep { batch: random(&batch_id), student, until, reason };
        let records = cx.act(&act, None).await.map_err(|error| graph(fail(ctx, error)))?;
        Ok(DestructionKeepPayload { records })
    }

    /// Approves a batch that somebody else proposed (批准销毁); two approve.
    async fn destruction_approve(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The batch.")] input: DestructionBatchInput,
    ) -> GraphResult<DestructionApprovePayload> {
        let cx = context(ctx).map_err(graph)?;
        let act = Approve { batch: random(&input.batch_id) };
        let done = cx.act(&act, input.idempotency_key.as_deref()).await;
        Ok(DestructionApprovePayload { approved: done.map_err(|error| graph(fail(ctx, error)))? })
    }

    /// Gives a batch up (撤回); its records are due again.
    async fn destruction_withdraw(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The batch.")] input: DestructionBatchInput,
    ) -> GraphResult<DestructionWithdrawPayload> {
        let cx = context(ctx).map_err(graph)?;
        let batch = random(&input.batch_id);
        let done = cx.act(&Withdraw { batch }, input.idempotency_key.as_deref()).await;
        done.map_err(|error| graph(fail(ctx, error)))?;
        Ok(DestructionWithdrawPayload { batch_id: said(batch) })
    }

    /// Destroys what two others approved (执行销毁), once and whole, and leaves a certificate.
    async fn destruction_execute(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The batch.")] input: DestructionBatchInput,
    ) -> GraphResult<DestructionExecutePayload> {
        let cx = context(ctx).map_err(graph)?;
        let act = Execute { batch: random(&input.batch_id) };
        let done = destruction::execute(cx, &act, input.idempotency_key.as_deref()).await;
        let Destroyed { certificate, rows, spared } =
            done.map_err(|error| graph(fail(ctx, error)))?;
        Ok(DestructionExecutePayload { certificate_id: said(certificate), records: rows, spared })
    }

    /// Proposes that a pupil's record is kept and not seen (提出限制处理); another person decides.
    async fn student_restrict(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pupil and the reason.")] input: StudentRestrictInput,
    ) -> GraphResult<StudentRestrictPayload> {
        let cx = context(ctx).map_err(graph)?;
        let student = opened(cx, "student", &input.student_id);
        let act = Restrict { student, reason: input.reason };
        let id = cx.act(&act, None).await.map_err(|error| graph(fail(ctx, error)))?;
        Ok(StudentRestrictPayload { restriction_id: said(id) })
    }

    /// Puts a restriction in force, or refuses it (决定限制处理). From then on nobody sees the record.
    async fn restriction_decide(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The restriction and the decision.")] input: RestrictionDecideInput,
    ) -> GraphResult<RestrictionPayload> {
        let cx = context(ctx).map_err(graph)?;
        let restriction = random(&input.restriction_id);
        let act = Decide { restriction, agreed: input.agreed };
        cx.act(&act, None).await.map_err(|error| graph(fail(ctx, error)))?;
        Ok(RestrictionPayload { restriction_id: said(restriction) })
    }

    /// Lifts a restriction (解除限制); the record is seen again as before.
    async fn student_unrestrict(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The restriction and the reason.")] input: StudentUnrestrictInput,
    ) -> GraphResult<RestrictionPayload> {
        let cx = context(ctx).map_err(graph)?;
        let restriction = random(&input.restriction_id);
        let act = Unrestrict { restriction, reason: input.reason };
        cx.act(&act, None).await.map_err(|error| graph(fail(ctx, error)))?;
        Ok(RestrictionPayload { restriction_id: said(restriction) })
    }

    /// Keeps a pupil's records from destruction whatever their period, or ends that (暂停销毁).
    async fn record_hold(
        &self,
        ctx: &Context<'_>,
        #[graphql(desc = "The pupil, whether a hold stands, and the reason.")]
        input: RecordHoldInput,
    ) -> GraphResult<RecordHoldPayload> {
        let cx = context(ctx).map_err(graph)?;
        let student = opened(cx, "student", &input.student_id);
        let act = Hold { student, set: input.hold, reason: input.reason };
        cx.act(&act, None).await.map_err(|error| graph(fail(ctx, error)))?;
        Ok(RecordHoldPayload { hold: input.hold })
    }
}
