//! All documents a student has or had; the current one is repeated in `student`.

use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{Code, IdNumber, IdentityDocumentId, LookupHash, Sealed, StudentId};

/// An identity document of a student (身份证件).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "identity_document")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: IdentityDocumentId,
    /// Type of the document, list `SFZJLX`.
    pub kind: Code,
    /// Number, sealed; null where there is none.
    pub number: Option<Sealed<IdNumber>>,
    /// Keyed hash of `number`, to find by.
    pub number_hash: Option<LookupHash>,
    /// First day.
    pub since: NaiveDate,
    /// Last day; null while open.
    pub until: Option<NaiveDate>,
    /// Whether the certificate of attendance without an identity number (无身份证号学生在校就读证明表) is on file.
    pub school_certificate: bool,
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
