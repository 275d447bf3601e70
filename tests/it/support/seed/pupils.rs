//! A pupil as a person: identity, family, enrolment and class.

use sea_orm::IntoActiveModel;
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::stage::Stage;
use xueji_entity::value::{
    EnrollmentId, Guarded, GuardianId, IdentityDocumentId, Narrative, NationalStudentNumber,
    PersonName, StudentId, StudentNumberId,
};
use xueji_entity::{
    archive, archive_item, class_membership, enrollment, guardian, guardianship, identity_document,
    student, student_number,
};

use super::{Planter, Pupil, Seed, code, day, later, mark, personal_code};
use crate::support::app::clock;

impl Planter<'_> {
    pub(super) fn pupil(&mut self, seed: &Seed, pupil: &Pupil) -> EnrollmentId {
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

    pub(super) fn person(&mut self, id: StudentId, turn: u64) {
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
        let document: IdentityDocumentId = self.id();
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
        let row: StudentNumberId = self.id();
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

    pub(super) fn family(&mut self, student: StudentId, turn: u64) {
        for (position, relation) in [(1, "JTGX:51"), (2, "JTGX:52")] {
            let (id, own): (GuardianId, _) = (self.id(), turn * 2 + position);
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
                id: self.id(),
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

    pub(super) fn place(&mut self, pupil: &Pupil, turn: u64) -> EnrollmentId {
        let id = self.id();
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
            id: self.id(),
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
        let archive = self.id();
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
            id: self.id(),
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
}
