//! One row per student, school and stage; at most one live row per student. Every change of the
//! state is a status change of the domain.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::stage::Stage;
use crate::value::{Code, EnrollmentId, OrganisationId, StudentId, YearLevelId};

/// State of an enrolment (学籍状态).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum EnrollmentState {
    /// Being registered (待建籍).
    Draft,
    /// Enrolled (在读).
    Enrolled,
    /// Suspended (休学).
    Suspended,
    /// Abroad, status kept (出国).
    Abroad,
    /// Dropped out, status kept (辍学).
    DroppedOut,
    /// Whereabouts unknown (下落不明).
    Missing,
    /// In transfer, still at the sending school (转学中).
    Transferring,
    /// Transferred to another school (转出).
    TransferredOut,
    /// Graduated (毕业).
    Graduated,
    /// Completed without graduation (结业).
    Completed,
    /// Left before completion (肄业).
    LeftEarly,
    /// Withdrawn (退学).
    Withdrawn,
    /// Expelled (开除).
    Expelled,
    /// Deceased (死亡).
    Deceased,
    /// Cancelled as wrong or duplicate (注销).
    Cancelled,
}

/// The status of a student in one stage of one school (学籍).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "enrollment")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: EnrollmentId,
    /// The school.
    pub school_id: OrganisationId,
    /// The year level.
    pub year_level_id: YearLevelId,
    /// The stage; the same as that of the year level.
    pub stage: Stage,
    /// State.
    pub state: EnrollmentState,
    /// Whether the state is a live one; a check in the database ties it to the state.
    pub live: bool,
    /// Day of entry; form item 24 shows its month.
    pub entered_on: NaiveDate,
    /// Last day; null while it lasts.
    pub ended_on: Option<NaiveDate>,
    /// How the student entered, list `NATIONAL25` or `RXFS`; form item 25.
    pub entry_method: Code,
    /// Day pupil or boarder, list `JDFS`; form item 26.
    pub boarding: Code,
    /// Where the student came from, list `XSLY`; form item 27.
    pub source: Option<Code>,
    /// Whether the row still counts; never shown.
    pub lifecycle: Lifecycle,
    /// Counts the writes of the row, from 1; never shown.
    pub row_version: i64,
    /// When the row was last written; never shown.
    pub updated_at: DateTimeUtc,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
