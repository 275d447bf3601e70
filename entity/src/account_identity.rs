//! By whose word an account signs in: identities that other issuers vouch for.

use sea_orm::entity::prelude::*;

use crate::value::AccountId;

/// An identity (外部身份) of an account: what an issuer calls its holder. Compared byte by byte.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account_identity")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// The account.
    pub account_id: AccountId,
    /// The issuer, exactly as its tokens name it.
    pub issuer: String,
    /// What the issuer calls the holder; unique with the issuer.
    pub subject: String,
    /// When it was linked.
    pub created_at: DateTimeUtc,
    /// Who linked it; null for the command line.
    pub created_by: Option<AccountId>,
}

/// Relations of an identity.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {
    /// The account.
    #[sea_orm(
        belongs_to = "super::account::Entity",
        from = "Column::AccountId",
        to = "super::account::Column::Id"
    )]
    Account,
}

impl ActiveModelBehavior for ActiveModel {}
