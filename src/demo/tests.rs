//! The demo is the same for the same seed, looks like the country, is valid value by value, and fits both databases.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use chrono::NaiveDate;
use sea_orm::{
    ConnectOptions, ConnectionTrait, Database, DatabaseConnection, DbBackend, Statement, Value,
};
use sha2::{Digest, Sha256};
use uuid::Uuid;
use xueji_entity::value::{
    Address, BankAccount, Code, Email, Guarded, IdNumber, NationalStudentNumber, PersonName, Phone,
    PostalCode,
};
use xueji_migration::{Migrator, MigratorTrait};

use super::load;
use super::{Sealer, Sink, Size, generate, persona};
use crate::store::bulk::{Batch, State};

/// Seals nothing, so that the tests can read what was sealed.
struct Open;

impl Sealer for Open {
    fn seal(&self, _: &str, _: &str, _: Uuid, bare: &str) -> anyhow::Result<Vec<u8>> {
        Ok(bare.as_bytes().to_vec())
    }

    fn hash(&self, kind: &str, bare: &str) -> [u8; 32] {
        Sha256::new().chain_update(kind).chain_update([0]).chain_update(bare).finalize().into()
    }
}

#[derive(Default)]
struct Digested(Sha256, usize);

impl Sink for Digested {
    fn write(&mut self, batch: Batch) -> anyhow::Result<()> {
        self.1 += batch.rows.len();
        self.0.update(format!("{} {:?} {:?}", batch.table, batch.columns, batch.rows));
        Ok(())
    }
}

/// Rows as maps from column to value, by table.
#[derive(Default)]
struct Collected(BTreeMap<&'static str, Vec<HashMap<&'static str, Value>>>);

impl Sink for Collected {
    fn write(&mut self, batch: Batch) -> anyhow::Result<()> {
        let rows =
            batch.rows.into_iter().map(|row| batch.columns.iter().copied().zip(row).collect());
        self.0.entry(batch.table).or_default().extend(rows);
        Ok(())
    }
}

impl Collected {
    fn of(size: &Size) -> Self {
        let mut sink = Self::default();
        generate(size, today(), &Open, &mut sink, |_| {}).unwrap();
        sink
    }

    fn rows(&self, table: &str) -> &[HashMap<&'static str, Value>] {
        self.0.get(table).map_or(&[], Vec::as_slice)
    }

    fn share(&self, table: &str, holds: impl Fn(&HashMap<&'static str, Value>) -> bool) -> f64 {
        let rows = self.rows(table);
        rows.iter().filter(|row| holds(row)).count() as f64 / rows.len() as f64
    }
}

fn today() -> NaiveDate {
    NaiveDate::from_ymd_opt(2026, 11, 20).unwrap()
}

#[expect(clippy::wildcard_enum_match_arm, reason = "a column of any other kind fails the test")]
fn text(row: &HashMap<&'static str, Value>, column: &str) -> Option<String> {
    match &row[column] {
        Value::String(text) => text.clone(),
        Value::Bytes(bytes) => bytes.clone().map(|bytes| String::from_utf8(bytes).unwrap()),
        other => panic!("{column} is {other:?}"),
    }
}

fn digest(size: &Size) -> (String, usize) {
    let mut sink = Digested::default();
    generate(size, today(), &Open, &mut sink, |_| {}).unwrap();
    (format!("{:x?}", sink.0.finalize()), sink.1)
}

#[test]
fn the_same_seed_gives_the_same_rows() {
    let size = Size { schools: 5, ..Size::default() };
    let (first, rows) = digest(&size);
    assert_eq!(first, digest(&size).0);
    assert_ne!(first, digest(&Size { seed: size.seed + 1, ..size.clone() }).0);
    let expected = usize::try_from(size.expected_rows()).unwrap();
    assert!(
        (expected * 9 / 10..expected * 11 / 10).contains(&rows),
        "{rows} rows, {expected} expected"
    );
}

#[test]
fn proportions_are_those_of_the_country() {
    let size = Size { schools: 40, students: 30, scores: 0, days: 0, ..Size::default() };
    let all = Collected::of(&size);
    assert_eq!(all.rows("student").len(), 12_000);
    let near = |share: f64, wished: f64, margin: f64| {
        assert!((share - wished).abs() < margin, "{share} instead of {wished}")
    };
    near(
        all.share("student", |row| text(row, "ethnic_group").unwrap().ends_with(":01")),
        0.911,
        0.01,
    );
    near(all.share("student", |row| text(row, "gender").unwrap() == "RDXB:1"), 0.52, 0.02);
    near(all.share("student", |row| text(row, "id_type").unwrap() == "SFZJLX:Z"), 0.004, 0.001);
    near(
        all.share("enrollment", |row| text(row, "state").unwrap() == "transferred_out"),
        0.009,
        0.004,
    );
    near(all.share("enrollment", |row| text(row, "state").unwrap() == "suspended"), 0.0043, 0.002);
    near(all.share("enrollment", |row| text(row, "boarding").unwrap() == "JDFS:2"), 0.25, 0.12);
    near(all.share("student", |row| text(row, "left_behind").unwrap() != "none"), 0.08, 0.05);
    near(all.share("guardianship", |row| row["until"] != Value::ChronoDate(None)), 0.09, 0.04);
    let groups: HashSet<_> =
        all.rows("student").iter().map(|row| text(row, "ethnic_group")).collect();
    assert!(groups.len() > 25, "{} groups", groups.len());
    let names: Vec<String> =
        all.rows("student").iter().filter_map(|row| text(row, "name")).collect();
    assert!(names.iter().any(|name| name.contains('·')));
    assert!(names.iter().any(|name| name.chars().any(|c| u32::from(c) > 0xFFFF)));
}

#[test]
fn the_default_has_every_circumstance() {
    let all = Collected::of(&Size::default());
    let has = |table: &str, column: &str, value: &str| {
        assert!(
            all.share(table, |row| text(row, column).as_deref() == Some(value)) > 0.0,
            "no {table}.{column} {value}"
        );
    };
    for state in ["enrolled", "suspended", "transferred_out"] {
        has("enrollment", "state", state);
    }
    for state in ["lifted", "quashed"] {
        has("sanction", "state", state);
    }
    for custody in ["shared", "sole", "visiting"] {
        has("guardianship", "custody", custody);
    }
    for kind in ["formal", "temporary", "provisional"] {
        has("student_number", "kind", kind);
    }
    for left_behind in ["one_parent", "both_parents"] {
        has("student", "left_behind", left_behind);
    }
    for kind in ["guest", "ordinary"] {
        has("class_membership", "kind", kind);
    }
    has("exam", "state", "draft");
    has("aid_grant", "state", "approved");
    has("score", "absence", "QKWB:1");
    has("score", "nature", "KSXZ:02");
    assert!(!all.rows("history").is_empty());
    let live: Vec<_> = all
        .rows("enrollment")
        .iter()
        .filter(|row| row["live"] == Value::from(true))
        .map(|row| &row["student_id"])
        .collect();
    assert_eq!(live.len(), 1000);
    assert_eq!(live.iter().collect::<HashSet<_>>().len(), 1000);
    let scores = all.rows("score").len();
    assert!((17_500..=18_000).contains(&scores), "{scores} scores");

    let personas =
        generate(&Size::default(), today(), &Open, &mut Digested::default(), |_| {}).unwrap();
    for name in persona::NAMES {
        assert!(personas.get(name).is_some(), "no {name}");
    }
    assert!(personas.get("guardian").unwrap().student_ids.len() > 1);
    let homeroom = personas.get("homeroom teacher").unwrap();
    assert_eq!(homeroom.student_ids.len(), 3);
    let (exam, class) =
        (Value::from(homeroom.exam_id.unwrap()), Value::from(homeroom.class_group_id.unwrap()));
    let marks = all
        .rows("score")
        .iter()
        .filter(|row| row["exam_id"] == exam && row["class_group_id"] == class);
    assert!(marks.filter(|row| row["published"] == Value::from(true)).count() > 25);
}

#[test]
fn every_value_is_one_that_the_registry_accepts() {
    let all = Collected::of(&Size { scores: 2, days: 2, ..Size::default() });
    for row in all.rows("student") {
        let kind = text(row, "id_type").unwrap();
        match text(row, "id_number") {
            None => assert_eq!(kind, "SFZJLX:Z"),
            Some(bare) => {
                let number = IdNumber::parse_for(&kind, &bare, today()).unwrap();
                assert_eq!(number.number.expose(), bare);
                if kind == "SFZJLX:1" {
                    assert!(number.warnings.is_empty(), "{:?}", number.warnings);
                    let male = text(row, "gender").unwrap() == "RDXB:1";
                    assert_eq!(bare.as_bytes()[16] % 2 == 1, male);
                    assert_eq!(
                        row["birth_date"],
                        Value::from(NaiveDate::parse_from_str(&bare[6..14], "%Y%m%d").unwrap())
                    );
                }
            }
        }
        let status = text(row, "national_student_number").unwrap();
        assert_eq!(NationalStudentNumber::parse(&status).unwrap().expose(), status);
        for (column, refused) in [
            (
                "name",
                text(row, "name").is_some_and(|bare| {
                    PersonName::parse(&bare).map(|value| value.expose() != bare).unwrap_or(true)
                }),
            ),
            ("phone", text(row, "phone").is_some_and(|bare| Phone::parse(&bare).is_err())),
            ("email", text(row, "email").is_some_and(|bare| Email::parse(&bare).is_err())),
            (
                "postal_code",
                text(row, "postal_code").is_some_and(|bare| PostalCode::parse(&bare).is_err()),
            ),
            (
                "home_address",
                text(row, "home_address").is_some_and(|bare| {
                    Address::parse(&bare).is_err() || Address::mask_text(&bare) == "***"
                }),
            ),
        ] {
            assert!(!refused, "{column}");
        }
    }
    for row in all.rows("guardian") {
        if let Some(bare) = text(row, "id_number") {
            assert!(IdNumber::parse_for("SFZJLX:1", &bare, today()).unwrap().warnings.is_empty());
        }
        assert!(PersonName::parse(&text(row, "name").unwrap()).is_ok());
    }
    for row in all.rows("aid_grant") {
        assert!(BankAccount::parse(&text(row, "bank_account").unwrap()).is_ok());
    }
    for row in all.rows("account") {
        assert!(PersonName::parse(&text(row, "display_name").unwrap()).is_ok());
    }
    // Whatever looks like a code is one of a known list.
    let mut codes = HashSet::new();
    for value in all.0.values().flatten().flat_map(HashMap::values) {
        if let Value::String(Some(text)) = value
            && let Some((list, _)) = text.split_once(':')
            && !list.is_empty()
            && list.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit())
        {
            codes.insert(text.clone());
        }
    }
    assert!(codes.len() > 60);
    for code in codes {
        assert!(Code::parse(&code).is_ok(), "{code}");
        assert!(xueji_entity::value::code::entry(&code).is_some(), "{code} is in no list");
    }
}

#[test]
fn impossible_sizes_are_refused() {
    for size in [
        Size { counties: 0, ..Size::default() },
        Size { schools: 1, ..Size::default() },
        Size { scores: 100, ..Size::default() },
    ] {
        assert!(size.check().is_err());
    }
}

/// Foreign keys and indexes of PostgreSQL; SQLite keeps its own all the time.
async fn shape(db: &DatabaseConnection) -> Vec<String> {
    if db.get_database_backend() != DbBackend::Postgres {
        return Vec::new();
    }
    let sql = "SELECT conname || ' ' || pg_get_constraintdef(oid) || convalidated FROM pg_constraint WHERE contype = 'f' \
        UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1";
    let rows = db.query_all_raw(Statement::from_string(DbBackend::Postgres, sql)).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// Loads the demo twice, then a fresh load after an interrupted one.
async fn load_and_reload(db: DatabaseConnection) {
    Migrator::up(&db, None).await.unwrap();
    let bulk = load::bulk(db.clone());
    let size = Size::default();
    let shape_before = shape(&db).await;
    assert_eq!(bulk.state().await.unwrap(), State::Empty);

    // An interrupted load: some rows, no end.
    let mut early = bulk.begin(size.expected_rows()).await.unwrap();
    let id = Value::from(Uuid::from_u128(1));
    let columns = &["id", "level", "name"];
    let rows = vec![vec![id, Value::from("nation"), Value::from("half\ta\\load")]];
    early.write(Batch { table: "organisation", columns, rows }).await.unwrap();
    drop(early);
    assert_eq!(bulk.state().await.unwrap(), State::Interrupted);
    assert!(bulk.begin(1).await.is_err());

    let record = load::ensure(&bulk, &size, today(), Arc::new(Open)).await.unwrap();
    let again = load::ensure(&bulk, &Size { seed: 1, ..size.clone() }, today(), Arc::new(Open))
        .await
        .unwrap();
    assert_eq!(record, again);
    assert!(bulk.begin(1).await.is_err());
    assert!(bulk.clean().await.is_err());

    let all = Collected::of(&size);
    for (table, rows) in &all.0 {
        let statement = Statement::from_string(
            db.get_database_backend(),
            format!("SELECT COUNT(*) FROM {table}"),
        );
        let count: i64 =
            db.query_one_raw(statement).await.unwrap().unwrap().try_get_by_index(0).unwrap();
        assert_eq!(usize::try_from(count).unwrap(), rows.len(), "{table}");
    }
    // What was written reads back as the entities have it.
    let model =
        <xueji_entity::student::Entity as sea_orm::EntityTrait>::find().one(&db).await.unwrap();
    assert!(model.is_some());
    if db.get_database_backend() == DbBackend::Postgres {
        // Keys and indexes that the load set aside are back.
        assert!(!shape_before.is_empty());
        assert_eq!(shape_before, shape(&db).await);
    }
    if db.get_database_backend() == DbBackend::Sqlite {
        let broken = db
            .query_all_raw(Statement::from_string(DbBackend::Sqlite, "PRAGMA foreign_key_check"))
            .await
            .unwrap();
        assert!(broken.is_empty(), "{} broken references", broken.len());
    }
}

#[tokio::test]
async fn the_demo_loads_into_sqlite() {
    let folder = tempfile::tempdir().unwrap();
    let mut options =
        ConnectOptions::new(format!("sqlite://{}/demo.sqlite?mode=rwc", folder.path().display()));
    options.sqlx_logging(false).map_sqlx_sqlite_opts(|options| options.foreign_keys(true));
    let db = Database::connect(options).await.unwrap();
    load_and_reload(db.clone()).await;
    db.close().await.unwrap();
}

#[tokio::test]
async fn any_day_of_the_year_will_do() {
    let folder = tempfile::tempdir().unwrap();
    for (place, (year, month, day)) in
        [(2026, 9, 1), (2026, 9, 8), (2027, 1, 30), (2027, 5, 20), (2028, 2, 29), (2028, 8, 31)]
            .into_iter()
            .enumerate()
    {
        let mut options = ConnectOptions::new(format!(
            "sqlite://{}/{place}.sqlite?mode=rwc",
            folder.path().display()
        ));
        options.sqlx_logging(false).map_sqlx_sqlite_opts(|options| options.foreign_keys(true));
        let db = Database::connect(options).await.unwrap();
        Migrator::up(&db, None).await.unwrap();
        let size = Size { classes: 9, students: 8, ..Size::default() };
        let today = NaiveDate::from_ymd_opt(year, month, day).unwrap();
        let record =
            load::ensure(&load::bulk(db.clone()), &size, today, Arc::new(Open)).await.unwrap();
        assert_eq!(record.personas.0.len(), persona::NAMES.len(), "{today}");
        assert!(
            record.personas.get("homeroom teacher").unwrap().exam_id.is_some() || month == 9,
            "{today}"
        );
        db.close().await.unwrap();
    }
}

#[tokio::test]
async fn the_demo_loads_into_postgres() {
    #[expect(clippy::disallowed_methods, reason = "a test is told its server by the environment")]
    let Ok(server) = std::env::var("TEST_DATABASE_URL") else { return };
    let name = format!("xueji_demo_{}", Uuid::now_v7().simple());
    let admin = Database::connect(&server).await.unwrap();
    admin.execute_unprepared(&format!("CREATE DATABASE {name}")).await.unwrap();
    let (base, _) = server
        .rsplit_once('/')
        .filter(|(base, _)| base.contains("//") && !base.ends_with('/'))
        .unwrap_or((&server, ""));
    let mut options = ConnectOptions::new(format!("{base}/{name}"));
    options.sqlx_logging(false);
    let db = Database::connect(options).await.unwrap();
    let done = tokio::spawn(load_and_reload(db.clone())).await;
    db.close().await.unwrap();
    admin.execute_unprepared(&format!("DROP DATABASE {name} WITH (FORCE)")).await.unwrap();
    done.unwrap();
}
