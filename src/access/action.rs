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
    /// `identity_number.check`: asks whether a number is registered.
    IdentityNumberCheck,
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
            Self::IdentityNumberCheck => "identity_number.check",
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
            | Self::RetentionDue
            | Self::DestructionPropose
            | Self::DestructionKeep
            | Self::DestructionWithdraw
            | Self::DestructionApprove
            | Self::DestructionExecute
            | Self::RecordHold
            | Self::StudentRestrict
            | Self::RestrictionDecide
            | Self::StudentUnrestrict => true,
        }
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
    Action::IdentityNumberCheck.name(),
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
];
