//! Every column and every role: what may be filtered, searched, sorted and grouped by is what the policy's table says,
//! however it is written. [`refused`] asks about each column alone, [`mixed`] where some rows show it and others do
//! not. Nothing here is a list of columns: a column that is added is asked about.

mod mixed;
mod refused;

use std::collections::HashMap;

use serde_json::{Value, json};
use xueji::access::table::Uses;
use xueji::access::view::{Kind, Noun};

use crate::support::document::{LISTS, noun};
use crate::support::truth::{Row, Truth};

/// A test of a column as a client writes it, the uses it needs, and which rows meet it.
pub(crate) struct Leaf {
    /// `{ eq: "…" }` as JSON.
    pub(crate) test: Value,
    /// What it needs of the column.
    pub(crate) uses: Uses,
    operator: &'static str,
    bounds: Vec<Value>,
}

impl Leaf {
    /// Whether the value on file meets it.
    pub(crate) fn holds(&self, row: &Row, field: usize) -> bool {
        let shape = &row.noun.shape.fields[field];
        let value = plain(shape.kind, &row.shown[&field]);
        if self.operator == "isNull" {
            return value.is_null() == (self.bounds[0] == true);
        }
        let order = |bound: &Value| match (value.as_i64(), bound.as_i64(), shape.kind) {
            (Some(a), Some(b), _) => a.cmp(&b),
            (_, _, Kind::Thousandths | Kind::Fen) => {
                let number = |value: &Value| value.as_str().unwrap().parse::<f64>().unwrap();
                number(&value).total_cmp(&number(bound))
            }
            _ => value.as_str().cmp(&bound.as_str()),
        };
        !value.is_null()
            && match self.operator {
                "eq" | "in" => self.bounds.contains(&value),
                "lt" => order(&self.bounds[0]).is_lt(),
                "lte" => order(&self.bounds[0]).is_le(),
                "gt" => order(&self.bounds[0]).is_gt(),
                "gte" => order(&self.bounds[0]).is_ge(),
                "startsWith" => {
                    value.as_str().unwrap().starts_with(self.bounds[0].as_str().unwrap())
                }
                other => panic!("{other}"),
            }
    }
}

/// A value as a filter takes it.
fn plain(kind: Kind, value: &Value) -> Value {
    match (kind, value) {
        (Kind::Code, Value::Object(code)) => {
            json!(format!("{}:{}", code["list"].as_str().unwrap(), code["value"].as_str().unwrap()))
        }
        _ => value.clone(),
    }
}

/// The operators of a kind of column; none for what no filter takes.
fn operators(kind: Kind) -> &'static [&'static str] {
    match kind {
        Kind::Text(_) => &["eq", "in", "startsWith", "isNull"],
        Kind::Sealed { hashed: true, .. } | Kind::Code | Kind::Enum(_) => &["eq", "in", "isNull"],
        Kind::Bool => &["eq", "isNull"],
        Kind::Int | Kind::Date | Kind::Instant | Kind::Thousandths | Kind::Fen => {
            &["eq", "in", "lt", "lte", "gt", "gte", "isNull"]
        }
        Kind::Sealed { hashed: false, .. } | Kind::Key | Kind::Computed => &[],
    }
}

/// Every test of a column, with values that are on file where there are any.
pub(crate) fn leaves(truth: &Truth, noun: &Noun, field: usize) -> Vec<Leaf> {
    let kind = noun.shape.fields[field].kind;
    if operators(kind).is_empty() {
        return Vec::new();
    }
    let mut values: Vec<Value> = truth
        .of_noun(noun.shape.name)
        .map(|(_, row)| plain(kind, &row.shown[&field]))
        .filter(|value| !value.is_null())
        .collect();
    values.sort_by_key(ToString::to_string);
    values.dedup();
    let middle = values.get(values.len() / 2).cloned();
    let mut out = Vec::new();
    let mut leaf = |operator: &'static str, bound: Value, bounds: Vec<Value>| {
        let uses = if operator == "startsWith" {
            Uses::FULL.union(Uses::FILTER).union(Uses::SEARCH)
        } else {
            Uses::FULL.union(Uses::FILTER)
        };
        out.push(Leaf { test: json!({ operator: bound }), uses, operator, bounds });
    };
    for operator in operators(kind) {
        match (*operator, &middle) {
            ("isNull", _) => {
                leaf("isNull", json!(true), vec![json!(true)]);
                leaf("isNull", json!(false), vec![json!(false)]);
            }
            ("in", middle) => {
                leaf("in", json!([]), vec![]);
                if let Some(middle) = middle {
                    let both = vec![middle.clone(), values[0].clone()];
                    leaf("in", json!(both), both);
                }
            }
            ("startsWith", Some(Value::String(text))) => {
                let head: String = text.chars().take(text.chars().count() - 1).collect();
                leaf("startsWith", json!(head), vec![json!(head)]);
            }
            (operator, Some(middle)) => leaf(operator, middle.clone(), vec![middle.clone()]),
            (_, None) => {}
        }
    }
    out
}

/// How a noun is reached from a root list: the list, and the relations from there.
#[derive(Clone, Debug)]
pub(crate) struct Path {
    pub(crate) root: &'static str,
    pub(crate) from: &'static Noun,
    pub(crate) relations: Vec<usize>,
}

/// The shortest way to each noun that lists lead to.
pub(crate) fn paths() -> HashMap<&'static str, Path> {
    let mut found: HashMap<&'static str, Path> = HashMap::new();
    let mut open: Vec<(&'static Noun, Path)> = LISTS
        .iter()
        .map(|(root, of)| (noun(of), Path { root, from: noun(of), relations: Vec::new() }))
        .collect();
    while !open.is_empty() {
        let mut next = Vec::new();
        for (at, path) in open {
            if found.contains_key(at.shape.name) {
                continue;
            }
            for (relation, shape) in at.shape.relations.iter().enumerate() {
                let mut path = path.clone();
                path.relations.push(relation);
                next.push((noun(shape.target), path));
            }
            found.insert(at.shape.name, path);
        }
        open = next;
    }
    found
}
