//! Family members, form items 49–72. Whether a member has custody is in `guardianship`.

use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{
    AccountId, Address, Code, GuardianId, IdNumber, LookupHash, Narrative, PersonName, Phone,
    Sealed, StudentId,
};

/// A family member of a student (监护人、家庭成员).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "guardian")]
pub struct Model {
    /// The student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub student_id: StudentId,
    /// Key within the student.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: GuardianId,
    /// Order on the form, from 1.
    pub position: i64,
    /// Name; form items 49 and 61.
    pub name: PersonName,
    /// Relation to the student, list `JTGX`; form items 50 and 62.
    pub relation: Code,
    /// Note on the relation; form items 51 and 63.
    pub relation_note: Option<Narrative>,
    /// Ethnic group, list `ZGGMZMCDLMZMPXF`; form items 52 and 64.
    pub ethnic_group: Option<Code>,
    /// Workplace; form items 53 and 65.
    pub workplace: Option<Narrative>,
    /// Job title; form items 60 and 72.
    pub job_title: Option<Narrative>,
    /// Telephone number, sealed; form items 56 and 68.
    pub phone: Option<Sealed<Phone>>,
    /// Keyed hash of `phone`, to find by.
    pub phone_hash: Option<LookupHash>,
    /// Where the member lives now, sealed; form items 54 and 66.
    pub current_address: Option<Sealed<Address>>,
    /// Division of the household register, list `GBT2260`; form items 55 and 67.
    pub household_place: Option<Code>,
    /// Type of the identity document, list `SFZJLX`; form items 58 and 70.
    pub id_type: Option<Code>,
    /// Number of the identity document, sealed; form items 59 and 71.
    pub id_number: Option<Sealed<IdNumber>>,
    /// Keyed hash of `id_number`, to find by.
    pub id_number_hash: Option<LookupHash>,
    /// The login of the member; never shown.
    pub account_id: Option<AccountId>,
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
