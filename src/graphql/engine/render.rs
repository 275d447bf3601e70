//! Writes the answer: a value, a mask or null for each cell, from one look-up.
//!
//! Redactions are noted for a list and a column together, never cell by cell.

use std::collections::BTreeMap;

use async_graphql::{Name, Value as ConstValue};
use indexmap::IndexMap;
use uuid::Uuid;
use xueji_entity::value::{Fen, Thousandths, code};

use super::fetch::{Below, Fetched, bound, write_position};
use super::select::{CodePart, EdgeItem, Item, ListItem, ListNode, Node, PageItem};
use crate::access::disclosure::{personal, recorded, through};
use crate::access::filter::Key;
use crate::access::ledger::{Disclosed, Reason, Redaction};
use crate::access::shown::{Leaf, RowPlan, Shown};
use crate::access::table::{Pair, RuleId, Sight};
use crate::domain::Cx;
#[cfg(feature = "leaks")]
use crate::leak::{self, Leak};
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
    /// The rows that are written; none where all are.
    written: Option<Vec<bool>>,
}

impl Plans {
    fn new(rows: &Rows, written: Option<Vec<bool>>) -> Self {
        let mut plans: Vec<(u64, RowPlan, u64)> = Vec::new();
        let of = (0..rows.len())
            .map(|row| {
                let cover = rows.cover(row);
                let at = plans.iter().position(|(known, _, _)| *known == cover);
                let at = at.unwrap_or_else(|| {
                    plans.push((cover, rows.plan(cover), 0));
                    plans.len() - 1
                });
                plans[at].2 += u64::from(written.as_ref().is_none_or(|written| written[row]));
                at
            })
            .collect();
        Self { of, plans, written }
    }

    fn written(&self, row: usize) -> bool {
        self.written.as_ref().is_none_or(|written| written[row])
    }

    /// The rows that are written behind a single relation: those whose reference is shown.
    fn led_to(
        &self,
        node: &Node,
        relation: usize,
        of: &[Option<u32>],
        below: usize,
    ) -> Option<Vec<bool>> {
        let key = governing(node.noun, relation);
        #[cfg(feature = "leaks")]
        let key = key.filter(|_| {
            !leak::on(Leak::HiddenReferenceFollowed) && !leak::on(Leak::HiddenReferenceCounted)
        });
        let shown =
            |plan: &(u64, RowPlan, u64)| key.is_none_or(|key| plan.1.sight(key) == Sight::Full);
        if self.written.is_none() && self.plans.iter().all(shown) {
            return None;
        }
        let mut written = vec![false; below];
        for (row, below) in of.iter().enumerate() {
            if let Some(below) = below
                && self.written(row)
                && shown(&self.plans[self.of[row]])
            {
                written[*below as usize] = true;
            }
        }
        Some(written)
    }

    /// The rows that are written in the lists below these rows.
    fn listed(&self, lists: &Lists) -> Option<Vec<bool>> {
        let own = self.written.as_ref()?;
        let mut written = vec![false; lists.rows.len()];
        for group in lists.of.iter().zip(own).filter(|(_, own)| **own).filter_map(|(of, _)| *of) {
            written[lists.groups[group as usize].range.clone()].fill(true);
        }
        Some(written)
    }

    /// The students that the written rows of one plan are, or hang from, in order and each once.
    fn students(&self, rows: &Rows, plan: usize) -> Vec<Uuid> {
        let mut students: Vec<Uuid> = (0..rows.len())
            .filter(|row| self.of[*row] == plan && self.written(*row))
            .map(|row| {
                let key = rows.key(row);
                key.student.unwrap_or(key.id)
            })
            .collect();
        students.sort_unstable();
        students.dedup();
        students
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
    /// What is written below each item: a single row's, or each view of a list.
    below: Vec<Vec<Writer<'w>>>,
}

impl<'w> Writer<'w> {
    fn new(
        cx: &'w Cx,
        node: &'w Node,
        rows: &'w Rows,
        fetched: &'w Fetched,
        written: Option<Vec<bool>>,
    ) -> Self {
        let plans = Plans::new(rows, written);
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
                (Item::One(relation, single), Below::One(fetched)) => rows
                    .one(*relation)
                    .map(|(of, below)| {
                        let written = plans.led_to(node, *relation, of, below.len());
                        Writer::new(cx, single, below, fetched, written)
                    })
                    .into_iter()
                    .collect(),
                (Item::Many(_, list) | Item::Single(_, list), Below::Lists(lists, fetched)) => {
                    views(cx, list, lists, fetched, plans.listed(lists))
                }
                _ => Vec::new(),
            })
            .collect();
        let writer = Self { cx, node, rows, fetched, plans, slots, below };
        writer.note();
        writer
    }

    /// The field that decides what an item shows, and the item's name in the schema.
    fn decided(&self, item: &Item) -> Option<(usize, String)> {
        let noun = self.node.noun;
        match item {
            Item::Leaf(field) | Item::Code(field, _) | Item::Computed(field, _) => {
                Some((*field, noun.coordinate(*field)))
            }
            Item::One(relation, _) | Item::Many(relation, _) | Item::Single(relation, _) => {
                let name = format!("{}.{}", noun.shape.type_name, noun.relation_camel[*relation]);
                governing(noun, *relation).map(|key| (key, name))
            }
            Item::Typename | Item::Id => None,
        }
    }

    /// Notes what is masked and hidden in this list, column by column, and what is disclosed.
    fn note(&self) {
        let noun = self.node.noun;
        let session = &self.cx.caller.session;
        let recorded = recorded(session, noun, self.cx.registry());
        let mut disclosed: Vec<(usize, Pair, BTreeMap<String, Option<RuleId>>)> = Vec::new();
        for (_, item) in &self.node.items {
            let Some((field, name)) = self.decided(item) else { continue };
            let recorded = recorded && personal(noun, field, self.cx.registry());
            for (at, (cover, plan, count)) in self.plans.plans.iter().enumerate() {
                let rule = plan.rule(field);
                let (sight, reason) = match plan.sight(field) {
                    sight @ (Sight::Hidden | Sight::Masked) if plan.needs_purpose(field) => {
                        (sight, Reason::NeedsPurpose)
                    }
                    Sight::Hidden => (Sight::Hidden, Reason::NotGranted),
                    Sight::Masked => (Sight::Masked, Reason::MaskedByPolicy),
                    Sight::Full => {
                        if recorded && let Some(pair) = through(session, *cover, noun.id(field)) {
                            let known = disclosed
                                .iter_mut()
                                .find(|(plan, of, _)| *plan == at && *of == pair);
                            match known {
                                Some((_, _, columns)) => {
                                    columns.insert(name.clone(), rule);
                                }
                                None => disclosed.push((
                                    at,
                                    pair,
                                    BTreeMap::from([(name.clone(), rule)]),
                                )),
                            }
                        }
                        continue;
                    }
                };
                let rule =
                    rule.and_then(|rule| session.table().rule(rule)).map(ToString::to_string);
                #[cfg(feature = "leaks")]
                if leak::on(Leak::HiddenOnlyWhereFilled) && sight == Sight::Hidden {
                    let filled = (0..self.rows.len()).filter(|row| self.rows.filled(*row, field));
                    let redaction = Redaction { coordinate: name.clone(), sight, reason, rule };
                    self.cx.ledger.redacted(redaction, filled.count() as u64);
                    continue;
                }
                self.cx
                    .ledger
                    .redacted(Redaction { coordinate: name.clone(), sight, reason, rule }, *count);
            }
        }
        for (plan, pair, columns) in disclosed {
            let students = self.plans.students(self.rows, plan);
            self.cx.ledger.disclosed(Disclosed { pair, students, columns });
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
                #[cfg(feature = "leaks")]
                Item::Leaf(field)
                    if (leak::on(Leak::AliasUnmasked) && key.as_str() != noun.camel[*field])
                        || (leak::on(Leak::PayloadUnmasked) && self.cx.budget.has_acted()) =>
                {
                    let shown = self.rows.bare(row, *field, self.slots[at]);
                    leaf(shown.unwrap_or(Shown::Hidden))
                }
                Item::Leaf(field) => leaf(self.rows.show(row, plan, *field, self.slots[at])),
                Item::Code(field, parts) => {
                    match self.rows.show(row, plan, *field, self.slots[at]) {
                        Shown::Full(Leaf::Code(code)) => self.code(&code, parts),
                        Shown::Full(_) | Shown::Masked(_) | Shown::Hidden => ConstValue::Null,
                    }
                }
                Item::One(relation, _) => self.one(row, plan, *relation, at),
                Item::Single(_, _) => match (&self.fetched.0[at], self.below[at].first()) {
                    (Below::Lists(lists, _), Some(below)) => lists.of[row]
                        .and_then(|group| lists.groups[group as usize].range.clone().next())
                        .map_or(ConstValue::Null, |single| below.row(single)),
                    _ => ConstValue::Null,
                },
                Item::Many(_, list) => match &self.fetched.0[at] {
                    Below::Lists(lists, _) => {
                        let group = lists.of[row].map(|group| &lists.groups[group as usize]);
                        let parent = Some(self.rows.key(row));
                        connection(self.cx, list, lists, group, parent, &self.below[at])
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
        let key = governing(self.node.noun, relation);
        #[cfg(feature = "leaks")]
        let key = key.filter(|_| {
            !leak::on(Leak::HiddenReferenceFollowed) && !leak::on(Leak::HiddenReferenceWritten)
        });
        let shown = key.is_none_or(|key| plan.sight(key) == Sight::Full);
        match (self.below[at].first(), self.rows.one(relation)) {
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
    let writer = Writer::new(cx, node, rows, fetched, None);
    if rows.is_empty() { ConstValue::Null } else { writer.row(0) }
}

/// Writes a list of the registry.
pub(crate) fn list(cx: &Cx, list: &ListNode, lists: &Lists, views: &[Fetched]) -> ConstValue {
    let views = self::views(cx, list, lists, views, None);
    connection(cx, list, lists, lists.groups.first(), None, &views)
}

/// The views of a list, each ready to be written.
fn views<'w>(
    cx: &'w Cx,
    list: &'w ListNode,
    lists: &'w Lists,
    fetched: &'w [Fetched],
    written: Option<Vec<bool>>,
) -> Vec<Writer<'w>> {
    list.views
        .iter()
        .zip(fetched)
        .map(|(view, fetched)| Writer::new(cx, view, &lists.rows, fetched, written.clone()))
        .collect()
}

fn connection(
    cx: &Cx,
    list: &ListNode,
    lists: &Lists,
    group: Option<&Group>,
    parent: Option<Key>,
    views: &[Writer<'_>],
) -> ConstValue {
    let empty = Group { total: list.total.then_some(0), ..Group::default() };
    let group = group.unwrap_or(&empty);
    let cursor = |row: usize| {
        let position = lists.rows.position(row, &list.order);
        cx.opaque
            .cursor(&write_position(&position), &bound(cx, list, parent))
            .map_or(ConstValue::Null, ConstValue::String)
    };
    let mut fields = IndexMap::with_capacity(list.items.len());
    for (key, item) in &list.items {
        let value = match item {
            ListItem::Typename => text(format!("{}Connection", list.scope.noun().shape.type_name)),
            ListItem::TotalCount => {
                group.total.map_or(ConstValue::Null, |total| ConstValue::Number(total.into()))
            }
            ListItem::Nodes(at) => ConstValue::List(match views.get(*at) {
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
                                    views.get(*at).map_or(ConstValue::Null, |view| view.row(row))
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
