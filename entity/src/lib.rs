//! Tables and value types of the registry, one table per file, columns in reading order.
//! Nothing here queries, decides who may see a value, or writes a value out: the store reads and writes,
//! `access` decides, and personal values have neither `Serialize` nor `Display`.
//!
//! Most tables hang from a student: their key is `(student_id, id)`. Start reading at [`student`] and
//! [`enrollment`]; the types of the columns are in [`value`].

pub mod access_grant;
pub mod access_review;
pub mod account;
pub mod account_identity;
pub mod act_try;
pub mod activation_code;
pub mod aid_grant;
pub mod aid_programme;
pub mod api_client;
pub mod archive;
pub mod archive_item;
pub mod attendance;
pub mod audit;
pub mod class_group;
pub mod class_membership;
pub mod concern;
pub mod course;
pub mod credential;
pub mod data_key;
pub mod deployment;
pub mod destroyed_row;
pub mod destruction_batch;
pub mod destruction_certificate;
pub mod destruction_item;
pub mod disclosure;
pub mod disclosure_entry;
pub mod disclosure_line;
pub mod disclosure_progress;
pub mod disclosure_set;
pub mod duty;
pub mod emergency_stop;
pub mod enrollment;
pub mod exam;
pub mod exam_course;
pub mod grant_request;
pub mod grant_review;
pub mod guardian;
pub mod guardianship;
pub mod history;
pub mod idempotency;
pub mod identity_document;
pub mod key_rewrite;
pub mod legal_hold;
pub mod lifecycle;
pub mod log_key;
pub mod login_session;
pub mod lookup_key;
pub mod organisation;
pub mod outbox;
pub mod password_history;
pub mod policy_version;
pub mod recovery_code;
pub mod restriction;
pub mod retired_secret;
pub mod reward;
pub mod sanction;
pub mod school_authority;
pub mod school_year;
pub mod score;
pub mod seal;
pub mod seal_head;
pub mod seal_lease;
pub mod seal_partition;
pub mod seal_waiting;
pub mod snapshot;
pub mod snapshot_aid;
pub mod snapshot_attendance;
pub mod snapshot_cell;
pub mod snapshot_class;
pub mod snapshot_paper;
pub mod snapshot_school;
pub mod snapshot_score;
pub mod snapshot_student;
pub mod staff;
pub mod stage;
pub mod student;
pub mod student_key;
pub mod student_number;
pub mod term;
pub mod value;
pub mod year_level;

#[cfg(test)]
mod tests {
    use async_graphql::resolver_utils::EnumType;
    use sea_orm::ActiveEnum;

    /// The name of each item in the schema is the stored word in capitals.
    fn same_words<E: ActiveEnum<Value = String> + EnumType>() {
        let items = E::items();
        assert_eq!(items.len(), E::values().len());
        for item in items {
            assert_eq!(
                item.name,
                item.value.to_value().to_uppercase(),
                "{}",
                std::any::type_name::<E>()
            );
        }
    }

    #[test]
    fn enums_have_one_word_for_schema_and_database() {
        same_words::<crate::access_review::ReviewState>();
        same_words::<crate::account::AccountKind>();
        same_words::<crate::aid_grant::AidState>();
        same_words::<crate::aid_programme::AidKind>();
        same_words::<crate::archive::ArchiveState>();
        same_words::<crate::archive_item::ArchiveCategory>();
        same_words::<crate::attendance::AttendanceKind>();
        same_words::<crate::audit::AuditOutcome>();
        same_words::<crate::class_membership::MembershipKind>();
        same_words::<crate::concern::ConcernKind>();
        same_words::<crate::concern::ConcernState>();
        same_words::<crate::duty::DutyKind>();
        same_words::<crate::enrollment::EnrollmentState>();
        same_words::<crate::exam::ExamKind>();
        same_words::<crate::exam::ExamState>();
        same_words::<crate::grant_request::RequestState>();
        same_words::<crate::guardianship::Custody>();
        same_words::<crate::lifecycle::Lifecycle>();
        same_words::<crate::organisation::OrganisationLevel>();
        same_words::<crate::sanction::SanctionState>();
        same_words::<crate::snapshot::SnapshotKind>();
        same_words::<crate::stage::Stage>();
        same_words::<crate::student::LeftBehind>();
        same_words::<crate::student::Transport>();
        same_words::<crate::student_number::StudentNumberKind>();
    }
}
