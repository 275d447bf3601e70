//! What hangs from a pupil: attendance, scores, rewards, sanctions and aid.

use sea_orm::IntoActiveModel;
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::value::{Fen, Guarded, Narrative, Thousandths};
use xueji_entity::{aid_grant, attendance, reward, sanction, score};

use super::{Planter, Pupil, Seed, code, later, mark};
use crate::support::app::clock;

impl Planter<'_> {
    pub(super) fn records(&mut self, pupil: &Pupil, turn: u64) {
        for (index, kind) in
            [attendance::AttendanceKind::Present, attendance::AttendanceKind::SickLeave]
                .into_iter()
                .enumerate()
        {
            let own = turn * 2 + u64::try_from(index).unwrap();
            let model = attendance::Model {
                student_id: pupil.id,
                id: self.id(),
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
    pub(super) fn scores(&mut self, seed: &Seed, pupil: &Pupil, turn: u64) {
        let value = |base: i64| Some(Thousandths(base + 10 * i64::try_from(turn).unwrap()));
        let mut add = |exam, course, value, published| {
            let model = score::Model {
                student_id: pupil.id,
                id: self.id(),
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

    pub(super) fn conduct(&mut self, seed: &Seed, pupil: &Pupil, turn: u64) {
        let text = |tag: &str, turn: u64| Narrative::parse(&mark(tag, turn)).unwrap();
        let model = reward::Model {
            student_id: pupil.id,
            id: self.id(),
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
                id: self.id(),
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
        let aid = self.id();
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
