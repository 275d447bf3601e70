//! Records opened beyond the normal reach, each until an instant, and what the reviewers make of it. While it
//! lasts a row is a right in itself: what the account may see of the student follows from it.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{AccessReviewId, AccountId, Narrative, PersonName, StudentId};

/// What the reviewers make of a use of break-glass (复核结论).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum ReviewState {
    /// Nobody has decided yet (待复核).
    Waiting,
    /// The reason holds (理由成立).
    Justified,
    /// The reason does not hold (理由不成立).
    Unjustified,
}

/// A record that an account opened beyond its reach, for a short time (紧急查阅).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "access_review")]
pub struct Model {
    /// The student whose record was opened.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccessReviewId,
    /// The account that opened it.
    pub account_id: AccountId,
    /// The name shown beside acts of that account.
    pub opened_by: PersonName,
    /// The role that let it open records.
    pub opened_as: String,
    /// Why, in the words of whoever opened it.
    pub reason: Narrative,
    /// Code of the purpose.
    pub purpose: String,
    /// From when.
    pub opened_at: DateTimeUtc,
    /// Until when; the instant itself is outside.
    pub expires_at: DateTimeUtc,
    /// When the review is due.
    pub due_at: DateTimeUtc,
    /// What came of the review.
    pub state: ReviewState,
    /// When it was decided.
    pub decided_at: Option<DateTimeUtc>,
    /// Who decided.
    pub decided_by_id: Option<AccountId>,
    /// A note of whoever decided.
    pub note: Option<Narrative>,
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
