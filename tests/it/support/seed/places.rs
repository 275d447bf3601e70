//! The places: authorities, schools, year levels, classes, staff and examinations.

use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, IntoActiveModel};
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::stage::Stage;
use xueji_entity::value::{
    AidProgrammeId, ClassGroupId, ExamId, Fen, Guarded, OrganisationId, PersonName, StaffId,
    Thousandths, YearLevelId,
};
use xueji_entity::{
    aid_programme, class_group, course, duty, exam, exam_course, organisation, school_authority,
    school_year, staff, term, year_level,
};

use super::{Class, Level, Planter, Pupil, School, Seed, Shape, code, day, mark};
use crate::support::app::clock;

impl Planter<'_> {
    pub(super) async fn organisation(
        &mut self,
        level: organisation::OrganisationLevel,
        above: &[OrganisationId],
        name: &str,
        school_code: Option<String>,
    ) -> OrganisationId {
        use organisation::OrganisationLevel::School;
        let id = self.id();
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

    pub(super) async fn registry(&mut self, shape: Shape) -> Seed {
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
            id: self.id(),
            name: "2026-2027".to_owned(),
            starts_on: day("2026-09-01"),
            ends_on: day("2027-08-31"),
        };
        let school_year = school_year.into_active_model().insert(self.db).await.unwrap().id;
        let term = term::Model {
            id: self.id(),
            school_year_id: school_year,
            kind: code("XQ:1"),
            name: "2026-2027 autumn".to_owned(),
            starts_on: day("2026-09-01"),
            ends_on: day("2027-01-31"),
        };
        let term = term.into_active_model().insert(self.db).await.unwrap().id;
        let mut courses = Vec::new();
        for (subject, name) in [("ZXXKC:13", "语文"), ("ZXXKC:14", "数学")] {
            let id = self.id();
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
            id: self.id(),
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
                id: self.id(),
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

    pub(super) async fn level(
        &mut self,
        seed: &Seed,
        school: OrganisationId,
        programme: AidProgrammeId,
        year: usize,
        classes: usize,
        students: usize,
    ) -> Level {
        let id = self.id();
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
            let group: ClassGroupId = self.id();
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
                    id: self.pupil_id(),
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

    pub(super) async fn exam(
        &mut self,
        seed: &Seed,
        school: OrganisationId,
        level: YearLevelId,
        name: &str,
        state: exam::ExamState,
    ) -> ExamId {
        let id = self.id();
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
                id: self.id(),
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
    pub(super) async fn staff(
        &mut self,
        seed: &Seed,
        school: OrganisationId,
        class: ClassGroupId,
    ) -> StaffId {
        self.turn += 1;
        let (id, turn): (StaffId, _) = (self.id(), self.turn);
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
                id: self.id(),
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
}
