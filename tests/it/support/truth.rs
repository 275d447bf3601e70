//! What the database really holds, read around the application: every value of every noun as an answer would show it
//! in full, and the facts that place each row.

use std::collections::{BTreeMap, HashMap, HashSet};

use chrono::{DateTime, NaiveDate, Utc};
use sea_orm::sea_query::{Expr, Query};
use sea_orm::{ConnectionTrait, QueryResult};
use serde_json::{Value, json};
use uuid::Uuid;
use xueji::access::view::{Kind, Noun};
use xueji::graphql::REGISTRY;
use xueji::store::codec::Codec;
use xueji_entity::value::{Fen, Thousandths};

use super::app::{App, today};
use super::document::in_schema;

/// A row as it is.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) noun: &'static Noun,
    pub(crate) student: Option<Uuid>,
    pub(crate) id: Uuid,
    pub(crate) live: bool,
    /// The value of each field that an answer can show, by field.
    pub(crate) shown: BTreeMap<usize, Value>,
    /// Foreign keys and plain values by column, for the facts.
    pub(crate) keys: HashMap<&'static str, Uuid>,
}

impl Row {
    /// The text of a column.
    pub(crate) fn text(&self, column: &str) -> &str {
        self.value(column).as_str().unwrap_or_default()
    }

    /// The value of a column.
    pub(crate) fn value(&self, column: &str) -> &Value {
        &self.shown[&self.noun.field(column).unwrap()]
    }
}

/// Where a student is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Whereabouts {
    pub(crate) school: Option<Uuid>,
    pub(crate) year_level: Option<Uuid>,
    pub(crate) classes: Vec<Uuid>,
}

/// Everything in the database.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) rows: HashMap<String, Row>,
    pub(crate) students: HashMap<Uuid, Whereabouts>,
    /// Students whose record is not live; what hangs from them is gone with them.
    pub(crate) gone: HashSet<Uuid>,
    /// The schools and the authorities above them today.
    pub(crate) authorities: HashMap<Uuid, Vec<Uuid>>,
    /// School and year level of each class.
    pub(crate) classes: HashMap<Uuid, (Uuid, Uuid)>,
    /// Classes that a pupil is or was in.
    pub(crate) known_classes: HashMap<Uuid, Vec<Uuid>>,
    /// Classes in which a member of staff has a duty today.
    pub(crate) duties: HashMap<Uuid, Vec<Uuid>>,
}

/// The columns of a table, read as they are.
async fn read(app: &App, table: &'static str, columns: &[&'static str]) -> Vec<QueryResult> {
    let mut query = Query::select();
    for (at, column) in columns.iter().enumerate() {
        query.expr_as(Expr::col(*column), format!("c{at}"));
    }
    query.from(table);
    app.db().query_all(&query).await.unwrap()
}

fn get<T: sea_orm::TryGetable>(row: &QueryResult, at: usize) -> T {
    row.try_get_by_index(at).unwrap_or_else(|_| panic!("column {at} has its type"))
}

fn holds(since: NaiveDate, until: Option<NaiveDate>) -> bool {
    since <= today() && until.is_none_or(|until| today() <= until)
}

impl Truth {
    /// Reads everything.
    pub(crate) async fn of(app: &App) -> Self {
        let mut truth = Self {
            rows: HashMap::new(),
            students: HashMap::new(),
            gone: HashSet::new(),
            authorities: HashMap::new(),
            classes: HashMap::new(),
            known_classes: HashMap::new(),
            duties: HashMap::new(),
        };
        for noun in REGISTRY.nouns() {
            truth.noun(app, noun).await;
        }
        truth.places(app).await;
        truth
    }

    /// The rows of a noun.
    pub(crate) fn of_noun(&self, noun: &str) -> impl Iterator<Item = (&String, &Row)> {
        self.rows.iter().filter(move |(_, row)| row.noun.shape.name == noun)
    }

    async fn noun(&mut self, app: &App, noun: &'static Noun) {
        let stored: Vec<usize> = (0..noun.shape.fields.len())
            .filter(|at| !matches!(noun.shape.fields[*at].kind, Kind::Computed))
            .collect();
        let of_student = noun.shape.hangs.of_student();
        let mut columns = vec!["id"];
        columns.extend(of_student.then_some("student_id"));
        columns.extend(noun.shape.lifecycle.then_some("lifecycle"));
        let first = columns.len();
        columns.extend(stored.iter().map(|at| noun.shape.fields[*at].name));
        for row in read(app, noun.shape.name, &columns).await {
            let id: Uuid = get(&row, 0);
            let student = of_student.then(|| get::<Uuid>(&row, 1));
            let live = !noun.shape.lifecycle || get::<String>(&row, first - 1) == "live";
            if noun.shape.name == "student" && !live {
                self.gone.insert(id);
            }
            let (mut shown, mut keys) = (BTreeMap::new(), HashMap::new());
            for (slot, at) in stored.iter().enumerate() {
                let shape = &noun.shape.fields[*at];
                if let Kind::Key = shape.kind {
                    if let Some(key) = get::<Option<Uuid>>(&row, first + slot) {
                        keys.insert(shape.name, key);
                    }
                } else if in_schema(noun, *at) {
                    shown.insert(*at, cell(app, noun, *at, id, &row, first + slot));
                }
            }
            let global = match student {
                Some(student) => app.id_of(noun.shape.name, student, id),
                None => app.id(noun.shape.name, id),
            };
            self.rows.insert(global, Row { noun, student, id, live, shown, keys });
        }
    }

    async fn places(&mut self, app: &App) {
        let columns = ["student_id", "school_id", "year_level_id", "live", "lifecycle"];
        for row in read(app, "enrollment", &columns).await {
            if get::<bool>(&row, 3) && get::<String>(&row, 4) == "live" {
                let student = self.students.entry(get(&row, 0)).or_default();
                student.school = Some(get(&row, 1));
                student.year_level = Some(get(&row, 2));
            }
        }
        let columns = ["student_id", "class_group_id", "since", "until", "lifecycle"];
        for row in read(app, "class_membership", &columns).await {
            if get::<String>(&row, 4) != "live" {
                continue;
            }
            let (student, class) = (get::<Uuid>(&row, 0), get::<Uuid>(&row, 1));
            self.known_classes.entry(student).or_default().push(class);
            if holds(get(&row, 2), get(&row, 3)) {
                self.students.entry(student).or_default().classes.push(class);
            }
        }
        for row in read(app, "class_group", &["id", "school_id", "year_level_id"]).await {
            self.classes.insert(get(&row, 0), (get(&row, 1), get(&row, 2)));
        }
        for row in read(app, "duty", &["staff_id", "class_group_id", "since", "until"]).await {
            if let Some(class) = get::<Option<Uuid>>(&row, 1)
                && holds(get(&row, 2), get(&row, 3))
            {
                self.duties.entry(get(&row, 0)).or_default().push(class);
            }
        }
        let columns = ["id", "county_id", "city_id", "province_id"];
        let mut above: HashMap<Uuid, Vec<Uuid>> = HashMap::new();
        for row in read(app, "organisation", &columns).await {
            let mut ids = vec![get::<Uuid>(&row, 0)];
            ids.extend((1..4).filter_map(|at| get::<Option<Uuid>>(&row, at)));
            above.insert(ids[0], ids);
        }
        let columns = ["school_id", "authority_id", "since", "until"];
        for row in read(app, "school_authority", &columns).await {
            if holds(get(&row, 2), get(&row, 3)) {
                let ids = above.get(&get(&row, 1)).cloned().unwrap_or_default();
                self.authorities.entry(get(&row, 0)).or_default().extend(ids);
            }
        }
    }
}

/// A value as an answer shows it in full.
fn cell(app: &App, noun: &Noun, field: usize, id: Uuid, row: &QueryResult, at: usize) -> Value {
    let shape = &noun.shape.fields[field];
    match shape.kind {
        Kind::Text(_) => json!(get::<Option<String>>(row, at)),
        Kind::Sealed { .. } => json!(
            get::<Option<Vec<u8>>>(row, at)
                .map(|sealed| app.codec().open(noun.shape.name, shape.name, id, &sealed).unwrap())
        ),
        Kind::Int => json!(get::<Option<i64>>(row, at)),
        Kind::Bool => json!(get::<Option<bool>>(row, at)),
        Kind::Date => json!(get::<Option<NaiveDate>>(row, at)),
        Kind::Instant => json!(get::<Option<DateTime<Utc>>>(row, at)),
        Kind::Thousandths => {
            json!(get::<Option<i64>>(row, at).map(|value| Thousandths(value).to_string()))
        }
        Kind::Fen => json!(get::<Option<i64>>(row, at).map(|value| Fen(value).to_string())),
        Kind::Code => match get::<Option<String>>(row, at) {
            Some(code) => {
                let (list, value) = code.split_once(':').unwrap();
                json!({ "list": list, "value": value })
            }
            None => Value::Null,
        },
        Kind::Enum(_) => json!(get::<Option<String>>(row, at).map(|value| value.to_uppercase())),
        Kind::Key | Kind::Computed => Value::Null,
    }
}
