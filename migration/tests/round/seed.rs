//! The fewest rows that an enrolment, a grant and a score need.

use sea_orm::{
    ActiveModelTrait,
    ActiveValue::Set,
    ColumnTrait, DatabaseConnection, DbErr, EntityTrait, IntoActiveModel, QueryFilter,
    prelude::{Date, DateTimeUtc},
};
use xueji_entity::{
    account, class_group, course, enrollment, exam,
    lifecycle::Lifecycle,
    organisation, school_year,
    stage::Stage,
    student, term,
    value::{
        AccountId, ClassGroupId, Code, CourseId, EnrollmentId, ExamId, Guarded, LookupHash,
        OrganisationId, PersonName, SchoolYearId, Sealed, StudentId, TermId, ValueError,
        YearLevelId,
    },
    year_level,
};

/// Keys of the planted rows.
pub(crate) struct Seed {
    pub(crate) county: OrganisationId,
    pub(crate) school: OrganisationId,
    pub(crate) year_level: YearLevelId,
    pub(crate) class_group: ClassGroupId,
    pub(crate) course: CourseId,
    pub(crate) exam: ExamId,
    pub(crate) account: AccountId,
    pub(crate) student: StudentId,
    pub(crate) other_student: StudentId,
}

pub(crate) fn wrong(error: ValueError) -> DbErr {
    DbErr::Custom(error.to_string())
}

pub(crate) fn code(list: &str, code: &str) -> Result<Code, DbErr> {
    Code::new(list, code).map_err(wrong)
}

pub(crate) fn day(year: i32, month: u32, day: u32) -> Result<Date, DbErr> {
    Date::from_ymd_opt(year, month, day).ok_or_else(|| DbErr::Custom("no such day".to_owned()))
}

pub(crate) fn instant() -> DateTimeUtc {
    DateTimeUtc::from_timestamp_nanos(1_788_249_600_123_456_000)
}

/// Plants the rows.
pub(crate) async fn plant(connection: &DatabaseConnection) -> Result<Seed, DbErr> {
    let nation =
        organisation(connection, organisation::OrganisationLevel::Nation, None, None).await?;
    let county =
        organisation(connection, organisation::OrganisationLevel::County, Some(nation), None)
            .await?;
    let school = organisation(
        connection,
        organisation::OrganisationLevel::School,
        Some(county),
        Some("3100000001"),
    )
    .await?;

    let school_year = school_year::Model {
        id: SchoolYearId::new(),
        name: "2025-2026".to_owned(),
        starts_on: day(2025, 9, 1)?,
        ends_on: day(2026, 8, 31)?,
    };
    let school_year = school_year.into_active_model().insert(connection).await?.id;
    let term = term::Model {
        id: TermId::new(),
        school_year_id: school_year,
        kind: code("XQ", "1")?,
        name: "2025-2026 autumn".to_owned(),
        starts_on: day(2025, 9, 1)?,
        ends_on: day(2026, 1, 31)?,
    };
    let term = term.into_active_model().insert(connection).await?.id;
    let year_level = year_level::Model {
        id: YearLevelId::new(),
        school_id: school,
        stage: Stage::Primary,
        entry_year: 2023,
        year_in_stage: 3,
        name: "Primary 3".to_owned(),
    };
    let year_level = year_level.into_active_model().insert(connection).await?.id;
    let class_group = class_group::Model {
        id: ClassGroupId::new(),
        school_id: school,
        year_level_id: year_level,
        school_year_id: school_year,
        number: 1,
        name: "Class 1".to_owned(),
        kind: code("ZXXBJLX", "10")?,
    };
    let class_group = class_group.into_active_model().insert(connection).await?.id;
    let course = course::Model {
        id: CourseId::new(),
        subject: code("ZXXKC", "14")?,
        name: "Mathematics".to_owned(),
        stage: Stage::Primary,
    };
    let course = course.into_active_model().insert(connection).await?.id;
    let exam = exam::Model {
        id: ExamId::new(),
        school_id: school,
        year_level_id: year_level,
        term_id: term,
        name: "Final".to_owned(),
        kind: exam::ExamKind::FinalExam,
        starts_on: day(2026, 1, 12)?,
        state: exam::ExamState::Draft,
    };
    let exam = exam.into_active_model().insert(connection).await?.id;
    let account = account::Model {
        id: AccountId::new(),
        login: "teacher".to_owned(),
        kind: account::AccountKind::Staff,
        display_name: PersonName::parse("王小明").map_err(wrong)?,
        staff_id: None,
        student_id: None,
        disabled: false,
        created_at: instant(),
    };
    let account = account.into_active_model().insert(connection).await?.id;

    let seed = Seed {
        county,
        school,
        year_level,
        class_group,
        course,
        exam,
        account,
        student: StudentId::new(),
        other_student: StudentId::new(),
    };
    for id in [seed.student, seed.other_student] {
        let planted = student(id)?.into_active_model().insert(connection).await?;
        assert_eq!(planted, student(id)?, "a row comes back as it was written");
    }
    let first = enrollment(&seed, seed.student, enrollment::EnrollmentState::Enrolled)?;
    let found = first.clone().into_active_model().insert(connection).await?;
    assert_eq!(found, first);
    let by_state = enrollment::Entity::find()
        .filter(enrollment::Column::Live.eq(true))
        .all(connection)
        .await?;
    assert_eq!(by_state, [first]);
    Ok(seed)
}

async fn organisation(
    connection: &DatabaseConnection,
    level: organisation::OrganisationLevel,
    parent_id: Option<OrganisationId>,
    school_code: Option<&str>,
) -> Result<OrganisationId, DbErr> {
    let row = organisation::ActiveModel {
        id: Set(OrganisationId::new()),
        level: Set(level),
        parent_id: Set(parent_id),
        name: Set("Organisation".to_owned()),
        school_code: Set(school_code.map(ToOwned::to_owned)),
        ..Default::default()
    };
    Ok(row.insert(connection).await?.id)
}

/// A student with all optional columns empty but the number.
fn student(id: StudentId) -> Result<student::Model, DbErr> {
    Ok(student::Model {
        id,
        name: PersonName::parse("李小红").map_err(wrong)?,
        name_pinyin: None,
        former_name: None,
        gender: code("RDXB", "2")?,
        birth_date: day(2017, 3, 4)?,
        birthplace: None,
        native_place: None,
        ethnic_group: code("ZGGMZMCDLMZMPXF", "01")?,
        nationality: code("SJGGHDQMC", "156")?,
        overseas_status: None,
        political_status: None,
        health_status: code("JKZKEWSZ", "10")?,
        blood_group: None,
        id_type: code("SFZJLX", "1")?,
        id_number: Some(Sealed::from_bytes(vec![1, 2, 3])),
        id_number_hash: Some(LookupHash::from_bytes([7; 32])),
        id_valid_until: None,
        national_student_number: None,
        national_student_number_hash: None,
        auxiliary_number: None,
        household_place: None,
        household_kind: None,
        talents: None,
        current_address: None,
        mailing_address: None,
        home_address: None,
        phone: None,
        phone_hash: None,
        postal_code: None,
        email: None,
        email_hash: None,
        only_child: Some(true),
        attended_preschool: None,
        left_behind: student::LeftBehind::None,
        migrant_child: false,
        orphan: false,
        martyr_family: false,
        disability: None,
        in_regular_class: false,
        bought_place: false,
        needs_aid: false,
        living_subsidy: false,
        distance_m: Some(1_200),
        transport: Some(student::Transport::PublicTransport),
        needs_school_bus: false,
        created_at: instant(),
        lifecycle: Lifecycle::Live,
        row_version: 1,
        updated_at: instant(),
    })
}

/// An enrolment in the planted school.
pub(crate) fn enrollment(
    seed: &Seed,
    student_id: StudentId,
    state: enrollment::EnrollmentState,
) -> Result<enrollment::Model, DbErr> {
    Ok(enrollment::Model {
        student_id,
        id: EnrollmentId::new(),
        school_id: seed.school,
        year_level_id: seed.year_level,
        stage: Stage::Primary,
        state,
        live: state == enrollment::EnrollmentState::Enrolled,
        entered_on: day(2023, 9, 1)?,
        ended_on: None,
        entry_method: code("RXFS", "01")?,
        boarding: code("JDFS", "1")?,
        source: None,
        lifecycle: Lifecycle::Live,
        row_version: 1,
        updated_at: instant(),
    })
}
