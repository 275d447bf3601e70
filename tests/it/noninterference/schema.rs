//! The schema as the generator walks it, read from the SDL: what a later field, noun, root field or mutation adds to it
//! is asked for without a word here.

use std::collections::HashMap;

use async_graphql::Positioned;
use async_graphql::parser::parse_schema;
use async_graphql::parser::types::{
    BaseType, FieldDefinition, InputValueDefinition, Type, TypeKind, TypeSystemDefinition,
};
use xueji::access::view::Noun;
use xueji::graphql::{REGISTRY, sdl};

/// A type as it is written: `[ID!]!`.
#[derive(Clone, Debug)]
pub(crate) struct Of {
    pub(crate) base: String,
    pub(crate) list: bool,
    pub(crate) required: bool,
    pub(crate) written: String,
}

/// An argument or an input field.
#[derive(Clone, Debug)]
pub(crate) struct Input {
    pub(crate) name: String,
    pub(crate) of: Of,
    pub(crate) default: bool,
}

/// A field of an object or an interface.
#[derive(Clone, Debug)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) of: Of,
    pub(crate) args: Vec<Input>,
}

/// What a name stands for.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Scalar,
    Enum(Vec<String>),
    Object(Vec<Field>),
    /// Its fields, and the types that implement it.
    Interface(Vec<Field>, Vec<String>),
    Input {
        fields: Vec<Input>,
        one_of: bool,
    },
}

/// The types by name.
#[derive(Debug)]
pub(crate) struct Schema {
    types: HashMap<String, Kind>,
    /// Every object with a field that leads to a row, by name.
    nouns: HashMap<String, &'static Noun>,
}

fn of(ty: &Type) -> Of {
    let (base, list) = match &ty.base {
        BaseType::Named(name) => (name.to_string(), false),
        BaseType::List(inner) => match &inner.base {
            BaseType::Named(name) => (name.to_string(), true),
            BaseType::List(_) => panic!("a list of lists"),
        },
    };
    Of { base, list, required: !ty.nullable, written: ty.to_string() }
}

fn input(input: &Positioned<InputValueDefinition>) -> Input {
    Input {
        name: input.node.name.node.to_string(),
        of: of(&input.node.ty.node),
        default: input.node.default_value.is_some(),
    }
}

fn field(field: &Positioned<FieldDefinition>) -> Field {
    Field {
        name: field.node.name.node.to_string(),
        of: of(&field.node.ty.node),
        args: field.node.arguments.iter().map(input).collect(),
    }
}

impl Schema {
    /// The schema of the server.
    pub(crate) fn read() -> Self {
        let document = parse_schema(sdl()).expect("the server's own SDL parses");
        let mut types = HashMap::new();
        let mut implementing: HashMap<String, Vec<String>> = HashMap::new();
        for definition in &document.definitions {
            let TypeSystemDefinition::Type(ty) = definition else { continue };
            let name = ty.node.name.node.to_string();
            let kind = match &ty.node.kind {
                TypeKind::Scalar => Kind::Scalar,
                TypeKind::Enum(of) => Kind::Enum(
                    of.values.iter().map(|value| value.node.value.node.to_string()).collect(),
                ),
                TypeKind::Object(of) => {
                    for interface in &of.implements {
                        let known = implementing.entry(interface.node.to_string()).or_default();
                        known.push(name.clone());
                    }
                    Kind::Object(of.fields.iter().map(field).collect())
                }
                TypeKind::Interface(of) => {
                    Kind::Interface(of.fields.iter().map(field).collect(), Vec::new())
                }
                TypeKind::Union(of) => Kind::Interface(
                    Vec::new(),
                    of.members.iter().map(|member| member.node.to_string()).collect(),
                ),
                TypeKind::InputObject(of) => Kind::Input {
                    fields: of.fields.iter().map(input).collect(),
                    one_of: ty.node.directives.iter().any(|at| at.node.name.node == "oneOf"),
                },
            };
            types.insert(name, kind);
        }
        for (interface, of) in implementing {
            if let Some(Kind::Interface(_, possible)) = types.get_mut(&interface) {
                *possible = of;
            }
        }
        for name in ["Int", "Float", "String", "Boolean", "ID"] {
            types.entry(name.to_owned()).or_insert(Kind::Scalar);
        }
        let nouns =
            REGISTRY.nouns().iter().map(|noun| (noun.shape.type_name.to_owned(), noun)).collect();
        Self { types, nouns }
    }

    /// A type.
    pub(crate) fn kind(&self, name: &str) -> &Kind {
        self.types.get(name).unwrap_or_else(|| panic!("{name} is a type of the schema"))
    }

    /// The fields of an object or interface; none of anything else.
    pub(crate) fn fields(&self, name: &str) -> &[Field] {
        match self.types.get(name) {
            Some(Kind::Object(fields) | Kind::Interface(fields, _)) => fields,
            _ => &[],
        }
    }

    /// Whether fields must be selected below it.
    pub(crate) fn composite(&self, name: &str) -> bool {
        matches!(self.kind(name), Kind::Object(_) | Kind::Interface(..))
    }

    /// Whether a field stands in the schema: `Score.courseMean`.
    pub(crate) fn has(&self, coordinate: &str) -> bool {
        let Some((of, name)) = coordinate.split_once('.') else { return false };
        self.fields(of).iter().any(|field| field.name == name)
    }

    /// The words of an enum; none of anything else.
    pub(crate) fn words(&self, name: &str) -> &[String] {
        if let Some(Kind::Enum(words)) = self.types.get(name) { words } else { &[] }
    }

    /// The noun that an object shows.
    pub(crate) fn noun(&self, name: &str) -> Option<&'static Noun> {
        self.nouns.get(name).copied()
    }

    /// The noun that an act is named after: `studentReveal`.
    pub(crate) fn about(&self, act: &str) -> Option<&'static Noun> {
        let begins = |name: &str| {
            let (first, rest) = name.split_at(1);
            act.starts_with(&format!("{}{rest}", first.to_lowercase()))
        };
        let fitting = self.nouns.iter().filter(|(name, _)| begins(name));
        fitting.max_by_key(|(name, _)| name.len()).map(|(_, noun)| *noun)
    }

    /// The noun whose rows a connection lists.
    pub(crate) fn listed(&self, name: &str) -> Option<&'static Noun> {
        self.noun(name.strip_suffix("Connection")?)
    }
}
