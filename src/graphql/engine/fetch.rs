//! Reads a compiled tree: one statement for each list, parents together.

use std::future::Future;
use std::pin::Pin;

use async_graphql::Value as ConstValue;

use super::select::{Item, ListNode, Node};
use crate::access::filter::{Key, Position, Window};
use crate::access::shown::Cell;
use crate::access::table::Sight;
use crate::domain::Cx;
use crate::error::{Error, Result, Why};
use crate::store::read::{List, Lists, Rows, governing};

/// Most rows of one answer, all lists together.
const ROWS_MAX: u64 = 30_000;

/// What was read for the items of a node, item by item.
#[derive(Debug, Default)]
pub(crate) struct Fetched(pub(crate) Vec<Below>);

/// What was read for one item.
#[derive(Debug)]
pub(crate) enum Below {
    /// Nothing but the row itself is needed.
    Row,
    /// The items of a single related row.
    One(Fetched),
    /// The lists of all rows, and for each view the items of its rows.
    Lists(Lists, Vec<Fetched>),
    /// A computed value for each row; none where the row does not show it.
    Computed(Vec<Option<ConstValue>>),
}

type Reading<'f> = Pin<Box<dyn Future<Output = Result<Fetched>> + Send + 'f>>;

/// Whose cursor it is and of which list: caller, list and parent.
pub(crate) fn bound(cx: &Cx, list: &ListNode, parent: Option<Key>) -> Vec<u8> {
    let mut bound = cx.caller.account().uuid().as_bytes().to_vec();
    if let Some(parent) = parent {
        bound.extend(parent.student.unwrap_or_default().as_bytes());
        bound.extend(parent.id.as_bytes());
    }
    bound.extend(&list.binding);
    bound
}

fn window(cx: &Cx, list: &ListNode, parents: &[Key], root: bool) -> Result<Window> {
    let (limit, from_end) = (list.page.limit, list.page.from_end);
    let Some(cursor) = &list.page.beyond else {
        return Ok(Window { limit, from_end, beyond: None });
    };
    let name = if from_end { "before" } else { "after" };
    let refused = || {
        Error::invalid(
            name,
            "this cursor was not made for this list; start from its first page",
            "该游标不属于此列表；请从第一页开始",
        )
    };
    let parent = match (root, parents) {
        (true, _) => None,
        (false, [parent]) => Some(*parent),
        (false, _) => {
            return Err(Error::invalid(
                name,
                "a cursor continues the list of one parent; ask for that parent alone",
                "游标只能继续一个上级对象的列表；请单独查询该对象",
            ));
        }
    };
    let content = cx.opaque.open_cursor(cursor, &bound(cx, list, parent)).ok_or_else(refused)?;
    let position = read_position(&content).ok_or_else(refused)?;
    Ok(Window { limit, from_end, beyond: Some(position) })
}

/// A place in a list as bytes, for a cursor.
pub(crate) fn write_position(position: &Position) -> Vec<u8> {
    let mut out = Vec::new();
    let mut put = |tag: u8, bytes: &[u8]| {
        out.push(tag);
        out.extend((bytes.len() as u64).to_be_bytes());
        out.extend(bytes);
    };
    if let Some(student) = position.key.student {
        put(b's', student.as_bytes());
    }
    put(b'k', position.key.id.as_bytes());
    for value in &position.values {
        match value.facts() {
            Cell::Null => put(b'0', &[]),
            Cell::Text(text) => put(b't', text.as_bytes()),
            Cell::Int(number) => put(b'i', &number.to_be_bytes()),
            Cell::Bool(truth) => put(b'b', &[u8::from(*truth)]),
            Cell::Date(date) => put(b'd', date.to_string().as_bytes()),
            Cell::Instant(instant) => put(b'z', &instant.timestamp_micros().to_be_bytes()),
            Cell::Key(id) => put(b'u', id.as_bytes()),
        }
    }
    out
}

fn read_position(mut bytes: &[u8]) -> Option<Position> {
    let mut key = Key { student: None, id: uuid::Uuid::nil() };
    let mut values = Vec::new();
    while let Some((tag, rest)) = bytes.split_first() {
        let (length, rest) = rest.split_first_chunk::<8>()?;
        let length = usize::try_from(u64::from_be_bytes(*length)).ok()?;
        let (content, rest) = rest.split_at_checked(length)?;
        bytes = rest;
        let number = || <[u8; 8]>::try_from(content).ok().map(i64::from_be_bytes);
        match tag {
            b's' => key.student = Some(uuid::Uuid::from_slice(content).ok()?),
            b'k' => key.id = uuid::Uuid::from_slice(content).ok()?,
            b'0' => values.push(Cell::Null),
            b't' => values.push(Cell::Text(std::str::from_utf8(content).ok()?.to_owned())),
            b'i' => values.push(Cell::Int(number()?)),
            b'b' => values.push(Cell::Bool(content == [1])),
            b'd' => values.push(Cell::Date(std::str::from_utf8(content).ok()?.parse().ok()?)),
            b'z' => values.push(Cell::Instant(chrono::DateTime::from_timestamp_micros(number()?)?)),
            b'u' => values.push(Cell::Key(uuid::Uuid::from_slice(content).ok()?)),
            _ => return None,
        }
    }
    Some(Position { values, key })
}

/// Reads a list of the registry and everything wanted below it.
pub(crate) async fn root(cx: &Cx, list: &ListNode) -> Result<(Lists, Vec<Fetched>)> {
    let window = window(cx, list, &[], true)?;
    let lists = cx.store.list(&wanted(list, Some(&window))).await?;
    let views = views(cx, list, &lists.rows).await?;
    Ok((lists, views))
}

fn wanted<'l>(list: &'l ListNode, window: Option<&'l Window>) -> List<'l> {
    List {
        scope: &list.scope,
        ask: &list.ask,
        filter: list.filter.as_ref(),
        order: &list.order,
        window,
        total: list.total,
        rows: list.rows,
    }
}

async fn views(cx: &Cx, list: &ListNode, rows: &Rows) -> Result<Vec<Fetched>> {
    // What was estimated before reading is a guess; this is the sum over the whole request.
    if cx.budget.rows(rows.len() as u64) > ROWS_MAX {
        return Err(Error::Limit {
            what: "rows",
            why: Why::new(
                format!("an answer holds at most {ROWS_MAX} rows; ask for smaller pages"),
                format!("一次查询最多返回 {ROWS_MAX} 行；请缩小分页"),
            ),
        });
    }
    let mut views = Vec::with_capacity(list.views.len());
    for view in &list.views {
        views.push(below(cx, view, rows).await?);
    }
    Ok(views)
}

/// Reads what hangs from rows.
pub(crate) fn below<'f>(cx: &'f Cx, node: &'f Node, rows: &'f Rows) -> Reading<'f> {
    Box::pin(async move {
        let mut fetched = Vec::with_capacity(node.items.len());
        for (_, item) in &node.items {
            fetched.push(match item {
                Item::Typename | Item::Id | Item::Leaf(_) | Item::Code(..) => Below::Row,
                Item::One(relation, single) => match rows.one(*relation) {
                    Some((_, rows)) => Below::One(below(cx, single, rows).await?),
                    None => Below::Row,
                },
                Item::Many(relation, list) | Item::Single(relation, list) => {
                    let followed = followed(node, *relation, rows);
                    let parents: Vec<Key> = match list.page.beyond {
                        Some(_) => (0..rows.len()).map(|row| rows.key(row)).collect(),
                        None => Vec::new(),
                    };
                    let window = window(cx, list, &parents, false)?;
                    let lists = cx
                        .store
                        .lists_below(*relation, rows, &followed, &wanted(list, Some(&window)))
                        .await?;
                    let views = views(cx, list, &lists.rows).await?;
                    Below::Lists(lists, views)
                }
                Item::Computed(field, computed) => {
                    Below::Computed(computed.read(cx, node.noun, *field, rows).await?)
                }
            });
        }
        Ok(Fetched(fetched))
    })
}

/// For each row, whether the reference that governs the relation is shown.
fn followed(node: &Node, relation: usize, rows: &Rows) -> Vec<bool> {
    match governing(node.noun, relation) {
        None => vec![true; rows.len()],
        Some(key) => (0..rows.len())
            .map(|row| rows.plan(rows.cover(row)).sight(key) == Sight::Full)
            .collect(),
    }
}
