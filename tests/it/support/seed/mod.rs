//! A small registry whose every personal value is a mark of its own: found anywhere it must not be, it names the
//! column and the row it came from.

mod places;
mod pupils;
mod records;

use chrono::{Days, NaiveDate};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelBehavior, ColumnTrait, DatabaseConnection, DatabaseTransaction, EntityTrait,
    QueryFilter, SqliteTransactionMode, TransactionOptions, TransactionTrait,
};
use uuid::Uuid;
use xueji::store::codec;
use xueji::store::keys::envelope::EnvelopeCodec;
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::value::{
    AidProgrammeId, ClassGroupId, Code, CourseId, EnrollmentId, ExamId, Guarded, LookupHash,
    OrganisationId, SchoolYearId, Sealed, StaffId, StudentId, TermId, YearLevelId, resident,
};
use xueji_entity::{
    aid_grant, aid_programme, archive, archive_item, attendance, class_membership, duty,
    enrollment, guardian, guardianship, identity_document, reward, sanction, score, student,
    student_number,
};

use super::app::App;

/// How large the registry is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// Classes of the first year level of the first school.
    pub(crate) classes: usize,
    /// Students of each class.
    pub(crate) students: usize,
}

impl Default for Shape {
    fn default() -> Self {
        Self { classes: 2, students: 3 }
    }
}

/// A class.
#[derive(Clone, Debug)]
pub(crate) struct Class {
    pub(crate) id: ClassGroupId,
    pub(crate) students: Vec<StudentId>,
    pub(crate) enrollments: Vec<EnrollmentId>,
}

/// A year level with its examinations.
#[derive(Clone, Debug)]
pub(crate) struct Level {
    pub(crate) id: YearLevelId,
    pub(crate) classes: Vec<Class>,
    /// Its scores are published.
    pub(crate) exam: ExamId,
    /// Its scores are not.
    pub(crate) draft: ExamId,
}

/// A school.
#[derive(Clone, Debug)]
pub(crate) struct School {
    pub(crate) id: OrganisationId,
    pub(crate) levels: Vec<Level>,
}

/// The planted registry: a province, a city, two counties, two schools in the first and one in the second.
#[derive(Clone, Debug)]
pub(crate) struct Seed {
    pub(crate) province: OrganisationId,
    pub(crate) city: OrganisationId,
    pub(crate) counties: [OrganisationId; 2],
    pub(crate) schools: Vec<School>,
    pub(crate) courses: Vec<CourseId>,
    pub(crate) school_year: SchoolYearId,
    pub(crate) term: TermId,
}

impl Seed {
    /// The class at this place.
    pub(crate) fn class(&self, school: usize, level: usize, class: usize) -> &Class {
        &self.schools[school].levels[level].classes[class]
    }

    /// The first class of the first school.
    pub(crate) fn first(&self) -> &Class {
        self.class(0, 0, 0)
    }
}

impl App {
    /// The application with a small registry in it.
    pub(crate) async fn school() -> (Self, Seed) {
        Self::school_of(Shape::default()).await
    }

    /// The application with a registry of this shape in it.
    pub(crate) async fn school_of(shape: Shape) -> (Self, Seed) {
        let app = Self::start().await;
        let seed = app.plant(shape).await;
        (app, seed)
    }

    /// Plants one pupil more in each of these classes, with all that hangs from one: live, or deleted by the record of
    /// the pupil alone. `turn` tells their values from those of others.
    pub(crate) async fn plant_more(
        &self,
        seed: &Seed,
        classes: &[(usize, usize, usize)],
        turn: u64,
        deleted: bool,
    ) {
        let programme = aid_programme::Entity::find().one(self.db()).await.unwrap().unwrap().id;
        let transaction = begun(self.db()).await;
        let mut planter = Planter::new(self, &transaction, turn);
        for (at, (school, level, class)) in classes.iter().enumerate() {
            let (of, group) = (&seed.schools[*school], seed.class(*school, *level, *class).id);
            let level = &of.levels[*level];
            let teacher = duty::Entity::find()
                .filter(duty::Column::ClassGroupId.eq(group))
                .one(&transaction)
                .await
                .unwrap()
                .unwrap()
                .staff_id;
            let pupil = Pupil {
                id: planter.pupil_id(),
                school: of.id,
                level: level.id,
                class: group,
                seat: i64::try_from(turn).unwrap() + i64::try_from(at).unwrap(),
                exam: level.exam,
                draft: level.draft,
                teacher,
                programme,
            };
            planter.pupil(seed, &pupil);
            if deleted && let Some(student) = planter.rows.students.last_mut() {
                student.lifecycle = Set(Lifecycle::Deleted);
            }
        }
        planter.flush().await;
        transaction.commit().await.unwrap();
    }

    /// Plants a registry.
    pub(crate) async fn plant(&self, shape: Shape) -> Seed {
        let transaction = begun(self.db()).await;
        let mut planter = Planter::new(self, &transaction, 0);
        let seed = planter.registry(shape).await;
        planter.flush().await;
        transaction.commit().await.unwrap();
        seed
    }
}

/// A code of a list.
pub(crate) fn code(text: &str) -> Code {
    let (list, code) = text.split_once(':').unwrap();
    Code::new(list, code).unwrap()
}

/// A day.
pub(crate) fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn later(from: &str, days: u64) -> NaiveDate {
    day(from) + Days::new(days)
}

/// A text of letters alone, since names have no digits.
pub(crate) fn mark(tag: &str, turn: u64) -> String {
    let letter =
        |place: u32| char::from(b'a' + u8::try_from(turn / 26_u64.pow(place) % 26).unwrap());
    format!("Mk{tag}{}{}{}{}", letter(3), letter(2), letter(1), letter(0))
}

/// An 18-character number with its check character.
fn personal_code(division: &str, born: NaiveDate, turn: u64) -> String {
    let digits = format!("{division}{}{:03}", born.format("%Y%m%d"), turn % 1000);
    let check = resident::check_character(&digits).unwrap();
    format!("{digits}{check}")
}

/// The instant that planted ids carry: 1 September 2024.
const PLANTED_AT_MS: u64 = 1_725_120_000_000;
/// More than a planter makes, so that two that begin at turns of their own share none.
const IDS_OF_A_TURN: u64 = 1 << 20;

fn planted(number: u64) -> Uuid {
    let mut bytes = [0; 10];
    bytes[2..].copy_from_slice(&number.to_be_bytes());
    uuid::Builder::from_unix_timestamp_millis(PLANTED_AT_MS, &bytes).into_uuid()
}

#[derive(Default)]
struct Rows {
    students: Vec<student::ActiveModel>,
    documents: Vec<identity_document::ActiveModel>,
    numbers: Vec<student_number::ActiveModel>,
    guardians: Vec<guardian::ActiveModel>,
    guardianships: Vec<guardianship::ActiveModel>,
    enrollments: Vec<enrollment::ActiveModel>,
    memberships: Vec<class_membership::ActiveModel>,
    archives: Vec<archive::ActiveModel>,
    items: Vec<archive_item::ActiveModel>,
    scores: Vec<score::ActiveModel>,
    attendance: Vec<attendance::ActiveModel>,
    rewards: Vec<reward::ActiveModel>,
    sanctions: Vec<sanction::ActiveModel>,
    aid: Vec<aid_grant::ActiveModel>,
}

struct Planter<'a> {
    db: &'a DatabaseTransaction,
    codec: std::sync::Arc<EnvelopeCodec>,
    turn: u64,
    ids: u64,
    pupils: u64,
    rows: Rows,
}

/// A transaction that waits for its turn at once: on SQLite one that has read may no longer begin to write.
async fn begun(db: &DatabaseConnection) -> DatabaseTransaction {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    db.begin_with_options(options).await.unwrap()
}

async fn all<E>(db: &DatabaseTransaction, rows: Vec<E::ActiveModel>)
where
    E: EntityTrait,
    E::ActiveModel: ActiveModelBehavior + Send,
{
    // SQLite takes 32,766 values in a statement, and a student has 50.
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        let some: Vec<_> = rows.by_ref().take(400).collect();
        E::insert_many(some).exec_without_returning(db).await.unwrap();
    }
}

impl<'a> Planter<'a> {
    fn new(app: &App, db: &'a DatabaseTransaction, turn: u64) -> Self {
        let first = turn * IDS_OF_A_TURN;
        Self { db, codec: app.codec(), turn, ids: first, pupils: first, rows: Rows::default() }
    }

    /// The next id of a row. They are the same in every run, later than the one before, and earlier than those that the
    /// server makes.
    fn id<T: From<Uuid>>(&mut self) -> T {
        self.ids += 1;
        planted(self.ids).into()
    }

    /// The next id of a pupil. What is drawn for a pupil in figures rests on it, so the same pupils have the same in every
    /// run, whatever else is planted with them: a test of figures has no luck.
    fn pupil_id(&mut self) -> StudentId {
        self.pupils += 1;
        planted(self.pupils).into()
    }

    async fn flush(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        all::<student::Entity>(self.db, rows.students).await;
        all::<identity_document::Entity>(self.db, rows.documents).await;
        all::<student_number::Entity>(self.db, rows.numbers).await;
        all::<guardian::Entity>(self.db, rows.guardians).await;
        all::<guardianship::Entity>(self.db, rows.guardianships).await;
        all::<enrollment::Entity>(self.db, rows.enrollments).await;
        all::<class_membership::Entity>(self.db, rows.memberships).await;
        all::<archive::Entity>(self.db, rows.archives).await;
        all::<archive_item::Entity>(self.db, rows.items).await;
        all::<score::Entity>(self.db, rows.scores).await;
        all::<attendance::Entity>(self.db, rows.attendance).await;
        all::<reward::Entity>(self.db, rows.rewards).await;
        all::<sanction::Entity>(self.db, rows.sanctions).await;
        all::<aid_grant::Entity>(self.db, rows.aid).await;
    }

    fn seal<T: Guarded>(&self, table: &str, column: &str, row: Uuid, bare: &str) -> Sealed<T> {
        codec::seal(&*self.codec, table, column, row, &T::parse(bare).unwrap()).unwrap()
    }

    fn hash<T: Guarded>(&self, bare: &str) -> LookupHash {
        codec::hash(&*self.codec, &T::parse(bare).unwrap())
    }
}

struct Pupil {
    id: StudentId,
    school: OrganisationId,
    level: YearLevelId,
    class: ClassGroupId,
    seat: i64,
    exam: ExamId,
    draft: ExamId,
    teacher: StaffId,
    programme: AidProgrammeId,
}
