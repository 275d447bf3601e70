//! A column that may not be used is refused before any statement runs, and the refusal names it; one that may be used
//! is not refused. Asked of every column of every noun by every role, in every way a client may write it.

use serde_json::{Map, Value, json};
use xueji::access::table::{Pair, Uses};
use xueji::access::view::{Join, Kind, Noun};
use xueji::graphql::REGISTRY;

use super::{Leaf, Path, leaves, paths};
use crate::canary::everybody;
use crate::support::answer::Answer;
use crate::support::app::App;
use crate::support::callers::Person;
use crate::support::document::{in_schema, noun};
use crate::support::truth::Truth;

/// The pairs that a person holds, *anyone* included.
fn pairs(app: &App, person: &Person<'_>) -> Vec<Pair> {
    let roles = &app.policy().roles;
    let mut pairs: Vec<Pair> = person
        .holding()
        .map(|held| Pair { role: roles.id(&held.role).unwrap(), reach: held.reach })
        .collect();
    pairs.push(Pair::ANYONE);
    pairs
}

/// Whether somewhere one of the pairs shows the column in full and lets it be used so.
fn somewhere(app: &App, pairs: &[Pair], noun: &Noun, field: usize, uses: Uses) -> bool {
    let table = &app.policy().table;
    pairs.iter().any(|pair| {
        table.rows(*pair, noun.noun_id()) && table.cell(*pair, noun.id(field)).uses.contains(uses)
    })
}

/// Whether each of the pairs that show rows does.
fn everywhere(app: &App, pairs: &[Pair], noun: &Noun, field: usize, uses: Uses) -> bool {
    let table = &app.policy().table;
    let mut seeing = pairs.iter().filter(|pair| table.rows(**pair, noun.noun_id())).peekable();
    seeing.peek().is_some()
        && seeing.all(|pair| table.cell(*pair, noun.id(field)).uses.contains(uses))
}

/// Refused before any statement, by the name of the column, and told nothing else.
#[track_caller]
fn outright(who: &str, document: &str, (answer, statements): (Answer, u64), coordinate: &str) {
    assert_eq!(answer.code(), "FORBIDDEN", "{who}: {document} {}", answer.text);
    let named = &answer.error()["extensions"]["coordinates"];
    assert_eq!(named, &json!([coordinate]), "{who}: {document}");
    assert_eq!(statements, 0, "{who}: {document}");
    // Nothing at all, or nothing under any root field that may be null.
    let roots = answer.body["data"].as_object();
    assert!(
        roots.is_none_or(|roots| roots.values().all(Value::is_null)),
        "{who}: {document} {}",
        answer.text
    );
}

/// Around a list of a noun: what leads to it from the root, as text before and behind it.
fn around(path: &Path, list: &str) -> String {
    let mut open = format!("{}(first: 2) {{ nodes {{ ", path.root);
    let mut close = " } }".to_owned();
    let mut at = path.from;
    for (turn, relation) in path.relations.iter().enumerate() {
        let shape = &at.shape.relations[*relation];
        let name = &at.relation_camel[*relation];
        at = noun(shape.target);
        if turn + 1 == path.relations.len() {
            return format!("{open}{name}{list} {{ totalCount }}{close}");
        }
        if shape.many {
            open.push_str(&format!("{name}(first: 2) {{ nodes {{ "));
            close.insert_str(0, " } }");
        } else {
            open.push_str(&format!("{name} {{ "));
            close.insert_str(0, " }");
        }
    }
    format!("{}{list} {{ totalCount }}", path.root)
}

/// A JSON value as GraphQL writes it; enums by their bare names.
fn literal(value: &Value, bare: bool) -> String {
    match value {
        Value::Object(fields) => {
            let fields: Vec<String> = fields
                .iter()
                .map(|(name, value)| format!("{name}: {}", literal(value, bare)))
                .collect();
            format!("{{ {} }}", fields.join(", "))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(|item| literal(item, bare)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::String(text) if bare => text.clone(),
        other => other.to_string(),
    }
}

fn one(name: &str, value: Value) -> Value {
    Value::Object(Map::from_iter([(name.to_owned(), value)]))
}

/// How many ways of writing there are.
const WAYS: usize = 12;

/// The document and variables of a way to write the condition.
fn written(way: usize, path: &Path, noun: &Noun, field: usize, leaf: &Leaf) -> (String, Value) {
    let bare = matches!(noun.shape.fields[field].kind, Kind::Enum(_));
    let name = &noun.camel[field];
    let condition = one(name, leaf.test.clone());
    let (text, ty) = (literal(&condition, bare), format!("{}Filter", noun.shape.type_name));
    let plain = |filter: &str| around(path, &format!("(filter: {filter})"));
    let none = json!({});
    match way {
        0 => (format!("{{ {} }}", plain(&text)), none),
        1 => (format!("query($f: {ty}) {{ {} }}", plain("$f")), json!({ "f": condition })),
        2 => (format!("query($f: {ty} = {text}) {{ {} }}", plain("$f")), none),
        3 => {
            (format!("query($f: {ty}!) {{ {} }}", plain("{ not: $f }")), json!({ "f": condition }))
        }
        4 => (format!("{{ alias: {} }}", plain(&text)), none),
        5 => (format!("{{ ...F }} fragment F on Query {{ {} }}", plain(&text)), none),
        6 => (format!("{{ ... on Query {{ ... {{ {} }} }} }}", plain(&text)), none),
        7 => (
            format!(
                "query($yes: Boolean = true) {{ ... @include(if: $yes) {{ {} }} }}",
                plain(&text)
            ),
            none,
        ),
        8 => (format!("{{ {} }}", plain(&format!("{{ not: {text} }}"))), none),
        9 => (format!("{{ {} }}", plain(&format!("{{ or: [{{}}, {text}] }}"))), none),
        10 => (
            format!("{{ {} }}", plain(&format!("{{ and: [{{ not: {{ or: [{text}] }} }}] }}"))),
            none,
        ),
        _ => {
            let test = literal(&leaf.test, bare);
            let (_, test) = test.split_once(": ").unwrap();
            let operator = leaf.test.as_object().unwrap().keys().next().unwrap();
            // The value alone comes from a variable.
            let value = test.trim_end_matches(" }");
            match leaf.test[operator] {
                Value::Bool(_) => (
                    format!(
                        "query($v: Boolean = {value}) {{ {} }}",
                        plain(&format!("{{ {name}: {{ {operator}: $v }} }}"))
                    ),
                    none,
                ),
                _ => (format!("{{ {} }}", plain(&format!("{{ and: {text} }}"))), none),
            }
        }
    }
}

#[tokio::test]
async fn a_condition_on_a_column_is_allowed_where_the_table_says_so_and_refused_before_any_statement()
 {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let paths = paths();
    let (mut allowed, mut refused, mut turn) = (0, 0, 0);
    let mut ways = [0_usize; WAYS];
    for (name, person) in everybody(&app, &seed) {
        let pairs = pairs(&app, &person);
        for noun in REGISTRY.nouns() {
            let path = &paths[noun.shape.name];
            if path.relations.last().is_some_and(|last| !parent(path).shape.relations[*last].many) {
                continue;
            }
            let mut batch = Vec::new();
            for field in (0..noun.shape.fields.len()).filter(|at| in_schema(noun, *at)) {
                let leaves = leaves(&truth, noun, field);
                let (mut may, mut not): (Vec<&Leaf>, Vec<&Leaf>) = (Vec::new(), Vec::new());
                for leaf in &leaves {
                    let granted = somewhere(&app, &pairs, noun, field, leaf.uses);
                    if granted { may.push(leaf) } else { not.push(leaf) }
                }
                let bare = matches!(noun.shape.fields[field].kind, Kind::Enum(_));
                for leaf in may {
                    let text = literal(&one(&noun.camel[field], leaf.test.clone()), bare);
                    batch.push(around(
                        path,
                        &format!("(filter: {{ and: [{{ not: {text} }}, {text}] }})"),
                    ));
                    allowed += 1;
                }
                // Each column in another two ways for each role; all operators and all ways take their turns.
                for _ in 0..2.min(not.len()) {
                    let leaf = not[turn % not.len()];
                    let way = turn % WAYS;
                    turn += 1;
                    ways[way] += 1;
                    let (document, variables) = written(way, path, noun, field, leaf);
                    let counted = person.counted(&document, variables).await;
                    outright(name, &document, counted, &noun.coordinate(field));
                    refused += 1;
                }
            }
            for lists in batch.chunks(20) {
                let lists: Vec<String> =
                    lists.iter().enumerate().map(|(at, list)| format!("a{at}: {list}")).collect();
                let answer = person.ask(&format!("{{ {} }}", lists.join(" "))).await;
                answer.data();
            }
        }
    }
    assert!(allowed > 1_000 && refused > 2_000, "{allowed} allowed, {refused} refused");
    assert!(ways.iter().all(|times| *times > 50), "{ways:?}");
}

/// The noun whose relation ends a path.
fn parent(path: &Path) -> &'static Noun {
    path.relations[..path.relations.len() - 1]
        .iter()
        .fold(path.from, |at, relation| noun(at.shape.relations[*relation].target))
}

#[tokio::test]
async fn a_condition_through_a_relation_asks_for_the_right_to_the_reference_the_rows_and_the_column()
 {
    let (app, seed) = App::school().await;
    let truth = Truth::of(&app).await;
    let filter = Uses::FULL.union(Uses::FILTER);
    let (mut allowed, mut refused, mut turn) = (0, 0, 0);
    for (name, person) in everybody(&app, &seed) {
        let pairs = pairs(&app, &person);
        let rows =
            |noun: &Noun| pairs.iter().any(|pair| app.policy().table.rows(*pair, noun.noun_id()));
        for (root, of) in crate::support::document::LISTS {
            let from = noun(of);
            for (at, shape) in from.shape.relations.iter().enumerate() {
                let target = noun(shape.target);
                let way = format!("{}.{}", from.shape.type_name, from.relation_camel[at]);
                // The first thing that stands in the way.
                let mut stands = None;
                if let Some(key) = shape.key.and_then(|key| from.field(key))
                    && !somewhere(&app, &pairs, from, key, filter)
                {
                    stands = Some(from.coordinate(key));
                } else if !rows(target) {
                    stands = Some(way);
                } else if let Join::From(key) | Join::FromOfStudent(key) = shape.join {
                    let key = target.field(key).unwrap();
                    if !somewhere(&app, &pairs, target, key, filter) {
                        stands = Some(target.coordinate(key));
                    }
                }
                for field in (0..target.shape.fields.len()).filter(|at| in_schema(target, *at)) {
                    let leaves = leaves(&truth, target, field);
                    if leaves.is_empty() {
                        continue;
                    }
                    turn += 1;
                    let leaf = &leaves[turn % leaves.len()];
                    let bare = matches!(target.shape.fields[field].kind, Kind::Enum(_));
                    let test = literal(&one(&target.camel[field], leaf.test.clone()), bare);
                    let below = match (shape.many, turn % 4) {
                        (true, 0) => format!("{{ some: {test} }}"),
                        (true, 1) => format!("{{ none: {test} }}"),
                        (true, 2) => format!("{{ every: {test} }}"),
                        (true, _) => format!("{{ none: {{ not: {test} }} }}"),
                        (false, 0) => format!("{{ not: {test} }}"),
                        (false, _) => test,
                    };
                    let condition = format!("{{ {}: {below} }}", from.relation_camel[at]);
                    let condition =
                        if turn % 3 == 0 { format!("{{ not: {condition} }}") } else { condition };
                    let document = format!("{{ {root}(filter: {condition}) {{ totalCount }} }}");
                    let expected = stands.clone().or_else(|| {
                        let may = somewhere(&app, &pairs, target, field, leaf.uses);
                        (!may).then(|| target.coordinate(field))
                    });
                    let Some(coordinate) = expected else {
                        person.ask(&document).await.data();
                        allowed += 1;
                        continue;
                    };
                    let counted = person.counted(&document, json!({})).await;
                    outright(name, &document, counted, &coordinate);
                    refused += 1;
                }
            }
        }
    }
    assert!(allowed > 200 && refused > 1_000, "{allowed} allowed, {refused} refused");
}

#[tokio::test]
async fn an_order_is_allowed_where_every_row_shows_its_column() {
    let (app, seed) = App::school().await;
    let paths = paths();
    let sort = Uses::FULL.union(Uses::SORT);
    let (mut allowed, mut refused) = (0, 0);
    for (name, person) in everybody(&app, &seed) {
        let pairs = pairs(&app, &person);
        for noun in REGISTRY.nouns() {
            let path = &paths[noun.shape.name];
            if path.relations.last().is_some_and(|last| !parent(path).shape.relations[*last].many) {
                continue;
            }
            for (at, shape) in noun.shape.fields.iter().enumerate() {
                let offered = !shape.optional
                    && !shape.group.equality_only()
                    && !matches!(
                        shape.kind,
                        Kind::Sealed { .. } | Kind::Key | Kind::Computed | Kind::Bool
                    );
                let order = |direction: &str| {
                    let field = shape.name.to_uppercase();
                    let by = format!("(orderBy: [{{ field: {field}{direction} }}])");
                    format!("{{ {} }}", around(path, &by))
                };
                if !offered {
                    continue;
                }
                if everywhere(&app, &pairs, noun, at, sort) {
                    person.ask(&order(", direction: DESC")).await.data();
                    allowed += 1;
                    continue;
                }
                let counted = person.counted(&order(""), json!({})).await;
                outright(name, &order(""), counted, &noun.coordinate(at));
                refused += 1;
            }
        }
    }
    assert!(allowed > 200 && refused > 500, "{allowed} allowed, {refused} refused");
}

#[tokio::test]
async fn a_search_is_allowed_where_some_text_may_be_searched() {
    let (app, seed) = App::school().await;
    let (mut allowed, mut refused) = (0, 0);
    for (name, person) in everybody(&app, &seed) {
        let pairs = pairs(&app, &person);
        for (root, of) in crate::support::document::LISTS {
            let noun = noun(of);
            let texts: Vec<usize> =
                (0..noun.shape.fields.len()).filter(|field| noun.searches(*field)).collect();
            let document =
                format!("query($q: String = \"mk\") {{ {root}(search: $q) {{ totalCount }} }}");
            if texts.is_empty() {
                assert_eq!(person.ask(&document).await.code(), "VALIDATION_FAILED");
                continue;
            }
            let uses = Uses::FULL.union(Uses::SEARCH);
            let counted = person.counted(&document, json!({})).await;
            if texts.iter().any(|field| somewhere(&app, &pairs, noun, *field, uses)) {
                counted.0.data();
                allowed += 1;
            } else {
                outright(name, root, counted, &noun.coordinate(texts[0]));
                refused += 1;
            }
        }
    }
    assert!(allowed > 10 && refused > 100, "{allowed} allowed, {refused} refused");
}

#[tokio::test]
async fn a_group_is_allowed_where_one_role_may_count_and_group_by_its_column() {
    let (app, seed) = App::school().await;
    app.snapshot("figures").await;
    let table = &app.policy().table;
    let count = (noun("student"), "count");
    let keys = [
        ("GENDER", "student", "gender"),
        ("ETHNIC_GROUP", "student", "ethnic_group"),
        ("LEFT_BEHIND", "student", "left_behind"),
        ("SCHOOL", "enrollment", "school_id"),
        ("YEAR_LEVEL", "enrollment", "year_level_id"),
        ("STAGE", "enrollment", "stage"),
        ("STATUS", "enrollment", "state"),
        ("BOARDING", "enrollment", "boarding"),
        ("CLASS_SIZE_BAND", "class_group", "size_band"),
    ];
    let (mut allowed, mut refused) = (0, 0);
    for (name, person) in everybody(&app, &seed) {
        let pairs = pairs(&app, &person);
        for (key, of, column) in keys {
            let of = noun(of);
            let at = of.field(column).unwrap();
            let outlet = count.0.field(count.1).unwrap();
            let may = pairs.iter().any(|pair| {
                table.aggregates(*pair, count.0.noun_id())
                    && table.cell(*pair, count.0.id(outlet)).uses.contains(Uses::AGGREGATE)
                    && table.cell(*pair, of.id(at)).uses.contains(Uses::GROUP)
            });
            let document = format!(
                "query($k: StudentGroupKey! = {key}) {{ f: studentCounts(groupBy: [$k]) {{ threshold }} }}"
            );
            let (answer, statements) = person.counted(&document, json!({})).await;
            if may {
                answer.data();
                allowed += 1;
            } else {
                assert_eq!(answer.code(), "FORBIDDEN", "{name}: {key} {}", answer.text);
                assert_eq!(statements, 0, "{name}: {key}");
                refused += 1;
            }
        }
    }
    assert!(allowed > 30 && refused > 60, "{allowed} allowed, {refused} refused");
}

#[tokio::test]
async fn what_is_computed_encrypted_without_a_hash_or_a_reference_has_no_condition_at_all() {
    let (app, seed) = App::school().await;
    let registrar = app.registrar(seed.schools[0].id);
    let mut tried = 0;
    for noun in REGISTRY.nouns() {
        for (at, shape) in noun.shape.fields.iter().enumerate() {
            let computed = matches!(
                shape.kind,
                Kind::Computed | Kind::Key | Kind::Sealed { hashed: false, .. }
            );
            if !computed {
                continue;
            }
            let Some((root, _)) =
                crate::support::document::LISTS.iter().find(|(_, of)| *of == noun.shape.name)
            else {
                continue;
            };
            let column = &noun.camel[at];
            for arguments in [
                format!("filter: {{ {column}: {{ isNull: false }} }}"),
                format!("filter: {{ not: {{ {column}: {{ eq: \"1\" }} }} }}"),
                format!("orderBy: [{{ field: {} }}]", shape.name.to_uppercase()),
            ] {
                let document = format!("{{ {root}({arguments}) {{ totalCount }} }}");
                let (answer, statements) = registrar.counted(&document, json!({})).await;
                assert_eq!(answer.code(), "INVALID_INPUT", "{document}: {}", answer.text);
                assert_eq!(statements, 0);
                tried += 1;
            }
        }
    }
    assert!(tried > 20, "{tried}");
}

#[tokio::test]
async fn what_is_left_out_by_a_directive_is_not_asked() {
    let (app, seed) = App::school().await;
    let teacher = app.homeroom_teacher(seed.first().id);
    let filter = "filter: { idNumber: { isNull: false } }";
    for document in [
        format!("{{ students({filter}) @include(if: false) {{ totalCount }} }}"),
        format!("{{ students({filter}) @skip(if: true) {{ totalCount }} }}"),
        format!(
            "query($no: Boolean! = false) {{ ... on Query @include(if: $no) {{ students({filter}) {{ totalCount }} }} }}"
        ),
        format!(
            "{{ ...F @skip(if: true) }} fragment F on Query {{ students({filter}) {{ totalCount }} }}"
        ),
    ] {
        let (answer, statements) = teacher.counted(&document, json!({})).await;
        assert_eq!(answer.data(), &json!({}), "{document}");
        assert_eq!(statements, 0, "what is not executed reads nothing");
    }
    // Both directives: to be executed, both must say so.
    let both =
        format!("{{ students({filter}) @include(if: true) @skip(if: false) {{ totalCount }} }}");
    assert_eq!(teacher.ask(&both).await.code(), "FORBIDDEN");
    let nested = "{ students { nodes { guardians(filter: { idNumber: { isNull: true } }) @include(if: false) { totalCount } id } } }";
    assert_eq!(teacher.ask(nested).await.at("/students/nodes").as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn through_the_interface_a_column_is_refused_like_anywhere_else() {
    let (app, seed) = App::school().await;
    let class = seed.first();
    let id = app.id("student", class.students[0]);
    let filter = "filter: { idNumber: { isNull: false } }";
    for (what, person, document, coordinate) in [
        (
            "a type condition",
            app.homeroom_teacher(class.id),
            format!(
                "{{ node(id: \"{id}\") {{ ... on Student {{ guardians({filter}) {{ totalCount }} }} }} }}"
            ),
            "Guardian.idNumber",
        ),
        (
            "a fragment on the interface",
            app.homeroom_teacher(class.id),
            format!(
                "{{ node(id: \"{id}\") {{ ...N }} }} fragment N on Node {{ ... on Student {{ guardians({filter}) {{ totalCount }} }} }}"
            ),
            "Guardian.idNumber",
        ),
        (
            "an order",
            app.subject_teacher(class.id, seed.courses[0]),
            format!(
                "{{ node(id: \"{id}\") {{ ... on Student {{ guardians(orderBy: [{{ field: NAME }}]) {{ totalCount }} }} }} }}"
            ),
            "Guardian.name",
        ),
    ] {
        let counted = person.counted(&document, json!({})).await;
        outright(what, &document, counted, coordinate);
    }
}
