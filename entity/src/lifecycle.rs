//! Whether a row still counts. Every table about a person carries this; the store filters by it, and no
//! view ever shows it.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

/// Whether a row still counts (数据生命周期).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Lifecycle {
    /// In use (有效).
    Live,
    /// Deleted; kept until its retention ends (已删除).
    Deleted,
    /// Processing is restricted: kept, but not used (限制处理).
    Restricted,
}
