//! A small registry whose every personal value is a mark of its own: found anywhere it must not be, it names the
//! column and the row it came from.

use chrono::{Days, NaiveDate};
use sea_orm::ActiveValue::Set;
use sea_orm::{
    ActiveModelBehavior, ActiveModelTrait, ColumnTrait, DatabaseTransaction, EntityTrait,
    IntoActiveModel, QueryFilter, TransactionTrait,
};
use uuid::Uuid;
use xueji::store::codec::{self, PlainCodec};
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::stage::Stage;
use xueji_entity::value::{
    AidGrantId, AidProgrammeId, ArchiveId, ArchiveItemId, AttendanceId, ClassGroupId,
    ClassMembershipId, Code, CourseId, DutyId, EnrollmentId, ExamCourseId, ExamId, Fen, Guarded,
    GuardianId, GuardianshipId, IdentityDocumentId, LookupHash, Narrative, NationalStudentNumber,
    OrganisationId, PersonName, RewardId, SanctionId, SchoolAuthorityId, SchoolYearId, ScoreId,
    Sealed, StaffId, StudentId, StudentNumberId, TermId, Thousandths, YearLevelId, resident,
};
use xueji_entity::{
    aid_grant, aid_programme, archive, archive_item, attendance, class_group, class_membership,
    course, duty, enrollment, exam, exam_course, guardian, guardianship, identity_document,
    organisation, reward, sanction, school_authority, school_year, score, staff, student,
    student_number, term, year_level,
};

use super::app::{App, clock, codec};

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
        let transaction = self.db().begin().await.unwrap();
        let mut planter = Planter { db: &transaction, codec: codec(), turn, rows: Rows::default() };
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
                id: StudentId::new(),
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
        let transaction = self.db().begin().await.unwrap();
        let mut planter =
            Planter { db: &transaction, codec: codec(), turn: 0, rows: Rows::default() };
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
    codec: PlainCodec,
    turn: u64,
    rows: Rows,
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

impl Planter<'_> {
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
        codec::seal(&self.codec, table, column, row, &T::parse(bare).unwrap())
    }

    fn hash<T: Guarded>(&self, bare: &str) -> LookupHash {
        codec::hash(&self.codec, &T::parse(bare).unwrap())
    }

    async fn organisation(
        &self,
        level: organisation::OrganisationLevel,
        above: &[OrganisationId],
        name: &str,
        school_code: Option<String>,
    ) -> OrganisationId {
        use organisation::OrganisationLevel::School;
        let id = OrganisationId::new();
        let school = level == School;
        let row = organisation::ActiveModel {
            id: Set(id),
            level: Set(level),
            parent_id: Set(above.last().copied()),
            name: Set(name.to_owned()),
            school_code: Set(school_code),
            school_kind: Set(school.then(|| code("BXLX:211"))),
            province_id: Set(above.get(1).copied()),
            city_id: Set(above.get(2).copied()),
            county_id: Set(above.get(3).copied()),
            ..Default::default()
        };
        row.insert(self.db).await.unwrap();
        id
    }

    async fn registry(&mut self, shape: Shape) -> Seed {
        use organisation::OrganisationLevel as At;
        let nation = self.organisation(At::Nation, &[], "全国", None).await;
        let province = self.organisation(At::Province, &[nation], "甲省", None).await;
        let above = [nation, province];
        let city = self.organisation(At::City, &above, "乙市", None).await;
        let above = [nation, province, city];
        let counties = [
            self.organisation(At::County, &above, "东县", None).await,
            self.organisation(At::County, &above, "西县", None).await,
        ];
        let school_year = school_year::Model {
            id: SchoolYearId::new(),
            name: "2026-2027".to_owned(),
            starts_on: day("2026-09-01"),
            ends_on: day("2027-08-31"),
        };
        let school_year = school_year.into_active_model().insert(self.db).await.unwrap().id;
        let term = term::Model {
            id: TermId::new(),
            school_year_id: school_year,
            kind: code("XQ:1"),
            name: "2026-2027 autumn".to_owned(),
            starts_on: day("2026-09-01"),
            ends_on: day("2027-01-31"),
        };
        let term = term.into_active_model().insert(self.db).await.unwrap().id;
        let mut courses = Vec::new();
        for (subject, name) in [("ZXXKC:13", "语文"), ("ZXXKC:14", "数学")] {
            let id = CourseId::new();
            let row = course::Model {
                id,
                subject: code(subject),
                name: name.to_owned(),
                stage: Stage::Primary,
            };
            row.into_active_model().insert(self.db).await.unwrap();
            courses.push(id);
        }
        let programme = aid_programme::Model {
            id: AidProgrammeId::new(),
            organisation_id: province,
            name: "State grant".to_owned(),
            kind: aid_programme::AidKind::StateGrant,
            stage: None,
            amount: Fen(100_000),
            source: code("JLZZZJLY:1"),
            valid_from: day("2026-09-01"),
            valid_until: None,
        };
        let programme = programme.into_active_model().insert(self.db).await.unwrap().id;
        let mut seed =
            Seed { province, city, counties, schools: Vec::new(), courses, school_year, term };
        for (index, (county, levels)) in
            [(0, vec![shape.classes, 1]), (0, vec![1]), (1, vec![1])].into_iter().enumerate()
        {
            let above = [nation, province, city, counties[county]];
            let id = self
                .organisation(
                    At::School,
                    &above,
                    &format!("第{}小学", index + 1),
                    Some(format!("310000000{index}")),
                )
                .await;
            let authority = school_authority::Model {
                id: SchoolAuthorityId::new(),
                school_id: id,
                authority_id: counties[county],
                since: day("2020-01-01"),
                until: None,
            };
            authority.into_active_model().insert(self.db).await.unwrap();
            let mut school = School { id, levels: Vec::new() };
            for (year, classes) in levels.into_iter().enumerate() {
                let level = self.level(&seed, id, programme, year, classes, shape.students).await;
                school.levels.push(level);
            }
            seed.schools.push(school);
        }
        seed
    }

    async fn level(
        &mut self,
        seed: &Seed,
        school: OrganisationId,
        programme: AidProgrammeId,
        year: usize,
        classes: usize,
        students: usize,
    ) -> Level {
        let id = YearLevelId::new();
        let year = i64::try_from(year).unwrap();
        let row = year_level::Model {
            id,
            school_id: school,
            stage: Stage::Primary,
            entry_year: 2024 - year,
            year_in_stage: 3 + year,
            name: format!("Primary {}", 3 + year),
        };
        row.into_active_model().insert(self.db).await.unwrap();
        let exam = self.exam(seed, school, id, "Midterm", exam::ExamState::Published).await;
        let draft = self.exam(seed, school, id, "November", exam::ExamState::Draft).await;
        let mut level = Level { id, classes: Vec::new(), exam, draft };
        for number in 1..=classes {
            let group = ClassGroupId::new();
            let row = class_group::Model {
                id: group,
                school_id: school,
                year_level_id: id,
                school_year_id: seed.school_year,
                number: i64::try_from(number).unwrap(),
                name: format!("Class {number}"),
                kind: code("ZXXBJLX:10"),
            };
            row.into_active_model().insert(self.db).await.unwrap();
            let teacher = self.staff(seed, school, group).await;
            let mut class = Class { id: group, students: Vec::new(), enrollments: Vec::new() };
            for seat in 1..=students {
                let pupil = Pupil {
                    id: StudentId::new(),
                    school,
                    level: id,
                    class: group,
                    seat: i64::try_from(seat).unwrap(),
                    exam,
                    draft,
                    teacher,
                    programme,
                };
                class.students.push(pupil.id);
                class.enrollments.push(self.pupil(seed, &pupil));
            }
            level.classes.push(class);
        }
        level
    }

    async fn exam(
        &self,
        seed: &Seed,
        school: OrganisationId,
        level: YearLevelId,
        name: &str,
        state: exam::ExamState,
    ) -> ExamId {
        let id = ExamId::new();
        let row = exam::Model {
            id,
            school_id: school,
            year_level_id: level,
            term_id: seed.term,
            name: name.to_owned(),
            kind: exam::ExamKind::Midterm,
            starts_on: day("2026-11-05"),
            state,
        };
        row.into_active_model().insert(self.db).await.unwrap();
        for course in &seed.courses {
            let row = exam_course::Model {
                id: ExamCourseId::new(),
                exam_id: id,
                course_id: *course,
                full_mark: Thousandths(100_000),
                pass_mark: Thousandths(60_000),
                excellence_mark: Thousandths(90_000),
            };
            row.into_active_model().insert(self.db).await.unwrap();
        }
        id
    }

    /// A homeroom teacher who also teaches the first course in the class.
    async fn staff(&mut self, seed: &Seed, school: OrganisationId, class: ClassGroupId) -> StaffId {
        self.turn += 1;
        let (id, turn) = (StaffId::new(), self.turn);
        let phone = format!("139{turn:08}");
        let row = staff::Model {
            id,
            organisation_id: school,
            name: PersonName::parse(&mark("teacher", turn)).unwrap(),
            staff_number: format!("STAFF{turn:05}"),
            gender: code("RDXB:2"),
            phone: Some(self.seal("staff", "phone", id.uuid(), &phone)),
            phone_hash: Some(self.hash::<xueji_entity::value::Phone>(&phone)),
            lifecycle: Lifecycle::Live,
            row_version: 1,
            updated_at: clock().now(),
        };
        row.into_active_model().insert(self.db).await.unwrap();
        for (kind, course) in [
            (duty::DutyKind::HomeroomTeacher, None),
            (duty::DutyKind::CourseTeacher, seed.courses.first().copied()),
        ] {
            let row = duty::Model {
                id: DutyId::new(),
                staff_id: id,
                kind,
                organisation_id: school,
                class_group_id: Some(class),
                course_id: course,
                year_level_id: None,
                post: None,
                since: day("2026-09-01"),
                until: None,
            };
            row.into_active_model().insert(self.db).await.unwrap();
        }
        id
    }

    fn pupil(&mut self, seed: &Seed, pupil: &Pupil) -> EnrollmentId {
        self.turn += 1;
        let turn = self.turn;
        self.person(pupil.id, turn);
        self.family(pupil.id, turn);
        let enrollment = self.place(pupil, turn);
        self.records(pupil, turn);
        self.scores(seed, pupil, turn);
        self.conduct(seed, pupil, turn);
        enrollment
    }

    fn person(&mut self, id: StudentId, turn: u64) {
        let (row, born) = (id.uuid(), later("2015-01-01", turn));
        let number = personal_code("110105", born, turn);
        let status = format!("G{}", personal_code("310115", born, turn));
        let phone = format!("138{turn:08}");
        let email = format!("{}@example.com", mark("email", turn).to_lowercase());
        let seal_address = |column: &str| {
            let bare = format!("北京市朝阳区{}", mark(&column.replace('_', ""), turn));
            Some(self.seal("student", column, row, &bare))
        };
        let name = |tag: &str| PersonName::parse(&mark(tag, turn)).unwrap();
        let model = student::Model {
            id,
            name: name("pupil"),
            name_pinyin: Some(mark("pinyin", turn)),
            former_name: Some(name("former")),
            gender: code(if turn.is_multiple_of(2) { "RDXB:2" } else { "RDXB:1" }),
            birth_date: born,
            birthplace: Some(code("GBT2260:110105")),
            native_place: Some(code("GBT2260:310115")),
            ethnic_group: code("ZGGMZMCDLMZMPXF:01"),
            nationality: code("SJGGHDQMC:156"),
            overseas_status: Some(code("GATQW:01")),
            political_status: Some(code("ZZMM:13")),
            health_status: code("JKZKEWSZ:10"),
            blood_group: None,
            id_type: code("SFZJLX:1"),
            id_number: Some(self.seal("student", "id_number", row, &number)),
            id_number_hash: Some(self.hash::<xueji_entity::value::IdNumber>(&number)),
            id_valid_until: Some(later("2031-01-01", turn)),
            national_student_number: Some(self.seal(
                "student",
                "national_student_number",
                row,
                &status,
            )),
            national_student_number_hash: Some(self.hash::<NationalStudentNumber>(&status)),
            auxiliary_number: Some(mark("auxiliary", turn)),
            household_place: Some(code("GBT2260:110105")),
            household_kind: Some(code("HKLB:1")),
            talents: Some(Narrative::parse(&mark("talents", turn)).unwrap()),
            current_address: seal_address("current_address"),
            mailing_address: seal_address("mailing_address"),
            home_address: seal_address("home_address"),
            phone: Some(self.seal("student", "phone", row, &phone)),
            phone_hash: Some(self.hash::<xueji_entity::value::Phone>(&phone)),
            postal_code: Some(self.seal("student", "postal_code", row, &format!("71{turn:04}"))),
            email: Some(self.seal("student", "email", row, &email)),
            email_hash: Some(self.hash::<xueji_entity::value::Email>(&email)),
            only_child: Some(true),
            attended_preschool: Some(true),
            left_behind: student::LeftBehind::OneParent,
            migrant_child: true,
            orphan: false,
            martyr_family: true,
            disability: Some(code("CJRLX:1")),
            in_regular_class: true,
            bought_place: false,
            needs_aid: true,
            living_subsidy: true,
            distance_m: Some(700_000 + i64::try_from(turn).unwrap()),
            transport: Some(student::Transport::Walk),
            needs_school_bus: false,
            created_at: clock().now(),
            lifecycle: Lifecycle::Live,
            row_version: 1,
            updated_at: clock().now(),
        };
        self.rows.students.push(model.into_active_model());
        let document = IdentityDocumentId::new();
        let number = personal_code("120101", born, turn);
        let model = identity_document::Model {
            student_id: id,
            id: document,
            kind: code("SFZJLX:1"),
            number: Some(self.seal("identity_document", "number", document.uuid(), &number)),
            number_hash: Some(self.hash::<xueji_entity::value::IdNumber>(&number)),
            since: later("2021-01-01", turn),
            until: None,
            school_certificate: false,
            lifecycle: Lifecycle::Live,
            row_version: 1,
            updated_at: clock().now(),
        };
        self.rows.documents.push(model.into_active_model());
        let row = StudentNumberId::new();
        let number = format!("G{}", personal_code("320101", born, turn));
        let model = student_number::Model {
            student_id: id,
            id: row,
            kind: student_number::StudentNumberKind::Formal,
            number: self.seal("student_number", "number", row.uuid(), &number),
            number_hash: self.hash::<NationalStudentNumber>(&number),
            since: later("2022-01-01", turn),
            until: None,
            lifecycle: Lifecycle::Live,
            row_version: 1,
            updated_at: clock().now(),
        };
        self.rows.numbers.push(model.into_active_model());
    }

    fn family(&mut self, student: StudentId, turn: u64) {
        for (position, relation) in [(1, "JTGX:51"), (2, "JTGX:52")] {
            let (id, own) = (GuardianId::new(), turn * 2 + position);
            let row = id.uuid();
            let number = personal_code("130102", later("1985-01-01", own), own);
            let phone = format!("137{own:08}");
            let text = |tag: &str| Some(Narrative::parse(&mark(tag, own)).unwrap());
            let address = format!("北京市朝阳区{}", mark("kinaddress", own));
            let model = guardian::Model {
                student_id: student,
                id,
                position: i64::try_from(position).unwrap(),
                name: PersonName::parse(&mark("kin", own)).unwrap(),
                relation: code(relation),
                relation_note: text("note"),
                ethnic_group: Some(code("ZGGMZMCDLMZMPXF:01")),
                workplace: text("work"),
                job_title: text("job"),
                phone: Some(self.seal("guardian", "phone", row, &phone)),
                phone_hash: Some(self.hash::<xueji_entity::value::Phone>(&phone)),
                current_address: Some(self.seal("guardian", "current_address", row, &address)),
                household_place: Some(code("GBT2260:110105")),
                id_type: Some(code("SFZJLX:1")),
                id_number: Some(self.seal("guardian", "id_number", row, &number)),
                id_number_hash: Some(self.hash::<xueji_entity::value::IdNumber>(&number)),
                account_id: None,
                lifecycle: Lifecycle::Live,
                row_version: 1,
                updated_at: clock().now(),
            };
            self.rows.guardians.push(model.into_active_model());
            let model = guardianship::Model {
                student_id: student,
                id: GuardianshipId::new(),
                guardian_id: id,
                custody: guardianship::Custody::Shared,
                since: later("2016-01-01", own),
                until: None,
                lifecycle: Lifecycle::Live,
                row_version: 1,
                updated_at: clock().now(),
            };
            self.rows.guardianships.push(model.into_active_model());
        }
    }

    fn place(&mut self, pupil: &Pupil, turn: u64) -> EnrollmentId {
        let id = EnrollmentId::new();
        let model = enrollment::Model {
            student_id: pupil.id,
            id,
            school_id: pupil.school,
            year_level_id: pupil.level,
            stage: Stage::Primary,
            state: enrollment::EnrollmentState::Enrolled,
            live: true,
            entered_on: day("2024-09-01"),
            ended_on: None,
            entry_method: code("RXFS:01"),
            boarding: code("JDFS:1"),
            source: None,
            lifecycle: Lifecycle::Live,
            row_version: 1,
            updated_at: clock().now(),
        };
        self.rows.enrollments.push(model.into_active_model());
        let model = class_membership::Model {
            student_id: pupil.id,
            id: ClassMembershipId::new(),
            enrollment_id: id,
            class_group_id: pupil.class,
            kind: class_membership::MembershipKind::Ordinary,
            number_in_class: Some(pupil.seat),
            since: day("2026-09-01"),
            until: None,
            lifecycle: Lifecycle::Live,
            row_version: 1,
            updated_at: clock().now(),
        };
        self.rows.memberships.push(model.into_active_model());
        let archive = ArchiveId::new();
        let model = archive::Model {
            student_id: pupil.id,
            id: archive,
            custodian_id: pupil.school,
            number: Some(mark("archive", turn)),
            opened_on: day("2024-09-01"),
            closed_on: None,
            state: archive::ArchiveState::Open,
            lifecycle: Lifecycle::Live,
            row_version: 1,
            updated_at: clock().now(),
        };
        self.rows.archives.push(model.into_active_model());
        let model = archive_item::Model {
            student_id: pupil.id,
            id: ArchiveItemId::new(),
            archive_id: archive,
            category: archive_item::ArchiveCategory::Basic,
            title: Narrative::parse(&mark("title", turn)).unwrap(),
            dated_on: later("2023-01-01", turn),
            source: Some(Narrative::parse(&mark("source", turn)).unwrap()),
            content_hash: Some(mark("content", turn)),
            supersedes_id: None,
            lifecycle: Lifecycle::Live,
            row_version: 1,
            updated_at: clock().now(),
        };
        self.rows.items.push(model.into_active_model());
        id
    }

    fn records(&mut self, pupil: &Pupil, turn: u64) {
        for (index, kind) in
            [attendance::AttendanceKind::Present, attendance::AttendanceKind::SickLeave]
                .into_iter()
                .enumerate()
        {
            let own = turn * 2 + u64::try_from(index).unwrap();
            let model = attendance::Model {
                student_id: pupil.id,
                id: AttendanceId::new(),
                class_group_id: pupil.class,
                day: later("2026-11-09", u64::try_from(index).unwrap()),
                kind,
                note: Some(Narrative::parse(&mark("leave", own)).unwrap()),
                recorded_by_id: Some(pupil.teacher),
                lifecycle: Lifecycle::Live,
                row_version: 1,
                updated_at: clock().now(),
            };
            self.rows.attendance.push(model.into_active_model());
        }
    }

    /// A published score in each course, and one in the first course of the examination that is not.
    fn scores(&mut self, seed: &Seed, pupil: &Pupil, turn: u64) {
        let value = |base: i64| Some(Thousandths(base + 10 * i64::try_from(turn).unwrap()));
        let mut add = |exam, course, value, published| {
            let model = score::Model {
                student_id: pupil.id,
                id: ScoreId::new(),
                exam_id: exam,
                course_id: course,
                class_group_id: pupil.class,
                value,
                level: None,
                nature: code("KSXZ:01"),
                absence: None,
                published,
                entered_by_id: Some(pupil.teacher),
                entered_at: clock().now(),
                lifecycle: Lifecycle::Live,
                row_version: 1,
                updated_at: clock().now(),
            };
            self.rows.scores.push(model.into_active_model());
        };
        for (index, course) in seed.courses.iter().enumerate() {
            let base = 70_000 + 10_000 * i64::try_from(index).unwrap();
            add(pupil.exam, *course, value(base), true);
        }
        if let Some(course) = seed.courses.first() {
            add(pupil.draft, *course, value(50_000), false);
        }
    }

    fn conduct(&mut self, seed: &Seed, pupil: &Pupil, turn: u64) {
        let text = |tag: &str, turn: u64| Narrative::parse(&mark(tag, turn)).unwrap();
        let model = reward::Model {
            student_id: pupil.id,
            id: RewardId::new(),
            name: text("reward", turn),
            level: code("JB:60"),
            rank: None,
            kind: code("XSHJLB:5"),
            reason: Some(text("reason", turn)),
            awarded_on: later("2024-10-01", turn),
            document_number: Some(mark("rewarddoc", turn)),
            awarding_body: Some(text("body", turn)),
            amount: Some(Fen(91_000_000 + i64::try_from(turn).unwrap())),
            lifecycle: Lifecycle::Live,
            row_version: 1,
            updated_at: clock().now(),
        };
        self.rows.rewards.push(model.into_active_model());
        for (index, state) in [sanction::SanctionState::InForce, sanction::SanctionState::Quashed]
            .into_iter()
            .enumerate()
        {
            let own = turn * 2 + u64::try_from(index).unwrap();
            let model = sanction::Model {
                student_id: pupil.id,
                id: SanctionId::new(),
                kind: code("CFMC:1"),
                offence: code("WJLB:03"),
                account: text("account", own),
                imposed_on: later("2019-01-01", own),
                document_number: Some(mark("sanctiondoc", own)),
                state,
                lifted_on: None,
                lifting_document: None,
                lifecycle: Lifecycle::Live,
                row_version: 1,
                updated_at: clock().now(),
            };
            self.rows.sanctions.push(model.into_active_model());
        }
        let aid = AidGrantId::new();
        let account = format!("6200000000{turn:09}");
        let model = aid_grant::Model {
            student_id: pupil.id,
            id: aid,
            programme_id: pupil.programme,
            term_id: seed.term,
            degree: Some(code("KNCD:1")),
            cause: Some(code("KNYY:1")),
            amount: Fen(81_000_000 + i64::try_from(turn).unwrap()),
            state: aid_grant::AidState::Approved,
            granted_on: later("2025-01-01", turn),
            bank_account: Some(self.seal("aid_grant", "bank_account", aid.uuid(), &account)),
            bank_account_hash: Some(self.hash::<xueji_entity::value::BankAccount>(&account)),
            lifecycle: Lifecycle::Live,
            row_version: 1,
            updated_at: clock().now(),
        };
        self.rows.aid.push(model.into_active_model());
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
