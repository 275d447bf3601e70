//! Describes the nouns to the schema: objects, connections, filters and orderings.
//!
//! Everything follows from the registry of nouns, so that a field added to a `view!` appears with
//! its filter and ordering, and nothing can be asked that the engine does not know.

use async_graphql::registry::{
    EnumBuilder, InputObjectBuilder, MetaEnumValue, MetaField, MetaInputValue, MetaType,
    ObjectBuilder, Registry as Meta,
};
use async_graphql::{ID, InputType, OutputType};
use indexmap::IndexMap;

use super::computed;
use crate::access::view::{Field, Kind, Noun, Registry};
use crate::graphql::enums;
use crate::graphql::scalar::{Code, Date, Decimal, Instant, PageInfo};

fn doc(text: &str) -> Option<String> {
    let text = text.lines().map(str::trim).collect::<Vec<_>>().join("\n");
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

/// A field of an object with its documentation.
pub(crate) fn field(name: &str, ty: impl Into<String>, about: &str) -> MetaField {
    let mut field = MetaField::new(name, ty);
    field.description = doc(about);
    field
}

/// An argument or input field with its documentation.
pub(crate) fn input(name: &str, ty: impl Into<String>, about: &str) -> MetaInputValue {
    let mut input = MetaInputValue::new(name, ty);
    input.description = doc(about);
    input
}

fn named<T>(
    items: impl IntoIterator<Item = T>,
    name: impl Fn(&T) -> String,
) -> IndexMap<String, T> {
    items.into_iter().map(|item| (name(&item), item)).collect()
}

/// An object type from its fields.
pub(crate) fn object(name: &str, about: &str, fields: Vec<MetaField>) -> MetaType {
    ObjectBuilder::new(name, named(fields, |field| field.name.clone()))
        .description(doc(about))
        .build()
}

fn input_object(name: &str, about: &str, fields: Vec<MetaInputValue>) -> MetaType {
    InputObjectBuilder::new(name, named(fields, |field| field.name.clone()))
        .description(doc(about))
        .build()
}

/// Registers a type once, whatever leads to it.
fn once(meta: &mut Meta, name: &str, build: impl FnOnce(&mut Meta) -> MetaType) {
    if meta.types.contains_key(name) {
        return;
    }
    // A placeholder ends the recursion of types that contain each other.
    meta.types.insert(name.to_owned(), object(name, "", Vec::new()));
    let built = build(meta);
    meta.types.insert(name.to_owned(), built);
}

fn output_type(meta: &mut Meta, kind: Kind) -> Option<String> {
    Some(match kind {
        Kind::Text(_) | Kind::Sealed { .. } => "String".to_owned(),
        Kind::Int => "Int".to_owned(),
        Kind::Bool => "Boolean".to_owned(),
        Kind::Date => {
            <Date as OutputType>::create_type_info(meta);
            "Date".to_owned()
        }
        Kind::Instant => {
            <Instant as OutputType>::create_type_info(meta);
            "DateTime".to_owned()
        }
        Kind::Thousandths | Kind::Fen => {
            <Decimal as OutputType>::create_type_info(meta);
            "Decimal".to_owned()
        }
        Kind::Code => {
            <Code as OutputType>::create_type_info(meta);
            "Code".to_owned()
        }
        Kind::Enum(name) => {
            enums::register(meta, name);
            name.to_owned()
        }
        Kind::Key | Kind::Computed => return None,
    })
}

/// Registers a noun and everything that can be reached from it.
pub(crate) fn noun(meta: &mut Meta, all: &'static Registry, noun: &'static Noun) -> String {
    let name = noun.shape.type_name;
    once(meta, name, |meta| {
        meta.add_implements(name, "Node");
        let mut fields = vec![field(
            "id",
            "ID!",
            "Opaque global id; tells nothing by itself and stays the same for life.",
        )];
        for (at, shape) in noun.shape.fields.iter().enumerate() {
            if let Some(ty) = output_type(meta, shape.kind) {
                fields.push(field(&noun.camel[at], ty, shape.doc));
            } else if matches!(shape.kind, Kind::Computed) && computed::of_a_row(shape.name) {
                fields.push(computed::describe(meta, noun, at));
            }
        }
        for (at, relation) in noun.shape.relations.iter().enumerate() {
            let target = all.at(noun.targets[at]);
            self::noun(meta, all, target);
            if relation.many {
                let ty = connection(meta, all, target);
                let mut member = field(&noun.relation_camel[at], ty, relation.doc);
                member.args = list_args(meta, all, target);
                fields.push(member);
            } else {
                let member = field(&noun.relation_camel[at], target.shape.type_name, relation.doc);
                fields.push(member);
            }
        }
        object(name, noun.shape.doc, fields)
    });
    name.to_owned()
}

/// Registers the connection of a noun.
pub(crate) fn connection(meta: &mut Meta, all: &'static Registry, noun: &'static Noun) -> String {
    let type_name = noun.shape.type_name;
    let name = format!("{type_name}Connection");
    once(meta, &name, |meta| {
        self::noun(meta, all, noun);
        <PageInfo as OutputType>::create_type_info(meta);
        let edge = format!("{type_name}Edge");
        once(meta, &edge, |_| {
            object(
                &edge,
                "A row of the list with its cursor.",
                vec![
                    field("cursor", "String!", "Continues the list after or before this row."),
                    field("node", format!("{type_name}!"), "The row."),
                ],
            )
        });
        object(
            &name,
            "A page of a list.",
            vec![
                field("edges", format!("[{edge}!]!"), "The rows with their cursors."),
                field("nodes", format!("[{type_name}!]!"), "The rows."),
                field("pageInfo", "PageInfo!", "Where this page stands in the list."),
                field(
                    "totalCount",
                    "Int",
                    "How many rows the whole list has; counted only when asked for.",
                ),
            ],
        )
    });
    format!("{name}!")
}

/// The arguments of a list of a noun.
pub(crate) fn list_args(
    meta: &mut Meta,
    all: &'static Registry,
    noun: &'static Noun,
) -> IndexMap<String, MetaInputValue> {
    let filter = filter(meta, all, noun);
    let mut args = vec![input("filter", filter, "Only rows that meet all of these.")];
    if let Some(order) = order(meta, noun) {
        args.push(input("orderBy", format!("[{order}!]"), "The order; the key ends it."));
    }
    args.extend([
        input("first", "Int", "So many rows from the start, 1 to 200; 50 when nothing is said."),
        input("after", "String", "Only rows after this cursor."),
        input("last", "Int", "So many rows from the end, 1 to 200."),
        input("before", "String", "Only rows before this cursor."),
    ]);
    named(args, |arg| arg.name.clone())
}

/// Registers the filter of a noun.
pub(crate) fn filter(meta: &mut Meta, all: &'static Registry, noun: &'static Noun) -> String {
    let name = format!("{}Filter", noun.shape.type_name);
    let own = name.clone();
    once(meta, &name, |meta| {
        <ID as InputType>::create_type_info(meta);
        let mut fields = vec![
            input("and", format!("[{own}!]"), "All of them hold."),
            input("or", format!("[{own}!]"), "One of them holds."),
            input("not", own.clone(), "It does not hold, on rows that show its columns in full."),
            input("id", tests(meta, "ID", "ID", &["eq", "in"]), "The row itself."),
        ];
        for (at, shape) in noun.shape.fields.iter().enumerate() {
            if let Some(ty) = test_type(meta, shape) {
                fields.push(input(&noun.camel[at], ty, shape.doc));
            }
        }
        for (at, relation) in noun.shape.relations.iter().enumerate() {
            let target = all.at(noun.targets[at]);
            let below = filter(meta, all, target);
            let ty = if relation.many {
                let name = format!("{}ListFilter", target.shape.type_name);
                once(meta, &name, |_| {
                    input_object(
                        &name,
                        "A condition on related rows.",
                        vec![
                            input("some", below.clone(), "At least one row meets it."),
                            input(
                                "every",
                                below.clone(),
                                "Every row meets it; a row that does not show the column does not.",
                            ),
                            input("none", below.clone(), "Every row meets its negation."),
                        ],
                    )
                });
                name
            } else {
                below
            };
            fields.push(input(&noun.relation_camel[at], ty, relation.doc));
        }
        input_object(
            &name,
            "A condition. Only rows count whose columns you see in full; a column that you see in \
             full nowhere is refused.",
            fields,
        )
    });
    own
}

/// The tests that a column knows; none for what no filter takes.
pub(crate) fn operators(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Text(_) => &["eq", "in", "startsWith", "isNull"],
        Kind::Sealed { hashed: true, .. } | Kind::Code | Kind::Enum(_) => &["eq", "in", "isNull"],
        Kind::Int | Kind::Date | Kind::Instant | Kind::Thousandths | Kind::Fen => {
            &["eq", "in", "lt", "lte", "gt", "gte", "isNull"]
        }
        Kind::Bool => &["eq", "isNull"],
        Kind::Sealed { hashed: false, .. } | Kind::Key | Kind::Computed => &[],
    }
}

/// Whether a list may be ordered by a column at all.
pub(crate) fn orders(field: &Field) -> bool {
    !field.optional
        && !field.group.equality_only()
        && !matches!(field.kind, Kind::Sealed { .. } | Kind::Key | Kind::Computed | Kind::Bool)
}

fn test_type(meta: &mut Meta, shape: &Field) -> Option<String> {
    let operators = operators(shape.kind);
    Some(match shape.kind {
        Kind::Text(_) => tests(meta, "String", "String", operators),
        Kind::Sealed { hashed: true, .. } => tests(meta, "Exact", "String", operators),
        Kind::Sealed { hashed: false, .. } | Kind::Key | Kind::Computed => return None,
        Kind::Code => tests(meta, "Code", "String", operators),
        Kind::Int => tests(meta, "Int", "Int", operators),
        Kind::Bool => tests(meta, "Boolean", "Boolean", operators),
        Kind::Date => {
            <Date as InputType>::create_type_info(meta);
            tests(meta, "Date", "Date", operators)
        }
        Kind::Instant => {
            <Instant as InputType>::create_type_info(meta);
            tests(meta, "DateTime", "DateTime", operators)
        }
        Kind::Thousandths | Kind::Fen => {
            <Decimal as InputType>::create_type_info(meta);
            tests(meta, "Decimal", "Decimal", operators)
        }
        Kind::Enum(name) => {
            enums::register(meta, name);
            tests(meta, name, name, operators)
        }
    })
}

/// Registers the tests of one type of value.
fn tests(meta: &mut Meta, prefix: &str, value: &str, operators: &[&str]) -> String {
    let name = format!("{prefix}Test");
    once(meta, &name, |_| {
        let fields = operators
            .iter()
            .map(|operator| match *operator {
                "in" => input("in", format!("[{value}!]"), "Equal to one of these; at most 200."),
                "isNull" => {
                    input("isNull", "Boolean", "Nothing is on file (true), or something is.")
                }
                "startsWith" => input("startsWith", value, "Begins with this text, case and all."),
                "eq" => input(
                    "eq",
                    value,
                    if prefix == "Code" {
                        "Equal to this code, written `LIST:code`."
                    } else {
                        "Equal."
                    },
                ),
                "lt" => input("lt", value, "Less than this."),
                "lte" => input("lte", value, "Less than this, or equal."),
                "gt" => input("gt", value, "Greater than this."),
                _ => input("gte", value, "Greater than this, or equal."),
            })
            .collect();
        input_object(&name, "Tests of a value; all that are given must hold.", fields)
    });
    name
}

/// Registers the ordering of a noun; none when nothing can order it.
fn order(meta: &mut Meta, noun: &Noun) -> Option<String> {
    let sortable: Vec<_> = noun.shape.fields.iter().filter(|field| orders(field)).collect();
    if sortable.is_empty() {
        return None;
    }
    let name = format!("{}Order", noun.shape.type_name);
    let field_name = format!("{name}Field");
    once(meta, "Direction", |_| {
        let value = |name: &str, about: &str| {
            let mut value = MetaEnumValue::new(name);
            value.description = doc(about);
            (name.to_owned(), value)
        };
        EnumBuilder::new(
            "Direction",
            IndexMap::from([
                value("ASC", "From low to high (升序)."),
                value("DESC", "From high to low (降序)."),
            ]),
        )
        .description(doc("The direction of an ordering."))
        .build()
    });
    once(meta, &field_name, |_| {
        let values = sortable
            .iter()
            .map(|field| {
                let mut value = MetaEnumValue::new(field.name.to_uppercase());
                value.description = doc(field.doc);
                (value.name.clone(), value)
            })
            .collect();
        EnumBuilder::new(&field_name, values)
            .description(doc("What a list may be ordered by, where you see it in every row."))
            .build()
    });
    once(meta, &name, |_| {
        let mut direction = input("direction", "Direction!", "From low to high when not said.");
        direction.default_value = Some("ASC".to_owned());
        input_object(
            &name,
            "One column of an ordering.",
            vec![input("field", format!("{field_name}!"), "The column."), direction],
        )
    });
    Some(name)
}

/// Registers the interface of everything that has a global id.
pub(crate) fn node_interface(meta: &mut Meta, all: &'static Registry) {
    once(meta, "Node", |meta| {
        for target in all.nouns() {
            noun(meta, all, target);
        }
        MetaType::Interface {
            name: "Node".to_owned(),
            description: doc("Anything that has a global id."),
            fields: named([field("id", "ID!", "Opaque global id.")], |field| field.name.clone()),
            possible_types: all
                .nouns()
                .iter()
                .map(|noun| noun.shape.type_name.to_owned())
                .collect(),
            extends: false,
            keys: None,
            visible: None,
            inaccessible: false,
            tags: Vec::new(),
            rust_typename: None,
            directive_invocations: Vec::new(),
            requires_scopes: Vec::new(),
        }
    });
}
