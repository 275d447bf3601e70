//! The acts that the policy gives by name: those that change the registry, one for each mutation, and
//! the few questions that are a right of their own.

/// An act (操作), named alike in policy, audit, domain and schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// `attendance.record`: records a class's attendance of a day.
    AttendanceRecord,
    /// `exam.publish`: publishes the scores of an examination.
    ExamPublish,
    /// `guardian.contact_update`: changes how a family member is reached.
    GuardianContactUpdate,
    /// `student.contact_update`: changes how a pupil is reached.
    StudentContactUpdate,
    /// `policy.reload`: applies the policy files of a server.
    PolicyReload,
    /// `access.explain`: explains what another account sees of a student, and changes nothing.
    AccessExplain,
    /// `student.reveal`: shows one masked column of one row in full.
    StudentReveal,
    /// `record.open`: opens a record beyond the normal reach.
    RecordOpen,
    /// `access_review.decide`: decides over a record that was opened.
    AccessReviewDecide,
    /// `grant.delegate`: gives a duty to a substitute for a time.
    GrantDelegate,
    /// `grant.revoke`: ends what was given.
    GrantRevoke,
    /// `grant.give`: gives a role at a place, or asks a second person to.
    GrantGive,
    /// `grant.end`: ends a role that somebody holds.
    GrantEnd,
    /// `grant.approve`: decides over a grant that waits for a second person.
    GrantApprove,
    /// `grant.confirm`: looks through who holds what, and confirms it for the term.
    GrantConfirm,
    /// `identity_number.check`: asks whether a number is registered.
    IdentityNumberCheck,
    /// `session.list`: lists the sessions of another account.
    SessionList,
    /// `session.end`: ends sessions of another account.
    SessionEnd,
    /// `identity.link`: links an identity of another issuer with an account.
    IdentityLink,
    /// `identity.unlink`: ends such a link.
    IdentityUnlink,
    /// `account.create`: makes an account, and a code by which its password is set.
    AccountCreate,
    /// `account.disable`: bars an account, and ends its sessions.
    AccountDisable,
    /// `account.enable`: lets an account sign in again.
    AccountEnable,
    /// `account.reset`: withdraws the password of somebody else, and makes a code for a new one.
    AccountReset,
    /// `account.senior`: the right to do so with the account of somebody whose role is held over a whole school.
    AccountSenior,
    /// `client.list`: lists the programs of other systems.
    ClientList,
    /// `client.create`: registers a program of another system.
    ClientCreate,
    /// `client.rotate`: gives a program a new secret.
    ClientRotate,
    /// `audit.read`: reads lines of the audit log.
    AuditRead,
    /// `incident.report`: lists what an account or a grant was shown, by students and columns.
    IncidentReport,
    /// `emergency.stop`: stops an account, a role or all exports.
    EmergencyStop,
    /// `emergency.lift`: ends a stop.
    EmergencyLift,
    /// `retention.due`: reads how much is due for destruction, what was proposed and what was destroyed.
    RetentionDue,
    /// `destruction.propose`: freezes a list of rows to be destroyed.
    DestructionPropose,
    /// `destruction.keep`: excepts a student's rows from such a list.
    DestructionKeep,
    /// `destruction.withdraw`: gives such a list up.
    DestructionWithdraw,
    /// `destruction.approve`: approves such a list.
    DestructionApprove,
    /// `destruction.execute`: destroys what two others approved.
    DestructionExecute,
    /// `record.hold`: keeps a student's records from destruction, or ends that.
    RecordHold,
    /// `student.restrict`: proposes that a student's record is kept and not seen.
    StudentRestrict,
    /// `restriction.decide`: puts such a proposal in force, or refuses it.
    RestrictionDecide,
    /// `student.unrestrict`: lifts a restriction.
    StudentUnrestrict,
    /// `concern.raise`: says an opinion about a school, or reports an unlawful act there.
    ConcernRaise,
    /// `concern.answer`: answers what was raised, of the kinds that one handles.
    ConcernAnswer,
    /// `concern.feedback`: handles opinions; reads them.
    ConcernFeedback,
    /// `concern.misuse`: handles reports of unlawful acts; reads them.
    ConcernMisuse,
}

impl Action {
    /// The policy name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AttendanceRecord => "attendance.record",
            Self::ExamPublish => "exam.publish",
            Self::GuardianContactUpdate => "guardian.contact_update",
            Self::StudentContactUpdate => "student.contact_update",
            Self::PolicyReload => "policy.reload",
            Self::AccessExplain => "access.explain",
            Self::StudentReveal => "student.reveal",
            Self::RecordOpen => "record.open",
            Self::AccessReviewDecide => "access_review.decide",
            Self::GrantDelegate => "grant.delegate",
            Self::GrantRevoke => "grant.revoke",
            Self::GrantGive => "grant.give",
            Self::GrantEnd => "grant.end",
            Self::GrantApprove => "grant.approve",
            Self::GrantConfirm => "grant.confirm",
            Self::IdentityNumberCheck => "identity_number.check",
            Self::SessionList => "session.list",
            Self::SessionEnd => "session.end",
            Self::IdentityLink => "identity.link",
            Self::IdentityUnlink => "identity.unlink",
            Self::AccountCreate => "account.create",
            Self::AccountDisable => "account.disable",
            Self::AccountEnable => "account.enable",
            Self::AccountReset => "account.reset",
            Self::AccountSenior => "account.senior",
            Self::ClientList => "client.list",
            Self::ClientCreate => "client.create",
            Self::ClientRotate => "client.rotate",
            Self::AuditRead => "audit.read",
            Self::IncidentReport => "incident.report",
            Self::EmergencyStop => "emergency.stop",
            Self::EmergencyLift => "emergency.lift",
            Self::RetentionDue => "retention.due",
            Self::DestructionPropose => "destruction.propose",
            Self::DestructionKeep => "destruction.keep",
            Self::DestructionWithdraw => "destruction.withdraw",
            Self::DestructionApprove => "destruction.approve",
            Self::DestructionExecute => "destruction.execute",
            Self::RecordHold => "record.hold",
            Self::StudentRestrict => "student.restrict",
            Self::RestrictionDecide => "restriction.decide",
            Self::StudentUnrestrict => "student.unrestrict",
            Self::ConcernRaise => "concern.raise",
            Self::ConcernAnswer => "concern.answer",
            Self::ConcernFeedback => "concern.feedback",
            Self::ConcernMisuse => "concern.misuse",
        }
    }

    /// Whether every refusal of the act is on record, one by a rule or a limit included.
    pub const fn exceptional(self) -> bool {
        match self {
            Self::AttendanceRecord
            | Self::ExamPublish
            | Self::GuardianContactUpdate
            | Self::StudentContactUpdate
            | Self::PolicyReload
            | Self::AccessExplain => false,
            Self::StudentReveal
            | Self::RecordOpen
            | Self::AccessReviewDecide
            | Self::GrantDelegate
            | Self::GrantRevoke
            | Self::IdentityNumberCheck
            | Self::SessionList
            | Self::SessionEnd
            | Self::IdentityLink
            | Self::IdentityUnlink
            | Self::GrantGive
            | Self::GrantEnd
            | Self::GrantApprove
            | Self::GrantConfirm
            | Self::AccountCreate
            | Self::AccountDisable
            | Self::AccountEnable
            | Self::AccountReset
            | Self::AccountSenior
            | Self::ClientList
            | Self::ClientCreate
            | Self::ClientRotate
            | Self::AuditRead
            | Self::IncidentReport
            | Self::EmergencyStop
            | Self::EmergencyLift
            | Self::RetentionDue
            | Self::DestructionPropose
            | Self::DestructionKeep
            | Self::DestructionWithdraw
            | Self::DestructionApprove
            | Self::DestructionExecute
            | Self::RecordHold
            | Self::StudentRestrict
            | Self::RestrictionDecide
            | Self::StudentUnrestrict
            | Self::ConcernRaise
            | Self::ConcernAnswer
            | Self::ConcernFeedback
            | Self::ConcernMisuse => true,
        }
    }

    /// Whether a line that says the act was denied names nobody: who may stay unnamed when it is done is not told by a
    /// try either.
    pub const fn denied_unnamed(self) -> bool {
        matches!(self, Self::ConcernRaise)
    }
}

/// Every act by its policy name. A policy that does not speak about one of them is refused.
pub const ACTIONS: &[&str] = &[
    Action::AttendanceRecord.name(),
    Action::ExamPublish.name(),
    Action::GuardianContactUpdate.name(),
    Action::StudentContactUpdate.name(),
    Action::PolicyReload.name(),
    Action::AccessExplain.name(),
    Action::StudentReveal.name(),
    Action::RecordOpen.name(),
    Action::AccessReviewDecide.name(),
    Action::GrantDelegate.name(),
    Action::GrantRevoke.name(),
    Action::GrantGive.name(),
    Action::GrantEnd.name(),
    Action::GrantApprove.name(),
    Action::GrantConfirm.name(),
    Action::IdentityNumberCheck.name(),
    Action::SessionList.name(),
    Action::SessionEnd.name(),
    Action::IdentityLink.name(),
    Action::IdentityUnlink.name(),
    Action::AccountCreate.name(),
    Action::AccountDisable.name(),
    Action::AccountEnable.name(),
    Action::AccountReset.name(),
    Action::AccountSenior.name(),
    Action::ClientList.name(),
    Action::ClientCreate.name(),
    Action::ClientRotate.name(),
    Action::AuditRead.name(),
    Action::IncidentReport.name(),
    Action::EmergencyStop.name(),
    Action::EmergencyLift.name(),
    Action::RetentionDue.name(),
    Action::DestructionPropose.name(),
    Action::DestructionKeep.name(),
    Action::DestructionWithdraw.name(),
    Action::DestructionApprove.name(),
    Action::DestructionExecute.name(),
    Action::RecordHold.name(),
    Action::StudentRestrict.name(),
    Action::RestrictionDecide.name(),
    Action::StudentUnrestrict.name(),
    Action::ConcernRaise.name(),
    Action::ConcernAnswer.name(),
    Action::ConcernFeedback.name(),
    Action::ConcernMisuse.name(),
];
