//! A request as data: what the generator makes, the runner sends, and the shrinker takes apart.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

/// A value of an argument.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Arg {
    Null,
    Int(i64),
    Bool(bool),
    Text(String),
    Word(String),
    List(Vec<Arg>),
    Object(Vec<(String, Arg)>),
    Variable(String),
}

/// One selection.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Selection {
    Field {
        alias: Option<String>,
        name: String,
        args: Vec<(String, Arg)>,
        directive: Option<Directive>,
        below: Vec<Selection>,
    },
    Inline {
        on: Option<String>,
        directive: Option<Directive>,
        below: Vec<Selection>,
    },
    Spread(String),
}

/// `@skip` or `@include` with its condition.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Directive {
    pub(crate) name: &'static str,
    pub(crate) condition: Arg,
}

/// A named fragment.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fragment {
    pub(crate) name: String,
    pub(crate) on: String,
    pub(crate) below: Vec<Selection>,
}

/// A declared variable; with a default, or with a value, or both.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Variable {
    pub(crate) name: String,
    pub(crate) of: String,
    pub(crate) default: Option<Arg>,
    pub(crate) value: Option<Arg>,
}

/// One request.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Request {
    pub(crate) mutation: bool,
    pub(crate) chinese: bool,
    /// What the request says it is for.
    pub(crate) purpose: Option<String>,
    pub(crate) variables: Vec<Variable>,
    pub(crate) selections: Vec<Selection>,
    pub(crate) fragments: Vec<Fragment>,
}

impl Arg {
    fn print(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Int(number) => drop(write!(out, "{number}")),
            Self::Bool(truth) => drop(write!(out, "{truth}")),
            Self::Text(text) => out.push_str(&Value::from(text.as_str()).to_string()),
            Self::Word(word) => out.push_str(word),
            Self::Variable(name) => drop(write!(out, "${name}")),
            Self::List(items) => {
                out.push('[');
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at > 0 { ", " } else { "" });
                    item.print(out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (at, (name, value)) in fields.iter().enumerate() {
                    let _ = write!(out, "{}{name}: ", if at > 0 { ", " } else { "" });
                    value.print(out);
                }
                out.push('}');
            }
        }
    }

    /// The value as a variable carries it.
    pub(crate) fn json(&self) -> Value {
        match self {
            Self::Null | Self::Variable(_) => Value::Null,
            Self::Int(number) => json!(number),
            Self::Bool(truth) => json!(truth),
            Self::Text(text) | Self::Word(text) => json!(text),
            Self::List(items) => items.iter().map(Self::json).collect(),
            Self::Object(fields) => Value::Object(
                fields.iter().map(|(name, value)| (name.clone(), value.json())).collect(),
            ),
        }
    }

    /// Whether a variable is part of it.
    pub(crate) fn varies(&self) -> bool {
        match self {
            Self::Variable(_) => true,
            Self::List(items) => items.iter().any(Self::varies),
            Self::Object(fields) => fields.iter().any(|(_, value)| value.varies()),
            Self::Null | Self::Int(_) | Self::Bool(_) | Self::Text(_) | Self::Word(_) => false,
        }
    }

    fn names(&self, name: &str) -> bool {
        match self {
            Self::Variable(own) => own == name,
            Self::List(items) => items.iter().any(|item| item.names(name)),
            Self::Object(fields) => fields.iter().any(|(_, value)| value.names(name)),
            Self::Null | Self::Int(_) | Self::Bool(_) | Self::Text(_) | Self::Word(_) => false,
        }
    }
}

impl Selection {
    /// A field without arguments.
    pub(crate) fn plain(name: &str, below: Vec<Self>) -> Self {
        Self::Field { alias: None, name: name.to_owned(), args: Vec::new(), directive: None, below }
    }

    /// What is selected below.
    pub(crate) fn below(&self) -> &[Self] {
        match self {
            Self::Field { below, .. } | Self::Inline { below, .. } => below,
            Self::Spread(_) => &[],
        }
    }

    /// What is selected below, to be changed.
    pub(crate) fn below_mut(&mut self) -> Option<&mut Vec<Self>> {
        match self {
            Self::Field { below, .. } | Self::Inline { below, .. } => Some(below),
            Self::Spread(_) => None,
        }
    }

    fn print(&self, out: &mut String) {
        let directed = |out: &mut String, directive: &Option<Directive>| {
            if let Some(Directive { name, condition }) = directive {
                let _ = write!(out, " @{name}(if: ");
                condition.print(out);
                out.push(')');
            }
        };
        match self {
            Self::Field { alias, name, args, directive, below } => {
                if let Some(alias) = alias {
                    let _ = write!(out, "{alias}: ");
                }
                out.push_str(name);
                if !args.is_empty() {
                    out.push('(');
                    for (at, (name, value)) in args.iter().enumerate() {
                        let _ = write!(out, "{}{name}: ", if at > 0 { ", " } else { "" });
                        value.print(out);
                    }
                    out.push(')');
                }
                directed(out, directive);
                if !below.is_empty() {
                    print_all(below, out);
                }
            }
            Self::Inline { on, directive, below } => {
                out.push_str("...");
                if let Some(on) = on {
                    let _ = write!(out, " on {on}");
                }
                directed(out, directive);
                print_all(below, out);
            }
            Self::Spread(name) => drop(write!(out, "...{name}")),
        }
    }

    fn any(&self, test: &mut impl FnMut(&Self) -> bool) -> bool {
        test(self) || self.below().iter().any(|below| below.any(test))
    }
}

fn print_all(selections: &[Selection], out: &mut String) {
    out.push_str(" {");
    for selection in selections {
        out.push(' ');
        selection.print(out);
    }
    out.push_str(" }");
}

impl Request {
    /// The document.
    pub(crate) fn text(&self) -> String {
        let mut out = String::from(if self.mutation { "mutation" } else { "query" });
        if !self.variables.is_empty() {
            out.push('(');
            for (at, variable) in self.variables.iter().enumerate() {
                let comma = if at > 0 { ", " } else { "" };
                let _ = write!(out, "{comma}${}: {}", variable.name, variable.of);
                if let Some(default) = &variable.default {
                    out.push_str(" = ");
                    default.print(&mut out);
                }
            }
            out.push(')');
        }
        print_all(&self.selections, &mut out);
        for fragment in &self.fragments {
            let _ = write!(out, " fragment {} on {}", fragment.name, fragment.on);
            print_all(&fragment.below, &mut out);
        }
        out
    }

    /// The act that it asks for, if it is one.
    pub(crate) fn act(&self) -> Option<&str> {
        match &self.selections[..] {
            [Selection::Field { name, .. }] if self.mutation => Some(name),
            _ => None,
        }
    }

    /// The values of the variables.
    pub(crate) fn values(&self) -> Value {
        let values: Map<String, Value> = self
            .variables
            .iter()
            .filter_map(|variable| Some((variable.name.clone(), variable.value.as_ref()?.json())))
            .collect();
        Value::Object(values)
    }

    /// The body as it is posted.
    pub(crate) fn body(&self) -> String {
        json!({ "query": self.text(), "variables": self.values() }).to_string()
    }

    /// Every selection of the operation and of the fragments.
    pub(crate) fn any(&self, mut test: impl FnMut(&Selection) -> bool) -> bool {
        let all = self.selections.iter().chain(self.fragments.iter().flat_map(|of| &of.below));
        all.into_iter().any(|selection| selection.any(&mut test))
    }

    /// Drops fragments that nothing spreads and variables that nothing uses.
    #[must_use]
    pub(crate) fn tidied(mut self) -> Self {
        loop {
            let used: Vec<bool> = self
                .fragments
                .iter()
                .map(|of| self.any(|at| matches!(at, Selection::Spread(name) if *name == of.name)))
                .collect();
            let before = self.fragments.len();
            let mut used = used.into_iter();
            self.fragments.retain(|_| used.next().unwrap_or_default());
            if self.fragments.len() == before {
                break;
            }
        }
        let variables = std::mem::take(&mut self.variables);
        let used = |name: &str| {
            self.any(|at| match at {
                Selection::Field { args, directive, .. } => {
                    args.iter().any(|(_, arg)| arg.names(name))
                        || directive.as_ref().is_some_and(|of| of.condition.names(name))
                }
                Selection::Inline { directive, .. } => {
                    directive.as_ref().is_some_and(|of| of.condition.names(name))
                }
                Selection::Spread(_) => false,
            })
        };
        let kept = variables.into_iter().filter(|variable| used(&variable.name)).collect();
        self.variables = kept;
        self
    }
}
