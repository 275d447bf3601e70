//! Student in the schema: what it shows and where it leads.

use chrono::NaiveDate;
use xueji_entity::student::LeftBehind;
use xueji_entity::student::Transport;
use xueji_entity::value::{
    Address, Code, Email, IdNumber, Narrative, NationalStudentNumber, PersonName, Phone,
    PostalCode, Sealed,
};

use crate::access::catalogue::Class;
use crate::access::view::{Holds, Join};
use crate::view;

view! {
    /// A person who is or was registered as a student (学生).
    pub struct Student from student, hangs Student;
    fields {
        /// Name as on the household register; form item 1.
        name: PersonName = Directory,
        /// Name in Latin letters; form item 14.
        name_pinyin: Option<String> = Directory,
        /// Former name; form item 15.
        former_name: Option<PersonName> = Demographic,
        /// Gender, list `RDXB`; form item 2.
        gender: Code = Demographic,
        /// Date of birth; form item 3.
        birth_date: NaiveDate = Demographic,
        /// Place of birth, list `GBT2260`; form item 4.
        birthplace: Option<Code> = Demographic,
        /// Native place of the family, list `GBT2260`; form item 5.
        native_place: Option<Code> = Demographic,
        /// Ethnic group, list `ZGGMZMCDLMZMPXF`; form item 6.
        ethnic_group: Code = Demographic,
        /// Nationality, list `SJGGHDQMC`; form item 7.
        nationality: Code = Demographic,
        /// Hong Kong, Macau, Taiwan, overseas Chinese or foreign, list `GATQW`; form item 10.
        overseas_status: Option<Code> = Demographic,
        /// Political status, list `ZZMM`; form item 11.
        political_status: Option<Code> = Demographic,
        /// State of health, list `JKZKEWSZ`; form item 12.
        health_status: Code = Health,
        /// Blood group, list `XX`; in the national spreadsheet only.
        blood_group: Option<Code> = Health,
        /// Type of the identity document, list `SFZJLX`; form item 8.
        id_type: Code = Demographic,
        /// Number of the identity document, sealed; null only for type Z; form item 9.
        id_number: Option<Sealed<IdNumber>> = Identity,
        /// Last day of validity of the identity document; form item 16.
        id_valid_until: Option<NaiveDate> = Demographic,
        /// The current national student number, sealed; earlier ones are in `student_number`.
        national_student_number: Option<Sealed<NationalStudentNumber>> = Identity,
        /// Auxiliary number by the rule of the province (学籍辅号); form item 20.
        auxiliary_number: Option<String> = Academic,
        /// Division of the household register, list `GBT2260`; form item 17.
        household_place: Option<Code> = Demographic,
        /// Kind of household register, list `HKLB`; form item 18.
        household_kind: Option<Code> = Demographic,
        /// Talents; form item 19.
        talents: Option<Narrative> = Narrative,
        /// Where the student lives now, sealed; form item 28.
        current_address: Option<Sealed<Address>> = Address,
        /// Where letters go, sealed; form item 29.
        mailing_address: Option<Sealed<Address>> = Address,
        /// Where the family lives, sealed; form item 30.
        home_address: Option<Sealed<Address>> = Address,
        /// Telephone number, sealed; form item 31.
        phone: Option<Sealed<Phone>> = Contact,
        /// Postal code, sealed; form item 32.
        postal_code: Option<Sealed<PostalCode>> = Address,
        /// E-mail address, sealed; form item 33.
        email: Option<Sealed<Email>> = Contact,
        /// Whether an only child; form item 35.
        only_child: Option<bool> = Family,
        /// Whether pre-school was attended; form item 36.
        attended_preschool: Option<bool> = Academic,
        /// Whether left behind by parents who work elsewhere; form item 37.
        left_behind: LeftBehind = Welfare,
        /// Whether living with parents who migrated for work; form item 38.
        migrant_child: bool = Welfare,
        /// Whether an orphan; needs proof by the competent department; form item 39.
        orphan: bool = Welfare,
        /// Whether of a martyr's or preferentially treated family; needs proof; form item 40.
        martyr_family: bool = Welfare,
        /// Kind of disability, list `CJRLX`; form item 42.
        disability: Option<Code> = Health,
        /// Whether learning in a regular class with a disability; form item 41.
        in_regular_class: bool = Health,
        /// Whether the government buys the school place; form item 43.
        bought_place: bool = Aid,
        /// Whether aid is to be applied for; form item 44.
        needs_aid: bool = Aid,
        /// Whether the living subsidy is received; form item 45.
        living_subsidy: bool = Aid,
        /// Way to school in metres; form item 46.
        distance_m: Option<i64> = Welfare,
        /// Means of transport to school; form item 47.
        transport: Option<Transport> = Welfare,
        /// Whether the school bus is needed; form item 48.
        needs_school_bus: bool = Welfare,
    }
    keys {
    }
    unseen { id, id_number_hash, national_student_number_hash, phone_hash, email_hash, created_at, lifecycle, row_version, updated_at }
    computed {
        /// The number of pupils, in aggregates only.
        count = Directory Class::Outlet,
        /// Days of attendance by kind between two days (考勤汇总); the whole record when nothing is said.
        attendance_summary = Attendance Class::Derived(&["attendance.kind"]),
        /// The sum of the scores of one examination (总分).
        exam_total = Academic Class::Derived(&["score.value"]),
        /// The version of what you see in full of telephone, e-mail, postal code and addresses, for
        /// `studentContactUpdate`; it is yours alone and changes with nothing else.
        contact_version = Organisation Class::Seen,
    }
    relations {
        /// The live enrolment (学籍).
        enrollment: one enrollment by Join::LiveOfStudent;
        /// All enrolments, the newest first.
        enrollments: many enrollment by Join::OfStudent, bounded true, order [("entered_on", true)];
        /// The class of today.
        class_group: one class_group by Join::Through { table: "class_membership", from: "student_id", to: "class_group_id", holds: Holds::OrdinaryToday };
        /// Classes of today and before, the newest first.
        class_memberships: many class_membership by Join::OfStudent, bounded true, order [("since", true)];
        /// The family members (家庭成员).
        guardians: many guardian by Join::OfStudent, bounded true, order [("position", false)];
        /// Who has custody, from when until when (监护关系).
        guardianships: many guardianship by Join::OfStudent, bounded true, order [("since", true)];
        /// The identity documents (身份证件).
        identity_documents: many identity_document by Join::OfStudent, bounded true, order [("since", true)];
        /// The student-status numbers (学籍号), past and present.
        student_numbers: many student_number by Join::OfStudent, bounded true, order [("since", true)];
        /// The scores (成绩).
        scores: many score by Join::OfStudent, bounded true, order [("entered_at", true)];
        /// The attendance day by day (考勤), the newest first.
        attendance: many attendance by Join::OfStudent, order [("day", true)];
        /// The rewards (奖励), the newest first.
        rewards: many reward by Join::OfStudent, bounded true, order [("awarded_on", true)];
        /// The sanctions (处分), the newest first.
        sanctions: many sanction by Join::OfStudent, bounded true, order [("imposed_on", true)];
        /// The aid received (资助), the newest first.
        aid_grants: many aid_grant by Join::OfStudent, bounded true, order [("granted_on", true)];
        /// The archive (学籍档案).
        archive: one archive by Join::OfStudent;
        /// Who else was shown what of this pupil in full (披露记录), the newest first.
        disclosures: many disclosure by Join::OfStudent, order [("at", true)];
    }
}
