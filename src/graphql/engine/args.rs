//! Arguments of lists: filters, orderings and pages, from values that the schema has validated.
//!
//! Which column is meant is decided here, whether it may be used is decided in the store. Every
//! refusal names the argument.

use async_graphql::{InputType, InputValueError, InputValueResult, Value};
use chrono::{DateTime, Utc};

use super::types::{operators, orders};
use crate::access::filter::{Filter, Order, Test};
use crate::access::shown::Cell;
use crate::access::view::{Kind, Member, Noun};
use crate::clock::parse_day;
use crate::domain::Cx;
use crate::error::{Error, Result, Why};
use xueji_entity::value::{Code, Fen, Thousandths};

/// Rows of a page when nothing is said.
pub(crate) const PAGE: u64 = 50;
/// Most rows of a page.
pub(crate) const PAGE_MAX: u64 = 200;
/// Most values of one `in` list.
const IN_MAX: usize = 200;
/// Most conditions of one filter, `and`, `or` and `not` counted too.
const CONDITIONS_MAX: u32 = 200;
/// Most values of one filter; each is bound to the statement.
const VALUES_MAX: usize = 2_000;

/// What one filter has asked for so far.
#[derive(Debug, Default)]
struct Size {
    conditions: u32,
    values: usize,
}

impl Size {
    fn condition(&mut self) -> Result<()> {
        self.conditions += 1;
        self.within()
    }

    fn values(&mut self, more: usize) -> Result<()> {
        self.values += more;
        self.within()
    }

    fn within(&self) -> Result<()> {
        if self.conditions <= CONDITIONS_MAX && self.values <= VALUES_MAX {
            return Ok(());
        }
        Err(Error::Limit {
            what: "filter",
            why: Why::new(
                format!(
                    "a filter has at most {CONDITIONS_MAX} conditions and {VALUES_MAX} values; \
                     ask in several requests"
                ),
                format!("过滤条件最多 {CONDITIONS_MAX} 个、值最多 {VALUES_MAX} 个；请分多次查询"),
            ),
        })
    }
}

/// An argument as it came; the schema has validated its type.
#[derive(Debug, Default)]
pub(crate) struct Raw(pub(crate) Option<Value>);

impl InputType for Raw {
    type RawValueType = Self;

    fn type_name() -> std::borrow::Cow<'static, str> {
        "Raw".into()
    }

    fn create_type_info(_: &mut async_graphql::registry::Registry) -> String {
        "Raw".to_owned()
    }

    fn parse(value: Option<Value>) -> InputValueResult<Self> {
        match value {
            Some(Value::Null) | None => Ok(Self(None)),
            Some(Value::Binary(_)) => {
                Err(InputValueError::custom("binary values are not accepted"))
            }
            Some(value) => Ok(Self(Some(value))),
        }
    }

    fn to_value(&self) -> Value {
        self.0.clone().unwrap_or_default()
    }

    fn as_raw_value(&self) -> Option<&Self> {
        Some(self)
    }
}

/// The arguments of a list as they came.
#[derive(Debug, Default)]
pub struct ListArgs {
    pub(crate) filter: Raw,
    pub(crate) order_by: Raw,
    pub(crate) first: Option<i64>,
    pub(crate) after: Option<String>,
    pub(crate) last: Option<i64>,
    pub(crate) before: Option<String>,
    pub(crate) search: Option<String>,
}

/// Which page: how many, from which end, beyond which cursor.
#[derive(Clone, Debug)]
pub(crate) struct Page {
    pub(crate) limit: u64,
    pub(crate) from_end: bool,
    pub(crate) beyond: Option<String>,
}

pub(super) fn bad(field: &str, en: impl Into<String>, zh: impl Into<String>) -> Error {
    Error::invalid(field.to_owned(), en.into(), zh.into())
}

impl ListArgs {
    /// The page that is asked for.
    pub(crate) fn page(&self) -> Result<Page> {
        let forward = self.first.is_some() || self.after.is_some();
        let backward = self.last.is_some() || self.before.is_some();
        if forward && backward {
            return Err(bad(
                "first",
                "give first and after, or last and before, not both",
                "first/after 与 last/before 只能二选一",
            ));
        }
        let (name, count) = if backward { ("last", self.last) } else { ("first", self.first) };
        let limit = match count {
            None => PAGE,
            Some(count) if count < 1 => {
                return Err(bad(name, "a page has at least 1 row", "每页至少 1 行"));
            }
            Some(count) => match u64::try_from(count) {
                Ok(count) if count <= PAGE_MAX => count,
                _ => {
                    return Err(Error::Limit {
                        what: "page",
                        why: Why::new(
                            format!("`{name}` is at most {PAGE_MAX}; read further with a cursor"),
                            format!("`{name}` 最多为 {PAGE_MAX}；请用游标继续读取"),
                        ),
                    });
                }
            },
        };
        let beyond = if backward { self.before.clone() } else { self.after.clone() };
        Ok(Page { limit, from_end: backward, beyond })
    }

    /// The condition that is asked for.
    pub(crate) fn filter(&self, cx: &Cx, noun: &'static Noun) -> Result<Option<Filter>> {
        self.filter
            .0
            .as_ref()
            .map(|value| filter(cx, noun, value, "filter", 0, &mut Size::default()))
            .transpose()
    }

    /// The order that is asked for.
    pub(crate) fn order(&self, noun: &Noun) -> Result<Option<Vec<Order>>> {
        let Some(value) = &self.order_by.0 else { return Ok(None) };
        let mut order = Vec::new();
        for item in items(value) {
            let Value::Object(item) = item else { return Err(malformed("orderBy")) };
            let name =
                item.get("field").and_then(text).ok_or_else(|| malformed("orderBy.field"))?;
            // The library checks no variable's type against its place, so a default value of another
            // type comes here as it is.
            let field = noun
                .field(&name.to_lowercase())
                .filter(|field| orders(&noun.shape.fields[*field]))
                .ok_or_else(|| malformed("orderBy.field"))?;
            let descending =
                item.get("direction").and_then(text).is_some_and(|word| word == "DESC");
            if order.iter().any(|by: &Order| by.field == field) {
                return Err(bad("orderBy", "each field at most once", "每个字段最多出现一次"));
            }
            order.push(Order { field, descending });
        }
        Ok(Some(order))
    }

    /// What the cursors of this list are bound to, besides caller and parent.
    pub(crate) fn binding(&self, place: &str) -> Vec<u8> {
        let say = |raw: &Raw| raw.0.as_ref().map(ToString::to_string).unwrap_or_default();
        let mut binding =
            format!("{place}\u{0}{}\u{0}{}", say(&self.filter), say(&self.order_by)).into_bytes();
        if let Some(search) = &self.search {
            binding.extend(b"\0search\0");
            binding.extend(search.as_bytes());
        }
        binding
    }
}

fn malformed(field: &str) -> Error {
    bad(field, "this value is not of the argument's type", "该值与参数类型不符")
}

fn items(value: &Value) -> &[Value] {
    if let Value::List(items) = value { items } else { std::slice::from_ref(value) }
}

fn text(value: &Value) -> Option<&str> {
    match value {
        Value::String(text) => Some(text),
        Value::Enum(name) => Some(name),
        Value::Null
        | Value::Number(_)
        | Value::Boolean(_)
        | Value::Binary(_)
        | Value::List(_)
        | Value::Object(_) => None,
    }
}

fn filter(
    cx: &Cx,
    noun: &'static Noun,
    value: &Value,
    path: &str,
    depth: u8,
    size: &mut Size,
) -> Result<Filter> {
    size.condition()?;
    if depth > 8 {
        return Err(Error::Limit {
            what: "filter",
            why: Why::new(
                "a filter nests at most 8 levels; write it flatter",
                "过滤条件最多嵌套 8 层；请简化",
            ),
        });
    }
    let Value::Object(conditions) = value else { return Err(malformed(path)) };
    let mut all = Vec::with_capacity(conditions.len());
    for (name, value) in conditions {
        let path = format!("{path}.{name}");
        if matches!(value, Value::Null) {
            return Err(bad(
                &path,
                "null is no condition; use isNull, or leave it out",
                "null 不是条件；请使用 isNull 或省略",
            ));
        }
        size.condition()?;
        let many = |value: &Value, size: &mut Size| -> Result<Vec<Filter>> {
            items(value).iter().map(|item| filter(cx, noun, item, &path, depth + 1, size)).collect()
        };
        all.push(match name.as_str() {
            "and" => Filter::And(many(value, size)?),
            "or" => Filter::Or(many(value, size)?),
            "not" => Filter::Not(Box::new(filter(cx, noun, value, &path, depth + 1, size)?)),
            "id" => ids(cx, noun, value, &path, size)?,
            other => match noun.member(other) {
                Some(Member::Field(field)) => tests(noun, field, value, &path, size)?,
                Some(Member::Relation(relation)) => {
                    related(cx, noun, relation, value, &path, depth, size)?
                }
                None => return Err(malformed(&path)),
            },
        });
    }
    Ok(Filter::And(all))
}

fn ids(cx: &Cx, noun: &'static Noun, value: &Value, path: &str, size: &mut Size) -> Result<Filter> {
    let Value::Object(tests) = value else { return Err(malformed(path)) };
    let mut all = Vec::new();
    for (name, value) in tests {
        if !matches!(name.as_str(), "eq" | "in") {
            return Err(malformed(path));
        }
        let values = bounded(items(value), path, size)?;
        // An id that was never issued and one of another noun are the same: no row has it.
        let keys = values
            .iter()
            .filter_map(|id| text(id).and_then(|id| cx.opaque.open_id_of(noun, id)))
            .collect();
        all.push(Filter::Keys(keys));
    }
    Ok(Filter::And(all))
}

fn bounded<'v>(values: &'v [Value], path: &str, size: &mut Size) -> Result<&'v [Value]> {
    size.values(values.len())?;
    if values.len() > IN_MAX {
        return Err(Error::Limit {
            what: "in",
            why: Why::new(
                format!("`{path}` takes at most {IN_MAX} values; ask in several requests"),
                format!("`{path}` 最多 {IN_MAX} 个值；请分多次查询"),
            ),
        });
    }
    Ok(values)
}

fn related(
    cx: &Cx,
    noun: &'static Noun,
    relation: usize,
    value: &Value,
    path: &str,
    depth: u8,
    size: &mut Size,
) -> Result<Filter> {
    let target = cx.registry().at(noun.targets[relation]);
    if !noun.shape.relations[relation].many {
        let filter = Box::new(filter(cx, target, value, path, depth + 1, size)?);
        return Ok(Filter::Related { relation, every: false, filter });
    }
    let Value::Object(quantified) = value else { return Err(malformed(path)) };
    let mut all = Vec::new();
    for (quantifier, value) in quantified {
        let path = format!("{path}.{quantifier}");
        if matches!(value, Value::Null) {
            return Err(bad(&path, "null is no condition; leave it out", "null 不是条件；请省略"));
        }
        let filter = Box::new(filter(cx, target, value, &path, depth + 1, size)?);
        all.push(match quantifier.as_str() {
            "some" => Filter::Related { relation, every: false, filter },
            "every" => Filter::Related { relation, every: true, filter },
            // None meets it: every one meets its negation.
            "none" => {
                Filter::Related { relation, every: true, filter: Box::new(Filter::Not(filter)) }
            }
            _ => return Err(malformed(&path)),
        });
    }
    Ok(Filter::And(all))
}

fn tests(noun: &Noun, field: usize, value: &Value, path: &str, size: &mut Size) -> Result<Filter> {
    let kind = noun.shape.fields[field].kind;
    let Value::Object(tests) = value else { return Err(malformed(path)) };
    let mut all = Vec::new();
    for (name, value) in tests {
        let path = format!("{path}.{name}");
        if matches!(value, Value::Null) {
            return Err(bad(
                &path,
                "null is no value to compare with; use isNull",
                "不能与 null 比较；请使用 isNull",
            ));
        }
        size.condition()?;
        if !operators(kind).contains(&name.as_str()) {
            return Err(malformed(&path));
        }
        let bound = |value: &Value| cell(kind, value, &path);
        let test = match name.as_str() {
            "eq" => Test::In(vec![bound(value)?]),
            "in" => Test::In(
                bounded(items(value), &path, size)?.iter().map(bound).collect::<Result<_>>()?,
            ),
            "lt" => Test::Less { than: bound(value)?, or_equal: false },
            "lte" => Test::Less { than: bound(value)?, or_equal: true },
            "gt" => Test::Greater { than: bound(value)?, or_equal: false },
            "gte" => Test::Greater { than: bound(value)?, or_equal: true },
            "startsWith" => {
                // The same text rules as for every other comparison.
                let Cell::Text(prefix) = bound(value)? else { return Err(malformed(&path)) };
                Test::StartsWith(prefix)
            }
            "isNull" => {
                let Value::Boolean(null) = value else { return Err(malformed(&path)) };
                Test::IsNull(*null)
            }
            _ => return Err(malformed(&path)),
        };
        all.push(Filter::Test { field, test });
    }
    Ok(Filter::And(all))
}

/// A value to compare a column with, in the column's own form.
fn cell(kind: Kind, value: &Value, path: &str) -> Result<Cell> {
    let said = || match text(value) {
        Some(text) if text.chars().any(char::is_control) => Err(bad(
            path,
            "a text to compare with has no control characters",
            "用于比较的文本不能包含控制字符",
        )),
        Some(text) => Ok(text),
        None => Err(malformed(path)),
    };
    let wrong = |error: xueji_entity::value::ValueError| {
        Error::invalid(path.to_owned(), error.why_en, error.why_zh)
    };
    Ok(match kind {
        Kind::Text(_) => Cell::Text(said()?.to_owned()),
        Kind::Enum(_) => Cell::Text(said()?.to_lowercase()),
        Kind::Code => Cell::Text(Code::parse(said()?).map_err(wrong)?.as_str().to_owned()),
        Kind::Sealed { normal, .. } => Cell::Text(normal(said()?).map_err(wrong)?),
        Kind::Int => {
            let Value::Number(number) = value else { return Err(malformed(path)) };
            Cell::Int(number.as_i64().ok_or_else(|| malformed(path))?)
        }
        Kind::Bool => {
            let Value::Boolean(truth) = value else { return Err(malformed(path)) };
            Cell::Bool(*truth)
        }
        Kind::Date => {
            Cell::Date(parse_day(said()?).ok_or_else(|| {
                bad(path, "a date is written YYYY-MM-DD", "日期格式为 YYYY-MM-DD")
            })?)
        }
        Kind::Instant => Cell::Instant(
            DateTime::parse_from_rfc3339(said()?)
                .map_err(|_detail| {
                    bad(
                        path,
                        "an instant is written 2026-09-01T08:00:00Z",
                        "时间格式为 2026-09-01T08:00:00Z",
                    )
                })?
                .with_timezone(&Utc),
        ),
        Kind::Thousandths => Cell::Int(said()?.parse::<Thousandths>().map_err(wrong)?.0),
        Kind::Fen => Cell::Int(said()?.parse::<Fen>().map_err(wrong)?.0),
        Kind::Key | Kind::Computed => return Err(malformed(path)),
    })
}
