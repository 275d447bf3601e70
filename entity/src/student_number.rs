//! Every number a student has or had. Two students may hold one number for a while: that is a
//! problem to solve, not an error to refuse.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{LookupHash, NationalStudentNumber, Sealed, StudentId, StudentNumberId};

/// Kind of a national student number (学籍号类别).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum StudentNumberKind {
    /// Formal, letter G (正式).
    Formal,
    /// Temporary, letter L (临时).
    Temporary,
    /// For a person without an identity number, letter J (无身份证号).
    Provisional,
}

/// A national student number with its time (全国学籍号).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "student_number")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StudentNumberId,
    /// Kind of the number, which is also its letter.
    pub kind: StudentNumberKind,
    /// The number, sealed.
    pub number: Sealed<NationalStudentNumber>,
    /// Keyed hash of `number`, to find by.
    pub number_hash: LookupHash,
    /// First day.
    pub since: NaiveDate,
    /// Last day; null while open.
    pub until: Option<NaiveDate>,
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
