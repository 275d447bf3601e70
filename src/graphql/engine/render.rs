//! Writes the answer: a value, a mask or null for each cell, from one look-up.
//!
//! Redactions are noted for a list and a column together, never cell by cell.

use async_graphql::{Name, Value as ConstValue};
use indexmap::IndexMap;
use xueji_entity::value::{Fen, Thousandths, code};

use super::fetch::{Below, Fetched, bound, write_position};
use super::select::{CodePart, EdgeItem, Item, ListItem, ListNode, Node, PageItem};
use crate::access::filter::Key;
use crate::access::ledger::{Reason, Redaction};
use crate::access::shown::{Leaf, RowPlan, Shown};
use crate::access::table::Sight;
use crate::domain::Cx;
use crate::store::read::{Group, Lists, Rows, governing};

fn object(fields: IndexMap<Name, ConstValue>) -> ConstValue {
    ConstValue::Object(fields)
}

fn text(value: impl Into<String>) -> ConstValue {
    ConstValue::String(value.into())
}

/// The sights of the rows of one list: a plan for each set of grants that covers some of them.
struct Plans {
    of: Vec<usize>,
    plans: Vec<(u64, RowPlan, u64)>,
}

impl Plans {
    fn new(rows: &Rows) -> Self {
        let mut plans: Vec<(u64, RowPlan, u64)> = Vec::new();
        let of = (0..rows.len())
            .map(|row| {
                let cover = rows.cover(row);
                let at = plans.iter().position(|(known, _, _)| *known == cover);
                let at = at.unwrap_or_else(|| {
                    plans.push((cover, rows.plan(cover), 0));
                    plans.len() - 1
                });
                plans[at].2 += 1;
                at
            })
            .collect();
        Self { of, plans }
    }
}

/// Rows of one list ready to be written.
struct Writer<'w> {
    cx: &'w Cx,
    node: &'w Node,
    rows: &'w Rows,
    fetched: &'w Fetched,
    plans: Plans,
    slots: Vec<Option<usize>>,
    below: Vec<Option<Writer<'w>>>,
}

impl<'w> Writer<'w> {
    fn new(cx: &'w Cx, node: &'w Node, rows: &'w Rows, fetched: &'w Fetched) -> Self {
        let plans = Plans::new(rows);
        let slots = node
            .items
            .iter()
            .map(|(_, item)| match item {
                Item::Leaf(field) | Item::Code(field, _) => rows.slot(*field),
                Item::Typename
                | Item::Id
                | Item::One(..)
                | Item::Many(..)
                | Item::Single(..)
                | Item::Computed(..) => None,
            })
            .collect();
        let below = node
            .items
            .iter()
            .zip(&fetched.0)
            .map(|((_, item), fetched)| match (item, fetched) {
                (Item::One(relation, single), Below::One(fetched)) => {
                    rows.one(*relation).map(|(_, below)| Writer::new(cx, single, below, fetched))
                }
                (Item::Many(_, list) | Item::Single(_, list), Below::Lists(lists, views)) => {
                    // The views of a list are written one by one; the first stands here.
                    list.views
                        .first()
                        .zip(views.first())
                        .map(|(view, fetched)| Writer::new(cx, view, &lists.rows, fetched))
                }
                _ => None,
            })
            .collect();
        let writer = Self { cx, node, rows, fetched, plans, slots, below };
        writer.note();
        writer
    }

    /// Notes what is masked and hidden in this list, column by column.
    fn note(&self) {
        let noun = self.node.noun;
        for (_, item) in &self.node.items {
            let (field, name) = match item {
                Item::Leaf(field) | Item::Code(field, _) | Item::Computed(field, _) => {
                    (*field, noun.coordinate(*field))
                }
                Item::One(relation, _) | Item::Many(relation, _) | Item::Single(relation, _) => {
                    match governing(noun, *relation) {
                        Some(key) => (
                            key,
                            format!("{}.{}", noun.shape.type_name, noun.relation_camel[*relation]),
                        ),
                        None => continue,
                    }
                }
                Item::Typename | Item::Id => continue,
            };
            let personal = noun.shape.fields[field].group.personal();
            for (_, plan, count) in &self.plans.plans {
                let rule = || {
                    plan.rule(field)
                        .and_then(|rule| self.cx.caller.session.policy.table.rule(rule))
                        .map(ToString::to_string)
                };
                let (sight, reason) = match plan.sight(field) {
                    Sight::Hidden => (Sight::Hidden, Reason::NotGranted),
                    Sight::Masked => (Sight::Masked, Reason::MaskedByPolicy),
                    Sight::Full => {
                        if personal {
                            self.cx.ledger.disclosed(name.clone(), *count);
                        }
                        continue;
                    }
                };
                self.cx.ledger.redacted(
                    Redaction { coordinate: name.clone(), sight, reason, rule: rule() },
                    *count,
                );
            }
        }
    }

    fn row(&self, row: usize) -> ConstValue {
        let noun = self.node.noun;
        let plan = &self.plans.plans[self.plans.of[row]].1;
        let mut fields = IndexMap::with_capacity(self.node.items.len());
        for (at, (key, item)) in self.node.items.iter().enumerate() {
            let value = match item {
                Item::Typename => text(noun.shape.type_name),
                Item::Id => text(self.cx.opaque.id(noun, self.rows.key(row))),
                Item::Leaf(field) => leaf(self.rows.show(row, plan, *field, self.slots[at])),
                Item::Code(field, parts) => {
                    match self.rows.show(row, plan, *field, self.slots[at]) {
                        Shown::Full(Leaf::Code(code)) => self.code(&code, parts),
                        Shown::Full(_) | Shown::Masked(_) | Shown::Hidden => ConstValue::Null,
                    }
                }
                Item::One(relation, _) => self.one(row, plan, *relation, at),
                Item::Single(_, _) => match (&self.fetched.0[at], &self.below[at]) {
                    (Below::Lists(lists, _), Some(below)) => lists.of[row]
                        .and_then(|group| lists.groups[group as usize].range.clone().next())
                        .map_or(ConstValue::Null, |single| below.row(single)),
                    _ => ConstValue::Null,
                },
                Item::Many(_, list) => match &self.fetched.0[at] {
                    Below::Lists(lists, views) => {
                        let group = lists.of[row].map(|group| &lists.groups[group as usize]);
                        let parent = Some(self.rows.key(row));
                        connection(
                            self.cx,
                            list,
                            lists,
                            views,
                            group,
                            parent,
                            self.below[at].as_ref(),
                        )
                    }
                    Below::Row | Below::One(_) | Below::Computed(_) => ConstValue::Null,
                },
                Item::Computed(..) => match &self.fetched.0[at] {
                    Below::Computed(values) => {
                        values.get(row).cloned().flatten().unwrap_or_default()
                    }
                    Below::Row | Below::One(_) | Below::Lists(..) => ConstValue::Null,
                },
            };
            fields.insert(key.clone(), value);
        }
        object(fields)
    }

    fn one(&self, row: usize, plan: &RowPlan, relation: usize, at: usize) -> ConstValue {
        let shown =
            governing(self.node.noun, relation).is_none_or(|key| plan.sight(key) == Sight::Full);
        match (&self.below[at], self.rows.one(relation)) {
            (Some(below), Some((of, _))) if shown => {
                of[row].map_or(ConstValue::Null, |single| below.row(single as usize))
            }
            _ => ConstValue::Null,
        }
    }

    fn code(&self, code: &str, parts: &[(Name, CodePart)]) -> ConstValue {
        let entry = code::entry(code);
        let (list, value) = code.split_once(':').unwrap_or(("", code));
        let mut fields = IndexMap::with_capacity(parts.len());
        for (key, part) in parts {
            let part = match part {
                CodePart::Typename => text("Code"),
                CodePart::System => text(entry.map_or(list, |entry| entry.system.as_ref())),
                CodePart::List => text(list),
                CodePart::Value => text(value),
                CodePart::Label => {
                    code::label(code, self.cx.caller.language).map_or(ConstValue::Null, text)
                }
            };
            fields.insert(key.clone(), part);
        }
        object(fields)
    }
}

fn leaf(shown: Shown) -> ConstValue {
    match shown {
        Shown::Hidden => ConstValue::Null,
        Shown::Masked(mask) => ConstValue::String(mask),
        Shown::Full(leaf) => match leaf {
            Leaf::Null => ConstValue::Null,
            Leaf::Text(text) | Leaf::Code(text) => ConstValue::String(text),
            Leaf::Enum(value) => ConstValue::Enum(Name::new(value.to_uppercase())),
            Leaf::Int(number) => ConstValue::Number(number.into()),
            Leaf::Bool(truth) => ConstValue::Boolean(truth),
            Leaf::Date(date) => text(date.to_string()),
            Leaf::Instant(instant) => {
                text(instant.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
            }
            Leaf::Thousandths(number) => text(Thousandths(number).to_string()),
            Leaf::Fen(number) => text(Fen(number).to_string()),
        },
    }
}

/// Writes one row, or null.
pub(crate) fn single(cx: &Cx, node: &Node, rows: &Rows, fetched: &Fetched) -> ConstValue {
    let writer = Writer::new(cx, node, rows, fetched);
    if rows.is_empty() { ConstValue::Null } else { writer.row(0) }
}

/// Writes a list of the registry.
pub(crate) fn list(cx: &Cx, list: &ListNode, lists: &Lists, views: &[Fetched]) -> ConstValue {
    connection(cx, list, lists, views, lists.groups.first(), None, None)
}

fn connection(
    cx: &Cx,
    list: &ListNode,
    lists: &Lists,
    views: &[Fetched],
    group: Option<&Group>,
    parent: Option<Key>,
    first: Option<&Writer<'_>>,
) -> ConstValue {
    let empty = Group { total: list.total.then_some(0), ..Group::default() };
    let group = group.unwrap_or(&empty);
    let cursor = |row: usize| {
        let position = lists.rows.position(row, &list.order);
        cx.opaque
            .cursor(&write_position(&position), &bound(cx, list, parent))
            .map_or(ConstValue::Null, ConstValue::String)
    };
    // The first view was prepared with the parents; another one (nodes beside edges) is made here.
    let others: Vec<_> = list
        .views
        .iter()
        .zip(views)
        .enumerate()
        .map(|(at, (view, fetched))| {
            (at > 0 || first.is_none()).then(|| Writer::new(cx, view, &lists.rows, fetched))
        })
        .collect();
    let view = |at: usize| match (at, first) {
        (0, Some(first)) => Some(first),
        _ => others.get(at).and_then(Option::as_ref),
    };
    let mut fields = IndexMap::with_capacity(list.items.len());
    for (key, item) in &list.items {
        let value = match item {
            ListItem::Typename => text(format!("{}Connection", list.scope.noun().shape.type_name)),
            ListItem::TotalCount => {
                group.total.map_or(ConstValue::Null, |total| ConstValue::Number(total.into()))
            }
            ListItem::Nodes(at) => ConstValue::List(match view(*at) {
                Some(view) => group.range.clone().map(|row| view.row(row)).collect(),
                None => Vec::new(),
            }),
            ListItem::Edges(items) => ConstValue::List(
                group
                    .range
                    .clone()
                    .map(|row| {
                        let mut edge = IndexMap::with_capacity(items.len());
                        for (key, item) in items {
                            let value = match item {
                                EdgeItem::Typename => {
                                    text(format!("{}Edge", list.scope.noun().shape.type_name))
                                }
                                EdgeItem::Cursor => cursor(row),
                                EdgeItem::Node(at) => {
                                    view(*at).map_or(ConstValue::Null, |view| view.row(row))
                                }
                            };
                            edge.insert(key.clone(), value);
                        }
                        object(edge)
                    })
                    .collect(),
            ),
            ListItem::PageInfo(items) => {
                let beyond = list.page.beyond.is_some();
                let (next, previous) =
                    if list.page.from_end { (beyond, group.more) } else { (group.more, beyond) };
                let mut info = IndexMap::with_capacity(items.len());
                for (key, item) in items {
                    let value = match item {
                        PageItem::Typename => text("PageInfo"),
                        PageItem::HasNext => ConstValue::Boolean(next),
                        PageItem::HasPrevious => ConstValue::Boolean(previous),
                        PageItem::Start => {
                            group.range.clone().next().map_or(ConstValue::Null, cursor)
                        }
                        PageItem::End => {
                            group.range.clone().next_back().map_or(ConstValue::Null, cursor)
                        }
                    };
                    info.insert(key.clone(), value);
                }
                object(info)
            }
        };
        fields.insert(key.clone(), value);
    }
    object(fields)
}
