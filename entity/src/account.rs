//! Who may sign in. Holds no secret; what the account may do is in `access_grant`.

use async_graphql::Enum;
use sea_orm::entity::prelude::*;

use crate::value::{AccountId, PersonName, StaffId, StudentId};

/// Whose login an account is (账号类别).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum AccountKind {
    /// Member of staff (教职工).
    Staff,
    /// Student (学生).
    Student,
    /// Guardian (监护人).
    Guardian,
    /// Program of another system (应用程序).
    Client,
}

/// A login (账号).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "account")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: AccountId,
    /// Name to sign in with; upper and lower case differ.
    pub login: String,
    /// Whose login it is.
    pub kind: AccountKind,
    /// Name shown beside acts of the account.
    pub display_name: PersonName,
    /// The member of staff it belongs to.
    pub staff_id: Option<StaffId>,
    /// The student it belongs to.
    pub student_id: Option<StudentId>,
    /// Whether signing in is barred.
    pub disabled: bool,
    /// When it was made.
    pub created_at: DateTimeUtc,
}

/// No relations: the store joins by column, within a scope.
#[derive(Clone, Copy, Debug, EnumIter, DeriveRelation)]
pub enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
