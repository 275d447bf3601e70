//! Opinions about a school and reports of unlawful acts, each with its answer. Both texts are sealed.
//!
//! Who raised one always stands in its row, so that they find the answer; where they are not named, nothing that is
//! read by anybody else is made of that column.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

use crate::value::{AccountId, Narrative, OrganisationId, Sealed};

/// What somebody raises (类别).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum ConcernKind {
    /// An opinion on how a school handles data (意见反馈).
    Feedback,
    /// A report of an unlawful act (举报).
    Misuse,
}

/// How far it is (处理状态).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum ConcernState {
    /// Nobody has answered yet (待答复).
    Open,
    /// Answered (已答复).
    Answered,
}

/// What somebody raised about a school (意见与举报).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "concern")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// An opinion, or a report.
    pub kind: ConcernKind,
    /// The school that it is about.
    pub organisation_id: OrganisationId,
    /// Who raised it.
    pub raised_by_id: AccountId,
    /// Whether who handles it may know who raised it.
    pub named: bool,
    /// What was said, sealed.
    pub text: Sealed<Narrative>,
    /// How content they are, 1 to 5; with an opinion alone.
    pub satisfaction: Option<i64>,
    /// How far it is.
    pub state: ConcernState,
    /// The answer, sealed.
    pub answer: Option<Sealed<Narrative>>,
    /// Who answered.
    pub answered_by_id: Option<AccountId>,
    /// When it was raised; told by its day.
    pub raised_at: DateTimeUtc,
    /// When it was answered.
    pub answered_at: Option<DateTimeUtc>,
}

/// No relations: the store joins by column, within a reach.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
