//! What a query document may be before anything costly looks at it.
//!
//! The parser overflows the stack on nested brackets and validation doubles with each level of nested fragments, so
//! both are bounded here: [`text`] before the parser, [`document`] before validation. Nothing here knows the schema,
//! and no refusal quotes the document, apart from names that the parser has accepted as names.

use std::collections::HashMap;

use async_graphql::parser::types::{
    Directive, ExecutableDocument, Field, OperationDefinition, Selection, SelectionSet,
};
use async_graphql::{Name, Pos, Positioned};

use super::refusal::{Code, Refusal};
use crate::config::settings::Limits;

/// Longest chain of fragments that spread one another; the walk below recurses once for each link.
const MAX_FRAGMENT_CHAIN: u32 = 32;

/// Checks length and nesting of the text of a document, in one pass and without recursion.
pub fn text(query: &str, limits: &Limits) -> Result<(), Refusal> {
    if query.len() > limits.query_bytes {
        return Err(Refusal::request(
            Code::LimitExceeded,
            format!(
                "the query document is longer than {} bytes; send less in one request",
                limits.query_bytes
            ),
            format!("查询文档超过 {} 字节，请拆分请求", limits.query_bytes),
        ));
    }
    match nesting(query.as_bytes(), limits.nesting) {
        Ok(()) => Ok(()),
        Err(pos) => Err(Refusal::request(
            Code::LimitExceeded,
            format!("the query document nests brackets more than {} deep; pass nested values as variables", limits.nesting),
            format!("查询文档括号嵌套超过 {} 层，请改用变量传值", limits.nesting),
        )
        .at(pos)),
    }
}

/// Walks the text once and finds the first bracket that opens deeper than `max`, outside strings and comments.
fn nesting(text: &[u8], max: u32) -> Result<(), Pos> {
    let (mut at, mut depth) = (0, 0u32);
    while let Some(byte) = text.get(at) {
        let rest = text.get(at..).unwrap_or_default();
        at += match byte {
            b'#' => rest.iter().position(|b| matches!(b, b'\n' | b'\r')).unwrap_or(rest.len()),
            b'"' if rest.starts_with(br#"""""#) => block_string(rest),
            b'"' => string(rest),
            b'(' | b'[' | b'{' => {
                depth += 1;
                if depth > max {
                    return Err(position(text, at));
                }
                1
            }
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                1
            }
            _ => 1,
        };
    }
    Ok(())
}

/// Length of the block string that `rest` begins with; `\"""` does not end it.
fn block_string(rest: &[u8]) -> usize {
    let mut at = 3;
    while let Some(tail) = rest.get(at..) {
        if tail.is_empty() {
            break;
        }
        if tail.starts_with(br#"""""#) {
            return at + 3;
        }
        at += if tail.starts_with(br#"\""""#) { 4 } else { 1 };
    }
    rest.len()
}

/// Length of the string that `rest` begins with; a line end ends it too, because the parser refuses it there.
fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while let Some(byte) = rest.get(at) {
        match byte {
            b'\\' => at += 2,
            b'"' => return at + 1,
            b'\n' | b'\r' => return at,
            _ => at += 1,
        }
    }
    rest.len()
}

fn position(text: &[u8], at: usize) -> Pos {
    let before = text.get(..at).unwrap_or_default();
    let line_start = before.iter().rposition(|b| *b == b'\n').map_or(0, |end| end + 1);
    Pos {
        line: before.iter().filter(|b| **b == b'\n').count() + 1,
        column: before.len() - line_start + 1,
    }
}

/// What a selection costs with all its fragments expanded; sums saturate instead of overflowing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// Fragment spreads.
    pub spreads: u32,
    /// Fields.
    pub fields: u32,
    /// Fields under another name.
    pub aliases: u32,
    /// Directives.
    pub directives: u32,
}

impl Cost {
    fn add(&mut self, other: Self) {
        self.spreads = self.spreads.saturating_add(other.spreads);
        self.fields = self.fields.saturating_add(other.fields);
        self.aliases = self.aliases.saturating_add(other.aliases);
        self.directives = self.directives.saturating_add(other.directives);
    }
}

/// Checks a parsed document: expanded size, directives that no schema of ours has, arguments of `__typename`.
///
/// Fragments that no operation uses are counted as well, because validation visits them all the same.
pub fn document(document: &ExecutableDocument, limits: &Limits) -> Result<Cost, Refusal> {
    let mut walk = Walk { document, known: HashMap::new(), chain: 0 };
    let mut total = Cost::default();
    for (_, operation) in document.operations.iter() {
        if let Some(directive) = operation.node.directives.first() {
            return Err(misplaced(directive));
        }
        for variable in &operation.node.variable_definitions {
            if let Some(directive) = variable.node.directives.first() {
                return Err(misplaced(directive));
            }
        }
        total.add(walk.selections(&operation.node.selection_set.node)?);
        within(total, limits)?;
    }
    for (name, fragment) in &document.fragments {
        if let Some(directive) = fragment.node.directives.first() {
            return Err(misplaced(directive));
        }
        within(walk.fragment(name)?, limits)?;
    }
    Ok(total)
}

/// Checks that a subscription opens one stream: exactly one root field, by itself and without conditions.
pub fn one_stream(operation: &OperationDefinition) -> Result<(), Refusal> {
    let items = &operation.selection_set.node.items;
    let one = match items.as_slice() {
        [item] => match &item.node {
            Selection::Field(field) => {
                field.node.directives.is_empty() && !field.node.name.node.starts_with("__")
            }
            Selection::FragmentSpread(_) | Selection::InlineFragment(_) => false,
        },
        _ => false,
    };
    if one {
        return Ok(());
    }
    let refusal = Refusal::request(
        Code::ValidationFailed,
        "a subscription has exactly one root field, written without fragment or directive",
        "订阅须恰有一个根字段，且不得使用片段或指令",
    );
    Err(refusal.at(operation.selection_set.pos))
}

fn within(cost: Cost, limits: &Limits) -> Result<(), Refusal> {
    for (count, max, en, zh) in [
        (cost.spreads, limits.spreads, "fragment spreads", "片段展开"),
        (cost.fields, limits.fields, "fields", "字段"),
        (cost.aliases, limits.aliases, "aliases", "别名"),
        (cost.directives, limits.directives, "directives", "指令"),
    ] {
        if count > max {
            return Err(Refusal::request(
                Code::LimitExceeded,
                format!(
                    "the query document has more than {max} {en} with its fragments expanded; ask for less at once"
                ),
                format!("查询文档展开后{zh}超过 {max} 个，请减少一次查询的内容"),
            ));
        }
    }
    Ok(())
}

/// Adds up costs; each fragment is counted once and then remembered.
struct Walk<'a> {
    document: &'a ExecutableDocument,
    /// `None` while the fragment is being counted: meeting it again then is a circle.
    known: HashMap<&'a Name, Option<Cost>>,
    chain: u32,
}

impl<'a> Walk<'a> {
    fn selections(&mut self, set: &'a SelectionSet) -> Result<Cost, Refusal> {
        let mut cost = Cost::default();
        for item in &set.items {
            let directives = item.node.directives();
            check_directives(directives)?;
            cost.add(Cost {
                directives: u32::try_from(directives.len()).unwrap_or(u32::MAX),
                ..Cost::default()
            });
            match &item.node {
                Selection::Field(field) => {
                    check_typename(field)?;
                    let aliases = u32::from(field.node.alias.is_some());
                    cost.add(Cost { fields: 1, aliases, ..Cost::default() });
                    cost.add(self.selections(&field.node.selection_set.node)?);
                }
                Selection::InlineFragment(fragment) => {
                    cost.add(self.selections(&fragment.node.selection_set.node)?)
                }
                Selection::FragmentSpread(spread) => {
                    cost.add(Cost { spreads: 1, ..Cost::default() });
                    cost.add(self.fragment(&spread.node.fragment_name.node)?);
                }
            }
        }
        Ok(cost)
    }

    fn fragment(&mut self, name: &'a Name) -> Result<Cost, Refusal> {
        match self.known.get(name) {
            Some(Some(cost)) => return Ok(*cost),
            Some(None) => {
                return Err(Refusal::request(
                    Code::ValidationFailed,
                    format!("the fragment {name} spreads itself; remove the circle"),
                    format!("片段 {name} 循环引用自身，请去除循环"),
                ));
            }
            None => {}
        }
        // A spread of a fragment that is not there is left to validation, which names it.
        let Some(fragment) = self.document.fragments.get(name) else {
            return Ok(Cost::default());
        };
        if self.chain >= MAX_FRAGMENT_CHAIN {
            return Err(Refusal::request(
                Code::LimitExceeded,
                format!(
                    "fragments spread one another more than {MAX_FRAGMENT_CHAIN} deep; nest them less"
                ),
                format!("片段嵌套超过 {MAX_FRAGMENT_CHAIN} 层，请减少嵌套"),
            ));
        }
        self.known.insert(name, None);
        self.chain += 1;
        let cost = self.selections(&fragment.node.selection_set.node)?;
        self.chain -= 1;
        self.known.insert(name, Some(cost));
        Ok(cost)
    }
}

/// Only `@skip` and `@include` exist in documents; the library lets any other name pass without a word.
fn check_directives(directives: &[Positioned<Directive>]) -> Result<(), Refusal> {
    for (index, directive) in directives.iter().enumerate() {
        let name = &directive.node.name.node;
        if !matches!(name.as_str(), "skip" | "include") {
            return Err(Refusal::request(
                Code::ValidationFailed,
                format!("unknown directive @{name}; documents may use @skip and @include"),
                format!("未知指令 @{name}，文档中只能使用 @skip 和 @include"),
            )
            .at(directive.pos));
        }
        let arguments = &directive.node.arguments;
        if arguments.len() != 1 || arguments.first().is_none_or(|(name, _)| name.node != "if") {
            return Err(Refusal::request(
                Code::ValidationFailed,
                format!("@{name} takes exactly the argument if"),
                format!("指令 @{name} 只接受参数 if"),
            )
            .at(directive.pos));
        }
        if directives.iter().take(index).any(|earlier| earlier.node.name.node == *name) {
            return Err(Refusal::request(
                Code::ValidationFailed,
                format!("@{name} may stand only once in a place"),
                format!("指令 @{name} 在同一处只能使用一次"),
            )
            .at(directive.pos));
        }
    }
    Ok(())
}

fn misplaced(directive: &Positioned<Directive>) -> Refusal {
    let name = &directive.node.name.node;
    Refusal::request(
        Code::ValidationFailed,
        format!(
            "@{name} may not stand here; only fields, spreads and inline fragments take directives"
        ),
        format!("指令 @{name} 不能用在此处，只能用于字段和片段展开"),
    )
    .at(directive.pos)
}

fn check_typename(field: &Positioned<Field>) -> Result<(), Refusal> {
    let plain = field.node.arguments.is_empty() && field.node.selection_set.node.items.is_empty();
    if field.node.name.node == "__typename" && !plain {
        return Err(Refusal::request(
            Code::ValidationFailed,
            "__typename takes no arguments and no selection",
            "__typename 不接受参数和子字段",
        )
        .at(field.pos));
    }
    Ok(())
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
