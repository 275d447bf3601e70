//! Compiles a selection set into a tree of what is wanted, once for each list.
//!
//! Handles aliases, fragments with type conditions, repeated keys and `__typename`; `@skip` and
//! `@include` are gone before. This is the only file that reads the library's inner context.

use async_graphql::parser::types::{Field, Selection, SelectionSet};
use async_graphql::{Context, ContextSelectionSet, Name, Positioned, ServerResult};
use indexmap::IndexMap;

use super::args::{ListArgs, PAGE_MAX, Page, Raw};
use super::computed::Computed;
use super::search;
use crate::access::filter::{Filter, Order};
use crate::access::scope::Scope;
use crate::access::view::{Join, Kind, Member, Noun};
use crate::domain::Cx;
use crate::error::{Error, Result, Why};
use crate::graphql::error::to_server;
use crate::store::read::{Ask, governing};

/// Most rows that one list may reach, estimated from the page sizes above it.
const REACH_MAX: u64 = 100_000;
/// What a bounded relation is taken to hold for each parent.
const BOUNDED: u64 = 10;
/// Most lists of one request, aliases and all; each is a statement or two.
const LISTS_MAX: u64 = 100;

/// What is wanted of each row of a noun.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) noun: &'static Noun,
    pub(crate) items: Vec<(Name, Item)>,
    pub(crate) ask: Ask,
}

/// One key of an object in the answer.
#[derive(Debug)]
pub(crate) enum Item {
    Typename,
    Id,
    Leaf(usize),
    Code(usize, Vec<(Name, CodePart)>),
    One(usize, Node),
    Many(usize, Box<ListNode>),
    Single(usize, Box<ListNode>),
    Computed(usize, Box<Computed>),
}

/// One key of a code object.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CodePart {
    Typename,
    System,
    List,
    Value,
    Label,
}

/// A list and what is wanted around and in it.
#[derive(Debug)]
pub(crate) struct ListNode {
    pub(crate) scope: Scope,
    pub(crate) filter: Option<Filter>,
    pub(crate) order: Vec<Order>,
    pub(crate) page: Page,
    pub(crate) binding: Vec<u8>,
    pub(crate) items: Vec<(Name, ListItem)>,
    /// What is wanted of the rows: by `nodes`, by `edges { node }`, each its own.
    pub(crate) views: Vec<Node>,
    /// Everything any of the views wants.
    pub(crate) ask: Ask,
    pub(crate) total: bool,
    pub(crate) rows: bool,
}

/// One key of a connection.
#[derive(Debug)]
pub(crate) enum ListItem {
    Typename,
    Nodes(usize),
    Edges(Vec<(Name, EdgeItem)>),
    PageInfo(Vec<(Name, PageItem)>),
    TotalCount,
}

/// One key of an edge.
#[derive(Debug)]
pub(crate) enum EdgeItem {
    Typename,
    Cursor,
    Node(usize),
}

/// One key of the page information.
#[derive(Clone, Copy, Debug)]
pub(crate) enum PageItem {
    Typename,
    HasNext,
    HasPrevious,
    Start,
    End,
}

/// Whether two fields ask for the same: the same field with the same arguments, in whatever order.
fn same(one: &Field, other: &Field) -> bool {
    one.name.node == other.name.node
        && one.arguments.len() == other.arguments.len()
        && one.arguments.iter().all(|(name, value)| {
            other
                .arguments
                .iter()
                .any(|(also, too)| name.node == also.node && value.node == too.node)
        })
}

type Fields<'a> = IndexMap<Name, Vec<&'a Positioned<Field>>>;

/// Compiles selections of one request.
pub(crate) struct Compiler<'c, 'a> {
    pub(crate) ctx: &'c ContextSelectionSet<'a>,
    pub(crate) cx: &'c Cx,
}

impl<'a> Compiler<'_, 'a> {
    /// The fields of a selection by key. One key asks for one thing: validation looks at each selection set
    /// alone, and sets that are merged are looked at here.
    fn collect(
        &self,
        sets: &[&'a Positioned<SelectionSet>],
        type_name: &str,
    ) -> ServerResult<Fields<'a>> {
        let mut fields = Fields::new();
        for set in sets {
            self.collect_into(set, type_name, &mut fields);
        }
        for (key, asked) in &fields {
            let Some((first, rest)) = asked.split_first() else { continue };
            if let Some(other) = rest.iter().find(|other| !same(&first.node, &other.node)) {
                let error = Error::invalid(
                    key.to_string(),
                    "this name stands for two different questions; give one of them an alias",
                    "该名称对应两个不同的查询；请为其中一个设置别名",
                );
                return Err(self.error(error, other));
            }
        }
        Ok(fields)
    }

    fn collect_into(
        &self,
        set: &'a Positioned<SelectionSet>,
        type_name: &str,
        fields: &mut Fields<'a>,
    ) {
        let applies = |condition: &str| condition == type_name || condition == "Node";
        for selection in &set.node.items {
            match &selection.node {
                Selection::Field(field) => {
                    fields.entry(field.node.response_key().node.clone()).or_default().push(field);
                }
                Selection::FragmentSpread(spread) => {
                    // A spread of an unknown fragment does not pass validation.
                    if let Some(fragment) =
                        self.ctx.query_env.fragments.get(&spread.node.fragment_name.node)
                        && applies(&fragment.node.type_condition.node.on.node)
                    {
                        self.collect_into(&fragment.node.selection_set, type_name, fields);
                    }
                }
                Selection::InlineFragment(fragment) => {
                    if fragment
                        .node
                        .type_condition
                        .as_ref()
                        .is_none_or(|condition| applies(&condition.node.on.node))
                    {
                        self.collect_into(&fragment.node.selection_set, type_name, fields);
                    }
                }
            }
        }
    }

    fn error(&self, error: Error, field: &Positioned<Field>) -> async_graphql::ServerError {
        self.ctx.with_field(field).set_error_path(to_server(error, field.pos, &self.cx.caller))
    }

    /// The error of a list: of the field that is being resolved, or of one below it.
    fn list_error(
        &self,
        error: Error,
        field: &Positioned<Field>,
        below: bool,
    ) -> async_graphql::ServerError {
        if below {
            self.error(error, field)
        } else {
            self.ctx.set_error_path(to_server(error, field.pos, &self.cx.caller))
        }
    }

    /// What is wanted of each row of a noun. `reach` is how many rows there may be.
    pub(crate) fn node(
        &self,
        noun: &'static Noun,
        sets: &[&'a Positioned<SelectionSet>],
        reach: u64,
        place: &str,
    ) -> ServerResult<Node> {
        let mut node = Node {
            noun,
            items: Vec::new(),
            ask: Ask { noun, fields: Vec::new(), ones: Vec::new() },
        };
        for (key, fields) in self.collect(sets, noun.shape.type_name)? {
            let Some(first) = fields.first() else { continue };
            let name = first.node.name.node.as_str();
            let below = || fields.iter().map(|field| &field.node.selection_set).collect::<Vec<_>>();
            let item = match (name, noun.member(name)) {
                ("__typename", _) => Item::Typename,
                ("id", _) => Item::Id,
                (_, Some(Member::Field(field))) => match noun.shape.fields[field].kind {
                    Kind::Code => {
                        node.ask.fields.push(field);
                        Item::Code(field, self.code(&below())?)
                    }
                    Kind::Computed => {
                        let computed = self.computed(noun, field, first, &below())?;
                        node.ask.fields.extend(computed.needs(noun));
                        Item::Computed(field, Box::new(computed))
                    }
                    Kind::Text(_)
                    | Kind::Sealed { .. }
                    | Kind::Int
                    | Kind::Bool
                    | Kind::Date
                    | Kind::Instant
                    | Kind::Thousandths
                    | Kind::Fen
                    | Kind::Enum(_)
                    | Kind::Key => {
                        node.ask.fields.push(field);
                        Item::Leaf(field)
                    }
                },
                (_, Some(Member::Relation(relation))) => {
                    let place = format!("{place}.{key}");
                    self.relation(&mut node, relation, first, &below(), reach, &place)?
                }
                (_, None) => continue,
            };
            node.items.push((key, item));
        }
        Ok(node)
    }

    fn relation(
        &self,
        node: &mut Node,
        relation: usize,
        field: &'a Positioned<Field>,
        below: &[&'a Positioned<SelectionSet>],
        reach: u64,
        place: &str,
    ) -> ServerResult<Item> {
        let shape = &node.noun.shape.relations[relation];
        let target = self.cx.registry().at(node.noun.targets[relation]);
        if let Some(key) = governing(node.noun, relation) {
            node.ask.fields.push(key);
        }
        if shape.many {
            let args = list_args(&self.ctx.with_field(field))?;
            let expected = if shape.bounded { BOUNDED } else { PAGE_MAX };
            let scope = Scope::reading(&self.cx.caller, target);
            let order = default_order(target, shape.order);
            let list = self.list(scope, order, &args, below, reach, expected, place, field)?;
            return Ok(Item::Many(relation, Box::new(list)));
        }
        let single = self.node(target, below, reach, place)?;
        self.count_list().map_err(|error| self.error(error, field))?;
        match shape.join {
            Join::To(_) | Join::ToOfStudent(_) | Join::ToStudent => {
                merge_one(&mut node.ask, relation, &single.ask);
                Ok(Item::One(relation, single))
            }
            Join::From(_)
            | Join::OfStudent
            | Join::LiveOfStudent
            | Join::FromOfStudent(_)
            | Join::Through { .. } => {
                let ask = single.ask.clone();
                Ok(Item::Single(
                    relation,
                    Box::new(ListNode {
                        scope: Scope::reading(&self.cx.caller, target),
                        filter: None,
                        order: default_order(target, shape.order),
                        page: Page { limit: 1, from_end: false, beyond: None },
                        binding: Vec::new(),
                        items: Vec::new(),
                        views: vec![single],
                        ask,
                        total: false,
                        rows: true,
                    }),
                ))
            }
        }
    }

    /// Counts one more list of the request.
    fn count_list(&self) -> Result<()> {
        if self.cx.budget.lists(1) <= LISTS_MAX {
            return Ok(());
        }
        Err(Error::Limit {
            what: "lists",
            why: Why::new(
                format!("a request asks for at most {LISTS_MAX} lists; send several requests"),
                format!("一次请求最多查询 {LISTS_MAX} 个列表；请分多次请求"),
            ),
        })
    }

    /// A connection: its arguments, and what is wanted around and in it.
    #[expect(clippy::too_many_arguments, reason = "the parts of one list, read at once")]
    pub(crate) fn list(
        &self,
        scope: Scope,
        default: Vec<Order>,
        args: &ListArgs,
        sets: &[&'a Positioned<SelectionSet>],
        reach: u64,
        expected: u64,
        place: &str,
        field: &Positioned<Field>,
    ) -> ServerResult<ListNode> {
        let noun = scope.noun();
        // The place of a list below another one is a path of two names or more.
        let fail = |error| self.list_error(error, field, place.contains('.'));
        let page = args.page().map_err(fail)?;
        let filter = args.filter(self.cx, noun).map_err(fail)?;
        let asked = args.order(noun).map_err(fail)?;
        if let Some(filter) = &filter {
            filter.allowed(&scope, self.cx.registry()).map_err(fail)?;
        }
        let filter = match search::condition(args.search.as_deref(), &scope).map_err(fail)? {
            None => filter,
            Some(search) => Some(Filter::And(filter.into_iter().chain([search]).collect())),
        };
        for by in asked.iter().flatten() {
            scope.sortable(by.field, "t0").map_err(fail)?;
        }
        // The default order gives way where it may not be used; the key alone always may.
        let order = asked.unwrap_or_else(|| {
            default.into_iter().filter(|by| scope.sortable(by.field, "t0").is_ok()).collect()
        });
        let reach = reach.saturating_mul(page.limit.min(expected)).max(1);
        self.count_list().map_err(fail)?;
        if reach > REACH_MAX {
            return Err(fail(Error::Limit {
                what: "reach",
                why: Why::new(
                    format!(
                        "this list may reach {reach} rows, the limit is {REACH_MAX}; \
                         ask for smaller pages or fewer nested lists"
                    ),
                    format!(
                        "该列表最多可能涉及 {reach} 行，上限为 {REACH_MAX}；请缩小分页或减少嵌套列表"
                    ),
                ),
            }));
        }
        let mut list = ListNode {
            ask: Ask { noun, fields: Vec::new(), ones: Vec::new() },
            scope,
            filter,
            binding: bound_to_order(args.binding(place), &order),
            order,
            page,
            items: Vec::new(),
            views: Vec::new(),
            total: false,
            rows: false,
        };
        let type_name = format!("{}Connection", noun.shape.type_name);
        for (key, fields) in self.collect(sets, &type_name)? {
            let Some(first) = fields.first() else { continue };
            let below: Vec<_> = fields.iter().map(|field| &field.node.selection_set).collect();
            let item = match first.node.name.node.as_str() {
                "nodes" => {
                    let at = self.view(&mut list, &below, reach, place)?;
                    ListItem::Nodes(at)
                }
                "edges" => {
                    list.rows = true;
                    let edge = format!("{}Edge", noun.shape.type_name);
                    let mut items = Vec::new();
                    for (key, fields) in self.collect(&below, &edge)? {
                        let Some(first) = fields.first() else { continue };
                        let item = match first.node.name.node.as_str() {
                            "cursor" => EdgeItem::Cursor,
                            "node" => {
                                let below: Vec<_> =
                                    fields.iter().map(|field| &field.node.selection_set).collect();
                                EdgeItem::Node(self.view(&mut list, &below, reach, place)?)
                            }
                            _ => EdgeItem::Typename,
                        };
                        items.push((key, item));
                    }
                    ListItem::Edges(items)
                }
                "pageInfo" => {
                    list.rows = true;
                    let items = self
                        .collect(&below, "PageInfo")?
                        .into_iter()
                        .filter_map(|(key, fields)| {
                            let item = match fields.first()?.node.name.node.as_str() {
                                "hasNextPage" => PageItem::HasNext,
                                "hasPreviousPage" => PageItem::HasPrevious,
                                "startCursor" => PageItem::Start,
                                "endCursor" => PageItem::End,
                                _ => PageItem::Typename,
                            };
                            Some((key, item))
                        })
                        .collect();
                    ListItem::PageInfo(items)
                }
                "totalCount" => {
                    list.total = true;
                    ListItem::TotalCount
                }
                _ => ListItem::Typename,
            };
            list.items.push((key, item));
        }
        Ok(list)
    }

    fn view(
        &self,
        list: &mut ListNode,
        below: &[&'a Positioned<SelectionSet>],
        reach: u64,
        place: &str,
    ) -> ServerResult<usize> {
        list.rows = true;
        let node = self.node(list.scope.noun(), below, reach, place)?;
        merge(&mut list.ask, &node.ask);
        list.views.push(node);
        Ok(list.views.len() - 1)
    }

    fn code(&self, sets: &[&'a Positioned<SelectionSet>]) -> ServerResult<Vec<(Name, CodePart)>> {
        let parts = self.collect(sets, "Code")?.into_iter().filter_map(|(key, fields)| {
            let part = match fields.first()?.node.name.node.as_str() {
                "system" => CodePart::System,
                "list" => CodePart::List,
                "value" => CodePart::Value,
                "label" => CodePart::Label,
                _ => CodePart::Typename,
            };
            Some((key, part))
        });
        Ok(parts.collect())
    }

    fn computed(
        &self,
        noun: &'static Noun,
        field: usize,
        node: &'a Positioned<Field>,
        below: &[&'a Positioned<SelectionSet>],
    ) -> ServerResult<Computed> {
        let ctx = self.ctx.with_field(node);
        let arg = |name: &str| {
            ctx.param_value::<Raw>(name, None).map(|(_, raw)| raw.0).unwrap_or_default()
        };
        let parts = self
            .collect(below, "")?
            .into_iter()
            .filter_map(|(key, fields)| Some((key, fields.first()?.node.name.node.to_string())))
            .collect();
        Computed::new(self.cx, noun, field, &arg, parts).map_err(|error| self.error(error, node))
    }
}

/// The arguments of a list field as they came.
pub(crate) fn list_args(ctx: &Context<'_>) -> ServerResult<ListArgs> {
    Ok(ListArgs {
        filter: ctx.param_value::<Raw>("filter", None)?.1,
        order_by: ctx.param_value::<Raw>("orderBy", None)?.1,
        first: ctx.param_value("first", None)?.1,
        after: ctx.param_value("after", None)?.1,
        last: ctx.param_value("last", None)?.1,
        before: ctx.param_value("before", None)?.1,
        search: ctx.param_value("search", None)?.1,
    })
}

/// The default order of a list, by the names of the target's fields.
pub(crate) fn default_order(noun: &Noun, order: &[(&str, bool)]) -> Vec<Order> {
    order
        .iter()
        .filter_map(|(name, descending)| {
            Some(Order { field: noun.field(name)?, descending: *descending })
        })
        .collect()
}

/// Binds cursors to the order that is in force: a grant that comes or goes may change the default.
fn bound_to_order(mut binding: Vec<u8>, order: &[Order]) -> Vec<u8> {
    for by in order {
        binding.extend([0, u8::from(by.descending)]);
        binding.extend(by.field.to_be_bytes());
    }
    binding
}

fn merge(into: &mut Ask, from: &Ask) {
    for field in &from.fields {
        if !into.fields.contains(field) {
            into.fields.push(*field);
        }
    }
    for (relation, ask) in &from.ones {
        merge_one(into, *relation, ask);
    }
}

fn merge_one(into: &mut Ask, relation: usize, ask: &Ask) {
    match into.ones.iter_mut().find(|(at, _)| *at == relation) {
        Some((_, known)) => merge(known, ask),
        None => into.ones.push((relation, ask.clone())),
    }
}
