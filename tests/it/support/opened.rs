//! Records that others opened by exception, for the queue of the reviewers; and colleagues with an account.

use chrono::TimeDelta;
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, EntityTrait, QueryOrder};
use xueji_entity::access_review::{self, ReviewState};
use xueji_entity::account::{self, AccountKind};
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::staff;
use xueji_entity::value::{
    AccessReviewId, AccountId, Guarded, Narrative, PersonName, StaffId, StudentId,
};

use super::app::{App, clock};
use super::seed::{Seed, mark};

impl App {
    /// One account for each member of staff, as colleagues of one another.
    pub(crate) async fn plant_colleagues(&self) {
        let staff =
            staff::Entity::find().order_by_asc(staff::Column::Id).all(self.db()).await.unwrap();
        for (turn, row) in (1..).zip(staff) {
            let _ = self.colleague(turn, Some(row.id)).await;
        }
    }

    async fn colleague(&self, turn: u64, staff: Option<StaffId>) -> AccountId {
        let row = account::ActiveModel {
            id: Set(AccountId::new()),
            login: Set(mark("login", turn)),
            kind: Set(if staff.is_some() { AccountKind::Staff } else { AccountKind::Client }),
            display_name: Set(PersonName::parse(&mark("colleague", turn)).unwrap()),
            staff_id: Set(staff),
            disabled: Set(false),
            created_at: Set(clock().now()),
            ..Default::default()
        };
        row.insert(self.db()).await.unwrap().id
    }

    /// In a class of each school two records that somebody else opened: one waits for its review, one was reviewed.
    pub(crate) async fn plant_opened(&self, seed: &Seed) {
        let opener = self.colleague(700, None).await;
        for (at, school) in seed.schools.iter().enumerate() {
            let students = &school.levels[0].classes[0].students;
            for (state, student) in [
                (ReviewState::Waiting, students[0]),
                (ReviewState::Justified, students[1 % students.len()]),
            ] {
                let turn =
                    u64::try_from(at).unwrap() * 2 + u64::from(state == ReviewState::Waiting);
                self.review(turn, opener, student, state).await;
            }
        }
    }

    async fn review(&self, turn: u64, opener: AccountId, student: StudentId, state: ReviewState) {
        let (now, decided) = (clock().now(), state != ReviewState::Waiting);
        let text = |tag: &str| Narrative::parse(&mark(tag, turn)).unwrap();
        let row = access_review::ActiveModel {
            student_id: Set(student),
            id: Set(AccessReviewId::new()),
            account_id: Set(opener),
            opened_by: Set(PersonName::parse(&mark("opener", turn)).unwrap()),
            opened_as: Set(mark("openedas", turn)),
            reason: Set(text("reason")),
            purpose: Set(mark("purpose", turn)),
            opened_at: Set(now - TimeDelta::hours(5)),
            expires_at: Set(now - TimeDelta::hours(4)),
            due_at: Set(now + TimeDelta::days(3)),
            state: Set(state),
            decided_at: Set(decided.then_some(now - TimeDelta::hours(1))),
            decided_by_id: Set(decided.then_some(opener)),
            note: Set(decided.then(|| text("reviewnote"))),
            lifecycle: Set(Lifecycle::Live),
            row_version: Set(1),
            updated_at: Set(now),
        };
        row.insert(self.db()).await.unwrap();
    }
}
