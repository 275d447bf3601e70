//! Sessions: what follows a sign-in until it ends. Access tokens name their session, and hold no longer than it.

use sea_orm::entity::prelude::*;

use crate::value::{AccountId, TokenHash};

/// A session (登录会话).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "login_session")]
pub struct Model {
    /// Key; the claim `sid` of its tokens.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: Uuid,
    /// Whose it is.
    pub account_id: AccountId,
    /// `person` or `client`.
    pub kind: String,
    /// When it began.
    pub started_at: DateTimeUtc,
    /// When a token was last given in it.
    pub last_used_at: DateTimeUtc,
    /// Until when it may be gone on with, unless it is used before; none where there is no idle end.
    pub idle_until: Option<DateTimeUtc>,
    /// When it ends at the latest.
    pub expires_at: DateTimeUtc,
    /// When it was ended.
    pub ended_at: Option<DateTimeUtc>,
    /// Why: `signed_out`, `signed_out_everywhere`, `administrator`, `reused`, `password`, `factor` or `disabled`.
    pub end_reason: Option<String>,
    /// The address that signed in.
    pub address: Option<String>,
    /// The program that signed in, as it calls itself, shortened.
    pub agent: Option<String>,
    /// By what the session of a refresh token is found; random, and in no answer but in its tokens.
    pub refresh_handle: Option<Uuid>,
    /// The SHA-256 of the one refresh token that is good; none in a session without.
    pub refresh_hash: Option<TokenHash>,
    /// How many refresh tokens there were before it.
    pub refresh_generation: i64,
}

/// No relations: the store joins by column.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
