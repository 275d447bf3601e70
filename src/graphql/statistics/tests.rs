//! Who may ask for which figures, and that every question is a statement the database accepts.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use async_graphql::{EmptyMutation, EmptySubscription, Request, Response, Schema, Value};
use chrono::NaiveDate;
use uuid::Uuid;
use xueji_entity::value::{AccountId, Language};
use xueji_migration::MigratorTrait as _;

use super::StatisticsQuery;
use crate::access::caller::{Caller, Grant, Place, Session};
use crate::access::ledger::Ledger;
use crate::access::opaque::Opaque;
use crate::access::policy::Policy;
use crate::access::table::Reach;
use crate::domain::Cx;
use crate::domain::statistics::snapshot;
use crate::graphql::REGISTRY;
use crate::store::Store;
use crate::store::codec::ClosedCodec;

struct App {
    policy: Arc<Policy>,
    store: Store,
    schema: Schema<StatisticsQuery, EmptyMutation, EmptySubscription>,
}

/// The code of an answer, the coordinates of a refusal, and how many statements it took.
type Outcome = (Option<String>, Option<String>, u32);

impl App {
    async fn new() -> Self {
        let mut actions: Vec<&'static str> = include_str!("../../../policies/actions.csv")
            .lines()
            .filter_map(|line| line.strip_prefix("p, ")?.split(',').next())
            .collect();
        actions.sort_unstable();
        actions.dedup();
        let policy = Policy::embedded(&REGISTRY.catalogue(&actions)).await.unwrap();
        let db = crate::store::connect::connect("sqlite::memory:", 1).await.unwrap();
        xueji_migration::Migrator::up(&db, None).await.unwrap();
        let store = Store::new(db, Arc::new(ClosedCodec::new([1; 32])), &REGISTRY);
        let clock = crate::clock::Clock::system(chrono_tz::Asia::Shanghai);
        snapshot::take(&store, &policy.disclosure_control, clock, None).await.unwrap();
        Self {
            policy: Arc::new(policy),
            store,
            schema: Schema::build(StatisticsQuery, EmptyMutation, EmptySubscription).finish(),
        }
    }

    async fn answer(&self, held: Held<'_>, query: &str) -> (Response, u32) {
        let today = NaiveDate::from_ymd_opt(2026, 11, 21).unwrap();
        let place = |reach| match reach {
            Reach::School | Reach::Region => Place::Organisation(Uuid::nil()),
            Reach::Class => Place::ClassGroup(Uuid::nil()),
            Reach::Anywhere => Place::Anywhere,
            Reach::Own | Reach::Ward | Reach::Opened | Reach::Teaching | Reach::YearLevel => {
                Place::Student(Uuid::nil())
            }
        };
        let grants = held
            .iter()
            .map(|(role, reach)| Grant {
                id: Uuid::nil(),
                role: self.policy.roles.id(role).unwrap(),
                reach: *reach,
                place: place(*reach),
                since: today,
                until: None,
                expires_at: None,
                delegated: false,
            })
            .collect();
        let account = AccountId::from_uuid(Uuid::nil());
        let caller = Caller {
            session: Arc::new(Session::new(account, grants, Arc::clone(&self.policy), today)),
            language: Language::English,
            request_id: "test".into(),
            purpose: None,
            client: None,
            backend: self.store.backend(),
            meter: Arc::default(),
        };
        let meter = Arc::clone(&caller.meter);
        let cx = Cx {
            caller: Arc::new(caller),
            store: self.store.clone(),
            opaque: Arc::new(Opaque::new(&[7; 32], &REGISTRY)),
            ledger: Arc::new(Ledger::default()),
            budget: Arc::default(),
            clock: crate::clock::Clock::system(chrono_tz::Asia::Shanghai),
        };
        let answer = self.schema.execute(Request::new(query).data(cx)).await;
        (answer, meter.load(Ordering::Relaxed))
    }

    async fn ask(&self, held: Held<'_>, query: &str) -> Outcome {
        let (answer, statements) = self.answer(held, query).await;
        let text = |name: &str| {
            let extensions = answer.errors.first()?.extensions.as_ref()?;
            let value = extensions.get(name)?;
            Some(if let Value::String(text) = value { text.clone() } else { value.to_string() })
        };
        if let Some(error) = answer.errors.first() {
            assert!(error.extensions.is_some(), "{query}: {}", error.message);
        }
        (text("code"), text("coordinates"), statements)
    }
}

/// Roles with their reaches.
type Held<'h> = &'h [(&'h str, Reach)];

const ANALYST: Held<'static> = &[("analyst", Reach::Region)];

#[tokio::test]
async fn every_key_and_filter_is_a_statement() {
    let app = App::new().await;
    let students = [
        "SCHOOL",
        "COUNTY",
        "STAGE",
        "YEAR_LEVEL",
        "CLASS_SIZE_BAND",
        "GENDER",
        "ETHNIC_GROUP",
        "STATUS",
        "BOARDING",
        "LEFT_BEHIND",
    ];
    let mut questions = Vec::new();
    for (first, second) in students.iter().flat_map(|a| students.iter().map(move |b| (a, b))) {
        questions.push(format!("{{studentCounts(groupBy:[{first},{second}]){{total}}}}"));
    }
    for keys in ["", "EXAM,COURSE,SCHOOL,CLASS_GROUP", "EXAM", "COURSE", "SCHOOL", "CLASS_GROUP"] {
        questions.push(format!("{{scoreStatistics(groupBy:[{keys}]){{total}}}}"));
    }
    for (period, keys) in [("DAY", ""), ("WEEK", "SCHOOL"), ("MONTH", "CLASS_GROUP,YEAR_LEVEL")] {
        questions.push(format!(
            "{{attendanceRates(period:{period},groupBy:[{keys}],from:\"2026-09-01\",until:\"2026-09-30\"){{total}}}}"
        ));
    }
    for keys in ["", "PROGRAMME", "SCHOOL,COUNTY,TERM,PROGRAMME"] {
        questions.push(format!("{{aidCoverage(groupBy:[{keys}]){{total}}}}"));
    }
    questions.extend(
        [
            "{studentCounts(groupBy:[],filter:{schoolIds:[\"x\"],countyIds:[],stages:[PRIMARY],yearLevelIds:[\"x\"],states:[ENROLLED],genders:[\"1\"],ethnicGroups:[\"01\"],boarding:[\"JDFS:2\"],leftBehind:[NONE]}){total}}",
            "{scoreStatistics(groupBy:[],filter:{examIds:[\"x\"],termIds:[\"x\"],courseIds:[\"x\"],schoolIds:[\"x\"],classGroupIds:[\"x\"]}){total}}",
            "{attendanceRates(period:DAY,groupBy:[],from:\"2026-09-01\",until:\"2026-09-01\",filter:{schoolIds:[\"x\"],yearLevelIds:[\"x\"],classGroupIds:[\"x\"]}){total}}",
            "{aidCoverage(groupBy:[],filter:{programmeIds:[\"x\"],termIds:[\"x\"],schoolIds:[\"x\"],countyIds:[\"x\"],states:[PAID]}){total}}",
        ]
        .map(str::to_owned),
    );
    for question in questions {
        let (code, coordinates, statements) = app.ask(ANALYST, &question).await;
        assert_eq!((code, coordinates), (None, None), "{question}");
        assert!((1..=7).contains(&statements), "{question}: {statements} statements");
    }
}

#[tokio::test]
async fn an_answer_from_a_snapshot_says_so_whatever_is_left_out() {
    let app = App::new().await;
    let query = "{studentCounts(groupBy:[STAGE]){groups{count} total withheld threshold note}}";
    let (answer, _) = app.answer(ANALYST, query).await;
    let data = answer.data.into_json().unwrap();
    let counts = &data["studentCounts"];
    assert_eq!(counts["groups"], serde_json::json!([]));
    assert_eq!(counts["total"], serde_json::Value::Null);
    assert_eq!(counts["withheld"], true);
    assert_eq!(counts["threshold"], 10);
    assert!(counts["note"].as_str().unwrap().ends_with("nothing tells whether there were any"));
}

#[tokio::test]
async fn what_two_roles_allow_is_not_put_together() {
    let app = App::new().await;
    let (officer, reviewer) = (("aid_officer", Reach::School), ("reviewer", Reach::School));
    let by = |keys: &str| format!("{{studentCounts(groupBy:[{keys}]){{total}}}}");
    // The aid officer may group by left-behind, the reviewer by class size.
    for keys in ["LEFT_BEHIND", "CLASS_SIZE_BAND"] {
        assert_eq!(app.ask(&[officer, reviewer], &by(keys)).await.0, None);
    }
    let both = by("LEFT_BEHIND,CLASS_SIZE_BAND");
    let (code, coordinates, statements) = app.ask(&[officer, reviewer], &both).await;
    assert_eq!(code.as_deref(), Some("FORBIDDEN"));
    assert_eq!(coordinates.as_deref(), Some("[\"ClassGroup.sizeBand\"]"));
    assert_eq!(statements, 0);
}

#[tokio::test]
async fn refusals_name_the_column_before_any_sql() {
    let app = App::new().await;
    let cases: [(Held<'_>, &str, &str); 5] = [
        (&[("guardian", Reach::Ward)], "{studentCounts(groupBy:[]){total}}", "Student.count"),
        (
            &[("county_officer", Reach::Region)],
            "{scoreStatistics(groupBy:[]){total}}",
            "Score.statistics",
        ),
        (
            &[("homeroom_teacher", Reach::Class)],
            "{aidCoverage(groupBy:[]){total}}",
            "AidGrant.coverage",
        ),
        (
            &[("reviewer", Reach::School)],
            "{studentCounts(groupBy:[GENDER,ETHNIC_GROUP]){total}}",
            "Student.ethnicGroup",
        ),
        (
            &[("reviewer", Reach::School)],
            "{studentCounts(groupBy:[],filter:{leftBehind:[NONE]}){total}}",
            "Student.leftBehind",
        ),
    ];
    for (held, query, coordinate) in cases {
        let (code, coordinates, statements) = app.ask(held, query).await;
        assert_eq!(code.as_deref(), Some("FORBIDDEN"), "{query}");
        assert_eq!(coordinates, Some(format!("[\"{coordinate}\"]")), "{query}");
        assert_eq!(statements, 0, "{query}");
    }
}

#[tokio::test]
async fn bad_input_is_refused_before_any_sql() {
    let app = App::new().await;
    let rates = |from: &str, until: &str| {
        format!(
            "{{attendanceRates(period:DAY,groupBy:[],from:\"{from}\",until:\"{until}\"){{total}}}}"
        )
    };
    let ids = "\"x\",".repeat(201);
    for (query, expected) in [
        (
            "{studentCounts(groupBy:[SCHOOL,STAGE,GENDER,STATUS,BOARDING]){total}}".to_owned(),
            "LIMIT_EXCEEDED",
        ),
        (
            format!("{{studentCounts(groupBy:[],filter:{{schoolIds:[{ids}]}}){{total}}}}"),
            "LIMIT_EXCEEDED",
        ),
        ("{studentCounts(groupBy:[],filter:{genders:[\"7\"]}){total}}".to_owned(), "INVALID_INPUT"),
        (
            "{studentCounts(groupBy:[],filter:{genders:[\"JDFS:1\"]}){total}}".to_owned(),
            "INVALID_INPUT",
        ),
        (rates("2026-09-02", "2026-09-01"), "INVALID_INPUT"),
        (rates("2025-01-01", "2026-12-31"), "INVALID_INPUT"),
    ] {
        let (code, _, statements) = app.ask(ANALYST, &query).await;
        assert_eq!(code.as_deref(), Some(expected), "{query}");
        assert_eq!(statements, 0, "{query}");
    }
}
