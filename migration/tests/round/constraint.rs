//! The constraints that the registry relies on, each broken once.

use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, DatabaseConnection, DbBackend, DbErr,
    EntityTrait, IntoActiveModel, QueryFilter, SqlErr, sea_query::Expr,
};
use xueji_entity::{
    access_grant, account, concern,
    enrollment::{self, EnrollmentState},
    exam_course, guardian, guardianship,
    lifecycle::Lifecycle,
    organisation, sanction, school_authority, score, student,
    value::{
        AccessGrantId, AccountId, ExamCourseId, Guarded, GuardianId, GuardianshipId, Narrative,
        OrganisationId, PersonName, SanctionId, SchoolAuthorityId, ScoreId, Sealed, Thousandths,
    },
};

use crate::seed::{Seed, code, day, enrollment, instant, wrong};

/// Fails unless each constraint refuses what it must and admits what it may.
pub(crate) async fn all_bite(connection: &DatabaseConnection, seed: &Seed) -> Result<(), DbErr> {
    enrollments(connection, seed).await?;
    words(connection, seed).await?;
    places(connection, seed).await?;
    organisations(connection, seed).await?;
    same_student(connection, seed).await?;
    scores(connection, seed).await?;
    students(connection, seed).await?;
    sanctions(connection, seed).await?;
    concerns(connection, seed).await?;
    logins(connection, seed).await
}

/// Refused by the check of this name.
fn refused<T: std::fmt::Debug>(result: Result<T, DbErr>, check: &str) {
    match result {
        Err(error) => assert!(error.to_string().contains(check), "{check}: {error}"),
        Ok(row) => panic!("{check} admits {row:?}"),
    }
}

/// Refused because such a row exists.
fn duplicate<T: std::fmt::Debug>(
    result: Result<T, DbErr>,
    index: &str,
    connection: &DatabaseConnection,
) {
    match result {
        Err(error) => {
            assert!(
                matches!(error.sql_err(), Some(SqlErr::UniqueConstraintViolation(_))),
                "{index}: {error}"
            );
            // SQLite names the columns instead of the index.
            if connection.get_database_backend() == DbBackend::Postgres {
                assert!(error.to_string().contains(index), "{index}: {error}");
            }
        }
        Ok(row) => panic!("{index} admits {row:?}"),
    }
}

/// Refused because something would refer to nothing. By text: `sql_err` does not know the code that SQLite
/// gives where the row referred to is deleted.
fn dangling<T: std::fmt::Debug>(result: Result<T, DbErr>) {
    match result {
        Err(error) => assert!(error.to_string().to_lowercase().contains("foreign key"), "{error}"),
        Ok(row) => panic!("refers to nothing: {row:?}"),
    }
}

async fn enrollments(connection: &DatabaseConnection, seed: &Seed) -> Result<(), DbErr> {
    let second = enrollment(seed, seed.student, EnrollmentState::Enrolled)?;
    duplicate(
        second.clone().into_active_model().insert(connection).await,
        "uq_enrollment_live",
        connection,
    );

    let deleted = enrollment::Model { lifecycle: Lifecycle::Deleted, ..second };
    deleted.into_active_model().insert(connection).await?;
    let ended = enrollment(seed, seed.student, EnrollmentState::Graduated)?;
    ended.into_active_model().insert(connection).await?;

    let mut untrue = enrollment(seed, seed.other_student, EnrollmentState::Graduated)?;
    untrue.live = true;
    refused(untrue.into_active_model().insert(connection).await, "ck_enrollment_live");
    let mut untrue = enrollment(seed, seed.other_student, EnrollmentState::Enrolled)?;
    untrue.live = false;
    refused(untrue.into_active_model().insert(connection).await, "ck_enrollment_live");

    let mut nowhere = enrollment(seed, seed.other_student, EnrollmentState::Enrolled)?;
    nowhere.school_id = OrganisationId::new();
    dangling(nowhere.into_active_model().insert(connection).await);
    dangling(student::Entity::delete_by_id(seed.student).exec(connection).await);
    Ok(())
}

async fn words(connection: &DatabaseConnection, seed: &Seed) -> Result<(), DbErr> {
    for column in ["state", "stage", "lifecycle"] {
        let update = enrollment::Entity::update_many()
            .col_expr(
                match column {
                    "state" => enrollment::Column::State,
                    "stage" => enrollment::Column::Stage,
                    _ => enrollment::Column::Lifecycle,
                },
                Expr::value("no such word"),
            )
            .filter(enrollment::Column::StudentId.eq(seed.student))
            .filter(enrollment::Column::Live.eq(false));
        refused(update.exec(connection).await, &format!("ck_enrollment_{column}"));
    }
    let update =
        student::Entity::update_many().col_expr(student::Column::Transport, Expr::value("Walk"));
    refused(update.exec(connection).await, "ck_student_transport");
    Ok(())
}

/// A grant of a reach with the places in the order student, class, course, year level, organisation.
fn grant(seed: &Seed, reach: &str, places: [bool; 5]) -> Result<access_grant::ActiveModel, DbErr> {
    let [student, class_group, course, year_level, organisation] = places;
    Ok(access_grant::ActiveModel {
        id: Set(AccessGrantId::new()),
        account_id: Set(seed.account),
        role: Set("teacher".to_owned()),
        reach: Set(reach.to_owned()),
        student_id: Set(student.then_some(seed.student)),
        class_group_id: Set(class_group.then_some(seed.class_group)),
        course_id: Set(course.then_some(seed.course)),
        year_level_id: Set(year_level.then_some(seed.year_level)),
        organisation_id: Set(organisation.then_some(seed.school)),
        since: Set(day(2025, 9, 1)?),
        until: Set(None),
        ended_at: Set(None),
        expires_at: Set(None),
        granted_by_id: Set(None),
        delegated_from_id: Set(None),
        reason: Set(None),
        origin: Set(None),
        origin_id: Set(None),
    })
}

async fn places(connection: &DatabaseConnection, seed: &Seed) -> Result<(), DbErr> {
    for (reach, fitting) in [
        ("own", [true, false, false, false, false]),
        ("ward", [true, false, false, false, false]),
        ("teaching", [false, true, true, false, false]),
        ("class", [false, true, false, false, false]),
        ("year_level", [false, false, false, true, false]),
        ("school", [false, false, false, false, true]),
        ("region", [false, false, false, false, true]),
        ("anywhere", [false; 5]),
    ] {
        grant(seed, reach, fitting)?.insert(connection).await?;
        for column in 0..fitting.len() {
            let mut other = fitting;
            other[column] = !other[column];
            refused(grant(seed, reach, other)?.insert(connection).await, "ck_access_grant_");
        }
    }
    refused(
        grant(seed, "elsewhere", [false; 5])?.insert(connection).await,
        "ck_access_grant_reach",
    );

    let mut backwards = grant(seed, "anywhere", [false; 5])?;
    backwards.until = Set(Some(day(2025, 8, 31)?));
    refused(backwards.insert(connection).await, "ck_access_grant_until");
    Ok(())
}

async fn organisations(connection: &DatabaseConnection, seed: &Seed) -> Result<(), DbErr> {
    let school = organisation::Entity::find_by_id(seed.school).one(connection).await?;
    let Some(school) = school else {
        return Err(DbErr::RecordNotFound("the planted school".to_owned()));
    };
    let twin = organisation::Model { id: OrganisationId::new(), ..school.clone() };
    duplicate(
        twin.into_active_model().insert(connection).await,
        "uq_organisation_school_code",
        connection,
    );
    let short = organisation::Model {
        id: OrganisationId::new(),
        school_code: Some("123".to_owned()),
        ..school
    };
    refused(short.into_active_model().insert(connection).await, "ck_organisation_school_code");

    let authority = |since, until| school_authority::Model {
        id: SchoolAuthorityId::new(),
        school_id: seed.school,
        authority_id: seed.county,
        since,
        until,
    };
    let past = authority(day(2020, 1, 1)?, Some(day(2022, 12, 31)?));
    past.into_active_model().insert(connection).await?;
    authority(day(2023, 1, 1)?, None).into_active_model().insert(connection).await?;
    let second = authority(day(2024, 1, 1)?, None);
    duplicate(
        second.into_active_model().insert(connection).await,
        "uq_school_authority_current",
        connection,
    );
    Ok(())
}

async fn same_student(connection: &DatabaseConnection, seed: &Seed) -> Result<(), DbErr> {
    let member = guardian::ActiveModel {
        student_id: Set(seed.student),
        id: Set(GuardianId::new()),
        position: Set(1),
        name: Set(PersonName::parse("李大红").map_err(wrong)?),
        relation: Set(code("JTGX", "52")?),
        lifecycle: Set(Lifecycle::Live),
        row_version: Set(1),
        updated_at: Set(instant()),
        ..Default::default()
    };
    let member = member.insert(connection).await?;
    let custody = |student_id| -> Result<guardianship::ActiveModel, DbErr> {
        Ok(guardianship::ActiveModel {
            student_id: Set(student_id),
            id: Set(GuardianshipId::new()),
            guardian_id: Set(member.id),
            custody: Set(guardianship::Custody::Sole),
            since: Set(day(2020, 1, 1)?),
            until: Set(None),
            lifecycle: Set(Lifecycle::Live),
            row_version: Set(1),
            updated_at: Set(instant()),
        })
    };
    custody(seed.student)?.insert(connection).await?;
    dangling(custody(seed.other_student)?.insert(connection).await);
    Ok(())
}

async fn scores(connection: &DatabaseConnection, seed: &Seed) -> Result<(), DbErr> {
    let score = |nature: &str, value| -> Result<score::ActiveModel, DbErr> {
        Ok(score::ActiveModel {
            student_id: Set(seed.student),
            id: Set(ScoreId::new()),
            exam_id: Set(seed.exam),
            course_id: Set(seed.course),
            class_group_id: Set(seed.class_group),
            value: Set(value),
            nature: Set(code("KSXZ", nature)?),
            published: Set(false),
            entered_at: Set(instant()),
            lifecycle: Set(Lifecycle::Live),
            row_version: Set(1),
            updated_at: Set(instant()),
            ..Default::default()
        })
    };
    score("01", Some(Thousandths(9_999_900)))?.insert(connection).await?;
    score("11", None)?.insert(connection).await?;
    duplicate(score("01", None)?.insert(connection).await, "uq_score_nature", connection);
    refused(score("12", Some(Thousandths(9_999_901)))?.insert(connection).await, "ck_score_value");
    refused(score("12", Some(Thousandths(-1)))?.insert(connection).await, "ck_score_value");

    let marks = |full, excellence, pass| exam_course::Model {
        id: ExamCourseId::new(),
        exam_id: seed.exam,
        course_id: seed.course,
        full_mark: Thousandths(full),
        pass_mark: Thousandths(pass),
        excellence_mark: Thousandths(excellence),
    };
    for (full, excellence, pass) in [(100, 101, 60), (100, 59, 60), (100, 85, -1)] {
        refused(
            marks(full, excellence, pass).into_active_model().insert(connection).await,
            "ck_exam_course_marks",
        );
    }
    marks(100, 85, 60).into_active_model().insert(connection).await?;
    Ok(())
}

async fn students(connection: &DatabaseConnection, seed: &Seed) -> Result<(), DbErr> {
    let without_number = |id_type| -> Result<student::ActiveModel, DbErr> {
        Ok(student::ActiveModel {
            id: Set(seed.other_student),
            id_type: Set(code("SFZJLX", id_type)?),
            id_number: Set(None),
            id_number_hash: Set(None),
            ..Default::default()
        })
    };
    refused(without_number("1")?.update(connection).await, "ck_student_id_number");
    without_number("Z")?.update(connection).await?;
    Ok(())
}

async fn sanctions(connection: &DatabaseConnection, seed: &Seed) -> Result<(), DbErr> {
    let sanction = |state, lifted_on| -> Result<sanction::Model, DbErr> {
        Ok(sanction::Model {
            student_id: seed.student,
            id: SanctionId::new(),
            kind: code("CFMC", "1")?,
            offence: code("WJLB", "03")?,
            account: Narrative::parse("Left the examination room twice").map_err(wrong)?,
            imposed_on: day(2025, 10, 1)?,
            document_number: None,
            state,
            lifted_on,
            lifting_document: None,
            lifecycle: Lifecycle::Live,
            row_version: 1,
            updated_at: instant(),
        })
    };
    let lifted_on = Some(day(2026, 3, 1)?);
    for (state, lifted_on) in
        [(sanction::SanctionState::Lifted, None), (sanction::SanctionState::InForce, lifted_on)]
    {
        let untrue = sanction(state, lifted_on)?;
        refused(untrue.into_active_model().insert(connection).await, "ck_sanction_lifted_on");
    }
    sanction(sanction::SanctionState::Lifted, lifted_on)?
        .into_active_model()
        .insert(connection)
        .await?;
    Ok(())
}

/// Reports have no satisfaction, opinions have one of five, and what is answered has all of an answer.
async fn concerns(connection: &DatabaseConnection, seed: &Seed) -> Result<(), DbErr> {
    let raised = |kind, satisfaction| concern::Model {
        id: sea_orm::prelude::Uuid::now_v7(),
        kind,
        organisation_id: seed.school,
        raised_by_id: seed.account,
        named: false,
        text: Sealed::from_bytes(vec![1]),
        satisfaction,
        state: concern::ConcernState::Open,
        answer: None,
        answered_by_id: None,
        raised_at: instant(),
        answered_at: None,
    };
    let (feedback, misuse) = (concern::ConcernKind::Feedback, concern::ConcernKind::Misuse);
    for (kind, satisfaction) in [(feedback, 0), (feedback, 6), (misuse, 3)] {
        let untrue = raised(kind, Some(satisfaction)).into_active_model();
        refused(untrue.insert(connection).await, "ck_concern_satisfaction");
    }
    let answer = || Some(Sealed::from_bytes(vec![2]));
    let whole = concern::Model {
        state: concern::ConcernState::Answered,
        answer: answer(),
        answered_by_id: Some(seed.account),
        answered_at: Some(instant()),
        ..raised(feedback, Some(5))
    };
    for (untrue, check) in [
        (concern::Model { answer: None, ..whole.clone() }, "ck_concern_answer"),
        (concern::Model { answered_by_id: None, ..whole.clone() }, "ck_concern_answered_by_id"),
        (concern::Model { answered_at: None, ..whole.clone() }, "ck_concern_answered_at"),
        (concern::Model { answer: answer(), ..raised(misuse, None) }, "ck_concern_answer"),
    ] {
        refused(untrue.into_active_model().insert(connection).await, check);
    }
    for row in [raised(misuse, None), raised(feedback, None), whole] {
        assert_eq!(row.clone().into_active_model().insert(connection).await?, row);
    }
    Ok(())
}

/// Logins differ in case on both databases.
async fn logins(connection: &DatabaseConnection, seed: &Seed) -> Result<(), DbErr> {
    let Some(account) = account::Entity::find_by_id(seed.account).one(connection).await? else {
        return Err(DbErr::RecordNotFound("the planted account".to_owned()));
    };
    let twin = account::Model { id: AccountId::new(), ..account.clone() };
    duplicate(twin.into_active_model().insert(connection).await, "uq_account_login", connection);
    let other =
        account::Model { id: AccountId::new(), login: account.login.to_uppercase(), ..account };
    other.into_active_model().insert(connection).await?;
    Ok(())
}
