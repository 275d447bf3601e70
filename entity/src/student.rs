//! What is true of a person whatever the school. Schooling, family, results and all else hang
//! from it in tables of their own.

use async_graphql::Enum;
use chrono::NaiveDate;
use sea_orm::entity::prelude::*;

use crate::lifecycle::Lifecycle;
use crate::value::{
    Address, Code, Email, IdNumber, LookupHash, Narrative, NationalStudentNumber, PersonName,
    Phone, PostalCode, Sealed, StudentId,
};

/// Whether parents work elsewhere for more than three months (留守儿童).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum LeftBehind {
    /// Not left behind (非留守).
    None,
    /// One parent is away (单亲留守).
    OneParent,
    /// Both parents are away (双亲留守).
    BothParents,
}

/// Means of transport to school (上下学交通方式).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, EnumIter, DeriveActiveEnum, Enum)]
#[sea_orm(rs_type = "String", db_type = "Text", rename_all = "snake_case")]
pub enum Transport {
    /// On foot (步行).
    Walk,
    /// Bicycle, motor and electric included (自行车).
    Bicycle,
    /// Public transport (公共交通工具).
    PublicTransport,
    /// Taken by a parent (家长自行接送).
    Parent,
    /// School bus (校车).
    SchoolBus,
    /// Other (其他).
    Other,
}

/// A person who is or was registered as a student (学生).
#[derive(Clone, Debug, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "student")]
pub struct Model {
    /// Key.
    #[sea_orm(primary_key, auto_increment = false)]
    pub id: StudentId,
    /// Name as on the household register; form item 1.
    pub name: PersonName,
    /// Name in Latin letters; form item 14.
    pub name_pinyin: Option<String>,
    /// Former name; form item 15.
    pub former_name: Option<PersonName>,
    /// Gender, list `RDXB`; form item 2.
    pub gender: Code,
    /// Date of birth; form item 3.
    pub birth_date: NaiveDate,
    /// Place of birth, list `GBT2260`; form item 4.
    pub birthplace: Option<Code>,
    /// Native place of the family, list `GBT2260`; form item 5.
    pub native_place: Option<Code>,
    /// Ethnic group, list `ZGGMZMCDLMZMPXF`; form item 6.
    pub ethnic_group: Code,
    /// Nationality, list `SJGGHDQMC`; form item 7.
    pub nationality: Code,
    /// Hong Kong, Macau, Taiwan, overseas Chinese or foreign, list `GATQW`; form item 10.
    pub overseas_status: Option<Code>,
    /// Political status, list `ZZMM`; form item 11.
    pub political_status: Option<Code>,
    /// State of health, list `JKZKEWSZ`; form item 12.
    pub health_status: Code,
    /// Blood group, list `XX`; in the national spreadsheet only.
    pub blood_group: Option<Code>,
    /// Type of the identity document, list `SFZJLX`; form item 8.
    pub id_type: Code,
    /// Number of the identity document, sealed; null only for type Z; form item 9.
    pub id_number: Option<Sealed<IdNumber>>,
    /// Keyed hash of `id_number`, to find by.
    pub id_number_hash: Option<LookupHash>,
    /// Last day of validity of the identity document; form item 16.
    pub id_valid_until: Option<NaiveDate>,
    /// The current national student number, sealed; earlier ones are in `student_number`.
    pub national_student_number: Option<Sealed<NationalStudentNumber>>,
    /// Keyed hash of `national_student_number`, to find by.
    pub national_student_number_hash: Option<LookupHash>,
    /// Auxiliary number by the rule of the province (学籍辅号); form item 20.
    pub auxiliary_number: Option<String>,
    /// Division of the household register, list `GBT2260`; form item 17.
    pub household_place: Option<Code>,
    /// Kind of household register, list `HKLB`; form item 18.
    pub household_kind: Option<Code>,
    /// Talents; form item 19.
    pub talents: Option<Narrative>,
    /// Where the student lives now, sealed; form item 28.
    pub current_address: Option<Sealed<Address>>,
    /// Where letters go, sealed; form item 29.
    pub mailing_address: Option<Sealed<Address>>,
    /// Where the family lives, sealed; form item 30.
    pub home_address: Option<Sealed<Address>>,
    /// Telephone number, sealed; form item 31.
    pub phone: Option<Sealed<Phone>>,
    /// Keyed hash of `phone`, to find by.
    pub phone_hash: Option<LookupHash>,
    /// Postal code, sealed; form item 32.
    pub postal_code: Option<Sealed<PostalCode>>,
    /// E-mail address, sealed; form item 33.
    pub email: Option<Sealed<Email>>,
    /// Keyed hash of `email`, to find by.
    pub email_hash: Option<LookupHash>,
    /// Whether an only child; form item 35.
    pub only_child: Option<bool>,
    /// Whether pre-school was attended; form item 36.
    pub attended_preschool: Option<bool>,
    /// Whether left behind by parents who work elsewhere; form item 37.
    pub left_behind: LeftBehind,
    /// Whether living with parents who migrated for work; form item 38.
    pub migrant_child: bool,
    /// Whether an orphan; needs proof by the competent department; form item 39.
    pub orphan: bool,
    /// Whether of a martyr's or preferentially treated family; needs proof; form item 40.
    pub martyr_family: bool,
    /// Kind of disability, list `CJRLX`; form item 42.
    pub disability: Option<Code>,
    /// Whether learning in a regular class with a disability; form item 41.
    pub in_regular_class: bool,
    /// Whether the government buys the school place; form item 43.
    pub bought_place: bool,
    /// Whether aid is to be applied for; form item 44.
    pub needs_aid: bool,
    /// Whether the living subsidy is received; form item 45.
    pub living_subsidy: bool,
    /// Way to school in metres; form item 46.
    pub distance_m: Option<i64>,
    /// Means of transport to school; form item 47.
    pub transport: Option<Transport>,
    /// Whether the school bus is needed; form item 48.
    pub needs_school_bus: bool,
    /// When the row was made.
    pub created_at: DateTimeUtc,
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
