//! Who receives which aid. The public list shows nothing of this but name, class and programme.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{
    AidGrantId, AidProgrammeId, BankAccount, Code, Fen, LookupHash, Sealed, StudentId, TermId,
};

/// State of an aid grant (资助状态).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum AidState {
    /// Approved (已批准).
    Approved,
    /// Paid (已发放).
    Paid,
    /// Payment failed (发放失败).
    PayFailed,
    /// Ended (已终止).
    Ended,
}

/// Aid granted to a student for a term (资助发放).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "aid_grant")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AidGrantId,
    /// The programme.
    pub programme_id: AidProgrammeId,
    /// The term.
    pub term_id: TermId,
    /// Degree of hardship, list `KNCD`.
    pub degree: Option<Code>,
    /// Cause of hardship, list `KNYY`.
    pub cause: Option<Code>,
    /// Amount granted.
    pub amount: Fen,
    /// State.
    pub state: AidState,
    /// Day of the decision.
    pub granted_on: NaiveDate,
    /// Bank account for payment, sealed.
    pub bank_account: Option<Sealed<BankAccount>>,
    /// Keyed hash of `bank_account`, to find by.
    pub bank_account_hash: Option<LookupHash>,
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
