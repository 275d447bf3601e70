//! Every entity against its table: the same tables, the same columns in the same order, readable types, and
//! the words of every enum.

use std::collections::BTreeSet;

use sea_orm::{
    ActiveEnum, ConnectionTrait, DatabaseConnection, DbBackend, DbErr, EntityTrait, IdenStatic,
    Iterable, QuerySelect, Statement,
};
use xueji_entity as e;

/// All tables of the schema.
pub(crate) async fn tables(connection: &DatabaseConnection) -> Result<Vec<String>, DbErr> {
    let query = if connection.get_database_backend() == DbBackend::Postgres {
        "SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public' \
         AND table_type = 'BASE TABLE'"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
    };
    let mut names = strings(connection, query.to_owned()).await?;
    names.retain(|name| name != "seaql_migrations");
    names.sort();
    Ok(names)
}

/// Fails unless every entity fits its table and every table has an entity.
pub(crate) async fn all_fit(connection: &DatabaseConnection) -> Result<(), DbErr> {
    let mut seen = BTreeSet::new();
    macro_rules! fit {
        ($($table:ident),+ $(,)?) => {$(
            seen.insert(fits::<e::$table::Entity>(connection).await?);
        )+};
    }
    fit!(
        access_grant,
        access_review,
        account,
        account_identity,
        act_try,
        activation_code,
        aid_grant,
        aid_programme,
        api_client,
        archive,
        archive_item,
        attendance,
        audit,
        class_group,
        class_membership,
        concern,
        course,
        credential,
        data_key,
        deployment,
        destroyed_row,
        destruction_batch,
        destruction_certificate,
        destruction_item,
        disclosure_entry,
        disclosure_line,
        disclosure_progress,
        disclosure_set,
        duty,
        emergency_stop,
        enrollment,
        exam,
        exam_course,
        grant_request,
        grant_review,
        guardian,
        guardianship,
        history,
        idempotency,
        identity_document,
        key_rewrite,
        legal_hold,
        log_key,
        login_session,
        lookup_key,
        organisation,
        outbox,
        password_history,
        policy_version,
        recovery_code,
        retired_secret,
        restriction,
        reward,
        sanction,
        school_authority,
        school_year,
        score,
        seal,
        seal_head,
        seal_lease,
        seal_partition,
        seal_waiting,
        snapshot,
        snapshot_aid,
        snapshot_attendance,
        snapshot_cell,
        snapshot_class,
        snapshot_paper,
        snapshot_school,
        snapshot_score,
        snapshot_student,
        staff,
        student,
        student_key,
        student_number,
        term,
        year_level,
    );
    assert_eq!(Vec::from_iter(seen.clone()), tables(connection).await?, "each table has an entity");
    // A view, read like a table.
    fits::<e::disclosure::Entity>(connection).await?;

    for table in seen {
        if columns(connection, &table).await?.iter().any(|column| column == "lifecycle") {
            offers::<e::lifecycle::Lifecycle>(connection, &table, "lifecycle").await?;
        }
    }
    offers::<e::organisation::OrganisationLevel>(connection, "organisation", "level").await?;
    offers::<e::stage::Stage>(connection, "year_level", "stage").await?;
    offers::<e::stage::Stage>(connection, "course", "stage").await?;
    offers::<e::stage::Stage>(connection, "enrollment", "stage").await?;
    offers::<e::stage::Stage>(connection, "aid_programme", "stage").await?;
    offers::<e::exam::ExamKind>(connection, "exam", "kind").await?;
    offers::<e::exam::ExamState>(connection, "exam", "state").await?;
    offers::<e::duty::DutyKind>(connection, "duty", "kind").await?;
    offers::<e::aid_programme::AidKind>(connection, "aid_programme", "kind").await?;
    offers::<e::account::AccountKind>(connection, "account", "kind").await?;
    offers::<e::grant_request::RequestState>(connection, "grant_request", "state").await?;
    offers::<e::access_review::ReviewState>(connection, "access_review", "state").await?;
    offers::<e::student::LeftBehind>(connection, "student", "left_behind").await?;
    offers::<e::student::Transport>(connection, "student", "transport").await?;
    offers::<e::student_number::StudentNumberKind>(connection, "student_number", "kind").await?;
    offers::<e::guardianship::Custody>(connection, "guardianship", "custody").await?;
    offers::<e::enrollment::EnrollmentState>(connection, "enrollment", "state").await?;
    offers::<e::class_membership::MembershipKind>(connection, "class_membership", "kind").await?;
    offers::<e::archive::ArchiveState>(connection, "archive", "state").await?;
    offers::<e::concern::ConcernKind>(connection, "concern", "kind").await?;
    offers::<e::concern::ConcernState>(connection, "concern", "state").await?;
    offers::<e::archive_item::ArchiveCategory>(connection, "archive_item", "category").await?;
    offers::<e::attendance::AttendanceKind>(connection, "attendance", "kind").await?;
    offers::<e::sanction::SanctionState>(connection, "sanction", "state").await?;
    offers::<e::aid_grant::AidState>(connection, "aid_grant", "state").await?;
    offers::<e::snapshot::SnapshotKind>(connection, "snapshot", "kind").await?;
    offers::<e::audit::AuditOutcome>(connection, "audit", "outcome").await
}

/// The name of the table, once it agrees with the entity.
async fn fits<E: EntityTrait>(connection: &DatabaseConnection) -> Result<String, DbErr> {
    let table = E::default().table_name().to_owned();
    let expected: Vec<String> =
        E::Column::iter().map(|column| column.as_str().to_owned()).collect();
    assert_eq!(columns(connection, &table).await?, expected, "columns of {table}");

    let query = format!("SELECT \"{}\" FROM \"{table}\" LIMIT 0", expected.join("\", \""));
    connection
        .execute_raw(Statement::from_string(connection.get_database_backend(), query))
        .await?;
    E::find().limit(1).all(connection).await?;
    Ok(table)
}

/// Columns of a table, in order.
async fn columns(connection: &DatabaseConnection, table: &str) -> Result<Vec<String>, DbErr> {
    let query = if connection.get_database_backend() == DbBackend::Postgres {
        format!(
            "SELECT column_name AS name FROM information_schema.columns \
             WHERE table_schema = 'public' AND table_name = '{table}' ORDER BY ordinal_position"
        )
    } else {
        format!("SELECT name FROM pragma_table_info('{table}') ORDER BY cid")
    };
    strings(connection, query).await
}

/// Fails unless the check of a column offers the words of the enum, in order. Both databases get the same
/// statement; SQLite keeps its text.
async fn offers<A: ActiveEnum<Value = String>>(
    connection: &DatabaseConnection,
    table: &str,
    column: &str,
) -> Result<(), DbErr> {
    if connection.get_database_backend() != DbBackend::Sqlite {
        return Ok(());
    }
    let query =
        format!("SELECT sql AS name FROM sqlite_master WHERE type = 'table' AND name = '{table}'");
    let statement = strings(connection, query).await?.concat();
    let check = format!(
        "CONSTRAINT \"ck_{table}_{column}\" CHECK (\"{column}\" IN ('{}'))",
        A::values().join("', '")
    );
    assert!(statement.contains(&check), "{check} in {statement}");
    Ok(())
}

async fn strings(connection: &DatabaseConnection, query: String) -> Result<Vec<String>, DbErr> {
    connection
        .query_all_raw(Statement::from_string(connection.get_database_backend(), query))
        .await?
        .iter()
        .map(|row| row.try_get("", "name"))
        .collect()
}
