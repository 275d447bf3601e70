//! Amounts and target stages are data with a validity, because each year and each place sets
//! its own.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::stage::Stage;
use crate::value::{AidProgrammeId, Code, Fen, OrganisationId};

/// Kind of aid (资助类别).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum AidKind {
    /// Tuition waiver (免学费).
    TuitionWaiver,
    /// Living subsidy (生活补助).
    LivingSubsidy,
    /// State grant (国家助学金).
    StateGrant,
    /// Free textbooks (免费教科书).
    FreeBooks,
    /// Scholarship (奖学金).
    Scholarship,
    /// Aid by the school (校内资助).
    SchoolAid,
}

/// A programme of financial aid (资助项目).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "aid_programme")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AidProgrammeId,
    /// The organisation that runs it.
    pub organisation_id: OrganisationId,
    /// Name.
    pub name: String,
    /// Kind of aid.
    pub kind: AidKind,
    /// The stage it is meant for; null for all.
    pub stage: Option<Stage>,
    /// Amount per student and term.
    pub amount: Fen,
    /// Source of the funds, list `JLZZZJLY`.
    pub source: Code,
    /// First day of validity.
    pub valid_from: NaiveDate,
    /// Last day of validity; null while open.
    pub valid_until: Option<NaiveDate>,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
