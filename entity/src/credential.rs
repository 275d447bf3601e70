//! What an account signs in with, and how often that failed. Nothing here opens or verifies a secret, and no
//! caller is shown a column of it; what the viewer learns of the last sign-in is told by the domain.

use sea_orm::entity::prelude::*;

use crate::value::{AccountId, PasswordHash, Sealed};

/// The credentials of an account (登录凭据). An account without a row cannot sign in by password.
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "credential")]
pub struct Model {
    /// The account; named `id` as the key of every table with sealed columns.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    /// The password, hashed; none until one is set.
    pub password_hash: Option<PasswordHash>,
    /// When the password was set.
    pub changed_at: Option<DateTimeUtc>,
    /// Whether it must be changed before anything else is done.
    pub must_change: bool,
    /// Failed sign-ins since the last that succeeded.
    pub failures: i64,
    /// When the last of them was.
    pub last_failure_at: Option<DateTimeUtc>,
    /// Until when no password is accepted.
    pub locked_until: Option<DateTimeUtc>,
    /// The key of the second factor in base 32, sealed.
    pub totp_secret: Option<Sealed<String>>,
    /// Since when the second factor is asked for; none while it awaits its confirmation.
    pub totp_since: Option<DateTimeUtc>,
    /// The time step of the last code that was accepted: no code of it or of an earlier one is.
    pub totp_last_step: Option<i64>,
    /// When the account last signed in.
    pub last_sign_in_at: Option<DateTimeUtc>,
    /// From which address.
    pub last_sign_in_from: Option<String>,
    /// When it did before that.
    pub previous_sign_in_at: Option<DateTimeUtc>,
    /// From which address.
    pub previous_sign_in_from: Option<String>,
}

/// No relations: the store joins by column.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
