//! What root fields return: one row, or a list, of a noun. Resolving it resolves the whole subtree.

use std::borrow::Cow;
use std::marker::PhantomData;

use async_graphql::parser::types::Field;
use async_graphql::registry::Registry as Meta;
use async_graphql::{ContextSelectionSet, InputType, InputValueResult, OutputType, Positioned};
use async_graphql::{ServerResult, Value};

use super::args::{ListArgs, Raw};
use super::select::{Compiler, ListNode, default_order};
use super::{fetch, render, types};
use crate::access::filter::{Filter, Key};
use crate::access::scope::Scope;
use crate::access::view::{Noun, View};
use crate::domain::Cx;
use crate::error::{Error, Result};
use crate::graphql::REGISTRY;
use crate::graphql::error::to_server;
#[cfg(feature = "leaks")]
use crate::leak::{self, Leak};

fn registered(name: &'static str) -> Option<&'static Noun> {
    REGISTRY.get(name)
}

fn noun_of<V: View>() -> Result<&'static Noun> {
    REGISTRY.of::<V>().ok_or_else(|| Error::internal("a view is not registered"))
}

/// The filter of a noun, as an argument.
#[derive(Debug)]
pub struct FilterOf<V>(Raw, PhantomData<fn() -> V>);

/// The ordering of a noun, as an argument; a list of columns.
#[derive(Debug)]
pub struct OrderOf<V>(Raw, PhantomData<fn() -> V>);

macro_rules! raw_input {
    ($name:ident, $suffix:literal, $register:expr) => {
        impl<V: View> InputType for $name<V> {
            type RawValueType = Self;

            fn type_name() -> Cow<'static, str> {
                Cow::Owned(format!(concat!("{}", $suffix), V::SHAPE.type_name))
            }

            fn create_type_info(meta: &mut Meta) -> String {
                if let Some(noun) = registered(V::SHAPE.name) {
                    let register: fn(&mut Meta, &'static Noun) = $register;
                    register(meta, noun);
                }
                format!("{}!", Self::type_name())
            }

            fn parse(value: Option<Value>) -> InputValueResult<Self> {
                match Raw::parse(value) {
                    Ok(raw) => Ok(Self(raw, PhantomData)),
                    Err(error) => Err(error.propagate()),
                }
            }

            fn to_value(&self) -> Value {
                self.0.to_value()
            }

            fn as_raw_value(&self) -> Option<&Self> {
                Some(self)
            }
        }
    };
}
raw_input!(FilterOf, "Filter", |meta, noun| {
    types::filter(meta, &REGISTRY, noun);
});
raw_input!(OrderOf, "Order", |meta, noun| {
    types::list_args(meta, &REGISTRY, noun);
});

/// The arguments of a root list.
pub fn list_args<V: View>(
    filter: Option<FilterOf<V>>,
    order_by: Option<Vec<OrderOf<V>>>,
    first: Option<i64>,
    after: Option<String>,
    last: Option<i64>,
    before: Option<String>,
) -> ListArgs {
    ListArgs {
        filter: filter.map(|filter| filter.0).unwrap_or_default(),
        order_by: Raw(order_by.map(|order| {
            Value::List(order.into_iter().map(|by| by.0.0.unwrap_or_default()).collect())
        })),
        first,
        after,
        last,
        before,
        search: None,
    }
}

/// A page of the rows of a noun.
#[derive(Debug)]
pub struct Connection<V> {
    inner: Listing,
    view: PhantomData<fn() -> V>,
}

/// A list with its arguments, of whatever noun.
#[derive(Debug)]
pub(crate) struct Listing {
    pub(crate) cx: Cx,
    pub(crate) scope: Scope,
    pub(crate) args: ListArgs,
    pub(crate) order: &'static [(&'static str, bool)],
    /// What the field itself restricts the list to.
    pub(crate) only: Option<Only>,
}

/// A restriction that comes with a field and not from its arguments.
#[derive(Clone, Debug)]
pub(crate) struct Only {
    pub(crate) filter: Filter,
    /// What it restricts to, for the cursors, which are bound to it.
    pub(crate) binding: Vec<u8>,
}

impl<V: View> Connection<V> {
    /// The rows of a scope.
    pub fn within(
        cx: &Cx,
        scope: Scope,
        args: ListArgs,
        order: &'static [(&'static str, bool)],
    ) -> Self {
        let inner = Listing { cx: cx.clone(), scope, args, order, only: None };
        Self { inner, view: PhantomData }
    }

    /// The same, restricted to the rows that meet a condition.
    #[must_use]
    pub(crate) fn only(mut self, only: Only) -> Self {
        self.inner.only = Some(only);
        self
    }
}

impl Listing {
    pub(crate) async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let noun = self.scope.noun();
        let mut list: ListNode = Compiler { ctx, cx: &self.cx }.list(
            self.scope.clone(),
            default_order(noun, self.order),
            &self.args,
            &[ctx.item],
            1,
            super::args::PAGE_MAX,
            field.node.name.node.as_str(),
            field,
        )?;
        if let Some(only) = &self.only {
            let asked = list.filter.take();
            list.filter = Some(Filter::And(
                [Some(only.filter.clone()), asked].into_iter().flatten().collect(),
            ));
            list.binding.push(0);
            list.binding.extend(&only.binding);
        }
        let fail = |error| ctx.set_error_path(to_server(error, field.pos, &self.cx.caller));
        let (lists, views) = fetch::root(&self.cx, &list).await.map_err(fail)?;
        Ok(render::list(&self.cx, &list, &lists, &views))
    }
}

impl<V: View> OutputType for Connection<V> {
    fn type_name() -> Cow<'static, str> {
        Cow::Owned(format!("{}Connection", V::SHAPE.type_name))
    }

    fn create_type_info(meta: &mut Meta) -> String {
        match registered(V::SHAPE.name) {
            Some(noun) => types::connection(meta, &REGISTRY, noun),
            None => format!("{}!", Self::type_name()),
        }
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        self.inner.resolve(ctx, field).await
    }
}

/// One row of a noun, or null.
#[derive(Debug)]
pub struct One<V> {
    inner: Single,
    view: PhantomData<fn() -> V>,
}

/// One row of whatever noun.
#[derive(Debug)]
pub(crate) struct Single {
    pub(crate) cx: Cx,
    pub(crate) noun: &'static Noun,
    pub(crate) key: Option<Key>,
    /// True when a row that does not exist is an error, false when it is null.
    pub(crate) required: bool,
}

impl<V: View> One<V> {
    /// The row with this key, or null.
    pub fn by_key(cx: &Cx, key: Option<Key>) -> Result<Self> {
        let noun = noun_of::<V>()?;
        Ok(Self { inner: Single { cx: cx.clone(), noun, key, required: false }, view: PhantomData })
    }
}

impl Single {
    pub(crate) async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        let fail = |error| ctx.set_error_path(to_server(error, field.pos, &self.cx.caller));
        #[cfg(feature = "leaks")]
        let peeked = match self.key {
            Some(key) if leak::on(Leak::ErrorQuotesValue) || leak::on(Leak::ExistenceTold) => {
                self.cx.store.peek(self.noun, key).await.map_err(fail)?
            }
            Some(_) | None => None,
        };
        let missing = || {
            #[cfg(feature = "leaks")]
            if let Some(text) = &peeked {
                if leak::on(Leak::ErrorQuotesValue) {
                    return Err(fail(Error::not_found(text.clone())));
                }
                if leak::on(Leak::ExistenceTold) {
                    let name = self.noun.shape.type_name.to_owned();
                    return Err(fail(Error::forbidden_use("read", name)));
                }
            }
            if self.required {
                Err(fail(Error::not_found(self.noun.shape.type_name)))
            } else {
                Ok(Value::Null)
            }
        };
        let Some(key) = self.key else { return missing() };
        let list = {
            let compiler = Compiler { ctx, cx: &self.cx };
            let place = field.node.name.node.as_str();
            let view = compiler.node(self.noun, &[ctx.item], 1, place)?;
            ListNode {
                scope: Scope::reading(&self.cx.caller, self.noun),
                filter: Some(Filter::Keys(vec![key])),
                order: Vec::new(),
                page: super::args::Page { limit: 1, from_end: false, beyond: None },
                binding: Vec::new(),
                items: Vec::new(),
                ask: view.ask.clone(),
                views: vec![view],
                total: false,
                rows: true,
            }
        };
        let (lists, views) = fetch::root(&self.cx, &list).await.map_err(fail)?;
        if lists.rows.is_empty() {
            return missing();
        }
        match (list.views.first(), views.first()) {
            (Some(view), Some(fetched)) => Ok(render::single(&self.cx, view, &lists.rows, fetched)),
            _ => missing(),
        }
    }
}

impl<V: View> OutputType for One<V> {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed(V::SHAPE.type_name)
    }

    fn qualified_type_name() -> String {
        V::SHAPE.type_name.to_owned()
    }

    fn create_type_info(meta: &mut Meta) -> String {
        if let Some(noun) = registered(V::SHAPE.name) {
            types::noun(meta, &REGISTRY, noun);
        }
        V::SHAPE.type_name.to_owned()
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        self.inner.resolve(ctx, field).await
    }
}

/// Any row by its global id, for `node`.
#[derive(Debug)]
pub struct AnyNode(Option<Single>);

impl AnyNode {
    /// The row with this global id; one that does not exist for the caller is null.
    pub fn by_id(cx: &Cx, id: &str) -> Self {
        Self(cx.opaque.open_id(id).map(|(noun, key)| Single {
            cx: cx.clone(),
            noun,
            key: Some(key),
            required: false,
        }))
    }
}

impl OutputType for AnyNode {
    fn type_name() -> Cow<'static, str> {
        Cow::Borrowed("Node")
    }

    fn qualified_type_name() -> String {
        "Node".to_owned()
    }

    fn create_type_info(meta: &mut Meta) -> String {
        types::node_interface(meta, &REGISTRY);
        "Node".to_owned()
    }

    async fn resolve(
        &self,
        ctx: &ContextSelectionSet<'_>,
        field: &Positioned<Field>,
    ) -> ServerResult<Value> {
        match &self.0 {
            Some(single) => single.resolve(ctx, field).await,
            None => Ok(Value::Null),
        }
    }
}
