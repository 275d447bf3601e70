//! The people who ask: one constructor for each role. An account and its grants are planted with the first question.

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use chrono::{NaiveDate, TimeDelta};
use sea_orm::ActiveValue::Set;
use sea_orm::{ActiveModelTrait, ColumnTrait, EntityTrait, QueryFilter};
use serde_json::{Value, json};
use tokio::sync::OnceCell;
use uuid::Uuid;
use xueji::access::caller::{Caller, Place, Session};
use xueji::access::ledger::Ledger;
use xueji::access::opaque::Opaque;
use xueji::access::table::Reach;
use xueji::domain::Cx;
use xueji::graphql::REGISTRY;
use xueji_entity::lifecycle::Lifecycle;
use xueji_entity::value::{
    AccessGrantId, AccessReviewId, AccountId, ClassGroupId, CourseId, Guarded, Language, Narrative,
    OrganisationId, PersonName, StudentId, YearLevelId,
};
use xueji_entity::{access_grant, access_review, account};

use super::answer::Answer;
use super::app::{App, clock, today};

/// A role held at a place.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    /// The role, as the policy names it.
    pub(crate) role: Cow<'static, str>,
    /// The kind of place.
    pub(crate) reach: Reach,
    /// The place.
    pub(crate) place: Place,
    /// First day.
    pub(crate) since: NaiveDate,
    /// Last day.
    pub(crate) until: Option<NaiveDate>,
}

/// Somebody who asks.
pub(crate) struct Person<'a> {
    app: &'a App,
    /// What is held.
    pub(crate) held: Vec<Held>,
    account: OnceCell<AccountId>,
    language: &'static str,
}

impl App {
    /// Somebody with an account and no grant.
    pub(crate) fn stranger(&self) -> Person<'_> {
        Person { app: self, held: Vec::new(), account: OnceCell::new(), language: "en" }
    }

    /// Somebody whose account is there already, with all that it holds.
    pub(crate) async fn account_holder(&self, account: AccountId) -> Person<'_> {
        let rows = access_grant::Entity::find()
            .filter(access_grant::Column::AccountId.eq(account))
            .filter(access_grant::Column::EndedAt.is_null())
            .all(self.db())
            .await
            .unwrap();
        let opened: Vec<_> = access_review::Entity::find()
            .filter(access_review::Column::AccountId.eq(account))
            .filter(access_review::Column::ExpiresAt.gt(clock().now()))
            .all(self.db())
            .await
            .unwrap()
            .into_iter()
            .map(|row| Held {
                place: Place::Student(row.student_id.uuid()),
                role: Cow::Borrowed("break_glass"),
                reach: Reach::Opened,
                since: today(),
                until: None,
            })
            .collect();
        let held = rows
            .into_iter()
            .map(|row| Held {
                place: place_of(&row),
                role: Cow::Owned(row.role),
                reach: Reach::from_word(&row.reach).unwrap(),
                since: row.since,
                until: row.until,
            })
            .chain(opened)
            .collect();
        Person { app: self, held, account: OnceCell::new_with(Some(account)), language: "en" }
    }

    /// A pupil.
    pub(crate) fn student(&self, student: StudentId) -> Person<'_> {
        self.stranger().and("student", Reach::Own, Place::Student(student.uuid()))
    }

    /// A guardian of a pupil.
    pub(crate) fn guardian(&self, student: StudentId) -> Person<'_> {
        self.stranger().and("guardian", Reach::Ward, Place::Student(student.uuid()))
    }

    /// A teacher of a course in a class.
    pub(crate) fn subject_teacher(&self, class: ClassGroupId, course: CourseId) -> Person<'_> {
        self.stranger().and_subject_teacher(class, course)
    }

    /// A homeroom teacher.
    pub(crate) fn homeroom_teacher(&self, class: ClassGroupId) -> Person<'_> {
        self.stranger().and("homeroom_teacher", Reach::Class, Place::ClassGroup(class.uuid()))
    }

    /// A year head.
    pub(crate) fn year_head(&self, year_level: YearLevelId) -> Person<'_> {
        self.stranger().and("year_head", Reach::YearLevel, Place::YearLevel(year_level.uuid()))
    }

    /// Who keeps a school's register.
    pub(crate) fn registrar(&self, school: OrganisationId) -> Person<'_> {
        self.at_school("registrar", school)
    }

    /// Who reviews a school's register.
    pub(crate) fn reviewer(&self, school: OrganisationId) -> Person<'_> {
        self.at_school("reviewer", school)
    }

    /// A head of a school.
    pub(crate) fn principal(&self, school: OrganisationId) -> Person<'_> {
        self.at_school("principal", school)
    }

    /// A deputy head.
    pub(crate) fn vice_principal(&self, school: OrganisationId) -> Person<'_> {
        self.at_school("vice_principal", school)
    }

    /// Who keeps a school's aid.
    pub(crate) fn aid_officer(&self, school: OrganisationId) -> Person<'_> {
        self.at_school("aid_officer", school)
    }

    /// Who keeps a region's aid.
    pub(crate) fn regional_aid_officer(&self, authority: OrganisationId) -> Person<'_> {
        self.at_region("aid_officer", authority)
    }

    /// An officer of a county.
    pub(crate) fn county_officer(&self, county: OrganisationId) -> Person<'_> {
        self.at_region("county_officer", county)
    }

    /// An officer of a city.
    pub(crate) fn city_officer(&self, city: OrganisationId) -> Person<'_> {
        self.at_region("city_officer", city)
    }

    /// An officer of a province.
    pub(crate) fn province_officer(&self, province: OrganisationId) -> Person<'_> {
        self.at_region("province_officer", province)
    }

    /// A reporting tool of a region.
    pub(crate) fn analyst(&self, authority: OrganisationId) -> Person<'_> {
        self.at_region("analyst", authority)
    }

    /// A reporting tool of a school.
    pub(crate) fn school_analyst(&self, school: OrganisationId) -> Person<'_> {
        self.at_school("analyst", school)
    }

    /// An auditor of a region.
    pub(crate) fn auditor(&self, authority: OrganisationId) -> Person<'_> {
        self.at_region("auditor", authority)
    }

    /// An auditor of a school.
    pub(crate) fn school_auditor(&self, school: OrganisationId) -> Person<'_> {
        self.at_school("auditor", school)
    }

    /// Who answers for personal data in a region.
    pub(crate) fn privacy_officer(&self, authority: OrganisationId) -> Person<'_> {
        self.at_region("privacy_officer", authority)
    }

    /// Who answers for personal data in a school.
    pub(crate) fn school_privacy_officer(&self, school: OrganisationId) -> Person<'_> {
        self.at_school("privacy_officer", school)
    }

    /// Somebody who has opened the record of a pupil.
    pub(crate) fn opened(&self, student: StudentId) -> Person<'_> {
        self.stranger().and("break_glass", Reach::Opened, Place::Student(student.uuid()))
    }

    /// An administrator.
    pub(crate) fn administrator(&self) -> Person<'_> {
        self.stranger().and("administrator", Reach::Anywhere, Place::Anywhere)
    }

    /// The view of the registry that a person's request has, for what lies below the schema.
    pub(crate) async fn cx(&self, person: &Person<'_>) -> Cx {
        let account = person.account().await;
        let grants = self
            .store()
            .grants(account, self.policy(), today(), clock().now())
            .await
            .unwrap()
            .unwrap();
        let session = Session::new(account, grants, Arc::clone(self.policy()), today());
        let caller = Caller {
            session: Arc::new(session),
            language: Language::English,
            request_id: "test".into(),
            purpose: None,
            client: None,
            backend: self.store().backend(),
            meter: Arc::new(AtomicU32::new(0)),
        };
        Cx {
            caller: Arc::new(caller),
            store: self.store().clone(),
            opaque: Arc::new(Opaque::new(&[1; 32], &REGISTRY)),
            budget: Arc::default(),
            ledger: Arc::new(Ledger::default()),
            clock: clock(),
        }
    }

    fn at_school(&self, role: &'static str, school: OrganisationId) -> Person<'_> {
        self.stranger().and(role, Reach::School, Place::Organisation(school.uuid()))
    }

    fn at_region(&self, role: &'static str, authority: OrganisationId) -> Person<'_> {
        self.stranger().and(role, Reach::Region, Place::Organisation(authority.uuid()))
    }
}

impl<'a> Person<'a> {
    /// One more role.
    #[must_use]
    pub(crate) fn and(mut self, role: &'static str, reach: Reach, place: Place) -> Self {
        let since = NaiveDate::from_ymd_opt(2026, 9, 1).unwrap();
        self.held.push(Held { role: Cow::Borrowed(role), reach, place, since, until: None });
        self
    }

    /// Teaches a course in a class as well.
    #[must_use]
    pub(crate) fn and_subject_teacher(self, class: ClassGroupId, course: CourseId) -> Self {
        let place = Place::Teaching { class_group: class.uuid(), course: course.uuid() };
        self.and("subject_teacher", Reach::Teaching, place)
    }

    /// The last role from a day until a day.
    #[must_use]
    pub(crate) fn between(mut self, since: NaiveDate, until: Option<NaiveDate>) -> Self {
        let held = self.held.last_mut().unwrap();
        (held.since, held.until) = (since, until);
        self
    }

    /// Asks in Chinese.
    #[must_use]
    pub(crate) fn in_chinese(mut self) -> Self {
        self.language = "zh-CN";
        self
    }

    /// What holds today.
    pub(crate) fn holding(&self) -> impl Iterator<Item = &Held> {
        self.held
            .iter()
            .filter(|held| held.since <= today() && held.until.is_none_or(|day| today() <= day))
    }

    /// The account, planted when first asked for.
    pub(crate) async fn account(&self) -> AccountId {
        *self.account.get_or_init(|| self.plant()).await
    }

    /// The account, if it was planted.
    pub(crate) fn known(&self) -> Option<Uuid> {
        self.account.get().map(|account| account.uuid())
    }

    async fn plant(&self) -> AccountId {
        let id = AccountId::new();
        let row = account::ActiveModel {
            id: Set(id),
            login: Set(format!("login-{}", id.uuid().simple())),
            kind: Set(account::AccountKind::Client),
            display_name: Set(PersonName::parse("Mkcaller").unwrap()),
            disabled: Set(false),
            created_at: Set(clock().now()),
            ..Default::default()
        };
        row.insert(self.app.db()).await.unwrap();
        for held in &self.held {
            self.grant(id, held).await;
        }
        id
    }

    /// A record that is open is a row of the reviewers' queue, and no grant.
    async fn open(&self, account: AccountId, held: &Held) {
        let Place::Student(student) = held.place else { panic!("a record is a pupil's") };
        let row = access_review::ActiveModel {
            student_id: Set(StudentId::from_uuid(student)),
            id: Set(AccessReviewId::new()),
            account_id: Set(account),
            opened_by: Set(PersonName::parse("Mkopener").unwrap()),
            opened_as: Set("reviewer".to_owned()),
            reason: Set(Narrative::parse("Mkreason of an emergency").unwrap()),
            purpose: Set("emergency_care".to_owned()),
            opened_at: Set(clock().now()),
            expires_at: Set(clock().now() + TimeDelta::hours(1)),
            due_at: Set(clock().now() + TimeDelta::days(3)),
            state: Set(access_review::ReviewState::Waiting),
            lifecycle: Set(Lifecycle::Live),
            row_version: Set(1),
            updated_at: Set(clock().now()),
            ..Default::default()
        };
        row.insert(self.app.db()).await.unwrap();
    }

    async fn grant(&self, account: AccountId, held: &Held) {
        if held.reach == Reach::Opened {
            return self.open(account, held).await;
        }
        let mut row = access_grant::ActiveModel {
            id: Set(AccessGrantId::new()),
            account_id: Set(account),
            role: Set(held.role.clone().into_owned()),
            reach: Set(held.reach.word().to_owned()),
            since: Set(held.since),
            until: Set(held.until),
            ..Default::default()
        };
        match held.place {
            Place::Anywhere => {}
            Place::Student(id) => row.student_id = Set(Some(StudentId::from_uuid(id))),
            Place::Teaching { class_group, course } => {
                row.class_group_id = Set(Some(ClassGroupId::from_uuid(class_group)));
                row.course_id = Set(Some(CourseId::from_uuid(course)));
            }
            Place::ClassGroup(id) => row.class_group_id = Set(Some(ClassGroupId::from_uuid(id))),
            Place::YearLevel(id) => row.year_level_id = Set(Some(YearLevelId::from_uuid(id))),
            Place::Organisation(id) => {
                row.organisation_id = Set(Some(OrganisationId::from_uuid(id)));
            }
        }
        row.insert(self.app.db()).await.unwrap();
    }

    /// Ends every grant now.
    pub(crate) async fn revoke(&self) {
        let account = self.account().await;
        access_grant::Entity::update_many()
            .col_expr(access_grant::Column::EndedAt, clock().now().into())
            .filter(access_grant::Column::AccountId.eq(account))
            .exec(self.app.db())
            .await
            .unwrap();
    }

    /// Bars the account from signing in.
    pub(crate) async fn disable(&self) {
        let row = account::ActiveModel {
            id: Set(self.account().await),
            disabled: Set(true),
            ..Default::default()
        };
        row.update(self.app.db()).await.unwrap();
    }

    /// A token.
    pub(crate) async fn token(&self) -> String {
        self.app.token(&Uuid::from(self.account().await).to_string())
    }

    /// Asks.
    pub(crate) async fn query(&self, document: &str, variables: Value) -> Answer {
        let body = json!({ "query": document, "variables": variables }).to_string();
        self.app.post(Some(&self.token().await), self.language, body).await
    }

    /// Asks for a purpose.
    pub(crate) async fn query_for(
        &self,
        purpose: &str,
        document: &str,
        variables: Value,
    ) -> Answer {
        let body = json!({ "query": document, "variables": variables }).to_string();
        let token = self.token().await;
        self.app.post_for(Some(&token), self.language, Some(purpose), body).await
    }

    /// The login of the account.
    pub(crate) async fn login(&self) -> String {
        format!("login-{}", self.account().await.uuid().simple())
    }

    /// Asks, and says how many statements the question itself took.
    pub(crate) async fn counted(&self, document: &str, variables: Value) -> (Answer, u64) {
        self.account().await;
        let before = self.app.asked();
        let answer = self.query(document, variables).await;
        (answer, self.app.asked() - before)
    }

    /// The same for a purpose.
    pub(crate) async fn counted_for(
        &self,
        purpose: &str,
        document: &str,
        variables: Value,
    ) -> (Answer, u64) {
        self.account().await;
        let before = self.app.asked();
        let answer = self.query_for(purpose, document, variables).await;
        (answer, self.app.asked() - before)
    }

    /// Asks without variables.
    pub(crate) async fn ask(&self, document: &str) -> Answer {
        self.query(document, json!({})).await
    }
}

fn place_of(row: &access_grant::Model) -> Place {
    let class = row.class_group_id.map(ClassGroupId::uuid);
    match (row.student_id, class, row.course_id, row.year_level_id, row.organisation_id) {
        (Some(student), ..) => Place::Student(student.uuid()),
        (_, Some(class_group), Some(course), ..) => {
            Place::Teaching { class_group, course: course.uuid() }
        }
        (_, Some(class_group), ..) => Place::ClassGroup(class_group),
        (_, _, _, Some(level), _) => Place::YearLevel(level.uuid()),
        (.., Some(organisation)) => Place::Organisation(organisation.uuid()),
        _ => Place::Anywhere,
    }
}
