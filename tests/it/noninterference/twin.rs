//! Two databases that differ only in what one person may not see.
//!
//! Both are copies of one that was planted once, so keys and with them global ids are the same. Then pupils out of the
//! person's scope are added to either, and in the second every value that the oracle hides is changed: hidden columns,
//! to and from nothing on file too; what masks hide, with its length where the mask hides that; rows out of scope, which
//! are changed, copied, deleted and taken away. At the end the premise itself is checked: what the person may see is the
//! same in both, row by row and value by value.

use std::collections::HashSet;

use chrono::{TimeZone, Utc};
use rand::Rng;
use rand_chacha::ChaCha8Rng;
use sea_orm::sea_query::{Expr, ExprTrait, Query, SimpleExpr, UpdateStatement, Value as Bound};
use sea_orm::{ConnectionTrait, TransactionTrait};
use serde_json::Value;
use uuid::Uuid;
use xueji::access::table::{Pair, Sight};
use xueji::access::view::{Kind, Noun};
use xueji::config::settings::Exceptional;
use xueji::graphql::REGISTRY;
use xueji::store::codec::Codec;

use super::answered::Answered;
use super::other::{behind_mask, moved, nothing, plain, text};
use super::pool::Continuation;
use super::schema::Schema;
use super::{raised, run};
use crate::support::app::App;
use crate::support::callers::Person;
use crate::support::everybody::everybody;
use crate::support::oracle::Oracle;
use crate::support::seed::Seed;
use crate::support::truth::{Row, Truth};
use xueji_entity::value::AccountId;

/// Columns that place a row or that a rule reads: changing one changes who may see what.
const PLACING: &[(&str, &[&str])] = &[
    // Which school and class a pupil is of; the state follows from being live, by a constraint.
    ("enrollment", &["live", "state"]),
    ("class_membership", &["since", "until", "kind"]),
    // Which classes a member of staff is known in; kind and post are tied to the places by constraints.
    ("duty", &["since", "until", "kind", "post"]),
    // Families see what is published, and nobody what is quashed; when it was lifted follows from the state.
    ("score", &["published"]),
    ("sanction", &["state", "lifted_on"]),
    // Who may sign in and what they hold.
    ("account", &["disabled"]),
    ("access_grant", &["role", "reach", "since", "until", "ended_at", "expires_at"]),
    // Decided or waiting, by a constraint.
    ("access_review", &["state", "decided_at"]),
];

/// Columns that a constraint ties to one another or to those of other rows: all of a noun move by one step.
const TIED: &[(&str, &[&str])] = &[
    // One row of a pupil and a day.
    ("attendance", &["day"]),
    // From, until.
    ("access_review", &["opened_at", "expires_at"]),
    ("student_number", &["since", "until"]),
    ("identity_document", &["since", "until"]),
    ("guardianship", &["since", "until"]),
];

/// Texts of which no two rows may have the same.
const UNIQUE: &[(&str, &[&str])] = &[("account", &["login"]), ("staff", &["staff_number"])];

/// Keys that may be changed: they lead somewhere and place nothing. Those within a student lead to a row of the same.
pub(super) const FREE_KEYS: &[(&str, &[&str])] = &[
    ("attendance", &["recorded_by_id", "class_group_id"]),
    ("score", &["entered_by_id", "class_group_id"]),
    ("aid_grant", &["programme_id", "term_id"]),
    ("archive", &["custodian_id"]),
    ("archive_item", &["archive_id", "supersedes_id"]),
    ("access_review", &["decided_by_id"]),
    ("class_membership", &["enrollment_id"]),
];

pub(super) fn among(list: &[(&str, &[&str])], noun: &Noun, column: &str) -> bool {
    list.iter().any(|(of, columns)| *of == noun.shape.name && columns.contains(&column))
}

/// Columns that no view shows, of rows with a lifecycle.
const UNSEEN: &[&str] = &["row_version", "updated_at"];

/// Idempotency keys that requests carry, and that somebody else has used in one of the twins.
pub(crate) const KEYS: u32 = 40;

/// The database from which the twins are copied, and who asks.
pub(crate) struct Base {
    pub(crate) app: App,
    pub(crate) seed: Seed,
    pub(crate) people: Vec<(String, AccountId)>,
    /// An examination in draft without scores.
    empty: Uuid,
    /// Lists that others were answered, to be continued by whom they are not for.
    pub(crate) foreign: Vec<Continuation>,
}

/// Two applications that a person cannot tell apart.
pub(crate) struct Twins {
    pub(crate) apps: [App; 2],
    pub(crate) account: AccountId,
    /// What differs, for the report.
    pub(crate) differences: Differences,
}

/// How much differs.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Differences {
    pub(crate) hidden: usize,
    pub(crate) masked: usize,
    pub(crate) out_of_scope: usize,
    pub(crate) added: usize,
    pub(crate) removed: usize,
}

/// Several roles of one person, so that rows of one list are seen in different ways.
fn mixed<'a>(app: &'a App, seed: &Seed) -> Vec<(&'static str, Person<'a>)> {
    use xueji::access::caller::Place;
    use xueji::access::table::Reach;
    let school = |at: usize| Place::Organisation(seed.schools[at].id.uuid());
    let class = Place::ClassGroup(seed.class(0, 0, 1).id.uuid());
    vec![
        (
            "registrar here, reviewer there",
            app.registrar(seed.schools[0].id).and("reviewer", Reach::School, school(1)),
        ),
        (
            "guardian and homeroom teacher",
            app.guardian(seed.first().students[0]).and("homeroom_teacher", Reach::Class, class),
        ),
        (
            "aid officer of the county and year head",
            app.regional_aid_officer(seed.counties[0]).and(
                "year_head",
                Reach::YearLevel,
                Place::YearLevel(seed.schools[0].levels[0].id.uuid()),
            ),
        ),
    ]
}

impl Base {
    /// Plants the registry and the accounts of everybody.
    pub(crate) async fn plant() -> Self {
        let (app, seed) = App::school_alone().await;
        app.plant_more(&seed, &[(0, 0, 0), (1, 0, 0)], 300, true).await;
        let mut people = Vec::new();
        for (name, person) in everybody(&app, &seed).into_iter().chain(mixed(&app, &seed)) {
            people.push((name.to_owned(), person.account().await));
        }
        app.plant_colleagues().await;
        app.plant_opened(&seed).await;
        raised::plant(&app, &seed, &people).await;
        delete_copies(&app).await;
        cross_references(&app).await;
        let empty = empty_exam(&app, &seed).await;
        // Figures are of a snapshot, and both twins have the same: on these outlets they agree.
        app.take(None).await.unwrap();
        let schema = Schema::read();
        let mut foreign = Vec::new();
        for (name, account) in &people {
            if ["registrar", "county_officer", "homeroom_teacher"].contains(&name.as_str()) {
                foreign.extend(run::lists_of(&app, &schema, name, *account, 40).await);
            }
        }
        Self { app, seed, people, empty, foreign }
    }

    /// The twins of one person.
    pub(crate) async fn twins(
        &self,
        account: AccountId,
        schema: &Schema,
        rng: &mut ChaCha8Rng,
    ) -> Twins {
        let mut apps = Vec::new();
        let many = 1_000_000;
        let exceptional = Exceptional {
            reveals_per_hour: many,
            checks_per_hour: many,
            opens_per_hour: many,
            delegations_per_hour: many,
            concerns_per_hour: many,
            ..Exceptional::default()
        };
        for _ in 0..2 {
            apps.push(App::alone_at(self.app.place().copy().await, 2, exceptional).await);
        }
        let apps: [App; 2] = apps.try_into().unwrap_or_else(|_| panic!("two of them"));
        let differences = part(self, account, &apps, schema, rng).await;
        Twins { apps, account, differences }
    }
}

/// Rows that are deleted in both, beside live ones of the same pupils.
async fn delete_copies(app: &App) {
    let truth = Truth::of(app).await;
    for noun in REGISTRY.nouns().iter().filter(|noun| noun.shape.hangs.of_student()) {
        for row in in_order(&truth, noun).into_iter().take(4) {
            if let Some(id) = copied(app, row).await {
                let statement = changed(noun, id, [("lifecycle", Expr::val("deleted"))]);
                let _ = app.db().execute(&statement).await.unwrap();
            }
        }
    }
}

/// Every fourth score and day of attendance was written by somebody of another class, whom a teacher does not see.
async fn cross_references(app: &App) {
    let truth = Truth::of(app).await;
    let staff = in_order(&truth, REGISTRY.get("staff").unwrap());
    for (noun, key) in [("score", "entered_by_id"), ("attendance", "recorded_by_id")] {
        let noun = REGISTRY.get(noun).unwrap();
        for (at, row) in in_order(&truth, noun).into_iter().enumerate().step_by(4) {
            let by = staff[at % staff.len()].id;
            let statement = changed(noun, row.id, [(key, Expr::val(by))]);
            let _ = app.db().execute(&statement).await.unwrap();
        }
    }
}

/// An examination of the first year level that nobody has a score in.
async fn empty_exam(app: &App, seed: &Seed) -> Uuid {
    let truth = Truth::of(app).await;
    let draft = app.id("exam", seed.schools[0].levels[0].draft);
    copied(app, &truth.rows[&draft]).await.expect("an examination may be there twice")
}

/// In one of the twins pupils out of scope have the only scores of an examination: they were elsewhere then.
async fn scored_elsewhere(app: &App, base: &Base, truth: &Truth, oracle: &Oracle<'_>) {
    let noun = REGISTRY.get("score").unwrap();
    let draft = |row: &&Row| *row.value("published") == Value::Bool(false);
    let theirs = |row: &&Row| {
        let student = row.student.expect("a score is a pupil's");
        oracle.visible(&truth.rows[&app.id("student", student)])
    };
    for row in in_order(truth, noun).into_iter().filter(draft).filter(|row| !theirs(row)).take(3) {
        let statement = changed(noun, row.id, [("exam_id", Expr::val(base.empty))]);
        let _ = app.db().execute(&statement).await.unwrap();
    }
}

pub(super) fn in_order<'t>(truth: &'t Truth, noun: &Noun) -> Vec<&'t Row> {
    let mut rows: Vec<&Row> = truth.of_noun(noun.shape.name).map(|(_, row)| row).collect();
    rows.sort_unstable_by_key(|row| (row.id, row.student));
    rows
}

/// Changes the second of the twins, and adds to either.
async fn part(
    base: &Base,
    account: AccountId,
    apps: &[App; 2],
    schema: &Schema,
    rng: &mut ChaCha8Rng,
) -> Differences {
    let mut differences = Differences::default();
    let [one, two] = apps;
    let truth = Truth::of(one).await;
    let person = one.account_holder(account).await;
    let oracle = Oracle::of(one, &truth, &person);
    // Whole pupils, with all that hangs from them: where the person sees nobody, and deleted ones everywhere.
    let mut elsewhere = Vec::new();
    for (at, school) in base.seed.schools.iter().enumerate() {
        for (level_at, level) in school.levels.iter().enumerate() {
            for (class_at, class) in level.classes.iter().enumerate() {
                let shown = class
                    .students
                    .iter()
                    .any(|student| oracle.visible(&truth.rows[&one.id("student", student.uuid())]));
                if !shown {
                    elsewhere.push((at, level_at, class_at));
                }
            }
        }
    }
    let rows_before = truth.rows.len();
    if truth.of_noun("student").all(|(_, row)| !oracle.sees_noun(row.noun)) {
        elsewhere.clear();
        elsewhere.push((0, 0, 0));
    }
    two.plant_more(&base.seed, &elsewhere, 400, false).await;
    two.plant_more(&base.seed, &[(0, 0, 0), (0, 1, 0)], 500, true).await;
    one.plant_more(&base.seed, &elsewhere[..elsewhere.len() / 2], 600, false).await;
    one.plant_more(&base.seed, &[(0, 0, 1)], 700, true).await;
    differences.added = Truth::of(two).await.rows.len() - rows_before;
    differences.removed = Truth::of(one).await.rows.len() - rows_before;
    let answered = Answered::of(one, &truth, &person);
    let raised_by = raised::told(one, &truth, &person).await;
    // Values.
    let transaction = two.db().begin().await.unwrap();
    for noun in REGISTRY.nouns() {
        for row in in_order(&truth, noun) {
            if own(noun, row, account) || answered.names(row) || raised_by.contains(&row.id) {
                continue;
            }
            let codec = &*one.codec();
            let values = other_values(codec, schema, &oracle, &truth, row, rng, &mut differences);
            if let Some(statement) = values {
                let _ = transaction.execute(&statement).await.unwrap();
            }
        }
    }
    transaction.commit().await.unwrap();
    others_requests(two, base, account).await;
    raised::part(two, &truth, &person, account, &base.people).await;
    scored_elsewhere(two, base, &truth, &oracle).await;
    let known = Known::of(&truth, &oracle);
    let explains = explains(one, &person);
    // Rows: each in a statement of its own, since another row may refer to it.
    for noun in REGISTRY.nouns() {
        for row in in_order(&truth, noun) {
            if own(noun, row, account) || oracle.visible(row) || places(noun, row, &truth, &known) {
                continue;
            }
            if (explains && EXPLAINED.contains(&noun.shape.name)) || answered.contains(row) {
                continue;
            }
            match rng.random_range(0..10) {
                0 => differences.added += usize::from(copied(two, row).await.is_some()),
                1 if noun.shape.lifecycle => {
                    let word = if rng.random_bool(0.5) { "deleted" } else { "restricted" };
                    let statement = changed(noun, row.id, [("lifecycle", Expr::val(word))]);
                    let _ = two.db().execute(&statement).await.unwrap();
                    differences.removed += 1;
                }
                2 | 3 => {
                    let mut delete = Query::delete();
                    delete.from_table(noun.shape.name).and_where(Expr::col("id").eq(row.id));
                    differences.removed += usize::from(two.db().execute(&delete).await.is_ok());
                }
                _ => {}
            }
        }
    }
    premise(apps, account).await;
    differences
}

/// What an explanation rests on: which pupils there are and where, and who holds what. On it the twins of whoever may
/// explain the access of others agree, since an explanation says which grants cover a pupil (promise 20).
const EXPLAINED: [&str; 10] = [
    "account",
    "access_grant",
    "access_review",
    "student",
    "enrollment",
    "class_membership",
    "class_group",
    "guardianship",
    "duty",
    "staff",
];

/// Whether the person may ask what somebody else sees.
fn explains(app: &App, person: &Person<'_>) -> bool {
    let policy = app.policy();
    let act = policy.actions.id("access.explain").unwrap();
    person.holding().any(|held| {
        let pair = Pair { role: policy.roles.id(&held.role).unwrap(), reach: held.reach };
        policy.actions.may(&[pair], act).is_some()
    })
}

/// Whether the row is the person's own account, grant or opened record, on which every answer rests.
fn own(noun: &Noun, row: &Row, account: AccountId) -> bool {
    (noun.shape.name == "account" && row.id == account.uuid())
        || (["access_grant", "access_review"].contains(&noun.shape.name)
            && row.keys.get("account_id") == Some(&account.uuid()))
}

/// Who is shown, or has a row that is.
struct Known {
    students: HashSet<Uuid>,
    staff: HashSet<Uuid>,
}

impl Known {
    fn of(truth: &Truth, oracle: &Oracle<'_>) -> Self {
        let visible = || truth.rows.values().filter(|row| oracle.visible(row));
        let of = |row: &Row, name: &str| (row.noun.shape.name == name).then_some(row.id);
        Self {
            students: visible().filter_map(|row| row.student.or(of(row, "student"))).collect(),
            staff: visible().filter_map(|row| of(row, "staff")).collect(),
        }
    }
}

/// Whether the row places a pupil or a member of staff of whom something is shown.
fn places(noun: &Noun, row: &Row, truth: &Truth, known: &Known) -> bool {
    match noun.shape.name {
        "enrollment" | "class_membership" => {
            row.student.is_some_and(|student| known.students.contains(&student))
        }
        "student" => known.students.contains(&row.id),
        "duty" => row.keys.get("staff_id").is_some_and(|staff| known.staff.contains(staff)),
        "staff" | "account" => false,
        // Everybody's names and calendars hang from no student; a class may be somebody's of today.
        "class_group" => truth
            .students
            .iter()
            .any(|(id, at)| at.classes.contains(&row.id) && known.students.contains(id)),
        _ => false,
    }
}

fn changed<const N: usize>(
    noun: &Noun,
    id: Uuid,
    values: [(&str, SimpleExpr); N],
) -> UpdateStatement {
    let mut update = Query::update();
    update.table(noun.shape.name).and_where(Expr::col("id").eq(id));
    for (column, value) in values {
        update.value(column.to_owned(), value);
    }
    update
}

/// Other values for everything in a row that the person does not see.
fn other_values(
    codec: &dyn Codec,
    schema: &Schema,
    oracle: &Oracle<'_>,
    truth: &Truth,
    row: &Row,
    rng: &mut ChaCha8Rng,
    differences: &mut Differences,
) -> Option<UpdateStatement> {
    let noun = row.noun;
    let visible = oracle.visible(row);
    let mut update = Query::update();
    update.table(noun.shape.name).and_where(Expr::col("id").eq(row.id));
    let mut any = false;
    if noun.shape.lifecycle {
        for column in UNSEEN {
            let value = if *column == "row_version" {
                Expr::val(rng.random_range(2..50_i64))
            } else {
                Expr::val(Utc.with_ymd_and_hms(2026, 10, rng.random_range(1..28), 1, 2, 3).unwrap())
            };
            update.value(*column, value);
            any = true;
        }
    }
    for (field, shape) in noun.shape.fields.iter().enumerate() {
        if among(PLACING, noun, shape.name) {
            continue;
        }
        let sight = if visible { oracle.sight(row, field) } else { Sight::Hidden };
        let value = match sight {
            Sight::Full => continue,
            Sight::Masked => {
                let Some(Value::String(bare)) = row.shown.get(&field) else { continue };
                let (Kind::Text(Some(mask)) | Kind::Sealed { mask, .. }) = shape.kind else {
                    continue;
                };
                let Some(other) = behind_mask(bare, mask.apply, rng) else { continue };
                differences.masked += 1;
                Some(other)
            }
            Sight::Hidden => {
                let count =
                    if visible { &mut differences.hidden } else { &mut differences.out_of_scope };
                let tied = among(TIED, noun, shape.name);
                if tied {
                    if let Some(value) = moved(row.shown.get(&field)) {
                        *count += 1;
                        any = true;
                        update.value(shape.name, value);
                    }
                    continue;
                }
                let optional = shape.optional && shape.name != "id_number";
                if optional
                    && rng.random_bool(0.3)
                    && !matches!(shape.kind, Kind::Key | Kind::Computed)
                {
                    *count += 1;
                    update.value(shape.name, nothing(shape.kind));
                    if let Kind::Sealed { hashed: true, .. } = shape.kind {
                        update.value(format!("{}_hash", shape.name), Expr::val(Bound::Bytes(None)));
                    }
                    any = true;
                    continue;
                }
                match shape.kind {
                    Kind::Text(_) if among(UNIQUE, noun, shape.name) => {
                        *count += 1;
                        Some(format!("Mkz{}", row.id.simple()))
                    }
                    Kind::Text(_) | Kind::Sealed { .. } => {
                        *count += 1;
                        Some(text(row.shown.get(&field), shape.kind, rng))
                    }
                    _ => {
                        if let Some(value) = plain(schema, truth, row, field, rng) {
                            *count += 1;
                            any = true;
                            update.value(shape.name, value);
                        }
                        None
                    }
                }
            }
        };
        let Some(value) = value else { continue };
        any = true;
        match shape.kind {
            Kind::Sealed { mask, hashed, .. } => {
                let sealed = codec.seal(noun.shape.name, shape.name, row.id, &value).unwrap();
                update.value(shape.name, Expr::val(sealed));
                if hashed {
                    let hash = codec.hash(mask.name, &value).to_vec();
                    update.value(format!("{}_hash", shape.name), Expr::val(hash));
                }
            }
            _ => {
                update.value(shape.name, Expr::val(value));
            }
        }
    }
    any.then(|| update.to_owned())
}

/// A copy of a row under a new key; none where a constraint allows no second one.
async fn copied(app: &App, row: &Row) -> Option<Uuid> {
    let table = row.noun.shape.name;
    let mut one = Query::select();
    one.expr(Expr::cust("*")).from(table).limit(1);
    let names = app.db().query_one(&one).await.unwrap()?.column_names();
    let id = Uuid::now_v7();
    let codec = app.codec();
    let mut values = Query::select();
    for name in &names {
        // A sealed value is bound to its row, so that the copy's is sealed anew.
        let field = row
            .noun
            .field(name)
            .filter(|at| matches!(row.noun.shape.fields[*at].kind, Kind::Sealed { .. }));
        let bare = field.and_then(|at| row.shown.get(&at)?.as_str());
        values.expr(match bare {
            Some(bare) => Expr::val(codec.seal(table, name, id, bare).unwrap()),
            None if name == "id" => Expr::val(id),
            None => Expr::col(name.clone()),
        });
    }
    values.from(table).and_where(Expr::col("id").eq(row.id));
    let mut insert = Query::insert();
    insert.into_table(table).columns(names).select_from(values).unwrap();
    app.db().execute(&insert).await.is_ok().then_some(id)
}

/// Requests that others made once, under the keys that the person will use.
async fn others_requests(app: &App, base: &Base, account: AccountId) {
    let Some((_, other)) = base.people.iter().find(|(_, other)| *other != account) else { return };
    for key in 0..KEYS {
        let mut insert = Query::insert();
        insert
            .into_table("idempotency")
            .columns(["account_id", "key", "action", "request_hash", "response", "at"])
            .values([
                Expr::val(other.uuid()),
                Expr::val(format!("request-{key:04}")),
                Expr::val("attendance.record"),
                Expr::val(vec![7_u8; 32]),
                Expr::val("{\"recorded\":[],\"changed\":[]}"),
                Expr::val(crate::support::app::clock().now()),
            ])
            .unwrap();
        let _ = app.db().execute(&insert).await.unwrap();
    }
}

/// What the person may see is the same in both.
async fn premise(apps: &[App; 2], account: AccountId) {
    let [one, two] = apps;
    let truths = [Truth::of(one).await, Truth::of(two).await];
    let people = [one.account_holder(account).await, two.account_holder(account).await];
    let oracles =
        [Oracle::of(one, &truths[0], &people[0]), Oracle::of(two, &truths[1], &people[1])];
    for noun in REGISTRY.nouns() {
        let name = noun.shape.name;
        let shown = oracles.each_ref().map(|oracle| oracle.visible_ids(name));
        assert_eq!(shown[0], shown[1], "the same rows of {name}");
        for id in &shown[0] {
            let rows = truths.each_ref().map(|truth| &truth.rows[*id]);
            for field in 0..noun.shape.fields.len() {
                let sights = [0, 1].map(|at| oracles[at].sight(rows[at], field));
                assert_eq!(sights[0], sights[1], "the same sight of {}", noun.coordinate(field));
                if sights[0] == Sight::Full {
                    let values = rows.map(|row| row.shown.get(&field));
                    assert_eq!(values[0], values[1], "the same {}", noun.coordinate(field));
                }
            }
        }
    }
}
