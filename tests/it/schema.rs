//! The schema is the one on file, and says what each part of it is for.
//!
//! `UPDATE=1 cargo test --test it schema` writes `schema.graphql` anew, for review.

use std::collections::BTreeSet;

use serde_json::Value;
use xueji::access::view::Kind;
use xueji::graphql::{Limits, REGISTRY, build_schema, sdl};

use crate::support::app::{catalogue, policy};
use crate::support::document::in_schema;
use crate::support::snapshot;

const INTROSPECTION: &str = "{ __schema { types { kind name description \
    fields(includeDeprecated: true) { name description type { ...T } args { name description } } \
    inputFields { name description } enumValues { name description } } } } \
    fragment T on __Type { kind name ofType { kind name ofType { kind name ofType { kind name } } } }";

/// Fields that are neither a column, a computed field, an id nor a relation of a noun. The list only shrinks.
const NEITHER: &[&str] = &[];

async fn types() -> Vec<Value> {
    let response = build_schema(Limits::default()).execute(INTROSPECTION).await;
    assert!(response.errors.is_empty(), "{:?}", response.errors);
    let data = serde_json::to_value(response.data).unwrap();
    data["__schema"]["types"].as_array().unwrap().clone()
}

fn list<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

#[test]
fn the_schema_is_the_one_on_file() {
    snapshot::matches("schema.graphql", &sdl());
}

#[tokio::test]
async fn everything_in_it_is_described() {
    let mut bare = Vec::new();
    for of in types().await {
        let name = text(&of, "name");
        // What the language itself defines needs no word of ours.
        if name.starts_with("__") || ["ID", "Int", "Float", "String", "Boolean"].contains(&name) {
            continue;
        }
        if text(&of, "description").trim().is_empty() {
            bare.push(name.to_owned());
        }
        for kind in ["fields", "inputFields", "enumValues"] {
            for member in list(&of, kind) {
                let path = format!("{name}.{}", text(member, "name"));
                for argument in list(member, "args") {
                    if text(argument, "description").trim().is_empty() {
                        bare.push(format!("{path}({})", text(argument, "name")));
                    }
                }
                if text(member, "description").trim().is_empty() {
                    bare.push(path);
                }
            }
        }
    }
    assert_eq!(bare, Vec::<String>::new(), "give each a doc comment: clients read it");
}

#[tokio::test]
async fn scalars_name_their_specification() {
    let sdl = sdl();
    for scalar in ["Date", "DateTime", "Decimal"] {
        let line = sdl.lines().find(|line| line.starts_with(&format!("scalar {scalar}")));
        assert!(
            line.is_some_and(|line| line.contains("@specifiedBy")),
            "scalar {scalar} has @specifiedBy: {line:?}"
        );
    }
}

#[tokio::test]
async fn every_field_of_a_noun_is_a_column_with_a_policy_line_an_id_or_a_relation() {
    let policy = policy().await;
    let coordinates: BTreeSet<String> =
        catalogue().coordinates.iter().map(|coordinate| coordinate.name()).collect();
    assert_eq!(policy.table.fields(), coordinates.len(), "the table covers the catalogue");
    let types = types().await;
    let mut neither = BTreeSet::new();
    for noun in REGISTRY.nouns() {
        let of = types.iter().find(|of| text(of, "name") == noun.shape.type_name).unwrap();
        let mut known = BTreeSet::from(["id".to_owned()]);
        known.extend(noun.relation_camel.iter().cloned());
        for (at, shape) in noun.shape.fields.iter().enumerate() {
            let coordinate = format!("{}.{}", noun.shape.name, shape.name);
            assert!(coordinates.contains(&coordinate), "{coordinate} is in the catalogue");
            if in_schema(noun, at) {
                known.insert(noun.camel[at].clone());
            }
        }
        for field in list(of, "fields") {
            let name = text(field, "name");
            if !known.contains(name) {
                neither.insert(format!("{}.{name}", noun.shape.type_name));
            }
            // Whatever may be hidden is null for somebody.
            let nullable = field["type"]["kind"] != "NON_NULL";
            let connection = field["type"]["ofType"]["name"]
                .as_str()
                .is_some_and(|name| name.ends_with("Connection"));
            assert!(nullable || name == "id" || connection, "{name} of {of} is nullable");
        }
    }
    assert_eq!(
        neither.iter().map(String::as_str).collect::<Vec<_>>(),
        NEITHER,
        "a field of a noun is a column, a computed field, an id or a relation; the list of others only shrinks"
    );
}

#[test]
fn sealed_columns_and_equality_groups_are_never_ranges_or_orders() {
    let sdl = sdl();
    for noun in REGISTRY.nouns() {
        let order = format!("enum {}OrderField {{", noun.shape.type_name);
        let orders = sdl.split(&order).nth(1).map_or("", |rest| rest.split('}').next().unwrap());
        for shape in noun.shape.fields {
            let equality = shape.group.equality_only() || matches!(shape.kind, Kind::Sealed { .. });
            let value = shape.name.to_uppercase();
            assert!(
                !equality || !orders.lines().any(|line| line.trim() == value),
                "{}.{} orders nothing",
                noun.shape.name,
                shape.name
            );
        }
    }
    let exact = sdl.split("input ExactTest {").nth(1).unwrap().split('}').next().unwrap();
    for operator in ["lt", "gt", "startsWith"] {
        assert!(!exact.contains(&format!("{operator}:")), "ExactTest has no {operator}");
    }
}
