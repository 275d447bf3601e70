//! One id type per table, so that a student's id cannot stand where a school's is meant.
//! Ids are UUIDs of version 7; they carry no meaning beyond the order in which they were made.

use sea_orm::{DbErr, TryFromU64};
use uuid::Uuid;

/// Declares id types over [`Uuid`].
macro_rules! id {
    ($($(#[$meta:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, sea_orm::DeriveValueType)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id, later than all made before it on this machine.
            #[expect(clippy::new_without_default, reason = "a default id that differs on each call surprises")]
            pub fn new() -> Self {
                Self(Uuid::now_v7())
            }

            /// The id that a UUID stands for.
            pub const fn from_uuid(uuid: Uuid) -> Self {
                Self(uuid)
            }

            /// The UUID inside.
            pub const fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl From<$name> for Uuid {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::try_parse(text).map(Self)
            }
        }

        // sea-orm asks this of every key; a database never makes one of ours.
        impl TryFromU64 for $name {
            fn try_from_u64(_: u64) -> Result<Self, DbErr> {
                Err(DbErr::ConvertFromU64(stringify!($name)))
            }
        }
    )+};
}

id! {
    /// Key of a snapshot (时点数据).
    SnapshotId,
    /// Key of an organisation: authority or school (机构).
    OrganisationId,
    /// Key of the relation of a school to its authority (学籍主管部门).
    SchoolAuthorityId,
    /// Key of a school year (学年).
    SchoolYearId,
    /// Key of a term (学期).
    TermId,
    /// Key of a year level (年级).
    YearLevelId,
    /// Key of a class (班级).
    ClassGroupId,
    /// Key of a course (课程).
    CourseId,
    /// Key of an exam (考试).
    ExamId,
    /// Key of a course within an exam (考试科目).
    ExamCourseId,
    /// Key of a member of staff (教职工).
    StaffId,
    /// Key of a duty of a member of staff (任职).
    DutyId,
    /// Key of an aid programme (资助项目).
    AidProgrammeId,
    /// Key of an account (账号).
    AccountId,
    /// Key of a grant of access (授权).
    AccessGrantId,
    /// Key of a record opened beyond the normal reach (紧急查阅).
    AccessReviewId,
    /// Key of a student (学生).
    StudentId,
    /// Key of an identity document (身份证件).
    IdentityDocumentId,
    /// Key of one status number in a student's history (学籍号).
    StudentNumberId,
    /// Key of a guardian or family member (监护人).
    GuardianId,
    /// Key of a guardianship (监护关系).
    GuardianshipId,
    /// Key of an enrolment (学籍).
    EnrollmentId,
    /// Key of a class membership (编班).
    ClassMembershipId,
    /// Key of an archive (学籍档案).
    ArchiveId,
    /// Key of an archive item (档案材料).
    ArchiveItemId,
    /// Key of a score (成绩).
    ScoreId,
    /// Key of an attendance line (考勤).
    AttendanceId,
    /// Key of a reward (奖励).
    RewardId,
    /// Key of a sanction (处分).
    SanctionId,
    /// Key of an aid grant (资助).
    AidGrantId,
    /// Key of a disclosure (披露记录).
    DisclosureId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_text_and_database() {
        let id = StudentId::new();
        assert_eq!(id.to_string().parse::<StudentId>(), Ok(id));
        let value = sea_orm::Value::from(id);
        assert_eq!(<StudentId as sea_orm::sea_query::ValueType>::try_from(value).ok(), Some(id));
        assert_eq!(StudentId::from_uuid(id.uuid()), id);
    }

    #[test]
    fn ids_grow() {
        let ids: Vec<_> = (0..100).map(|_| ScoreId::new()).collect();
        assert!(ids.is_sorted());
        assert!("not an id".parse::<ScoreId>().is_err());
    }
}
