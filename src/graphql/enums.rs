//! The enums of the schema by their names, for the engine.

use async_graphql::OutputType;
use async_graphql::registry::Registry as Meta;

macro_rules! enums {
    ($($module:ident::$name:ident),* $(,)?) => {
        /// Registers an enum with its values and their labels in both languages.
        pub(crate) fn register(meta: &mut Meta, name: &str) {
            match name {
                $(stringify!($name) => {
                    <xueji_entity::$module::$name as OutputType>::create_type_info(meta);
                })*
                _ => {}
            }
        }
    };
}
enums! {
    access_review::ReviewState,
    account::AccountKind,
    aid_grant::AidState,
    aid_programme::AidKind,
    archive::ArchiveState,
    archive_item::ArchiveCategory,
    attendance::AttendanceKind,
    class_membership::MembershipKind,
    duty::DutyKind,
    enrollment::EnrollmentState,
    exam::ExamKind,
    exam::ExamState,
    guardianship::Custody,
    organisation::OrganisationLevel,
    sanction::SanctionState,
    stage::Stage,
    student::LeftBehind,
    student::Transport,
    student_number::StudentNumberKind,
}
